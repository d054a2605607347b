"""Landmark calibration: right curves lie in their intervals, wrong ones do not, late entry weighs on neither side."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.core.trust.landmarks import landmark_calibration


class Constant:
    """Everybody leaves at the same rate a month."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def survival(self, X: pd.DataFrame, months: np.ndarray) -> np.ndarray:
        return np.exp(-self.rate * np.broadcast_to(months, (len(X), len(months))))


def lives(seed: int, rate: float, rows: int = 8_000) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Customers seen for a year from a tenure of their own on, if they had not left before."""
    rng = np.random.default_rng(seed)
    leaves, entry = rng.exponential(1 / rate, rows), rng.uniform(0, 60, rows)
    there = leaves > entry
    leaves, entry = leaves[there], entry[there]
    duration = np.minimum(leaves, entry + 12)
    return pd.DataFrame(index=range(len(entry))), entry, duration, leaves <= entry + 12


def test_a_right_curve_lies_in_its_intervals_as_often_as_they_say() -> None:
    inside, cells = 0, 0
    for seed in range(12):
        for cell in landmark_calibration(Constant(0.02), *lives(seed, 0.02)):
            assert cell["predicted"] == pytest.approx(1 - np.exp(-0.02 * cell["ahead"]))
            inside, cells = inside + (cell["low"] <= cell["predicted"] <= cell["high"]), cells + 1
    assert cells == 12 * 24
    assert 0.9 <= inside / cells <= 0.99


def test_a_curve_that_says_twice_as_much_is_found_out() -> None:
    found = [c for c in landmark_calibration(Constant(0.04), *lives(1, 0.02)) if c["ahead"] == 12 and c["left"] > 20]
    assert found
    assert all(cell["predicted"] > cell["high"] for cell in found)


def test_by_hand() -> None:
    """Twenty customers seen through months 0 to 3, one leaves in each."""
    duration = np.array([0.5, 1.5, 2.5, *[3.0] * 17])
    event = duration < 3
    (cell,) = landmark_calibration(Constant(0.05), pd.DataFrame(index=range(20)), 0.0, duration, event)
    rate = 1 / 19.5 + 1 / 18.5 + 1 / 17.5
    assert (cell["landmark"], cell["ahead"], cell["seen"], cell["left"]) == (0, 3, 20, 3)
    assert cell["observed"] == pytest.approx(1 - np.exp(-rate))
    assert cell["predicted"] == pytest.approx(1 - np.exp(-0.15))


def test_nobody_leaving_still_has_an_upper_end() -> None:
    duration = np.full(50, 3.0)
    (cell,) = landmark_calibration(Constant(0.01), pd.DataFrame(index=range(50)), 0.0, duration, duration < 0)
    assert (cell["observed"], cell["low"]) == (0, 0)
    assert cell["high"] == pytest.approx(1 - np.exp(-3 * 3 / 150))
