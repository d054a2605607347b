"""Who is worth ringing today: the queue, taken by one person only, and what came of each call.

The queue is made every night (`churn.calls.callback_ranking`) and ranked by what a call may gain, not by risk. Whose
gain the interval does not show is kept apart. Taking is one conditional write in the database; a hold ends by itself,
and the customer is back in the queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row, dict_row

from churn import casework, store
from churn.core.calls.callback import ring_with
from churn.core.calls.say import Opening
from churn.core.grants import Session
from churn.core.language import t
from churn.core.records import Company
from churn.db import Database
from churn.queries import query

REST_DAYS = 30  # between two calls of ours
AGAIN_HOURS = 20  # after no answer: tomorrow, not at the same hour
MOST_MISSES = 3  # without an answer, then they rest
HOLD_MINUTES = 30
OUTCOMES = ("reached", "kept", "left", "no_answer")


class Taken(LookupError):
    """Somebody else has them on the line, or they are no longer in the queue; take another."""


class HoldsOne(ValueError):
    """You have taken somebody already: say what came of that call first, or put them back."""


class NotHeld(LookupError):
    """This is no longer yours: the time for the call had run out and somebody else took it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One customer worth ringing. Money in minor units; `is_shown`: the whole interval of the gain is above zero."""

    customer_id: str
    name: str
    lever: str | None  # None, with all figures: held, and no longer a candidate
    instrument: str | None
    amount: int | None
    currency: str | None
    p_without: float | None
    p_with: float | None
    worth: int | None
    gain: int | None
    gain_low: int | None
    gain_high: int | None
    is_shown: bool | None
    as_of: datetime | None
    effect_version: int | None  # None: the policy's default curve
    is_vulnerable: bool


@dataclass(frozen=True, slots=True)
class Held(Candidate):
    """One customer somebody has taken, until `expires_at`."""

    phone: str | None
    expires_at: datetime
    misses: int  # rung in a row without an answer


@dataclass(frozen=True, slots=True)
class Progress:
    """How the queue stands. `today`: what came of today's calls; `mine`: those of one person."""

    shown: int
    likely: int
    held: int
    as_of: datetime | None
    today: dict[str, int]
    mine: int


def queue(
    connection: psycopg.Connection, *, is_shown: bool = True, order: str = "gain", most: int = 10
) -> list[Candidate]:
    """Whom one may take now, best first. `order`: gain, worth, or stays (by how much the chance of staying rises)."""
    asked = {"is_shown": is_shown, "order": order, "most": most}
    with connection.cursor(row_factory=class_row(Candidate)) as cursor:
        return cursor.execute(query("callbacks", "queue"), asked).fetchall()


def mine(connection: psycopg.Connection, staff_id: str) -> Held | None:
    """Whom this person has taken; None when nobody, or when the time has run out."""
    with connection.cursor(row_factory=class_row(Held)) as cursor:
        return cursor.execute(query("callbacks", "mine"), {"staff_id": staff_id}).fetchone()


def standing(connection: psycopg.Connection, staff_id: str) -> Progress:
    """How the queue stands and what came of today's calls."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("callbacks", "progress"), {"staff_id": staff_id}).fetchone()
    return Progress(**row or {"shown": 0, "likely": 0, "held": 0, "as_of": None, "today": {}, "mine": 0})


def opening_of(connection: psycopg.Connection, customer_id: str, company: Company, clock: datetime) -> Opening:
    """What to open the call with, from this customer's own records. Raises store.NoSuchCustomer."""
    as_of = store.moment(connection, customer_id, clock)
    return ring_with(casework.scene_of(store.caller_facts(connection, customer_id, as_of, company.time_zone), company))


def take(database: Database, me: Session, customer_id: str) -> Held:
    """Take one customer; taking the same again is no harm. Raises Taken, HoldsOne."""
    asked = {"customer_id": customer_id, "minutes": HOLD_MINUTES}
    with database.transaction(me) as connection:
        connection.execute(query("callbacks", "take"), asked)
        held = mine(connection, me.staff_id)
    if held is None:
        raise Taken(t("Somebody else has them on the line, or they are no longer in the queue; take another."))
    if held.customer_id != customer_id:
        raise HoldsOne(t("You have taken somebody already: say what came of that call first, or put them back."))
    return held


def finish(database: Database, me: Session, customer_id: str, what: str, *, until: datetime | None = None) -> datetime:
    """Write down what came of it: an outcome, `snoozed` (with `until`) or `released`; when they may be rung again.

    An outcome counts after the time for the call as long as nobody else has taken them; a second click changes nothing.
    Raises NotHeld, ValueError.
    """
    if what not in {*OUTCOMES, "snoozed", "released"} or (what == "snoozed") != (until is not None):
        raise ValueError(f"A call does not end as {what}{' without a day' if until is None else ''}.")
    asked = {
        "customer_id": customer_id, "what": what, "until": until, "rest_days": REST_DAYS,
        "again_hours": AGAIN_HOURS, "most_misses": MOST_MISSES,
    }  # fmt: skip
    with database.transaction(me) as connection:
        row = connection.execute(query("callbacks", "finish"), asked).fetchone()
    if row is None or row[0] is None:
        raise NotHeld(t("This is no longer yours: the time for the call had run out and somebody else took it."))
    return row[0]  # type: ignore[no-any-return]
