"""Fixtures by subject: a server for the whole run, a migrated template, a clone of it for each test."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from churn import db, scoring, simulation, store, training
from churn.policies.install import install_default
from churn.postgres.server import release_server
from churn.settings import PROJECT, Settings, read_settings

NOW = datetime(2026, 11, 15, 12, 0, tzinfo=UTC)
_count = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    """The controller makes the run's own folder; workers inherit it through the environment."""
    if not hasattr(config, "workerinput"):
        run = Path(tempfile.mkdtemp(prefix="keepline-test-", dir="/tmp"))
        run.chmod(0o755)
        os.environ["KEEPLINE_TEST_RUN"] = str(run)
        os.environ["KEEPLINE_HOME"] = str(run / "home")
        os.environ["KEEPLINE_FSYNC"] = "off"
        os.environ.pop("KEEPLINE_DATABASE", None)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Drop what this run made; the server goes with its last user."""
    if hasattr(config, "workerinput"):
        return
    run = Path(os.environ["KEEPLINE_TEST_RUN"])
    if (run / "template").exists() and read_settings().database_url:
        settings = read_settings()
        with psycopg.connect(db.admin_conninfo(settings, "postgres"), autocommit=True) as server:
            for name in (_template(run), f"{_template(run)}_trained", f"{_template(run)}_trained_slept"):
                server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
    release_server(read_settings())
    shutil.rmtree(run, ignore_errors=True)


def _template(run: Path) -> str:
    return f"keepline_template_{run.name.rsplit('-', 1)[-1].lower()}"


@pytest.fixture(autouse=True)
def _same_main() -> Iterator[None]:
    """Streamlit puts the page it runs in the place of `__main__`; a process spawned later would run that page."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def template() -> Settings:
    """A migrated database nobody touches: the mould of all others."""
    settings = read_settings(_template(Path(os.environ["KEEPLINE_TEST_RUN"])))
    with once_a_run("template") as (_, is_first):
        if is_first:
            db.create_database(settings)
    return settings


@contextmanager
def once_a_run(name: str) -> Iterator[tuple[Path, bool]]:
    """What one worker makes for all: the file that marks it, and whether it has to be made; the others wait."""
    made = Path(os.environ["KEEPLINE_TEST_RUN"]) / name
    with made.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield made, not made.exists()
        made.touch()


@pytest.fixture
def database(template: Settings) -> Iterator[Settings]:
    """A fresh migrated database, dropped after the test."""
    yield from clone(template)


def clone(template: Settings) -> Iterator[Settings]:
    """A copy of `template` under a name of its own, dropped when the caller is done."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw")
    settings = replace(template, database=f"{template.database}_{worker}_{next(_count)}")
    copy_of(template, settings)
    try:
        yield settings
    finally:
        with psycopg.connect(db.admin_conninfo(template, "postgres"), autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(settings.database)))


def copy_of(template: Settings, settings: Settings) -> None:
    """Make the database of `settings` as a copy of `template`, which nobody may be connected to."""
    with psycopg.connect(db.admin_conninfo(template, "postgres"), autocommit=True) as server:
        server.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(settings.database), sql.Identifier(template.database)
            )
        )
    with psycopg.connect(db.admin_conninfo(settings)) as connection:
        connection.execute((PROJECT / "sql/grants.sql").read_text())  # privileges of a database are not copied


@pytest.fixture(scope="session")
def trained(template: Settings) -> Settings:
    """A small simulated company, made once a run: policy and budgets in force, models in use, everyone scored.

    Clone it to write to it.
    """
    settings = replace(template, database=f"{template.database}_trained")
    with once_a_run("trained") as (_, is_first):
        if is_first:
            db.create_database(settings)
            with db.connect(settings, "batch") as connection:
                company = simulation.simulate(customers=1500, months=24, seed=7)
                simulation.write_company(connection, company, progress=lambda *_: None)
            _put_policy_in_force(settings)
            scoring.sync_directory(settings, progress=lambda _: None)
            training.train(settings, progress=lambda _: None, by="tests")
            scoring.score_everyone(settings, progress=lambda _: None)
    return settings


@dataclass(frozen=True, slots=True)
class Slept:
    """The trained company after a whole night, and what `python -m churn night` said of it."""

    settings: Settings
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def slept(trained: Settings) -> Slept:
    """The company of `trained` with one night passed, made once a run. Clone it to write to it."""
    settings = replace(trained, database=f"{trained.database}_slept")
    with once_a_run("slept") as (told, is_first):
        if is_first:
            copy_of(trained, settings)
            command = [sys.executable, "-m", "churn", "night", "--database", settings.database]
            done = subprocess.run(command, cwd=PROJECT, env=os.environ, capture_output=True, text=True, check=False)
            with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as owner:
                owner.execute("ANALYZE")
            told.write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
    return Slept(settings, *json.loads(told.read_text()))


def _put_policy_in_force(settings: Settings) -> None:
    """The default policy and budgets, by two of the company's finance people."""
    database = db.open_database(settings, size=2)
    try:
        with database.transaction("finance") as connection:
            first, second = [who.staff_id for who in store.desk_staff(connection) if who.role == "finance"][:2]
        install_default(database, first=first, second=second)
    finally:
        database.close()


@pytest.fixture
def desk(trained: Settings) -> Iterator[Settings]:
    """A simulated company of its own for one test, with models and scores."""
    yield from clone(trained)


@pytest.fixture
def batch(database: Settings) -> Iterator[psycopg.Connection]:
    """A connection of the jobs' role to a fresh database."""
    with db.connect(database, "batch") as connection:
        yield connection


@pytest.fixture
def owner(database: Settings) -> Iterator[psycopg.Connection]:
    """A connection that may do everything, to arrange what a test needs."""
    with psycopg.connect(db.admin_conninfo(database), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of public data sets, or a skip."""
    folder = Path(os.environ.get("KEEPLINE_DATA", PROJECT.parent / "shared/data"))
    if not folder.exists():
        pytest.skip(f"{folder} is not here: set KEEPLINE_DATA to the folder of public data sets")
    return folder
