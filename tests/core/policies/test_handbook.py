"""A handbook says what the policy says: its sentences with their place, who may give what, what the rules come to."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from churn.core.language import speaking
from churn.core.policies.handbook import EXAMPLES, Handbook, Money, as_markdown
from churn.core.policies.policy import Policy
from churn.core.policies.policy_cases import Verdict
from churn.documents.paper import as_page
from churn.languages import languages
from churn.policies import default_policy
from tests.ledger_world import rule, small_policy


def book(policy: Policy, **changes: object) -> Handbook:
    """The handbook of a policy, as of a day."""
    held = {
        "policy": replace(policy, version=7), "company": "Test", "today": date(2026, 11, 15), "drafted_by": "finn",
        "published_by": "fay", "published_on": date(2026, 11, 1), "in_force_since": date(2026, 11, 2),
        "people": {"fay": "Fay Wray"},
    }  # fmt: skip
    return Handbook(**held | changes)


def part(text: str, heading: str) -> str:
    """What stands under a heading of the second rank."""
    return text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0].strip()


def test_it_says_which_policy_it_is_and_whose() -> None:
    first, title, *_ = as_markdown(book(small_policy())).split("\n\n")
    assert first == "# Policy handbook: Test"
    assert title == (
        "**small**, version 7, in force since 2026-11-02. Drafted by finn, published by Fay Wray (fay) on 2026-11-01."
    )


def test_every_rule_of_the_default_policy_stands_in_it_once_with_its_sentence_and_its_place() -> None:
    policy = default_policy()
    text = as_markdown(book(policy))
    lines = [line for line in text.splitlines() if line.startswith("- **")]
    assert len(lines) == len(policy.rules)
    credit = part(text, "Credit on the next bill").splitlines()
    assert credit[0] == (
        "In the tables: bill credit. Never more than £150, in steps of £5. It is paid from the team's budget. "
        "Handling it costs £2."
    )
    assert (
        "- **In the first half year a credit is at most £15.** (RP-4.1) · ceiling for bill credit when tenure below 6: "
        "£15"
    ) in credit
    assert "- **After three offers a no is a no.** (RP-2.4) · offers in one call: 3 times" in part(
        text, "For every call"
    )


def test_who_may_give_what_alone_stands_by_role() -> None:
    told = part(as_markdown(book(default_policy())), "Who may give what alone")
    agent, supervisor = told.split("### Supervisor")
    assert "| Credit on the next bill | fault | £50 | £175 a day |" in agent
    assert "| Money off every month | any | £240 | £6,000 a week |" in supervisor
    assert "| Put it right, no charge | any | no money in it | no limit |" in agent


def test_examples_are_what_the_bounds_say() -> None:
    told = part(as_markdown(book(default_policy())), "Worked examples")
    ours, again, new, _, never = told.split("### ")[1:]
    assert (
        "- Credit on the next bill: Up to £35 alone, £120 with a supervisor: Alone you may give up to £35 at once."
        in (ours)
    )
    assert (
        "- Money off every month: Up to £50: They got something within half a year: at most £50. The last was £20 on "
        "7 Aug."
    ) in again
    assert "- Credit on the next bill: Up to £15: In the first half year a credit is at most £15." in new
    assert never.count("Forbidden: They asked us to make no offers.") == 4
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize(
    ("change", "heading"),
    [
        ({"value": Decimal(1_700)}, "Credit on the next bill"),
        ({"reason": "Half a year, fifteen pounds."}, "Credit on the next bill"),
        ({"reference": "RP-9"}, "Credit on the next bill"),
        ({"value": Decimal(1_700)}, "Worked examples"),
        ({"tenure_to": 3}, "Worked examples"),
    ],
)
def test_another_rule_gives_another_handbook(change: dict[str, object], heading: str) -> None:
    policy = default_policy()
    rules = tuple(replace(one, **change) if one.code == "credit-first-half-year" else one for one in policy.rules)
    before, after = (part(as_markdown(book(one)), heading) for one in (policy, replace(policy, rules=rules)))
    assert before != after


def test_a_rule_that_has_ended_is_left_out_and_one_to_come_is_told_with_its_day() -> None:
    policy = small_policy()
    rules = (
        *policy.rules,
        replace(rule("over", "ceiling", 100, "money", ends_on=date(2026, 11, 15)), reason="It is over."),
        replace(rule("soon", "ceiling", 200, "money", starts_on=date(2026, 12, 1)), reason="It comes."),
    )
    told = part(as_markdown(book(replace(policy, rules=rules))), "For every call")
    assert "It is over" not in told
    assert "- **It comes.** · ceiling when date from 2026-12-01: £2" in told


def test_money_and_cases_stand_in_it_where_there_are_any() -> None:
    text = as_markdown(book(small_policy()))
    assert part(text, "This month's money") == "No team has money this month."
    assert "## Cases" not in text
    text = as_markdown(
        book(
            small_policy(),
            budgets=(Money(team="north", instrument="bill_credit", amount=100_000, currency="GBP"),),
            cases=(Verdict("Ours", True, "Up to £35: so."), Verdict("Theirs", False, "Expected £20.")),
        )
    )
    assert part(text, "This month's money").splitlines()[-1] == "| north | bill credit | £1,000 |"
    assert part(text, "Cases kept with this version").splitlines() == [
        "- As it must be: Ours. Up to £35: so.", "- NOT as it must be: Theirs. Expected £20.",
    ]  # fmt: skip


def test_what_owners_write_is_shown_and_never_obeyed() -> None:
    policy = small_policy()
    evil = replace(policy.rules[0], reason="<script>x()</script> [a](javascript:y) ![b](http://c.example/d) | *e*\n# f")
    text = as_markdown(book(replace(policy, rules=(evil, *policy.rules[1:]), title="<b>t</b>")))
    page = as_page(text, language="en")
    assert "<script" not in page
    assert "<a " not in page
    assert "<img" not in page
    assert "&lt;script&gt;x()&lt;/script&gt; [a](javascript:y) ![b](http://c.example/d) | *e* # f" in page
    assert page.count("<h1>") == 1
    assert '<html lang="en">' in page
    assert "<table>" in page


def test_it_is_said_in_another_language_and_the_owners_sentences_as_they_are() -> None:
    with speaking(languages()["de"]):
        text = as_markdown(book(default_policy()))
    assert text.startswith("# Handbuch zum Regelwerk: Test")
    assert "- **In the first half year a credit is at most £15.** (RP-4.1)" in text
    assert "Nie mehr als 150\u00a0£, in Schritten von 5\u00a0£." in text
