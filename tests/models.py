"""Tiny models fitted once a run: enough signal to tell callers apart, small enough to fit in seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np

from churn.core import features
from churn.core.calls.why import LikelyWhy
from churn.core.leaving.fitted import Fitted
from churn.core.leaving.risk import ChurnRisk
from churn.core.staying.survival import TenureCurve

LEARNED = ("unresolved_90d", "monthly_price", "plan", "paperless")
LASTING = ("monthly_price", "plan")


def row(**values: Any) -> dict[str, Any]:
    """One row as `features.sql` gives it."""
    blank = dict.fromkeys((*features.BY_NAME, *(group.name for group in features.GROUPS)))
    usual = {
        "customer_id": "A1", "as_of": datetime(2026, 11, 15, 12, tzinfo=UTC), "tenure_months": 24.0,
        "live_subscriptions": 1, "plan": "Fibre 500", "monthly_price": 41.0, "unresolved_90d": 0, "attributes": {},
    }  # fmt: skip
    return blank | usual | values


def rows(n: int, seed: int = 1) -> list[dict[str, Any]]:
    """Customers that differ in what the tiny models read."""
    rng = np.random.default_rng(seed)
    return [
        row(
            customer_id=f"B{i:04}",
            tenure_months=float(rng.uniform(0, 60)),
            unresolved_90d=int(rng.poisson(0.6)),
            monthly_price=float(rng.integers(20, 60)),
            monthly_margin=float(rng.integers(8, 30)) if i % 2 else None,
            plan=str(rng.choice(["Fibre 500", "Copper"])),
            attributes={"paperless": bool(rng.integers(2))},
        )
        for i in range(n)
    ]


@cache
def risk_model() -> Fitted[ChurnRisk]:
    """Unresolved contacts and a copper line raise the risk."""
    known, rng = rows(240), np.random.default_rng(2)
    logit = np.array([1.3 * one["unresolved_90d"] + 1.2 * (one["plan"] == "Copper") - 2.2 for one in known])
    left = (rng.uniform(size=len(known)) < 1 / (1 + np.exp(-logit))).astype(int)
    return Fitted(ChurnRisk().fit(features.frame(known, LEARNED), left), LEARNED, shift=-0.4)


@cache
def curve() -> Fitted[TenureCurve]:
    """Copper customers leave twice as fast; nobody is seen beyond 60 months."""
    known, rng = rows(240, seed=3), np.random.default_rng(4)
    pace = np.array([25.0 if one["plan"] == "Copper" else 50.0 for one in known])
    life = rng.exponential(pace)
    return Fitted(TenureCurve().fit(features.frame(known, LASTING), 0.0, np.minimum(life, 60.0), life < 60.0), LASTING)


@cache
def why_model() -> Fitted[LikelyWhy]:
    """Unresolved contacts tell faults; the rest is bills."""
    known = rows(320, seed=5)
    reasons = ["fault" if one["unresolved_90d"] else "bill" for one in known]
    return Fitted(LikelyWhy().fit(features.frame(known, LEARNED), reasons), LEARNED)
