"""What a person may ask of us: erase me, tell me what you hold, keep nothing too long. Each is a database function.

Administrators act by their session; the command line acts as a job, in the name of whoever runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from churn.core.explanation import Aftermath
from churn.core.grants import Session
from churn.db import Database
from churn.gateway import Row, act, record, rows_of, verdict
from churn.queries import query

ERASED = {
    "request": "Erased on request: this customer is not taken in again. Erase them in the source too.",
    "retention": "Erased at the end of its retention period: not taken in again. Erase them in the source too.",
}


@dataclass(frozen=True, slots=True)
class Erasure:
    """Rows blanked or deleted, by table. `source_too`: the company's own system must erase as well."""

    customer_id: str
    rows: Mapping[str, int]
    source_too: bool
    is_replay: bool = False  # it had been done before


@dataclass(frozen=True, slots=True)
class Period:
    """How many days something is kept (None: for good), and why."""

    subject: str
    days: int | None
    reason: str
    reference: str | None
    set_by: str


@dataclass(frozen=True, slots=True)
class Retained:
    """What one period reached: `affected` rows from before `before`; None where nothing has an end."""

    subject: str
    days: int | None
    before: datetime | None
    affected: int


def erase(database: Database, session: Session, customer_id: str, *, reason: str) -> Erasure:
    """Erase a customer, an administrator's act. Raises NobodyHeld, ErasureNeedsReason and who-you-are refusals."""
    return _erasure(act(database, session, "privacy", "erase", {"customer_id": customer_id, "reason": reason}))


def erase_as_job(database: Database, customer_id: str, *, reason: str, by: str) -> Erasure:
    """The same by whoever runs the command line."""
    params = {"customer_id": customer_id, "reason": reason, "by": by}
    return _erasure(verdict(rows_of(database, "batch", "privacy", "erase_by_job", params)[0]))


def held_about(database: Database, session: Session, customer_id: str) -> Mapping[str, Any]:
    """Rows by table that name a customer, for an administrator; written down. Raises NobodyHeld."""
    params = {"token": session.token, "customer_id": customer_id}
    return cast(Mapping[str, Any], rows_of(database, session, "privacy", "held", params)[0]["held"])


def held_as_job(database: Database, customer_id: str, *, by: str) -> Mapping[str, Any]:
    """The same for whoever runs the command line."""
    rows = rows_of(database, "batch", "privacy", "held_by_job", {"customer_id": customer_id, "by": by})
    return cast(Mapping[str, Any], rows[0]["held"])


def periods(database: Database, who: Session | str) -> list[Period]:
    """How long what is kept, as it holds now."""
    return [record(Period, row) for row in rows_of(database, who, "privacy", "periods", {})]


def set_period(
    database: Database, session: Session, subject: str, days: int, *, reason: str, reference: str | None = None
) -> None:
    """Keep something longer or shorter from now on, an administrator's act. Raises NoSuchPeriod."""
    params = {"subject": subject, "days": days, "reason": reason, "reference": reference}
    act(database, session, "privacy", "set_period", params)


def retain(connection: psycopg.Connection, *, by: str, applies: bool) -> list[Retained]:
    """Remove what was kept long enough, or only count it: the same statement, rolled back."""
    with (
        connection.transaction(force_rollback=not applies),
        connection.cursor(row_factory=class_row(Retained)) as cursor,
    ):
        return cursor.execute(query("privacy", "retain"), {"by": by}).fetchall()


def erased(connection: psycopg.Connection) -> dict[str, str]:
    """Every erased account, with the sentence an import sets its rows aside with."""
    return {customer_id: ERASED[kind] for customer_id, kind in connection.execute(query("privacy", "erased"))}


def aftermath(database: Database, who: Session | str, decision_id: UUID) -> Aftermath:
    """What became of a decision that is there."""
    return record(Aftermath, rows_of(database, who, "privacy", "aftermath", {"decision_id": decision_id})[0])


def _erasure(row: Row) -> Erasure:
    facts = row["facts"] or {}
    return Erasure(row["key"], facts.get("rows", {}), bool(facts.get("source_too")), bool(row["is_replay"]))
