"""Pace, forecast, crowding, run-off, statement: exact on tiny data, honest over many."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from churn.core.finance.crowding import crowding
from churn.core.finance.pace import forecast, month_days, pace
from churn.core.finance.run_off import Discount, run_off
from churn.core.finance.statement import statement_text, totals

NOVEMBER = date(2026, 11, 1)


@pytest.mark.parametrize(
    ("spent", "today", "told"),
    [
        (500, date(2026, 11, 15), 1.0),
        (1_000, date(2026, 11, 15), 2.0),
        (0, date(2026, 11, 30), 0.0),
        (1_000, date(2026, 12, 5), 1.0),
    ],
)
def test_pace_is_spent_share_over_elapsed_share(spent: int, today: date, told: float) -> None:
    assert pace(spent, 1_000, NOVEMBER, today) == pytest.approx(told)


def test_there_is_no_pace_without_a_limit_or_before_the_month() -> None:
    assert pace(0, 0, NOVEMBER, date(2026, 11, 15)) is None
    assert pace(0, 100, NOVEMBER, date(2026, 10, 31)) is None


def test_days_to_come_spend_like_their_weekdays() -> None:
    """Only Mondays cost: £10 each. From Sunday the 15th the rest of November has the 16th, 23rd and 30th."""
    today = date(2026, 11, 15)
    by_day = {day: 1_000 for k in range(70) if (day := today - timedelta(days=k)).weekday() == 0}
    told = forecast(by_day, spent=2_000, limit=4_500, month=NOVEMBER, today=today, since=date(2026, 1, 1))
    assert told is not None
    assert (told.middle, told.low, told.high) == (5_000, 5_000, 5_000)
    assert told.runs_out_on == date(2026, 11, 30)
    assert told.is_alarm
    wide = forecast(by_day, spent=2_000, limit=6_000, month=NOVEMBER, today=today, since=date(2026, 1, 1))
    assert wide is not None
    assert (wide.runs_out_on, wide.p_runs_out, wide.is_alarm) == (None, 0.0, False)


def test_nothing_is_foretold_of_less_than_two_weeks() -> None:
    assert forecast({}, spent=0, limit=1, month=NOVEMBER, today=date(2026, 11, 13), since=NOVEMBER) is None
    assert forecast({}, spent=0, limit=1, month=NOVEMBER, today=date(2026, 11, 14), since=NOVEMBER) is not None


def test_nine_of_ten_months_end_within_the_interval() -> None:
    rng, inside = np.random.default_rng(5), 0
    for _ in range(400):
        days = [date(2026, 9, 1) + timedelta(days=k) for k in range(91)]
        rate = np.array([3.0 if day.weekday() < 5 else 1.0 for day in days])
        amount = [int(sum(rng.gamma(2.0, 800.0, k))) for k in rng.poisson(rate)]
        by_day = dict(zip(days, amount, strict=True))
        spent = sum(by_day[day] for day in month_days(NOVEMBER) if day <= date(2026, 11, 12))
        told = forecast(by_day, spent=spent, limit=1, month=NOVEMBER, today=date(2026, 11, 12), since=days[0])
        assert told is not None
        inside += told.low <= sum(by_day[day] for day in month_days(NOVEMBER)) <= told.high
    assert 0.86 <= inside / 400 <= 0.95


def test_amounts_at_the_edges_of_the_tenths_are_counted_once() -> None:
    told = crowding(
        [(3_500, 30), (3_151, 5), (3_150, 4), (2_801, 3), (2_800, 100), (3_501, 2), (3_850, 1), (3_851, 50)], 3_500
    )
    assert (told.under, told.lower, told.above) == (35, 7, 3)
    assert told.share == pytest.approx(35 / 42)
    assert told.verdict == "crowded"


@pytest.mark.parametrize(
    ("under", "lower", "verdict"),
    [(10, 9, "too few"), (10, 10, "not crowded"), (14, 6, "not crowded"), (16, 4, "crowded")],
)
def test_crowded_is_said_only_of_a_whole_interval(under: int, lower: int, verdict: str) -> None:
    assert crowding([(3_400, under), (3_000, lower)], 3_500).verdict == verdict


def test_a_discount_costs_what_is_left_of_it_weighted_by_staying() -> None:
    mine = Discount("C1", "monthly_discount", "GBP", date(2026, 9, 1), (100, 100, 100, 101))
    gone = Discount("C2", "monthly_discount", "GBP", date(2026, 10, 1), (50, 50))
    rows = run_off([mine, gone], {"C1": [0.9, 0.8]}, NOVEMBER)
    assert [(row.month, row.customers, row.promised, row.expected) for row in rows] == [
        (date(2026, 12, 1), 2, 150, pytest.approx(90.0)),
        (date(2027, 1, 1), 1, 101, pytest.approx(80.8)),
    ]
    assert [row.expected for row in run_off([mine], None, NOVEMBER)] == [None, None]


def test_a_statement_keeps_currencies_apart_and_says_when_it_is_open() -> None:
    rows = [
        {
            "team": "north", "instrument": "bill_credit", "currency": currency, "entries": 2, "granted": 3_000,
            "reversed": -500, "clawed_back": 0, "net": 2_500,
        }
        for currency in ("GBP", "JPY", "GBP")
    ]  # fmt: skip
    assert {currency: sums["net"] for currency, sums in totals(rows).items()} == {"GBP": 5_000, "JPY": 2_500}
    at = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
    text = statement_text("Test", NOVEMBER, rows, signed=("finn", at), time_zone="Europe/London")
    assert "Signed off by finn on 1 Dec 2026 09:30" in text
    assert "All in GBP" in text
    assert "£50" in text
    assert "¥2,500" in text
    assert "NOT CLOSED" in statement_text("Test", NOVEMBER, rows, signed=None, time_zone="Europe/London")
