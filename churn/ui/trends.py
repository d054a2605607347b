"""Churn for the CX leader: what happened, what is predicted, what moves it, and the customers behind each mark."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.language import current, mark, number, t
from churn.core.trends import charts_trends as charts
from churn.core.trends.rates import FEWEST, HOW, at_risk, large_enough, monthly, share, wilson, with_others
from churn.trends import trends
from churn.trends.trends import Filter, Mark, State
from churn.ui.gate import Session
from churn.ui.pieces import chart, heading, plain
from churn.ui.takeaway import takeaway
from churn.ui.trends_curves import show_cohorts, show_curves
from churn.ui.trends_lists import month_of, points, say_group, show_forbidden, show_leavers, show_summary
from churn.ui.trends_saves import show_saves

if TYPE_CHECKING:
    import psycopg

NOT_YET = mark("Nothing is added up yet: the nightly job does it, or `python3 -m churn trends` now.")
NOT_NARROWED = mark("What follows is of all customers, whatever the filters.")
FILTERS = {
    "plan": (mark("Plan"), mark("every plan")),
    "region": (mark("Region"), mark("every region")),
    "segment": (mark("Segment"), mark("every segment")),
    "tenure": (mark("Tenure"), mark("every tenure")),
}
BY = {
    "": mark("everybody"),
    "plan": mark("plan"),
    "region": mark("region"),
    "segment": mark("segment"),
    "tenure": mark("tenure"),
    "reason": mark("last contact"),
}
RATE = mark(
    "Rate: customers who left in the month over customers live when it began; by choice, cut off and moved apart. "
    "Bands: 95 %, Wilson."
)
RATE_BY = mark(
    "Rate: customers who left by choice in the month over customers live when it began, the largest groups. Bands: "
    "95 %, Wilson."
)
AT_RISK = mark(
    "Sum of chance of leaving times a quarter’s margin. Where the data have no margin, a share of the price set by "
    "policy stands for it."
)
BETWEEN = mark("Normal interval of the sum: chance, and by how much the model was off on customers it had not seen.")
LEAVERS = mark("Sum of the scored customers’ chances of leaving by the end of the model’s horizon; modelled.")
HOW_CODES = {
    "voluntary": "voluntary",
    "involuntary": "involuntary",
    "moved": "move",
}  # a rate's column → how a leaver is coded


def show_trends(session: Session) -> None:
    """The page, the first picture first; every choice stands in the URL."""
    with session.database.transaction(session.me) as connection:
        state = trends.state(connection)
        if state is not None:
            narrowed = _filters(trends.values(connection))
            rates = _months(connection, session, narrowed)
            risk = _risk(connection, session, narrowed, state)
            show_curves(session, connection, narrowed, state)
            show_cohorts(session, connection, narrowed)
            kept = show_saves(session, connection, narrowed)
            if narrowed != Filter():
                st.caption(t(NOT_NARROWED))
            _predictions(session, connection)
            moved = _drivers(session, connection)
            forbidden = trends.forbidden(connection)
            show_forbidden(session, forbidden)
            show_summary(
                session, state, narrowed, rates=rates, risk=risk, kept=kept, drivers=moved, forbidden=forbidden
            )
            _source(session, state)
    if state is None:
        st.info(t(NOT_YET), icon=":material/inbox:")


def _filters(values: dict[str, list[str]]) -> Filter:
    columns = st.columns(4)
    chosen = {
        f"{cut}s": tuple(
            column.multiselect(
                t(label), values.get(cut, []), key=f"{cut}s", bind="query-params", placeholder=t(every),
                format_func=say_group(cut),
            )
        )
        for column, (cut, (label, every)) in zip(columns, FILTERS.items(), strict=True)
    }  # fmt: skip
    return Filter(**chosen)


def _months(connection: psycopg.Connection, session: Session, narrowed: Filter) -> pd.DataFrame:
    """Churn by month; gives the rates of everybody that the filter lets through."""
    by = st.segmented_control(
        t("Churn by month, by"),
        list(BY),
        default="",
        required=True,
        format_func=lambda cut: t(BY[cut]),
        key="by",
        bind="query-params",
    )
    rates = monthly(trends.months(connection, None, narrowed))
    shown = monthly(_largest(trends.months(connection, str(by), narrowed)), "value") if by else rates
    if shown.empty:
        st.info(
            t("No month with {n} customers or more to show: widen the filters. A flat file has no months.", n=FEWEST),
            icon=":material/filter_alt:",
        )
        return rates
    last = shown["month"].max()
    unfinished = last if _is_open(session, last) else None
    say = say_group(by)
    picked = chart(
        charts.churn_by_month(shown, is_grouped=bool(by), open_month=unfinished, say=say),
        on_select="rerun", key="months", alt=_said(rates),
    )  # fmt: skip
    parts = [
        t(RATE_BY if by else RATE), t("Shown: {what}.", what=plain(narrowed.said)),
        t("{month} is not over: a hollow mark.", month=current().long_months[last.month - 1]) if unfinished else "",
        t("Choose a point to see who they are."),
    ]  # fmt: skip
    st.caption(" ".join(filter(None, parts)))
    takeaway(session, "trends", "churn-by-month", shown)
    for point in points(picked):
        show_leavers(session, connection, _month_mark(point, str(by), narrowed), "months")
    return rates


def _largest(rows: pd.DataFrame, most: int = charts.MOST_LINES) -> pd.DataFrame:
    """Only the largest groups: more lines than that nobody can tell apart."""
    sizes = rows.groupby("value")["live"].sum().nlargest(most)
    return rows[rows["value"].isin(sizes.index)]


def _is_open(session: Session, month: date) -> bool:
    now = session.company.data_until or session.clock
    return (month.year, month.month) == (now.year, now.month)


def _said(rates: pd.DataFrame) -> str:
    """The picture in words, for who cannot see it."""
    last = rates[rates["month"] == rates["month"].max()] if len(rates) else rates
    if not len(last):
        return t("Churn by month.")
    told = ", ".join(f"{t(HOW[row.how])} {words.exact_percent(row.rate, 2)}" for row in last.itertuples())
    return t("Churn by month. In {month}: {told}.", month=words.month(last["month"].iloc[0]), told=told)


def _month_mark(point: dict[str, Any], by: str, narrowed: Filter) -> Mark:
    line = str(point.get("line", ""))
    if not by:
        return Mark(month=month_of(point), how=HOW_CODES.get(line, "voluntary"), filter=narrowed)
    if by == "reason":
        return Mark(month=month_of(point), how="voluntary", reason=line, filter=narrowed)
    held = {name: getattr(narrowed, name) for name in ("plans", "regions", "segments", "tenures")} | {f"{by}s": (line,)}
    return Mark(month=month_of(point), how="voluntary", filter=Filter(**held))


def _risk(
    connection: psycopg.Connection, session: Session, narrowed: Filter, state: State
) -> tuple[float, float, float] | None:
    rows = trends.risk(connection, narrowed)
    heading(t("Margin at risk next quarter"))
    if rows.empty and narrowed.of_any_tenure == Filter():
        st.caption(t("No scores yet: `python3 -m churn score` makes them."))
        return None
    if rows["customers"].sum() < FEWEST:
        st.info(t("Fewer than {n} customers with a score: widen the filters.", n=FEWEST), icon=":material/filter_alt:")
        return None
    judged = trends.held_out(connection)
    error = judged.relative_error if judged else 0.0
    found = at_risk(rows, relative_error=error)
    middle, low, high = (words.money(round(value), session.company.currency) for value in found)
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        st.metric(t("At risk"), middle, help=t(AT_RISK), width="content")
        st.metric(t("90 % between"), t("{low} and {high}", low=low, high=high), help=t(BETWEEN), width="content")
        st.metric(
            t("Expected to leave"),
            t("{n} of {all}", n=number(rows["expected_leavers"].sum()), all=number(rows["customers"].sum())),
            help=t(LEAVERS), width="content",
        )  # fmt: skip
    st.caption(
        t(
            "Modelled from the scores of {moment}; the interval holds chance and the model’s own error on customers it "
            "had not seen ({error} of the mean). The filter on tenure does not apply.",
            moment=words.moment(state.as_of, session.company.time_zone), error=words.percent(error),
        )
    )  # fmt: skip
    takeaway(session, "trends", "margin-at-risk", with_others(rows.drop(columns="variance")))
    return found


def _predictions(session: Session, connection: psycopg.Connection) -> None:
    heading(t("Predicted and happened"))
    rows = trends.tenths(connection)
    groups = _happened(large_enough(rows)) if len(rows) else _held_out(trends.held_out(connection))
    if groups is None or groups.empty:
        st.caption(t("No model in use, and no prediction whose horizon is over."))
        return
    chart(
        charts.predicted_and_happened(groups),
        key="predicted",
        alt=t("Predicted chance of leaving against the share that left."),
    )
    st.caption(
        t("Each mark a tenth of the customers of a month’s first predictions, up to 20,000, once the horizon is over.")
        if len(rows)
        else t(
            "Held out: the model’s last test on customers it had not seen. What today’s predictions come to is known "
            "when their horizon is over; the nightly scoring keeps them from now on."
        )
    )
    takeaway(session, "trends", "predicted-and-happened", groups)


def _happened(rows: pd.DataFrame) -> pd.DataFrame:
    months = sorted(rows["month"].unique())[-6:]
    held = rows[rows["month"].isin(months)]
    low, high = wilson(held["happened"], held["customers"])
    return held.assign(
        chance=held["expected"] / held["customers"], rate=share(held["happened"], held["customers"]),
        low=low, high=high,
        label=[words.month(month, is_short=True) for month in held["month"]],
    )[["label", "tenth", "chance", "rate", "low", "high", "customers"]]  # fmt: skip


def _held_out(judged: trends.HeldOut | None) -> pd.DataFrame | None:
    if judged is None:
        return None
    frame = large_enough(pd.DataFrame([dict(group) for group in judged.groups]).rename(columns={"rows": "customers"}))
    low, high = wilson(frame["rate"] * frame["customers"], frame["customers"])
    return frame.assign(low=low, high=high, label=t("held out"))


def _drivers(session: Session, connection: psycopg.Connection) -> list[Any]:
    found = trends.drivers(connection)
    heading(t("What moves the risk"), help=t("Mean change of the chance of leaving against each column’s usual value."))
    if not found:
        st.caption(t("No model in use, or no history to compare with."))
        return found
    chart(charts.driver_bars(found), key="drivers", alt=t("Mean contribution of each column, now and a quarter ago."))
    st.caption(
        t(
            "Bars: now; ticks: 91 days before; by the model in use, on {n} customers on either side. Contributions "
            "need not add up.",
            n=number(found[0].customers),
        )
    )
    takeaway(session, "trends", "drivers", charts.drivers_table(found))
    return found


def _source(session: Session, state: State) -> None:
    zone = session.company.time_zone
    st.caption(
        t(
            "As of {moment}; added up {refreshed}.",
            moment=words.moment(state.as_of, zone), refreshed=words.moment(state.refreshed_at, zone),
        )
    )  # fmt: skip
