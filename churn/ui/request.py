"""One request on the supervisor's screen: what is asked, what it rests on, and the three answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st

from churn import ledger, offers
from churn.core.calls.saves import WINDOW_DAYS
from churn.core.calls.similar import ALIKE, PastCase
from churn.core.grants import Headroom, Request
from churn.core.language import current, mark, t
from churn.core.money import show, to_major, to_minor
from churn.core.words import month, percent, spoken
from churn.refusals import NotSignedIn, Refusal, RoleChanged, SessionEnded
from churn.ui.gate import Session
from churn.ui.pieces import UNANSWERED, plain

REASONS = (
    mark("worth keeping"),
    mark("our fault"),
    mark("long-standing customer"),
    mark("enough as it is"),
    mark("asked before"),
    mark("not within policy"),
)
NEAREST = 5
ANSWERS = (
    (mark("Approve"), "approve", "Alt+Y"),
    (mark("Counter"), "counter", "Alt+O"),
    (mark("Decline"), "decline", "Alt+N"),
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a request rests on; it does not change while the request waits."""

    rung: Mapping[str, Any]
    receipt: Mapping[str, Any]
    reason: str
    language: str  # of the reason
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
    language = current().code
    if held is None or held.nearest is None or held.language != language:
        rung, receipt = offers.asked_rung(session.database, session.me, request)
        nearest = None
        with suppress(*UNANSWERED, offers.NoSuchDecision):
            nearest = offers.nearest_cases(session.database, session.me, receipt, n=NEAREST)
        reason = offers.why_asked(session.database, session.me, request, receipt)
        held = kept[request.approval_id] = Evidence(rung, receipt, reason, language, nearest)
    return held


def show_request(session: Session, request: Request, budgets: Sequence[Headroom], *, left: int, has_keys: bool) -> None:
    """The card of one request. `left`: seconds until it ends; `has_keys`: the shortcuts are this one's."""
    held, currency, key = evidence_of(session, request), request.currency, request.approval_id
    with st.container(border=True, key=f"request-{key}", gap="small"):
        st.markdown(
            f"### {show(request.amount, currency)} · {plain(spoken(request.instrument))} · "
            f"{t('account {account}', account=plain(request.customer_id, 40))}",
            anchors=False,
        )
        asked = t("Asked by {person}", person=plain(request.requested_by))
        ends = t("ends in about {seconds} s", seconds=left)
        st.caption(f"{asked} · {_gap(request)} · {ends} · {plain(held.reason, 300)}")
        st.markdown(
            _figures(held, currency),
            anchors=False,
            help=t(
                "As on the agent's screen, modelled: stays, still a customer {days} days after the call; worth, "
                "expected margin if they stay, with its 90 % interval; gain over giving nothing, the offer paid.",
                days=WINDOW_DAYS,
            ),
        )
        st.markdown(plain(_budget(request, budgets)), anchors=False)
        _nearest(held.nearest, currency)
        _answers(session, request, has_keys=has_keys)


def _answers(session: Session, request: Request, *, has_keys: bool) -> None:
    currency, key = request.currency, request.approval_id
    amount, reason, *buttons = st.columns([4, 5, 4, 5, 4], vertical_alignment="bottom")
    amount.number_input(
        t("Counter ({currency})", currency=currency), 0.0, float(to_major(request.amount, currency)),
        float(to_major(min(request.own_limit, request.amount), currency)), step=5.0, key=f"amount-{key}",
    )  # fmt: skip
    reason.selectbox(t("Reason"), REASONS, format_func=t, key=f"why-{key}")
    for column, (label, answer, shortcut) in zip(buttons, ANSWERS, strict=True):
        column.button(
            t(label), key=f"{answer}-{key}", type="primary" if answer == "approve" else "secondary",
            on_click=_answer, args=(session, request, answer), shortcut=shortcut if has_keys else None,
            width="stretch",
        )  # fmt: skip


def _gap(request: Request) -> str:
    alone = show(request.own_limit, request.currency)
    if request.amount <= request.own_limit:
        return t("may give {money} alone, but the limit of the day, week or month is used up", money=alone)
    above = show(request.amount - request.own_limit, request.currency)
    return t("may give {money} alone · {above} above", money=alone, above=above)


def _figures(held: Evidence, currency: str) -> str:
    rung, worth = held.rung, held.receipt["inputs"]["worth"]
    parts = []
    if rung.get("p_before") is not None and rung.get("p_after") is not None:
        before, after = percent(rung["p_before"]), percent(rung["p_after"])
        parts.append(t("stays {before} without, {after} with it", before=before, after=after))
    if worth:
        amount, low, high = (show(worth[end], currency) for end in ("amount", "low", "high"))
        parts.append(t("worth {amount} ({low} to {high}) if they stay", amount=amount, low=low, high=high))
    if rung.get("gain") is not None:
        parts.append(t("gain {money}", money=show(rung["gain"], currency)))
    return plain(" · ".join(parts) or t("no figures: policy’s table"))


def _budget(request: Request, budgets: Sequence[Headroom]) -> str:
    """The team's money for this instrument, before and after this grant."""
    held = next((budget for budget in budgets if budget.budget_id == request.budget_id), None)
    if held is None:
        return t("Draws no budget.")
    before, after = (show(left, request.currency) for left in (held.headroom, held.headroom - request.amount))
    whole = show(held.amount_limit, request.currency)
    return t(
        "Budget of {team} this month: {before} of {whole} left → {after} after this grant.",
        team=held.team,
        before=before,
        whole=whole,
        after=after,
    )


def _nearest(nearest: Sequence[PastCase] | None, currency: str) -> None:
    if nearest is None:
        st.caption(t("The nearest past cases cannot be read just now."))
    elif not nearest:
        st.caption(t("No past case is settled yet, so there is none to compare with."))
    else:
        kept = sum(case.is_kept for case in nearest)
        told = [_past(case, currency) for case in nearest]
        said = t("Nearest past cases: {kept} of {n} stayed", kept=kept, n=len(nearest))
        st.markdown(f"**{said}**  \n" + "  \n".join(told), anchors=False, help=t(ALIKE, days=WINDOW_DAYS))


def _past(case: PastCase, currency: str) -> str:
    """What a past caller was like, what they were given, and whether they are still here."""
    about = [
        month(case.month, is_short=True),
        spoken(case.contact_reason) if case.contact_reason else None,
        case.plan,
        t("{n} months with us", n=case.tenure_months) if case.tenure_months is not None else None,
        t("given {what}", what=_given(case, currency)),
    ]
    ended = t("✓ stayed") if case.is_kept else t("✗ left")
    return f":small[{plain(' · '.join(part for part in about if part))} · {ended}]"


def _given(case: PastCase, currency: str) -> str:
    fix = t("a fix") if case.is_fixed else ""
    if not case.instrument:
        return fix or t("nothing")
    money = t("{money} {instrument}", money=show(case.amount, currency), instrument=spoken(case.instrument))
    return t("{first} and {last}", first=fix, last=money) if fix else money


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
    st.session_state["queue_said"] = t("The agent sees your answer now.")
