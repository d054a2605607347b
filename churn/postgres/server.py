"""The embedded Postgres, started when first needed and gone with its last user.

A user holds a shared lock on `users.lock`; the keeper (`churn.postgres.keeper`) stops the server when it can have that
lock alone. A keeper that dies takes the server with it, so each user watches that one is on duty and starts another.
"""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import psycopg

from churn.settings import PROJECT, Settings

START_SECONDS = 60.0
STOP_SECONDS = 30.0
WATCH_SECONDS = 1.0
_keepers: dict[str, subprocess.Popen[bytes]] = {}
_locks: dict[str, IO[str]] = {}  # held until this process ends, however it ends
_watched: set[str] = set()
_starting = threading.Lock()


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
    with _starting:
        if key not in _watched:
            _watched.add(key)
            threading.Thread(target=_watch, args=(settings,), name="keeper watch", daemon=True).start()


def release_server(settings: Settings) -> None:
    """Say that this process is done with the server, and wait until it has stopped if nobody else uses it."""
    _release(str(settings.home))


def release_all() -> None:
    """Release every server this process uses: the last thing a command does."""
    for home in list(_locks):
        _release(home)


def embedded_conninfo(settings: Settings, database: str, user: str) -> str:
    """How to reach `database` on the embedded server as `user`."""
    return psycopg.conninfo.make_conninfo(host=str(settings.socket_folder), dbname=database, user=user)


def _release(home: str) -> None:
    with _starting:
        lock = _locks.pop(home, None)
    if lock is None:
        return
    lock.close()
    keeper = _keepers.get(home)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        on_duty = not _is_free(Path(home) / "keeper.lock") or (keeper is not None and keeper.poll() is None)
        if not on_duty or _has_users(Path(home)):
            return
        time.sleep(0.05)


def _watch(settings: Settings) -> None:
    """Start a keeper whenever none is on duty, as long as this process uses the server."""
    home = str(settings.home)
    while True:
        with _starting:
            if home not in _locks:
                _watched.discard(home)
                return
        if _is_free(settings.home / "keeper.lock"):
            with contextlib.suppress(OSError, RuntimeError):  # the next round tries again
                _start_keeper(settings)
        time.sleep(WATCH_SECONDS)


def _is_free(lock: Path, kind: int = fcntl.LOCK_SH) -> bool:
    """Whether a lock of that kind could be had this moment."""
    try:
        with lock.open("a") as file:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True


def _has_users(home: Path) -> bool:
    """Whether another process uses the server. A keeper that is stopping it holds the lock alone, which is no user."""
    return not _is_free(home / "users.lock", fcntl.LOCK_EX) and _is_free(home / "users.lock")


def _answers(settings: Settings) -> bool:
    try:
        with psycopg.connect(embedded_conninfo(settings, "postgres", "postgres"), connect_timeout=3):
            return True
    except psycopg.OperationalError:
        return False


def _start_keeper(settings: Settings) -> None:
    """A keeper of ours, if none runs. One that is too many ends by itself. Raises RuntimeError when the last failed."""
    key = str(settings.home)
    with _starting:
        keeper = _keepers.get(key)
        if key not in _locks or (keeper is not None and keeper.poll() is None):
            return
        if keeper is not None and (keeper.returncode or 0) > 0:
            del _keepers[key]
            raise RuntimeError(f"The embedded Postgres did not start. {_last_words(settings)}")
        with (settings.home / "keeper.log").open("ab") as log:
            _keepers[key] = subprocess.Popen(
                [sys.executable, "-m", "churn.postgres.keeper", str(settings.home), str(settings.socket_folder)],
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
