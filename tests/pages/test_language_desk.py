"""The agent's and the supervisor's pages in other languages: nothing goes unsaid, and what is kept stays English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn import db, offers
from churn.core.language import ENGLISH, MONTHS, speaking
from churn.core.offers.offer import Ladder
from churn.core.offers.question import Ask
from churn.core.text import as_markdown
from churn.languages import language_of
from churn.settings import PROJECT, Settings
from tests.calls.test_callbacks import candidate
from tests.ledger_world import populate
from tests.pages.test_desk import a_customer, opened, shown
from tests.pages.test_offers import Screen
from tests.pseudo import in_brackets, unsaid
from tests.test_offers import AGENT, SUPERVISOR, sit_down

GERMAN = language_of("de")
NAMES = (r"\b(?:English|Deutsch|Keepline)\b", rf"\b(?:{'|'.join(MONTHS)})\b", r"•••\S+")


@pytest.fixture
def bracketed() -> Iterator[None]:
    with in_brackets():
        yield


@pytest.fixture
def account(desk: Settings) -> str:
    """The account of a caller who may have £60 with a supervisor's yes."""
    for at_desk in sit_down(desk):
        card, *_ = at_desk.needing_approval(contact_reason="cancel", fault="ours", ask=Ask(amount=6_000))
    return card.facts.customer.customer_id


def page_of(name: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("KEEPLINE_DATABASE", settings.database)
    st.cache_resource.clear()
    return AppTest.from_file(str(PROJECT / f"pages/{name}.py"), default_timeout=60)


def company_data(settings: Settings) -> list[str]:
    """Patterns of what is the company's own: names, plans, regions, notes, what policy says."""
    with psycopg.connect(db.admin_conninfo(settings)) as owner:
        rows = owner.execute(
            "SELECT name FROM crm.customers UNION SELECT region FROM crm.customers UNION SELECT segment "
            "FROM crm.customers UNION SELECT plan FROM crm.subscriptions UNION SELECT reason FROM desk.policy_rules "
            "UNION SELECT reference FROM desk.policy_rules UNION SELECT title FROM desk.policy_instruments "
            "UNION SELECT title FROM crm.change_events UNION SELECT what_to_say FROM crm.change_events "
            "UNION SELECT notes FROM crm.contacts UNION SELECT team FROM desk.staff UNION SELECT name FROM desk.staff"
        ).fetchall()
    known = sorted({row[0] for row in rows if row[0]}, key=len, reverse=True)
    written = {form for text in known for form in (text, as_markdown(text, 600), as_markdown(text, 2000))}
    return ["|".join(map(re.escape, sorted(written, key=len, reverse=True))), *NAMES]


def test_every_text_of_a_call_is_looked_up(
    desk: Settings, account: str, monkeypatch: pytest.MonkeyPatch, bracketed: None
) -> None:
    data = company_data(desk)
    for page in opened(desk, monkeypatch):
        page.session_state["who"], page.query_params["account"] = AGENT, account
        with psycopg.connect(db.admin_conninfo(desk), autocommit=True) as owner:
            screen = Screen(page.run(), owner)
            assert not page.exception
            assert unsaid(page, data) == []
            screen.because("cancel", "ours")
            page.number_input(key=screen.key("ask-amount")).set_value(60.0)
            screen.press("⟦Show what I can say yes to⟧")
            assert screen.call.offer is not None
            assert unsaid(page, data) == []
            screen.press("⟦Ask a supervisor⟧")
            screen.press("⟦Close the case⟧")
            assert not page.exception
            assert unsaid(page, data) == []
        queue = page_of("approvals", desk, monkeypatch)
        queue.session_state["who"] = SUPERVISOR
        assert unsaid(queue.run(), data) == []


@pytest.mark.parametrize("name", ["desk", "callbacks", "approvals"])
def test_every_text_of_an_empty_page_is_looked_up(
    name: str, database: Settings, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, bracketed: None
) -> None:
    populate(owner)
    page = page_of(name, database, monkeypatch)
    page.session_state["who"] = "sue" if name == "approvals" else "ann"
    page.query_params["q"] = "nobody at all"
    page.run()
    assert not page.exception
    assert unsaid(page, [*NAMES, "nobody at all", *names_of(owner)]) == []


def test_every_text_of_a_call_back_is_looked_up(
    database: Settings, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, bracketed: None
) -> None:
    populate(owner)
    candidate(owner, "C1", 9_000, 1_000)
    candidate(owner, "C3", 20_000, -500)
    page = page_of("callbacks", database, monkeypatch)
    page.query_params["who"] = "ann"
    known = [*NAMES, *names_of(owner)]
    assert unsaid(page.run(), known) == []
    page.button(key="take-first").click().run()
    assert page.button(key="end-kept").label == "⟦Reached, stays⟧"
    assert unsaid(page, known) == []


def names_of(owner: psycopg.Connection) -> list[str]:
    rows = owner.execute(
        "SELECT name FROM feed.customers UNION SELECT name FROM desk.staff UNION SELECT team FROM desk.staff"
    ).fetchall()
    return [re.escape(row[0]) for row in rows if row[0]]


@pytest.fixture
def in_german() -> Iterator[None]:
    """The runner of tests writes options outside of any page: it speaks German too."""
    with speaking(GERMAN):
        yield


def test_the_agent_and_the_supervisor_read_german_and_the_receipt_stays_english(
    desk: Settings, account: str, monkeypatch: pytest.MonkeyPatch, in_german: None
) -> None:
    for page in opened(desk, monkeypatch):
        page.session_state["who"], page.session_state["language"] = AGENT, "de"
        page.query_params["account"] = account
        with psycopg.connect(db.admin_conninfo(desk), autocommit=True) as owner:
            screen = Screen(page.run(), owner)
            assert "ZUERST SAGEN" in screen.text
            assert re.search(r"\d+ % kündigen in 90 Tagen \(\d+,\d× üblich\)", screen.text)
            screen.because("cancel", "ours")
            assert "Es ist unser Fehler, und es tut mir leid." in screen.text
            page.number_input(key=screen.key("ask-amount")).set_value(60.0)
            screen.press("Zeigen, wozu ich ja sagen kann")
            assert "Wunsch: **60 £**" in screen.text
            assert "Sie können jetzt zu" in screen.text
            screen.press("Vorgesetzte fragen")
            asked = screen.row(
                "SELECT receipt, reason FROM desk.decisions JOIN desk.approval_requests USING (decision_id)"
            )
            told, decision_id = screen.ladder, screen.call.offer.decision_id  # type: ignore[union-attr]
    receipt, reason = asked
    assert (receipt["rungs"][-1]["title"], told.rungs[-1].title) == ("Give nothing", "Nichts geben")
    is_replayed_in_english(desk, decision_id, told)
    queue = page_of("approvals", desk, monkeypatch)
    queue.session_state["who"], queue.session_state["language"] = SUPERVISOR, "de"
    text = shown(queue.run()).replace("\\", "").replace("\u00a0", " ")
    (german,) = {now.reason for now, kept in zip(told.rungs, receipt["rungs"], strict=True) if kept["reason"] == reason}
    assert german != reason
    assert german.replace("\u00a0", " ") in text
    assert re.search(r"darf \d+ £ allein · \d+ £ darüber", text)
    assert "Freigeben" in [button.label for button in queue.button]


def is_replayed_in_english(settings: Settings, decision_id: UUID, seen: Ladder) -> None:
    """What was kept is made again without a difference, and in German it is what was on the screen."""
    pool = db.open_database(settings, size=1)
    with speaking(ENGLISH):
        again, receipt = offers.recompute(pool, "batch", decision_id)
    assert offers.differences(again, receipt) == []
    assert offers.recompute(pool, "batch", decision_id)[0] == seen
    pool.close()


def test_another_language_in_the_middle_of_a_call_goes_on_with_it(
    desk: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for page in opened(desk, monkeypatch):
        page.query_params["account"] = a_customer(desk)[0]
        with psycopg.connect(db.admin_conninfo(desk), autocommit=True) as owner:
            screen = Screen(page.run(), owner)
            screen.because("fault", "ours")
            screen.skip()
            before = screen.call.offer
            page.selectbox(key="language_picked").set_value("de").run()
            after = screen.call.offer
            assert before is not None
            assert after is not None
            assert after.decision_id == before.decision_id
            assert after.reasons == before.reasons
            assert [rung.amount for rung in after.ladder.rungs] == [rung.amount for rung in before.ladder.rungs]
            assert after.ladder.rungs[-1].title == "Nichts geben"
            assert "ZUERST SAGEN" in screen.text
            assert screen.row("SELECT count(*) FROM desk.decisions") == (1,)
