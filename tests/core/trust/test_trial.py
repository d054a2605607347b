"""Arms of the trial: what was drawn, weighted by its chance; too few calls say how many are needed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.core.trust.trial import arms, needed


def log(amount: list[float], meant: list[float], chance: list[float], stayed: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"amount": amount, "intended_amount": meant, "propensity": chance, "stayed": stayed})


def test_how_many_calls_five_points_need() -> None:
    assert needed(0.7) == 1_319  # 2 · 0.21 · ((1.95996 + 0.84162) / 0.05)²
    assert needed(0.7, 0.1) == 330


def test_only_what_was_drawn_counts_in_its_arm() -> None:
    found = arms(log([20, 15, 0, 25, 30], [20, 20, 20, 20, 30], [0.5, 0.25, 0.25, 0.25, np.nan], [1, 0, 0, 1, 1]))
    assert [(arm.arm, arm.calls, arm.amount, arm.stayed) for arm in found] == [
        ("nothing", 1, 0, 0), ("less", 1, 15, 0), ("as meant", 1, 20, 1), ("more", 1, 25, 1),
    ]  # fmt: skip
    assert all(arm.lift is None and arm.needed == needed(0.5) for arm in found)


def test_calls_are_weighted_by_what_their_chance_leaves_out() -> None:
    (arm,) = arms(log([20, 20, 20], [20, 20, 20], [0.5, 0.25, 0.25], [1, 0, 1]))
    assert arm.stayed == pytest.approx((2 + 4) / (2 + 4 + 4))


def test_nothing_drawn_is_no_arm() -> None:
    assert arms(log([20.0], [20.0], [np.nan], [1])) == []


def test_a_planted_lift_is_covered_as_often_as_said() -> None:
    inside = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        pick = rng.integers(0, 3, 6_000)
        stayed = rng.uniform(size=6_000) < np.array([0.6, 0.66, 0.7])[pick]
        held = log(list(np.array([15.0, 20.0, 25.0])[pick]), [20.0] * 6_000, [1 / 3] * 6_000, list(stayed.astype(int)))
        less = next(arm for arm in arms(held) if arm.arm == "less")
        assert less.low is not None
        assert less.high is not None
        inside += less.low <= -0.06 <= less.high
    assert inside >= 90
