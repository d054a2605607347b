"""Months: as first reported and as restated, the close with its statement, and what is still owed."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from churn import ledger, spend
from churn.core.statement import SUMS, statement_text
from churn.core.words import moment
from churn.refusals import Refusal
from churn.spend import Month
from churn.spend_export import View
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.spend_table import empty, show_view
from churn.ui.takeaway import written_down

if TYPE_CHECKING:
    import psycopg

RESTATED = {
    "granted": "Given in the month.", "reported": "Net of what was booked in it: what a statement says.",
    "restated": "Net of what is about it, wherever booked: its grants less all that was taken back of them.",
    "change": "Restated less reported.",
}  # fmt: skip


def show_months(session: Session, connection: psycopg.Connection, months: list[Month], today: date) -> None:
    """All months, then one of them with its statement."""
    heading("Months, as first reported and as restated", help="A closed month takes no row any more.")
    rows = pd.DataFrame(
        [
            {
                "month": f"{one.month:%Y-%m}", "currency": one.currency, "entries": one.entries, "granted": one.granted,
                "reported": one.reported, "restated": one.restated, "change": one.restated - one.reported,
                "closed": "open" if one.closed_by is None else f"by {one.closed_by}",
            }
            for one in months
        ]
    )  # fmt: skip
    money = ("granted", "reported", "restated", "change")
    show_view(session, View("months", rows, money, {}), alt="Months as reported and restated.", help=RESTATED)
    names = {f"{day:%Y-%m}": day for day in sorted({one.month for one in months}, reverse=True)}
    chosen = st.selectbox("Statement of", list(names), key="month", bind="query-params", width=200)
    if chosen is not None:
        _statement(session, connection, names[chosen], today)
    heading("Granted, applied, still owed", help="By the month it was given in; applied: by billing’s own files.")
    owed = spend.accrual(connection).assign(month=lambda held: held["month"].map("{:%Y-%m}".format))
    if not empty(owed, "No money was given yet."):
        show_view(
            session, View("accrual", owed, ("granted", "taken_back", "applied", "owed"), {}), alt="What is still owed."
        )


def _statement(session: Session, connection: psycopg.Connection, month: date, today: date) -> None:
    signed, now = spend.statement(connection, month), spend.sums(connection, month)
    rows = signed.statement if signed else now.astype(object).where(now.notna(), None).to_dict("records")
    if signed is not None:
        ties = "ties to the ledger to the penny" if spend.still_ties(signed, now) else "DOES NOT TIE to the ledger"
        st.success(
            plain(
                f"Signed off by {signed.closed_by} on {moment(signed.closed_at, session.company.time_zone)}; {ties}."
            ),
            icon=":material/verified:",
        )
    else:
        st.caption(f"{month:%B %Y} is open: these sums may still change.")
    frame = pd.DataFrame(rows, columns=["team", "instrument", "currency", "entries", *SUMS])
    show_view(session, View("statement", frame, SUMS, {"month": f"{month:%Y-%m}"}), alt=f"Statement of {month:%B %Y}.")
    who = (signed.closed_by, signed.closed_at) if signed else None
    text = statement_text(session.company.name, month, rows, signed=who, time_zone=session.company.time_zone)
    st.download_button(
        "To print",
        written_down(session, "spend", "statement", text.encode),
        file_name=f"statement-{month:%Y-%m}.txt",
        icon=":material/print:",
        on_click="ignore",
        key="print",
    )
    late = spend.corrections(connection, month)
    if len(late):
        heading(
            "Corrections of earlier months booked in it", help="Each with the entry it corrects and that entry's month."
        )
        show_view(session, View("corrections", late, ("amount",), {"month": f"{month:%Y-%m}"}), alt="Corrections.")
    if signed is None and session.person.role == "finance" and month < today.replace(day=1):
        _close(session, month)


def _close(session: Session, month: date) -> None:
    """Two clicks: that the sums were seen, then the close."""
    seen = st.checkbox(f"I have seen the sums of {month:%B %Y} and sign them off.", key=f"seen-{month}")
    if st.button(f"Close {month:%B %Y}", disabled=not seen, icon=":material/lock:", key="close"):
        try:
            ledger.close_month(session.database, session.me, month)
        except Refusal as refusal:
            st.error(plain(str(refusal)), icon=":material/block:")
            return
        st.rerun()
