"""What may be said yes to: the ladder of the call on screen, and what becomes of it."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from churn import ledger, offers
from churn.casework import Card, Models
from churn.core import words
from churn.core.calls.saves import WINDOW_DAYS
from churn.core.calls.similar import ALIKE
from churn.core.language import mark, t
from churn.core.money import show, to_major
from churn.core.offers.offer import Ladder
from churn.core.offers.rung import APPROVAL, CEILING, OPENING, OTHER, TARGET, Rung
from churn.offers import Offer
from churn.refusals import KeyReused, Refusal, Unconfirmed
from churn.ui.ask import keep_notes, take_ask, take_reason
from churn.ui.call import OnCall, on_call
from churn.ui.gate import Session, fragment
from churn.ui.outcome import cancel_today, ending
from churn.ui.pieces import UNANSWERED, plain
from churn.ui.waiting import answer_of_ledger, answer_of_supervisor

# The parts a rung plays, in the agent's words; the others say it themselves.
PARTS = {
    OPENING: mark("open with this"), TARGET: mark("aim for this"), CEILING: mark("at most"),
    APPROVAL: mark("with a supervisor"), OTHER: mark("another way"),
}  # fmt: skip


@fragment()
def show_offer(session: Session, card: Card, models: Models) -> None:
    """Reason, ask, ladder and outcome of the call on screen; a click in it leaves the rest of the card as it stands."""
    if card.state == "ended":
        return
    call = on_call(card.case_id)
    if not call.is_closed:
        take_reason(session, card, call)
        take_ask(card, call)
        keep_notes(session, call)
    answer = st.container(key="answer")  # above the ladder, where it is seen; filled once the ladder has spoken
    if call.ask is not None:
        _ladder(session, card, models, call)
    with answer:
        _say(call)
    cancel_today(session, card, call)
    ending(session, card, call)


def _ladder(session: Session, card: Card, models: Models, call: OnCall) -> None:
    if call.unsure is not None:
        answer_of_ledger(session, call)  # before anything else is offered
    elif call.made_for != call.call() and not call.is_settled and not call.is_closed:
        if call.made_for is not None:
            call.said = None  # it was about another offer
        try:
            call.offer = offers.make_offer(session.database, session.me, card, models, call.call())
            call.made_for = call.call()
        except (Refusal, offers.NoPolicy) as refusal:
            st.warning(plain(str(refusal)), icon=":material/block:")
            st.button(t("Try again"), key=f"offer-again-{call.case_id}", icon=":material/refresh:")
            return
    if call.offer is None:
        return
    _headline(call.offer.ladder)
    with st.container(key="ladder", gap="xsmall"):
        rungs = call.offer.ladder.rungs
        first_above = next((i for i, rung in enumerate(rungs) if rung.is_grant and rung.needs_approval), None)
        for index, rung in enumerate(rungs):
            _rung(session, call, index, rung, is_first_above=index == first_above)
    _similar(session, card, call)
    answer_of_supervisor(session, call)


def _similar(session: Session, card: Card, call: OnCall) -> None:
    """What kept callers like this one, read once for a reason and a fault; a database away leaves the line out."""
    about = (call.contact_reason, call.fault)
    if call.similar is None or call.similar[0] != about:
        with suppress(*UNANSWERED):
            said = offers.what_kept_similar(session.database, session.me, card, call.contact_reason, fault=call.fault)
            call.similar = (about, said)
    if call.similar is not None and call.similar[0] == about and call.similar[1]:
        st.caption(plain(call.similar[1]), help=t(ALIKE, days=WINDOW_DAYS))


def _headline(made: Ladder) -> None:
    with st.container(key="say_yes"):
        limit = made.say_yes.limit
        told = t(
            "Stays: still a customer {days} days after this call, given why they call. Worth: expected gain over "
            "giving nothing, with its interval of 90 %. Costs: expected, once they stay.",
            days=WINDOW_DAYS,
        )
        if limit is not None and limit.reference:
            told = f"{told} {t('Limit: {reason} ({reference})', reason=limit.reason, reference=limit.reference)}"
        st.markdown(f"### {plain(made.say_yes.sentence)}", anchors=False, help=plain(told))


def _rung(session: Session, call: OnCall, index: int, rung: Rung, *, is_first_above: bool) -> None:
    assert call.offer is not None  # noqa: S101 - only drawn with a ladder
    currency = call.offer.ladder.currency
    asks = rung.is_grant and rung.needs_approval
    what, act = st.columns([5, 2] if asks else [9, 2], vertical_alignment="center")  # room for label and shortcut
    parts = " · ".join(t(PARTS.get(role, role)) for role in rung.roles)
    said = f"**{plain(rung.title)}** · {plain(parts)} · :small[{plain(rung.reason)}]"
    what.markdown(f"{said}  \n:small[{_numbers(rung, currency)}]", anchors=False)
    if not rung.is_grant or call.is_settled or call.is_closed or call.unsure is not None:
        return
    with act:
        if asks:
            st.button(
                t("Ask a supervisor"),
                key=f"up-{call.offer.decision_id}-{index}",
                on_click=_ask_supervisor,
                args=(session, call, call.offer, index),
                disabled=call.asked_supervisor is not None,
                shortcut="Alt+S" if is_first_above else None,
                width="stretch",
            )
        else:
            is_shown = index == call.offer.ladder.shown
            st.button(
                t("Give"),
                key=f"give-{call.offer.decision_id}-{index}",
                type="primary" if is_shown else "secondary",
                on_click=_give,
                args=(session, call, call.offer, index),
                shortcut="Alt+G" if is_shown else None,
                width="stretch",
            )


def _numbers(rung: Rung, currency: str) -> str:
    """Estimates in whole units: pennies would say more than is known."""
    parts = []
    if rung.p_before is not None and rung.p_after is not None:
        before, after = words.percent(rung.p_before), words.percent(rung.p_after)
        parts.append(t("stays {before} → {after}", before=before, after=after))
    if rung.cost:
        parts.append(t("costs {money}", money=_about(rung.cost, currency)))
    if rung.gain is not None and rung.gain_low is not None and rung.gain_high is not None:
        gain, low, high = (_about(end, currency) for end in (rung.gain, rung.gain_low, rung.gain_high))
        parts.append(t("worth {gain} ({low} to {high})", gain=gain, low=low, high=high))
    if not parts:
        parts.append(t("no figures: policy’s table"))
    if rung.bill is not None:
        now, then = show(rung.bill.before[0], currency), show(rung.bill.after[0], currency)
        parts.append(t("bill {before} → {after} next month", before=now, after=then))
    return " · ".join(map(plain, [*parts, t(rung.evidence)]))


def _about(amount: int, currency: str) -> str:
    return words.money(round(float(to_major(amount, currency))), currency)


def _give(session: Session, call: OnCall, offer: Offer, index: int) -> None:
    """One click, one grant: the key was stored before, so a second click answers with the same entry.

    `offer` is the one that was clicked on; `call` may have a newer one that is not on screen yet.
    """
    try:
        entry = ledger.give(session.database, session.me, offers.grant_of(offer, index))
    except Unconfirmed:
        call.wonder(offer.decision_id)
        return
    except Refusal as refusal:
        _refused(call, refusal)
        return
    call.gave(entry, offer.ladder.rungs[index].title)


def _ask_supervisor(session: Session, call: OnCall, offer: Offer, index: int) -> None:
    if call.asked_supervisor is not None:
        return  # a second click
    key = call.request_key(offer.decision_id, index)
    grant, reason = offers.grant_of(offer, index), offer.reasons[index]
    try:
        ledger.ask_approval(session.database, session.me, grant, approval_id=key, reason=reason)
    except Refusal as refusal:
        _refused(call, refusal)
        return
    del call.keys[offer.decision_id, index]
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
