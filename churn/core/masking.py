"""Card numbers are not ours to keep: they are taken out of every text before it is stored or shown.

`desk.without_cards` is the same rule in the database; a test holds one against the other.
"""

from __future__ import annotations

import re
import unicodedata

REMOVED = "[card number removed]"
LEAST, MOST = 13, 19  # digits of a card number
# Between two groups: at most two of blank, tab, dash, and any number of signs nobody sees.
SEPARATORS = "\t \u00a0\u202f\\-\u2010-\u2015\u2212\uff0d"
UNSEEN = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_GAP = re.compile(rf"[{UNSEEN}]*(?:[{SEPARATORS}][{UNSEEN}]*){{0,2}}")
_GROUP = re.compile(r"\d+")
_COULD_BE = re.compile(rf"\d(?:[{SEPARATORS}{UNSEEN}]*\d){{12}}")


def without_cards(text: str) -> str:
    """`text` with every card number replaced by a sentence in brackets.

    A card number is 13 to 19 digits, of any script, that pass the Luhn check, written in one piece or in groups parted
    by up to two spaces or dashes. A piece of a longer unbroken row of digits is not one.
    """
    if not _COULD_BE.search(text):
        return text
    groups = [match.span() for match in _GROUP.finditer(text)]
    parts, end, first = [], 0, 0
    while first < len(groups):
        last = _card_from(text, groups, first)
        if last is not None:
            parts += [text[end : groups[first][0]], REMOVED]
            end = groups[last][1]
        first = (first if last is None else last) + 1
    return "".join([*parts, text[end:]])


def is_luhn_valid(digits: str) -> bool:
    """Whether the digits carry a right check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = unicodedata.digit(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _card_from(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """The last of the groups that, begun with `first`, make a card number; the longest, for one may hide another."""
    digits, found = "", None
    for place in range(first, len(groups)):
        start, end = groups[place]
        if place > first and not _GAP.fullmatch(text, groups[place - 1][1], start):
            break
        digits += text[start:end] if end - start <= MOST else "0" * (MOST + 1)
        if len(digits) > MOST:
            break
        if len(digits) >= LEAST and is_luhn_valid(digits):
            found = place
    return found
