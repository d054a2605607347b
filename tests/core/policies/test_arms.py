"""Arms and randomised rungs: the same for ever, and fair."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from churn.core.policies.arms import choose_arm, draw, draw_rung, near_equal

NAN = math.nan


def test_a_draw_is_the_same_for_ever():
    assert draw("spring", "customer 1") == 0.25471084754793194
    assert draw("spring", "customer 2") == 0.22583366753629286
    assert draw("autumn", "customer 1") == 0.4113521804914403
    assert draw("spring", "Zoë") == 0.5676969823025438


def test_draws_are_uniform_over_customers_and_unrelated_between_trials():
    spring = [draw("spring", str(i)) for i in range(20_000)]
    autumn = [draw("autumn", str(i)) for i in range(20_000)]
    assert kstest(spring, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(spring, autumn)[0, 1]) < 0.02


@given(st.text(min_size=1).filter(lambda t: "\n" not in t), st.text())
def test_every_draw_is_at_least_0_and_below_1(trial, key):
    assert 0 <= draw(trial, key) < 1


@pytest.mark.parametrize("name", ["", "two\nlines"])
def test_a_trial_has_a_name_of_one_line(name):
    with pytest.raises(ValueError, match="one line"):
        draw(name, "1")


def test_arms_get_their_shares():
    arms = [choose_arm("spring", str(i), {"as usual": 0.1, "new": 0.6, "none": 0.3}) for i in range(20_000)]
    assert arms.count("as usual") / 20_000 == pytest.approx(0.1, abs=0.01)
    assert arms.count("new") / 20_000 == pytest.approx(0.6, abs=0.01)


def test_widening_the_last_arm_moves_nobody_out_of_it():
    before = {i: choose_arm("t", str(i), {"as usual": 0.9, "new": 0.1}) for i in range(2000)}
    after = {i: choose_arm("t", str(i), {"as usual": 0.5, "new": 0.5}) for i in range(2000)}
    assert all(after[i] == "new" for i in before if before[i] == "new")


def test_an_arm_without_a_share_is_never_chosen():
    assert {choose_arm("t", str(i), {"a": 1.0, "b": 0.0}) for i in range(500)} == {"a"}


@pytest.mark.parametrize("shares", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}])
def test_shares_that_are_no_shares_are_refused(shares):
    with pytest.raises(ValueError, match="sum to 1"):
        choose_arm("t", "1", shares)


def test_near_equal_rungs_lie_within_the_tolerance_of_the_best():
    assert near_equal([0.0, 9.0, 10.0, 9.5, NAN], tolerance=0.5) == (2, 3)
    assert near_equal([NAN, NAN], tolerance=1.0) == ()


def test_the_rung_drawn_has_the_propensity_it_is_logged_with():
    values = [0.0, 9.8, 10.0, 9.9, 3.0]
    shown = [draw_rung("t", str(i), values, tolerance=0.5, share=0.3) for i in range(20_000)]
    for rung, chance in ((1, 0.1), (2, 0.8), (3, 0.1)):
        hits = [d for d in shown if d.rung == rung]
        assert {round(d.propensity, 12) for d in hits} == {chance}
        assert len(hits) / 20_000 == pytest.approx(chance, abs=0.01)
    assert {d.among for d in shown} == {(1, 2, 3)}


def test_with_one_rung_worth_showing_nothing_is_left_to_chance():
    assert draw_rung("t", "1", [0.0, 10.0, 2.0], tolerance=0.5, share=1.0).propensity == 1.0
    assert not draw_rung("t", "1", [0.0, 10.0, 2.0], tolerance=0.5, share=1.0).randomised


def test_of_many_near_equal_rungs_a_few_anchors_and_the_best_are_kept():
    values = [10.0] * 9 + [10.1, 10.0]
    assert draw_rung("t", "1", values, tolerance=1.0, share=1.0, most=4).among == (0, 3, 7, 9, 10)


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12),
    st.floats(0, 50),
    st.floats(0, 1),
    st.text(max_size=5),
)
def test_only_near_equal_rungs_are_ever_shown_and_their_chances_sum_to_1(values, tolerance, share, key):
    shown = draw_rung("t", key, values, tolerance=tolerance, share=share)
    assert values[shown.rung] >= max(values) - tolerance
    assert 0 < shown.propensity <= 1
    best = max(range(len(values)), key=lambda i: (values[i], -i))
    each = [share / len(shown.among) + (1 - share) * (r == best) for r in shown.among]
    assert sum(each) == pytest.approx(1.0)


@pytest.mark.parametrize("wrong", [{"share": 1.1}, {"share": -0.1}, {"share": 0.5, "most": 1}])
def test_a_share_outside_0_to_1_or_one_anchor_is_refused(wrong):
    with pytest.raises(ValueError, match="at least two rungs"):
        draw_rung("t", "1", [1.0], **{"tolerance": 0.1, **wrong})


def test_rungs_without_any_value_are_refused():
    with pytest.raises(ValueError, match="no rung"):
        draw_rung("t", "1", [NAN], tolerance=0.1, share=0.5)
