"""Contacts by day and key (a reason, a reason in a region or plan, a topic): what a night is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import psycopg

from churn.core.voice import bursts, problems
from churn.queries import query
from churn.voice.voice_notes import Read

Array = np.ndarray[Any, Any]
LEAST_KEY = 0.2  # contacts a day: a part with fewer has no level of its own


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
