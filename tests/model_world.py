"""Versions of models as training would register them, without training."""

from __future__ import annotations

import hashlib
import pickle
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from psycopg.types.json import Jsonb

from churn import registry
from churn.core.trust.model_judgement import judgement
from tests.ledger_world import NOON


def judged(seed: int = 5, rows: int = 900) -> dict[str, Any]:
    """Figures of a model on customers it had not seen, from known chances."""
    rng = np.random.default_rng(seed)
    true = rng.beta(2, 10, rows)
    outcome = (rng.uniform(size=rows) < true).astype(int)
    columns = pd.DataFrame({"segment": rng.choice(["home", "work"], rows), "tenure_months": rng.uniform(0, 120, rows)})
    return judgement(outcome, true, columns)


METRICS = judged() | {"judged_on": "the newest horizon", "rivalry": None}
LANDMARK = {
    "landmark": 12, "ahead": 6, "seen": 300, "left": 30, "predicted": 0.11, "observed": 0.1, "low": 0.07, "high": 0.14,
}  # fmt: skip
HELD_OUT = {"rows": 225, "landmarks": [LANDMARK]}
NIGHTS: dict[str, dict[str, Any]] = {
    "risk": METRICS,
    "survival": {"rows": 900, "left": 90, "data_ends_at_months": 60.0, "held_out": HELD_OUT},
    "why": {
        "rows": 700, "log_loss": 1.9, "log_loss_of_the_rate": 2.1, "first_is_right": 0.4, "usual_is_right": 0.3,
        "calibration": [{"chance": 0.4, "rate": 0.5, "rows": 100.0}],
        "held_out": {"log_loss_gain": 0.2, "log_loss_gain_error": 0.01},
    },
    "effect": {
        "calls": 500, "offers": 200, "randomised": 10, "stayed": 0.6, "typical_amount": 20.0,
        "naive_difference": 0.03, "adjusted_difference": 0.1,
    },
    "escalation": METRICS,
}  # fmt: skip


def version(
    owner: psycopg.Connection,
    *,
    kind: str = "risk",
    metrics: dict[str, Any],
    status: str = "candidate",
    by: str = "job",
) -> int:
    """A registered version; its number."""
    artifact = pickle.dumps("no model", protocol=5)
    row = owner.execute(
        "INSERT INTO desk.model_versions (kind, status, data_as_of, horizon_days, metrics, libraries, artifact, "
        "sha256, created_by) VALUES (%s, %s, %s, 90, %s, %s, %s, %s, %s) RETURNING model_version",
        [kind, status, NOON, Jsonb(metrics), Jsonb(registry.installed()), artifact,
         hashlib.sha256(artifact).hexdigest(), by],
    ).fetchone()  # fmt: skip
    assert row is not None
    return int(row[0])


def bins(owner: psycopg.Connection, number: int, *, drifted: str = "monthly_price", steady: str = "region") -> None:
    """Bins of two columns and the chances, and one night that measured them."""
    for name, is_score, psi, now in ((drifted, False, 0.6, [0.1, 0.9]), (steady, False, 0.01, [0.5, 0.5]),
                                     ("chance", True, 0.0, [0.5, 0.5])):  # fmt: skip
        owner.execute(
            "INSERT INTO desk.model_bins VALUES (%s, %s, %s, NULL, '{a,b}', '{0.5,0.5}', 999)",
            [number, is_score, name],
        )
        owner.execute(
            "INSERT INTO desk.model_drift VALUES (%s, %s, %s, %s, %s, %s, 900)",
            [number, is_score, name, NOON.date(), psi, now],
        )
