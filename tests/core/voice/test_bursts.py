"""Bursts on made-up weeks whose truth is known: exact tails, levels, and what is found and what is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom, poisson

from churn.core.voice import bursts

DAYS = bursts.HISTORY
REASONS = ("fault", "billing", "account", "payment", "price", "usage", "upgrade", "move", "cancel")
LEVELS = np.array([100.0, 60.0, 40.0, 30.0, 20.0, 25.0, 25.0, 20.0, 20.0])
WEEK = np.array([1.3, 1.2, 1.1, 1.0, 1.0, 0.6, 0.4])


def weeks(seed: int = 1, days: int = DAYS, times: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(days, reasons) Poisson counts with a weekday pattern, and the weekdays; the last day is a Thursday, the mean
    day.
    """
    weekdays = (np.arange(days) - days + 4) % 7
    rng = np.random.default_rng(seed)
    return rng.poisson(times * LEVELS * WEEK[weekdays][:, None]), weekdays


def keys(*parts: str) -> bursts.Keys:
    names = (*REASONS, *parts)
    return bursts.Keys(
        names,
        np.array([n.split("|", maxsplit=1)[0] for n in names], dtype=object),
        np.array(["|" not in n for n in names]),
    )


def none(counts: np.ndarray) -> np.ndarray:
    return np.zeros(counts.shape, dtype=bool)


def test_the_tail_is_scipys_at_both_ends() -> None:
    found = bursts.tail(np.array([8, 8]), np.array([5.0, 5.0]), np.array([1.0, 2.0]))
    assert found[0] == pytest.approx(poisson.sf(7, 5.0))
    assert found[1] == pytest.approx(nbinom.sf(7, 5.0, 0.5))  # mean 5, variance 10


def test_a_bank_holiday_halves_the_day_and_moves_no_reasons_level() -> None:
    counts, weekdays = weeks()
    counts[30] = np.round(LEVELS * WEEK[weekdays[30]] * 0.35)
    sizes = bursts.day_sizes(counts, weekdays)
    same = np.flatnonzero(weekdays == weekdays[30])
    assert sizes[30] / np.mean(sizes[same[same != 30]]) == pytest.approx(0.35, abs=0.04)


def test_one_reason_bursting_leaves_the_days_size_alone() -> None:
    counts, weekdays = weeks()
    before = bursts.day_sizes(counts, weekdays)[30]
    counts[30, 1] *= 4
    assert bursts.day_sizes(counts, weekdays)[30] == pytest.approx(before, rel=0.08)


def test_the_weighted_median_of_equal_weights_is_the_median() -> None:
    values = np.array([[5.0, 1.0, 3.0], [2.0, 2.0, 9.0]])
    assert bursts.weighted_median(values, np.ones(3)).tolist() == [3.0, 2.0]


def test_a_reason_twice_its_usual_is_found_and_the_others_are_not() -> None:
    counts, weekdays = weeks()
    counts[-1, 2] *= 2
    night = bursts.look(counts, weekdays, keys(), none(counts), level=0.01)
    assert np.flatnonzero(night.found).tolist() == [2]
    assert night.expected[2] == pytest.approx(40 * 1.0, rel=0.15)
    assert night.days[2] == 1


def test_a_rise_within_the_margin_is_no_burst_however_large_the_centre() -> None:
    counts, weekdays = weeks(times=500)
    counts[-1, 0] = round(float(counts[-1, 0]) * 1.10)
    assert not bursts.look(counts, weekdays, keys(), none(counts), level=0.05).found.any()
    counts[-1, 0] *= 2
    assert bursts.look(counts, weekdays, keys(), none(counts), level=0.05).found[0]


def test_a_slow_rise_is_found_on_its_second_day_with_both() -> None:
    counts, weekdays = weeks(seed=3)
    counts[-2:, 4] = [38, 40]  # of about 20
    night = bursts.look(counts, weekdays, keys(), none(counts), level=0.01)
    assert (night.found[4], night.days[4]) == (True, 2)


def test_a_burst_that_was_found_stays_out_of_the_level_and_goes_on() -> None:
    counts, weekdays = weeks()
    counts[-6:, 2] *= 3
    known = none(counts)
    known[-6:-1, 2] = True
    night = bursts.look(counts, weekdays, keys(), known, level=0.01)
    assert night.expected[2] == pytest.approx(40, rel=0.15)
    assert (night.found[2], night.goes_on[2]) == (False, True)  # followed, not found anew


def test_what_lasts_four_weeks_is_the_new_usual() -> None:
    counts, weekdays = weeks()
    counts[-bursts.LONGEST - 1 :, 2] *= 3
    known = none(counts)
    known[-bursts.LONGEST - 1 : -1, 2] = True
    assert not bursts.look(counts, weekdays, keys(), known, level=0.01).goes_on[2]


def test_where_all_of_a_reason_rises_no_part_is_news() -> None:
    counts, weekdays = weeks()
    rng = np.random.default_rng(5)
    north = rng.binomial(counts[:, 0], 0.4)
    counts = np.column_stack([counts, north, counts[:, 0] - north])
    counts[-1, [0, 9, 10]] *= 2
    found = bursts.look(counts, weekdays, keys("fault|region|N", "fault|region|S"), none(counts), level=0.01).found
    assert np.flatnonzero(found).tolist() == [0]


def test_a_burst_in_one_region_is_found_there() -> None:
    counts, weekdays = weeks()
    rng = np.random.default_rng(5)
    north = rng.binomial(counts[:, 0], 0.1)
    counts = np.column_stack([counts, north, counts[:, 0] - north])
    counts[-1, [0, 9]] += 30
    found = bursts.look(counts, weekdays, keys("fault|region|N", "fault|region|S"), none(counts), level=0.01).found
    assert found[9]
    assert not found[10]


def test_fewer_than_ten_contacts_are_never_a_burst() -> None:
    counts, weekdays = weeks()
    counts = np.column_stack([counts, np.zeros(len(counts), dtype=int)])
    counts[-1, 9] = 9
    rare = bursts.Keys((*REASONS, "rare"), np.array([*REASONS, "rare"], dtype=object), np.ones(10, dtype=bool))
    assert not bursts.look(counts, weekdays, rare, none(counts), level=0.1).found[9]
    counts[-1, 9] = 10
    assert bursts.look(counts, weekdays, rare, none(counts), level=0.1).found[9]


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=30), level=st.floats(0.001, 0.5))
@settings(max_examples=60, deadline=None)
def test_benjamini_hochberg_keeps_its_own_promise(p: list[float], level: float) -> None:
    values = np.array(p)
    found = bursts.found_at(values, level)
    if found.any():
        assert values[found].max() <= level * found.sum() / len(values) + 1e-12
        assert values[~found].min(initial=2.0) > values[found].max() - 1e-12


def test_weights_move_the_level_between_families_and_average_one() -> None:
    family = keys(*(f"fault|region|{k}" for k in range(20)))
    weights = family.weights(np.arange(29))
    assert weights.mean() == pytest.approx(1)
    assert weights[:9].sum() == pytest.approx(weights[9:].sum())
    p = np.full(29, 0.5)
    p[0] = 0.0025
    assert not bursts.found_at(p, 0.05).any()
    assert bursts.found_at(p, 0.05, weights)[0]


def test_the_budget_is_never_overspent() -> None:
    assert bursts.spending(20_000).sum() < 1
    assert sum(bursts.level_of_night(n, []) for n in range(5_000)) <= bursts.RATE / 2


def test_findings_earn_the_next_nights_a_higher_level() -> None:
    assert bursts.level_of_night(50, [40]) > bursts.level_of_night(50, []) * 5
    assert bursts.level_of_night(50, [40]) > bursts.level_of_night(50, [10])


def test_over_a_hundred_quiet_nights_hardly_anything_is_found() -> None:
    """Twenty companies on which nothing happens: any finding is false, and at most one company in ten may have one."""
    companies = 0
    for seed in range(20):
        counts, weekdays = weeks(seed, days=DAYS + 100)
        mask, findings = none(counts), []
        for night in range(100):
            rows = slice(night, night + DAYS)
            level = bursts.level_of_night(night, findings)
            found = bursts.look(counts[rows], weekdays[rows], keys(), mask[rows], level=level)
            mask[night + DAYS - 1] = found.goes_on
            findings += [night] if found.found.any() else []
        companies += bool(findings)
    assert companies <= 2
