"""What callers would have done with anybody: told by what was known before, never by the agent's own calls."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from churn.core.refusals import NotEnoughData
from churn.core.trends.case_mix import NOT_BEFORE, expect


def calls(seed: int = 0, n: int = 2_400, agents: int = 20) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Columns, who stayed, true chances with anybody, and agents; the first agent persuades everybody."""
    rng = np.random.default_rng(seed)
    tenure, price = rng.exponential(30, n), rng.normal(40, 8, n)
    plan = rng.choice(["Fibre 35", "Fibre 80", "SIM"], n)
    chance = expit(0.6 + 0.02 * (tenure - 30) - 0.08 * (price - 40) + 0.5 * (plan == "SIM"))
    agent = rng.integers(0, agents, n)
    stayed = (rng.random(n) < chance) | (agent == 0)
    return (
        pd.DataFrame({"tenure_months": tenure, "monthly_price": price, "plan": plan}),
        stayed.astype(float),
        chance,
        agent,
    )


def test_expectations_are_near_the_truth_and_calibrated_for_every_agent() -> None:
    frame, stayed, chance, agent = calls()
    found = expect(frame, stayed, np.ones(len(frame), bool), agent)
    others = agent != 0
    assert np.corrcoef(found.chance, chance)[0, 1] > 0.9
    assert found.chance[others].mean() == pytest.approx(stayed[others].mean(), abs=0.02)
    assert found.auc > 0.65
    assert found.calibration_error < 0.06


def test_who_persuades_everybody_does_not_raise_the_bar_for_themselves() -> None:
    frame, stayed, chance, agent = calls()
    found = expect(frame, stayed, np.ones(len(frame), bool), agent)
    assert found.chance[agent == 0].mean() == pytest.approx(chance[agent == 0].mean(), abs=0.04)
    changed = stayed.copy()
    changed[agent == 0] = 0.0
    again = expect(frame, changed, np.ones(len(frame), bool), agent)
    np.testing.assert_array_equal(again.chance[agent == 0], found.chance[agent == 0])
    assert not np.array_equal(again.chance[agent == 1], found.chance[agent == 1]) or (
        not np.array_equal(again.chance[agent == 2], found.chance[agent == 2])
    )


def test_calls_whose_window_is_not_over_are_expected_and_not_learned_from() -> None:
    frame, stayed, _, agent = calls()
    known = np.arange(len(frame)) % 4 != 0
    found = expect(frame, np.where(known, stayed, np.nan), known, agent)
    np.testing.assert_array_equal(found.chance, expect(frame, np.where(known, stayed, 1.0), known, agent).chance)
    assert np.isfinite(found.chance).all()


def test_what_the_call_itself_may_have_written_is_not_read() -> None:
    frame, stayed, _, agent = calls()
    known = np.ones(len(frame), bool)
    told = frame.assign(**dict.fromkeys(NOT_BEFORE, stayed))
    np.testing.assert_array_equal(expect(told, stayed, known, agent).chance, expect(frame, stayed, known, agent).chance)


@pytest.mark.parametrize(("n", "agents"), [(150, 10), (2_400, 4)])
def test_too_few_calls_or_agents_are_refused_with_a_sentence(n: int, agents: int) -> None:
    frame, stayed, _, agent = calls(n=n, agents=agents)
    with pytest.raises(NotEnoughData, match="at least 200 rows"):
        expect(frame, stayed, np.ones(n, bool), agent)
