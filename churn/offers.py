"""From an open case to what may be said yes to: read policy, money and what was given, ask the core, keep the decision.

The decision is stored before it is shown; its id is the request key of whatever is given from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

import numpy as np

from churn import ledger
from churn.casework import Card, Models
from churn.core import features
from churn.core.arms import choose_arm
from churn.core.bounds import Budget, Earlier, Spending
from churn.core.demand import EffectInUse, staying_given_saved
from churn.core.grants import Decision, Grant, Headroom, Request, Session
from churn.core.levers import fitting_levers
from churn.core.money import exponent, to_minor
from churn.core.offer import Ladder, ladder, offered, replay
from churn.core.outlook import DAYS_A_MONTH, Economics, Outlook, margins
from churn.core.policy import Case, Policy, rule_on
from churn.core.question import Ask, Question, Respond, Trial, Worth, from_level, respond_with
from churn.core.worth import clv
from churn.db import Database
from churn.gateway import rows_of
from churn.policies.stored import policy_in_force, policy_version

TRIAL = "opening"
TRIAL_SHARE = 0.1
ARMS = {"usual": 0.9, "opening": 0.1}
RIGHT_SIZE_LEAST = 0.25  # of the plan used: below, a smaller plan would do
RIGHT_SIZE_SAVING = 0.15  # of the bill, until the plans' own prices are known


NOT_ASKED = Ask()


class NoPolicy(LookupError):
    """No policy is in force: nothing may be given until finance publishes one."""


class NoSuchDecision(LookupError):
    """There is no such decision, or the policy it was made under is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the agent has recorded of the call so far."""

    contact_reason: str | None = None
    fault: str | None = None
    ask: Ask = NOT_ASKED
    counter_offers_made: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """A ladder with the key it was stored under."""

    decision_id: UUID
    ladder: Ladder


def make_offer(database: Database, session: Session, card: Card, models: Models, call: Call) -> Offer:
    """Reckon the ladder for a call as it stands and store it. Raises NoPolicy, and the ledger's refusals."""
    policy = policy_in_force(database, session)
    if policy is None:
        raise NoPolicy(NoPolicy.__doc__)
    question, respond = ask_core(database, session, card, models, call, policy=policy)
    made = ladder(policy, question, respond)
    decision_id = uuid4()
    ledger.record_decision(database, session, _decision(decision_id, card, call, policy, made))
    return Offer(decision_id, made)


def ask_core(
    database: Database, session: Session, card: Card, models: Models, call: Call, *, policy: Policy
) -> tuple[Question, Respond | None]:
    """Everything the core is asked with: the case, what was given, what is left, worth, and the caller's curve."""
    currency = card.facts.customer.currency
    budgets = ledger.headroom(database, session, session.team or "")
    earlier = _earlier(database, session, card)
    worth, staying = _worth(card)
    question = Question(
        case=_case(card, call, worth, earlier),
        role=session.role,
        spending=Spending(
            budgets={b.instrument: Budget(b.amount_limit, b.headroom, b.spent_today) for b in budgets},
            authority_used=ledger.authority_used(database, session),
            earlier=earlier,
            counter_offers_made=call.counter_offers_made,
        ),
        worth=worth,
        staying=staying,
        price_of_budget=_prices(database, session, models.effect, budgets, currency),
        ask=call.ask,
        trial=Trial(card.facts.customer.customer_id, TRIAL, TRIAL_SHARE),
        versions=dict(models.versions),
    )
    saving = _saving(card, question.case.monthly_bill)
    may_pause = call.contact_reason in {"payment", "move_home", "moving"}
    levers = fitting_levers(policy, question.case, monthly_saving=saving, may_pause=may_pause)
    return replace(question, levers=levers), _respond(card, models.effect, call)


def recompute(database: Database, who: Session | str, decision_id: UUID) -> tuple[Ladder, Mapping[str, Any]]:
    """The ladder of a stored decision made anew, and the receipt as it was stored. Raises NoSuchDecision."""
    receipt = receipt_of(database, who, decision_id)
    policy = policy_version(database, who, receipt["inputs"]["policy_version"])
    if policy is None:
        raise NoSuchDecision(f"Policy version {receipt['inputs']['policy_version']} is gone.")
    return replay(policy, receipt["inputs"]), receipt


def differences(made: Ladder, receipt: Mapping[str, Any]) -> list[str]:
    """Where a ladder made anew is not what its receipt says; empty when it is the same in everything."""
    return list(_differences("", receipt, json.loads(json.dumps(made.as_receipt()))))


def receipt_of(database: Database, who: Session | str, decision_id: UUID) -> Mapping[str, Any]:
    """What a decision was made from and what it showed, as it was stored. Raises NoSuchDecision."""
    rows = rows_of(database, who, "ledger", "decision", {"decision_id": decision_id})
    if not rows:
        raise NoSuchDecision(f"There is no decision {decision_id}.")
    return cast(Mapping[str, Any], rows[0]["receipt"])


def asked_rung(database: Database, session: Session, request: Request) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The rung a supervisor is asked for, as it was shown, and the receipt it stands in."""
    receipt = receipt_of(database, session, request.decision_id)
    terms = (request.instrument, request.amount)
    found: Mapping[str, Any] = next((r for r in receipt["rungs"] if (r["instrument"], r["amount"]) == terms), {})
    return found, receipt


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
        given_elsewhere=_elsewhere(card, (cap.rule.window_days or 365) if cap else 365),
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


def _case(card: Card, call: Call, worth: Worth | None, earlier: tuple[Earlier, ...]) -> Case:
    customer, row = card.facts.customer, card.facts.features
    flags = features.flatten(row) if row else {}
    bill = to_minor(float(row.get("monthly_price") or 0.0), customer.currency)  # type: ignore[arg-type]
    return Case(
        on=card.today,
        monthly_bill=bill,
        tenure_months=int(float(row.get("tenure_months") or 0.0)),  # type: ignore[arg-type]
        worth=worth.amount if worth else None,
        risk=card.p_churn,
        given_days_ago=tuple(item.days_ago for item in earlier),
        plan=_text(row.get("plan")),
        segment=customer.segment,
        contact_reason=call.contact_reason,
        fault=call.fault,
        channel="call",
        region=customer.region,
        arm=choose_arm(TRIAL, customer.customer_id, ARMS),
        open_complaint=any(c.is_escalated and c.is_resolved is False for c in card.facts.contacts),
        is_vulnerable=customer.is_vulnerable,
        is_do_not_offer=customer.is_do_not_offer,
        in_collections=flags.get("in_collections") is True,
        has_fraud_hold=flags.get("has_fraud_hold") is True,
        is_bereaved=flags.get("is_bereaved") is True,
    )


def _earlier(database: Database, session: Session, card: Card) -> tuple[Earlier, ...]:
    """What the customer had before: from the company's records, and from this ledger."""
    currency, now = card.facts.customer.currency, card.facts.as_of
    before = [
        Earlier(given.instrument, to_minor(given.amount, currency), _days(now, given.given_at))
        for given in card.facts.concessions
        if given.amount > 0
    ]
    ours = ledger.customer_grants(database, session, card.facts.customer.customer_id)
    return (*before, *(Earlier(e.instrument, e.amount, max(_days(now, e.given_at), 0.0)) for e in ours if e.amount > 0))


def _elsewhere(card: Card, days: int) -> int:
    currency, now = card.facts.customer.currency, card.facts.as_of
    return sum(
        to_minor(given.amount, currency) for given in card.facts.concessions if _days(now, given.given_at) < days
    )


def _worth(card: Card) -> tuple[Worth | None, tuple[float, ...]]:
    """What they are worth given they stay on this call, and their curve from there."""
    if card.outlook is None:
        return None, ()
    horizon = card.company.horizon_days / DAYS_A_MONTH
    curves = [staying_given_saved(c, horizon) for c in (card.outlook.staying, card.outlook.low, card.outlook.high)]
    amount, low, high = (_value(card, curve) for curve in curves)
    if not np.isfinite(amount):
        return None, ()
    spread = _spread(card.outlook)
    currency = card.facts.customer.currency
    held = Worth(
        to_minor(amount, currency),
        to_minor(min(low, amount - spread[0]), currency),
        to_minor(max(high, amount + spread[1]), currency),
    )
    return held, (1.0, *(float(chance) for chance in curves[0][0]))


def _value(card: Card, curve: np.ndarray[Any, Any]) -> float:
    economics = Economics()
    return float(clv(margins([card.facts.features], economics).amount, curve, **economics.terms)[0])


def _spread(outlook: Outlook) -> tuple[float, float]:
    # The margin's own uncertainty is in the worth on the card; it is the same for who stays.
    held = outlook.worth
    return float(held.clv[0] - held.low[0]), float(held.high[0] - held.clv[0])


def _prices(
    database: Database, session: Session, effect: EffectInUse | None, budgets: list[Headroom], currency: str
) -> dict[str, float]:
    """λ of each instrument: one price for the team's money of the month, whatever the instrument."""
    if effect is None or not budgets:
        return {}
    scale = 10 ** exponent(currency)
    left = sum(budget.headroom for budget in budgets) / scale
    days = (budgets[0].ends_at - budgets[0].starts_at).days * float(1 - budgets[0].elapsed)
    rows = rows_of(database, session, "ledger", "team_agents", {"team": session.team})
    price = effect.demand.price(left=left, agents=int(rows[0]["agents"]), days_left=days)
    return {budget.instrument: price for budget in budgets}


def _respond(card: Card, effect: EffectInUse | None, call: Call) -> Respond | None:
    """The effect model's answers for this caller; None without a model."""
    if effect is None or not card.facts.features:
        return None
    row: dict[str, Any] = {
        **features.complete(card.facts.features, effect.effect.columns),
        "monthly_bill": card.facts.features["monthly_price"],
        "channel": "call",
        "contact_reason": call.contact_reason,
    }
    respond = respond_with(effect.effect.estimator, effect.effect.estimator.encode(row))
    # It was learned from calls in which somebody wants to leave or complains. Before the caller has said so, the
    # chance of staying is the card's own, and only what money changes is the model's.
    if call.contact_reason in effect.reasons or card.p_churn is None:
        return respond
    return from_level(respond, 1 - card.p_churn)


def _saving(card: Card, bill: int) -> int:
    """What a fitting plan would take off the bill a month, where they use little of what they pay for."""
    values = features.flatten(card.facts.features) if card.facts.features else {}
    used, change = values.get("usage_gb"), values.get("usage_gb_change")
    if not isinstance(used, int | float) or not isinstance(change, int | float):
        return 0
    usual = used - change
    return round(bill * RIGHT_SIZE_SAVING) if usual > 0 and used < RIGHT_SIZE_LEAST * usual else 0


def _days(now: datetime, then: datetime) -> float:
    return (now - then).total_seconds() / 86_400


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
