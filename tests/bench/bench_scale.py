"""What a night costs by the number of customers, beside the floor of reading the same tables once.

    python -m tests.bench.bench_scale [--customers 10000 100000] [--months 24] [--engines local dask] [--night]

Each company is a database of its own, `scale_N`, on the server the settings name; it is made where it is not there yet
and kept, so a second run measures only. The floor, taken in the same run: a sequential scan of every table the features
read, in one process, and COPY of all scores out. Every step runs in a process of its own: seconds, the processor time
of that process and of its database connections, and its peak memory. `per customer` is held against the smallest
company of the run. With `--night` every step of the night is measured besides, and training.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg import sql

from churn import db, night, registry, scoring, training
from churn.commands import company, shared
from churn.settings import Settings, read_settings
from tests.bench.report import machine

TABLES = ("customers", "subscriptions", "contacts", "invoices", "usage", "concessions")
Planned = tuple[str, Callable[..., str], tuple[Any, ...]]
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Took:
    """What one step took, and what it came to."""

    seconds: float
    cpu: float  # of the process, of Postgres too where it is told
    peak_mb: float
    said: str


def floor(settings: Settings) -> str:
    """Read every table the features read, front to back, and take all scores out."""
    with psycopg.connect(db.admin_conninfo(settings)) as connection:
        connection.execute("SET max_parallel_workers_per_gather = 0")
        rows = 0
        for name in TABLES:
            read = sql.SQL("SELECT count(t) FROM (SELECT x AS t FROM {} x OFFSET 0) k").format(
                sql.Identifier("feed", name)
            )
            rows += cast(tuple[int], connection.execute(read).fetchone())[0]
        with connection.cursor().copy("COPY desk.scores TO STDOUT") as copy:
            taken = sum(len(block) for block in copy)
        return f"{rows:,} rows, {taken / 1e6:.0f} MB out"


def full(settings: Settings, engine: Any = "local") -> str:
    """Everyone, whether or not anything changed."""
    return str(scoring.score_everyone(settings, progress=_silent, is_full=True, engine=engine))


def again(settings: Settings) -> str:
    """Nothing has changed since."""
    return str(scoring.score_everyone(settings, progress=_silent))


def day_later(settings: Settings) -> str:
    """A day has passed and nothing new came in."""
    with db.connect(settings, "batch") as connection:
        connection.execute("UPDATE desk.company SET data_until = data_until + interval '1 day'")
    return again(settings)


def train(settings: Settings) -> str:
    """All models, fitted and judged."""
    made = training.train(settings, progress=_silent, by="bench")
    return ", ".join(f"{one.kind} {'refused' if one.refusal else 'ok'}" for one in made)


def has_model(settings: Settings) -> bool:
    """Whether there is a risk model to score by."""
    with db.connect(settings, "batch") as connection:
        return "risk" in registry.current(connection)


def step(settings: Settings, name: str) -> str:
    """One step of the night."""
    (found,) = (one for one in night.steps() if one.name == name)
    return str(found.act(settings, _silent))


def make(settings: Settings, customers: int, months: int) -> str:
    """A simulated company, written whole, its policy in force."""
    company.simulate(settings, customers=customers, months=months, seed=7, progress=shared.Progress())
    company.install_policy(settings, shared.Progress())
    return f"{scoring.sync_directory(settings, progress=_silent):,} customers"


def measured(act: Callable[..., str], *asked: Any) -> Took:
    """The step in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_timed, act, asked).result()


def _timed(act: Callable[..., str], asked: tuple[Any, ...]) -> Took:
    settings: Settings = asked[0]
    began, cpu = time.perf_counter(), _cpu_of_us() + _cpu_of_postgres(settings)
    said = act(*asked)
    seconds, cpu = time.perf_counter() - began, _cpu_of_us() + _cpu_of_postgres(settings) - cpu
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return Took(seconds, cpu, peak / 1024, said)


def _cpu_of_us() -> float:
    """Seconds of this process, what it imported before the step included, and of its children that ended."""
    used = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(one.ru_utime + one.ru_stime for one in used)


def _cpu_of_postgres(settings: Settings) -> float:
    """Seconds the embedded server has used, those of its processes that ended among them; 0 for another server."""
    pid_file = settings.home / "cluster/postmaster.pid"
    if settings.database_url or not pid_file.exists():
        return 0.0
    postmaster = pid_file.read_text().split()[0]
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, rest = stat.read_text().partition(" ")
        except OSError:  # it ended meanwhile
            continue
        fields = rest.rpartition(")")[2].split()
        if pid == postmaster:
            total += sum(map(int, fields[11:15]))
        elif fields[1] == postmaster:
            total += sum(map(int, fields[11:13]))
    return total / TICKS


def _silent(_: str) -> None:
    """Tell nobody."""


def main() -> None:
    """Every company asked for, smallest first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--customers", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--engines", nargs="+", default=["local", "dask"])
    parser.add_argument("--night", action="store_true", help="training and every step of the night too")
    asked = parser.parse_args()
    print(machine())
    smallest: dict[str, float] = {}
    for customers in sorted(asked.customers):
        settings = replace(read_settings(), database=f"scale_{customers}")
        print(f"\n{customers:,} customers")
        print(f"{'':34}{'s':>9}{'cpu s':>9}{'µs a customer':>15}{'to smallest':>13}{'to floor':>10}{'MB':>7}")
        at_floor = 0.0
        for name, act, rest in _plan(settings, customers, asked):
            took = measured(act, settings, *rest)
            at_floor = took.seconds if name == "floor" else at_floor
            each = took.cpu / customers * 1e6
            told = (
                f"{name:34}{took.seconds:9.1f}{took.cpu:9.1f}{each:15.0f}{each / smallest.setdefault(name, each):13.2f}"
            )
            print(
                f"{told}{took.seconds / at_floor if at_floor else 0:10.1f}{took.peak_mb:7.0f}   {took.said}", flush=True
            )


def _plan(settings: Settings, customers: int, asked: argparse.Namespace) -> list[Planned]:
    steps: list[Planned] = []
    db.create_database(settings)
    with db.connect(settings, "batch") as connection:
        is_made = connection.execute("SELECT count(*) FROM desk.company").fetchone() == (1,)
    if not is_made:
        steps.append(("generate and write", make, (customers, asked.months)))
    if asked.night or not is_made or not has_model(settings):
        steps.append(("train", train, ()))
    steps += [("score everyone, first time", full, ("local",)), ("floor", floor, ())]
    steps += [(f"score everyone, {engine}", full, (engine,)) for engine in asked.engines]
    steps += [("score, nothing changed", again, ()), ("score, a day later", day_later, ())]
    if asked.night:
        steps += [(f"night: {one.name}", step, (one.name,)) for one in night.steps() if one.name != night.SCORES]
    return steps


if __name__ == "__main__":
    main()
