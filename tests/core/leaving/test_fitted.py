"""Re-based chances: the mean asked for exactly, the order kept."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.leaving.fitted import rebased, shift_to

chances = st.lists(st.floats(1e-6, 1 - 1e-6), min_size=1, max_size=30).map(np.array)


@given(chances, st.floats(0.001, 0.999))
def test_the_mean_is_the_one_asked_for(chance: np.ndarray, mean: float) -> None:
    assert rebased(chance, shift_to(chance, mean)).mean() == pytest.approx(mean, abs=1e-9)


@given(chances, st.floats(-5, 5))
def test_the_order_of_customers_is_kept(chance: np.ndarray, shift: float) -> None:
    order = np.argsort(chance, kind="stable")
    assert (np.diff(rebased(chance, shift)[order]) >= 0).all()


def test_odds_are_multiplied_by_the_ratio_of_base_rates() -> None:
    moved = rebased(np.array([0.5, 0.2, 0.8]), np.log(3))
    assert moved == pytest.approx([0.75, 3 / 7, 12 / 13])


def test_no_shift_gives_the_very_same_numbers() -> None:
    chance = np.array([0.1, 0.3])
    assert rebased(chance, 0.0) is chance


def test_certainty_stays_certain_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rebased(np.array([0.0, 1.0]), 2.0).tolist() == [0.0, 1.0]


def test_chances_far_from_the_mean_are_reached() -> None:
    assert rebased(np.full(3, 1e-15), shift_to(np.full(3, 1e-15), 0.5)) == pytest.approx([0.5] * 3)


@pytest.mark.parametrize("mean", [0.0, 1.0, -0.1, float("nan")])
def test_a_mean_outside_is_refused(mean: float) -> None:
    with pytest.raises(ValueError, match="lies between 0 and 1"):
        shift_to(np.array([0.5]), mean)


@pytest.mark.parametrize("chance", [[0.0, 0.0, 0.0, 0.5], [1.0, 1.0, 0.5, 0.5]])
def test_a_mean_no_shift_reaches_is_refused_with_the_reason(chance: list[float]) -> None:
    with pytest.raises(ValueError, match="Too many of these chances are 0 or 1"):
        shift_to(np.array(chance), 0.3)
