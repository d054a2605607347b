"""From the telephone to the card, in a real browser."""

from __future__ import annotations

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from churn import db, scoring
from tests.browser.conftest import PICTURES, Site, settled
from tests.factories import put_customer
from tests.pages.test_desk import a_customer

pytestmark = pytest.mark.browser
CARD = '[data-testid="stAltairChart"], [data-testid="stVegaLiteChart"]'


def test_a_screen_pop_walks_from_the_url_to_the_card(page: Page, site: Site) -> None:
    account, phone, name = a_customer(site.settings)
    page.goto(f"{site.url}/?ani={phone.replace('+', '%2B')}")
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=60_000)
    settled(page)
    for text in (f"account {account}", "SAY FIRST", "LIKELY WHY", "leave within 90 days", "LAST CONTACTS"):
        expect(page.get_by_text(text).first).to_be_visible()
    # The worth and its curve are on the first screen, without scrolling.
    box = page.get_by_text("of 36 months").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 768


def test_typing_part_of_a_name_opens_the_card_and_the_url_survives_a_reload(page: Page, site: Site) -> None:
    with psycopg.connect(db.admin_conninfo(site.settings)) as connection:
        put_customer(connection, "WALK1", name="Łukasz Wędrówka")
    scoring.sync_directory(site.settings, progress=lambda _: None)
    page.goto(site.url)
    box = page.get_by_label("Find a caller")
    box.fill("wedr luk", timeout=60_000)
    box.press("Enter")
    expect(page.get_by_text("account WALK1")).to_be_visible(timeout=30_000)
    page.goto(f"{site.url}/?account=WALK1")
    page.reload()
    expect(page.get_by_text("account WALK1")).to_be_visible(timeout=30_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_card_has_its_own_calm_theme(browser: Browser, site: Site, scheme: str) -> None:
    account, _, name = a_customer(site.settings)
    context = browser.new_context(viewport={"width": 1366, "height": 768}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{site.url}/?account={account}")
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=60_000)
    settled(page)
    ground = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert ground == {"light": "rgb(251, 250, 247)", "dark": "rgb(20, 25, 28)"}[scheme]
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"desk-{scheme}.png")
    context.close()


def test_hostile_text_runs_nothing(page: Page, site: Site) -> None:
    with psycopg.connect(db.admin_conninfo(site.settings)) as connection:
        put_customer(connection, "EVIL1", name='<img src=x onerror="window.evil=1"> [a](javascript:window.evil=1)')
    page.goto(f"{site.url}/?account=EVIL1")
    expect(page.get_by_text("account EVIL1")).to_be_visible(timeout=60_000)
    assert page.evaluate("window.evil") is None
    assert page.locator('img[src="x"], a[href^="javascript"]').count() == 0
