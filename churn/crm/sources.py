"""Ready mappings in the database: what a schema has for one, looked at before it is in force, hung, taken back.

What is composed here is the text of a reviewed file of `sql/sources`; only names and literals are filled in, by
psycopg's composer. A mapping is *registered* by a command on the host, with the installing login: exactly that text is
what a page may then propose, in a transaction that is rolled back, or have hung in `crm` by `desk.apply_mapping`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from churn import db, gateway
from churn.core import sources as core
from churn.core.grants import Session
from churn.core.language import ENGLISH, speaking, t
from churn.core.sources import BadMapping, Chosen, Source, Wanting
from churn.crm import contract_check
from churn.crm.contract import Problem, relations
from churn.db import Database
from churn.queries import query
from churn.settings import SQL, Settings

FOLDER = SQL / "sources"
MAPPER = "keepline_mapper"
NOT_THEIRS = ("information_schema", "crm", "caller", "masked", "desk", "feed", "truth", "report", "proposed")
MOST_ROWS = 20
CHECK_SECONDS = 60  # how long all of a proposed mapping may be counted before its problems are told as unread
USUAL = {"phone_prefix": "", "metadata_key": "account_id"}


class NotMapped(RuntimeError):
    """A mapping could not be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A mapping that may be applied: `statement` is its whole SQL."""

    mapping_id: int
    title: str
    chosen: Mapping[str, Any]
    views: Sequence[str]
    statement: str
    sha256: str
    registered_at: datetime
    registered_by: str


@dataclass(frozen=True, slots=True)
class Move:
    """What crm's views became; no mapping: the feed's own."""

    move_id: int
    mapping_id: int | None
    moved_at: datetime
    moved_by: str
    reason: str
    title: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """A schema held against a source: what is lacking, and the rights a mapping has not been given yet."""

    source: str
    schema: str
    columns: int
    wanting: list[Wanting]
    unreadable: list[str]


@dataclass(frozen=True, slots=True)
class Preview:
    """A mapping as it would be: rows of each view, how many, what is left out, all problems of the contract."""

    rows: Mapping[str, list[dict[str, Any]]]
    counts: Mapping[str, int | None]
    left_out: list[dict[str, Any]]
    problems: list[Problem]


def load(folder: Path = FOLDER) -> dict[str, Source]:
    """Every mapping shipped, and any of the company's own beside them, by name. Raises BadMapping."""
    return {path.stem: core.read_source(path.stem, path.read_text()) for path in sorted(folder.glob("*.sql"))}


def compose(sources: Mapping[str, Source], chosen: Chosen) -> sql.Composed:
    """A mapping's statements, names and literals filled in. Raises BadMapping."""
    values = USUAL | dict(chosen.values)
    _check(chosen, values)
    parts = [
        sql.SQL(part.text).format(
            **{name: sql.Identifier(chosen.schemas[name])},
            **{key: sql.Literal(value) for key, value in values.items()},
        )
        for name, part in core.parts_of(sources, chosen)
    ]
    return sql.SQL("\n\n").join(parts)


def statement_of(connection: psycopg.Connection, sources: Mapping[str, Source], chosen: Chosen) -> str:
    """The same as text, the way this server reads it: what is reviewed, registered and run, to the letter."""
    with speaking(ENGLISH):  # the same text, and digest, whoever reads it
        title = core.title_of(sources, chosen)
    about = f"-- {title}\n-- By hand: SET search_path = crm; and then all of this.\n\n"
    return about + compose(sources, chosen).as_string(connection) + "\n"


def digest_of(statement: str) -> str:
    """What a registered mapping is known by."""
    return hashlib.sha256(statement.encode()).hexdigest()


def _check(chosen: Chosen, values: Mapping[str, str]) -> None:
    for name, schema in chosen.schemas.items():
        if not schema or "\0" in schema or len(schema.encode()) > 63:
            raise BadMapping(t("{source}: a schema's name has 1 to 63 bytes and no NUL.", source=name))
        if schema in NOT_THEIRS or schema.startswith("pg_"):
            raise BadMapping(
                t(
                    "{source}: {schema} is the server's or Keepline's own; name the schema your tables stand in.",
                    source=name,
                    schema=schema,
                )
            )
    strange = values.keys() - USUAL.keys()
    if strange:
        names = {"names": ", ".join(sorted(strange)), "known": ", ".join(USUAL)}
        raise BadMapping(t("There is no parameter {names}; there are {known}.", **names))
    if values["phone_prefix"] and not re.fullmatch(r"\+[1-9][0-9]{0,3}", values["phone_prefix"]):
        raise BadMapping(t("The prefix of national numbers is a plus sign and one to four digits, such as +44."))
    if "\0" in values["metadata_key"] or not 0 < len(values["metadata_key"]) <= 100:
        raise BadMapping(t("The name of the metadata field has 1 to 100 characters."))


def schemas(connection: psycopg.Connection) -> dict[str, int]:
    """Tables in each schema of the company's own. The catalogue is everybody's to read."""
    found = connection.execute(query("sources", "schemas"), {"not_theirs": list(NOT_THEIRS)}).fetchall()
    return dict(found)


def inspect(connection: psycopg.Connection, sources: Mapping[str, Source], chosen: Chosen) -> list[Found]:
    """Each chosen schema held against what its source needs: everything that is lacking, at once. Raises BadMapping."""
    core.givers(sources, chosen)
    _check(chosen, USUAL | dict(chosen.values))
    return [_inspect(connection, sources[name], schema) for name, schema in chosen.schemas.items()]


def _inspect(connection: psycopg.Connection, source: Source, schema: str) -> Found:
    there: dict[str, dict[str, str]] = {}
    unreadable = set()
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(query("sources", "tables"), {"schema": schema}):
            there.setdefault(row["table_name"], {})[row["column_name"]] = row["type"]
            if row["table_name"] in source.tables and not row["may_read"]:
                unreadable.add(row["table_name"])
    if not there:
        told = {
            "source": source.name,
            "schema": schema,
            "others": ", ".join(schemas(connection)) or t("none but our own"),
        }
        raise BadMapping(t("{source}: there is no table in a schema {schema}; schemas with tables: {others}.", **told))
    needed = sum(len(columns) for columns in source.tables.values())
    sizes = {
        table: (rows, indexed)
        for table, rows, indexed in connection.execute(query("sources", "indexes"), {"schema": schema}).fetchall()
    }
    wanting = core.wanting(source, schema, there) + core.slow(source, schema, sizes)
    return Found(source.name, schema, needed, wanting, sorted(unreadable))


# By a command on the host ---------------------------------------------------------------------------------------------


def register(settings: Settings, chosen: Chosen, *, by: str) -> Registered:
    """Give the mapper the rights this mapping needs, and put its text where a page may use it. Raises NotMapped."""
    with psycopg.connect(db.admin_conninfo(settings)) as connection, told():
        return _register(connection, chosen, by)


def _register(connection: psycopg.Connection, chosen: Chosen, by: str) -> Registered:
    sources = load()
    lacking = [one for found in inspect(connection, sources, chosen) for one in found.wanting]
    if lacking:
        raise NotMapped("\n".join(["What the tables lack:", *(f"{one.sentence}\n    {one.mend}" for one in lacking)]))
    for grant in _grants(sources, chosen):
        connection.execute(grant)
    asked = {
        "title": core.title_of(sources, chosen),
        "chosen": json.dumps(asdict(chosen)),
        "views": list(core.givers(sources, chosen)),
        "statement": statement_of(connection, sources, chosen),
        "by": by,
    }
    (key,) = connection.execute(query("sources", "register"), asked).fetchone() or (None,)
    return next(one for one in registered(connection) if one.mapping_id == key)


def _grants(sources: Mapping[str, Source], chosen: Chosen) -> Iterator[sql.Composed]:
    for name, schema in chosen.schemas.items():
        mapper = sql.Identifier(MAPPER)
        yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), mapper)
        tables = sql.SQL(", ").join(sql.Identifier(schema, table) for table in sources[name].tables)
        yield sql.SQL("GRANT SELECT ON {} TO {}").format(tables, mapper)


def preview_on_host(settings: Settings, chosen: Chosen) -> Preview:
    """What the command shows: counts and problems, no row. Nothing is changed, nothing registered."""
    with (
        psycopg.connect(db.admin_conninfo(settings)) as connection,
        told(),
        connection.transaction(force_rollback=True),
    ):
        mapping = _register(connection, chosen, "")
        connection.execute(query("sources", "propose_on_host"), {"mapping_id": mapping.mapping_id})
        return _checked(connection, {})


def apply_on_host(settings: Settings, mapping: Registered | None, *, by: str, reason: str) -> None:
    """Hang a mapping in crm; None: the feed's own views again. One transaction. Raises a Refusal or NotMapped."""
    asked = {"mapping_id": mapping.mapping_id if mapping else None, "by": by, "reason": reason}
    with psycopg.connect(db.admin_conninfo(settings)) as connection, told():
        connection.execute(query("sources", "apply_on_host"), asked)


def name_company(settings: Settings, *, name: str, time_zone: str, phone_region: str, currency: str) -> None:
    """Say whose the tables are, where nobody did yet; whoever is named already stays."""
    asked = {"name": name, "time_zone": time_zone, "phone_region": phone_region, "currency": currency}
    with db.connect(settings, "batch") as connection, connection.transaction():
        connection.execute(query("sources", "name_company"), asked)
        # A zone or currency nobody knows is found now and not by every view.
        connection.execute("SELECT now() AT TIME ZONE time_zone FROM desk.company")


# By an administrator --------------------------------------------------------------------------------------------------


def registered(connection: psycopg.Connection) -> list[Registered]:
    """What a page may apply, newest first."""
    with connection.cursor(row_factory=class_row(Registered)) as cursor:
        return cursor.execute(query("sources", "mappings")).fetchall()


def moves(connection: psycopg.Connection) -> list[Move]:
    """What crm's views were, newest first; the first is in force."""
    with connection.cursor(row_factory=class_row(Move)) as cursor:
        return cursor.execute(query("sources", "moves")).fetchall()


def preview(database: Database, me: Session, mapping: Registered) -> Preview:
    """The mapping as it would be, rows masked by the database; nothing is changed. Raises a Refusal or NotMapped."""
    with told(), database.transaction(me) as connection, connection.transaction(force_rollback=True):
        connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(f"{CHECK_SECONDS}s")))
        connection.execute(query("sources", "propose"), {"mapping_id": mapping.mapping_id})
        rows = {view: _rows(connection, view) for view in mapping.views}
        return _checked(connection, rows)


def _rows(connection: psycopg.Connection, view: str) -> list[dict[str, Any]]:
    asked = {"view": view, "most": MOST_ROWS}
    return [row for (row,) in connection.execute(query("sources", "rows"), asked).fetchall()]


def _checked(connection: psycopg.Connection, rows: Mapping[str, list[dict[str, Any]]]) -> Preview:
    """Counts and problems of what is proposed in this transaction, as the jobs' role finds them."""
    connection.execute("SET LOCAL ROLE keepline_batch; SET LOCAL search_path = proposed")
    problems = contract_check.check_contract(connection, "proposed")
    counts, left_out = {}, []
    for view in relations(connection, "proposed"):
        name = sql.Identifier("proposed", view)
        if view in core.VIEWS:
            counts[view] = _counted(connection, sql.SQL("SELECT count(*) FROM {}").format(name))
        elif view.endswith("_left_out"):
            asked = sql.SQL("SELECT what, why, count(*)::int AS rows FROM {} GROUP BY what, why ORDER BY what, why")
            with connection.cursor(row_factory=dict_row) as cursor:
                left_out += cursor.execute(asked.format(name)).fetchall()
    return Preview(rows, counts, left_out, problems)


def _counted(connection: psycopg.Connection, statement: sql.Composed) -> int | None:
    try:
        with connection.transaction():
            row = connection.execute(statement).fetchone()
    except psycopg.Error:
        return None  # the check has told why
    return int(row[0]) if row else None


def apply(database: Database, me: Session, mapping: Registered | None, reason: str) -> None:
    """Hang the mapping in crm, or None: the feed's own views; one transaction, written down.

    Raises a Refusal or NotMapped.
    """
    asked = {
        "mapping_id": mapping.mapping_id if mapping else None,
        "sha256": mapping.sha256 if mapping else None,
        "reason": reason,
    }
    with told():
        gateway.act(database, me, "sources", "apply", asked)


@contextmanager
def told() -> Iterator[None]:
    """What goes wrong with a mapping in the database, as a sentence and what to do."""
    try:
        with gateway.refusals_by_name():
            yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise NotMapped(
            t(
                "{what}: a mapping reads through the role {role}. `python3 -m churn source register …` gives it the "
                "tables it needs; views you wrote yourself you hand over: ALTER VIEW crm.… OWNER TO {role};",
                what=_first_line(error),
                role=MAPPER,
            )
        ) from error
    except psycopg.errors.InvalidTableDefinition as error:
        raise NotMapped(
            t(
                "{what}: the view in crm has other columns than a mapping's. Drop it first, with what "
                "reads it: DROP VIEW crm.… CASCADE;",
                what=_first_line(error),
            )
        ) from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction) as error:
        said = t("{what}: look at what the tables lack, above or by `source inspect`.", what=_first_line(error))
        raise NotMapped(said) from error
    except psycopg.errors.LockNotAvailable as error:
        said = t("Somebody reads the views just now; try again in a moment. Nothing was changed.")
        raise NotMapped(said) from error


def _first_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or type(error).__name__).capitalize()
