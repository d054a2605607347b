"""What money brought: held against the truth of simulated companies, and silent when it must be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.core.finance.givers import expected_amounts, givers
from churn.core.finance.incremental import MEASURED, MISSING, MODELLED, incremental_return
from churn.core.finance.likeness import likeness
from churn.core.refusals import NotEnoughData
from tests.core.spend_worlds import recorded, settled


def calls(n: int, *, lift: float, p_nothing: float | None, seed: int = 3, share: float = 0.7) -> pd.DataFrame:
    """Calls of people alike; money lifts the chance of staying from a half by `lift`. £20 each, worth £300."""
    rng = np.random.default_rng(seed)
    got = rng.random(n) < share
    return pd.DataFrame(
        {
            "amount": np.where(got, 20.0, 0.0), "intended_amount": 20.0, "worth": 300.0,
            "monthly_bill": rng.normal(40, 8, n),
            "stayed": (rng.random(n) < 0.5 + lift * got).astype(float),
            "p_nothing": np.nan if p_nothing is None else p_nothing,
        }
    )  # fmt: skip


def test_a_trial_is_measured_and_everything_else_modelled() -> None:
    measured = incremental_return(calls(4_000, lift=0.2, p_nothing=0.3))
    assert measured.label == MEASURED
    assert measured.spent == 20 * measured.given
    assert measured.net is not None
    assert measured.margin is not None
    assert measured.net.middle == measured.margin.middle - measured.spent
    modelled = incremental_return(calls(4_000, lift=0.2, p_nothing=None))
    assert modelled.label == MODELLED
    assert modelled.deadweight is not None
    assert modelled.deadweight.low < 0.5 < modelled.deadweight.high


def test_nine_of_ten_intervals_hold_the_truth() -> None:
    inside = 0
    for seed in range(100):
        told = incremental_return(calls(700, lift=0.2, p_nothing=0.3, seed=seed))
        assert told.margin is not None
        inside += told.margin.low <= 0.2 * 300 * told.given <= told.margin.high
    assert 83 <= inside <= 97


def test_the_companys_own_records_say_what_its_money_brought() -> None:
    """By the calls money was meant for and there was none; a log without these says nothing."""
    world = recorded(1, customers=4_000)
    told = incremental_return(world.log)
    assert told.label == MODELLED
    assert told.margin is not None
    assert told.kept is not None
    assert told.deadweight is not None
    assert told.margin.low <= world.margin <= told.margin.high
    assert told.kept.low <= world.kept <= told.kept.high
    assert told.deadweight.low <= world.deadweight <= told.deadweight.high
    gone = (world.log["amount"] == 0) & (world.log["intended_amount"] > 0)
    assert incremental_return(world.log[~gone]).label == MISSING


def test_arms_that_were_not_drawn_as_logged_measure_nothing() -> None:
    """A log that says half got nothing when three in ten did is no trial."""
    assert incremental_return(calls(2_000, lift=0.2, p_nothing=0.5)).label == MODELLED


def test_who_was_never_meant_to_get_money_says_nothing_of_those_who_were() -> None:
    """The sure ones are never offered anything: compared with them, money would look harmful."""
    log = calls(2_000, lift=0.2, p_nothing=0.3)
    sure = log.iloc[:1_000].assign(amount=0.0, intended_amount=0.0, stayed=1.0, p_nothing=np.nan)
    with_them, without = incremental_return(pd.concat([log, sure], ignore_index=True)), incremental_return(log)
    assert with_them == without


@pytest.mark.parametrize(
    ("n", "share", "said"),
    [
        (60, 1.0, "60 calls with money are settled, 100 are needed; 0 settled calls show"),
        (300, 1.0, "0 settled calls show what happens without it"),
        (0, 0.5, "0 calls with money"),
    ],
)
def test_too_little_is_said_with_what_is_missing(n: int, share: float, said: str) -> None:
    told = incremental_return(calls(n, lift=0.2, p_nothing=None, share=share))
    assert (told.label, told.margin, told.net, told.per_unit) == (MISSING, None, None, None)
    assert said in told.missing


def test_a_return_is_the_same_whatever_the_order_of_names_and_twice() -> None:
    log = calls(600, lift=0.1, p_nothing=None)
    assert incremental_return(log) == incremental_return(log[sorted(log.columns)])


@pytest.mark.parametrize(("held_out", "label"), [(0.3, MEASURED), (0.0, MODELLED)])
def test_the_truth_of_simulated_companies_lies_within_the_interval(held_out: float, label: str) -> None:
    """Four small companies; bench_spend does twenty of a usual size."""
    inside = 0
    for seed in range(1, 5):
        world = settled(seed, customers=2_500, held_out=held_out)
        told = incremental_return(world.log)
        assert told.label == label
        assert told.margin is not None
        inside += told.margin.low <= world.margin <= told.margin.high
    assert inside >= 3


def test_givers_are_told_apart_from_easy_callers() -> None:
    """Agent 0 gives £8 more than anybody to the same callers; agent 1 has the callers with large bills."""
    rng = np.random.default_rng(4)
    agents = np.repeat([f"A{k}" for k in range(12)], 120).astype(object)
    bill = rng.normal(40, 8, len(agents)) + 30 * (agents == "A1")
    amounts = (0.4 * bill + rng.normal(0, 5, len(agents)) + 8 * (agents == "A0")).clip(0)
    context = pd.DataFrame({"monthly_bill": bill, "noise": rng.normal(size=len(agents))})
    _, names, places = givers(amounts, expected_amounts(context, amounts, agents), agents)
    zones = dict(zip(names, (place.zone for place in places), strict=True))
    assert zones["A0"] == "above"
    assert zones["A1"] == "inside"
    shrunk = dict(zip(names, (place.shrunk for place in places), strict=True))
    assert 4 < shrunk["A0"] < 8.5


def test_few_calls_tell_nobody_apart() -> None:
    with pytest.raises(NotEnoughData):
        expected_amounts(pd.DataFrame({"x": np.zeros(50)}), np.ones(50), np.array(["A"] * 50, object))


def test_unlike_amounts_for_like_cases_are_found_and_like_ones_are_not() -> None:
    """Site B gives £6 more for the same facts; regions differ in their customers only, not in what they are given."""
    rng = np.random.default_rng(8)
    n = 900
    bill = rng.choice([20.0, 60.0], n)
    facts = pd.DataFrame({"plan": "P", "reason": "moved", "tenure_months": 12.0, "monthly_bill": bill, "worth": 300.0})
    site = rng.choice(["A", "B"], n).astype(object)
    region = np.where((bill > 40) == (rng.random(n) < 0.8), "dear", "cheap").astype(object)
    amounts = bill / 2 + 6.0 * (site == "B") + rng.normal(0, 3, n)
    found = {(one.cut, one.value): one for one in likeness(facts, amounts, {"team": site, "region": region})}
    assert found["all", "all"].cases == n
    assert found["team", "B"].low > 0
    assert found["team", "B"].above == pytest.approx(6.0, abs=1.0)
    assert found["team", "A"].high < 0
    assert found["region", "dear"].low < 0 < found["region", "dear"].high


def test_nothing_is_said_of_groups_that_name_people_or_of_few_cases() -> None:
    n = 200
    facts = pd.DataFrame(
        {"plan": "P", "reason": "r", "tenure_months": 1.0, "monthly_bill": 1.0, "worth": 1.0}, index=range(n)
    )
    names = np.array([f"person {k}" for k in range(n)], object)
    assert [one.cut for one in likeness(facts, np.zeros(n), {"name": names})] == ["all"]
    assert likeness(facts.iloc[:20], np.zeros(20), {}) == []
