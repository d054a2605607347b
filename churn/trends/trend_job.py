"""The nightly adding up behind the leader's pictures: months, survival tables, saves, predictions and what moves them.

Months that can still change (dates of leaving come up to LATE_DAYS late) and new ones are counted anew, older ones stay
as they are. All of it is one transaction: pages read the night before until it is done.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import psycopg
from psycopg.rows import dict_row

from churn import db, registry, store
from churn.core import features
from churn.core.leaving.fitted import Fitted
from churn.core.leaving.risk import ChurnRisk
from churn.core.records import Company
from churn.core.trends.drivers import Driver, compare
from churn.core.trends.forbidden import cut_of
from churn.policies.stored import economics_in_force
from churn.progress import Tell
from churn.queries import query
from churn.settings import Settings
from churn.trends import trends

MOST_MONTHS = 36
LATE_DAYS = 90  # how late a date of leaving may come and still change a month
LATE_SAVES = 270  # the longest window, and as late again
LANDMARK_DAYS = 365  # how far back the reasons of the curves lie
QUARTER_DAYS = 91
DRIVERS_FROM = 1_000  # customers on either side
FORBIDDEN_DAYS, MOST_RECEIPTS = 180, 20_000


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What one night added up."""

    months: int
    drivers: int
    forbidden: int

    def __str__(self) -> str:
        """One line for whoever ran it."""
        return f"{self.months:,} months counted; {self.drivers:,} drivers; policy forbids {self.forbidden:,}"


@dataclass(frozen=True, slots=True)
class Night:
    """What one night goes by. `since`: from when on leavers are known; None: from the first day of each customer."""

    company: Company
    as_of: datetime
    today: date
    since: date | None

    @property
    def landmark(self) -> date:
        """The day before which the reasons of the curves lie."""
        return self.today - timedelta(days=LANDMARK_DAYS)


def refresh(settings: Settings, *, progress: Tell) -> Refreshed:
    """Bring every aggregate up to the company's day. Raises store.NoCompany."""
    with db.connect(settings, "batch") as connection, connection.transaction():
        connection.execute(query("trends", "one_refresh"))
        night = _night(connection)
        economics = economics_in_force(settings, night.today)
        _find_spells(connection, night, progress)
        months = _count_months(connection, night, progress)
        _add_up_lives(connection, night, progress)
        progress("trends: saves, margin at risk, predictions")
        _count_saves(connection, night)
        _weigh_risk(connection, night, economics.margin_rate)
        _judge_predictions(connection, night)
        drivers = _find_drivers(connection, night, progress)
        forbidden = _find_forbidden(connection, night)
        connection.execute(
            query("trends", "write_state"), {"as_of": night.as_of, "since": night.since, "landmark": night.landmark}
        )
    return Refreshed(months, drivers, forbidden)


def months_between(first: date, last: date) -> Iterator[date]:
    """The first days of the months from that of `first` to that of `last`."""
    at = first.replace(day=1)
    while at <= last:
        yield at
        at += timedelta(days=calendar.monthrange(at.year, at.month)[1])


def _night(connection: psycopg.Connection) -> Night:
    company = store.company(connection)
    as_of = company.data_until or datetime.now(UTC)
    today = store.local_day(as_of, company.time_zone)
    first = store.first_fact(connection)
    known = company.snapshot_on is None and first.year > 1970
    since = max(store.local_day(first, company.time_zone), _months_ago(today, MOST_MONTHS)) if known else None
    return Night(company, as_of, today, since)


def _months_ago(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def _find_spells(connection: psycopg.Connection, night: Night, progress: Tell) -> None:
    progress("trends: who was a customer when")
    connection.execute(query("trends", "stage_spells"))
    connection.execute(query("trends", "find_spells"), {"today": night.today})
    connection.execute(query("trends", "measure_spells"))
    connection.execute(query("trends", "stage_lives"))
    connection.execute(
        query("trends", "find_lives"), {"today": night.today, "since": night.since, "landmark": night.landmark}
    )
    connection.execute(query("trends", "measure_lives"))


def _count_months(connection: psycopg.Connection, night: Night, progress: Tell) -> int:
    """Count new months and those that may have changed; how many. A flat file has none."""
    if night.company.snapshot_on is not None:
        return 0
    first = _months_ago(night.today, MOST_MONTHS)
    if night.since is not None:
        first = max(first, _months_ago(night.since, -1) if night.since.day > 1 else night.since)
    row = connection.execute(query("trends", "newest_month")).fetchone()
    newest = row[0] if row else None
    begin = first if newest is None else max(first, (newest - timedelta(days=LATE_DAYS)).replace(day=1))
    connection.execute(query("trends", "stage_members"))
    months = list(months_between(begin, night.today))
    for month in months:
        progress(f"trends: {month:%B %Y}")
        _count_month(connection, {"month": month})
    connection.execute(query("trends", "forget_months"), {"first": first})
    connection.execute(query("trends", "forget_leavers"), {"first": first})
    return len(months)


def _count_month(connection: psycopg.Connection, asked: dict[str, date]) -> None:
    connection.execute(query("trends", "clear_members"))
    connection.execute(query("trends", "find_members"), asked)
    connection.execute(query("trends", "clear_month"), asked)
    connection.execute(query("trends", "clear_leavers"), asked)
    connection.execute(query("trends", "count_month"), asked)
    connection.execute(query("trends", "keep_leavers"), asked)


def _add_up_lives(connection: psycopg.Connection, night: Night, progress: Tell) -> None:
    """Survival tables, and the leavers as those tables know them."""
    progress("trends: survival tables")
    connection.execute(query("trends", "clear_tenures"))
    connection.execute(
        query("trends", "fill_tenures"), {"today": night.today, "since": night.since, "landmark": night.landmark}
    )
    connection.execute(query("trends", "tell_leavers"))


def _count_saves(connection: psycopg.Connection, night: Night) -> None:
    """Count the months whose outcomes may have moved; all of them where a night before did not tell groups apart."""
    first = window = _months_ago(night.today, MOST_MONTHS)
    if trends.are_saves_grouped(connection):
        first = max(window, (night.today - timedelta(days=LATE_SAVES)).replace(day=1))
    connection.execute(query("trends", "clear_saves"), {"first": first, "window": window})
    until = night.today + timedelta(days=1)
    connection.execute(query("trends", "fill_saves"), {"first": first, "until": until, "today": night.today})


def _weigh_risk(connection: psycopg.Connection, night: Night, margin_rate: float) -> None:
    connection.execute(query("trends", "clear_risk"))
    connection.execute(query("trends", "fill_risk"), {"today": night.today, "margin_rate": margin_rate})


def _judge_predictions(connection: psycopg.Connection, night: Night) -> None:
    connection.execute(query("trends", "fill_tenths"), {"today": night.today})
    connection.execute(query("trends", "forget_samples"), {"today": night.today, "late_days": LATE_DAYS})


def _find_drivers(connection: psycopg.Connection, night: Night, progress: Tell) -> int:
    """What moves the risk, now and a quarter ago, by the model in use; none without one or without history."""
    connection.execute(query("trends", "clear_drivers"))
    version = registry.current(connection).get("risk")
    if version is None or night.company.snapshot_on is not None:
        return 0
    progress("trends: what moves the risk")
    model = registry.load(connection, version.model_version)
    sides = [_side(connection, model, at) for at in (night.as_of, night.as_of - timedelta(days=QUARTER_DAYS))]
    if any(frame.empty for frame, _ in sides):
        return 0
    found = compare(sides[0], sides[1], model.estimator.usual_)
    for driver in found:
        connection.execute(query("trends", "add_driver"), _plain(driver))
    return len(found)


def _side(
    connection: psycopg.Connection, model: Fitted[ChurnRisk], as_of: datetime
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(columns, contributions) of some customers live at an instant."""
    chosen = [row[0] for row in connection.execute(
        query("trends", "some_customers"), {"day": as_of.date(), "most": DRIVERS_FROM}
    )]  # fmt: skip
    rows = [row for row in store.features(connection, chosen, [as_of] * len(chosen)) if row["live_subscriptions"]]
    if not rows:
        return pd.DataFrame(), pd.DataFrame()
    frame = features.frame(rows, model.columns)
    return frame, model.estimator.contributions(frame)


def _plain(driver: Driver) -> dict[str, Any]:
    return asdict(driver)


def _find_forbidden(connection: psycopg.Connection, night: Night) -> int:
    """Customers whose newest decision shows that policy cut what would have paid; how many."""
    asked = {"since": night.as_of - timedelta(days=FORBIDDEN_DAYS), "most": MOST_RECEIPTS}
    connection.execute(query("trends", "clear_forbidden"))
    found = 0
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("trends", "receipts"), asked).fetchall()
    for row in rows:
        cut = cut_of(row["receipt"], row["currency"])
        if cut is not None:
            facts = {name: row[name] for name in ("customer_id", "decided_at", "currency")}
            connection.execute(query("trends", "add_forbidden"), facts | asdict(cut))
            found += 1
    return found
