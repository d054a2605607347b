"""Every night: count the day's contacts, read its notes, test what is rising, and write down the problems behind it.

Days are counted once and the last ones again (what came late is not lost). Nights that were missed are tested in their
order, each with what was known of the days before it. What is tested and how: `churn.core.voice.bursts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import psycopg

from churn import db, store
from churn.core.records import Company
from churn.core.voice import bursts
from churn.progress import Tell
from churn.queries import query
from churn.settings import Settings
from churn.voice.voice_counts import Table
from churn.voice.voice_notes import Read, read_notes
from churn.voice.voice_problems import Found, Problems, sort_broken_notes

LATE_DAYS = 3  # counted again: some systems hand contacts in late
CHUNK_DAYS = 31
BACKFILL_DAYS = 182  # nights tested by the first run
TOPIC_NIGHTS = 7  # topics are learned anew every night: older nights are not asked of them
FOR_TOPICS = 0.2  # of a night's level; codes have the rest


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run came to."""

    days: int
    nights: int
    found: tuple[str, ...]

    def __str__(self) -> str:
        """One line for whoever ran it."""
        told = f"{self.days:,} days counted, {self.nights:,} nights tested, {len(self.found):,} problems found"
        return told + (f": {'; '.join(self.found[-3:])}" if self.found else "")


def run(settings: Settings, *, progress: Tell) -> Ran:
    """Count, read, test; every night. A second run changes nothing. Raises store.NoCompany."""
    with db.connect(settings, "batch") as connection:
        connection.execute(query("voice", "one_at_a_time"))
        company = store.company(connection)
        now = company.data_until or datetime.now(UTC)
        last = store.local_day(now, company.time_zone) - timedelta(days=1)  # today is not over
        counted = count_days(connection, last, progress)
        if counted.first is None:
            return Ran(0, 0, ())
        with connection.transaction():
            read = read_notes(connection, last, progress)
            found = test_nights(connection, company, counted, read, progress)
            broken = sort_broken_notes(connection, read.topics if read else None)
            progress(f"voice: {broken:,} notes of what is broken sorted")
            ran = Ran(counted.days, found[0], tuple(found[1]))
            connection.execute(
                query("voice", "add_run"),
                {"until_day": counted.last, "days": ran.days, "nights": ran.nights, "problems": len(ran.found)},
            )
        return ran


@dataclass(frozen=True, slots=True)
class Counted:
    """Days counted by this run, the first and the last there are, and the last night tested before."""

    days: int
    first: date | None
    last: date
    tested: date | None


def count_days(connection: psycopg.Connection, last: date, tell: Tell) -> Counted:
    """Bring the days up to `last` up to date, a month to a transaction."""
    row = connection.execute(query("voice", "counted")).fetchone()
    if row is None:
        return Counted(0, None, last, None)
    until, tested, first, newest = row
    last = min(last, newest)
    begin = first if until is None else max(min(until, last) - timedelta(days=LATE_DAYS - 1), first)
    done = 0
    while begin <= last:
        end = min(begin + timedelta(days=CHUNK_DAYS - 1), last)
        with connection.transaction():
            connection.execute(query("voice", "forget_days"), {"first": begin, "last": end})
            connection.execute(query("voice", "count_days"), {"first": begin, "last": end})
        done += (end - begin).days + 1
        tell(f"voice: contacts counted up to {end:%Y-%m-%d}")
        begin = end + timedelta(days=1)
    return Counted(done, first, last, tested)


def test_nights(
    connection: psycopg.Connection, company: Company, counted: Counted, read: Read | None, tell: Tell
) -> tuple[int, list[str]]:
    """Test every night not tested yet; how many, and the titles of the problems found."""
    assert counted.first is not None  # noqa: S101 - run() returns before
    earliest = max(counted.first + timedelta(days=bursts.LEAST_DAYS), counted.last - timedelta(days=BACKFILL_DAYS - 1))
    begin = earliest if counted.tested is None else max(counted.tested + timedelta(days=1), earliest)
    nights = (counted.last - begin).days + 1
    if nights < 1:
        return 0, []
    first = max(begin - timedelta(days=bursts.HISTORY - 1), counted.first)
    table = Table.of_codes(connection, first, counted.last)
    spoken = Table.of_topics(read, first, counted.last) if read else None
    tested = [row[1] for row in connection.execute(query("voice", "nights")).fetchall()]
    told = Problems(connection, company, read)
    for day in (begin + timedelta(days=k) for k in range(nights)):
        found_before = [k for k, found in enumerate(tested) if found]
        level = bursts.level_of_night(len(tested), found_before)
        asks_topics = spoken is not None and (counted.last - day).days < TOPIC_NIGHTS
        night = table.look(day, level * (1 - FOR_TOPICS * asks_topics))
        heard = spoken.look(day, level * FOR_TOPICS) if spoken is not None and asks_topics else None
        _write_night(connection, day, level, [one for one in (night, heard) if one])
        told.after(Found(day, level, table, night, spoken, heard))
        tested.append(sum(int(one.found.sum()) for one in (night, heard) if one))
    told.sum_up(counted.last)
    tell(f"voice: {nights:,} nights tested, {len(told.opened):,} problems found")
    return nights, list(told.opened.values())


def _write_night(connection: psycopg.Connection, day: date, level: float, nights: Sequence[bursts.Night]) -> None:
    smallest = min((float(night.p_values.min()) for night in nights if len(night.p_values)), default=None)
    connection.execute(
        query("voice", "add_night"),
        {
            "day": day,
            "level": level,
            "tested": sum(night.tested for night in nights),
            "smallest": smallest,
            "found": int(sum(night.found.sum() for night in nights)),
        },
    )
