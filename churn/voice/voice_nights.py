"""Every night: count the day's contacts, read its notes, test what is rising, and write down the problems behind it.

Days are counted once and the last ones again (what came late is not lost). Nights that were missed are tested in their
order, each with what was known of the days before it. What is tested and how: `churn.core.voice.bursts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
from psycopg.types.json import Jsonb

from churn import db, store
from churn.core.records import Company
from churn.core.voice import bursts, problems, topics
from churn.core.voice.topics import Topic, Topics
from churn.progress import Tell
from churn.queries import query
from churn.settings import Settings
from churn.voice.voice_problems import Found, Problems, sort_broken_notes

Array = np.ndarray[Any, Any]
SEED = 20240501
LATE_DAYS = 3  # counted again: some systems hand contacts in late
CHUNK_DAYS = 31
BACKFILL_DAYS = 182  # nights tested by the first run
NOTES_A_DAY = 400
MOST_NOTES = 12_000  # to learn topics from
TOPIC_NIGHTS = 7  # topics are learned anew every night: older nights are not asked of them
FOR_TOPICS = 0.2  # of a night's level; codes have the rest
LEAST_KEY = 0.2  # contacts a day: a part with fewer has no level of its own


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


@dataclass(frozen=True, slots=True)
class Read:
    """The sampled notes of the trailing weeks, each with the place of its topic (-1: none), and the topics with their
    ids.
    """

    days: tuple[date, ...]
    contacts: tuple[str, ...]
    reasons: tuple[str | None, ...]
    which: Array
    topics: Topics


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


def read_notes(connection: psycopg.Connection, last: date, tell: Tell) -> Read | None:
    """Topics of the trailing weeks' notes, kept under the names of before; None for too few notes."""
    first = last - timedelta(days=bursts.HISTORY - 1)
    asked = {"first": first, "last": last, "most": NOTES_A_DAY}
    rows = connection.execute(query("voice", "sampled_notes"), asked).fetchall()
    texts, reasons = [row[3] for row in rows], [row[2] for row in rows]
    chosen = _spread(len(rows), MOST_NOTES)
    fitted = topics.fit([texts[k] for k in chosen], [reasons[k] for k in chosen], seed=SEED)
    if fitted is None:
        return None
    known = [
        Topic(topic_id, name, words, 0.0)
        for topic_id, name, words in connection.execute(query("voice", "topics")).fetchall()
    ]
    named = _kept(connection, topics.named_after(fitted, known), last)
    which = named.assign(texts)
    tell(f"voice: {len(rows):,} notes read, {len(named.topics)} topics")
    _fill_topic_days(connection, rows, which, named)
    days = tuple(row[0] for row in rows)
    return Read(days, tuple(row[1] for row in rows), tuple(reasons), which, named)


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


class Table:
    """Contacts by day and key, and which were above their level; what is found is added as the nights go by."""

    def __init__(self, days: Sequence[date], names: Sequence[str], counts: Array) -> None:
        self.first = days[0]
        self.counts = counts
        self.weekdays = np.array([day.weekday() for day in days])
        scopes = [problems.scope_of(name) for name in names]
        self.keys = bursts.Keys(
            tuple(names),
            np.array([scope.reason or scope.key for scope in scopes], dtype=object),
            np.array([scope.region is None and scope.plan is None for scope in scopes], dtype=bool),
        )
        self.place = {name: k for k, name in enumerate(names)}
        self.is_burst = np.zeros(counts.shape, dtype=bool)

    @classmethod
    def of_codes(cls, connection: psycopg.Connection, first: date, last: date) -> Table:
        """Reasons as a whole, by region and by plan, with what earlier nights found."""
        asked = {"first": first, "last": last}
        rows = connection.execute(query("voice", "key_counts"), asked).fetchall()
        table = cls.of_rows(rows, first, last)
        for day, key in connection.execute(query("voice", "burst_days"), asked):
            if key in table.place:
                table.is_burst[(day - first).days, table.place[key]] = True
        return table

    @classmethod
    def of_topics(cls, read: Read, first: date, last: date) -> Table:
        """Topics of the sampled notes."""
        counted: dict[tuple[date, str], int] = {}
        for day, k in zip(read.days, read.which, strict=True):
            if k >= 0 and first <= day <= last:
                key = f"topic|{read.topics.topics[k].topic_id}"
                counted[day, key] = counted.get((day, key), 0) + 1
        return cls.of_rows([(day, key, n) for (day, key), n in counted.items()], first, last)

    @classmethod
    def of_rows(cls, rows: Sequence[tuple[date, str, int]], first: date, last: date) -> Table:
        """From (day, key, contacts); keys with fewer than LEAST_KEY contacts a day are left out."""
        days = [first + timedelta(days=k) for k in range((last - first).days + 1)]
        total: dict[str, int] = {}
        for _, key, n in rows:
            total[key] = total.get(key, 0) + n
        names = sorted(key for key, n in total.items() if n >= LEAST_KEY * len(days))
        place = {name: k for k, name in enumerate(names)}
        counts = np.zeros((len(days), len(names)), dtype=np.int64)
        for day, key, n in rows:
            if key in place:
                counts[(day - first).days, place[key]] = n
        return cls(days, names, counts)

    def window(self, day: date) -> slice:
        """The rows one night looks at, its own the last."""
        at = (day - self.first).days
        return slice(max(at + 1 - bursts.HISTORY, 0), at + 1)

    def look(self, day: date, level: float) -> bursts.Night | None:
        """Test one day; None where the table does not reach back far enough to know a level."""
        rows = self.window(day)
        if rows.stop - rows.start < bursts.LEAST_DAYS or not len(self.keys.names):
            return None
        night = bursts.look(
            self.counts[rows], self.weekdays[rows], self.keys, self.is_burst[rows], level=level
        )  # fmt: skip
        self.is_burst[rows.stop - 1] = night.goes_on
        return night


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


def _kept(connection: psycopg.Connection, named: Topics, day: date) -> Topics:
    """The topics with an id each: those known before keep theirs."""
    kept = []
    for topic in named.topics:
        words = Jsonb(dict(topic.words))
        if topic.topic_id is None:
            row = connection.execute(
                query("voice", "add_topic"), {"name": topic.name, "words": words, "day": day}
            ).fetchone()
            kept.append(Topic(row[0] if row else None, topic.name, topic.words, topic.share))
        else:
            asked = {"words": words, "day": day, "topic_id": topic.topic_id}
            connection.execute(query("voice", "keep_topic"), asked)
            kept.append(topic)
    return Topics(tuple(kept), named.vocabulary, named.weights, named.factors)


def _fill_topic_days(
    connection: psycopg.Connection, rows: Sequence[tuple[Any, ...]], which: Array, named: Topics
) -> None:
    sampled: dict[date, int] = {}
    contacts: dict[date, int] = {}
    notes: dict[tuple[date, int], int] = {}
    for (day, _, _, _, of_day), k in zip(rows, which, strict=True):
        sampled[day] = sampled.get(day, 0) + 1
        contacts[day] = of_day
        if k >= 0:
            notes[day, k] = notes.get((day, k), 0) + 1
    if not sampled:
        return
    connection.execute(query("voice", "forget_topic_days"), {"first": min(sampled), "last": max(sampled)})
    with connection.cursor().copy(query("voice", "fill_topic_days")) as copy:
        for (day, k), n in notes.items():
            copy.write_row((day, named.topics[k].topic_id, n, sampled[day], contacts[day]))


def _spread(n: int, most: int) -> list[int]:
    """At most so many places of n, evenly spread and always the same."""
    return list(range(n)) if n <= most else np.linspace(0, n - 1, most).astype(int).tolist()
