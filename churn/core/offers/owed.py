"""What the company owes a caller, and which fees a waiver could take off: from dated facts, by the rules of policy.

Owed is what policy's rules say of an outage of ours that hit the caller (`refund_outage`: days of the bill for each day
begun without service, once it lasted `refund_outage_from` hours) and of a bill sent and paid twice
(`refund_double_bill`); what was refunded since the oldest of them is taken off. A late fee (`late_fee`) is policy's
price for a bill paid after it was due. Nothing else the data hold proves a debt: a bill above the price may be usage.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from churn.core.language import t, tn
from churn.core.money import show, to_minor
from churn.core.policies.policy import Case, Policy, Rule, answers
from churn.core.records import CallerFacts, ChangeEvent
from churn.core.words import day

OUTAGE = "outage"  # the kind of a change event that takes the service away
DAYS_A_YEAR, MONTHS_A_YEAR = 365, 12
DOUBLE_BILL, REFUNDED = "double_bill", "refunded"
Parts = tuple[tuple[str | int, ...], ...]


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back before: minor units, and when."""

    amount: int
    given_at: datetime


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed in all, minor units, and the sentence that says what for; 0 and None: nothing.

    `parts`: what makes that sentence, as JSON may hold it; `told` says it in the language of whoever reads.
    """

    amount: int = 0
    reason: str | None = None
    parts: Parts = ()


@dataclass(frozen=True, slots=True)
class _Debt:
    amount: int
    since: datetime
    part: tuple[str | int, ...]


def owed(policy: Policy, case: Case, facts: CallerFacts, refunds: Iterable[Refund], *, time_zone: str) -> Owed:
    """What is owed to a caller as of `facts.as_of`, less what was refunded since the oldest of it."""
    debts = [*_outages(policy, case, facts, time_zone), *_billed_twice(policy, case, facts)]
    if not debts:
        return Owed()
    whole, oldest = sum(debt.amount for debt in debts), min(debt.since for debt in debts)
    back = sum(refund.amount for refund in refunds if refund.given_at >= oldest)
    left = whole - back
    if left <= 0:
        return Owed()
    parts = (*(debt.part for debt in debts), *([(REFUNDED, back)] if back else []))
    return Owed(left, told(parts, case.on, policy.currency), parts)


def told(parts: Parts, on: date, currency: str) -> str:
    """What is owed for, in one sentence, as said on a day."""
    said = "; ".join(_told(part, on, currency) for part in parts)
    return f"{said[:1].upper()}{said[1:]}."


def _told(part: tuple[Any, ...], on: date, currency: str) -> str:
    kind, *held = part
    if kind == OUTAGE:
        begun, hours, days, price = held
        return t(
            "an outage of {hours} from {day} ({days} of {money} a month)",
            hours=tn(hours, "{n} hour", "{n} hours"),
            day=day(date.fromisoformat(begun), on),
            days=tn(days, "{n} day", "{n} days"),
            money=show(price, currency),
        )
    if kind == REFUNDED:
        return t("{money} of it was refunded", money=show(held[0], currency))
    issued, times = day(date.fromisoformat(held[0]), on), held[1]
    if times == 2:
        return t("the bill of {day} was paid twice", day=issued)
    return t("the bill of {day} was paid {times} times", day=issued, times=times)


def fees(policy: Policy, case: Case, facts: CallerFacts, waived: Iterable[Refund]) -> int:
    """Late fees of bills paid after they were due and not waived since, minor units."""
    rule = _rule(policy, case, "late_fee")
    if rule is None:
        return 0
    since = case.on - timedelta(days=rule.window_days or 0)
    late = [bill for bill in facts.invoices if bill.paid_on and bill.paid_on > bill.due_on and bill.paid_on > since]
    if not late:
        return 0
    oldest = min(bill.due_on for bill in late)
    back = sum(waiver.amount for waiver in waived if waiver.given_at.date() > oldest)
    return max(0, int(rule.value or 0) * len(late) - back)


def _outages(policy: Policy, case: Case, facts: CallerFacts, time_zone: str) -> Iterator[_Debt]:
    rule = _rule(policy, case, "refund_outage")
    least = _rule(policy, case, "refund_outage_from")
    if rule is None:
        return
    shortest = timedelta(hours=float((least.value if least else None) or 0))
    since = facts.as_of - timedelta(days=rule.window_days or 0)
    for begun, over, price in _without_service(facts.events, facts.as_of):
        if begun <= since or over - begun < shortest or over <= begun:
            continue
        days = math.ceil((over - begun) / timedelta(days=1))
        part = Decimal(days) * (rule.value or 0) * price * MONTHS_A_YEAR / DAYS_A_YEAR
        amount = to_minor(part.quantize(Decimal("0.000001")), policy.currency)
        if amount > 0:
            hours, bill = round((over - begun) / timedelta(hours=1)), to_minor(price, policy.currency)
            on = begun.astimezone(ZoneInfo(time_zone)).date()
            yield _Debt(amount, begun, (OUTAGE, on.isoformat(), hours, days, bill))


def _without_service(events: Iterable[ChangeEvent], now: datetime) -> list[tuple[datetime, datetime, Decimal]]:
    """(begun, over, monthly price of the lines hit) of each outage; those that overlap are one, at the higher price.

    An outage that is not over yet lasts until now.
    """
    found: list[tuple[datetime, datetime, Decimal]] = []
    hits = [event for event in events if event.kind == OUTAGE and event.monthly_price]
    for event in sorted(hits, key=lambda event: event.starts_at):
        price, over = event.monthly_price or Decimal(0), event.ends_at or now
        if found and event.starts_at < found[-1][1]:
            begun, until, dearer = found.pop()
            found.append((begun, max(until, over), max(dearer, price)))
        else:
            found.append((event.starts_at, over, price))
    return found


def _billed_twice(policy: Policy, case: Case, facts: CallerFacts) -> Iterator[_Debt]:
    """Bills of one day and one amount, each of at least all the lines' prices, that were all paid: one was enough."""
    rule = _rule(policy, case, "refund_double_bill")
    if rule is None:
        return
    since = case.on - timedelta(days=rule.window_days or 0)
    paid = Counter((bill.issued_on, bill.amount) for bill in facts.invoices if bill.paid_on and bill.issued_on > since)
    for (issued, amount), times in sorted(paid.items()):
        price = sum(line.monthly_price for line in facts.subscriptions if line.is_live(issued))
        if times < 2 or amount <= 0 or amount < price:
            continue
        too_much = to_minor(amount * (times - 1), policy.currency)
        yield _Debt(too_much, _midnight(issued, facts.as_of), (DOUBLE_BILL, issued.isoformat(), times))


def _rule(policy: Policy, case: Case, effect: str) -> Rule | None:
    found: list[Any] = answers(policy, case, "", effect)
    return found[0].rule if found else None


def _midnight(on: date, like: datetime) -> datetime:
    return datetime(on.year, on.month, on.day, tzinfo=like.tzinfo)
