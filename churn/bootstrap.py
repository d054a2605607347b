"""From a machine with only python3 to the project's own environment.

Runs on the standard library alone, under whatever Python the machine has. Nothing here is done twice: `.venv` carries a
stamp with the digest of requirements.txt, and a stamp that says "unfinished" means a set-up was killed half-way.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
VENV = PROJECT / ".venv"
REQUIREMENTS = PROJECT / "requirements.txt"
OLDEST = (3, 11)
UNFINISHED = "unfinished"
NGINX_BESIDE = "/usr/sbin:/usr/local/sbin"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class CannotSetUp(RuntimeError):
    """The machine lacks something this account may not install. The message says what to type."""


def enter(arguments: Sequence[str]) -> None:
    """Return when this process is the project's Python; otherwise set up what is missing and become it.

    Raises CannotSetUp.
    """
    if inside() and not is_ready() and (read_stamp() == UNFINISHED or not made_by_this_version()):
        write_stamp(UNFINISHED)  # nothing can be rebuilt from within: the machine's own Python does it
        base: str = sys._base_executable  # type: ignore[attr-defined]
        become(base, arguments)
    if not is_ready():
        set_up()
    if not inside():
        become(str(python()), arguments)


def become(executable: str, arguments: Sequence[str]) -> None:
    """Replace this process, so that signals and the exit code are the command's own."""
    sys.stdout.flush()
    os.execv(executable, [executable, "-m", "churn", *arguments])  # noqa: S606


def set_up() -> None:
    """Have `.venv` hold exactly requirements.txt. Two starts at once wait for each other. Raises CannotSetUp."""
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:2]))
        raise CannotSetUp(f"Keepline needs Python 3.11 or newer; this is {version}. Try `python3.11 -m churn …`.")
    with alone():
        if is_ready():
            return
        try:
            if read_stamp() == UNFINISHED or not python().exists():
                make_venv()
            install_requirements()
            write_stamp(wanted_stamp())
        except PermissionError as refused:
            raise CannotSetUp(f"{refused.filename} cannot be written: run as the owner of {PROJECT}.") from None


def make_venv() -> None:
    """A fresh `.venv` with pip in it."""
    say("Making the Python environment (.venv) …")
    if VENV.exists():
        shutil.rmtree(VENV)
    VENV.mkdir()
    write_stamp(UNFINISHED)
    if not has_module("ensurepip") and not has_module("pip"):
        install_packages([f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"], why="to make .venv")
    if has_module("ensurepip"):
        run([sys.executable, "-m", "venv", str(VENV)])
    else:
        run([sys.executable, "-m", "venv", "--without-pip", str(VENV)])


def install_requirements() -> None:
    """Install what requirements.txt pins, telling each package as it comes."""
    count = sum(1 for line in REQUIREMENTS.read_text().splitlines() if line.strip() and not line.startswith("#"))
    say(f"Installing {count} pinned packages and what they need (a minute or two the first time) …")
    write_stamp(UNFINISHED)
    own_pip = subprocess.run([str(python()), "-m", "pip", "--version"], capture_output=True, check=False)
    pip = (
        [str(python()), "-m", "pip"]
        if own_pip.returncode == 0
        else [sys.executable, "-m", "pip", "--python", str(python())]
    )
    began = time.monotonic()
    install = [*pip, "install", "--disable-pip-version-check", "--progress-bar", "off", "-r", str(REQUIREMENTS)]
    with subprocess.Popen(install, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        words = tell_pip(process, began)
    if process.returncode != 0:
        raise CannotSetUp("pip could not install requirements.txt:\n" + "\n".join(words[-12:]))
    say(f"  installed in {time.monotonic() - began:.0f} s")


def tell_pip(process: subprocess.Popen[str], began: float) -> list[str]:
    """Shorten pip's talk to one line every few seconds; all of it is returned for when it fails."""
    words: list[str] = []
    told = began
    assert process.stdout is not None  # noqa: S101 - asked for as a pipe
    for line in process.stdout:
        words.append(line.rstrip())
        now = time.monotonic()
        if line.startswith("Installing collected"):
            tell_unpacking(process, began, line.count(",") + 1)
        elif line.startswith("Collecting") and now - told > 2:
            told = now
            say(f"  {now - began:3.0f} s  {line.split()[1]}")
    return words


def tell_unpacking(process: subprocess.Popen[str], began: float, packages: int) -> None:
    """Count what lies in `.venv` while pip, silent now, puts it there."""
    while True:
        there = sum(1 for _ in VENV.glob("lib/python*/site-packages/*.dist-info"))
        say(f"  {time.monotonic() - began:3.0f} s  unpacked {min(there, packages)} of {packages} packages")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
            return


def ensure_chromium() -> str:
    """A Chromium that runs, installed if this account may; its path. Raises CannotSetUp."""
    found = ensure_program(find_chromium, ["chromium"], why="for the browser tests")
    if not found:  # Ubuntu's package of that name only points to a snap, which containers cannot run
        options = ["--with-deps"] if os.geteuid() == 0 else []
        subprocess.run([str(python()), "-m", "playwright", "install", *options, "chromium"], check=False)
        found = find_chromium()
    if not found:
        raise CannotSetUp("No Chromium could be installed, and the browser tests need one: put `chromium` on the PATH.")
    return found


def ensure_nginx() -> str:
    """An nginx, with openssl for its certificate, installed if this account may; its path. Raises CannotSetUp."""
    found = ensure_program(find_nginx, ["nginx", "openssl"], why="for the tests of several processes")
    if not found:
        raise CannotSetUp("No nginx could be installed, and a test needs one: put `nginx` and `openssl` on the PATH.")
    return found


def ensure_program(find: Callable[[], str | None], packages: Sequence[str], *, why: str) -> str | None:
    """What `find` finds, once the packages are installed where it found nothing at first. Raises CannotSetUp."""
    found = find()
    if found:
        return found
    say(f"Installing {' and '.join(packages)} {why} …")
    try:
        install_packages(packages, why=why)
    except CannotSetUp:
        if not can_be_root():
            raise
    return find()


def find_nginx() -> str | None:
    """nginx, also where an account that is not root does not look; None as well where openssl is missing."""
    where = os.pathsep.join([os.environ.get("PATH", ""), NGINX_BESIDE])
    return shutil.which("nginx", path=where) if shutil.which("openssl") else None


def find_chromium() -> str | None:
    """The first Chromium that answers to --version: KEEPLINE_CHROMIUM, the PATH, then the browser driver's own."""
    candidates = [os.environ.get("KEEPLINE_CHROMIUM"), *(shutil.which(name) for name in CHROMIUMS)]
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright")
    candidates += [str(path) for path in sorted(folder.glob("chromium-*/chrome-linux*/chrome"), reverse=True)]
    for candidate in filter(None, candidates):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if subprocess.run([candidate, "--version"], capture_output=True, check=False, timeout=30).returncode == 0:
                return candidate
    return None


def install_packages(packages: Sequence[str], *, why: str) -> None:
    """Debian packages by apt-get, as root or by sudo without a password. Raises CannotSetUp with the line to type."""
    line = f"apt-get install -y {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise CannotSetUp(
            f"{' '.join(packages)} is missing ({why}) and there is no apt-get here: install it, then again."
        )
    if not can_be_root():
        raise CannotSetUp(f"{' '.join(packages)} is missing ({why}). Please type: sudo {line}")
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    install = [*command, "install", "-y", "--no-install-recommends", *packages]
    say(f"  {line}")
    if subprocess.run(install, capture_output=True, check=False).returncode == 0:
        return
    say("  apt-get update, then once more")  # a fresh machine has no package lists yet
    subprocess.run([*command, "update"], capture_output=True, check=False)
    again = subprocess.run(install, capture_output=True, text=True, check=False)
    if again.returncode != 0:
        last = " ".join(again.stderr.split())[-400:]
        raise CannotSetUp(f"`{line}` failed ({why}): {last}")


def can_be_root() -> bool:
    """Whether this account may install packages without being asked anything."""
    if os.geteuid() == 0:
        return True
    return (
        bool(shutil.which("sudo"))
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    )


def python() -> Path:
    """The project's own interpreter."""
    return VENV / "bin" / "python"


def inside() -> bool:
    """Whether this process runs in `.venv`."""
    return Path(sys.prefix).resolve() == VENV.resolve()


def is_ready() -> bool:
    """Whether `.venv` holds what requirements.txt says today."""
    return python().exists() and read_stamp() == wanted_stamp() and (not inside() or made_by_this_version())


def made_by_this_version() -> bool:
    """Whether the packages beside this interpreter were installed for its version of Python."""
    return (VENV / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages").exists()


def stamp() -> Path:
    return VENV / "keepline-requirements.sha256"


def read_stamp() -> str | None:
    """What the last set-up wrote; None for an environment made by hand."""
    try:
        return stamp().read_text().strip()
    except OSError:
        return None


def write_stamp(text: str) -> None:
    draft = stamp().with_suffix(".draft")
    draft.write_text(text + "\n")
    draft.replace(stamp())


def wanted_stamp() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Only one process at a time sets this checkout up; the kernel forgets a killed one."""
    with REQUIREMENTS.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another start is setting up; waiting for it …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def has_module(name: str) -> bool:
    """Whether this Python can import `name`, found anew on every call."""
    importlib.invalidate_caches()
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


def run(command: Sequence[str]) -> None:
    """Run a step of the set-up in silence. Raises CannotSetUp with its last words."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotSetUp(f"`{' '.join(command)}` failed: {' '.join((done.stdout + done.stderr).split())[-400:]}")


def say(text: str) -> None:
    print(text, flush=True)
