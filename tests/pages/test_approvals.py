"""The supervisor's queue: what waits, what it rests on, and each answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn import ledger, offers
from churn.core.grants import Request
from churn.core.money import show
from churn.core.offers.question import Ask
from churn.settings import PROJECT, Settings
from tests.pages.test_desk import shown
from tests.test_offers import SUPERVISOR, Desk, sit_down

OTHER_TEAM = "S02"


@pytest.fixture
def at_desk(desk: Settings) -> Iterator[Desk]:
    yield from sit_down(desk)


@pytest.fixture
def queue(desk: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The supervisor's page."""
    monkeypatch.setenv("KEEPLINE_DATABASE", desk.database)
    st.cache_resource.clear()
    page = AppTest.from_file(str(PROJECT / "pages/approvals.py"), default_timeout=60)
    page.session_state["who"] = SUPERVISOR
    yield page
    st.cache_resource.clear()


def asked(at_desk: Desk, start: int = 0, seconds: int = 300) -> Request:
    """An agent asks for more than they may give alone, for the first such caller from `start` on."""
    terms = {"contact_reason": "cancel", "fault": "ours", "ask": Ask(amount=6_000)}
    _, offer, index = at_desk.needing_approval(start, **terms)
    return ledger.ask_approval(
        at_desk.database, at_desk.agent, offers.grant_of(offer, index), approval_id=uuid4(), reason="They ask for it.",
        seconds=seconds,
    )  # fmt: skip


def press(page: AppTest, request: Request, answer: str) -> None:
    page.button(key=f"{answer}-{request.approval_id}").click().run()


def answer_to(at_desk: Desk, request: Request) -> Request:
    found = ledger.approval(at_desk.database, at_desk.agent, request.approval_id)
    assert found is not None
    return found


def test_an_empty_queue_says_that_it_fills_itself(queue: AppTest) -> None:
    assert "Nobody waits for an answer. Requests appear here by themselves." in shown(queue.run())


def test_an_agent_has_no_queue(queue: AppTest) -> None:
    queue.session_state["who"] = "A001"
    assert "Approvals is for supervisors; you are here as agent." in shown(queue.run())


def test_a_request_says_what_it_rests_on(queue: AppTest, at_desk: Desk) -> None:
    request = asked(at_desk)
    text = shown(queue.run()).replace("\\", "")
    for said in (
        "£60 · bill credit", f"account {request.customer_id}", "may give £35 alone", "£25 above", "They ask for it.",
        "% without", "if they stay", "gain £",
    ):  # fmt: skip
        assert said in text, said


def test_a_request_shows_the_budget_before_and_after_and_the_nearest_past_cases(queue: AppTest, at_desk: Desk) -> None:
    request = asked(at_desk)
    left = next(
        b.headroom
        for b in ledger.headroom(at_desk.database, at_desk.agent, request.team)
        if b.budget_id == request.budget_id
    )
    text = shown(queue.run()).replace("\\", "")
    assert f"{show(left, 'GBP')} of" in text
    assert f"→ {show(left - 6_000, 'GBP')} after this grant" in text
    assert "Nearest past cases" in text or "No past case is settled yet" in text


def test_the_most_at_stake_for_the_seconds_left_is_first_and_stays_first(queue: AppTest, at_desk: Desk) -> None:
    seconds = {asked(at_desk, seconds=300).approval_id: 300, asked(at_desk, start=20, seconds=200).approval_id: 200}

    def first() -> str:
        keys = [str(button.key) for button in queue.run().button if str(button.key).startswith("approve-")]
        return keys[0].removeprefix("approve-")

    top = first()
    kept = queue.session_state["queue_evidence"]
    assert top == str(max(seconds, key=lambda key: kept[key].at_stake / seconds[key]))
    asked(at_desk, start=40, seconds=20)
    assert first() == top  # nothing slides under a finger
    queue.button(key=f"decline-{top}").click().run()
    assert first() != top


def test_the_keys_are_the_first_cards_once_it_has_been_first_for_a_moment(queue: AppTest, at_desk: Desk) -> None:
    request = asked(at_desk)
    approve = f"approve-{request.approval_id}"
    assert queue.run().button(key=approve).proto.shortcut == ""
    assert queue.run().button(key=approve).proto.shortcut.lower() == "alt+y"
    assert not queue.exception
    press(queue, request, "decline")
    assert answer_to(at_desk, request).state == "declined"


def test_a_stand_in_is_named_and_shown(queue: AppTest, at_desk: Desk) -> None:
    assert "Nobody stands in for anybody." in shown(queue.run())
    queue.button(key="stand_in_name").click().run()
    assert "Choose who stands in first." in shown(queue).replace("\\", "")
    queue.selectbox(key="stand_in").set_value(OTHER_TEAM)
    queue.number_input(key="stand_in_hours").set_value(2.0)
    queue.button(key="stand_in_name").click().run()
    row = at_desk.owner.execute(
        "SELECT staff_id, named_by, ends_at - starts_at BETWEEN '119 min' AND '121 min' FROM desk.stand_ins"
    ).fetchall()
    assert row == [(OTHER_TEAM, SUPERVISOR, True)]
    assert "named by S01" in shown(queue)


def test_the_seconds_of_every_way_out_are_the_supervisors_to_see(queue: AppTest, at_desk: Desk) -> None:
    assert "Nobody left through the desk." in shown(queue.run())
    card = at_desk.callers(1)[0]
    at_desk.owner.execute(
        "UPDATE desk.cases SET cancel_asked_at = now() - interval '70 seconds', cancelled_at = now(), "
        "closed_at = now(), "
        "outcome = 'cancelled' WHERE case_id = %s",
        [card.case_id],
    )
    text = shown(queue.run())
    assert "1 cancelled · from first “cancel” to done 1 min 10 s at the median, 1 min 10 s at the longest" in text
    assert f"account {card.facts.customer.customer_id}" in text


def test_approved_is_exactly_what_was_asked(queue: AppTest, at_desk: Desk) -> None:
    request = asked(at_desk)
    press(queue.run(), request, "approve")
    found = answer_to(at_desk, request)
    assert (found.state, found.answer_amount, found.decided_by) == ("approved", request.amount, SUPERVISOR)
    assert "Nobody waits for an answer" in shown(queue)


def test_a_counter_is_the_supervisors_own_amount_and_can_be_given(queue: AppTest, at_desk: Desk) -> None:
    request = asked(at_desk)
    queue.run().number_input(key=f"amount-{request.approval_id}").set_value(45.0)
    queue.selectbox(key=f"why-{request.approval_id}").set_value("enough as it is")
    press(queue, request, "counter")
    found = answer_to(at_desk, request)
    assert (found.state, found.answer_amount, found.answer_reason) == ("countered", 4_500, "enough as it is")
    grant = ledger.Grant(
        decision_id=request.decision_id, instrument=request.instrument, amount=4_500, currency="GBP",
        approval_id=request.approval_id,
    )  # fmt: skip
    assert ledger.give(at_desk.database, at_desk.agent, grant).authorised_by == SUPERVISOR


def test_a_declined_request_gives_nothing(queue: AppTest, at_desk: Desk) -> None:
    request = asked(at_desk)
    press(queue.run(), request, "decline")
    assert answer_to(at_desk, request).state == "declined"
    assert at_desk.count("approvals") == 0


def test_a_request_of_another_team_is_not_seen(queue: AppTest, at_desk: Desk) -> None:
    asked(at_desk)
    queue.session_state["who"] = OTHER_TEAM
    assert "Nobody waits for an answer" in shown(queue.run())


def test_an_answer_that_comes_too_late_is_said(queue: AppTest, at_desk: Desk) -> None:
    request = asked(at_desk)
    queue.run()
    ledger.withdraw_approval(at_desk.database, at_desk.agent, request.approval_id)
    press(queue, request, "approve")
    assert [toast.value.replace("\\", "") for toast in queue.toast] == [
        "The request is withdrawn; it cannot be approved any more."
    ]


def test_a_supervisor_who_was_away_too_long_is_signed_in_anew(queue: AppTest, at_desk: Desk) -> None:
    request = asked(at_desk)
    queue.run()
    at_desk.owner.execute(
        "UPDATE desk.sessions SET last_seen_at = now() - interval '31 minutes' WHERE staff_id = 'S01'"
    )
    press(queue, request, "approve")
    press(queue.run(), request, "approve")
    assert answer_to(at_desk, request).state == "approved"


def test_what_is_asked_when_the_day_is_used_up_may_be_less_than_the_limit(queue: AppTest, at_desk: Desk) -> None:
    """The agent's day is spent, so even a small credit takes a supervisor."""
    at_desk.owner.execute(
        "INSERT INTO desk.agent_counters VALUES ('A001', 'bill_credit', 'GBP', 'day', '2026-11-15', 17500)"
    )
    _, offer, index = at_desk.needing_approval(contact_reason="cancel", fault="ours", ask=Ask(amount=1_500))
    grant = offers.grant_of(offer, index)
    assert grant.amount < 3_500
    request = ledger.ask_approval(
        at_desk.database, at_desk.agent, replace(grant), approval_id=uuid4(), reason="The day is used up."
    )
    text = shown(queue.run()).replace("\\", "")
    assert "but the limit of the day, week or month is used up" in text
    press(queue, request, "approve")
    assert answer_to(at_desk, request).state == "approved"
