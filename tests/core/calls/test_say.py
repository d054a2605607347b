"""Say first: the first true thing in the order of trust, with counts and dates that are the caller's own."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from churn.core.calls.say import say_first
from tests.core.callers import TODAY, ago, bill, contact, event, line, scene, unresolved

SHOCK = {"bill_last": 53.0, "bill_change": 12.0}


def test_repeated_unresolved_contacts_come_first_with_their_count_and_first_date() -> None:
    calls = (unresolved(1), contact(5, "bill", is_resolved=True), unresolved(12), unresolved(40, "bill"))
    opening = say_first(scene(SHOCK, contacts=calls, events=(event(1),), invoices=(bill(3),)))
    assert "contacted us 2 times about the fault since 3 Nov" in opening.text
    assert opening.ground == "2 contacts not resolved since 3 Nov"
    assert opening.is_our_fault


def test_one_unresolved_contact_is_named_with_its_day() -> None:
    opening = say_first(scene(contacts=(unresolved(12, None),)))
    assert opening.text.startswith("I can see this from 3 Nov still isn’t settled.")


@pytest.mark.parametrize(
    "calls",
    [
        (contact(1, is_resolved=True), unresolved(12)),
        (contact(1, direction="out", is_resolved=True), unresolved(12), unresolved(14)),
        (unresolved(91),),
        (unresolved(5, direction="out"),),
    ],
)
def test_what_was_put_right_since_or_is_long_past_is_not_called_open(calls: tuple) -> None:
    assert say_first(scene(contacts=calls)).ground == "Nothing in the records calls for more"


def test_what_was_put_right_before_it_broke_again_is_open() -> None:
    calls = (unresolved(2), contact(5, is_resolved=True), unresolved(12))
    assert say_first(scene(contacts=calls)).ground == "1 contact not resolved since 13 Nov"


def test_a_fresh_outage_comes_before_a_bill_shock() -> None:
    opening = say_first(scene(SHOCK, events=(event(2),), invoices=(bill(3),)))
    assert opening.text.startswith("You were hit by an outage from 13 Nov. It isn’t fixed yet")
    assert opening.is_our_fault
    over = say_first(scene(SHOCK, events=(event(2, ends_at=ago(1)),), invoices=(bill(3),)))
    assert "It’s back now" in over.text


def test_an_old_outage_does_not() -> None:
    opening = say_first(scene(SHOCK, events=(event(15),), invoices=(bill(3),)))
    assert opening.text.startswith("I can see your bill of 12 Nov is £12 above what you usually pay.")
    assert opening.ground == "£53 against £41 on average"


@pytest.mark.parametrize("kind", ["bill_run", "campaign"])
def test_what_hits_everybody_is_never_an_opening(kind: str) -> None:
    known = event(1, kind, what_to_say="Bills went out.")
    assert say_first(scene(events=(known,))).text == "What can I put right for you today?"


def test_a_price_rise_is_told_as_the_company_wants_it_where_the_bill_rose() -> None:
    rise = event(1, "price_rise", what_to_say=" Prices rose by £2 on 1 Nov. ")
    told = say_first(scene({"bill_change": 2.0}, events=(rise,)))
    assert (told.text, told.is_our_fault) == ("Prices rose by £2 on 1 Nov.", False)
    assert say_first(scene({"bill_change": 0.0}, events=(rise,))).text == "What can I put right for you today?"


@pytest.mark.parametrize(
    ("last", "change", "is_shock"),
    [
        (47.15, 6.15, True), (47.14, 6.13, False), (10.0, 2.99, False), (10.0, 3.0, True), (5.0, 5.0, False),
        (30.0, -9.0, False),
    ],
)  # fmt: skip
def test_a_bill_shocks_from_three_and_from_15_percent_of_what_is_usual(
    last: float, change: float, is_shock: bool
) -> None:
    told = say_first(scene({"bill_last": last, "bill_change": change}, invoices=(bill(3),)))
    assert told.text.startswith("I can see your bill") == is_shock


@pytest.mark.parametrize(("days", "is_said"), [(-1, False), (0, True), (45, True), (46, False)])
def test_a_term_about_to_end_is_said(days: int, is_said: bool) -> None:
    ends = TODAY + timedelta(days=days)
    told = say_first(scene(subscriptions=(line(term_ends_on=ends), line(term_ends_on=TODAY, ended_on=TODAY))))
    assert told.text.startswith("Your agreement runs until") == is_said


@pytest.mark.parametrize(
    ("joined", "said"),
    [
        (TODAY, "Welcome to us."),
        (date(2026, 10, 1), "Welcome to us."),
        (date(2026, 9, 30), "What can I put right"),
        (date(2021, 11, 16), "What can I put right"),
        (date(2021, 11, 15), "You’ve been with us for 5 years"),
        (date(2020, 11, 15), "You’ve been with us for 6 years"),
    ],
)
def test_the_new_are_welcomed_and_the_loyal_thanked(joined: date, said: str) -> None:
    assert say_first(scene(joined_on=joined)).text.startswith(said)


@pytest.mark.parametrize("joined", [date(2026, 11, 1), date(2015, 1, 1)])
def test_who_has_left_is_neither_welcomed_nor_thanked_for_staying(joined: date) -> None:
    gone = line(started_on=joined, ended_on=date(2026, 11, 10))
    told = say_first(scene(joined_on=joined, subscriptions=(gone,)))
    assert told.text == "What can I put right for you today?"
