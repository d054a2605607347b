"""Every write that moves money or authority, each by one database function, answered or refused by name.

Sending an act again with the same key does it once (`churn.gateway` tries again by itself). After Unconfirmed,
`find_grant` asks by key. Acts raise a Refusal by name, Busy (nothing was done) or Unconfirmed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from churn.core.grants import Decision, Difference, Entry, Grant, Headroom, Person, Request, Session
from churn.core.language import tn
from churn.core.policies.policy import Policy
from churn.core.policies.policy_problems import problems
from churn.db import Database
from churn.gateway import act, record, rows_of, verdict
from churn.policies import as_document
from churn.policies.cases import cases_of, verdicts_of
from churn.policies.stored import policy_version
from churn.refusals import Busy, CasesNotGreen, PolicyHasProblems, Unconfirmed

# sessions


def open_session(database: Database, staff_id: str, *, hours: float = 12) -> Session:
    """Sign in somebody the app has recognised. Raises PersonUnknown."""
    rows = rows_of(database, "batch", "ledger", "open_session", {"staff_id": staff_id, "hours": hours})
    return record(Session, rows[0])


def sign_in(
    database: Database,
    *,
    subject: str,
    issued_at: datetime,
    name: str | None = None,
    role: str | None = None,
    team: str | None = None,
) -> Session:
    """Sign in whom a provider vouches for: `subject` as the staff list names them, `issued_at` of their sign-in.

    With a `role` from their claims the person is made or brought up to date. Raises PersonUnknown; SessionEnded when
    that sign-in has ended (signed out, idle, too old) and another must follow.
    """
    params = {"subject": subject, "issued_at": issued_at, "name": name, "role": role, "team": team}
    return record(Session, rows_of(database, "batch", "access", "sign_in", params)[0])


def sign_out(database: Database, session: Session) -> None:
    """Sign out of every tab of this sign-in."""
    rows_of(database, session, "access", "sign_out", {"token": session.token})


def close_session(database: Database, session: Session) -> None:
    """Sign out; the token is worth nothing from now on."""
    rows_of(database, session, "ledger", "close_session", {"token": session.token})


def person(database: Database, session: Session) -> Person:
    """Who holds the session, as of now. Raises NotSignedIn, SessionEnded, RoleChanged."""
    return record(Person, rows_of(database, session, "ledger", "person", {"token": session.token})[0])


def is_here(database: Database, session: Session) -> bool:
    """Whether the session still stands. Asking is no sign of life: a screen left alone grows idle."""
    return bool(rows_of(database, session, "access", "is_here", {})[0]["is_here"])


# decisions and grants


def record_decision(database: Database, session: Session, decision: Decision) -> UUID:
    """Store a recommendation before it is shown; its id is the request key. Sending the same again stores it once."""
    held = {name: value for name, value in asdict(decision).items() if value is not None}
    held["rungs"] = [{name: v for name, v in rung.items() if v is not None} for rung in held["rungs"]]
    act(database, session, "ledger", "record_decision", {"decision": json.dumps(held, default=_plain)})
    return decision.decision_id


def answer_decision(database: Database, session: Session, decision_id: UUID, *, answer: str, reason: str) -> None:
    """Record that nothing was given: `not_now`, `refused_by_caller` or `cancelled`, and why."""
    act(
        database,
        session,
        "ledger",
        "answer_decision",
        {"decision_id": decision_id, "answer": answer, "reason": reason},
    )


def give(database: Database, session: Session, grant: Grant) -> Entry:
    """Give once, whatever is clicked or lost. Raises a Refusal by name, Busy, or Unconfirmed."""
    try:
        return record(Entry, act(database, session, "ledger", "give", asdict(grant)))
    except Unconfirmed:
        with suppress(Busy, Unconfirmed):
            found = find_grant(database, session, grant.decision_id)
            if found is not None:
                return found
        raise


def find_grant(database: Database, session: Session, decision_id: UUID) -> Entry | None:
    """What was given from a decision of mine: the answer after Unconfirmed. None: nothing so far."""
    params = {"token": session.token, "decision_id": decision_id}
    rows = rows_of(database, session, "ledger", "grant_of", params)
    return record(Entry, rows[0] | {"is_replay": True}) if rows else None


def reverse(database: Database, session: Session, entry_id: int, *, reason: str) -> Entry:
    """Take a grant back with a new row: a supervisor's act, once, never the giver's own."""
    return record(Entry, act(database, session, "ledger", "reverse", {"entry_id": entry_id, "reason": reason}))


def claw_back(database: Database, entry_id: int, *, unpaid: int, reason: str) -> Entry:
    """Withdraw credit for a save that did not last, with the months nobody will pay. The nightly job's act."""
    params = {"entry_id": entry_id, "unpaid": unpaid, "reason": reason}
    return record(Entry, verdict(rows_of(database, "batch", "ledger", "claw_back", params)[0]))


# approvals


def ask_approval(
    database: Database, session: Session, grant: Grant, *, approval_id: UUID, reason: str, seconds: int = 300
) -> Request:
    """Ask a supervisor for `grant`; `approval_id` is this request's key. It ends with the call, or after `seconds`."""
    params = {
        "approval_id": approval_id,
        "decision_id": grant.decision_id,
        "instrument": grant.instrument,
        "amount": grant.amount,
        "months": grant.months,
        "reason": reason,
        "seconds": seconds,
    }
    return record(Request, act(database, session, "approvals", "ask", params))


def approve(database: Database, session: Session, approval_id: UUID, *, reason: str) -> Request:
    """Say yes to exactly what was asked."""
    return _decide(database, session, approval_id, answer="approved", reason=reason)


def counter(
    database: Database, session: Session, approval_id: UUID, *, amount: int, months: int | None = None, reason: str
) -> Request:
    """Say yes to another amount."""
    return _decide(database, session, approval_id, answer="countered", amount=amount, months=months, reason=reason)


def decline(database: Database, session: Session, approval_id: UUID, *, reason: str) -> Request:
    """Say no, and why."""
    return _decide(database, session, approval_id, answer="declined", reason=reason)


def _decide(
    database: Database,
    session: Session,
    approval_id: UUID,
    *,
    answer: str,
    reason: str,
    amount: int | None = None,
    months: int | None = None,
) -> Request:
    params = {"approval_id": approval_id, "answer": answer, "amount": amount, "months": months, "reason": reason}
    return record(Request, act(database, session, "approvals", "decide", params))


def withdraw_approval(database: Database, session: Session, approval_id: UUID) -> Request:
    """Take one's own request back."""
    return record(Request, act(database, session, "approvals", "withdraw", {"approval_id": approval_id}))


def approval(database: Database, session: Session, approval_id: UUID) -> Request | None:
    """One request with its state as it is now; cheap enough to ask every second."""
    rows = rows_of(database, session, "approvals", "request", {"approval_id": approval_id})
    return record(Request, rows[0]) if rows else None


def approvals_waiting(database: Database, session: Session) -> list[Request]:
    """Requests that wait for this person's answer, the one that expires first at the top."""
    params = {"staff_id": session.staff_id, "team": session.team}
    return [record(Request, row) for row in rows_of(database, session, "approvals", "waiting", params)]


def name_stand_in(database: Database, session: Session, *, team: str, staff_id: str, hours: float) -> None:
    """Let another supervisor answer for a team for some hours."""
    params = {"team": team, "staff_id": staff_id, "hours": hours}
    act(database, session, "approvals", "name_stand_in", params, tries=1)


def expire_approvals(database: Database) -> int:
    """Write down which requests time has ended; how many. A job's broom: nothing depends on it."""
    return int(rows_of(database, "batch", "approvals", "expire", {})[0]["expired"])


# budgets and months


def propose_budget(
    database: Database,
    session: Session,
    *,
    team: str,
    instrument: str,
    month: date,
    currency: str,
    amount: int,
    reason: str,
    proposal_id: UUID | None = None,
) -> UUID:
    """Propose `amount` more (below zero: less) in a team's budget of a month; the id to confirm."""
    key = proposal_id or uuid4()
    params = {
        "proposal_id": key,
        "team": team,
        "instrument": instrument,
        "month": month,
        "currency": currency,
        "amount": amount,
        "reason": reason,
    }
    act(database, session, "ledger", "propose_budget", params)
    return key


def confirm_budget(database: Database, session: Session, proposal_id: UUID) -> None:
    """Move the money somebody else proposed."""
    act(database, session, "ledger", "confirm_budget", {"proposal_id": proposal_id})


def headroom(database: Database, session: Session | str, team: str) -> list[Headroom]:
    """What is left of each of a team's budgets now."""
    rows = rows_of(database, session, "ledger", "headroom", {"team": team})
    return [record(Headroom, row) for row in rows]


def authority_used(database: Database, session: Session) -> dict[str, int]:
    """By instrument, what my own authority has been used for in the window that holds now."""
    rows = rows_of(database, session, "ledger", "authority_used", {"staff_id": session.staff_id})
    return {row["instrument"]: row["spent"] for row in rows}


def customer_grants(database: Database, session: Session, customer_id: str) -> list[Entry]:
    """The grants of a customer that stand, newest first."""
    rows = rows_of(database, session, "ledger", "customer_grants", {"customer_id": customer_id})
    return [record(Entry, row) for row in rows]


def close_month(database: Database, session: Session, month: date) -> None:
    """Close a month that is over: it takes no row any more. Closing it twice is no harm."""
    act(database, session, "ledger", "close_month", {"month": month})


def reconcile(database: Database) -> list[Difference]:
    """Every counter that does not equal the ledger; empty when all is well."""
    return [record(Difference, row) for row in rows_of(database, "batch", "ledger", "reconcile", {})]


# policy


def draft_policy(database: Database, session: Session, policy: Policy, *, cases: str = "") -> int:
    """Store a draft, problems and all, with its cases (YAML) where it has any; its version."""
    params = {"policy": json.dumps(as_document(policy))}
    if cases:
        kept = act(database, session, "policy_lab", "draft_with_cases", params | {"cases": cases}, tries=1)
        return int(kept["key"])
    return int(act(database, session, "policy", "draft", params, tries=1)["key"])


def publish_policy(
    database: Database, session: Session, version: int, *, effective_from: datetime | None = None
) -> None:
    """Put somebody else's draft in force (None: from now). Raises PolicyHasProblems, CasesNotGreen with all of them.

    What the checks found is written down by the desk itself: without it the database publishes nothing.
    """
    asked = {"version": version, "effective_from": effective_from}
    checked = rows_of(database, "batch", "policy_lab", "to_check", asked)[0]
    draft = policy_version(database, session, version)
    found = problems(draft, checked["begins_on"]) if draft else []
    cases = verdicts_of(draft, cases_of(database, session, version), checked["begins_on"]) if draft else []
    red = [verdict for verdict in cases if not verdict.is_green]
    counted = {"problems": len(found), "cases": len(cases), "red_cases": len(red)}
    rows_of(database, "batch", "policy_lab", "keep_check", {"version": version, **checked, **counted})
    if found:
        raise PolicyHasProblems(
            f"{tn(len(found), '{n} problem:', '{n} problems:')} " + " ".join(problem.sentence for problem in found),
            {"problems": [asdict(problem) for problem in found]},
        )
    if red:
        raise CasesNotGreen(
            f"{tn(len(red), '{n} case does not come out as written:', '{n} cases do not come out as written:')} "
            + " ".join(f"{one.title}: {one.sentence}" for one in red),
            {"cases": [asdict(one) for one in red]},
        )
    act(database, session, "policy", "publish", asked)


def clock(database: Database, session: Session | str) -> datetime:
    """The company's own time, which policies and months go by."""
    at: datetime = rows_of(database, session, "policy", "clock", {})[0]["now"]
    return at


def _plain(value: object) -> object:
    if isinstance(value, UUID | date | datetime | Decimal):
        return str(value)
    if isinstance(value, Sequence | frozenset | set):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot go into a receipt.")
