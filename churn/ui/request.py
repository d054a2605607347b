"""One request on the supervisor's screen: what is asked, what it rests on, and the three answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st

from churn import ledger, offers
from churn.core.grants import Headroom, Request
from churn.core.language import current
from churn.core.money import show, to_major, to_minor
from churn.core.similar import PastCase
from churn.core.words import percent, spoken
from churn.refusals import NotSignedIn, Refusal, RoleChanged, SessionEnded
from churn.ui.gate import Session
from churn.ui.pieces import UNANSWERED, plain

REASONS = (
    "worth keeping",
    "our fault",
    "long-standing customer",
    "enough as it is",
    "asked before",
    "not within policy",
)
NEAREST = 5
ANSWERS = (("Approve", "approve", "Alt+Y"), ("Counter", "counter", "Alt+O"), ("Decline", "decline", "Alt+N"))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a request rests on; it does not change while the request waits."""

    rung: Mapping[str, Any]
    receipt: Mapping[str, Any]
    nearest: tuple[PastCase, ...] | None  # None: cannot be read just now

    @property
    def at_stake(self) -> float:
        """Minor units that are lost if they leave, times the chance that they do with nothing given; 0: not known."""
        worth, p = self.receipt["inputs"]["worth"], self.rung.get("p_before")
        return 0.0 if worth is None or p is None else max(worth["amount"], 0) * (1 - p)


def evidence_of(session: Session, request: Request) -> Evidence:
    """The rung that is asked for, its receipt and the nearest past cases, read once a tab."""
    kept: dict[Any, Evidence] = st.session_state.setdefault("queue_evidence", {})
    held = kept.get(request.approval_id)
    if held is None or held.nearest is None:
        rung, receipt = offers.asked_rung(session.database, session.me, request)
        nearest = None
        with suppress(*UNANSWERED, offers.NoSuchDecision):
            nearest = offers.nearest_cases(session.database, session.me, receipt, n=NEAREST)
        held = kept[request.approval_id] = Evidence(rung, receipt, nearest)
    return held


def show_request(session: Session, request: Request, budgets: Sequence[Headroom], *, left: int, has_keys: bool) -> None:
    """The card of one request. `left`: seconds until it ends; `has_keys`: the shortcuts are this one's."""
    held, currency, key = evidence_of(session, request), request.currency, request.approval_id
    with st.container(border=True, key=f"request-{key}", gap="small"):
        st.markdown(
            f"### {show(request.amount, currency)} · {plain(spoken(request.instrument))} · "
            f"account {plain(request.customer_id, 40)}",
            anchors=False,
        )
        st.caption(
            f"Asked by {plain(request.requested_by)} · {_gap(request)} · ends in about {left} s · "
            f"{plain(request.reason, 300)}"
        )
        st.markdown(_figures(held, currency), anchors=False)
        st.markdown(plain(_budget(request, budgets)), anchors=False)
        _nearest(held.nearest, currency)
        _answers(session, request, has_keys=has_keys)


def _answers(session: Session, request: Request, *, has_keys: bool) -> None:
    currency, key = request.currency, request.approval_id
    amount, reason, *buttons = st.columns([2, 3, 2, 2, 2], vertical_alignment="bottom")
    amount.number_input(
        f"Counter ({currency})", 0.0, float(to_major(request.amount, currency)),
        float(to_major(min(request.own_limit, request.amount), currency)), step=5.0, key=f"amount-{key}",
    )  # fmt: skip
    reason.selectbox("Reason", REASONS, key=f"why-{key}")
    for column, (label, answer, shortcut) in zip(buttons, ANSWERS, strict=True):
        column.button(
            label, key=f"{answer}-{key}", type="primary" if answer == "approve" else "secondary",
            on_click=_answer, args=(session, request, answer), shortcut=shortcut if has_keys else None,
            width="stretch",
        )  # fmt: skip


def _gap(request: Request) -> str:
    alone = show(request.own_limit, request.currency)
    if request.amount <= request.own_limit:
        return f"may give {alone} alone, but the limit of the day, week or month is used up"
    return f"may give {alone} alone · {show(request.amount - request.own_limit, request.currency)} above"


def _figures(held: Evidence, currency: str) -> str:
    rung, worth = held.rung, held.receipt["inputs"]["worth"]
    parts = []
    if rung.get("p_before") is not None and rung.get("p_after") is not None:
        parts.append(f"stays {percent(rung['p_before'])} without, {percent(rung['p_after'])} with it")
    if worth:
        span = f"{show(worth['low'], currency)} to {show(worth['high'], currency)}"
        parts.append(f"worth {show(worth['amount'], currency)} ({span}) if they stay")
    if rung.get("gain") is not None:
        parts.append(f"gain {show(rung['gain'], currency)}")
    return plain(" · ".join(parts) or "no figures: policy’s table")


def _budget(request: Request, budgets: Sequence[Headroom]) -> str:
    """The team's money for this instrument, before and after this grant."""
    held = next((budget for budget in budgets if budget.budget_id == request.budget_id), None)
    if held is None:
        return "Draws no budget."
    before, after = (show(left, request.currency) for left in (held.headroom, held.headroom - request.amount))
    whole = show(held.amount_limit, request.currency)
    return f"Budget of {held.team} this month: {before} of {whole} left → {after} after this grant."


def _nearest(nearest: Sequence[PastCase] | None, currency: str) -> None:
    if nearest is None:
        st.caption("The nearest past cases cannot be read just now.")
    elif not nearest:
        st.caption("No past case is settled yet, so there is none to compare with.")
    else:
        kept = sum(case.is_kept for case in nearest)
        told = [_past(case, currency) for case in nearest]
        st.markdown(f"**Nearest past cases: {kept} of {len(nearest)} stayed**  \n" + "  \n".join(told), anchors=False)


def _past(case: PastCase, currency: str) -> str:
    """What a past caller was like, what they were given, and whether they are still here."""
    given = [*(["a fix"] if case.is_fixed else [])]
    given += [f"{show(case.amount, currency)} {spoken(case.instrument)}"] if case.instrument else []
    about = [
        f"{current().months[case.month.month - 1]} {case.month.year}",
        spoken(case.contact_reason) if case.contact_reason else None,
        case.plan,
        f"{case.tenure_months} months with us" if case.tenure_months is not None else None,
        f"given {' and '.join(given) or 'nothing'}",
    ]
    return f":small[{plain(' · '.join(part for part in about if part))} · {'✓ stayed' if case.is_kept else '✗ left'}]"


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
