"""One caller on the desk: found once, read once, kept on screen until somebody else is asked for."""

from __future__ import annotations

import streamlit as st

from churn import casework, store
from churn.screen_pop import Asked
from churn.ui.card import show_card
from churn.ui.finder import choose
from churn.ui.gate import Session, models
from churn.ui.offer import show_offer


def show_caller(session: Session, asked: Asked) -> None:
    """The card of the customer asked for, or what helps to find them."""
    in_use = models(session)
    held = st.session_state.get("case")
    if held is not None and held[0] == (asked, session.staff_id):
        show_card(held[1])
        show_offer(session, held[1], in_use)
        return
    with session.database.transaction(session.me) as connection:
        found = casework.find(connection, asked, session.company)
    if len(found.matches) != 1:
        choose(session, found)
        return
    try:
        card = casework.open_case(
            session.database,
            in_use,
            found.matches[0].customer_id,
            me=session.me,
            clock=session.clock,
            opened_by=asked.by,
        )
    except store.NoSuchCustomer as gone:
        st.info(str(gone), icon=":material/person_off:")
        return
    st.session_state["case"] = ((asked, session.staff_id), card)
    show_card(card)
    show_offer(session, card, in_use)
