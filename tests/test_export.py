"""What leaves the app is safe in a spreadsheet: text is text, money a number, an instant has its zone."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.safe_cells import NoZone, is_formula, safe_cell, safe_text
from churn.export import TooManyRows, to_csv, to_parquet, to_xlsx

FORMULAS = {
    "equals": '=HYPERLINK("http://evil.example","x")',
    "plus": "+1+1",
    "minus": "-1+1",
    "at": "@SUM(A1)",
    "a command": "=cmd|' /C calc'!A0",
    "a tab": "\t=1+1",
    "a carriage return": "\r=1+1",
    "a line feed": "\n=1+1",
    "blanks before": "   =1+1",
    "a no-break space before": "\u00a0=1+1",
    "a zero-width space before": "\u200b=1+1",
    "a byte-order mark before": "\ufeff=1+1",
    "a right-to-left mark before": "\u202e=1+1",
    "full-width equals": "＝1+1",
    "full-width plus": "＋1",
    "full-width minus": "－1",
    "full-width at": "＠SUM(A1)",
    "the minus sign": "−1",
    "a telephone number": "+447700900123",
}
MIDDLES = {
    "after a semicolon": ("x;=1+1", "x;'=1+1"),
    "after a semicolon and a blank": ("x; =1+1", "x;' =1+1"),
    "after a line's end": ("x\r\n=1+1", "x\n'=1+1"),
    "after a bar": ("x|@SUM", "x|'@SUM"),
    "after a semicolon and a zero-width space": ("x;\u200b=1", "x;'\u200b=1"),
}


def read_csv(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("text", FORMULAS.values(), ids=FORMULAS.keys())
def test_a_text_that_begins_like_a_formula_is_neutralised_in_every_file(text: str) -> None:
    frame = pd.DataFrame({text: [text]})
    assert all(row[0].startswith("'") for row in read_csv(to_csv(frame)))
    page = openpyxl.load_workbook(io.BytesIO(to_xlsx(frame))).active
    assert (page["A2"].data_type, page["A2"].quotePrefix, page["A1"].data_type) == ("s", True, "s")
    assert pq.read_table(io.BytesIO(to_parquet(frame))).column(0).to_pylist() == [text]


@pytest.mark.parametrize(("text", "cell"), MIDDLES.values(), ids=MIDDLES.keys())
def test_a_spreadsheet_that_parts_by_something_else_finds_no_formula_either(text: str, cell: str) -> None:
    assert safe_text(text) == cell


@pytest.mark.parametrize("text", ["O'Brien", "Weiß", "a=b", "3-4 weeks", "mail@example.org", "", "李", "'=1"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert safe_cell(text) == text


@given(st.text())
def test_no_cell_of_any_text_calculates(text: str) -> None:
    [[cell]] = read_csv(to_csv(pd.DataFrame({"note": [text]})))[1:] or [[""]]
    assert not is_formula(cell)
    assert all(not is_formula(part) for part in cell.split(";"))


def test_values_keep_their_types() -> None:
    at = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    frame = pd.DataFrame(
        {
            "id": ["00123", "9007199254740993"],
            "money": [Decimal("-35.50"), Decimal("1E+3")],
            "share": [0.25, float("nan")],
            "count": np.array([-3, 4]),
            "big": [9_007_199_254_740_993, 1],
            "at": pd.to_datetime([at, None], utc=True).tz_convert("Europe/London"),
            "day": [date(2026, 3, 4), None],
            "yes": [True, False],
            "key": [UUID(int=1), None],
            "parts": [{"a": [1]}, None],
        }
    )
    _, first, second = read_csv(to_csv(frame))
    assert first == ["00123", "-35.50", "0.25", "-3", "9007199254740993", "2026-10-25T01:30:00+00:00", "2026-03-04",
                     "true", str(UUID(int=1)), '{"a": [1]}']  # fmt: skip
    assert second == ["9007199254740993", "1000", "", "4", "1", "", "", "false", "", ""]
    page = openpyxl.load_workbook(io.BytesIO(to_xlsx(frame))).active
    cells = [cell.value for cell in page[2]]
    assert cells[:5] == ["00123", -35.5, 0.25, -3, "9007199254740993"]
    assert cells[5:8] == ["2026-10-25T01:30:00+00:00", datetime(2026, 3, 4), True]  # noqa: DTZ001 - openpyxl's own
    table = pq.read_table(io.BytesIO(to_parquet(frame)))
    assert table.column("id").to_pylist() == ["00123", "9007199254740993"]
    assert table.column("money").to_pylist() == [Decimal("-35.50"), Decimal(1000)]
    assert str(table.schema.field("at").type) == "timestamp[ns, tz=Europe/London]"
    assert table.column("parts").to_pylist() == ['{"a": [1]}', None]


def test_negative_money_is_a_number_and_negative_text_is_not() -> None:
    _, row = read_csv(to_csv(pd.DataFrame({"amount": [-5.25], "note": ["-5.25"]})))
    assert row == ["-5.25", "'-5.25"]


def test_infinity_is_an_empty_cell() -> None:
    frame = pd.DataFrame({"x": [float("inf")]})
    assert read_csv(to_csv(frame))[1] == [""]
    assert openpyxl.load_workbook(io.BytesIO(to_xlsx(frame))).active["A2"].value is None


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(NoZone):
        to_csv(pd.DataFrame({"at": pd.to_datetime(["2026-10-25 01:30"])}))


def test_no_rows_is_a_file_with_a_header() -> None:
    assert read_csv(to_csv(pd.DataFrame({"a": [], "b": []}))) == [["a", "b"]]


def test_a_worksheet_has_a_last_row() -> None:
    with pytest.raises(TooManyRows, match=r"1,048,576 rows are more than a worksheet holds"):
        to_xlsx(pd.DataFrame({"a": np.zeros(1_048_576)}))


def test_a_text_longer_than_a_cell_says_that_it_was_cut() -> None:
    page = openpyxl.load_workbook(io.BytesIO(to_xlsx(pd.DataFrame({"a": ["x" * 40_000]})))).active
    assert len(page["A2"].value) == 32_767
    assert page["A2"].value.endswith("…")
