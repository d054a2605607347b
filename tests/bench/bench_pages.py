"""Every page's first run and rerun, by somebody of a role that may see it, beside a minimal Streamlit page.

    python -m tests.bench.bench_pages [--runs 12] [--pages desk team …]

On the company of the benches with one night passed. `first`: a new tab, from opening the line to the end of the run,
everything loaded already; `rerun`: the whole page run again. Tabs of the minimal page are opened and run in turn with
the page's own, so both meet the same machine. CPU is of the server's process, by run; KB is what one rerun sends.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import psycopg

from churn import db
from churn.settings import Settings
from tests.bench import load_company
from tests.bench.bench_sessions import cpu_of, minimal_page, served
from tests.bench.report import figures, machine
from tests.tabs import Address, Tab

WARM = 2  # tabs before the first that counts: what is cached by version is cached then


def main() -> int:
    """0 when no page showed an error."""
    logging.disable(logging.WARNING)  # Streamlit misses its server here
    from churn.ui.gate import PAGES

    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--runs", type=int, default=12)
    asked.add_argument("--pages", nargs="+", choices=list(PAGES), default=list(PAGES))
    options = asked.parse_args()
    print(machine())
    print("ratios: to the same figure of the minimal page")
    faults = []
    with load_company.copied("pages") as settings, tempfile.TemporaryDirectory(prefix="load-") as folder:
        Path(folder).chmod(0o755)
        people = by_role(settings)
        caller = load_company.callers(settings)[0]
        with served(settings, Path(folder)) as (port, pids), minimal_page(Path(folder)) as (bare, bare_pids):
            for page in options.pages:
                query = {"who": people[PAGES[page][2][0]]} | ({"ani": caller.phone} if page == "desk" else {})
                asked_for = (Address(port), page, urlencode(query))
                faults += one_page(
                    page, lambda a=asked_for: Tab(*a), pids, bare=Address(bare), bare_pids=bare_pids, runs=options.runs
                )
    for fault in faults:
        print(f"FAULT {fault[:300]}")
    return 1 if faults else 0


def one_page(
    page: str, opened: Callable[[], Tab], pids: list[int], *, bare: Address, bare_pids: list[int], runs: int
) -> list[str]:
    """Print a page's two lines; the errors it showed."""
    for _ in range(WARM):
        tab = opened()
        tab.run()
        tab.close()
    first, floor_first = [], []
    for _ in range(max(4, runs // 3)):
        floor_first.append(first_run(lambda: Tab(bare)))
        first.append(first_run(opened))
    tab, floor = opened(), Tab(bare)
    tab.run()
    floor.run()
    before, sent = (cpu_of(pids), cpu_of(bare_pids)), tab.received
    again, floor_again = [], []
    for _ in range(runs):
        floor_again.append(1000 * floor.run())
        again.append(1000 * tab.run())
    cpu = [1000 * (now - then) / runs for now, then in zip((cpu_of(pids), cpu_of(bare_pids)), before, strict=True)]
    print(f"{page:10} first   {figures(first, floor_first)}")
    print(
        f"{'':10} rerun   {figures(again, floor_again)}   CPU {cpu[0]:5.1f} ms of {cpu[1]:4.1f}   "
        f"{(tab.received - sent) / runs / 1024:4.0f} KB"
    )
    faults = [f"{page}: {fault}" for fault in tab.faults()]
    tab.close()
    floor.close()
    return faults


def first_run(opened: Callable[[], Tab]) -> float:
    """Milliseconds of a tab's first run, with opening its line."""
    began = time.perf_counter()
    tab = opened()
    tab.run()
    milliseconds = 1000 * (time.perf_counter() - began)
    tab.close()
    return milliseconds


def by_role(settings: Settings) -> dict[str, str]:
    """One member of staff of every role."""
    with psycopg.connect(db.admin_conninfo(settings)) as connection:
        rows = connection.execute("SELECT role, min(staff_id) FROM desk.staff WHERE is_active GROUP BY role")
        return dict(rows.fetchall())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
