"""Finance in a real browser: from a budget to the ledger rows behind it, a file taken along, a month closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from churn import db
from churn.settings import Settings
from tests.browser.conftest import Site, free_port, looks_whole, served
from tests.conftest import clone
from tests.ledger_world import NOON, World, populate, small_policy

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def office(template: Settings) -> Iterator[Site]:
    """The app on a small desk that gave £45 in October and £20 in November."""
    with contextmanager(clone)(template) as settings:
        pool = db.open_database(settings, size=2)
        with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as owner:
            populate(owner)
            world = World(pool, owner)
            world.set_clock(datetime.fromisoformat("2026-10-01T12:00Z"))
            world.publish(small_policy())
            world.budget(100_000, month=date(2026, 10, 1))
            for staff_id, customer, amount in (("ann", "C1", 3_500), ("abe", "C2", 1_000)):
                world.give(staff_id, customer, amount)
            world.set_clock(NOON)
            world.budget(2_500)
            world.give("ann", "C3", 2_000)
        pool.close()
        yield from served(settings, free_port())


def test_finance_goes_down_to_the_rows_and_closes_the_month(office: Site, page: Page) -> None:
    page.goto(f"{office.url}/spend?who=finn&view=Spend&by=Agent")
    expect(page.get_by_text("net £65")).to_be_visible(timeout=30_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    text = download.value.path().read_text("utf-8-sig")
    assert "55.00" in text
    assert text.rstrip().endswith("65.00")
    page.get_by_role("combobox", name="Ledger rows of one agent").click()
    page.get_by_role("option", name="abe").click()
    expect(page.get_by_text("1 entry, net £10.")).to_be_visible()
    page.goto(f"{office.url}/spend?who=finn&view=Months&month=2026-10")
    page.get_by_text("I have seen the sums of October 2026").click(timeout=30_000)
    page.get_by_role("button", name="Close October 2026").click()
    expect(page.get_by_text("ties to the ledger to the penny")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_whole(browser: Browser, office: Site, scheme: str) -> None:
    views = {
        "Return": "Nothing is reckoned yet", "Worth a look": "Given to more than once", "Months": "still owed",
        "Billing": "Nothing from billing was taken in yet", "Budgets": "limit £25, spent £20, left £5",
        "Spend": "net £65",
    }  # fmt: skip
    looks_whole(browser, f"{office.url}/spend?who=finn", views, scheme)
