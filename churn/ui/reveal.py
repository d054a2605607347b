"""A caller's number or e-mail address: masked until somebody says what it is needed for, which is written down."""

from __future__ import annotations

import streamlit as st

from churn import store
from churn.calls.phone import pretty
from churn.core.language import mark, t
from churn.core.records import Customer
from churn.refusals import Refusal
from churn.ui.gate import Session
from churn.ui.pieces import plain

WHY = (
    mark("to ring back if the call drops"),
    mark("to check who is calling"),
    mark("to send a confirmation"),
    mark("the caller asks to change it"),
)
FIELDS = {"phone": mark("Number"), "email": mark("E-mail address")}


def contact_details(session: Session, customer: Customer) -> None:
    """What the masked card may show in full, each for a reason chosen here."""
    kept = {"phone": customer.phone, "email": customer.email}
    fields = [field for field in FIELDS if kept[field]]
    if not fields:
        return
    with st.popover(t("Number and e-mail"), icon=":material/visibility:", type="tertiary", key="reveal"):
        for field in fields:
            full = _revealed().get((customer.customer_id, field))
            if full is not None:
                st.markdown(f"{t(FIELDS[field])}: **{plain(_readable(session, field, full))}**", anchors=False)
                continue
            st.markdown(f"{t(FIELDS[field])}: {plain(kept[field])}", anchors=False)
            why = st.selectbox(t("Needed for"), WHY, format_func=t, key=f"why-{field}", label_visibility="collapsed")
            st.button(
                t("Show it; this is written down"),
                key=f"show-{field}",
                on_click=_show,
                args=(session, customer, field, why),
            )
        if said := st.session_state.pop("reveal_said", None):
            st.warning(plain(said), icon=":material/block:")


def number_to_ring(session: Session, customer_id: str, masked: str | None) -> str:
    """The number of a customer held for a call back, revealed once a hold for that very purpose."""
    if masked is None:
        return t("no number on record")
    if (customer_id, "phone") not in _revealed():
        try:
            with session.database.transaction(session.me) as connection:
                full = store.reveal(connection, customer_id, "phone", "to ring them: a callback")
        except Refusal as refusal:
            return f"{masked} ({refusal})"
        _revealed()[customer_id, "phone"] = full or ""
    return _readable(session, "phone", _revealed()[customer_id, "phone"])


def _show(session: Session, customer: Customer, field: str, why: str) -> None:
    try:
        with session.database.transaction(session.me) as connection:
            full = store.reveal(connection, customer.customer_id, field, why)
    except Refusal as refusal:
        st.session_state["reveal_said"] = str(refusal)
        return
    _revealed()[customer.customer_id, field] = full or ""


def _revealed() -> dict[tuple[str, str], str]:
    """What this tab was shown in full, by customer and field."""
    held: dict[tuple[str, str], str] = st.session_state.setdefault("revealed", {})
    return held


def _readable(session: Session, field: str, full: str) -> str:
    return pretty(full, session.company.phone_region) if field == "phone" else full
