"""When a table is late, and when more is empty than it used to be."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from churn.core.trust.data_profile import alarms, late_by, usual_gap

DAY = date(2026, 11, 2)  # a Monday


def test_a_week_without_weekends_has_a_gap_of_three_days() -> None:
    working = [DAY + timedelta(days=i) for i in range(60) if (DAY + timedelta(days=i)).weekday() < 5]
    assert usual_gap(working) == 3
    assert usual_gap([DAY + timedelta(days=i) for i in range(60)]) == 1
    assert usual_gap([DAY] * 50) is None


@pytest.mark.parametrize(
    ("age", "gap", "late"), [(2, 1, None), (3, 1, 1), (6, 3, None), (7, 3, 1), (None, 1, None), (90, None, None)]
)
def test_late_is_more_than_twice_the_usual(age: int | None, gap: int | None, late: int | None) -> None:
    assert late_by(age, gap) == late


def column(nulls: int, recent: int = 0, rows: int = 10_000, recent_rows: int = 500) -> dict[str, Any]:
    return {"noun": "contacts", "name": "reason", "rows": rows, "nulls": nulls, "recent_rows": recent_rows,
            "recent_nulls": recent}  # fmt: skip


def test_a_jump_among_the_last_days_rings_before_the_whole_moves() -> None:
    past = [[column(500, 25)]] * 3
    assert alarms([], [column(540, 30)], past) == []
    (alarm,) = alarms([], [column(600, 125)], past)
    assert alarm.kind == "jump"
    assert alarm.sentence == (
        "contacts.reason: 25.0 % of the rows of the last 7 days are empty; in the last profiles it was 5.0 %."
    )
    (alarm,) = alarms([], [column(900, 25)], past)
    assert "9.0 % of all rows are empty" in alarm.sentence


def test_fewer_empty_few_rows_or_no_past_ring_nothing() -> None:
    assert alarms([], [column(0, 0)], [[column(5_000, 250)]]) == []
    assert alarms([], [column(9_000, 400)], []) == []
    assert alarms([], [column(8, 8, 20, 20)], [[column(0, 0, 20, 20)]]) == []


def test_one_odd_night_does_not_move_what_is_usual() -> None:
    past = [[column(500, 25)], [column(9_000, 450)], [column(500, 25)]]
    assert len(alarms([], [column(1_000, 25)], past)) == 1


def test_an_empty_required_table_rings_and_an_optional_one_does_not() -> None:
    table = {"noun": "customers", "rows": 0, "is_optional": False, "late_days": None}
    assert [alarm.kind for alarm in alarms([table, {**table, "is_optional": True}], [], [])] == ["empty"]
