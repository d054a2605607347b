"""What policy cuts off, read off a receipt."""

from __future__ import annotations

from typing import Any

import pytest

from churn.core.trends.forbidden import Cut, cut_of


def receipt(kind: str = "policy_ceiling", allowed: int = 2_000, **changes: Any) -> dict[str, Any]:
    """A caller worth £1,000 whose chance of staying rises from 50 % to 60 % at £40 and no further."""
    limit = {"kind": kind, "amount": allowed, "reason": "No more than this."}
    curve = {"values": [0.0, 20.0, 40.0, 60.0], "p": [0.5, 0.55, 0.6, 0.6]}
    held = {
        "inputs": {"curve": curve, "worth": {"amount": 100_000, "low": 80_000, "high": 120_000}},
        "bounds": {"fix": [], "bill_credit": [limit]},
        "say_yes": {"limit": limit, "amount": allowed},
    }
    return held | changes


def test_the_best_amount_is_above_what_policy_allows() -> None:
    """0.5·1000 = 500, 0.55·980 = 539, 0.6·960 = 576, 0.6·940 = 564: £40 is best."""
    assert cut_of(receipt(), "GBP") == Cut(
        "policy_ceiling", "No more than this.", "bill_credit", 2_000, 4_000, False, 100_000
    )


def test_where_the_curve_ends_before_its_best_the_best_is_at_least_its_end() -> None:
    held = receipt()
    held["inputs"]["curve"] = {"values": [0.0, 20.0], "p": [0.5, 0.55]}
    found = cut_of(held, "GBP")
    assert found is not None
    assert (found.best, found.is_at_least) == (2_000, True)


@pytest.mark.parametrize("kind", ["budget", "authority", "economic_ceiling", "fee", "pace"])
def test_other_limits_are_not_policys(kind: str) -> None:
    assert cut_of(receipt(kind), "GBP") is None


def test_nothing_is_cut_where_more_would_not_pay() -> None:
    assert cut_of(receipt(allowed=4_000), "GBP") is None
    assert cut_of(receipt(allowed=6_000), "GBP") is None


@pytest.mark.parametrize(
    "changes",
    [{"inputs": {"curve": None, "worth": {"amount": 1}}}, {"inputs": {}}, {"say_yes": {"limit": None}}, {"bounds": {}}],
)
def test_without_a_model_or_a_limit_nothing_is_said(changes: dict[str, Any]) -> None:
    assert cut_of(receipt(**changes), "GBP") is None
