"""Rules against cases, and everything that can be wrong with a rule set."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.policies.policy import (
    Authority,
    Case,
    Instrument,
    Policy,
    Rule,
    answers,
    authority_for,
    conditions,
    cost_if_stays,
    fits,
    is_inside,
    rule_on,
    schedule,
    setting,
)
from churn.core.policies.policy_problems import Other, problems, uncovered
from churn.policies import PolicyUnreadable, as_document, default_budgets, default_policy, read_policy
from tests.ledger_world import rule, small_policy

ON = date(2026, 11, 15)
POLICY = default_policy()


def case(**facts: object) -> Case:
    held = {"on": ON, "monthly_bill": 4_100, "tenure_months": 74, "worth": 114_000, "risk": 0.31}
    return Case(**held | facts)


def ruling(name: str, policy: Policy = POLICY, **facts: object):
    item = policy.instrument(name)
    assert item is not None
    return rule_on(policy, case(**facts), item)


def with_rules(*rules: Rule) -> Policy:
    return replace(small_policy(), rules=(*small_policy().rules, *rules))


def kinds(policy: Policy) -> list[str]:
    return [problem.kind for problem in problems(policy, ON)]


# what rules say


def test_the_lowest_topic_binds_and_says_why() -> None:
    said = ruling("monthly_discount", fault="ours", contact_reason="fault")
    assert said.ceiling == 6_000
    assert said.ceilings[0].rule.reason == "A discount mends no fault: at most £60, fix it first."


def test_a_narrower_rule_is_an_exception_whatever_the_order() -> None:
    wide, narrow = rule("wide", "ceiling", 1_000, "money"), rule("narrow", "ceiling", 4_000, "money", fault="ours")
    for rules in ((wide, narrow), (narrow, wide)):
        policy = replace(small_policy(), rules=rules)
        assert [a.amount for a in answers(policy, case(fault="ours"), "bill_credit", "ceiling")] == [4_000]
        assert [a.amount for a in answers(policy, case(fault="theirs"), "bill_credit", "ceiling")] == [1_000]


@pytest.mark.parametrize(
    ("tenure", "ceiling"), [(0, 1_500), (5, 1_500), (6, 4_000), (23, 4_000), (24, 8_000), (None, 1_500)]
)
def test_a_range_holds_its_start_and_not_its_end(tenure: int | None, ceiling: int) -> None:
    assert ruling("bill_credit", tenure_months=tenure, fault="ours", worth=10**7).ceiling == ceiling


def test_a_share_of_worth_is_rounded_down_and_a_floor_up() -> None:
    share = rule("share", "ceiling", "0.333", "share_of_worth")
    floor = rule("floor", "floor", "0.333", "share_of_bill")
    said = ruling("bill_credit", replace(small_policy(), rules=(share, floor)), worth=1_000, monthly_bill=1_000)
    assert (said.ceiling, said.floor and said.floor.amount) == (333, 333)
    said = ruling("bill_credit", replace(small_policy(), rules=(share, floor)), worth=1_001, monthly_bill=1_001)
    assert (said.ceiling, said.floor and said.floor.amount) == (333, 334)


def test_unknown_worth_leaves_the_other_topics_and_the_outer_wall() -> None:
    share = rule("share", "ceiling", "0.1", "share_of_worth")
    assert ruling("bill_credit", replace(small_policy(), rules=(share,)), worth=None).ceiling == 20_000
    assert ruling("bill_credit", worth=None, risk=None, fault="ours").ceiling == 12_000


def test_asking_again_lowers_the_ceiling_step_by_step() -> None:
    ages = [(), (30.0,), (30.0, 60.0), (30.0, 60.0, 90.0), (30.0, 181.0)]
    found = [ruling("bill_credit", given_days_ago=held, fault="ours").ceiling for held in ages]
    assert found == [12_000, 5_000, 2_500, 1_000, 5_000]


@pytest.mark.parametrize(
    ("flag", "forbidden"),
    [
        ("is_do_not_offer", {"bill_credit", "fee_waiver", "monthly_discount", "free_month", "plan_change", "pause"}),
        ("has_fraud_hold", {"bill_credit", "fee_waiver", "monthly_discount", "free_month", "plan_change", "pause"}),
        ("in_collections", {"bill_credit", "monthly_discount", "free_month"}),
        ("is_bereaved", {"monthly_discount", "free_month"}),
        ("is_vulnerable", set()),
    ],
)
def test_marked_customers_are_not_sold_to_and_never_lose_what_they_are_owed(flag: str, forbidden: set[str]) -> None:
    found = {i.instrument for i in POLICY.instruments if rule_on(POLICY, case(**{flag: True}), i).is_forbidden}
    assert found == forbidden


def test_nobody_bargains_with_the_vulnerable_or_the_bereaved() -> None:
    for facts, offers in (({}, 3), ({"is_vulnerable": True}, 0), ({"is_bereaved": True}, 0)):
        limit = ruling("bill_credit", **facts).counter_offers
        assert limit is not None
        assert limit.amount == offers


def test_how_often_and_how_much_in_a_year() -> None:
    said = ruling("bill_credit", tenure_months=30)
    assert said.cooldown is not None
    assert said.rolling_cap is not None
    assert (said.cooldown.amount, said.redemptions[0].amount, said.redemptions[0].rule.window_days) == (60, 3, 365)
    assert (said.rolling_cap.amount, said.rolling_cap.rule.window_days) == (12_000, 365)
    collections = ruling("fee_waiver", tenure_months=30, in_collections=True).rolling_cap
    assert collections is not None
    assert collections.amount == 3_000


def test_settings_of_the_whole_policy() -> None:
    found = [setting(POLICY, case(), name) for name in ("horizon", "discount_rate", "day_share")]
    assert found == [Decimal(90), Decimal("0.1"), Decimal("0.08")]


def test_authority_for_the_reason_goes_before_authority_for_any() -> None:
    limits = [authority_for(POLICY, "agent", "bill_credit", reason) for reason in ("fault", "price", None)]
    assert [line and line.per_grant for line in limits] == [5_000, 3_500, 3_500]
    assert authority_for(POLICY, "leader", "bill_credit", None) is None


def test_a_dated_rule_holds_from_its_first_day_to_before_its_last() -> None:
    spring = rule("spring", "ceiling", 500, "money", starts_on=date(2026, 3, 1), ends_on=date(2026, 4, 1))
    days = [date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 31), date(2026, 4, 1)]
    assert [fits(spring, case(on=day), "bill_credit") for day in days] == [False, True, True, False]


# what it costs


@given(st.integers(0, 10**7), st.integers(1, 60))
def test_a_schedule_sums_to_the_total(amount: int, months: int) -> None:
    parts = schedule(amount, months)
    assert (sum(parts), len(parts)) == (amount, months)
    assert 0 <= parts[-1] - parts[0] < months


def test_the_last_month_takes_the_remainder() -> None:
    assert schedule(1_000, 3) == (333, 333, 334)


def test_a_monthly_discount_costs_only_while_they_stay() -> None:
    discount, waiver = POLICY.instrument("monthly_discount"), POLICY.instrument("fee_waiver")
    assert discount is not None
    assert waiver is not None
    assert cost_if_stays(discount, 3_000, 3) == 3_000
    assert cost_if_stays(discount, 3_000, 3, [1.0, 0.5]) == 2_000  # 1000 + 500 + 500
    assert cost_if_stays(waiver, 1_000, None, [0.1]) == 600  # 60 % of face value, at once
    fix = POLICY.instrument("fix")
    assert fix is not None
    assert cost_if_stays(fix, 0, None) == 0


# what may be wrong


def test_the_default_policy_has_no_problems() -> None:
    assert problems(POLICY, ON) == []
    assert problems(small_policy(), ON) == []
    giving = {i.instrument for i in POLICY.instruments if i.draws_budget}
    assert set(default_budgets()) == giving


def test_all_problems_are_said_at_once() -> None:
    bad = replace(
        with_rules(
            rule("typo", "ceiling", 100, "money", instrument="bil_credit", fault="ours"),
            rule("share", "ceiling", 15, "share_of_worth", fault="theirs"),
            rule("over", "expiry", 1, "days"),
            rule("back", "cooldown", 3, "days", tenure_from=12, tenure_to=6),
            rule("late", "forbid", None, "none", ends_on=date(2026, 11, 15)),
            rule("blank", "forbid", None, "none"),
        ),
        authority=small_policy().authority[1:],
    )
    bad = replace(bad, rules=(*bad.rules[:-1], replace(bad.rules[-1], reason=" ")))
    assert kinds(bad) == [
        "unknown_instrument",
        "out_of_range",
        "unknown_effect",
        "empty",
        "expired",
        "reason_missing",
        "authority_missing",
    ]


@pytest.mark.parametrize(
    ("wrong", "kind", "sentence"),
    [
        (
            rule("x", "ceiling", 1, "percent", fault="ours"),
            "wrong_unit",
            "ceiling is in money or share_of_worth or share_of_bill or no_limit",
        ),
        (rule("x", "ceiling", None, "money", fault="ours"), "out_of_range", "ceiling needs a value in money"),
        (rule("x", "ceiling", -1, "money", fault="ours"), "out_of_range", "not below zero"),
        (rule("x", "ceiling", "1.5", "money", fault="ours"), "out_of_range", "1.5 money is not a whole number"),
        (rule("x", "ceiling", 37, "share_of_bill", fault="ours"), "out_of_range", "more than three years"),
        (rule("x", "forbid", 1, "none"), "out_of_range", "'none' takes no value"),
        (rule("x", "redemptions", 1, "times"), "window_missing", "needs the days"),
        (rule("x", "forbid", None, "none", given_from=2), "window_missing", "go together"),
        (rule("x", "needs_role", None, "role", role="king"), "unknown_role", "'king'"),
        (rule("x", "forbid", None, "none", fault="yours"), "unknown_word", "fault 'yours'"),
        (rule("offers", "forbid", None, "none"), "twice", "rule code 'offers'"),
        (rule("x", "horizon", 30, "days"), "overlap", "both fit every case"),
    ],
)
def test_a_wrong_rule_is_named(wrong: Rule, kind: str, sentence: str) -> None:
    found = problems(with_rules(wrong), ON)
    assert [problem.kind for problem in found] == [kind]
    assert sentence in found[0].sentence


def test_a_gap_is_described_by_the_cases_in_it() -> None:
    young = rule("young", "ceiling", 1_000, "money", tenure_to=12)
    old = rule("old", "ceiling", 5_000, "money", tenure_from=24)
    policy = with_rules(replace(young, topic="tenure"), replace(old, topic="tenure"))
    sentences = [p.sentence for p in problems(policy, ON) if "for bill_credit" in p.sentence]
    assert sentences == [
        "Topic 'tenure' sets no ceiling for bill_credit when tenure from 12 to 24.",
        "Topic 'tenure' sets no ceiling for bill_credit when tenure is unknown.",
    ]


def test_two_rules_that_cross_are_an_overlap_until_a_third_settles_it() -> None:
    ours, old = (
        rule("ours", "ceiling", 5_000, "money", fault="ours"),
        rule("old", "ceiling", 4_000, "money", tenure_from=60),
    )
    found = problems(with_rules(ours, old), ON)
    assert [p.codes for p in found] == [("ours", "old")]
    assert "fault = ours, tenure from 60" in found[0].sentence
    both = rule("both", "ceiling", 6_000, "money", tenure_from=60, fault="ours")
    assert kinds(with_rules(ours, old, both)) == []


def test_a_floor_above_a_ceiling_is_found_where_they_meet() -> None:
    floor = rule("floor", "floor", 3_000, "money", fault="ours", instrument="bill_credit")
    low = rule("low", "ceiling", 2_000, "money", tenure_to=6)
    found = [p for p in problems(with_rules(floor, low), ON) if p.kind == "floor_above_ceiling"]
    assert [p.codes for p in found] == [("floor", "low")]
    over = replace(floor, value=Decimal(20_001))
    assert "floor_above_ceiling" in kinds(with_rules(over))
    exception = rule("exception", "ceiling", 4_000, "money", tenure_to=6, fault="ours")
    assert kinds(with_rules(floor, low, exception)) == []


def test_authority_stays_under_the_highest_ceiling_and_agents_under_supervisors() -> None:
    policy = small_policy()
    lines = tuple(
        replace(a, per_grant=20_001 if a.role == "agent" else a.per_grant) if a.instrument == "bill_credit" else a
        for a in policy.authority
    )
    assert kinds(replace(policy, authority=lines)) == ["authority_above_ceiling", "authority_upside_down"]
    stray = Authority(role="clerk", instrument="car", per_grant=2, per_window=1, time_window="year")
    assert kinds(replace(policy, authority=(*policy.authority, stray))) == [
        "unknown_role",
        "unknown_word",
        "out_of_range",
        "unknown_instrument",
    ]


def test_a_policy_needs_instruments_and_its_settings() -> None:
    empty = Policy(title="", currency="GBP", instruments=(), rules=(), authority=())
    assert kinds(empty) == ["no_instruments", "missing", "missing", "missing", "missing"]


def test_an_instrument_by_the_month_names_its_months() -> None:
    odd = Instrument(
        instrument="odd", title="Odd", lever="gift", cost_model="monthly", max_amount=-1, cost_share=Decimal(2)
    )
    found = kinds(replace(small_policy(), instruments=(*small_policy().instruments, odd)))
    assert found[:4] == ["unknown_word", "negative", "out_of_range", "months_missing"]


RULES = st.builds(
    lambda low, span, fault, vulnerable: rule(
        f"r{low}{span}{fault}{vulnerable}",
        "ceiling",
        1,
        "money",
        tenure_from=low,
        tenure_to=low + span if low is not None and span else None,
        fault=fault,
        is_vulnerable=vulnerable,
    ),
    st.none() | st.integers(0, 5),
    st.integers(0, 4),
    st.none() | st.sampled_from(["ours", "theirs"]),
    st.none() | st.booleans(),
)
CASES = st.builds(
    lambda tenure, fault, vulnerable: case(tenure_months=tenure, fault=fault, is_vulnerable=vulnerable),
    st.none() | st.integers(0, 10),
    st.none() | st.sampled_from(["ours", "theirs", "none"]),
    st.booleans(),
)


@given(st.lists(RULES, max_size=6), st.lists(CASES, min_size=1, max_size=20))
def test_a_case_no_rule_fits_is_in_a_gap_and_no_other(rules: list[Rule], cases: list[Case]) -> None:
    holes = list(uncovered([conditions(r) for r in rules]))
    for one in cases:
        in_hole = any(_in_hole(hole, one) for hole in holes)
        assert in_hole == (not any(fits(r, one, "bill_credit") for r in rules))


def _in_hole(hole: dict[str, object], one: Case) -> bool:
    for name, held in hole.items():
        fact = one.tenure_months if name == "tenure" else getattr(one, name)
        if isinstance(held, tuple):
            if fact is None or not held[0] <= fact < held[1]:
                return False
        elif isinstance(held, Other):
            if fact in held:
                return False
        elif held is None:
            if fact is not None:
                return False
        elif fact != held:
            return False
    return True


@given(st.lists(RULES, min_size=1, max_size=6, unique_by=lambda r: r.code), CASES)
def test_the_rule_that_answers_is_inside_every_other_that_fits_unless_they_cross(rules: list[Rule], one: Case) -> None:
    policy = replace(small_policy(), rules=tuple(rules))
    fitting = [r for r in rules if fits(r, one, "bill_credit")]
    found = answers(policy, one, "bill_credit", "ceiling")
    assert len(found) == min(1, len(fitting))
    if not any(p.kind == "overlap" for p in problems(policy, ON)):
        assert all(is_inside(conditions(found[0].rule), conditions(other)) for other in fitting)


# as a document


def test_a_policy_survives_its_document() -> None:
    import json

    document = json.loads(json.dumps(as_document(POLICY)))
    assert as_document(read_policy(document)) == document


def test_one_line_for_several_instruments_is_one_rule_each() -> None:
    codes = [r.code for r in POLICY.rules if r.code.startswith("bereaved")]
    assert codes == ["bereaved:monthly_discount", "bereaved:free_month"]


def test_a_misspelt_column_is_refused_by_name() -> None:
    document = as_document(POLICY)
    document["rules"][0]["tenur_from"] = 3
    with pytest.raises(PolicyUnreadable, match="horizon: .*tenur_from"):
        read_policy(document)
