"""Text on its way into a spreadsheet: nothing a customer wrote may become a formula there.

A spreadsheet calculates whatever begins with = + - @, also behind blanks, and some do behind invisible or full-width
signs (OWASP, CSV injection). One that parts by semicolons sees such a beginning in the middle of our cells too.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd

Cell = str | int | float | Decimal | bool | date | None

_STARTERS = "=+\\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
_UNSEEN_SIGNS = "[\\s\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]"
_PARTED = re.compile(rf"(?<=[;|\n])(?={_UNSEEN_SIGNS}*[{_STARTERS}])")
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_KEPT = frozenset("\n")


class NoZone(ValueError):
    """An instant without a zone cannot be exported: nobody could say when it was."""


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may take `text` for something to calculate, blanks and invisible signs aside."""
    if text[:1] in {"\t", "\r", "\n"}:
        return True
    for sign in text:
        if unicodedata.category(sign) not in _UNSEEN:
            return bool(re.match(rf"[{_STARTERS}]", sign))
    return False


def safe_text(text: str) -> str:
    """`text` as a cell of a CSV file: an apostrophe before what would be calculated, no control characters."""
    shown = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    shown = "".join(c for c in shown if c in _KEPT or unicodedata.category(c) not in {"Cc", "Cs"})
    mark = "'" if is_formula(text) or is_formula(shown) else ""  # without what is invisible it may begin anew
    return mark + _PARTED.sub("'", shown)


def typed(value: Any) -> Cell:
    """One value as text, number, truth, day or nothing: what any file format can hold.

    Instants become ISO text with their zone; NaN, infinity and NaT become nothing; what has parts becomes JSON.
    Raises NoZone.
    """
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return json.dumps(sorted(value) if isinstance(value, set | frozenset) else value, default=str)
    if hasattr(value, "tolist"):  # numpy's own numbers
        value = value.tolist()
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise NoZone(NoZone.__doc__)
        return value.isoformat(timespec="seconds")
    if isinstance(value, float | Decimal):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | date) else str(value)


def safe_cell(value: Any) -> Cell:
    """One value as a cell of a CSV file: text that calculates nothing, everything else by its type."""
    cell = typed(value)
    return safe_text(cell) if isinstance(cell, str) else cell
