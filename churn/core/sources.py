"""Ready mappings as text: what a file of `sql/sources` says it needs and gives, and which of its parts a choice takes.

A file is plain SQL. Its first line names the source, the second says what becomes what. `-- needs table: column type`
is what it reads, `-- index table (column)` what a large table must have for it. A heading `-- view --` or `-- view by
key --` opens the statement that makes a view; of views by several keys one is chosen. `{name}` stands for a parameter,
filled where the database is spoken to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from churn.core.language import number, t

VIEWS = ("customers", "subscriptions", "contacts", "invoices", "usage", "change_events", "concessions")
# Who is asked first where several could give a view: the CRM for people, billing for money, the help desk for contacts.
FIRST = {
    "customers": ("salesforce", "own", "stripe", "recurly"),
    "contacts": ("zendesk", "salesforce", "own"),
    "subscriptions": ("stripe", "recurly", "own", "salesforce"),
}
KNOWN = "known_customers"  # goes with the customers: what the other views are joined to
ALONE = {"stripe": "id", "recurly": "code"}  # the key of a source that says itself who the customers are
# Types of theirs that can be read as each we name.
READABLE = {
    "text": {"text", "varchar", "bpchar", "uuid", "int2", "int4", "int8"},
    "bigint": {"int2", "int4", "int8"},
    "integer": {"int2", "int4", "int8", "numeric"},
    "numeric": {"int2", "int4", "int8", "numeric", "float4", "float8"},
    "boolean": {"bool"},
    "date": {"date"},
    "timestamptz": {"timestamptz"},
    "json": {"text", "varchar", "json", "jsonb"},
}
_HEADING = re.compile(r"^-- (?P<view>[a-z_]+)(?: by (?P<key>[a-z_]+))? --$", re.MULTILINE)
_NEEDS = re.compile(r"^-- needs (?P<table>[a-z_]+): (?P<columns>.+)$", re.MULTILINE)
_INDEX = re.compile(r"^-- index (?P<table>[a-z_]+) \((?P<column>[a-z_]+)\)$", re.MULTILINE)
_PLACE = re.compile(r"\{([a-z_]*)\}")
PARAMETERS = ("phone_prefix", "metadata_key")
ROWS_WORTH_AN_INDEX = 10_000
RESERVED = {"user", "case", "group", "order", "table"}  # words of SQL that are tables of somebody's


class BadMapping(ValueError):
    """A file of a mapping, or a choice of them, cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One view of a mapping; `key` where it is one of several ways to make it."""

    view: str
    key: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """One file of `sql/sources`. `tables`: column → type, by table."""

    name: str
    title: str
    about: str
    tables: Mapping[str, Mapping[str, str]]
    indexes: tuple[tuple[str, str], ...]  # (table, column)
    parts: tuple[Part, ...]

    @property
    def gives(self) -> tuple[str, ...]:
        """The views of the contract it can give, in the contract's order."""
        given = {part.view for part in self.parts}
        return tuple(view for view in VIEWS if view in given)

    @property
    def keys(self) -> tuple[str, ...]:
        """The ways its customers can be joined to those of another source; empty when there is nothing to choose."""
        return tuple(part.key for part in self.parts if part.key)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A mapping as somebody chose it: the schema of each source, keys, who gives a view, and the other parameters."""

    schemas: Mapping[str, str]
    keys: Mapping[str, str] = field(default_factory=dict)
    takes: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanting:
    """One thing their tables lack for a mapping. `found`: the type there, None when it is missing."""

    schema: str
    table: str
    column: str | None
    type: str
    found: str | None
    sentence: str
    mend: str


def read_source(name: str, text: str) -> Source:
    """A file's text as a Source. Raises BadMapping, naming what is wrong."""
    lines = text.splitlines()
    if len(lines) < 2 or not all(line.startswith("-- ") for line in lines[:2]):
        raise BadMapping(f"{name}.sql must begin with two comments: the source's name and what becomes what.")
    tables: dict[str, dict[str, str]] = {}
    for found in _NEEDS.finditer(text):
        for column in found["columns"].split(","):
            column_name, _, kind = column.strip().partition(" ")
            if kind not in READABLE:
                raise BadMapping(f"{name}.sql needs {column_name} of the type {kind!r}: {', '.join(READABLE)}.")
            tables.setdefault(found["table"], {})[column_name] = kind
    pieces = _HEADING.split(text)[1:]  # view, key, text; and again
    parts = tuple(Part(*piece) for piece in zip(pieces[::3], pieces[1::3], map(str.strip, pieces[2::3]), strict=True))
    for part in parts:
        _check_part(name, part)
    if not tables or not parts:
        raise BadMapping(f"{name}.sql needs at least one line '-- needs table: …' and one heading '-- view --'.")
    indexes = tuple((found["table"], found["column"]) for found in _INDEX.finditer(text))
    return Source(name, lines[0][3:], lines[1][3:], tables, indexes, parts)


def _check_part(name: str, part: Part) -> None:
    statement = "\n".join(line for line in part.text.splitlines() if not line.lstrip().startswith("--")).strip()
    if not re.match(rf"CREATE OR REPLACE VIEW {part.view} AS\s", statement):
        raise BadMapping(
            f"{name}.sql, {part.view}: the statement must begin with CREATE OR REPLACE VIEW {part.view} AS."
        )
    if statement.count(";") != 1 or not statement.endswith(";"):
        raise BadMapping(f"{name}.sql, {part.view}: one statement, ended by its only semicolon.")
    strange = {place for place in _PLACE.findall(part.text) if place not in (name, *PARAMETERS)}
    if strange:
        raise BadMapping(f"{name}.sql, {part.view}: there is no parameter {', '.join(sorted(strange))}.")


def givers(sources: Mapping[str, Source], chosen: Chosen) -> dict[str, str]:
    """view → source, for every view of the contract that a chosen source gives. Raises BadMapping."""
    unknown = [name for name in chosen.schemas if name not in sources]
    if unknown or not chosen.schemas:
        there = ", ".join(sorted(sources))
        if unknown:
            raise BadMapping(
                t("There is no source {names}; there are {known}.", names=_listed(sorted(unknown)), known=there)
            )
        raise BadMapping(t("Choose at least one source; there are {known}.", known=there))
    given: dict[str, str] = {}
    for view in VIEWS:
        able = [name for name in chosen.schemas if view in sources[name].gives]
        wanted = chosen.takes.get(view)
        if wanted is not None and wanted not in able:
            others = ", ".join(able) or t("none of those chosen")
            raise BadMapping(t("{source} gives no {view}; {others} could.", source=wanted, view=view, others=others))
        order = FIRST.get(view, ())
        ranked = sorted(able, key=lambda name: order.index(name) if name in order else len(order))
        if ranked:
            given[view] = wanted or ranked[0]
    if "customers" not in given:
        raise BadMapping(
            t(
                "{sources} cannot say who the customers are: choose a source that can as well.",
                sources=_listed(chosen.schemas),
            )
        )
    return given


def keys_of(sources: Mapping[str, Source], chosen: Chosen) -> dict[str, str]:
    """source → key it is joined by, said or usual. Raises BadMapping."""
    people = givers(sources, chosen)["customers"]
    found = {}
    for name in chosen.schemas:
        keys = sources[name].keys
        if not keys:
            if name in chosen.keys:
                raise BadMapping(t("{source} has no key to choose.", source=name))
            continue
        alone = ALONE.get(name)
        usual = alone if people == name and alone else next((key for key in keys if key != "id"), keys[0])
        key = chosen.keys.get(name, usual)
        if key not in keys:
            raise BadMapping(
                t("{source} cannot be joined by '{key}'; there are {keys}.", source=name, key=key, keys=_listed(keys))
            )
        if people == name and key != alone:
            raise BadMapping(t("{source} gives the customers, so they go by {key}.", source=name, key=alone))
        found[name] = key
    return found


def parts_of(sources: Mapping[str, Source], chosen: Chosen) -> list[tuple[str, Part]]:
    """(source, part) in the order they must be made: who the customers are first. Raises BadMapping."""
    given, keys = givers(sources, chosen), keys_of(sources, chosen)
    order = sorted(chosen.schemas, key=lambda name: (name != given["customers"], list(chosen.schemas).index(name)))
    taken = []
    for name in order:
        own = {view for view, giver in given.items() if giver == name}
        for part in sources[name].parts:
            view = "customers" if part.view == KNOWN else part.view
            if (view in own or view not in VIEWS) and part.key in (None, keys.get(name)):
                taken.append((name, part))
    return taken


def title_of(sources: Mapping[str, Source], chosen: Chosen) -> str:
    """The mapping in a few words: which source gives what."""
    given = givers(sources, chosen)
    by = {name: [view for view, giver in given.items() if giver == name] for name in chosen.schemas}
    return "; ".join(f"{sources[name].title}: {', '.join(views) or t('nothing')}" for name, views in by.items())


def command_of(chosen: Chosen, act: str) -> str:
    """The command that does `act` with this choice, to be typed as it stands."""
    words = [f"python3 -m churn source {act}", *(f"{name}={schema}" for name, schema in chosen.schemas.items())]
    words += [f"--key {name}={key}" for name, key in chosen.keys.items()]
    words += [f"--take {view}={name}" for view, name in chosen.takes.items()]
    words += [f"--{name.replace('_', '-')} {value}" for name, value in chosen.values.items() if value]
    return " ".join(words)


def wanting(source: Source, schema: str, there: Mapping[str, Mapping[str, str]]) -> list[Wanting]:
    """Everything `source` lacks in `schema`, at once. `there`: column → name of its type, by table."""
    found = []
    for table, columns in source.tables.items():
        if table not in there:
            listed = ", ".join(f"{_quoted(column)} {kind}" for column, kind in columns.items())
            found.append(
                Wanting(
                    schema,
                    table,
                    None,
                    t("table"),
                    None,
                    t(
                        "The table {table} is missing: let the sync bring it. Where there is nothing of the "
                        "kind, an empty one will do:",
                        table=f"{schema}.{table}",
                    ),
                    f"CREATE TABLE {_quoted(schema)}.{_quoted(table)} ({listed});",
                )
            )
            continue
        found += [_lacking(schema, table, column, kind, there[table].get(column)) for column, kind in columns.items()
                  if there[table].get(column) not in READABLE[kind]]  # fmt: skip
    return found


def slow(source: Source, schema: str, tables: Mapping[str, tuple[int, Sequence[str]]]) -> list[Wanting]:
    """Large tables `source` would read whole, often. `tables`: about how many rows, and indexed columns, of each."""
    found = []
    for table, column in source.indexes:
        rows, indexed = tables.get(table, (0, ()))
        if rows >= ROWS_WORTH_AN_INDEX and column not in indexed:
            sentence = t(
                "{table} has about {n} rows and no index on {column}: it would be read whole, often.",
                table=f"{schema}.{table}", n=number(rows), column=column,
            )  # fmt: skip
            mend = f"CREATE INDEX CONCURRENTLY ON {_quoted(schema)}.{_quoted(table)} ({_quoted(column)});"
            found.append(Wanting(schema, table, column, t("an index"), None, sentence, mend))
    return found


def _lacking(schema: str, table: str, column: str, kind: str, is_now: str | None) -> Wanting:
    where, alter = f"{schema}.{table}.{column}", f"ALTER TABLE {_quoted(schema)}.{_quoted(table)}"
    if is_now is None:
        sentence = t(
            "The column {column} ({type}) is missing: let the sync bring it. If never filled, an empty one will do:",
            column=where, type=kind,
        )  # fmt: skip
        mend = f"{alter} ADD COLUMN {_quoted(column)} {kind};"
    else:
        sentence = t("The column {column} is {type} and must be {wanted}.", column=where, type=is_now, wanted=kind)
        if is_now == "timestamp":
            sentence += " " + t("Say in which zone its times are; UTC is what sync tools write:")
        mend = f"{alter} ALTER COLUMN {_quoted(column)} TYPE {kind} USING {_cast(column, kind, is_now)};"
    return Wanting(schema, table, column, kind, is_now, sentence, mend)


def _cast(column: str, kind: str, is_now: str) -> str:
    if kind == "timestamptz" and is_now in ("timestamp", "date"):
        return f"{_quoted(column)}::timestamp AT TIME ZONE 'UTC'"
    if kind == "date" and is_now == "timestamptz":
        return f"({_quoted(column)} AT TIME ZONE 'UTC')::date"
    return f"{_quoted(column)}::{kind}"


def _quoted(name: str) -> str:
    """A name as shown SQL writes it; what is run is quoted by the database's own driver."""
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def read_pairs(words: Sequence[str], what: str) -> dict[str, str]:
    """`salesforce=sf` and the like; a word without '=' stands for itself. Raises BadMapping when one is named twice."""
    pairs: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name in pairs:
            raise BadMapping(f"{what} {name} is named twice.")
        pairs[name] = value or name
    return pairs


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
