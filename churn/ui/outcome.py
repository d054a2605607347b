"""The ends of a call: no thank you, cancel today, and what is written down after."""

from __future__ import annotations

import streamlit as st

from churn import casework, ledger
from churn.casework import Card, Ending
from churn.core.language import mark, t
from churn.core.words import duration
from churn.core.words import plain as in_english
from churn.refusals import OtherOutcome, Refusal
from churn.ui.call import OnCall
from churn.ui.gate import Session
from churn.ui.pieces import UNANSWERED, unanswered
from churn.ui.waiting import take_back

WHY_NOT = (
    mark("too little"),
    mark("not what they need"),
    mark("wants to think"),
    mark("wants to leave anyway"),
    mark("will call back"),
)
OUTCOMES = {
    "deflected": mark("came to cancel, stays"),
    "resolved": mark("resolved"),
    "call_back": mark("to be called back"),
    "dropped": mark("call dropped"),
}
PROMOTER = 9  # of 10, and more: a referral may be asked for


def cancel_today(session: Session, card: Card, call: OnCall) -> None:
    """No thank you, and the way out: on screen from the first second, timed from the first "cancel"."""
    if call.is_closed:
        return
    with st.container(horizontal=True, gap="small"):
        if call.offer is not None and not call.offer.ladder.is_over and not call.is_settled and call.unsure is None:
            with st.popover(t("Not now: why"), icon=":material/thumb_down:"):
                key = f"why-not-{call.case_id}-{call.turned_down}"
                st.radio(t("Why not"), WHY_NOT, format_func=t, key=key)
                st.button(t("Note it, and look again"), on_click=_not_now, args=(session, call, key))
        with st.popover(t("Cancel today"), icon=":material/logout:"):
            st.markdown(t("They may leave today, and no offer is needed first."))
            st.button(t("They said “cancel”: start the clock"), on_click=_clock, args=(session, card, call))
            st.button(t("It is cancelled"), type="primary", on_click=_cancelled, args=(session, card, call))
    if call.is_cancelling:
        st.caption(t("The time from the first “cancel” is being measured."))


def ending(session: Session, card: Card, call: OnCall) -> None:
    """After the call: outcome, what is broken in one line, would they recommend us."""
    if call.is_closed:
        left = call.seconds_to_leave
        said = t("The case is closed and written down.")
        if left is not None:
            said = f"{said} {t('From their first “cancel” to done: {duration}.', duration=duration(left))}"
        st.success(said, icon=":material/task_alt:")
        return
    with st.expander(t("After the call")), st.form(f"ending-{call.case_id}", border=False):
        key = f"ending-{{}}-{call.case_id}".format
        st.radio(
            t("How it ended"), list(OUTCOMES), format_func=lambda outcome: t(OUTCOMES[outcome]), horizontal=True,
            key=key("outcome"),
        )  # fmt: skip
        st.text_input(t("What is broken (one line, goes to whoever can mend it)"), max_chars=280, key=key("broken"))
        st.slider(t("Would they recommend us? (0 to 10; leave at −1 when not asked)"), -1, 10, -1, key=key("likes"))
        st.checkbox(t("From {n} on: I asked whom they would recommend us to", n=PROMOTER), key=key("asked"))
        st.form_submit_button(t("Close the case"), on_click=_written_down, args=(session, card, call))


def _written_down(session: Session, card: Card, call: OnCall) -> None:
    """Close the case by what the form after the call says."""
    outcome, broken, likes, asked = (
        st.session_state[f"ending-{what}-{call.case_id}"] for what in ("outcome", "broken", "likes", "asked")
    )
    referral = ("asked" if asked else "missed") if likes >= PROMOTER else None
    _close(session, card, call, Ending(
        outcome=str(outcome), contact_reason=call.contact_reason, fault=call.fault,
        what_is_broken=broken.strip() or None, would_recommend=None if likes < 0 else likes, referral=referral,
    ))  # fmt: skip


def _not_now(session: Session, call: OnCall, key: str) -> None:
    """`key`: of the reason, read as it is now and not as it was when the button was drawn."""
    assert call.offer is not None  # noqa: S101
    why = str(st.session_state[key])
    answer = "not_now" if why == "will call back" else "refused_by_caller"
    try:
        ledger.answer_decision(session.database, session.me, call.offer.decision_id, answer=answer, reason=why)
    except Refusal as refusal:
        call.said = ("refused", str(refusal))
        return
    take_back(session, call)
    call.turned_down += 1
    call.said = None


def _clock(session: Session, card: Card, call: OnCall) -> None:
    try:
        casework.note_cancel(session.database, session.me, card.case_id)
    except UNANSWERED as error:
        call.said = ("refused", unanswered(error))
        return
    call.is_cancelling = True


def _cancelled(session: Session, card: Card, call: OnCall) -> None:
    _clock(session, card, call)
    if call.offer is not None and not call.is_settled and call.unsure is None:
        try:
            ledger.answer_decision(
                session.database, session.me, call.offer.decision_id, answer="cancelled",
                reason=in_english(call.contact_reason or "cancel"),
            )  # fmt: skip
        except Refusal as refusal:
            call.said = ("refused", str(refusal))
    _close(session, card, call, Ending(outcome="cancelled", contact_reason=call.contact_reason, fault=call.fault))


def _close(session: Session, card: Card, call: OnCall, how: Ending) -> None:
    try:
        call.seconds_to_leave = casework.close_case(session.database, session.me, card.case_id, how)
    except UNANSWERED as error:
        call.said = ("refused", f"{t('The case is not closed yet.')} {unanswered(error)}")
        return
    except OtherOutcome as refusal:
        call.said = ("refused", str(refusal))
        return
    call.is_closed = True
