"""From the address to the first picture of each page that has one, in a real browser, beside a page of one picture.

    python -m tests.bench.bench_charts [--database scale_1000000] [--runs 7] [--pages trends voice …]

On a company as it stands, its night passed (`bench_scale` makes companies by size; KEEPLINE_HOME says where they are
kept). The server has shown each page twice before, the browser keeps the scripts it has: what is left is the run,
its queries, and drawing. The floor is a page of one fixed chart, opened in turn. `database` is what the statements of
one such opening took in Postgres, all added up, from its own log; `queries` how many they were.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import psycopg
from playwright.sync_api import BrowserContext, sync_playwright
from psycopg import sql

from churn import bootstrap, db
from churn.settings import Settings, read_settings
from tests.bench.bench_pages import by_role
from tests.bench.bench_sessions import minimal_page, served
from tests.bench.report import figures, machine
from tests.browser.conftest import ARGUMENTS

WARM = 2
BAR_SECONDS = 1.5
FIRST_PICTURE = "[data-testid=stVegaLiteChart] :is(canvas, svg)"
ONE_CHART = """
import streamlit as st
st.vega_lite_chart({"data": {"values": [{"x": i, "y": i * i % 7} for i in range(24)]}, "mark": "line",
                    "encoding": {"x": {"field": "x"}, "y": {"field": "y"}}})
"""
# page → role of whoever looks, what the address says besides
PAGES: dict[str, tuple[str, dict[str, str]]] = {
    "trends": ("leader", {}),
    "trends, narrowed": ("leader", {"by": "region", "curves": "plan"}),
    "voice": ("leader", {}),
    "voice, topics": ("leader", {"view": "Topics"}),
    "volume": ("leader", {}),
    "volume, changes": ("leader", {"view": "What changes brought"}),
    "team": ("leader", {}),
    "spend": ("finance", {}),
    "models": ("analyst", {}),
}
DURATION = re.compile(r"duration: ([\d.]+) ms")


def main() -> int:
    """0 when every page's first picture stood within the bar, on the median."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--database", default="scale_1000000")
    asked.add_argument("--runs", type=int, default=7)
    asked.add_argument("--pages", nargs="+", choices=list(PAGES), default=list(PAGES))
    options = asked.parse_args()
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
            role, said = PAGES[name]
            address = f"http://127.0.0.1:{port}/{name.partition(',')[0]}?{urlencode({'who': people[role], **said})}"
            floor = f"http://127.0.0.1:{bare}/"
            if not one_page(name, context, address, bare=floor, settings=settings, runs=options.runs):
                late.append(name)
        chromium.close()
    for name in late:
        print(f"LATE {name}: the first picture after more than {BAR_SECONDS} s")
    return 1 if late else 0


def one_page(name: str, context: BrowserContext, address: str, *, bare: str, settings: Settings, runs: int) -> bool:
    """Print a page's line; whether it kept the bar."""
    for _ in range(WARM):
        first_picture(context, address)
    took, floor, queries = [], [], []
    for _ in range(runs):
        floor.append(first_picture(context, bare))
        with statements(settings) as found:
            took.append(first_picture(context, address))
        queries.append(found())
    database = statistics.median(sum(each) for each in queries)
    print(
        f"{name:17} {figures(took, floor)}   database {database:6.0f} ms in "
        f"{statistics.median(len(each) for each in queries):3.0f} queries, {statistics.median(took) / database:4.1f}x"
    )
    return statistics.median(took) <= 1000 * BAR_SECONDS


def first_picture(context: BrowserContext, address: str) -> float:
    """Milliseconds from asking for the address in a new tab to the first picture on the screen."""
    page = context.new_page()
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector(FIRST_PICTURE, state="visible", timeout=60_000)
    took = 1000 * (time.perf_counter() - began)
    page.wait_for_timeout(300)  # its run may still go on; the next one is not to meet it
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
