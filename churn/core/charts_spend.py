"""The pictures of the spend page. Money comes in major units of one currency; colours come from the page's theme."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from churn.core.charts_team import SHAPES
from churn.core.funnel import ALARM, WATCH, Funnel

Chart = alt.LayerChart | alt.FacetChart
GIVES = {
    "below": "gives less than chance explains",
    "low": "less than most; one in twenty is here by chance",
    "inside": "as expected of these callers",
    "high": "more than most; one in twenty is here by chance",
    "above": "gives more than chance explains",
}


def run_off_chart(rows: pd.DataFrame, currency: str) -> Chart:
    """Bars of what is promised for each month, a mark where it is weighted by who stays.

    `rows`: month, promised and expected (NaN: not known), major units.
    """
    x = alt.X("yearmonth(month):O", title="month of the bill", axis=alt.Axis(labelAngle=0, format="%b %Y"))
    tip = [
        alt.Tooltip("yearmonth(month):T", title="month", format="%B %Y"),
        alt.Tooltip("promised:Q", format=",.2f", title=f"promised ({currency})"),
        alt.Tooltip("expected:Q", format=",.2f", title=f"expected ({currency})"),
    ]
    base = alt.Chart(rows.assign(month=pd.to_datetime(rows["month"])))
    bars = base.mark_bar(opacity=0.4).encode(x=x, y=alt.Y("promised:Q", title=f"due ({currency})"), tooltip=tip)
    marks = base.mark_tick(thickness=3, orient="horizontal").encode(x=x, y="expected:Q", tooltip=tip)
    return alt.layer(bars, marks).properties(height=220)


def givers_chart(funnel: Funnel, agents: pd.DataFrame, currency: str) -> Chart:
    """The funnel of givers: money a call above what was expected against calls.

    `agents`: name, usual_calls, difference, told, zone, calls, given, expected.
    """
    most = float(max(agents["usual_calls"].max() * 1.1, 40.0)) if len(agents) else 400.0
    frame = agents.assign(said=agents["zone"].map(GIVES))
    x = alt.X("usual_calls:Q", title="calls", scale=alt.Scale(domain=[0, most], nice=False))
    y = alt.Y("difference:Q", title=f"given above expected, {currency} a call")
    tip: list[Any] = [
        alt.Tooltip("name:N"), alt.Tooltip("said:N", title="judged"), alt.Tooltip("calls:Q"),
        alt.Tooltip("given:Q", format=",.0f", title="given"), alt.Tooltip("expected:Q", format=",.0f"),
        alt.Tooltip("told:Q", format="+.2f", title="mix of callers allowed for"),
    ]  # fmt: skip
    strokes = alt.Chart(frame).mark_rule(opacity=0.45).encode(x=x, y=y, y2="told:Q")
    marks = alt.Chart(frame).mark_point(filled=True, size=90).encode(
        x=x, y=y, tooltip=tip,
        shape=alt.Shape(
            "said:N", title=None, legend=alt.Legend(orient="top", columns=2, labelLimit=340),
            scale=alt.Scale(domain=list(GIVES.values()), range=list(SHAPES.values())),
        ),
        color=alt.Color("said:N", title=None, scale=alt.Scale(domain=list(GIVES.values())), legend=None),
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
