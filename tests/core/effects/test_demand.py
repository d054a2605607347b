"""The price of a team's money, and what a caller who is kept is worth."""

from __future__ import annotations

import numpy as np
import pytest

from churn.core.effects.demand import Demand, staying_given_saved
from churn.core.offers.question import Curve, from_level

VALUES = np.array([0.0, 10.0, 20.0])
VALUES_OF_MONTH = np.array([0.0, 5, 10, 15, 20, 30, 40, 60])


def demand(calls: float = 1.0) -> Demand:
    # Everybody stays with 0.5; £10 makes it 0.7 and £20 makes it 0.75; worth £100 if they stay.
    return Demand(VALUES, np.tile([0.5, 0.7, 0.75], (4, 1)), np.full(4, 100.0), calls)


def test_money_that_suffices_costs_nothing() -> None:
    assert demand().price(left=1_000_000, agents=10, days_left=20) == 0.0


def test_money_that_is_gone_is_beyond_price() -> None:
    assert demand().price(left=0, agents=10, days_left=20) == np.inf


def test_scarce_money_is_priced_at_what_the_next_pound_would_earn() -> None:
    # 200 calls; £10 for everybody is expected to cost £7 a call, £1,400 in all: one pound less is not enough.
    price = demand().price(left=1_399, agents=10, days_left=20)
    assert price == pytest.approx((0.7 * 90 - 50) / 7, abs=1e-3)


def test_nobody_to_come_costs_nothing() -> None:
    empty = Demand(VALUES, np.empty((0, 3)), np.empty(0), 0.0)
    assert empty.price(left=10, agents=3, days_left=5) == 0.0


def test_who_is_kept_is_here_until_the_horizon_and_on_the_curve_after() -> None:
    curve = np.array([[0.9, 0.8, 0.6, 0.3]])
    assert staying_given_saved(curve, 2.0).tolist() == [[1.0, 1.0, pytest.approx(0.75), pytest.approx(0.375)]]


def test_a_horizon_between_months_lies_on_the_hazard_between_them() -> None:
    curve = np.array([[0.9, 0.8, 0.6]])
    reached = np.sqrt(0.8 * 0.6)  # half of the third month's hazard
    assert staying_given_saved(curve, 2.5)[0].tolist() == [1.0, 1.0, pytest.approx(0.6 / reached)]


def test_another_level_keeps_what_money_changes_on_the_log_odds() -> None:
    moved = from_level(lambda v: Curve.of(v, [0.5, 0.6], [0.0, 0.05], [0.0, 0.2]), 0.8)(np.array([0.0, 10.0]))
    assert moved is not None
    assert moved.p[0] == pytest.approx(0.8)
    assert moved.p[1] == pytest.approx(1 / (1 + (1 / 4) / 1.5))  # odds 4, times 1.5
    assert moved.low[0] == moved.high[0] == pytest.approx(0.0)
    assert moved.low[1] < moved.p[1] - moved.p[0] < moved.high[1]


@pytest.mark.parametrize(("accepts", "last_third"), [("stays", 0.2), ("everybody", 0.05)])
def test_priced_anew_each_day_the_ledgers_money_lasts_the_month_and_is_never_passed(
    accepts: str, last_third: float
) -> None:
    """The ledger counts face amounts, of whoever takes the offer: those who stay, or more than the price expects."""
    rng = np.random.default_rng(5)
    base, slope, worth = rng.uniform(0.3, 0.8, 900), rng.uniform(0.1, 0.3, 900), rng.uniform(40, 400, 900)
    p_stay = np.clip(base[:, None] + slope[:, None] * np.log1p(VALUES_OF_MONTH / 40), 0.0, 0.99)
    price_of = Demand(VALUES_OF_MONTH, p_stay[:300], worth[:300], 1.0)
    callers, budget = np.arange(300, 900), 3_000.0
    left, spent_on = budget, []
    for today in callers.reshape(30, 20):
        price = min(price_of.price(left=left, agents=20, days_left=30 - len(spent_on)), 1e9)
        before = left
        for i in today:
            value = p_stay[i] * (worth[i] - VALUES_OF_MONTH) - price * p_stay[i] * VALUES_OF_MONTH
            face = VALUES_OF_MONTH[np.argmax(np.where(left >= VALUES_OF_MONTH, value, -np.inf))]
            left -= face if accepts == "everybody" or rng.random() < p_stay[i][face == VALUES_OF_MONTH][0] else 0.0
        spent_on.append(before - left)
    assert 0 <= left <= 0.05 * budget
    assert sum(spent_on[20:]) > last_third * budget  # and the last ten days have money too
