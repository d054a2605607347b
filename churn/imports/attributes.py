"""Everything else a company knows of a customer: typed keys of `customers.attributes`.

A column's type is found over the whole file, so that it does not depend on which rows come first: `boolean` if every
value is yes/no/true/false, `number` if every value is a number (no leading zeros, at most 15 digits: longer ones are
ids), else `text`. Blank, N/A, NULL and the like are no value in a boolean or number column; in text only the blank is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from churn.imports.mapping import MISSING, Attributes, AttributeType, FileMapping
from churn.imports.reading import Chunk
from churn.imports.values import Fault, clean_text, holds, map_distinct, plain_numbers, shorten, trim

LONGEST_ATTRIBUTE = 1_000
_WORDS = {"yes": "true", "true": "true", "no": "false", "false": "false"}
_NULL = pa.scalar(None, pa.string())
_SAFE_NUMBER = r"^-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)$"


def attribute_columns(file: FileMapping, attributes: Attributes, header: Sequence[str]) -> list[str]:
    """The columns of `header` that become keys, in the header's order."""
    named = {*attributes.also, *attributes.types, *attributes.missing}
    mapped = file.columns() - named
    return [name for name in header if name in named or (attributes.rest and name not in mapped)]


def detect_types(
    chunks: Iterable[Chunk], columns: Sequence[str], attributes: Attributes, decimal: str
) -> dict[str, AttributeType]:
    """The type of every column that has any value at all."""
    types: dict[str, AttributeType] = dict(attributes.types)
    open_: dict[str, set[AttributeType]] = {name: {"boolean", "number"} for name in columns if name not in types}
    has_value: set[str] = set()
    for chunk in chunks:
        for name, possible in open_.items():
            texts = _present(chunk, name, attributes, is_text=False)
            if texts.null_count < len(texts):
                has_value.add(name)
                possible -= {kind for kind in tuple(possible) if not _all_are(texts, kind, decimal)}
    for name in columns:
        if name in open_ and name in has_value:
            possible = open_[name]
            types[name] = "boolean" if possible == {"boolean"} else "number" if possible == {"number"} else "text"
    return types


def _all_are(texts: Any, kind: AttributeType, decimal: str) -> bool:
    values = _read(texts, kind, decimal)
    return bool(values.null_count == texts.null_count)


def _present(chunk: Chunk, name: str, attributes: Attributes, *, is_text: bool) -> Any:
    missing = attributes.missing.get(name, ("",) if is_text else MISSING)
    texts = trim(chunk.columns[name])
    return pc.if_else(pc.is_in(texts, pa.array(["", *missing], pa.string())), _NULL, texts)


def _read(texts: Any, kind: AttributeType, decimal: str) -> Any:
    """Values as JSON writes them, null where a text is not of the type."""
    if kind == "boolean":
        return map_distinct(texts, lambda text: _WORDS.get(text.lower()))
    if kind == "text":
        return texts
    numbers = plain_numbers(texts, decimal)
    is_safe = pc.and_(
        pc.match_substring_regex(numbers, _SAFE_NUMBER),
        pc.less_equal(pc.utf8_length(pc.replace_substring_regex(numbers, "[-.]", "")), 15),
    )
    numbers = pc.if_else(is_safe, numbers, _NULL)
    return pc.replace_substring_regex(numbers, r"^(-?)\.", r"\10.")  # JSON has no ".5"


def attribute_texts(
    chunk: Chunk, types: dict[str, AttributeType], attributes: Attributes, decimal: str
) -> tuple[Any, list[tuple[str, Fault]]]:
    """One JSON object a row (pyarrow string array), and what is wrong with declared columns. No value: no key."""
    members, faults = [], []
    for name, kind in types.items():
        texts = _present(chunk, name, attributes, is_text=kind == "text")
        values = _read(texts, kind, decimal)
        wrong = holds(pc.is_valid(texts)) & ~holds(pc.is_valid(values))
        faults.append((name, (wrong, f"Not a {kind}, as the mapping declares this column.")))
        if kind == "text":
            values = _json_texts(values)
        members.append(pc.binary_join_element_wise(json.dumps(name, ensure_ascii=False) + ": ", values, ""))
    if not members:
        return pa.repeat(pa.scalar("{}"), len(chunk)), []
    inner = pc.binary_join_element_wise(*members, ", ", null_handling="skip")
    return pc.binary_join_element_wise("{", inner, "}", ""), faults


def _json_texts(texts: Any) -> Any:
    texts = shorten(clean_text(texts), LONGEST_ATTRIBUTE)
    if pc.any(pc.match_substring_regex(texts, r'["\\]')).as_py():
        texts = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')
    return pc.binary_join_element_wise('"', texts, '"', "")
