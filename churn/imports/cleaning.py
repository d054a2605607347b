"""A chunk of their rows into rows of our tables, column by column, and why some rows cannot be taken."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn.core.masking import without_cards
from churn.imports.attributes import attribute_texts
from churn.imports.mapping import AttributeType, FileMapping, TableMapping
from churn.imports.reading import Chunk, SetAside, file_safe
from churn.imports.sources import Lookups, source_texts
from churn.imports.tables import DATED, MONEY, TABLES, TEXTUAL, Column
from churn.imports.values import Parsed, Rules, holds, parse

LONGEST_SHOWN = 200  # characters of a bad value in `set_aside.value`
LONGEST_KEPT = 10_000  # characters of one value in `set_aside.row`
_NULL = pa.scalar(None, pa.string())


@dataclass(slots=True)
class Problems:
    """The first thing wrong with each row of a chunk; -1: nothing."""

    which: np.ndarray
    notes: list[tuple[str | None, str]] = field(default_factory=list)

    @classmethod
    def none(cls, rows: int) -> Problems:
        """No problem yet."""
        return cls(np.full(rows, -1, dtype=np.int32))

    def add(self, rows: np.ndarray, column: str | None, reason: str) -> None:
        """Blame `column` (theirs) for the rows that nothing is wrong with so far."""
        new = rows & (self.which < 0)
        if new.any():
            self.which[new] = len(self.notes)
            self.notes.append((column, reason))

    def replace(self, rows: np.ndarray, column: str | None, reason: str) -> None:
        """Blame `column` for these rows, whatever is wrong with them besides."""
        self.which[rows] = -1
        self.add(rows, column, reason)

    @property
    def good(self) -> np.ndarray:
        """Rows nothing is wrong with."""
        return np.asarray(self.which < 0)


@dataclass(slots=True)
class Cleaned:
    """Our columns by table, as long as the chunk (bad rows still in), the bad rows' problems, and callers' numbers."""

    tables: dict[str, dict[str, Any]]
    problems: Problems
    customer_phones: Any | None = None


def clean_chunk(
    chunk: Chunk, file: FileMapping, *, types: Dict[str, AttributeType], rules: Rules, lookups: Lookups
) -> Cleaned:
    """All our tables' columns out of one chunk. Columns are pyarrow string arrays as Postgres reads them."""
    problems = Problems.none(len(chunk))
    cleaned = Cleaned({}, problems)
    for table in file.tables:
        cleaned.tables[table.table] = _clean_table(chunk, table, problems, rules, lookups)
        if table.customer_phone:
            texts, _ = source_texts(table.customer_phone, chunk, rules, lookups)
            phones = parse(texts, Column("phone"), style=None, decimal="", rules=rules)
            cleaned.customer_phones = phones.texts  # an unreadable number only tells nobody
        if table.attributes:
            attributes, faults = attribute_texts(chunk, dict(types), table.attributes, file.decimal)
            cleaned.tables[table.table]["attributes"] = attributes
            for name, (rows, reason) in faults:
                problems.add(rows, name, reason)
    return cleaned


def _clean_table(
    chunk: Chunk, table: TableMapping, problems: Problems, rules: Rules, lookups: Lookups
) -> dict[str, Any]:
    ours, columns = TABLES[table.table], {}
    moments: dict[str, np.ndarray] = {}
    for name, source in table.sources.items():
        column, blamed = ours.columns[name], source.blamed()
        texts, faults = source_texts(source, chunk, rules, lookups)
        for rows, reason in faults:
            problems.add(rows, blamed, _sentence(name, reason))
        parsed = parse(texts, column, style=source.style, decimal=source.decimal, rules=rules)
        for rows, reason in parsed.faults:
            problems.add(rows, blamed, _sentence(name, reason))
        if column.needed:
            problems.add(_is_empty(parsed), blamed, _sentence(name, "Empty, but needed."))
        if parsed.moments is not None:
            moments[name] = parsed.moments
        columns[name] = parsed.texts if column.default is None else pc.fill_null(parsed.texts, column.default)
    if table.table == "customers" and "currency" not in columns:
        columns["currency"] = pa.repeat(pa.scalar(rules.currency), len(chunk))
    for first, second in ours.orders:
        if first in moments and second in moments:
            blamed = table.sources[second].blamed()
            problems.add(moments[second] < moments[first], blamed, _sentence(second, f"Before {first}."))
    return columns


def _sentence(ours: str, reason: str) -> str:
    return f"{ours}: {reason}"


def _is_empty(parsed: Parsed) -> np.ndarray:
    return holds(pc.equal(pc.fill_null(parsed.texts, ""), ""))


# what is set aside ---------------------------------------------------------------------------------------------------


def set_aside_rows(
    chunk: Chunk, problems: Problems, file: FileMapping, *, erased: Dict[str, str] | None = None
) -> list[SetAside]:
    """The bad rows as they were read, without card numbers and shortened to what a person can look at.

    Of a row that names an account of `erased` only that is kept.
    """
    exact = _exact_columns(file)
    rows = []
    for place in np.flatnonzero(~problems.good):
        column, reason = problems.notes[problems.which[place]]
        source = chunk.row(int(place))
        rows.append(SetAside(int(chunk.lines[place]), column, source.get(column) if column else None, reason, source))
    return [_presentable(_without_erased(one, erased or {}), exact) for one in [*chunk.set_aside, *rows]]


def _without_erased(one: SetAside, erased: Dict[str, str]) -> SetAside:
    named: dict[str, str | None] = {
        name: value for name, value in one.row.items() if value is not None and value.strip() in erased
    }
    if not named and one.reason not in erased.values():
        return one
    return replace(one, value=None, row=named)


def _exact_columns(file: FileMapping) -> set[str]:
    # Long ids, amounts and days may pass the Luhn check by chance; nobody types a card number into them.
    exact: set[str] = set()
    for table in file.tables:
        for name, source in table.sources.items():
            kind = TABLES[table.table].columns[name].kind
            if kind in DATED | MONEY or (kind in TEXTUAL and kind not in ("text", "notes")):
                exact |= source.columns()
    return exact


def _presentable(one: SetAside, exact: set[str]) -> SetAside:
    row = {
        name: value if value is None or (name in exact and value.isprintable()) else _shown(value, LONGEST_KEPT)
        for name, value in one.row.items()
    }
    value = row.get(one.column) if one.column else None
    return SetAside(one.line, one.column, None if value is None else value[:LONGEST_SHOWN], one.reason, row)


def _shown(value: str, longest: int) -> str:
    safe = without_cards(file_safe(value[: longest + 1]))
    return safe if len(value) <= longest else f"{safe[:longest]}… [{len(value):,} characters in all]"
