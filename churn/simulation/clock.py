"""The company's calendar: months, working weeks, bank holidays and local time. Days count from 1970-01-01."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

ZONE = ZoneInfo("Europe/London")
EPOCH = date(1970, 1, 1)
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2050, 1, 1)
WEEKDAYS = np.array([1.30, 1.16, 1.08, 1.04, 1.02, 0.62, 0.38])  # contacts, Monday first
# Contacts by half-hour of the local day: lines are open from 7 to 22, with a late-morning and an early-evening hump.
HALF_HOURS = np.zeros(48)
HALF_HOURS[14:44] = [
    0.2, 0.4, 0.9, 1.5, 2.2, 2.8, 3.2, 3.4, 3.3, 3.0, 2.7, 2.6, 2.5, 2.4, 2.4, 2.4, 2.5, 2.6, 2.8, 2.9, 2.9, 2.7, 2.3,
    1.9, 1.5, 1.2, 0.9, 0.6, 0.4, 0.2,
]  # fmt: skip
CHANNEL_SHIFT_HOURS = np.array([0.0, 0.8, 1.2, 0.0])  # chats and e-mails come later in the day than calls
US_PER_MINUTE = 60_000_000


@dataclass(frozen=True)
class Month:
    """Where we are: the month's number in the history, its first day, the first day of the next."""

    number: int
    first: int
    end: int

    @property
    def days(self) -> int:
        """How many days it has."""
        return self.end - self.first


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def as_date(day: int) -> date:
    """The date of a day number."""
    return EPOCH + timedelta(days=int(day))


def month_starts(until: datetime, months: int) -> Ints:
    """First days of `months` full months, the month of `until`, and the one after: (months + 2,)."""
    local = until.astimezone(ZONE)
    last = local.year * 12 + local.month - 1
    firsts = [date(k // 12, k % 12 + 1, 1) for k in range(last - months, last + 2)]
    return np.array([day_number(d) for d in firsts], np.int64)


def easter(year: int) -> date:
    """Easter Sunday (anonymous Gregorian computus)."""
    a, b, c = year % 19, year // 100, year % 100
    d = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    e = (32 + 2 * (b % 4) + 2 * (c // 4) - d - c % 4) % 7
    f = d + e - 7 * ((a + 11 * d + 22 * e) // 451) + 114
    return date(year, f // 31, f % 31 + 1)


def _nth_monday(year: int, month: int, last: bool) -> date:
    start = date(year, month, 31 if last else 1)
    return start - timedelta(days=start.weekday()) if last else start + timedelta(days=-start.weekday() % 7)


@cache
def _workload() -> Array:
    """Relative contacts of each day from FIRST_DAY to LAST_DAY: weekday, bank holidays, closed at Christmas."""
    first = day_number(FIRST_DAY)
    days = np.arange(first, day_number(LAST_DAY))
    weight = WEEKDAYS[(days + 3) % 7].copy()
    for year in range(FIRST_DAY.year, LAST_DAY.year):
        sunday = easter(year)
        quiet = [sunday - timedelta(days=2), sunday, sunday + timedelta(days=1), date(year, 1, 1), date(year, 12, 26)]
        quiet += [_nth_monday(year, 5, False), _nth_monday(year, 5, True), _nth_monday(year, 8, True)]
        weight[[day_number(d) - first for d in quiet]] = 0.35
        weight[day_number(date(year, 12, 25)) - first] = 0.0
    return weight


def workload(day: ArrayLike) -> Array:
    """Relative contacts on each day; 1 is an ordinary day, 0 means closed."""
    return _workload()[np.asarray(day, np.int64) - day_number(FIRST_DAY)]


def working_day(u: Array, month: Month) -> Ints:
    """A day of the month, drawn by `u` with the working week's weights."""
    steps = np.cumsum(workload(np.arange(month.first, month.end)))
    return np.asarray(month.first + np.searchsorted(steps, u * steps[-1], side="right"), np.int64)


def open_from(day: ArrayLike) -> Ints:
    """The same day, or the next one when the lines are closed."""
    days = np.asarray(day, np.int64)
    return np.where(workload(days) > 0, days, days + 1)


def minute_of_day(u: Array, channel: Ints) -> Ints:
    """A local minute between 7:00 and 23:00, drawn by `u` with the day's pattern for the channel."""
    steps = np.concatenate([[0.0], np.cumsum(HALF_HOURS)])
    minutes = np.interp(u * steps[-1], steps, np.arange(49) * 30.0)
    shifted = minutes + 60.0 * CHANNEL_SHIFT_HOURS[channel]
    return np.asarray(shifted.clip(7 * 60, 23 * 60 - 1), np.int64)


@cache
def _offsets() -> Ints:
    """Minutes local time is ahead of UTC, at noon of each day from FIRST_DAY to LAST_DAY."""
    days = range((LAST_DAY - FIRST_DAY).days)
    noons = (datetime.combine(FIRST_DAY + timedelta(days=d), time(12), ZONE) for d in days)
    return np.array([(n.utcoffset() or timedelta()).seconds // 60 for n in noons], np.int64)


def instant(day: ArrayLike, local_minute: ArrayLike) -> Ints:
    """Microseconds since 1970 UTC of a local minute after 3:00, when the clocks of the day have changed."""
    days = np.asarray(day, np.int64)
    ahead = _offsets()[days - day_number(FIRST_DAY)]
    return (days * 1440 + np.asarray(local_minute, np.int64) - ahead) * US_PER_MINUTE
