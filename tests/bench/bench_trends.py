"""The trends page with a million customers: each read beside the bare query, and the whole page to its first picture.

    python -m tests.bench.bench_trends [--customers N] [--months N] [--plans N]

Fills the aggregates as large as the night would make them for a company of that size (every cell of the cube that can
be there, every day of tenure), in a database of its own that is dropped again. `ratio` is a read with its frames or
tables over the same statement by psycopg alone. The last line is Streamlit's own test runner, warm.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from churn import db, ledger
from churn.core.trends import charts_trends
from churn.core.trends.cohorts import heat_map
from churn.core.trends.curves import log_rank
from churn.core.trends.rates import monthly, saves
from churn.queries import query
from churn.settings import PROJECT, Settings, read_settings
from churn.trends import trends
from churn.trends.trends import Filter

FILL = """
INSERT INTO desk.company (name, time_zone, phone_region, currency, data_until, source)
VALUES ('Bench', 'Europe/London', 'GB', 'GBP', '2026-11-15T12:00Z', 'files') ON CONFLICT DO NOTHING;
INSERT INTO desk.staff (staff_id, name, role) VALUES ('L', 'Lea', 'leader') ON CONFLICT DO NOTHING;
INSERT INTO desk.trend_state (as_of, since_on, landmark_on) VALUES ('2026-11-15', '2024-11-01', '2025-11-15');
INSERT INTO desk.trend_months
SELECT (date '2026-11-01' - make_interval(months => m))::date, 'plan ' || p, 'region ' || r, 'segment ' || s,
       'tenure ' || t, 'reason ' || a, n.live, n.live / 50, n.live / 400, n.live / 600
FROM generate_series(0, {months} - 1) m, generate_series(1, {plans}) p, generate_series(1, 12) r,
     generate_series(1, 5) s, generate_series(1, 5) t, generate_series(1, 12) a,
     LATERAL (SELECT greatest({customers} / ({plans} * 12 * 5 * 5 * 12), 1) AS live) n
WHERE {customers} >= {plans} * 12 * 5 * 5 * 12 OR hashint4(p * 7 + r * 131 + s * 17 + t * 1009 + a * 31) % 4 = 0;
INSERT INTO desk.trend_tenures
SELECT c.cut, CASE c.cut WHEN 'all' THEN 'all' ELSE c.cut || ' ' || v END, 'plan ' || p, 'region ' || r,
       'segment ' || s, d.*
FROM (VALUES ('all', 1, 4000), ('cohort', 12, 400), ('joined', 12, 400), ('reason', 12, 365)) c (cut, groups, days),
     generate_series(1, c.groups) v, (SELECT generate_series(1, {plans}) UNION ALL SELECT NULL) a (p),
     (SELECT generate_series(1, 12) UNION ALL SELECT NULL) b (r),
     (SELECT generate_series(1, 5) UNION ALL SELECT NULL) e (s),
     LATERAL (SELECT array_agg(day), array_agg(2), array_agg(1), array_agg(2)
              FROM generate_series(0, c.days - 1, 1 + (num_nulls(p, r, s) = 0)::int) day) d;
INSERT INTO desk.trend_saves
SELECT (date '2026-11-01' - make_interval(months => m))::date, 'plan ' || p, 'region ' || r, 'segment ' || s,
       'tenure ' || t, w * 30, 9, 7, 8, 5
FROM generate_series(0, {months} - 1) m, generate_series(1, {plans}) p, generate_series(1, 12) r,
     generate_series(1, 5) s, generate_series(1, 5) t, generate_series(1, 3) w;
INSERT INTO desk.trend_risk SELECT 'plan ' || p, 'region ' || r, 'segment ' || s, 1000, 30, 90000, 2700, 1e6
FROM generate_series(1, {plans}) p, generate_series(1, 12) r, generate_series(1, 5) s;
ANALYZE desk.trend_months; ANALYZE desk.trend_tenures; ANALYZE desk.trend_saves;
"""
CELLS = "SELECT (SELECT count(*) FROM desk.trend_months), (SELECT sum(cardinality(day)) FROM desk.trend_tenures)"


def seconds(work: Callable[[], Any], times: int = 7) -> float:
    """The median of some runs, the first one not counted."""
    work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def reads(connection: psycopg.Connection) -> dict[str, tuple[Callable[[], Any], str, dict[str, Any]]]:
    """What a picture takes, from the read to its frame, and the bare statement behind it."""
    every = {"plans": None, "regions": None, "segments": None, "tenures": None}
    some = Filter(regions=("region 1", "region 2", "region 3"), segments=("segment 1", "segment 2"))
    told = some.asked("regions", "segments")
    return {
        "churn by month": (
            lambda: _picture(connection),
            "months", {"by": "all", **every},
        ),
        "by plan": (
            lambda: monthly(trends.months(connection, "plan", Filter()), "value"), "months", {"by": "plan", **every},
        ),
        "curves by plan": (lambda: _curves(connection, "plan", Filter()), "tenures", {"by": "plan", **every}),
        "of three regions": (lambda: _curves(connection, "plan", some), "tenures", {"by": "plan", **every, **told}),
        "cohorts": (
            lambda: heat_map(trends.tables(connection, "joined", Filter())), "tenures", {"by": "joined", **every},
        ),
        "margin at risk": (lambda: trends.risk(connection, Filter()), "risk", every),
        "saves": (lambda: saves(trends.saves(connection, Filter())), "saves", every),
    }  # fmt: skip


def _picture(connection: psycopg.Connection) -> None:
    rates = monthly(trends.months(connection, None, Filter()))
    charts_trends.churn_by_month(rates, is_grouped=False).to_dict()


def _curves(connection: psycopg.Connection, by: str, narrowed: Filter) -> None:
    shown = dict(list(trends.tables(connection, by, narrowed).items())[:6])
    log_rank(shown)
    charts_trends.curve_frame(shown)


def page_seconds(settings: Settings) -> float:
    """The whole page, warm, in Streamlit's own test runner."""
    os.environ["KEEPLINE_DATABASE"] = settings.database
    logging.getLogger("streamlit").setLevel(logging.ERROR)
    from streamlit.testing.v1 import AppTest

    page = AppTest.from_file(str(PROJECT / "pages/trends.py"), default_timeout=120)
    page.query_params["who"] = "L"
    taken = seconds(page.run, 5)
    if page.exception:
        raise RuntimeError(str(page.exception[0].value))
    return taken


def main() -> int:
    """Print one line a read, the page last; 1 when the page takes longer than 1.5 seconds."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--customers", type=int, default=1_000_000)
    asked.add_argument("--months", type=int, default=36)
    asked.add_argument("--plans", type=int, default=12)
    options = asked.parse_args()
    settings = read_settings()
    settings = replace(settings, database=f"{settings.database}_bench_trends")
    try:
        db.create_database(settings)
        with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as owner:
            figures = {name: sql.Literal(getattr(options, name)) for name in ("customers", "months", "plans")}
            owner.execute(sql.SQL(FILL).format(**figures))
            cells = owner.execute(CELLS).fetchone()
        print(f"cells of months and days of tenure: {cells}")
        pool = db.open_database(settings, size=2)
        with pool.transaction(ledger.open_session(pool, "L")) as connection:
            for name, (work, statement, params) in reads(connection).items():
                bare = seconds(lambda s=statement, p=params: connection.execute(query("trends", s), p).fetchall())
                whole = seconds(work)
                told = f"bare {1000 * bare:7.1f} ms   with its frame {1000 * whole:7.1f} ms"
                print(f"{name:16} {told}   ratio {whole / bare:4.2f}")
        pool.close()
        whole = page_seconds(settings)
        print(f"the whole page, warm: {whole:.2f} s")
    finally:
        with psycopg.connect(db.admin_conninfo(settings, "postgres"), autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(settings.database)))
    return 0 if whole < 1.5 else 1


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
