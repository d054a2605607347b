"""Long reads go to a replica once it has what was written: a real one, streaming from the run's own server."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from churn import db, scoring
from churn.postgres.keeper import ACCOUNT, as_user, install
from churn.postgres.server import embedded_conninfo
from churn.settings import Settings
from tests.test_scoring import scores


@pytest.fixture
def replica(desk: Settings) -> Iterator[Settings]:
    """The same company, read from a copy that follows the server."""
    user = pwd.getpwnam(ACCOUNT) if os.geteuid() == 0 else None
    binaries = install(desk.home, user)
    folder = Path(tempfile.mkdtemp(prefix="keepline-replica-", dir="/tmp"))
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)

    def run(command: str, *arguments: str | Path) -> None:
        subprocess.run([binaries / command, *arguments], check=True, capture_output=True, **as_user(user))

    data, log = folder / "data", folder / "log"
    # With a slot the server keeps what the copy has not fetched yet, however much other tests write meanwhile.
    slot = f"copy_{os.getpid()}"
    made = ("-D", data, "-h", desk.socket_folder, "-U", "postgres", "-R", "-c", "fast", "-C", "-S", slot)
    run("pg_basebackup", *made)
    options = f"-c unix_socket_directories={folder} -c listen_addresses='' -c max_connections=200"
    run("pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start")
    yield replace(desk, replica_url=psycopg.conninfo.make_conninfo(host=str(folder), user="keepline"))
    run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    with psycopg.connect(embedded_conninfo(desk, "postgres", "postgres"), autocommit=True) as owner:
        owner.execute("SELECT pg_drop_replication_slot(%s)", [slot])
    shutil.rmtree(folder)


def on(settings: Settings) -> psycopg.Connection:
    assert settings.replica_url is not None
    return psycopg.connect(settings.replica_url, dbname=settings.database, user="postgres", autocommit=True)


@pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="a replica of the embedded server")
def test_features_are_read_from_a_replica_that_has_caught_up(
    replica: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = replace(replica, replica_url=None)
    scoring.score_everyone(alone, progress=lambda _: None, is_full=True)
    before = scores(alone)
    assert scoring.score_everyone(replica, progress=lambda _: None, is_full=True).anew == len(before)
    assert scores(alone) == before
    with on(replica) as other:
        other.execute("SELECT pg_wal_replay_pause()")
        with psycopg.connect(embedded_conninfo(alone, alone.database, "postgres"), autocommit=True) as owner:
            owner.execute("UPDATE feed.customers SET region = 'Elsewhere' WHERE customer_id = %s", [before[0][0]])
        monkeypatch.setattr(db, "REPLICA_SECONDS", 0.3)
        with pytest.raises(db.ReplicaBehind, match="KEEPLINE_REPLICA_URL"):
            scoring.score_everyone(replica, progress=lambda _: None)
        assert scores(alone) == before
        other.execute("SELECT pg_wal_replay_resume()")
    monkeypatch.undo()
    assert scoring.score_everyone(replica, progress=lambda _: None).anew == 1
