"""Tables whose figures and days are written as the language spoken here writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.language import ENGLISH, current, number

_PRINTF = re.compile(r"%(?P<sign>\+?)(?P<group>,?)(?:\.(?P<digits>\d))?[fd](?P<unit> ?(?:%%)?)")
MOST_CELLS = 100_000  # pandas refuses to write more than 262,144, and nobody reads as many


def show_table(frame: pd.DataFrame, *, column_config: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """`st.dataframe`, its figures and days in the language spoken here."""
    return st.dataframe(**spoken(frame, column_config or {}, str(options.get("placeholder", ""))), **options)


def spoken(frame: pd.DataFrame, columns: Mapping[str, Any], missing: str = "") -> dict[str, Any]:
    """`data` and `column_config` of a table, for `st.dataframe` or `st.data_editor`.

    English is what the browser writes by itself. Elsewhere each figure is sent as it is written besides as it is, so
    that columns still sort by figures; a column's own format (`%+.1f`) says how.
    """
    if current().code == ENGLISH.code or not frame.index.is_unique or frame.size > MOST_CELLS:
        return {"data": frame, "column_config": columns}
    formats, config = {}, dict(columns)
    for name in frame.columns:
        about = columns.get(name)
        held = about.get("type_config") or {} if isinstance(about, Mapping) else {}
        if held.get("type", "number") != "number":
            continue
        write = _writer(frame[name], held.get("format"))
        if write is not None:
            formats[name] = write
            if held.get("format"):
                config[name] = {**(about or {}), "type_config": held | {"format": None}}
    return {"data": frame.style.format(formats, na_rep=missing), "column_config": config}


def _writer(column: pd.Series, form: str | None) -> Callable[[Any], str] | None:
    """How a column's values are written; None: as they are."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return _figure(form)
    first = next((value for value in column if not pd.isna(value)), None) if column.dtype == object else None
    is_day = isinstance(first, date) and not isinstance(first, datetime)
    return (lambda value: words.day(value, date.min)) if is_day and form is None else None


def _figure(form: str | None) -> Callable[[Any], str] | None:
    if form is None:
        return _plain
    if form == "percent":
        return lambda value: words.exact_percent(value, 2)
    found = _PRINTF.fullmatch(form)
    if found is None:
        return None
    digits, unit, is_signed = int(found["digits"] or 0), found["unit"].replace("%%", "%"), bool(found["sign"])
    return lambda value: f"{number(value, digits, is_signed=is_signed)}{unit}"


def _plain(value: float) -> str:
    """A figure without a format: up to four decimals, as many as it has."""
    whole = f"{value:.4f}".rstrip("0").rstrip(".")
    return number(value, len(whole.partition(".")[2]))
