"""How long a simulated company takes, beside the floor of COPYing its contacts into a bare table.

    python -m tests.bench.bench_demo [--customers N] [--months M]

Makes a database of its own on the server the settings name, and drops it again. `ratio` is the whole (living through
the months, writing every table with its indexes) over the floor; peak memory is this process's.
"""

from __future__ import annotations

import argparse
import io
import resource
import sys
import time
from dataclasses import replace

import psycopg
import pyarrow.csv
from psycopg import sql

from churn import db
from churn.settings import Settings, read_settings
from churn.simulation import Company, simulate, write_company


def floor_seconds(connection: psycopg.Connection, company: Company) -> tuple[float, int]:
    """Seconds to COPY the first part's contacts, ready as text, into a table without an index; and their number."""
    contacts = company.part(0).tables["feed.contacts"]
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(contacts, buffer, pyarrow.csv.WriteOptions(include_header=False))
    connection.execute("CREATE TEMPORARY TABLE bare (LIKE feed.contacts)")
    columns = sql.SQL(", ").join(map(sql.Identifier, contacts.column_names))
    began = time.perf_counter()
    with connection.cursor().copy(sql.SQL("COPY bare ({}) FROM STDIN (FORMAT csv)").format(columns)) as copy:
        copy.write(buffer.getbuffer())
    return time.perf_counter() - began, len(contacts)


def measure(settings: Settings, customers: int, months: int) -> dict[str, float]:
    """Seconds to live and to write, rows written, and the floor's seconds for as many rows."""
    db.create_database(settings)
    with db.connect(settings, "batch") as connection:
        began = time.perf_counter()
        company = simulate(customers=customers, months=months)
        lived = time.perf_counter()
        counts = write_company(connection, company)
        written = time.perf_counter()
        seconds, rows = floor_seconds(connection, company)
    total = sum(counts.values())
    return {
        "customers": customers,
        "rows": total,
        "contacts": counts["feed.contacts"],
        "live_s": lived - began,
        "write_s": written - lived,
        "floor_s": seconds * total / rows,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> int:
    """Print one line of figures."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--customers", type=int, default=20_000)
    asked.add_argument("--months", type=int, default=24)
    options = asked.parse_args()
    settings = read_settings()
    settings = replace(settings, database=f"{settings.database}_bench_demo")
    try:
        found = measure(settings, options.customers, options.months)
    finally:
        with psycopg.connect(db.admin_conninfo(settings, "postgres"), autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(settings.database)))
    found["ratio"] = (found["live_s"] + found["write_s"]) / found["floor_s"]
    print("  ".join(f"{name} {value:,.1f}" for name, value in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
