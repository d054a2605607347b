"""Each single limit on giving one instrument: a true sentence for the agent, an amount, and who can lift it.

Amounts are whole minor units. Ages count as the ledger counts them: a concession of exactly N days ago is outside a
window of N days.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from churn.core.language import t, tn
from churn.core.money import show
from churn.core.policies.policy import Answer, Case, Instrument, Policy, Ruling
from churn.core.words import day

NOBODY, FINANCE, TIME, SUPERVISOR = "nobody", "finance", "time", "supervisor"  # who lifts a limit, hardest first
BY_MONTH = ("monthly", "free_months")
HARDNESS = {who: rank for rank, who in enumerate((NOBODY, FINANCE, TIME, SUPERVISOR))}


@dataclass(frozen=True, slots=True)
class Earlier:
    """A concession the customer had before. `amount` in minor units, `days_ago` may be a fraction."""

    instrument: str
    amount: int
    days_ago: float
    is_ours: bool = False  # given on this desk: the ledger counts it too


@dataclass(frozen=True, slots=True)
class Budget:
    """A team's money for one instrument this month, minor units: in all, still there, granted today."""

    amount_limit: int
    left: int
    spent_today: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What was given already, to this customer and by this desk. An instrument without a budget has no money."""

    budgets: Mapping[str, Budget] = field(default_factory=dict)
    authority_used: Mapping[str, int] = field(default_factory=dict)  # the agent's, in the window that holds now
    supervisor_used: Mapping[str, int] = field(default_factory=dict)  # the least any of the team's supervisors has used
    earlier: tuple[Earlier, ...] = ()
    counter_offers_made: int = 0  # offers in this case the caller has turned down
    fee: int = 0  # on the account, that a waiver could take off


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit. `amount` None: it does not limit money as things stand. `stops`: nothing at all may be given."""

    kind: str
    amount: int | None
    reason: str
    reference: str | None = None
    lifted_by: str = NOBODY
    lifts_on: date | None = None
    left: int | None = None  # days to wait, or times or offers left, where it counts those
    stops: bool = False


def as_plain(limit: Limit) -> dict[str, Any]:
    """One limit as JSON holds it; what is not there is None."""
    found = {
        "kind": limit.kind,
        "amount": limit.amount,
        "reason": limit.reason,
        "reference": limit.reference,
        "lifted_by": limit.lifted_by,
        "lifts_on": limit.lifts_on.isoformat() if limit.lifts_on else None,
        "left": limit.left,
    }
    return {name: value for name, value in found.items() if value is not None}


def offers_left(ruling: Ruling, made: int) -> int | None:
    """How many more offers this call may hold; None: no limit. A limit of 0 is one offer and no bargaining."""
    limit = ruling.counter_offers
    return None if limit is None or limit.amount is None else max(0, max(limit.amount, 1) - made)


# whoever asks ---------------------------------------------------------------------------------------------------------


def policy_limits(policy: Policy, case: Case, ruling: Ruling, spending: Spending) -> Iterator[Limit]:
    """Forbidding rules, every topic's ceiling, lowest first, and how many offers a call may hold."""
    for rule in ruling.forbids:
        yield Limit("forbid", 0, rule.reason, rule.reference, stops=True)
    for answer in ruling.ceilings:
        reason = _reason_of(answer, policy, case, spending)
        yield Limit("policy_ceiling", answer.amount, reason, answer.rule.reference)
    offers = ruling.counter_offers
    if offers is not None and not ruling.instrument.is_entitlement:
        left = offers_left(ruling, spending.counter_offers_made)
        is_over = left == 0
        yield Limit(
            "counter_offers",
            0 if is_over else None,
            offers.rule.reason,
            offers.rule.reference,
            left=left,
            stops=is_over,
        )


def _reason_of(answer: Answer, policy: Policy, case: Case, spending: Spending) -> str:
    """The rule's own sentence; what a share comes to; when the last concession was, where asking again counts."""
    rule = answer.rule
    said = [rule.reason]
    if answer.amount is not None and rule.unit in {"share_of_worth", "share_of_bill"}:
        said.append(t("Here that is {money}.", money=show(answer.amount, policy.currency)))
    given = [item for item in spending.earlier if counts(policy, item.instrument)]
    if rule.given_from and given:
        last = min(given, key=lambda item: item.days_ago)
        on = day(_ago(case, last.days_ago), case.on)
        said.append(t("The last was {money} on {day}.", money=show(last.amount, policy.currency), day=on))
    return " ".join(said)


def walls(policy: Policy, case: Case, item: Instrument, spending: Spending) -> Iterator[Limit]:
    """What the instrument itself allows, whatever the rules say."""
    most = show(item.max_amount, policy.currency)
    if item.max_amount:
        said = t("{instrument}: never more than {money}.", instrument=item.title, money=most)
    else:
        said = t("{instrument}: there is no money in it.", instrument=item.title)
    yield Limit("outer_wall", item.max_amount, said)
    if item.cost_model in BY_MONTH:
        months, bill = longest_term(item), show(case.monthly_bill, policy.currency)
        free = t("No month can be more than free: {money} for at most {months} months.", money=bill, months=months)
        yield Limit("bill", max(case.monthly_bill, 0) * months, free)
    if item.instrument == "fee_waiver":
        fee = max(spending.fee, 0)
        if fee:
            said = t("The fee is {money}.", money=show(fee, policy.currency))
        else:
            said = t("There is no fee on the account to waive.")
        yield Limit("fee", fee, said)


def longest_term(item: Instrument) -> int:
    """The most months an instrument runs: whole half-years where it runs that long."""
    most = item.max_months or 1
    return most - most % 6 if item.cost_model == "monthly" and most > 6 else most


def customer_limits(policy: Policy, case: Case, ruling: Ruling, spending: Spending) -> Iterator[Limit]:
    """What this customer had already: the cap on all of it, how often, how long ago."""
    ages = [item.days_ago for item in spending.earlier if item.instrument == ruling.instrument.instrument]
    if ruling.rolling_cap is not None and ruling.instrument.draws_budget:
        yield _rolling_cap(policy, case, ruling.rolling_cap, spending)
    for answer in ruling.redemptions:
        yield _redemptions(case, answer, ages)
    if ruling.cooldown is not None:
        yield _cooldown(case, ruling.cooldown, ages)


def _rolling_cap(policy: Policy, case: Case, answer: Answer, spending: Spending) -> Limit:
    rule, window = answer.rule, answer.rule.window_days or 0
    if answer.amount is None:
        return Limit("rolling_cap", None, rule.reason, rule.reference)
    inside = [item for item in spending.earlier if item.days_ago < window and counts(policy, item.instrument)]
    given = sum(item.amount for item in inside)
    left = max(0, answer.amount - given)
    if not inside:
        return Limit("rolling_cap", left, rule.reason, rule.reference)
    said = t(
        "In {days} days they had {given}; {left} is left.",
        days=window,
        given=show(given, policy.currency),
        left=show(left, policy.currency),
    )
    free_on = in_days(case, window - max(item.days_ago for item in inside))
    return Limit("rolling_cap", left, f"{rule.reason} {said}", rule.reference, TIME, free_on)


def counts(policy: Policy, instrument: str) -> bool:
    """Whether an earlier concession was goodwill, which caps count: what is owed or costs nothing is not."""
    item = policy.instrument(instrument)
    return item is None or item.draws_budget


def _redemptions(case: Case, answer: Answer, ages: list[float]) -> Limit:
    rule, window = answer.rule, answer.rule.window_days or 0
    inside = [age for age in ages if age < window]
    if answer.amount is None:
        return Limit("redemptions", None, rule.reason, rule.reference)
    left = max(0, answer.amount - len(inside))
    reason = f"{rule.reason} {t('They had {times} in {days} days.', times=len(inside), days=window)}"
    if left:
        return Limit("redemptions", None, reason, rule.reference, left=left)
    # Free again once so many have left the window that one more fits.
    waits = sorted(window - age for age in inside)
    again = in_days(case, waits[len(inside) - answer.amount]) if answer.amount else None
    return Limit("redemptions", 0, reason, rule.reference, TIME if again else NOBODY, again, left=0, stops=True)


def fewest_left(ruling: Ruling, spending: Spending) -> tuple[int, int] | None:
    """Of the rules on how often, the one that binds first, as the ledger keeps it: (grants of this desk, in days).

    A grant made from now on counts in every window alike, so the rule with the fewest times left stays the one. The
    ledger knows only this desk's grants: what was given elsewhere is taken off. None: no such rule.
    """
    found: list[tuple[int, int, int]] = []
    for answer in ruling.redemptions:
        if answer.amount is None:
            continue
        window = answer.rule.window_days or 0
        inside = [
            item
            for item in spending.earlier
            if item.instrument == ruling.instrument.instrument and item.days_ago < window
        ]
        elsewhere = sum(not item.is_ours for item in inside)
        found.append((answer.amount - len(inside), max(0, answer.amount - elsewhere), window))
    return min(found)[1:] if found else None


def _cooldown(case: Case, answer: Answer, ages: list[float]) -> Limit:
    rule, days = answer.rule, answer.amount or 0
    last = min(ages, default=math.inf)
    if last >= days:
        return Limit("cooldown", None, rule.reason, rule.reference, left=0)
    wait = math.ceil(days - last)
    again = in_days(case, wait)
    return Limit(
        "cooldown", 0, f"{rule.reason} {_again(last, wait, day(again, case.on))}", rule.reference, TIME, again,
        left=wait, stops=True,
    )  # fmt: skip


def _again(last: float, wait: int, on: str) -> str:
    """When the last was, days ago, and when it may be again."""
    days = tn(wait, "{n} day", "{n} days")
    if last < 1:
        return t("The last was today: again in {days}, {day}.", days=days, day=on)
    return tn(
        int(last),
        "The last was {n} day ago: again in {days}, {day}.",
        "The last was {n} days ago: again in {days}, {day}.",
        days=days,
        day=on,
    )


def floor_of(ruling: Ruling, currency: str) -> Limit | None:
    """The least that may be given, if anything is."""
    answer = ruling.floor
    if answer is None or not answer.amount:
        return None
    reason = answer.rule.reason
    if answer.rule.unit == "share_of_bill":
        reason = f"{reason} {t('Here that is {money}.', money=show(answer.amount, currency))}"
    return Limit("floor", answer.amount, reason, answer.rule.reference)


def out_of_reach(floor: Limit | None, left: int, currency: str, *, is_lifted: bool) -> tuple[Limit, ...]:
    """The floor as a limit, where what the other limits leave does not reach it."""
    if floor is None:
        return ()
    reason = f"{floor.reason} {t('The other limits leave {money}.', money=show(left, currency))}"
    return (Limit("floor", 0, reason, floor.reference, SUPERVISOR if is_lifted else NOBODY),)


def in_days(case: Case, days: float) -> date:
    """The day so many days from the call; part of a day counts as one."""
    return case.on + timedelta(days=math.ceil(days))


def _ago(case: Case, days: float) -> date:
    return case.on - timedelta(days=math.floor(days))
