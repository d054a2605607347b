"""How facts are said: the same figure in the same words, at the edges too."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core import money, words

TODAY = date(2026, 11, 15)
days = st.dates(date(1990, 1, 1), date(2040, 1, 1))


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-11-15", "2026-11-15", "0 days"),
        ("2026-11-14", "2026-11-15", "1 day"),
        ("2026-10-16", "2026-11-15", "30 days"),
        ("2026-10-15", "2026-11-15", "1 m"),
        ("2026-01-31", "2026-02-28", "28 days"),
        ("2026-01-31", "2026-03-01", "1 m"),
        ("2024-02-29", "2025-02-28", "11 m"),
        ("2024-02-29", "2025-03-01", "1 y"),
        ("2020-09-14", "2026-11-15", "6 y 2 m"),
        ("2020-11-15", "2026-11-15", "6 y"),
        ("2026-12-01", "2026-11-15", "0 days"),
    ],
)
def test_a_span_counts_whole_calendar_months(since: str, until: str, said: str) -> None:
    assert words.span(date.fromisoformat(since), date.fromisoformat(until)) == said


@given(days, days)
def test_a_span_is_never_more_than_has_passed(one: date, other: date) -> None:
    since, until = sorted((one, other))
    months = words.whole_months(since, until)
    assert 0 <= months <= (until - since).days / 28


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        (0, "GBP", "£0"),
        (1140, "GBP", "£1,140"),
        (12.5, "GBP", "£12.50"),
        (-12.5, "GBP", "−£12.50"),
        (-0.004, "GBP", "£0"),
        (999.999, "GBP", "£1,000"),
        (Decimal("41.10"), "EUR", "€41.10"),
        (1140.0, "JPY", "¥1,140"),
        (1140.4, "JPY", "¥1,140"),
        (1.25, "KWD", "KWD 1.250"),
        (20, "CHF", "CHF 20"),
    ],
)
def test_money_has_pence_only_where_there_are_some(amount: float, currency: str, said: str) -> None:
    assert words.money(amount, currency) == said


@given(st.integers(-(10**12), 10**12), st.sampled_from(["GBP", "JPY", "KWD"]))
def test_money_is_said_and_shown_alike(minor: int, currency: str) -> None:
    assert words.money(money.to_major(minor, currency), currency) == money.show(minor, currency)


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "0 %"), (0.0001, "<1 %"), (0.0099, "<1 %"), (0.01, "1 %"), (0.314, "31 %"), (0.99, "99 %"),
        (0.9901, ">99 %"), (0.9999, ">99 %"), (1, "100 %"),
    ],
)  # fmt: skip
def test_a_percentage_never_claims_certainty(share: float, said: str) -> None:
    assert words.percent(share) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.08, "+8 points"), (0.0061, "+0.6 points"), (0.0194, "+1.9 points"), (0.0196, "+2 points"),
        (-0.08, "−8 points"), (-0.0061, "−0.6 points"),
    ],
)  # fmt: skip
def test_points_are_signed_and_small_ones_have_a_decimal(share: float, said: str) -> None:
    assert words.points(share) == said


@pytest.mark.parametrize(
    ("n", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (111, "111th")],
)
def test_an_ordinal_has_its_ending(n: int, said: str) -> None:
    assert words.ordinal(n) == said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("move_home", "move home"), ("MoveHome", "move home"), ("StreamingTV", "streaming TV"), ("TV", "TV"),
        ("FAULT", "fault"), ("pre-paid", "pre paid"), ("", ""), ("Größe", "größe"),
    ],
)  # fmt: skip
def test_a_code_is_said_in_words(code: str, said: str) -> None:
    assert words.spoken(code) == said


@pytest.mark.parametrize(
    ("when", "zone", "said"),
    [
        (datetime(2026, 11, 15, 7, 59, tzinfo=UTC), "America/Los_Angeles", "14 Nov"),
        (datetime(2026, 11, 15, 8, 0, tzinfo=UTC), "America/Los_Angeles", "15 Nov"),
        (datetime(2026, 6, 30, 23, 0, tzinfo=UTC), "Europe/London", "1 Jul"),
        (datetime(2025, 12, 31, 23, 59, tzinfo=UTC), "Europe/London", "31 Dec 2025"),
        (datetime(2025, 12, 31, 23, 59, tzinfo=UTC), "Asia/Tokyo", "1 Jan"),
        (date(2024, 2, 29), "America/Los_Angeles", "29 Feb 2024"),
    ],
)
def test_a_day_is_the_companys_and_has_its_year_when_it_is_not_this_one(when: date, zone: str, said: str) -> None:
    assert words.day(when, TODAY, zone) == said


@pytest.mark.parametrize(
    ("utc_hour", "said"), [(0, "25 Oct 2026 01:30"), (1, "25 Oct 2026 01:30"), (2, "25 Oct 2026 02:30")]
)
def test_the_hour_that_comes_twice_is_said_as_the_clock_shows_it(utc_hour: int, said: str) -> None:
    assert words.moment(datetime(2026, 10, 25, utc_hour, 30, tzinfo=UTC), "Europe/London") == said
