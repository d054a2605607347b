"""Live sessions at the desk, each a call every thirty seconds.

    python -m tests.bench.bench_sessions [--sessions 1 10 25 50] [--seconds 12] [--processes 4]

Each agent finds the caller (two in three by screen-pop in a new tab, else by typing), hears the reason and fault, asks,
gives or refuses, ends; the clicks of a call are spread over its seconds, the agents' calls over one another. Measured
from sending a click to the end of the script's run with all that it drew; a screen-pop from opening the line. In the
same minutes, just before each level: a single idle session at the same desk, and a minimal Streamlit page (`st.write`
of a text input) with as many sessions clicking as often. First one process, then several behind nginx with sign-in.

Every grant an agent saw confirmed must stand in the ledger once, with the amount of the rung that was clicked, and
nothing else may: the exit code says so. CPU is of the server's processes, by click.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psutil
import psycopg

from churn import db
from churn.settings import PROJECT, Settings
from tests.balancer import Process, balanced, free_ports
from tests.bench import load_company
from tests.bench.agents import CLICKS, STEPS, Agent, Caller, Given
from tests.bench.report import figures, machine, p95
from tests.tabs import Address, Lost, NotOnScreen, Tab

MINIMAL = 'import streamlit as st\nst.write(st.text_input("Anything", key="typed"))\n'
GRANTS = "SELECT decision_id, entry_id, amount FROM desk.ledger WHERE kind = 'grant' AND staff_id LIKE 'L%'"
RUNGS = "SELECT decision_id, rung, amount FROM desk.decision_rungs"
FLOOR_SHARE = 0.4  # of the seconds of a level; the idle session has as long


@dataclass(slots=True)
class Level:
    """Milliseconds by step, the server's CPU milliseconds by click, and what went wrong."""

    steps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu: float = 0.0
    received: int = 0
    given: list[Given] = field(default_factory=list)
    warm: list[Given] = field(default_factory=list)  # given before it was measured
    refused: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def clicks(self) -> int:
        """How many runs were asked for."""
        return sum(map(len, self.steps.values()))


Floors = Callable[[int], tuple[Level, Level]]  # the minimal page with so many sessions, one session at the desk


def main() -> int:
    """0 when no grant is lost or doubled and no step failed."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--sessions", type=int, nargs="+", default=[1, 10, 25, 50])
    asked.add_argument("--seconds", type=float, default=12.0, help="of each level, at the least a call each")
    asked.add_argument("--every", type=float, default=30.0, help="seconds from one call of an agent to the next")
    asked.add_argument("--processes", type=int, default=4, help="behind the balancer; 0 leaves that part out")
    options = asked.parse_args()
    print(machine())
    given: list[Given] = []
    is_faultless = True
    with load_company.copied("sessions") as settings, tempfile.TemporaryDirectory(prefix="load-") as folder:
        Path(folder).chmod(0o755)
        ring = callers_in_turn(settings)
        with served(settings, Path(folder)) as (desk, pids), minimal_page(Path(folder)) as (page, page_pids):
            at = [(Address(desk), who) for who in load_company.agent_ids()]
            given += play(at[:2], ring, pids, seconds=0, every=0).given  # models loaded, pool filled
            idle_at_minimal(Address(page), page_pids, 2, seconds=2, every=1)

            def floors(n: int) -> tuple[Level, Level]:
                short = FLOOR_SHARE * options.seconds
                bare = idle_at_minimal(Address(page), page_pids, n, seconds=short, every=options.every)
                alone = play(at[-1:], ring, pids, seconds=short, every=0)
                given.extend(alone.given)
                return bare, alone

            for n in options.sessions:
                floor, idle = floors(n)
                busy = play(at[:n], ring, pids, seconds=options.seconds, every=options.every if n > 1 else 0)
                show(f"{n} sessions, one process", busy, floor, idle)
                given += busy.given
                is_faultless &= not busy.faults
            if options.processes:
                busy, (floor, idle) = behind_a_balancer(settings, Path(folder), ring, options, floors)
                show(f"{max(options.sessions)} sessions, {options.processes} processes behind nginx", busy, floor, idle)
                given += [*busy.warm, *busy.given]
                is_faultless &= not busy.faults
        is_exact = show_ledger(settings, given)
    return 0 if is_exact and is_faultless else 1


def callers_in_turn(settings: Settings) -> Iterator[Caller]:
    """One caller after the other; the threads of all agents may ask."""
    everybody, turn = load_company.callers(settings), count()
    return (everybody[i % len(everybody)] for i in turn)


def play(
    agents: Sequence[tuple[Address, str | None]], ring: Iterator[Caller], pids: Sequence[int], *, seconds: float,
    every: float,
) -> Level:  # fmt: skip
    """Agents at work for `seconds`, a call `every` so many seconds (0: one after the other), at least one each."""
    lock, level, before = threading.Lock(), Level(), cpu_of(pids)
    until = time.monotonic() + seconds

    def work(place: int) -> None:
        rng = random.Random(place)
        pause = every / (CLICKS + 1)
        agent = Agent(*agents[place], seed=place, pause=lambda: time.sleep(pause * rng.uniform(0.5, 1.5)))
        time.sleep(place * every / len(agents))
        for turn in count(place):
            began = time.monotonic()
            with lock:
                caller = next(ring)
            try:
                agent.call(caller, pops=turn % 3 != 0)
            except (Lost, NotOnScreen) as fault:
                agent.played.faults.append(f"{caller.customer_id}: {type(fault).__name__}: {fault}")
            time.sleep(max(0.0, began + every - time.monotonic()))
            if time.monotonic() >= until:
                break
        agent.close()
        with lock:
            for step, milliseconds in agent.played.steps:
                level.steps[step].append(milliseconds)
            level.given += agent.played.given
            level.faults += agent.played.faults
            level.refused += agent.played.refused
            level.received += agent.played.received

    together([threading.Thread(target=work, args=(place,)) for place in range(len(agents))])
    level.cpu = 1000 * (cpu_of(pids) - before) / level.clicks
    return level


def idle_at_minimal(at: Address, pids: Sequence[int], sessions: int, *, seconds: float, every: float) -> Level:
    """The floor: as many tabs of the minimal page, each used as often as an agent clicks: typed in, opened anew, …"""
    lock, level, before = threading.Lock(), Level(), cpu_of(pids)
    until = time.monotonic() + seconds
    pause = every / (CLICKS + 1) if sessions > 1 else 0.0

    def work(place: int) -> None:
        rng, opened, typed = random.Random(place), [], []
        time.sleep(pause * rng.uniform(0.0, 1.0))
        while not typed or time.monotonic() < until:
            began = time.perf_counter()
            tab = Tab(at)
            tab.run()
            opened.append(1000 * (time.perf_counter() - began))
            time.sleep(pause * rng.uniform(0.5, 1.5))
            typed.append(1000 * tab.type(f"{place} {len(typed)}", key="typed"))
            tab.close()
            time.sleep(pause * rng.uniform(0.5, 1.5))
        with lock:
            level.steps["pop"] += opened
            level.steps["rerun"] += typed

    together([threading.Thread(target=work, args=(place,)) for place in range(sessions)])
    level.cpu = 1000 * (cpu_of(pids) - before) / level.clicks
    return level


def behind_a_balancer(
    settings: Settings, folder: Path, ring: Iterator[Caller], options: argparse.Namespace, floors: Floors
) -> tuple[Level, tuple[Level, Level]]:
    """The most sessions of all over several processes, everybody signed in; and the floors taken just before."""
    people = [load_company.sign_in_of(who) for who in load_company.agent_ids()][: max(options.sessions)]
    with balanced(settings, folder, people, processes=options.processes) as many, ThreadPoolExecutor(4) as pool:
        at: list[tuple[Address, str | None]] = [(one, None) for one in pool.map(many.sign_in, people)]
        pids = [process.running.pid for process in many.processes]
        warm = play(at[: 4 * options.processes], ring, pids, seconds=0, every=0)  # with luck some at every process
        beside = floors(len(people))
        busy = play(at, ring, pids, seconds=options.seconds, every=options.every)
        busy.warm = warm.given
        return busy, beside


def show(title: str, busy: Level, floor: Level, idle: Level) -> None:
    """One line a step, with ratios to the minimal page and to the idle session."""
    print(
        f"\n{title}: {busy.clicks} clicks, {len(busy.given)} given, {busy.refused} refused, {len(busy.faults)} faults"
    )
    print(f"{'':10}{'n':>5}   ratio to the minimal page, and to the idle session at the desk")
    for step in STEPS:
        if busy.steps.get(step):
            of_floor = floor.steps["pop" if step == "pop" else "rerun"]
            told = figures(busy.steps[step], of_floor, idle.steps.get(step, []))
            print(f"{step:10}{len(busy.steps[step]):5}   {told}")
    print(f"minimal   {'':5}   pop {p95(floor.steps['pop']):.1f} ms p95, rerun {p95(floor.steps['rerun']):.1f} ms p95")
    print(
        f"CPU of a click {busy.cpu:.1f} ms, idle {idle.cpu:.1f} ms, minimal page {floor.cpu:.1f} ms "
        f"({busy.cpu / floor.cpu:.1f}x); {busy.received / busy.clicks / 1024:.0f} KB sent a click"
    )
    for fault in busy.faults[:5]:
        print(f"FAULT {fault[:300]}")


def show_ledger(settings: Settings, given: Sequence[Given]) -> bool:
    """Whether what the agents saw confirmed is what the ledger has: each once, and in sum."""
    with psycopg.connect(db.admin_conninfo(settings)) as connection:
        rows = connection.execute(GRANTS).fetchall()
        shown = {(decision, rung): amount for decision, rung, amount in connection.execute(RUNGS)}
    wanted = sorted((one.entry_id, one.decision_id, shown[one.decision_id, one.rung]) for one in given)
    kept = sorted((entry, decision, amount) for decision, entry, amount in rows)
    print(
        f"\nledger: {len(given)} confirmed, {len(kept)} entries, "
        f"sum {sum(amount for *_, amount in kept):,} of {sum(amount for *_, amount in wanted):,}: "
        f"{'each once, none lost' if kept == wanted else 'THEY DIFFER'}"
    )
    return kept == wanted


@contextmanager
def served(settings: Settings, folder: Path) -> Iterator[tuple[int, list[int]]]:
    """One process of the app in local mode: its port and process id."""
    environment = os.environ | {"KEEPLINE_HOME": str(settings.home), "KEEPLINE_SECRETS": str(folder / "none.toml")}
    app = Process(free_ports(1)[0], settings.database, folder, environment)
    app.start()
    try:
        app.wait()
        yield app.port, [app.running.pid]
    finally:
        app.stop()


@contextmanager
def minimal_page(folder: Path, script: str = MINIMAL) -> Iterator[tuple[int, list[int]]]:
    """The floor's own process, set up as the app is: its port and process id."""
    (folder / "minimal.py").write_text(script)
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "streamlit", "run", str(folder / "minimal.py"), "--server.port", str(port)]
    running = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                tab = Tab(Address(port))
                tab.run()
                tab.close()
                break
            except Lost:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield port, [running.pid]
    finally:
        running.terminate()
        running.wait(20)


def cpu_of(pids: Sequence[int]) -> float:
    """Seconds of CPU the processes have had."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def together(threads: Sequence[threading.Thread]) -> None:
    """Start all, and wait for all."""
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
