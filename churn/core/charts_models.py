"""The pictures of the models and data pages, from frames. Colours are the theme's; shape or words say the same."""

from __future__ import annotations

import altair as alt
import pandas as pd

from churn.core.drift import DRIFTED, MOVED

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
        x=alt.X("chance:Q", title="predicted", scale=scale, axis=alt.Axis(format=PERCENT, grid=False))
    )
    bars = base.mark_rule(color="gray").encode(y=alt.Y("low:Q", scale=scale, title="happened"), y2="high:Q")
    points = base.mark_point(filled=True, size=70).encode(
        y=alt.Y("rate:Q", title="happened", scale=scale, axis=alt.Axis(format=PERCENT)),
        tooltip=[
            alt.Tooltip("chance:Q", format=".1%", title="predicted"),
            alt.Tooltip("rate:Q", format=".1%", title="happened"),
            alt.Tooltip("low:Q", format=".1%", title="at least (95 %)"),
            alt.Tooltip("high:Q", format=".1%", title="at most (95 %)"), alt.Tooltip("customers:Q", format=","),
        ],
    )  # fmt: skip
    return alt.layer(bars, points, same.encode(x="at:Q", y="at:Q")).properties(height=280)


def lift(tenths: pd.DataFrame) -> Chart:
    """Share of the leavers among the customers with the highest chances; `tenths`: share, captured, lift."""
    start = pd.DataFrame([{"share": 0.0, "captured": 0.0, "lift": float("nan")}])
    frame = pd.concat([start, tenths], ignore_index=True)
    base = alt.Chart(frame).encode(
        x=alt.X("share:Q", title="customers, highest chance first", axis=alt.Axis(format=PERCENT, grid=False))
    )
    line = base.mark_line(point=alt.OverlayMarkDef(size=50)).encode(
        y=alt.Y("captured:Q", title="of those who left", axis=alt.Axis(format=PERCENT)),
        tooltip=[
            alt.Tooltip("share:Q", format=".0%", title="customers"),
            alt.Tooltip("captured:Q", format=".0%", title="of those who left"),
            alt.Tooltip("lift:Q", format=".1f", title="times the usual rate"),
        ],
    )
    by_chance = base.mark_line(strokeDash=[4, 4], opacity=0.6).encode(y="share:Q")
    return alt.layer(by_chance, line).properties(height=280)


def groups(frame: pd.DataFrame) -> Chart:
    """Predicted (tick) and happened (point, interval) by group; `frame`: group, chance, rate, low, high, rows, auc."""
    base = alt.Chart(frame).encode(y=alt.Y("group:N", title=None, sort=None, axis=alt.Axis(labelLimit=240)))
    tip = [
        alt.Tooltip("group:N"), alt.Tooltip("chance:Q", format=".1%", title="predicted"),
        alt.Tooltip("rate:Q", format=".1%", title="happened"), alt.Tooltip("rows:Q", format=",", title="customers"),
        alt.Tooltip("auc:Q", format=".3f", title="AUC"),
    ]  # fmt: skip
    x = alt.X("low:Q", title="left within the horizon: predicted tick, happened point", axis=alt.Axis(format=PERCENT))
    bars = base.mark_rule(color="gray").encode(x=x, x2="high:Q")
    ticks = base.mark_tick(thickness=3).encode(x="chance:Q", tooltip=tip)
    points = base.mark_point(filled=True, size=60).encode(x="rate:Q", tooltip=tip)
    return alt.layer(bars, ticks, points).properties(height=alt.Step(24))


def months(frame: pd.DataFrame) -> Chart:
    """Happened over expected by month of the prediction; 1 is right. `frame`: month, ratio, low, high, customers."""
    held = frame.assign(month=pd.to_datetime(frame["month"]))
    base = alt.Chart(held).encode(x=alt.X("month:T", title=None, axis=alt.Axis(format="%b %y", grid=False)))
    one = alt.Chart(pd.DataFrame({"at": [1.0]})).mark_rule(strokeDash=[4, 4], opacity=0.6).encode(y="at:Q")
    bars = base.mark_rule(color="gray").encode(y=alt.Y("low:Q", title="left / expected to leave"), y2="high:Q")
    points = base.mark_point(filled=True, size=70).encode(
        y=alt.Y("ratio:Q", title="left / expected to leave"),
        tooltip=[
            alt.Tooltip("month:T", format="%B %Y"), alt.Tooltip("ratio:Q", format=".2f"),
            alt.Tooltip("expected:Q", format=",.0f"), alt.Tooltip("happened:Q", format=","),
            alt.Tooltip("customers:Q", format=","),
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
    named = frame.assign(months=[f"{ahead} months ahead" for ahead in frame["ahead"]])
    base = alt.Chart(named).encode(
        x=alt.X("predicted:Q", title="predicted to leave", scale=scale, axis=alt.Axis(format=PERCENT, grid=False))
    )
    order = list(dict.fromkeys(named.sort_values("ahead")["months"]))
    bars = base.mark_rule(color="gray", opacity=0.5).encode(y=alt.Y("low:Q", scale=scale, title="left"), y2="high:Q")
    points = base.mark_point(filled=True, size=70).encode(
        y=alt.Y("observed:Q", title="left", scale=scale, axis=alt.Axis(format=PERCENT)),
        shape=alt.Shape("months:N", title=None, sort=order, legend=alt.Legend(orient="top")),
        color=alt.Color("months:N", title=None, sort=order, legend=alt.Legend(orient="top")),
        tooltip=[
            alt.Tooltip("landmark:Q", title="months of tenure"), alt.Tooltip("months:N"),
            alt.Tooltip("predicted:Q", format=".1%"), alt.Tooltip("observed:Q", format=".1%"),
            alt.Tooltip("seen:Q", format=",", title="customers seen"), alt.Tooltip("left:Q", format=","),
        ],
    )  # fmt: skip
    return alt.layer(bars, points, same.encode(x="at:Q", y="at:Q")).properties(height=300)


def drift(frame: pd.DataFrame, *, most: int = 15) -> Chart:
    """The most moved columns with the two thresholds; `frame`: column_name, psi, grade."""
    shown = frame.head(most)
    shown = shown.assign(said=[f"{psi:.2f} {grade}" for psi, grade in zip(shown["psi"], shown["grade"], strict=True)])
    scale = alt.Scale(domain=[0, 4 * DRIFTED], clamp=True)  # far beyond drifted is drifted
    base = alt.Chart(shown).encode(y=alt.Y("column_name:N", title=None, sort=None, axis=alt.Axis(labelLimit=260)))
    bars = base.mark_bar(opacity=0.8).encode(
        x=alt.X("psi:Q", title="population stability index, cut at 1", scale=scale),
        tooltip=[
            alt.Tooltip("column_name:N", title="column"),
            alt.Tooltip("psi:Q", format=".3f"),
            alt.Tooltip("grade:N"),
        ],
    )
    words = base.mark_text(align="left", dx=4, color="currentColor", clip=False).encode(
        x=alt.X("psi:Q", scale=scale), text="said:N"
    )
    limits = (
        alt.Chart(pd.DataFrame({"at": [MOVED, DRIFTED]})).mark_rule(strokeDash=[4, 4], color="gray").encode(x="at:Q")
    )
    return alt.layer(bars, words, limits).properties(height=alt.Step(24))


def then_and_now(frame: pd.DataFrame) -> Chart:
    """One column's bins at training and today; `frame`: bin, share, when."""
    return (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("bin:N", title=None, sort=None, axis=alt.Axis(labelAngle=-30, labelLimit=120)),
            xOffset=alt.XOffset("when:N", sort=["at training", "today"]),
            y=alt.Y("share:Q", title="customers", axis=alt.Axis(format=PERCENT)),
            color=alt.Color("when:N", title=None, sort=["at training", "today"], legend=alt.Legend(orient="top")),
            tooltip=[alt.Tooltip("bin:N"), alt.Tooltip("when:N"), alt.Tooltip("share:Q", format=".1%")],
        )
        .properties(height=240)
    )


def drift_by_day(frame: pd.DataFrame) -> Chart:
    """The chances' index and the most moved column's by day; `frame`: measured_on, score_psi, worst_psi."""
    shown = frame.rename(columns={"measured_on": "day", "score_psi": "chances", "worst_psi": "most moved column"})
    shown = shown.assign(day=pd.to_datetime(shown["day"])).melt("day", var_name="what", value_name="psi").dropna()
    return (
        alt.Chart(shown)
        .mark_line(point=True)
        .encode(
            x=alt.X("day:T", title=None, axis=alt.Axis(format="%-d %b", grid=False)),
            y=alt.Y("psi:Q", title="population stability index"),
            color=alt.Color("what:N", title=None, legend=alt.Legend(orient="top")),
            strokeDash=alt.StrokeDash("what:N", title=None),
            tooltip=[
                alt.Tooltip("day:T", format="%-d %B %Y"),
                alt.Tooltip("what:N"),
                alt.Tooltip("psi:Q", format=".3f"),
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
            x=alt.X("yearmonthdate(day):T", title=None, axis=alt.Axis(format="%-d %b", grid=False)),
            y=alt.Y("rows:Q", title="rows"),
            tooltip=[alt.Tooltip("day:T", format="%-d %B %Y"), alt.Tooltip("rows:Q", format=",")],
        )
        .properties(height=180)
    )
