"""How fast one caller is read and scored, with few customers and with many.

    python -m tests.bench.bench_case [--customers 10000 1000000] [--callers 200]

For each size prints median and p95 milliseconds of: a bare indexed read of the caller's rows; the same facts with all
features; the whole card (read, risk, reasons, curve, worth, likely why); and their ratios to the bare read and to the
rerun of a minimal Streamlit page in the same run. The last line is the growth from the smallest size to the largest.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
from streamlit.testing.v1 import AppTest

from churn import casework, db, store
from churn.core import features
from churn.core.calls.why import LikelyWhy
from churn.core.leaving.fitted import Fitted
from churn.core.leaving.risk import ChurnRisk
from churn.core.staying.survival import TenureCurve
from churn.postgres.server import release_server
from churn.settings import Settings, read_settings
from churn.training.job import SEED

NOW = datetime(2026, 11, 15, 12, 0, tzinfo=UTC)
FILL = """
INSERT INTO desk.company (name, time_zone, phone_region, currency, source, data_until)
VALUES ('Bench', 'Europe/London', 'GB', 'GBP', 'files', '2026-11-15T12:00Z');
INSERT INTO feed.customers (customer_id, name, phone, joined_on, region, currency, attributes)
SELECT 'C' || lpad(n::text, 8, '0'), 'Customer ' || n, '+4477' || lpad(n::text, 8, '0'),
       date '2014-01-01' + (n::bigint * 7919 % 4600)::int, 'Region ' || n % 9, 'GBP',
       jsonb_build_object('paperless', n % 3 = 0, 'household', n % 5,
                          'payment', (ARRAY['card', 'debit', 'cash'])[1 + n % 3])
FROM generate_series(1, %(n)s) n;
INSERT INTO feed.subscriptions (subscription_id, customer_id, product, plan, started_on, term_ends_on, monthly_price)
SELECT 'S' || customer_id, customer_id, 'fibre', 'Fibre ' || (1 + joined_on - date '2014-01-01') % 4, joined_on,
       date '2026-06-01' + (joined_on - date '2014-01-01') % 400, 25 + (joined_on - date '2014-01-01') % 30
FROM feed.customers;
INSERT INTO feed.contacts (contact_id, customer_id, started_at, ended_at, channel, direction, reason, is_resolved, csat)
SELECT customer_id || '-' || k, customer_id, t, t + interval '9 minutes', 'call', 'in',
       (ARRAY['fault', 'bill', 'cancel', 'upgrade'])[1 + (k * 7 + length(name) + extract(doy FROM joined_on)::int) % 4],
       (k + extract(doy FROM joined_on)::int) % 3 > 0, 1 + (k + extract(doy FROM joined_on)::int) % 5
FROM feed.customers, generate_series(1, 8) k,
     LATERAL (SELECT timestamptz '2026-11-15T10:00Z'
                     - make_interval(days => k * 40 + extract(doy FROM joined_on)::int % 40) t) x;
INSERT INTO feed.invoices (invoice_id, customer_id, issued_on, due_on, paid_on, amount)
SELECT customer_id || '-' || k, customer_id, d, d + 14, CASE WHEN k > 1 THEN d + 10 END, 30 + k
FROM feed.customers, generate_series(1, 6) k, LATERAL (SELECT date '2026-11-01' - 30 * k AS d) x;
INSERT INTO feed.change_events (event_id, owner_department, kind, title, starts_at, region)
SELECT 'E' || n, 'network', 'outage', 'Outage', timestamptz '2026-11-01T00:00Z' - make_interval(days => n),
       'Region ' || n % 9
FROM generate_series(1, 40) n;
ANALYZE feed.customers, feed.subscriptions, feed.contacts, feed.invoices, feed.change_events
"""
BARE = (
    "SELECT * FROM feed.customers WHERE customer_id = %s",
    "SELECT * FROM feed.subscriptions WHERE customer_id = %s",
    "SELECT * FROM feed.contacts WHERE customer_id = %s ORDER BY started_at DESC",
    "SELECT * FROM feed.invoices WHERE customer_id = %s ORDER BY issued_on DESC",
)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--customers", type=int, nargs="+", default=[10_000, 1_000_000])
    asked.add_argument("--callers", type=int, default=200)
    options = asked.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="keepline-bench-", dir="/tmp"))
    folder.chmod(0o755)
    os.environ["KEEPLINE_HOME"] = str(folder / "home")
    settings = replace(read_settings(), home=folder / "home")
    page = minimal_page(options.callers)
    show("minimal Streamlit page, one rerun", page)
    cards = []
    try:
        cards.extend(
            one_size(replace(settings, database=f"bench_{n}"), n, options.callers, statistics.median(page))
            for n in options.customers
        )
    finally:
        release_server(settings)
        shutil.rmtree(folder, ignore_errors=True)
    if len(cards) > 1:
        print(f"growth of the whole card, {options.customers[0]:,} to {options.customers[-1]:,} customers: "
              f"{cards[-1] / cards[0]:.2f}x")  # fmt: skip


def one_size(settings: Settings, n: int, callers: int, page: float) -> float:
    """Fill a database with n customers, time the three ways, print; the card's median."""
    db.create_database(settings)
    started = time.perf_counter()
    with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as connection:
        for statement in FILL.split(";\n"):
            text = statement.replace("%(n)s", str(n))
            connection.execute(text)  # type: ignore[call-overload]
    print(
        f"\n{n:,} customers, {8 * n:,} contacts, {6 * n:,} invoices (filled in {time.perf_counter() - started:.0f} s)"
    )
    names = [f"C{i:08d}" for i in random.Random(5).sample(range(1, n + 1), callers)]
    with db.connect(settings, "batch") as connection:
        company = store.company(connection)
        models = fitted_models(connection, names)

        def bare(name: str) -> None:
            with connection.pipeline():
                cursors = [connection.execute(text, [name]) for text in BARE]
                for cursor in cursors:
                    cursor.fetchall()

        def facts(name: str) -> None:
            store.caller_facts(connection, name, NOW, company.time_zone)

        def card(name: str) -> None:
            found = store.caller_facts(connection, name, NOW, company.time_zone)
            casework.reckon(found, models, company, case_id="", usual_risk=0.05)

        floor = timed(bare, names)
        show("bare indexed read of the same rows", floor)
        base = statistics.median(floor)
        for label, act in (("facts and features", facts), ("whole card", card)):
            took = timed(act, names)
            show(label, took)
            middle = statistics.median(took)
            print(f"{'':12}{middle / base:6.1f}x the bare read, {middle / page:5.2f}x a minimal page")
    return middle


def fitted_models(connection: psycopg.Connection, names: list[str]) -> casework.Models:
    """Models of the real kinds and sizes; what they learned is beside the point here."""
    rows = store.features(connection, names, [NOW] * len(names))
    frame = features.frame(rows)
    frame = frame[features.usable(frame.columns)]
    outcome = np.random.default_rng(0).random(len(rows)) < 0.3
    risk = ChurnRisk(seed=SEED).fit(frame, outcome)
    lasting = frame[features.lasting(frame.columns)]
    tenure = frame["tenure_months"].to_numpy()
    curve = TenureCurve().fit(lasting, 0.0, np.maximum(tenure, 1.0), outcome)
    reasons = np.random.default_rng(1).choice(["fault", "bill", "cancel", "upgrade"], 400).tolist()
    why = LikelyWhy().fit(frame.sample(400, replace=True, random_state=0), reasons)
    return casework.Models(
        risk=Fitted(risk, tuple(frame.columns)),
        survival=Fitted(curve, tuple(lasting.columns)),
        why=Fitted(why, tuple(frame.columns)),
    )


def timed(act: Callable[[str], None], names: list[str]) -> list[float]:
    """Milliseconds per caller, after ten to warm up."""
    for name in names[:10]:
        act(name)
    took = []
    for name in names:
        started = time.perf_counter()
        act(name)
        took.append((time.perf_counter() - started) * 1000)
    return took


def minimal_page(reruns: int) -> list[float]:
    """Milliseconds per rerun of a page with one text and one button."""

    def page() -> None:
        import streamlit as st

        st.text("Hello")
        st.button("Again")

    app = AppTest.from_function(page).run()
    took = []
    for _ in range(reruns):
        started = time.perf_counter()
        app.run()
        took.append((time.perf_counter() - started) * 1000)
    return took


def show(label: str, took: list[float]) -> None:
    """One line: median and p95."""
    ordered = sorted(took)
    print(f"{label:42}{statistics.median(took):9.2f} ms{ordered[int(len(ordered) * 0.95)]:9.2f} ms p95", flush=True)


if __name__ == "__main__":
    main()
