"""Days and instants out of text, by the one style a mapping declares; nothing is guessed row by row."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

ISO_DAY = "%Y-%m-%d"
TOKENS = {
    "%Y": r"(?P<Y>[0-9]{4})",
    "%m": r"(?P<m>[0-9]{1,2})",
    "%d": r"(?P<d>[0-9]{1,2})",
    "%b": r"(?P<b>[A-Za-z]{3})",
    "%H": r"(?P<H>[0-9]{1,2})",
    "%I": r"(?P<I>[0-9]{1,2})",
    "%M": r"(?P<M>[0-9]{2})",
    "%S": r"(?P<S>[0-9]{2})",
    "%f": r"(?P<f>[0-9]{1,9})",
    "%p": r"(?P<p>[AaPp][Mm])",
    "%z": r"(?P<z>Z|[+-][0-9]{2}:?[0-9]{2})",
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
FIRST_DAY = np.datetime64("1901-01-01")  # 1900-01-01 and 1899-12-30 are what spreadsheets write for "no date"
LAST_DAY = np.datetime64("2100-12-31")
_DAYS_IN_MONTH = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def style_problem(style: str) -> str | None:
    """What is wrong with a declared style, as the end of a sentence; None when it can be used."""
    tokens = re.findall(r"%.?", style)
    if strange := [token for token in tokens if token not in TOKENS]:
        return f"uses {', '.join(strange)}; known are {', '.join(TOKENS)} (a year has four digits)"
    if len(set(tokens)) < len(tokens):
        return "names a part twice"
    if "%Y" not in tokens or not {"%m", "%b"} & set(tokens):
        return "has no year (%Y) or no month (%m or %b)"
    if "%I" in tokens and "%p" not in tokens:
        return "has a twelve-hour clock (%I) without %p"
    return None


@cache
def _pattern(style: str) -> str:
    parts = re.split(r"(%.)", style)
    return "^" + "".join(TOKENS.get(part) or re.escape(part).replace(r"\ ", " ") for part in parts) + "$"


def parse_instants(texts: Any, style: str, time_zone: str) -> tuple[np.ndarray, np.ndarray]:
    """Instants in UTC (datetime64[us], NaT where there is none) and whether each local time can have been.

    `texts`: pyarrow string array, nulls allowed. Wrong style or impossible day → NaT. A local time that the clock
    jumped over → NaT and False in the second array. An hour the clock showed twice means its first showing.
    """
    parts = _parts(texts, style)
    local = _days(parts, "%d" in style) + _microseconds(parts)
    if "z" in parts:
        return local - _offsets(parts["z"]), np.ones(len(local), dtype=bool)
    first = np.ones(len(local), dtype=bool)
    zoned = pd.DatetimeIndex(local).tz_localize(time_zone, ambiguous=first, nonexistent="NaT")
    instants = zoned.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
    return instants, ~(np.isnat(instants) & ~np.isnat(local))


def parse_days(texts: Any, style: str) -> np.ndarray:
    """Days (datetime64[D], NaT where the text is null, of another style or no day of the calendar)."""
    return _days(_parts(texts, style), "%d" in style).astype("datetime64[D]")


def _parts(texts: Any, style: str) -> dict[str, Any]:
    found = pc.extract_regex(texts, _pattern(style))
    return {found.type.field(i).name: pc.struct_field(found, [i]) for i in range(found.type.num_fields)}


def _numbers(part: Any) -> np.ndarray:
    """Whole numbers of a captured part; -1 where nothing was captured."""
    return np.asarray(pc.fill_null(pc.cast(part, pa.int64()), -1))


def _days(parts: dict[str, Any], has_day: bool) -> np.ndarray:
    year = _numbers(parts["Y"])
    month = _numbers(parts["m"]) if "m" in parts else _month_names(parts["b"])
    day = _numbers(parts["d"]) if has_day else np.where(year < 0, -1, 1)
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    in_year = (month >= 1) & (month <= 12) & (year >= 1)
    longest = _DAYS_IN_MONTH[np.where(in_year, month, 1) - 1] + ((month == 2) & is_leap)
    exists = in_year & (day >= 1) & (day <= longest)
    months = np.where(exists, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + np.where(exists, day - 1, 0)
    return np.where(exists, days, np.datetime64("NaT")).astype("datetime64[us]")


def _month_names(part: Any) -> np.ndarray:
    place = pc.index_in(pc.utf8_lower(part), pa.array(MONTHS))
    return np.asarray(pc.fill_null(pc.add(pc.cast(place, pa.int64()), 1), -1))


def _microseconds(parts: dict[str, Any]) -> np.ndarray:
    """Time of day as timedelta64[us]; zero without one, NaT for 24:00, 12:60 and the like."""
    length = len(parts["Y"])
    zero = np.zeros(length, dtype=np.int64)
    hour = _numbers(parts["H"]) if "H" in parts else zero
    is_bad = hour > 23
    if "I" in parts:
        hour = _numbers(parts["I"])
        is_bad = (hour < 1) | (hour > 12)
        is_late = pc.fill_null(pc.equal(pc.utf8_lower(parts["p"]), "pm"), False).to_numpy(zero_copy_only=False)
        hour = hour % 12 + 12 * is_late
    minute = _numbers(parts["M"]) if "M" in parts else zero
    second = _numbers(parts["S"]) if "S" in parts else zero
    fraction = _numbers(pc.utf8_slice_codeunits(pc.utf8_rpad(parts["f"], 9, "0"), 0, 6)) if "f" in parts else zero
    is_bad |= (minute > 59) | (second > 59)
    total = ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction
    return np.where(is_bad, np.timedelta64("NaT"), total.astype("timedelta64[us]")).astype("timedelta64[us]")


def _offsets(part: Any) -> np.ndarray:
    def minutes(text: str) -> int:
        if text == "Z":
            return 0
        size = int(text[1:3]) * 60 + int(text[-2:])
        return -size if text[0] == "-" else size

    distinct = part.dictionary_encode()
    table = pa.array([minutes(text) for text in distinct.dictionary.to_pylist()], pa.int64())
    return np.asarray(pc.fill_null(table.take(distinct.indices), 0)).astype("timedelta64[m]")


def months_before(day: np.datetime64, months: np.ndarray) -> np.ndarray:
    """The same day of the month so many months earlier (datetime64[D]); the last day where that month is shorter."""
    month = day.astype("datetime64[M]") - months
    last = (month + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    wanted = month.astype("datetime64[D]") + (day - day.astype("datetime64[M]").astype("datetime64[D]"))
    return np.asarray(np.minimum(wanted, last))


def day_texts(days: np.ndarray) -> Any:
    """Days as ISO text (pyarrow string array), NaT as null."""
    return pc.cast(pa.array(days.astype("datetime64[D]"), from_pandas=True), pa.string())


def instant_texts(instants: np.ndarray) -> Any:
    """Instants (UTC) as ISO text with an offset of zero (pyarrow string array), NaT as null."""
    unit = "us" if (instants[~np.isnat(instants)].astype(np.int64) % 1_000_000).any() else "s"
    texts = pc.cast(pa.array(instants.astype(f"datetime64[{unit}]"), from_pandas=True), pa.string())
    return pc.binary_join_element_wise(texts, "+00", "")
