"""Which instruments carry money for this caller, within which bounds, in which amounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from churn.core.money import exponent
from churn.core.offers.bounds import bounds
from churn.core.offers.choice import Plan
from churn.core.offers.question import Question
from churn.core.offers.terms import default_amount, terms
from churn.core.policies.policy import LEVERS, Case, Instrument, Policy, setting

MOST_KNOTS = 40  # of a curve: between them it is straight
MONEY_LEVERS = ("credit", "discount")
CARE_FLAGS = ("is_vulnerable", "is_bereaved", "is_do_not_offer", "has_fraud_hold", "in_collections")


def is_care(case: Case) -> bool:
    """Whether nobody bargains with this caller: the best fix and policy's default."""
    return any(getattr(case, flag) for flag in CARE_FLAGS)


def money_plans(policy: Policy, question: Question) -> list[Plan]:
    """Bounds and amounts of every instrument that carries money and is not owed, in the ladder's order."""
    items = [i for i in policy.instruments if i.lever in MONEY_LEVERS and not i.is_entitlement and i.max_amount > 0]
    rate = float(setting(policy, question.case, "discount_rate") or 0)
    return [_plan(policy, question, item, rate) for item in sorted(items, key=lambda i: LEVERS.index(i.lever))]


def _plan(policy: Policy, question: Question, item: Instrument, rate: float) -> Plan:
    case = question.case
    held = bounds(policy, case, item, role=question.role, spending=question.spending)
    floor = (held.floor.amount or 0) if held.floor else 0
    answer = held.ruling.default_offer
    default = 0 if answer is None else default_amount(answer.amount or 0, floor, item, case.monthly_bill)
    found = terms(
        item,
        held.ceiling,
        monthly_bill=case.monthly_bill,
        extra=(default, floor, question.ask.amount or 0),
        ask=question.ask,
        staying=np.array(question.staying or (1.0,)),
        rate=rate,
    )
    return Plan(held, found, default)


def values_of(plans: Sequence[Plan], currency: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(m,) values, rising from 0, at which a caller's curve is wanted: major units, as the effect model speaks."""
    every = np.unique(np.concatenate([np.zeros(1), *(plan.terms.values for plan in plans)]))
    if len(every) > MOST_KNOTS:  # between knots the curve is straight; the step at "an offer was made" stays a step
        every = every[np.unique(np.r_[1, np.linspace(0, len(every) - 1, MOST_KNOTS).round().astype(int)])]
    return np.asarray((every / float(10 ** exponent(currency))).round(4))
