"""Policy as the core reads it: instruments, rules and authority as records, and what they say about one case.

A rule has typed conditions (None: any), one effect, a unit and the sentence the agent reads. Rules of one *topic*
answer one question; of those that fit a case the narrowest answers, so an exception is a narrower row and no order
matters. Every topic that sets a ceiling counts, and the lowest binds. Money is whole minor units; shares are rounded
once, a ceiling down and a floor up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from typing import Any

LEVERS = ("fix", "right_size", "pause", "credit", "discount")  # the order the ladder tries them in
COST_MODELS = ("none", "once", "monthly", "free_months", "price_gap")
ROLES = ("agent", "supervisor")  # who may give at all
WINDOWS = ("day", "week", "month")
FAULTS = ("ours", "theirs", "shared", "none")

UNITS: Mapping[str, tuple[str, ...]] = {
    "ceiling": ("money", "share_of_worth", "share_of_bill", "no_limit"),
    "floor": ("money", "share_of_bill"),
    "default_offer": ("money", "share_of_bill"),
    "rolling_cap": ("money",),
    "cooldown": ("days",),
    "redemptions": ("times",),
    "counter_offers": ("times", "no_limit"),
    "horizon": ("days",),
    "discount_rate": ("per_year",),
    "day_share": ("share_of_budget",),
    "refund_outage": ("days_of_bill",),
    "refund_outage_from": ("hours",),
    "refund_double_bill": ("none",),
    "late_fee": ("money",),
    "worth_months": ("months",),
    "margin": ("share_of_bill",),
    "forbid": ("none",),
    "needs_role": ("role",),
}
"""Which units each effect may have."""

SETTINGS = ("horizon", "discount_rate", "day_share", "worth_months", "margin")  # one value for a whole case
ENTITLING = ("refund_outage", "refund_outage_from", "refund_double_bill", "late_fee")  # what is owed, what is charged
ANSWERED = ("ceiling", "rolling_cap", "counter_offers", "default_offer", *SETTINGS, *ENTITLING)
"""Effects whose topics answer with their narrowest rule; of the others every rule that fits counts."""

RANGES: Mapping[str, tuple[str, str]] = {
    "date": ("starts_on", "ends_on"),
    "tenure": ("tenure_from", "tenure_to"),
    "worth": ("worth_from", "worth_to"),
    "risk": ("risk_from", "risk_to"),
    "given": ("given_from", "given_to"),
}
FLAGS = ("open_complaint", "is_vulnerable", "is_do_not_offer", "in_collections", "has_fraud_hold", "is_bereaved")
WORDS = ("plan", "segment", "contact_reason", "fault", "channel", "region", "arm")

Range = tuple[float, float]  # from, and up to but not including
Box = dict[str, Any]  # condition → Range, word or flag; a condition that is not there is any


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One kind of concession and what it costs."""

    instrument: str
    title: str
    lever: str
    cost_model: str
    max_amount: int  # the outer wall, whatever the rules say
    cost_share: Decimal = Decimal(1)  # what one unit of face value costs the company
    handling_cost: int = 0
    step_amount: int = 1
    max_months: int | None = None
    is_entitlement: bool = False  # owed: outside budgets, caps and ladders
    draws_budget: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Conditions, one effect, and why. The columns of `desk.policy_rules` by the same names."""

    code: str
    topic: str
    effect: str
    unit: str
    reason: str
    value: Decimal | None = None
    window_days: int | None = None
    role: str | None = None
    reference: str | None = None
    instrument: str | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    tenure_from: int | None = None
    tenure_to: int | None = None
    worth_from: int | None = None
    worth_to: int | None = None
    risk_from: Decimal | None = None
    risk_to: Decimal | None = None
    given_from: int | None = None
    given_to: int | None = None
    given_days: int | None = None
    plan: str | None = None
    segment: str | None = None
    contact_reason: str | None = None
    fault: str | None = None
    channel: str | None = None
    region: str | None = None
    arm: str | None = None
    open_complaint: bool | None = None
    is_vulnerable: bool | None = None
    is_do_not_offer: bool | None = None
    in_collections: bool | None = None
    has_fraud_hold: bool | None = None
    is_bereaved: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What a role may give alone: at once, and in all within a window."""

    role: str
    instrument: str
    per_grant: int
    per_window: int
    time_window: str
    contact_reason: str | None = None  # None: any


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One version: everything that may be given and by whom. `version` is None until it is stored."""

    title: str
    currency: str
    instruments: tuple[Instrument, ...]
    rules: tuple[Rule, ...]
    authority: tuple[Authority, ...]
    version: int | None = None
    effective_from: datetime | None = None

    def instrument(self, name: str) -> Instrument | None:
        """The instrument of that name, if policy knows it."""
        return next((item for item in self.instruments if item.instrument == name), None)

    @cached_property
    def book(self) -> Mapping[tuple[str, str], tuple[tuple[Rule, Box], ...]]:
        """Rules with their conditions by effect and instrument ('' for none in particular), read once a version."""
        names = ["", *(item.instrument for item in self.instruments)]
        boxed = [(rule, conditions(rule)) for rule in self.rules]
        return {
            (effect, name): tuple(
                (rule, box) for rule, box in boxed if rule.effect == effect and rule.instrument in (None, name)
            )
            for effect in UNITS
            for name in names
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The facts of one call that rules may ask for. None: not known, which fits only rules that do not ask."""

    on: date
    monthly_bill: int  # minor units
    tenure_months: int | None = None
    worth: int | None = None  # minor units; None without a current model
    risk: float | None = None
    given_days_ago: tuple[float, ...] = ()  # age of each earlier concession
    plan: str | None = None
    segment: str | None = None
    contact_reason: str | None = None
    fault: str | None = None
    channel: str | None = None
    region: str | None = None
    arm: str | None = None
    open_complaint: bool = False
    is_vulnerable: bool = False
    is_do_not_offer: bool = False
    in_collections: bool = False
    has_fraud_hold: bool = False
    is_bereaved: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rule says here. `amount` is in minor units, days or times; None: it sets no limit."""

    rule: Rule
    amount: int | None


@dataclass(frozen=True, slots=True)
class Ruling:
    """Everything policy says about giving one instrument in one case."""

    instrument: Instrument
    ceilings: tuple[Answer, ...]  # one a topic, lowest first
    ceiling: int  # the lowest of them and of the outer wall
    floor: Answer | None
    forbids: tuple[Rule, ...]
    needs_role: Rule | None
    cooldown: Answer | None  # longest, in days
    redemptions: tuple[Answer, ...]  # times within each rule's window_days
    rolling_cap: Answer | None  # smallest, within its rule's window_days
    counter_offers: Answer | None
    default_offer: Answer | None

    @property
    def is_forbidden(self) -> bool:
        """Whether policy says no whatever the amount."""
        return bool(self.forbids)


def conditions(rule: Rule) -> Box:
    """What a rule asks, as a box in the space of cases; `given` is named with its window: `given in 90 days`."""
    box: Box = {}
    for name, (start, end) in RANGES.items():
        low, high = getattr(rule, start), getattr(rule, end)
        if low is not None or high is not None:
            key = f"given in {rule.given_days} days" if name == "given" else name
            box[key] = (-math.inf if low is None else _number(low), math.inf if high is None else _number(high))
    for name in (*WORDS, *FLAGS, "instrument"):
        if getattr(rule, name) is not None:
            box[name] = getattr(rule, name)
    return box


def _number(bound: Any) -> float:
    return float(bound.toordinal()) if isinstance(bound, date) else float(bound)


def fits(rule: Rule, case: Case, instrument: str) -> bool:
    """Whether every condition of the rule holds."""
    return rule.instrument in (None, instrument) and _holds(rule, conditions(rule), case)


def _holds(rule: Rule, box: Box, case: Case) -> bool:
    for name, wanted in box.items():
        if isinstance(wanted, tuple):
            fact = _fact(rule, case, name)
            if fact is None or not wanted[0] <= fact < wanted[1]:
                return False
        elif name != "instrument" and wanted != getattr(case, name):
            return False
    return True


def _fact(rule: Rule, case: Case, name: str) -> float | None:
    if name == "date":
        return float(case.on.toordinal())
    if name.startswith("given"):
        return float(sum(age < (rule.given_days or math.inf) for age in case.given_days_ago))
    fact = case.tenure_months if name == "tenure" else getattr(case, name)
    return None if fact is None else float(fact)


def is_inside(inner: Box, outer: Box) -> bool:
    """Whether every case of `inner` is one of `outer`."""
    for name, wanted in outer.items():
        if name not in inner:
            return False
        held = inner[name]
        if isinstance(wanted, tuple):
            if held[0] < wanted[0] or held[1] > wanted[1]:
                return False
        elif held != wanted:
            return False
    return True


def narrowest(rules: Sequence[tuple[Rule, Box]]) -> Rule:
    """Of rules that fit the same case, the one inside all others. Unresolved crossings go to the first code."""
    if len(rules) == 1:
        return rules[0][0]
    ranked = sorted(rules, key=lambda pair: pair[0].code)
    wider = [sum(is_inside(box, other) for _, other in ranked) for _, box in ranked]
    return ranked[wider.index(max(wider))][0]


def amount_of(rule: Rule, case: Case) -> int | None:
    """The rule's value in minor units, days or times; None for no limit, and for a share of a worth nobody knows."""
    base = {"share_of_worth": case.worth, "share_of_bill": case.monthly_bill}.get(rule.unit, 1)
    if rule.value is None or base is None or rule.unit == "no_limit":
        return None
    rounding = ROUND_CEILING if rule.effect == "floor" else ROUND_FLOOR
    return max(0, int((rule.value * base).to_integral_value(rounding)))


def answers(policy: Policy, case: Case, instrument: str, effect: str) -> list[Answer]:
    """What the rules of one effect say: the narrowest of each topic, or every rule that fits."""
    fitting = [(rule, box) for rule, box in policy.book.get((effect, instrument), ()) if _holds(rule, box, case)]
    if effect not in ANSWERED:
        return [Answer(rule, amount_of(rule, case)) for rule, _ in fitting]
    topics: dict[str, list[tuple[Rule, Box]]] = {}
    for rule, box in fitting:
        topics.setdefault(rule.topic, []).append((rule, box))
    chosen = [narrowest(topics[topic]) for topic in sorted(topics)]
    return [Answer(rule, amount_of(rule, case)) for rule in chosen]


def rule_on(policy: Policy, case: Case, instrument: Instrument) -> Ruling:
    """All that policy says about one instrument in one case, each limit with the rule it comes from."""
    name = instrument.instrument

    def said(effect: str) -> list[Answer]:
        found = answers(policy, case, name, effect)
        return sorted(found, key=lambda a: (math.inf if a.amount is None else a.amount, a.rule.code))

    ceilings, floors, cooldowns = said("ceiling"), said("floor"), said("cooldown")
    roles = sorted(said("needs_role"), key=lambda a: ROLES.index(a.rule.role) if a.rule.role in ROLES else len(ROLES))
    return Ruling(
        instrument=instrument,
        ceilings=tuple(ceilings),
        ceiling=min([instrument.max_amount, *(a.amount for a in ceilings if a.amount is not None)]),
        floor=floors[-1] if floors else None,
        forbids=tuple(a.rule for a in said("forbid")),
        needs_role=roles[-1].rule if roles else None,
        cooldown=cooldowns[-1] if cooldowns else None,
        redemptions=tuple(said("redemptions")),
        rolling_cap=next(iter(said("rolling_cap")), None),
        counter_offers=next(iter(said("counter_offers")), None),
        default_offer=next(iter(said("default_offer")), None),
    )


def setting(policy: Policy, case: Case, effect: str) -> Decimal | None:
    """The one value of an effect of SETTINGS here, in its unit; None when policy is silent."""
    found = answers(policy, case, "", effect)
    return found[0].rule.value if found else None


def authority_for(policy: Policy, role: str, instrument: str, contact_reason: str | None) -> Authority | None:
    """The line of the delegation that holds: one for the reason goes before one for any. None: no authority."""
    lines = [a for a in policy.authority if (a.role, a.instrument) == (role, instrument)]
    named = [a for a in lines if a.contact_reason is not None and a.contact_reason == contact_reason]
    return next(iter(named or [a for a in lines if a.contact_reason is None]), None)


def schedule(amount: int, months: int) -> tuple[int, ...]:
    """A total month by month: equal parts, the last takes the remainder. Sums to `amount`."""
    part = amount // months
    return (*[part] * (months - 1), amount - part * (months - 1))


def cost_if_stays(instrument: Instrument, amount: int, months: int | None, staying: Sequence[float] = ()) -> float:
    """Expected cost in minor units once they stay, handling apart.

    `staying[m]` is the chance of still being a customer in month m, given they stay now; months past its end count as
    its last value (1 when it is empty). What is given by the month stops when they leave.
    """
    if instrument.cost_model == "none":
        return 0.0
    if instrument.cost_model == "once" or not months:
        return amount * float(instrument.cost_share)
    chance = [staying[min(m, len(staying) - 1)] if staying else 1.0 for m in range(months)]
    due = sum(part * here for part, here in zip(schedule(amount, months), chance, strict=True))
    return due * float(instrument.cost_share)
