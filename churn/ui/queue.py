"""The supervisor's queue: what is asked while callers wait, the most urgent first, and the floor around it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from churn import ledger
from churn.core.grants import Headroom, Request
from churn.core.language import mark, t
from churn.core.policies.approvals import urgency
from churn.ui.floor import show_floor
from churn.ui.gate import Session, fragment
from churn.ui.pieces import plain, reading
from churn.ui.request import evidence_of, show_request


def show_queue(session: Session) -> None:
    """Every request that waits for this person, then who stands in and who was let go."""
    _waiting(session)
    show_floor(session)


@fragment(run_every=1.0)
def _waiting(session: Session) -> None:
    if st.session_state.pop("queue_signed_out", False):
        st.rerun()  # the gate signs in anew
    said = st.session_state.pop("queue_said", None)
    if said:
        st.toast(plain(said))
    with reading(mark("The queue")):
        waiting = ledger.approvals_waiting(session.database, session.me)
        title = t("Approvals")
        st.set_page_config(page_title=f"({len(waiting)}) {title}" if waiting else f"{title} · Keepline")
        if not waiting:
            st.info(t("Nobody waits for an answer. Requests appear here by themselves."), icon=":material/inbox:")
        budgets: dict[str, Sequence[Headroom]] = {}
        last_first = st.session_state.get("queue_first")
        for place, request in enumerate(_in_order(session, waiting)):
            if request.team not in budgets:
                budgets[request.team] = ledger.headroom(session.database, session.me, request.team)
            # The keys go to whoever was first a second ago too: nobody approves what slid under their finger.
            has_keys = place == 0 and last_first == request.approval_id
            show_request(session, request, budgets[request.team], left=_seconds(request), has_keys=has_keys)


def _in_order(session: Session, waiting: Sequence[Request]) -> list[Request]:
    """The most at stake for the seconds left first. Whoever is at the top stays there until answered."""
    first = st.session_state.get("queue_first")

    def place(request: Request) -> tuple[bool, float]:
        stake = evidence_of(session, request).at_stake or request.amount
        return request.approval_id != first, -urgency(seconds_left=_seconds(request), value_at_stake=stake)

    ordered = sorted(waiting, key=place)
    st.session_state["queue_first"] = ordered[0].approval_id if ordered else None
    kept: dict[Any, Any] = st.session_state.get("queue_evidence", {})
    for key in kept.keys() - {request.approval_id for request in waiting}:
        del kept[key]
    return ordered


def _seconds(request: Request) -> int:
    return max(int((request.expires_at - datetime.now(UTC)).total_seconds()), 0)
