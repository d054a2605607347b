"""PSI worked out by hand; what moved is found and what did not is not."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from churn.core.trust import drift
from churn.core.trust.drift import LEAST, compare, grade, index, learn


def test_the_index_by_hand() -> None:
    by_hand = (0.3 - 0.5) * math.log(0.3 / 0.5) + (0.7 - 0.5) * math.log(0.7 / 0.5)
    assert index([0.5, 0.5], [0.3, 0.7]) == pytest.approx(by_hand) == pytest.approx(0.16945957)
    assert index([0.2, 0.8], [0.2, 0.8]) == 0
    assert index([0.3, 0.7], [0.5, 0.5]) == pytest.approx(by_hand)  # either way round


def test_an_empty_bin_counts_as_a_ten_thousandth() -> None:
    assert index([1.0, 0.0], [0.9, 0.1]) == pytest.approx(
        (0.9 - 1) * math.log(0.9) + (0.1 - LEAST) * math.log(0.1 / LEAST)
    )


def test_the_thresholds_are_the_usual_ones() -> None:
    assert [grade(psi) for psi in (0.0, 0.0999, 0.1, 0.2499, 0.25, 3.0)] == [
        "steady", "steady", "moved", "moved", "drifted", "drifted",
    ]  # fmt: skip


def test_numbers_fall_into_the_tenths_of_training_and_what_is_missing_apart() -> None:
    values = pd.Series([*map(float, range(1, 101)), np.nan, np.nan])
    bins = learn("price", values)
    assert bins.edges == tuple(float(edge) for edge in range(10, 100, 10))
    assert bins.names[0] == "up to 10"
    assert bins.names[-2:] == ("above 90", "missing")
    assert bins.shares == pytest.approx([10 / 102] * 10 + [2 / 102])
    same = compare(bins, values)
    assert (same.psi, same.grade) == (0, "steady")
    assert compare(bins, values * 2).grade == "drifted"


def test_counts_that_are_mostly_zero_keep_bins_of_their_own() -> None:
    bins = learn("contacts", pd.Series([0] * 80 + [1] * 12 + [2] * 5 + [7] * 3))
    assert bins.names == ("up to 0", "above 0 to 1", "above 1", "missing")
    assert bins.shares == pytest.approx([0.8, 0.12, 0.08, 0])


def test_words_few_customers_have_are_not_named() -> None:
    values = pd.Series(["Wales"] * 50 + ["Kent"] * 40 + ["Zoe's street"] * 3 + [None] * 7)
    bins = learn("region", values)
    assert bins.names == ("wales", "kent", "any other", "missing")
    assert bins.shares == pytest.approx([0.5, 0.4, 0.03, 0.07])
    moved = compare(bins, pd.Series(["Wales"] * 10 + ["Surrey"] * 90))
    assert moved.shares == pytest.approx([0.1, 0, 0.9, 0])
    assert moved.grade == "drifted"


def test_yes_and_no_are_words() -> None:
    bins = learn("app_user", pd.Series([True] * 60 + [False] * 40))
    assert bins.edges is None
    assert compare(bins, pd.Series([True] * 60 + [False] * 40)).psi == 0


def test_another_sample_of_the_same_customers_is_as_far_as_chance() -> None:
    rng = np.random.default_rng(8)
    found = []
    for _ in range(200):
        bins = learn("x", pd.Series(rng.normal(size=2_000)))
        found.append(compare(bins, pd.Series(rng.normal(size=1_000))).psi)
    # The missing bin is empty on both sides, which leaves ten.
    assert np.mean(found) == pytest.approx(drift.chance_alone(10, 2_000, 1_000), rel=0.15)
    assert max(found) < drift.MOVED


def test_nobody_today_is_no_share_anywhere() -> None:
    assert drift.shares(learn("x", pd.Series([1.0, 2.0])), pd.Series([], dtype=float)).tolist() == [0, 0, 0]
