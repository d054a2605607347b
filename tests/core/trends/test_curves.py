"""Curves and tests from survival tables are lifelines' own from the customers, late entry included."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test

from churn.core.trends.curves import Table, at_risk_on, curve, known_until, log_rank

Lives = tuple[np.ndarray, np.ndarray, np.ndarray]


def lives(seed: int, size: int = 400, *, late: bool = True, longest: int = 300) -> Lives:
    """Days of entry, of the last sight, and whether that was leaving; many on the same days."""
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, longest, size) * (rng.random(size) < 0.6) if late else np.zeros(size, int)
    return entry, entry + rng.integers(1, longest, size), rng.random(size) < 0.5


def lifelines_curve(entry: np.ndarray, leave: np.ndarray, event: np.ndarray) -> KaplanMeierFitter:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tails nobody is at risk in
        return KaplanMeierFitter().fit(leave, event, entry=entry)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_curve_is_lifelines_own(seed: int, late: bool) -> None:
    frame = lives(seed, late=late)
    theirs, ours = lifelines_curve(*frame), curve(Table.from_lives(*frame))
    days = theirs.survival_function_.index.to_numpy()
    np.testing.assert_allclose(ours.at(days), theirs.survival_function_["KM_estimate"], atol=1e-12)
    inside = (ours.staying > 0) & (ours.staying < 1)
    interval = theirs.confidence_interval_survival_function_.loc[ours.day[inside]].to_numpy()
    np.testing.assert_allclose(np.column_stack([ours.low, ours.high])[inside], interval, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 9), st.booleans()), max_size=40))
def test_the_curve_is_lifelines_own_however_few_and_tied(rows: list[tuple[int, int, bool]]) -> None:
    rows = [*rows, (0, 40, False)]  # lifelines refuses data in which at times nobody is at risk
    entry, length, event = (np.array(column) for column in zip(*rows, strict=True))
    found = lifelines_curve(entry, entry + length, event).survival_function_["KM_estimate"]
    ours = curve(Table.from_lives(entry, entry + length, event))
    np.testing.assert_allclose(ours.at(found.index.to_numpy()), found, atol=1e-12)


@pytest.mark.parametrize("groups", [2, 3, 5])
def test_the_log_rank_test_is_lifelines_own(groups: int) -> None:
    entry, leave, event = lives(groups, 600, late=False)
    group = np.random.default_rng(9).integers(0, groups, len(leave))
    leave = leave + 40 * group
    theirs = multivariate_logrank_test(leave, group, event)
    tables = {str(g): Table.from_lives(entry[group == g], leave[group == g], event[group == g]) for g in range(groups)}
    ours = log_rank(tables)
    assert ours is not None
    assert ours.freedom == groups - 1
    assert ours.statistic == pytest.approx(theirs.test_statistic, rel=1e-9)
    assert ours.p_value == pytest.approx(theirs.p_value, rel=1e-7)


def test_with_late_entry_the_log_rank_test_is_the_score_test_of_lifelines_cox_model() -> None:
    """Without ties log-rank is Cox's score test, which a Cox model near no effect gives by its likelihood ratio."""
    rng = np.random.default_rng(3)
    size = 4_000
    group = rng.integers(0, 2, size)
    entry = rng.permutation(size) * 10
    leave = entry + 1 + rng.permutation(size) * 10 + 3  # no two on one day
    event = rng.random(size) < 0.7
    tables = {str(g): Table.from_lives(entry[group == g], leave[group == g], event[group == g]) for g in (0, 1)}
    ours = log_rank(tables)
    frame = pd.DataFrame({"group": group, "entry": entry, "leave": leave, "event": event})
    cox = CoxPHFitter().fit(frame, "leave", "event", entry_col="entry")
    assert ours is not None
    assert ours.statistic == pytest.approx(cox.log_likelihood_ratio_test().test_statistic, rel=0.02, abs=0.005)


def test_log_rank_counts_who_was_expected_to_leave() -> None:
    tables = {"a": Table.from_lives([0, 0], [1, 3], [1, 1]), "b": Table.from_lives([0, 0], [2, 4], [1, 0])}
    ours = log_rank(tables)
    assert ours is not None
    assert ours.observed == {"a": 2.0, "b": 1.0}
    assert ours.expected == pytest.approx({"a": 2 / 4 + 1 / 3 + 1 / 2, "b": 2 / 4 + 2 / 3 + 1 / 2})


def test_late_entrants_are_not_at_risk_before_they_come() -> None:
    table = Table.from_lives([0, 0, 40, 40], [10, 60, 50, 60], [1, 0, 1, 0])
    assert dict(zip(table.day.tolist(), table.at_risk.tolist(), strict=True)) == {0: 2, 10: 2, 40: 1, 50: 3, 60: 2}
    assert curve(table).staying.tolist() == pytest.approx([1, 1 / 2, 1 / 2, 1 / 3, 1 / 3])
    assert at_risk_on(table, [0, 9, 10, 40, 60]) == [2, 2, 1, 3, 0]
    assert known_until(table, 3) == 50
    assert known_until(table, 4) == -1


def test_too_few_groups_or_nobody_who_left_is_no_test() -> None:
    assert log_rank({"a": Table.from_lives([0], [5], [1])}) is None
    assert log_rank({"a": Table.from_lives([0], [5], [0]), "b": Table.from_lives([0], [5], [0])}) is None


@pytest.mark.parametrize(
    "columns", [([0, 0], [1, 0], [0, 0], [0, 1]), ([0, 1], [2, 0], [0, 1], [0, 1]), ([0], [1, 1], [0], [1])]
)
def test_what_is_no_survival_table_is_refused(columns: tuple[list[int], ...]) -> None:
    with pytest.raises(ValueError, match="survival table"):
        Table.of(*columns)
