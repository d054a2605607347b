"""The door to Postgres: roles, migrations, clones."""

from __future__ import annotations

import psycopg
import pytest

from churn import db
from churn.settings import Settings


def test_migrating_again_changes_nothing(database: Settings) -> None:
    with psycopg.connect(db.admin_conninfo(database)) as connection:
        assert db.migrate(connection) == []


def test_an_edited_migration_is_refused(owner: psycopg.Connection) -> None:
    owner.execute("UPDATE public.keepline_migrations SET sha256 = 'edited' WHERE number = 1")
    with pytest.raises(db.MigrationChanged, match="0001_house.sql was changed after it ran"):
        db.migrate(owner)


def test_the_app_login_is_no_superuser(database: Settings) -> None:
    with psycopg.connect(db.app_conninfo(database)) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        if database.database_url is None:
            assert row.fetchone() == (False, False, False)


@pytest.mark.parametrize("role", [role for role in db.ROLES if role != "owner"])
def test_no_role_reads_the_truth(database: Settings, role: str) -> None:
    with db.connect(database, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT count(*) FROM truth.customers")


def test_a_transaction_runs_as_its_role_and_no_longer(database: Settings) -> None:
    desk = db.open_database(database, size=1)
    try:
        with desk.transaction("agent") as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("keepline_agent",)
        with desk.transaction("batch") as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("keepline_batch",)
    finally:
        desk.close()


def test_an_unknown_role_is_named(database: Settings) -> None:
    with pytest.raises(db.UnknownRole, match="no database role 'root'"):
        db.connect(database, "root")
