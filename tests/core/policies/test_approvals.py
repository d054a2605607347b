"""States of a request: every move that is possible, and that no other is."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from churn.core.policies.approvals import (
    ACTORS,
    MOVES,
    OPEN,
    STATES,
    IllegalMove,
    NotYours,
    Terms,
    granted,
    move,
    require_actor,
    state_at,
    urgency,
)

NOW = datetime(2026, 11, 15, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("state", "act"), list(itertools.product(STATES, ACTORS)))
def test_a_move_is_in_the_table_or_refused(state: str, act: str) -> None:
    if (state, act) in MOVES:
        assert move(state, act) == MOVES[state, act]
    else:
        with pytest.raises(IllegalMove, match=f"The request is {state}; '{act}' is not possible"):
            move(state, act)


def test_a_refusal_says_where_it_was_and_what_is_left() -> None:
    with pytest.raises(IllegalMove, match="is approved; 'decline' is not possible: it can only use, expire, withdraw"):
        move("approved", "decline")
    with pytest.raises(IllegalMove, match="is used; 'use' is not possible: nothing more comes of it"):
        move("used", "use")


def test_open_states_are_those_something_follows() -> None:
    assert {state for state, _ in MOVES} == OPEN


def test_whoever_asked_may_not_answer_and_only_they_may_use_it() -> None:
    require_actor("approve", asked_by="ann", person="nor", role="supervisor")
    require_actor("use", asked_by="ann", person="ann", role="agent")
    for act, person, role in (
        ("approve", "nor", "agent"),
        ("counter", "ann", "supervisor"),
        ("use", "nor", "supervisor"),
        ("withdraw", "nor", "supervisor"),
        ("expire", "ann", "agent"),
    ):
        with pytest.raises(NotYours, match=f"'{act}' belongs to .*, not to {person}"):
            require_actor(act, asked_by="ann", person=person, role=role)


def test_time_and_the_end_of_the_call_end_what_is_open() -> None:
    later = NOW + timedelta(seconds=1)
    assert state_at("asked", expires_at=later, is_call_over=False, now=NOW) == "asked"
    assert state_at("asked", expires_at=NOW, is_call_over=False, now=NOW) == "expired"
    assert state_at("approved", expires_at=later, is_call_over=True, now=NOW) == "expired"
    assert state_at("used", expires_at=NOW, is_call_over=True, now=NOW) == "used"


def test_what_may_be_given_is_what_was_said() -> None:
    asked, answer = Terms("bill_credit", 6_000), Terms("bill_credit", 4_500)
    found = [granted(state, asked, answer) for state in ("approved", "countered", "declined", "asked")]
    assert found == [asked, answer, None, None]


def test_the_queue_weighs_value_by_the_seconds_left() -> None:
    assert urgency(seconds_left=20, value_at_stake=1000) == 50
    assert urgency(seconds_left=-5, value_at_stake=1000) == 1000
