"""The company the benches of live sessions work on: simulated and trained once, copied for each run.

Kept under /var/lib/keepline-load (KEEPLINE_LOAD_HOME says another place); made when missing, in about five minutes. A
copy gets fifty agents of its own whose authority, budgets and lookups end nowhere in a bench: what is measured is
giving, not refusing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg import sql

from churn import db, ledger, people
from churn.gateway import rows_of
from churn.policies.stored import policy_in_force
from churn.settings import PROJECT, Settings, read_settings
from tests.bench.agents import Caller

CUSTOMERS = 6_000
AGENTS = 50
TEAM = "Load"
BUDGET = 10_000_000_00  # minor units a month and instrument
STEPS = (("demo", "--customers", str(CUSTOMERS)), ("train",), ("night",))
CALLERS = """
SELECT customer_id, phone, name FROM crm.customers
WHERE phone IS NOT NULL AND NOT coalesce(is_do_not_offer, false) AND phone IN (
    SELECT phone FROM crm.customers GROUP BY phone HAVING count(*) = 1)
  AND customer_id IN (SELECT customer_id FROM crm.subscriptions WHERE ended_on IS NULL)
ORDER BY md5(customer_id)
"""


def home() -> Path:
    """Where the company is kept."""
    return Path(os.environ.get("KEEPLINE_LOAD_HOME") or "/var/lib/keepline-load")


def made() -> Settings:
    """The company nobody works on, made when it is missing; this process then uses its home."""
    os.environ["KEEPLINE_HOME"] = str(home())
    os.environ.pop("DATABASE_URL", None)
    settings = read_settings("keepline")
    is_whole = home() / "load-company"
    if not is_whole.exists():
        print(f"The company of the benches is made once, in {home()}: about five minutes.", flush=True)
        for step in STEPS:
            if step[0] == "demo" and db.exists(settings):
                step = (*step, "--replace")  # noqa: PLW2901 - a run before was ended half-way
            subprocess.run([sys.executable, "-m", "churn", *step], cwd=PROJECT, check=True)
        is_whole.touch()
    return settings


@contextmanager
def copied(name: str) -> Iterator[Settings]:
    """A copy to work on, with the agents hired, dropped afterwards; newer migrations are applied to it."""
    whole = made()
    settings = replace(whole, database=f"load_{name}_{os.getpid()}")
    with psycopg.connect(db.admin_conninfo(whole, "postgres"), autocommit=True) as server:
        server.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(settings.database), sql.Identifier(whole.database)
            )
        )
        try:
            db.create_database(settings)
            with psycopg.connect(db.admin_conninfo(settings)) as connection:
                db.grant(connection)
            _hire(settings)
            yield settings
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(settings.database)))


def agent_ids() -> list[str]:
    """The agents' staff ids."""
    return [f"L{n:03d}" for n in range(1, AGENTS + 1)]


def sign_in_of(staff_id: str) -> str:
    """What the company's sign-in knows one of them by."""
    return f"{staff_id.lower()}@load.example"


def callers(settings: Settings) -> list[Caller]:
    """Everybody with a line, a number of their own and no "do not offer", in an order that says nothing."""
    with psycopg.connect(db.admin_conninfo(settings)) as connection:
        return [Caller(*row) for row in connection.execute(CALLERS)]


def _hire(settings: Settings) -> None:
    database = db.open_database(settings, size=2)
    for staff_id in agent_ids():
        people.put(database, people.Employee(staff_id, f"Agent {staff_id}", "agent", TEAM, sign_in_of(staff_id)))
    with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as owner:
        owner.execute("UPDATE desk.lookup_limits SET per_minute = 100000, per_hour = 100000")
        payers = owner.execute("SELECT staff_id FROM desk.staff WHERE role = 'finance' ORDER BY 1 LIMIT 2").fetchall()
    one, other = (ledger.open_session(database, staff_id) for (staff_id,) in payers)
    month = rows_of(database, "finance", "policy", "seats", {})[0]["month"]
    policy = policy_in_force(database, one)
    assert policy is not None
    generous = replace(
        policy,
        authority=tuple(
            replace(line, per_window=line.per_window * 10_000 if line.role == "agent" else line.per_window)
            for line in policy.authority
        ),
    )
    ledger.publish_policy(database, other, ledger.draft_policy(database, one, generous))
    for instrument in (item.instrument for item in policy.instruments if item.draws_budget):
        key = ledger.propose_budget(
            database, one, team=TEAM, instrument=instrument, month=month, currency=policy.currency, amount=BUDGET,
            reason="so that no bench ends for want of money",
        )  # fmt: skip
        ledger.confirm_budget(database, other, key)
    database.close()
