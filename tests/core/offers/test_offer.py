"""The ladder on numbers small enough to do by hand, and what holds for any call."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.calls.similar import PastCaller, what_kept
from churn.core.effects.effect import ConcessionEffect
from churn.core.language import speaking
from churn.core.offers.bill import by_month, with_credit, with_pause, with_price
from churn.core.offers.levers import fitting_levers
from churn.core.offers.limits import Budget, Earlier, Spending
from churn.core.offers.offer import Ladder, ladder, offered, replay, retold
from churn.core.offers.plans import money_plans
from churn.core.offers.question import MODELLED, NO_EVIDENCE, Ask, Curve, Question, Trial, Worth, respond_with
from churn.core.offers.rung import Rung
from churn.core.offers.terms import default_amount, term_of, terms
from churn.core.policies.policy import LEVERS, cost_if_stays
from churn.languages import language_of
from tests.core.ladders import MONEY, POLICY, breaches, curve, holds, linear, plenty, question, random_call

# Worth £90, 30 % stay, one point more for each pound: gain(a) = 0.9·a − (0.3 + 0.01·a)·a − 2 = 7 − (a − 30)²/100.
BLOCKS = int(os.environ.get("KEEPLINE_BLOCKS", "1"))
CREDITS = Spending(budgets={"bill_credit": Budget(10_000_000, 10_000_000)})
BY_HAND = linear(0.3, 0.01)


def by_hand(respond=BY_HAND, **changes: object) -> Ladder:
    """The worked example: only credits have money, £10 is the floor, £20 the default, £35 the agent's authority."""
    held = {"spending": CREDITS, "worth_now": Worth(9_000, 9_000, 9_000)}
    return ladder(POLICY, question(**held | changes), respond)


def money(made: Ladder, lever: str = "credit") -> list[Rung]:
    return [rung for rung in made.rungs if rung.lever == lever and "entitlement" not in rung.roles]


def with_role(made: Ladder, role: str) -> Rung:
    return next(rung for rung in made.rungs if role in rung.roles)


# opening, target, ceiling ---------------------------------------------------------------------------------------------


def test_opening_target_ceiling_and_what_a_supervisor_could_add() -> None:
    found = [(rung.amount, rung.gain, rung.roles) for rung in money(by_hand())]
    assert found == [
        (2_500, 675, ("opening",)),
        (3_000, 700, ("target",)),
        (3_500, 675, ("ceiling",)),
        (4_000, 600, ("needs approval",)),
    ]


def test_the_headline_names_the_amount_the_limit_and_who_could_lift_it_to_what() -> None:
    said = by_hand().say_yes
    assert said.sentence == "You can say yes to £35 now. Alone you may give up to £35 at once. £55 with a supervisor."
    assert (said.amount, said.lifts_to, said.limit and said.limit.kind) == (3_500, 5_500, "authority")


def test_doing_nothing_is_listed_last_with_its_worth() -> None:
    last = by_hand().rungs[-1]
    assert (last.roles, last.net, last.gain, last.is_grant) == (("do nothing",), 2_700, 0, False)
    assert with_role(by_hand(), "target").net == 3_400


def test_each_rung_says_what_it_costs_and_changes() -> None:
    rung = with_role(by_hand(), "target")
    assert (rung.title, rung.cost, rung.p_before, rung.p_after) == ("£30 credit", 3_000, 0.3, 0.6)
    assert (rung.evidence, rung.needs_approval) == (MODELLED, False)
    assert with_role(by_hand(), "needs approval").needs_approval


def test_a_price_of_budget_moves_the_choice_down() -> None:
    # gain − 0.5·p·a = 0.45·a − 0.015·a² − 2, highest at 15
    made = by_hand(price_of_budget={"bill_credit": 0.5})
    assert with_role(made, "target").amount == 1_500
    assert with_role(by_hand(price_of_budget={"bill_credit": float("inf")}), "do nothing").net == 2_700
    assert money(by_hand(price_of_budget={"bill_credit": float("inf")})) == []


def test_the_interval_adds_the_deviations_of_chance_and_worth_as_squares() -> None:
    made = by_hand(linear(0.3, 0.01, wide=0.05), worth_now=Worth(9_000, 8_000, 11_000))
    rung = next(r for r in made.rungs if r.amount == 2_000)
    # at £20: slope 70, so the chance is ±£3.50; the worth is −£2 or +£4
    assert (rung.gain, rung.gain_low, rung.gain_high) == (600, 600 - 403, 600 + 532)


def test_above_the_default_only_the_lower_end_counts() -> None:
    # Lower ends lose 0.05·(90 − a): at £25 3.50, at £30 4.00, at £35 3.93; up to the default of £20 the middle counts.
    made = by_hand(linear(0.3, 0.01, wide=0.05))
    assert with_role(made, "target").amount == 2_000
    assert with_role(made, "ceiling").amount == 3_500


# asks -----------------------------------------------------------------------------------------------------------------


def test_a_low_ask_is_said_yes_to() -> None:
    made = by_hand(ask=Ask(1_200))
    opening = with_role(made, "opening")
    assert (opening.amount, opening.gain, opening.reason) == (1_200, 376, "They asked for exactly this: say yes.")
    assert made.shown == made.rungs.index(opening)
    assert made.ask_gap == 5_500 - 1_200


def test_an_ask_under_the_floor_is_met_with_the_floor() -> None:
    opening = with_role(by_hand(ask=Ask(500)), "opening")
    assert (opening.amount, opening.reason) == (
        1_000,
        "They asked for less. When it is our fault nothing under £10 says sorry.",
    )


def test_an_ask_above_authority_is_what_a_supervisor_is_asked_for() -> None:
    made = by_hand(ask=Ask(5_000))
    assert (with_role(made, "needs approval").amount, made.ask_gap) == (5_000, 500)
    assert with_role(by_hand(ask=Ask(9_000)), "needs approval").amount == 4_000


def test_an_ask_within_reach_is_on_the_ladder_to_the_penny() -> None:
    made = by_hand(ask=Ask(3_333))
    assert [rung.amount for rung in money(made)] == [2_500, 3_000, 3_333, 3_500, 4_000]
    assert next(rung for rung in made.rungs if rung.amount == 3_333).answers_ask


def test_an_ask_by_the_month_is_answered_by_the_month() -> None:
    made = ladder(POLICY, question(ask=Ask(6_000, 3)), curve(0.9, 0.0, 0.9, 0.3))
    asked = with_role(made, "ask")
    assert (asked.title, asked.schedule) == ("£20 off a month for 3 months", (2_000, 2_000, 2_000))


def test_who_asks_for_no_money_is_offered_what_anyone_is() -> None:
    assert money(by_hand(ask=Ask(0))) == money(by_hand())
    assert not Ask(0).is_skipped
    assert Ask().is_skipped


def test_an_ask_in_kind_is_marked_where_it_can_be_met() -> None:
    asked = question(ask=Ask(in_kind="fix"))
    made = ladder(POLICY, replace(asked, levers=fitting_levers(POLICY, asked.case)), BY_HAND)
    assert [rung.instrument for rung in made.rungs if rung.answers_ask] == ["fix"]


# evidence -------------------------------------------------------------------------------------------------------------


def test_without_evidence_the_default_is_offered_and_says_so() -> None:
    made = by_hand(linear(0.3, 0.01, wide=0.5))
    (rung,) = money(made)
    assert (rung.amount, rung.roles, rung.evidence) == (2_000, ("opening", "target", "ceiling"), NO_EVIDENCE)
    assert rung.reason == (
        "Nothing shows which amount does best. Without better evidence, our fault: three fifths of a month's bill. "
        "That is £24.60; as it can be offered, £20."
    )
    assert made.say_yes.limit is not None
    assert made.say_yes.limit.reason == "Nothing shows that more than £20 is worth it with this caller."


def test_without_evidence_an_ask_within_authority_that_may_pay_is_allowed() -> None:
    made = by_hand(linear(0.3, 0.01, wide=0.5), ask=Ask(3_000))
    assert [(r.amount, r.evidence) for r in money(made)] == [(2_000, NO_EVIDENCE), (3_000, NO_EVIDENCE)]
    assert made.say_yes.amount == 3_000


def test_the_economic_ceiling_binds_where_authority_does_not() -> None:
    made = by_hand(role="supervisor")
    assert (with_role(made, "target").amount, made.say_yes.amount, made.say_yes.lifts_to) == (3_000, 5_500, None)
    assert made.say_yes.sentence == (
        "You can say yes to £55 now. More than £55 is not sure to be worth it with this caller."
    )


def test_what_is_sure_to_lose_is_not_offered() -> None:
    made = by_hand(linear(0.3, -0.001))
    assert money(made) == []
    assert (
        "Policy's default would lose money with this caller, and nothing shows that more would pay."
        in made.say_yes.sentence
    )


def test_without_a_model_policy_s_table_answers() -> None:
    made = ladder(POLICY, question(spending=CREDITS, worth_now=None))
    assert [(r.amount, r.roles, r.p_after, r.gain) for r in money(made)] == [
        (2_000, ("opening", "target"), None, None),
        (3_500, ("ceiling",), None, None),
    ]
    assert made.rungs[-1].net is None


def test_what_the_trial_measured_is_called_measured() -> None:
    def respond(values: np.ndarray) -> Curve:
        return replace(BY_HAND(values), evidence="measured")

    assert {rung.evidence for rung in money(by_hand(respond))} == {"measured"}


def test_the_effect_model_answers_for_one_caller() -> None:
    effect = ConcessionEffect()
    row = effect.encode({"monthly_bill": 41.0})
    made = ladder(POLICY, question(), respond_with(effect, row))
    assert made.curve is not None
    assert made.curve.p[0] == pytest.approx(effect.curve(row, [0.0])[0, 0], abs=1e-6)
    assert with_role(made, "target").p_after == pytest.approx(made.curve.p[0], abs=0.2)


@pytest.mark.parametrize("bad", [([1.0], [0.5]), ([0.0, 1.0], [0.5]), ([0.0], [float("nan")])])
def test_what_is_no_curve_is_refused(bad: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match="curve"):
        Curve.of(bad[0], bad[1], bad[1], bad[1])


# order and care -------------------------------------------------------------------------------------------------------


def test_what_is_owed_comes_first_then_fix_right_size_pause_and_money() -> None:
    case = question(monthly_bill=4_100).case
    levers = fitting_levers(POLICY, case, monthly_saving=900, may_pause=True)
    made = ladder(POLICY, question(owed=2_500, levers=levers[::-1]), curve(0.9, 0.0, 0.9, 0.3))
    assert [rung.lever for rung in made.rungs] == [
        "credit", "fix", "right_size", "pause", "credit", "discount", "discount", "none",
    ]  # fmt: skip
    assert (made.rungs[0].roles, made.rungs[0].amount, made.rungs[0].cost) == (("entitlement",), 2_500, 0)


def test_a_refund_above_the_desk_s_limit_is_finance_s() -> None:
    made = by_hand(owed=60_000)
    assert (made.rungs[0].amount, made.rungs[0].is_grant) == (0, False)
    assert "above £500 finance pays it" in made.rungs[0].reason
    assert by_hand(owed=20_000).rungs[0].needs_approval


def test_a_fix_moves_the_chance_by_policy_s_assumption_and_says_so() -> None:
    made = by_hand(levers=fitting_levers(POLICY, question().case))
    fix = with_role(made, "first")
    odds = 0.3 / 0.7 * np.exp(0.75)
    assert fix.p_after == pytest.approx(odds / (1 + odds))
    assert fix.gain == round((fix.p_after - 0.3) * 9_000 - 3_500)
    assert (fix.cost, fix.evidence, fix.title) == (0, NO_EVIDENCE, "Put it right, no charge")


def test_a_fitting_plan_costs_its_price_gap_while_they_stay() -> None:
    levers = fitting_levers(POLICY, question(fault="none").case, monthly_saving=900)
    plan = with_role(by_hand(fault="none", levers=levers, staying=(1.0, 0.5, 0.5)), "first")
    assert (plan.title, plan.cost) == ("Move to a plan that fits: £9 less a month", 1_800)
    assert plan.bill is not None
    assert plan.bill.after[0] == 3_200


@pytest.mark.parametrize("flag", ["is_vulnerable", "is_bereaved"])
def test_nobody_bargains_with_the_vulnerable_and_the_bereaved(flag: str) -> None:
    made = ladder(POLICY, question(ask=Ask(6_000), **{flag: True}), curve(0.9, 0.0, 0.9, 0.3))
    assert [(r.amount, r.roles) for r in made.rungs if r.lever in {"credit", "discount"}] == [
        (2_000, ("opening", "target", "ceiling"))
    ]
    assert not made.is_negotiable
    assert made.say_yes.limit is not None
    assert made.say_yes.limit.kind == "no_bargaining"


def test_the_vulnerable_get_one_default_and_no_other_way() -> None:
    made = ladder(POLICY, question(is_vulnerable=True, monthly_bill=2_500), curve(0.9, 0.0, 0.9, 0.3, bill=25.0))
    assert [(r.instrument, r.amount) for r in made.rungs if r.amount] == [("bill_credit", 1_500)]


@pytest.mark.parametrize("flag", ["is_do_not_offer", "has_fraud_hold"])
def test_who_must_not_be_offered_anything_is_still_helped(flag: str) -> None:
    facts = question(**{flag: True}).case
    levers = fitting_levers(POLICY, facts, monthly_saving=900, may_pause=True)
    made = ladder(POLICY, question(levers=levers, **{flag: True}), curve(0.9, 0.0, 0.9, 0.3))
    assert [rung.lever for rung in made.rungs] == ["fix", "none"]


def test_in_collections_a_waived_fee_helps_and_new_money_waits() -> None:
    made = ladder(POLICY, question(in_collections=True, spending=plenty(fee=2_000)), curve(0.9, 0.0, 0.9, 0.3))
    assert [(r.instrument, r.amount) for r in made.rungs if r.is_grant] == [("fee_waiver", 1_500)]


def test_after_the_last_offer_there_is_only_what_is_owed_and_the_way_out() -> None:
    made = by_hand(spending=replace(CREDITS, counter_offers_made=3), owed=2_500)
    assert [rung.roles for rung in made.rungs] == [("entitlement",), ("cancel",), ("do nothing",)]
    assert made.is_over
    assert made.rungs[0].amount == 2_500


def test_with_nothing_left_there_is_still_a_word_to_say_yes_to() -> None:
    made = by_hand(spending=Spending())
    assert made.rungs[0].title == "An apology, and you ring back on a named day"
    assert made.say_yes.sentence.startswith("You can say yes to this now: An apology, and you ring back on a named day")


# terms and bills ------------------------------------------------------------------------------------------------------


def test_a_discount_runs_the_fewest_half_years_that_take_a_third_of_a_bill() -> None:
    assert [term_of(a, 4_100, 18) for a in (3_600, 8_200, 8_400, 24_000)] == [6, 6, 12, 18]
    assert term_of(12_618, 4_100, 18) == 18  # by 12 it would leave a remainder
    assert term_of(600, 4_100, 3) == 3


def test_costs_and_schedules_are_policy_s_own() -> None:
    item = POLICY.instrument("monthly_discount")
    assert item is not None
    stay = [1.0, 0.9, 0.8, 0.7]
    found = terms(item, 24_000, monthly_bill=4_100, extra=(1_001,), ask=Ask(), staying=np.array(stay), rate=0.0)
    for amount, months, value, cost in zip(found.amounts, found.months, found.values, found.costs, strict=True):
        assert cost == pytest.approx(cost_if_stays(item, int(amount), months or None, stay))
        assert value == pytest.approx(amount)
    assert 1_001 in found.amounts


def test_free_months_are_whole_months() -> None:
    item = POLICY.instrument("free_month")
    assert item is not None
    found = terms(item, 9_000, monthly_bill=4_100, extra=(), ask=Ask(), staying=np.ones(1), rate=0.0)
    assert (found.amounts.tolist(), found.months) == ([0, 4_100, 8_200], (0, 1, 2))
    assert found.costs.tolist() == [0, 3_075, 6_150]
    assert default_amount(5_000, 0, item, 4_100) == 4_100


def test_money_by_the_month_is_worth_less_to_the_caller_the_later_it_comes() -> None:
    item = POLICY.instrument("monthly_discount")
    assert item is not None
    found = terms(item, 1_200, monthly_bill=600, extra=(), ask=Ask(1_200, 2), staying=np.ones(1), rate=0.21)
    assert found.values[-1] == pytest.approx(600 + 600 / 1.21 ** (1 / 12))


def test_a_credit_larger_than_the_bill_goes_on_to_the_next() -> None:
    bill = with_credit(4_100, 6_000)
    assert (bill.before, bill.after) == ((4_100, 4_100, 4_100), (0, 2_200, 4_100))
    assert with_credit(4_100, 1_250, fee=1_250).before == (5_350, 4_100)
    assert with_credit(0, 500).after == (-500, 0)


@given(st.integers(0, 20_000), st.integers(0, 60_000), st.integers(1, 24))
def test_what_is_saved_is_what_is_given_to_the_penny(monthly: int, amount: int, months: int) -> None:
    assert with_credit(monthly, amount).saved == amount
    assert by_month(monthly, amount, months).saved == amount


def test_a_pause_and_a_new_price_show_on_the_bill() -> None:
    assert with_pause(4_100, 2).after == (0, 0, 4_100)
    assert with_price(4_100, 900).after == (3_200,) * 12


# the record -----------------------------------------------------------------------------------------------------------


def test_a_receipt_is_json_and_gives_exactly_the_same_ladder() -> None:
    rnd = Random(11)
    for _ in range(300):
        asked, respond = random_call(rnd)
        made = ladder(POLICY, asked, respond)
        receipt = json.loads(json.dumps(made.as_receipt(), allow_nan=False))
        again = replay(POLICY, receipt["inputs"])
        assert again == made
        assert json.loads(json.dumps(again.as_receipt())) == receipt


def test_a_ladder_told_in_german_is_the_same_and_tells_the_same_in_english_again() -> None:
    german = language_of("de")
    for seed in range(60):
        asked, respond = random_call(Random(seed))
        made = ladder(POLICY, asked, respond)
        with speaking(german):
            told = retold(POLICY, made)
        assert [unsaid(rung) for rung in told.rungs] == [unsaid(rung) for rung in made.rungs]
        assert told.rungs[-1].title == "Nichts geben"
        assert replay(POLICY, json.loads(json.dumps(told.as_receipt()))["inputs"]).as_receipt() == made.as_receipt()


def test_what_is_owed_for_is_told_from_its_parts_and_as_it_was_kept_where_there_are_none() -> None:
    asked = question(owed=135, owed_for="An outage.", owed_parts=(("outage", "2026-11-03", 22, 1, 4_100),))
    with speaking(language_of("de")):
        told, as_kept = (ladder(POLICY, one).rungs[0].reason for one in (asked, replace(asked, owed_parts=())))
    assert told.startswith("Ein Ausfall von 22 Stunden ab 3. Nov. (1 Tag, bei 41\u00a0£ im Monat). Das kommt zuerst")
    assert as_kept.startswith("An outage. Das kommt zuerst")
    kept = json.loads(json.dumps(ladder(POLICY, asked).as_receipt()))
    assert replay(POLICY, kept["inputs"]).question == asked


def unsaid(rung: Rung) -> Rung:
    """A rung without its words."""
    return replace(rung, title="", reason="")


def test_a_receipt_of_another_policy_is_not_replayed() -> None:
    made = by_hand()
    with pytest.raises(ValueError, match="of policy 7, not of 8"):
        replay(replace(POLICY, version=8), made.as_receipt()["inputs"])


def test_what_is_offered_is_what_the_ledger_takes() -> None:
    rungs = offered(by_hand())
    assert [(r.rung, r.amount, r.ceiling, r.cooldown_days, r.redemptions, r.redemption_days) for r in rungs] == [
        (i, amount, 12_000, 60, 3, 365) for i, amount in enumerate((2_500, 3_000, 3_500, 4_000))
    ]
    assert [r.propensity for r in rungs] == [1.0, None, None, None]


def test_a_share_of_callers_opens_with_any_of_the_near_equal_rungs() -> None:
    shown: Counter[int] = Counter()
    for key in range(2_000):
        made = by_hand(trial=Trial(str(key), share=0.6))
        opening = with_role(made, "opening")
        shown[opening.amount] += 1
        assert made.among == (2_500, 3_000, 3_500)
        assert made.propensity == pytest.approx(0.6 if opening.amount == 2_500 else 0.2)
        assert with_role(made, "target").amount >= opening.amount
    assert [shown[a] / 2_000 for a in (2_500, 3_000, 3_500)] == pytest.approx([0.6, 0.2, 0.2], abs=0.04)


def test_an_ask_that_is_met_is_never_randomised() -> None:
    made = by_hand(trial=Trial("1", share=1.0), ask=Ask(1_200))
    assert (made.propensity, made.is_randomised, made.among) == (1.0, False, ())


def test_what_kept_similar_callers_says_how_many_it_rests_on() -> None:
    fix, both = ("a fix",), ("a fix", "£20 credit")
    near = [PastCaller(both, True)] * 3 + [PastCaller(both, False), PastCaller(fix, True), PastCaller((), False)]
    assert what_kept(near) == "4 of 6 similar callers stayed; with a fix and £20 credit 3 of 4."
    assert what_kept(near[-2:]) == "1 of 2 similar callers stayed."
    assert what_kept([]) is None


# any call -------------------------------------------------------------------------------------------------------------


def check(call: Question, respond, *, deep: bool) -> None:
    made = ladder(POLICY, call, respond)
    fitting = [rule for rule in POLICY.rules if holds(rule, call.case)]
    check_amounts(made, call, fitting)
    check_order(made)
    check_yes(made)
    if deep:
        check_economics(made, call)
        check_more_money(made, call, respond)
        assert replay(POLICY, made.as_receipt()["inputs"]) == made


def check_amounts(made: Ladder, call: Question, fitting: list) -> None:
    """Nothing on the ladder passes any limit, by a reading of the policy that shares no code."""
    for rung in made.rungs:
        if not rung.is_grant:
            assert rung.amount == 0
            continue
        passed = breaches(call, fitting, rung.instrument, rung.amount, is_above=rung.needs_approval)
        assert passed == {}, (rung, passed, call)
        if rung.needs_approval:
            assert breaches(call, fitting, rung.instrument, rung.amount).keys() <= {
                "authority", "authority_window", "needs_role",
            }  # fmt: skip
        if rung.schedule:
            assert sum(rung.schedule) == rung.amount
        if rung.amount and rung.bill:
            assert rung.bill.saved == rung.amount
        held = next(b for b in made.bounds if b.instrument.instrument == rung.instrument)
        assert rung.amount <= (held.ceiling if rung.needs_approval else held.agent_limit)


def check_order(made: Ladder) -> None:
    places = [(0 if "entitlement" in r.roles else 1, (*LEVERS, "none").index(r.lever)) for r in made.rungs]
    assert places == sorted(places)
    assert made.rungs[-1].roles == ("do nothing",)
    keys = [(r.instrument, r.amount, r.months) for r in made.rungs if r.is_grant]
    assert len(keys) == len(set(keys)) <= 10
    parts = {role: r.amount for r in made.rungs for role in r.roles if r.lever != "none"}
    if "opening" in parts:
        assert 0 < parts["opening"] <= parts["ceiling"]
        assert made.shown is not None
        assert 0 < made.propensity <= 1


def check_yes(made: Ladder) -> None:
    """There is something to say yes to, and the headline tells it and the limit that decides."""
    assert any(not r.needs_approval and r.roles != ("do nothing",) for r in made.rungs)
    said = made.say_yes
    assert said.limit is not None
    assert said.limit.reason in said.sentence
    top = next((r.amount for r in made.rungs if "ceiling" in r.roles), 0)
    assert said.amount == top
    assert said.limit.amount is not None
    assert said.amount <= said.limit.amount


def check_economics(made: Ladder, call: Question) -> None:
    """No credit above the economic ceiling is sure to pay, and at it one may: reckoned again, one amount at a time."""
    held = next(b for b in made.bounds if b.instrument.instrument == "bill_credit")
    found = next((one for one in held.own if one.kind == "economic_ceiling"), None)
    if found is None:
        return
    plan = next(plan for plan in money_plans(POLICY, call) if plan.bounds.instrument.instrument == "bill_credit")
    within = [int(plan.terms.amounts[i]) for i in plan.within(plan.bounds.agent_limit)]
    for amount in within:
        low, middle = lowest(made, call, amount)
        if found.amount is not None and amount > found.amount:
            assert low <= 1e-6, (amount, found)
        elif found.amount is None and amount == within[-1]:
            counted = middle if amount in {call.ask.amount, plan.default} or amount < plan.default else low
            assert counted >= -1e-6, (amount, found)


def lowest(made: Ladder, call: Question, amount: int) -> tuple[float, float]:
    """Lower end and middle of what a credit gains after the price of budget, minor units."""
    curve, worth = made.curve, call.worth
    assert curve is not None
    assert worth is not None
    p, low, high = (float(np.interp(amount / 100, curve.values, part)) for part in (curve.p, curve.low, curve.high))
    rise, spent = p - curve.p[0], amount * (1 + min(call.price_of_budget.get("bill_credit", 0.0), 1e9))
    middle = rise * worth.amount - p * spent - 200
    by_chance = min((end - rise) * (worth.amount - spent) for end in (low, high))
    by_worth = min(rise * (end - worth.amount) for end in (worth.low, worth.high))
    return middle - np.hypot(by_chance, by_worth), middle


def check_more_money(made: Ladder, call: Question, respond) -> None:
    """More money never lowers the largest amount of any instrument that can be offered, economics included."""
    richer = {n: Budget(2 * b.amount_limit, b.left + 4_321, b.spent_today) for n, b in call.spending.budgets.items()}
    more = ladder(POLICY, replace(call, spending=replace(call.spending, budgets=richer)), respond)
    then = {held.instrument.instrument: held for held in more.bounds}
    now = {held.instrument.instrument: held for held in made.bounds}
    for plan in money_plans(POLICY, call):
        name, amounts = plan.bounds.instrument.instrument, plan.terms.amounts
        assert then[name].ceiling >= amounts[amounts <= now[name].ceiling].max(), name
        assert then[name].agent_limit >= amounts[amounts <= now[name].agent_limit].max(), name


def test_a_thousand_calls_break_no_limit_and_leave_nobody_empty_handed() -> None:
    rnd = Random(3)
    for _ in range(1_000):
        check(*random_call(rnd), deep=True)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(BLOCKS))
def test_ten_thousand_calls_a_block_break_no_limit(block: int) -> None:
    """One block every time; with `KEEPLINE_BLOCKS=10` in the environment ten, 100,000 calls."""
    rnd = Random(50_000 + block)
    for number in range(10_000):
        check(*random_call(rnd), deep=number % 20 == 0)


def test_a_call_with_everything_used_up_to_the_last_penny_gives_exactly_what_is_left() -> None:
    had = (Earlier("fee_waiver", 24_000 - 1_500, 1.0),)
    made = by_hand(spending=replace(CREDITS, earlier=had), given_days_ago=())
    assert with_role(made, "ceiling").amount == 1_500
    assert made.say_yes.limit is not None
    assert (made.say_yes.limit.kind, made.say_yes.limit.lifted_by) == ("rolling_cap", "time")


def test_every_money_instrument_is_planned_with_no_offer_among_its_amounts() -> None:
    plans = money_plans(POLICY, question())
    assert {plan.bounds.instrument.instrument for plan in plans} == set(MONEY)
    assert all(plan.terms.amounts[0] == 0 and (np.diff(plan.terms.amounts) > 0).all() for plan in plans)
