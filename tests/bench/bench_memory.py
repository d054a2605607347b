"""Memory of one process: of a live session, and over the calls of a working day, where growth must level off.

    python -m tests.bench.bench_memory [--calls 960] [--agents 8] [--live 50]

Eight hours of one agent at a call every thirty seconds are 960 calls; here they come one after the other, two in three
by a screen-pop in a new tab, with the tab before closed. Streamlit keeps up to 128 closed tabs for ten minutes, so the
first calls always cost memory: the slope is that of the last half. The floor is the same process before its first
caller, models loaded. Exit code 1 when the last half grows by more than 4 KB a call (4 MB in such a day).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil

from tests.bench import load_company
from tests.bench.agents import Agent, Caller
from tests.bench.bench_sessions import callers_in_turn, served, together
from tests.bench.report import machine
from tests.tabs import Address, Lost, NotOnScreen

MOST_KB_A_CALL = 4.0
POINTS = 24  # measurements over the calls


def main() -> int:
    """0 when growth levels off and no call failed."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--calls", type=int, default=960)
    asked.add_argument("--agents", type=int, default=8)
    asked.add_argument("--live", type=int, default=50, help="sessions open at once for the figure of one")
    options = asked.parse_args()
    print(machine())
    with load_company.copied("memory") as settings, tempfile.TemporaryDirectory(prefix="load-") as folder:
        Path(folder).chmod(0o755)
        ring = callers_in_turn(settings)
        with served(settings, Path(folder)) as (port, (pid,)):
            began = megabytes(pid)
            faults = play(Address(port), ring, 1, 1, lambda _: None)
            floor = megabytes(pid)
            print(f"started {began:.0f} MB, models loaded and one call played {floor:.0f} MB: the floor")
            show_sessions(Address(port), ring, pid, options.live)
            points: list[tuple[int, float]] = []
            step = max(1, options.calls // POINTS)

            def measure(done: int) -> None:
                if done % step == 0:
                    points.append((done, megabytes(pid)))
                    print(f"{done:7,} calls  {points[-1][1]:7.1f} MB  {points[-1][1] / floor:5.2f}x", flush=True)

            at = time.monotonic()
            faults += play(Address(port), ring, options.agents, options.calls, measure)
            seconds = time.monotonic() - at
    last = np.array(points[len(points) // 2 :])
    slope = 1024 * float(np.polyfit(last[:, 0], last[:, 1], 1)[0])
    print(
        f"{options.calls:,} calls, {options.calls / 960:.1f} days of an agent, in {seconds:.0f} s: last half "
        f"{slope:+.2f} KB a call, {slope * 960 / 1024:+.1f} MB a day of an agent"
    )
    for fault in faults[:5]:
        print(f"FAULT {fault[:300]}")
    return 1 if faults or slope > MOST_KB_A_CALL else 0


def show_sessions(at: Address, ring: Iterator[Caller], pid: int, live: int) -> None:
    """Open so many tabs, each with a caller's card and a ladder, and say what one of them holds."""
    agents = [Agent(at, who) for who in load_company.agent_ids()[:live]]
    before = megabytes(pid)
    for agent in agents:
        agent.find(next(ring))
        agent.hear()
        agent.ask(10.0)
    held = megabytes(pid) - before
    print(f"{live} live sessions with card and ladder: {held:.0f} MB, {1024 * held / live:.0f} KB each")
    for agent in agents:
        agent.end()
        agent.close()


def play(at: Address, ring: Iterator[Caller], agents: int, calls: int, measure: Callable[[int], None]) -> list[str]:
    """So many calls by so many agents at once, without a pause; what went wrong."""
    lock, faults, done = threading.Lock(), list[str](), 0

    def work(place: int) -> None:
        nonlocal done
        agent = Agent(at, load_company.agent_ids()[place], seed=place)
        for turn in range(place, place + calls // agents):
            with lock:
                caller = next(ring)
            try:
                agent.call(caller, pops=turn % 3 != 0)
            except (Lost, NotOnScreen) as fault:
                agent.played.faults.append(f"{caller.customer_id}: {type(fault).__name__}: {fault}")
            with lock:
                done += 1
                measure(done)
        agent.close()
        faults.extend(agent.played.faults)

    together([threading.Thread(target=work, args=(place,)) for place in range(agents)])
    return faults


def megabytes(pid: int) -> float:
    """Resident memory."""
    return float(psutil.Process(pid).memory_info().rss) / 2**20


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
