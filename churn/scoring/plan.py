"""Everyone's scores: the book cut into ranges of keys, each scored by an engine, all of them shown at once.

A night scores only whose inputs changed since their score: the fingerprint beside it says so, and what time alone
changes is in the features. What was begun and not finished is gone on with; until the end the scores of before stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import psycopg

from churn import db, registry, store
from churn.policies.stored import economics_in_force
from churn.progress import Tell
from churn.queries import query
from churn.scoring.engines import Engine, each
from churn.scoring.ranges import score_range
from churn.settings import Settings

RANGE_SIZE = 10_000  # customers
MOST_REMEMBERED = 20_000  # predictions of a month, for what happened: enough for a tenth of them to be told to a point


class NoModel(LookupError):
    """There is no risk model in use: run `python3 -m churn train`, and `promote` one if training was refused before."""


class AlreadyScoring(RuntimeError):
    """Somebody scores this company already: wait until that has ended."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What a run came to: customers with a score, and how many of them it scored anew."""

    customers: int
    anew: int

    def __str__(self) -> str:
        return f"{self.customers:,} customers, {self.anew:,} of them scored anew"


def score_everyone(
    settings: Settings, *, progress: Tell, engine: Engine = "local", workers: int | None = None, is_full: bool = False
) -> Scored:
    """Score every live customer by the models in use. `is_full`: also those whose inputs are as they were.

    Raises NoModel, AlreadyScoring, store.NoCompany.
    """
    with db.connect(settings, "batch") as connection:
        company = store.company(connection)
        as_of = company.data_until or datetime.now(UTC)
        versions = registry.current(connection)
        if "risk" not in versions:
            raise NoModel(NoModel.__doc__)
        if not _one(connection, "take_lock", {}):
            raise AlreadyScoring(AlreadyScoring.__doc__)
        survival = versions.get("survival")
        by = {
            "risk": versions["risk"].model_version,
            "survival": survival.model_version if survival else None,
            **asdict(economics_in_force(settings, store.local_day(as_of, company.time_zone))),
        }
        plan_id, as_of = _plan(connection, as_of, by | {"is_full": is_full, "size": RANGE_SIZE})
        done = partial(each, engine, partial(score_range, settings, plan_id), workers=workers)
        _do(connection, plan_id, done, progress)
        return _show(connection, plan_id, by | {"as_of": as_of, "horizon_days": company.horizon_days})


def _plan(connection: psycopg.Connection, as_of: datetime, by: dict[str, Any]) -> tuple[UUID, datetime]:
    """The key and the instant of the plan to go on with, or of a new one."""
    with connection.transaction():
        found = connection.execute(query("scores", "plan"), by).fetchone()
        if found is not None:
            return found[0], found[1]
        _forget(connection)
        plan_id = _one(connection, "make_plan", by | {"as_of": as_of})
        connection.execute(query("scores", "make_ranges"), {"plan_id": plan_id, "size": by["size"]})
        return plan_id, as_of


def _do(
    connection: psycopg.Connection, plan_id: UUID, done: Callable[[Sequence[int]], Iterator[int]], tell: Tell
) -> None:
    """Every range of a plan that is not done yet."""
    ranges = [row[0] for row in connection.execute(query("scores", "open_ranges"), {"plan_id": plan_id})]
    for count, _ in enumerate(done(ranges), start=1):
        tell(f"scores: {count:,} of {len(ranges):,} ranges of {RANGE_SIZE:,} customers")


def _show(connection: psycopg.Connection, plan_id: UUID, run: dict[str, Any]) -> Scored:
    """All scores at once, and the plan forgotten."""
    with connection.transaction():
        customers, anew = connection.execute(query("scores", "told"), {"plan_id": plan_id}).fetchone() or (0, 0)
        connection.execute(query("scores", "drop_gone"))
        connection.execute(query("scores", "fill"))
        connection.execute(query("scores", "note_run"), run | {"anew": anew})
        connection.execute(query("scores", "remember"), run | {"most": MOST_REMEMBERED})
        _forget(connection)
    return Scored(customers, anew)


def _forget(connection: psycopg.Connection) -> None:
    """Plans, and what they had come to."""
    connection.execute(query("scores", "forget_plans"))
    connection.execute(query("scores", "forget_fresh"))


def _one(connection: psycopg.Connection, name: str, asked: dict[str, Any]) -> Any:
    row = connection.execute(query("scores", name), asked).fetchone()
    return row[0] if row else None
