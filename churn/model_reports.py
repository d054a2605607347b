"""What the models page reads and does: versions with what was measured of them, drift, the trial; promotion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import psycopg
from psycopg.rows import class_row, dict_row

from churn import gateway, registry
from churn.core.drift import grade
from churn.core.grants import Session
from churn.core.trial import Arm
from churn.db import Database
from churn.queries import query

DRIFT = [
    "column_name", "is_score", "measured_on", "psi", "names", "shares_then", "shares_now", "customers_then",
    "customers_now",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a model, or the refusal to make one. `is_own`: whoever reads this made it."""

    model_version: int
    kind: str
    status: str
    data_as_of: datetime
    horizon_days: int | None
    metrics: Mapping[str, Any]
    libraries: Mapping[str, str]
    refusal: str | None
    created_at: datetime
    created_by: str
    promoted_at: datetime | None
    promoted_by: str | None
    is_own: bool = False

    @property
    def held_out(self) -> Mapping[str, Any]:
        """What customers it had not seen say of it; empty for what was trained before this was kept."""
        return self.metrics.get("held_out") or {}

    @property
    def can_be_loaded(self) -> bool:
        """Whether the libraries installed here are those it was made with."""
        return self.libraries == registry.installed()


@dataclass(frozen=True, slots=True)
class Trial:
    """The arms of the trial, of calls settled `window_days` after them."""

    arms: tuple[Arm, ...]
    window_days: int
    as_of: datetime


def versions(connection: psycopg.Connection, kind: str, me: str) -> list[Version]:
    """The newest 50 versions of a kind, newest first; `me`: the key of who reads."""
    with connection.cursor(row_factory=class_row(Version)) as cursor:
        return cursor.execute(query("model_reports", "versions"), {"kind": kind, "me": me}).fetchall()


def drift_now(connection: psycopg.Connection, model_version: int) -> pd.DataFrame:
    """A row a column learned from, the most moved first, the chances before all; with `grade`.

    Before the first night `psi` is NaN and `grade` empty.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("model_reports", "drift_now"), {"model_version": model_version}).fetchall()
    frame = pd.DataFrame(rows, columns=DRIFT).astype({"psi": float})
    return frame.assign(grade=["" if math.isnan(psi) else grade(psi) for psi in frame["psi"]])


def drift_by_day(connection: psycopg.Connection, model_version: int) -> pd.DataFrame:
    """measured_on, score_psi, worst_psi."""
    rows = connection.execute(query("model_reports", "drift_by_day"), {"model_version": model_version}).fetchall()
    return pd.DataFrame(rows, columns=["measured_on", "score_psi", "worst_psi"])


def months(connection: psycopg.Connection) -> pd.DataFrame:
    """month, horizon_days, model_version, customers, expected, happened: of risk, once a horizon is over."""
    columns = ["month", "horizon_days", "model_version", "customers", "expected", "happened"]
    return pd.DataFrame(connection.execute(query("model_reports", "months")).fetchall(), columns=columns)


def trial(connection: psycopg.Connection) -> Trial | None:
    """What drawing by lot came to; None while nothing drawn has settled."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("model_reports", "arms")).fetchall()
    if not rows:
        return None
    return Trial(tuple(gateway.record(Arm, row) for row in rows), rows[0]["window_days"], rows[0]["as_of"])


def promote(database: Database, me: Session, model_version: int, reason: str) -> None:
    """Put a model into use. Raises NoSuchModelToUse, ModelInUse, OwnModel, PromotionUnexplained, RoleMayNot."""
    gateway.act(database, me, "model_reports", "promote", {"model_version": model_version, "reason": reason})
