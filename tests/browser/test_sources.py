"""A company's own tables in a real browser: chosen, found, previewed, a breach told, applied; each step by axe as well.

The rows are those of tests/sources, in the public layouts' own tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Page, expect

from churn import db
from churn.core.sources import Chosen
from churn.crm import sources
from churn.settings import PROJECT, Settings
from tests.browser.conftest import Site, free_port, served, settled
from tests.browser.test_accessibility import Found, floor, holds, tab  # noqa: F401 - fixtures
from tests.conftest import clone
from tests.ledger_world import populate

pytestmark = pytest.mark.browser
NAMES = ("salesforce", "zendesk", "stripe")


@pytest.fixture(scope="module")
def company(template: Settings) -> Iterator[Site]:
    """The app of a company whose sync tools wrote Salesforce, Zendesk and Stripe."""
    for settings in clone(template):
        with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as owner:
            populate(owner)
            owner.execute("INSERT INTO desk.staff (staff_id, name, role) VALUES ('adi', 'Adi', 'administrator')")
            for name in NAMES:
                owner.execute((PROJECT / f"tests/sources/{name}.sql").read_text())  # type: ignore[arg-type]
        yield from served(settings, free_port())


def owned(site: Site, statement: str) -> list[tuple]:
    """Something the owner of the tables does."""
    with psycopg.connect(db.admin_conninfo(site.settings), autocommit=True) as owner:
        done = owner.execute(statement)  # type: ignore[call-overload]
        return done.fetchall() if done.description else []


def seen(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_test_id("stMain").get_by_text(text).first).to_be_visible(timeout=30_000)


def choose(page: Page, site: Site, *titles: str) -> None:
    """Open the page as the administrator and pick the systems."""
    page.goto(f"{site.url}/sources?who=adi")
    seen(page, re.compile("^In force: "))
    settled(page)
    box = page.get_by_role("combobox", name=re.compile("^Sources"))
    for title in titles:
        box.click()
        page.get_by_role("option", name=title, exact=True).click()
        settled(page)
    page.keyboard.press("Escape")


def test_tables_become_the_companys_views_step_by_step(tab: Page, company: Site, floor: Found) -> None:  # noqa: F811
    owned(company, "ALTER TABLE salesforce.account RENAME COLUMN name TO title")
    choose(tab, company, "Salesforce", "Zendesk", "Stripe")
    seen(tab, "1 thing lacking")
    seen(tab, re.compile("SQL that mends all of it"))
    expect(tab.get_by_role("button", name="Preview")).to_have_count(0)
    holds(tab, floor)

    owned(company, "ALTER TABLE salesforce.account RENAME COLUMN title TO name")
    choose(tab, company, "Salesforce", "Zendesk", "Stripe")
    seen(tab, "Every column is there, of a type that can be read.")
    seen(tab, "python3 -m churn source register salesforce=salesforce zendesk=zendesk stripe=stripe")
    expect(tab.get_by_role("button", name="Preview")).to_have_count(0)  # nobody registered it

    sources.register(company.settings, Chosen({name: name for name in NAMES}), by="ops")
    choose(tab, company, "Salesforce", "Zendesk", "Stripe")
    seen(tab, "Registered on the host by ops")
    expect(tab.get_by_role("button", name="Apply")).to_have_count(0)  # look at it first
    tab.get_by_role("button", name="Preview").click()
    seen(tab, "Every row keeps the data contract.")
    seen(tab, "Left out: 1 of kind invoice, which is in USD, the customer in GBP.")
    tab.get_by_text(re.compile("^customers: 2 rows")).click()
    expect(tab.get_by_test_id("stDataFrame").first).to_be_visible()
    assert owned(company, "SELECT count(*) FROM crm.customers") == [(0,)]
    holds(tab, floor)

    tab.get_by_role("button", name="Apply").click()
    seen(tab, "Say in a few words why")
    why = tab.get_by_label("Why", exact=True)
    why.fill("our own books")
    why.press("Enter")
    settled(tab)
    tab.get_by_role("button", name="Apply").click()
    seen(tab, re.compile("^In force: Salesforce: customers"))
    assert owned(company, "SELECT count(*) FROM crm.customers") == [(2,)]
    seen(tab, "WHAT WAS IN FORCE")
    holds(tab, floor)

    tab.get_by_role("button", name="Take it back").click()
    back = tab.get_by_label("Why", exact=True).last
    back.fill("only looking")
    back.press("Enter")
    settled(tab)
    tab.wait_for_timeout(1_000)  # what was typed has the page drawn anew, and may close the popover
    if not tab.get_by_role("button", name="Back to the feed's own views").is_visible():
        tab.get_by_role("button", name="Take it back").click()
    tab.get_by_role("button", name="Back to the feed's own views").click()
    seen(tab, "The views are the feed's own again.")
    assert owned(company, "SELECT count(*) FROM crm.customers") == [(0,)]


def test_a_breach_of_the_contract_is_told_before_anything_is_in_force(tab: Page, company: Site, floor: Found) -> None:  # noqa: F811
    owned(company, (PROJECT / "tests/sources/own.sql").read_text())
    owned(company, "UPDATE own.subscription SET monthly_price = -1")
    sources.register(company.settings, Chosen({"own": "own"}), by="ops")
    choose(tab, company, sources.load()["own"].title)
    seen(tab, "Registered on the host by ops")
    tab.get_by_role("button", name="Preview").click()
    seen(tab, "1 breach of the data contract to mend.")
    tab.get_by_text(re.compile("^To mend: .*2 rows have a negative price")).first.click()
    seen(tab, "Change the file of sql/sources so, or run this once it is applied")
    assert owned(company, "SELECT count(*) FROM crm.subscriptions WHERE monthly_price < 0") == [(0,)]
    holds(tab, floor)
