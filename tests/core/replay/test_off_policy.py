"""What another policy would have come to, against worlds whose truth is known by construction."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from churn.core.replay.off_policy import BANDS, CLIP, Judged, band_chances, band_of, judge
from churn.core.replay.policy_replay import FRONTIER_CALLS, happened, play, replay, thinned
from churn.core.replay.replay_calls import Calls, Logged
from tests.bench.bench_replay import DRAFTS, _row, lived, logged, prepared

BILL = 40.0


def drawn(seed: int, n: int = 4000, wrong: float = 0.0) -> tuple[Logged, np.ndarray]:
    """Amounts drawn alike from £0, £8, £16, £30; who stays by a known chance, by which the model is `wrong`."""
    rng = np.random.default_rng(seed)
    given = rng.choice([0.0, 8.0, 16.0, 30.0], n)
    truth = chance(given)
    chances = np.zeros((n, BANDS))
    chances[:, [0, 1, 2, 3]] = 0.25
    return Logged(
        amount=given,
        stayed=(rng.random(n) < truth).astype(float),
        expected=(truth + wrong).clip(0, 1),
        usual=np.zeros((n, 2)),
        band_chance=chances,
        propensity=np.full(n, np.nan),
    ), given


def chance(amount: np.ndarray) -> np.ndarray:
    return 0.5 + 0.01 * amount


def judged(log: Logged, amount: float, wrong: float = 0.0) -> Judged:
    n = len(log.amount)
    return judge(log, np.full(n, BILL), np.full(n, amount), np.full(n, chance(np.array(amount)) + wrong))


def test_bands_begin_above_their_edges() -> None:
    amounts = np.array([0.0, 0.01, 10.0, 10.01, 20.0, 40.0, 80.0, 80.01])
    assert band_of(amounts, np.full(8, BILL)).tolist() == [0, 1, 1, 2, 2, 3, 4, 5]


def test_a_model_that_is_wrong_is_set_right_by_what_happened() -> None:
    log, _ = drawn(1, wrong=0.1)
    naive = len(log.amount) * 0.76
    found = judged(log, 16.0, wrong=0.1).total(np.ones(len(log.amount)))
    assert found.low <= 4000 * 0.66 <= found.high < naive
    assert found.effective == pytest.approx((log.amount == 16.0).sum())


def test_nobody_given_as_much_leaves_the_model_s_opinion_and_says_so() -> None:
    log, _ = drawn(2)
    found = judged(log, 45.0).total(np.ones(len(log.amount)))
    assert (found.effective, found.is_enough) == (0.0, False)


def test_no_call_counts_for_more_than_the_clip() -> None:
    log, given = drawn(3)
    rare = replace(log, band_chance=np.where(np.arange(BANDS) == 2, 1e-4, log.band_chance))
    held = judged(rare, 16.0)
    same = given == 16.0
    assert np.abs(held.surprise[~same]).max() == 0.0
    assert np.abs(held.surprise[same]).max() <= len(given) / same.sum() + 1e-9
    assert CLIP * same.sum() > len(given)


def test_a_known_draw_is_never_taken_for_less_likely_than_it_was() -> None:
    log, given = drawn(4)
    known = replace(log, propensity=np.where(np.arange(4000) % 2 == 0, 0.5, np.nan))
    same = given == 16.0
    held = np.abs(judged(known, 16.0).surprise / (log.stayed - log.expected))
    drawn_in_trial, not_drawn = held[same & (np.arange(4000) % 2 == 0)], held[same & (np.arange(4000) % 2 == 1)]
    assert drawn_in_trial == pytest.approx(drawn_in_trial[0])
    assert not_drawn == pytest.approx(2 * drawn_in_trial[0])


def test_nine_in_ten_intervals_hold_what_then_happens() -> None:
    held = 0
    for seed in range(200):
        log, given = drawn(seed, n=800, wrong=0.03)
        rng = np.random.default_rng(seed + 10_000)
        happens = np.where(given == 16.0, log.stayed, rng.random(800) < chance(np.array(16.0))).sum()
        found = judged(log, 16.0, wrong=0.03).total(np.ones(800))
        held += found.low <= happens <= found.high
    assert 0.85 <= held / 200 <= 0.96


def test_chances_of_bands_are_those_of_like_calls() -> None:
    rng = np.random.default_rng(5)
    context = rng.normal(size=(6000, 2))
    band = np.where(rng.random(6000) < 1 / (1 + np.exp(-context[:, 0])), 2, 0)
    found = band_chances(context, np.zeros(6000), band)
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert np.abs(found[:, 2] - 1 / (1 + np.exp(-context[:, 0]))).mean() < 0.02
    assert found[:, [1, 3, 4, 5]].max() == 0.0


def test_one_band_alone_is_certain() -> None:
    assert band_chances(np.zeros((3, 1)), np.zeros(3), np.array([4, 4, 4]))[:, 4].tolist() == [1.0, 1.0, 1.0]


# a simulated company --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def company() -> tuple:
    """A small company by its habit, with the calls of its last three months."""
    made, log = logged(6_000, 3)
    calls, effect = prepared(log)
    since = int(log["day"].max()) - 92
    start = int(np.searchsorted(log["day"].to_numpy(), since))
    return made, log, effect, since, calls.part(start, len(calls))


@pytest.mark.parametrize("name", list(DRAFTS))
def test_a_replay_holds_what_the_company_then_does_under_the_draft(company: tuple, name: str) -> None:
    made, log, effect, since, calls = company
    played = play(DRAFTS[name], calls)
    spend, kept = lived(made, log, DRAFTS[name], effect, since)
    assert _row("spend", played.spend(level=0.99), spend)["spend_in"]
    assert _row("saves", played.saves(level=0.99), kept)["saves_in"]
    assert math.isfinite(played.margin().total)


def test_a_dearer_policy_spends_more_and_its_frontier_spends_less_as_money_grows_dear(company: tuple) -> None:
    *_, calls = company
    found = replay(DRAFTS["at most £80, never under £20"], DRAFTS["at most £15"], calls)
    assert found.today is not None
    assert found.draft.spend().total > found.today.spend().total
    for _, line in found.frontier.groupby("policy"):
        assert line["spend"].is_monotonic_decreasing
    assert found.happened == happened(calls)


def test_thinned_calls_are_every_other_one(company: tuple) -> None:
    calls: Calls = company[-1]
    half = thinned(calls, 2)
    assert len(half) == -(-len(calls) // 2) < FRONTIER_CALLS
    assert half.worth.tolist() == calls.worth[::2].tolist()
    assert half.logged.amount.tolist() == calls.logged.amount[::2].tolist()
