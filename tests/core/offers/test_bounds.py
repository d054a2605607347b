"""Bounds: each limit to the penny and to the day, with a sentence that is true."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest

from churn.core.offers.bounds import Bounds, bounds, smallest
from churn.core.offers.limits import Budget, Earlier, Limit, Spending, as_plain, fewest_left, offers_left
from churn.core.offers.plans import money_plans
from churn.core.policies.policy import Case, Rule, rule_on
from churn.policies import default_policy
from tests.core.ladders import MONEY, ON, POLICY, breaches, holds, plenty, question, random_call

HUGE = 10**9


def found(name: str = "bill_credit", role: str = "agent", **facts: object) -> Bounds:
    asked = question(**facts)
    item = POLICY.instrument(name)
    assert item is not None
    return bounds(POLICY, asked.case, item, role=role, spending=asked.spending)


def limit(held: Bounds, kind: str) -> Limit:
    return next(one for one in (*held.shared, *held.own) if one.kind == kind)


# one limit at a time


def test_the_smallest_limit_is_named_with_who_can_lift_it() -> None:
    held = found()
    assert (held.agent_limit, held.ceiling) == (3_500, 12_000)
    assert held.binding_limit.reason == "Alone you may give up to £35 at once."
    assert held.binding_limit.lifted_by == "supervisor"
    assert held.binding_ceiling.reason == "After five years a credit is at most £120."
    assert (held.binding_ceiling.kind, held.binding_ceiling.lifted_by) == ("policy_ceiling", "nobody")


def test_of_equal_limits_the_one_that_is_hardest_to_lift_is_named() -> None:
    supervisor, nobody = Limit("authority", 500, "a", lifted_by="supervisor"), Limit("outer_wall", 500, "b")
    assert smallest([supervisor, nobody]) is nobody
    assert smallest([nobody, Limit("cooldown", 500, "c", stops=True)]).reason == "c"


def test_policy_speaks_in_its_own_words_and_says_what_a_share_comes_to() -> None:
    held = found(worth=10_003, tenure_months=30)
    assert limit(held, "policy_ceiling").amount == 2_000
    assert limit(held, "policy_ceiling").reason == "At most a fifth of what they are worth. Here that is £20."
    assert limit(held, "policy_ceiling").reference == "RP-5.1"


def test_asking_again_says_when_the_last_one_was() -> None:
    had = (Earlier("fee_waiver", 1_500, 30.4),)
    held = found(spending=plenty(earlier=had), given_days_ago=(30.4,))
    said = next(one for one in held.shared if "half a year" in one.reason)
    assert said.reason == "They got something within half a year: at most £50. The last was £15 on 16 Oct."


def test_a_rule_that_forbids_stops_everything_and_nobody_lifts_it() -> None:
    held = found(has_fraud_hold=True)
    assert held.binding_limit.reason == "The fraud team holds this account: pass the call to them."
    assert (held.agent_limit, held.ceiling, held.is_open, held.is_open_above) == (0, 0, False, False)


@pytest.mark.parametrize(("used", "left"), [(0, 17_500), (16_000, 1_500), (17_500, 0), (99_999, 0)])
def test_what_is_left_of_the_window_is_what_was_not_used(used: int, left: int) -> None:
    held = found(spending=plenty(authority_used={"bill_credit": used}))
    said = limit(held, "authority_window")
    assert (said.amount, said.lifts_on) == (left, ON + timedelta(days=1))
    assert held.agent_limit == min(left, 3_500)
    assert held.ceiling == 12_000


def test_a_weekly_window_turns_on_monday() -> None:
    assert limit(found("monthly_discount", on=date(2026, 11, 15)), "authority_window").lifts_on == date(2026, 11, 16)
    assert limit(found("monthly_discount", on=date(2026, 11, 16)), "authority_window").lifts_on == date(2026, 11, 23)


def test_the_cap_counts_what_was_given_in_its_window_and_not_what_was_owed() -> None:
    had = (
        Earlier("monthly_discount", 6_000, 364.5),
        Earlier("fee_waiver", 1_000, 10.0),
        Earlier("bill_credit", 7_000, 365.0),
        Earlier("entitled_refund", 9_000, 1.0),
    )
    said = limit(found(tenure_months=30, spending=plenty(earlier=had)), "rolling_cap")
    assert said.amount == 5_000
    assert said.reason == "In a year one customer may get £120. In 365 days they had £70; £50 is left."
    assert (said.lifted_by, said.lifts_on) == ("time", ON + timedelta(days=1))


@pytest.mark.parametrize(("age", "wait"), [(0.0, 60), (0.5, 60), (59.0, 1), (59.5, 1), (60.0, 0), (200.0, 0)])
def test_a_cooldown_counts_days_as_the_ledger_does(age: float, wait: int) -> None:
    held = found(spending=plenty(earlier=(Earlier("bill_credit", 100, age),)))
    said = limit(held, "cooldown")
    assert (said.left, said.amount) == (wait, 0 if wait else None)
    assert held.is_open == (wait == 0)
    assert said.lifts_on == (ON + timedelta(days=wait) if wait else None)


def test_a_used_up_number_of_times_comes_back_when_the_first_leaves_its_window() -> None:
    had = tuple(Earlier("bill_credit", 100, age) for age in (70.0, 100.0, 300.5))
    said = limit(found(spending=plenty(earlier=had)), "redemptions")
    assert (said.amount, said.left, said.lifts_on) == (0, 0, ON + timedelta(days=65))
    assert said.reason == "Three credits in a year are enough. They had 3 in 365 days."
    assert limit(found(spending=plenty(earlier=had[:2])), "redemptions").left == 1


def test_a_budget_gives_what_is_left_and_no_more_than_the_share_of_a_day() -> None:
    held = found(spending=plenty(budgets={"bill_credit": Budget(100_000, 50_000, 7_000)}))
    assert (limit(held, "budget").amount, limit(held, "pace").amount) == (50_000, 1_000)
    assert limit(held, "pace").reason == "No day takes more than 8 % of a month's money. £10 is left today."
    assert limit(held, "pace").lifts_on == ON + timedelta(days=1)
    assert (held.agent_limit, held.ceiling) == (1_000, 1_000)


def test_without_a_budget_nothing_is_given() -> None:
    held = found(spending=plenty(budgets={}))
    assert (held.binding_limit.kind, held.binding_limit.lifted_by, held.ceiling) == ("budget", "finance", 0)


def test_a_role_that_is_needed_is_lifted_by_that_role() -> None:
    held = found("free_month", tenure_months=3)
    assert (held.binding_limit.kind, held.binding_limit.lifted_by) == ("needs_role", "supervisor")
    assert (held.agent_limit, held.is_open, held.is_open_above, held.ceiling) == (0, False, True, 4_100)
    assert found("free_month", role="supervisor", tenure_months=3).agent_limit == 4_100


def test_nobody_waives_a_fee_that_is_not_there_nor_more_than_it_is() -> None:
    assert found("fee_waiver").binding_limit.reason == "There is no fee on the account to waive."
    assert found("fee_waiver", spending=plenty(fee=1_250)).agent_limit == 1_250


def test_what_carries_no_money_is_open_or_stopped() -> None:
    assert (found("fix").is_open, found("fix").ceiling) == (True, 0)
    assert found("pause", spending=plenty(earlier=(Earlier("pause", 0, 100.0),))).is_open is False
    assert found("fix", role="leader").is_open is False


def test_the_floor_is_the_least_that_says_sorry() -> None:
    held = found()
    assert held.floor is not None
    assert (held.floor.amount, held.floor.reason) == (1_000, "When it is our fault nothing under £10 says sorry.")
    assert found(fault="theirs").floor is None


def test_what_does_not_reach_the_floor_is_nothing_and_says_so() -> None:
    held = found(spending=plenty(authority_used={"bill_credit": 17_000}))
    assert (held.agent_limit, held.ceiling, held.binding_limit.kind) == (0, 12_000, "floor")
    assert held.binding_limit.lifted_by == "supervisor"
    assert held.binding_limit.reason == (
        "When it is our fault nothing under £10 says sorry. The other limits leave £5."
    )
    short = found(spending=plenty(budgets={"bill_credit": Budget(600_000, 900)}))
    assert (short.ceiling, short.binding_limit.lifted_by) == (0, "nobody")


def test_no_bargaining_still_means_one_offer() -> None:
    plain, care = found().ruling, found(is_vulnerable=True).ruling
    assert [offers_left(plain, made) for made in (0, 2, 3, 4)] == [3, 1, 0, 0]
    assert [offers_left(care, made) for made in (0, 1)] == [1, 0]
    assert found(spending=plenty(counter_offers_made=3)).binding_limit.kind == "counter_offers"
    assert found("entitled_refund", spending=plenty(counter_offers_made=3)).is_open


def test_a_limit_is_plain_data_for_the_receipt() -> None:
    had = plenty(earlier=(Earlier("bill_credit", 100, 1.0),))
    assert as_plain(limit(found(spending=had), "cooldown")) == {
        "kind": "cooldown",
        "amount": 0,
        "reason": "Two credits are at least 60 days apart. The last was 1 day ago: again in 59 days, 13 Jan 2027.",
        "reference": "RP-3.3",
        "lifted_by": "time",
        "lifts_on": "2027-01-13",
        "left": 59,
    }


# every limit of many cases, against a second reading of the policy


def check_limits(held: Bounds, call, fitting) -> None:
    """At its amount a limit is kept, one minor unit more passes it, and its sentence begins with the rule's own."""
    name = held.instrument.instrument
    for is_above, limits in ((False, (*held.shared, *held.own)), (True, held.above)):
        wanted = {step for one in limits if one.amount is not None for step in (one.amount, one.amount + 1)}
        passed = {m: breaches(call, fitting, name, m, is_above=is_above) for m in (*wanted, HUGE)}

        def says_so(one: Limit, money: int, passed: dict = passed) -> bool:
            return any(one.reason.startswith(sentence) for sentence in passed[money].get(one.kind, ()))

        for one in limits:
            if one.amount is None:
                assert not says_so(one, HUGE), (one, call)
            else:
                assert says_so(one, one.amount + 1), (one, call)
                assert says_so(one, one.amount) == one.stops, (one, call)


def waited(call, days: int):
    """The same call some days later."""
    earlier = tuple(replace(e, days_ago=e.days_ago + days) for e in call.spending.earlier)
    on = call.case.on + timedelta(days=days)
    case = replace(call.case, on=on, given_days_ago=tuple(e.days_ago for e in earlier))
    return replace(call, case=case, spending=replace(call.spending, earlier=earlier))


def check_dates(held: Bounds, call, fitting) -> None:
    """What time lifts is lifted on the day it says and not the day before."""
    for one in held.shared:
        if one.kind in {"cooldown", "redemptions"} and one.lifts_on:
            days = (one.lifts_on - call.case.on).days
            name = held.instrument.instrument
            assert one.kind not in breaches(waited(call, days), fitting, name, 0), one
            assert one.kind in breaches(waited(call, days - 1), fitting, name, 0), one


@pytest.mark.parametrize("seed", range(4))
def test_every_limit_is_kept_at_its_amount_and_passed_one_penny_above(seed: int) -> None:
    rnd = Random(1000 + seed)
    for _ in range(1_000):
        call, _ = random_call(rnd)
        fitting = [rule for rule in POLICY.rules if holds(rule, call.case)]
        item = rnd.choice(POLICY.instruments)
        if item.max_amount == 0:
            continue
        held = bounds(POLICY, call.case, item, role=call.role, spending=call.spending)
        check_limits(held, call, fitting)
        check_dates(held, call, fitting)


@pytest.mark.parametrize("name", MONEY)
def test_more_of_anything_never_lowers_what_may_be_given(name: str) -> None:
    rnd = Random(7)
    for _ in range(400):
        call, _ = random_call(rnd)
        item = POLICY.instrument(name)
        assert item is not None
        spending = call.spending
        budgets = spending.budgets.items()
        more_left = {n: replace(b, left=b.left + 5_000) for n, b in budgets}
        twice = {n: replace(b, amount_limit=2 * b.amount_limit) for n, b in budgets}
        richer = [
            replace(spending, budgets=more_left),
            replace(spending, budgets=twice),
            replace(spending, authority_used={}),
            replace(spending, earlier=spending.earlier[:-1]),
            replace(spending, counter_offers_made=max(spending.counter_offers_made - 1, 0)),
            replace(spending, fee=spending.fee + 500),
        ]
        now = bounds(POLICY, call.case, item, role=call.role, spending=spending)
        for more in richer:
            then = bounds(POLICY, call.case, item, role=call.role, spending=more)
            assert then.agent_limit >= now.agent_limit
            assert then.ceiling >= now.ceiling
        chief = bounds(POLICY, call.case, item, role="supervisor", spending=replace(spending, authority_used={}))
        assert chief.agent_limit >= now.agent_limit or call.role == "supervisor"
        assert now.ceiling >= now.agent_limit


def test_plans_cover_every_instrument_with_money_in_the_order_of_the_ladder() -> None:
    names = [plan.bounds.instrument.instrument for plan in money_plans(POLICY, question())]
    assert names == ["bill_credit", "fee_waiver", "monthly_discount", "free_month"]


# how often ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_the_rule_the_ledger_is_given_binds_before_every_other(seed: int) -> None:
    """However many more are given, the ledger refuses by that one rule exactly when one of all rules is passed."""
    rnd = Random(seed)
    item = next(i for i in default_policy().instruments if i.instrument == "bill_credit")
    rules = tuple(
        Rule(code=f"t{n}", topic="times", effect="redemptions", unit="times", reason="Often enough.",
             value=Decimal(rnd.randrange(1, 6)), window_days=rnd.choice((30, 90, 180, 365)))
        for n in range(rnd.randrange(1, 4))
    )  # fmt: skip
    policy = replace(default_policy(), rules=rules)
    had = tuple(
        Earlier(rnd.choice(("bill_credit", "bill_credit", "pause")), 500, rnd.uniform(0, 400), rnd.random() < 0.5)
        for _ in range(rnd.randrange(0, 6))
    )
    ruling = rule_on(policy, Case(on=ON, monthly_bill=4_100), item)
    found = fewest_left(ruling, Spending(earlier=had))
    assert found is not None
    most, window = found
    for more in range(1, 8):
        given = [e for e in had if e.instrument == "bill_credit"] + [Earlier("bill_credit", 500, 0.0, True)] * more
        by_policy = any(sum(e.days_ago < r.window_days for e in given) > r.value for r in rules)
        by_ledger = sum(e.is_ours and e.days_ago < window for e in given) > most
        assert by_ledger == by_policy or most == 0  # where they had too many before, nothing was offered at all
