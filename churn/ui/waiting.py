"""The agent waits: for a supervisor, or to learn what became of a lost answer.

Asked every second in a fragment of its own, so that nothing typed is lost.
"""

from __future__ import annotations

import time
from contextlib import suppress

import streamlit as st

from churn import ledger
from churn.core.grants import Grant, Request
from churn.core.language import mark, t
from churn.core.money import show
from churn.core.words import spoken
from churn.gateway import DEADLINE_SECONDS
from churn.refusals import Busy, Refusal, Unconfirmed
from churn.ui.call import OnCall
from churn.ui.gate import Session, fragment
from churn.ui.pieces import plain, reading

SURE_SECONDS = DEADLINE_SECONDS  # after that the server has given up on whatever was under way


def answer_of_supervisor(session: Session, call: OnCall) -> None:
    """The state of the request this call waits for, if any."""
    if call.asked_supervisor is not None and not call.is_settled and not call.is_closed:
        _poll(session, call)


def answer_of_ledger(session: Session, call: OnCall) -> None:
    """What became of a grant whose answer was lost, asked by its key until it is known."""
    if not _settle(session, call):
        _wonder(session, call)


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


def _settle(session: Session, call: OnCall) -> bool:
    """Whether it is known by now what became of the grant."""
    if call.unsure is None:
        return True
    waited = time.monotonic() - call.unsure_since  # before asking: what comes to be after the question is not seen
    try:
        found = ledger.find_grant(session.database, session.me, call.unsure)
    except (Busy, Unconfirmed):
        return False
    if found is not None:
        call.gave(found)
    elif waited > SURE_SECONDS:
        call.unsure = None
        call.said = ("refused", t("Nothing was given: the desk could not be reached. Try again."))
    return call.unsure is None


@fragment(run_every=1.0)
def _wonder(session: Session, call: OnCall) -> None:
    if _settle(session, call):
        st.rerun()
    st.info(
        t("Not confirmed yet, checking: it was given once or not at all. Nothing else is offered until that is known."),
        icon=":material/hourglass:",
    )


@fragment(run_every=1.0)
def _poll(session: Session, call: OnCall) -> None:
    if call.is_news:
        call.is_news = False
        st.rerun()
    assert call.asked_supervisor is not None  # noqa: S101
    with reading(mark("The supervisor’s answer")):
        request = ledger.approval(session.database, session.me, call.asked_supervisor)
        if request is not None:
            with st.container(border=True, key="supervisor_answer"):
                _tell(session, call, request)


def _tell(session: Session, call: OnCall, request: Request) -> None:
    asked, why = show(request.amount, request.currency), plain(t(request.answer_reason or ""))
    if request.state == "asked":
        st.markdown(t("**{money} asked of a supervisor** · waiting for an answer", money=asked), anchors=False)
        st.button(t("Take it back"), key=f"back-{request.approval_id}", on_click=take_back, args=(session, call))
    elif request.state in {"approved", "countered"} and request.answer_amount is not None:
        yes = show(request.answer_amount, request.currency)
        is_as_asked = request.state == "approved"
        word = t("approved") if is_as_asked else t("countered: {yes} instead of {asked}", yes=yes, asked=asked)
        st.markdown(f"**{plain(word)}** · {why}", anchors=False)
        with st.container(horizontal=True, gap="small"):
            if call.unsure is None:
                st.button(
                    t("Give {money}", money=yes),
                    key=f"give-{request.approval_id}",
                    type="primary",
                    shortcut="Alt+Y",
                    on_click=_give,
                    args=(session, call, request),
                )
            st.button(t("Go on without"), key=f"on-{request.approval_id}", on_click=take_back, args=(session, call))
    else:
        st.markdown(f"**{asked}: {spoken(request.state)}** · {why}", anchors=False)
        st.button(t("Go on without"), key=f"on-{request.approval_id}", on_click=take_back, args=(session, call))


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
        call.gave(ledger.give(session.database, session.me, grant))
    except Unconfirmed:
        call.wonder(request.decision_id)
    except Refusal as refusal:
        call.said = ("refused", str(refusal))
