"""Choosing an amount and the price of budget, on numbers small enough to do by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from churn.core.effects.pricing import (
    break_even,
    ceiling_rung,
    choose_rung,
    day_headroom,
    net_value,
    opening_rung,
    price_of_budget,
    within_headroom,
)

P = np.array([[0.5, 0.6, 0.7]])
COST = np.array([0.0, 10.0, 40.0])


def test_net_value_pays_the_amount_only_if_they_stay_and_the_handling_anyway():
    assert_allclose(net_value(P, [100.0], COST, handling=2.0), [[50.0, 0.6 * 90 - 2, 0.7 * 60 - 2]])


def test_each_caller_may_have_costs_of_their_own():
    assert_allclose(net_value(np.full((2, 2), 0.5), [100.0, 10.0], [[0, 20], [0, 2]]), [[50, 40], [5, 4]])


def test_giving_the_break_even_cost_is_worth_as_much_as_giving_nothing():
    cost = break_even([0.5], [0.6], [100.0], handling=2.0)
    assert_allclose(cost, [(0.1 * 100 - 2) / 0.6])
    value = net_value([[0.5, 0.6]], [100.0], np.column_stack([[0.0], cost]), handling=2.0)
    assert value[0, 0] == pytest.approx(value[0, 1])


def test_an_offer_that_drives_them_away_breaks_even_at_nothing():
    assert_array_equal(break_even([0.6], [0.5], [100.0]), [0.0])


def test_the_best_rung_is_chosen_and_the_smaller_of_two_equal_ones():
    assert_array_equal(choose_rung([[1, 3, 3], [5, 2, 1]], np.zeros((2, 3))), [1, 0])


def test_a_price_of_budget_moves_the_choice_down():
    net, spend = np.array([[0.0, 6.0, 8.0]]), np.array([[0.0, 5.0, 10.0]])
    assert [int(choose_rung(net, spend, price)[0]) for price in (0.0, 0.5, 1.0, 1.3)] == [2, 1, 1, 0]


def test_a_rung_that_is_not_allowed_is_never_chosen_and_no_offer_always_is():
    net = np.array([[0.0, 6.0, 8.0]])
    assert_array_equal(choose_rung(net, np.zeros((1, 3)), allowed=[False, True, False]), [1])
    assert_array_equal(choose_rung(net, np.zeros((1, 3)), allowed=[False, False, False]), [0])


def test_budget_is_free_when_there_is_enough_and_priceless_when_there_is_none():
    net, spend = np.array([[0.0, 6.0]]), np.array([[0.0, 5.0]])
    assert price_of_budget(net, spend, left=50.0, calls_expected=10) == 0.0
    assert price_of_budget(net, spend, left=0.0, calls_expected=10) == math.inf
    assert price_of_budget(net, spend, left=-3.0, calls_expected=10) == math.inf
    assert price_of_budget(net, spend, left=0.0, calls_expected=0) == 0.0
    assert price_of_budget(np.zeros((0, 2)), np.zeros((0, 2)), left=1.0, calls_expected=10) == 0.0


def test_the_price_is_what_the_last_pound_earns():
    net = np.array([[0.0, 20.0], [0.0, 10.0], [0.0, 5.0]])  # 2, 1 and 0.5 earned for each pound
    spend = np.tile([0.0, 10.0], (3, 1))
    assert price_of_budget(net, spend, left=20.0, calls_expected=3) == pytest.approx(0.5, abs=1e-3)
    assert price_of_budget(net, spend, left=10.0, calls_expected=3) == pytest.approx(1.0, abs=1e-3)


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite"):
        price_of_budget([[0.0, math.nan]], [[0.0, 1.0]], left=1.0, calls_expected=1)


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), left=st.floats(0.5, 500), calls=st.integers(1, 100))
def test_at_its_price_the_calls_to_come_do_not_spend_more_than_is_left(seed, left, calls):
    rng = np.random.default_rng(seed)
    p = np.sort(rng.random((30, 5)), axis=1)
    cost = np.array([0.0, 5.0, 10.0, 20.0, 40.0])
    net, spend = net_value(p, rng.uniform(10, 500, 30), cost), p * cost
    price = price_of_budget(net, spend, left=left, calls_expected=calls)
    chosen = choose_rung(net, spend, price)
    assert calls * spend[np.arange(30), chosen].mean() <= left + 1e-9
    more = price_of_budget(net, spend, left=2 * left, calls_expected=calls)
    assert more <= price


@given(st.floats(0, 1e4), st.floats(-1e4, 1e4), st.floats(0, 1e4), st.floats(0.01, 1))
def test_a_day_never_takes_more_than_is_left_than_its_share_or_less_than_nothing(budget, left, spent, share):
    room = day_headroom(budget=budget, left=left, spent_today=spent, day_share=share)
    assert 0 <= room <= max(left, 0.0)
    assert room + spent <= max(share * budget, spent) + 1e-6


def test_a_day_may_take_its_share_of_the_month():
    assert day_headroom(budget=1000.0, left=900.0, spent_today=40.0, day_share=0.1) == 60.0
    with pytest.raises(ValueError, match="share of the month"):
        day_headroom(budget=1.0, left=1.0, spent_today=0.0, day_share=0.0)


def test_an_amount_fits_the_headroom_whole_or_not_at_all():
    assert_array_equal(within_headroom([0.0, 10.0, 10.01], 10.0), [True, True, False])
    assert_array_equal(within_headroom([0.0, 0.5], -5.0), [True, False])


def test_the_opening_is_the_smallest_rung_nearly_as_good_as_the_target_or_the_ask():
    value = [0.0, 5.0, 9.6, 10.0, 4.0]
    assert opening_rung(value, 3) == 2
    assert opening_rung(value, 3, tolerance=0.0) == 3
    assert opening_rung(value, 3, asked=1) == 1
    assert opening_rung(value, 0) == 0


def test_the_ceiling_is_the_last_rung_worth_as_much_as_no_offer():
    assert ceiling_rung([2.0, 5.0, 2.0, 1.9]) == 2
    assert ceiling_rung([2.0, 1.0, 0.0]) == 0
