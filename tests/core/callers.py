"""One caller's facts with defaults: a test names only what it is about."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from churn.core.calls.scene import Scene
from churn.core.records import CallerFacts, ChangeEvent, Concession, Contact, Customer, Invoice, Subscription

AS_OF = datetime(2026, 11, 15, 12, 0, tzinfo=UTC)
TODAY = AS_OF.date()
_number = itertools.count(1)


def ago(days: float) -> datetime:
    return AS_OF - timedelta(days=days)


def contact(days_ago: float, reason: str | None = "fault", **values: Any) -> Contact:
    defaults: dict[str, Any] = {
        "contact_id": f"k{next(_number)}", "started_at": ago(days_ago), "ended_at": ago(days_ago - 0.01),
        "channel": "call", "direction": "in", "reason": reason, "agent_id": None, "is_resolved": None,
        "is_escalated": False, "csat": None, "notes": None,
    }  # fmt: skip
    return Contact(**defaults | values)


def unresolved(days_ago: float, reason: str | None = "fault", **values: Any) -> Contact:
    return contact(days_ago, reason, is_resolved=False, **values)


def line(**values: Any) -> Subscription:
    defaults: dict[str, Any] = {
        "subscription_id": f"s{next(_number)}", "product": "fibre", "plan": "Fibre 500", "started_on": date(2024, 1, 1),
        "term_ends_on": None, "ended_on": None, "end_reason": None, "monthly_price": Decimal("41.00"),
        "monthly_margin": None,
    }  # fmt: skip
    return Subscription(**defaults | values)


def bill(days_ago: int, amount: str = "41.00", **values: Any) -> Invoice:
    issued = TODAY - timedelta(days=days_ago)
    defaults: dict[str, Any] = {
        "invoice_id": f"i{next(_number)}", "issued_on": issued, "due_on": issued + timedelta(days=14),
        "paid_on": issued, "amount": Decimal(amount),
    }  # fmt: skip
    return Invoice(**defaults | values)


def event(days_ago: float, kind: str = "outage", **values: Any) -> ChangeEvent:
    defaults: dict[str, Any] = {
        "event_id": f"e{next(_number)}", "kind": kind, "title": f"The {kind}", "starts_at": ago(days_ago),
        "ends_at": None, "what_to_say": None,
    }  # fmt: skip
    return ChangeEvent(**defaults | values)


def concession(days_ago: float, amount: str = "20.00") -> Concession:
    return Concession(f"c{next(_number)}", ago(days_ago), "bill_credit", Decimal(amount), None)


def scene(values: dict[str, Any] | None = None, *, joined_on: date = date(2024, 1, 1), **facts: Any) -> Scene:
    """A caller of Testline; facts of each kind newest first, as the store gives them."""
    customer = Customer(
        "A1", "Ada Byron", None, None, joined_on, None, None, None, "GBP", is_vulnerable=False, is_do_not_offer=False
    )
    empty: dict[str, Any] = dict.fromkeys(("contacts", "invoices", "events", "concessions"), ())
    known = empty | {"subscriptions": (line(),), "features": {}} | facts
    whole = CallerFacts(as_of=AS_OF, customer=customer, **known)
    return Scene(whole, values or {}, TODAY, "Europe/London", "GBP")
