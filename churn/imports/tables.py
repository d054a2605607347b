"""The feed tables an import can fill: their columns, what a value must look like, and which columns make the key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "id",  # text, never altered: "00123" stays "00123"
    "text",  # one line of text
    "notes",  # free text: line breaks kept, long texts shortened
    "phone",  # E.164
    "currency",  # three capital letters
    "choice",  # one of the column's choices
    "past_date",  # a day that has come
    "date",  # any day
    "month",  # the first day of a month
    "past_instant",  # an instant that has come
    "instant",  # any instant
    "price",  # money, zero or more
    "amount",  # money, either sign
    "number",
    "share",  # a number from 0 to 1
    "integer",  # a whole number, zero or more
    "months",  # a whole number below 10,000
    "rating",  # a whole number from 1 to 5
    "boolean",
]
TEXTUAL = frozenset({"id", "text", "notes", "phone", "currency", "choice"})
DATED = frozenset({"past_date", "date", "month", "past_instant", "instant"})
INSTANTS = frozenset({"past_instant", "instant"})
PAST = frozenset({"past_date", "past_instant"})
MONEY = frozenset({"price", "amount"})


@dataclass(frozen=True, slots=True)
class Column:
    """One of our columns. `needed`: a row without a value is set aside; `default`: what a missing value becomes."""

    kind: Kind
    needed: bool = False
    default: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the schema feed. `orders`: pairs of columns of which the second may not come before the first."""

    name: str
    columns: dict[str, Column]
    key: tuple[str, ...]
    needs_customer: bool = True  # False: the customer may be unknown, or the table has none
    orders: tuple[tuple[str, str], ...] = field(default=())


_ID = Column("id", needed=True)
_TEXT = Column("text")
_NAMED = Column("text", needed=True)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "customers",
            {
                "customer_id": _ID,
                "name": _NAMED,
                "phone": Column("phone"),
                "email": _TEXT,
                "joined_on": Column("past_date", needed=True),
                "segment": _TEXT,
                "region": _TEXT,
                "language": _TEXT,
                "currency": Column("currency", needed=True),
                "is_vulnerable": Column("boolean", default="false"),
                "is_do_not_offer": Column("boolean", default="false"),
            },
            ("customer_id",),
            needs_customer=False,
        ),
        Table(
            "subscriptions",
            {
                "subscription_id": _ID,
                "customer_id": _ID,
                "product": _NAMED,
                "plan": _NAMED,
                "started_on": Column("past_date", needed=True),
                "term_ends_on": Column("date"),
                "ended_on": Column("past_date"),
                "end_reason": Column("choice", choices=("voluntary", "involuntary", "move")),
                "monthly_price": Column("price", needed=True),
                "monthly_margin": Column("amount"),
            },
            ("subscription_id",),
            orders=(("started_on", "ended_on"),),
        ),
        Table(
            "invoices",
            {
                "invoice_id": _ID,
                "customer_id": _ID,
                "issued_on": Column("past_date", needed=True),
                "due_on": Column("date", needed=True),
                "paid_on": Column("past_date"),
                "amount": Column("amount", needed=True),
            },
            ("invoice_id",),
        ),
        Table(
            "contacts",
            {
                "contact_id": _ID,
                "customer_id": Column("id"),
                "started_at": Column("past_instant", needed=True),
                "ended_at": Column("past_instant"),
                "channel": _NAMED,
                "direction": Column("choice", needed=True, choices=("in", "out")),
                "queue": _TEXT,
                "reason": _TEXT,
                "agent_id": Column("id"),
                "is_resolved": Column("boolean"),
                "is_escalated": Column("boolean", default="false"),
                "csat": Column("rating"),
                "notes": Column("notes"),
            },
            ("contact_id",),
            needs_customer=False,
            orders=(("started_at", "ended_at"),),
        ),
        Table(
            "usage",
            {
                "customer_id": _ID,
                "month": Column("month", needed=True),
                "measure": _NAMED,
                "quantity": Column("number", needed=True),
            },
            ("customer_id", "month", "measure"),
        ),
        Table(
            "change_events",
            {
                "event_id": _ID,
                "owner_department": _NAMED,
                "kind": _NAMED,
                "title": _NAMED,
                "starts_at": Column("instant", needed=True),
                "ends_at": Column("instant"),
                "audience_size": Column("integer"),
                "what_to_say": Column("notes"),
                "region": _TEXT,
                "product": _TEXT,
                "plan": _TEXT,
            },
            ("event_id",),
            needs_customer=False,
        ),
        Table(
            "concessions",
            {
                "concession_id": _ID,
                "customer_id": _ID,
                "contact_id": Column("id"),
                "agent_id": Column("id"),
                "given_at": Column("past_instant", needed=True),
                "instrument": _NAMED,
                "amount": Column("price", needed=True),
                "months": Column("months"),
                "intended_amount": Column("amount"),
                "propensity": Column("share"),
            },
            ("concession_id",),
        ),
    )
}
