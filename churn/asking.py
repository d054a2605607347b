"""What the core is asked for one call: the case, what was given, what is owed, what is left, worth and the curve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from churn import ledger
from churn.casework import FAULTS, Card, Models
from churn.core import features
from churn.core.effects.demand import EffectInUse
from churn.core.grants import Headroom, Session
from churn.core.leaving.outlook import Outlook, economics_of, horizon_of, worth_given_saved
from churn.core.money import exponent, to_minor
from churn.core.offers.bounds import Budget, Earlier, Spending
from churn.core.offers.levers import fitting_levers
from churn.core.offers.limits import counts
from churn.core.offers.owed import Owed, Refund, fees, owed
from churn.core.offers.question import Ask, Question, Respond, Trial, Worth, from_level, respond_with
from churn.core.policies.arms import choose_arm
from churn.core.policies.policy import Case, Policy
from churn.db import Database
from churn.gateway import rows_of

TRIAL = "opening"
TRIAL_SHARE = 0.1
ARMS = {"usual": 0.9, "opening": 0.1}
RIGHT_SIZE_LEAST = 0.25  # of the plan used: below, a smaller plan would do
RIGHT_SIZE_SAVING = 0.15  # of the bill, until the plans' own prices are known
FEE_WAIVER = "fee_waiver"
NO_MODEL: dict[str, str | int] = {"model": "none"}  # in a receipt: policy's table answered
NOT_ASKED = Ask()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the agent has recorded of the call so far."""

    contact_reason: str | None = None
    fault: str | None = None
    ask: Ask = NOT_ASKED
    counter_offers_made: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """Something the customer had before: minor units, when, and whether this desk gave it."""

    instrument: str
    amount: int
    given_at: datetime
    is_ours: bool


def ask_core(
    database: Database, session: Session, card: Card, models: Models, call: Call, *, policy: Policy
) -> tuple[Question, Respond | None]:
    """Everything the core is asked with; without an answer of the effect model the versions say so."""
    currency = card.facts.customer.currency
    budgets = ledger.headroom(database, session, session.team or "")
    given = given_before(database, session, card)
    worth, staying = worth_if_kept(card, policy)
    case = case_of(card, call, worth, goodwill_days(policy, card, given))
    is_owed, fee = entitled(policy, case, card, given)
    respond = _respond(card, models.effect, call)
    versions: dict[str, str | int] = dict(models.versions)
    return Question(
        case=case,
        role=session.role,
        spending=Spending(
            budgets={b.instrument: Budget(b.amount_limit, b.headroom, b.spent_today) for b in budgets},
            authority_used=ledger.authority_used(database, session),
            supervisor_used=_supervisors_used(database, session),
            earlier=tuple(Earlier(g.instrument, g.amount, _age(card, g), g.is_ours) for g in given if g.amount > 0),
            counter_offers_made=call.counter_offers_made,
            fee=fee,
        ),
        worth=worth,
        staying=staying,
        price_of_budget=_prices(database, session, models.effect, budgets, currency),
        ask=call.ask,
        levers=fitting_levers(
            policy,
            case,
            monthly_saving=_saving(card, case.monthly_bill),
            may_pause=call.contact_reason in {"payment", "move_home", "moving"},
        ),
        owed=is_owed.amount,
        owed_for=is_owed.reason,
        owed_parts=is_owed.parts,
        trial=Trial(card.facts.customer.customer_id, TRIAL, TRIAL_SHARE),
        versions=versions | (NO_MODEL if respond is None else {}),
    ), respond


def without_model(question: Question) -> Question:
    """The same question for a caller the effect model has no answer for."""
    return replace(question, versions=dict(question.versions) | NO_MODEL)


def case_of(card: Card, call: Call, worth: Worth | None, given_days_ago: Iterable[float]) -> Case:
    """The facts of one call that rules may ask for."""
    customer, row = card.facts.customer, card.facts.features
    flags = features.flatten(row) if row else {}
    bill = to_minor(float(row.get("monthly_price") or 0.0), customer.currency)  # type: ignore[arg-type]
    return Case(
        on=card.today,
        monthly_bill=bill,
        tenure_months=int(float(row.get("tenure_months") or 0.0)),  # type: ignore[arg-type]
        worth=worth.amount if worth else None,
        risk=card.p_churn,
        given_days_ago=tuple(given_days_ago),
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


# what was given, and what is owed -------------------------------------------------------------------------------------


def given_before(database: Database, session: Session, card: Card) -> tuple[Given, ...]:
    """What the customer had: by the company's records, and by this ledger."""
    currency = card.facts.customer.currency
    before = (
        Given(had.instrument, to_minor(had.amount, currency), had.given_at, False) for had in card.facts.concessions
    )
    ours = ledger.customer_grants(database, session, card.facts.customer.customer_id)
    return (*before, *(Given(entry.instrument, entry.amount, entry.given_at, True) for entry in ours))


def goodwill_days(policy: Policy, card: Card, given: Iterable[Given]) -> tuple[float, ...]:
    """How long ago each goodwill was: who was paid what is owed to them has asked for nothing."""
    return tuple(_age(card, g) for g in given if g.amount > 0 and counts(policy, g.instrument))


def given_elsewhere(policy: Policy, card: Card, days: int) -> int:
    """Goodwill of the last days by the company's own records, minor units: the ledger adds its own."""
    currency, now = card.facts.customer.currency, card.facts.as_of
    return sum(
        to_minor(had.amount, currency)
        for had in card.facts.concessions
        if counts(policy, had.instrument) and _days(now, had.given_at) < days
    )


def entitled(policy: Policy, case: Case, card: Card, given: Iterable[Given]) -> tuple[Owed, int]:
    """What is owed to the caller, and the fees a waiver could take off, less what they had of either."""
    refunds = {item.instrument for item in policy.instruments if item.is_entitlement}
    back = [Refund(g.amount, g.given_at) for g in given if g.instrument in refunds]
    waived = [Refund(g.amount, g.given_at) for g in given if g.instrument == FEE_WAIVER]
    is_owed = owed(policy, case, card.facts, back, time_zone=card.company.time_zone)
    return is_owed, fees(policy, case, card.facts, waived)


# worth, money, curve --------------------------------------------------------------------------------------------------


def worth_if_kept(card: Card, policy: Policy) -> tuple[Worth | None, tuple[float, ...]]:
    """What they are worth given they stay on this call, and their curve from there, by the policy's economics."""
    outlook: Outlook | None = card.outlook
    if outlook is None:
        return None, ()
    days = horizon_of(policy, card.today, card.company.horizon_days)
    found = worth_given_saved(outlook, [card.facts.features], economics_of(policy, card.today), horizon_days=days)
    if found is None:
        return None, ()
    (amount, low, high), staying = found
    currency = card.facts.customer.currency
    return Worth(*(to_minor(value, currency) for value in (amount, low, high))), (1.0, *staying)


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


def _supervisors_used(database: Database, session: Session) -> dict[str, int]:
    """By instrument, what even the freest of the team's supervisors has used of the window that holds now."""
    rows = rows_of(database, session, "policy", "supervisors_used", {"team": session.team})
    return {row["instrument"]: row["spent"] for row in rows}


def _respond(card: Card, effect: EffectInUse | None, call: Call) -> Respond | None:
    """The effect model's answers for this caller; None without a model, and for a caller it cannot read."""
    if effect is None or not card.facts.features:
        return None
    row: Mapping[str, Any] = {
        **features.complete(card.facts.features, effect.effect.columns),
        "monthly_bill": card.facts.features["monthly_price"],
        "channel": "call",
        "contact_reason": call.contact_reason,
    }
    try:
        respond = respond_with(effect.effect.estimator, effect.effect.estimator.encode(row))
    except FAULTS:
        return None
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


def _age(card: Card, given: Given) -> float:
    return max(_days(card.facts.as_of, given.given_at), 0.0)


def _days(now: datetime, then: datetime) -> float:
    return (now - then).total_seconds() / 86_400


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
