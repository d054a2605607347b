"""The pictures of the trends page, from frames and curves; each mark can be chosen. Colours are the theme's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from churn.core.feature_names import meaning_of, name_of
from churn.core.language import number, t, tn
from churn.core.trends.curves import DAYS_A_MONTH, Table, at_risk_on, curve, known_until
from churn.core.trends.drivers import Driver
from churn.core.trends.rates import FEWEST, HOW, measure_said

Chart = alt.LayerChart | alt.VConcatChart | alt.Chart | alt.FacetChart
PICK = "pick"  # the selection a page listens to
MOST_LINES = 5  # the theme has as many colours
DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 2]]  # told apart without colour


def _legend(*, columns: int) -> alt.Legend:
    """A legend above the picture whose signs are as strong as the lines, not as pale as the bands."""
    return alt.Legend(
        orient="top", columns=columns, labelLimit=220, symbolType="stroke", symbolOpacity=1, symbolStrokeWidth=3
    )


def _share(form: str, title: str) -> list[alt.Tooltip]:
    """A rate with its 95 % interval, when one points at it."""
    return [
        alt.Tooltip("rate:Q", format=form, title=title),
        alt.Tooltip("low:Q", format=form, title=t("at least (95 %)")),
        alt.Tooltip("high:Q", format=form, title=t("at most (95 %)")),
    ]


def _month_axis() -> alt.Axis:
    """Months, each said once however few there are."""
    return alt.Axis(format="%b %y", grid=False, tickCount="month")


def _with_gaps(frame: pd.DataFrame) -> pd.DataFrame:
    """month, said, rate, low, high of lines, and a row without figures where a line has no month: there it breaks."""
    if frame.empty:
        return frame
    months = pd.date_range(frame["month"].min(), frame["month"].max(), freq="MS", name="month")
    every = frame[["said"]].drop_duplicates().merge(months.to_frame(index=False), how="cross")
    return every.merge(frame[["said", "month", "rate", "low", "high"]], how="left")


def churn_by_month(
    rates: pd.DataFrame, *, is_grouped: bool, open_month: date | None = None, say: Callable[[str], str] = str
) -> Chart:
    """Rates of leaving with their intervals. One group: a line a way of leaving; several: by choice, a line each.

    `rates`: as `churn.core.trends.rates.monthly` gives them; `say`: what a group is called. A mark carries its `line`,
    a group or a way of leaving as in HOW. A month that is not over is a hollow mark off the lines.
    """
    shown = rates[rates["how"] == "voluntary"] if is_grouped else rates
    names = {group: say(str(group)) for group in shown["group"]} if is_grouped else {how: t(HOW[how]) for how in HOW}
    line = shown["group"] if is_grouped else shown["how"]
    frame = shown.assign(
        line=line, said=line.map(names), so_far=[month == open_month for month in shown["month"]],
        month=pd.to_datetime(shown["month"]),
    )  # fmt: skip
    lines = list(names.values())
    scale = alt.Scale(domain=lines)
    pick = alt.selection_point(name=PICK, fields=["month", "line"], on="click", empty=False)
    x = alt.X("month:T", title=None, axis=_month_axis())
    y = alt.Y("rate:Q", title=t("left in the month"), axis=alt.Axis(format=".1%"))
    colour = alt.Color("said:N", title=None, scale=scale, legend=_legend(columns=4))
    tip = [
        alt.Tooltip("month:T", format="%B %Y", title=t("month")), alt.Tooltip("said:N", title=t("who")),
        *_share(".2%", t("left in the month")),
        alt.Tooltip("left:Q", format=",", title=t("customers who left")),
        alt.Tooltip("live:Q", format=",", title=t("live at the start")),
    ]  # fmt: skip
    over, every = alt.Chart(_with_gaps(frame[~frame["so_far"]])), alt.Chart(frame)
    band = over.mark_area(opacity=0.08 if is_grouped else 0.15).encode(
        x=x, y=alt.Y("low:Q", title=t("left in the month")), y2="high:Q", color=colour
    )
    line = over.mark_line(strokeWidth=2).encode(
        x=x, y=y, color=colour,
        strokeDash=alt.StrokeDash("said:N", title=None, legend=None, scale=alt.Scale(domain=lines, range=DASHES)),
    )  # fmt: skip
    points = (
        every.mark_point(strokeWidth=2)
        .encode(
            x=x, y=y, color=colour, tooltip=tip, size=alt.condition(pick, alt.value(180), alt.value(60)),
            fillOpacity=alt.condition("datum.so_far", alt.value(0), alt.value(1)),
            fill=alt.Fill("said:N", scale=scale, legend=None),
        )
        .add_params(pick)
    )  # fmt: skip
    return alt.layer(band, line, points).properties(height=280)


def curve_frame(tables: Mapping[str, Table], *, most: int = MOST_LINES, every_days: int = 15) -> pd.DataFrame:
    """Rows for a picture: group, month, staying, low, high, every so many days while FEWEST or more are at risk."""
    parts = []
    for name, table in list(tables.items())[:most]:
        end = known_until(table, FEWEST)
        days = np.arange(0, end + 1, every_days) if end >= 0 else np.empty(0, np.int64)
        days = days[days >= _first_known(table)]
        found = curve(table)
        at = np.searchsorted(found.day, days, side="right") - 1
        parts.append(
            pd.DataFrame(
                {
                    "group": name, "month": days / DAYS_A_MONTH, "staying": found.staying[at], "low": found.low[at],
                    "high": found.high[at],
                }
            )
        )  # fmt: skip
    columns = ["group", "month", "staying", "low", "high"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _first_known(table: Table) -> int:
    """The first day with FEWEST under observation: before it a curve of late entrants stands on hardly anybody."""
    under = np.cumsum(table.entered) - np.cumsum(table.removed)
    enough = np.flatnonzero(under >= FEWEST)
    return int(table.day[enough[0]]) if len(enough) else 0


def risk_table(tables: Mapping[str, Table], months: Sequence[int], *, most: int = MOST_LINES) -> pd.DataFrame:
    """Numbers at risk as text: a row a group, a column a month; fewer than FEWEST are not told apart."""
    rows = {
        name: at_risk_on(table, [round(month * DAYS_A_MONTH) for month in months])
        for name, table in list(tables.items())[:most]
    }
    return pd.DataFrame(
        [
            {t("at risk after"): name}
            | {tn(m, "{n} month", "{n} months"): _number(n) for m, n in zip(months, row, strict=True)}
            for name, row in rows.items()
        ]
    )


def _number(n: int) -> str:
    return number(n) if n >= FEWEST else t("under {n}", n=FEWEST)


def survival(frame: pd.DataFrame, *, since: str, say: Callable[[str], str] = str) -> Chart:
    """Kaplan–Meier curves as steps with their 95 % bands; `since`: what the months count from, as the axis says it.

    `say`: what a group is called.
    """
    frame = frame.assign(said=[say(str(group)) for group in frame["group"]])
    groups = list(dict.fromkeys(frame["said"]))
    pick = alt.selection_point(name=PICK, fields=["group"], on="click", empty=False)
    x = alt.X("month:Q", title=since, axis=alt.Axis(grid=False, tickMinStep=6))
    y = alt.Y("staying:Q", title=t("still a customer"), scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    scale = alt.Scale(domain=groups)
    colour = alt.Color("said:N", title=None, scale=scale, legend=_legend(columns=3))
    tip = [
        alt.Tooltip("said:N", title=t("group")), alt.Tooltip("month:Q", format=".0f", title=t("month")),
        alt.Tooltip("staying:Q", format=".1%", title=t("still a customer")),
        alt.Tooltip("low:Q", format=".1%", title=t("at least (95 %)")),
        alt.Tooltip("high:Q", format=".1%", title=t("at most (95 %)")),
    ]  # fmt: skip
    base = alt.Chart(frame)
    band = base.mark_area(opacity=0.12, interpolate="step-after").encode(x=x, y="low:Q", y2="high:Q", color=colour)
    line = base.mark_line(interpolate="step-after").encode(
        x=x, y=y, color=colour, tooltip=tip,
        strokeDash=alt.StrokeDash("said:N", legend=None, scale=alt.Scale(domain=groups, range=DASHES)),
        strokeWidth=alt.condition(pick, alt.value(4), alt.value(2)),
    ).add_params(pick)  # fmt: skip
    return alt.layer(band, line).properties(height=360)


def heat(cells: pd.DataFrame) -> Chart:
    """The cohort heat map: rows are quarters of joining, columns months since, colour and text the rate."""
    pick = alt.selection_point(name=PICK, fields=["cohort", "month"], on="click", empty=False)
    base = alt.Chart(cells).encode(
        x=alt.X("month:O", title=t("month since joining"), axis=alt.Axis(labelAngle=0)),
        y=alt.Y("cohort:O", title=t("quarter joined"), sort="descending"),
    )
    legend = alt.Legend(format=".1%", orient="top", gradientLength=300)
    boxes = base.mark_rect(stroke="gray").encode(
        color=alt.Color("rate:Q", title=t("left in the month"), legend=legend),
        strokeWidth=alt.condition(pick, alt.value(3), alt.value(0)),
        tooltip=[
            alt.Tooltip("cohort:O", title=t("joined in")), alt.Tooltip("month:O", title=t("month since joining")),
            *_share(".2%", t("left in the month")),
            alt.Tooltip("left:Q", format=",", title=t("customers who left")),
            alt.Tooltip("at_risk:Q", format=",", title=t("here when it began")),
        ],
    )  # fmt: skip
    return boxes.add_params(pick).properties(height=alt.Step(24))


def predicted_and_happened(groups: pd.DataFrame) -> Chart:
    """Each group's predicted chance against the share that left, with its interval; on the line both are equal.

    `groups`: chance, rate, low, high, customers, label.
    """
    top = float(max(groups["chance"].max(), groups["high"].max())) * 1.05
    scale = alt.Scale(domain=[0, top], nice=False)
    same = (
        alt.Chart(pd.DataFrame({"at": [0.0, top]}))
        .mark_line(strokeDash=[4, 4], opacity=0.6)
        .encode(x="at:Q", y=alt.Y("at:Q", title=t("left")))
    )
    base = alt.Chart(groups).encode(
        x=alt.X("chance:Q", title=t("predicted to leave"), scale=scale, axis=alt.Axis(format="%", grid=False))
    )
    bar = base.mark_rule(color="gray").encode(y=alt.Y("low:Q", scale=scale, title=t("left")), y2="high:Q")
    points = base.mark_point(filled=True, size=70).encode(
        y=alt.Y("rate:Q", title=t("left"), scale=scale, axis=alt.Axis(format="%")),
        shape=alt.Shape("label:N", title=None, legend=alt.Legend(orient="top")),
        tooltip=[
            alt.Tooltip("label:N", title=t("when")), alt.Tooltip("chance:Q", format=".1%", title=t("predicted")),
            *_share(".1%", t("happened")),
            alt.Tooltip("customers:Q", format=",", title=t("customers")),
        ],
    )  # fmt: skip
    return alt.layer(same, bar, points).properties(height=280)


def save_rates(rates: pd.DataFrame) -> Chart:
    """Deflect and save rates by month of the call, a line a measure."""
    frame = rates.assign(month=pd.to_datetime(rates["month"]), said=[measure_said(one) for one in rates["measure"]])
    order = list(dict.fromkeys(frame["said"]))
    pick = alt.selection_point(name=PICK, fields=["month"], on="click", empty=False)
    x = alt.X("month:T", title=t("month of the call"), axis=_month_axis())
    scale = alt.Scale(domain=order)
    colour = alt.Color("said:N", title=None, scale=scale, legend=_legend(columns=4))
    lines, base = alt.Chart(_with_gaps(frame)), alt.Chart(frame)
    band = lines.mark_area(opacity=0.1).encode(x=x, y="low:Q", y2="high:Q", color=colour)
    line = lines.mark_line().encode(
        x=x, color=colour,
        y=alt.Y("rate:Q", title=t("of who came to cancel"), axis=alt.Axis(format="%"), scale=alt.Scale(zero=False)),
        strokeDash=alt.StrokeDash("said:N", legend=None, scale=alt.Scale(domain=order, range=DASHES)),
    )  # fmt: skip
    points = base.mark_point(filled=True, size=50).encode(
        x=x, y="rate:Q", color=colour, size=alt.condition(pick, alt.value(160), alt.value(50)),
        tooltip=[
            alt.Tooltip("month:T", format="%B %Y", title=t("month")), alt.Tooltip("said:N", title=t("measure")),
            *_share(".1%", t("rate")), alt.Tooltip("callers:Q", format=",", title=t("callers")),
        ],
    ).add_params(pick)  # fmt: skip
    return alt.layer(band, line, points).properties(height=280)


def driver_bars(drivers: Sequence[Driver]) -> Chart:
    """Mean change of the chance of leaving by each column: now a bar, a quarter before a tick."""
    frame = pd.DataFrame([_driver_row(driver) for driver in drivers])
    y = alt.Y("what:N", title=None, sort=list(frame["what"]), axis=alt.Axis(labelLimit=320))
    tip: list[Any] = [
        alt.Tooltip("what:N", title=t("column")), alt.Tooltip("meaning:N", title=t("meaning")),
        alt.Tooltip("now:Q", format="+.2f", title=t("points now")),
        alt.Tooltip("then:Q", format="+.2f", title=t("points then")),
        alt.Tooltip("change:Q", format="+.2f", title=t("change")),
        alt.Tooltip("error:Q", format=".2f", title=t("standard error")),
    ]  # fmt: skip
    base = alt.Chart(frame)
    bars = base.mark_bar(opacity=0.75).encode(
        y=y, x=alt.X("now:Q", title=t("points of risk, mean of customers")), tooltip=tip
    )
    ticks = base.mark_tick(thickness=3, color="gray").encode(y=y, x="then:Q", tooltip=tip)
    return alt.layer(bars, ticks).properties(height=alt.Step(24))


def _driver_row(driver: Driver) -> dict[str, Any]:
    now, then = 100 * driver.points_now, 100 * driver.points_then
    return {
        "what": name_of(driver.column), "meaning": meaning_of(driver.column), "now": now, "then": then,
        "change": now - then, "error": 100 * driver.error,
    }  # fmt: skip


def drivers_table(drivers: Sequence[Driver]) -> pd.DataFrame:
    """The drivers as a table, points of risk as the picture has them."""
    return pd.DataFrame([_driver_row(driver) for driver in drivers])
