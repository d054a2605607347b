"""A month's money against the days gone: pace, what the month will come to, and the day the money runs out.

The days to come spend like the same weekdays of the weeks before. The interval holds the chance of single days and that
of the means. Amounts in minor units of one currency.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from scipy.stats import norm

WEEKS = 8  # of history a forecast looks back
FEWEST_DAYS = 14
ALARM = 0.2  # chance of running out from which finance is told


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a month will come to. `runs_out_on`: the first day on which the mean passes the limit; None: it does not."""

    spent: int
    limit: int
    middle: float
    low: float
    high: float
    runs_out_on: date | None
    p_runs_out: float

    @property
    def is_alarm(self) -> bool:
        """Whether the money may well end before the month."""
        return self.runs_out_on is not None or self.p_runs_out >= ALARM


def month_days(month: date) -> list[date]:
    """All days of the month that begins on `month`."""
    return [month + timedelta(days=k) for k in range(calendar.monthrange(month.year, month.month)[1])]


def pace(spent: int, limit: int, month: date, today: date) -> float | None:
    """Share spent over share of the month gone, today counted as gone: above 1 is too fast. None without a limit."""
    days = month_days(month)
    gone = min(max((today - days[0]).days + 1, 0), len(days))
    return spent / limit * len(days) / gone if limit > 0 and gone > 0 else None


def forecast(
    by_day: Mapping[date, int], *, spent: int, limit: int, month: date, today: date, since: date, level: float = 0.9
) -> Forecast | None:
    """The month's end for a budget; None while fewer than two weeks were seen.

    `by_day`: net amounts; days without any are missing. `since`: the first day the budget's kind could be spent.
    """
    begin = max(since, today - timedelta(weeks=WEEKS) + timedelta(days=1))
    seen = [begin + timedelta(days=k) for k in range((today - begin).days + 1)]
    if len(seen) < FEWEST_DAYS:
        return None
    amounts = np.array([float(by_day.get(day, 0)) for day in seen])
    means = _by_weekday(seen, amounts)
    error = amounts - np.array([means[day.weekday()] for day in seen])
    variance = float(error @ error) / max(len(seen) - 7, 1)
    ahead = [day for day in month_days(month) if day > today]
    times = np.bincount([day.weekday() for day in ahead], minlength=7).astype(float)
    counted = np.bincount([day.weekday() for day in seen], minlength=7).astype(float)
    middle = spent + float(times @ means)
    sd = float(np.sqrt(variance * (times.sum() + (times**2 / counted).sum())))
    half = float(norm.ppf(0.5 + level / 2)) * sd
    beyond = float(norm.sf((limit - middle) / sd)) if sd > 0 else float(middle > limit)
    return Forecast(spent, limit, middle, middle - half, middle + half, _runs_out(ahead, means, spent, limit), beyond)


def expected_course(ahead: Sequence[date], means: Sequence[float], spent: float) -> list[float]:
    """What will have been spent by the end of each day to come."""
    return [float(total) for total in spent + np.cumsum([means[day.weekday()] for day in ahead])]


def _by_weekday(days: Sequence[date], amounts: np.ndarray) -> list[float]:
    weekday = np.array([day.weekday() for day in days])
    return [float(amounts[weekday == k].mean()) for k in range(7)]


def _runs_out(ahead: Sequence[date], means: Sequence[float], spent: int, limit: int) -> date | None:
    if spent >= limit:
        return ahead[0] if ahead else None
    course = expected_course(ahead, means, spent)
    return next((day for day, total in zip(ahead, course, strict=True) if total >= limit), None)
