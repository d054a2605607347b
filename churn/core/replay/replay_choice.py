"""The ladder's choice over many calls at once: what `offer.ladder` opens with, aims at, and would need a yes for.

Amounts are columns, calls are rows, and the rules of `choice.choose` are masks over them; a test proves that each call
gets what its own ladder says. Nobody has asked for anything, nothing is randomised, and λ is one price for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np

from churn.core.money import exponent
from churn.core.offers.choice import AGAINST, DEFAULT_ONLY, EVIDENCE, NOTHING_SHOWN, ORDER, TABLE, TOLERANCE, spread
from churn.core.offers.limits import longest_term
from churn.core.offers.plans import MONEY_LEVERS
from churn.core.offers.question import Worth
from churn.core.offers.terms import HALF_YEAR, PART_OF_BILL, unit_of
from churn.core.policies.policy import LEVERS, Instrument, Policy
from churn.core.replay.replay_bounds import Limits, limits_of
from churn.core.replay.replay_calls import Array, Calls, Flags, Ints
from churn.core.replay.replay_rules import Reading

NOBODY = -1e300  # a value nothing is below
RANK = {basis: rank for rank, basis in enumerate(ORDER)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What was chosen in each call, (n,). Money is minor units; `instrument` indexes `money_items`.

    `opening`, `target` and `ceiling` may be given alone, `approval` with a supervisor's yes; 0: nothing. `value` to the
    caller and `cost` once they stay are the target's. `needs_yes`: what a supervisor could add is worth more than all
    that may be given alone.
    """

    instrument: Ints
    opening: Array
    target: Array
    ceiling: Array
    approval: Array
    value: Array
    cost: Array
    handling: Array
    needs_yes: Flags
    rank: Array  # how the instruments stand to each other, lowest first
    score: Array


def money_items(policy: Policy) -> list[Instrument]:
    """The instruments that carry money and are not owed, in the ladder's order."""
    items = [i for i in policy.instruments if i.lever in MONEY_LEVERS and not i.is_entitlement and i.max_amount > 0]
    return sorted(items, key=lambda i: LEVERS.index(i.lever))


def choose_all(policy: Policy, calls: Calls, *, prices: Sequence[float] = (0.0,), role: str = "agent") -> list[Choices]:
    """The choice in every call by one policy, at each price of budget."""
    reading = Reading(policy, calls)
    scale = float(10 ** exponent(policy.currency))
    best = [_none(len(calls))] * len(prices)
    for number, item in enumerate(money_items(policy)):
        table = _table(reading, limits_of(reading, item, role), scale)
        found = [_choose(calls, table, _priced(calls, table, price), number) for price in prices]
        best = [_better(one, other) for one, other in zip(best, found, strict=True)] if number else found
    return best


@dataclass(frozen=True, slots=True)
class _Table:
    """One instrument: amounts (n, c) in no order, which may be offered at all, and the numbers of each."""

    limits: Limits
    amounts: Array
    is_there: Flags
    values: Array
    costs: Array
    rise: tuple[Array, Array, Array]  # of the chance of staying, with its ends


def _table(reading: Reading, limits: Limits, scale: float) -> _Table:
    calls = reading.calls
    amounts = _amounts(limits, calls)
    is_there = (amounts > 0) & (amounts <= limits.ceiling[:, None])
    values, costs = _worth_and_cost(reading, limits.item, amounts)
    p, low, high = _curve_at(calls, values / scale)
    return _Table(limits, amounts, is_there, values, costs, (p - calls.p[:, :1], low, high))


def _priced(calls: Calls, table: _Table, price: float) -> tuple[Array, Array, Array]:
    """Gain after the price of budget with its ends, (n, c) each."""
    item = table.limits.item
    spent = table.costs + (price if item.draws_budget else 0.0) * table.amounts
    worth = Worth(*(cast(Any, held[:, None]) for held in (calls.worth, calls.worth_low, calls.worth_high)))
    handling = np.where(table.amounts > 0, float(item.handling_cost), 0.0)
    return spread(table.rise, spent, worth, handling, cast(Any, calls.p[:, :1]))


def _amounts(limits: Limits, calls: Calls) -> Array:
    """(n, c): the instrument's steps, with policy's default and the floor where they are none; 0 where not there."""
    item, n = limits.item, len(calls)
    if item.cost_model == "free_months":
        months = np.arange(1, (item.max_months or 1) + 1)
        return np.asarray(np.maximum(calls.monthly_bill, 0)[:, None] * months, float)
    unit = unit_of(item.step_amount, item.max_amount)
    top = int(limits.ceiling.max(initial=0))
    steps = np.arange(unit, top + 1, unit, dtype=float)
    extra = np.column_stack([limits.default, np.where(limits.floor == limits.default, 0.0, limits.floor)])
    return np.hstack([np.broadcast_to(steps, (n, len(steps))), np.where(extra % unit == 0, 0.0, extra)])


def _worth_and_cost(reading: Reading, item: Instrument, amounts: Array) -> tuple[Array, Array]:
    """What each amount is worth to the caller and costs once they stay, (n, c) minor units, as `terms.terms`."""
    share = float(item.cost_share)
    if item.cost_model not in {"monthly", "free_months"}:
        return amounts, share * amounts
    calls = reading.calls
    longest = (item.max_months or 1) if item.cost_model == "free_months" else longest_term(item)
    term = _terms(item, amounts, calls.monthly_bill, longest)
    month = np.arange(longest)
    rate = np.zeros(len(calls))
    for rule, mask in reading.said("discount_rate"):
        rate[mask] = float(rule.value or 0)
    discount = (1.0 + rate[:, None]) ** (-month / 12.0)
    here = calls.staying[:, np.minimum(month, calls.staying.shape[1] - 1)]
    part = amounts // term
    rest = amounts - part * term
    last = term - 1

    def over_months(weights: Array) -> Array:
        whole = np.take_along_axis(np.cumsum(weights, axis=1), last, 1)
        return np.asarray(part * whole + rest * np.take_along_axis(weights, last, 1), float)

    return over_months(discount), share * over_months(here)


def _terms(item: Instrument, amounts: Array, bill: Ints, longest: int) -> Ints:
    """Months each amount runs, as `terms.term_of`."""
    if item.cost_model == "free_months":
        return np.broadcast_to(np.arange(1, amounts.shape[1] + 1), amounts.shape)
    every = range(HALF_YEAR, longest + 1, HALF_YEAR) if longest >= HALF_YEAR else (longest,)
    chosen = np.full(amounts.shape, longest)
    gentle = [amounts * PART_OF_BILL <= bill[:, None] * term for term in every]
    for term, is_gentle in reversed(list(zip(every, gentle, strict=True))):
        chosen[is_gentle] = term
    for term, is_gentle in reversed(list(zip(every, gentle, strict=True))):
        chosen[is_gentle & (amounts % term == 0)] = term
    return chosen


def _curve_at(calls: Calls, values: Array) -> tuple[Array, Array, Array]:
    """The chance of staying and the ends of its rise at values (n, c) in major units; beyond the curve its last."""
    known = calls.values
    place = np.searchsorted(known, values, side="right").clip(1, len(known) - 1)
    at = values.clip(known[0], known[-1]) - known[place - 1]
    width = known[place] - known[place - 1]
    found = []
    for part in (calls.p, calls.low, calls.high):
        below, above = (np.take_along_axis(part, index, 1) for index in (place - 1, place))
        found.append((above - below) / width * at + below)
    return found[0], found[1], found[2]


def _choose(calls: Calls, table: _Table, gains: tuple[Array, Array, Array], number: int) -> Choices:
    """`choice.choose`, `default_only` or `by_table` of one instrument, whichever is for the call."""
    limits, amounts = table.limits, table.amounts
    value, value_low, value_high = gains
    from_floor = table.is_there & (amounts >= np.maximum(limits.floor, 1)[:, None])
    own = from_floor & (amounts <= limits.alone[:, None])
    is_default = amounts <= limits.default[:, None]
    has_numbers = np.isfinite(calls.worth_low)
    cautious = np.where(is_default, value, value_low)
    cautious = np.where(has_numbers[:, None], cautious, np.where(is_default, 0.0, -1.0))

    shown = own & (value_low > 0) & has_numbers[:, None]
    is_shown = shown.any(axis=1)
    target, score = _best(amounts, cautious, shown)
    near = shown & (cautious >= (1 - TOLERANCE) * score[:, None])
    opening = _least(amounts, near)
    ceiling = _most(amounts, own & (amounts >= target[:, None]) & (cautious >= 0))

    default = _most(amounts, own & is_default)
    above_default = _most(amounts, from_floor & is_default)
    reachable = table.is_there & (amounts <= above_default[:, None])
    not_a_loss = _most(amounts, reachable & own & (value_high >= 0))
    is_against = reachable.any(axis=1) & ~(reachable & (value_high >= 0)).any(axis=1)
    best, best_score = _best(amounts, cautious, from_floor & ~own & (cautious >= 0))

    basis = np.select(
        [calls.is_care, ~has_numbers, is_shown, is_against],
        [RANK[DEFAULT_ONLY], RANK[TABLE], RANK[EVIDENCE], RANK[AGAINST]],
        RANK[NOTHING_SHOWN],
    )
    of_basis = (
        {RANK[EVIDENCE]: (opening, target, ceiling, best)}
        | {RANK[NOTHING_SHOWN]: (not_a_loss, not_a_loss, not_a_loss, best)}
        | {RANK[TABLE]: (default, default, _most(amounts, own), best)}
        | {RANK[DEFAULT_ONLY]: (default, default, default, np.where(default > 0, 0.0, above_default))}
    )
    zero = np.zeros(len(calls))
    opening, target, ceiling, approval = (
        np.select([basis == rank for rank in of_basis], [held[i] for held in of_basis.values()], zero) for i in range(4)
    )
    is_evidence = basis == RANK[EVIDENCE]
    nothing = (ceiling == 0) & (approval == 0)
    given = target > 0
    return Choices(
        instrument=np.full(len(calls), number),
        opening=opening,
        target=target,
        ceiling=ceiling,
        approval=approval,
        value=_of(amounts, table.values, target, table.is_there),
        cost=_of(amounts, table.costs, target, table.is_there),
        handling=np.where(given, float(limits.item.handling_cost), 0.0),
        needs_yes=(approval > 0) & np.where(is_evidence, best_score > score, ~given),
        rank=100.0 * (ceiling == 0) + np.where(nothing, 50.0, basis),
        score=np.where(is_evidence, score, 0.0),
    )


def _best(amounts: Array, value: Array, among: Flags) -> tuple[Array, Array]:
    """(n,) the amount of most value among some, the smaller of two alike, and that value; 0 and NOBODY: none."""
    held = np.where(among, value, NOBODY)
    top = held.max(axis=1, initial=NOBODY)
    return _least(amounts, among & (held == top[:, None])), top


def _most(amounts: Array, among: Flags) -> Array:
    return np.asarray(np.where(among, amounts, 0.0).max(axis=1, initial=0.0))


def _least(amounts: Array, among: Flags) -> Array:
    found = np.where(among, amounts, np.inf).min(axis=1, initial=np.inf)
    return np.where(np.isfinite(found), found, 0.0)


def _of(amounts: Array, held: Array, chosen: Array, is_there: Flags) -> Array:
    """(n,) the number of the chosen amount; 0 where nothing is."""
    hit = is_there & (amounts == chosen[:, None])
    return np.where(hit.any(axis=1), np.take_along_axis(held, hit.argmax(axis=1)[:, None], 1)[:, 0], 0.0)


def _better(first: Choices, second: Choices) -> Choices:
    """Of two instruments the one that goes before, call by call; the first of equal ones."""
    wins = (second.rank < first.rank) | ((second.rank == first.rank) & (second.score > first.score))
    names = [field.name for field in fields(Choices)]
    return Choices(**{name: np.where(wins, getattr(second, name), getattr(first, name)) for name in names})


def _none(n: int) -> Choices:
    zero = {field.name: np.zeros(n) for field in fields(Choices)}
    return Choices(**zero | {"instrument": np.zeros(n, np.int64), "needs_yes": np.zeros(n, bool)})
