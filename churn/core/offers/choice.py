"""Which amounts of one instrument: opening, target, ceiling, and what a supervisor could add.

For worth V given staying, chance p(a), expected cost c(a) once they stay, handling k, price of budget λ on the face
amount a: `gain(a) = (p(a) − p(0))·V − p(a)·c(a) − k`, and what is maximised is `gain(a) − λ·p(a)·a`. A gain's interval
adds the deviations of the chance's rise and of the worth as squares. Anything above the policy's default counts by the
lower end of its interval. Formulas: the project's design note on offers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from churn.core.offers.bounds import Bounds
from churn.core.offers.question import Curve, Worth
from churn.core.offers.terms import Terms

Array = NDArray[np.float64]
TOLERANCE = 0.05  # an opening may gain this share less than the target
EVIDENCE, NOTHING_SHOWN, AGAINST = "evidence", "nothing shown", "against"
DEFAULT_ONLY, TABLE = "default only", "policy's table"  # nobody bargains; no model speaks
ORDER = (EVIDENCE, DEFAULT_ONLY, TABLE, NOTHING_SHOWN, AGAINST)  # which instrument goes before which


@dataclass(frozen=True, slots=True)
class Plan:
    """One instrument: its bounds, the amounts it may take (those a supervisor may add included), policy's default."""

    bounds: Bounds
    terms: Terms
    default: int

    def within(self, most: int) -> range:
        """Indices of amounts above nothing, not under the floor and not over `most`, in rising order."""
        amounts = self.terms.amounts
        floor = max((self.bounds.floor.amount or 0) if self.bounds.floor else 0, 1)
        ends = np.searchsorted(amounts, (floor, most + 1)).tolist()
        return range(ends[0], ends[1])


@dataclass(frozen=True, slots=True)
class Priced:
    """Each amount of one plan: chance of staying, gain and its ends, net worth; the same after the price of budget."""

    p: list[float]
    gain: list[float]
    low: list[float]
    high: list[float]
    value: list[float]
    value_low: list[float]
    value_high: list[float]


@dataclass(frozen=True, slots=True)
class Choice:
    """Indices into a plan's amounts, 0 for none. `asked` is the amount asked for, where it may be given alone."""

    basis: str
    opening: int = 0
    target: int = 0
    ceiling: int = 0
    approval: int = 0
    most_above: int = 0  # the largest a supervisor could add that is worth giving
    asked: int = 0
    score: float = 0.0
    near: tuple[int, ...] = ()  # openings about as good as one another


@dataclass(frozen=True, slots=True)
class Weighed:
    """A plan, what was chosen of it, and its numbers; `priced` None: no model, policy's table."""

    plan: Plan
    choice: Choice
    priced: Priced | None


def spread(
    rise: tuple[Array, Array, Array], spent: Array, worth: Worth, handling: Array, nothing: float
) -> tuple[Array, Array, Array]:
    """Gain (m,) with its lower and upper end, for a rise with its ends and what staying costs, all (m,)."""
    middle, low, high = rise
    slope = worth.amount - spent
    gain = middle * worth.amount - (nothing + middle) * spent - handling
    down, up = slope * (middle - low), slope * (high - middle)
    poor, rich = middle * (worth.amount - worth.low), middle * (worth.high - worth.amount)
    # Where the slope is below zero the ends change places, and so they do where the rise is.
    down, up = np.where(slope >= 0, down, -up), np.where(slope >= 0, up, -down)
    poor, rich = np.where(middle >= 0, poor, -rich), np.where(middle >= 0, rich, -poor)
    return gain, gain - np.hypot(down, poor), gain + np.hypot(up, rich)


def price(plans: Sequence[Plan], curve: Curve, worth: Worth, prices: Sequence[float], scale: float) -> list[Priced]:
    """Every amount of every plan, all plans in one go. `prices`: λ of each; `scale`: minor units in a major one."""
    if not plans:
        return []
    counts = [len(plan.terms.amounts) for plan in plans]
    amounts, values, costs = (
        np.concatenate([np.asarray(getattr(plan.terms, name), float) for plan in plans])
        for name in ("amounts", "values", "costs")
    )
    handling = np.repeat([float(plan.bounds.instrument.handling_cost) for plan in plans], counts) * (amounts > 0)
    budget = np.repeat(
        [rate if plan.bounds.instrument.draws_budget else 0.0 for rate, plan in zip(prices, plans, strict=True)], counts
    )
    nothing = curve.p[0]
    at = values / scale
    p, low, high = (np.interp(at, curve.values, part) for part in (curve.p, curve.low, curve.high))
    rise = (p - nothing, low, high)
    gains = spread(rise, costs, worth, handling, nothing)
    after = spread(rise, costs + budget * amounts, worth, handling, nothing)
    columns = [part.tolist() for part in (p, *gains, *after)]
    ends = np.cumsum(counts).tolist()
    return [Priced(*(c[end - n : end] for c in columns)) for n, end in zip(counts, ends, strict=True)]


def choose(plan: Plan, priced: Priced, asked: int | None) -> Choice:
    """Opening, target, ceiling and what needs a yes, of one instrument, by what is known of its effect."""
    amounts = plan.terms.amounts.tolist()
    own = plan.within(plan.bounds.agent_limit)
    value, low = priced.value, priced.value_low
    cautious = [v if a <= plan.default else least for a, v, least in zip(amounts, value, low, strict=True)]
    shown = [i for i in own if low[i] > 0]
    if shown:
        target = max(shown, key=lambda i: (cautious[i], -i))
        near = tuple(i for i in shown if cautious[i] >= (1 - TOLERANCE) * cautious[target])
        found = Choice(
            EVIDENCE,
            opening=near[0],
            target=target,
            ceiling=max(i for i in own if i >= target and cautious[i] >= 0),
            score=cautious[target],
            near=near,
        )
    else:
        found = _without_evidence(plan, priced, own)
    return with_ask(plan, found, asked, cautious, [v >= 0 for v in value])


def _without_evidence(plan: Plan, priced: Priced, own: range) -> Choice:
    """Policy's default, or as much of it as is not surely a loss; nothing when all of it is."""
    reachable = range(1, _default_index(plan, plan.within(plan.bounds.ceiling)) + 1)
    not_a_loss = [i for i in reachable if i in own and priced.value_high[i] >= 0]
    if reachable and all(priced.value_high[i] < 0 for i in reachable):
        return Choice(AGAINST)
    default = max(not_a_loss, default=0)
    return Choice(NOTHING_SHOWN, default, default, default, score=priced.value[default])


def default_only(plan: Plan) -> Choice:
    """Policy's default and no more: a caller nobody bargains with."""
    default = _default_index(plan, plan.within(plan.bounds.agent_limit))
    above = 0 if default else _default_index(plan, plan.within(plan.bounds.ceiling))
    return Choice(DEFAULT_ONLY, default, default, default, approval=above, most_above=above)


def by_table(plan: Plan, asked: int | None) -> Choice:
    """Without a model: open with policy's default, and give what authority allows."""
    own = plan.within(plan.bounds.agent_limit)
    default = _default_index(plan, own)
    amounts = plan.terms.amounts.tolist()
    found = Choice(TABLE, default, default, max(own, default=0))
    return with_ask(plan, found, asked, [0.0 if a <= plan.default else -1.0 for a in amounts], [True] * len(amounts))


def with_ask(plan: Plan, found: Choice, asked: int | None, cautious: list[float], may_pay: list[bool]) -> Choice:
    """The same with what a supervisor could add, and with the ask: a yes where it is low, a request where it is high.

    `cautious` (m,) is the value that counts, `may_pay` (m,) whether an amount pays by the best estimate: enough for an
    amount the caller has named.
    """
    if found.basis == AGAINST:
        return found
    amounts = plan.terms.amounts.tolist()
    own = plan.within(plan.bounds.agent_limit)
    ask = next((i for i in own if amounts[i] == asked and may_pay[i]), 0)
    met = [i for i in own if asked is not None and amounts[i] >= asked]
    opening = min(found.opening, met[0]) if found.opening and met else found.opening
    above = [
        i
        for i in plan.within(plan.bounds.ceiling)
        if i not in own and (cautious[i] >= 0 or (amounts[i] == asked and may_pay[i]))
    ]
    best = max(above, key=lambda i: (cautious[i], -i), default=0)
    return replace(
        found,
        opening=opening,
        ceiling=max(found.ceiling, ask),
        approval=next((i for i in above if amounts[i] == asked), best),
        most_above=max(above, default=0),
        asked=ask,
        near=found.near if opening == found.opening else (),
    )


def _default_index(plan: Plan, among: range) -> int:
    """The largest amount that is not above policy's default."""
    last = int(np.searchsorted(plan.terms.amounts, plan.default, side="right"))
    return max(range(among.start, min(among.stop, last)), default=0)
