"""Card numbers are not ours to keep: they are taken out of every text before it is stored."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

REMOVED = "[card number removed]"
_GAP = r"[ \u00a0\t\-\u2010-\u2015]{0,2}"
# Finds what could hold a card, for whole columns at once (RE2); the exact rule is in `_without_cards`.
_COULD_BE = r"[0-9](?:[ \x{a0}\t\-\x{2010}-\x{2015}]{0,2}[0-9]){12}"
_RUN = re.compile(rf"[0-9](?:{_GAP}[0-9]){{12,}}")
_GROUP = re.compile(r"[0-9]+")


def redact_cards(texts: Any) -> Any:
    """`texts` (pyarrow string array) with every card number replaced; nulls stay.

    A card number is 13 to 19 digits that pass the Luhn check, written in one piece or in groups parted by up to two
    spaces or dashes. A piece of a longer unbroken row of digits is not one.
    """
    could_be = pc.fill_null(pc.match_substring_regex(texts, _COULD_BE), False)
    if not pc.any(could_be).as_py():
        return texts
    values = texts.to_pylist()
    for position in pc.indices_nonzero(could_be).to_pylist():
        values[position] = redact(values[position])
    return pa.array(values, texts.type)


def redact(text: str) -> str:
    """One text without card numbers."""
    return _RUN.sub(lambda run: _without_cards(run.group()), text)


def _without_cards(run: str) -> str:
    # Every stretch of whole groups is tried, longest first: "12/24 4111 1111 1111 1111" must not hide the card.
    groups = [match.span() for match in _GROUP.finditer(run)]
    for first in range(len(groups)):
        for last in range(len(groups) - 1, first - 1, -1):
            start, end = groups[first][0], groups[last][1]
            digits = "".join(run[a:b] for a, b in groups[first : last + 1])
            if 13 <= len(digits) <= 19 and is_luhn_valid(digits):
                return run[:start] + REMOVED + redact(run[end:])
    return run


def is_luhn_valid(digits: str) -> bool:
    """Whether the digits carry a right check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
