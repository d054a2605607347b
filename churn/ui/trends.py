"""Churn for the CX leader: what happened, what is predicted, what moves it, and the customers behind each mark."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from churn import trends
from churn.core import charts_trends as charts
from churn.core import words
from churn.core.rates import FEWEST, HOW, at_risk, monthly, saves, share, wilson
from churn.trends import Filter, Mark, State
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.takeaway import takeaway
from churn.ui.trends_curves import show_cohorts, show_curves
from churn.ui.trends_lists import month_of, points, show_came, show_forbidden, show_leavers, show_summary

if TYPE_CHECKING:
    import psycopg

NOT_YET = "Nothing is added up yet: the nightly job does it, or `python3 -m churn trends` now."
NOT_NARROWED = "What follows is of all customers, whatever the filters."
BY = {
    "": "everybody",
    "plan": "plan",
    "region": "region",
    "segment": "segment",
    "tenure": "tenure",
    "reason": "last contact",
}
RATE = (
    "Rate: customers who left in the month over customers live when it began; by choice, cut off and moved apart. "
    "Bands: 95 %, Wilson."
)
RATE_BY = (
    "Rate: customers who left by choice in the month over customers live when it began, the largest groups. Bands: "
    "95 %, Wilson."
)
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
            if narrowed != Filter():
                st.caption(NOT_NARROWED)
            _predictions(session, connection)
            kept = _saves(session, connection)
            moved = _drivers(session, connection)
            forbidden = trends.forbidden(connection)
            show_forbidden(session, forbidden)
            show_summary(
                session, state, narrowed, rates=rates, risk=risk, kept=kept, drivers=moved, forbidden=forbidden
            )
            _source(session, state)
    if state is None:
        st.info(NOT_YET, icon=":material/inbox:")


def _filters(values: dict[str, list[str]]) -> Filter:
    columns = st.columns(4)
    chosen = {
        f"{cut}s": tuple(
            column.multiselect(
                cut.capitalize(), values.get(cut, []), key=f"{cut}s", bind="query-params", placeholder=f"every {cut}"
            )
        )
        for column, cut in zip(columns, ("plan", "region", "segment", "tenure"), strict=True)
    }
    return Filter(**chosen)


def _months(connection: psycopg.Connection, session: Session, narrowed: Filter) -> pd.DataFrame:
    """Churn by month; gives the rates of everybody that the filter lets through."""
    by = st.segmented_control(
        "Churn by month, by",
        list(BY),
        default="",
        required=True,
        format_func=BY.__getitem__,
        key="by",
        bind="query-params",
    )
    rates = monthly(trends.months(connection, None, narrowed))
    shown = monthly(_largest(trends.months(connection, str(by), narrowed)), "value") if by else rates
    if shown.empty:
        st.info(
            f"No month with {FEWEST} customers or more to show: widen the filters. A flat file has no months.",
            icon=":material/filter_alt:",
        )
        return rates
    last = shown["month"].max()
    unfinished = last if _is_open(session, last) else None
    picked = st.altair_chart(
        charts.churn_by_month(shown, is_grouped=bool(by), open_month=unfinished),
        on_select="rerun", key="months", alt=_said(rates),
    )  # fmt: skip
    so_far = f" {last:%B} is not over: a hollow mark." if unfinished else ""
    rate = RATE_BY if by else RATE
    st.caption(f"{rate} Shown: {plain(narrowed.said)}.{so_far} Choose a point to see who they are.")
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
    told = ", ".join(f"{HOW[row.how]} {row.rate:.2%}" for row in last.itertuples())
    return f"Churn by month. In {last['month'].iloc[0]:%B %Y}: {told}." if len(last) else "Churn by month."


def _month_mark(point: dict[str, Any], by: str, narrowed: Filter) -> Mark:
    line = str(point.get("line", ""))
    how = next((HOW_CODES[name] for name, said in HOW.items() if said == line), "voluntary")
    if not by:
        return Mark(month=month_of(point), how=how, filter=narrowed)
    if by == "reason":
        return Mark(month=month_of(point), how="voluntary", reason=line, filter=narrowed)
    held = {name: getattr(narrowed, name) for name in ("plans", "regions", "segments", "tenures")} | {f"{by}s": (line,)}
    return Mark(month=month_of(point), how="voluntary", filter=Filter(**held))


def _risk(
    connection: psycopg.Connection, session: Session, narrowed: Filter, state: State
) -> tuple[float, float, float] | None:
    rows = trends.risk(connection, narrowed)
    heading("Margin at risk next quarter")
    if rows.empty:
        st.caption("No scores yet: `python3 -m churn score` makes them.")
        return None
    judged = trends.held_out(connection)
    error = judged.relative_error if judged else 0.0
    found = at_risk(rows, relative_error=error)
    middle, low, high = (words.money(round(value), session.company.currency) for value in found)
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        st.metric("At risk", middle, help="Sum of chance of leaving times a quarter’s margin.", width="content")
        st.metric("90 % between", f"{low} and {high}", width="content")
        st.metric(
            "Expected to leave",
            f"{rows['expected_leavers'].sum():,.0f} of {rows['customers'].sum():,}",
            width="content",
        )
    st.caption(
        f"Modelled from the scores of {words.moment(state.as_of, session.company.time_zone)}; the interval holds "
        f"chance and the model’s own error on customers it had not seen ({words.percent(error)} of the mean). "
        "The filter on tenure does not apply."
    )
    takeaway(session, "trends", "margin-at-risk", rows.drop(columns="variance"))
    return found


def _predictions(session: Session, connection: psycopg.Connection) -> None:
    heading("Predicted and happened")
    rows = trends.tenths(connection)
    groups = _happened(rows) if len(rows) else _held_out(trends.held_out(connection))
    if groups is None:
        st.caption("No model in use, and no prediction whose horizon is over.")
        return
    st.altair_chart(
        charts.predicted_and_happened(groups),
        key="predicted",
        alt="Predicted chance of leaving against the share that left.",
    )
    st.caption(
        "Each mark a tenth of the customers of a month’s first predictions, up to 20,000, once the horizon is over."
        if len(rows)
        else "Held out: the model’s last test on customers it had not seen. What today’s predictions come to is known "
        "when their horizon is over; the nightly scoring keeps them from now on."
    )
    takeaway(session, "trends", "predicted-and-happened", groups)


def _happened(rows: pd.DataFrame) -> pd.DataFrame:
    months = sorted(rows["month"].unique())[-6:]
    held = rows[rows["month"].isin(months)]
    low, high = wilson(held["happened"], held["customers"])
    return held.assign(
        chance=held["expected"] / held["customers"], rate=share(held["happened"], held["customers"]),
        low=low, high=high,
        label=[f"{month:%b %Y}" for month in held["month"]],
    )[["label", "tenth", "chance", "rate", "low", "high", "customers"]]  # fmt: skip


def _held_out(judged: trends.HeldOut | None) -> pd.DataFrame | None:
    if judged is None:
        return None
    frame = pd.DataFrame([dict(group) for group in judged.groups]).rename(columns={"rows": "customers"})
    low, high = wilson(frame["rate"] * frame["customers"], frame["customers"])
    return frame.assign(low=low, high=high, label="held out")


def _saves(session: Session, connection: psycopg.Connection) -> pd.DataFrame:
    heading("Who came to cancel")
    rows = trends.saves(connection)
    found = saves(rows) if len(rows) else pd.DataFrame()
    if found.empty:
        st.caption("Nobody has come to cancel yet, or `python3 -m churn outcomes` has not run.")
        return found
    picked = st.altair_chart(
        charts.save_rates(found), on_select="rerun", key="saves", alt="Deflect and save rates by month."
    )
    st.caption(
        "Deflected: did not cancel on the call, over all who came. Saved: still a customer when the window ended, over "
        "those whose window is over; cut off and moved left out. Bands: 95 %, Wilson."
    )
    takeaway(session, "trends", "save-rates", found)
    for point in points(picked):
        month = month_of(point)
        if month is not None:
            show_came(session, connection, month)
    return found


def _drivers(session: Session, connection: psycopg.Connection) -> list[Any]:
    found = trends.drivers(connection)
    heading("What moves the risk", help="Mean change of the chance of leaving against each column’s usual value.")
    if not found:
        st.caption("No model in use, or no history to compare with.")
        return found
    st.altair_chart(
        charts.driver_bars(found), key="drivers", alt="Mean contribution of each column, now and a quarter ago."
    )
    st.caption(
        f"Bars: now; ticks: 91 days before; by the model in use, on {found[0].customers:,} customers on either side. "
        "Contributions need not add up."
    )
    takeaway(session, "trends", "drivers", charts.drivers_table(found))
    return found


def _source(session: Session, state: State) -> None:
    zone = session.company.time_zone
    st.caption(f"As of {words.moment(state.as_of, zone)}; added up {words.moment(state.refreshed_at, zone)}.")
