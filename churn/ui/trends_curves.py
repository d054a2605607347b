"""How long customers stay: Kaplan–Meier curves with their test, and the heat map of new customers, both filtered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from churn.core import words
from churn.core.language import mark, number, t, tn
from churn.core.trends import charts_trends as charts
from churn.core.trends.cohorts import heat_map
from churn.core.trends.curves import DAYS_A_MONTH, LogRank, log_rank
from churn.core.trends.rates import FEWEST
from churn.trends import trends
from churn.trends.trends import Filter, Mark, State
from churn.ui.gate import Session
from churn.ui.pieces import chart, heading, plain
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway
from churn.ui.trends_lists import points, say_group, show_leavers

if TYPE_CHECKING:
    import psycopg

CUTS = {
    "plan": mark("plan"),
    "region": mark("region"),
    "segment": mark("segment"),
    "cohort": mark("year joined"),
    "reason": mark("last contact reason"),
}
RISK_MONTHS = (0, 6, 12, 24, 36, 60, 96, 132)
FIRST_PLAN = mark("Plan: the one they were first seen with.")
ANY_TENURE = mark("Of any tenure: that filter does not apply here.")


def show_curves(session: Session, connection: psycopg.Connection, narrowed: Filter, state: State) -> None:
    """Curves of the largest groups with numbers at risk; a chosen curve lists who left."""
    cut = str(
        st.segmented_control(
            t("How long they stay, by"), list(CUTS), default="plan", required=True, key="curves",
            format_func=lambda one: t(CUTS[one]), bind="query-params",
        )
    )  # fmt: skip
    found = trends.tables(connection, cut, narrowed)
    tables = {name: table for name, table in found.items() if table.customers >= FEWEST}
    largest = list(tables.items())[: charts.MOST_LINES]
    shown = dict(sorted(largest) if cut == "cohort" else largest)
    frame = charts.curve_frame(shown)
    if frame.empty:
        st.info(
            t("No group of {n} customers or more for a curve: widen the filters.", n=FEWEST),
            icon=":material/filter_alt:",
        )
        return
    say = say_group(cut)
    since = t("months since they joined")
    if cut == "reason" and state.landmark_on:
        since = t("months since {day}", day=words.full_day(state.landmark_on))
    told, others = _tested(log_rank(shown)), len(tables) - len(shown)
    picked = chart(
        charts.survival(frame, since=since, say=say), on_select="rerun", key="curves_chart",
        alt=t("Kaplan–Meier curves by {what}. {tested}", what=t(CUTS[cut]), tested=told),
    )  # fmt: skip
    shown_of = _shown(narrowed, is_by_plan=cut == "plan")
    st.caption(f"{told} {_how_observed(cut, state, others)} {shown_of} {t('Choose a curve to see who left.')}")
    last = frame["month"].max()
    named = {say(name): table for name, table in shown.items()}
    numbers = charts.risk_table(named, [month for month in RISK_MONTHS if month <= last])
    show_table(
        numbers, hide_index=True, alt=t("Numbers at risk by group and month."),
        column_config={name: st.column_config.TextColumn(alignment="right") for name in numbers.columns[1:]},
    )  # fmt: skip
    takeaway(session, "trends", "survival-curves", frame)
    for point in points(picked):
        show_leavers(session, connection, _curve_mark(cut, str(point.get("group")), narrowed), "curves")


def _curve_mark(cut: str, name: str, narrowed: Filter) -> Mark:
    """Who left by choice of one curve's customers."""
    kept = narrowed.of_any_tenure
    if cut == "cohort":
        return Mark(how="voluntary", cohort=name, filter=kept)
    if cut == "reason":
        return Mark(how="voluntary", reason=name, filter=kept)
    held = {part: getattr(kept, part) for part in ("plans", "regions", "segments")}
    return Mark(how="voluntary", filter=Filter(**held | {f"{cut}s": (name,)}))


def _shown(narrowed: Filter, *, is_by_plan: bool) -> str:
    """What the filters do to curves and cohorts, in words."""
    parts = [t("Shown: {what}.", what=plain(narrowed.of_any_tenure.said))]
    parts += [t(FIRST_PLAN)] if narrowed.plans or is_by_plan else []
    parts += [t(ANY_TENURE)] if narrowed.tenures else []
    return " ".join(parts)


def _tested(told: LogRank | None) -> str:
    if told is None:
        return t("One group, or nobody left: nothing to test.")
    p = f"p < {number(0.001, 3)}" if told.p_value < 0.001 else f"p = {number(told.p_value, 3)}"
    differ = told.p_value < 0.05
    return t(
        "Log-rank test over the groups shown: χ² = {statistic}, {freedom} degrees, {p}: {verdict}.",
        statistic=number(told.statistic, 1), freedom=told.freedom, p=p,
        verdict=t("they do not leave alike") if differ else t("nothing shows that they leave differently"),
    )  # fmt: skip


def _how_observed(cut: str, state: State, others: int) -> str:
    more = tn(others, "{n} smaller group not shown.", "{n} smaller groups not shown.") if others > 0 else ""
    if cut == "reason":
        seen = t(
            "Customers live on that day by what they had last been in touch about in the 90 days before; cut off and "
            "moved count as no longer seen."
        )
        return f"{seen} {more}".rstrip()
    since = (
        t(
            "Seen from {day} on: who had joined before enters at the tenure they had then.",
            day=words.full_day(state.since_on),
        )
        if state.since_on
        else ""
    )
    seen = t(
        "Leaving by choice; cut off and moved count as no longer seen. Curves end where fewer than {n} are at risk.",
        n=FEWEST,
    )
    return " ".join(filter(None, (since, seen, more)))


def show_cohorts(session: Session, connection: psycopg.Connection, narrowed: Filter) -> None:
    """The heat map of each quarter's new customers; a chosen cell lists who left in it."""
    cells = heat_map(trends.tables(connection, "joined", narrowed))
    heading(
        t("New customers by quarter"),
        help=t(
            "Who left by choice over the customer-months lived in that month since joining; 95 % interval (Wilson) in "
            "the tooltip."
        ),
    )
    if cells.empty:
        st.info(
            t("No quarter with {n} new customers or more in the window: widen the filters.", n=FEWEST),
            icon=":material/filter_alt:",
        )
        return
    picked = chart(
        charts.heat(cells), on_select="rerun", key="heat",
        alt=t("Share leaving in each month since joining, by quarter joined."),
    )  # fmt: skip
    st.caption(f"{_shown(narrowed, is_by_plan=False)} {t('Choose a cell to see who they are.')}")
    takeaway(session, "trends", "cohorts", cells)
    for point in points(picked):
        show_leavers(session, connection, _cell_mark(point, narrowed), "heat")


def _cell_mark(point: dict[str, Any], narrowed: Filter) -> Mark:
    month = int(point.get("month", 1))
    first, last = round((month - 1) * DAYS_A_MONTH), round(month * DAYS_A_MONTH)
    return Mark(
        how="voluntary", joined=str(point.get("cohort")), from_day=first, to_day=last, filter=narrowed.of_any_tenure
    )
