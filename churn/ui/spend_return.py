"""What the money brought that would not have come without it, and what recurring discounts still cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    import pandas as pd
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
    _by_instrument(told, state.currency)
    _run_off(session, spend.run_off(connection), state)


def _whole(told: Return, state: State) -> None:
    period = f"{state.since_on} to {state.until_on}" if state.since_on else "no settled calls"
    if told.label == MISSING or told.margin is None or told.net is None or told.kept is None or told.deadweight is None:
        st.info(f"Not enough data: {plain(told.missing)}.", icon=":material/hourglass_empty:")
        st.caption(f"Calls whose {state.window_days} days are over, {period}.")
        return
    st.markdown(f"**{told.label.capitalize()}**", anchors=False)
    with st.container(horizontal=True, gap="medium"):
        st.metric("Given", words.money(told.spent, state.currency), width="content")
        st.metric("Margin kept by it", _amount(told.margin.middle, state.currency), width="content",
                  help=f"90 %: {_between(told.margin, state.currency)}.")  # fmt: skip
        st.metric("Net return", _amount(told.net.middle, state.currency), width="content",
                  help=f"90 %: {_between(told.net, state.currency)}. Margin kept less the money given.")  # fmt: skip
        st.metric("Customers kept by it", f"{told.kept.middle:,.0f}", width="content",
                  help=f"90 %: {told.kept.low:,.0f} to {told.kept.high:,.0f}.".replace("-", "−"))  # fmt: skip
        st.metric("Deadweight", words.percent(told.deadweight.middle), width="content",
                  help="Share of the money that went to customers who would have stayed anyway. 90 %: "
                  f"{words.percent(told.deadweight.low)} to {words.percent(told.deadweight.high)}.")  # fmt: skip
    st.caption(
        plain(
            f"Net {_between(told.net, state.currency)}; deadweight {words.percent(told.deadweight.low)} to "
            f"{words.percent(told.deadweight.high)}. {HOW[told.label]} {told.given:,} calls with money, "
            f"{told.without:,} without, {period}, each settled after {state.window_days} days. "
            f"Worth: expected margin given they stay."
        )
    )


def _by_instrument(returns: dict[str, Return], currency: str) -> None:
    rows = [
        {
            "instrument": words.spoken(scope), "calls": told.given, "given": words.money(told.spent, currency),
            "margin kept": "–" if told.margin is None else _amount(told.margin.middle, currency),
            "90 %": "–" if told.margin is None else _between(told.margin, currency),
            "per unit given": "–" if told.per_unit is None else f"{told.per_unit.middle:.2f}",
            "how": told.label if not told.missing else f"not enough data: {told.missing}",
        }
        for scope, told in returns.items()
        if scope != "all"
    ]  # fmt: skip
    if rows:
        st.dataframe(rows, hide_index=True, alt="Return by instrument.")


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


def _amount(value: float, currency: str) -> str:
    return words.money(round(value), currency)


def _between(told: Range, currency: str) -> str:
    return f"{_amount(told.low, currency)} to {_amount(told.high, currency)}"
