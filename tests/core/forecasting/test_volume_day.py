"""A day in half-hours, on days the clocks change too; what planned changes do to it, and where they clash."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from churn.core.forecasting.charts_volume import band_of, days_chart, days_in_words
from churn.core.forecasting.volume_calendar import Ahead, brought, capacity_of, clash_of, extra_of, with_changes
from churn.core.forecasting.volume_day import SLOTS, bands_within, half_hours, profile, shares_of
from churn.core.forecasting.volume_events import Event, Kind
from churn.core.forecasting.volume_shapes import PLAIN

LONDON = "Europe/London"
FLAT = np.full(SLOTS, 1.0 / SLOTS)


def test_a_day_has_48_half_hours_but_46_in_spring_and_50_in_autumn() -> None:
    assert [len(half_hours(day, LONDON)) for day in (date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25))] == [
        48,
        46,
        50,
    ]
    assert half_hours(date(2026, 3, 29), LONDON)[2] == (datetime(2026, 3, 29, 1, tzinfo=UTC), 4)
    assert len(half_hours(date(2026, 4, 5), "Australia/Lord_Howe")) == 49  # half an hour back


@pytest.mark.parametrize("day", [date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25)])
def test_shares_of_every_day_add_up_to_one(day: date) -> None:
    assert sum(share for _, share in shares_of(day, LONDON, FLAT)) == pytest.approx(1.0)


def test_a_profile_is_the_weekdays_own_and_leans_on_all() -> None:
    days = np.arange("2026-01-05", "2026-03-30", dtype="datetime64[D]")
    slots = np.zeros((len(days), SLOTS))
    slots[:, 20] = 10.0
    slots[0::7, 20], slots[0::7, 30] = 0.0, 10.0  # Mondays come in the afternoon
    found = profile(days, slots)
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert found[0, 30] > 0.7
    assert found[1, 20] > 0.9
    assert profile(days, np.zeros_like(slots)).sum() == 0
    rng = np.random.default_rng(1)
    noisy = rng.poisson(np.tile(np.linspace(0, 8, SLOTS), (len(days), 1))).astype(float)
    within = bands_within(days, noisy, closed=np.zeros(len(days), bool))
    low, high = within.around(5.0)
    assert low < 5.0 < high
    assert 0.85 < np.mean([low <= n <= high for n in rng.poisson(5.0, 4000)]) < 0.97
    assert within.around(0.0) == (0.0, 0.0)


DAYS = np.arange("2026-11-16", "2027-02-14", dtype="datetime64[D]")
WEEK = np.array([200.0, 100, 100, 100, 100, 50, 50])  # Mondays are full


@pytest.fixture
def ahead() -> Ahead:
    usual = WEEK[(DAYS.astype(int) + 3) % 7][:, None]
    return Ahead(DAYS, ("care",), usual, usual * 0.8, usual * 1.2)


KIND = Kind("release", np.array([0.1]), np.array([0.01]), np.array([0.03]), PLAIN, 12, np.array([0.05]), 3)


def test_a_change_adds_its_contacts_and_widens_the_band(ahead: Ahead) -> None:
    event = Event("E", "release", date(2026, 12, 1), 1000.0)
    mean, variance = brought([event], {"release": KIND}, ahead)
    changed = with_changes(ahead, mean, variance)
    assert mean.sum() == pytest.approx(100.0)
    assert mean[:15].sum() == 0
    assert (changed.usual - ahead.usual).sum() == pytest.approx(100.0)
    assert changed.high[15, 0] - changed.usual[15, 0] > 20.0
    assert (changed.usual[:15] == ahead.usual[:15]).all()
    extra = extra_of(event, {"release": KIND})
    assert (round(extra.expected), extra.events) == (100, 12)
    assert extra.low < 100 < extra.high
    assert extra_of(event, {}).events == 0


def test_a_clash_names_the_day_and_a_better_one(ahead: Ahead) -> None:
    shares = [FLAT] * len(DAYS)
    monday = Event("E", "release", date(2026, 12, 7), 2000.0)
    clash = clash_of(monday, {"release": KIND}, ahead, shares, capacity=200 / SLOTS)
    assert clash.worst_day == date(2026, 12, 7)
    assert clash.overload > 50
    assert clash.better is not None
    assert clash.better.weekday() in (1, 5, 6)  # Tuesday: six days until the next full one
    assert clash.better_overload < 0.5 * clash.overload
    calm = clash_of(monday, {"release": KIND}, ahead, shares, capacity=1_000.0)
    assert (calm.overload, calm.worst_day, calm.better) == (0.0, None, None)
    assert capacity_of(ahead, shares) == pytest.approx(200 / SLOTS)


def test_the_picture_has_band_rules_and_words(ahead: Ahead) -> None:
    marks = [(date(2026, 12, 1), "Router firmware")]
    chart = days_chart([(date(2026, 11, 15), 90)], ahead, marks).to_dict()
    assert len(chart["layer"]) == 4
    told = days_in_words(ahead, marks)
    assert "90 days from 16 November: 101 contacts a day on average" in told
    assert "200, 160 to 240" in told
    assert "1 Router firmware on 1 Dec" in told
    two = Ahead(DAYS, ("a", "b"), *(np.tile(x, (1, 2)) for x in (ahead.usual, ahead.low, ahead.high)))
    assert band_of(two)[1][0] == pytest.approx(400 + np.hypot(40, 40))


def test_a_day_on_which_hardly_anybody_works_is_no_better_date(ahead: Ahead) -> None:
    usual = ahead.usual.copy()
    usual[39] = 5.0  # Christmas, a Friday
    closed = Ahead(DAYS, ("care",), usual, usual * 0.8, usual * 1.2)
    monday = Event("E", "release", date(2026, 12, 21), 2000.0)
    clash = clash_of(monday, {"release": KIND}, closed, [FLAT] * len(DAYS), capacity=100 / SLOTS)
    assert clash.better != date(2026, 12, 25)
