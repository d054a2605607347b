"""A backup restored elsewhere is the same company: rows, money, audit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from churn import audit, db, ledger
from churn.operations import backup, housekeeping
from churn.settings import Settings
from tests import ledger_world


@pytest.fixture
def elsewhere(database: Settings) -> Iterator[Settings]:
    """The name of a database that is not there yet; dropped after the test."""
    settings = replace(database, database=f"{database.database}_back")
    yield settings
    with psycopg.connect(db.admin_conninfo(database, "postgres"), autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(settings.database)))


def counted(settings: Settings) -> dict[str, int]:
    """Rows of every table."""
    with psycopg.connect(db.admin_conninfo(settings)) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
            "AND table_schema IN ('feed', 'desk', 'truth', 'public')"
        ).fetchall()
        return {
            f"{schema}.{table}": connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
            ).fetchone()[0]  # type: ignore[index]
            for schema, table in tables
        }


def given(settings: Settings) -> object:
    with psycopg.connect(db.admin_conninfo(settings)) as connection:
        return connection.execute("SELECT count(*), sum(amount), max(entry_id) FROM desk.ledger").fetchone()


def test_a_restored_company_has_the_same_rows_money_and_audit(
    database: Settings, owner: psycopg.Connection, elsewhere: Settings, tmp_path: Path
) -> None:
    app = db.open_database(database, size=2)
    world = ledger_world.build(app, owner)
    first = world.give("ann", "C1", 2_000)
    world.give("ann", "C2", 1_500)
    ledger.reverse(app, world["nor"], first.entry_id, reason="test")
    assert housekeeping.tidy(app)
    app.close()

    file = tmp_path / "company.keepline"
    size = backup.back_up(database, file)
    assert size == file.stat().st_size > 10_000
    assert file.stat().st_mode & 0o077 == 0
    backup.restore(elsewhere, file)

    assert counted(elsewhere) == counted(database)
    assert given(elsewhere) == given(database) == (3, 1_500, 3)
    restored = db.open_database(elsewhere, size=2)
    try:
        assert audit.verify(restored) == []
        assert [seal.root for seal in audit.seals(restored)] != []
        assert ledger.reconcile(restored) == []
        with psycopg.connect(db.admin_conninfo(elsewhere), autocommit=True) as connection:
            connection.execute("ALTER TABLE desk.ledger DISABLE TRIGGER append_only_row")
            connection.execute("UPDATE desk.ledger SET amount = amount + 1 WHERE entry_id = 2")
        assert [fault.id for fault in audit.verify(restored)] == [2]  # verification still bites
        again = ledger_world.World(restored, owner, version=world.version)  # and the desk works on
        assert ledger.headroom(restored, again["ann"], "north")
    finally:
        restored.close()


def test_nothing_is_overwritten(database: Settings, tmp_path: Path) -> None:
    file = tmp_path / "there"
    file.write_text("mine")
    with pytest.raises(backup.NotBackedUp, match="there already"):
        backup.back_up(database, file)
    assert file.read_text() == "mine"
    with pytest.raises(backup.NotRestored, match="restore into a new one"):
        backup.restore(database, file)


def test_a_broken_file_leaves_no_database(elsewhere: Settings, tmp_path: Path) -> None:
    file = tmp_path / "broken"
    file.write_bytes(b"PGDMP and then nothing")
    with pytest.raises(backup.NotRestored, match="could not be restored"):
        backup.restore(elsewhere, file)
    assert not db.exists(elsewhere)


def test_a_backup_that_fails_leaves_no_file(database: Settings, tmp_path: Path) -> None:
    with pytest.raises(backup.NotBackedUp, match="could not be made"):
        backup.back_up(replace(database, database="not_there"), tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
