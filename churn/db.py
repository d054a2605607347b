"""Connections, transactions and migrations: the one door to Postgres.

The login behind every connection is a member of the `keepline_*` roles and takes exactly one per transaction, so that
what a page may touch is decided by the database.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from churn.core.grants import Session
from churn.operations.logs import request_id
from churn.postgres.server import embedded_conninfo, ensure_server
from churn.settings import SQL, Settings

# A cut network is noticed in seconds instead of minutes.
KEEPALIVE = {
    "keepalives_idle": 3,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 6000,
    "connect_timeout": 3,
}
LOGIN = "keepline"  # the app's login on the embedded server: no superuser
MIGRATION_LOCK = 7_305_112
ROLES = ("owner", "batch", "agent", "supervisor", "leader", "finance", "analyst", "admin")
ROLE_OF_PERSON = {"administrator": "admin"}  # a person's role is the database role of that name, but for this one
# The company's tables by the same names for everybody: one caller, everybody masked, or all of it.
BOOKS = {"agent": "caller", "supervisor": "caller", "owner": "crm", "batch": "crm"}
REPLICA_SECONDS = 60  # how long a replica may take to catch up with what is to be read
STATEMENT_SECONDS = 5  # the server gives up on what a person waits for


class UnknownRole(ValueError):
    """There is no such database role."""


class ReplicaBehind(RuntimeError):
    """The replica has not taken in what this reads: wait until it has caught up, or unset KEEPLINE_REPLICA_URL."""


class MigrationChanged(RuntimeError):
    """A migration that has run was edited afterwards; migrations only move forward."""


def admin_conninfo(settings: Settings, database: str | None = None) -> str:
    """The login that makes databases and migrates: the server's own on the embedded one, DATABASE_URL's else."""
    database = database or settings.database
    if settings.database_url:
        return make_conninfo(settings.database_url, dbname=database, **KEEPALIVE)
    ensure_server(settings)
    return embedded_conninfo(settings, database, "postgres")


def app_conninfo(settings: Settings) -> str:
    """The login of the app and its jobs."""
    if settings.database_url:
        return make_conninfo(settings.database_url, dbname=settings.database, **KEEPALIVE)
    ensure_server(settings)
    return embedded_conninfo(settings, settings.database, LOGIN)


def connect(settings: Settings, role: str) -> psycopg.Connection:
    """A connection of its own for a job, acting as `keepline_<role>` throughout. Transactions are the caller's."""
    return _connected(app_conninfo(settings), role)


def connect_to_read(settings: Settings, role: str, written: str) -> psycopg.Connection:
    """A connection for long reads of what was there at `written` (a place in the write-ahead log).

    To the replica KEEPLINE_REPLICA_URL names, once it has got there, else to the server itself. Raises ReplicaBehind.
    """
    if settings.replica_url is None:
        return connect(settings, role)
    conninfo = make_conninfo(settings.replica_url, dbname=settings.database, **KEEPALIVE)
    connection = _connected(conninfo, role)
    deadline = time.monotonic() + REPLICA_SECONDS
    while not _has_replayed(connection, written):
        if time.monotonic() > deadline:
            connection.close()
            raise ReplicaBehind(ReplicaBehind.__doc__)
        time.sleep(0.1)
    return connection


@dataclass(frozen=True, slots=True)
class Database:
    """The app's pool. Every transaction says who acts: a signed-in person, or a database role for a job."""

    pool: ConnectionPool

    @contextmanager
    def transaction(self, who: Session | str) -> Iterator[psycopg.Connection]:
        """One transaction as the database role of `who`, committed at the end, rolled back on an error."""
        with self.pool.connection() as connection, connection.transaction():
            connection.execute(acting(who))
            yield connection

    def close(self) -> None:
        """Give all connections back to the server."""
        self.pool.close()


def acting(who: Session | str) -> sql.Composed:
    """The settings a transaction of `who` begins with, in one message. Raises UnknownRole.

    Row-level security goes by the token: a role alone, without somebody's token, sees no row of a person.
    """
    role = role_of(who)
    settings = [sql.SQL("SET LOCAL ROLE {}; SET LOCAL search_path = {}").format(_role(role), _book(role))]
    if not isinstance(who, str):
        settings += [
            sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(f"{STATEMENT_SECONDS}s")),
            sql.SQL("SET LOCAL keepline.token = {}").format(sql.Literal(who.token)),
            sql.SQL("SET LOCAL keepline.request = {}").format(sql.Literal(request_id.get())),
        ]
    return sql.SQL("; ").join(settings)


def role_of(who: Session | str) -> str:
    """The database role, without its prefix, somebody acts in."""
    return who if isinstance(who, str) else ROLE_OF_PERSON.get(who.role, who.role)


def open_database(settings: Settings, *, size: int = 16) -> Database:
    """The pool for `settings.database`. Waits one second for a free connection, then says busy."""
    pool = ConnectionPool(
        app_conninfo(settings),
        min_size=1,
        max_size=size,
        timeout=1.0,
        max_waiting=200,
        check=ConnectionPool.check_connection,
        configure=_in_utc,
        open=True,
    )
    return Database(pool)


def exists(settings: Settings) -> bool:
    """Whether the company's database has been made."""
    with psycopg.connect(admin_conninfo(settings, "postgres"), autocommit=True) as server:
        found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [settings.database])
        return found.fetchone() is not None


def create_database(settings: Settings) -> None:
    """Make the company's database if it is missing, and bring it to the newest migration."""
    make_empty(settings)
    with psycopg.connect(admin_conninfo(settings)) as connection:
        migrate(connection)


def make_empty(settings: Settings) -> bool:
    """Have the roles, the app's login and, empty, the company's database; whether it was missing."""
    with psycopg.connect(admin_conninfo(settings, "postgres"), autocommit=True) as server:
        server.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        server.execute(_text(SQL / "roles.sql"))
        _make_login(server, embedded=settings.database_url is None)
        if server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [settings.database]).fetchone():
            return False
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(settings.database)))
        return True


def grant(connection: psycopg.Connection) -> None:
    """Say anew who may touch what: privileges of a database itself are in no copy of it."""
    connection.execute(_text(SQL / "grants.sql"))
    connection.execute("GRANT SELECT ON public.keepline_migrations TO keepline_batch")  # to say whether all are here


def migrate(connection: psycopg.Connection) -> list[str]:
    """Apply the migrations this database has not seen, all or none; their names.

    Raises MigrationChanged when one that ran reads differently now.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
    connection.execute(
        """
        CREATE TABLE IF NOT EXISTS public.keepline_migrations (
            number integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now())
        """
    )
    seen: dict[int, str] = dict(connection.execute("SELECT number, sha256 FROM public.keepline_migrations").fetchall())
    applied = []
    for path in sorted((SQL / "migrations").glob("*.sql")):
        number, digest = int(path.name[:4]), hashlib.sha256(path.read_bytes()).hexdigest()
        if number in seen:
            if seen[number] != digest:
                raise MigrationChanged(f"{path.name} was changed after it ran; write a new migration instead.")
            continue
        connection.execute(_text(path))
        connection.execute("RESET ROLE")  # a migration may have taken its owner's
        connection.execute(
            "INSERT INTO public.keepline_migrations (number, name, sha256) VALUES (%s, %s, %s)",
            [number, path.name, digest],
        )
        applied.append(path.name)
    if applied:
        grant(connection)
    connection.commit()
    return applied


def _connected(conninfo: str, role: str) -> psycopg.Connection:
    become = sql.SQL("SET ROLE {}; SET search_path = {}").format(_role(role), _book(role))
    connection = psycopg.connect(conninfo, autocommit=True)
    connection.execute(become)
    _in_utc(connection)
    return connection


def _has_replayed(connection: psycopg.Connection, written: str) -> bool:
    # A server that replays nothing is no replica: it has what it has.
    found = connection.execute("SELECT coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, true)", [written]).fetchone()
    return bool(found and found[0])


def _in_utc(connection: psycopg.Connection) -> None:
    # "90 days before" must not depend on how a server is set up; business days name their zone themselves.
    connection.execute("SET TIME ZONE 'UTC'")
    if not connection.autocommit:
        connection.commit()


def _make_login(server: psycopg.Connection, *, embedded: bool) -> None:
    # On a company's own server the login of DATABASE_URL is the app's; it must be able to take every role.
    member: sql.Composable = sql.Identifier(LOGIN) if embedded else sql.SQL("CURRENT_USER")
    if embedded and not server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [LOGIN]).fetchone():
        server.execute(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER").format(sql.Identifier(LOGIN)))
    for role in ROLES:
        if embedded and role == "owner":
            continue
        server.execute(sql.SQL("GRANT {} TO {}").format(_role(role), member))


def _role(role: str) -> sql.Identifier:
    if role not in ROLES:
        raise UnknownRole(f"There is no database role '{role}'; there are {', '.join(ROLES)}.")
    return sql.Identifier(f"keepline_{role}")


def _book(role: str) -> sql.Identifier:
    return sql.Identifier(BOOKS.get(role, "masked"))


def _text(path: Path) -> LiteralString:
    return path.read_text()  # the project's own files: as fixed as the code
