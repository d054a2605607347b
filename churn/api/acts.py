"""What the API does: each act by the functions the desk's own screens use, told as it was stored."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from churn import casework, ledger, offers
from churn.api import schemas
from churn.api.keys import KeyRing
from churn.api.problems import Refused
from churn.casework import Ending, Models
from churn.core import grants
from churn.core.finance.applied import FIRST_DAY, LAST_DAY
from churn.core.grants import Session
from churn.core.offers.question import Ask
from churn.db import Database
from churn.gateway import act, rows_of
from churn.operations.health import Health
from churn.policies.stored import policy_in_force
from churn.refusals import KeyReused, OtherOutcome

OPENED_BY = "api"
WAITS, WAIT_SECONDS = 20, 0.1  # for the same request, sent a moment before


@dataclass(slots=True)
class Desk:
    """The database, who is in by which key, and the models in use."""

    database: Database
    keys: KeyRing = field(init=False)
    health: Health = field(init=False)
    _models: Models = field(default_factory=Models)

    def __post_init__(self) -> None:
        self.keys, self.health = KeyRing(self.database), Health(self.database)

    def models(self, me: Session) -> Models:
        """The models in use; loaded once a version."""
        with self.database.transaction(me) as connection:
            versions = casework.model_versions(connection)
        if versions != self._models.versions:
            with self.database.transaction("batch") as connection:
                self._models = casework.load_models(connection, versions)
        return self._models


def decide(desk: Desk, me: Session, key: UUID, asked: schemas.DecisionAsked) -> tuple[schemas.Decision, bool]:
    """What may be said yes to, and whether it was told before: the key is the decision's id.

    Raises KeyReused, NoSuchCustomer, NoPolicy, TooManyLookups, Refused.
    """
    is_new = claim(desk.database, me, key, "decide", asked)
    found = decision(desk.database, me, key) if is_new else _decided_elsewhere(desk.database, me, key)
    if found is not None:
        return found, True
    policy = policy_in_force(desk.database, me)
    if isinstance(asked.ask, schemas.AskedMoney) and policy and asked.ask.currency != policy.currency:
        raise Refused(409, f"Amounts here are in {policy.currency}.")
    models = desk.models(me)
    card = casework.open_case(
        desk.database, models, asked.customer_id, me=me, clock=datetime.now(UTC), opened_by=OPENED_BY
    )
    call = offers.Call(
        contact_reason=asked.contact_reason,
        fault=asked.fault,
        ask=Ask(**asked.ask.model_dump(exclude={"currency"})) if asked.ask else Ask(),
        counter_offers_made=asked.counter_offers_made,
    )
    is_replay = False
    try:
        offers.make_offer(desk.database, me, card, models, call, decision_id=key)
    except KeyReused:  # the same request at the same moment was first
        is_replay = True
    found = decision(desk.database, me, key)
    if found is None:
        raise Refused(409, "This key was used for something else; take a fresh one.")
    return found, is_replay


def decision(database: Database, me: Session, decision_id: UUID) -> schemas.Decision | None:
    """A decision of mine as it was stored, with what became of it."""
    rows = rows_of(database, me, "api", "decision", {"decision_id": decision_id})
    if not rows:
        return None
    row, receipt = rows[0], rows[0]["receipt"]
    ceilings = row["ceilings"] or {}
    return schemas.Decision(
        say_yes=receipt["say_yes"],
        shown=receipt["shown"],
        rungs=[_rung(i, rung, ceilings.get(str(i))) for i, rung in enumerate(receipt["rungs"])],
        bounds=[schemas.Bound(instrument=name, limits=held) for name, held in receipt["bounds"].items()],
        **{name: value for name, value in row.items() if name in schemas.Decision.model_fields},
    )


def give(database: Database, me: Session, decision_id: UUID, asked: schemas.GrantAsked) -> tuple[schemas.Grant, bool]:
    """Give once, and whether it was given before. Raises the ledger's refusals."""
    entry = ledger.give(database, me, grants.Grant(decision_id=decision_id, **asked.model_dump()))
    return schemas.Grant.model_validate(entry, from_attributes=True), entry.is_replay


def answer(database: Database, me: Session, decision_id: UUID, asked: schemas.AnswerAsked) -> schemas.Answer:
    """Write down that nothing was given. Raises DecisionUnknown, NotYourDecision, KeyReused, NotOffered."""
    if decision(database, me, decision_id) is None:
        raise not_there("decision")
    claim(database, me, uuid5(decision_id, "answer"), "answer", asked)
    ledger.answer_decision(database, me, decision_id, answer=asked.answer, reason=asked.reason)
    return schemas.Answer(decision_id=decision_id, answer=asked.answer)


def ask_approval(database: Database, me: Session, key: UUID, asked: schemas.ApprovalAsked) -> schemas.Approval:
    """Ask a supervisor; the key is the request's id. Raises the refusals of asking."""
    claim(database, me, key, "ask_approval", asked)
    offer = decision(database, me, asked.decision_id)
    if offer is None:
        raise not_there("decision")
    if offer.currency != asked.currency:
        raise Refused(409, f"This decision is in {offer.currency}.")
    terms = asked.model_dump(exclude={"reason", "seconds"})
    ledger.ask_approval(
        database, me, grants.Grant(**terms), approval_id=key, reason=asked.reason, seconds=asked.seconds
    )
    return approval(database, me, key)


def approval(database: Database, me: Session, approval_id: UUID) -> schemas.Approval:
    """A request of mine with its state now. Raises Refused."""
    found = ledger.approval(database, me, approval_id)
    if found is None or found.requested_by != me.staff_id:
        raise not_there("request")
    return schemas.Approval.model_validate(found, from_attributes=True)


def close(database: Database, me: Session, case_id: UUID, asked: schemas.OutcomeAsked) -> schemas.Case:
    """Write down how a case of mine ended, once. Raises Refused when it ended otherwise."""
    if _case(database, me, case_id) is None:
        raise not_there("case")
    claim(database, me, uuid5(case_id, "close"), "close", asked)
    with suppress(OtherOutcome):
        casework.close_case(database, me, str(case_id), Ending(**asked.model_dump()))
    found = _case(database, me, case_id)
    if found is None or found.outcome != asked.outcome:
        told = (found.outcome if found else None) or "without an outcome"
        raise Refused(409, f"The case was closed before, as {told}; nothing was changed.")
    return found


def take_bookings(database: Database, me: Session, key: UUID, sent: schemas.BookingsSent) -> schemas.BookingsTaken:
    """What billing applied, once for each key. Raises KeyReused, RoleMayNot."""
    claim(database, me, key, "bookings", sent)
    rows = [
        booking.model_dump(mode="json") | {"line": i, "fault": _fault(booking)}
        for i, booking in enumerate(sent.bookings, 1)
    ]
    done = act(database, me, "api", "take_bookings", {"key": key, "bookings": json.dumps(rows)})
    return schemas.BookingsTaken(file_id=int(done["key"]), **done["facts"])


def claim(database: Database, me: Session, key: UUID, what: str, asked: schemas.Taken) -> bool:
    """Whether a request's key is new; the same key with another body is refused. Raises KeyReused."""
    said = json.dumps(asked.model_dump(mode="json"), sort_keys=True)
    params = {"token": me.token, "key": key, "act": what, "sha256": hashlib.sha256(said.encode()).digest()}
    return bool(rows_of(database, me, "api", "claim", params)[0]["is_new"])


def _fault(booking: schemas.Booking) -> str | None:
    """Why a booking cannot be taken, as of a file's."""
    is_plausible = FIRST_DAY <= booking.applied_on < LAST_DAY
    return None if is_plausible else f"{booking.applied_on} is no day money was applied on."


def _decided_elsewhere(database: Database, me: Session, key: UUID) -> schemas.Decision | None:
    """The answer to the same request sent before, which may be on its way still; None: it never came to one."""
    for _ in range(WAITS):
        found = decision(database, me, key)
        if found is not None:
            return found
        time.sleep(WAIT_SECONDS)
    return None


def _case(database: Database, me: Session, case_id: UUID) -> schemas.Case | None:
    rows = rows_of(database, me, "api", "case", {"case_id": case_id, "staff_id": me.staff_id})
    return schemas.Case(**rows[0]) if rows else None


def _rung(index: int, rung: dict[str, Any], ceiling: int | None) -> schemas.Rung:
    added = {"rung": index, "ceiling": ceiling, "can_be_given": rung["is_grant"], "p_stay": rung["p_after"]}
    return schemas.Rung.model_validate(rung | added)


def not_there(what: str) -> Refused:
    """Whether it is nowhere or another's is not said."""
    return Refused(404, f"There is no such {what} of yours.")
