"""What the money brought that would not have come without it, and what recurring discounts still cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from churn import spend
from churn.core import words
from churn.core.charts_spend import run_off_chart
from churn.core.incremental import MISSING, Range, Return
from churn.core.money import exponent
from churn.spend import State
from churn.spend_export import View
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.spend_table import empty, files
from churn.ui.takeaway import takeaway

if TYPE_CHECKING:
    import psycopg

NOT_YET = "Nothing is reckoned yet: the nightly job does it, or `python3 -m churn spend` now."
HOW = {
    "measured on the trial arm": "Callers were drawn by lot: some got the money meant for them, some none. The figures "
    "are the difference, of the calls in the trial.",
    "modelled, doubly robust": "No trial tells. Callers who got the money meant for them are held against callers for "
    "whom there was none, alike by what is known before the call; right when either of two models is.",
}


def show_return(session: Session, connection: psycopg.Connection) -> None:
    """Return of all money, by instrument, then the run-off."""
    state = spend.state(connection)
    if state is None:
        st.info(NOT_YET, icon=":material/inbox:")
        return
    told = spend.returns(connection)
    heading(
        "What the money brought", help="Against what would have been so without it; intervals hold nine times in ten."
    )
    _whole(told["all"], state)
    _by_instrument(session, told, state.currency)
    _run_off(session, spend.run_off(connection), state)


def _whole(told: Return, state: State) -> None:
    period = between_days(state)
    if told.label == MISSING or told.margin is None or told.net is None or told.kept is None or told.deadweight is None:
        st.info(f"Not enough data: {plain(told.missing)}.", icon=":material/hourglass_empty:")
        st.caption(f"Calls whose {state.window_days} days are over, {period}.")
        return
    st.markdown(f"**{told.label.capitalize()}**", anchors=False)
    with st.container(horizontal=True, gap="medium"):
        st.metric("Given", words.money(told.spent, state.currency), width="content")
        _figure("Margin kept by it", _amount(told.margin.middle, state.currency), _between(told.margin, state.currency),
                "Expected margin of those who stayed for the money and would have left without it.")  # fmt: skip
        _figure("Net return", _amount(told.net.middle, state.currency), _between(told.net, state.currency),
                "Margin kept less the money given.")  # fmt: skip
        kept = f"{told.kept.low:,.0f} to {told.kept.high:,.0f}".replace("-", "−")
        _figure("Customers kept by it", f"{told.kept.middle:,.0f}".replace("-", "−"), kept,
                "Who stayed and would have left without it.")  # fmt: skip
        dead = f"{words.percent(told.deadweight.low)} to {words.percent(told.deadweight.high)}"
        _figure("Deadweight", words.percent(told.deadweight.middle), dead,
                "Share of the money that went to customers who would have stayed anyway.")  # fmt: skip
    st.caption(
        plain(
            f"Under a figure its 90 % interval. {HOW[told.label]} {told.given:,} calls with money, {told.without:,} "
            f"without, {period}, each settled after {state.window_days} days. Worth: expected margin given they stay."
        )
    )


def _figure(label: str, value: str, interval: str, why: str) -> None:
    st.metric(label, value, delta=interval, delta_color="off", delta_arrow="off", help=why, width="content")


def _by_instrument(session: Session, returns: dict[str, Return], currency: str) -> None:
    rows = pd.DataFrame(
        [
            {
                "instrument": words.spoken(scope), "calls": told.given, "given": told.spent,
                **_ends("margin kept", told.margin, 0), **_ends("kept for each 1 given", told.per_unit, 2),
                "how": told.label if not told.missing else f"not enough data: {told.missing}",
            }
            for scope, told in returns.items()
            if scope != "all"
        ]
    )  # fmt: skip
    if rows.empty:
        return
    st.dataframe(
        rows, hide_index=True, placeholder="–", alt="Return by instrument.",
        column_config={
            "calls": st.column_config.NumberColumn("calls with it", format="localized"),
            "given": st.column_config.NumberColumn(f"given, {currency}", format="localized"),
            **_columns("margin kept", f"margin kept, {currency}", "localized"),
            **_columns("kept for each 1 given", f"for each {currency} 1", "%.2f"),
        },
    )  # fmt: skip
    st.caption("From, to: 90 %. Each against the same calls without, so they need not add up to the whole.")
    takeaway(session, "spend", "return-by-instrument", rows)


def _ends(name: str, told: Range | None, digits: int) -> dict[str, float | None]:
    """A figure with both its ends, rounded to what it is good for; empty where it is not known."""
    held = (None, None, None) if told is None else (told.middle, told.low, told.high)
    names = (name, f"{name}: from", f"{name}: to")
    return {one: None if value is None else round(value, digits) for one, value in zip(names, held, strict=True)}


def _columns(name: str, said: str, form: str) -> dict[str, Any]:
    """How the three columns of `_ends` are headed and written."""
    heads = {name: said, f"{name}: from": "from", f"{name}: to": "to"}
    return {one: st.column_config.NumberColumn(head, format=form) for one, head in heads.items()}


def _run_off(session: Session, rows: pd.DataFrame, state: State) -> None:
    heading(
        "Recurring discounts still to pay",
        help="Bar: as promised. Mark: weighted by each customer’s chance of still being one in that month.",
    )
    if empty(rows, "No recurring discount runs."):
        return
    if state.run_off_missing:
        st.caption(plain(f"Not weighted by who stays: {state.run_off_missing}."))
    for currency in sorted(set(rows["currency"])):
        unit = 10 ** exponent(currency)
        held = rows[rows["currency"] == currency].assign(expected=lambda part: part["expected"].astype(float))
        months = held.groupby("month", as_index=False)[["promised", "expected"]].sum(min_count=1)
        months = months.assign(promised=months["promised"] / unit, expected=months["expected"] / unit)
        first = months.iloc[0]
        st.altair_chart(
            run_off_chart(months, currency),
            alt=f"Discounts due by month in {currency}; {first['promised']:,.2f} promised in {first['month']:%B %Y}.",
        )
    files(session, View("run-off", rows.drop(columns="expected"), ("promised",), {}))


def between_days(state: State) -> str:
    """From which to which day the night's settled calls are."""
    if state.since_on is None or state.until_on is None:
        return "no settled calls"
    return f"{state.since_on:%-d %B %Y} to {state.until_on:%-d %B %Y}"


def _amount(value: float, currency: str) -> str:
    return words.money(round(value), currency)


def _between(told: Range, currency: str) -> str:
    return f"{_amount(told.low, currency)} to {_amount(told.high, currency)}"
