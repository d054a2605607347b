"""Random calls for the ladder, and a second reading of policy that shares no code with the first."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from random import Random

import numpy as np

from churn.core.offers.levers import fitting_levers
from churn.core.offers.limits import Budget, Earlier, Spending
from churn.core.offers.question import Ask, Curve, Question, Respond, Trial, Worth
from churn.core.policies.policy import Authority, Case, Rule
from churn.policies import default_policy

ON = date(2026, 11, 15)
POLICY = replace(default_policy(), version=7)
MONEY = ("bill_credit", "fee_waiver", "monthly_discount", "free_month")
FLAGS = ("is_vulnerable", "is_do_not_offer", "in_collections", "has_fraud_hold", "is_bereaved", "open_complaint")


def plenty(**changes: object) -> Spending:
    """Budgets nobody will exhaust in a day."""
    held = {"budgets": {name: Budget(10_000_000, 10_000_000) for name in MONEY}}
    return Spending(**held | changes)


def question(**changes: object) -> Question:
    """A caller of six years, £41 a month, worth £1,140, our fault; names of `Case` and of `Question`."""
    facts = {"on": ON, "monthly_bill": 4_100, "tenure_months": 74, "worth": 114_000, "risk": 0.31, "fault": "ours"}
    facts |= {name: changes.pop(name) for name in list(changes) if name in Case.__slots__}
    if "worth_now" in changes:
        changes["worth"] = changes.pop("worth_now")
    held = {"case": Case(**facts), "role": "agent", "spending": plenty(), "worth": Worth(114_000, 114_000, 114_000)}
    return Question(**held | changes)


def curve(base: float, jump: float, slope: float, wide: float, bill: float = 41.0) -> Respond:
    """Chance of staying in the log of money over the bill, rises known to within a share `wide` of themselves."""

    def respond(values: np.ndarray) -> Curve:
        logits = base + jump * (values > 0) + slope * np.log1p(values / bill)
        p = 1 / (1 + np.exp(-logits))
        off = wide * np.abs(p - p[0]) + wide * 0.01 * (values > 0)
        return Curve.of(values, p, p - p[0] - off, p - p[0] + off)

    return respond


def linear(start: float, per_major: float, wide: float = 0.0) -> Respond:
    """Chance of staying that rises by `per_major` for each pound: to reckon by hand."""

    def respond(values: np.ndarray) -> Curve:
        rise = per_major * values
        return Curve.of(values, start + rise, rise - wide * (values > 0), rise + wide * (values > 0))

    return respond


def random_call(rnd: Random) -> tuple[Question, Respond]:
    """Any call: marked customers, empty budgets, ages on the very edge of a window, asks of every size."""
    earlier = tuple(
        Earlier(rnd.choice((*MONEY, "entitled_refund", "pause", "gift")), rnd.randrange(0, 9_000), _age(rnd))
        for _ in range(rnd.choice((0, 0, 1, 1, 2, 4)))
    )
    worth = None if rnd.random() < 0.1 else rnd.randrange(-5_000, 400_000)
    bill = rnd.choice((0, 999, 2_000, 3_300, 4_100, 5_250, 6_666, 9_999))
    case = Case(
        on=ON + timedelta(days=rnd.randrange(60)),
        monthly_bill=bill,
        tenure_months=rnd.choice((None, 0, 5, 6, 11, 12, 23, 24, 36, 59, 60, 120)),
        worth=worth,
        risk=rnd.choice((None, 0.01, 0.03, 0.3, 0.9)),
        given_days_ago=tuple(item.days_ago for item in earlier),
        contact_reason=rnd.choice((None, "fault", "price", "moving", "bill")),
        fault=rnd.choice((None, "ours", "theirs", "shared", "none")),
        **{flag: rnd.random() < 0.03 for flag in FLAGS},
    )
    spending = Spending(
        budgets={
            name: Budget(
                600_000, rnd.choice((0, 900, 7_777, 500_000, 500_000, -5)), rnd.choice((0, 0, 0, 45_000, 60_000))
            )
            for name in MONEY
            if rnd.random() < 0.97
        },
        authority_used={name: rnd.choice((0, 1_000, 15_333, 90_000)) for name in MONEY if rnd.random() < 0.5},
        earlier=earlier,
        counter_offers_made=rnd.choice((0,) * 8 + (1, 2, 3)),
        fee=rnd.choice((0, 0, 1_250, 7_000)),
    )
    held = None if worth is None else Worth(worth, worth - abs(worth) // 4, worth + abs(worth) // 4)
    asked = Question(
        case=case,
        role=rnd.choice(("agent",) * 8 + ("supervisor", "leader")),
        spending=spending,
        worth=held,
        staying=tuple(0.98**m for m in range(36)) if rnd.random() < 0.9 else (),
        price_of_budget={name: rnd.choice((0.0, 0.0, 0.0, 0.3, 1.0, 2.0, math.inf)) for name in MONEY},
        ask=_ask(rnd),
        levers=fitting_levers(POLICY, case, monthly_saving=rnd.choice((0, 0, bill // 5)), may_pause=rnd.random() < 0.3),
        owed=rnd.choice((0, 0, 0, 0, 2_500, 20_000, 70_000)),
        trial=Trial(str(rnd.random())),
        versions={"policy": 7, "effect": 3},
    )
    wide = rnd.choice((0.1, 0.5, 1.5))
    return asked, curve(rnd.uniform(-1, 2.5), rnd.uniform(-0.3, 0.3), rnd.uniform(0.2, 2.5), wide, max(bill, 1) / 100)


def _age(rnd: Random) -> float:
    return rnd.choice((rnd.uniform(0, 400), 0.0, 59.5, 60.0, 90.0, 179.999, 180.0, 364.5, 365.0))


def _ask(rnd: Random) -> Ask:
    kind = rnd.random()
    if kind < 0.4:
        return Ask()
    if kind < 0.5:
        return Ask(in_kind=rnd.choice(("fix", "free_month", "an apology")))
    return Ask(rnd.choice((0, 300, 1_000, 2_345, 3_500, 6_000, 30_000)), rnd.choice((None, None, 1, 3, 12, 40)))


# the second reading ---------------------------------------------------------------------------------------------------

CONDITIONS = ("plan", "segment", "contact_reason", "fault", "channel", "region", "arm", *FLAGS)


def holds(rule: Rule, case: Case) -> bool:
    """Whether a rule fits a case, read straight off its columns."""
    for name in CONDITIONS:
        if getattr(rule, name) is not None and getattr(rule, name) != getattr(case, name):
            return False
    given = sum(age < (rule.given_days or math.inf) for age in case.given_days_ago)
    for low, high, fact in (
        (rule.tenure_from, rule.tenure_to, case.tenure_months),
        (rule.worth_from, rule.worth_to, case.worth),
        (rule.risk_from, rule.risk_to, case.risk),
        (rule.given_from, rule.given_to, given),
    ):
        if low is None and high is None:
            continue
        if fact is None or (low is not None and fact < float(low)) or (high is not None and fact >= float(high)):
            return False
    return True


def said(case: Case, fitting: list[Rule], instrument: str, effect: str) -> list[tuple[Rule, int | None]]:
    """Of each topic the rule with most conditions (of what counts one by one, all), with its amount."""
    rules = [r for r in fitting if r.effect == effect and r.instrument in (None, instrument)]
    if effect in {"ceiling", "rolling_cap", "counter_offers"}:
        rules = [
            max((r for r in rules if r.topic == topic), key=asked_of) for topic in sorted({r.topic for r in rules})
        ]
    return [(rule, amount(rule, case)) for rule in rules]


def asked_of(rule: Rule) -> int:
    """How much a rule asks for: the narrower of two that fit asks more."""
    ranges = ("tenure", "worth", "risk", "given")
    return sum(getattr(rule, name) is not None for name in CONDITIONS) + sum(
        getattr(rule, f"{name}_from") is not None or getattr(rule, f"{name}_to") is not None for name in ranges
    )


def amount(rule: Rule, case: Case) -> int | None:
    """A rule's value in minor units, days or times."""
    if rule.value is None or (rule.unit == "share_of_worth" and case.worth is None):
        return None
    base = {"share_of_worth": case.worth, "share_of_bill": case.monthly_bill}.get(rule.unit, 1)
    return max(0, math.floor(rule.value * base))


def breaches(
    call: Question, fitting: list[Rule], instrument: str, money: int, *, is_above: bool = False
) -> dict[str, list[str]]:
    """Every kind of limit that giving `money` would pass, each with the sentences of the rules that say so.

    `is_above`: by the authority of a supervisor who has given nothing yet, not of who is on the call.
    """
    found: dict[str, list[str]] = {}
    for kind, sentence in (
        *_policy_breaches(call, fitting, instrument, money),
        *_often_breaches(call, fitting, instrument),
        *_wall_breaches(call, instrument, money),
        *_money_breaches(call, fitting, instrument, money),
        *_authority_breaches(call, fitting, instrument, money, is_above=is_above),
    ):
        found.setdefault(kind, []).append(sentence)
    return found


Said = list[tuple[str, str]]


def _policy_breaches(call: Question, fitting: list[Rule], instrument: str, money: int) -> Said:
    case, made = call.case, call.spending.counter_offers_made
    found = [("forbid", rule.reason) for rule, _ in said(case, fitting, instrument, "forbid")]
    for rule, most in said(case, fitting, instrument, "ceiling"):
        if most is not None and money > most:
            found.append(("policy_ceiling", rule.reason))
    for rule, least in said(case, fitting, instrument, "floor"):
        if 0 < money < least:
            found.append(("floor", rule.reason))
    for rule, most in said(case, fitting, instrument, "counter_offers"):
        if most is not None and instrument != "entitled_refund" and made >= max(most, 1):
            found.append(("counter_offers", rule.reason))
    return found


def _often_breaches(call: Question, fitting: list[Rule], instrument: str) -> Said:
    ages = [e.days_ago for e in call.spending.earlier if e.instrument == instrument]
    found = []
    for rule, days in said(call.case, fitting, instrument, "cooldown"):
        if any(age < days for age in ages):
            found.append(("cooldown", rule.reason))
    for rule, times in said(call.case, fitting, instrument, "redemptions"):
        if sum(age < rule.window_days for age in ages) >= times:
            found.append(("redemptions", rule.reason))
    return found


def _wall_breaches(call: Question, instrument: str, money: int) -> Said:
    item = POLICY.instrument(instrument)
    found = [("outer_wall", "")] if money > item.max_amount else []
    if instrument == "fee_waiver" and money > call.spending.fee:
        found.append(("fee", ""))
    if instrument in {"monthly_discount", "free_month"} and money > call.case.monthly_bill * item.max_months:
        found.append(("bill", ""))
    return found


def _money_breaches(call: Question, fitting: list[Rule], instrument: str, money: int) -> Said:
    if not POLICY.instrument(instrument).draws_budget:
        return []
    found = []
    counted = {i.instrument for i in POLICY.instruments if not i.draws_budget}
    for rule, most in said(call.case, fitting, instrument, "rolling_cap"):
        had = [e for e in call.spending.earlier if e.days_ago < rule.window_days and e.instrument not in counted]
        if sum(e.amount for e in had) + money > most and money > 0:
            found.append(("rolling_cap", rule.reason))
    budget = call.spending.budgets.get(instrument)
    if budget is None or (money > 0 and money > budget.left):
        found.append(("budget", ""))
    if budget is not None and money > 0:
        is_over_share = 100 * (budget.spent_today + money) > 8 * budget.amount_limit
        if is_over_share or money > budget.left:
            found.append(("pace", "No day takes more than 8 % of a month's money."))
    return found


def line_of(role: str, instrument: str, reason: str | None) -> Authority | None:
    """The delegation's line: for the reason before for any."""
    lines = {a.contact_reason: a for a in POLICY.authority if a.role == role and a.instrument == instrument}
    return (lines.get(reason) if reason else None) or lines.get(None)


def _authority_breaches(call: Question, fitting: list[Rule], instrument: str, money: int, *, is_above: bool) -> Said:
    role = "supervisor" if is_above else call.role
    needs = [r for r, _ in said(call.case, fitting, instrument, "needs_role")]
    found = [("needs_role", rule.reason) for rule in needs if role not in {rule.role, "supervisor"}]
    line = line_of(role, instrument, call.case.contact_reason)
    used = call.spending.authority_used.get(instrument, 0) if not is_above else 0
    if line is None or money > line.per_grant:
        found.append(("authority", ""))
    if line is not None and money > 0 and used + money > line.per_window:
        found.append(("authority_window", ""))
    return found
