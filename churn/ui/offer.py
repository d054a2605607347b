"""The lower half of the card: reason and fault, ask first, then what may be said yes to, and what becomes of it."""

from __future__ import annotations

from uuid import uuid4

import streamlit as st

from churn import casework, ledger, offers, store
from churn.casework import Card, Models
from churn.core import words
from churn.core.money import show, to_major, to_minor
from churn.core.offer import Ladder
from churn.core.question import Ask
from churn.core.rung import Rung
from churn.core.talk import apology, needs_questions
from churn.offers import Offer
from churn.refusals import KeyReused, Refusal
from churn.ui.call import SKIPPED, OnCall, on_call
from churn.ui.gate import Session
from churn.ui.outcome import cancel_today, ending
from churn.ui.pieces import heading, plain
from churn.ui.waiting import answer_of_supervisor

FAULTS = {"ours": "ours", "shared": "shared", "theirs": "theirs", "none": "nobody’s"}
IN_KIND = {
    "fix": "put it right", "right_size": "a plan that fits", "pause": "a pause", "fee_waiver": "a fee waived",
    "free_month": "a free month",
}  # fmt: skip


def show_offer(session: Session, card: Card, models: Models) -> None:
    """Reason, ask, ladder and outcome of the call on screen."""
    if card.state == "ended":
        return
    call = on_call(card.case_id)
    _reason_and_fault(session, card, call)
    if call.fault == "ours":
        _apology(card, call)
    _ask(card, call)
    if call.ask is not None:
        _ladder(session, card, models, call)
    cancel_today(session, card, call)
    ending(session, card, call)


def _reason_and_fault(session: Session, card: Card, call: OnCall) -> None:
    with session.database.transaction(session.me) as connection:
        reasons = store.contact_reasons(connection, card.facts.as_of)
    likely = [why.reason for why in card.why if why.reason in reasons]
    options = [*likely, *(reason for reason in reasons if reason not in likely)]
    reason, fault = st.columns([3, 2])
    call.contact_reason = reason.selectbox(
        "Why they call",
        options,
        index=None,
        format_func=words.spoken,
        placeholder="Hear it first, then choose; the likeliest stand first",
        key=f"reason-{call.case_id}",
    )
    call.fault = fault.segmented_control(
        "Whose fault", list(FAULTS), format_func=FAULTS.__getitem__, key=f"fault-{call.case_id}"
    )


def _apology(card: Card, call: OnCall) -> None:
    scene = casework.scene_of(card.facts, card.company)
    steps = [f"**{step}** “{plain(sentence)}”" for step, sentence in apology(scene, call.contact_reason)]
    st.markdown("  \n".join(steps), anchors=False)


def _ask(card: Card, call: OnCall) -> None:
    """Ask before offering: the caller's own figure, in money or kind. A skip is recorded too."""
    with st.container(border=True, key="ask_first"):
        heading("Ask first", help="What would put it right, in their words, before any offer is shown.")
        if call.ask is not None:
            asked = "skipped" if call.ask.is_skipped else _said(call.ask, card.facts.customer.currency)
            st.markdown(f"Their ask: **{plain(asked)}**", anchors=False)
            st.button("Change", key=f"again-{call.case_id}", type="tertiary", on_click=_set_ask, args=(call, None))
            return
        st.markdown(" · ".join(f"“{plain(asked)}”" for asked in needs_questions(call.contact_reason)), anchors=False)
        with st.form(f"ask-{call.case_id}", border=False):
            left, middle, right = st.columns([2, 3, 2], vertical_alignment="bottom")
            amount = left.number_input(
                f"In money ({card.facts.customer.currency})", min_value=0.0, max_value=100_000.0, value=None, step=5.0,
                key=f"ask-amount-{call.case_id}",
            )  # fmt: skip
            kind = middle.selectbox(
                "Or in kind", list(IN_KIND), index=None, format_func=IN_KIND.__getitem__, key=f"ask-kind-{call.case_id}"
            )
            if right.form_submit_button("Show what I can say yes to", type="primary", shortcut="Ctrl+Enter"):
                money = to_minor(amount, card.facts.customer.currency) if amount else None
                _set_ask(call, Ask(amount=money, in_kind=kind) if money or kind else SKIPPED)
                st.rerun()
        st.button("Skip: they will not say", key=f"skip-{call.case_id}", on_click=_set_ask, args=(call, SKIPPED))


def _set_ask(call: OnCall, ask: Ask | None) -> None:
    call.ask = ask


def _said(ask: Ask, currency: str) -> str:
    parts = [show(ask.amount, currency)] if ask.amount else []
    return " and ".join([*parts, *([IN_KIND[ask.in_kind]] if ask.in_kind else [])])


def _ladder(session: Session, card: Card, models: Models, call: OnCall) -> None:
    if call.made_for != call.call() and not call.given and not call.is_closed:
        if call.made_for is not None:
            call.said = None  # it was about another offer
        try:
            call.offer = offers.make_offer(session.database, session.me, card, models, call.call())
            call.made_for = call.call()
        except (Refusal, offers.NoPolicy) as refusal:
            st.warning(plain(str(refusal)), icon=":material/block:")
            return
    if call.offer is None:
        return
    _headline(call.offer.ladder)
    for index, rung in enumerate(call.offer.ladder.rungs):
        _rung(session, call, index, rung)
    _say(call)
    answer_of_supervisor(session, call)


def _headline(made: Ladder) -> None:
    with st.container(key="say_yes"):
        st.markdown(f"### {plain(made.say_yes.sentence)}", anchors=False)
        limit = made.say_yes.limit
        st.caption(
            "Staying: still a customer 90 days after this call, given why they call. Worth: expected gain over giving "
            "nothing, with its interval of 90 %. Costs: expected, once they stay."
        )
        if limit is not None and limit.reference:
            st.caption(f"Limit: {plain(limit.reason)} ({plain(limit.reference)})")


def _rung(session: Session, call: OnCall, index: int, rung: Rung) -> None:
    assert call.offer is not None  # noqa: S101 - only drawn with a ladder
    currency = call.offer.ladder.currency
    what, numbers, act = st.columns([4, 4, 2], vertical_alignment="center")
    what.markdown(f"**{plain(rung.title)}** · {' · '.join(rung.roles)}  \n{plain(rung.reason)}", anchors=False)
    numbers.markdown(_numbers(rung, currency), anchors=False)
    if not rung.is_grant or call.given or call.is_closed:
        return
    with act:
        if rung.needs_approval:
            st.button(
                "Ask a supervisor",
                key=f"up-{call.offer.decision_id}-{index}",
                on_click=_ask_supervisor,
                args=(session, call, call.offer, index),
                disabled=call.asked_supervisor is not None,
            )
        else:
            st.button(
                "Give",
                key=f"give-{call.offer.decision_id}-{index}",
                type="primary" if index == call.offer.ladder.shown else "secondary",
                on_click=_give,
                args=(session, call, call.offer, index),
            )


def _numbers(rung: Rung, currency: str) -> str:
    """Estimates in whole units: pennies would say more than is known."""
    parts = []
    if rung.p_before is not None and rung.p_after is not None:
        parts.append(f"stays {words.percent(rung.p_before)} → {words.percent(rung.p_after)}")
    if rung.cost:
        parts.append(f"costs {_about(rung.cost, currency)}")
    if rung.gain is not None and rung.gain_low is not None and rung.gain_high is not None:
        span = f"{_about(rung.gain_low, currency)} to {_about(rung.gain_high, currency)}"
        parts.append(f"worth {_about(rung.gain, currency)} ({span})")
    lines = [" · ".join(parts) or "no figures: policy’s table"]
    if rung.bill is not None:
        lines.append(f"bill {show(rung.bill.before[0], currency)} → {show(rung.bill.after[0], currency)} next month")
    return "  \n".join([*map(plain, lines), f":small[{plain(rung.evidence)}]"])


def _about(amount: int, currency: str) -> str:
    return words.money(round(float(to_major(amount, currency))), currency)


def _give(session: Session, call: OnCall, offer: Offer, index: int) -> None:
    """One click, one grant: the key was stored before, so a second click answers with the same entry.

    `offer` is the one that was clicked on; `call` may have a newer one that is not on screen yet.
    """
    try:
        entry = ledger.give(session.database, session.me, offers.grant_of(offer, index))
    except Refusal as refusal:
        _refused(call, refusal)
        return
    call.given = [entry]
    call.said = ("given", f"{offer.ladder.rungs[index].title}: given and recorded as entry {entry.entry_id}.")


def _ask_supervisor(session: Session, call: OnCall, offer: Offer, index: int) -> None:
    if call.asked_supervisor is not None:
        return  # a second click
    key = uuid4()
    rung = offer.ladder.rungs[index]
    try:
        ledger.ask_approval(
            session.database, session.me, offers.grant_of(offer, index), approval_id=key, reason=rung.reason
        )
    except Refusal as refusal:
        _refused(call, refusal)
        return
    call.asked_supervisor, call.is_news = key, False
    call.said = None


def _refused(call: OnCall, refusal: Refusal) -> None:
    """Say why, and have the next run make a fresh offer; while it is not known what was done, this one stands."""
    call.said = ("refused", str(refusal))
    if refusal.code and not isinstance(refusal, KeyReused):
        call.made_for = None


def _say(call: OnCall) -> None:
    if call.said is None:
        return
    kind, sentence = call.said
    if kind == "given":
        st.success(plain(sentence), icon=":material/check_circle:")
    else:
        st.warning(plain(sentence), icon=":material/block:")
