"""The effect of a concession: the policy's curve without data, money that never hurts, the truth under confounding."""

import json
import pickle
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from churn.core.effects.context import Encoder, columns_of
from churn.core.effects.control import first_stage
from churn.core.effects.effect import ConcessionEffect, DefaultCurve
from churn.simulation.callers import draw_log, p_stay

AMOUNTS = np.array([0.0, 5.0, 10.0, 20.0, 40.0, 80.0])


@pytest.fixture(scope="module")
def drawn():
    return draw_log(1, 6000)


@pytest.fixture(scope="module")
def model(drawn):
    return ConcessionEffect().fit(drawn[0])


# ---- little or no data ---------------------------------------------------------------------------------------------


def test_the_policys_curve_is_its_formula():
    curve = DefaultCurve(base=0.0, jump=-0.1, slope=1.0)
    p = curve.p_stay([0.0, 1.0], [40.0, 40.0], [0.0, 40.0])
    assert_allclose(p, expit([[0.0, -0.1 + np.log(2)], [1.0, 0.9 + np.log(2)]]))


def test_without_a_log_the_policys_curve_is_the_answer_and_its_interval_is_wide(drawn):
    X = drawn[0].head(4)
    for model in (
        ConcessionEffect(),
        ConcessionEffect().fit(drawn[0].head(0)),
        ConcessionEffect().fit(drawn[0].head(150)),
    ):
        assert_allclose(model.p_stay(X, AMOUNTS), _default(X, AMOUNTS))
        low, high = model.interval(X, AMOUNTS, 0.9)
        assert (high - low > 0.5).all()


def _default(X: pd.DataFrame, amounts: np.ndarray, curve: DefaultCurve = DefaultCurve()) -> np.ndarray:  # noqa: B008
    """The policy's curve as a model without a log gives it: bills as they are."""
    return curve.p_stay(np.full(len(X), curve.base), X.monthly_bill.to_numpy(), amounts)


def test_the_company_brings_its_own_default_curve(drawn):
    curve = DefaultCurve(base=-1.0, jump=0.2, slope=0.5)
    X = drawn[0].head(3)
    assert_allclose(ConcessionEffect(curve).p_stay(X, AMOUNTS), _default(X, AMOUNTS, curve))


def test_more_calls_narrow_the_interval(drawn, model):
    X = drawn[0].head(50)
    few = ConcessionEffect().fit(drawn[0].head(500))
    width = [np.mean(np.subtract(*reversed(m.interval(X, AMOUNTS)))) for m in (ConcessionEffect(), few, model)]
    assert width[0] > width[1] > width[2]


# ---- the truth -----------------------------------------------------------------------------------------------------


def test_under_confounding_the_curve_of_the_population_is_found_where_the_naive_one_is_wrong(drawn, model):
    log, truth = drawn
    true = p_stay(truth.callers, AMOUNTS).mean(axis=0)
    assert_allclose(model.p_stay(log, AMOUNTS).mean(axis=0), true, atol=0.06)
    most, least = log.amount >= 40, (log.amount > 0) & (log.amount <= 10)
    assert log.stayed[most].mean() < log.stayed[least].mean() < true[-1]


def test_the_interval_holds_the_curve_of_the_population(drawn, model):
    log, truth = drawn
    low, high = model.interval(log, AMOUNTS, 0.9)
    true = p_stay(truth.callers, AMOUNTS).mean(axis=0)
    assert (low.mean(axis=0) <= true).all()
    assert (true <= high.mean(axis=0)).all()


def test_a_randomised_log_without_agents_gives_its_curve_back():
    rng = np.random.default_rng(0)
    n = 20_000
    amount = rng.choice([0.0, 20.0, 40.0, 80.0], n)
    p = expit(-0.5 - 0.2 * (amount > 0) + 1.2 * np.log1p(amount / 40))
    log = pd.DataFrame({"amount": amount, "stayed": rng.random(n) < p, "monthly_bill": 40.0, "propensity": 0.25})
    curve = ConcessionEffect().fit(log).p_stay(log.head(1), [0.0, 20.0, 40.0, 80.0])[0]
    assert_allclose(curve, log.groupby("amount").stayed.mean(), atol=0.005)


def test_an_offer_may_drive_callers_away_but_more_money_never_does():
    rng = np.random.default_rng(1)
    n = 8000
    amount = rng.choice([0.0, 10.0, 20.0, 40.0], n)
    p = np.where(amount > 0, 0.5 - 0.003 * amount, 0.8)  # even here money is not believed to hurt
    log = pd.DataFrame({"amount": amount, "stayed": rng.random(n) < p, "monthly_bill": 40.0, "propensity": 0.25})
    curve = ConcessionEffect().fit(log).p_stay(log.head(1), [0.0, 1.0, 10.0, 20.0, 40.0])[0]
    assert curve[1] < curve[0] - 0.2
    assert (np.diff(curve[1:]) >= 0).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5999), st.lists(st.floats(0.01, 500), min_size=2, max_size=8))
def test_chances_are_chances_and_rise_with_money_for_every_caller(drawn_row, amounts):
    model, log = _shared()
    money = np.sort(np.array(amounts))
    p = model.p_stay(log.iloc[[drawn_row]], money)[0]
    low, high = (end[0] for end in model.interval(log.iloc[[drawn_row]], money, 0.8))
    assert (np.diff(p) >= -1e-12).all()
    assert ((low > 0) & (low <= p) & (p <= high) & (high < 1)).all()


_KEPT: list = []


def _shared():
    if not _KEPT:
        log = draw_log(1, 6000)[0]
        _KEPT.extend([ConcessionEffect().fit(log), log])
    return _KEPT


# ---- what comes in -------------------------------------------------------------------------------------------------


def test_amounts_may_differ_by_caller(drawn, model):
    X = drawn[0].head(3)
    own = np.array([[0.0, 5.0], [10.0, 20.0], [40.0, 80.0]])
    table = model.p_stay(X, AMOUNTS)
    assert_allclose(model.p_stay(X, own), [table[0, :2], table[1, 2:4], table[2, 4:]])


def test_gaps_unseen_labels_and_missing_columns_are_answered(drawn, model):
    X = drawn[0].head(5).copy()
    X["region"] = "somewhere new"
    X["tenure_months"] = np.nan
    X["monthly_bill"] = [np.nan, 0.0, -5.0, 30.0, np.inf]
    for frame in (X, X.drop(columns=["contract", "worth"]), X[["monthly_bill"]], X.iloc[:0]):
        p = model.p_stay(frame, AMOUNTS)
        assert p.shape == (len(frame), 6)
        assert np.isfinite(p).all()


def test_a_log_full_of_gaps_and_of_every_type_is_learned_from(drawn):
    log = drawn[0].head(1500).copy()
    rng = np.random.default_rng(2)
    log["since"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 1500), unit="D")
    log["maybe"] = pd.array(rng.choice([True, False], 1500), dtype="boolean")
    log["whole"] = pd.array(rng.integers(0, 9, 1500), dtype="Int64")
    log["empty"], log["same"] = np.nan, 1
    for column in ("since", "maybe", "whole", "stayed", "amount", "agent_id", "given_month", "monthly_bill"):
        log.loc[log.index[rng.random(1500) < 0.1], column] = None
    model = ConcessionEffect().fit(log)
    assert 1100 < model.rows < 1300
    assert np.isfinite(model.p_stay(log, AMOUNTS)).all()


@pytest.mark.parametrize("gone", ["agent_id", "given_month", "intended_amount", "propensity"])
def test_a_log_may_lack_what_was_never_recorded(drawn, gone):
    log = drawn[0].head(1000).drop(columns=[gone])
    assert np.isfinite(ConcessionEffect().fit(log).p_stay(log.head(3), AMOUNTS)).all()


def test_a_log_without_amounts_or_with_negative_ones_is_refused(drawn):
    with pytest.raises(ValueError, match="lacks amount"):
        ConcessionEffect().fit(drawn[0].drop(columns=["amount"]))
    with pytest.raises(ValueError, match="negative"):
        ConcessionEffect().fit(drawn[0].assign(amount=-1.0))


def test_the_gain_of_an_offer_carries_its_own_interval(drawn, model):
    X = drawn[0].head(30)
    gain, low, high = model.gain_interval(model.encode(X), AMOUNTS)
    assert_allclose(gain, model.p_stay(X, AMOUNTS) - model.p_stay(X, [0.0]), atol=1e-12)
    assert_allclose([low[:, 0], high[:, 0]], 0.0, atol=1e-12)
    ends = model.interval(X, AMOUNTS)
    assert (high - low)[:, 1:].mean() < (ends[1] - ends[0])[:, 1:].mean() + (ends[1] - ends[0])[:, 0].mean()
    assert (ConcessionEffect().gain_interval(ConcessionEffect().encode(X), AMOUNTS)[1][:, 1:] < 0).all()


def test_a_level_outside_0_to_1_is_refused(drawn):
    with pytest.raises(ValueError, match="between 0 and 1"):
        ConcessionEffect().interval(drawn[0].head(1), AMOUNTS, 1.0)


# ---- keeping and speed ---------------------------------------------------------------------------------------------


def test_a_model_survives_pickling_and_json_and_the_same_log_gives_the_same_model(drawn, model):
    X = drawn[0].head(20)
    kept = ConcessionEffect.from_params(json.loads(json.dumps(model.to_params())))
    for other in (kept, pickle.loads(pickle.dumps(model)), ConcessionEffect().fit(drawn[0])):  # noqa: S301
        assert_array_equal(other.p_stay(X, AMOUNTS), model.p_stay(X, AMOUNTS))
        assert_allclose(other.interval(X, AMOUNTS), model.interval(X, AMOUNTS), rtol=1e-12)


def test_one_caller_as_plain_values_gets_the_same_curve_as_in_a_table(drawn, model):
    X = drawn[0].iloc[:40]
    for i in range(40):
        values = {c: (None if pd.isna(X[c].iloc[i]) else X[c].iloc[i]) for c in X.columns}
        assert_allclose(model.curve(model.encode(values), AMOUNTS)[0], model.p_stay(X, AMOUNTS)[i])


def test_a_ladder_for_one_caller_takes_under_5_ms_of_cpu(drawn, model):
    values = drawn[0].drop(columns=["amount", "stayed"]).iloc[0].to_dict()
    model.curve(model.encode(values), AMOUNTS)
    start = time.process_time()
    for _ in range(50):
        row = model.encode(values)
        model.curve(row, AMOUNTS)
        model.curve_interval(row, AMOUNTS)
    assert (time.process_time() - start) / 50 < 0.005


# ---- the parts -----------------------------------------------------------------------------------------------------


def test_numbers_become_normal_scores_and_labels_centred_indicators():
    arrays = columns_of(pd.DataFrame({"n": np.exp(np.linspace(-3, 3, 1001)), "l": ["a", "b"] * 500 + ["a"]}))
    encoder = Encoder.fit(arrays)
    linear = encoder.linear(arrays, 1001)
    label, number = linear[:, :2], linear[:, 2]
    assert abs(number.mean()) < 0.01
    assert abs(number[500]) < 0.01
    assert number.std() == pytest.approx(1.0, abs=0.05)
    assert_allclose(label.mean(axis=0), 0.0, atol=1e-9)


def test_the_first_stage_takes_out_leniency_and_leaves_what_was_heard():
    rng = np.random.default_rng(3)
    n = 6000
    agent, heard = rng.integers(0, 30, n), rng.normal(size=n)
    lenient = 0.5 * rng.normal(size=30)
    dose = np.log1p(np.exp(-1.0 + lenient[agent] + 0.5 * heard))
    _, residual = first_stage(np.ones((n, 1)), dose, agent, np.zeros(n, np.int64))
    assert np.corrcoef(residual[:, 1], heard)[0, 1] > 0.99
    assert abs(np.corrcoef(residual[:, 1], lenient[agent])[0, 1]) < 0.02


def test_a_call_whose_intention_is_unknown_says_nothing_about_what_was_heard():
    dose = np.where(np.arange(200) < 20, np.nan, np.linspace(0.1, 1, 200))
    _, residual = first_stage(np.ones((200, 1)), dose, np.full(200, -1), np.full(200, -1))
    assert_array_equal(residual[:20], 0.0)
