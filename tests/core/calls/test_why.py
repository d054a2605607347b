"""Likely why: chances that sum to one, rare reasons together, and no model out of too little."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from churn.core.calls.why import LikelyWhy
from churn.core.refusals import NotEnoughData


def contacts(n: int, seed: int = 1) -> tuple[pd.DataFrame, list[str]]:
    """Rows where the bill tells bill contacts and the plan faults; one in ten is about anything."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "bill_change": rng.normal(0, 5, n).round(),
            "plan": rng.choice(["fibre", "copper", None], n),
            "empty": [None] * n,
        }
    )
    told = np.where(frame["bill_change"] > 1, "bill", np.where(frame["plan"] == "copper", "fault", "move"))
    return frame, np.where(rng.uniform(size=n) < 0.1, rng.choice(["bill", "fault", "move"], n), told).tolist()


@pytest.fixture(scope="module")
def model() -> LikelyWhy:
    return LikelyWhy().fit(*contacts(360))


def test_chances_sum_to_one_and_one_caller_is_scored_as_many_are(model: LikelyWhy) -> None:
    frame, _ = contacts(12, seed=2)
    chances = model.chances(frame)
    assert chances.sum(axis=1).to_numpy() == pytest.approx(np.ones(12))
    for i, row in enumerate(frame.to_dict("records")):
        assert {one.reason: one.chance for one in model.rank(row)} == pytest.approx(chances.iloc[i].to_dict())


def test_the_likeliest_reason_comes_first(model: LikelyWhy) -> None:
    ranked = model.rank({"bill_change": 9.0, "plan": "fibre", "empty": None})
    assert ranked[0].reason == "bill"
    assert [one.chance for one in ranked] == sorted((one.chance for one in ranked), reverse=True)


def test_contacts_not_seen_are_told_better_than_by_base_rates(model: LikelyWhy) -> None:
    frame, reasons = contacts(200, seed=3)
    chances = model.chances(frame)
    base = np.tile([model.usual_[name] for name in chances.columns], (200, 1))
    names = list(chances.columns)
    assert log_loss(reasons, chances, labels=names) < 0.7 * log_loss(reasons, base, labels=names)


def test_values_never_seen_and_missing_ones_still_give_chances(model: LikelyWhy) -> None:
    ranked = model.rank({"bill_change": None, "plan": "satellite", "empty": "new"})
    assert sum(one.chance for one in ranked) == pytest.approx(1.0)


def test_rare_reasons_are_one_class() -> None:
    frame, reasons = contacts(360)
    rare = ["porting", "refund", "spam"] * 10  # ten each
    made = LikelyWhy().fit(frame, rare + reasons[30:])
    assert set(made.usual_) == {"bill", "fault", "move", "other"}
    assert made.usual_["other"] == pytest.approx(30 / 360)
    assert sum(made.usual_.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("n", "reasons"),
    [(299, ["bill", "fault"]), (300, ["bill"]), (300, ["bill"] * 11 + ["fault"])],
)
def test_too_little_is_refused_with_what_is_needed(n: int, reasons: list[str]) -> None:
    frame, _ = contacts(n)
    with pytest.raises(NotEnoughData, match="300"):
        LikelyWhy().fit(frame, (reasons * n)[:n])


def test_the_same_seed_gives_the_same_model(model: LikelyWhy) -> None:
    again = LikelyWhy().fit(*contacts(360))
    frame, _ = contacts(10, seed=5)
    pd.testing.assert_frame_equal(again.chances(frame), model.chances(frame))
