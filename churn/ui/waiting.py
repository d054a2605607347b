"""The agent waits for a supervisor: asked every second in a fragment of its own, so that nothing typed is lost."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from churn import ledger
from churn.core.grants import Grant, Request
from churn.core.money import show
from churn.refusals import Refusal
from churn.ui.call import OnCall
from churn.ui.gate import Session
from churn.ui.pieces import plain


def answer_of_supervisor(session: Session, call: OnCall) -> None:
    """The state of the request this call waits for, if any."""
    if call.asked_supervisor is not None and not call.given and not call.is_closed:
        _poll(session, call)


def take_back(session: Session, call: OnCall) -> None:
    """Wait for no supervisor any more; what was asked is withdrawn, if that is still possible."""
    if call.asked_supervisor is None:
        return
    with suppress(Refusal):  # it has ended by itself
        request = ledger.withdraw_approval(session.database, session.me, call.asked_supervisor)
        if request.decided_by is not None:
            call.made_for = None  # one yes to a decision: another takes a fresh one
    call.asked_supervisor = None
    call.is_news = True


@st.fragment(run_every=1.0)
def _poll(session: Session, call: OnCall) -> None:
    if call.is_news:
        call.is_news = False
        st.rerun()
    assert call.asked_supervisor is not None  # noqa: S101
    request = ledger.approval(session.database, session.me, call.asked_supervisor)
    if request is None:
        return
    with st.container(border=True, key="supervisor_answer"):
        _tell(session, call, request)


def _tell(session: Session, call: OnCall, request: Request) -> None:
    asked = show(request.amount, request.currency)
    if request.state == "asked":
        st.markdown(f"**{asked} asked of a supervisor** · waiting for an answer", anchors=False)
        st.button("Take it back", key=f"back-{request.approval_id}", on_click=take_back, args=(session, call))
    elif request.state in {"approved", "countered"} and request.answer_amount is not None:
        yes = show(request.answer_amount, request.currency)
        word = "approved" if request.state == "approved" else f"countered: {yes} instead of {asked}"
        st.markdown(f"**{plain(word)}** · {plain(request.answer_reason)}", anchors=False)
        st.button(
            f"Give {yes}",
            key=f"give-{request.approval_id}",
            type="primary",
            on_click=_give,
            args=(session, call, request),
        )
        st.button("Go on without", key=f"on-{request.approval_id}", on_click=take_back, args=(session, call))
    else:
        st.markdown(f"**{asked}: {request.state}** · {plain(request.answer_reason)}", anchors=False)
        st.button("Go on without", key=f"on-{request.approval_id}", on_click=take_back, args=(session, call))


def _give(session: Session, call: OnCall, request: Request) -> None:
    grant = Grant(
        decision_id=request.decision_id,
        instrument=request.instrument,
        amount=request.answer_amount or 0,
        currency=request.currency,
        months=request.answer_months,
        approval_id=request.approval_id,
    )
    call.is_news = True
    try:
        entry = ledger.give(session.database, session.me, grant)
    except Refusal as refusal:
        call.said = ("refused", str(refusal))
        return
    call.given = [entry]
    call.said = ("given", f"{show(entry.amount, entry.currency)} given and recorded as entry {entry.entry_id}.")
