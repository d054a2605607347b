"""The life of the embedded server: whoever dies, in whichever way, no server is left and no data lost."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from churn.postgres import keeper, server
from churn.settings import PROJECT, Settings

# Writes or reads one committed row, says so, then lives until it is told to end.
USER = """
import sys, time, psycopg
from pathlib import Path
from churn.postgres import server
from churn.settings import Settings
settings = Settings(Path(sys.argv[1]), "postgres", None)
server.ensure_server(settings)
with psycopg.connect(server.embedded_conninfo(settings, "postgres", "postgres")) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
    if sys.argv[2] != "-":
        connection.execute("INSERT INTO kept VALUES (%s)", [sys.argv[2]])
print("up", flush=True)
try:
    for line in sys.stdin:
        pass
finally:
    server.release_all()
"""
PATIENCE = 60.0  # seconds, on a machine with other work
_count = itertools.count()


@pytest.fixture(scope="session")
def mould() -> Path:
    """Binaries and an empty cluster, made once: what takes the time of a first start."""
    folder = Path(os.environ["KEEPLINE_TEST_RUN"]) / f"life-{os.getpid()}-mould"
    folder.mkdir(mode=0o755)
    user = keeper.account() if os.geteuid() == 0 else None
    keeper.make_cluster(folder, keeper.install(folder, user), user, "off")
    return folder


@pytest.fixture
def bare(mould: Path) -> Iterator[Path]:
    """A server's folder of this test's own, with no cluster yet; nothing of it survives the test."""
    folder = mould.with_name(f"life-{os.getpid()}-{next(_count)}")
    folder.mkdir(mode=0o755)
    for binaries in mould.glob("postgres-*"):
        (folder / binaries.name).symlink_to(binaries)
    yield folder
    for pid in processes(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def home(mould: Path, bare: Path) -> Path:
    """The same with an empty cluster."""
    subprocess.run(["cp", "-a", mould / "cluster", bare / "cluster"], check=True)
    return bare


@pytest.fixture
def start(bare: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts users of the test's server, each writing a word; they are gone after the test."""
    users = []

    def begin(word: str = "-") -> subprocess.Popen[str]:
        user = subprocess.Popen(
            [sys.executable, "-c", USER, str(bare), word],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        users.append(user)
        assert user.stdout is not None
        assert user.stdout.readline() == "up\n"
        return user

    yield begin
    for user in users:
        user.kill()
        user.wait()
        for pipe in (user.stdin, user.stdout):
            assert pipe is not None
            pipe.close()


def processes(home: Path, containing: str = "") -> list[int]:
    """Process ids of what was started for this folder: its keeper and its server."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(home) in words and containing in words and "-c \nimport" not in words:
                found.append(int(path.parent.name))
    return found


def only(home: Path, containing: str) -> int:
    (pid,) = processes(home, containing)
    return pid


def words(home: Path) -> list[str]:
    settings = Settings(home, "postgres", None)
    with psycopg.connect(server.embedded_conninfo(settings, "postgres", "postgres")) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM kept ORDER BY word").fetchall()]


def wait_until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def answers(home: Path) -> bool:
    try:
        return bool(words(home))
    except psycopg.Error:
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_when_its_only_user_ends_the_server_goes_and_the_data_stays(home: Path, start, how: signal.Signals) -> None:
    user = start("kept")
    os.killpg(user.pid, how)  # as a terminal would: everything of that session
    user.wait(PATIENCE)
    wait_until(lambda: not processes(home))
    start()
    assert words(home) == ["kept"]


def test_the_server_stops_with_a_checkpoint_so_nothing_has_to_be_recovered(home: Path, start) -> None:
    start("kept").kill()
    wait_until(lambda: not processes(home))
    start()
    log = (home / "postgres.log").read_text()
    assert "database system is shut down" in log
    assert "was not properly shut down" not in log


def test_the_server_stays_for_the_second_user_and_the_first_does_not_wait(home: Path, start) -> None:
    first, second = start("first"), start("second")
    began = time.monotonic()
    first.stdin.close()
    first.wait(PATIENCE)
    assert time.monotonic() - began < PATIENCE / 2  # the second user stays on
    assert words(home) == ["first", "second"]
    second.stdin.close()
    second.wait(PATIENCE)
    wait_until(lambda: not processes(home))


def test_a_user_that_ends_in_order_leaves_nothing_at_the_moment_it_is_gone(home: Path, start) -> None:
    user = start("kept")
    user.stdin.close()
    assert user.wait(PATIENCE) == 0
    assert processes(home) == []


def test_a_killed_keeper_is_replaced_while_somebody_uses_the_server(home: Path, start) -> None:
    user = start("kept")
    first = only(home, "churn.postgres.keeper")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: first not in processes(home) and bool(processes(home, "churn.postgres.keeper")))
    wait_until(lambda: answers(home))
    assert words(home) == ["kept"]
    user.stdin.close()
    user.wait(PATIENCE)
    wait_until(lambda: not processes(home))


def test_keeper_and_user_killed_together_leave_no_server(home: Path, start) -> None:
    user = start("kept")
    os.kill(only(home, "churn.postgres.keeper"), signal.SIGKILL)
    user.kill()
    wait_until(lambda: not processes(home))
    start()
    assert words(home) == ["kept"]


def test_a_killed_server_is_back_in_a_moment_with_what_was_committed(home: Path, start) -> None:
    start("kept")
    os.kill(int((home / "cluster/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    wait_until(lambda: answers(home))
    assert words(home) == ["kept"]


def test_a_set_up_killed_in_initdb_is_begun_anew(bare: Path, start) -> None:
    (bare / "cluster.draft").mkdir()
    (bare / "cluster.draft" / "half").touch()
    start("kept")
    assert words(bare) == ["kept"]
    assert not (bare / "cluster.draft").exists()


def test_a_server_that_cannot_start_says_why(bare: Path) -> None:
    (bare / "cluster").mkdir()
    settings = Settings(bare, "postgres", None)
    try:
        with pytest.raises(RuntimeError, match=r"did not start\. .*(cluster|permission)"):
            server.ensure_server(settings)
    finally:
        server.release_server(settings)


def test_another_process_under_a_reused_id_is_not_taken_for_the_server(tmp_path: Path) -> None:
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n")
    assert keeper.running(tmp_path) is None
