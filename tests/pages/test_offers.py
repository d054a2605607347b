"""The lower half of the card: ask first, the ladder, give, not now, cancel today, and what is written down after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from churn import db, gateway
from churn.core.offers.offer import Ladder
from churn.settings import PROJECT, Settings
from churn.ui import waiting
from churn.ui.call import OnCall
from tests.factories import put
from tests.pages.test_desk import a_customer, opened, shown

SUBMIT = "Show what I can say yes to"


@dataclass
class Screen:
    """A caller's card on the desk, with the owner's connection to see what was written."""

    page: AppTest
    owner: psycopg.Connection

    @property
    def call(self) -> OnCall:
        """What the page keeps of the call."""
        return self.page.session_state["on_call"]

    @property
    def ladder(self) -> Ladder:
        """The ladder on screen."""
        assert self.call.offer is not None
        return self.call.offer.ladder

    @property
    def text(self) -> str:
        """All that can be read."""
        told = [shown(self.page), *(str(said.value) for said in self.page.success)]
        return "\n".join(told).replace("\\", "")

    def key(self, name: str) -> str:
        """A widget's key on this call."""
        return f"{name}-{self.call.case_id}"

    def buttons(self, label: str) -> list[Button]:
        """Buttons by what is written on them."""
        return [button for button in self.page.button if button.label == label]

    def press(self, label: str) -> None:
        """Click the first button of this label."""
        self.buttons(label)[0].click().run()

    def skip(self) -> None:
        """They will not say what would put it right."""
        self.page.button(key=self.key("skip")).click().run()

    def because(self, reason: str | None, fault: str | None) -> None:
        """Why they call, and whose fault it is."""
        self.page.selectbox(key=self.key("reason")).set_value(reason)
        self.page.button_group(key=self.key("fault")).set_value(fault)
        self.page.run()

    def row(self, what: str) -> tuple[Any, ...]:
        """The one row of a query."""
        rows = self.owner.execute(what).fetchall()  # type: ignore[call-overload]
        assert len(rows) == 1, rows
        return rows[0]


@pytest.fixture
def screen(desk: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    for page in opened(desk, monkeypatch):
        page.query_params["account"] = a_customer(desk)[0]
        with psycopg.connect(db.admin_conninfo(desk), autocommit=True) as owner:
            page.run()
            yield Screen(page, owner)


def test_the_ladder_waits_until_they_were_asked(screen: Screen) -> None:
    assert "ASK FIRST" in screen.text
    assert "You can say yes" not in screen.text
    assert screen.row("SELECT count(*) FROM desk.decisions") == (0,)
    screen.page.number_input(key=screen.key("ask-amount")).set_value(40.0)
    screen.press(SUBMIT)
    assert "Their ask: **£40**" in screen.text
    assert "You can say yes" in screen.text
    assert screen.row("SELECT asked_amount, asked_in_kind FROM desk.decisions") == (4_000, None)


def test_a_skipped_ask_is_recorded_as_skipped(screen: Screen) -> None:
    screen.skip()
    assert "Their ask: **skipped**" in screen.text
    assert "You can say yes" in screen.text
    assert screen.row("SELECT asked_amount, asked_in_kind, receipt #>> '{inputs,ask,amount}' FROM desk.decisions") == (
        None, None, None,
    )  # fmt: skip


def test_an_ask_in_kind_is_recorded_and_can_be_changed(screen: Screen) -> None:
    screen.page.selectbox(key=screen.key("ask-kind")).set_value("pause")
    screen.press(SUBMIT)
    assert screen.row("SELECT asked_in_kind FROM desk.decisions") == ("pause",)
    screen.press("Change")
    assert "You can say yes" not in screen.text
    screen.skip()
    assert screen.row("SELECT count(*) FROM desk.decisions") == (2,)


def test_reason_and_fault_are_ranked_anew_at_once(screen: Screen) -> None:
    screen.skip()
    before = screen.call.offer
    assert before is not None
    screen.because("fault", "ours")
    after = screen.call.offer
    assert after is not None
    assert after.decision_id != before.decision_id
    assert after.ladder.rungs[0].lever == "fix"
    assert "Put it right" in screen.text
    assert "sorry" in screen.text.lower()
    kept = screen.row("SELECT contact_reason FROM desk.decisions ORDER BY recorded_at DESC LIMIT 1")
    assert kept == ("fault",)
    screen.page.run()
    assert screen.call.offer == after  # nothing changed, nothing made anew


def test_giving_shows_the_entry_and_ends_the_offers(screen: Screen) -> None:
    screen.because("fault", "ours")
    screen.skip()
    screen.press("Give")
    entry = screen.row("SELECT entry_id, instrument, amount FROM desk.ledger")
    first = screen.ladder.rungs[0]
    assert entry[1:] == (first.instrument, first.amount)
    assert f"given and recorded as entry {entry[0]}" in screen.text
    assert screen.buttons("Give") == []
    screen.because("billing", None)  # typed after: the offer that was given stays on screen
    assert screen.row("SELECT count(*) FROM desk.decisions") == (1,)


def test_what_was_clicked_is_given_though_a_newer_offer_is_on_its_way(screen: Screen) -> None:
    screen.because("cancel", "ours")
    screen.skip()
    clicked = screen.call.offer
    assert clicked is not None
    rungs = clicked.ladder.rungs
    screen.call.offer = replace(clicked, ladder=replace(clicked.ladder, rungs=rungs[::-1]))  # not drawn yet
    screen.page.button(key=f"give-{clicked.decision_id}-1").click().run()
    assert screen.row("SELECT instrument, amount FROM desk.ledger") == (rungs[1].instrument, rungs[1].amount)


def test_an_offer_that_fell_behind_is_refused_and_made_anew(screen: Screen) -> None:
    screen.because("cancel", "ours")
    screen.page.number_input(key=screen.key("ask-amount")).set_value(5.0)
    screen.press(SUBMIT)
    rung = next(i for i, rung in enumerate(screen.ladder.rungs) if rung.amount)
    screen.owner.execute("UPDATE desk.budget_counters SET amount_limit = 0")
    before = screen.call.offer
    assert before is not None
    screen.page.button(key=f"give-{before.decision_id}-{rung}").click().run()
    assert "budget has £0 left" in screen.text
    assert screen.call.offer is not None
    assert screen.call.offer.decision_id != before.decision_id
    assert not any(rung.amount and not rung.needs_approval for rung in screen.ladder.rungs)
    assert screen.call.ask is not None  # what was typed is kept
    assert screen.row("SELECT count(*) FROM desk.ledger") == (0,)
    screen.press("Give")  # what is left: put it right
    assert screen.row("SELECT instrument FROM desk.ledger") == ("fix",)


def test_not_now_with_a_reason_counts_and_ranks_anew(screen: Screen) -> None:
    screen.skip()
    for turned_down in range(3):
        before = screen.call.offer
        assert before is not None
        screen.page.radio(key=f"{screen.key('why-not')}-{turned_down}").set_value("wants to think")
        screen.press("Note it, and look again")
        assert screen.call.turned_down == turned_down + 1
        assert screen.call.offer is not None
        assert screen.call.offer.decision_id != before.decision_id
    assert screen.row("SELECT answer, reason, count(*)::int FROM desk.decision_answers GROUP BY 1, 2") == (
        "refused_by_caller", "wants to think", 3,
    )  # fmt: skip
    assert screen.ladder.is_over
    assert "Cancel today, as they ask" in screen.text
    assert screen.buttons("Give") == []
    assert screen.buttons("Note it, and look again") == []


def test_cancel_today_is_there_from_the_first_second_and_is_timed(screen: Screen) -> None:
    screen.press("They said “cancel”: start the clock")
    assert "is being measured" in screen.text
    screen.press("They said “cancel”: start the clock")  # said again: the first one counts
    began = screen.row("SELECT cancel_asked_at FROM desk.cases")
    screen.because("price", None)
    screen.skip()
    screen.press("It is cancelled")
    assert "The case is closed" in screen.text
    assert screen.row(
        "SELECT cancel_asked_at, closed_at IS NOT NULL, outcome, contact_reason, cancelled_at > cancel_asked_at "
        "FROM desk.cases"
    ) == (*began, True, "cancelled", "price", True)
    assert screen.row("SELECT answer FROM desk.decision_answers") == ("cancelled",)
    assert screen.buttons("Give") == screen.buttons("It is cancelled") == []


def test_without_an_offer_they_may_leave_all_the_same(screen: Screen) -> None:
    screen.press("It is cancelled")
    assert screen.row("SELECT outcome FROM desk.cases") == ("cancelled",)
    assert screen.row("SELECT count(*) FROM desk.decisions") == (0,)


@pytest.mark.parametrize(
    ("likes", "is_ticked", "kept"),
    [(10, True, (10, "asked")), (9, False, (9, "missed")), (6, True, (6, None)), (-1, False, (None, None))],
)
def test_after_the_call_it_is_all_written_down(
    screen: Screen, likes: int, is_ticked: bool, kept: tuple[int | None, str | None]
) -> None:
    screen.because("fault", "ours")
    screen.page.radio[-1].set_value("deflected")
    screen.page.text_input[-1].set_value("  The router of last spring  ")
    screen.page.slider[0].set_value(likes)
    screen.page.checkbox[0].set_value(is_ticked)
    screen.press("Close the case")
    assert "The case is closed" in screen.text
    assert screen.row("SELECT outcome, contact_reason, fault, what_is_broken FROM desk.cases") == (
        "deflected", "fault", "ours", "The router of last spring",
    )  # fmt: skip
    assert screen.row("SELECT would_recommend, referral FROM desk.cases") == kept


def test_where_nobody_is_on_the_staff_list_nothing_can_be_given(
    desk: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(db.admin_conninfo(desk)) as owner:
        owner.execute("DELETE FROM desk.staff")
    for page in opened(desk, monkeypatch):
        page.query_params["account"] = a_customer(desk)[0]
        text = shown(page.run())
    assert "Nobody is in the staff list yet" in text
    assert "Skip: they will not say" not in text


# a reload ------------------------------------------------------------------------------------------------------------


def reloaded(screen: Screen) -> Screen:
    """The same page in a tab that knows nothing."""
    page = AppTest.from_file(str(PROJECT / "pages/desk.py"), default_timeout=60)
    page.query_params["account"] = screen.page.session_state["case"][1].facts.customer.customer_id
    page.run()
    return Screen(page, screen.owner)


def test_a_reload_finds_reason_fault_ask_and_the_same_offer(screen: Screen) -> None:
    screen.because("fault", "ours")
    screen.page.number_input(key=screen.key("ask-amount")).set_value(25.0)
    screen.press(SUBMIT)
    again = reloaded(screen)
    assert again.call.case_id == screen.call.case_id
    assert again.page.selectbox(key=again.key("reason")).value == "fault"
    assert again.page.button_group(key=again.key("fault")).value == "ours"
    assert "Their ask: **£25**" in again.text
    assert again.call.offer is not None
    assert screen.call.offer is not None
    assert again.call.offer.decision_id == screen.call.offer.decision_id
    assert again.ladder.as_receipt() == screen.ladder.as_receipt()
    assert screen.row("SELECT count(*)::int FROM desk.cases") == (1,)
    assert screen.row("SELECT count(*)::int FROM desk.decisions") == (1,)


def test_what_was_given_is_there_after_a_reload_and_is_not_given_twice(screen: Screen) -> None:
    screen.because("fault", "ours")
    screen.skip()
    screen.press("Give")
    again = reloaded(screen)
    assert "Fix: given and recorded as entry" in again.text
    assert again.buttons("Give") == []
    again.because("billing", None)
    assert again.buttons("Give") == []
    assert screen.row("SELECT count(*)::int FROM desk.ledger") == (1,)


def test_offers_turned_down_are_counted_after_a_reload(screen: Screen) -> None:
    screen.skip()
    screen.press("Note it, and look again")
    screen.press("They said “cancel”: start the clock")
    again = reloaded(screen)
    assert again.call.turned_down == 1
    assert again.ladder.question.spending.counter_offers_made == 1
    assert "is being measured" in again.text


def test_a_closed_case_is_not_taken_up_again(screen: Screen) -> None:
    screen.skip()
    screen.press("It is cancelled")
    assert "From their first “cancel” to done: under a second." in screen.text
    again = reloaded(screen)
    assert again.call.case_id != screen.call.case_id
    assert again.call.ask is None


def test_reading_again_goes_on_with_the_same_case(screen: Screen) -> None:
    screen.because("fault", "ours")
    screen.skip()
    before = screen.call
    screen.press("Read again")
    assert (screen.call.case_id, screen.call.contact_reason, screen.call.ask) == (before.case_id, "fault", before.ask)
    assert screen.row("SELECT count(*)::int FROM desk.cases") == (1,)


# a lost answer -------------------------------------------------------------------------------------------------------


@dataclass
class Line:
    """The line to the database: answers to a grant, or the questions themselves, are lost while it is cut."""

    loses: str = ""  # "answers", "questions" or nothing


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    held, once = Line(), gateway._once

    def cut(database: db.Database, message: psycopg.sql.Composed, params: Any) -> Any:
        said = message.as_string(None)
        if held.loses and ("give_concession" in said or "grant_of" in said):
            if held.loses == "answers":
                once(database, message, params)
            raise psycopg.OperationalError("the line was lost")
        return once(database, message, params)

    monkeypatch.setattr(gateway, "_once", cut)
    return held


def test_a_lost_answer_and_then_another_reason_gives_once(screen: Screen, line: Line) -> None:
    screen.because("fault", "ours")
    screen.skip()
    line.loses = "answers"
    screen.press("Give")
    assert "Not confirmed yet, checking" in screen.text
    assert screen.buttons("Give") == []
    screen.because("billing", "theirs")  # another reason would be another key
    assert screen.row("SELECT count(*)::int FROM desk.decisions") == (1,)
    assert screen.buttons("Give") == []
    line.loses = ""
    screen.page.run()
    assert "Fix: given and recorded as entry" in screen.text
    assert screen.buttons("Give") == []
    assert screen.row("SELECT count(*)::int FROM desk.ledger") == (1,)
    assert screen.row("SELECT count(*)::int FROM desk.decisions") == (1,)


def test_a_lost_question_is_known_to_have_given_nothing_only_after_the_server_gave_up(
    screen: Screen, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen.because("fault", "ours")
    screen.skip()
    line.loses = "questions"
    screen.press("Give")
    line.loses = ""
    screen.because("billing", "theirs")
    assert "Not confirmed yet, checking" in screen.text  # it may still be under way
    assert screen.row("SELECT count(*)::int FROM desk.decisions") == (1,)
    monkeypatch.setattr(waiting, "SURE_SECONDS", -1.0)
    screen.page.run()
    screen.page.run()
    assert screen.row("SELECT count(*)::int FROM desk.ledger") == (0,)
    assert screen.row("SELECT count(*)::int FROM desk.decisions") == (2,)
    screen.press("Give")
    assert screen.row("SELECT count(*)::int FROM desk.ledger") == (1,)


# a database that does not answer --------------------------------------------------------------------------------------


def test_reasons_that_cannot_be_read_leave_the_likely_ones_and_what_was_typed(screen: Screen) -> None:
    screen.because("cancel", "ours")
    screen.page.session_state["on_call"].reasons = None  # as in a tab that has not read them yet
    screen.owner.execute("REVOKE SELECT ON desk.contact_reasons FROM keepline_agent")
    screen.owner.execute("ALTER TABLE desk.contact_reasons RENAME TO away")
    screen.owner.execute(
        "CREATE FUNCTION desk.wait() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE query_canceled; END $$"
    )
    screen.owner.execute(
        "CREATE VIEW desk.contact_reasons AS SELECT reason, contacts, as_of FROM desk.away WHERE desk.wait()"
    )
    screen.owner.execute("GRANT SELECT ON desk.contact_reasons TO keepline_agent")
    screen.owner.execute("GRANT EXECUTE ON FUNCTION desk.wait TO keepline_agent")
    screen.page.run()
    assert "The reasons people call for cannot be read just now" in screen.text
    assert screen.page.selectbox(key=screen.key("reason")).value == "cancel"
    screen.skip()
    assert "You can say yes" in screen.text
    screen.owner.execute("DROP VIEW desk.contact_reasons")
    screen.owner.execute("ALTER TABLE desk.away RENAME TO contact_reasons")
    screen.owner.execute("GRANT SELECT ON desk.contact_reasons TO keepline_agent")
    screen.press("Try again")
    assert "cannot be read" not in screen.text
    assert "billing" in screen.page.selectbox(key=screen.key("reason")).options


def test_what_is_owed_is_given_first_and_goodwill_is_still_to_be_said_yes_to(screen: Screen) -> None:
    screen.owner.execute("DELETE FROM feed.change_events")
    put(
        screen.owner, "change_events", kind="outage", title="Broadband down",
        starts_at="2026-11-12T12:00Z", ends_at="2026-11-13T18:00Z",
    )  # fmt: skip
    screen.press("Read again")
    screen.skip()
    screen.because("fault", "ours")
    refund = next(i for i, rung in enumerate(screen.ladder.rungs) if rung.instrument == "entitled_refund")
    assert screen.call.offer is not None
    screen.page.button(key=f"give-{screen.call.offer.decision_id}-{refund}").click().run()
    assert "given and recorded as entry" in screen.text
    assert not screen.call.is_settled
    assert all(rung.instrument != "entitled_refund" for rung in screen.ladder.rungs)
    credit = next(i for i, rung in enumerate(screen.ladder.rungs) if rung.is_grant and not rung.needs_approval)
    screen.page.button(key=f"give-{screen.call.offer.decision_id}-{credit}").click().run()
    assert screen.call.is_settled
    assert screen.row("SELECT count(*), count(DISTINCT decision_id) FROM desk.ledger") == (2, 2)
    assert not screen.buttons("Give")
