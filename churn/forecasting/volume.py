"""Tomorrow's calls, as leaders and supervisors read them: aggregates only, and the calendar of planned changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
from psycopg.rows import class_row, dict_row, tuple_row

from churn import store
from churn.core.forecasting.volume_bands import Accuracy
from churn.core.forecasting.volume_calendar import Ahead
from churn.core.forecasting.volume_events import Event, Kind
from churn.core.grants import Session
from churn.db import Database
from churn.gateway import act
from churn.queries import query

T = TypeVar("T")
SHOWN_BEFORE = 28  # days of what came, before the forecast
HANDLING_DAYS = 56


@dataclass(frozen=True, slots=True)
class Run:
    """The newest run: days counted up to `until_day`; `refusal`: why there is no forecast."""

    ran_at: datetime
    first_day: date
    until_day: date
    days: int
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the calendar; `is_ours`: planned here, and may be changed here."""

    event_id: str
    owner_department: str
    kind: str
    title: str
    starts_at: datetime
    ends_at: datetime | None
    audience: int
    is_counted: bool  # the audience was counted, not stated
    region: str | None
    product: str | None
    plan: str | None
    what_to_say: str | None
    claims_none: bool
    is_ours: bool

    def event(self, time_zone: str) -> Event:
        """The change as the core knows it."""
        day = store.local_day(self.starts_at, time_zone)
        return Event(self.event_id, self.kind, day, float(self.audience), self.region, self.claims_none)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is entered of a planned change. Without `audience` it is counted from the subscriptions."""

    event_id: UUID
    owner: str
    kind: str
    title: str
    starts_at: datetime
    ends_at: datetime | None = None
    audience: int | None = None
    region: str | None = None
    product: str | None = None
    plan: str | None = None
    what_to_say: str | None = None
    claims_none: bool = False


@dataclass(frozen=True, slots=True)
class Brought:
    """What one past event brought in one measure, with its 90 % interval; `expected`: what earlier ones said."""

    event_id: str
    owner_department: str
    kind: str
    title: str
    starts_at: datetime
    audience: int
    claims_none: bool
    measure: str
    extra: float
    low: float
    high: float
    share_seen: float
    expected: float | None


@dataclass(frozen=True, slots=True)
class Handling:
    """Of a queue's contacts the share that are calls, and how long one takes; None: no call has an end."""

    queue: str
    calls_share: float
    handle_seconds: float | None


@dataclass(frozen=True, slots=True)
class HalfHour:
    """One half-hour of the forecast, planned changes apart."""

    queue: str
    starts_at: datetime
    day: date
    usual: float
    low: float
    high: float
    share: float


def last_run(connection: psycopg.Connection) -> Run | None:
    """The newest run; None before the first."""
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(query("volume", "last_run")).fetchone()


def days_before(connection: psycopg.Connection, until: date, days: int = SHOWN_BEFORE) -> list[tuple[date, str, int]]:
    """What came on the last days: (day, queue, contacts)."""
    asked = {"first": until - timedelta(days=days - 1), "last": until}
    return list(connection.execute(query("volume", "daily"), asked).fetchall())


def ahead(connection: psycopg.Connection) -> Ahead | None:
    """The forecast by days, planned changes apart; None where there is none."""
    rows = _forecasts(connection, tuple_row, is_half_hour=False)
    if not rows:
        return None
    queues = tuple(sorted({row[0] for row in rows}))
    days = sorted({row[2] for row in rows})
    place = {queue: q for q, queue in enumerate(queues)}
    table = np.zeros((3, len(days), len(queues)))
    for queue, _, day, *numbers in rows:
        table[:, (day - days[0]).days, place[queue]] = numbers[:3]
    return Ahead(np.array(days, "datetime64[D]"), queues, *table)


def half_hours(connection: psycopg.Connection) -> list[HalfHour]:
    """The forecast of the next two weeks by half-hours, planned changes apart."""
    return _forecasts(connection, class_row(HalfHour), is_half_hour=True)


def _forecasts(connection: psycopg.Connection, row_factory: Any, *, is_half_hour: bool) -> list[Any]:
    with connection.cursor(row_factory=row_factory) as cursor:
        return cursor.execute(query("volume", "forecasts"), {"is_half_hour": is_half_hour}).fetchall()


def kinds(connection: psycopg.Connection, queues: Sequence[str]) -> dict[str, Kind]:
    """What an event of each kind brings, by queue in the order asked for."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("volume", "kinds")).fetchall()
    held: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        held.setdefault(row["kind"], {})[row["queue"]] = row
    return {name: _kind(name, [by[q] for q in queues]) for name, by in held.items() if set(queues) <= set(by)}


def _kind(name: str, rows: Sequence[Mapping[str, Any]]) -> Kind:
    mean, error, spread, none = (
        np.array([row[column] for row in rows]) for column in ("mean", "mean_sd", "spread", "none_mean")
    )
    first = rows[0]
    return Kind(name, mean, error, spread, np.array(first["mixture"]), first["events"], none, first["none_events"])


def calendar(connection: psycopg.Connection, first: date, last: date, time_zone: str) -> list[Change]:
    """The changes that begin on these days, both ends included."""
    zone = ZoneInfo(time_zone)
    asked = {
        "first": datetime.combine(first, time(0), zone),
        "last": datetime.combine(last + timedelta(days=1), time(0), zone),
    }
    return _rows(connection, Change, "calendar", asked)


def brought(connection: psycopg.Connection) -> list[Brought]:
    """What every past event brought, the newest first."""
    with connection.cursor(row_factory=class_row(Brought)) as cursor:
        return cursor.execute(query("volume", "effects")).fetchall()


def accuracy(connection: psycopg.Connection) -> list[Accuracy]:
    """How far off forecasts were, by queue and days ahead."""
    with connection.cursor(row_factory=class_row(Accuracy)) as cursor:
        return cursor.execute(query("volume", "accuracy")).fetchall()


def handling(connection: psycopg.Connection, until: date, time_zone: str) -> dict[str, Handling]:
    """Share of calls and handle time of each queue, of the last eight weeks."""
    last = datetime.combine(until + timedelta(days=1), time(0), ZoneInfo(time_zone))
    rows = _rows(connection, Handling, "handling", {"first": last - timedelta(days=HANDLING_DAYS), "last": last})
    return {row.queue: row for row in rows}


def _rows(connection: psycopg.Connection, record: type[T], name: str, asked: dict[str, Any]) -> list[T]:
    with connection.cursor(row_factory=class_row(record)) as cursor:
        return cursor.execute(query("volume", name), asked).fetchall()


# Acts -----------------------------------------------------------------------------------------------------------------


def plan_event(database: Database, me: Session, draft: Draft) -> bool:
    """Enter a planned change, or change it whole; whether anything changed. Raises a Refusal."""
    asked = {name: getattr(draft, name) for name in Draft.__slots__}
    return not act(database, me, "volume", "plan_event", asked)["is_replay"]


def withdraw_event(database: Database, me: Session, event_id: UUID) -> bool:
    """Take a planned change out of the calendar; whether anything changed. Raises a Refusal."""
    return not act(database, me, "volume", "withdraw_event", {"event_id": event_id})["is_replay"]
