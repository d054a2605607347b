"""Reasons: true to the facts on the same screen, few, one a topic, none too small to matter."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.calls.reasons import SENTENCES, explain, say, topic_of
from tests.core.callers import AS_OF, ago, bill, concession, contact, event, line, scene, unresolved

CALLS = (
    unresolved(1, csat=1),
    contact(12, "bill", csat=2, is_escalated=True),
    contact(13, "bill", direction="out"),
    unresolved(40),
    contact(200, None, csat=5),
    contact(364, "bill"),
    contact(366, "fault", is_escalated=True, csat=1),
)
VALUES = {
    "contacts_30d": 2, "contacts_90d": 3, "contacts_365d": 5, "unresolved_90d": 2, "same_reason_90d": 2,
    "escalated_365d": 1, "days_since_contact": 1.0, "contacts_about_bill_365d": 2, "contacts_about_unknown_365d": 1,
    "contacts_about_fault_365d": 2, "bill_last": 53.0, "bill_change": 12.0, "days_since_plan_change": 10.0,
    "events_outage_90d": 1, "usage_gb": 1234.5, "usage_gb_change": -30.25, "region": "Wales", "outbound_90d": 1,
}  # fmt: skip
LINES = (line(), line(plan="SIM 20", started_on=date(2026, 11, 5), monthly_price=Decimal(15)))
CALLER = scene(
    VALUES,
    contacts=CALLS,
    subscriptions=LINES,
    invoices=(bill(14, "53.00", paid_on=None), bill(44), bill(74)),
    events=(event(5), event(9)),
    concessions=(concession(10), concession(90, "50.00")),
)


@pytest.mark.parametrize(
    ("column", "said", "since"),
    [
        ("contacts_30d", "2 contacts in 30 days, last 14 Nov", ago(1)),
        ("contacts_365d", "5 contacts in 365 days, last 14 Nov", ago(1)),
        ("unresolved_90d", "2 contacts not resolved about fault, since 6 Oct", ago(40)),
        ("same_reason_90d", "2 contacts about fault in 90 days, last 14 Nov", ago(1)),
        ("contacts_about_bill_365d", "2 contacts about bill in a year, last 3 Nov", ago(12)),
        ("contacts_about_unknown_365d", "1 contact without a reason given in a year, last 29 Apr", ago(200)),
        ("escalated_365d", "Escalated on 3 Nov", ago(12)),
        ("csat_365d", "Gave 2.7 of 5 on average over 3 contacts, last 14 Nov", ago(1)),
        ("days_since_contact", "Last contact 14 Nov about fault", ago(1)),
        ("monthly_price", "Pays £56 a month, since 5 Nov", date(2026, 11, 5)),
        ("plan", "On Fibre 500 since 1 Jan 2024", date(2024, 1, 1)),
        ("days_since_plan_change", "Took SIM 20 on 5 Nov", date(2026, 11, 5)),
        ("bill_last", "Bill of 1 Nov: £53", date(2026, 11, 1)),
        ("bill_change", "Bill of 1 Nov up £12 on their own average", date(2026, 11, 1)),
        ("concessions_365d", "Last given £20 (bill credit) on 5 Nov", ago(10)),
        ("events_outage_90d", "The outage, 10 Nov", ago(5)),
        ("usage_gb", "Used 1,234 gb in the last full month on record", None),
        ("usage_gb_change", "Use of gb down 30.2 on their own average", None),
        ("tenure_months", "Customer for 2 y 10 m, since 1 Jan 2024", date(2024, 1, 1)),
        ("region", "Region: Wales (in the CRM on 15 Nov)", AS_OF.date()),
    ],
)
def test_a_sentence_quotes_the_callers_own_facts(column: str, said: str, since: date | None) -> None:
    assert say(column, CALLER) == (said, since)


@pytest.mark.parametrize(
    "column", [*SENTENCES, "events_outage_90d", "contacts_about_bill_365d", "usage_gb", "outbound_90d"]
)
def test_nothing_is_pointed_at_where_there_is_nothing(column: str) -> None:
    said = say(column, scene(subscriptions=()))
    assert said is None or column in {"days_since_contact", "last_reason", "tenure_months"}


def test_silence_is_only_claimed_where_they_were_silent() -> None:
    assert say("days_since_contact", scene(contacts=(contact(3, direction="out"), contact(366)))) == (
        "No contact from them in the last year",
        None,
    )


@pytest.mark.parametrize("column", ["escalated_365d", "csat_365d"])
def test_what_is_over_a_year_old_is_no_reason_today(column: str) -> None:
    assert say(column, scene(contacts=(contact(366, is_escalated=True, csat=1),))) is None


def test_one_rating_is_quoted_as_given() -> None:
    assert say("csat_365d", scene(contacts=(contact(12, csat=2),))) == ("Gave 2 of 5 on 3 Nov", ago(12))


@pytest.mark.parametrize(
    ("change", "said"), [(-12.0, "Bill of 1 Nov down £12 on their own average"), (0.0, None), (0.001, None)]
)
def test_a_bill_goes_up_or_down_or_is_not_mentioned(change: float, said: str | None) -> None:
    told = say("bill_change", scene({"bill_last": 41.0, "bill_change": change}, invoices=(bill(14),)))
    assert (told and told[0]) == said


@pytest.mark.parametrize(
    ("bills", "said"),
    [
        ((bill(14), bill(44, paid_on=None), bill(74, "9.50", paid_on=None)), "£50.50 overdue since 16 Sep"),
        ((bill(14, paid_on=None),), None),  # due in three days
        ((bill(15, paid_on=None),), "£41 overdue since 14 Nov"),
        ((bill(44, "-5.00", paid_on=None),), None),  # a credit note
        ((bill(44, paid_on=date(2026, 11, 1)), bill(74, paid_on=AS_OF.date())), "2 bills paid late, last 16 Oct"),
    ],
)
def test_what_is_owed_is_summed_from_the_day_after_it_was_due(bills: tuple, said: str | None) -> None:
    moved = bills if said != "£41 overdue since 14 Nov" else (bill(15, due_on=date(2026, 11, 14), paid_on=None),)
    told = say("overdue", scene(invoices=moved))
    assert (told and told[0]) == said


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (date(2026, 11, 15), "Term ends 15 Nov"),
        (date(2026, 11, 14), "Out of term since 14 Nov"),
        (date(2027, 1, 2), "Term ends 2 Jan 2027"),
    ],
)
def test_a_term_ends_or_has_ended(ends: date, said: str) -> None:
    assert say("months_to_term_end", scene(subscriptions=(line(term_ends_on=ends),))) == (said, ends)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("paperless", True, "Paperless: yes"),
        ("Paperless", False, "Paperless: no"),
        ("MonthlyCharges", 1234.5, "Monthly charges: 1,234.5"),
        ("visits", 3, "Visits: 3"),
        ("attribute_region", "north", "Region: north"),
        ("usage_type", "streaming", "Usage type: streaming"),
        ("events_attended", 4, "Events attended: 4"),
        ("note", "<b>x</b> **y** [z](javascript:1)", "Note: <b>x</b> **y** [z](javascript:1)"),
        ("note", "a\u202eb\0c", "Note: abc"),
        ("note", "x" * 500, f"Note: {'x' * 79}…"),
    ],
)
def test_a_crm_column_is_quoted_with_its_value_whatever_it_is_called(column: str, value: object, said: str) -> None:
    own = scene({column: value}, features={"attributes": {column.removeprefix("attribute_"): value}})
    told = say(column, own)
    assert told is not None
    assert told[0] == f"{said} (in the CRM on 15 Nov)"


def test_at_most_three_reasons_largest_first_one_a_topic_none_under_half_a_point() -> None:
    moved = {
        "contacts_30d": 0.02, "unresolved_90d": 0.09, "bill_change": 0.05, "outbound_90d": 0.3, "plan": 0.005,
        "usage_gb": 0.0049, "escalated_365d": 0.08, "region": math.nan, "overdue": 0.5,
    }  # fmt: skip
    told = explain(moved, CALLER)
    assert [(reason.column, reason.points) for reason in told] == [
        ("unresolved_90d", 0.09),
        ("bill_change", 0.05),
        ("plan", 0.005),
    ]


@given(st.dictionaries(st.sampled_from([*SENTENCES, *VALUES]), st.floats(-1, 1)))
def test_reasons_keep_their_bounds_whatever_moved(moved: dict[str, float]) -> None:
    told = explain(moved, CALLER)
    points = [reason.points for reason in told]
    assert len(told) <= 3
    assert points == sorted(points, reverse=True)
    assert all(point >= 0.005 for point in points)
    assert len({topic_of(reason.column) for reason in told}) == len(told)


def test_a_crm_column_shares_no_topic_with_a_column_of_ours() -> None:
    assert topic_of("plan") == topic_of("monthly_price") == "plan"
    assert topic_of("contacts_about_fault_365d") == topic_of("unresolved_90d") == "contacts"
    assert topic_of("usage_gb") == topic_of("usage_gb_change") == "usage_gb"
    assert [topic_of(own) for own in ("planet", "bill_cycle", "late_fee")] == ["planet", "bill_cycle", "late_fee"]


def test_equal_contributions_are_told_in_a_fixed_order() -> None:
    assert [r.column for r in explain({"region": 0.1, "bill_last": 0.1}, CALLER)] == ["bill_last", "region"]
