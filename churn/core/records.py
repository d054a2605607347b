"""The nouns, frozen: what a query returns and what the core reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

Outcome = Literal["deflected", "cancelled", "resolved", "call_back", "dropped"]
"""How a call ended."""


@dataclass(frozen=True, slots=True)
class Company:
    """The company this database is about."""

    name: str
    time_zone: str  # IANA name
    phone_region: str  # for numbers in national format
    currency: str
    horizon_days: int
    snapshot_on: date | None  # the day a flat file shows
    data_until: datetime | None  # where a company that is not live ends; None: the clock
    monthly_churn: float | None  # true rate of leaving a month, where the data are over-sampled; None: as in the data
    source: str


@dataclass(frozen=True, slots=True)
class Customer:
    """A person or household with at least one subscription, now or earlier."""

    customer_id: str
    name: str
    phone: str | None  # E.164
    email: str | None
    joined_on: date
    segment: str | None
    region: str | None
    language: str | None
    currency: str
    is_vulnerable: bool
    is_do_not_offer: bool


@dataclass(frozen=True, slots=True)
class Subscription:
    """One line of a customer."""

    subscription_id: str
    product: str
    plan: str
    started_on: date
    term_ends_on: date | None
    ended_on: date | None
    end_reason: str | None
    monthly_price: Decimal
    monthly_margin: Decimal | None

    def is_live(self, day: date) -> bool:
        """Whether it runs on `day`."""
        return self.started_on <= day and (self.ended_on is None or self.ended_on > day)


@dataclass(frozen=True, slots=True)
class Contact:
    """One call, chat, e-mail or letter."""

    contact_id: str
    started_at: datetime
    ended_at: datetime | None
    channel: str
    direction: str
    reason: str | None
    agent_id: str | None
    is_resolved: bool | None
    is_escalated: bool
    csat: int | None
    notes: str | None


@dataclass(frozen=True, slots=True)
class Invoice:
    """One bill."""

    invoice_id: str
    issued_on: date
    due_on: date
    paid_on: date | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """A dated cause of contacts that hit this customer."""

    event_id: str
    kind: str
    title: str
    starts_at: datetime
    ends_at: datetime | None
    what_to_say: str | None
    monthly_price: Decimal | None = None  # of the lines it hit, together


@dataclass(frozen=True, slots=True)
class Concession:
    """Value given earlier to keep or compensate."""

    concession_id: str
    given_at: datetime
    instrument: str
    amount: Decimal
    months: int | None


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody who works here."""

    staff_id: str
    name: str
    role: str
    team: str | None


@dataclass(frozen=True, slots=True)
class Match:
    """One customer a search found: enough to choose by."""

    customer_id: str
    name: str
    phone: str | None
    region: str | None
    joined_on: date
    plan: str | None  # of a live subscription; None: nobody's customer today


@dataclass(frozen=True, slots=True)
class RecentCaller:
    """A case somebody opened before."""

    customer_id: str
    name: str
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class CallerFacts:
    """Everything read about one caller, as it stood at `as_of`."""

    as_of: datetime
    customer: Customer
    subscriptions: tuple[Subscription, ...]
    contacts: tuple[Contact, ...]  # newest first
    invoices: tuple[Invoice, ...]  # newest first
    events: tuple[ChangeEvent, ...]  # newest first
    concessions: tuple[Concession, ...]  # newest first
    features: dict[str, object]  # the row of features.sql


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One model as registered; the artifact stays in the database until it is loaded."""

    model_version: int
    kind: str
    status: str
    data_as_of: datetime
    horizon_days: int | None
    metrics: dict[str, object]
    refusal: str | None
    created_at: datetime
    created_by: str
    promoted_at: datetime | None
    promoted_by: str | None
