"""To the first picture of each page that has one, in a real browser, beside a page of one picture.

    python -m tests.bench.bench_charts [--database scale_1000000] [--runs 7] [--pages trends voice …]

On a company as it stands, its night passed (`bench_scale` makes companies by size; KEEPLINE_HOME says where they are
kept). `click`: from the menu of an open tab, which the bar is for. `new tab`: from the address, Streamlit's own scripts
begun anew; its floor is a page of one fixed chart, opened in turn. `run` is the whole page at the server, over its own
line. `database` is what the statements of one opening took in Postgres, all added up, from its own log.
"""

from __future__ import annotations

import argparse
import logging
import re
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import psycopg
from playwright.sync_api import BrowserContext, sync_playwright
from psycopg import sql

from churn import bootstrap, db
from churn.settings import Settings, read_settings
from tests.bench.bench_pages import by_role, first_run
from tests.bench.bench_sessions import minimal_page, served
from tests.bench.report import figures, machine
from tests.browser.conftest import ARGUMENTS
from tests.tabs import Address, Tab

WARM = 2
REST = 1_000  # milliseconds: a run may still go on, and the next one is not to meet it
BAR_SECONDS = 1.5
FIRST_PICTURE = "[data-testid=stVegaLiteChart] :is(canvas, svg)"
ONE_CHART = """
import streamlit as st
st.vega_lite_chart({"data": {"values": [{"x": i, "y": i * i % 7} for i in range(24)]}, "mark": "line",
                    "encoding": {"x": {"field": "x"}, "y": {"field": "y"}}})
"""
# page → role of whoever looks
PAGES = {
    "trends": "leader",
    "voice": "leader",
    "volume": "leader",
    "team": "leader",
    "spend": "finance",
    "models": "analyst",
}
DURATION = re.compile(r"duration: ([\d.]+) ms")


def main() -> int:
    """0 when every page's first picture stood within the bar, on the median."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--database", default="scale_1000000")
    asked.add_argument("--runs", type=int, default=7)
    asked.add_argument("--pages", nargs="+", choices=list(PAGES), default=list(PAGES))
    options = asked.parse_args()
    logging.disable(logging.WARNING)  # Streamlit misses its server here
    settings = read_settings(options.database)
    print(machine())
    late = []
    with (
        tempfile.TemporaryDirectory(prefix="load-") as folder,
        every_statement_logged(settings),
        served(settings, Path(folder)) as (port, _),
        minimal_page(Path(folder), ONE_CHART) as (bare, _),
        sync_playwright() as playwright,
    ):
        Path(folder).chmod(0o755)
        people = by_role(settings)
        chromium = playwright.chromium.launch(executable_path=bootstrap.ensure_chromium(), args=ARGUMENTS)
        context = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="en-GB")
        for name in options.pages:
            who = people[PAGES[name]]
            opened = Opened(context, port, bare, name, who, settings)
            if not one_page(opened, options.runs):
                late.append(name)
        chromium.close()
    for name in late:
        print(f"LATE {name}: the first picture after more than {BAR_SECONDS} s")
    return 1 if late else 0


@dataclass(frozen=True)
class Opened:
    """A page, for whom, and where it and the bare one are served."""

    context: BrowserContext
    port: int
    bare: int
    name: str
    who: str
    settings: Settings

    def address(self, page: str) -> str:
        """Where a page of ours is."""
        return f"http://127.0.0.1:{self.port}/{page}?{urlencode({'who': self.who})}"


def one_page(opened: Opened, runs: int) -> bool:
    """Print a page's line; whether it kept the bar."""
    bare, own = f"http://127.0.0.1:{opened.bare}/", opened.address(opened.name)
    for _ in range(WARM):
        first_picture(opened.context, own)
    took, floor, whole, queries = [], [], [], []
    for _ in range(runs):
        floor.append(first_picture(opened.context, bare))
        took.append(first_picture(opened.context, own))
        with statements(opened.settings) as found:
            whole.append(first_run(lambda: Tab(Address(opened.port), opened.name, urlencode({"who": opened.who}))))
        queries.append(found())
    clicks = by_the_menu(opened, runs)
    database = statistics.median(sum(each) for each in queries)
    print(
        f"{opened.name:7} click {figures(clicks)}   new tab {figures(took, floor)}\n"
        f"        run {figures(whole)}   database {database:5.0f} ms in "
        f"{statistics.median(len(each) for each in queries):3.0f} statements, "
        f"run {statistics.median(whole) / database:.1f}x"
    )
    return statistics.median(clicks) <= 1000 * BAR_SECONDS


def first_picture(context: BrowserContext, address: str) -> float:
    """Milliseconds from asking for the address in a new tab to the first picture on the screen."""
    page = context.new_page()
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector(FIRST_PICTURE, state="visible", timeout=60_000)
    took = 1000 * (time.perf_counter() - began)
    page.wait_for_timeout(REST)
    page.close()
    return took


def by_the_menu(opened: Opened, runs: int) -> list[float]:
    """Milliseconds from a click in the menu, in a tab that shows a page without pictures, to the first picture."""
    page, took = opened.context.new_page(), []
    page.goto(opened.address("help"))
    for _ in range(runs):
        page.wait_for_selector(FIRST_PICTURE, state="detached", timeout=60_000)
        page.wait_for_timeout(REST)
        link = page.get_by_role("link", name=opened.name.capitalize(), exact=True)
        began = time.perf_counter()
        link.click()
        page.wait_for_selector(FIRST_PICTURE, state="visible", timeout=60_000)
        took.append(1000 * (time.perf_counter() - began))
        page.wait_for_timeout(REST)
        page.get_by_role("link", name="Help", exact=True).click()
    page.close()
    return took


@contextmanager
def every_statement_logged(settings: Settings) -> Iterator[None]:
    """The server writes down how long each statement of this database took, while this runs."""
    name = sql.Identifier(settings.database)
    with psycopg.connect(db.admin_conninfo(settings, "postgres"), autocommit=True) as server:
        server.execute(sql.SQL("ALTER DATABASE {} SET log_min_duration_statement = 0").format(name))
        try:
            yield
        finally:
            server.execute(sql.SQL("ALTER DATABASE {} RESET log_min_duration_statement").format(name))


@contextmanager
def statements(settings: Settings) -> Iterator[Callable[[], list[float]]]:
    """Milliseconds of every statement within."""
    log = settings.home / "postgres.log"
    began = log.stat().st_size

    def found() -> list[float]:
        with log.open("rb") as file:
            file.seek(began)
            return [float(took) for took in DURATION.findall(file.read().decode(errors="replace"))]

    yield found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
