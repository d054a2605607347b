"""From an open case to what may be said yes to: ask the core by the policy in force, and keep the decision.

The decision is stored before it is shown; its id is the request key of whatever is given from it. A receipt is in
English, whoever it was made for: a ladder follows from its receipt's inputs, so that whoever reads it again has it made
again in their own language (`retold`, `recompute`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, cast
from uuid import UUID, uuid4

from churn import ledger
from churn.asking import Call, ask_core, case_of, given_elsewhere, without_model, worth_if_kept
from churn.calls import past_cases
from churn.casework import FAULTS, Card, Models
from churn.core.calls.similar import Context, PastCase, callers, context_of, what_kept
from churn.core.grants import Decision, Grant, Request, Session
from churn.core.language import ENGLISH, current, speaking, t
from churn.core.offers.offer import Ladder, ladder, offered, replay, retold
from churn.core.policies.policy import Policy, rule_on
from churn.db import Database
from churn.gateway import rows_of
from churn.policies.stored import policy_in_force, policy_version

__all__ = ["Call", "NoPolicy", "NoSuchDecision", "Offer"]  # and this module's own functions


SIMILAR = 25  # callers that what kept them is told of


class NoPolicy(LookupError):
    """No policy is in force: nothing may be given until finance publishes one."""


class NoSuchDecision(LookupError):
    """There is no such decision, or the policy it was made under is gone."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A ladder with the key it was stored under. `reasons`: of its rungs, as the receipt keeps them."""

    decision_id: UUID
    ladder: Ladder
    reasons: tuple[str, ...]


def make_offer(
    database: Database, session: Session, card: Card, models: Models, call: Call, *, decision_id: UUID | None = None
) -> Offer:
    """Reckon the ladder for a call as it stands and store it, under a key of the asker's or a new one.

    Raises NoPolicy, and the ledger's refusals.
    """
    policy = policy_in_force(database, session)
    if policy is None:
        raise NoPolicy(t("No policy is in force: nothing may be given until finance publishes one."))
    with speaking(ENGLISH):  # what is kept
        question, respond = ask_core(database, session, card, models, call, policy=policy)
        try:
            made = ladder(policy, question, respond)
        except FAULTS:
            if respond is None:
                raise
            made = ladder(policy, without_model(question))  # a model that cannot answer for this caller: policy's table
        key = decision_id or uuid4()
        ledger.record_decision(database, session, _decision(key, card, call, policy, made))
    reasons = tuple(rung.reason for rung in made.rungs)
    return Offer(key, made if current().code == ENGLISH.code else retold(policy, made), reasons)


def recompute(database: Database, who: Session | str, decision_id: UUID) -> tuple[Ladder, Mapping[str, Any]]:
    """The ladder of a stored decision made anew, its sentences in the language spoken here, and the receipt as it was
    stored. Raises NoSuchDecision.
    """
    receipt = receipt_of(database, who, decision_id)
    policy = policy_version(database, who, receipt["inputs"]["policy_version"])
    if policy is None:
        raise NoSuchDecision(t("Policy version {version} is gone.", version=receipt["inputs"]["policy_version"]))
    return replay(policy, receipt["inputs"]), receipt


def differences(made: Ladder, receipt: Mapping[str, Any]) -> list[str]:
    """Where a ladder made anew in English is not what its receipt says; empty when it is the same in everything."""
    return list(_differences("", receipt, json.loads(json.dumps(made.as_receipt()))))


def receipt_of(database: Database, who: Session | str, decision_id: UUID) -> Mapping[str, Any]:
    """What a decision was made from and what it showed, as it was stored. Raises NoSuchDecision."""
    rows = rows_of(database, who, "ledger", "decision", {"decision_id": decision_id})
    if not rows:
        raise NoSuchDecision(t("There is no decision {decision}.", decision=decision_id))
    return cast(Mapping[str, Any], rows[0]["receipt"])


def asked_rung(database: Database, session: Session, request: Request) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The rung a supervisor is asked for, and the receipt it stands in."""
    receipt = receipt_of(database, session, request.decision_id)
    terms = (request.instrument, request.amount)
    found: Mapping[str, Any] = next((r for r in receipt["rungs"] if (r["instrument"], r["amount"]) == terms), {})
    return found, receipt


def why_asked(database: Database, session: Session, request: Request, receipt: Mapping[str, Any]) -> str:
    """Why this is asked for, in the language spoken here; as the asker wrote it, where it is not the rung's reason."""
    if current().code == ENGLISH.code:
        return request.reason
    policy = policy_version(database, session, receipt["inputs"]["policy_version"])
    made = replay(policy, receipt["inputs"]).rungs if policy else ()
    same = (now.reason for now, kept in zip(made, receipt["rungs"], strict=False) if kept["reason"] == request.reason)
    return next(same, request.reason)


def nearest_cases(
    database: Database,
    who: Session | str,
    about: Card | Mapping[str, Any],
    contact_reason: str | None = None,
    *,
    fault: str | None = None,
    n: int = 5,
) -> tuple[PastCase, ...]:
    """The settled cases nearest to a call, by its card or by the receipt of an offer made on it, nearest first.

    `contact_reason` and `fault` are the call's own; None with a receipt: as the receipt has them.
    """
    context = _context(database, who, about)
    context = replace(context, contact_reason=contact_reason or context.contact_reason, fault=fault or context.fault)
    return past_cases.nearest(database, who, context, n)


def what_kept_similar(
    database: Database, session: Session, card: Card, contact_reason: str | None, *, fault: str | None = None
) -> str | None:
    """What kept callers like this one, in one sentence; None without past cases."""
    found = nearest_cases(database, session, card, contact_reason, fault=fault, n=SIMILAR)
    return what_kept(callers(found, card.facts.customer.currency))


def _context(database: Database, who: Session | str, about: Card | Mapping[str, Any]) -> Context:
    if not isinstance(about, Card):
        made_under = policy_version(database, who, about["inputs"]["policy_version"])
        if made_under is None:
            raise NoSuchDecision(t("Policy version {version} is gone.", version=about["inputs"]["policy_version"]))
        return context_of(about["inputs"]["case"], made_under.currency)
    policy = policy_in_force(database, who)
    worth = worth_if_kept(about, policy)[0] if policy else None
    return context_of(asdict(case_of(about, Call(), worth, ())), about.facts.customer.currency)


def grant_of(offer: Offer, index: int) -> Grant:
    """What giving one rung asks of the ledger."""
    rung = offer.ladder.rungs[index]
    return Grant(
        decision_id=offer.decision_id,
        instrument=rung.instrument,
        amount=rung.amount,
        currency=offer.ladder.currency,
        months=rung.months,
    )


def _differences(where: str, stored: Any, now: Any) -> Iterator[str]:
    """One line for each value that is not the same, with the way to it."""
    if isinstance(stored, Mapping) and isinstance(now, Mapping):
        for name in [*stored, *(name for name in now if name not in stored)]:
            yield from _differences(f"{where}.{name}" if where else name, stored.get(name), now.get(name))
    elif isinstance(stored, list) and isinstance(now, list) and len(stored) == len(now):
        for i, (before, after) in enumerate(zip(stored, now, strict=True)):
            yield from _differences(f"{where}[{i}]", before, after)
    elif stored != now:
        yield f"{where}: stored {json.dumps(stored)}, now {json.dumps(now)}"


def _decision(decision_id: UUID, card: Card, call: Call, policy: Policy, made: Ladder) -> Decision:
    any_money = next(item for item in policy.instruments if item.draws_budget)
    cap = rule_on(policy, made.question.case, any_money).rolling_cap
    return Decision(
        decision_id=decision_id,
        case_id=UUID(card.case_id),
        customer_id=card.facts.customer.customer_id,
        policy_version=policy.version or 0,
        currency=policy.currency,
        rungs=offered(made),
        rolling_cap=(cap.amount or 0) if cap else 0,
        rolling_days=(cap.rule.window_days or 365) if cap else 365,
        given_elsewhere=given_elsewhere(policy, card, (cap.rule.window_days or 365) if cap else 365),
        receipt=made.as_receipt(),
        contact_reason=call.contact_reason,
        asked_amount=call.ask.amount,
        asked_in_kind=call.ask.in_kind,
        authorised_amount=made.say_yes.amount,
        shown_rung=made.shown,
        arm=made.question.case.arm,
        propensity=made.propensity,
        price_of_budget=max(made.question.price_of_budget.values(), default=0.0),
    )
