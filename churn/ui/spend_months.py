"""Months: as first reported and as restated, the close with its statement, and what is still owed."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from churn import ledger
from churn.core import words
from churn.core.finance.statement import SUMS, statement_text
from churn.core.language import ENGLISH, mark, speaking, t, tc
from churn.finance import spend
from churn.finance.spend import Month
from churn.finance.spend_export import View
from churn.refusals import Refusal
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.spend_table import empty, show_view
from churn.ui.takeaway import written_down

if TYPE_CHECKING:
    import psycopg

RESTATED = {
    "granted": mark("Given in the month."), "reported": mark("Net of what was booked in it: what a statement says."),
    "restated": mark("Net of what is about it, wherever booked: its grants less all that was taken back of them."),
    "change": mark("Restated less reported."), "entries": mark("Rows of the ledger booked in it."),
}  # fmt: skip


SUMS_HELP = {
    "granted": mark("Given in the month."), "reversed": mark("Taken back by a supervisor, booked in the month."),
    "clawed_back": mark("Months of a discount nobody will pay, for the customer left; booked in the month."),
    "net": mark("Granted less what was taken back."),
}  # fmt: skip
OWED = {
    "granted": mark("Given in the month."), "taken_back": mark("Of it, taken back since."),
    "applied": mark("Of it, what billing’s files say was applied."),
    "owed": mark("Granted less what was taken back and applied."),
}  # fmt: skip


def show_months(session: Session, connection: psycopg.Connection, months: list[Month], today: date) -> None:
    """All months, then one of them with its statement."""
    heading(t("Months, as first reported and as restated"), help=t("A closed month takes no row any more."))
    money = ("granted", "reported", "restated", "change")
    with speaking(ENGLISH):
        view = View("months", _rows(months), money, {})
    show_view(session, view, alt=t("Months as reported and restated."), help=RESTATED, told=_rows(months))
    names = {f"{day:%Y-%m}": day for day in sorted({one.month for one in months}, reverse=True)}
    chosen = st.selectbox(t("Statement of"), list(names), key="month", bind="query-params", width=200)
    if chosen is not None:
        _statement(session, connection, names[chosen], today)
    heading(t("Granted, applied, still owed"), help=t("By the month it was given in; applied: by billing’s own files."))
    owed = spend.accrual(connection).assign(month=lambda held: held["month"].map("{:%Y-%m}".format))
    if not empty(owed, t("No money was given yet.")):
        view = View("accrual", owed, ("granted", "taken_back", "applied", "owed"), {})
        show_view(session, view, alt=t("What is still owed."), help=OWED)


def _rows(months: list[Month]) -> pd.DataFrame:
    """A row a month and currency; money in minor units."""
    return pd.DataFrame(
        [
            {
                "month": f"{one.month:%Y-%m}", "currency": one.currency, "entries": one.entries, "granted": one.granted,
                "reported": one.reported, "restated": one.restated, "change": one.restated - one.reported,
                "closed": tc("of a month", "open") if one.closed_by is None else t("by {who}", who=one.closed_by),
            }
            for one in months
        ]
    )  # fmt: skip


def _statement(session: Session, connection: psycopg.Connection, month: date, today: date) -> None:
    signed, now = spend.statement(connection, month), spend.sums(connection, month)
    rows = signed.statement if signed else now.astype(object).where(now.notna(), None).to_dict("records")
    if signed is not None:
        told = (
            mark("Signed off by {who} on {when}; ties to the ledger to the penny.")
            if spend.still_ties(signed, now)
            else mark("Signed off by {who} on {when}; DOES NOT TIE to the ledger.")
        )
        when = words.moment(signed.closed_at, session.company.time_zone)
        st.success(plain(t(told, who=signed.closed_by, when=when)), icon=":material/verified:")
    else:
        st.caption(t("{month} is open: these sums may still change.", month=words.month(month)))
    frame = pd.DataFrame(rows, columns=["team", "instrument", "currency", "entries", *SUMS])
    view = View("statement", frame, SUMS, {"month": f"{month:%Y-%m}"})
    show_view(session, view, alt=t("Statement of {month}.", month=words.month(month)), help=SUMS_HELP)
    who = (signed.closed_by, signed.closed_at) if signed else None
    with speaking(ENGLISH):  # a file for the books: the same whoever takes it
        text = statement_text(session.company.name, month, rows, signed=who, time_zone=session.company.time_zone)
    st.download_button(
        t("To print"),
        written_down(session, "spend", "statement", text.encode),
        file_name=f"statement-{month:%Y-%m}.txt",
        icon=":material/print:",
        on_click="ignore",
        key="print",
    )
    late = spend.corrections(connection, month)
    if len(late):
        heading(
            t("Corrections of earlier months booked in it"),
            help=t("Each with the entry it corrects and that entry's month."),
        )
        show_view(session, View("corrections", late, ("amount",), {"month": f"{month:%Y-%m}"}), alt=t("Corrections."))
    if signed is None and session.person.role == "finance" and month < today.replace(day=1):
        _close(session, month)


def _close(session: Session, month: date) -> None:
    """Two clicks: that the sums were seen, then the close."""
    named = words.month(month)
    seen = st.checkbox(t("I have seen the sums of {month} and sign them off.", month=named), key=f"seen-{month}")
    if st.button(t("Close {month}", month=named), disabled=not seen, icon=":material/lock:", key="close"):
        try:
            ledger.close_month(session.database, session.me, month)
        except Refusal as refusal:
            st.error(plain(str(refusal)), icon=":material/block:")
            return
        st.rerun()
