"""One caller on the desk: found once, read once, kept on screen until somebody else is asked for."""

from __future__ import annotations

import streamlit as st

from churn import casework, store
from churn.calls import resume, telephony
from churn.calls.screen_pop import Asked
from churn.casework import Card, Models
from churn.core.language import current, mark
from churn.refusals import TooManyLookups
from churn.ui.call import take_up
from churn.ui.card import show_contacts, show_facts, show_opening, show_who
from churn.ui.finder import choose
from churn.ui.gate import Session, models
from churn.ui.offer import show_offer
from churn.ui.pieces import plain, reading

# The ladder belongs on the first screen: less margin than a page of text wants.
STYLE = """<style>
[data-testid="stMainBlockContainer"] {padding-left: 2.5rem; padding-right: 2.5rem;}
[data-testid="stMain"] h3 {padding-bottom: 1rem;}
</style>"""


def show_caller(session: Session, asked: Asked) -> None:
    """The card of the customer asked for, or what helps to find them."""
    st.html(STYLE)
    key = (asked, session.staff_id, current().code)  # the card's sentences are of one language
    held = st.session_state.get("case")
    if held is None or held[0] != key:
        held = None
        with reading(mark("The caller")):
            held = _open(session, asked)
        if held is None:
            return
        st.session_state["case"] = (key, *held)
        if asked.by == "search":
            st.query_params["account"] = held[0].facts.customer.customer_id  # a reload finds them again
    _, card, in_use = st.session_state["case"]
    show_who(session, card)
    left, right = st.columns([2, 1])
    with left, st.container(gap="xsmall"):
        show_opening(card)
        show_offer(session, card, in_use)
    with right, st.container(gap="xsmall"):
        show_facts(card)
    show_contacts(card)


def _open(session: Session, asked: Asked) -> tuple[Card, Models] | None:
    """The caller on the line, with the models in use; an open case of mine is gone on with where it was."""
    try:
        with session.database.transaction(session.me) as connection:
            found = casework.find(connection, asked, session.company)
        if len(found.matches) != 1:
            choose(session, found)
            return None
        in_use = models(session)
        card = casework.open_case(
            session.database,
            in_use,
            found.matches[0].customer_id,
            me=session.me,
            clock=session.clock,
            opened_by=asked.by,
        )
    except store.NoSuchCustomer as gone:
        st.info(plain(str(gone)), icon=":material/person_off:")
        return None
    except TooManyLookups as refusal:
        st.warning(plain(str(refusal)), icon=":material/block:")
        return None
    if asked.call:
        telephony.keep_contact(session.database, session.me, card.case_id, asked.call)
    take_up(card.case_id, resume.resume(session.database, session.me, card.case_id))
    return card, in_use
