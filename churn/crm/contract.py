"""The data contract as a table: which views `crm` must have, with which columns; and whether it has them.

Only the catalogue is read here, so it takes milliseconds and runs at every start; `churn.crm.contract_check` reads the
rows too. Every problem carries the SQL that mends it, to be run as it stands by the owner of the views.
"""
# ruff: noqa: S608 - the SQL written here is shown to a person, never run

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row, scalar_row

from churn.core.language import mark, t
from churn.queries import query

READERS = "keepline_batch, keepline_owner"
PEOPLE = "people at the desk"  # as the query names them
READ_ANEW = "SELECT desk.make_reading_views();"  # people read through views upon these

# Names of types that can be read as each of ours without a cast.
ACCEPTED = {
    "text": {"text", "varchar"},
    "char(3)": {"bpchar", "text", "varchar"},
    "date": {"date"},
    "timestamptz": {"timestamptz"},
    "numeric(14, 2)": {"numeric"},
    "double precision": {"float8"},
    "smallint": {"int2", "int4", "int8"},
    "integer": {"int2", "int4", "int8"},
    "boolean": {"bool"},
    "jsonb": {"jsonb"},
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the contract. `otherwise` stands in where the company has nothing of the kind."""

    name: str
    type: str = "text"
    is_nullable: bool = False
    is_optional: bool = False
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One view of the contract: one row per `grain`."""

    name: str
    grain: tuple[str, ...]
    columns: tuple[Column, ...]
    without: str | None = None  # what the app does without it; None: it cannot

    @property
    def is_optional(self) -> bool:
        """Whether the app works without this view."""
        return self.without is not None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing `crm` (or the models) should not be."""

    where: str
    sentence: str
    mend: str
    is_optional: bool = False
    count: int | None = None
    example: str | None = None
    what: str | None = None  # of a rule of rows: what they have, in English, so that a kept problem can be said anew

    @property
    def text(self) -> str:
        """The sentence and, below it, what mends it."""
        return f"{'note' if self.is_optional else 'MEND'}  {self.sentence}\n      {self.mend}"


@dataclass(frozen=True, slots=True)
class State:
    """How far a database has been set up."""

    has_company: bool
    source: str | None
    has_directory: bool
    has_models: bool
    has_scores: bool
    has_night: bool  # one has been passed as far as its last steps


@dataclass(frozen=True, slots=True)
class Relation:
    """What stands in `crm` under a name: kind by pg_class.relkind, types by column, and as SQL writes them."""

    name: str
    kind: str
    definition: str | None
    unreadable_by: list[str]
    types: dict[str, str] = field(default_factory=dict)
    sql_types: dict[str, str] = field(default_factory=dict)


def _columns(text: str) -> tuple[Column, ...]:
    # A line is "name type"; "?": may be null; "= expression" stands in for a column the company lacks; "~": optional.
    columns = []
    for piece in text.strip().split("\n"):
        what, _, otherwise = (part.strip() for part in piece.partition("="))
        name, kind = what.split(" ", 1)
        columns.append(
            Column(name.strip("~"), kind.strip("?"), kind.endswith("?"), name.startswith("~"), otherwise or None)
        )
    return tuple(columns)


CONTRACT = (
    View(
        "customers",
        ("customer_id",),
        _columns("""customer_id text
            name text = customer_id
            phone text?
            email text?
            joined_on date
            segment text?
            region text?
            language text?
            currency char(3) = (SELECT currency FROM desk.company)
            is_vulnerable boolean = false
            is_do_not_offer boolean = false
            attributes jsonb = '{}'"""),
    ),
    View(
        "subscriptions",
        ("subscription_id",),
        _columns("""subscription_id text
            customer_id text
            product text = 'subscription'
            plan text = 'standard'
            started_on date
            term_ends_on date?
            ended_on date?
            end_reason text?
            monthly_price numeric(14, 2)
            monthly_margin numeric(14, 2)?"""),
    ),
    View(
        "contacts",
        ("contact_id",),
        _columns("""contact_id text
            customer_id text?
            started_at timestamptz
            ended_at timestamptz?
            channel text = 'phone'
            direction text = 'in'
            queue text?
            reason text?
            agent_id text?
            is_resolved boolean?
            is_escalated boolean = false
            csat smallint?
            notes text?"""),
    ),
    View(
        "invoices",
        ("invoice_id",),
        _columns("""invoice_id text
            customer_id text
            issued_on date
            due_on date = issued_on
            paid_on date?
            amount numeric(14, 2)"""),
        without="bills and late payments are left out",
    ),
    View(
        "usage",
        ("customer_id", "month", "measure"),
        _columns("""customer_id text
            month date
            measure text = 'usage'
            quantity double precision"""),
        without="usage is left out",
    ),
    View(
        "change_events",
        ("event_id",),
        _columns("""event_id text
            owner_department text = 'unknown'
            kind text
            title text = kind
            starts_at timestamptz
            ends_at timestamptz?
            audience_size integer?
            what_to_say text?
            ~region text?
            ~product text?
            ~plan text?"""),
        without="outages, price rises and campaigns are left out",
    ),
    View(
        "concessions",
        ("concession_id",),
        _columns("""concession_id text
            customer_id text
            contact_id text?
            agent_id text?
            given_at timestamptz
            instrument text = 'credit'
            amount numeric(14, 2)
            months smallint?
            intended_amount numeric(14, 2)?
            propensity double precision?"""),
        without="what was given before Keepline is left out",
    ),
)


def state(connection: psycopg.Connection) -> State:
    """How far this database has been set up."""
    with connection.cursor(row_factory=class_row(State)) as cursor:
        found = cursor.execute(query("contract", "state")).fetchone()
    assert found is not None  # noqa: S101 - a query without FROM has one row
    return found


def has_customers(connection: psycopg.Connection) -> bool:
    """Whether the company has a single customer."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return bool(cursor.execute(query("contract", "customers")).fetchone())


def relations(connection: psycopg.Connection, schema: str = "crm") -> dict[str, Relation]:
    """What stands in `schema`, by name."""
    where = {"schema": schema}
    with connection.cursor() as cursor:
        found = {
            name: Relation(name, kind, definition, unreadable_by)
            for name, kind, definition, unreadable_by in cursor.execute(
                query("contract", "relations"), where
            ).fetchall()
        }
        for relation, name, kind, sql_type in cursor.execute(query("contract", "columns"), where).fetchall():
            found[relation].types[name] = kind
            found[relation].sql_types[name] = sql_type
    return found


def check_catalogue(connection: psycopg.Connection, schema: str = "crm") -> list[Problem]:
    """Every view or column that is missing, unreadable or of the wrong type. Reads no row of the company's."""
    there = relations(connection, schema)
    zone = time_zone(connection)
    return [problem for view in CONTRACT for problem in _catalogue_problems(view, there.get(view.name), zone)]


def time_zone(connection: psycopg.Connection) -> str:
    """The zone the company's days are days in."""
    return str(moment(connection)["time_zone"])


def moment(connection: psycopg.Connection) -> dict[str, Any]:
    """`as_of`, the company's now, its `time_zone` and its `today`."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("contract", "moment")).fetchone() or {}


def _catalogue_problems(view: View, relation: Relation | None, zone: str) -> list[Problem]:
    if relation is None:
        return [
            Problem(
                f"crm.{view.name}",
                t(
                    "The view {view} is missing: {without}. Write it over your own table, or fill ours by an import:",
                    view=f"crm.{view.name}",
                    without=t(view.without),
                )
                if view.without
                else t(
                    "The view {view} is missing. Write it over your own table, or fill ours by an import:",
                    view=f"crm.{view.name}",
                ),
                f"CREATE VIEW crm.{view.name} AS SELECT {', '.join(column.name for column in view.columns)} "
                f"FROM feed.{view.name}; {_grant(view)}",
                is_optional=view.is_optional,
            )
        ]
    problems = []
    for column in view.columns:
        where, kind = f"crm.{view.name}.{column.name}", relation.types.get(column.name)
        if kind is None:
            lacking = (
                mark("The column {column} ({type}, optional) is missing.")
                if column.is_optional
                else mark("The column {column} ({type}, empty where unknown) is missing.")
                if column.is_nullable
                else mark("The column {column} ({type}, required) is missing.")
            )
            problems.append(
                Problem(
                    where,
                    t(lacking, column=where, type=column.type),
                    retyped(view, relation, zone),
                    is_optional=column.is_optional,
                )
            )
        elif kind not in ACCEPTED[column.type]:
            sentence = t(
                "The column {column} is {type} and must be {wanted}.", column=where, type=kind, wanted=column.type
            )
            problems.append(Problem(where, sentence, retyped(view, relation, zone)))
    unreadable_by = [who for who in relation.unreadable_by if who != PEOPLE or not problems]
    if unreadable_by:
        who = ", ".join(unreadable_by)
        problems.append(
            Problem(f"crm.{view.name}", t("{who} may not read {view}.", who=who, view=f"crm.{view.name}"), _grant(view))
        )
    return problems


def retyped(view: View, relation: Relation, zone: str) -> str:
    """SQL that gives every column of `view` its place and type at once, keeping what else the relation has."""
    wanted = {column.name: column for column in view.columns}
    pieces = {name: f'v."{name}"' for name in relation.types}
    for name, kind in relation.types.items():
        if name in wanted and kind not in ACCEPTED[wanted[name].type]:
            pieces[name] = converted(f'v."{name}"', kind, wanted[name].type, zone)
    is_new_type = any(piece != f'v."{name}"' for name, piece in pieces.items())
    for column in view.columns:
        if column.name not in pieces:
            value = "NULL" if column.is_nullable else column.otherwise or "/* your column here */ NULL"
            pieces[column.name] = f"({value})::{column.type}"
    return rewritten(view, relation, pieces, is_new_type=is_new_type)


def rewritten(
    view: View,
    relation: Relation,
    pieces: dict[str, str],
    *,
    distinct: str = "",
    rest: str = "",
    is_new_type: bool = False,
) -> str:
    """SQL that makes crm.<view> give these pieces of what stands there now. A table gets another name and a view."""
    name = f"crm.{view.name}"
    listed = ", ".join(
        piece if piece == f'v."{column}"' else f"{piece} AS {column}" for column, piece in pieces.items()
    )
    if relation.kind != "v":
        select = f"SELECT {distinct}{listed} FROM {name}_table AS v{rest}"
        return f"ALTER TABLE {name} RENAME TO {view.name}_table; CREATE VIEW {name} AS {select}; {_grant(view)}"
    select = f"SELECT {distinct}{listed} FROM ({(relation.definition or '').strip()}) AS v{rest}"
    if is_new_type:
        return f"DROP VIEW {name} CASCADE; CREATE VIEW {name} AS {select}; {_grant(view)}"
    return f"CREATE OR REPLACE VIEW {name} AS {select}; {READ_ANEW}"


def converted(expression: str, kind: str, wanted: str, zone: str) -> str:
    """`expression`, which is of type `kind`, as one of our types."""
    if wanted == "timestamptz" and kind in {"timestamp", "date"}:
        return f"({expression}::timestamp AT TIME ZONE '{zone}')"
    if wanted == "date" and kind == "timestamptz":
        return f"({expression} AT TIME ZONE '{zone}')::date"
    if wanted == "boolean" and kind in {"int2", "int8", "numeric", "float4", "float8"}:
        return f"({expression} <> 0)"
    if wanted in {"smallint", "integer"} and kind in {"text", "varchar", "bpchar"}:
        return f"{expression}::numeric::{wanted}"
    return f"{expression}::{wanted}"


def _grant(view: View) -> str:
    return f"GRANT SELECT ON crm.{view.name} TO {READERS}; {READ_ANEW}"
