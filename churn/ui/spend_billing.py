"""What billing was told, and what was promised against what it applied: totals, differences, settling them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.language import mark, number, t, tn
from churn.core.money import exponent, show, to_major
from churn.finance import billing
from churn.finance.spend_export import View
from churn.refusals import Refusal
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.spend_outbox import show_told
from churn.ui.spend_table import as_said, empty, files, money_column, show_view
from churn.ui.tables import show_table

STATUS = {
    "applied": mark("applied as promised"), "on_its_way": mark("on its way"),
    "taken_back": mark("taken back, never applied"), "missing": mark("missing"), "differs": mark("amount differs"),
    "unpromised": mark("applied without promise"),
}  # fmt: skip
MONEY = ("granted", "taken_back", "promised", "due", "applied")
PROMISED = {
    "entries": mark("Grants of the ledger, and what billing applied without one."),
    "promised": mark("Granted less what was taken back, by the ledger."),
    "due": mark("Of it, what should be applied by now."), "applied": mark("By billing’s own files."),
    "open": mark("Differences nobody has settled yet."),
}  # fmt: skip
FIRST = ("key", "status", "promised", "due", "applied", "currency", "customer_id", "booked_on", "settled_because")
NO_FILES = mark(
    "Nothing from billing was taken in yet. `python3 -m churn billing import FILE --mapping FILE.toml` takes a file "
    "in; docs/reporting.md says how a mapping is written."
)


def show_billing(session: Session) -> None:
    """What goes out, totals by what became of each promise, then the differences."""
    show_told(session)
    with session.database.transaction(session.me) as connection:
        totals, taken = billing.totals(connection), billing.files(connection)
        found = billing.differences(connection)
        aside = {one.file_id: billing.set_aside(connection, one.file_id) for one in taken if one.rows_set_aside}
    if not taken:
        st.info(t(NO_FILES), icon=":material/inbox:")
        return
    heading(
        t("Promised and applied"),
        help=t(
            "Due: of a credit all of it 40 days after it was given, of a monthly discount each part a month later. "
            "Missing and differing are what is due and not applied, or applied beyond the promise."
        ),
    )
    view = View("billing", totals.assign(status=totals["status"].map(STATUS)), ("promised", "due", "applied"), {})
    told = totals.assign(status=[t(STATUS[one]) for one in totals["status"]])
    show_view(session, view, alt=t("Promised and applied by state."), help=PROMISED, told=told)
    last = taken[0]
    st.caption(
        plain(
            t(
                "Newest file: {name}, {taken} of {read} rows taken, {when}.",
                name=last.name,
                taken=number(last.rows_accepted),
                read=number(last.rows_read),
                when=words.moment(last.imported_at, session.company.time_zone),
            )
        )
    )
    _differences(session, found, int(totals["open"].sum()))
    for one in taken:
        if one.file_id in aside:
            said = tn(
                one.rows_set_aside, "Set aside: {n} row of {name}", "Set aside: {n} rows of {name}",
                name=plain(one.name, 60),
            )  # fmt: skip
            with st.expander(said):
                show_table(
                    aside[one.file_id], hide_index=True, alt=t("Lines that could not be taken, and why."),
                    column_config={name: words.spoken(name) for name in aside[one.file_id].columns},
                )  # fmt: skip


def _differences(session: Session, found: pd.DataFrame, many: int) -> None:
    is_open = found["settled_because"].isna() if len(found) else pd.Series(dtype=bool)
    heading(t("Differences · {n} to settle", n=number(many)), help=t("The largest 500 are listed."))
    if empty(found, t("Billing applied what was promised, as far as it is due.")):
        return
    told = as_said(found).assign(status=[t(STATUS[one]) for one in found["status"]])
    for name in MONEY:
        told[name] = [float(to_major(int(v), c)) for v, c in zip(found[name], found["currency"], strict=True)]
    digits = max(exponent(currency) for currency in set(found["currency"]))
    config: dict[str, Any] = {name: st.column_config.Column(words.spoken(name)) for name in told.columns}
    config |= {name: money_column(words.spoken(name), digits) for name in MONEY}
    show_table(
        told, hide_index=True, placeholder="–", alt=t("Differences between promised and applied."),
        column_config=config,
        column_order=[*FIRST, *(name for name in told.columns if name not in FIRST)],
    )  # fmt: skip
    files(session, View("differences", found, MONEY, {}))
    to_settle = found.loc[is_open]
    if session.person.role == "finance" and len(to_settle):
        names = {str(row["key"]): _named(row) for _, row in to_settle.iterrows()}
        _settle(session, names)


def _named(row: pd.Series) -> str:
    """`entry:137 · missing · promised £35, applied £0`."""
    money = t(
        "promised {promised}, applied {applied}", promised=show(int(row["promised"]), row["currency"]),
        applied=show(int(row["applied"]), row["currency"]),
    )  # fmt: skip
    return f"{row['key']} · {t(STATUS[row['status']])} · {money}"


def _settle(session: Session, names: dict[str, str]) -> None:
    with st.form("settle", clear_on_submit=False, border=True):
        key = st.selectbox(t("Difference"), list(names), key="difference", format_func=names.__getitem__)
        reason = st.text_input(
            t("Settled, for"), key="settle_reason", max_chars=200, placeholder=t("mended by billing on 3 November")
        )
        if not st.form_submit_button(t("Settle"), icon=":material/handshake:"):
            return
    try:
        billing.settle(session.database, session.me, str(key), reason=reason)
    except Refusal as refusal:
        st.error(plain(str(refusal)), icon=":material/block:")
        return
    st.toast(t("{what} is settled.", what=plain(str(key))), icon=":material/check_circle:")
    st.rerun()
