"""The one row about the company, out of the mapping, and the rules its values are read by."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import psycopg

from churn.imports.mapping import Company
from churn.imports.values import Rules

# Who sits at the desk of an imported company until it has a staff list of its own; local mode only.
LOCAL_STAFF = [
    (role, f"Local {role}", role, "local")
    for role in ("agent", "supervisor", "leader", "finance", "analyst", "administrator")
]


class OtherCompany(RuntimeError):
    """The database already holds another company's data."""


def write_company(conn: psycopg.Connection, company: Company) -> None:
    """Make `desk.company` say what the mapping says; nothing is written where it does already.

    Raises OtherCompany when the database is the simulated company's, a live one's, or holds another name's customers.
    """
    with conn.transaction():
        row = conn.execute("SELECT name, source FROM desk.company FOR UPDATE").fetchone()
        if row and row[1] != "files":
            raise OtherCompany(
                f"This database is about {row[0]} (from: {row[1]}). Import into another one: --database NAME."
            )
        if row and row[0] != company.name and conn.execute("SELECT 1 FROM feed.customers LIMIT 1").fetchone():
            raise OtherCompany(
                f"This database holds the customers of {row[0]}, and the mapping is about {company.name}. "
                "Import into another one: --database NAME."
            )
        conn.execute(
            """
            INSERT INTO desk.company AS c
                (name, time_zone, phone_region, currency, horizon_days, snapshot_on, data_until, monthly_churn,
                 source)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'files')
            ON CONFLICT (is_only) DO UPDATE SET
                name = excluded.name, time_zone = excluded.time_zone, phone_region = excluded.phone_region,
                currency = excluded.currency, horizon_days = excluded.horizon_days,
                snapshot_on = excluded.snapshot_on, data_until = excluded.data_until,
                monthly_churn = excluded.monthly_churn, updated_at = now()
            WHERE (c.name, c.time_zone, c.phone_region, c.currency, c.horizon_days, c.snapshot_on, c.data_until,
                   c.monthly_churn)
                IS DISTINCT FROM (excluded.name, excluded.time_zone, excluded.phone_region, excluded.currency,
                                  excluded.horizon_days, excluded.snapshot_on, excluded.data_until,
                                  excluded.monthly_churn)
            """,
            [
                company.name,
                company.time_zone,
                company.phone_region,
                company.currency,
                company.horizon_days,
                company.snapshot_on,
                company.data_until,
                company.monthly_churn,
            ],
        )
        conn.cursor().executemany(
            "INSERT INTO desk.staff (staff_id, name, role, team) SELECT %s, %s, %s, %s "
            "WHERE NOT EXISTS (SELECT FROM desk.staff s WHERE s.team IS DISTINCT FROM 'local') ON CONFLICT DO NOTHING",
            LOCAL_STAFF,
        )


def rules_of(conn: psycopg.Connection, company: Company) -> Rules:
    """How values are read. The database's clock says what the future is."""
    row = conn.execute("SELECT now()").fetchone()
    assert row is not None  # noqa: S101
    now = row[0]
    return Rules(
        time_zone=company.time_zone,
        phone_region=company.phone_region,
        currency=company.currency,
        now=np.datetime64(now.astimezone(ZoneInfo("UTC")).replace(tzinfo=None), "us"),
        today=np.datetime64(now.astimezone(ZoneInfo(company.time_zone)).date(), "D"),
        snapshot=None if company.snapshot_on is None else np.datetime64(company.snapshot_on, "D"),
    )
