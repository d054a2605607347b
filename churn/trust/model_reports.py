"""What the models page reads and does: versions with what was measured of them, drift, the trial; promotion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import psycopg
from psycopg.rows import class_row, dict_row

from churn import gateway, registry
from churn.core.grants import Session
from churn.core.trust.drift import MOVED, grade
from churn.core.trust.model_card import Card, as_markdown
from churn.core.trust.model_words import PURPOSE
from churn.core.trust.trial import Arm
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
    frame = pd.DataFrame(rows, columns=DRIFT).astype({"psi": float, "is_score": bool})
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


def card(connection: psycopg.Connection, of: Version, every: list[Version], drift: pd.DataFrame) -> str:
    """The card of one version as markdown; `drift` as of `drift_now`."""
    columns = drift[~drift["is_score"]]
    moved = columns[columns["psi"] >= MOVED]
    measured = drift["measured_on"].dropna()
    measured_by_lot = trial(connection) if of.kind == "effect" else None
    return as_markdown(
        Card(
            kind=of.kind, model_version=of.model_version, status=of.status, made_at=of.created_at,
            made_by=of.created_by, data_as_of=of.data_as_of, horizon_days=of.horizon_days,
            promoted=(of.promoted_at, of.promoted_by or "") if of.promoted_at else None,
            metrics=of.metrics, libraries=of.libraries, columns=sorted(columns["column_name"]),
            moved=list(zip(moved["column_name"], moved["psi"], strict=True)),
            versions=[f"{one.model_version}: {one.status}, {one.created_at:%Y-%m-%d}" for one in every],
            refusal=of.refusal, arms=measured_by_lot.arms if measured_by_lot else (),
            trial_days=measured_by_lot.window_days if measured_by_lot else 0,
            measured_on=None if measured.empty else measured.max(),
        )
    )  # fmt: skip


def cards_in_use(connection: psycopg.Connection, me: str, kinds: Sequence[str] = tuple(PURPOSE)) -> dict[str, str]:
    """Kind → the card of its version in use; a kind without one is left out. `me`: the key of who reads."""
    found = {}
    for kind in kinds:
        every = versions(connection, kind, me)
        for one in every:
            if one.status == "current":
                found[kind] = card(connection, one, every, drift_now(connection, one.model_version))
    return found


def promote(database: Database, me: Session, model_version: int, reason: str) -> None:
    """Put a model into use. Raises NoSuchModelToUse, ModelInUse, OwnModel, PromotionUnexplained, RoleMayNot."""
    gateway.act(database, me, "model_reports", "promote", {"model_version": model_version, "reason": reason})
