"""The pictures of the policy page: spend against retained margin, and what a draft spends and keeps beside today's."""

from __future__ import annotations

import altair as alt
import pandas as pd

Chart = alt.LayerChart | alt.FacetChart

DASHES = {"draft": [1, 0], "today": [6, 3]}  # told apart without colour
SHAPES = {"draft": "circle", "today": "square"}
NAMES = list(DASHES)


def frontier(points: pd.DataFrame, currency: str) -> Chart:
    """`points`: policy, price, spend, margin; the policy as it stands is the large mark at price 0."""
    scale = alt.Scale(domain=NAMES, range=list(DASHES.values()))
    shape = alt.Shape("policy:N", title=None, scale=alt.Scale(domain=NAMES, range=list(SHAPES.values())))
    base = alt.Chart(points).encode(
        x=alt.X("spend:Q", title=f"spent, {currency}", axis=alt.Axis(format="~s")),
        y=alt.Y("margin:Q", title=f"margin kept over giving nothing, {currency}", axis=alt.Axis(format="~s")),
        color=alt.Color("policy:N", title=None, scale=alt.Scale(domain=NAMES), legend=alt.Legend(orient="top")),
        tooltip=[
            alt.Tooltip("policy:N"), alt.Tooltip("price:Q", title="price of budget"),
            alt.Tooltip("spend:Q", format=",.0f"), alt.Tooltip("margin:Q", format=",.0f", title="margin kept"),
        ],
    )  # fmt: skip
    line = base.mark_line().encode(strokeDash=alt.StrokeDash("policy:N", legend=None, scale=scale), order="price:Q")
    small = base.mark_point(size=30, filled=True).encode(shape=shape)
    here = base.transform_filter("datum.price == 0").mark_point(size=220, filled=True).encode(shape=shape)
    return alt.layer(line, small, here).properties(height=300)


def ranges(rows: pd.DataFrame, title: str) -> Chart:
    """`rows`: who, total, low, high; one bar of the interval and one mark of the total each."""
    base = alt.Chart(rows).encode(y=alt.Y("who:N", title=None, sort=None))
    bar = base.mark_rule(color="gray", strokeWidth=4, opacity=0.5).encode(
        x=alt.X("low:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(format="~s")), x2="high:Q"
    )
    mark = base.mark_point(size=90, filled=True).encode(
        x="total:Q",
        tooltip=["who:N", *(alt.Tooltip(f"{name}:Q", format=",.0f") for name in ("total", "low", "high"))],
    )
    return alt.layer(bar, mark).properties(height=110)
