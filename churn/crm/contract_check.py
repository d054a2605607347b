"""The whole check of a company's data and models: every problem, counted, with an example and what mends it.

All row rules of a view are counted in one pass over it; keys and references need one more each. What is asked is put
together by psycopg's composer from the fixed text of `churn.crm.contract_rules`; no value of the company's becomes SQL.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from churn.core.language import number, t
from churn.crm.contract import (
    ACCEPTED,
    CONTRACT,
    Problem,
    Relation,
    View,
    check_catalogue,
    moment,
    relations,
    rewritten,
)
from churn.crm.contract_rules import Rule, reference_rule, row_problem, rules_of
from churn.queries import query

ROWS_WORTH_AN_INDEX = 10_000
ME = "keepline_batch"  # the role that checks
TRAIN = "python3 -m churn train"


@dataclass(frozen=True, slots=True)
class _Look:
    """One view under examination; `good` are its columns of the right type, the only ones that are read."""

    connection: psycopg.Connection
    view: View
    relation: Relation
    good: frozenset[str]
    schema: str

    @property
    def name(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.view.name)

    @property
    def key(self) -> sql.Composable:
        """The row's key as text: the only thing ever shown of a row."""
        parts = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in self.view.grain if name in self.good]
        return sql.SQL("concat_ws(' / ', {})").format(sql.SQL(", ").join(parts)) if parts else sql.SQL("NULL::text")


def check_contract(connection: psycopg.Connection, schema: str = "crm") -> list[Problem]:
    """All problems of `crm`: of the catalogue, then of the rows, view by view. Empty: the contract is kept.

    Of views that are only proposed, in another `schema`, as they would be once they hang in `crm`.
    """
    there = relations(connection, schema)
    now = moment(connection)
    values = {"as_of": now["as_of"], "today": now["today"]}
    problems = check_catalogue(connection, schema)
    has_customers = "customers" in there and "customer_id" in there["customers"].types
    for view in CONTRACT:
        relation = there.get(view.name)
        if relation is None or ME in relation.unreadable_by:
            continue
        good = {name for name in relation.types if relation.types[name] in _accepted(view, name)}
        look = _Look(connection, view, relation, frozenset(good), schema)
        try:
            with connection.transaction():
                problems += _row_problems(look, values)
                problems += _key_problems(look)
                problems += _reference_problems(look) if has_customers else []
                problems += _index_advice(look)
        except psycopg.Error as error:
            problems.append(_unreadable(look, error))
    return problems


def count_rows(connection: psycopg.Connection) -> dict[str, int]:
    """Rows of every view of the contract that is there."""
    counts = {}
    for name in relations(connection).keys() & {view.name for view in CONTRACT}:
        statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("crm", name))
        with contextlib.suppress(psycopg.Error):  # the check has told why
            counts[f"crm.{name}"] = int((connection.execute(statement).fetchone() or (0,))[0])
    return dict(sorted(counts.items()))


def check_models(connection: psycopg.Connection) -> list[Problem]:
    """Kinds of model without a current version, artifacts that changed since they were registered, refusals."""
    problems = []
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(query("contract", "models")).fetchall()
    for row in found:
        where, version = f"desk.model_versions, {row['kind']}", row["model_version"]
        if row["refusal"]:
            problems.append(Problem(where, f"No newer {row['kind']} model: {row['refusal']}", TRAIN, is_optional=True))
        elif version is None:
            problems.append(Problem(where, f"There is no current {row['kind']} model.", TRAIN))
        if version is not None and not row["is_intact"]:
            sentence = f"The {row['kind']} model {version} is not what was registered: its bytes have another digest."
            problems.append(Problem(where, sentence, f"{TRAIN}, then python3 -m churn promote VERSION --by PERSON"))
    return problems


def check_files(connection: psycopg.Connection) -> list[Problem]:
    """Files of which rows were set aside: to know, not to mend here."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(query("contract", "set_aside")).fetchall()
    return [
        Problem(
            row["path"],
            f"{row['path']}: {row['rows_set_aside']:,} of {row['rows_read']:,} rows were set aside, most often: "
            f"{row['reason']}",
            f"SELECT line, column_name, value, reason FROM feed.set_aside WHERE file_id = {row['file_id']};",  # noqa: S608
            is_optional=True,
            count=row["rows_set_aside"],
        )
        for row in found
    ]


def _unreadable(look: _Look, error: psycopg.Error) -> Problem:
    # The server's own words may quote a value, so only the name of the fault is told.
    return Problem(
        f"crm.{look.view.name}",
        t(
            "Reading {view} fails with {error}: often a value that cannot be cast.",
            view=f"crm.{look.view.name}",
            error=type(error).__name__,
        ),
        f"SELECT * FROM crm.{look.view.name};  -- shows it; then cast in the view only what can be: "  # noqa: S608
        "CASE WHEN pg_input_is_valid(their_column, 'date') THEN their_column::date END",
    )


def _accepted(view: View, name: str) -> set[str]:
    return next((ACCEPTED[column.type] for column in view.columns if column.name == name), set())


def _row_problems(look: _Look, values: dict[str, Any]) -> Iterator[Problem]:
    """Problems of single rows, all counted in one pass."""
    rules = [rule for rule in rules_of(look.view) if look.good.issuperset(rule.columns)]
    if not rules:
        return
    counted = sql.SQL(", ").join(
        sql.SQL("count(*) FILTER (WHERE {broken}), min({key}) FILTER (WHERE {broken})").format(
            broken=sql.SQL(rule.broken), key=look.key
        )
        for rule in rules
    )
    statement = sql.SQL("SELECT {} FROM {}").format(counted, look.name)
    row = look.connection.execute(statement, values).fetchone() or ()
    for rule, count, example in zip(rules, row[::2], row[1::2], strict=True):
        if count:
            yield _broken(look, rule, count, example)


def _key_problems(look: _Look) -> Iterator[Problem]:
    """Keys that more than one row has."""
    if not look.good.issuperset(look.view.grain):
        return
    keys = sql.SQL(", ").join(map(sql.Identifier, look.view.grain))
    statement = sql.SQL(
        "SELECT count(*), min(example) "
        "FROM (SELECT min({key}) AS example FROM {view} GROUP BY {keys} HAVING count(*) > 1) AS twice"
    ).format(key=look.key, view=look.name, keys=keys)
    count, example = look.connection.execute(statement).fetchone() or (0, None)
    if count:
        names = ", ".join(look.view.grain)
        yield Problem(
            f"crm.{look.view.name}",
            t(
                "{view}: {n} keys ({names}) are those of more than one row, e.g. {example}.",
                view=f"crm.{look.view.name}",
                n=number(count),
                names=names,
                example=example,
            ),
            rewritten(
                look.view,
                look.relation,
                {name: f'v."{name}"' for name in look.relation.types},
                distinct=f"DISTINCT ON ({names}) ",
                rest=f" ORDER BY {names} /* , and what makes the row to keep come first */",
            ),
            count=count,
            example=example,
        )


def _reference_problems(look: _Look) -> Iterator[Problem]:
    """Rows of customers who are not in crm.customers."""
    rule = reference_rule(look.view)
    if rule is None or "customer_id" not in look.good:
        return
    statement = sql.SQL(
        "SELECT count(*), min({key}) FROM {view} AS v WHERE customer_id IS NOT NULL AND NOT EXISTS "
        "(SELECT FROM {customers} AS c WHERE c.customer_id::text = v.customer_id)"
    ).format(key=look.key, view=look.name, customers=sql.Identifier(look.schema, "customers"))
    count, example = look.connection.execute(statement).fetchone() or (0, None)
    if count:
        yield _broken(look, rule, count, example)


def _index_advice(look: _Look) -> Iterator[Problem]:
    """Large tables that would be read whole to show one caller."""
    if "customer_id" not in look.good:
        return
    statement = sql.SQL("EXPLAIN (VERBOSE, FORMAT JSON) SELECT * FROM {} WHERE customer_id = 'probe'").format(look.name)
    (plan,) = look.connection.execute(statement).fetchone() or ("[]",)
    for node in _tables_read(plan if isinstance(plan, list) else json.loads(plan)):
        asked = {"schema": node["Schema"], "name": node["Relation Name"]}
        (rows,) = look.connection.execute(query("contract", "table_size"), asked).fetchone() or (0,)
        if node["Node Type"] != "Seq Scan" or rows < ROWS_WORTH_AN_INDEX:
            continue
        table = f"{node['Schema']}.{node['Relation Name']}"
        compared = re.fullmatch(r"\((.+) = 'probe'::text\)", node.get("Filter", ""))
        expression = compared[1].replace(f"{node['Alias']}.", "") if compared else "the column of customer_id"
        yield Problem(
            f"crm.{look.view.name}",
            t(
                "To show one caller's {view} the whole of {table} ({n} rows) is read: it wants an index.",
                view=look.view.name,
                table=table,
                n=number(rows),
            ),
            f"CREATE INDEX CONCURRENTLY ON {table} (({expression}));",
            is_optional=True,
        )


def _tables_read(plan: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for piece in plan:
        node = piece.get("Plan", piece)
        if "Relation Name" in node:
            yield node
        yield from _tables_read(node.get("Plans", []))


def _broken(look: _Look, rule: Rule, count: int, example: str | None) -> Problem:
    name, column = look.view.name, rule.columns[0]
    pieces = {name: f'v."{name}"' for name in look.relation.types}
    if rule.put:
        pieces[column] = f"({rule.put})::{look.relation.sql_types[column]}"
    return Problem(
        f"crm.{name}.{column}",
        row_problem(name, rule.sentence, count, f"{', '.join(look.view.grain)} {example}"),
        rewritten(look.view, look.relation, pieces, rest=f" WHERE {rule.keep}" if rule.keep else ""),
        is_optional=rule.is_optional,
        count=count,
        example=example,
        what=rule.sentence,
    )
