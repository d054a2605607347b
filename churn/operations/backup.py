"""One company in one file, and back: PostgreSQL's own pg_dump and pg_restore, as the embedded server brings them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg

from churn import db
from churn.postgres.keeper import wheel_install
from churn.settings import Settings


class NotBackedUp(RuntimeError):
    """The backup could not be made; no file is left."""


class NotRestored(RuntimeError):
    """The backup could not be read into a new database."""


def back_up(settings: Settings, file: Path) -> int:
    """Write the company to `file`, readable by this account only; its bytes. Raises NotBackedUp."""
    if file.exists():
        raise NotBackedUp(f"{file} is there already; name a new file.")
    draft = file.with_name(f"{file.name}.draft")  # half a backup never bears the name of one
    words = _run("pg_dump", f"--dbname={db.admin_conninfo(settings)}", "--format=custom", f"--file={draft}")
    if words is not None:
        draft.unlink(missing_ok=True)
        raise NotBackedUp(f"The backup could not be made. {words}")
    draft.replace(file)
    return file.stat().st_size


def restore(settings: Settings, file: Path) -> None:
    """Make `settings.database` from `file`, all or nothing, with newer migrations. Raises NotRestored."""
    if not file.is_file():
        raise NotRestored(f"There is no file {file}.")
    if not db.make_empty(settings):
        raise NotRestored(
            f"The database {settings.database} is there already; restore into a new one: --database NAME."
        )
    words = _run(
        "pg_restore", f"--dbname={db.admin_conninfo(settings)}", "--single-transaction", "--exit-on-error", str(file)
    )
    if words is not None:
        _drop(settings)
        raise NotRestored(f"{file} could not be restored. {words}")
    with psycopg.connect(db.admin_conninfo(settings)) as connection:
        db.grant(connection)
        db.migrate(connection)


def _run(program: str, *arguments: str) -> str | None:
    """The program's last words when it failed. Its own version may be newer than the server's, never older."""
    done = subprocess.run(
        [wheel_install() / "bin" / program, "--no-password", *arguments],
        capture_output=True,
        text=True,
        check=False,
        umask=0o077,
    )
    return None if done.returncode == 0 else " ".join(done.stderr.split()[-60:]) or f"{program} ended early."


def _drop(settings: Settings) -> None:
    with psycopg.connect(db.admin_conninfo(settings, "postgres"), autocommit=True) as server:
        server.execute(psycopg.sql.SQL("DROP DATABASE {}").format(psycopg.sql.Identifier(settings.database)))
