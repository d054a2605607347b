"""A call taken up again: after a reload, a lost line or "read again" it goes on where it was.

What the agent chooses is taken down at once; what was offered, asked of a supervisor and given is in the database
anyway. The offer on screen is made anew from its receipt, so that its key, and with it "given once", stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from churn import offers
from churn.core.grants import Entry, Session
from churn.core.offers.question import Ask, Question
from churn.db import Database
from churn.gateway import record, rows_of
from churn.offers import Call, NoSuchDecision, Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """What an open case has come to. `ask` None: not asked yet; `made_for`: the call that `offer` was made for."""

    contact_reason: str | None = None
    fault: str | None = None
    ask: Ask | None = None
    turned_down: int = 0
    offer: Offer | None = None
    made_for: Call | None = None
    given: tuple[Entry, ...] = ()
    approval_id: UUID | None = None  # asked of a supervisor: waits, was answered and not used, or was declined
    is_cancelling: bool = False


def take_down(database: Database, me: Session, case_id: str, call: Call, *, is_asked: bool) -> None:
    """Keep what is known of a call, for a reload to find. Raises a Refusal by name, Busy, Unconfirmed."""
    params = {
        "token": me.token,
        "case_id": case_id,
        "contact_reason": call.contact_reason,
        "fault": call.fault,
        "is_asked": is_asked,
        "ask_amount": call.ask.amount if is_asked else None,
        "ask_in_kind": call.ask.in_kind if is_asked else None,
    }
    rows_of(database, me, "cases", "note", params)


def resume(database: Database, me: Session, case_id: str) -> SoFar:
    """What my open case has come to; nothing yet where it is new. Raises Busy, Unconfirmed."""
    rows = rows_of(database, me, "cases", "so_far", {"token": me.token, "case_id": case_id})
    if not rows:
        return SoFar()
    row, given = rows[0], given_in(database, me, case_id)
    decision_id = given[0].decision_id if given else row["decision_id"]
    offer, made_for = _offer(database, me, decision_id)
    return SoFar(
        contact_reason=row["contact_reason"],
        fault=row["fault"],
        ask=_ask(row),
        turned_down=row["turned_down"],
        offer=offer,
        made_for=made_for,
        given=given,
        approval_id=row["approval_id"],
        is_cancelling=row["cancel_asked_at"] is not None,
    )


def given_in(database: Database, me: Session, case_id: str) -> tuple[Entry, ...]:
    """What was given in a case and stands, newest first."""
    return tuple(record(Entry, row) for row in rows_of(database, me, "cases", "given", {"case_id": case_id}))


def _ask(row: Mapping[str, Any]) -> Ask | None:
    return Ask(amount=row["ask_amount"], in_kind=row["ask_in_kind"]) if row["is_asked"] else None


def _offer(database: Database, me: Session, decision_id: UUID | None) -> tuple[Offer | None, Call | None]:
    """The offer of a decision with the call it was made for; none where it cannot be made anew."""
    if decision_id is not None:
        with suppress(NoSuchDecision):
            ladder, receipt = offers.recompute(database, me, decision_id)
            reasons = tuple(rung["reason"] for rung in receipt["rungs"])
            return Offer(decision_id, ladder, reasons), _call_of(ladder.question)
    return None, None


def _call_of(question: Question) -> Call:
    return Call(
        contact_reason=question.case.contact_reason,
        fault=question.case.fault,
        ask=question.ask,
        counter_offers_made=question.spending.counter_offers_made,
    )
