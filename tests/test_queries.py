"""Every named query: understood by the migrated schema, explained by a line, used by exactly one function."""

from __future__ import annotations

import ast
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from typing import LiteralString, cast

import psycopg
import pytest

from churn import queries
from churn.settings import PROJECT, SQL

NAMES = [(noun, name) for noun in queries.nouns() for name in queries.load(noun)]
COPY = re.compile(r"\bCOPY\s+([\w.]+)\s*\(([^)]*)\)\s+FROM STDIN[^;]*")
# The one definition of a feature has three readers: many customers at many instants, everyone in batches, one caller.
# Who came to cancel stands within other queries: what the night adds up, and the list behind a mark.
SHARED = {("features", "features"), ("callers", "callers")}
PREPARABLE = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE")


def numbered(statement: str) -> LiteralString:
    """The statement with $1, $2 … for %(name)s, as the server is asked to understand it."""
    places: dict[str, int] = {}
    text = re.sub(r"%\((\w+)\)s", lambda found: f"${places.setdefault(found[1], len(places) + 1)}", statement)
    text = COPY.sub(r"SELECT \2 FROM \1", text)  # a COPY names a table and columns, as a SELECT of them does
    return cast(LiteralString, text.replace("%%", "%").rstrip().rstrip(";"))


def without_comments(statement: str) -> str:
    return re.sub(r"--[^\n]*", "", statement).strip()


def calls() -> Iterator[tuple[str, ast.Call, set[str]]]:
    """(module:function, call, every text in the module) of every call within a function of churn."""
    for path in sorted(PROJECT.glob("churn/**/*.py")):
        tree = ast.parse(path.read_text())
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                yield f"{path.relative_to(PROJECT)}:{function.name}", call, texts


def uses() -> Iterator[tuple[str, str, str]]:
    """(noun, name, function) of every query that is called for, be it by a helper that knows the noun."""
    for function, call, texts in calls():
        if getattr(call.func, "id", "") in {"takeaway", "written_down"}:  # those name a page and a file
            continue
        words = [getattr(argument, "value", None) for argument in call.args]
        is_query = getattr(call.func, "id", "") == "query"
        for noun, name in itertools.pairwise(words):
            if (noun, name) in NAMES or (is_query and isinstance(noun, str) and isinstance(name, str)):
                yield str(noun), str(name), function
        if getattr(call.func, "id", "").startswith("_"):  # a module's own helper
            yield from ((noun, name, function) for noun, name in NAMES if name in words and noun in texts)


def test_placeholders_become_numbers_the_same_name_the_same_number() -> None:
    assert numbered("SELECT %(a)s + %(b)s + %(a)s WHERE x LIKE '50%%';") == "SELECT $1 + $2 + $1 WHERE x LIKE '50%'"


@pytest.mark.parametrize("noun", queries.nouns())
def test_the_schema_understands_every_query(owner: psycopg.Connection, noun: str) -> None:
    faults = []
    with owner.transaction(force_rollback=True):
        owner.execute("SET LOCAL search_path = crm")  # where jobs find the company's tables
        for name, statement in queries.load(noun).items():
            text = numbered(statement)
            is_preparable = without_comments(text).upper().startswith(PREPARABLE)
            prefix = cast(LiteralString, f"PREPARE {name}_ AS " if is_preparable else "")
            try:
                with owner.transaction():
                    owner.execute(cast(LiteralString, prefix + text))  # a temporary table must be there for the next
            except psycopg.Error as error:
                faults.append(f"{name}: {error}")
    assert faults == []


@pytest.mark.parametrize(("noun", "name"), NAMES)
def test_a_query_opens_with_one_line_that_says_what_it_gives(noun: str, name: str) -> None:
    first, second = [*queries.load(noun)[name].splitlines(), ""][:2]
    assert re.fullmatch(r"-- .{6,}", first), f"{noun}.{name} opens with: {first}"
    assert not second.startswith("--"), f"{noun}.{name} opens with more than one line"


def test_each_query_is_used_by_exactly_one_function() -> None:
    used = Counter((noun, name) for noun, name, _ in set(uses()))
    assert {key: used[key] for key in NAMES if used[key] != 1 and key not in SHARED} == {}


def test_no_function_asks_for_a_query_that_is_not_there() -> None:
    assert {(noun, name) for noun, name, _ in uses()} <= set(NAMES)


def test_an_unknown_query_is_named() -> None:
    with pytest.raises(queries.UnknownQuery, match="has no query 'nothing'"):
        queries.query("contract", "nothing")


@pytest.mark.parametrize("path", sorted(SQL.glob("queries/*.sql")), ids=lambda path: path.stem)
def test_a_file_of_queries_says_at_its_top_what_it_is_about(path) -> None:
    assert path.read_text().startswith("-- ")
