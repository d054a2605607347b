"""The pictures of the guides: each page driven to the state a guide talks of, looked at, and photographed.

    KEEPLINE_PICTURES=1 python3 -m churn test tests/browser/test_pictures.py

writes docs/pictures/*.png anew, so that pictures are of the app as it is; without it only what they show is asserted.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from churn import db, ledger, offers
from churn.core.offers.question import Ask
from churn.documents import tour
from churn.settings import PROJECT
from tests.browser.conftest import Site, free_port, served, settled
from tests.conftest import Slept, clone
from tests.test_offers import AGENT, SUPERVISOR, sit_down

pytestmark = pytest.mark.browser
PICTURES = PROJECT / "docs/pictures"
WIDE, MOST_BYTES, COLOURS = 1280, 150_000, 128


@pytest.fixture(scope="module")
def centre(slept: Slept) -> Iterator[Site]:
    """The simulated company after one night, with a Salesforce somebody synced beside it."""
    for settings in clone(slept.settings):
        with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as owner:
            owner.execute((PROJECT / "tests/sources/salesforce.sql").read_text())  # type: ignore[arg-type]
        yield from served(settings, free_port())


@pytest.fixture(scope="module")
def people(centre: Site) -> dict[str, str]:
    """Somebody of each role, an agent with the supervisor of their team."""
    with psycopg.connect(db.admin_conninfo(centre.settings)) as owner:
        staff = owner.execute("SELECT role, min(staff_id) FROM desk.staff WHERE is_active GROUP BY role").fetchall()
    return dict(staff) | {"agent": AGENT, "supervisor": SUPERVISOR}


@pytest.fixture(scope="module")
def guest(centre: Site) -> tour.Guest:
    """The caller of the tour."""
    for at in sit_down(centre.settings):
        found = tour.find_guest(at.database, at.agent.team or "")
    assert found is not None, "the simulated company has nobody of the kind the tour wants"
    return found


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": WIDE, "height": 900}, locale="en-GB", color_scheme="light")
    yield context.new_page()
    context.close()


def picture(page: Page, name: str, *, tall: int = 900) -> None:
    """The page as it stands, once it is still; kept when pictures are asked for."""
    page.set_viewport_size({"width": WIDE, "height": tall})
    settled(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=30_000)
    page.mouse.move(1, 1)
    page.wait_for_timeout(600)  # charts are drawn anew for the new height
    made = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    small = io.BytesIO()
    made.quantize(COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    assert made.width == WIDE
    assert len(small.getvalue()) < MOST_BYTES, f"{name} is {len(small.getvalue()):,} bytes"
    if os.environ.get("KEEPLINE_PICTURES") == "1":
        PICTURES.mkdir(exist_ok=True)
        (PICTURES / f"{name}.png").write_bytes(small.getvalue())


def opened(page: Page, site: Site, address: str, *said: str | re.Pattern[str]) -> None:
    """Go to an address and wait for what must be seen there."""
    page.goto(f"{site.url}/{address}")
    for text in said:
        expect(page.get_by_test_id("stMain").get_by_text(text).first).to_be_visible(timeout=60_000)
    settled(page)


def test_a_caller_is_on_the_line_and_more_is_asked_than_one_may_give_alone(
    tab: Page, centre: Site, people: dict[str, str], guest: tour.Guest
) -> None:
    caller = guest.caller
    opened(tab, centre, f"desk?account={caller.customer_id}&who={people['agent']}", "SAY FIRST", "LIKELY WHY")
    expect(tab.get_by_text("leave within 90 days").first).to_be_visible()
    why = tab.get_by_role("combobox", name="Why they call")
    why.click()
    why.fill("fault")
    why.press("Enter")
    settled(tab)
    tab.get_by_role("radio", name="ours", exact=True).click()
    settled(tab)
    expect(tab.get_by_role("button", name="Skip: they will not say")).to_be_visible()
    expect(tab.get_by_text("You can say yes to")).to_have_count(0)  # ask first
    picture(tab, "desk-ask", tall=1000)
    tab.get_by_label("In money (GBP)").fill(str(guest.alone // 100 + 10))
    tab.get_by_role("button", name="Show what I can say yes to").click()
    expect(tab.get_by_text(re.compile("You can say yes to"))).to_be_visible(timeout=30_000)
    picture(tab, "desk-give", tall=1150)


def test_somebody_waits_for_a_supervisors_answer(tab: Page, centre: Site, people: dict[str, str]) -> None:
    for at in sit_down(centre.settings):
        card, offer, index = at.needing_approval(contact_reason="cancel", fault="ours", ask=Ask(amount=7_500))
        rung = offer.ladder.rungs[index]
        ledger.ask_approval(
            at.database, at.agent, offers.grant_of(offer, index), approval_id=uuid4(), reason=rung.reason, seconds=300
        )
        opened(tab, centre, f"approvals?who={people['supervisor']}", f"account {card.facts.customer.customer_id}")
        expect(tab.get_by_role("button", name=re.compile("^Approve"))).to_be_visible()
        expect(tab.get_by_label("Counter (GBP)")).to_be_visible()
        picture(tab, "approvals", tall=1000)


VIEWS = {
    "team": ("supervisor", "team", 1000, ("EVIDENCE BY CONTACT REASON|SAVES",)),
    "trends": ("leader", "trends?by=plan", 1000, ("Rate: customers who left by choice",)),
    "volume": ("leader", "volume", 1000, ("FORECAST|Calls",)),
    "spend": ("finance", "spend?view=Return", 1000, ("Nothing|saved|RETURN",)),
    "policy-try": ("finance", "policy?view=Try+a+case", 1100, ("In force today|LADDER",)),
    "models": ("analyst", "models", 1100, ("AUC", "CALIBRATION")),
    "data": ("administrator", "data", 900, ("FRESH|rows",)),
    "sources": ("administrator", "sources", 1000, ("In force: the views over the feed",)),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_page_shows_what_its_guide_says(tab: Page, centre: Site, people: dict[str, str], name: str) -> None:
    role, address, tall, said = VIEWS[name]
    who = f"{'&' if '?' in address else '?'}who={people[role]}"
    opened(tab, centre, f"{address}{who}", *(re.compile(text, re.IGNORECASE) for text in said))
    if name == "sources":
        tab.get_by_label("Sources", exact=True).click()
        tab.get_by_role("option", name="Salesforce").click()
        tab.keyboard.press("Escape")
        expect(tab.get_by_text("Every column is there, of a type that can be read.")).to_be_visible(timeout=30_000)
    picture(tab, name, tall=tall)
