"""The calls a month's money must last for: a sample of callers like those to come, and how many come a day."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from churn.core.effects.effect import ConcessionEffect
from churn.core.effects.pricing import net_value, price_of_budget
from churn.core.leaving.fitted import Fitted

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Demand:
    """Recent callers as curves: `values` (m,) of money, the first 0; `p_stay` (s, m); `worth` (s,) given they stay.

    Money in major units. `calls_per_agent_day`: retention calls one agent takes on a day of the month.
    """

    values: Array
    p_stay: Array
    worth: Array
    calls_per_agent_day: float

    def price(self, *, left: float, agents: int, days_left: float) -> float:
        """What one more unit of budget would earn, so that `left` lasts `days_left` for a team of `agents`.

        0 when money is plenty or no call is expected, infinite when nothing is left (`pricing.price_of_budget`).
        """
        calls = self.calls_per_agent_day * agents * max(days_left, 0.0)
        if len(self.worth) == 0 or calls <= 0:
            return 0.0
        net = net_value(self.p_stay, self.worth, self.values)
        return price_of_budget(net, self.p_stay * self.values, left=left, calls_expected=calls)


@dataclass(frozen=True, slots=True)
class EffectInUse:
    """The effect of concessions as kept: the estimator with its columns, and the demand its budgets are priced by.

    `reasons`: the contact reasons of the calls it was learned from, those in which things are given.
    """

    effect: Fitted[ConcessionEffect]
    demand: Demand
    reasons: frozenset[str]


def staying_given_saved(staying: Array, horizon_months: float) -> Array:
    """(n, m) curves of staying for callers who are kept on this call: certain up to the horizon, then S(t)/S(horizon).

    `staying` (n, m): columns are the ends of months 1 … m. What happens on the call decides the first months; what is
    left of the curve is what they are worth given they stay.
    """
    months = np.arange(1.0, staying.shape[1] + 1)
    at = min(max(horizon_months, 1.0), float(staying.shape[1]))
    low, high = math.floor(at), min(math.ceil(at), staying.shape[1])
    hazard = -np.log(np.maximum(staying, np.finfo(float).tiny))
    reached = hazard[:, low - 1] + (at - low) * (hazard[:, high - 1] - hazard[:, low - 1])
    return np.where(months <= at, 1.0, np.exp(-np.maximum(hazard - reached[:, None], 0.0)))
