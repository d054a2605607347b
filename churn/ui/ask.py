"""Before anything is offered: why they call, whose fault it is, and what would put it right. Taken down at once."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from churn import casework, store
from churn.calls import resume
from churn.casework import Card
from churn.core import words
from churn.core.calls.talk import apology, needs_questions
from churn.core.language import mark, t
from churn.core.money import show, to_major, to_minor
from churn.core.offers.question import Ask
from churn.refusals import Refusal
from churn.ui.call import SKIPPED, OnCall, remember
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain, reading

FAULTS = {"ours": mark("ours"), "shared": mark("shared"), "theirs": mark("theirs"), "none": mark("nobody’s")}
IN_KIND = {
    "fix": mark("put it right"),
    "right_size": mark("a plan that fits"),
    "pause": mark("a pause"),
    "fee_waiver": mark("a fee waived"),
    "free_month": mark("a free month"),
}


def take_reason(session: Session, card: Card, call: OnCall) -> None:
    """Why they call and whose fault it is; an apology in four steps where it is ours."""
    likely = [why.reason for why in card.why]
    if call.reasons is None:
        with reading(mark("The reasons people call for")), session.database.transaction(session.me) as connection:
            call.reasons = tuple(store.contact_reasons(connection))
    known = call.reasons or ()
    options = dict.fromkeys([*(reason for reason in likely if reason in known or not known), *known])
    if call.contact_reason is not None:
        options.setdefault(call.contact_reason)
    remember(f"reason-{call.case_id}", call.contact_reason)
    remember(f"fault-{call.case_id}", call.fault)
    reason, fault = st.columns([5, 5])
    call.contact_reason = reason.selectbox(
        t("Why they call"),
        list(options),
        index=None,
        format_func=words.spoken,
        placeholder=t("Hear it first, then choose"),
        key=f"reason-{call.case_id}",
    )
    call.fault = fault.segmented_control(
        t("Whose fault"), list(FAULTS), format_func=lambda fault: t(FAULTS[fault]), key=f"fault-{call.case_id}"
    )
    if call.fault == "ours":
        scene = casework.scene_of(card.facts, card.company)
        said = apology(scene, call.contact_reason)
        steps = [f"**{step}** {t('“{said}”', said=plain(sentence))}" for step, sentence in said]
        st.markdown(("  \n" if call.ask is None else " ").join(steps), anchors=False)


def take_ask(card: Card, call: OnCall) -> None:
    """Ask before offering: the caller's own figure, in money or kind. A skip is recorded too."""
    currency = card.facts.customer.currency
    if call.ask is not None:
        _answered(call, call.ask, currency)
        return
    with st.container(border=True, key="ask_first", gap="xsmall"):
        heading(t("Ask first"), help=t("What would put it right, in their words, before any offer is shown."))
        asked = (t("“{said}”", said=plain(question)) for question in needs_questions(call.contact_reason))
        st.markdown(" · ".join(asked), anchors=False)
        with st.form(f"ask-{call.case_id}", border=False):
            left, right = st.columns(2)
            left.number_input(
                t("In money ({currency})", currency=currency), min_value=0.0, max_value=100_000.0, value=None, step=5.0,
                key=f"ask-amount-{call.case_id}",
            )  # fmt: skip
            right.selectbox(
                t("Or in kind"), list(IN_KIND), index=None, format_func=lambda kind: t(IN_KIND[kind]),
                placeholder=t("Choose an option"), key=f"ask-kind-{call.case_id}",
            )  # fmt: skip
            with st.container(horizontal=True, gap="small"):
                st.form_submit_button(
                    t("Show what I can say yes to"), type="primary", shortcut="Ctrl+Enter", on_click=_told,
                    args=(call, currency),
                )  # fmt: skip
                st.form_submit_button(
                    t("Skip: they will not say"), key=f"skip-{call.case_id}", shortcut="Alt+K", on_click=_skipped,
                    args=(call,),
                )  # fmt: skip


def _told(call: OnCall, currency: str) -> None:
    amount, kind = (st.session_state[f"ask-{what}-{call.case_id}"] for what in ("amount", "kind"))
    money = to_minor(amount, currency) if amount else None
    call.ask = Ask(amount=money, in_kind=kind) if money or kind else SKIPPED


def _skipped(call: OnCall) -> None:
    call.ask = SKIPPED


def keep_notes(session: Session, call: OnCall) -> None:
    """Have a reload find what was chosen; what could not be kept now is kept by the next run."""
    known = (call.call(), call.ask is not None)
    if call.is_closed or call.noted == known or (call.noted is None and not _is_something(call)):
        return
    with suppress(Refusal):
        resume.take_down(session.database, session.me, call.case_id, known[0], is_asked=known[1])
        call.noted = known


def _is_something(call: OnCall) -> bool:
    return bool(call.contact_reason or call.fault) or call.ask is not None


def _answered(call: OnCall, ask: Ask, currency: str) -> None:
    asked = t("skipped") if ask.is_skipped else _said(ask, currency)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="their_ask"):
        st.markdown(t("Their ask: **{ask}**", ask=plain(asked)), width="content", anchors=False)
        st.button(
            t("Change"), key=f"again-{call.case_id}", type="tertiary", on_click=_ask_again, args=(call, currency),
            disabled=call.is_settled or call.is_closed,
        )  # fmt: skip


def _ask_again(call: OnCall, currency: str) -> None:
    """The form comes back with what they said before in it."""
    if call.ask is not None:
        if call.ask.amount is not None:
            st.session_state[f"ask-amount-{call.case_id}"] = float(to_major(call.ask.amount, currency))
        st.session_state[f"ask-kind-{call.case_id}"] = call.ask.in_kind
    call.ask = None


def _said(ask: Ask, currency: str) -> str:
    money = show(ask.amount, currency) if ask.amount else ""
    if not ask.in_kind:
        return money
    kind = t(IN_KIND[ask.in_kind]) if ask.in_kind in IN_KIND else words.spoken(ask.in_kind)
    return t("{first} and {last}", first=money, last=kind) if money else kind
