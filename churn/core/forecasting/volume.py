"""Contacts a day by queue: what a calendar says of them, fitted on the past and carried ahead.

A Poisson regression (scikit-learn's) on weekday, public holidays, the day of the month and the season, with a trend
only to keep these honest, then a level taken from the last weeks. Why this and not a forecasting framework: it is
already among what the app runs on, fits a queue of two years in about 20 ms on one core, needs no season of history to
begin with, and its parts can be read. Boosted trees on the same columns were worse on both public series
(`python3 -m churn bench volume` prints both) and carry no level ahead by themselves. statsforecast was not tried: it
would add numba for one queue a night.

Days are numpy `datetime64[D]`, in the company's zone and without gaps. Counts are (days,) or (days, queues), floats ≥ 0
where events have been taken out of them, NaN where a day was not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import PoissonRegressor

from churn.core.language import mark

Array = NDArray[np.float64]
Days = NDArray[np.datetime64]

LEVEL_HALF_LIFE = 28.0  # days: how fast the level forgets
TREND_DAYS = 60  # between two knots of the trend
YEAR = 365.25
SEASON_FROM_DAYS = 700  # a season is learned from two years or not at all
FEWEST_DAYS = 28  # four of each weekday
# How far each group of columns may move the logarithm of a day, as standard deviations of a prior.
SPREAD = {"weekday": 1.5, "holiday": 2.0, "near": 0.3, "day_of_month": 0.05, "season": 0.1, "trend": 0.5}


class TooShort(ValueError):
    """There are too few days of contacts to learn a week from; four weeks are the least."""


TOO_SHORT = mark("There are too few days of contacts to learn a week from; four weeks are the least.")  # as it is kept


@dataclass(frozen=True)
class Calendar:
    """The columns of a company's days. `names`: the public holidays by their day."""

    holidays: Mapping[date, str]

    def is_holiday(self, days: Days) -> NDArray[np.bool_]:
        """Whether each day is a public holiday, (days,)."""
        return np.array([day in self.holidays for day in days.astype(object)], bool)

    def columns(self, days: Days, known: tuple[str, ...]) -> Array:
        """What is known of each day long before, (days, columns), each scaled by how far it may move the day.

        `known` are the holidays seen in training: each may differ from what all have in common.
        """
        names = [self.holidays.get(day) for day in days.astype(object)]
        holiday = np.array([name is not None for name in names], float)
        number = days.astype(np.int64)
        weekday = np.eye(7)[(number + 3) % 7]
        weekday *= 1.0 - holiday[:, None]  # a holiday on a Monday is a holiday
        each = np.array([[name == other for other in known] for name in names], float).reshape(len(days), len(known))
        near = np.column_stack([np.roll(holiday, 1), np.roll(holiday, -1)]) * (1.0 - holiday[:, None])
        of_month = (days - days.astype("datetime64[M]")).astype(np.int64)
        turn = 2 * np.pi * number / YEAR
        season = np.column_stack([f(k * turn) for k in (1, 2) for f in (np.sin, np.cos)])
        groups = {"weekday": weekday, "holiday": holiday[:, None], "near": near, "day_of_month": np.eye(31)[of_month],
                  "season": season}  # fmt: skip
        wide = [SPREAD[name] * columns for name, columns in groups.items()]
        return np.column_stack([*wide, 0.5 * SPREAD["holiday"] * each])


def knots(n: int, apart: int) -> Array:
    """Tent functions over n days, (n, knots), summing to one: a level that moves slowly."""
    place = np.arange(n) / apart
    last = max(int(np.ceil(place[-1])), 1)
    return np.clip(1.0 - np.abs(place[:, None] - np.arange(last + 1)[None, :]), 0.0, None)


@dataclass(frozen=True)
class DayModel:
    """One queue's days. `level` is the ratio of the last weeks to the pattern; `fitted` covers the days of training."""

    calendar: Calendar
    model: PoissonRegressor | None  # None: nothing ever came
    known: tuple[str, ...]
    used: NDArray[np.bool_]  # of the calendar's columns
    trend_knots: int
    level: float
    fitted: Array

    def pattern(self, days: Days) -> Array:
        """What the calendar alone says, (days,): contacts at the level of the whole past."""
        if self.model is None:
            return np.zeros(len(days))
        wide = self.calendar.columns(days, self.known)[:, self.used]
        return np.asarray(self.model.predict(np.column_stack([wide, np.zeros((len(days), self.trend_knots))])))

    def ahead(self, days: Days) -> Array:
        """Expected contacts of coming days, (days,), planned changes apart."""
        return self.level * self.pattern(days)


def fit_days(days: Days, counts: Array, calendar: Calendar, *, has_month: bool = True) -> DayModel:
    """The pattern and level of one queue. Without `has_month` a day of the month means nothing. Raises TooShort."""
    told = np.isfinite(counts)
    if told.sum() < FEWEST_DAYS:
        raise TooShort(TOO_SHORT)
    known = tuple(sorted({n for d in days[told].astype(object) if (n := calendar.holidays.get(d)) is not None}))
    used = np.ones(7 + 1 + 2 + 31 + 4 + len(known), bool)  # as `Calendar.columns` has them
    used[10:41] = has_month
    used[41:45] = len(days) >= SEASON_FROM_DAYS
    trend = knots(len(days), TREND_DAYS)
    if not counts[told].sum():
        return DayModel(calendar, None, known, used, trend.shape[1], 0.0, np.zeros(len(days)))
    wide = np.column_stack([calendar.columns(days, known)[:, used], SPREAD["trend"] * trend])
    model = PoissonRegressor(alpha=1.0 / told.sum(), solver="newton-cholesky", max_iter=300, tol=1e-6)
    # counts above the usual by a burst or a forgotten event must not bend the pattern: a second fit holds them down
    kept = counts[told]
    model.fit(wide[told], kept)
    for _ in range(2):
        usual = model.predict(wide[told])
        kept = np.minimum(counts[told], usual + 4.0 * np.sqrt(usual))
        model.fit(wide[told], kept)
    made = DayModel(calendar, model, known, used, trend.shape[1], 1.0, np.asarray(model.predict(wide)))
    pattern = made.pattern(days)[told]
    weight = 0.5 ** ((len(days) - 1 - np.flatnonzero(told)) / LEVEL_HALF_LIFE)
    level = float(weight @ kept / max(float(weight @ pattern), 1e-9))
    return DayModel(calendar, model, known, used, trend.shape[1], level, made.fitted)
