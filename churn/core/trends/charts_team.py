"""The funnel of the team page: an agent a mark, control limits around the middle. Colours are the theme's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from churn.core.language import mark, t
from churn.core.trends.funnel import ALARM, WATCH, Funnel

Chart = alt.LayerChart | alt.FacetChart
PICK = "pick"
SAID = {
    "below": mark("fewer saves than chance explains"),
    "low": mark("fewer than most; one in twenty is here by chance"),
    "inside": mark("as expected of these callers"),
    "high": mark("more than most; one in twenty is here by chance"),
    "above": mark("more saves than chance explains"),
}
SHAPES = {
    "below": "triangle-down",
    "low": "triangle-down",
    "inside": "circle",
    "high": "triangle-up",
    "above": "triangle-up",
}
SHORT = {
    "below": mark("▼ fewer"),
    "low": mark("▽ rather fewer"),
    "inside": mark("as expected"),
    "high": mark("△ rather more"),
    "above": mark("▲ more"),
}
POINTS = 100.0  # saves in a hundred calls


def funnel_chart(funnel: Funnel, agents: pd.DataFrame) -> Chart:
    """The funnel in saves above expected in 100 calls against calls of usual difficulty.

    `agents`: name, usual_calls, difference, told, zone, calls, saved, expected. A stroke from a mark toward the middle
    is what an unusual mix of callers may explain: the end of it is what is judged.
    """
    most = float(max(agents["usual_calls"].max() * 1.1, 40.0)) if len(agents) else 400.0
    names = {zone: t(said) for zone, said in SAID.items()}
    frame = agents.assign(
        difference=POINTS * agents["difference"], told=POINTS * agents["told"], said=agents["zone"].map(names)
    )
    x = alt.X(
        "usual_calls:Q",
        title=t("calls of usual difficulty"),
        scale=alt.Scale(domain=[0, most], nice=False),
        axis=alt.Axis(tickCount=10),
    )
    y = alt.Y("difference:Q", title=t("saves above expected, in 100 calls"))
    pick = alt.selection_point(name=PICK, fields=["name"], on="click", empty=False)
    tip: list[Any] = [
        alt.Tooltip("name:N", title=t("name")), alt.Tooltip("said:N", title=t("judged")),
        alt.Tooltip("calls:Q", title=t("calls, window over")), alt.Tooltip("saved:Q", title=t("saved")),
        alt.Tooltip("expected:Q", format=".1f", title=t("expected of these callers")),
        alt.Tooltip("difference:Q", format="+.1f", title=t("above expected in 100")),
        alt.Tooltip("told:Q", format="+.1f", title=t("mix of callers allowed for")),
    ]  # fmt: skip
    base = alt.Chart(frame)
    strokes = base.mark_rule(opacity=0.6, color="gray").encode(x=x, y=y, y2="told:Q")
    marks = base.mark_point(filled=True, size=90).encode(
        x=x, y=y, tooltip=tip,
        shape=alt.Shape(
            "said:N", title=None, legend=alt.Legend(orient="top", columns=2, labelLimit=400),
            scale=alt.Scale(domain=list(names.values()), range=list(SHAPES.values())),
        ),
        color=alt.Color("said:N", title=None, scale=alt.Scale(domain=list(names.values()))),
        size=alt.condition(pick, alt.value(240), alt.value(90)),
    ).add_params(pick)  # fmt: skip
    return alt.layer(*_limits(funnel, most, x), strokes, marks).properties(height=420)


def _limits(funnel: Funnel, most: float, x: alt.X) -> Sequence[alt.Chart]:
    """The middle and both pairs of limits as lines, the outer ones dashed."""
    calls = np.linspace(10.0, most, 120)
    rows = pd.DataFrame(
        [
            {
                "usual_calls": n,
                "difference": side * POINTS * limit,
                "line": f"{level:.1%}{side:+d}",
                "is_outer": level == ALARM,
            }
            for level in (WATCH, ALARM)
            for n, limit in zip(calls, funnel.limit(calls, level), strict=True)
            for side in (-1, 1)
        ]
    )
    reach = 1.15 * POINTS * float(funnel.limit(25.0, ALARM))
    y = alt.Y("difference:Q", scale=alt.Scale(domain=[-reach, reach]))
    drawn = [
        alt.Chart(rows[rows["is_outer"] == outer])
        .mark_line(color="gray", strokeWidth=1.2, strokeDash=[5, 4] if outer else [1, 0], clip=True)
        .encode(x=x, y=y, detail="line:N")
        for outer in (False, True)
    ]
    middle = alt.Chart(pd.DataFrame({"difference": [0.0]})).mark_rule(color="gray").encode(y="difference:Q")
    return [middle, *drawn]
