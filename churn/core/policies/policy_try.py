"""One made-up case under a policy: bounds and ladder as the desk would show them, with whole budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from churn.core.effects.effect import ConcessionEffect
from churn.core.money import to_minor
from churn.core.offers.bounds import Bounds, bounds
from churn.core.offers.levers import fitting_levers
from churn.core.offers.offer import Ladder, ladder
from churn.core.offers.question import Question, Respond, Worth, from_level, respond_with
from churn.core.policies.policy import Policy
from churn.core.policies.policy_cases import call_of

SPREAD = 0.2  # a made-up worth is known to a fifth


@dataclass(frozen=True, slots=True)
class Tried:
    """What a policy makes of a case: its bounds alone, money only, and the ladder, which economics may cut further."""

    bounds: tuple[Bounds, ...]
    ladder: Ladder


def try_case(
    policy: Policy,
    facts: Mapping[str, Any],
    on: date,
    *,
    given: tuple[Mapping[str, Any], ...] = (),
    effect: ConcessionEffect | None = None,
) -> Tried:
    """Bounds and ladder of a case whose `facts` are as in a policy's cases, money in major units.

    `effect`: the model in use; None: policy's default curve, which knows little and says so. Without a worth or a risk
    policy's table answers. Raises ValueError with a sentence.
    """
    case, spending = call_of(policy, facts, given, on)
    worth = facts.get("worth")
    amount = None if worth is None else to_minor(worth, policy.currency)
    question = Question(
        case=case,
        role="agent",
        spending=spending,
        worth=None if amount is None else Worth(amount, round((1 - SPREAD) * amount), round((1 + SPREAD) * amount)),
        levers=fitting_levers(policy, case),
        versions={"case": "made up"},
    )
    items = [item for item in policy.instruments if item.max_amount > 0]
    held = tuple(bounds(policy, case, item, role=question.role, spending=spending) for item in items)
    return Tried(held, ladder(policy, question, _respond(facts, case.risk, effect)))


def _respond(facts: Mapping[str, Any], risk: float | None, effect: ConcessionEffect | None) -> Respond | None:
    if risk is None:
        return None
    model = effect or ConcessionEffect()
    known = {name: value for name, value in facts.items() if value is not None and not isinstance(value, bool)}
    row = known | {"monthly_bill": float(facts.get("monthly_bill") or 0) or float("nan")}
    return from_level(respond_with(model, model.encode(row)), 1 - float(risk))
