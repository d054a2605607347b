"""A mapping's TOML, ready or the company's own, into records, collecting every problem on the way."""

from __future__ import annotations

import codecs
import hashlib
import tomllib
from collections.abc import Mapping as Dict
from datetime import date, datetime, time, timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from phonenumbers import SUPPORTED_REGIONS

from churn.imports.dates import ISO_DAY, style_problem
from churn.imports.mapping import (
    MISSING,
    Attributes,
    Company,
    FileMapping,
    Lookup,
    Mapping,
    MappingError,
    Source,
    TableMapping,
)
from churn.imports.tables import DATED, TABLES, Column

READY = Path(__file__).parent / "mappings"
DECIMALS = ("1,234.50", "1.234,50", "1 234,50", "1'234.50", "1234.50", "1234,50")
# Each way to get a value, and what may stand beside it.
WAYS: dict[str, frozenset[str]] = {
    "column": frozenset(
        "values otherwise missing whole_number pad prefix time dates decimal lookup".split()  # noqa: SIM905
    ),
    "constant": frozenset(),
    "join": frozenset({"parted_by", "prefix"}),
    "digest": frozenset({"prefix"}),
    "digest_except": frozenset({"prefix"}),
    "first": frozenset(),
    "sum": frozenset({"missing", "decimal"}),
    "months_before_snapshot": frozenset({"missing"}),
    "snapshot_when": frozenset({"equals"}),
    "line": frozenset({"prefix"}),
}
_TYPES: dict[str, tuple[type, str]] = {
    "column": (str, "a text"),
    "join": (list, "a list of columns"),
    "digest": (list, "a list of columns"),
    "digest_except": (list, "a list of columns"),
    "first": (list, "a list"),
    "sum": (list, "a list of columns"),
    "months_before_snapshot": (str, "a column"),
    "snapshot_when": (str, "a column"),
    "line": (bool, "true"),
    "equals": (list, "a list of values"),
    "parted_by": (str, "a text"),
    "values": (dict, "a table of values"),
    "otherwise": (str, "a text"),
    "missing": (list, "a list of values"),
    "whole_number": (bool, "true or false"),
    "pad": (int, "a number of digits"),
    "prefix": (str, "a text"),
    "time": (str, "a column"),
    "dates": (str, "a date style"),
    "decimal": (str, "a written amount"),
    "lookup": (dict, "a table with file, key and take"),
}


def ready_mappings() -> list[str]:
    """Names of the mappings that come with Keepline."""
    return sorted(path.stem for path in READY.glob("*.toml"))


def load_mapping(name_or_path: str | Path) -> Mapping:
    """A ready mapping by name, or one from a TOML file. Raises MappingError with every problem."""
    name = str(name_or_path)
    path = READY / f"{name}.toml" if name in ready_mappings() else Path(name)
    if not path.is_file():
        raise MappingError(
            name,
            [f"There is no such file, and no ready mapping of that name; ready are {', '.join(ready_mappings())}."],
        )
    return parse_mapping(path.stem, path.read_bytes())


def parse_mapping(name: str, content: bytes) -> Mapping:
    """The mapping in a TOML file's bytes. Raises MappingError with every problem."""
    try:
        text = tomllib.loads(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(name, [f"It is not TOML: {error}."]) from None
    parser = _Parser()
    parser.only_known(text, {"company", "file"}, "The mapping")
    company = parser.company(text.get("company"))
    entries = text.get("file")
    if not isinstance(entries, list) or not entries:
        parser.say("It names no file: begin each with [[file]].")
        entries = []
    parser.has_snapshot = company.snapshot_on is not None
    files = tuple(parser.file(entry, place) for place, entry in enumerate(entries, start=1) if isinstance(entry, dict))
    parser.twice([str(file.path) for file in files])
    if parser.problems:
        raise MappingError(name, parser.problems)
    return Mapping(name, hashlib.sha256(content).hexdigest(), company, files)


class _Parser:
    def __init__(self) -> None:
        self.problems: list[str] = []
        self.has_snapshot = False

    def say(self, problem: str) -> None:
        self.problems.append(problem)

    def only_known(self, entry: Dict[str, Any], known: set[str] | frozenset[str], where: str) -> None:
        for key in entry:
            if key not in known:
                self.say(f"{where} has “{key}”, which means nothing here; known are {', '.join(sorted(known))}.")

    def twice(self, names: list[str]) -> None:
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.say(f"{name} stands there twice: put all its tables under one [[file]].")

    # the company -----------------------------------------------------------------------------------------------------

    def company(self, entry: Any) -> Company:
        entry = entry if isinstance(entry, dict) else {}
        self.only_known(entry, set(Company.__dataclass_fields__), "[company]")
        rules: dict[str, tuple[str, Any]] = {
            "name": ("a text", lambda v: isinstance(v, str) and v.strip()),
            "time_zone": ("an IANA name such as Europe/London", lambda v: v in available_timezones()),
            "phone_region": ("two letters such as GB", lambda v: v in SUPPORTED_REGIONS),
            "currency": ("three letters such as GBP", lambda v: isinstance(v, str) and len(v) == 3 and v.isupper()),
        }
        for key, (what, holds) in rules.items():
            if not isinstance(entry.get(key), str) or not holds(entry[key]):
                self.say(f"[company] needs {key}: {what}.")
        horizon = entry.get("horizon_days", 90)
        if not isinstance(horizon, int) or not 1 <= horizon <= 730:
            self.say("[company] horizon_days is a number of days from 1 to 730.")
            horizon = 90
        churn = entry.get("monthly_churn")
        if churn is not None and not (isinstance(churn, float) and 0 < churn < 1):
            self.say("[company] monthly_churn is a share between 0 and 1, such as 0.02.")
            churn = None
        zone = entry.get("time_zone") if entry.get("time_zone") in available_timezones() else "UTC"
        snapshot, until = entry.get("snapshot_on"), entry.get("data_until")
        if snapshot is not None and (not isinstance(snapshot, date) or isinstance(snapshot, datetime)):
            self.say("[company] snapshot_on is a day, written like 2024-03-31 without quotes.")
            snapshot = None
        if until is not None and not isinstance(until, datetime):
            self.say("[company] data_until is an instant, written like 2024-03-31T23:59:59 without quotes.")
            until = None
        name, time_zone, region, currency = (str(entry.get(key, "")) for key in rules)
        data_until = _data_until(snapshot, until, ZoneInfo(str(zone)))
        return Company(name, time_zone, region, currency, horizon, snapshot, data_until, churn)

    # one file --------------------------------------------------------------------------------------------------------

    def file(self, entry: Dict[str, Any], place: int) -> FileMapping:
        path = PurePosixPath(str(entry.get("path", "")))
        where = f"[[file]] {path if entry.get('path') else place}"
        if not entry.get("path") or path.is_absolute() or ".." in path.parts:
            self.say(f"{where} needs path: the file's name inside the folder.")
        self.only_known(entry, {"path", "encoding", "delimiter", "decimal", "dates", "missing", "drop", *TABLES}, where)
        self.file_settings(entry, where)
        named = [table for table in TABLES if table in entry]
        if not named:
            self.say(f"{where} becomes no table; a file becomes one or more of {', '.join(TABLES)}.")
        return FileMapping(
            path,
            tuple(self.table(entry, table, f"{where} {table}") for table in named),
            entry.get("encoding"),
            entry.get("delimiter"),
            str(entry.get("decimal", DECIMALS[0])),
            self.texts(entry.get("drop", []), f"{where} drop"),
        )

    def file_settings(self, entry: Dict[str, Any], where: str) -> None:
        try:
            codecs.lookup(entry.get("encoding", "utf-8"))
        except (LookupError, TypeError):
            self.say(f"{where} has an unknown encoding “{entry.get('encoding')}”.")
        mark = entry.get("delimiter", ",")
        if not isinstance(mark, str) or len(mark) != 1:
            self.say(f"{where} has a delimiter that is not one character.")
        self.decimal(entry.get("decimal", DECIMALS[0]), where)
        if "dates" in entry:
            self.style(entry["dates"], where)
        self.texts(entry.get("missing", []), f"{where} missing")

    def table(self, entry: Dict[str, Any], name: str, where: str) -> TableMapping:
        table, body = TABLES[name], entry[name]
        if not isinstance(body, dict):
            self.say(f"{where} is a table of columns: write [file.{name}].")
            body = {}
        extras = {"customers": {"attributes"}, "contacts": {"customer_phone", "completes"}}.get(name, {"completes"})
        self.only_known(body, {*table.columns, *extras}, where)
        sources = {
            ours: self.source(body[ours], entry, column, f"{where}.{ours}")
            for ours, column in table.columns.items()
            if ours in body
        }
        given = {"currency"} if name == "customers" else set()  # the company's
        if lacking := [c for c, column in table.columns.items() if column.needed and c not in {*sources, *given}]:
            self.say(f"{where} needs {', '.join(lacking)}.")
        phone = body.get("customer_phone") if "customer_phone" in extras else None
        return TableMapping(
            name,
            sources,
            self.attributes(body.get("attributes", {}), f"{where}.attributes") if name == "customers" else None,
            self.source(phone, entry, Column("phone"), f"{where}.customer_phone") if phone is not None else None,
            bool(body.get("completes", False)),
        )

    def attributes(self, body: Any, where: str) -> Attributes:
        body = body if isinstance(body, dict) else {"rest": body}
        self.only_known(body, {"rest", "also", "types", "missing"}, where)
        types = body.get("types", {})
        for column, kind in types.items():
            if kind not in ("number", "boolean", "text"):
                self.say(f"{where}: the type of “{column}” is number, boolean or text.")
        missing = {name: self.texts(markers, where) for name, markers in body.get("missing", {}).items()}
        return Attributes(bool(body.get("rest", True)), self.texts(body.get("also", []), where), types, missing)

    # one column ------------------------------------------------------------------------------------------------------

    def source(self, spec: Any, entry: Dict[str, Any], column: Column, where: str) -> Source:
        spec = {"column": spec} if isinstance(spec, str) else spec
        ways = [way for way in WAYS if isinstance(spec, dict) and way in spec]
        if len(ways) != 1:
            self.say(f"{where} is the name of a column, or a table with exactly one of {', '.join(WAYS)}.")
            return Source()
        way = ways[0]
        self.only_known(spec, WAYS[way] | {way}, where)
        if not self.types_hold(spec, where):
            return Source()
        if way in ("months_before_snapshot", "snapshot_when") and not self.has_snapshot:
            self.say(f"{where} counts from the snapshot, but [company] has no snapshot_on.")
        if way == "snapshot_when" and not spec.get("equals"):
            self.say(f"{where} needs equals: the values that mean the customer has left.")
        return self.built(spec, way, entry, column, where)

    def built(self, spec: Dict[str, Any], way: str, entry: Dict[str, Any], column: Column, where: str) -> Source:
        constant = spec.get("constant")
        is_text = column.kind in ("text", "notes")
        marks = spec.get("missing", ("",) if is_text else entry.get("missing", MISSING))
        texts = {
            key: self.texts(spec.get(key, []), where) for key in ("join", "digest", "digest_except", "sum", "equals")
        }
        return Source(
            way,
            column=spec.get("column"),
            constant=None if constant is None else _constant(constant),
            first=tuple(self.source(one, entry, column, where) for one in spec.get("first", [])),
            months_before_snapshot=spec.get("months_before_snapshot"),
            snapshot_when=spec.get("snapshot_when"),
            parted_by=spec.get("parted_by", " "),
            values={str(k): _constant(v) for k, v in spec["values"].items()} if "values" in spec else None,
            otherwise=spec.get("otherwise"),
            missing=("", *self.texts(marks, where)),
            whole_number=bool(spec.get("whole_number")),
            pad=int(spec.get("pad", 0)),
            prefix=spec.get("prefix", ""),
            time=spec.get("time"),
            lookup=self.lookup(spec.get("lookup"), where),
            style=self.source_style(spec, way, entry, column, where),
            decimal=self.decimal(spec.get("decimal", entry.get("decimal", DECIMALS[0])), where),
            **texts,
        )

    def source_style(
        self, spec: Dict[str, Any], way: str, entry: Dict[str, Any], column: Column, where: str
    ) -> str | None:
        if column.kind not in DATED or way == "first":
            return None
        if way in ("months_before_snapshot", "snapshot_when"):
            return ISO_DAY
        if isinstance(spec.get("constant"), datetime):
            return "%Y-%m-%dT%H:%M:%S"
        if isinstance(spec.get("constant"), date):
            return ISO_DAY
        style = spec.get("dates", entry.get("dates"))
        if style is None:
            self.say(f'{where} needs a date style: say dates = "%Y-%m-%d" for the file or the column.')
            return None
        return self.style(style, where)

    def lookup(self, spec: Any, where: str) -> Lookup | None:
        if spec is None:
            return None
        if set(spec) != {"file", "key", "take"} or not all(isinstance(value, str) for value in spec.values()):
            self.say(f"{where}: a lookup has file, key and take.")
            return None
        path = PurePosixPath(spec["file"])
        if path.is_absolute() or ".." in path.parts:
            self.say(f"{where}: the lookup's file is a name inside the folder.")
        return Lookup(**spec)

    def types_hold(self, spec: Dict[str, Any], where: str) -> bool:
        wrong = [key for key, value in spec.items() if key in _TYPES and not isinstance(value, _TYPES[key][0])]
        for key in wrong:
            self.say(f"{where}: {key} is {_TYPES[key][1]}.")
        return not wrong

    def texts(self, values: Any, where: str) -> tuple[str, ...]:
        if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
            self.say(f"{where} is a list of texts.")
            return ()
        return tuple(values)

    def decimal(self, style: Any, where: str) -> str:
        if style not in DECIMALS:
            self.say(f"{where}: decimal shows how an amount is written, one of {'; '.join(DECIMALS)}.")
            return DECIMALS[0]
        return str(style)

    def style(self, style: Any, where: str) -> str | None:
        problem = style_problem(style) if isinstance(style, str) else "is no text"
        if problem:
            self.say(f"{where}: the date style “{style}” {problem}.")
            return None
        return str(style)


def _data_until(snapshot: date | None, until: datetime | None, zone: ZoneInfo) -> datetime | None:
    # Without a word from the mapping, a snapshot's data reach to the last instant of its day.
    if until is None and snapshot is not None:
        until = datetime.combine(snapshot + timedelta(days=1), time(), zone) - timedelta(microseconds=1)
    return until.replace(tzinfo=zone) if until is not None and until.tzinfo is None else until


def _constant(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)
