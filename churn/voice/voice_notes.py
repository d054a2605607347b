"""The notes of the trailing weeks, read every night: a sample of each day, and the topics learned from it anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import psycopg
from psycopg.types.json import Jsonb

from churn.core.voice import bursts, topics
from churn.core.voice.topics import Topic, Topics
from churn.progress import Tell
from churn.queries import query

Array = np.ndarray[Any, Any]
SEED = 20240501
NOTES_A_DAY = 400
MOST_NOTES = 12_000  # to learn topics from


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
