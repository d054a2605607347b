"""Rungs without a price: what is owed, fix, right-size, pause, a word, nothing at all, and the way out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from churn.core.language import t
from churn.core.offers.bill import PLAN_MONTHS
from churn.core.offers.bounds import Bounds, bounds
from churn.core.offers.choice import spread
from churn.core.offers.owed import told
from churn.core.offers.question import NO_EVIDENCE, Lever, expit, lever, logit
from churn.core.offers.rung import CANCEL, FIX, NOTHING, OWED, WORD, Facts, Rung
from churn.core.offers.terms import bill_of, lever_title
from churn.core.policies.policy import LEVERS, Case, Instrument, Policy


def fitting_levers(
    policy: Policy, case: Case, *, monthly_saving: int = 0, may_pause: bool = False
) -> tuple[Lever, ...]:
    """The levers without money that fit a case, with the effect policy assumes.

    A fix where something is wrong (a fault, ours or shared, or an open complaint), right-size where a fitting plan
    would save the caller something, a pause where the shell knows it would help.
    """
    is_wrong = case.fault in {"ours", "shared"} or case.contact_reason == "fault" or case.open_complaint
    fits = {"fix": is_wrong, "right_size": monthly_saving > 0, "pause": may_pause}
    found = []
    for item in policy.instruments:
        if fits.get(item.lever) and not item.is_entitlement:
            saving = monthly_saving if item.lever == "right_size" else 0
            months = item.max_months if item.lever == "pause" else None
            found.append(lever(item.instrument, item.lever, monthly_saving=saving, months=months))
    return tuple(found)


def entitlements(facts: Facts) -> tuple[list[Rung], list[Bounds]]:
    """What is owed, paid first and never counted as the cost of keeping anyone."""
    owed = facts.question.owed
    item = next((i for i in facts.policy.instruments if i.is_entitlement), None)
    if owed <= 0 or item is None:
        return [], []
    held = _bounds(facts, item)
    is_payable = owed <= held.ceiling and held.is_open_above
    question = facts.question
    parts = question.owed_parts
    said = told(parts, question.case.on, facts.policy.currency) if parts else question.owed_for
    reason = (
        f"{said} {t('It comes first and is no offer.')}"
        if said
        else t("They are owed it: it comes first and is no offer.")
    )
    if not is_payable:
        why = held.binding_ceiling.reason
        reason = f"{reason} {t('It is more than the desk may pay, so finance pays it: {limit}', limit=why)}"
    rung = Rung(
        lever=item.lever,
        instrument=item.instrument,
        title=t("{money} refund they are owed", money=facts.show(owed)),
        reason=reason,
        roles=(OWED,),
        amount=owed if is_payable else 0,
        p_before=facts.p_nothing,
        p_after=facts.p_nothing,
        gain=None if facts.p_nothing is None else 0,
        net=_net(facts, 0.0),
        needs_approval=is_payable and (owed > held.agent_limit or not held.is_open),
        is_grant=is_payable,
        bill=bill_of(item, owed, 0, monthly_bill=facts.question.case.monthly_bill, fee=0) if is_payable else None,
    )
    return [rung], [held]


def no_money(facts: Facts) -> tuple[list[Rung], list[Bounds]]:
    """Fix, right-size and pause, in that order, where they fit and are allowed."""
    rungs, seen = [], []
    known = {item.instrument: item for item in facts.policy.instruments}
    fitting = [(known[way.instrument], way) for way in facts.question.levers if way.instrument in known]
    for item, way in sorted(fitting, key=lambda pair: LEVERS.index(pair[0].lever)):
        held = _bounds(facts, item)
        seen.append(held)
        if held.is_open_above:
            rungs.append(_lever_rung(facts, item, way, held))
    return rungs, seen


def _lever_rung(facts: Facts, item: Instrument, way: Lever, held: Bounds) -> Rung:
    p, gain, low, high, cost = _effect(facts, item, way)
    is_shown = low is not None and low > 0
    ask = facts.question.ask.in_kind
    return Rung(
        lever=item.lever,
        instrument=item.instrument,
        title=lever_title(item, way, facts.policy.currency),
        reason=_lever_reason(item, way, held),
        roles=(FIX,),
        months=way.months if item.max_months else None,
        cost=round(cost),
        p_before=facts.p_nothing,
        p_after=p,
        gain=_whole(gain),
        gain_low=_whole(low),
        gain_high=_whole(high),
        net=None if gain is None else _net(facts, gain),
        evidence=way.evidence if is_shown else NO_EVIDENCE,
        needs_approval=not held.is_open,
        answers_ask=ask is not None and ask in {item.instrument, item.lever},
        bill=bill_of(
            item,
            0,
            way.months or 0,
            monthly_bill=facts.question.case.monthly_bill,
            fee=0,
            saving=way.monthly_saving,
        ),
    )


def _effect(
    facts: Facts, item: Instrument, way: Lever
) -> tuple[float | None, float | None, float | None, float | None, float]:
    """Chance of staying with it, gain with its ends, and cost once they stay (a lower price, month by month)."""
    staying = facts.question.staying or (1.0,) * PLAN_MONTHS
    cost = way.monthly_saving * sum(staying)
    nothing, worth = facts.p_nothing, facts.question.worth
    if nothing is None or worth is None:
        return None, None, None, None, cost
    base = logit(nothing)
    middle, low, high = (np.array([expit(base + shift) - nothing]) for shift in (way.shift, way.low, way.high))
    handling = np.array([float(item.handling_cost)])
    gain, least, most = spread((middle, low, high), np.array([cost]), worth, handling, nothing)
    return nothing + float(middle[0]), float(gain[0]), float(least[0]), float(most[0]), cost


def _lever_reason(item: Instrument, way: Lever, held: Bounds) -> str:
    said = {
        "fix": t("Put right what is wrong before any money."),
        "right_size": t("A plan that fits keeps its price down for good."),
        "pause": t("A pause keeps the door open without a discount."),
    }.get(item.lever, item.title)
    if not held.is_open:
        return f"{said} {held.binding_limit.reason}"
    return f"{said} {t('Its effect is assumed.')}" if way.evidence == NO_EVIDENCE else said


def something_to_say(facts: Facts, rungs: Sequence[Rung], *, is_over: bool) -> list[Rung]:
    """What can always be said yes to: the way out once offers are over, a named follow-up when nothing else is left."""
    if is_over:
        reason = t("They have heard every offer: a no is a no, and leaving is made easy.")
        return [_word(facts, t("Cancel today, as they ask"), reason, CANCEL)]
    if any(not rung.needs_approval and rung.is_grant and OWED not in rung.roles for rung in rungs):
        return []
    is_ours = facts.question.case.fault in {"ours", "shared"}
    title = t("An apology, and you ring back on a named day") if is_ours else t("You ring back yourself on a named day")
    return [_word(facts, title, t("Nothing else may be given alone, and this always may."), WORD)]


def nothing(facts: Facts) -> Rung:
    """Doing nothing, with what it is worth."""
    return _word(facts, t("Give nothing"), t("What every other rung is measured against."), NOTHING)


def _word(facts: Facts, title: str, reason: str, role: str) -> Rung:
    return Rung(
        lever="none",
        instrument="",
        title=title,
        reason=reason,
        roles=(role,),
        p_before=facts.p_nothing,
        p_after=None if role == CANCEL else facts.p_nothing,
        gain=None if role == CANCEL or facts.p_nothing is None else 0,
        net=None if role == CANCEL else _net(facts, 0.0),
        evidence=NO_EVIDENCE if facts.curve is None else facts.curve.evidence,
        is_grant=False,
    )


def _bounds(facts: Facts, item: Instrument) -> Bounds:
    question = facts.question
    return bounds(facts.policy, question.case, item, role=question.role, spending=question.spending)


def _net(facts: Facts, gain: float) -> int | None:
    nothing = facts.net_nothing
    return None if nothing is None else round(nothing + gain)


def _whole(amount: float | None) -> int | None:
    return None if amount is None else round(amount)
