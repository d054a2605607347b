"""Worth: equal to the sum by hand, monotone, with an interval that holds it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.leaving.worth import Margin, clv, discounts, expected_months, monthly_margin, months_until_half, worth

hazards = st.lists(st.floats(0.0, 0.6), min_size=1, max_size=36)
margins = st.floats(0.0, 500.0)
rates = st.floats(0.0, 0.5)


def curve(steps: list[float]) -> np.ndarray:
    return np.exp(-np.cumsum(steps))[None, :]


def known(amount: float, se: float = 0.0) -> Margin:
    return Margin(np.array([amount]), np.array([se]), np.array([False]))


def test_worth_is_the_sum_by_hand():
    survival = np.array([[0.9, 0.8, 0.7], [1.0, 1.0, 1.0]])
    by_hand = [20 * (0.9 / 1.21 ** (1 / 12) + 0.8 / 1.21 ** (2 / 12)), 5 * (1.21 ** (-1 / 12) + 1.21 ** (-2 / 12))]
    assert clv([20.0, 5.0], survival, horizon_months=2, annual_rate=0.21) == pytest.approx(by_hand)


@given(margins, hazards, rates)
def test_worth_equals_its_terms_added_one_by_one(margin, steps, rate):
    survival = curve(steps)
    terms = sum(margin * s * (1 + rate) ** (-(t + 1) / 12) for t, s in enumerate(survival[0]))
    assert clv(margin, survival, horizon_months=len(steps), annual_rate=rate)[0] == pytest.approx(terms)


@given(margins, margins, hazards, rates)
def test_more_margin_is_never_worth_less(one, other, steps, rate):
    terms = {"horizon_months": len(steps), "annual_rate": rate}
    assert clv(min(one, other), curve(steps), **terms) <= clv(max(one, other), curve(steps), **terms)


@given(margins, hazards, st.floats(0.0, 1.0), rates)
def test_better_survival_is_never_worth_less(margin, steps, share, rate):
    terms = {"horizon_months": len(steps), "annual_rate": rate}
    loyal = curve([share * step for step in steps])
    assert clv(margin, curve(steps), **terms) <= clv(margin, loyal, **terms) * (1 + 1e-12)


@given(margins, hazards)
def test_no_horizon_is_worth_nothing(margin, steps):
    assert clv(margin, curve(steps), horizon_months=0, annual_rate=0.1).tolist() == [0.0]
    assert expected_months(curve(steps), 0).tolist() == [0.0]


@given(st.floats(-100.0, 500.0), st.floats(0.0, 50.0), hazards, st.floats(1.0, 3.0), rates)
def test_the_interval_holds_the_worth(margin, se, steps, reach, rate):
    band = curve([step * reach for step in steps]), curve([step / reach for step in steps])
    got = worth(known(margin, se), curve(steps), band, horizon_months=len(steps), annual_rate=rate)
    assert got.low[0] <= got.clv[0] <= got.high[0]
    wider = worth(known(margin, se + 1), curve(steps), band, horizon_months=len(steps), annual_rate=rate)
    assert wider.low[0] <= got.low[0]
    assert got.high[0] <= wider.high[0]


def test_the_two_uncertainties_add_as_squares():
    survival, band = np.array([[0.5]]), (np.array([[0.4]]), np.array([[0.7]]))
    got = worth(known(100.0, 10.0), survival, band, horizon_months=1, annual_rate=0.0, level=0.9)
    money = 1.6448536 * 10 * 0.5
    assert got.clv[0] == pytest.approx(50)
    assert got.low[0] == pytest.approx(50 - np.hypot(10, money))
    assert got.high[0] == pytest.approx(50 + np.hypot(20, money))


def test_the_share_beyond_the_data_is_said():
    flat = np.ones((2, 4))
    margin = Margin(np.ones(2), np.zeros(2), np.zeros(2, dtype=bool))
    got = worth(margin, flat, (flat, flat), horizon_months=4, annual_rate=0.0, months_known=np.array([3.5, 9.0]))
    assert got.share_beyond_data == pytest.approx([0.25, 0.0])


def test_an_unknown_margin_is_a_share_of_the_price_and_flagged():
    got = monthly_margin([12.0, np.nan], [40.0, 50.0], margin_rate=0.4, margin_rate_se=0.1, margin_se=1.0)
    assert got.amount.tolist() == [12.0, 20.0]
    assert got.se.tolist() == [1.0, 5.0]
    assert got.is_assumed.tolist() == [False, True]
    assert monthly_margin(None, [50.0], margin_rate=0.4, margin_rate_se=0.0).is_assumed.all()


def test_neither_margin_nor_price_is_no_worth_rather_than_zero():
    margin = monthly_margin([np.nan], [np.nan], margin_rate=0.4, margin_rate_se=0.0)
    ones = np.ones((1, 2))
    assert np.isnan(worth(margin, ones, (ones, ones), horizon_months=2, annual_rate=0.1).clv).all()


def test_arguments_out_of_range_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="share of the price"):
        monthly_margin(None, [1.0], margin_rate=40, margin_rate_se=0.0)
    with pytest.raises(ValueError, match="discount rate"):
        discounts(3, -1.0)
    with pytest.raises(ValueError, match="each of the 3 months"):
        clv(1.0, np.ones((1, 2)), horizon_months=3, annual_rate=0.1)


def test_expected_months_are_the_area_under_the_curve_up_to_the_horizon():
    assert expected_months(np.array([[1.0, 1.0, 1.0], [0.5, 0.0, 0.0]]), 2).tolist() == [2.0, 1.0]


@given(hazards)
def test_expected_months_never_pass_the_horizon(steps):
    assert 0 <= expected_months(curve(steps), len(steps))[0] <= len(steps)


def test_half_are_gone_at_the_month_where_the_curve_crosses_one_half():
    curves = np.array([[0.8, 0.5, 0.4], [0.25, 0.2, 0.1], [0.9, 0.8, 0.6]])
    assert months_until_half(curves) == [pytest.approx(2.0), pytest.approx(0.5), None]


def test_half_are_gone_is_not_said_beyond_the_data():
    assert months_until_half(np.array([[0.8, 0.5], [0.8, 0.5]]), months_known=np.array([1.9, 2.0])) == [None, 2.0]
