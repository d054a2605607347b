"""The tour in a real browser: from Help to the very card, and what policy lets be given is given; in German too."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from churn import db
from churn.ui.gate import PAGES
from tests.browser.conftest import Site, settled

pytestmark = pytest.mark.browser
AGENT = "A005"


def main_of(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_test_id("stMain").get_by_text(text).first).to_be_visible(timeout=60_000)


def entries(site: Site, account: str) -> list[tuple[str, str]]:
    """What stands in the ledger for an account: instrument and who gave it."""
    with psycopg.connect(db.admin_conninfo(site.settings)) as owner:
        statement = "SELECT instrument, staff_id FROM desk.ledger WHERE customer_id = %s"
        return owner.execute(statement, [account]).fetchall()


def test_the_agents_tour_leads_to_the_card_and_something_is_given(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/help?view=Tour&who={AGENT}")
    main_of(page, "AS AN AGENT: A CALLER IS ON THE LINE")
    settled(page)
    who = page.get_by_test_id("stMain").get_by_text("has been with us for").first.inner_text()
    name = re.match(r"1\. (.+) has been with us for", who)
    assert name, who
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open the card").click()
    card = opened.value
    expect(card.get_by_role("heading", name=name[1], exact=True)).to_be_visible(timeout=60_000)
    settled(card)
    account = re.search(r"account=(\w+)", card.url)
    assert account, card.url
    assert f"who={AGENT}" in card.url
    main_of(card, "LIKELY WHY")
    expect(card.get_by_text("You can say yes")).to_have_count(0)  # ask first
    why = card.get_by_role("combobox", name="Why they call")
    why.click()
    why.fill("fault")
    why.press("Enter")
    settled(card)
    card.get_by_role("radio", name="ours", exact=True).click()
    settled(card)
    card.get_by_role("button", name="Skip: they will not say").click()
    main_of(card, re.compile("You can say yes to"))
    settled(card)
    card.get_by_role("button", name=re.compile(r"^Give\b")).first.click()
    main_of(card, re.compile(r"given and recorded as entry \d+"))
    assert [who for _, who in entries(site, account[1])] == [AGENT]
    page.reload()  # a new tab: whoever was given something is no guest any more
    main_of(page, "AS AN AGENT: A CALLER IS ON THE LINE")
    settled(page)
    assert name[1] not in page.get_by_test_id("stMain").inner_text()


def test_every_link_of_the_tour_opens_its_page_in_its_state_for_somebody_who_may(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/help?view=Tour&who={AGENT}")
    main_of(page, "AS FINANCE: WHAT THE MONEY DOES")
    settled(page)
    links = page.get_by_test_id("stLinkButton").get_by_role("link")
    found = [(link.inner_text().splitlines()[-1], link.get_attribute("href") or "") for link in links.all()]
    assert len(found) == 7
    for label, address in found[1:]:
        page.goto(f"{site.url}/{address.removeprefix('./')}")
        title = PAGES[address.removeprefix("./").partition("?")[0]][0]
        expect(page.get_by_role("heading", level=1, name=title, exact=True)).to_be_attached(timeout=60_000)
        settled(page)
        expect(page.get_by_text("you are here as")).to_have_count(0)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        if "view=" in address:
            chosen = page.get_by_role("radio", name=label, exact=True)
            expect(chosen).to_be_checked(timeout=30_000)


@pytest.fixture
def german(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="de-DE")
    yield context.new_page()
    context.close()


def test_a_german_browser_is_helped_in_german(german: Page, site: Site) -> None:
    german.goto(f"{site.url}/help?who={AGENT}")
    main_of(german, "Ein Anrufer ist am Apparat")
    settled(german)
    pictures = german.get_by_test_id("stMain").locator("img")
    expect(pictures).to_have_count(2)
    assert all(picture.evaluate("one => one.complete && one.naturalWidth >= 900") for picture in pictures.all())
    german.get_by_role("radio", name="Rundgang", exact=True).click()
    main_of(german, "ist seit")
    german.get_by_role("radio", name="Wörterbuch", exact=True).click()
    box = german.get_by_label("Ein Wort finden")
    box.fill("Mitnahme")
    box.press("Enter")
    main_of(german, re.compile(r"1 Wort von \d+\."))


def test_a_document_is_taken_along_and_noted(page: Page, site: Site) -> None:
    with psycopg.connect(db.admin_conninfo(site.settings)) as owner:
        row = owner.execute("SELECT min(staff_id) FROM desk.staff WHERE role = 'finance' AND is_active").fetchone()
    assert row is not None
    page.goto(f"{site.url}/help?view=Documents&who={row[0]}")
    main_of(page, "POLICY HANDBOOK")
    buttons = page.get_by_role("button", name="To print (HTML)")
    expect(buttons).to_have_count(6)  # the handbook's, and one a model: the first is the handbook's once all are there
    settled(page)
    with page.expect_download() as taken:
        buttons.first.click()
    assert taken.value.suggested_filename == "policy-handbook.html"
    text = taken.value.path().read_text()
    assert "<h1>Policy handbook: " in text
    assert "Two credits are at least 60 days apart." in text
    with psycopg.connect(db.admin_conninfo(site.settings)) as owner:
        noted = owner.execute(
            "SELECT staff_id, subject, detail ->> 'what' FROM desk.audit WHERE act = 'exported' ORDER BY 1"
        ).fetchall()
    assert (row[0], "help", "policy-handbook.html") in noted
