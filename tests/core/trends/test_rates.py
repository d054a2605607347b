"""Rates, intervals and the margin at risk, on figures small enough to reckon by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.trends.cohorts import heat_map
from churn.core.trends.curves import DAYS_A_MONTH, Table
from churn.core.trends.rates import at_risk, monthly, relative_error, saves, wilson, with_others


def test_wilson_is_the_published_interval() -> None:
    """Newcombe 1998, table I, method 3: 81/263, 15/148, 0/20, 1/29."""
    low, high = wilson([81, 15, 0, 1], [263, 148, 20, 29])
    np.testing.assert_allclose(low.round(4), [0.2553, 0.0624, 0.0, 0.0061])
    np.testing.assert_allclose(high.round(4), [0.3662, 0.1605, 0.1611, 0.1718])


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_share_and_stays_a_share(a: int, b: int) -> None:
    low, high = wilson(a, a + b)
    assert 0 <= low <= high <= 1
    assert a + b == 0 or low <= a / (a + b) <= high


def month_rows(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"involuntary": 0, "moved": 0} | columns)


def test_rates_are_leavers_over_live_each_way_apart() -> None:
    rows = month_rows(
        month=["2026-01", "2026-01", "2026-02"], plan=["a", "b", "a"], live=[100, 50, 90], voluntary=[2, 1, 0],
        involuntary=[1, 0, 0], moved=[0, 1, 3],
    )  # fmt: skip
    found = monthly(rows).set_index(["month", "how"])
    assert found.loc[("2026-01", "voluntary"), ["left", "live", "rate"]].tolist() == [3, 150, 0.02]
    assert found.loc[("2026-01", "moved"), "rate"] == 1 / 150
    assert found.loc[("2026-02", "moved"), "rate"] == 3 / 90
    by_plan = monthly(rows, "plan").set_index(["month", "group", "how"])
    assert by_plan.loc[("2026-01", "b", "voluntary"), "rate"] == 0.02


def test_a_group_of_fewer_than_ten_is_not_shown() -> None:
    rows = month_rows(month=["2026-01"] * 2, plan=["a", "b"], live=[10, 9], voluntary=[1, 9])
    assert monthly(rows, "plan")["group"].unique().tolist() == ["a"]


def test_save_rates_have_their_own_denominators() -> None:
    rows = pd.DataFrame(
        {
            "month": ["2026-01"] * 3, "window_days": [30, 60, 90], "came": [40] * 3, "deflected": [30] * 3,
            "is_over": [40, 38, 0], "saved": [20, 18, 0],
        }
    )  # fmt: skip
    found = saves(rows).set_index("measure")
    assert found["rate"].to_dict() == {"deflected": 0.75, "saved, 30 days": 0.5, "saved, 60 days": 18 / 38}
    assert found["callers"].to_dict() == {"deflected": 40, "saved, 30 days": 40, "saved, 60 days": 38}


def test_without_anybody_who_cancelled_on_the_call_there_is_no_deflect_rate() -> None:
    rows = pd.DataFrame(
        {"month": ["2026-01"], "window_days": [30], "came": [40], "deflected": [40], "is_over": [40], "saved": [20]}
    )
    assert saves(rows)["measure"].tolist() == ["saved, 30 days"]
    assert saves(rows.assign(deflected=39))["measure"].tolist() == ["deflected", "saved, 30 days"]


def test_margin_at_risk_has_chance_and_the_models_error_in_its_interval() -> None:
    rows = pd.DataFrame({"at_risk": [600.0, 400.0], "variance": [900.0, 700.0]})
    middle, low, high = at_risk(rows, relative_error=0.03)
    half = 1.6448536269514722 * math.sqrt(1600 + 30**2)
    assert (middle, low, high) == pytest.approx((1000, 1000 - half, 1000 + half))


def test_groups_of_fewer_than_ten_are_one_group_of_others_and_nothing_is_lost() -> None:
    rows = pd.DataFrame(
        {
            "plan": ["a", "a", "b"], "region": ["n", "s", "n"], "segment": "all", "customers": [10, 9, 4],
            "margin": [5.0, 2.0, 1.5],
        }
    )  # fmt: skip
    assert with_others(rows).to_numpy().tolist() == [
        ["a", "n", "all", 10, 5.0], ["others", "others", "others", 13, 3.5],
    ]  # fmt: skip
    assert with_others(rows[rows["customers"] != 4]).to_numpy().tolist() == [["a", "n", "all", 10, 5.0]]
    assert with_others(rows[:1]).to_numpy().tolist() == [["a", "n", "all", 10, 5.0]]


def test_the_models_error_is_what_it_was_off_by_on_customers_it_had_not_seen() -> None:
    groups = [{"rows": 50.0, "chance": 0.1, "rate": 0.12}, {"rows": 50.0, "chance": 0.3, "rate": 0.26}]
    assert relative_error(groups) == pytest.approx(0.03 / 0.2)
    assert relative_error([]) == 0.0


def test_the_heat_map_counts_leavers_a_customer_month() -> None:
    month = round(DAYS_A_MONTH)
    joined = Table.from_lives([0] * 20, [15] * 2 + [45] * 3 + [2 * month + 1] * 15, [1, 1, 1, 1, 0] + [0] * 15)
    found = heat_map({"2026-Q1": joined, "2026-Q2": Table.from_lives([0] * 9, [40] * 9, [1] * 9)}, most_months=2)
    assert found["cohort"].unique().tolist() == ["2026-Q1"]
    assert found[["month", "at_risk", "left"]].to_numpy().tolist() == [[1, 20, 2], [2, 18, 2]]
    first = (2 * 15 + 18 * month) / DAYS_A_MONTH
    assert found["exposure"].iloc[0] == pytest.approx(first)
    assert found["rate"].iloc[0] == pytest.approx(2 / first)
