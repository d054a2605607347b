"""What the rows of `crm` must keep, and the check that counts every row that does not.

All row rules of a view are counted in one pass over it; only keys and references need one more each. Conditions are
fixed text of this module, put together by psycopg's composer; nothing of the company's data ever becomes SQL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from churn.contract import ACCEPTED, CONTRACT, Problem, Relation, View, check_catalogue, moment, relations
from churn.queries import query

ROWS_WORTH_AN_INDEX = 10_000
KINDS_OF_MODEL = ("risk", "survival")


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of `view` for which `broken` holds break the contract. `mend` is what the view should say instead."""

    view: str
    columns: tuple[str, ...]
    broken: LiteralString
    sentence: str
    mend: str
    is_optional: bool = False


# %(today)s is the company's day, %(as_of)s its now.
RULES = (
    Rule(
        "customers", ("name",), "btrim(name) = ''", "no name", "coalesce(nullif(btrim(name), ''), customer_id) AS name"
    ),
    Rule(
        "customers",
        ("phone",),
        r"phone !~ '^\+[1-9][0-9]{6,14}$'",
        "a telephone number that is not E.164 (+ and 7 to 15 digits), which no caller will be found by",
        r"CASE WHEN phone ~ '^\+[1-9][0-9]{6,14}$' THEN phone END AS phone",
    ),
    Rule(
        "customers",
        ("currency",),
        "currency !~ '^[A-Z]{3}$'",
        "a currency that is not three capital letters",
        "upper(btrim(currency))::char(3) AS currency",
    ),
    Rule(
        "customers",
        ("joined_on",),
        "joined_on > %(today)s",
        "a day of joining that is yet to come",
        "WHERE joined_on <= current_date",
    ),
    Rule(
        "customers",
        ("joined_on",),
        "joined_on <= '1900-01-01'",
        "a day of joining that stands for unknown",
        "nullif(joined_on, '1900-01-01') AS joined_on, from a column that knows",
    ),
    Rule(
        "customers",
        ("attributes",),
        "jsonb_typeof(attributes) <> 'object'",
        "attributes that are not one object of names and values",
        "CASE WHEN jsonb_typeof(attributes) = 'object' THEN attributes ELSE '{}' END AS attributes",
    ),
    Rule(
        "customers",
        ("attributes",),
        """jsonb_path_exists(attributes, 'strict $.* ? (@.type() == "object" || @.type() == "array")', '{}', true)""",
        "attributes within attributes, which are not read",
        "jsonb_build_object('name', value, …) AS attributes, each a number, a text or a boolean",
        is_optional=True,
    ),
    Rule(
        "subscriptions",
        ("end_reason",),
        "end_reason NOT IN ('voluntary', 'involuntary', 'move')",
        "an end_reason other than voluntary, involuntary and move",
        "CASE end_reason WHEN 'their word' THEN 'voluntary' … END AS end_reason",
    ),
    Rule(
        "subscriptions",
        ("end_reason", "ended_on"),
        "end_reason IS NOT NULL AND ended_on IS NULL",
        "a reason for ending but no end",
        "CASE WHEN ended_on IS NOT NULL THEN end_reason END AS end_reason",
        is_optional=True,
    ),
    Rule(
        "subscriptions",
        ("ended_on", "started_on"),
        "ended_on < started_on",
        "an end before the start",
        "greatest(ended_on, started_on) AS ended_on",
    ),
    Rule(
        "subscriptions",
        ("term_ends_on", "started_on"),
        "term_ends_on < started_on",
        "a term that ends before the start",
        "CASE WHEN term_ends_on >= started_on THEN term_ends_on END AS term_ends_on",
    ),
    Rule(
        "subscriptions",
        ("monthly_price",),
        "monthly_price < 0 OR monthly_price = 'NaN'",
        "a negative price",
        "WHERE monthly_price >= 0",
    ),
    Rule(
        "invoices",
        ("due_on", "issued_on"),
        "due_on < issued_on",
        "a due date before its date",
        "greatest(due_on, issued_on) AS due_on",
    ),
    Rule(
        "invoices",
        ("issued_on",),
        "issued_on > %(today)s",
        "a date that is yet to come",
        "WHERE issued_on <= current_date",
    ),
    Rule(
        "invoices",
        ("paid_on",),
        "paid_on > %(today)s",
        "a day of payment that is yet to come",
        "CASE WHEN paid_on <= current_date THEN paid_on END AS paid_on",
    ),
    Rule("invoices", ("amount",), "amount = 'NaN'", "no number for an amount", "WHERE amount <> 'NaN'"),
    Rule(
        "contacts",
        ("started_at",),
        "started_at > %(as_of)s::timestamptz + interval '5 minutes'",
        "a start that is yet to come (a clock or a time zone is wrong)",
        "started_at AT TIME ZONE 'the zone it was written in' AS started_at",
    ),
    Rule(
        "contacts",
        ("ended_at", "started_at"),
        "ended_at < started_at",
        "an end before the start",
        "CASE WHEN ended_at >= started_at THEN ended_at END AS ended_at",
    ),
    Rule(
        "contacts",
        ("ended_at", "started_at"),
        "ended_at > started_at + interval '1 day'",
        "more than a day between start and end",
        "CASE WHEN ended_at <= started_at + interval '1 day' THEN ended_at END AS ended_at",
        is_optional=True,
    ),
    Rule(
        "contacts",
        ("direction",),
        "direction NOT IN ('in', 'out')",
        "a direction other than in and out",
        "CASE lower(direction) WHEN 'inbound' THEN 'in' WHEN 'outbound' THEN 'out' … END AS direction",
    ),
    Rule(
        "contacts",
        ("csat",),
        "csat NOT BETWEEN 1 AND 5",
        "a satisfaction outside 1 to 5",
        "CASE WHEN csat BETWEEN 1 AND 5 THEN csat END AS csat",
    ),
    Rule(
        "usage",
        ("month",),
        "extract(day FROM month) <> 1",
        "a month that is not the first of a month",
        "date_trunc('month', month)::date AS month, sum(quantity) … GROUP BY 1, 2, 3",
    ),
    Rule("usage", ("month",), "month > %(today)s", "a month that is yet to come", "WHERE month <= current_date"),
    Rule(
        "usage",
        ("quantity",),
        "quantity = 'NaN' OR abs(quantity) = 'Infinity'",
        "a quantity that is no number",
        "WHERE quantity = quantity AND abs(quantity) < 'Infinity'",
    ),
    Rule("usage", ("quantity",), "quantity < 0", "a negative quantity", "WHERE quantity >= 0", is_optional=True),
    Rule(
        "change_events",
        ("ends_at", "starts_at"),
        "ends_at < starts_at",
        "an end before the start",
        "CASE WHEN ends_at >= starts_at THEN ends_at END AS ends_at",
    ),
    Rule(
        "change_events",
        ("audience_size",),
        "audience_size < 0",
        "a negative audience",
        "CASE WHEN audience_size >= 0 THEN audience_size END AS audience_size",
    ),
    Rule("concessions", ("amount",), "amount < 0 OR amount = 'NaN'", "a negative amount", "abs(amount) AS amount"),
    Rule(
        "concessions",
        ("given_at",),
        "given_at > %(as_of)s::timestamptz + interval '5 minutes'",
        "a time that is yet to come",
        "WHERE given_at <= now()",
    ),
    Rule(
        "concessions",
        ("propensity",),
        "propensity <= 0 OR propensity > 1",
        "a propensity outside 0 to 1",
        "CASE WHEN propensity > 0 AND propensity <= 1 THEN propensity END AS propensity",
    ),
)

# Views whose customer must be known; a contact may be of nobody we know, but then its customer_id is to be empty.
REFERENCES = {"subscriptions": False, "invoices": False, "usage": False, "concessions": False, "contacts": True}


def check_contract(connection: psycopg.Connection) -> list[Problem]:
    """All problems of `crm`: the catalogue's, then the rows', then advice. A view that is not right is counted as far
    as its right columns go."""
    there = relations(connection)
    now = moment(connection)
    values = {"as_of": now["as_of"], "today": now["as_of"].date()}
    problems = check_catalogue(connection)
    for view in CONTRACT:
        if view.name in there:
            good = _good_columns(view, there[view.name])
            problems += _row_problems(connection, view, good, values)
            problems += _key_problems(connection, view, good)
            problems += _reference_problems(connection, view, good, there)
            problems += _index_advice(connection, view, good)
    return problems


def count_rows(connection: psycopg.Connection) -> dict[str, int]:
    """Rows of every view of the contract that is there."""
    counts = {}
    there = relations(connection)
    for view in CONTRACT:
        if view.name in there:
            statement = sql.SQL("SELECT count(*) FROM {}").format(_of(view))
            counts[f"crm.{view.name}"] = int((connection.execute(statement).fetchone() or (0,))[0])
    return counts


def check_models(connection: psycopg.Connection) -> list[Problem]:
    """Kinds of model without a current version, artifacts that changed since they were registered, refusals."""
    problems = []
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(query("contract", "models")).fetchall()
    for row in found:
        where, version = f"desk.model_versions, {row['kind']}", row["model_version"]
        train = "python3 -m churn train"
        if row["refusal"]:
            problems.append(Problem(where, f"No newer {row['kind']} model: {row['refusal']}", train, is_optional=True))
        elif version is None:
            problems.append(Problem(where, f"There is no current {row['kind']} model.", train))
        if version is not None and not row["is_intact"]:
            sentence = f"The {row['kind']} model {version} is not what was registered: its bytes have another digest."
            problems.append(Problem(where, sentence, f"{train}, then python3 -m churn promote VERSION --by PERSON"))
    return problems


def check_files(connection: psycopg.Connection) -> list[Problem]:
    """Files of which rows were set aside: to know, not to mend here."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(query("contract", "set_aside")).fetchall()
    return [
        Problem(
            row["path"],
            f"{row['path']}: {row['rows_set_aside']:,} of {row['rows_read']:,} rows were set aside, "
            f"most often: {row['reason']}",
            "SELECT line, column_name, value, reason FROM feed.set_aside JOIN feed.files USING (file_id) "  # noqa: S608
            f"WHERE path = '{row['path']}' ORDER BY file_id DESC, line;",
            is_optional=True,
            count=row["rows_set_aside"],
        )
        for row in found
    ]


def _row_problems(
    connection: psycopg.Connection, view: View, good: set[str], values: dict[str, Any]
) -> Iterator[Problem]:
    """Problems of single rows, all counted in one pass."""
    rules = [*_null_rules(view), *(rule for rule in RULES if rule.view == view.name)]
    rules = [rule for rule in rules if set(rule.columns) <= good]
    if not rules:
        return
    counted = sql.SQL(", ").join(
        sql.SQL("count(*) FILTER (WHERE {broken}), min({key}) FILTER (WHERE {broken})").format(
            broken=sql.SQL(rule.broken), key=_key(view, good)
        )
        for rule in rules
    )
    statement = sql.SQL("SELECT {} FROM {}").format(counted, _of(view))
    row = connection.execute(statement, values).fetchone() or ()
    for rule, count, example in zip(rules, row[::2], row[1::2], strict=True):
        if count:
            yield _problem(view, rule, count, example)


def _null_rules(view: View) -> list[Rule]:
    rules = []
    for column in view.columns:
        if not column.is_nullable:
            name: LiteralString = column.name
            mend = (
                f"coalesce({name}, {column.otherwise}) AS {name}" if column.otherwise else f"WHERE {name} IS NOT NULL"
            )
            rules.append(Rule(view.name, (name,), name + " IS NULL", f"no {name}", mend))
    return rules


def _key_problems(connection: psycopg.Connection, view: View, good: set[str]) -> Iterator[Problem]:
    """Keys that more than one row has."""
    if not set(view.grain) <= good:
        return
    keys = sql.SQL(", ").join(map(sql.Identifier, view.grain))
    statement = sql.SQL(
        "SELECT count(*), min(example) "
        "FROM (SELECT {example} AS example FROM {view} GROUP BY {keys} HAVING count(*) > 1) AS twice"
    ).format(example=_key(view, good), view=_of(view), keys=keys)
    count, example = connection.execute(statement).fetchone() or (0, None)
    if count:
        names = ", ".join(view.grain)
        yield Problem(
            f"crm.{view.name}",
            f"crm.{view.name} has {count:,} keys ({names}) of more than one row, e.g. {example}.",
            f"SELECT DISTINCT ON ({names}) … ORDER BY {names}, which row is to win",
            count=count,
            example=example,
        )


def _reference_problems(
    connection: psycopg.Connection, view: View, good: set[str], there: dict[str, Relation]
) -> Iterator[Problem]:
    """Rows of customers who are not in crm.customers."""
    if view.name not in REFERENCES or "customer_id" not in good:
        return
    if "customer_id" not in there.get("customers", Relation("", "", None, [])).types:
        return
    statement = sql.SQL(
        "SELECT count(*), min({key}) FROM {view} AS v WHERE customer_id IS NOT NULL AND NOT EXISTS "
        "(SELECT FROM crm.customers AS c WHERE c.customer_id::text = v.customer_id)"
    ).format(key=_key(view, good), view=_of(view))
    count, example = connection.execute(statement).fetchone() or (0, None)
    if count:
        known = "EXISTS (SELECT FROM crm.customers AS c WHERE c.customer_id = v.customer_id)"
        mend = (
            f"WHERE {known}" if not REFERENCES[view.name] else f"CASE WHEN {known} THEN customer_id END AS customer_id"
        )
        what = "a customer who is not in crm.customers"
        rule = Rule(view.name, ("customer_id",), "", what, mend, is_optional=REFERENCES[view.name])
        yield _problem(view, rule, count, example)


def _index_advice(connection: psycopg.Connection, view: View, good: set[str]) -> Iterator[Problem]:
    """Large tables that would be read whole to show one caller."""
    if "customer_id" not in good:
        return
    statement = sql.SQL("EXPLAIN (VERBOSE, FORMAT JSON) SELECT * FROM {} WHERE customer_id = 'probe'").format(_of(view))
    (plan,) = connection.execute(statement).fetchone() or ("[]",)
    for node in _nodes(plan if isinstance(plan, list) else json.loads(plan)):
        rows = connection.execute(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(format('%%I.%%I', %s::text, %s::text))",
            [node.get("Schema"), node.get("Relation Name")],
        ).fetchone()
        if node["Node Type"] != "Seq Scan" or rows is None or rows[0] < ROWS_WORTH_AN_INDEX:
            continue
        table = f"{node['Schema']}.{node['Relation Name']}"
        compared = re.search(r"^\(+(.+?)\)? = 'probe'::text\)", node.get("Filter", ""))
        expression = compared[1].replace(f"{node['Alias']}.", "") if compared else "the column of customer_id"
        yield Problem(
            f"crm.{view.name}",
            f"To show one caller's {view.name} the whole of {table} is read ({rows[0]:,} rows): it wants an index.",
            f"CREATE INDEX CONCURRENTLY ON {table} (({expression}));",
            is_optional=True,
        )


def _nodes(plan: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for piece in plan:
        node = piece.get("Plan", piece)
        if "Relation Name" in node:
            yield node
        yield from _nodes(node.get("Plans", []))


def _problem(view: View, rule: Rule, count: int, example: str | None) -> Problem:
    rows = "1 row has" if count == 1 else f"{count:,} rows have"
    return Problem(
        f"crm.{view.name}.{rule.columns[0]}",
        f"crm.{view.name}: {rows} {rule.sentence}, e.g. {', '.join(view.grain)} {example}.",
        f"in the view, write: {rule.mend}",
        is_optional=rule.is_optional,
        count=count,
        example=example,
    )


def _good_columns(view: View, relation: Relation) -> set[str]:
    return {column.name for column in view.columns if relation.types.get(column.name) in ACCEPTED[column.type]}


def _key(view: View, good: set[str]) -> sql.Composable:
    """The row's key as text; no name, number or note ever is an example."""
    parts = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in view.grain if name in good]
    return sql.SQL("concat_ws(' / ', {})").format(sql.SQL(", ").join(parts)) if parts else sql.SQL("NULL::text")


def _of(view: View) -> sql.Identifier:
    return sql.Identifier("crm", view.name)
