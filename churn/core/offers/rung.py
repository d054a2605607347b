"""One rung of a ladder: what it is, what it costs, what it changes, how that is known, and why it is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from churn.core.language import mark, t
from churn.core.money import exponent, show
from churn.core.offers.bill import Bill
from churn.core.offers.choice import DEFAULT_ONLY, EVIDENCE, TABLE, Choice, Plan, Weighed
from churn.core.offers.question import NO_EVIDENCE, Curve, Question
from churn.core.offers.terms import bill_of, title_of
from churn.core.policies.policy import Policy, schedule

OWED, FIX, OPENING, TARGET, CEILING = mark("entitlement"), mark("first"), "opening", "target", "ceiling"
ASKED, APPROVAL, OTHER = mark("ask"), "needs approval", mark("another way")
WORD, NOTHING, CANCEL = mark("word"), mark("do nothing"), mark("cancel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One offer. Money is whole minor units; what no model could say is None.

    `cost`: expected once they stay; `gain` over doing nothing with `gain_low` and `gain_high`; `net`: expected worth
    with this rung. `is_grant`: it is recorded in the ledger when given.
    """

    lever: str
    instrument: str
    title: str
    reason: str
    roles: tuple[str, ...]
    amount: int = 0
    months: int | None = None
    schedule: tuple[int, ...] | None = None
    cost: int | None = 0
    p_before: float | None = None
    p_after: float | None = None
    gain: int | None = None
    gain_low: int | None = None
    gain_high: int | None = None
    net: int | None = None
    evidence: str = NO_EVIDENCE
    needs_approval: bool = False
    is_grant: bool = True
    answers_ask: bool = False
    bill: Bill | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What every rung is made from."""

    policy: Policy
    question: Question
    curve: Curve | None
    plans: Sequence[Plan]

    @property
    def scale(self) -> float:
        """Minor units in a major one."""
        return float(10 ** exponent(self.policy.currency))

    @property
    def p_nothing(self) -> float | None:
        """Chance of staying with nothing given."""
        return None if self.curve is None else self.curve.p[0]

    @property
    def net_nothing(self) -> float | None:
        """Expected worth with nothing given, minor units."""
        worth = self.question.worth
        return None if worth is None or self.curve is None else self.curve.p[0] * worth.amount

    def show(self, amount: int) -> str:
        """An amount in the policy's currency."""
        return show(amount, self.policy.currency)


def roles_of(choice: Choice) -> dict[int, tuple[str, ...]]:
    """Index of an amount → the parts it plays."""
    parts: dict[int, tuple[str, ...]] = {}
    held = (
        (choice.opening, OPENING),
        (choice.target, TARGET),
        (choice.ceiling, CEILING),
        (choice.asked, ASKED),
        (choice.approval, APPROVAL),
    )
    for index, role in held:
        if index:
            parts[index] = (*parts.get(index, ()), role)
    return parts


def money_rung(facts: Facts, weighed: Weighed, index: int, roles: tuple[str, ...]) -> Rung:
    """One amount of one instrument."""
    plan, priced = weighed.plan, weighed.priced
    item, months = plan.bounds.instrument, plan.terms.months[index]
    amount = int(plan.terms.amounts[index])
    case, base = facts.question.case, facts.net_nothing
    return Rung(
        lever=item.lever,
        instrument=item.instrument,
        title=title_of(item, amount, months, facts.policy.currency),
        reason=_reason(facts, weighed, index, roles),
        roles=roles,
        amount=amount,
        months=months or None,
        schedule=schedule(amount, months) if months else None,
        cost=round(float(plan.terms.costs[index])),
        p_before=facts.p_nothing,
        p_after=None if priced is None else priced.p[index],
        gain=None if priced is None else round(priced.gain[index]),
        gain_low=None if priced is None else round(priced.low[index]),
        gain_high=None if priced is None else round(priced.high[index]),
        net=None if priced is None or base is None else round(base + priced.gain[index]),
        evidence=_evidence(facts, weighed, index),
        needs_approval=not plan.bounds.is_open or amount > plan.bounds.agent_limit,
        answers_ask=amount == facts.question.ask.amount,
        bill=bill_of(item, amount, months, monthly_bill=case.monthly_bill, fee=facts.question.spending.fee),
    )


def _evidence(facts: Facts, weighed: Weighed, index: int) -> str:
    held = weighed.priced
    if held is None or facts.curve is None or weighed.choice.basis != EVIDENCE:
        return NO_EVIDENCE
    return NO_EVIDENCE if held.low[index] <= 0 <= held.high[index] else facts.curve.evidence


def _reason(facts: Facts, weighed: Weighed, index: int, roles: tuple[str, ...]) -> str:
    """Why this amount: the part it plays first, in one sentence."""
    plan, choice = weighed.plan, weighed.choice
    amount, asked = int(plan.terms.amounts[index]), facts.question.ask.amount
    if roles[0] == APPROVAL:
        return f"{plan.bounds.binding_limit.reason} {t('A supervisor can say yes to this.')}"
    if amount == asked:
        return t("They asked for exactly this: say yes.")
    floor = plan.bounds.floor
    if floor is not None and amount == floor.amount and asked is not None and asked < amount:
        return f"{t('They asked for less.')} {floor.reason}"
    if choice.basis != EVIDENCE and index == choice.target:
        return _default_reason(facts, plan, choice, amount)
    return _economic_reason(facts, plan, choice, index)


def _economic_reason(facts: Facts, plan: Plan, choice: Choice, index: int) -> str:
    if index == choice.opening and index < choice.target:
        most = facts.show(int(plan.terms.amounts[choice.target]))
        return t("Nearly all of the gain of {money}, for less.", money=most)
    if index == choice.target:
        return t("Of what you may give alone, this is worth most.")
    no_more = t("No more than this alone: {limit}", limit=plan.bounds.binding_limit.reason)
    return f"{t('Still worth more than giving nothing.')} {no_more}" if choice.basis == EVIDENCE else no_more


def _default_reason(facts: Facts, plan: Plan, choice: Choice, offered: int) -> str:
    answer = plan.bounds.ruling.default_offer
    said = answer.rule.reason if answer is not None else t("Policy names no default.")
    if answer is not None and answer.amount is not None and answer.amount != offered:
        amounts = {"default": facts.show(answer.amount), "offered": facts.show(offered)}
        said = f"{said} {t('That is {default}; as it can be offered, {offered}.', **amounts)}"
    return said if choice.basis in {DEFAULT_ONLY, TABLE} else f"{t('Nothing shows which amount does best.')} {said}"


def plain_rung(rung: Rung) -> dict[str, Any]:
    """A rung as JSON holds it; the bills follow from the amount and are left out."""
    held = {name: getattr(rung, name) for name in Rung.__slots__ if name != "bill"}
    return held | {"roles": list(rung.roles), "schedule": None if rung.schedule is None else list(rung.schedule)}
