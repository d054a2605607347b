"""The judge's figures against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn.core.leaving.judge import calibration, judge

OUTCOME = np.array([1, 0, 1, 0, 0, 0, 0, 0, 0, 0])
CHANCE = np.array([0.8, 0.6, 0.5, 0.4, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1])


def test_every_figure_is_the_one_by_hand() -> None:
    made = judge(OUTCOME, CHANCE)
    assert (made["rows"], made["left"], made["rate"]) == (10, 2, 0.2)
    assert made["auc"] == pytest.approx(15 / 16)  # one of 2 × 8 pairs is the wrong way round
    kept = np.log([0.8, 0.4, 0.5, 0.6, 0.8] + [0.9] * 5).sum()
    assert made["log_loss"] == pytest.approx(-kept / 10)
    assert made["log_loss_of_the_rate"] == pytest.approx(-(0.2 * np.log(0.2) + 0.8 * np.log(0.8)))
    assert made["brier"] == pytest.approx((0.04 + 0.36 + 0.25 + 0.16 + 0.04 + 5 * 0.01) / 10)
    assert made["lift_top_decile"] == pytest.approx(1 / 0.2)
    assert made["calibration_error"] == pytest.approx((0.2 + 0.6 + 0.5 + 0.4 + 0.2 + 5 * 0.1) / 10)


def test_a_perfect_and_a_reversed_order() -> None:
    assert judge(OUTCOME, OUTCOME * 0.8 + 0.1)["auc"] == 1.0
    assert judge(OUTCOME, 0.9 - OUTCOME * 0.8)["auc"] == 0.0


def test_one_chance_for_all_has_no_lift_and_no_error_whatever_the_order_of_rows() -> None:
    outcome = np.repeat([1, 0], [20, 80])
    made = judge(outcome, np.full(100, 0.2))
    assert (made["auc"], made["lift_top_decile"]) == (0.5, pytest.approx(1.0))
    assert made["calibration_error"] == pytest.approx(0.0)


@settings(max_examples=10)
@given(st.permutations(range(10)))
def test_no_figure_depends_on_the_order_of_the_rows(order: list[int]) -> None:
    one, other = judge(OUTCOME, CHANCE), judge(OUTCOME[order], CHANCE[order])
    assert {k: v for k, v in other.items() if k != "calibration"} == {
        k: pytest.approx(v) for k, v in one.items() if k != "calibration"
    }


def test_groups_are_equal_ordered_and_cover_everybody() -> None:
    rng = np.random.default_rng(1)
    chance = rng.uniform(size=103)
    groups = calibration((rng.uniform(size=103) < chance).astype(int), chance)
    assert [group["rows"] for group in groups] == [11.0] * 3 + [10.0] * 7
    means = [group["chance"] for group in groups]
    assert means == sorted(means)
    assert sum(g["rows"] * g["chance"] for g in groups) == pytest.approx(chance.sum())


def test_fewer_rows_than_groups_give_a_group_each() -> None:
    assert calibration(np.array([0, 1, 0]), np.array([0.3, 0.9, 0.1])) == [
        {"chance": 0.1, "rate": 0.0, "rows": 1.0},
        {"chance": 0.3, "rate": 0.0, "rows": 1.0},
        {"chance": 0.9, "rate": 1.0, "rows": 1.0},
    ]


@pytest.mark.parametrize("outcome", [[0, 0, 0], [1, 1, 1]])
def test_one_outcome_alone_cannot_judge(outcome: list[int]) -> None:
    with pytest.raises(ValueError, match="some left and some stayed"):
        judge(np.array(outcome), np.array([0.1, 0.2, 0.3]))
