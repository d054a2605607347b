"""The pictures of the models and data pages, from frames. Colours are the theme's; shape or words say the same."""

from __future__ import annotations

import altair as alt
import pandas as pd

from churn.core.feature_names import name_of
from churn.core.language import current, number, t, tn
from churn.core.trust.drift import DRIFTED, MOVED
from churn.core.trust.model_words import grade_in_words

Chart = alt.LayerChart | alt.Chart | alt.FacetChart
PERCENT = "%"


def calibration(groups: pd.DataFrame) -> Chart:
    """Predicted chance against what happened, with intervals; on the dashed line both are equal.

    `groups`: chance, rate, low, high, customers.
    """
    top = float(max(groups["chance"].max(), groups["high"].max())) * 1.05
    scale = alt.Scale(domain=[0, top], nice=False)
    same = alt.Chart(pd.DataFrame({"at": [0.0, top]})).mark_line(strokeDash=[4, 4], opacity=0.6)
    base = alt.Chart(groups).encode(
        x=alt.X("chance:Q", title=t("predicted"), scale=scale, axis=alt.Axis(format=PERCENT, grid=False))
    )
    bars = base.mark_rule(color="gray").encode(y=alt.Y("low:Q", scale=scale, title=t("happened")), y2="high:Q")
    points = base.mark_point(filled=True, size=70).encode(
        y=alt.Y("rate:Q", title=t("happened"), scale=scale, axis=alt.Axis(format=PERCENT)),
        tooltip=[
            alt.Tooltip("chance:Q", format=".1%", title=t("predicted")),
            alt.Tooltip("rate:Q", format=".1%", title=t("happened")),
            alt.Tooltip("low:Q", format=".1%", title=t("at least (95 %)")),
            alt.Tooltip("high:Q", format=".1%", title=t("at most (95 %)")),
            alt.Tooltip("customers:Q", format=",", title=t("customers")),
        ],
    )  # fmt: skip
    return alt.layer(bars, points, same.encode(x="at:Q", y="at:Q")).properties(height=280)


def lift(tenths: pd.DataFrame) -> Chart:
    """Share of the leavers among the customers with the highest chances; `tenths`: share, captured, lift."""
    start = pd.DataFrame([{"share": 0.0, "captured": 0.0, "lift": float("nan")}])
    frame = pd.concat([start, tenths], ignore_index=True)
    base = alt.Chart(frame).encode(
        x=alt.X("share:Q", title=t("customers, highest chance first"), axis=alt.Axis(format=PERCENT, grid=False))
    )
    line = base.mark_line(point=alt.OverlayMarkDef(size=50)).encode(
        y=alt.Y("captured:Q", title=t("of those who left"), axis=alt.Axis(format=PERCENT)),
        tooltip=[
            alt.Tooltip("share:Q", format=".0%", title=t("customers")),
            alt.Tooltip("captured:Q", format=".0%", title=t("of those who left")),
            alt.Tooltip("lift:Q", format=".1f", title=t("times the usual rate")),
        ],
    )
    by_chance = base.mark_line(strokeDash=[4, 4], opacity=0.6).encode(y="share:Q")
    return alt.layer(by_chance, line).properties(height=280)


def groups(frame: pd.DataFrame) -> Chart:
    """Predicted (tick) and happened (point, interval) by group; `frame`: group, chance, rate, low, high, rows, auc."""
    base = alt.Chart(frame).encode(y=alt.Y("group:N", title=None, sort=None, axis=alt.Axis(labelLimit=240)))
    tip = [
        alt.Tooltip("group:N", title=t("group")), alt.Tooltip("chance:Q", format=".1%", title=t("predicted")),
        alt.Tooltip("rate:Q", format=".1%", title=t("happened")),
        alt.Tooltip("rows:Q", format=",", title=t("customers")), alt.Tooltip("auc:Q", format=".3f", title=t("AUC")),
    ]  # fmt: skip
    title = t("left within the horizon: predicted tick, happened point")
    x = alt.X("low:Q", title=title, axis=alt.Axis(format=PERCENT))
    bars = base.mark_rule(color="gray").encode(x=x, x2="high:Q")
    ticks = base.mark_tick(thickness=3).encode(x="chance:Q", tooltip=tip)
    points = base.mark_point(filled=True, size=60).encode(x="rate:Q", tooltip=tip)
    return alt.layer(bars, ticks, points).properties(height=alt.Step(24))


def months(frame: pd.DataFrame) -> Chart:
    """Happened over expected by month of the prediction; 1 is right. `frame`: month, ratio, low, high, customers."""
    held = frame.assign(month=pd.to_datetime(frame["month"]))
    base = alt.Chart(held).encode(x=alt.X("month:T", title=None, axis=alt.Axis(format="%b %y", grid=False)))
    one = alt.Chart(pd.DataFrame({"at": [1.0]})).mark_rule(strokeDash=[4, 4], opacity=0.6).encode(y="at:Q")
    bars = base.mark_rule(color="gray").encode(y=alt.Y("low:Q", title=t("left / expected to leave")), y2="high:Q")
    points = base.mark_point(filled=True, size=70).encode(
        y=alt.Y("ratio:Q", title=t("left / expected to leave")),
        tooltip=[
            alt.Tooltip("month:T", format="%B %Y", title=t("month")),
            alt.Tooltip("ratio:Q", format=".2f", title=t("ratio")),
            alt.Tooltip("expected:Q", format=",.0f", title=t("expected")),
            alt.Tooltip("happened:Q", format=",", title=t("happened")),
            alt.Tooltip("customers:Q", format=",", title=t("customers")),
        ],
    )  # fmt: skip
    return alt.layer(one, bars, points).properties(height=240)


def landmarks(frame: pd.DataFrame) -> Chart:
    """Predicted against happened after each landmark, a mark a number of months ahead.

    `frame`: landmark, ahead, predicted, observed, low, high, seen, left.
    """
    top = float(max(frame["predicted"].max(), frame["high"].max())) * 1.05
    scale = alt.Scale(domain=[0, top], nice=False)
    same = alt.Chart(pd.DataFrame({"at": [0.0, top]})).mark_line(strokeDash=[4, 4], opacity=0.6)
    named = frame.assign(months=[tn(ahead, "{n} month ahead", "{n} months ahead") for ahead in frame["ahead"]])
    base = alt.Chart(named).encode(
        x=alt.X("predicted:Q", title=t("predicted to leave"), scale=scale, axis=alt.Axis(format=PERCENT, grid=False))
    )
    order = list(dict.fromkeys(named.sort_values("ahead")["months"]))
    bars = base.mark_rule(color="gray", opacity=0.5).encode(y=alt.Y("low:Q", scale=scale, title=t("left")), y2="high:Q")
    points = base.mark_point(filled=True, size=70).encode(
        y=alt.Y("observed:Q", title=t("left"), scale=scale, axis=alt.Axis(format=PERCENT)),
        shape=alt.Shape("months:N", title=None, sort=order, legend=alt.Legend(orient="top")),
        color=alt.Color("months:N", title=None, sort=order, legend=alt.Legend(orient="top")),
        tooltip=[
            alt.Tooltip("landmark:Q", title=t("months of tenure")), alt.Tooltip("months:N", title=t("months ahead")),
            alt.Tooltip("predicted:Q", format=".1%", title=t("predicted")),
            alt.Tooltip("observed:Q", format=".1%", title=t("observed")),
            alt.Tooltip("seen:Q", format=",", title=t("customers seen")),
            alt.Tooltip("left:Q", format=",", title=t("left")),
        ],
    )  # fmt: skip
    return alt.layer(bars, points, same.encode(x="at:Q", y="at:Q")).properties(height=300)


def drift(frame: pd.DataFrame, *, most: int = 15) -> Chart:
    """The most moved columns with the two thresholds; `frame`: column_name, psi, grade."""
    shown = frame.head(most)
    names = shown["column_name"].map(name_of)
    named = names.where(~names.duplicated(keep=False), shown["column_name"])  # two columns are never one bar
    shown = shown.assign(column_name=named, grade=shown["grade"].map(grade_in_words))
    shown = shown.assign(
        said=[f"{number(psi, 2)} {grade}" for psi, grade in zip(shown["psi"], shown["grade"], strict=True)]
    )
    scale = alt.Scale(domain=[0, 4 * DRIFTED], clamp=True)  # far beyond drifted is drifted
    base = alt.Chart(shown).encode(y=alt.Y("column_name:N", title=None, sort=None, axis=alt.Axis(labelLimit=260)))
    bars = base.mark_bar(opacity=0.8).encode(
        x=alt.X("psi:Q", title=t("population stability index, cut at 1"), scale=scale),
        tooltip=[
            alt.Tooltip("column_name:N", title=t("column")),
            alt.Tooltip("psi:Q", format=".3f", title=t("index")),
            alt.Tooltip("grade:N", title=t("grade")),
        ],
    )
    words = base.mark_text(align="left", dx=4, color="currentColor", clip=False).encode(
        x=alt.X("psi:Q", scale=scale), text="said:N"
    )
    limits = (
        alt.Chart(pd.DataFrame({"at": [MOVED, DRIFTED]})).mark_rule(strokeDash=[4, 4], color="gray").encode(x="at:Q")
    )
    return alt.layer(bars, words, limits).properties(height=alt.Step(24))


def then_and_now(frame: pd.DataFrame, then: str, now: str) -> Chart:
    """One column's bins at training and today; `frame`: bin, share, when, which is `then` or `now`."""
    return (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("bin:N", title=None, sort=None, axis=alt.Axis(labelAngle=-30, labelLimit=120)),
            xOffset=alt.XOffset("when:N", sort=[then, now]),
            y=alt.Y("share:Q", title=t("customers"), axis=alt.Axis(format=PERCENT)),
            color=alt.Color("when:N", title=None, sort=[then, now], legend=alt.Legend(orient="top")),
            tooltip=[
                alt.Tooltip("bin:N", title=t("bin")),
                alt.Tooltip("when:N", title=t("when")),
                alt.Tooltip("share:Q", format=".1%", title=t("share")),
            ],
        )
        .properties(height=240)
    )


def drift_by_day(frame: pd.DataFrame) -> Chart:
    """The chances' index and the most moved column's by day; `frame`: measured_on, score_psi, worst_psi."""
    named = {"measured_on": "day", "score_psi": t("chances"), "worst_psi": t("most moved column")}
    shown = frame.rename(columns=named)
    shown = shown.assign(day=pd.to_datetime(shown["day"])).melt("day", var_name="what", value_name="psi").dropna()
    return (
        alt.Chart(shown)
        .mark_line(point=True)
        .encode(
            x=alt.X("day:T", title=None, axis=alt.Axis(format=_day(), grid=False)),
            y=alt.Y("psi:Q", title=t("population stability index")),
            color=alt.Color("what:N", title=None, legend=alt.Legend(orient="top")),
            strokeDash=alt.StrokeDash("what:N", title=None),
            tooltip=[
                alt.Tooltip("day:T", format=f"{_day('%B')} %Y", title=t("day")),
                alt.Tooltip("what:N", title=t("what")),
                alt.Tooltip("psi:Q", format=".3f", title=t("index")),
            ],
        )
        .properties(height=200)
    )


def rows_a_day(frame: pd.DataFrame) -> Chart:
    """Rows a day of one table; `frame`: day, rows."""
    return (
        alt.Chart(frame.assign(day=pd.to_datetime(frame["day"])))
        .mark_bar()
        .encode(
            x=alt.X("yearmonthdate(day):T", title=None, axis=alt.Axis(format=_day(), grid=False)),
            y=alt.Y("rows:Q", title=t("rows")),
            tooltip=[
                alt.Tooltip("day:T", format=f"{_day('%B')} %Y", title=t("day")),
                alt.Tooltip("rows:Q", format=",", title=t("rows")),
            ],
        )
        .properties(height=180)
    )


def _day(month: str = "%b") -> str:
    """How an axis writes a day: `3 Nov`, `3. Nov.`."""
    return current().day.format(day="%-d", month=month)
