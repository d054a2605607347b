"""Giving, asking a supervisor and cancelling with a caller on the line, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect

from churn.core.offers.question import Ask
from tests.browser.conftest import Site, settled
from tests.test_offers import AGENT, SUPERVISOR, Desk, sit_down

pytestmark = pytest.mark.browser
GIVE = re.compile(r"^Give\b")
SECONDS = 2.0  # from the supervisor's answer to the agent's screen


@dataclass
class Line:
    """An agent's tab, and the database behind it."""

    page: Page
    url: str
    at: Desk
    account: str = ""

    def open(self, account: str) -> None:
        """A caller's card, with why they call and whose fault it is."""
        self.account = account
        self.page.goto(f"{self.url}/?account={account}&who={AGENT}")
        expect(self.page.get_by_text(f"account {account}")).to_be_visible(timeout=60_000)
        why = self.page.get_by_role("combobox", name="Why they call")
        why.click()
        why.fill("cancel")
        why.press("Enter")
        settled(self.page)
        self.page.get_by_role("radio", name="ours", exact=True).click()
        expect(self.page.get_by_text("Apologise", exact=True)).to_be_visible()

    def ask(self, amount: str) -> None:
        """What they say would put it right."""
        self.page.get_by_label("In money (GBP)").fill(amount)
        self.press("Show what I can say yes to")
        expect(self.page.get_by_text(re.compile("You can say yes to"))).to_be_visible()

    def skip(self) -> None:
        """They will not say."""
        self.press("Skip: they will not say")
        expect(self.page.get_by_text(re.compile("You can say yes to"))).to_be_visible()

    def press(self, name: str) -> None:
        """Click a button and wait for what it does."""
        self.page.get_by_role("button", name=name).first.click()
        settled(self.page)

    def ledger(self) -> list[tuple]:
        """What this caller was given."""
        return self.at.owner.execute(
            "SELECT instrument, amount, authorised_by, approval_id IS NOT NULL FROM desk.ledger WHERE customer_id = %s",
            [self.account],
        ).fetchall()

    def case(self) -> tuple:
        """How this caller's last case ended."""
        row = self.at.owner.execute(
            "SELECT outcome, contact_reason, fault, cancelled_at > cancel_asked_at FROM desk.cases "
            "WHERE customer_id = %s ORDER BY opened_at DESC LIMIT 1",
            [self.account],
        ).fetchone()
        assert row is not None
        return row


@pytest.fixture
def line(page: Page, site: Site) -> Iterator[Line]:
    for at in sit_down(site.settings):
        yield Line(page, site.url, at)


def test_what_is_given_is_recorded_and_said(line: Line) -> None:
    line.open(line.at.callers(1, start=100)[0].facts.customer.customer_id)
    expect(line.page.get_by_text("You can say yes")).to_have_count(0)  # ask first
    line.skip()
    line.press("Give")
    expect(line.page.get_by_text(re.compile(r"given and recorded as entry \d+"))).to_be_visible()
    expect(line.page.get_by_role("button", name=GIVE)).to_have_count(0)
    assert line.ledger() == [("fix", 0, AGENT, False)]


def test_five_clicks_give_once(line: Line) -> None:
    line.open(line.at.callers(1, start=101)[0].facts.customer.customer_id)
    line.skip()
    line.page.get_by_role("button", name=GIVE).first.click(click_count=5, delay=15)
    expect(line.page.get_by_text(re.compile(r"given and recorded as entry \d+"))).to_be_visible()
    settled(line.page)
    assert len(line.ledger()) == 1


def test_above_authority_a_supervisor_counters_and_the_agent_gives_it(
    line: Line, browser: Browser, request: pytest.FixtureRequest
) -> None:
    card, _, _ = line.at.needing_approval(contact_reason="cancel", fault="ours", ask=Ask(amount=6_000))
    line.open(card.facts.customer.customer_id)
    line.ask("60")
    rung = line.page.get_by_text(re.compile("A supervisor can say yes to this"))
    expect(rung).to_be_visible()
    line.press("Ask a supervisor")
    expect(line.page.get_by_text("waiting for an answer")).to_be_visible()
    line.page.get_by_text("After the call").click()
    note = line.page.get_by_label("What is broken")
    note.click()
    note.press_sequentially("The router of last sp")  # the agent goes on typing

    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="en-GB")
    request.addfinalizer(context.close)
    supervisor = context.new_page()
    supervisor.goto(f"{line.url}/approvals?who={SUPERVISOR}")
    asked = supervisor.locator('[class*="st-key-request-"]', has_text=f"account {line.account}")
    expect(asked.get_by_text("£60 · bill credit")).to_be_visible(timeout=30_000)
    asked.get_by_label("Counter (GBP)").fill("45")
    asked.get_by_role("button", name=re.compile("^Counter")).click()

    expect(line.page.get_by_text("countered: £45 instead of £60")).to_be_visible()
    seen = time.time()
    assert seen - answered(line).timestamp() < 3 * SECONDS  # a shared machine
    assert note.input_value() == "The router of last sp"
    note.press_sequentially("ring")
    assert note.input_value() == "The router of last spring"
    expect(supervisor.get_by_text("Nobody waits for an answer")).to_be_visible()

    line.press("Give £45")
    expect(line.page.get_by_text(re.compile(r"£45 bill credit: given and recorded as entry \d+"))).to_be_visible()
    assert line.ledger() == [("bill_credit", 4_500, SUPERVISOR, True)]
    expect(line.page.get_by_role("button", name=re.compile("^(Give|Ask a supervisor|Go on without)"))).to_have_count(0)
    assert note.input_value() == "The router of last spring"


def answered(line: Line) -> datetime:
    """When the supervisor's answer was in the database."""
    row = line.at.owner.execute(
        "SELECT decided_at FROM desk.approval_requests WHERE customer_id = %s", [line.account]
    ).fetchone()
    assert row is not None
    return row[0]


def test_a_request_can_be_taken_back_and_asked_again(line: Line) -> None:
    card, _, _ = line.at.needing_approval(contact_reason="cancel", fault="ours", ask=Ask(amount=5_500))
    line.open(card.facts.customer.customer_id)
    line.ask("55")
    for _ in range(2):
        line.press("Ask a supervisor")
        expect(line.page.get_by_text("waiting for an answer")).to_be_visible()
        line.press("Take it back")
        expect(line.page.get_by_text("waiting for an answer")).to_have_count(0)
        expect(line.page.get_by_role("button", name="Ask a supervisor")).to_be_enabled()
    expect(line.page.locator('[data-testid="stException"]')).to_have_count(0)
    states: list[tuple[UUID, str]] = line.at.owner.execute(
        "SELECT approval_id, state FROM desk.approval_requests WHERE customer_id = %s", [line.account]
    ).fetchall()
    assert [state for _, state in states] == ["withdrawn", "withdrawn"]
    assert line.ledger() == []


def test_cancel_today_is_two_clicks_and_timed(line: Line) -> None:
    line.open(line.at.callers(1, start=102)[0].facts.customer.customer_id)
    line.press("Cancel today")
    line.press("They said “cancel”")
    expect(line.page.get_by_text("is being measured")).to_be_visible()
    if not line.page.get_by_role("button", name="It is cancelled").is_visible():
        line.press("Cancel today")
    line.press("It is cancelled")
    expect(line.page.get_by_text("The case is closed and written down.")).to_be_visible()
    assert line.case() == ("cancelled", "cancel", "ours", True)
    assert line.ledger() == []


def test_a_search_after_somebody_else_was_chosen_keeps_them(line: Line) -> None:
    account = line.at.callers(1, start=103)[0].facts.customer.customer_id
    line.page.goto(f"{line.url}/?who=A003")
    box = line.page.get_by_label("Find a caller")
    box.fill(account, timeout=60_000)
    box.press("Enter")
    expect(line.page.get_by_text(f"account {account}")).to_be_visible(timeout=30_000)
    settled(line.page)
    assert "who=A003" in line.page.url
    assert f"account={account}" in line.page.url  # a reload finds the caller again


def test_what_was_asked_and_given_is_there_after_a_reload(line: Line) -> None:
    line.open(line.at.callers(1, start=104)[0].facts.customer.customer_id)
    line.ask("20")
    line.page.reload()
    expect(line.page.get_by_text("Their ask: £20")).to_be_visible(timeout=60_000)
    settled(line.page)
    expect(line.page.get_by_role("radio", name="ours", exact=True)).to_be_checked()
    expect(line.page.get_by_role("combobox", name="Why they call")).to_have_value("cancel")
    line.press("Give")
    expect(line.page.get_by_text(re.compile(r"given and recorded as entry \d+"))).to_be_visible()
    line.page.reload()
    expect(line.page.get_by_text(re.compile(r"given and recorded as entry \d+"))).to_be_visible(timeout=60_000)
    settled(line.page)
    expect(line.page.get_by_role("button", name=GIVE)).to_have_count(0)
    assert len(line.ledger()) == 1


def test_a_request_that_waits_survives_a_reload(line: Line) -> None:
    card, _, _ = line.at.needing_approval(contact_reason="cancel", fault="ours", ask=Ask(amount=5_000))
    line.at.owner.execute("UPDATE desk.cases SET closed_at = now()")  # what was looked for there is not gone on with
    line.open(card.facts.customer.customer_id)
    line.ask("50")
    line.press("Ask a supervisor")
    waits = line.page.get_by_text(re.compile(r"^£\d+(\.\d\d)? asked of a supervisor"))
    expect(waits).to_be_visible()
    asked = waits.inner_text()
    line.page.reload()
    expect(waits).to_have_text(asked, timeout=60_000)
    line.press("Take it back")
    expect(line.page.get_by_text("waiting for an answer")).to_have_count(0)


def test_from_search_to_given_by_keyboard_alone(line: Line) -> None:
    account = line.at.callers(1, start=105)[0].facts.customer.customer_id
    line.account = account
    page, keys = line.page, line.page.keyboard
    page.goto(f"{line.url}/?who={AGENT}")
    expect(page.get_by_label("Find a caller")).to_be_visible(timeout=60_000)
    settled(page)
    tab_to(page, "Find a caller")
    keys.type(account)
    keys.press("Enter")
    expect(page.get_by_text(f"account {account}")).to_be_visible(timeout=30_000)
    settled(page)
    tab_to(page, "Why they call")
    keys.type("cancel")
    keys.press("Enter")
    expect(page.get_by_text("What would have to be different for you to stay?")).to_be_visible()  # asked of who cancels
    settled(page)
    tab_to(page, "ours")
    keys.press("Space")
    expect(page.get_by_text("Apologise", exact=True)).to_be_visible()
    settled(page)
    tab_to(page, "In money (GBP)")
    keys.type("20")
    keys.press("Enter")
    expect(page.get_by_text("Their ask: £20")).to_be_visible()
    settled(page)
    keys.press("Alt+g")
    expect(page.get_by_text(re.compile(r"given and recorded as entry \d+"))).to_be_visible()
    page.reload()  # the caller was typed, and is there all the same
    expect(page.get_by_text(re.compile(r"given and recorded as entry \d+"))).to_be_visible(timeout=60_000)
    assert len(line.ledger()) == 1


def tab_to(page: Page, name: str, most: int = 25) -> None:
    """Press Tab until what bears this name has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        named = page.evaluate(
            "(() => { const e = document.activeElement; const l = e.labels && e.labels[0]; "
            "return [e.getAttribute('aria-label'), l && l.innerText, e.innerText].filter(Boolean).join(' '); })()"
        )
        if name in named:
            return
    raise AssertionError(f"{most} times Tab and no {name}")
