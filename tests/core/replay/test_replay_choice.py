"""Many calls at once get what each one's own ladder says."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from churn.core.offers.offer import ladder
from churn.core.offers.question import Ask, Curve, Question
from churn.core.offers.rung import APPROVAL, CEILING, OPENING, TARGET
from churn.core.policies.policy import Policy
from churn.core.replay.replay_calls import VALUES, from_questions
from churn.core.replay.replay_choice import choose_all, money_items
from tests.core.ladders import POLICY, plenty, random_call

GOODWILL = {i.instrument for i in POLICY.instruments if not i.draws_budget}


def as_replayed(call: Question, price: float, policy: Policy) -> Question:
    """The call as a replay sees it: whole budgets, no ask, nobody in a trial."""
    earlier = call.spending.earlier
    counted = tuple(e.days_ago for e in earlier if e.instrument not in GOODWILL)
    return replace(
        call,
        case=replace(call.case, given_days_ago=counted),
        role="agent",
        spending=plenty(earlier=earlier, fee=call.spending.fee),
        price_of_budget={item.instrument: price for item in money_items(policy)},
        ask=Ask(),
        trial=None,
        owed=0,
    )


def kept(call: Question, respond: object) -> Curve | None:
    """The caller's curve where a replay keeps it."""
    return None if call.worth is None else respond(VALUES)


def single(policy: Policy, call: Question, held: Curve | None) -> dict[str, float]:
    """What the ladder of one call says of the instrument that goes first."""
    made = ladder(policy, call, None if held is None else lambda _: held)
    found = dict.fromkeys((OPENING, TARGET, CEILING, APPROVAL), 0.0)
    for rung in made.rungs:
        for role in rung.roles:
            if role in found:
                found[role] = float(rung.amount)
    return found


@pytest.mark.parametrize("price", [0.0, 0.4, 2.0])
def test_each_of_thousands_of_calls_gets_what_its_own_ladder_says(price: float) -> None:
    rnd = Random(int(price * 10) + 3)
    calls = [random_call(rnd) for _ in range(1500)]
    asked = [as_replayed(call, price, POLICY) for call, _ in calls]
    curves = [kept(call, respond) for call, (_, respond) in zip(asked, calls, strict=True)]
    got = choose_all(POLICY, from_questions(asked, curves), prices=(5.0, price))[1]
    given = 0
    for i, (call, held) in enumerate(zip(asked, curves, strict=True)):
        wanted = single(POLICY, call, held)
        found = (got.opening[i], got.target[i], got.ceiling[i], got.approval[i])
        assert found == (wanted[OPENING], wanted[TARGET], wanted[CEILING], wanted[APPROVAL]), (i, call)
        given += got.target[i] > 0
    assert given > 300
