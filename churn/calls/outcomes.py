"""Did it work, every night: what became of everybody who came to cancel, and credit for saves that did not last.

Who came to cancel is known from the company's contacts (a retention queue, a reason that says so) and from the desk's
cases ("cancel" was said, the call ended deflected or cancelled, the reason says so). A customer who comes on one day by
several ways came once. Stages are written in one transaction. Claw-backs follow, each by the ledger's own act in a
transaction of its own: in one long one the team's budget would be locked for everybody who gives meanwhile. They are
found anew from ledger and `crm`, so a run that was cut off is completed by the next, and a second run changes nothing.

Last, the settled cases are kept without a name, for calls to be compared with (`churn.calls.past_cases`).

What goes back: of what is given month by month the parts not yet due, of what was given at once nothing but the credit
for the save. Refunds people are owed never go back. A customer who was cut off or moved away was not lost by the
agent: their stage says so, and nothing is clawed back.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from churn import db, ledger, store
from churn.calls import past_cases
from churn.core.calls.saves import Call, Row, Stage, additions, path, unpaid, windows_of
from churn.core.policies.policy import Case, Policy, setting
from churn.db import Database
from churn.policies.stored import policy_in_force, policy_version, policy_versions
from churn.progress import Tell
from churn.queries import query
from churn.refusals import Refusal
from churn.settings import Settings

QUEUES = r"\m(retention|loyalty|cancel)"
REASONS = r"(cancel|leaving|terminat|disconnect|port.?out)"
LATE_DAYS = 90  # how late a contact or a date of leaving may come and still be taken in
BATCH = 10_000
WHY_BACK = "left by choice inside the save window"


@dataclass(frozen=True, slots=True)
class Settled:
    """What one night did. `waiting`: claw-backs that wait for a budget of the month or for a refusal to be lifted."""

    came: int  # to cancel, new
    stages: int  # written, re-statements among them
    restated: int
    clawed_back: int
    waiting: int

    def __str__(self) -> str:
        """One line for whoever ran it."""
        return (
            f"{self.came:,} came to cancel; {self.stages:,} new stages, {self.restated:,} of them re-statements; "
            f"{self.clawed_back:,} clawed back, {self.waiting:,} waiting for a budget"
        )


@dataclass(frozen=True, slots=True)
class Horizons:
    """The save window of every published policy version in days, and from when each was in force."""

    versions: dict[int, int]
    begins: tuple[tuple[datetime, int], ...]


def settle(settings: Settings, *, progress: Tell) -> Settled:
    """Bring every outcome up to the company's day and claw back what is due. Raises store.NoCompany."""
    database = db.open_database(settings, size=2)
    try:
        with db.connect(settings, "batch") as connection:
            horizons = _horizons(database, store.company(connection).horizon_days)
            with connection.transaction():
                connection.execute(query("outcomes", "one_at_a_time"))
                today, _ = _now(connection)
                came = _gather(connection, horizons)
                progress(f"outcomes: {came:,} came to cancel since")
                written = Counter(_write(connection, today))
            due = _due(connection, horizons, today)
        progress(f"outcomes: {written.total():,} new stages")
        clawed_back = sum(_claw_back(database, **row) for row in due)
        with db.connect(settings, "batch") as connection:
            kept = past_cases.refill(connection, policy_in_force(database, "batch"), *_now(connection))
        progress(f"outcomes: {kept:,} past cases to compare a call with")
        return Settled(came, written.total(), written[True], clawed_back, len(due) - clawed_back)
    finally:
        database.close()


def standing(connection: psycopg.Connection) -> dict[tuple[str, int | None], int]:
    """How many callers who came to cancel are in each (stage, window in days) as it stands."""
    return {(stage, days): count for stage, days, count in connection.execute(query("outcomes", "standing"))}


def _horizons(database: Database, otherwise: int) -> Horizons:
    """Policy's horizon by version; the company's own before the first policy and where a policy is silent."""
    found, begins = {}, [(datetime.min.replace(tzinfo=UTC), otherwise)]
    for version in reversed(policy_versions(database, "batch")):
        if version.effective_from is not None:
            days = _horizon(
                policy_version(database, "batch", version.version), version.effective_from.date(), otherwise
            )
            found[version.version] = days
            begins.append((version.effective_from, days))
    return Horizons(found, tuple(begins))


def _horizon(policy: Policy | None, on: date, otherwise: int) -> int:
    found = None if policy is None else setting(policy, Case(on=on, monthly_bill=0), "horizon")
    return otherwise if found is None else int(found)


def _now(connection: psycopg.Connection) -> tuple[date, datetime]:
    """The company's own day and instant."""
    row = connection.execute(query("outcomes", "today")).fetchone()
    now = datetime.now(UTC)
    return (row[1], row[0]) if row else (now.date(), now)


def _gather(connection: psycopg.Connection, horizons: Horizons) -> int:
    periods = [{"begins": begins.isoformat(), "windows": windows_of(days)} for begins, days in horizons.begins]
    asked = {"queues": QUEUES, "reasons": REASONS, "periods": json.dumps(periods), "late_days": LATE_DAYS}
    return connection.execute(query("outcomes", "gather"), asked).rowcount


def _write(connection: psycopg.Connection, today: date) -> Iterator[bool]:
    """Write what the histories lack; for each row whether it restates."""
    asked = {"today": today, "late_days": LATE_DAYS}
    with connection.cursor(name="open_intents", row_factory=dict_row) as cursor:
        cursor.execute(query("outcomes", "open_intents"), asked)
        while found := cursor.fetchmany(BATCH):
            added = list(_lacking(found, today))
            columns = {
                "intents": [intent_id for intent_id, _, _ in added],
                "places": [place for _, place, _ in added],
                "steps": [row.step for _, _, row in added],
                "stages": [row.stage.name for _, _, row in added],
                "windows": [row.stage.window_days for _, _, row in added],
                "began": [row.stage.on for _, _, row in added],
                "restate": [row.is_restatement for _, _, row in added],
            }
            connection.execute(query("outcomes", "add_stages"), columns)
            yield from (row.is_restatement for _, _, row in added)


def _lacking(found: Iterable[dict[str, Any]], today: date) -> Iterator[tuple[int, int, Row]]:
    """(intent, place in its history, row) for each row that is to be added."""
    for known in found:
        history = _history(known)
        call = Call(
            known["called_on"], tuple(known["windows"]), known["is_cancelled"], known["left_on"], known["left_how"]
        )
        for place, row in enumerate(additions(history, path(call, today)), len(history)):
            yield known["intent_id"], place, row


def _history(known: dict[str, Any]) -> list[Row]:
    if known["steps"] is None:
        return []
    columns = (known[name] for name in ("steps", "stages", "began", "window_days"))
    return [Row(step, Stage(*stage)) for step, *stage in zip(*columns, strict=True)]


def _due(connection: psycopg.Connection, horizons: Horizons, today: date) -> list[dict[str, Any]]:
    versions, days = list(horizons.versions), list(horizons.versions.values())
    asked = {"versions": versions, "horizons": days, "today": today}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("outcomes", "to_claw_back"), asked).fetchall()


def _claw_back(
    database: Database, *, entry_id: int, schedule: list[int] | None, given_on: date, left_on: date, has_budget: bool
) -> bool:
    """Whether it went back. Without a budget to go back to it waits: asking would leave a refusal every night."""
    if not has_budget:
        return False
    try:
        ledger.claw_back(database, entry_id, unpaid=unpaid(schedule, given_on, left_on), reason=WHY_BACK)
    except Refusal:
        return False  # kept by the database with its sentence; the next night asks again
    return True
