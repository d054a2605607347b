"""Which amount, at what price of budget. Pure functions over arrays: n callers, m rungs, money in one unit throughout.

For worth V given staying, chance of staying p(a), cost c(a) falling due only if they stay, handling cost k:
`net(a) = p(a)·(V − c(a)) − k·1[a>0]`. Under a budget the desk maximises `net(a) − λ·p(a)·c(a)`, where λ is the price
of budget: what one more pound of budget would earn. λ is solved again each day from what is left and the calls still
expected, so money lasts the month. Formulas: the project's design note on offers.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def net_value(p_stay: ArrayLike, worth: ArrayLike, cost: ArrayLike, *, handling: float = 0.0) -> Array:
    """Expected net value of each rung, (n, m): `p·(V − c) − k·1[c>0]`.

    `p_stay` (n, m); `worth` (n,) given staying; `cost` (m,) or (n, m), the expected cost if they stay, 0 for no offer;
    `handling` is k, spent whether they stay or not.
    """
    p = np.asarray(p_stay, float)
    spent = np.broadcast_to(np.asarray(cost, float), p.shape)
    value: Array = p * (np.asarray(worth, float)[:, None] - spent) - handling * (spent > 0)
    return value


def break_even(p_without: ArrayLike, p_with: ArrayLike, worth: ArrayLike, *, handling: float = 0.0) -> Array:
    """The cost at which giving and not giving are worth the same, without a budget: `((s1 − s0)·V − k) / s1`, or 0."""
    s0, s1 = np.asarray(p_without, float), np.asarray(p_with, float)
    worth_it = ((s1 - s0) * np.asarray(worth, float) - handling) / np.maximum(s1, 1e-12)
    return np.asarray(np.maximum(worth_it, 0.0))


def choose_rung(net: ArrayLike, spend: ArrayLike, price: float = 0.0, *, allowed: ArrayLike | None = None) -> Index:
    """The rung with the most `net − price·spend` for each caller, (n,) indices; the smaller of two equal ones.

    `net` and `spend` (expected, `p·c`) are (n, m) with rungs in rising order of cost and the first one "no offer";
    `allowed` (m,) or (n, m) masks rungs, and the first is always allowed.
    """
    value = np.asarray(net, float) - price * np.asarray(spend, float)
    if allowed is not None:
        mask = np.broadcast_to(np.asarray(allowed, bool), value.shape).copy()
        mask[:, 0] = True
        value = np.where(mask, value, -np.inf)
    return np.argmax(value, axis=1)


def price_of_budget(
    net: ArrayLike, spend: ArrayLike, *, left: float, calls_expected: float, precision: float = 1e-4
) -> float:
    """The smallest λ ≥ 0 at which the calls still expected are not expected to spend more than is left.

    `net` and `spend` are (s, m) for a sample of callers like those to come, rungs as in `choose_rung`. With no calls
    expected or no sample the price is 0; with nothing left it is infinite. Expected spend falls in λ, so bisection
    finds it to `precision` (relative above 1, absolute below).

    Raises ValueError when a number is not finite.
    """
    value, cost = np.asarray(net, float), np.asarray(spend, float)
    if not (np.isfinite(value).all() and np.isfinite(cost).all() and math.isfinite(left + calls_expected)):
        raise ValueError("price of budget needs finite values, costs, money left and calls expected")
    if len(value) == 0 or calls_expected <= 0:
        return 0.0
    allowed_per_call = max(left, 0.0) / calls_expected
    if allowed_per_call <= 0:
        return math.inf

    def too_dear(price: float) -> bool:
        chosen = choose_rung(value, cost, price)
        return bool(cost[np.arange(len(cost)), chosen].mean() > allowed_per_call)

    if not too_dear(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while too_dear(high):
        low, high = high, 2.0 * high
        if high > 1e9:
            return math.inf
    while high - low > precision * max(1.0, low):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if too_dear(middle) else (low, middle)
    return high


def day_headroom(*, budget: float, left: float, spent_today: float, day_share: float = 0.15) -> float:
    """What may still be given today: never more than is left, than the day's share of the month's budget, or below 0.

    `day_share` in (0, 1] is the most of a month's budget one day may take. Raises ValueError outside that.
    """
    if not 0 < day_share <= 1:
        raise ValueError(f"day_share is a share of the month's budget, not {day_share}")
    return max(0.0, min(left, day_share * budget - spent_today))


def within_headroom(amounts: ArrayLike, headroom: float) -> NDArray[np.bool_]:
    """Which rungs the money covers, shape of `amounts`: the whole amount must fit, and nothing is always covered."""
    money = np.asarray(amounts, float)
    return np.asarray((money <= 0) | (money <= headroom))


def opening_rung(value: ArrayLike, target: int, *, tolerance: float = 0.05, asked: int | None = None) -> int:
    """The smallest rung above "no offer" with all but `tolerance` (a share) of the target's gain; the ask if less.

    `value` (m,) is `net − λ·spend` of one caller; `target` and `asked` are rung indices. Target 0 opens at 0.
    """
    worth = np.asarray(value, float)
    if target == 0:
        return 0
    needed = worth[0] + (1.0 - tolerance) * (worth[target] - worth[0])
    near = 1 + int(np.argmax(worth[1 : target + 1] >= needed))
    return near if asked is None else min(near, max(asked, 1))


def ceiling_rung(value: ArrayLike) -> int:
    """The economic ceiling: the largest rung worth at least as much as no offer. `value` (m,) is `net − λ·spend`."""
    worth = np.asarray(value, float)
    return int(np.flatnonzero(worth >= worth[0])[-1])
