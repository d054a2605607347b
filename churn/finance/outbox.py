"""Out to billing: every row of the ledger put out with it, numbered, and told to a webhook at least once.

A row is sent while its lock is held, so that two senders never send the same one at once and a sender that dies leaves
it waiting. What takes a grant back waits until the grant itself has arrived.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from churn import db
from churn.core.grants import Session
from churn.core.money import to_major
from churn.db import Database
from churn.finance import webhook
from churn.finance.webhook import Webhook
from churn.gateway import act, record, rows_of
from churn.queries import query
from churn.settings import Settings

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 6 * 3600.0  # seconds after the first failure, doubled each time
MOST_ATTEMPTS = 14  # a day and a half; then it is dead until somebody sends it again
MOST_IN_A_ROW = 3  # failures, after which the other side is left alone until the next time
MOST_AT_ONCE = 1_000
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Sent:
    """What one run came to."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0

    def __str__(self) -> str:
        """One line for whoever ran it."""
        return f"{self.delivered:,} delivered, {self.failed:,} to be tried again, {self.dead:,} given up"


@dataclass(frozen=True, slots=True)
class State:
    """How many rows are in a state, and since when the oldest."""

    state: str
    rows: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Late:
    """A row that was tried and did not arrive. `kind`: of the ledger's entry."""

    position: int
    entry_id: int
    kind: str
    state: str
    attempts: int
    next_at: datetime
    last_error: str | None


def number(database: Database) -> int:
    """Give what became visible its position; how many. Whoever reads by position sees it from now on."""
    with database.transaction("batch") as connection:
        return _number(connection)


def send_due(settings: Settings, to: Webhook, *, most: int = MOST_AT_ONCE, seconds: float = math.inf) -> Sent:
    """Send what is due, in order; none is begun after so many seconds. Any number of senders may run."""
    came: Counter[str] = Counter()
    end = time.monotonic() + seconds
    in_a_row = 0
    with db.connect(settings, "batch") as connection:
        _number(connection)
        while came.total() < most and in_a_row < MOST_IN_A_ROW and time.monotonic() < end:
            state = _send_next(connection, to)
            if state is None:
                break
            came[state] += 1
            in_a_row = 0 if state == "delivered" else in_a_row + 1
    return Sent(came["delivered"], came["waiting"], came["dead"])


def message(row: dict[str, Any]) -> bytes:
    """What billing is told of one entry, as JSON."""
    amount, currency = row["amount"], row["currency"]
    told = {
        "type": row["type"],
        "timestamp": row["recorded_at"].astimezone(UTC).isoformat(),
        "data": {
            "position": row["position"],
            "entry_id": row["entry_id"],
            "corrects": row["corrects"],
            "reference": str(row["reference"]),
            "account": row["account"],
            "instrument": row["instrument"],
            "amount_minor": amount,
            "amount": str(to_major(amount, currency)),
            "currency": currency,
            "months": row["months"],
            "schedule_minor": row["schedule"],
            "booked_on": row["booked_on"].isoformat(),
            "given_at": row["given_at"].astimezone(UTC).isoformat(),
        },
    }
    return json.dumps(told, separators=(",", ":")).encode()


def pause_after(attempts: int, *, jitter: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds to wait after so many attempts: doubled each time, up to a quarter off either way."""
    doubled: float = FIRST_PAUSE * 2 ** (attempts - 1)
    return min(doubled, LONGEST_PAUSE) * jitter(0.75, 1.25)


def states(database: Database, who: Session | str = "batch") -> list[State]:
    """How many rows wait, arrived, are dead, or were never to be sent."""
    return [record(State, row) for row in rows_of(database, who, "outbox", "states", {})]


def late(database: Database, who: Session | str = "batch", *, most: int = MOST_LISTED) -> list[Late]:
    """What was tried and did not arrive, the dead first."""
    return [record(Late, row) for row in rows_of(database, who, "outbox", "late", {"most": most})]


def send_again(database: Database, me: Session, entry_id: int | None = None) -> int:
    """Have what was given up sent again: one entry, or all of it; how many rows. Raises RoleMayNot."""
    done = act(database, me, "outbox", "send_again", {"entry_id": entry_id})
    return int(done["facts"]["rows"])


def retry(database: Database) -> int:
    """Have everything that failed sent again at once, the dead too; how many."""
    return len(rows_of(database, "batch", "outbox", "retry", {}))


def skip(database: Database, *, until: int) -> int:
    """Do not send what billing has read for itself, up to a position; how many."""
    return len(rows_of(database, "batch", "outbox", "skip", {"until": until}))


def _number(connection: psycopg.Connection) -> int:
    row = connection.execute(query("outbox", "number")).fetchone()
    return int(row[0]) if row else 0


def _send_next(connection: psycopg.Connection, to: Webhook) -> str | None:
    """Send the next row that is due and write down what came of it; its state, None: nothing is due."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("outbox", "next")).fetchone()
        if row is None:
            return None
        attempts = row["attempts"] + 1
        try:
            status = webhook.post(to, str(row["event_id"]), message(row))
            why = None if 200 <= status < 300 else f"answered {status}"
        except webhook.NotSent as failed:
            why = str(failed)
        state = "delivered" if why is None else "dead" if attempts >= MOST_ATTEMPTS else "waiting"
        asked = {"entry_id": row["entry_id"], "state": state, "why": why, "pause": pause_after(attempts)}
        cursor.execute(query("outbox", "tried"), asked)
        return state
