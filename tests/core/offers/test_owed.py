"""What is owed and which fees were charged: from dated facts, reckoned by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from churn.core.offers.owed import Owed, Refund, fees, owed
from churn.core.policies.policy import Case
from churn.policies import default_policy
from tests.core.callers import AS_OF, TODAY, ago, bill, event, line, scene

POLICY = default_policy()
CASE = Case(on=TODAY, monthly_bill=4_100)
PRICE = Decimal("41.00")


def outage(days_ago: float, hours: float | None, price: Decimal | None = PRICE, kind: str = "outage") -> object:
    over = None if hours is None else ago(days_ago) + timedelta(hours=hours)
    return event(days_ago, kind, ends_at=over, monthly_price=price)


def found(*refunds: Refund, policy: object = POLICY, **facts: object) -> Owed:
    return owed(policy, CASE, scene(**facts).facts, refunds, time_zone="Europe/London")


def test_a_day_without_service_is_a_day_of_the_bill() -> None:
    once = found(events=(outage(12, 22),))
    assert once.amount == 135  # 41.00 × 12 / 365 = 1.348
    assert once.reason == "An outage of 22 hours from 3 Nov (1 day of £41 a month)."
    assert found(events=(outage(12, 25),)).amount == 270  # the second day has begun: 2.696


def test_only_an_outage_of_ours_that_hit_them_long_enough_and_not_long_ago() -> None:
    assert found(events=(outage(12, 7.9),)) == Owed()
    assert found(events=(outage(12, 8),)).amount == 135
    assert found(events=(outage(12, 22, None),)) == Owed()  # no line of theirs
    assert found(events=(outage(12, 22, kind="price_rise"),)) == Owed()
    assert found(events=(outage(90, 22),)) == Owed()


def test_an_outage_that_goes_on_lasts_until_now_and_two_at_once_are_one() -> None:
    assert found(events=(outage(2.5, None),)).amount == 404  # three days begun: 4.044
    both = (outage(3, 30), outage(2.5, 30, Decimal("60.00")))  # from hour 0 to hour 42, at the dearer price
    assert found(events=both).amount == 395  # 2 × 60 × 12 / 365 = 3.945


def test_what_was_refunded_since_is_not_owed_again() -> None:
    events = (outage(12, 22),)
    assert found(Refund(135, ago(3)), events=events) == Owed()
    assert found(Refund(100, ago(3)), events=events).amount == 35
    assert found(Refund(100, ago(3)), events=events).reason.endswith("; £1 of it was refunded.")
    assert found(Refund(135, ago(13)), events=events).amount == 135  # for something before


def test_a_bill_paid_twice_is_paid_back_once() -> None:
    twice = (bill(20), bill(20), bill(50))
    assert found(invoices=twice).amount == 4_100
    assert found(invoices=twice).reason == "The bill of 26 Oct was paid twice."
    assert found(invoices=(bill(20), bill(20, paid_on=None))) == Owed()
    assert found(invoices=(bill(20, "55.00"), bill(50))) == Owed()  # above the price is no proof: it may be usage
    lines = (line(monthly_price=PRICE), line(monthly_price=PRICE))
    assert found(invoices=twice, subscriptions=lines) == Owed()  # a bill for each line


def test_policy_decides_what_is_owed() -> None:
    silent = replace(POLICY, rules=tuple(r for r in POLICY.rules if not r.effect.startswith("refund")))
    assert found(policy=silent, events=(outage(12, 22),), invoices=(bill(20), bill(20))) == Owed()
    half = replace(
        POLICY,
        rules=tuple(replace(r, value=Decimal("0.5")) if r.effect == "refund_outage" else r for r in POLICY.rules),
    )
    assert found(policy=half, events=(outage(12, 22),)).amount == 67  # 0.674


def test_a_bill_paid_late_carries_a_fee_until_it_is_waived() -> None:
    late = bill(50, paid_on=TODAY - timedelta(days=10))  # due 36 days ago
    facts = scene(invoices=(late, bill(80, paid_on=TODAY - timedelta(days=66)), bill(20))).facts
    assert fees(POLICY, CASE, facts, ()) == 500  # the second was paid on its very day
    assert fees(POLICY, CASE, facts, (Refund(500, ago(5)),)) == 0
    assert fees(POLICY, CASE, facts, (Refund(500, ago(60)),)) == 500
    old = bill(200, paid_on=TODAY - timedelta(days=90))
    assert fees(POLICY, CASE, scene(invoices=(old,)).facts, ()) == 0
    assert AS_OF.date() == TODAY == date(2026, 11, 15)
