"""The pictures of the policy page: spend against retained margin, and what a draft spends and keeps beside today's."""

from __future__ import annotations

import altair as alt
import pandas as pd

from churn.core.language import mark, t

Chart = alt.LayerChart | alt.FacetChart

DASHES = {"draft": [1, 0], "today": [6, 3]}  # told apart without colour
SHAPES = {"draft": "circle", "today": "square"}
NAMES = {"draft": mark("draft"), "today": mark("today")}


def frontier(points: pd.DataFrame, currency: str) -> Chart:
    """`points`: policy, price, spend, margin; the policy as it stands is the large mark at price 0."""
    names = [t(NAMES[name]) for name in DASHES]
    scale = alt.Scale(domain=names, range=list(DASHES.values()))
    shape = alt.Shape("policy:N", title=None, scale=alt.Scale(domain=names, range=list(SHAPES.values())))
    told = points.assign(policy=[t(NAMES[name]) for name in points["policy"]])
    margin = t("margin kept over giving nothing, {currency}", currency=currency)
    base = alt.Chart(told).encode(
        x=alt.X("spend:Q", title=t("spent, {currency}", currency=currency), axis=alt.Axis(format="~s")),
        y=alt.Y("margin:Q", title=margin, axis=alt.Axis(format="~s")),
        color=alt.Color("policy:N", title=None, scale=alt.Scale(domain=names), legend=alt.Legend(orient="top")),
        tooltip=[
            alt.Tooltip("policy:N", title=t("policy")), alt.Tooltip("price:Q", title=t("price of budget")),
            alt.Tooltip("spend:Q", format=",.0f", title=t("spend")),
            alt.Tooltip("margin:Q", format=",.0f", title=t("margin kept")),
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
        tooltip=[
            alt.Tooltip("who:N", title=t("who")),
            alt.Tooltip("total:Q", format=",.0f", title=t("total")),
            alt.Tooltip("low:Q", format=",.0f", title=t("low")),
            alt.Tooltip("high:Q", format=",.0f", title=t("high")),
        ],
    )
    return alt.layer(bar, mark).properties(height=110)
