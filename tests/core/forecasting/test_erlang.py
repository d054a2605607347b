"""Erlang C against published tables and the field's own textbook cases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.forecasting.erlang import Target, answered_within, load_of, mean_wait, p_wait, staff_for


# Erlang C as tabulated in the ITU Teletraffic Engineering Handbook and in Cooper, Introduction to Queueing Theory: the
# chance of waiting for so many erlangs offered to so many servers.
@pytest.mark.parametrize(
    ("load", "staff", "waits"),
    [(1.0, 2, 1 / 3), (2.0, 3, 4 / 9), (0.5, 1, 0.5), (5.0, 6, 0.5875), (8.0, 10, 0.4092), (20.0, 24, 0.2981)],
)
def test_the_chance_of_waiting_is_the_tables(load: float, staff: int, waits: float) -> None:
    assert p_wait(load, staff) == pytest.approx(waits, abs=5e-5)


def test_the_textbook_case_of_360_calls_in_a_half_hour_and_four_minutes_each() -> None:
    """T. Angus, An Introduction to Erlang B and Erlang C (2001): 48 erlangs, 55 agents: 23.9 % wait, 8 s on average."""
    load = load_of(360, 240)
    assert load == 48
    assert p_wait(load, 55) == pytest.approx(0.239, abs=5e-4)
    assert mean_wait(load, 55, handle_seconds=240) == pytest.approx(8.2, abs=0.05)
    assert answered_within(load, 55, handle_seconds=240, seconds=15) == pytest.approx(0.846, abs=5e-4)


def test_the_fewest_who_keep_the_promise() -> None:
    target = Target(answered=0.8, within_seconds=20, occupancy=1.0, away=0.0)
    found = staff_for(100, 180, target)
    assert found.staff == 14
    assert found.answered >= 0.8
    assert answered_within(10, 13, handle_seconds=180, seconds=20) < 0.8
    assert found.occupancy == pytest.approx(10 / 14)
    assert staff_for(100, 180, Target(occupancy=0.65, away=0.0)).staff == 16  # occupancy binds
    assert staff_for(100, 180, Target(away=0.3)).paid == 20


def test_nothing_to_do_takes_nobody_and_too_little_is_never_enough() -> None:
    assert staff_for(0, 300, Target()).staff == 0
    assert p_wait(3.0, 3) == 1.0
    assert answered_within(3.0, 2, handle_seconds=60, seconds=600) == 0.0
    assert mean_wait(3.0, 3, handle_seconds=60) == float("inf")


@pytest.mark.parametrize("bad", [{"answered": 1.0}, {"occupancy": 0.0}, {"away": 1.0}, {"within_seconds": -1.0}])
def test_a_promise_that_cannot_be_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Target(**bad)


def test_a_handle_time_of_nothing_or_of_days_is_refused() -> None:
    with pytest.raises(ValueError, match="takes some time"):
        staff_for(10, 0, Target())
    with pytest.raises(ValueError, match="handle time in seconds"):
        staff_for(10_000, 300_000, Target())


@given(st.floats(0.1, 200), st.integers(1, 220))
def test_one_more_never_makes_it_worse(load: float, staff: int) -> None:
    assert 0.0 <= p_wait(load, staff + 1) <= p_wait(load, staff) <= 1.0
