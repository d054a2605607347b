"""What the money brought that would not have come without it, and what recurring discounts still cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.finance.charts_spend import run_off_chart
from churn.core.finance.incremental import MEASURED, MISSING, MODELLED, Range, Return, lacks
from churn.core.language import in_english, mark, number, t, tc
from churn.core.money import exponent
from churn.finance import spend
from churn.finance.spend import State
from churn.finance.spend_export import View
from churn.ui.gate import Session
from churn.ui.pieces import chart, heading, plain
from churn.ui.spend_table import empty, files, number_column
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway

if TYPE_CHECKING:
    import psycopg

NOT_YET = mark("Nothing is reckoned yet: the nightly job does it, or `python3 -m churn spend` now.")
HOW = {
    MEASURED: mark(
        "Callers were drawn by lot: some got the money meant for them, some none. The figures "
        "are the difference, of the calls in the trial."
    ),
    MODELLED: mark(
        "No trial tells. Callers who got the money meant for them are held against callers for "
        "whom there was none, alike by what is known before the call; right when either of two models is."
    ),
}


def show_return(session: Session, connection: psycopg.Connection) -> None:
    """Return of all money, by instrument, then the run-off."""
    state = spend.state(connection)
    if state is None:
        st.info(t(NOT_YET), icon=":material/inbox:")
        return
    told = spend.returns(connection)
    heading(
        t("What the money brought"),
        help=t("Against what would have been so without it; intervals hold nine times in ten."),
    )
    _whole(told["all"], state)
    _by_instrument(session, told, state.currency)
    _run_off(session, spend.run_off(connection), state)


def _whole(told: Return, state: State) -> None:
    period = between_days(state)
    if told.label == MISSING or told.margin is None or told.net is None or told.kept is None or told.deadweight is None:
        st.info(t("Not enough data: {what}.", what=plain(lacks(told))), icon=":material/hourglass_empty:")
        st.caption(t("Calls whose {n} days are over, {period}.", n=number(state.window_days), period=period))
        return
    label = t(told.label)
    st.markdown(f"**{label[:1].upper()}{label[1:]}**", anchors=False)
    with st.container(horizontal=True, gap="medium"):
        st.metric(
            t("Given"), words.money(told.spent, state.currency), width="content",
            help=t("By the ledger: all money given in these calls."),
        )  # fmt: skip
        _figure(t("Margin kept by it"), _amount(told.margin.middle, state.currency),
                _between(told.margin, state.currency),
                t("Expected margin of those who stayed for the money and would have left without it."))  # fmt: skip
        _figure(t("Net return"), _amount(told.net.middle, state.currency), _between(told.net, state.currency),
                t("Margin kept less the money given."))  # fmt: skip
        kept = t("{low} to {high}", low=number(told.kept.low), high=number(told.kept.high))
        _figure(t("Customers kept by it"), number(told.kept.middle), kept,
                t("Who stayed and would have left without it."))  # fmt: skip
        dead = t("{low} to {high}", low=words.percent(told.deadweight.low), high=words.percent(told.deadweight.high))
        _figure(t("Deadweight"), words.percent(told.deadweight.middle), dead,
                t("Share of the money that went to customers who would have stayed anyway."))  # fmt: skip
    st.caption(
        plain(
            t(
                "Under a figure its 90 % interval. {how} {given} calls with money, {without} "
                "without, {period}, each settled after {days} days. Worth: expected margin given they stay.",
                how=t(HOW[told.label]),
                given=number(told.given),
                without=number(told.without),
                period=period,
                days=number(state.window_days),
            )
        )
    )


def _figure(label: str, value: str, interval: str, why: str) -> None:
    st.metric(label, value, delta=interval, delta_color="off", delta_arrow="off", help=why, width="content")


def _by_instrument(session: Session, returns: dict[str, Return], currency: str) -> None:
    rows = _instruments(returns)
    if rows.empty:
        return
    show_table(
        rows, hide_index=True, placeholder="–", alt=t("Return by instrument."),
        column_config={
            "instrument": words.spoken("instrument"),
            "calls": st.column_config.NumberColumn(t("calls with it"), format="localized"),
            "given": st.column_config.NumberColumn(
                t("given, {currency}", currency=currency), format="localized", help=t("By the ledger.")
            ),
            **_columns("margin kept", t("margin kept, {currency}", currency=currency), 0),
            **_columns("kept for each 1 given", t("for each {currency} 1", currency=currency), 2),
            "how": words.spoken("how"),
        },
    )  # fmt: skip
    st.caption(t("From, to: 90 %. Each against the same calls without, so they need not add up to the whole."))
    takeaway(session, "spend", "return-by-instrument", in_english(_instruments, returns))


def _instruments(returns: dict[str, Return]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "instrument": words.spoken(scope), "calls": told.given, "given": told.spent,
                **_ends("margin kept", told.margin, 0), **_ends("kept for each 1 given", told.per_unit, 2),
                "how": t("not enough data: {what}", what=lacks(told)) if told.missing else t(told.label),
            }
            for scope, told in returns.items()
            if scope != "all"
        ]
    )  # fmt: skip


def _ends(name: str, told: Range | None, digits: int) -> dict[str, float | None]:
    """A figure with both its ends, rounded to what it is good for; empty where it is not known."""
    held = (None, None, None) if told is None else (told.middle, told.low, told.high)
    names = (name, f"{name}: from", f"{name}: to")
    return {one: None if value is None else round(value, digits) for one, value in zip(names, held, strict=True)}


def _columns(name: str, said: str, digits: int) -> dict[str, Any]:
    """How the three columns of `_ends` are headed and written."""
    heads = {name: said, f"{name}: from": tc("interval", "from"), f"{name}: to": tc("interval", "to")}
    return {one: number_column(head, digits, "localized" if not digits else None) for one, head in heads.items()}


def _run_off(session: Session, rows: pd.DataFrame, state: State) -> None:
    heading(
        t("Recurring discounts still to pay"),
        help=t("Bar: as promised. Mark: weighted by each customer’s chance of still being one in that month."),
    )
    if empty(rows, t("No recurring discount runs.")):
        return
    if state.run_off_missing:
        st.caption(plain(t("Not weighted by who stays: {why}.", why=t(state.run_off_missing))))
    for currency in sorted(set(rows["currency"])):
        unit = 10 ** exponent(currency)
        held = rows[rows["currency"] == currency].assign(expected=lambda part: part["expected"].astype(float))
        months = held.groupby("month", as_index=False)[["promised", "expected"]].sum(min_count=1)
        months = months.assign(promised=months["promised"] / unit, expected=months["expected"] / unit)
        first = months.iloc[0]
        chart(
            run_off_chart(months, currency),
            alt=t(
                "Discounts due by month in {currency}; {promised} promised in {month}.", currency=currency,
                promised=number(first["promised"], 2), month=words.month(first["month"]),
            ),
        )  # fmt: skip
    files(session, View("run-off", rows.drop(columns="expected"), ("promised",), {}))


def between_days(state: State) -> str:
    """From which to which day the night's settled calls are."""
    if state.since_on is None or state.until_on is None:
        return t("no settled calls")
    return t("{first} to {last}", first=words.full_day(state.since_on), last=words.full_day(state.until_on))


def _amount(value: float, currency: str) -> str:
    return words.money(round(value), currency)


def _between(told: Range, currency: str) -> str:
    return t("{low} to {high}", low=_amount(told.low, currency), high=_amount(told.high, currency))
