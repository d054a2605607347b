"""The simulated company into Postgres: every table by COPY, all or nothing."""

import io
from collections.abc import Callable

import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from churn.simulation import truth
from churn.simulation.company import CURRENCY, PHONE_REGION, TIME_ZONE, Company

TABLES = (
    "feed.customers", "feed.subscriptions", "feed.invoices", "feed.usage", "feed.contacts", "feed.change_events",
    "feed.concessions", "truth.customers", "truth.calls", "truth.contact_causes", "truth.events", "truth.agents",
    "truth.budgets", "truth.days",
)  # fmt: skip
BATCH_ROWS = 50_000
_PLAIN = pyarrow.csv.WriteOptions(include_header=False)

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many of it are done and how many there are."""


class NotSimulated(RuntimeError):
    """This database holds a real company; the simulated one goes only into a database of its own."""


class NotEmpty(RuntimeError):
    """There is a company in this database already."""


def write_company(
    connection: psycopg.Connection, company: Company, *, replace: bool = False, progress: Progress | None = None
) -> dict[str, int]:
    """Write the company and its truth in one transaction, then ANALYZE; rows written by table.

    The jobs' role is enough: it may write truth and not read it. Raises NotSimulated when the database
    is another company's, and NotEmpty when there is something in it already, unless `replace`.
    """
    tell = progress or _silent
    with connection.transaction(), connection.cursor() as cursor:
        _clear(cursor, replace)
        _say_who(cursor, company)
        counts = dict.fromkeys((*TABLES, "desk.staff"), 0)
        tally = truth.Tally(company.world)
        for part in company.parts(ahead=1):
            tally.add(part.audience, part.tables["truth.contact_causes"])
            for name, table in part.tables.items():
                if name == "truth.curves":
                    continue  # for evaluations in this process
                tell(f"writing {name}", counts[name], 0)
                counts[name] += _copy(cursor, name, table)
            tell("customers written", counts["feed.customers"], company.customers)
        for name, table in company.shared(tally).items():
            counts[name] += _copy(cursor, name, table)
        tell("statistics", 0, 0)
        cursor.execute("SELECT feed.analyze()")
    return counts


def _silent(what: str, done: int, total: int) -> None:
    del what, done, total


def _identifier(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))


def _clear(cursor: psycopg.Cursor, replace: bool) -> None:
    """Refuse what may not be overwritten, then empty the tables that are about to be filled."""
    row = cursor.execute("SELECT source, name FROM desk.company").fetchone()
    if row and row[0] != "simulated":
        raise NotSimulated(
            f"This database holds {row[1]} (source: {row[0]}). "
            "Make another one for the simulated company: --database NAME."
        )
    filled = [name for name in TABLES if name.startswith("feed.") and _has_rows(cursor, name)]
    if filled and not (replace and row):
        raise NotEmpty(
            f"There is a company in this database already ({', '.join(filled)}). "
            + ("Write it anew with --replace." if row else "It was not simulated: use another database.")
        )
    tables = sql.SQL(", ").join(_identifier(name) for name in TABLES)
    cursor.execute(sql.SQL("TRUNCATE {}").format(tables))
    cursor.execute("DELETE FROM desk.staff")


def _has_rows(cursor: psycopg.Cursor, name: str) -> bool:
    return bool(cursor.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(_identifier(name))).fetchone())


def _say_who(cursor: psycopg.Cursor, company: Company) -> None:
    cursor.execute("DELETE FROM desk.company")
    cursor.execute(
        "INSERT INTO desk.company (name, time_zone, phone_region, currency, data_until, source) "
        "VALUES (%s, %s, %s, %s, %s, 'simulated')",
        [company.name, TIME_ZONE, PHONE_REGION, CURRENCY, company.until],
    )


def _copy(cursor: psycopg.Cursor, name: str, table: pa.Table) -> int:
    """COPY one table; nulls are empty fields, text is quoted."""
    columns = sql.SQL(", ").join(map(sql.Identifier, table.column_names))
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(_identifier(name), columns)
    with cursor.copy(command) as copy:
        for start in range(0, len(table), BATCH_ROWS):
            buffer = io.BytesIO()
            pyarrow.csv.write_csv(table.slice(start, BATCH_ROWS), buffer, _PLAIN)
            copy.write(buffer.getbuffer())
    return len(table)
