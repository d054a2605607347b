"""Reading any table, and the numbers made from it."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.columns import Columns, Derived, Design, leading_part, read_column, to_days, to_level, to_number, tokens
from churn.core.leaving.candidates import like_groups, propose_derived
from churn.core.refusals import ColumnsMissing

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.floats(), st.text(max_size=8), st.dates(), st.datetimes()
)


def kind(values: list[object], name: str = "x") -> str:
    return read_column(pd.Series(values, name=name)).kind


def design_of(frame: pd.DataFrame, target: np.ndarray, *derived: Derived) -> tuple[Columns, Design, np.ndarray]:
    columns = Columns(frame)
    design = Design(columns, derived)
    return columns, design, design.fit_transform(columns.codes(frame), target)


def test_a_name_falls_into_its_words() -> None:
    assert tokens("total_day_charge") == ("total", "day", "charge")
    assert tokens("PeakCallsInOut") == ("peak", "calls", "in", "out")
    assert tokens("AgeHH1") == ("age", "hh1")
    assert tokens("Churn Score") == ("churn", "score")


@pytest.mark.parametrize(
    ("value", "number"), [("12.5", 12.5), ("$1,204.50", 1204.5), (" 7 ", 7.0), ("12%", 12.0), (True, 1.0), (3, 3.0)]
)
def test_a_text_that_looks_like_a_number_is_that_number(value: object, number: float) -> None:
    assert to_number(value) == number


@pytest.mark.parametrize("value", ["", "n/a", None, "inf", "twelve", [1], pd.NA])
def test_what_is_no_number_is_missing(value: object) -> None:
    assert np.isnan(to_number(value))


def test_one_level_is_one_level_however_it_was_stored() -> None:
    assert to_level(True) == to_level("TRUE") == to_level(1) == to_level(1.0) == to_level(np.int64(1)) == "1"
    assert to_level(" Yes ") == to_level("yes") == "yes"
    assert to_level("N/A") is to_level(float("nan")) is to_level(None) is to_level(pd.NaT) is None


def test_days_are_counted_from_1970_for_dates_instants_and_texts() -> None:
    assert to_days(date(1970, 1, 11)) == to_days("11/01/1970", "%d/%m/%Y") == to_days(np.datetime64("1970-01-11")) == 10
    assert to_days(datetime(1970, 1, 11, 12, tzinfo=UTC)) == 10.5
    assert np.isnan(to_days("soon", "%Y-%m-%d"))
    assert np.isnan(to_days(pd.NaT))


def test_numbers_with_blanks_are_numbers_with_gaps() -> None:
    column = read_column(pd.Series(["29.85", " ", "108.15", "50"] * 20, name="TotalCharges"))
    assert (column.kind, column.usual) == ("number", 50.0)
    assert column.codes(pd.Series(["1.5", " ", "x", 2]))[[0, 3]].tolist() == [1.5, 2.0]


def test_columns_with_nothing_to_learn_are_skipped() -> None:
    assert kind([None] * 60) == kind(["same"] * 60) == kind([3] * 60) == kind([np.nan] * 60) == "skipped"
    assert kind(list(range(1000, 1060))) == "skipped"  # counts the rows
    assert kind([i * 97 for i in range(60)], "CustomerID") == "skipped"
    assert kind([f"{i * 37}-AB" for i in range(60)]) == "skipped"  # a key
    assert kind([i * 97 for i in range(60)], "balance") == "number"


def test_kinds_follow_from_values() -> None:
    assert (
        kind(["2024-01-01", "2024-02-01", None] * 20)
        == kind([datetime(2024, 1, d, tzinfo=UTC) for d in (1, 2)])
        == "date"
    )
    assert kind(["13/02/2024", "01/12/2023"] * 20) == "date"
    assert kind([True, False, None] * 20) == kind(["Yes", "No"] * 20) == "levels"
    assert kind([f"area {i % 30}" for i in range(90)]) == "text"
    assert kind([1, "a", 2.5, True] * 20) == "levels"


def test_the_usual_value_is_the_median_or_the_commonest() -> None:
    frame = pd.DataFrame({"plan": ["A", "b", "B", "c"], "price": [1.0, 2.0, 4.0, np.nan], "day": ["2024-01-01"] * 4})
    frame.loc[3, "day"] = "2024-01-05"
    usual = {column.name: column.usual for column in Columns(frame).columns}
    assert usual == {"plan": "b", "price": 2.0, "day": "2024-01-01"}


def test_wide_text_is_grouped_by_its_leading_letters_or_three_characters() -> None:
    areas = [f"{market}{code}" for market in ("SEAPOR", "NYCBRO", "DALFTW") for code in range(500, 510)]
    column = read_column(pd.Series(areas * 3, name="area"))
    assert sorted(column.prefixes) == ["dalftw", "nycbro", "seapor"]
    assert column.code("SEAPOR999") == len(column.levels) + column.prefixes["seapor"]
    assert column.code("MOON1") == column.n_codes - 2
    assert column.code(None) == column.n_codes - 1
    assert leading_part("94110", 3) == "941"


def test_rows_and_frames_are_read_alike() -> None:
    frame = pd.DataFrame(
        {
            "n": ["1", "", "3.5", "2"] * 15,
            "flag": [True, False, None, True] * 15,
            "when": ["2024-01-01", "2024-03-01", None, "2024-02-01"] * 15,
            "area": [f"AB{i % 25}" for i in range(60)],
        }
    )
    columns = Columns(frame)
    np.testing.assert_array_equal(columns.codes(frame), columns.codes_of_rows(frame.to_dict("records")))


@given(st.lists(VALUES, min_size=1, max_size=40), st.lists(VALUES, min_size=1, max_size=5))
def test_any_values_can_be_read_and_any_other_scored(known: list[object], later: list[object]) -> None:
    columns = Columns(pd.DataFrame({"x": pd.Series(known, dtype=object)}))
    frame = pd.DataFrame({"x": pd.Series(later, dtype=object)})
    codes = columns.codes(frame)
    np.testing.assert_array_equal(codes, columns.codes_of_rows([{"x": value} for value in later]))
    if not columns.columns[0].is_numeric:
        assert ((codes >= 0) & (codes < columns.columns[0].n_codes)).all()


def test_a_missing_column_is_refused_by_name_and_others_are_ignored() -> None:
    columns = Columns(pd.DataFrame({"a": [1, 2, 3], "b": [1, 2, 4]}))
    with pytest.raises(ColumnsMissing, match="trained on columns that are missing here: b"):
        columns.codes(pd.DataFrame({"a": [1]}))
    with pytest.raises(ColumnsMissing, match="b"):
        columns.codes_of_rows([{"a": 1}])
    assert columns.codes(pd.DataFrame({"new": [9], "b": [5], "a": [7]})).tolist() == [[7.0, 5.0]]


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="more than one column called a"):
        Columns(pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]))


def test_the_order_of_the_columns_does_not_matter() -> None:
    frame = pd.DataFrame({"b": [1, 2, 3], "a": ["x", "y", None]})
    np.testing.assert_array_equal(Columns(frame).codes(frame), Columns(frame[["a", "b"]]).codes(frame))


def test_levels_become_one_column_each_and_two_levels_become_one() -> None:
    frame = pd.DataFrame({"plan": ["a", "b", "c"] * 10, "flag": ["No", "Yes", "Yes"] * 10})
    columns, design, made = design_of(frame, np.zeros(30))
    assert made[:3].tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]]
    unseen = design.transform(columns.codes(pd.DataFrame({"plan": ["z"], "flag": [None]})))
    assert unseen.tolist() == [[0, 0, 0, 0]]
    assert [columns.names[j] for j, _ in design.features] == ["flag", "plan", "plan", "plan"]


def test_the_number_a_level_starts_with_is_kept() -> None:
    frame = pd.DataFrame({"rating": ["1-Highest", "4-Medium", "7-Lowest"] * 10})
    _, _, made = design_of(frame, np.zeros(30))
    assert made[:3, -1].tolist() == [1.0, 4.0, 7.0]


def test_the_rate_of_wide_text_is_smoothed_towards_its_market_and_known_for_unseen_areas() -> None:
    areas = [f"{market}{i}" for market in ("AB", "CD") for i in range(15)] * 20
    target = np.array([1.0 if area.startswith("AB") else 0.0 for area in areas])
    columns, design, _ = design_of(pd.DataFrame({"area": areas}), target)
    rates = design.transform(columns.codes(pd.DataFrame({"area": ["AB1", "AB99", "CD1", "ZZ"]})))[:, 0]
    market = (300 + 40 * 0.5) / 340
    np.testing.assert_allclose(rates, [(20 + 40 * market) / 60, market, 40 * (1 - market) / 60, 0.5])


def test_no_training_row_sees_its_own_outcome_in_the_rate_of_its_level() -> None:
    areas = [f"{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(40)] * 3
    for i in range(3):
        target = np.zeros(120)
        target[i * 40 : i * 40 + 10] = 1.0
        flipped = target.copy()
        flipped[0] = 1 - flipped[0]
        frame = pd.DataFrame({"area": areas})
        assert design_of(frame, target)[2][0, 0] == design_of(frame, flipped)[2][0, 0]


def test_derived_columns_are_exact_and_missing_where_they_have_no_meaning() -> None:
    coded = np.array([[6.0, 3.0], [1.0, 0.0], [np.nan, 2.0]])
    assert Derived("total", (0, 1)).values(coded)[:2].tolist() == [9.0, 1.0]
    assert Derived("less", (0, 1)).values(coded)[:2].tolist() == [3.0, 1.0]
    assert Derived("per", (0, 1)).values(coded)[0] == 2.0
    assert np.isnan(Derived("per", (0, 1)).values(coded)[1:]).all()
    assert Derived("per", (0, 1)).name(("calls", "months")) == "calls per months"


def test_like_columns_are_found_by_their_names() -> None:
    names = ("total_day_charge", "total_eve_charge", "total_eve_minutes", "age")
    assert like_groups(names, range(4)) == [(0, 1), (0, 1, 2), (1, 2)]


def test_every_pair_gives_one_ratio_and_only_like_columns_totals() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((50, 3)), columns=["day_cost", "eve_cost", "age"])
    columns = Columns(frame)
    proposed = propose_derived(columns, columns.codes(frame), range(3))
    assert [made.name(columns.names) for made in proposed] == [
        "total of day_cost, eve_cost", "day_cost less eve_cost",
        "age per day_cost", "age per eve_cost", "day_cost per eve_cost",
    ]  # fmt: skip


def test_reading_survives_a_round_trip_and_leaves_the_frame_alone() -> None:
    frame = pd.DataFrame({"a": ["1", "2", ""] * 10, "b": ["x", None, "y"] * 10})
    before = frame.copy(deep=True)
    columns, design, made = design_of(frame, np.tile([0.0, 1.0, 0.0], 10))
    again = pickle.loads(pickle.dumps((columns, design)))  # noqa: S301
    np.testing.assert_array_equal(again[1].transform(again[0].codes(frame)), made)
    pd.testing.assert_frame_equal(frame, before)
