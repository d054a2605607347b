"""Text into the values of our columns, whole columns at a time: what cannot be read is said, never guessed.

Every function takes and gives pyarrow string arrays; null is "no value". Results are what Postgres reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from churn.imports.cards import redact_cards
from churn.imports.dates import FIRST_DAY, LAST_DAY, day_texts, instant_texts, parse_days, parse_instants
from churn.imports.tables import INSTANTS, PAST, Column, Kind

LONGEST_ID = 200
LONGEST_TEXT = 1_000
LONGEST_NOTES = 20_000
BLANKS = " \t\r\n\x0b\x0c\u00a0\u2007\u200b\u202f\ufeff"
_CONTROLS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}]"
_TRUE = ("true", "t", "yes", "y", "1")
_FALSE = ("false", "f", "no", "n", "0")
_MINOR_DIGITS = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the values of one run are read by. `now`: UTC, datetime64[us]; `today`: the company's day, datetime64[D]."""

    time_zone: str
    phone_region: str
    currency: str
    now: np.datetime64
    today: np.datetime64
    snapshot: np.datetime64 | None = None


Fault = tuple[np.ndarray, str]  # which rows, and the sentence


@dataclass(slots=True)
class Parsed:
    """`texts` as Postgres reads them; `moments`: the same as numpy days or instants, for comparing."""

    texts: Any
    faults: list[Fault] = field(default_factory=list)
    moments: np.ndarray | None = None


def trim(texts: Any) -> Any:
    """Without blanks, line ends and byte-order marks on either side."""
    return pc.utf8_trim(texts, characters=BLANKS)


def holds(condition: Any) -> np.ndarray:
    """A pyarrow boolean array as numpy, null as False."""
    return np.asarray(pc.fill_null(condition, False).to_numpy(zero_copy_only=False))


def map_distinct(texts: Any, change: Callable[[str], str | None]) -> Any:
    """`change` applied once to every distinct text; nulls stay."""
    coded = texts.dictionary_encode()
    return pa.array([change(text) for text in coded.dictionary.to_pylist()], pa.string()).take(coded.indices)


def parse(texts: Any, column: Column, *, style: str | None, decimal: str, rules: Rules) -> Parsed:
    """Trimmed texts as values of `column`. Where `faults` say so, the value stands for nothing."""
    kind = column.kind
    if kind in ("past_date", "date", "month", "past_instant", "instant"):
        return _moments(texts, kind, style or "%Y-%m-%d", rules)
    if kind in ("price", "amount"):
        return _money(texts, kind, decimal, rules.currency)
    if kind in _PATTERNS:
        return _numeric(texts, kind, decimal)
    if kind == "choice":
        choices = ", ".join(f"“{choice}”" for choice in column.choices)
        return _checked(texts, pc.is_in(texts, pa.array(column.choices)), f"Not one of {choices}: map it.")
    if kind == "phone":
        return _phones(texts, rules.phone_region)
    return _SIMPLE[kind](texts)


# texts ---------------------------------------------------------------------------------------------------------------


def clean_text(texts: Any, *, keep_lines: bool = False) -> Any:
    """Without control characters and card numbers; on one line unless `keep_lines`."""
    if pc.any(pc.match_substring_regex(texts, r"[\x00-\x1f\x7f-\x{9f}]")).as_py():
        texts = pc.replace_substring_regex(texts, "\r\n?", "\n")
        texts = pc.replace_substring_regex(texts, _CONTROLS, "")
        if not keep_lines:
            texts = pc.replace_substring_regex(texts, "[\n\t]+", " ")
    return redact_cards(texts)


def shorten(texts: Any, longest: int) -> Any:
    """Cut at `longest` characters, and say in the text that it was."""
    length = pc.utf8_length(texts)
    is_long = holds(pc.greater(length, longest))
    if not is_long.any():
        return texts
    values = texts.to_pylist()
    for place in np.flatnonzero(is_long):
        values[place] = f"{values[place][:longest]}… [shortened on import, {length[place].as_py():,} characters in all]"
    return pa.array(values, pa.string())


def _ids(texts: Any) -> Parsed:
    return Parsed(
        texts,
        [
            (holds(pc.match_substring_regex(texts, r"[\x00-\x1f\x7f]")), "An id with a control character in it."),
            (holds(pc.greater(pc.utf8_length(texts), LONGEST_ID)), f"An id of more than {LONGEST_ID} characters."),
            (
                holds(pc.match_substring_regex(texts, r"^[0-9](\.[0-9]+)?[eE]\+[0-9]+$")),
                "A spreadsheet has rounded this id: export it again with the column as text.",
            ),
        ],
    )


def _lines(texts: Any) -> Parsed:
    texts = clean_text(texts)
    return _checked(
        texts, pc.less_equal(pc.utf8_length(texts), LONGEST_TEXT), f"A text of more than {LONGEST_TEXT:,} characters."
    )


def _notes(texts: Any) -> Parsed:
    # Shortened first: nobody waits for a search through ten megabytes.
    return Parsed(clean_text(shorten(texts, LONGEST_NOTES), keep_lines=True))


def _currencies(texts: Any) -> Parsed:
    texts = pc.utf8_upper(texts)
    return _checked(texts, pc.match_substring_regex(texts, "^[A-Z]{3}$"), "Not a currency's three letters.")


def _booleans(texts: Any) -> Parsed:
    words = {**dict.fromkeys(_TRUE, "true"), **dict.fromkeys(_FALSE, "false")}
    parsed = map_distinct(texts, lambda text: words.get(text.lower()))
    return _checked(parsed, pc.is_valid(parsed), "Neither yes nor no: map it.", given=texts)


def _phones(texts: Any, region: str) -> Parsed:
    parsed = map_distinct(texts, lambda text: _e164(text, region))
    return _checked(
        parsed,
        pc.is_valid(parsed),
        f"No telephone number, neither of {region} nor with a + and country code.",
        given=texts,
    )


def _e164(text: str, region: str) -> str | None:
    # Possible, not assigned: numbering plans change faster than any table of them.
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _checked(texts: Any, is_good: Any, reason: str, *, given: Any = None) -> Parsed:
    return Parsed(texts, [(holds(pc.is_valid(texts if given is None else given)) & ~holds(is_good), reason)])


_SIMPLE: dict[Kind, Callable[[Any], Parsed]] = {
    "id": _ids,
    "text": _lines,
    "notes": _notes,
    "currency": _currencies,
    "boolean": _booleans,
}


# numbers -------------------------------------------------------------------------------------------------------------


@cache
def _number_pattern(decimal: str) -> tuple[str, str, str]:
    """For a style such as "1,234.50": the pattern of a number, the thousands mark, the decimal mark."""
    thousands, point = (decimal[1], decimal[5]) if len(decimal) == 8 else ("", decimal[4])
    grouped = rf"|[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+" if thousands else ""
    point_ = re.escape(point)
    return rf"^-?(?:(?:[0-9]+{grouped})(?:{point_}[0-9]+)?|{point_}[0-9]+)$", thousands, point


def plain_numbers(texts: Any, decimal: str) -> Any:
    """Numbers in the declared style, rewritten like -1234.50; null where a text is none (so "1e3" is null)."""
    pattern, thousands, point = _number_pattern(decimal)
    if thousands == " ":
        texts = pc.replace_substring_regex(texts, "[\u00a0\u2009\u202f]", " ")
    numbers = pc.if_else(pc.match_substring_regex(texts, pattern), texts, pa.scalar(None, pa.string()))
    if thousands and pc.any(pc.match_substring(numbers, thousands)).as_py():
        numbers = pc.replace_substring(numbers, thousands, "")
    return pc.replace_substring(numbers, ",", ".") if point == "," else numbers


def _money(texts: Any, kind: Kind, decimal: str, currency: str) -> Parsed:
    numbers = plain_numbers(texts, decimal)
    digits = _MINOR_DIGITS.get(currency, 2)
    is_number = holds(pc.is_valid(numbers))
    faults = [
        (holds(pc.is_valid(texts)) & ~is_number, f"Not an amount written like {decimal}."),
        (
            is_number & ~holds(pc.match_substring_regex(numbers, rf"^[^.]*(?:\.[0-9]{{0,{digits}}}0*)?$")),
            f"More decimals than {currency} has.",
        ),
        (holds(pc.match_substring_regex(numbers, r"^-?0*[1-9][0-9]{12}")), "An amount of a trillion or more."),
    ]
    if kind == "price":
        faults.append((holds(pc.match_substring_regex(numbers, "^-")), "An amount below zero, which this cannot be."))
    return Parsed(numbers, faults)


_PATTERNS: dict[Kind, tuple[str, str]] = {
    "number": (r"^-?[0-9]{0,300}(?:\.[0-9]+)?$", "Not a number"),
    "share": (r"^(?:[01](?:\.0+)?|0?\.[0-9]+)$", "Not a number from 0 to 1"),
    "integer": (r"^[0-9]{1,9}(?:\.0+)?$", "Not a whole number of zero or more"),
    "months": (r"^[0-9]{1,4}(?:\.0+)?$", "Not a number of months"),
    "rating": (r"^[1-5](?:\.0+)?$", "Not a whole number from 1 to 5"),
}


def _numeric(texts: Any, kind: Kind, decimal: str) -> Parsed:
    pattern, name = _PATTERNS[kind]
    numbers = plain_numbers(texts, decimal)
    is_good = pc.match_substring_regex(numbers, pattern)
    if kind in ("integer", "months", "rating"):
        numbers = pc.replace_substring_regex(numbers, r"\..*$", "")
    return _checked(numbers, is_good, f"{name}, written like {decimal}.", given=texts)


# days and instants ---------------------------------------------------------------------------------------------------


def _moments(texts: Any, kind: Kind, style: str, rules: Rules) -> Parsed:
    exists = np.ones(len(texts), dtype=bool)
    if kind in INSTANTS:
        moments, exists = parse_instants(texts, style, rules.time_zone)
        latest = rules.now + np.timedelta64(1, "D")  # their clock may be a little ahead of ours
    else:
        moments = parse_days(texts, style)
        latest = rules.today + np.timedelta64(1, "D")
    is_none = np.isnat(moments)
    latest = latest if kind in PAST else LAST_DAY
    faults = [
        (~exists, f"The clocks of {rules.time_zone} were put forward over this hour: it never was."),
        (
            holds(pc.is_valid(texts)) & is_none & exists,
            f"Not in the declared style {style}, or no day of the calendar.",
        ),
        (moments < FIRST_DAY, "Before 1901: a stand-in for “no date”. Declare it as missing if it is."),
        (moments > latest, "In the future." if kind in PAST else "After the year 2100."),
    ]
    if kind == "month":
        faults.append((~is_none & (moments != moments.astype("datetime64[M]")), "Not the first day of a month."))
    return Parsed(instant_texts(moments) if kind in INSTANTS else day_texts(moments), faults, moments)
