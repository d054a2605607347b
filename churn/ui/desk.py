"""One caller on the desk: found once, read once, kept on screen until somebody else is asked for."""

from __future__ import annotations

import streamlit as st

from churn import casework, store
from churn.screen_pop import Asked
from churn.ui.card import show_card
from churn.ui.finder import choose
from churn.ui.gate import Session, models


def show_caller(session: Session, asked: Asked) -> None:
    """The card of the customer asked for, or what helps to find them."""
    held = st.session_state.get("case")
    if held is not None and held[0] == asked:
        show_card(held[1])
        return
    with session.database.transaction(session.role) as connection:
        found = casework.find(connection, asked, session.company)
    if len(found.matches) != 1:
        choose(session, found)
        return
    try:
        card = casework.open_case(
            session.database,
            models(session),
            found.matches[0].customer_id,
            staff_id=session.staff_id,
            role=session.role,
            clock=session.clock,
            opened_by=asked.by,
        )
    except store.NoSuchCustomer as gone:
        st.info(str(gone), icon=":material/person_off:")
        return
    st.session_state["case"] = (asked, card)
    show_card(card)
