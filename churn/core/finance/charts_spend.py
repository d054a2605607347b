"""The pictures of the spend page. Money comes in major units of one currency; colours come from the page's theme."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from churn.core.language import mark, t
from churn.core.trends.charts_team import SHAPES
from churn.core.trends.funnel import ALARM, WATCH, Funnel

Chart = alt.LayerChart | alt.FacetChart
GIVES = {
    "below": mark("gives less than chance explains"),
    "low": mark("less than most; one in twenty is here by chance"),
    "inside": mark("as expected of these callers"),
    "high": mark("more than most; one in twenty is here by chance"),
    "above": mark("gives more than chance explains"),
}


def run_off_chart(rows: pd.DataFrame, currency: str) -> Chart:
    """Bars of what is promised for each month, a mark where it is weighted by who stays.

    `rows`: month, promised and expected (NaN: not known), major units.
    """
    x = alt.X("yearmonth(month):O", title=t("month of the bill"), axis=alt.Axis(labelAngle=0, format="%b %Y"))
    tip = [
        alt.Tooltip("yearmonth(month):T", title=t("month"), format="%B %Y"),
        alt.Tooltip("promised:Q", format=",.2f", title=t("promised ({currency})", currency=currency)),
        alt.Tooltip("expected:Q", format=",.2f", title=t("expected ({currency})", currency=currency)),
    ]
    base = alt.Chart(rows.assign(month=pd.to_datetime(rows["month"])))
    bars = base.mark_bar(opacity=0.4).encode(
        x=x, y=alt.Y("promised:Q", title=t("due ({currency})", currency=currency)), tooltip=tip
    )
    marks = base.mark_tick(thickness=3, orient="horizontal").encode(x=x, y="expected:Q", tooltip=tip)
    return alt.layer(bars, marks).properties(height=220)


def givers_chart(funnel: Funnel, agents: pd.DataFrame, currency: str) -> Chart:
    """The funnel of givers: money a call above what was expected against calls.

    `agents`: name, usual_calls, difference, told, zone, calls, given, expected.
    """
    most = float(max(agents["usual_calls"].max() * 1.1, 40.0)) if len(agents) else 400.0
    gives = {zone: t(said) for zone, said in GIVES.items()}
    frame = agents.assign(said=agents["zone"].map(gives))
    x = alt.X("usual_calls:Q", title=t("calls"), scale=alt.Scale(domain=[0, most], nice=False))
    y = alt.Y("difference:Q", title=t("given above expected, {currency} a call", currency=currency))
    tip: list[Any] = [
        alt.Tooltip("name:N", title=t("name")), alt.Tooltip("said:N", title=t("judged")),
        alt.Tooltip("calls:Q", title=t("calls")), alt.Tooltip("given:Q", format=",.0f", title=t("given")),
        alt.Tooltip("expected:Q", format=",.0f", title=t("expected")),
        alt.Tooltip("told:Q", format="+.2f", title=t("mix of callers allowed for")),
    ]  # fmt: skip
    strokes = alt.Chart(frame).mark_rule(opacity=0.45).encode(x=x, y=y, y2="told:Q")
    marks = alt.Chart(frame).mark_point(filled=True, size=90).encode(
        x=x, y=y, tooltip=tip,
        shape=alt.Shape(
            "said:N", title=None, legend=alt.Legend(orient="top", columns=2, labelLimit=340),
            scale=alt.Scale(domain=list(gives.values()), range=list(SHAPES.values())),
        ),
        color=alt.Color("said:N", title=None, scale=alt.Scale(domain=list(gives.values())), legend=None),
    )  # fmt: skip
    middle = alt.Chart(pd.DataFrame({"difference": [0.0]})).mark_rule(color="gray").encode(y="difference:Q")
    return alt.layer(middle, *_limits(funnel, most, x), strokes, marks).properties(height=300)


def _limits(funnel: Funnel, most: float, x: alt.X) -> list[alt.Chart]:
    """Both pairs of control limits as lines, the outer ones dashed."""
    calls = np.linspace(10.0, most, 80)
    drawn = []
    for level in (WATCH, ALARM):
        limit = funnel.limit(calls, level)
        for side in (-1, 1):
            rows = pd.DataFrame({"usual_calls": calls, "difference": side * limit})
            drawn.append(
                alt.Chart(rows)
                .mark_line(color="gray", strokeWidth=1.2, strokeDash=[5, 4] if level == ALARM else [1, 0], clip=True)
                .encode(x=x, y="difference:Q")
            )
    return drawn
