"""A small company for trends: customers with lives to be reckoned by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import psycopg

from tests.factories import put
from tests.ledger_world import NOON

TODAY = NOON.date()


def customer(
    owner: psycopg.Connection, key: str, joined: date | str, left: date | str | None = None, how: str = "voluntary",
    **values: Any,
) -> None:  # fmt: skip
    """A customer with one subscription from joining to leaving."""
    plan = values.pop("plan", "Fibre 500")
    put(owner, "customers", customer_id=key, joined_on=joined, **values)
    put(
        owner, "subscriptions", customer_id=key, started_on=joined, ended_on=left, plan=plan, monthly_margin=20,
        end_reason=how if left else None,
    )  # fmt: skip


def many(owner: psycopg.Connection, prefix: str, count: int, joined: date | str, **values: Any) -> None:
    """Customers alike but for their key."""
    for i in range(count):
        customer(owner, f"{prefix}{i}", joined, **values)


def fact(owner: psycopg.Connection, key: str, days_ago: int = 300) -> None:
    """Something on record, so that records begin then."""
    put(owner, "contacts", customer_id=key, started_at=NOON - timedelta(days=days_ago), reason="billing")
