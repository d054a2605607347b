"""The price of a team's money, and what a caller who is kept is worth."""

from __future__ import annotations

import numpy as np
import pytest

from churn.core.demand import Demand, staying_given_saved
from churn.core.question import Curve, from_level

VALUES = np.array([0.0, 10.0, 20.0])


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
