"""The mechanism of callers: what must hold of the truth before anything is measured against it."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy.special import logit

from churn.simulation.callers import (
    KINDS,
    World,
    agent_amount,
    draw_agents,
    draw_callers,
    draw_log,
    p_stay,
    p_stay_at,
    randomise,
    tidy,
)

AMOUNTS = np.array([0.0, 1.0, 5.0, 20.0, 60.0, 200.0])


@pytest.fixture(scope="module")
def callers():
    rng = np.random.default_rng(0)
    n = 4000
    price, fault = rng.random(n) < 0.5, rng.random(n) < 0.5
    return draw_callers(
        rng,
        base_logit=rng.normal(0.5, 1, n),
        monthly_bill=np.full(n, 40.0),
        worth=np.full(n, 400.0),
        price_reason=price,
        fault_ours=fault,
        tenure_months=rng.uniform(1, 100, n),
        overpaying=0.3,
    )


def test_every_chance_is_a_chance_and_money_never_hurts_once_there_is_some(callers):
    p = p_stay(callers, AMOUNTS)
    assert p.shape == (4000, 6)
    assert p.min() > 0
    assert p.max() < 1
    assert (np.diff(p[:, 1:], axis=1) >= 0).all()


def test_all_four_kinds_exist_and_only_sleeping_dogs_leave_because_they_were_offered(callers):
    p = p_stay(callers, AMOUNTS)
    dog = callers.kind == KINDS.index("sleeping_dog")
    assert set(callers.kind) == {0, 1, 2, 3}
    assert (p[dog, 1] < p[dog, 0]).all()
    assert (p[~dog, 1] >= p[~dog, 0]).all()


def test_money_moves_persuadables_far_more_than_sure_things_and_lost_causes(callers):
    gain = np.diff(p_stay(callers, np.array([0.0, 60.0])), axis=1)[:, 0]
    by_kind = pd.Series(gain).groupby(callers.kind).mean()
    assert by_kind[0] > 0.2
    assert by_kind[1] < 0.1
    assert by_kind[2] < 0.2
    assert by_kind[3] < 0


def test_a_fix_helps_where_something_is_broken_and_a_lever_never_hurts(callers):
    none, fix = p_stay(callers, AMOUNTS), p_stay(callers, AMOUNTS, lever="fix")
    size = p_stay(callers, AMOUNTS, lever="right_size")
    assert (fix >= none).all()
    assert (size >= none).all()
    assert np.median(logit(fix[:, 0]) - logit(none[:, 0])) > 0.1


def test_each_caller_can_be_asked_at_an_amount_of_their_own(callers):
    own = np.where(np.arange(4000) % 2 == 0, 0.0, 20.0)
    table = p_stay(callers, AMOUNTS)
    assert_array_equal(p_stay_at(callers, own), np.where(own == 0, table[:, 0], table[:, 3]))


def test_taking_rows_keeps_their_truth(callers):
    assert_array_equal(p_stay(callers.take([3, 1]), AMOUNTS), p_stay(callers, AMOUNTS)[[3, 1]])


def test_people_say_tidy_amounts():
    assert_array_equal(tidy([2.4, 2.6, 12.0, 48.0, 63.0, 66.0]), [0.0, 5.0, 10.0, 50.0, 60.0, 70.0])


def test_agents_give_more_to_the_serious_within_their_authority(callers):
    rng = np.random.default_rng(1)
    agents = draw_agents(rng, n_agents=20, n_months=3)
    who, month = rng.integers(0, 20, 4000), rng.integers(0, 3, 4000)
    given = agent_amount(rng, agents, who, callers, cap=60.0, month=month)
    assert given.min() == 0
    assert given.max() == 60
    assert given[callers.seriousness > 1].mean() > 2 * given[callers.seriousness < -1].mean()
    deaf = agent_amount(rng, agents, who, callers, cap=60.0, month=month, confounding=0.0)
    assert abs(np.corrcoef(deaf, callers.seriousness)[0, 1]) < 0.05


def test_the_propensity_of_a_randomised_amount_is_its_share_of_the_rungs():
    intended = np.repeat([0.0, 20.0, 50.0], 3000)
    amount, propensity = randomise(np.random.default_rng(2), intended, 50.0, share=1.0)
    at = pd.DataFrame({"i": intended, "a": amount, "p": propensity})
    assert at.groupby(["i", "a"]).p.first().round(4).to_dict() == {
        (0.0, 0.0): 0.6667, (0.0, 5.0): 0.3333,
        (20.0, 15.0): 0.3333, (20.0, 20.0): 0.3333, (20.0, 25.0): 0.3333,
        (50.0, 45.0): 0.3333, (50.0, 50.0): 0.6667,
    }  # fmt: skip
    untouched, none = randomise(np.random.default_rng(2), intended, 50.0, share=0.0)
    assert_array_equal(untouched, intended)
    assert np.isnan(none).all()


def test_the_log_keeps_its_columns_its_gaps_and_its_budgets():
    log, truth = draw_log(3, 3000)
    named = ["amount", "stayed", "monthly_bill", "agent_id", "given_month", "intended_amount", "propensity"]
    assert set(named) < set(log.columns)
    assert log.tenure_months.isna().any()
    assert log.fault.isna().any()
    spent = (log.amount * log.stayed).groupby([truth.team, truth.month]).sum().unstack().to_numpy()
    assert (spent <= truth.budget + 1e-9).all()
    assert (log.amount <= truth.cap).all()
    assert 0 < log.propensity.notna().mean() < 0.1


def test_the_same_seed_draws_the_same_log():
    pd.testing.assert_frame_equal(draw_log(4, 200)[0], draw_log(4, 200)[0])


def test_where_agents_are_much_alike_the_naive_reading_of_the_log_has_the_wrong_sign():
    log, truth = draw_log(5, 20_000, World(trial_share=0.0, spread=0.1))
    given = log[log.amount > 0]
    large = given.amount > given.amount.median()
    assert given.stayed[large].mean() < given.stayed[~large].mean()
    true = p_stay(truth.callers, np.array([given.amount[~large].mean(), given.amount[large].mean()])).mean(axis=0)
    assert true[1] > true[0] + 0.05
