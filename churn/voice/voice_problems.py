"""From what a night found to problems people can act on: opened, followed, and told with who, how much and whose
words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
from psycopg.rows import dict_row

from churn.core.money import to_minor
from churn.core.records import Company
from churn.core.voice import bursts, problems, quotes, topics
from churn.core.voice.problems import Scope, scope_of
from churn.core.voice.topics import Topics
from churn.queries import query

if TYPE_CHECKING:
    from churn.voice.voice_counts import Table
    from churn.voice.voice_notes import Read

LEAD_DAYS = 14  # shown before a problem began
CHANGE_DAYS = 3  # a change event so many days before may explain a burst
NOTES_READ = 400
AGAINST_DAYS = 28  # before it began: what people say about this reason at other times
MOST_LISTED = 500  # accounts
FRESH_DAYS = 3
KEPT_DAYS = 60  # accounts of a problem that is over are forgotten then
MINE = 0.6  # of a topic's notes under one reason: it is that reason's


@dataclass(frozen=True, slots=True)
class Found:
    """One night: the codes' table and what was found there; the topics' too, where they were asked."""

    day: date
    level: float
    table: Table
    night: bursts.Night | None
    spoken: Table | None
    heard: bursts.Night | None


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a finding is told: its key's place in a table, how sure, how many days; the topic that gave it away."""

    scope: Scope
    table: Table
    night: bursts.Night
    at: int
    p_value: float
    days: int
    topic_id: int | None


class Problems:
    """The problems being followed while nights go by."""

    def __init__(self, connection: psycopg.Connection, company: Company, read: Read | None) -> None:
        self.connection, self.company, self.read = connection, company, read
        self.opened: dict[int, str] = {}  # problem → title, of this run

    def after(self, found: Found) -> None:
        """Open what is new, and write the day of everything followed."""
        if found.night is not None:
            above = [found.table.keys.names[k] for k in np.flatnonzero(found.night.goes_on)]
            self.connection.execute(query("voice", "add_burst_days"), {"day": found.day, "keys": above})
            for seat in _seats(found.table, found.night, found.day):
                self._open(seat, found)
        if found.heard is not None and found.spoken is not None:
            for k in np.flatnonzero(found.heard.found):
                self._open_topic(found, int(k))
        self._follow(found, self._followed(found.day))

    def sum_up(self, last: date) -> None:
        """Who, how much, in whose words: of every problem that is followed on the last day."""
        for row in self._followed(last, self.opened):
            self._tell(row, last)
        self.connection.execute(query("voice", "forget_old"), {"day": last, "days": KEPT_DAYS})

    def _followed(self, day: date, also: Iterable[int] = ()) -> list[dict[str, Any]]:
        asked = {
            "day": day,
            "days": problems.SAME_PROBLEM_DAYS,
            "effect_days": problems.EFFECT_DAYS,
            "also": list(also),
        }
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query("voice", "followed"), asked).fetchall()

    def _open(self, seat: Seat, found: Found) -> None:
        scope, table, at = seat.scope, seat.table, seat.at
        followed = [row for row in self._followed(found.day) if row["state"] not in ("fixed", "dismissed")]
        # A part that held most of it yesterday and now stands for the whole is the same problem grown.
        same = [row for row in followed if row["key"] == scope.key] or [
            row for row in followed if row["reason"] == scope.reason and scope.key == scope.reason
        ]
        if same:
            self._burst_again(same[0]["problem_id"], found.day)
            return
        began = found.day - timedelta(days=seat.days - 1)
        ratio = float(table.counts[(found.day - table.first).days, at] / max(seat.night.expected[at], 1e-9))
        near = {"day": began, "days": CHANGE_DAYS, "reason": scope.reason, "region": scope.region, "plan": scope.plan}
        changes = self.connection.execute(query("voice", "changes_near"), near).fetchall()
        title = problems.title_of(scope, self._telling(scope, began, found.day), ratio)
        row = self.connection.execute(
            query("voice", "add_problem"),
            {
                "key": scope.key,
                "reason": scope.reason,
                "region": scope.region,
                "plan": scope.plan,
                "topic_id": seat.topic_id,
                "title": title,
                "began_on": began,
                "found_on": found.day,
                "p_value": seat.p_value,
                "level": found.level,
                "currency": self.company.currency,
                "at_that_time": [title for title, _ in changes],
                "is_expected": any(known for _, known in changes),
            },
        ).fetchone()
        if row is None:  # pragma: no cover - INSERT … RETURNING gives a row or raises
            return
        self.opened[row[0]] = title
        self._write_course(row[0], table, at, found.day)

    def _open_topic(self, found: Found, at: int) -> None:
        """A topic on the rise is told under the reason its notes are coded as, counted by codes; else by its notes
        alone.
        """
        if found.spoken is None or found.heard is None or self.read is None:
            return
        scope = scope_of(found.spoken.keys.names[at])
        reason = _main_reason(self.read, scope.topic_id)
        followed = self._followed(found.day)
        if any(row["topic_id"] == scope.topic_id or (reason and row["reason"] == reason) for row in followed):
            return
        p_value, days = float(found.heard.p_values[at]), int(found.heard.days[at])
        if reason is None or found.night is None or reason not in found.table.place:
            self._open(Seat(scope, found.spoken, found.heard, at, p_value, days, scope.topic_id), found)
            return
        excess = _excess(found.table, found.night, found.day, reason)
        key = problems.seat(reason, dict.fromkeys(excess, p_value), excess)
        place = found.table.place[key]
        self._open(Seat(scope_of(key), found.table, found.night, place, p_value, days, scope.topic_id), found)

    def _write_course(self, problem_id: int, table: Table, at: int, day: date) -> None:
        """The days before a problem began and its own, against the level of the weeks before them."""
        rows = table.window(day)
        counts, weekdays, is_burst = table.counts[rows], table.weekdays[rows], table.is_burst[rows]
        sizes = bursts.day_sizes(counts[:, table.keys.is_whole], weekdays)
        until = max(len(counts) - 1 - bursts.WINDOW, 1)
        for back in range(min(LEAD_DAYS, len(counts))):
            here = len(counts) - 1 - back
            level = bursts.usual(counts, sizes, weekdays, day=here, until=until, is_burst=is_burst)
            self._write_day(
                problem_id, day - timedelta(days=back), counts[here, at], level.expected[at], level.spread[at]
            )

    def _follow(self, found: Found, followed: list[dict[str, Any]]) -> None:
        for row in followed:
            tables = ((found.table, found.night), (found.spoken, found.heard))
            for table, night in tables:
                if table is None or night is None or row["key"] not in table.place:
                    continue
                at = table.place[row["key"]]
                count = table.counts[(found.day - table.first).days, at]
                self._write_day(row["problem_id"], found.day, count, night.expected[at], night.spread[at])
                if night.goes_on[at]:
                    self._burst_again(row["problem_id"], found.day)

    def _burst_again(self, problem_id: int, day: date) -> None:
        self.connection.execute(query("voice", "burst_again"), {"day": day, "problem_id": problem_id})

    def _write_day(self, problem_id: int, day: date, contacts: int, expected: float, spread: float) -> None:
        self.connection.execute(
            query("voice", "add_problem_day"),
            {
                "problem_id": problem_id,
                "day": day,
                "contacts": int(contacts),
                "expected": float(expected),
                "spread": float(spread),
            },
        )

    def _telling(self, scope: Scope, first: date, last: date) -> list[str]:
        """The words that mark what is said now off from what people say about this at other times."""
        now = [row["notes"] for row in self._notes(scope, first, last)]
        if scope.topic_id is not None and self.read is not None:
            names = (topic.name for topic in self.read.topics.topics if topic.topic_id == scope.topic_id)
            return next(names, "").split(" · ")
        whole = Scope(scope.reason)
        before = self._notes(whole, first - timedelta(days=AGAINST_DAYS), first - timedelta(days=1))
        return topics.distinctive(now, [row["notes"] for row in before])

    def _notes(self, scope: Scope, first: date, last: date) -> list[dict[str, Any]]:
        asked = self._asked(scope, first, last) | {"most": NOTES_READ}
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query("voice", "notes_of"), asked).fetchall()

    def _asked(self, scope: Scope, first: date, last: date) -> dict[str, Any]:
        contacts = _contacts_about(self.read, scope.topic_id) if scope.topic_id is not None else None
        return {
            "first": first,
            "last": last,
            "reason": scope.reason,
            "region": scope.region,
            "plan": scope.plan,
            "contacts": contacts,
        }

    def _tell(self, row: dict[str, Any], last: date) -> None:
        scope, problem_id = scope_of(row["key"]), row["problem_id"]
        until = min(row["last_burst_on"], last)
        notes = self._notes(scope, row["began_on"], until)
        telling = self._telling(scope, row["began_on"], until)
        with self.connection.cursor(row_factory=dict_row) as cursor:
            people = cursor.execute(query("voice", "affected"), self._asked(scope, row["began_on"], until)).fetchall()
        self._replace_groups(problem_id, people)
        self._replace_quotes(problem_id, notes if len(people) >= problems.LEAST_GROUP else [], telling)
        self._replace_customers(problem_id, people if len(people) >= problems.LEAST_GROUP else [])
        # Its first days' words may be few; later it keeps the name people know it by.
        is_fresh = row["problem_id"] in self.opened or (last - row["found_on"]).days < FRESH_DAYS
        title = problems.title_of(scope, telling, 1.0) if telling and is_fresh else None
        summed = {"problem_id": problem_id, "customers": len(people), "title": title}
        summed["topic_id"] = scope.topic_id or _main_topic(self.read, [note["contact_id"] for note in notes])
        summed["worth_at_risk"] = self._at_risk(people)
        self.connection.execute(query("voice", "sum_up"), summed)

    def _at_risk(self, people: list[dict[str, Any]]) -> int | None:
        """Worth times risk of everybody who got in touch, in minor units; None where nobody is scored."""
        known = [p["p_churn"] * p["clv"] for p in people if p["p_churn"] is not None and p["clv"] is not None]
        return to_minor(float(sum(known)), self.company.currency) if known else None

    def _replace_groups(self, problem_id: int, people: list[dict[str, Any]]) -> None:
        self.connection.execute(query("voice", "forget_groups"), {"problem_id": problem_id})
        with self.connection.cursor().copy(query("voice", "fill_groups")) as copy:
            for dimension in ("region", "plan"):
                for value, customers in problems.groups(person[dimension] for person in people):
                    copy.write_row((problem_id, dimension, value, customers))

    def _replace_quotes(self, problem_id: int, notes: list[dict[str, Any]], telling: list[str]) -> None:
        self.connection.execute(query("voice", "forget_quotes"), {"problem_id": problem_id})
        masked = [quotes.mask_quote(note["notes"], note["name"]) for note in notes]
        keyed = [(text, note["customer_id"] or note["contact_id"]) for text, note in zip(masked, notes, strict=True)]
        with self.connection.cursor().copy(query("voice", "fill_quotes")) as copy:
            for place, k in enumerate(quotes.choose(keyed, telling)):
                copy.write_row((problem_id, place, notes[k]["day"], notes[k]["channel"], masked[k]))

    def _replace_customers(self, problem_id: int, people: list[dict[str, Any]]) -> None:
        self.connection.execute(query("voice", "forget_customers"), {"problem_id": problem_id})
        ranked = sorted(people, key=lambda p: -(p["p_churn"] or 0) * (p["clv"] or 0))[:MOST_LISTED]
        # By INSERT: a table with row-level security takes no COPY.
        with self.connection.cursor() as cursor:
            cursor.executemany(
                query("voice", "fill_customers"),
                [
                    p
                    | {
                        "problem_id": problem_id,
                        "worth": None if p["clv"] is None else to_minor(p["clv"], self.company.currency),
                    }
                    for p in ranked
                ],
            )


def sort_broken_notes(connection: psycopg.Connection, fitted: Topics | None) -> int:
    """Put agents' new notes of what is broken to their topics, masked; how many."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("voice", "new_broken_notes")).fetchall()
    masked = [quotes.mask_quote(row["note"], row["name"]) for row in rows]
    which = fitted.assign([row["note"] for row in rows]) if fitted is not None else np.full(len(rows), -1)
    with connection.cursor().copy(query("voice", "fill_broken_notes")) as copy:
        for row, note, k in zip(rows, masked, which, strict=True):
            topic = fitted.topics[k].topic_id if fitted is not None and k >= 0 else None
            copy.write_row((row["case_id"], topic, row["said_on"], row["reason"], note))
    return len(rows)


def _seats(table: Table, night: bursts.Night, day: date) -> list[Seat]:
    """What a night's findings are told under, one for each reason."""
    names = table.keys.names
    found = np.flatnonzero(night.found)
    seats = []
    for reason in sorted({str(table.keys.reasons[k]) for k in found}):
        p_values = {names[k]: float(night.p_values[k]) for k in found if table.keys.reasons[k] == reason}
        key = problems.seat(reason, p_values, _excess(table, night, day, reason))
        at = table.place[key]
        seats.append(Seat(scope_of(key), table, night, at, float(night.p_values[at]), int(night.days[at]), None))
    return seats


def _excess(table: Table, night: bursts.Night, day: date, reason: str) -> dict[str, float]:
    """Contacts above the usual by key, of one reason and its parts."""
    row = (day - table.first).days
    mine = np.flatnonzero(table.keys.reasons == reason)
    return {table.keys.names[k]: float(table.counts[row, k] - night.expected[k]) for k in mine}


def _main_reason(read: Read, topic_id: int | None) -> str | None:
    """The reason most of a topic's notes are coded as; None where there is no such."""
    mine = [
        reason
        for k, reason in zip(read.which, read.reasons, strict=True)
        if k >= 0 and read.topics.topics[k].topic_id == topic_id
    ]
    if not mine:
        return None
    reason, n = Counter(mine).most_common(1)[0]
    return reason if n >= MINE * len(mine) else None


def _contacts_about(read: Read | None, topic_id: int) -> list[str]:
    if read is None:
        return []
    return [
        contact
        for contact, k in zip(read.contacts, read.which, strict=True)
        if k >= 0 and read.topics.topics[k].topic_id == topic_id
    ]


def _main_topic(read: Read | None, contacts: list[str]) -> int | None:
    """The topic most of these contacts' notes are about, of those that were read."""
    if read is None:
        return None
    wanted = set(contacts)
    counted = Counter(
        read.topics.topics[k].topic_id
        for contact, k in zip(read.contacts, read.which, strict=True)
        if contact in wanted and k >= 0
    )
    return counted.most_common(1)[0][0] if counted else None
