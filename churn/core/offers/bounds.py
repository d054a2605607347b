"""Every limit on giving one instrument in one case, each with its reason and with who can lift it.

Limits are of two sorts: those that hold whoever asks (policy, the customer's own caps, money, time), and authority,
which is the agent's own or a supervisor's. The smallest is the binding limit and is always named. Amounts are whole
minor units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from churn.core.offers import authority, limits
from churn.core.offers.limits import HARDNESS, Budget, Earlier, Limit, Spending
from churn.core.policies.policy import Case, Instrument, Policy, Ruling, rule_on

__all__ = ["Bounds", "Budget", "Earlier", "Limit", "Spending", "bounds", "with_limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """All limits of one instrument in one case. `floor` is the least that may be given, if anything is.

    `binding_limit` is the smallest for the agent alone, `binding_ceiling` once a supervisor has said yes: of equal
    ones the hardest to lift, for that is the one to name. `agent_limit` and `ceiling` are their amounts; the ceiling
    is never below the agent's own limit.
    """

    instrument: Instrument
    ruling: Ruling
    shared: tuple[Limit, ...]  # whoever asks
    own: tuple[Limit, ...]  # authority of who is on the call
    above: tuple[Limit, ...]  # a supervisor's
    floor: Limit | None
    binding_limit: Limit = field(init=False)
    binding_ceiling: Limit = field(init=False)
    agent_limit: int = field(init=False)
    ceiling: int = field(init=False)

    def __post_init__(self) -> None:
        shared, own, above = smallest(self.shared), smallest(self.own), smallest(self.above)
        widest = max(own, above, key=lambda limit: (not limit.stops, _amount(limit)))
        alone, with_yes = smallest((shared, own)), smallest((shared, widest))
        for name, value in (("binding_limit", alone), ("binding_ceiling", with_yes)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "agent_limit", alone.amount or 0)
        object.__setattr__(self, "ceiling", with_yes.amount or 0)

    @property
    def is_open(self) -> bool:
        """Whether the agent may give it alone at all: for what costs nothing the amount says nothing."""
        return not self.binding_limit.stops

    @property
    def is_open_above(self) -> bool:
        """Whether it may be given with a supervisor's yes."""
        return not self.binding_ceiling.stops

    @property
    def limits(self) -> tuple[Limit, ...]:
        """All limits for the agent alone, smallest first; those that do not limit money last."""
        return tuple(sorted((*self.shared, *self.own), key=_rank))


def bounds(policy: Policy, case: Case, instrument: Instrument, *, role: str, spending: Spending) -> Bounds:
    """Every limit of `instrument` in `case` for a person of `role`."""
    ruling = rule_on(policy, case, instrument)
    held = Bounds(
        instrument=instrument,
        ruling=ruling,
        shared=(
            *limits.policy_limits(policy, case, ruling, spending),
            *limits.walls(policy, case, instrument, spending),
            *limits.customer_limits(policy, case, ruling, spending),
            *authority.budget_limits(policy, case, instrument, spending),
        ),
        own=tuple(authority.own_authority(policy, case, ruling, role, spending)),
        above=tuple(authority.supervisors(policy, case, instrument, spending)),
        floor=limits.floor_of(ruling, policy.currency),
    )
    return _under_floor(held, policy.currency)


def _under_floor(held: Bounds, currency: str) -> Bounds:
    """What is left but does not reach the floor is nothing, and the floor says so."""
    floor = (held.floor.amount or 0) if held.floor else 0
    is_short, is_short_above = (0 < most < floor for most in (held.agent_limit, held.ceiling))
    if not is_short and not is_short_above:
        return held
    own = limits.out_of_reach(held.floor, held.agent_limit, currency, is_lifted=floor <= held.ceiling)
    above = limits.out_of_reach(held.floor, held.ceiling, currency, is_lifted=False)
    return with_limits(held, own=own if is_short else (), above=above if is_short_above else ())


def with_limits(found: Bounds, *, own: tuple[Limit, ...], above: tuple[Limit, ...]) -> Bounds:
    """The same with more limits, for the agent alone and with a supervisor's yes."""
    return Bounds(
        instrument=found.instrument,
        ruling=found.ruling,
        shared=found.shared,
        own=(*found.own, *own),
        above=(*found.above, *above),
        floor=found.floor,
    )


def smallest(found: Sequence[Limit]) -> Limit:
    """The limit that binds: the least amount, and of equal ones what stops all, then what is hardest to lift."""
    return min(found, key=_rank)


def _rank(limit: Limit) -> tuple[float, bool, int]:
    return (_amount(limit), not limit.stops, HARDNESS[limit.lifted_by])


def _amount(limit: Limit) -> float:
    return math.inf if limit.amount is None else limit.amount
