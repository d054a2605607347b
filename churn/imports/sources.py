"""The text of one of our columns out of a chunk of theirs, as the mapping says; null where there is no value."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn.imports.dates import day_texts, months_before
from churn.imports.mapping import Lookup, Source
from churn.imports.reading import Chunk
from churn.imports.values import Fault, Rules, holds, map_distinct, plain_numbers, trim

Lookups = dict[Lookup, dict[str, str]]
Texts = tuple[Any, list[Fault]]
_NULL = pa.scalar(None, pa.string())


def source_texts(source: Source, chunk: Chunk, rules: Rules, lookups: Lookups) -> Texts:
    """Trimmed texts (pyarrow string array) and what is wrong with some of them."""
    return _WAYS[source.way](source, chunk, rules, lookups)


def _present(chunk: Chunk, column: str, missing: tuple[str, ...]) -> Any:
    texts = trim(chunk.columns[column])
    return pc.if_else(pc.is_in(texts, pa.array(missing, pa.string())), _NULL, texts)


def _blank_to_null(texts: Any) -> Any:
    return pc.if_else(pc.equal(texts, ""), _NULL, texts)


def _prefixed(texts: Any, prefix: str) -> Any:
    return pc.binary_join_element_wise(prefix, texts, "") if prefix else texts


def _column(source: Source, chunk: Chunk, lookups: Lookups) -> Texts:
    texts = _present(chunk, str(source.column), source.missing)
    faults: list[Fault] = []
    if source.whole_number:
        given, texts = texts, _whole_numbers(texts)
        faults.append((holds(pc.is_valid(given)) & ~holds(pc.is_valid(texts)), "Not a whole number."))
    if source.pad:
        texts = pc.utf8_lpad(texts, source.pad, "0")
    if source.time:
        time = _present(chunk, source.time, source.missing)
        texts = pc.binary_join_element_wise(texts, time, " ")
    if source.values is not None:
        texts, fault = _valued(source, texts)
        faults.append(fault)
    if source.lookup:
        table, given = lookups[source.lookup], texts
        texts = map_distinct(texts, table.get)
        unknown = holds(pc.is_valid(given)) & ~holds(pc.is_valid(texts))
        faults.append((unknown, f"Not found in {source.lookup.file}, column {source.lookup.key}."))
    return _prefixed(texts, source.prefix), faults


def _whole_numbers(texts: Any) -> Any:
    """ "4587.0" → "4587"; null where there is a fraction or no number. It stays text: ids keep every digit."""
    is_whole = pc.match_substring_regex(texts, r"^[0-9]+(?:\.0*)?$")
    return pc.replace_substring_regex(pc.if_else(is_whole, texts, _NULL), r"\.0*$", "")


def _valued(source: Source, texts: Any) -> tuple[Any, Fault]:
    values = source.values or {}
    if "" in values:
        texts = pc.fill_null(texts, "")
    is_known = pc.is_in(texts, pa.array(list(values), pa.string()))
    mapped = map_distinct(texts, lambda text: values.get(text, source.otherwise))
    unknown = holds(pc.is_valid(texts)) & ~holds(is_known)
    if source.otherwise is not None:
        unknown[:] = False
    return _blank_to_null(mapped), (unknown, "A value the mapping does not know: add it to `values`.")


def _first(source: Source, chunk: Chunk, rules: Rules, lookups: Lookups) -> Texts:
    texts: Any = pa.nulls(len(chunk), pa.string())
    faults: list[Fault] = []
    for one in source.first:
        more, wrong = source_texts(one, chunk, rules, lookups)
        is_open = ~holds(pc.is_valid(texts))
        faults.extend((mask & is_open, reason) for mask, reason in wrong)
        texts = pc.coalesce(texts, more)
    return texts, faults


def _digest(source: Source, chunk: Chunk) -> Any:
    names = source.digest or [name for name in chunk.columns if name not in source.digest_except]
    rows = zip(*(trim(chunk.columns[name]).to_pylist() for name in names), strict=True)
    digests = [hashlib.sha256("\x1f".join(row).encode()).hexdigest()[:16] for row in rows]
    return _prefixed(pa.array(digests, pa.string()), source.prefix)


def _sum(source: Source, chunk: Chunk) -> Texts:
    total: Any = None
    wrong = np.zeros(len(chunk), dtype=bool)
    for name in source.sum:
        given = _present(chunk, name, source.missing)
        numbers = plain_numbers(given, source.decimal)
        fits = pc.match_substring_regex(numbers, r"^-?[0-9]{0,14}(?:\.[0-9]{1,6})?$")
        wrong |= holds(pc.is_valid(given)) & ~holds(fits)
        exact = pc.cast(pc.if_else(fits, numbers, _NULL), pa.decimal128(24, 6))
        total = exact if total is None else pc.cast(pc.add(total, exact), pa.decimal128(24, 6))
    texts = pc.cast(total, pa.string())
    if source.decimal[-3] == ",":  # written back in the declared style, in which the value is read
        texts = pc.replace_substring(texts, ".", ",")
    return texts, [(wrong, f"One of {', '.join(source.sum)} is not an amount written like {source.decimal}.")]


def _join(source: Source, chunk: Chunk) -> Any:
    parts = [_present(chunk, name, ("",)) for name in source.join]
    return _prefixed(
        _blank_to_null(pc.binary_join_element_wise(*parts, source.parted_by, null_handling="skip")), source.prefix
    )


def _lines(source: Source, chunk: Chunk) -> Any:
    return pa.array([f"{source.prefix}{line}" for line in chunk.lines.tolist()], pa.string())


def _months_before(source: Source, chunk: Chunk, rules: Rules) -> Texts:
    given = _present(chunk, str(source.months_before_snapshot), source.missing)
    is_good = pc.match_substring_regex(given, r"^[0-9]{1,4}(?:\.0*)?$")
    months = pc.fill_null(pc.cast(_whole_numbers(pc.if_else(is_good, given, _NULL)), pa.int64()), 0)
    assert rules.snapshot is not None  # noqa: S101 - the mapping was checked
    days = day_texts(months_before(rules.snapshot, months.to_numpy(zero_copy_only=False)))
    wrong = holds(pc.is_valid(given)) & ~holds(is_good)
    return pc.if_else(pc.is_valid(given), days, _NULL), [(wrong, "Not a whole number of months.")]


def _snapshot_when(source: Source, chunk: Chunk, rules: Rules) -> Any:
    is_over = pc.is_in(trim(chunk.columns[str(source.snapshot_when)]), pa.array(source.equals, pa.string()))
    return pc.if_else(is_over, pa.scalar(str(rules.snapshot)), _NULL)


_WAYS: dict[str, Callable[[Source, Chunk, Rules, Lookups], Texts]] = {
    "column": lambda source, chunk, _, lookups: _column(source, chunk, lookups),
    "constant": lambda source, chunk, *_: (pa.repeat(pa.scalar(source.constant, pa.string()), len(chunk)), []),
    "join": lambda source, chunk, *_: (_join(source, chunk), []),
    "digest": lambda source, chunk, *_: (_digest(source, chunk), []),
    "digest_except": lambda source, chunk, *_: (_digest(source, chunk), []),
    "first": _first,
    "sum": lambda source, chunk, *_: _sum(source, chunk),
    "months_before_snapshot": lambda source, chunk, rules, _: _months_before(source, chunk, rules),
    "snapshot_when": lambda source, chunk, rules, _: (_snapshot_when(source, chunk, rules), []),
    "line": lambda source, chunk, *_: (_lines(source, chunk), []),
}
