"""What a supervisor sees of the floor besides the queue: who stands in for whom, and how fast callers were let go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from churn.core.grants import Session
from churn.db import Database
from churn.gateway import record, rows_of


@dataclass(frozen=True, slots=True)
class WayOut:
    """A caller who was let go. `seconds` from their first "cancel" to done."""

    case_id: UUID
    customer_id: str
    agent: str
    cancelled_at: datetime
    contact_reason: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class StandIn:
    """Who answers for a team besides its own supervisors, and until when."""

    team: str
    staff_id: str
    name: str
    ends_at: datetime
    named_by: str


def ways_out(database: Database, me: Session, *, team: str, hours: int) -> list[WayOut]:
    """Who of a team's callers left in the last hours, newest first."""
    return [record(WayOut, row) for row in rows_of(database, me, "cases", "ways_out", {"team": team, "hours": hours})]


def stand_ins(database: Database, me: Session) -> list[StandIn]:
    """Everybody who stands in for a team now."""
    return [record(StandIn, row) for row in rows_of(database, me, "approvals", "stand_ins", {})]
