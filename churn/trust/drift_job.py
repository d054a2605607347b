"""The nightly look at the models in use: how far today's customers are from those they learned from, and the trial.

Each kind is measured on rows as it was taught on: risk and survival on customers live today, likely-why on the newest
contacts with a reason, escalations on the contacts open now. Effect is not measured: what it learns from settles only
90 days later. At most MOST_MEASURED rows a kind, always the same customers, so that a night costs seconds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from psycopg.rows import dict_row

from churn import db, registry, store
from churn.calls import escalations
from churn.core import features
from churn.core.calls import escalation
from churn.core.calls.saves import WINDOW_DAYS
from churn.core.leaving.fitted import Fitted, rebased
from churn.core.trust import drift
from churn.core.trust.drift import Bins
from churn.core.trust.trial import arms
from churn.progress import Tell
from churn.queries import query
from churn.settings import Settings
from churn.training.calls import MOST_CALLS

Array = np.ndarray[Any, Any]

MOST_MEASURED = 5_000
MEASURED = ("risk", "survival", "why", "escalation")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one night measured."""

    models: int
    columns: int
    drifted: int
    arms: int

    def __str__(self) -> str:
        """One line for whoever ran it."""
        return (
            f"{self.columns:,} columns of {self.models} models against training, {self.drifted:,} drifted; "
            f"{self.arms} arms of the trial"
        )


def measure(settings: Settings, *, progress: Tell) -> Measured:
    """Measure every model in use and the trial, in one transaction. Raises store.NoCompany."""
    with db.connect(settings, "batch") as connection, connection.transaction():
        company = store.company(connection)
        as_of = company.data_until or datetime.now(UTC)
        day = store.local_day(as_of, company.time_zone)
        found: list[drift.Drift] = []
        in_use = {kind: row for kind, row in registry.current(connection).items() if kind in MEASURED}
        for kind, version in in_use.items():
            try:
                model = registry.load(connection, version.model_version)
            except (registry.ModelTampered, registry.ModelOfOtherLibraries) as reason:
                progress(f"drift: {kind} is not measured. {reason}")
                continue
            progress(f"drift: {kind}")
            frame, chance = _today(connection, kind, model, as_of, day)
            found += _compare(connection, version.model_version, day, frame, chance)
        connection.execute(query("model_reports", "forget_drift"), {"measured_on": day})
        progress("drift: the arms of the trial")
        told = _measure_trial(connection, as_of)
    return Measured(len(in_use), len(found), sum(one.grade == "drifted" for one in found), told)


def _today(
    connection: psycopg.Connection, kind: str, model: Fitted[Any], as_of: datetime, day: date
) -> tuple[pd.DataFrame, Array | None]:
    """Today's rows in the columns of a model, and its chances of them where it gives one."""
    if kind == "why":
        newest = store.reasoned_contacts(connection, as_of, MOST_MEASURED)
        rows = store.features(connection, [c for c, _, _ in newest], [at for _, at, _ in newest])
        return features.frame(rows, model.columns), None
    if kind == "escalation":
        contacts = escalations.open_contacts(connection, [as_of], most=MOST_MEASURED)
        rows, contacts = escalations.with_features(connection, contacts) if contacts else ([], [])
        frame = escalation.frame(rows, contacts, model.columns)
    else:
        asked = {"day": day, "most": MOST_MEASURED}
        keys = [row[0] for row in connection.execute(query("model_reports", "some_live"), asked)]
        frame = features.frame(store.features(connection, keys, [as_of] * len(keys)), model.columns)
    if kind == "survival" or frame.empty:
        return frame, None
    return frame, rebased(model.estimator.predict_proba(frame)[:, 1], model.shift)


def _compare(
    connection: psycopg.Connection, model_version: int, day: date, frame: pd.DataFrame, chance: Array | None
) -> list[drift.Drift]:
    """Write down every column's index for the day; none without a row of today."""
    with connection.cursor(row_factory=dict_row) as cursor:
        kept = cursor.execute(query("model_reports", "bins"), {"model_version": model_version}).fetchall()
    about = {"model_version": model_version, "measured_on": day}
    connection.execute(query("model_reports", "clear_drift"), about)
    found = []
    for row in kept if len(frame) else []:
        if row["is_score"] and chance is None:
            continue
        edges = None if row["edges"] is None else tuple(row["edges"])
        bins = Bins(row["column_name"], tuple(row["names"]), tuple(row["shares"]), edges)
        one = drift.compare(bins, pd.Series(chance) if row["is_score"] else frame[bins.column])
        told = {"is_score": row["is_score"], "column_name": one.column, "psi": one.psi, "shares": list(one.shares)}
        connection.execute(query("model_reports", "add_drift"), about | told | {"customers": len(frame)})
        found.append(one)
    return found


def _measure_trial(connection: psycopg.Connection, as_of: datetime) -> int:
    calls = pd.DataFrame(store.retention_log(connection, as_of, WINDOW_DAYS, MOST_CALLS))
    found = arms(calls) if len(calls) else []
    connection.execute(query("model_reports", "clear_arms"))
    for arm in found:
        told = asdict(arm) | {"window_days": WINDOW_DAYS, "as_of": as_of}
        connection.execute(query("model_reports", "add_arm"), told)
    return len(found)
