"""Grants per second through the whole gateway, beside a bare INSERT + UPDATE transaction in the same run.

    python -m tests.bench.bench_ledger [seconds]

A server of its own in a temporary folder, fsync on, 32 clients in 8 processes. Each round measures the bare transaction
and the gateway one after the other, three rounds; ratios are of the medians. *bare* is what an application without a
gateway would send: BEGIN, INSERT, UPDATE … WHERE it fits, COMMIT, prepared. *bare, one call* is the same two rows
written by one function in one round trip: the fastest any database function could be.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

CLIENTS, PROCESSES, ROUNDS = 32, 8, 3
BARS = {1: 0.35, 16: 0.25}

BARE = """
CREATE SCHEMA IF NOT EXISTS bare;
CREATE TABLE bare.entries (
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key uuid UNIQUE, customer text, budget int, amount bigint,
    given_at timestamptz DEFAULT now());
CREATE TABLE bare.budgets (budget int PRIMARY KEY, most bigint, spent bigint) WITH (fillfactor = 50);
INSERT INTO bare.budgets SELECT b, 1000000000000, 0 FROM generate_series(0, 31) b;
CREATE FUNCTION bare.give(_customer text, _budget int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE _id bigint;
BEGIN
    INSERT INTO bare.entries (key, customer, budget, amount) VALUES (gen_random_uuid(), _customer, _budget, 100)
    RETURNING entry_id INTO _id;
    UPDATE bare.budgets SET spent = spent + 100 WHERE budget = _budget AND most - spent >= 100;
    RETURN _id;
END $$;
GRANT USAGE ON SCHEMA bare TO keepline;
GRANT ALL ON ALL TABLES IN SCHEMA bare TO keepline;
GRANT EXECUTE ON FUNCTION bare.give TO keepline;
"""

# Decisions as record_decision would leave them, in bulk: storing them is not what is measured.
OFFERS = """
WITH made AS (
    INSERT INTO desk.cases (staff_id, customer_id, opened_by)
    SELECT 'agent' || (i %% 32), %(prefix)s || i, 'search' FROM generate_series(0, %(count)s - 1) i
    RETURNING case_id, staff_id, customer_id),
decided AS (
    INSERT INTO desk.decisions (decision_id, case_id, customer_id, staff_id, session_id, team, policy_version, currency,
        rolling_cap, rolling_days, given_elsewhere, receipt, sha256, decided_at, expires_at)
    SELECT gen_random_uuid(), case_id, customer_id, staff_id, 1, NULL, %(version)s, 'GBP', 30000, 365, 0, '{}', '',
           now(), now() + interval '1 hour'
    FROM made RETURNING decision_id, staff_id, customer_id),
rungs AS (
    INSERT INTO desk.decision_rungs (decision_id, rung, lever, instrument, amount, ceiling)
    SELECT decision_id, 0, 'credit', 'bill_credit', 100, 20000 FROM decided),
known AS (INSERT INTO desk.ledger_customers SELECT customer_id FROM decided)
SELECT staff_id, array_agg(decision_id) AS keys FROM decided GROUP BY 1
"""


def main(seconds: float) -> int:
    """Measure, print, and say 1 when a bar is missed."""
    with tempfile.TemporaryDirectory(prefix="keepline-bench-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        os.environ |= {"KEEPLINE_HOME": f"{folder}/home", "KEEPLINE_DATABASE": "bench", "KEEPLINE_FSYNC": "on"}
        os.environ.pop("DATABASE_URL", None)
        from churn.postgres.server import release_server
        from churn.settings import read_settings

        try:
            return max([measure(teams, seconds) for teams in BARS])
        finally:
            release_server(read_settings())


def measure(teams: int, seconds: float) -> int:
    """One arrangement: all clients on `teams` budgets."""
    from churn import db, ledger
    from churn.settings import read_settings
    from tests.ledger_world import build

    settings = read_settings()
    with psycopg.connect(db.admin_conninfo(settings, "postgres"), autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS bench")
    db.create_database(settings)
    database = db.open_database(settings, size=2)
    rates: dict[str, list[float]] = {"bare": [], "bare, one call": [], "gateway": []}
    with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as owner:
        owner.execute(BARE)
        world = build(database, owner, budget=None, teams=teams)
        for team in range(teams):
            world.budget(10**12, team=f"team{team}")
        tokens = {f"agent{i}": world[f"agent{i}"].token for i in range(CLIENTS)}
        conninfo = db.app_conninfo(settings)
        for number in range(ROUNDS):
            offers = {
                row["staff_id"]: row["keys"]
                for row in owner.cursor(row_factory=dict_row).execute(
                    OFFERS, {"prefix": f"R{number}-", "count": int(4000 * seconds), "version": world.version}
                )
            }
            owner.execute("ANALYZE")
            jobs = {
                "bare": [(bare, conninfo, i % teams, None) for i in range(CLIENTS)],
                "bare, one call": [(bare_call, conninfo, i % teams, None) for i in range(CLIENTS)],
                "gateway": [(gateway, conninfo, tokens[f"agent{i}"], offers[f"agent{i}"]) for i in range(CLIENTS)],
            }
            for name in random.sample(list(jobs), len(jobs)):
                rates[name].append(together(jobs[name], seconds))
        assert ledger.reconcile(database) == []
    database.close()
    middle = {name: statistics.median(found) for name, found in rates.items()}
    ratio, bar = middle["gateway"] / middle["bare"], BARS[teams]
    print(f"{CLIENTS} clients on {teams} budget{'s'[: teams > 1]}")
    for name, rate in middle.items():
        print(f"  {name:16}{rate:8.0f} /s   {[round(r) for r in rates[name]]}")
    print(
        f"  gateway / bare  {ratio:8.2f}      bar {bar}   {'kept' if ratio >= bar else 'MISSED'}"
        f"      (/ one call: {middle['gateway'] / middle['bare, one call']:.2f})"
    )
    return int(ratio < bar)


def together(jobs: Sequence[tuple[Any, ...]], seconds: float) -> float:
    """All clients at once; how many they did in a second."""
    context = multiprocessing.get_context("fork")
    start, counts = context.Barrier(CLIENTS + 1), context.Queue()
    share = CLIENTS // PROCESSES
    workers = [
        context.Process(target=_worker, args=(jobs[i * share : (i + 1) * share], start, counts, seconds))
        for i in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    start.wait()
    rate = sum(counts.get() for _ in range(CLIENTS)) / seconds
    for worker in workers:
        worker.join()
    return rate


def _worker(jobs: Sequence[tuple[Any, ...]], start: Any, counts: Any, seconds: float) -> None:
    threads = [threading.Thread(target=_client, args=(job, start, counts, seconds)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _client(job: tuple[Any, ...], start: Any, counts: Any, seconds: float) -> None:
    act, conninfo, who, keys = job
    with psycopg.connect(conninfo, autocommit=True) as connection:
        left = iter(keys) if keys is not None else None
        for _ in range(3):
            act(connection, who, left)  # plans are made before the clock starts
        start.wait()
        count, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            act(connection, who, left)
            count += 1
    counts.put(count)


def bare(connection: psycopg.Connection, budget: int, _: Any) -> None:
    """What an application without a gateway sends."""
    with connection.transaction():
        connection.execute(
            "INSERT INTO bare.entries (key, customer, budget, amount) VALUES (gen_random_uuid(), 'C', %s, 100)",
            [budget],
            prepare=True,
        )
        connection.execute(
            "UPDATE bare.budgets SET spent = spent + 100 WHERE budget = %s AND most - spent >= 100",
            [budget],
            prepare=True,
        )


def bare_call(connection: psycopg.Connection, budget: int, _: Any) -> None:
    """The same two rows by one function in one round trip."""
    connection.execute("SELECT bare.give('C', %s)", [budget], prepare=True)


def gateway(connection: psycopg.Connection, token: str, keys: Any) -> None:
    """One grant as churn.gateway sends it."""
    from churn.gateway import compose
    from churn.queries import query

    params = {
        "token": token,
        "decision_id": next(keys),
        "instrument": "bill_credit",
        "amount": 100,
        "currency": "GBP",
        "months": None,
        "approval_id": None,
    }
    cursor = psycopg.ClientCursor(connection, row_factory=dict_row)
    cursor.execute(compose("agent", query("ledger", "give")), params)
    while cursor.nextset():
        pass
    row = cursor.fetchone()
    if row is None or row["outcome"] != "done":
        raise RuntimeError(row)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0))
