"""How long until somebody sees a caller's card, and how many commands that takes: from a clean clone, and from CSVs.

    python -m tests.bench.bench_first_caller [--install] [--customers 5000]

**From a clone.** `git clone`, then `make run`: everything the start does by itself, on a fresh home and database, until
a browser shows a card with its risk. The install of the packages is measured apart and only with `--install`, since it
is the registry and the line that are measured then; else the clone is given this project's own `.venv`.

**From a company's CSVs.** `import`, `staff add`, `train`, `score`, `serve`, until the same: on the files of a simulated
company of so many customers (customers, subscriptions, contacts, invoices of 24 months).

Each begins with an empty KEEPLINE_HOME and leaves nothing behind.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from playwright.sync_api import expect, sync_playwright

from churn import simulation
from churn.imports.tables import TABLES
from churn.settings import PROJECT
from tests.bench.report import machine

FILES = ("customers", "subscriptions", "contacts", "invoices")
COMPANY = '[company]\nname = "Bench"\ntime_zone = "Europe/London"\nphone_region = "GB"\ncurrency = "GBP"\n'
DAY, INSTANT = "%Y-%m-%d", "%Y-%m-%d %H:%M:%S%z"
Times = list[tuple[str, float]]  # a command, seconds


def run(folder: Path, home: Path, *command: str) -> float:
    """Seconds of a command that ends by itself."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=_fresh(home), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return time.perf_counter() - began


@contextmanager
def serving(folder: Path, home: Path, port: int, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that serves, until the caller is done; what it says goes to a file beside its home."""
    with (home.parent / "served.log").open("wb") as log:
        app = subprocess.Popen([*command, "--port", str(port)], cwd=folder, env=_fresh(home), stdout=log, stderr=log)
    try:
        yield app
    finally:
        app.send_signal(signal.SIGTERM)
        app.wait(60)


def card_is_shown(app: subprocess.Popen[bytes], port: int, account: str) -> None:
    """Wait until the app answers, and a browser shows the card with its risk."""
    while True:
        if app.poll() is not None:
            raise SystemExit(f"The app ended with {app.returncode}.")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2).close()
            break
        except OSError:
            time.sleep(0.1)
    with sync_playwright() as playwright:
        path = os.environ.get("KEEPLINE_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(locale="en-GB")
        page.goto(f"http://127.0.0.1:{port}/desk?account={account}")
        expect(page.get_by_text("leave within").first).to_be_visible(timeout=120_000)
        browser.close()


def from_a_clone(folder: Path, *, installs: bool) -> Times:
    """`git clone`, the install where it is asked for, `make run` until the first caller's card."""
    clone, home, port = folder / "clone", folder / "home", _free_port()
    told = [("git clone", run(folder, home, "git", "clone", "--quiet", str(PROJECT), str(clone)))]
    if installs:
        told.append(("python3 -m churn setup (the install, apart)", run(clone, home, sys.executable, *_churn("setup"))))
    else:
        shutil.copytree(PROJECT / ".venv", clone / ".venv", symlinks=True, copy_function=os.link)
    began = time.perf_counter()
    with serving(clone, home, port, str(clone / ".venv/bin/python"), *_churn("run"), "--headless") as app:
        card_is_shown(app, port, "LF1000003")
        told.append(("make run, until the card", time.perf_counter() - began))
    return told


def from_csvs(folder: Path, customers: int) -> Times:
    """The five commands of README on a folder of CSVs, until the first scored caller's card."""
    exports, home, port = folder / "exports", folder / "home", _free_port()
    account = write_exports(exports, customers)
    python = str(PROJECT / ".venv/bin/python")
    commands = (
        ("import", str(exports), "--mapping", str(exports / "ours.toml")),
        ("staff", "add", "A1", "--name", "Ann", "--role", "agent", "--team", "North"),
        ("train",),
        ("score",),
    )
    told = [(f"python3 -m churn {one[0]}", run(PROJECT, home, python, *_churn(*one))) for one in commands]
    began = time.perf_counter()
    with serving(PROJECT, home, port, python, *_churn("serve"), "--headless") as app:
        card_is_shown(app, port, account)
        told.append(("python3 -m churn serve, until the card", time.perf_counter() - began))
    return told


def write_exports(folder: Path, customers: int) -> str:
    """CSVs of a simulated company with a mapping that takes them; the account of somebody who is a customer today."""
    folder.mkdir(parents=True)
    company = simulation.simulate(customers=customers, months=24, seed=3)
    tables, mapping = company.tables(), [COMPANY]
    for name in FILES:
        table = tables[f"feed.{name}"]
        table = table.select([column for column in table.column_names if column in TABLES[name].columns])
        lines = [f'[[file]]\npath = "{name}.csv"\n\n[file.{name}]']
        for place, field in enumerate(table.schema):
            style = DAY if pa.types.is_date(field.type) else INSTANT if pa.types.is_timestamp(field.type) else None
            if style:
                table = table.set_column(place, field.name, pc.strftime(table[field.name], format=style))
            dated = f', dates = "{style}"' if style else ""
            lines.append(f'{field.name} = {{ column = "{field.name}"{dated} }}')
        pyarrow.csv.write_csv(table, folder / f"{name}.csv")
        mapping.append("\n".join(lines))
    (folder / "ours.toml").write_text("\n\n".join(mapping) + "\n")
    live = tables["feed.subscriptions"].filter(pc.is_null(tables["feed.subscriptions"]["ended_on"]))
    return str(live["customer_id"][0])


def _churn(*arguments: str) -> list[str]:
    return ["-m", "churn", *arguments]


def _fresh(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KEEPLINE_", "DATABASE_"))}
    return kept | {"KEEPLINE_HOME": str(home)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _folder() -> Iterator[Path]:
    # Beside the project: a hard link of its .venv stays on one file system.
    path = Path(
        tempfile.mkdtemp(prefix="first-caller-", dir=PROJECT.parent if os.access(PROJECT.parent, os.W_OK) else None)
    )
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def main() -> int:
    """Print each command with its seconds, and the sums."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--install", action="store_true", help="install the packages anew, timed apart")
    asked.add_argument("--customers", type=int, default=5_000, help="of the company whose CSVs are read")
    options = asked.parse_args()
    print(machine(), flush=True)
    for title, times in (
        ("from a clean clone", lambda folder: from_a_clone(folder, installs=options.install)),
        (f"from CSVs of {options.customers:,} customers", lambda folder: from_csvs(folder, options.customers)),
    ):
        with _folder() as folder:
            told = times(folder)
        print(f"{title}, load {os.getloadavg()[0]:.1f}", flush=True)
        for command, seconds in told:
            print(f"  {seconds:8.1f} s  {command}")
        whole = sum(seconds for command, seconds in told if "apart" not in command)
        count = sum("apart" not in command for command, _ in told)
        print(f"  {whole:8.1f} s  in {count} commands", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
