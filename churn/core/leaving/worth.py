"""What a customer is worth: discounted expected future margin, in closed form.

`clv = Σ margin × S(t) × (1 + rate)^(−t/12)` over months t = 1 … horizon, S the conditional survival of a customer who
is still here; a month counts when they are still here at its end. Margin, not price. Amounts are floats in major units
all the way; `money.to_minor` rounds once, at the edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Margin:
    """Monthly margin of n customers and how sure it is: `amount`, `se`, `is_assumed` (n,)."""

    amount: Array
    se: Array
    is_assumed: Array


@dataclass(frozen=True)
class Worth:
    """Worth of n customers, each field (n,), major units; NaN where the margin is not known.

    `low` and `high`: see `worth`. `is_assumed`: the margin was a share of the price. `share_beyond_data`: the part of
    `clv` that comes from months after the survival data end, 0 to 1.
    """

    clv: Array
    low: Array
    high: Array
    is_assumed: Array
    share_beyond_data: Array


def monthly_margin(
    margin: Array | None, price: Array, *, margin_rate: float, margin_rate_se: float, margin_se: Array | float = 0.0
) -> Margin:
    """The margin where it is known, else price × `margin_rate`, flagged as assumed.

    `margin`: (n,) a month, NaN where unknown, or None; `price`: (n,) a month; `margin_se`: standard error of a known
    margin; `margin_rate_se`: of the rate. NaN where both are unknown. Raises ValueError when the rate is not in [0, 1].
    """
    if not 0 <= margin_rate <= 1:
        raise ValueError(f"A margin rate is a share of the price from 0 to 1, not {margin_rate}.")
    prices = np.asarray(price, dtype=float)
    known = np.full(prices.shape, np.nan) if margin is None else np.asarray(margin, dtype=float)
    assumed = np.isnan(known)
    return Margin(
        amount=np.where(assumed, prices * margin_rate, known),
        se=np.where(assumed, np.abs(prices) * margin_rate_se, margin_se),
        is_assumed=assumed,
    )


def discounts(horizon_months: int, annual_rate: float) -> Array:
    """(horizon,) factors for months 1 … horizon: (1 + rate)^(−t/12). Raises ValueError on a rate of −1 or below."""
    if annual_rate <= -1 or horizon_months < 0:
        raise ValueError("The discount rate must be above −100 % a year and the horizon not negative.")
    return np.asarray((1.0 + annual_rate) ** (-np.arange(1, horizon_months + 1) / 12.0))


def clv(margin: Array | float, survival: Array, *, horizon_months: int, annual_rate: float) -> Array:
    """(n,) discounted expected margin over the horizon.

    `margin`: (n,) or scalar, a month; `survival`: (n, m), column j the chance of still being here at the end of month
    j + 1, m at least the horizon. Horizon 0 gives 0. Raises ValueError when survival is shorter than the horizon.
    """
    months = _within(survival, horizon_months) @ discounts(horizon_months, annual_rate)
    return np.asarray(margin, dtype=float) * months


def worth(
    margin: Margin,
    survival: Array,
    band: tuple[Array, Array],
    *,
    horizon_months: int,
    annual_rate: float,
    months_known: Array | float = np.inf,
    level: float = 0.9,
) -> Worth:
    """CLV of n customers with an interval of `level`.

    `survival` and both ends of `band` as in `clv`, the band at the same level; `months_known`: months ahead the curve
    rests on data.

    In the interval: the band of the survival curve, taken as high or low in every month at once (cautious), and the
    standard error of the margin, independent of it: their deviations are added as squares, each side by itself. Not in
    it: the spread of what single customers turn out to bring (it is about the expectation), a margin or price that
    changes, the discount rate, the choice of model, drift, and whatever the band itself leaves out beyond the data.
    """
    factors = _within(survival, horizon_months) * discounts(horizon_months, annual_rate)
    whole = factors.sum(axis=1)
    point = margin.amount * whole
    ends = np.stack([clv(margin.amount, end, horizon_months=horizon_months, annual_rate=annual_rate) for end in band])
    money = norm.ppf(0.5 + level / 2) * margin.se * whole
    known = np.arange(1, horizon_months + 1) <= np.reshape(months_known, (-1, 1))
    on_data = (factors * known).sum(axis=1)
    return Worth(
        clv=point,
        low=point - np.hypot(np.maximum(point - ends.min(axis=0), 0.0), money),
        high=point + np.hypot(np.maximum(ends.max(axis=0) - point, 0.0), money),
        is_assumed=margin.is_assumed,
        share_beyond_data=1.0 - np.divide(on_data, whole, out=np.ones_like(whole), where=whole > 0),
    )


def expected_months(survival: Array, horizon_months: int) -> Array:
    """(n,) months a customer is expected to stay within the horizon: the area under the curve from 1 at month 0.

    Restricted mean survival time by trapezoids; at most the horizon, and never a mean without end.
    """
    curve = _within(survival, horizon_months)
    started = np.column_stack([np.ones(len(curve)), curve])
    return np.asarray((started[:, 1:] + started[:, :-1]).sum(axis=1) / 2.0)


def months_until_half(survival: Array, months_known: Array | float = np.inf) -> list[float | None]:
    """Months until the chance of still being here falls to one half, per customer; None: beyond the data.

    Constant hazard between the columns (months 1 … m). None when the curve ends above one half or crosses it after
    `months_known`, (n,) or scalar, where it no longer rests on data.
    """
    curve = np.asarray(survival, dtype=float)
    hazard = -np.log(np.maximum(curve, np.finfo(float).tiny))
    wanted = np.log(2.0)
    reached = hazard >= wanted
    rows, first = np.arange(len(curve)), reached.argmax(axis=1)
    before = np.where(first > 0, hazard[rows, np.maximum(first - 1, 0)], 0.0)
    here = hazard[rows, first]
    at = first + (wanted - before) / np.where(here > before, here - before, 1.0)
    sure = reached.any(axis=1) & (at <= np.broadcast_to(months_known, len(curve)))
    return [float(month) if known else None for month, known in zip(at, sure, strict=True)]


def _within(survival: Array, horizon_months: int) -> Array:
    curve = np.asarray(survival, dtype=float)
    if curve.ndim != 2 or curve.shape[1] < horizon_months:
        raise ValueError(f"Survival must be given for each of the {horizon_months} months, one row a customer.")
    return curve[:, :horizon_months]
