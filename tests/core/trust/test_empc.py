"""EMPC against its own definition, the published implementation's figures, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from churn.core.trust.empc import PAPER, Campaign, expected_maximum_profit, roc_hull

OUTCOME = np.array([1, 0, 1, 0, 0, 0, 0, 0, 0, 0])
CHANCE = np.array([0.8, 0.6, 0.5, 0.4, 0.2, 0.15, 0.1, 0.09, 0.08, 0.07])


def by_definition(outcome: np.ndarray, chance: np.ndarray, campaign: Campaign, gammas: np.ndarray) -> np.ndarray:
    """The best profit at each γ, over every limit on the chance."""
    delta, phi, left = campaign.offer / campaign.value, campaign.contact / campaign.value, outcome.mean()
    best = np.full(len(gammas), -np.inf)
    for limit in [np.inf, *np.unique(chance)]:
        kept, bothered = (chance[outcome == 1] >= limit).mean(), (chance[outcome == 0] >= limit).mean()
        profit = (gammas * (1 - delta) - phi) * left * kept - (delta + phi) * (1 - left) * bothered
        best = np.maximum(best, campaign.value * profit)
    return best


def test_the_figure_is_the_published_implementations() -> None:
    """EMP 2.0.4 (Bravo, vanden Broucke, Verbraken), empChurn with its defaults, on these ten customers."""
    made = expected_maximum_profit(OUTCOME, CHANCE)
    assert made.empc == pytest.approx(10.10015824489805, rel=1e-12)
    assert made.share == pytest.approx(0.29983202032340317, rel=1e-12)


@pytest.mark.parametrize("campaign", [PAPER, Campaign(value=900, offer=40, contact=3, alpha=2, beta=9)])
def test_the_closed_form_is_the_integral(campaign: Campaign) -> None:
    rng = np.random.default_rng(3)
    true = rng.uniform(size=400) ** 3
    outcome, chance = (rng.uniform(size=400) < true).astype(int), np.round(true + rng.normal(0, 0.2, 400), 2)
    edges = np.linspace(0, 1, 40_001)
    weight = np.diff(beta.cdf(edges, campaign.alpha, campaign.beta))
    exact = by_definition(outcome, chance, campaign, (edges[:-1] + edges[1:]) / 2) @ weight
    assert expected_maximum_profit(outcome, chance, campaign).empc == pytest.approx(exact, rel=1e-6)


def test_drawing_gamma_comes_to_the_same() -> None:
    drawn = np.random.default_rng(11).beta(PAPER.alpha, PAPER.beta, 200_000)
    profits = by_definition(OUTCOME, CHANCE, PAPER, drawn)
    error = profits.std() / np.sqrt(len(profits))
    assert abs(expected_maximum_profit(OUTCOME, CHANCE).empc - profits.mean()) < 4 * error


def test_one_chance_for_all_contacts_everybody_or_nobody() -> None:
    outcome = np.repeat([1, 0], [50, 50])
    everybody = expected_maximum_profit(outcome, np.full(100, 0.5))
    turn = (0.5 * 0.005 + 0.5 * 0.055) / (0.5 * 0.95)
    assert everybody.share == pytest.approx(beta.sf(turn, 6, 14))


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_only_the_order_counts_and_a_better_order_is_never_worse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    chance = rng.uniform(0.01, 0.99, 60)
    outcome = (rng.uniform(size=60) < chance).astype(int)
    outcome[:2] = [0, 1]
    made = expected_maximum_profit(outcome, chance).empc
    assert expected_maximum_profit(outcome, chance**3).empc == pytest.approx(made)
    flat = expected_maximum_profit(outcome, np.full(60, 0.5)).empc
    assert -1e-12 <= flat <= made + 1e-12 <= expected_maximum_profit(outcome, outcome + 0.0).empc + 2e-12


def test_the_hull_bends_one_way_and_joins_the_corners() -> None:
    kept, bothered = roc_hull(OUTCOME, CHANCE)
    assert (kept[0], bothered[0], kept[-1], bothered[-1]) == (0, 0, 1, 1)
    slopes = np.diff(kept) / np.maximum(np.diff(bothered), 1e-12)
    assert (np.diff(slopes) < 0).all()


def test_one_outcome_alone_has_no_profit() -> None:
    with pytest.raises(ValueError, match="some left and some stayed"):
        expected_maximum_profit(np.zeros(5), np.linspace(0, 1, 5))
