"""A policy changed from end to end in a real browser: drafted, mended, proved, published by another, in use."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from churn import db
from tests.browser.conftest import Site, looks_whole, settled
from tests.browser.test_offers import Line
from tests.test_offers import sit_down

pytestmark = pytest.mark.browser
CASE = """- case: They asked for no offers
  give: bill_credit
  when: {is_do_not_offer: yes, tenure_months: 74, monthly_bill: 41}
  expect: {forbidden: %s}
"""


@pytest.fixture
def office(site: Site) -> list[str]:
    """Two of the company's finance people."""
    with psycopg.connect(db.admin_conninfo(site.settings)) as owner:
        rows = owner.execute(
            "SELECT staff_id FROM desk.staff WHERE role = 'finance' AND is_active ORDER BY 1"
        ).fetchall()
    return [row[0] for row in rows[:2]]


@pytest.fixture
def line(page: Page, site: Site) -> Iterator[Line]:
    """An agent's tab, and the database behind it."""
    for at in sit_down(site.settings):
        yield Line(page, site.url, at)


def open_view(page: Page, site: Site, who: str, view: str) -> None:
    """The page as somebody sees it, at one of its views."""
    page.goto(f"{site.url}/policy?who={who}")
    chosen = page.get_by_role("radio", name=view, exact=True)
    expect(chosen).to_be_visible(timeout=60_000)
    settled(page)
    chosen.click()
    settled(page)


def edit_first_value(page: Page, keys: list[str]) -> None:
    """Go to the value of the first rule in the table, and type."""
    grid = page.get_by_test_id("stDataFrame").first
    grid.scroll_into_view_if_needed()
    grid.click(position={"x": 60, "y": 55})
    for key in ["ArrowRight"] * 3 + keys:
        page.keyboard.press(key)
        page.wait_for_timeout(150)
    settled(page)


def test_a_policy_is_drafted_mended_proved_published_and_used(line: Line, site: Site, office: list[str]) -> None:
    page = line.page
    first, second = office
    open_view(page, site, first, "Edit a draft")
    expect(page.get_by_text("No problems: every case has an answer")).to_be_visible()

    edit_first_value(page, ["Delete"])
    expect(page.get_by_text(re.compile("ceiling needs a value in money, not below zero")).first).to_be_visible()
    edit_first_value(page, ["1", "1", "0", "0", "Enter"])
    expect(page.get_by_text("No problems: every case has an answer")).to_be_visible()

    for answer, said in (("no", "0 of 1 cases green."), ("yes", "All 1 cases green.")):
        text = page.get_by_label("Cases in YAML")
        text.fill(CASE % answer)
        text.press("Control+Enter")
        expect(page.get_by_text(said)).to_be_visible()
    page.get_by_label("Title of the draft").fill("Spring policy")
    page.get_by_label("Title of the draft").press("Enter")
    settled(page)
    page.get_by_role("button", name="Save as a new draft").click()
    expect(page.get_by_text(re.compile("without problems, its cases green"))).to_be_visible()

    open_view(page, site, first, "Publish")
    expect(page.get_by_role("button", name="Publish", exact=True)).to_be_disabled()
    open_view(page, site, second, "Publish")
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text(re.compile(r"is published, in force from"))).to_be_visible()

    account = line.at.callers(1, start=300)[0].facts.customer.customer_id
    line.open(account)
    line.skip()
    used = line.at.owner.execute(
        "SELECT DISTINCT v.title FROM desk.decisions d JOIN desk.policy_versions v USING (policy_version) "
        "WHERE d.customer_id = %s",
        [account],
    ).fetchall()
    assert used == [("Spring policy",)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_whole(browser: Browser, site: Site, office: list[str], scheme: str) -> None:
    views = {
        "Compare": "no two versions|differences? ·|say the same", "Edit a draft": "Save as a new draft",
        "Try a case": "Limits of policy", "Replay": "No calls are ready|are ready, made so",
        "Publish": "No draft waits|differences to what is in force", "Budgets": "Waiting for a second person · 0",
        "In force": "· version [0-9]+, from",
    }  # fmt: skip
    looks_whole(browser, f"{site.url}/policy?who={office[0]}", views, scheme)
