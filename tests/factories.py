"""Rows with defaults: a test names only what it is about."""

from __future__ import annotations

import itertools
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

_number = itertools.count(1)

DEFAULTS: dict[str, dict[str, Any]] = {
    "company": {
        "name": "Testline", "time_zone": "Europe/London", "phone_region": "GB", "currency": "GBP", "source": "files",
    },
    "customers": {"name": "Ada Byron", "joined_on": "2024-01-01", "currency": "GBP"},
    "subscriptions": {"product": "fibre", "plan": "Fibre 500", "started_on": "2024-01-01", "monthly_price": 41},
    "contacts": {"started_at": "2026-11-01T10:00Z", "channel": "call", "direction": "in"},
    "invoices": {"issued_on": "2026-11-01", "due_on": "2026-11-15", "amount": 41},
    "usage": {"measure": "gb", "quantity": 100.0},
    "change_events": {
        "owner_department": "network", "kind": "outage", "title": "Outage", "starts_at": "2026-11-01T10:00Z",
    },
    "concessions": {"given_at": "2026-10-01T10:00Z", "instrument": "bill_credit", "amount": 20},
}  # fmt: skip
KEYS = {
    "subscriptions": "subscription_id",
    "contacts": "contact_id",
    "invoices": "invoice_id",
    "change_events": "event_id",
    "concessions": "concession_id",
}


def put(connection: psycopg.Connection, table: str, **values: Any) -> str | None:
    """Insert one row into a feed table (or desk.company) with defaults filled in; its key where one was made up."""
    row = DEFAULTS[table] | values
    key = KEYS.get(table)
    if key and key not in row:
        row[key] = f"{table}-{next(_number)}"
    row = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in row.items()}
    schema = "desk" if table == "company" else "feed"
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(schema, table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(map(sql.Placeholder, row)),
        ),
        row,
    )
    return row.get(key) if key else None


def put_customer(connection: psycopg.Connection, customer_id: str, **values: Any) -> None:
    """A customer with one live subscription."""
    put(connection, "customers", customer_id=customer_id, **values)
    put(connection, "subscriptions", customer_id=customer_id, started_on=values.get("joined_on", "2024-01-01"))
