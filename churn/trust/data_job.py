"""The nightly look at all of the company's data: one row of `desk.data_profiles`, so that the page reads nothing else.

Every view of the contract is read once for rows and empty values, once for its days, and once more for each kind of
double; what the contract asks of rows is `churn.crm.contract_check`'s. No key and no value of the company's is kept.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from churn import db, store
from churn.core.language import mark
from churn.core.trust.data_profile import GAP_DAYS, RECENT_DAYS, late_by, usual_gap
from churn.crm.contract import CONTRACT, Problem, View, moment, relations
from churn.crm.contract_check import check_contract
from churn.progress import Tell
from churn.queries import query
from churn.settings import Settings

Rows = list[dict[str, Any]]

KEPT_DAYS = 400
SHOWN_DAYS = 60  # whose rows a day are kept for a picture
# When a row came about, as far as the contract says.
WHEN = {
    "customers": sql.SQL("joined_on"),
    "subscriptions": sql.SQL("greatest(started_on, CASE WHEN ended_on <= %(today)s THEN ended_on END)"),
    "contacts": sql.SQL("(started_at AT TIME ZONE %(time_zone)s)::date"),
    "invoices": sql.SQL("issued_on"),
    "usage": sql.SQL("month"),
    "change_events": sql.SQL("(starts_at AT TIME ZONE %(time_zone)s)::date"),
    "concessions": sql.SQL("(given_at AT TIME ZONE %(time_zone)s)::date"),
}
# Rows that say the same under different keys.
DOUBLES = (
    ("customers", ("phone",), mark("customers with a telephone number somebody else has too")),
    ("customers", ("email",), mark("customers with an e-mail address somebody else has too")),
    (
        "subscriptions",
        ("customer_id", "product", "plan", "started_on"),
        mark("a customer's same plan begun twice on a day"),
    ),
    ("invoices", ("customer_id", "issued_on", "amount"), mark("a customer's same amount invoiced twice on a day")),
    ("contacts", ("customer_id", "started_at", "channel"), mark("a customer's contact written down twice")),
    (
        "concessions",
        ("customer_id", "given_at", "instrument", "amount"),
        mark("the same given twice at the same instant"),
    ),
)


@dataclass(slots=True)
class Profile:
    """What one night found; lists of objects as `desk.data_profiles` says."""

    as_of: datetime
    tables: Rows = field(default_factory=list)
    columns: Rows = field(default_factory=list)
    doubles: Rows = field(default_factory=list)
    problems: Rows = field(default_factory=list)
    contacts: Rows = field(default_factory=list)
    sources: Rows = field(default_factory=list)
    set_aside: Rows = field(default_factory=list)
    held_back: Rows = field(default_factory=list)

    def __str__(self) -> str:
        """One line for whoever ran it."""
        rows = sum(table["rows"] for table in self.tables)
        late = sum(table["late_days"] is not None for table in self.tables)
        mend = sum(not problem["is_optional"] for problem in self.problems)
        return f"{rows:,} rows of {len(self.tables)} tables read; {late} late; {mend} problems to mend"


def profile(settings: Settings, *, progress: Tell) -> Profile:
    """Look at all data and keep what was found. Raises store.NoCompany."""
    began = time.monotonic()
    with db.connect(settings, "batch") as connection:
        store.company(connection)
        now = moment(connection)
        found = Profile(now["as_of"])
        there = relations(connection)
        for view in CONTRACT:
            if view.name not in there:
                reason = view.without or "no customer can be scored"
                found.held_back.append({"what": f"crm.{view.name} is missing", "why": reason, "customers": None})
                continue
            progress(f"data: reading {view.name}")
            _look(connection, found, view, set(there[view.name].types), now)
        progress("data: what the contract asks of rows")
        found.problems = [_told(problem) for problem in check_contract(connection)]
        found.sources = _rows(connection, "sources")
        found.set_aside = _rows(connection, "set_aside")
        found.held_back += _held_back(connection)
        with connection.transaction():
            _keep(connection, found, time.monotonic() - began)
    return found


def _look(connection: psycopg.Connection, found: Profile, view: View, there: set[str], now: dict[str, Any]) -> None:
    """One view; what fails to be read (the contract's own check says why) is left out."""
    try:
        with connection.transaction():
            found.columns += _columns(connection, view, there, now)
            found.tables.append(_table(connection, view, found.columns, now))
            found.doubles += [
                {"noun": noun, "what": what, "rows": _doubles(connection, view, keys)}
                for noun, keys, what in DOUBLES
                if noun == view.name and there.issuperset(keys)
            ]
            if view.name == "contacts":
                found.contacts = _rows(connection, "contacts_by_channel")
    except psycopg.Error:
        found.held_back.append(
            {"what": f"crm.{view.name} cannot be read", "why": view.without or "", "customers": None}
        )


def _columns(connection: psycopg.Connection, view: View, there: set[str], now: dict[str, Any]) -> Rows:
    """Rows and empty values of each column of the contract, in all and of the last days."""
    columns = [column for column in view.columns if column.name in there]
    recent = sql.SQL("{when} > %(since)s AND {when} <= %(today)s").format(when=WHEN[view.name])
    counted = [sql.SQL("count(*)"), sql.SQL("count(*) FILTER (WHERE {})").format(recent)]
    for column in columns:
        name = sql.Identifier(column.name)
        counted += [
            sql.SQL("count(*) FILTER (WHERE {} IS NULL)").format(name),
            sql.SQL("count(*) FILTER (WHERE {} IS NULL AND {})").format(name, recent),
        ]
    statement = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(counted), sql.Identifier("crm", view.name))
    asked = {**now, "since": now["today"] - timedelta(days=RECENT_DAYS)}
    rows, recent_rows, *nulls = connection.execute(statement, asked).fetchone() or (0, 0)
    return [
        {
            "noun": view.name, "name": column.name, "is_required": not column.is_nullable and not column.is_optional,
            "rows": rows, "nulls": of_all, "recent_rows": recent_rows, "recent_nulls": of_recent,
        }
        for column, of_all, of_recent in zip(columns, nulls[::2], nulls[1::2], strict=True)
    ]  # fmt: skip


def _table(connection: psycopg.Connection, view: View, columns: Rows, now: dict[str, Any]) -> dict[str, Any]:
    """How many rows, the newest one's age, what is usual, rows a day of late."""
    statement = sql.SQL(
        "SELECT day, count(*) FROM (SELECT {} AS day FROM {}) AS days WHERE day <= %(today)s GROUP BY day ORDER BY day"
    ).format(WHEN[view.name], sql.Identifier("crm", view.name))
    days: list[tuple[date, int]] = connection.execute(statement, now).fetchall()
    newest = days[-1][0] if days else None
    age = (now["today"] - newest).days if newest else None
    gap = usual_gap(day for day, _ in days if day > now["today"] - timedelta(days=GAP_DAYS))
    return {
        "noun": view.name,
        "rows": next((column["rows"] for column in columns if column["noun"] == view.name), 0),
        "is_optional": view.is_optional,
        "oldest": days[0][0].isoformat() if days else None,
        "newest": newest.isoformat() if newest else None,
        "age_days": age,
        "usual_gap_days": gap,
        "late_days": late_by(age, gap),
        "days": [[day.isoformat(), rows] for day, rows in days if day > now["today"] - timedelta(days=SHOWN_DAYS)],
    }


def _doubles(connection: psycopg.Connection, view: View, keys: tuple[str, ...]) -> int:
    """Rows beyond the first with the same values."""
    names = [sql.Identifier(key) for key in keys]
    statement = sql.SQL(
        "SELECT coalesce(sum(n - 1), 0)::bigint "
        "FROM (SELECT count(*) AS n FROM {} WHERE {} GROUP BY {} HAVING count(*) > 1) AS twice"
    ).format(
        sql.Identifier("crm", view.name),
        sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(name) for name in names),
        sql.SQL(", ").join(names),
    )
    row = connection.execute(statement).fetchone()
    return int(row[0]) if row else 0


def _told(problem: Problem) -> dict[str, Any]:
    """A problem without the row that is an example of it: who may see counts may not see rows."""
    sentence = problem.sentence
    if problem.example is not None:
        sentence = sentence.split(", e.g. ", maxsplit=1)[0].rstrip(".") + "."
    told = {
        "place": problem.where, "sentence": sentence, "mend": problem.mend, "is_optional": problem.is_optional,
        "rows": problem.count,
    }  # fmt: skip
    if problem.what is None:
        return told
    return told | {"view": problem.where.split(".")[1], "what": problem.what}


def _held_back(connection: psycopg.Connection) -> Rows:
    try:
        with connection.transaction():
            return [row for row in _rows(connection, "held_back") if row["customers"] != 0]
    except psycopg.Error:  # a view it needs is missing, which is told already
        return []


def _rows(connection: psycopg.Connection, name: str) -> Rows:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("data_reports", name)).fetchall()


def _keep(connection: psycopg.Connection, found: Profile, seconds: float) -> None:
    parts = ("tables", "columns", "doubles", "problems", "contacts", "sources", "set_aside", "held_back")
    lists = {name: Jsonb(getattr(found, name)) for name in parts}
    connection.execute(query("data_reports", "keep_profile"), {"as_of": found.as_of, "seconds": seconds, **lists})
    connection.execute(query("data_reports", "forget_profiles"), {"days": KEPT_DAYS})
