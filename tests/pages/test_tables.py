"""Tables: English as the browser writes it; elsewhere every figure and day as the language writes it."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from churn.core.language import speaking
from churn.languages import language_of
from churn.ui.tables import spoken

FRAME = pd.DataFrame(
    {
        "who": ["Ann", "Abe"], "calls": [1_234, 5], "off": [0.25, -3.0], "share": [12.5, np.nan],
        "on": [date(2026, 3, 3)] * 2,
    }
)  # fmt: skip
COLUMNS = {
    "who": "Wer", "off": st.column_config.NumberColumn("Daneben", format="%+.1f", help="So weit."),
    "share": st.column_config.NumberColumn(format="%.0f %%"), "calls": st.column_config.NumberColumn(format="%,d"),
}  # fmt: skip


def written(made: dict[str, Any]) -> list[list[str]]:
    """The cells as they are shown."""
    cells = made["data"]._translate(False, False)["body"]
    return [[cell["display_value"] for cell in row if cell["type"] == "td"] for row in cells]


def test_in_english_a_table_is_left_to_the_browser() -> None:
    made = spoken(FRAME, COLUMNS)
    assert made["data"] is FRAME
    assert made["column_config"] is COLUMNS


def test_elsewhere_figures_and_days_are_written_by_the_columns_own_format() -> None:
    with speaking(language_of("de")):
        made = spoken(FRAME, COLUMNS, "–")
        cells = written(made)
    assert cells == [
        ["Ann", "1.234", "+0,2", "12 %", "3. März 2026"], ["Abe", "5", "−3,0", "–", "3. März 2026"],
    ]  # fmt: skip
    about = made["column_config"]["off"]
    assert (about["label"], about["help"], about["type_config"]["format"]) == ("Daneben", "So weit.", None)
    assert made["data"].data is FRAME  # figures stay figures: columns sort


def test_a_figure_without_a_format_has_as_many_decimals_as_it_has() -> None:
    with speaking(language_of("de")):
        cells = written(spoken(pd.DataFrame({"n": [1_140.5, 2.0], "whole": [1, 2_000]}), {}))
    assert cells == [["1.140,5", "1"], ["2", "2.000"]]


def test_what_has_no_single_rows_is_left_as_it_is() -> None:
    frame = pd.DataFrame({"n": [1.5, 2.5]}, index=[0, 0])
    with speaking(language_of("de")):
        assert spoken(frame, {})["data"] is frame
