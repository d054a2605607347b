"""Cases in the owner's words, against the default policy."""

from __future__ import annotations

from datetime import date

import pytest

from churn.core.policies.policy_cases import CasesUnreadable, run_cases
from churn.policies import default_policy
from churn.policies.cases import parse_cases, verdicts_of

ON = date(2026, 11, 15)
POLICY = default_policy()
GREEN = """
- case: Our fault, six years with us
  give: bill_credit
  when: {fault: ours, tenure_months: 74, monthly_bill: 41, worth: 1140, risk: 0.31}
  expect: {ceiling: 120, alone: 35, needs supervisor: 60, at most: 120, at least: 100}
- case: They asked for no offers
  give: bill_credit
  when: {is_do_not_offer: yes, tenure_months: 74, monthly_bill: 41}
  expect: {forbidden: yes}
- case: A second credit within the wait
  give: bill_credit
  when: {tenure_months: 74, monthly_bill: 41, worth: 1140, fault: ours}
  given: [{instrument: bill_credit, amount: 20, days_ago: 59}]
  expect: {forbidden: yes}
- case: A vulnerable customer and a long term
  give: monthly_discount
  when: {is_vulnerable: yes, tenure_months: 30, monthly_bill: 41, worth: 1140}
  expect: {needs supervisor: yes, alone: 0}
"""


def test_cases_that_hold_are_green() -> None:
    verdicts = run_cases(POLICY, parse_cases(GREEN), ON)
    assert [(v.title, v.is_green) for v in verdicts if not v.is_green] == []
    assert verdicts[0].sentence.startswith("Up to £35 alone, £120 with a supervisor: ")


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("{ceiling: 119.99}", "Expected ceiling £119.99, came out £120: "),
        ("{at most: 100}", "Expected at most £100, came out £120: "),
        ("{at least: 121}", "Expected at least £121, came out £120: "),
        ("{alone: 34}", "Expected alone £34, came out £35: "),
        ("{forbidden: yes}", "Expected to be forbidden. Up to £35 alone"),
        ("{needs supervisor: 35}", "Expected £35 to need a supervisor. "),
        ("{needs supervisor: 121}", "Expected £121 to need a supervisor. "),
        ("{needs supervisor: no}", "Expected not to need a supervisor. "),
    ],
)
def test_a_case_that_does_not_hold_says_what_came_out(expect: str, said: str) -> None:
    text = GREEN.split("- case: They", maxsplit=1)[0].replace(
        "{ceiling: 120, alone: 35, needs supervisor: 60, at most: 120, at least: 100}", expect
    )
    (verdict,) = verdicts_of(POLICY, text, ON)
    assert verdict.sentence.startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("case: one", "Cases are a list"),
        ("- give: bill_credit", "Case 1: it begins with “case:”"),
        ("- {case: a, expect: {ceiling: 1}}", "Case 1: “give:” names the instrument."),
        ("- {case: a, give: b}", "“expect:” at least one"),
        ("- {case: a, give: b, expect: {most: 1}}", "there is no expectation “most”"),
        ("- {case: a, give: b, when: {age: 3}, expect: {ceiling: 1}}", "there is no fact “age”"),
        ("- {case: a, give: b, role: boss, expect: {ceiling: 1}}", "“boss” is none of"),
        (
            "- {case: a, give: b, expect: {ceiling: 1}}\n- {case: a, give: b, expect: {ceiling: 1}}",
            "Two cases are called",
        ),
        ("- case: [", "Line 1: "),
        ("a: &x [1]\nb: *x", "no aliases"),
        ("- !!python/object/apply:os.system [ls]", "Line 1: "),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(text: str, said: str) -> None:
    with pytest.raises(CasesUnreadable, match=said.replace("(", r"\(").replace("[", r"\[")):
        parse_cases(text)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{monthly_bill: lots}", "“lots” is no amount."),
        ("{risk: 40}", "risk is a chance from 0 to 1"),
        ("{is_vulnerable: 3}", "is_vulnerable is yes or no."),
        ("{day: soon}", "day is written like"),
        ("{tenure_months: long}", "It cannot be reckoned: "),
    ],
)
def test_a_fact_nobody_can_reckon_with_is_red_and_no_crash(when: str, said: str) -> None:
    text = f"- {{case: a, give: bill_credit, when: {when}, expect: {{ceiling: 1}}}}"
    (verdict,) = verdicts_of(POLICY, text, ON)
    assert said in verdict.sentence


def test_an_instrument_policy_does_not_know_is_red() -> None:
    (verdict,) = verdicts_of(POLICY, "- {case: a, give: gold, expect: {ceiling: 1}}", ON)
    assert verdict.sentence == "The policy knows no instrument “gold”."


def test_no_cases_are_no_failure() -> None:
    assert parse_cases("") == ()
    assert parse_cases("# nothing yet\n") == ()
