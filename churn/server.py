"""The embedded Postgres, started when first needed and gone with its last user."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from typing import IO

import psycopg

from churn.settings import PROJECT, Settings

START_SECONDS = 60.0
STOP_SECONDS = 30.0
_keepers: dict[str, subprocess.Popen[bytes]] = {}
_locks: dict[str, IO[str]] = {}  # held until this process ends, however it ends


def ensure_server(settings: Settings) -> None:
    """Have the embedded server of `settings.home` answer, and keep it until this process ends.

    Raises RuntimeError with the log's last lines when it does not come up within a minute.
    """
    key = str(settings.home)
    if key not in _locks:
        settings.home.mkdir(parents=True, exist_ok=True)
        lock = (settings.home / "users.lock").open("a")
        fcntl.flock(lock, fcntl.LOCK_SH)  # waits while a keeper is stopping the server
        _locks[key] = lock
    deadline = time.monotonic() + START_SECONDS
    while not _answers(settings):
        if time.monotonic() > deadline:
            raise RuntimeError(f"The embedded Postgres did not start. {_last_words(settings)}")
        _start_keeper(settings)
        time.sleep(0.1)


def release_server(settings: Settings) -> None:
    """Say that this process is done with the server, and wait until it has stopped if nobody else uses it."""
    lock = _locks.pop(str(settings.home), None)
    if lock is not None:
        lock.close()
    keeper = _keepers.pop(str(settings.home), None)
    if keeper is not None:
        keeper.wait(STOP_SECONDS)


def embedded_conninfo(settings: Settings, database: str, user: str) -> str:
    """How to reach `database` on the embedded server as `user`."""
    return psycopg.conninfo.make_conninfo(host=str(settings.socket_folder), dbname=database, user=user)


def _answers(settings: Settings) -> bool:
    try:
        with psycopg.connect(embedded_conninfo(settings, "postgres", "postgres"), connect_timeout=3):
            return True
    except psycopg.OperationalError:
        return False


def _start_keeper(settings: Settings) -> None:
    key = str(settings.home)
    keeper = _keepers.get(key)
    if keeper is not None:
        if keeper.poll() is None:
            return
        if keeper.returncode:
            raise RuntimeError(f"The embedded Postgres did not start. {_last_words(settings)}")
    with (settings.home / "keeper.log").open("ab") as log:
        _keepers[key] = subprocess.Popen(
            [sys.executable, "-m", "churn.keeper", str(settings.home), str(settings.socket_folder)],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _last_words(settings: Settings) -> str:
    words = []
    for name in ("keeper.log", "postgres.log"):
        path = settings.home / name
        if path.exists():
            words.append(f"{path}: {' / '.join(path.read_text(errors='replace').splitlines()[-3:])}")
    return " ".join(words) or f"Nothing was written to {settings.home}."
