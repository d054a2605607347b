"""Intervals, calibration, groups and comparisons against values worked out by hand or by other libraries."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from churn.core.leaving.judge import judge
from churn.core.trust.model_judgement import against, auc, by_group, judgement, lift, recalibration


def drawn(seed: int, rows: int = 2_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.beta(2, 8, rows)
    return (rng.uniform(size=rows) < true).astype(int), true


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    outcome, chance = np.array([1, 0, 1, 0, 0]), np.array([0.9, 0.5, 0.5, 0.2, 0.6])
    pairs = [(p > q) + 0.5 * (p == q) for p, q in itertools.product(chance[outcome == 1], chance[outcome == 0])]
    assert auc(outcome, chance)["auc"] == pytest.approx(np.mean(pairs))


def test_the_interval_of_the_area_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(400):
        left, stayed = rng.normal(1, 1, 40), rng.normal(0, 1, 160)
        found = auc(np.repeat([1, 0], [40, 160]), np.concatenate([left, stayed]))
        inside += found["low"] <= 0.7602499 <= found["high"]  # Φ(1/√2)
    assert 0.92 <= inside / 400 <= 0.98


def test_the_error_of_the_area_is_delongs_by_hand() -> None:
    outcome, chance = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.5, 0.2, 0.3])
    above, below = np.array([1.0, 2 / 3]), np.array([0.5, 1.0, 1.0])
    by_hand = np.sqrt(above.var(ddof=1) / 2 + below.var(ddof=1) / 3)
    assert auc(outcome, chance)["error"] == pytest.approx(by_hand)


def test_right_chances_need_no_shift_and_no_slope() -> None:
    found = recalibration(*drawn(4, 20_000))
    assert found["intercept_low"] < 0 < found["intercept_high"]
    assert found["slope_low"] < 1 < found["slope_high"]


def test_shift_and_slope_undo_what_was_done_to_the_chances() -> None:
    outcome, true = drawn(4, 20_000)
    assert recalibration(outcome, expit(logit(true) - 0.7))["intercept"] == pytest.approx(0.7, abs=0.06)
    assert recalibration(outcome, expit(2 * logit(true)))["slope"] == pytest.approx(0.5, abs=0.03)


def test_the_slope_is_that_of_a_plain_logistic_regression() -> None:
    outcome, chance = drawn(9)
    other = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(chance)[:, None], outcome)
    assert recalibration(outcome, chance)["slope"] == pytest.approx(other.coef_[0, 0], rel=1e-4)


def test_one_chance_for_all_has_no_slope() -> None:
    found = recalibration(np.repeat([1, 0], [20, 80]), np.full(100, 0.2))
    assert (found["slope"], found["observed_to_expected"]) == (None, pytest.approx(1.0))
    assert found["intercept"] == pytest.approx(0, abs=1e-5)


def test_gains_by_tenths() -> None:
    outcome = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0])
    rows = lift(outcome, np.linspace(0.9, 0.1, 10))
    assert [row["captured"] for row in rows][:4] == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1])
    assert rows[0]["lift"] == pytest.approx(10 / 3)
    assert rows[-1] == {"share": 1, "captured": pytest.approx(1), "lift": pytest.approx(1)}


def test_groups_are_judged_as_everybody_is_and_small_ones_left_out() -> None:
    outcome, chance = drawn(1)
    columns = pd.DataFrame(
        {"segment": ["home"] * 1_500 + ["work"] * 460 + ["few"] * 40, "tenure_months": [6.0] * 1_000 + [30.0] * 1_000}
    )
    found = {(row["cut"], row["value"]): row for row in by_group(outcome, chance, columns)}
    assert set(found) == {
        ("segment", "home"), ("segment", "work"), ("tenure", "0 to 1 years"), ("tenure", "2 to 4 years"),
    }  # fmt: skip
    home, alone = found["segment", "home"], judge(outcome[:1_500], chance[:1_500])
    assert [home[name] for name in ("rows", "left", "rate", "auc")] == [
        pytest.approx(alone[name]) for name in ("rows", "left", "rate", "auc")
    ]
    assert home["log_loss"] == pytest.approx(alone["log_loss"])


def test_a_challenger_that_says_the_same_gains_nothing_and_a_better_one_does() -> None:
    outcome, true = drawn(6)
    assert against(outcome, true, true)["gain"] == 0
    better = against(outcome, expit(2 * logit(true)), true)
    assert better["gain"] == pytest.approx(better["champion_log_loss"] - better["challenger_log_loss"])
    assert better["gain_in_errors"] > 5
    assert against(outcome, true, expit(2 * logit(true)))["gain"] == pytest.approx(-better["gain"])


def test_what_the_judge_says_stays_and_the_gain_is_on_the_usual_rate() -> None:
    outcome, chance = drawn(3)
    made = judgement(outcome, chance)
    assert {name: made[name] for name in judge(outcome, chance)} == judge(outcome, chance)
    held = made["held_out"]
    assert held["log_loss_gain"] == pytest.approx(made["log_loss_of_the_rate"] - made["log_loss"])
    assert held["empc"] >= held["empc_without"] >= 0
