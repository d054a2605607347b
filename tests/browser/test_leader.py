"""The leader's pages in a real browser: from a mark to its customers, a problem to its end, everybody's own figures."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pandas as pd
import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from churn import db
from churn.settings import Settings
from churn.trends import trend_job
from churn.voice import voice_nights
from tests.browser.conftest import PICTURES, Site, free_port, served, settled
from tests.conftest import clone
from tests.factories import put
from tests.ledger_world import NOON, populate
from tests.pages.test_team import judged
from tests.trend_world import fact, many
from tests.voice.test_voice import fill, problem

pytestmark = pytest.mark.browser
MONTHS, HEAT = 0, 2  # places of the pictures on the page
NARROWED = "trends?who=lea&plans=SIM+5GB&by=region&curves=region"
FITS = """() => [document.scrollingElement, document.querySelector('[data-testid=stMain]')]
    .every(part => part.scrollWidth <= part.clientWidth)"""
VIEWS = {
    "trends?who=lea": "BEHIND|WORTH KEEPING",
    NARROWED: "WORTH KEEPING",
    "voice?who=lea": "PROBLEMS",
    "voice?who=lea&view=Topics": "at most 400 a day",
    "voice?who=lea&view=Worth+having": "should not have been needed",
    "voice?who=lea&view=What+is+broken": "No agent wrote down",
    "team?who=lea": "EVIDENCE BY CONTACT REASON",
    "team?who=ann": "More saves than chance explains",
}


@pytest.fixture(scope="module")
def centre(template: Settings) -> Iterator[Site]:
    """The app on a small centre after one night: 12 of 52 on SIM 5GB left in June, 10 of them in Wales."""
    with contextmanager(clone)(template) as settings:
        with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as owner:
            populate(owner)
            fill(owner)
            put(owner, "change_events", owner_department="Network", starts_at="2026-01-05T10:00Z")
            voice_nights.run(settings, progress=lambda _: None)
            many(owner, "L", 10, "2026-02-10", left="2026-06-20", plan="SIM 5GB", region="Wales")
            many(owner, "M", 2, "2026-02-10", left="2026-06-22", plan="SIM 5GB", region="Kent")
            many(owner, "K", 40, "2026-02-10", plan="SIM 5GB", region="Wales")
            fact(owner, "K0", (NOON.date() - date(2026, 1, 19)).days)
            judged(owner)
            owner.execute("ANALYZE")
        trend_job.refresh(settings, progress=lambda _: None)
        yield from served(settings, free_port())


def opened(page: Page, site: Site, where: str, says: str) -> None:
    page.goto(f"{site.url}/{where}")
    expect(page.get_by_text(re.compile(says)).first).to_be_visible(timeout=60_000)
    settled(page)


def taken(page: Page, button: Locator) -> str:
    """The text of the file a button gives away."""
    with page.expect_download() as download:
        button.click()
    return download.value.path().read_text("utf-8-sig")


def mark(page: Page, picture: int, *said: str) -> Locator:
    """A mark of a picture, by what it says of itself to who cannot see it."""
    labels = "".join(f"[aria-label*='{part}']" for part in said)
    return page.get_by_test_id("stVegaLiteChart").nth(picture).locator(f"path{labels}").first


def test_from_a_filtered_rate_to_the_customers_behind_it_and_their_file(centre: Site, page: Page) -> None:
    opened(page, centre, "trends?who=lea", "WORTH KEEPING")
    page.get_by_role("combobox", name=re.compile("Plan")).click()
    page.get_by_role("option", name="SIM 5GB").click()
    expect(page.get_by_text("Shown: plan SIM 5GB. November is not over: a hollow mark.")).to_be_visible()
    assert "plans=SIM+5GB" in page.url
    page.reload()
    expect(page.get_by_text("Shown: plan SIM 5GB. Plan: the one they were first seen with.")).to_have_count(2)
    settled(page)
    mark(page, MONTHS, "month: Jun 26; left in the month: 23.1%", "who: by choice").click()
    expect(page.get_by_text("BEHIND THIS MARK · 12")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Take the data").nth(1).click()
    rows = pd.read_csv(io.StringIO(taken(page, page.get_by_role("button", name="CSV", exact=True))))
    assert sorted(rows["customer_id"]) == sorted([*(f"L{i}" for i in range(10)), "M0", "M1"])


def test_curves_and_cohorts_are_narrowed_to_the_region_and_say_so(centre: Site, page: Page) -> None:
    opened(page, centre, f"{NARROWED}&regions=Wales&tenures=6+to+12+months", "WORTH KEEPING")
    says = "Shown: plan SIM 5GB; region Wales. Plan: the one they were first seen with. Of any tenure"
    expect(page.get_by_text(says)).to_have_count(2)
    expect(page.get_by_text("What follows is of all customers, whatever the filters.")).to_be_visible()
    mark(page, HEAT, "month since joining: 5;", "customers who left: 10").click()
    expect(page.get_by_text("BEHIND THIS MARK · 10")).to_be_visible()


def test_the_page_to_print_holds_the_narrowed_rates(centre: Site, page: Page) -> None:
    opened(page, centre, NARROWED, "WORTH KEEPING")
    made = taken(page, page.get_by_role("button", name="One page to print"))
    assert "15 November 2026; plan SIM 5GB. What moves the risk and what policy forbids: all customers." in made
    assert "<td>Jun 2026</td><td class=n>52</td><td class=n>23.08% (13.72% to 36.13%)</td>" in made


def test_a_problem_is_accepted_by_its_owner_and_fixed_on_a_day(centre: Site, page: Page) -> None:
    opened(page, centre, "voice?who=lea", r"PROBLEMS · 1\s*$")
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_text("Say which department owns it")).to_be_visible()
    page.get_by_role("combobox", name=re.compile("Owner department")).click()
    page.get_by_role("option", name="Network").click()
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("button", name="Being fixed")).to_be_visible()
    settled(page)
    page.get_by_role("spinbutton", name="day, Fixed on").click()
    page.keyboard.type("13112026")
    page.keyboard.press("Enter")
    settled(page)
    page.get_by_role("button", name="Fixed", exact=True).click()
    expect(page.get_by_text("Settled · 1")).to_be_visible(timeout=30_000)
    page.reload()
    page.get_by_text("Settled · 1").click(timeout=30_000)
    expect(page.get_by_text("on 13 Nov 2026")).to_be_visible()
    with psycopg.connect(db.admin_conninfo(centre.settings)) as owner:
        one = problem(owner)
    assert (one.state, one.owner_department, one.fixed_on) == ("fixed", "Network", date(2026, 11, 13))


def test_an_agent_sees_their_own_figures_and_a_leader_one_team(centre: Site, page: Page) -> None:
    opened(page, centre, "team?who=ann", "More saves than chance explains")
    expect(page.get_by_test_id("stMetricValue")).to_have_text(["160 of 200", "130", "+7.5", "£3", "1 made"])
    expect(page.get_by_text(re.compile(r"\b(Abe|Ben)\b"))).to_have_count(0)
    opened(page, centre, "team?who=lea&team=south", "6 hard calls in a row")
    page.reload()
    settled(page)
    page.get_by_role("button", name="Take the data").click()
    rows = pd.read_csv(io.StringIO(taken(page, page.get_by_role("button", name="CSV", exact=True))))
    assert rows[["agent", "saved", "expected"]].values.tolist() == [["Ben", 120, 130.0]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_the_screen_and_twice_its_size(browser: Browser, centre: Site, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1366, "height": 768}, color_scheme=scheme, locale="en-GB")  # type: ignore[arg-type]
    page = context.new_page()
    PICTURES.mkdir(exist_ok=True)
    for where, says in VIEWS.items():
        page.set_viewport_size({"width": 1366, "height": 768})
        opened(page, centre, where, says)
        page.screenshot(path=PICTURES / f"leader-{re.sub('[^a-z]+', '-', where.lower())}-{scheme}.png")
        for width in (1366, 683):
            page.set_viewport_size({"width": width, "height": width * 768 // 1366})
            page.wait_for_function(FITS, timeout=10_000)  # pictures are drawn anew for the new width
        expect(page.get_by_test_id("stException")).to_have_count(0)
    context.close()
