"""The funnel: who is told apart, who is not, and by how much figures are drawn to the mean."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from churn.core.trends.funnel import FEWEST_CALLS, Funnel, overdispersion, place_all


def floor(shift: float = 0.0, seed: int = 0, *, agents: int = 40, calls: int = 250) -> tuple[np.ndarray, ...]:
    """calls, saved, expected, variance of agents alike, but for the first, who saves `shift` more a call."""
    rng = np.random.default_rng(seed)
    chance = np.clip(rng.beta(6, 4, (agents, calls)), 0.02, 0.98)
    better = np.zeros((agents, 1))
    better[0] = shift
    saved = (rng.random((agents, calls)) < np.clip(chance + better, 0, 1)).sum(axis=1)
    return np.full(agents, calls), saved, chance.sum(axis=1), (chance * (1 - chance)).sum(axis=1)


def test_a_truly_better_agent_is_above_and_the_others_are_not() -> None:
    zones = [place_all(*floor(0.17, seed))[1] for seed in range(20)]
    assert np.mean([places[0].zone == "above" for places in zones]) >= 0.9
    assert np.mean([place.zone in {"above", "below"} for places in zones for place in places[1:]]) <= 0.005


def test_of_agents_alike_at_most_one_in_twenty_is_outside_the_inner_limits() -> None:
    places = [place for seed in range(40) for place in place_all(*floor(0.0, seed))[1]]
    assert 0.01 < np.mean([place.zone != "inside" for place in places]) < 0.05


def test_an_agent_with_easier_callers_is_allowed_as_much_again_for_what_nobody_recorded() -> None:
    calls, expected = np.full(5, 100.0), np.array([80.0, 60, 60, 60, 60])
    saved, variance = np.array([92.0, 60, 60, 60, 60]), np.full(5, 21.0)
    funnel, places = place_all(calls, saved, expected, variance)
    middle = 12 / 500
    assert funnel.middle == pytest.approx(middle)
    assert places[0].difference == pytest.approx(0.12 - middle)
    assert places[0].told == 0.0  # 16 calls in a hundred easier than usual: more than the 9.6 saves above
    assert places[0].zone == "inside"
    assert places[1].told == 0.0  # four in a hundred harder than usual: more than the 2.4 below


def test_the_middle_of_all_is_zero_and_limits_narrow_with_calls() -> None:
    funnel, places = place_all(*floor(0.1, 3))
    usual = np.array([place.usual_calls for place in places])
    assert np.dot(usual, [place.difference for place in places]) == pytest.approx(0.0, abs=1e-9)
    near, far = funnel.limit([25.0, 100.0], 0.95)
    assert near == pytest.approx(2 * far)
    assert far == pytest.approx(norm.ppf(0.975) * funnel.overdispersion * np.sqrt(funnel.mean_variance / 100))


def test_the_shrunk_is_nearer_to_the_mean_and_its_interval_narrower_than_chance_alone() -> None:
    funnel, places = place_all(*floor(0.17, 1))
    first = places[0]
    error = funnel.mean_variance / first.usual_calls
    keep = funnel.spread**2 / (funnel.spread**2 + error)
    assert 0 < first.shrunk < first.told <= first.difference
    assert first.shrunk == pytest.approx(keep * first.told)
    assert first.high - first.shrunk == pytest.approx(norm.ppf(0.975) * np.sqrt(keep * error))


def test_overdispersion_pulls_the_ends_in_so_that_one_outlier_hides_nobody() -> None:
    z = norm.ppf((np.arange(40) + 0.5) / 40)
    assert overdispersion(z) == 1.0
    assert overdispersion(np.append(z, 50.0)) < 1.05
    assert overdispersion(2 * z) == pytest.approx(2 * np.sqrt(np.mean(np.clip(z, *np.quantile(z, [0.1, 0.9])) ** 2)))
    assert overdispersion([3.0]) == 1.0


def test_with_few_calls_nobody_is_told_apart() -> None:
    few = float(FEWEST_CALLS - 1)
    _, places = place_all([few, 200, 200], [few, 100, 100], [1.0, 100, 100], [1.0, 50, 50])
    assert places[0].zone == "inside"


def test_calls_whose_outcome_was_certain_make_no_funnel() -> None:
    with pytest.raises(ValueError, match="not certain"):
        place_all([10], [10], [10.0], [0.0])


def test_a_funnel_is_as_wide_on_either_side() -> None:
    assert Funnel(0.2, 1.0, 0.01, 0.0).limit(80.0, 0.998) == pytest.approx(3.0902 * np.sqrt(0.2 / 80), rel=1e-4)
