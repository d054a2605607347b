"""The audit: who did, saw, or was refused what; sealed in a chain so that a changed or missing row is found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from churn.core.grants import Session
from churn.db import Database
from churn.gateway import record, rows_of


@dataclass(frozen=True, slots=True)
class Event:
    """One thing done, seen or refused. `source` and `id` name its row."""

    source: str
    id: int
    happened_at: datetime
    staff_id: str | None
    act: str
    subject_kind: str | None
    subject: str | None
    detail: Mapping[str, Any]
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was sealed."""

    seal_id: int
    table_name: str
    id: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class Seal:
    """One link of the chain; `root` in hex."""

    seal_id: int
    table_name: str
    root: str
    sealed_at: datetime
    rows: int


@dataclass(frozen=True, slots=True)
class Alert:
    """Somebody who reached the limit of looking people up within an hour."""

    staff_id: str
    act: str
    hour: datetime
    times: int
    per_hour: int


def note_view(database: Database, me: Session, act: str, page: str, detail: Mapping[str, Any]) -> None:
    """Write down that a list was seen (`saw`) or taken along as a file (`exported`)."""
    rows_of(database, me, "access", "note_view", {"act": act, "page": page, "detail": json.dumps(detail, default=str)})


def trail(
    database: Database,
    me: Session,
    *,
    since: datetime,
    until: datetime,
    staff_id: str | None = None,
    act: str | None = None,
    subject: str | None = None,
    most: int = 1000,
) -> list[Event]:
    """What was done in [since, until), newest first. An administrator's read."""
    asked = {"since": since, "until": until, "staff_id": staff_id, "act": act, "subject": subject, "most": most}
    return [record(Event, row) for row in rows_of(database, me, "access", "trail", asked)]


def alerts(database: Database, me: Session) -> list[Alert]:
    """Who reached a limit of looking people up, newest first."""
    return [record(Alert, row) for row in rows_of(database, me, "access", "alerts", {})]


def seal(database: Database) -> int:
    """Seal what was written down since the last time; how many rows. Several processes may: one does it."""
    return int(rows_of(database, "batch", "access", "seal", {})[0]["sealed"])


def verify(database: Database, who: Session | str = "batch") -> list[Fault]:
    """Everything that is not as it was sealed; empty when all is well."""
    return [record(Fault, row) for row in rows_of(database, who, "access", "verify", {})]


def seals(database: Database, who: Session | str = "batch", most: int = 20) -> list[Seal]:
    """The newest seals first. The first one's root says all there is: keep it off the host."""
    return [record(Seal, row) for row in rows_of(database, who, "access", "roots", {"most": most})]


def has_root(database: Database, root: str) -> bool:
    """Whether a root kept elsewhere is in the chain: if not, the chain was made anew."""
    return bool(rows_of(database, "batch", "access", "has_root", {"root": root})[0]["is_there"])
