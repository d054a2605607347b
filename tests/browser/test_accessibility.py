"""Every page by axe in light and dark beside a bare Streamlit page; the letters of charts; twice the size.

What Streamlit itself does wrong the bare page does too; everything else would be ours. Paleness is always ours: the
theme and the page's own style decide it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from churn import db
from churn.ui.gate import PAGES
from tests.browser.conftest import Site, free_port, settled
from tests.pages.test_desk import a_customer

pytestmark = pytest.mark.browser
SCHEMES = ("light", "dark")
FITTING = {"team": "leader", "help": "leader"}  # an agent sees nobody else, no document; else the first role sees most
STOPS = [
    *PAGES, "voice?view=Worth+having", "volume?view=Change+calendar", "spend?view=Return", "policy?view=Edit+a+draft",
    "policy?view=Try+a+case", "models?view=By+group", "models?view=Drift", "data?view=Impossible",
    "help?view=Tour", "help?view=Glossary", "help?view=Documents",
]  # fmt: skip
# One widget each that Streamlit is at fault with, and the four that every page is made of.
BARE = """
import altair as alt, pandas as pd, streamlit as st

def page():
    rows = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    st.title("Bare")
    st.text_input("Text")
    st.dataframe(rows)
    st.data_editor(rows)
    st.altair_chart(alt.Chart(rows).mark_point().encode(x="a", y="b"))

st.navigation({"One": [st.Page(page, title="Bare")], "Two": [st.Page(lambda: None, title="Other", url_path="o")]}).run()
"""
# Each violation with the piece of Streamlit's it is in; a page that had none would give an empty list.
RUN = """async () => {
    const found = await axe.run({resultTypes: ['violations']});
    return found.violations.flatMap(rule => rule.nodes.map(node => {
        const part = document.querySelector(node.target[0]).closest('[data-testid]');
        return [rule.id, part ? part.dataset.testid : '', node.impact, node.html.slice(0, 160), node.failureSummary];
    }));
}"""
# Axe judges no letters over a picture: here each against the page, or the marks drawn under it.
# [letters, contrast] of the pale ones.
PALE_LETTERS = """() => {
    const rgba = text => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
    const over = ([r, g, b, a], ground) => [r, g, b].map((value, i) => a * value + (1 - a) * ground[i]);
    const light = colour => colour.map(value => value / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const page = over(rgba(getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor), [0, 0, 0]);
    const fill = part => {
        const style = getComputedStyle(part), [r, g, b, a] = rgba(style.fill);
        return [r, g, b, a * style.fillOpacity * style.opacity];
    };
    const pale = [];
    for (const picture of document.querySelectorAll('[data-testid=stVegaLiteChart] svg')) {
        for (const letters of picture.querySelectorAll('text')) {
            const box = letters.getBoundingClientRect();
            if (!letters.textContent.trim() || !box.width || getComputedStyle(letters).opacity === '0') continue;
            const middle = new DOMPoint(box.x + box.width / 2, box.y + box.height / 2);
            let ground = page;
            for (const mark of picture.querySelectorAll('.mark-rect path, .mark-area path, .mark-symbol path')) {
                const before = mark.compareDocumentPosition(letters) & Node.DOCUMENT_POSITION_FOLLOWING;
                const style = getComputedStyle(mark);
                if (!before || style.fill === 'none' || !style.fill.startsWith('rgb')) continue;
                if (mark.isPointInFill(middle.matrixTransform(mark.getScreenCTM().inverse())))
                    ground = over(fill(mark), ground);
            }
            const [high, low] = [light(over(fill(letters), ground)), light(ground)].sort((a, b) => b - a);
            const contrast = (high + 0.05) / (low + 0.05);
            if (contrast < 4.5) pale.push([letters.textContent, Math.round(contrast * 100) / 100]);
        }
    }
    return pale;
}"""
FITS = """() => [document.scrollingElement, document.querySelector('[data-testid=stMain]')]
    .every(part => part.scrollWidth <= part.clientWidth)"""
Found = set[tuple[str, str]]  # rule, piece of Streamlit's


@pytest.fixture(scope="module")
def centre(site: Site) -> Site:
    """The company after one night, with drift measured on two days: pages that have something to show."""
    with psycopg.connect(db.admin_conninfo(site.settings), autocommit=True) as owner:
        columns = "model_version, is_score, column_name, psi, shares, customers"
        owner.execute(  # the day before, for the picture by day
            f"INSERT INTO desk.model_drift ({columns}, measured_on) "  # noqa: S608 - column names
            f"SELECT {columns}, measured_on - 1 FROM desk.model_drift ON CONFLICT DO NOTHING"
        )
    return site


@pytest.fixture(scope="module")
def roles(centre: Site) -> dict[str, str]:
    """Somebody of each role."""
    with psycopg.connect(db.admin_conninfo(centre.settings)) as owner:
        found = owner.execute("SELECT role, min(staff_id) FROM desk.staff WHERE is_active GROUP BY role")
        return {str(role): str(who) for role, who in found}


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One tab for all pages, two screen points a pixel: half as wide it is a page at 200 %."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, device_scale_factor=2, locale="en-GB")
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def floor(tab: Page, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What Streamlit alone violates, by rule and piece, in either scheme, on a page without anything of ours."""
    folder, port = tmp_path_factory.mktemp("bare"), free_port()
    (folder / "bare.py").write_text(BARE)
    options = ["--server.headless=true", "--browser.gatherUsageStats=false", "--server.fileWatcherType=none"]
    running = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "bare.py", f"--server.port={port}", *options],
        cwd=folder, env=os.environ | {"HOME": str(folder)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _answers(f"http://127.0.0.1:{port}/_stcore/health", folder)
        tab.goto(f"http://127.0.0.1:{port}")
        expect(tab.get_by_test_id("stVegaLiteChart").locator("svg")).to_be_visible(timeout=60_000)
        settled(tab)
        found = {kind for scheme in SCHEMES for kind in violations(tab, scheme)}
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(30)
    _note(f"a bare page: {sorted(found)}")
    return {(rule, part) for rule, part in found if rule != "color-contrast"}


def violations(tab: Page, scheme: str) -> dict[tuple[str, str], str]:
    """What axe finds in a colour scheme: (rule, piece of Streamlit's) → impact, an element, what to do."""
    tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    app = "getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme"
    tab.wait_for_function(f"{app} === '{scheme}'")
    settled(tab)
    if not tab.evaluate("'axe' in window"):
        tab.evaluate(Axe().axe_script)
    return {(rule, part): " · ".join(told) for rule, part, *told in tab.evaluate(RUN)}


def holds(tab: Page, floor: Found) -> None:
    """The page as it stands: nothing beyond the bare page in either scheme, readable charts, no scrolling sideways."""
    expect(tab.get_by_test_id("stException")).to_have_count(0)
    for scheme in SCHEMES:
        found = violations(tab, scheme)
        assert {kind: told for kind, told in found.items() if kind not in floor} == {}, scheme
        assert tab.evaluate(PALE_LETTERS) == [], scheme
        _note(f"  {scheme}: Streamlit's own {sorted({rule for rule, _ in found})}")
    tab.set_viewport_size({"width": 683, "height": 384})
    tab.wait_for_function(FITS, timeout=10_000)  # charts are drawn anew for the new width
    tab.set_viewport_size({"width": 1366, "height": 768})


def opened(tab: Page, url: str, title: str) -> None:
    """Wait for a page, its pictures too."""
    tab.goto(url)
    expect(tab.get_by_role("heading", level=1, name=title, exact=True)).to_be_attached(timeout=60_000)
    expect(tab.locator("[data-test-script-state=notRunning]")).to_be_attached(timeout=60_000)
    settled(tab)
    expect(tab.get_by_test_id("stSkeleton")).to_have_count(0, timeout=30_000)
    _note(f"{url.rsplit('/', 1)[-1]}: {tab.get_by_test_id('stVegaLiteChart').count()} charts")


@pytest.mark.parametrize("stop", STOPS)
def test_no_page_violates_more_than_streamlit_itself(
    stop: str, tab: Page, centre: Site, roles: dict[str, str], floor: Found
) -> None:
    name = stop.partition("?")[0]
    title, _, allowed = PAGES[name]
    who = roles[FITTING.get(name, allowed[0])]
    opened(tab, f"{centre.url}/{stop}{'&' if '?' in stop else '?'}who={who}", title)
    holds(tab, floor)


def test_nor_does_the_desk_with_a_caller_before_and_after_the_offer(
    tab: Page, centre: Site, roles: dict[str, str], floor: Found
) -> None:
    account, _, name = a_customer(centre.settings)
    opened(tab, f"{centre.url}/desk?who={roles['agent']}&account={account}", "Desk")
    expect(tab.get_by_role("heading", level=2, name=name, exact=True)).to_be_visible(timeout=60_000)
    expect(tab.get_by_role("button", name="Skip: they will not say")).to_be_visible(timeout=30_000)
    holds(tab, floor)
    tab.get_by_role("radio", name="ours", exact=True).click()
    settled(tab)
    tab.get_by_role("button", name="Skip: they will not say").click()
    expect(tab.get_by_text(re.compile("You can say yes to"))).to_be_visible(timeout=30_000)
    holds(tab, floor)


def test_a_page_with_a_fault_of_ours_is_found_out(tab: Page, floor: Found) -> None:
    tab.set_content("<html lang=en><title>x</title><main><p style='color: #999'>pale</p><input></main>")
    tab.emulate_media(color_scheme="light")
    tab.evaluate(Axe().axe_script)
    found = {rule for rule, _, *_ in tab.evaluate(RUN)}
    assert {"color-contrast", "label"} <= found
    assert not {rule for rule, _ in floor} & {"color-contrast", "label"}


def _answers(url: str, folder: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own server
                return
        except OSError:
            assert time.monotonic() < deadline, f"the bare page in {folder} did not start"
            time.sleep(0.1)


def _note(line: str) -> None:
    """Into the run's file for docs/accessibility.md, where one is asked for by KEEPLINE_AXE_NOTES."""
    if notes := os.environ.get("KEEPLINE_AXE_NOTES"):
        with Path(notes).open("a") as file:
            file.write(f"{line}\n")
