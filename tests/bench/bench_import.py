"""How fast a file of contacts is taken in, against a bare COPY of the same clean rows in the same run.

    python -m tests.bench.bench_import [--rows 1000000] [--customers 100000]

Prints contacts a minute for a first import (empty table), for the same rows again under changed notes (every row
updated) and for an unchanged file, and the ratio of the first to COPY. Needs no network; leaves nothing behind.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg

from churn import db
from churn.imports.loading import import_folder
from churn.imports.mapping import Mapping
from churn.imports.parsing import load_mapping
from churn.postgres.server import release_server
from churn.settings import read_settings

MAPPING = """
[company]
name = "Benchmark"
time_zone = "Europe/London"
phone_region = "GB"
currency = "GBP"

[[file]]
path = "contacts.csv"
dates = "%d/%m/%Y %H:%M:%S"
[file.contacts]
contact_id = "Contact No"
customer_id = "Account"
started_at = "Started"
ended_at = "Ended"
channel = { column = "Channel", values = { "Telephone" = "call", "Chat" = "chat", "E-mail" = "email" } }
direction = { column = "Direction", values = { "Inbound" = "in", "Outbound" = "out" } }
queue = "Queue"
reason = "Reason"
agent_id = "Agent"
is_resolved = "Resolved"
is_escalated = "Escalated"
csat = "CSAT"
notes = "Notes"
"""
HEADER = "Contact No,Account,Started,Ended,Channel,Direction,Queue,Reason,Agent,Resolved,Escalated,CSAT,Notes\n"
CHANNELS = ("Telephone", "Chat", "E-mail")
REASONS = ("Bill higher than expected", "No internet", "Wants to cancel", "Moving home", "Router", "Price rise letter")
NOTES = (
    '"Customer says the bill went up, wants to know why; explained the end of the discount."',
    "Line tested. No fault found. Call back on Tuesday",
    '"Says: ""I was promised a credit"", nothing on file, passed on."',
    "",
)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--customers", type=int, default=100_000)
    wanted = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="keepline-bench-", dir="/tmp"))
    home.chmod(0o755)
    os.environ["KEEPLINE_HOME"] = str(home / "home")
    settings = read_settings("keepline_bench_import")
    try:
        db.create_database(settings)
        with db.connect(settings, "batch") as conn:
            measure(conn, home, wanted.rows, wanted.customers)
    finally:
        release_server(settings)
        shutil.rmtree(home, ignore_errors=True)


def measure(conn: psycopg.Connection, home: Path, rows: int, customers: int) -> None:
    """All figures for one file of `rows` contacts of `customers` customers."""
    folder = home / "files"
    folder.mkdir()
    (home / "bench.toml").write_text(MAPPING)
    mapping = load_mapping(home / "bench.toml")
    add_customers(conn, customers)
    write_contacts(folder / "contacts.csv", rows, customers, "first")
    size = (folder / "contacts.csv").stat().st_size / 1e6
    say(f"{rows:,} contacts, {size:,.0f} MB, {os.cpu_count()} cores")

    first = timed(lambda: take_in(conn, folder, mapping, rows))
    unchanged = timed(lambda: import_folder(conn, folder, mapping, progress=lambda *_: None))
    write_contacts(folder / "contacts.csv", rows, customers, "second")
    again = timed(lambda: take_in(conn, folder, mapping, rows))
    copied = bare_copy(conn, home / "clean.copy")
    say(f"first import     {first:7.1f} s  {rows / first * 60:12,.0f} a minute")
    say(f"every row new    {again:7.1f} s  {rows / again * 60:12,.0f} a minute (updates by key)")
    say(f"unchanged file   {unchanged:7.1f} s")
    say(f"bare COPY        {copied:7.1f} s  {rows / copied * 60:12,.0f} a minute")
    say(f"ratio            {first / copied:7.2f}    first import to bare COPY")
    say(f"peak memory      {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:7.0f} MB")


def take_in(conn: psycopg.Connection, folder: Path, mapping: Mapping, rows: int) -> None:
    """Import, and be sure that everything went in."""
    (report,) = import_folder(conn, folder, mapping, progress=lambda *_: None)
    if report.rows_accepted != rows or report.rows_unmatched:
        raise SystemExit(f"Not everything was taken in: {report}")


def bare_copy(conn: psycopg.Connection, path: Path) -> float:
    """Seconds to COPY the very same rows into the same table, its indexes as they are, in one transaction."""
    with path.open("wb") as file, conn.cursor().copy("COPY feed.contacts TO STDOUT") as rows:
        for piece in rows:
            file.write(piece)
    conn.execute("TRUNCATE feed.contacts")

    def put_back() -> None:
        with path.open("rb") as file, conn.cursor().copy("COPY feed.contacts FROM STDIN") as rows:
            while piece := file.read(1 << 20):
                rows.write(piece)

    return timed(put_back)


def add_customers(conn: psycopg.Connection, customers: int) -> None:
    """Customers C00000000 and on, nothing but ids."""
    conn.execute(
        "INSERT INTO feed.customers (customer_id, name, joined_on, currency) "
        "SELECT 'C' || lpad(n::text, 8, '0'), 'Customer ' || n, '2020-01-01', 'GBP' FROM generate_series(0, %s - 1) n",
        [customers],
    )


def write_contacts(path: Path, rows: int, customers: int, word: str) -> None:
    """A call-centre export: British dates, quoted notes with commas, some cells empty. `word` is in every note."""
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        file.writelines(contact_lines(rows, customers, word))


def contact_lines(rows: int, customers: int, word: str) -> Iterator[str]:
    """One line a contact, the same ones every time."""
    for n in range(rows):
        day, hour, minute, second = n % 28 + 1, n % 11 + 8, n * 7 % 50, n * 13 % 60
        note = NOTES[n % 4]
        note = f'{note[:-1]} {word}"' if note.endswith('"') else f"{note} {word}"
        yield (
            f"K{n:09d},C{n * 7919 % customers:08d},"
            f"{day:02d}/{n % 12 + 1:02d}/2024 {hour:02d}:{minute:02d}:{second:02d},"
            f"{day:02d}/{n % 12 + 1:02d}/2024 {hour:02d}:{minute + 9:02d}:{second:02d},{CHANNELS[n % 3]},"
            f"{'Outbound' if n % 9 == 0 else 'Inbound'},Queue {n % 8},{REASONS[n % 6]},A{n % 300:03d},"
            f"{'Yes' if n % 3 else 'No'},{'Yes' if n % 20 == 0 else 'No'},{n % 5 + 1 if n % 4 == 0 else ''},{note}\n"
        )


def timed(work: Callable[[], object]) -> float:
    """Seconds of wall clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def say(text: str) -> None:
    """One line of the result."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
