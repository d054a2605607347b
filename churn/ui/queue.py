"""The supervisor's queue: what is asked while the caller waits, what it rests on, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from churn import ledger, offers
from churn.core.grants import Request
from churn.core.money import show, to_major, to_minor
from churn.refusals import NotSignedIn, Refusal, RoleChanged, SessionEnded
from churn.ui.gate import Session
from churn.ui.pieces import plain

REASONS = (
    "worth keeping",
    "our fault",
    "long-standing customer",
    "enough as it is",
    "asked before",
    "not within policy",
)


@st.fragment(run_every=1.0)
def show_queue(session: Session) -> None:
    """Every request that waits for this person, the one that ends first at the top."""
    if st.session_state.pop("queue_signed_out", False):
        st.rerun()  # the gate signs in anew
    waiting = ledger.approvals_waiting(session.database, session.me)
    said = st.session_state.pop("queue_said", None)
    if said:
        st.toast(plain(said))
    if not waiting:
        st.info("Nobody waits for an answer. Requests appear here by themselves.", icon=":material/inbox:")
    for request in waiting:
        _one(session, request)


def _one(session: Session, request: Request) -> None:
    rung, receipt = offers.asked_rung(session.database, session.me, request)
    currency, key = request.currency, request.approval_id
    left = max(int((request.expires_at - datetime.now(UTC)).total_seconds()), 0)
    with st.container(border=True, key=f"request-{key}"):
        st.markdown(
            f"### {show(request.amount, currency)} · {plain(request.instrument.replace('_', ' '))} · "
            f"account {plain(request.customer_id, 40)}",
            anchors=False,
        )
        st.caption(
            f"Asked by {plain(request.requested_by)} · {_gap(request)} · ends in about {left} s · "
            f"{plain(request.reason, 300)}"
        )
        st.markdown(_figures(rung, receipt, currency), anchors=False)
        amount, reason, yes, other, no = st.columns([2, 3, 2, 2, 2], vertical_alignment="bottom")
        amount.number_input(
            f"Counter ({currency})", 0.0, float(to_major(request.amount, currency)),
            float(to_major(min(request.own_limit, request.amount), currency)), step=5.0, key=f"amount-{key}",
        )  # fmt: skip
        reason.selectbox("Reason", REASONS, key=f"why-{key}")
        for column, label, answer in (
            (yes, "Approve", "approve"),
            (other, "Counter", "counter"),
            (no, "Decline", "decline"),
        ):
            column.button(
                label, key=f"{answer}-{key}", type="primary" if answer == "approve" else "secondary",
                on_click=_answer, args=(session, request, answer),
            )  # fmt: skip


def _gap(request: Request) -> str:
    alone = show(request.own_limit, request.currency)
    if request.amount <= request.own_limit:
        return f"may give {alone} alone, but the limit of the day, week or month is used up"
    return f"may give {alone} alone · {show(request.amount - request.own_limit, request.currency)} above"


def _figures(rung: Mapping[str, Any], receipt: Mapping[str, Any], currency: str) -> str:
    worth = receipt["inputs"]["worth"]
    parts = []
    if rung.get("p_before") is not None and rung.get("p_after") is not None:
        parts.append(f"stays {rung['p_before'] * 100:.0f} % without, {rung['p_after'] * 100:.0f} % with it")
    if worth:
        span = f"{show(worth['low'], currency)} to {show(worth['high'], currency)}"
        parts.append(f"worth {show(worth['amount'], currency)} ({span}) if they stay")
    if rung.get("gain") is not None:
        parts.append(f"gain {show(rung['gain'], currency)}")
    return plain(" · ".join(parts) or "no figures: policy’s table")


def _answer(session: Session, request: Request, answer: str) -> None:
    """Amount and reason are read as they are now: what was on screen a run ago is not what was typed since."""
    why = str(st.session_state[f"why-{request.approval_id}"])
    amount = to_minor(st.session_state[f"amount-{request.approval_id}"], request.currency)
    try:
        if answer == "approve":
            ledger.approve(session.database, session.me, request.approval_id, reason=why)
        elif answer == "counter":
            ledger.counter(session.database, session.me, request.approval_id, amount=amount,
                           months=request.months, reason=why)  # fmt: skip
        else:
            ledger.decline(session.database, session.me, request.approval_id, reason=why)
    except Refusal as refusal:
        st.session_state["queue_said"] = str(refusal)
        st.session_state["queue_signed_out"] = isinstance(refusal, NotSignedIn | SessionEnded | RoleChanged)
        return
    st.session_state["queue_said"] = "The agent sees your answer now."
