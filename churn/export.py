"""Every file the app hands out: CSV, XLSX, Parquet. Text stays text, money stays a number, an instant keeps its zone.

`frame`: named columns, any index (left out). Money as numbers in the currency's units, not as text with a sign.
"""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from churn.core.language import number, t
from churn.core.safe_cells import Cell, is_formula, safe_cell, safe_text, typed

LONGEST_CELL = 32_767  # characters; Excel's own limits
MOST_ROWS = 1_048_575
EXACT_DIGITS = 10**15  # a spreadsheet rounds longer numbers


class TooManyRows(ValueError):
    """A worksheet holds fewer rows."""


def to_csv(frame: pd.DataFrame) -> bytes:
    """UTF-8 with a byte-order mark, comma-separated, texts quoted; a spreadsheet calculates nothing of it."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([safe_text(str(name)) for name in frame.columns])
    writer.writerows(zip(*([_plain(safe_cell(value)) for value in frame[name]] for name in frame.columns), strict=True))
    return out.getvalue().encode("utf-8-sig")


def to_xlsx(frame: pd.DataFrame, *, sheet: str = "Keepline", totals: pd.DataFrame | None = None) -> bytes:
    """One worksheet, and one of totals where there are some; texts as texts, days as days. Raises TooManyRows."""
    if len(frame) > MOST_ROWS:
        raise TooManyRows(t("{n} rows are more than a worksheet holds: take CSV or Parquet.", n=number(len(frame))))
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        _fill(book, sheet, frame)
        if totals is not None:
            _fill(book, "Totals", totals)
    return out.getvalue()


def _fill(book: Any, sheet: str, frame: pd.DataFrame) -> None:
    page = book.add_worksheet(sheet)
    head = book.add_format({"bold": True})
    # quote_prefix is the spreadsheet's own mark for: text, also after an edit.
    styles = _Styles(book.add_format({"quote_prefix": True}), book.add_format({"num_format": "yyyy-mm-dd"}))
    for column, name in enumerate(frame.columns):
        page.write_string(0, column, str(name), head)
        for row, value in enumerate(frame[name], start=1):
            _write(page, row, column, typed(value), styles)
    page.freeze_panes(1, 0)


def to_parquet(frame: pd.DataFrame) -> bytes:
    """Typed columns as they are. Nothing calculates there, so nothing is marked."""
    columns = {str(name): _column(frame[name]) for name in frame.columns}
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def _plain(cell: Cell) -> Any:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Decimal) and "E+" in str(cell):
        return int(cell)
    return cell.isoformat() if isinstance(cell, date) else cell


class _Styles(NamedTuple):
    quoted: Any
    day: Any


def _write(page: Any, row: int, column: int, cell: Cell, styles: _Styles) -> None:
    if isinstance(cell, bool):
        page.write_boolean(row, column, cell)
    elif isinstance(cell, int | float | Decimal) and -EXACT_DIGITS < cell < EXACT_DIGITS:
        page.write_number(row, column, cell)
    elif isinstance(cell, date) and cell.year >= 1900:
        page.write_datetime(row, column, cell, styles.day)
    elif cell is not None:
        text = str(cell)
        text = text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
        page.write_string(row, column, text, styles.quoted if is_formula(text) else None)


def _column(values: pd.Series) -> pa.Array:
    if values.dtype != object:
        return pa.Array.from_pandas(values)
    cells = [value if isinstance(value, pd.Timestamp) else typed(value) for value in values]
    try:
        return pa.array(cells, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # values of several types are one column of text
        return pa.array([None if cell is None else str(cell) for cell in cells], pa.string())
