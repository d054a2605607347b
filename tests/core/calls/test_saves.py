"""Did it work: the path of a caller who came to cancel, day by day, and what a history adds when facts change."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.calls import saves
from churn.core.calls.saves import Call, Row, Stage, additions, path, standing, unpaid, windows_of

DAY = date(2026, 1, 10)
CAME = Call(DAY, (30, 60, 90))


def after(days: int) -> date:
    return DAY + timedelta(days=days)


def left(days: int, how: str = "voluntary", **known: bool) -> Call:
    return replace(CAME, left_on=after(days), left_how=how, **known)


def names(call: Call, days: int) -> str:
    """The path so many days after the call, a stage with its window."""
    return " ".join(f"{stage.name}{stage.window_days or ''}" for stage in path(call, after(days)))


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, "deflected"),
        (1, "deflected watchlist30"),
        (30, "deflected watchlist30"),  # the thirtieth day is not over
        (31, "deflected watchlist30 saved30"),
        (60, "deflected watchlist30 saved30"),
        (61, "deflected watchlist30 saved30 saved60"),
        (91, "deflected watchlist30 saved30 saved60 saved90"),
        (900, "deflected watchlist30 saved30 saved60 saved90"),
    ],
)
def test_who_stays_is_watched_and_then_saved_at_each_window(days: int, expected: str) -> None:
    assert names(CAME, days) == expected


@pytest.mark.parametrize(
    ("left_after", "expected"),
    [
        (1, "deflected lost_deflect30"),
        (2, "deflected watchlist30 lost_deflect30"),
        (30, "deflected watchlist30 lost_deflect30"),
        (31, "deflected watchlist30 saved30 lost_deflect60"),
        (90, "deflected watchlist30 saved30 saved60 lost_deflect90"),
        (91, "deflected watchlist30 saved30 saved60 saved90"),  # outside: the save stands
    ],
)
def test_who_leaves_inside_a_window_is_lost_in_it(left_after: int, expected: str) -> None:
    assert names(left(left_after), 200) == expected


def test_nobody_has_left_before_the_day_comes() -> None:
    assert names(left(40), 39) == "deflected watchlist30 saved30"
    assert names(left(40), 40) == "deflected watchlist30 saved30 lost_deflect60"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (left(0), "cancelled"),
        (replace(CAME, is_cancelled=True), "cancelled"),
        (left(30, is_cancelled=True), "cancelled"),  # notice given on the call is no deflection
        (left(0, "involuntary"), "left_involuntary"),
        (left(0, "move"), "left_move"),
    ],
)
def test_who_cancels_on_the_day_was_never_deflected(call: Call, expected: str) -> None:
    assert names(call, 200) == expected


@pytest.mark.parametrize(("how", "expected"), [("involuntary", "left_involuntary60"), ("move", "left_move60")])
def test_cut_off_and_moving_away_are_kept_apart(how: str, expected: str) -> None:
    assert names(left(40, how), 200) == f"deflected watchlist30 saved30 {expected}"


def test_each_stage_carries_its_own_day() -> None:
    assert path(left(45), after(60)) == (
        Stage("deflected", DAY),
        Stage("watchlist", after(1), 30),
        Stage("saved", after(30), 30),
        Stage("lost_deflect", after(45), 60),
    )


def test_a_horizon_has_three_windows() -> None:
    assert (windows_of(90), windows_of(120), windows_of(100)) == ((30, 60, 90), (40, 80, 120), (33, 67, 100))
    with pytest.raises(ValueError, match="three days"):
        windows_of(2)


def test_every_move_leads_to_a_stage_and_ends_stay_ends() -> None:
    assert set(saves.MOVES.values()) == set(saves.STAGES)
    ends = {"lost_deflect", "left_involuntary", "left_move", "cancelled"}
    assert not [move for move in saves.MOVES if move[0] in ends]


# histories ------------------------------------------------------------------------------------------------------------


def grown(*days: tuple[Call, int]) -> list[Row]:
    """The history of a job that ran on these days with these facts."""
    history: list[Row] = []
    for call, day in days:
        history += additions(history, path(call, after(day)))
    return history


def test_a_history_grows_stage_by_stage_and_a_second_run_adds_nothing() -> None:
    history = grown((CAME, 0), (CAME, 1), (CAME, 1), (CAME, 20), (CAME, 31), (CAME, 31))
    assert [(row.step, row.stage.name, row.is_restatement) for row in history] == [
        (0, "deflected", False), (1, "watchlist", False), (2, "saved", False),
    ]  # fmt: skip


def test_a_date_that_came_late_restates_a_save_and_nothing_is_taken_out() -> None:
    history = grown((CAME, 61), (left(40), 70))
    assert [(row.step, row.stage.name, row.is_restatement) for row in history] == [
        (0, "deflected", False), (1, "watchlist", False), (2, "saved", False), (3, "saved", False),
        (3, "lost_deflect", True),
    ]  # fmt: skip
    assert standing(history) == path(left(40), after(70))


def test_a_customer_who_was_put_back_is_on_the_watchlist_again() -> None:
    history = grown((left(20), 20), (CAME, 25))
    assert [row.stage.name for row in history] == ["deflected", "watchlist", "lost_deflect", "watchlist"]
    assert history[-1] == Row(1, Stage("watchlist", after(1), 30), is_restatement=True)
    assert standing([*history, *additions(history, path(CAME, after(31)))]) == path(CAME, after(31))


def test_a_clock_that_steps_back_takes_nothing_back() -> None:
    assert grown((CAME, 61), (CAME, 3), (CAME, 0)) == grown((CAME, 61))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 130), st.none() | st.integers(0, 120), st.sampled_from(["voluntary", "involuntary", "move"])
        ),
        max_size=8,
    )
)
def test_whatever_the_facts_become_the_history_stands_for_the_newest_and_repeats_nothing(facts: list) -> None:
    history: list[Row] = []
    for day, gone, how in sorted(facts, key=lambda fact: fact[0]):
        wanted = path(CAME if gone is None else left(gone, how), after(day))
        history += additions(history, wanted)
        assert standing(history) == wanted
        assert additions(history, wanted) == []


# clawing back ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left_after", "expected"),
    [(0, 1_000), (1, 667), (31, 667), (32, 334), (59, 334), (60, 0), (90, 0)],
)
def test_months_that_fall_due_after_they_left_are_paid_by_nobody(left_after: int, expected: int) -> None:
    # due 10 January, 10 February (31 days on) and 10 March (59 days on)
    assert unpaid((333, 333, 334), DAY, after(left_after)) == expected


def test_what_was_given_at_once_is_gone() -> None:
    assert unpaid(None, DAY, after(1)) == 0


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 12, 5), 1, date(2027, 1, 5)),
        (date(2026, 11, 30), 13, date(2027, 12, 30)),
        (date(2026, 5, 31), 0, date(2026, 5, 31)),
    ],
)
def test_months_are_calendar_months(day: date, months: int, expected: date) -> None:
    assert saves.months_after(day, months) == expected
