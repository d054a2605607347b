"""The audit: every weighty act leaves a row, and a row that was changed, removed or slipped in later is named."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest

from churn import audit, db, ledger
from churn.refusals import Refusal
from churn.settings import Settings
from tests.ledger_world import World, build


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    """A desk with people, policy and a budget, and somebody who reads the audit."""
    pool = db.open_database(database, size=12)
    made = build(pool, owner)
    owner.execute("INSERT INTO desk.staff (staff_id, name, role) VALUES ('adi', 'Adi', 'administrator')")
    yield made
    pool.close()


@contextmanager
def as_the_owner_could(world: World) -> Iterator[psycopg.Connection]:
    """Past every trigger: what nobody can prevent the owner of a database from doing."""
    with world.owner.transaction():
        for table in ("audit", "ledger", "seals"):
            world.owner.execute(f"ALTER TABLE desk.{table} DISABLE TRIGGER USER")  # type: ignore[arg-type]
        yield world.owner
        for table in ("audit", "ledger", "seals"):
            for (name,) in world.owner.execute(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", [f"desk.{table}"]
            ).fetchall():
                world.owner.execute(f"ALTER TABLE desk.{table} ENABLE ALWAYS TRIGGER {name}")  # type: ignore[arg-type]


def acts(world: World) -> list[tuple[str | None, str, str | None]]:
    return world.owner.execute("SELECT staff_id, act, subject_kind FROM desk.audit ORDER BY audit_id").fetchall()


def test_weighty_acts_leave_a_row_with_who_did_them(world: World) -> None:
    before = len(acts(world))
    offer = world.offer("ann", "C1", 5_000)
    asked = ledger.ask_approval(world.database, world["ann"], offer, approval_id=uuid4(), reason="long-standing")
    ledger.decline(world.database, world["nor"], asked.approval_id, reason="no")
    world.budget(500, team="south")
    ledger.name_stand_in(world.database, world["nor"], team="north", staff_id="ned", hours=1)
    world.owner.execute("UPDATE desk.staff SET role = 'supervisor' WHERE staff_id = 'abe'")
    assert acts(world)[before:] == [
        ("ann", "asked", "request"), ("nor", "declined", "request"), ("finn", "proposed", "budget"),
        ("fay", "confirmed", "budget"), ("nor", "named", "stand-in"), (None, "changed", "person"),
    ]  # fmt: skip
    assert {("finn", "drafted", "policy"), ("fay", "published", "policy")} <= set(acts(world))


def test_the_trail_shows_grants_and_refusals_beside_the_rest(world: World) -> None:
    world.give("ann", "C1", 1_000)
    with pytest.raises(Refusal):
        world.give("ann", "C1", 5_000)
    found = audit.trail(
        world.database,
        world["adi"],
        since=ledger.datetime(2020, 1, 1),
        until=ledger.datetime(2100, 1, 1),
        staff_id="ann",
    )
    assert [(event.act, event.source) for event in found[:2]] == [("refused", "refusals"), ("gave", "ledger")]
    assert found[1].detail["amount"] == 1_000
    assert [event.act for event in audit.trail(
        world.database, world["adi"], since=ledger.datetime(2020, 1, 1), until=ledger.datetime(2100, 1, 1), act="gave"
    )] == ["gave"]  # fmt: skip


def test_sealed_rows_that_stand_are_in_order(world: World) -> None:
    for amount in (100, 200, 300):
        world.give("ann", "C1", amount)
    assert audit.seal(world.database) > 3
    assert audit.seal(world.database) == 0
    world.give("ann", "C1", 400)
    assert audit.seal(world.database) == 1
    assert audit.verify(world.database) == []
    newest, *_, first = audit.seals(world.database, most=100)
    assert (newest.table_name, newest.rows) == ("ledger", 1)
    assert audit.has_root(world.database, first.root)
    assert not audit.has_root(world.database, "ab" * 32)


@pytest.mark.parametrize(
    ("deed", "problem"),
    [
        ("UPDATE desk.ledger SET amount = 99 WHERE entry_id = 2", ("ledger", 2, "this row was changed")),
        ("UPDATE desk.ledger SET recorded_at = recorded_at - interval '1 day' WHERE entry_id = 2",
         ("ledger", 2, "this row was changed")),
        ("DELETE FROM desk.ledger WHERE entry_id = 2", ("ledger", 2, "this row was removed")),
        ("UPDATE desk.audit SET staff_id = 'ben' WHERE audit_id = 3", ("audit", 3, "this row was changed")),
        ("DELETE FROM desk.audit WHERE audit_id = 3", ("audit", 3, "this row was removed")),
        ("DELETE FROM desk.seals WHERE seal_id = 1", ("ledger", None, "a seal before this one was removed or changed")),
        ("UPDATE desk.seals SET digests = digests || '\\x00' WHERE table_name = 'ledger'",
         ("ledger", None, "this seal was changed")),
    ],
)  # fmt: skip
def test_what_the_owner_did_is_named(world: World, deed: str, problem: tuple[str, int | None, str]) -> None:
    for amount in (100, 200, 300):
        world.give("ann", "C1", amount)
    audit.seal(world.database)
    assert audit.verify(world.database) == []
    with as_the_owner_could(world) as owner:
        owner.execute(deed)  # type: ignore[arg-type]
    assert problem in [(fault.table_name, fault.id, fault.problem) for fault in audit.verify(world.database)]


def test_a_row_slipped_in_after_the_sealing_is_named(world: World) -> None:
    with world.owner.transaction(force_rollback=True):
        world.owner.execute("INSERT INTO desk.audit (act) VALUES ('made up')")  # a number that stays free
    world.owner.execute("INSERT INTO desk.audit (act) VALUES ('real')")
    audit.seal(world.database)
    (last,) = world.owner.execute("SELECT max(audit_id) FROM desk.audit").fetchone() or (0,)
    with as_the_owner_could(world) as owner:
        owner.execute("INSERT INTO desk.audit (audit_id, act) OVERRIDING SYSTEM VALUE VALUES (%s, 'late')", [last - 1])
    assert [(fault.id, fault.problem) for fault in audit.verify(world.database)] == [
        (last - 1, "this row was put in after the sealing")
    ]


def test_a_chain_made_anew_misses_the_root_that_was_kept_elsewhere(world: World) -> None:
    world.give("ann", "C1", 100)
    audit.seal(world.database)
    kept = audit.seals(world.database, most=1)[0].root
    with as_the_owner_could(world) as owner:
        owner.execute("UPDATE desk.ledger SET amount = 99")
        owner.execute("DELETE FROM desk.seals")
    audit.seal(world.database)
    assert audit.verify(world.database) == []  # the forger was thorough
    assert not audit.has_root(world.database, kept)


def test_sealing_while_others_give_seals_every_row_once_and_loses_none(world: World) -> None:
    world.budget(1_000_000)

    def give(number: int) -> int:
        return world.give(f"agent{number % 8}", f"C{number}", 100).entry_id

    world.owner.execute("UPDATE desk.staff SET team = 'north' WHERE staff_id LIKE 'agent%'")
    for number in range(8):
        world[f"agent{number}"]
    with ThreadPoolExecutor(9) as pool:
        sealing = [pool.submit(audit.seal, world.database) for _ in range(1)]
        given = [pool.submit(give, number) for number in range(40)]
        for _ in range(10):
            audit.seal(world.database)
        entries = {one.result() for one in given}
        assert all(one.result() >= 0 for one in sealing)
    audit.seal(world.database)
    assert audit.verify(world.database) == []
    sealed = world.owner.execute("SELECT unnest(ids) FROM desk.seals WHERE table_name = 'ledger'").fetchall()
    assert sorted(row[0] for row in sealed) == sorted(entries)


def test_a_column_added_later_changes_no_digest(world: World) -> None:
    world.give("ann", "C1", 100)
    audit.seal(world.database)
    world.owner.execute("ALTER TABLE desk.audit ADD COLUMN later text DEFAULT 'x'")
    assert audit.verify(world.database) == []
