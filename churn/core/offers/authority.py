"""Limits of money and of authority: what is left of the team's budget, and what each role may give alone.

Amounts are whole minor units. The agent's own window counts what was given in it; a supervisor's what all of the team's
supervisors have used, for any of them may be asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta

from churn.core.effects.pricing import day_headroom
from churn.core.language import mark, t
from churn.core.money import show
from churn.core.offers.limits import FINANCE, SUPERVISOR, TIME, Limit, Spending, in_days
from churn.core.policies.policy import ROLES, Authority, Case, Instrument, Policy, Rule, Ruling, answers, authority_for

YOU, THEY = "you", "a supervisor"  # whose authority
NONE = {
    YOU: mark("Policy gives you no authority for this."),
    THEY: mark("Policy gives a supervisor no authority for this."),
}
WITHOUT_MONEY = {
    YOU: mark("You may give it alone, and no money with it."),
    THEY: mark("A supervisor may give it alone, and no money with it."),
}
AT_ONCE = {
    YOU: mark("Alone you may give up to {money} at once."),
    THEY: mark("Alone a supervisor may give up to {money} at once."),
}
EACH = {
    (YOU, "day"): mark("Alone you may give {money} a day; {left} of it is left."),
    (YOU, "week"): mark("Alone you may give {money} a week; {left} of it is left."),
    (YOU, "month"): mark("Alone you may give {money} a month; {left} of it is left."),
    (THEY, "day"): mark("Alone a supervisor may give {money} a day; {left} of it is left."),
    (THEY, "week"): mark("Alone a supervisor may give {money} a week; {left} of it is left."),
    (THEY, "month"): mark("Alone a supervisor may give {money} a month; {left} of it is left."),
}


def budget_limits(policy: Policy, case: Case, item: Instrument, spending: Spending) -> Iterator[Limit]:
    """What is left of the month's money, and of what one day may take of it."""
    if not item.draws_budget:
        return
    budget = spending.budgets.get(item.instrument)
    if budget is None:
        yield Limit("budget", 0, t("The team has no budget for this."), lifted_by=FINANCE, stops=True)
        return
    left = max(0, budget.left)
    said = t("The team's budget has {money} left.", money=show(left, policy.currency))
    yield Limit("budget", left, said, lifted_by=FINANCE)
    for rule in [answer.rule for answer in answers(policy, case, "", "day_share")]:
        room = day_headroom(
            budget=budget.amount_limit,
            left=left,
            spent_today=budget.spent_today,
            day_share=float(rule.value or 1),
        )
        today = math.floor(room + 1e-6)  # the share is a binary fraction: a hair below a whole penny is that penny
        reason = f"{rule.reason} {t('{money} is left today.', money=show(today, policy.currency))}"
        yield Limit("pace", today, reason, rule.reference, TIME, in_days(case, 1))


def own_authority(policy: Policy, case: Case, ruling: Ruling, role: str, spending: Spending) -> Iterator[Limit]:
    """What a person of this role may give alone: at once, and in what is left of the window."""
    item, needed = ruling.instrument, ruling.needs_role
    upwards = SUPERVISOR if role != SUPERVISOR else FINANCE
    if needed is not None and _reach(role) < _reach(needed.role or ""):
        yield _needs_role(needed)
    line = authority_for(policy, role, item.instrument, case.contact_reason)
    used = spending.authority_used.get(item.instrument, 0)
    yield from _authority(policy, case, line, used=used, who=YOU, lifted_by=upwards)


def supervisors(policy: Policy, case: Case, item: Instrument, spending: Spending) -> Iterator[Limit]:
    """What a supervisor of the team may say yes to: at once, and in what is left of the freest one's window."""
    used = spending.supervisor_used.get(item.instrument, 0)
    line = authority_for(policy, SUPERVISOR, item.instrument, case.contact_reason)
    yield from _authority(policy, case, line, used=used, who=THEY, lifted_by=FINANCE)


def _reach(role: str) -> int:
    return ROLES.index(role) if role in ROLES else -1


def _needs_role(rule: Rule) -> Limit:
    return Limit("needs_role", 0, rule.reason, rule.reference, rule.role or SUPERVISOR, stops=True)


def _authority(
    policy: Policy, case: Case, line: Authority | None, *, used: int, who: str, lifted_by: str
) -> Iterator[Limit]:
    if line is None:
        yield Limit("authority", 0, t(NONE[who]), lifted_by=lifted_by, stops=True)
        return
    if line.per_window == 0:
        yield Limit("authority", 0, t(WITHOUT_MONEY[who]), lifted_by=lifted_by)
        return
    alone, each = show(line.per_grant, policy.currency), show(line.per_window, policy.currency)
    yield Limit("authority", line.per_grant, t(AT_ONCE[who], money=alone), lifted_by=lifted_by)
    left = max(0, line.per_window - used)
    reason = t(EACH.get((who, line.time_window), EACH[who, "month"]), money=each, left=show(left, policy.currency))
    turns = _turn_of(line.time_window, case.on)
    yield Limit("authority_window", left, reason, lifted_by=SUPERVISOR, lifts_on=turns)  # another one


def _turn_of(window: str, on: date) -> date:
    """The day the next window begins: tomorrow, Monday, or the first of the month."""
    if window == "day":
        return on + timedelta(days=1)
    if window == "week":
        return on + timedelta(days=7 - on.weekday())
    return (on.replace(day=1) + timedelta(days=32)).replace(day=1)
