"""What goes wrong around the database, and that nothing is lost: each fault made for real."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from prometheus_client import generate_latest
from prometheus_client.registry import CollectorRegistry
from psycopg import sql

from churn import audit, db, ledger, people
from churn.core.grants import Entry, Grant
from churn.operations import faults, health, housekeeping, metrics
from churn.postgres import keeper
from churn.refusals import Busy, PersonUnknown, ReadOnly, RoleChanged, SessionEnded
from churn.settings import Settings
from tests.ledger_world import World, build


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    """A desk with a pool of its own."""
    desk = db.open_database(database, size=4)
    yield build(desk, owner)
    desk.close()


def name_of(settings: Settings) -> sql.Identifier:
    return sql.Identifier(settings.database)


def cut_everybody(settings: Settings) -> None:
    """End every connection to the database but the one that does it, as a restart would."""
    with psycopg.connect(db.admin_conninfo(settings, "postgres"), autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [settings.database])


@contextlib.contextmanager
def away(settings: Settings) -> Iterator[None]:
    """The database refuses everybody, as while it starts."""
    with psycopg.connect(db.admin_conninfo(settings, "postgres"), autocommit=True) as server:
        server.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(name_of(settings)))
        cut_everybody(settings)
        yield
        server.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true").format(name_of(settings)))


def test_after_every_connection_was_cut_the_next_grant_goes_through(world: World, database: Settings) -> None:
    grant = world.offer("ann")
    cut_everybody(database)
    assert given_at_last(world, grant).amount == 2_000
    with psycopg.connect(db.admin_conninfo(database)) as owner:
        assert owner.execute("SELECT count(*), sum(amount) FROM desk.ledger").fetchone() == (1, 2_000)


def given_at_last(world: World, grant: Grant) -> Entry:
    """The entry, asked again while the desk says that it is busy and nothing was done, as an agent would."""
    for _ in range(4):
        with contextlib.suppress(Busy):  # a busy machine may need more than a second for new connections
            return ledger.give(world.database, world["ann"], grant)
    return ledger.give(world.database, world["ann"], grant)


def test_a_database_that_only_reads_refuses_by_name_and_keeps_the_key_good(world: World, database: Settings) -> None:
    grant = world.offer("ann")
    with psycopg.connect(db.admin_conninfo(database, "postgres"), autocommit=True) as server:
        server.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name_of(database)))
        standby = db.open_database(database, size=1)
        with pytest.raises(ReadOnly, match="takes no changes just now; nothing was done"):
            ledger.give(standby, world["ann"], grant)
        assert ledger.headroom(standby, world["ann"], "north") != []  # reading goes on
        server.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name_of(database)))
        standby.close()
    assert ledger.give(world.database, world["ann"], grant).amount == 2_000


def test_a_slow_read_is_given_up_and_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "STATEMENT_SECONDS", 0.2)
    session, began = world["ann"], time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled) as slow, world.database.transaction(session) as connection:
        connection.execute("SELECT pg_sleep(10)")
    assert time.monotonic() - began < 9  # it would have slept for ten
    assert faults.sentence_of(slow.value) == faults.SLOW
    with world.database.transaction(session) as connection:  # and the connection is good again
        assert connection.execute("SHOW statement_timeout").fetchone() == ("200ms",)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("25006", faults.READ_ONLY),
        ("53100", faults.FULL),
        ("53300", faults.BUSY),
        ("57014", faults.SLOW),
        ("57P01", faults.AWAY),
        ("57P03", faults.AWAY),
        ("08006", faults.AWAY),
        ("40P01", faults.BUSY),
        ("55P03", faults.BUSY),
        ("23505", None),
        ("42P01", None),
    ],
)
def test_a_state_of_the_server_is_a_sentence_and_a_defect_is_none(
    owner: psycopg.Connection, state: str, sentence: str | None
) -> None:
    with pytest.raises(psycopg.Error) as raised:
        owner.execute(sql.SQL("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = {}; END $$").format(sql.Literal(state)))
    assert faults.sentence_of(raised.value) == sentence


def test_a_server_nobody_listens_at_is_away(tmp_path: Path) -> None:
    with pytest.raises(psycopg.OperationalError) as gone:
        psycopg.connect(host=str(tmp_path), connect_timeout=1)
    assert faults.sentence_of(gone.value) == faults.AWAY


@pytest.fixture
def small_disk(owner: psycopg.Connection) -> Iterator[Path]:
    """A disk of two megabytes for tables; takes root, as the container of the tests has it."""
    folder = Path(tempfile.mkdtemp(prefix="keepline-disk-", dir="/tmp"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("this account may not mount a small disk")
    inner = folder / "tables"
    inner.mkdir()
    if os.geteuid() == 0:
        user = pwd.getpwnam(keeper.ACCOUNT)
        os.chown(inner, user.pw_uid, user.pw_gid)
    folder.chmod(0o755)
    yield inner
    subprocess.run(["umount", "-l", folder], check=False)
    folder.rmdir()


def test_a_full_disk_refuses_whole_grants_and_the_key_stays_good(
    world: World, owner: psycopg.Connection, small_disk: Path
) -> None:
    space = f"full_{os.getpid()}"
    owner.execute(
        sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(sql.Identifier(space), sql.Literal(str(small_disk)))
    )
    try:
        grant = world.offer("ann")
        owner.execute(sql.SQL("ALTER TABLE desk.ledger SET TABLESPACE {}").format(sql.Identifier(space)))
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        with pytest.raises(Busy, match="nothing was done"):
            ledger.give(world.database, world["ann"], grant)
        assert world.spent() == 0
        filler.unlink()
        assert ledger.give(world.database, world["ann"], grant).amount == 2_000
        assert world.spent() == 2_000
    finally:
        owner.execute("ALTER TABLE desk.ledger SET TABLESPACE pg_default")
        owner.execute(sql.SQL("DROP TABLESPACE {}").format(sql.Identifier(space)))


# clocks and sign-ins


@pytest.fixture
def employed(world: World) -> World:
    """ann is known to the provider."""
    people.change(world.database, "ann", sign_in="ann@desk.example")
    return world


def test_a_provider_whose_clock_is_minutes_ahead_is_believed_and_hours_are_not(employed: World) -> None:
    now = datetime.now(UTC)
    ahead = ledger.sign_in(employed.database, subject="ANN@desk.example", issued_at=now + timedelta(minutes=3))
    assert ahead.staff_id == "ann"
    assert ahead.expires_at <= now + timedelta(hours=12, minutes=1)
    for wrong in (timedelta(hours=1), timedelta(hours=-13)):
        with pytest.raises(SessionEnded):
            ledger.sign_in(employed.database, subject="ann@desk.example", issued_at=now + wrong)


def test_an_app_whose_clock_is_a_day_off_changes_no_session(employed: World) -> None:
    """Sessions end by the database's clock alone: nobody hands one in."""
    session = ledger.sign_in(employed.database, subject="ann@desk.example", issued_at=datetime.now(UTC))
    employed.owner.execute("UPDATE desk.sessions SET expires_at = clock_timestamp() - interval '1 second'")
    assert session.expires_at > datetime.now(UTC)  # what the app was told says nothing any more
    with pytest.raises(SessionEnded):
        ledger.person(employed.database, session)


def test_a_sign_in_that_was_signed_out_opens_no_tab_again(employed: World) -> None:
    issued = datetime.now(UTC)
    first = ledger.sign_in(employed.database, subject="ann@desk.example", issued_at=issued)
    second = ledger.sign_in(employed.database, subject="ann@desk.example", issued_at=issued)
    assert ledger.is_here(employed.database, second)
    ledger.sign_out(employed.database, first)
    assert not ledger.is_here(employed.database, second)
    with pytest.raises(SessionEnded):
        ledger.sign_in(employed.database, subject="ann@desk.example", issued_at=issued)
    later = ledger.sign_in(employed.database, subject="ann@desk.example", issued_at=issued + timedelta(seconds=1))
    assert ledger.is_here(employed.database, later)


def test_somebody_who_left_or_is_unknown_does_not_come_in(employed: World) -> None:
    session = ledger.sign_in(employed.database, subject="ann@desk.example", issued_at=datetime.now(UTC))
    people.change(employed.database, "ann", is_active=False)
    assert not ledger.is_here(employed.database, session)
    with pytest.raises(RoleChanged):
        ledger.person(employed.database, session)
    for subject in ("ann@desk.example", "nobody@desk.example", "%", "' OR 1=1 --"):
        with pytest.raises(PersonUnknown):
            ledger.sign_in(employed.database, subject=subject, issued_at=datetime.now(UTC))


def test_asking_whether_somebody_is_here_is_no_sign_of_life(employed: World) -> None:
    session = ledger.sign_in(employed.database, subject="ann@desk.example", issued_at=datetime.now(UTC))
    employed.owner.execute("UPDATE desk.sessions SET last_seen_at = clock_timestamp() - interval '29 minutes'")
    assert ledger.is_here(employed.database, session)
    age = "SELECT min(clock_timestamp() - last_seen_at) > interval '28 minutes' FROM desk.sessions"
    assert employed.owner.execute(age).fetchone() == (True,)
    ledger.person(employed.database, session)
    age = "SELECT min(clock_timestamp() - last_seen_at) < interval '1 minute' FROM desk.sessions"
    assert employed.owner.execute(age).fetchone() == (True,)


def test_a_staff_change_leaves_its_row_in_the_audit(employed: World) -> None:
    people.put(employed.database, people.Employee("new", "New Person", "agent", "north", "new@desk.example"))
    people.change(employed.database, "new", role="supervisor")
    rows = employed.owner.execute(
        "SELECT detail ->> 'role', detail::text FROM desk.audit WHERE subject = 'new' ORDER BY audit_id"
    ).fetchall()
    assert [role for role, _ in rows] == ["agent", "supervisor"]
    assert not any("New Person" in text or "new@desk" in text for _, text in rows)
    with pytest.raises(people.NoSuchRole, match="chief"):
        people.change(employed.database, "new", role="chief")
    with pytest.raises(people.NoSuchPerson, match="ghost"):
        people.change(employed.database, "ghost", role="agent")


# what runs by itself


def test_of_two_processes_one_does_the_housekeeping(world: World, database: Settings) -> None:
    world.give()
    other = db.open_database(database, size=2)
    with other.transaction("batch") as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [housekeeping.LOCK])
        assert housekeeping.tidy(world.database) is False
        assert audit.seals(world.database) == []
    assert housekeeping.tidy(world.database) is True
    assert audit.seals(world.database) != []
    other.close()


def test_housekeeping_goes_on_after_the_database_was_away(world: World, database: Settings) -> None:
    ended = housekeeping.start(world.database, database, every=0.2)
    try:
        with away(database):
            time.sleep(0.6)
        with psycopg.connect(db.admin_conninfo(database), autocommit=True) as connection:
            connection.execute("INSERT INTO desk.audit (act) VALUES ('test')")
        deadline = time.monotonic() + 15
        while not audit.seals(world.database):
            assert time.monotonic() < deadline, "nothing was sealed any more"
            time.sleep(0.1)
    finally:
        ended.set()
        for thread in threading.enumerate():
            if thread.name == "housekeeping":
                thread.join(10)


# what an operator sees


def test_ready_says_what_is_wrong(world: World, owner: psycopg.Connection, database: Settings) -> None:
    watch = health.Health(world.database)
    is_ready, found = watch.ready()
    assert (is_ready, found["database"], found["migrations"], found["models"]) == (True, "ok", "ok", "none")
    owner.execute("UPDATE public.keepline_migrations SET sha256 = 'x' WHERE number = 4")
    is_ready, found = watch.ready()
    assert (is_ready, found["migrations"]) == (False, "1 missing or changed, the first 0004_ledger.sql")
    with away(database):
        is_ready, found = watch.ready()
        assert (is_ready, found["migrations"]) == (False, "unknown")
        assert found["database"] != "ok"


def test_a_model_that_was_tampered_with_is_told_and_keeps_nobody_waiting(
    world: World, owner: psycopg.Connection
) -> None:
    owner.execute(
        "INSERT INTO desk.model_versions (kind, status, data_as_of, horizon_days, metrics, libraries, artifact, "
        "sha256, created_by, promoted_at, promoted_by) "
        "VALUES ('risk', 'current', now(), 90, '{}', '{}', 'x', repeat('0', 64), 'test', now(), 'test')"
    )
    is_ready, found = health.Health(world.database).ready()
    assert is_ready
    assert found["models"] == {"risk": "ModelTampered"}


def figures(database: db.Database) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(metrics.Watch(database))
    lines = generate_latest(registry).decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_the_figures_tell_what_happened(world: World) -> None:
    world.give()
    with pytest.raises(Exception, match=r"."):
        world.give("ann", "C1", 19_000)  # above her authority
    found = figures(world.database)
    assert found["keepline_database_up"] == 1
    assert found["keepline_database_milliseconds"] > 0
    assert found['keepline_ledger_last_hour{kind="grant"}'] == 1
    assert sum(value for name, value in found.items() if name.startswith("keepline_refused_last_hour")) == 1
    assert found["keepline_approvals_waiting"] == 0
    assert 0 <= found["keepline_unsealed_seconds"] < 60
    housekeeping.tidy(world.database)
    assert "keepline_unsealed_seconds" not in figures(world.database)


def test_without_a_database_the_figures_say_so(world: World, database: Settings) -> None:
    with away(database):
        found = figures(world.database)
    assert found["keepline_database_up"] == 0
    assert "keepline_approvals_waiting" not in found
