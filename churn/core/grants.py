"""The nouns of the ledger: who acts, what was offered, what was given, what was asked. Money is whole minor units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in person. `token` is shown once and is never logged or stored."""

    token: str = field(repr=False)
    session_id: int
    staff_id: str
    role: str
    team: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Who holds a token, with role and team as they are now."""

    session_id: int
    staff_id: str
    role: str
    team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedRung:
    """One rung as it is shown, with the limits of its instrument in this case."""

    rung: int
    lever: str
    instrument: str
    amount: int  # in all, whatever the months
    ceiling: int  # policy's, whoever asks
    months: int | None = None
    cooldown_days: int | None = None
    redemptions: int | None = None  # within redemption_days
    redemption_days: int | None = None
    cost: float | None = None
    p_stay: float | None = None
    gain: float | None = None
    propensity: float | None = None
    needs_approval: bool = False  # policy wants a supervisor, whatever the amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A recommendation, stored before it is shown. `decision_id` is the request key of whatever is given from it."""

    decision_id: UUID
    case_id: UUID
    customer_id: str
    policy_version: int
    currency: str
    rungs: tuple[OfferedRung, ...]
    rolling_cap: int  # most the customer may get in rolling_days
    rolling_days: int
    receipt: Mapping[str, Any]  # inputs, versions, bounds, ladder: all a replay needs
    given_elsewhere: int = 0  # in those days, outside this ledger
    contact_reason: str | None = None
    asked_amount: int | None = None  # None: skipped
    asked_in_kind: str | None = None
    intended_amount: int | None = None  # what the agent meant to give before any trial
    authorised_amount: int | None = None  # the most the agent may give alone
    shown_rung: int | None = None
    arm: str | None = None
    propensity: float | None = None
    price_of_budget: float | None = None
    seed: int | None = None
    expires_in_seconds: int = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What is to be given: a rung of the decision, or what a supervisor said yes to."""

    decision_id: UUID
    instrument: str
    amount: int
    currency: str
    months: int | None = None
    approval_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the ledger. `kind` is grant, reversal or clawback; what is taken back is below zero."""

    entry_id: int
    kind: str
    decision_id: UUID
    reverses: int | None
    customer_id: str
    staff_id: str
    team: str | None
    instrument: str
    amount: int
    currency: str
    months: int | None
    schedule: tuple[int, ...] | None  # month by month; sums to amount
    budget_id: int | None
    policy_version: int
    authority: int  # the giver's own limit
    authorised_by: str
    approval_id: UUID | None
    given_at: datetime  # the company's own time
    booked_on: date  # business day in the budget's zone
    booked_month: date
    reason: str | None
    recorded_at: datetime  # the database's clock
    is_replay: bool = False  # it was there already; this answered the same request again


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An ask above the agent's authority, with its state as it is now."""

    approval_id: UUID
    decision_id: UUID
    customer_id: str
    currency: str
    instrument: str
    amount: int
    months: int | None
    budget_id: int | None
    team: str
    own_limit: int
    reason: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    state: str
    decided_by: str | None
    decided_at: datetime | None
    answer_amount: int | None
    answer_months: int | None
    answer_reason: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A counter that does not equal the ledger."""

    counter: str
    counted: int | None  # None: the counter is missing
    booked: int


@dataclass(frozen=True, slots=True)
class Headroom:
    """What is left of one budget now. `elapsed` is the share of its month that has passed."""

    budget_id: int
    team: str
    instrument: str
    currency: str
    starts_at: datetime
    ends_at: datetime
    amount_limit: int
    spent: int
    headroom: int
    spent_today: int  # net, on the business day of the budget's zone
    elapsed: Decimal


@dataclass(frozen=True, slots=True)
class Version:
    """One policy version without its rows. Not published: the last three are None."""

    version: int
    title: str
    currency: str
    drafted_by: str
    drafted_at: datetime
    published_by: str | None
    published_at: datetime | None
    effective_from: datetime | None
