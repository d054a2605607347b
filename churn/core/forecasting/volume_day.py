"""A day in half-hours: when within it contacts come, learned by queue and weekday, and its half-hours by the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from churn.core.forecasting.volume import Array, Days
from churn.core.forecasting.volume_ends import NORMAL, ends

SLOTS = 48
PROFILE_DAYS = 84  # the days a profile is learned from
WORTH_WEEKS = 4.0  # of a weekday, that the shape of all weekdays counts for
FEWEST = 40  # errors of a level, below which another's stand for it
LEVELS = (1.0, 3.0, 10.0)  # expected contacts in a half-hour, between which errors are of one kind


def profile(days: Days, slots: Array, *, closed: NDArray[np.bool_] | None = None) -> Array:
    """The share of each weekday's contacts that comes in each slot, (7, SLOTS), Monday first; rows sum to 1.

    `slots` is (n, SLOTS), one queue's contacts. A weekday with few contacts leans on all of them; days in `closed` are
    left out. Where nothing ever came a day has no hours: rows of 0.
    """
    recent = np.arange(len(days)) >= len(days) - PROFILE_DAYS
    if closed is not None:
        recent &= ~closed
    weekday = (days.astype(np.int64) + 3) % 7
    by_weekday = np.array([slots[recent & (weekday == w)].sum(axis=0) for w in range(7)])
    whole = by_weekday.sum(axis=0)
    if whole.sum() <= 0:
        return np.zeros((7, SLOTS))
    lean = WORTH_WEEKS * whole.sum() / max(recent.sum(), 1) * whole / whole.sum()
    mixed = by_weekday + lean
    return np.asarray(mixed / mixed.sum(axis=1, keepdims=True))


def half_hours(day: date, time_zone: str) -> list[tuple[datetime, int]]:
    """Every half-hour of a local day, its instant and slot: 46 when the clocks go forward, 50 when they go back."""
    zone = ZoneInfo(time_zone)
    at = _midnight(day, zone)
    end = _midnight(day + timedelta(days=1), zone)
    found = []
    while at < end:
        local = at.astimezone(zone)
        found.append((at, local.hour * 2 + local.minute // 30))
        at += timedelta(minutes=30)
    return found


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def shares_of(day: date, time_zone: str, of_weekday: Array) -> list[tuple[datetime, float]]:
    """Each half-hour's instant and its share of the day; an hour that comes twice is halved, the day sums to 1."""
    found = half_hours(day, time_zone)
    times = np.bincount([slot for _, slot in found], minlength=SLOTS)
    share = np.array([of_weekday[slot] / times[slot] for _, slot in found])
    whole = share.sum()
    return [(at, float(s / whole) if whole > 0 else 0.0) for (at, _), s in zip(found, share, strict=True)]


def level_of(expected: Array) -> NDArray[np.int64]:
    """Which of the LEVELS half-hours are at, by their expected contacts."""
    return np.asarray(np.searchsorted(LEVELS, expected, side="right"))


@dataclass(frozen=True)
class Within:
    """The ends of errors of half-hours, in units of a Poisson's spread, for each of the LEVELS."""

    ends: tuple[tuple[float, float], ...]

    def around(self, expected: float) -> tuple[float, float]:
        """The 90 % band of a half-hour; a half-hour in which nobody ever comes has none."""
        if expected <= 0:
            return 0.0, 0.0
        low, high = self.ends[int(level_of(np.array([expected]))[0])]
        return max(expected + low * expected**0.5, 0.0), max(expected + high * expected**0.5, expected)


def bands_within(days: Days, slots: Array, *, closed: NDArray[np.bool_], weeks: int = 8) -> Within:
    """How far half-hours of the last weeks were from two weeks' old day totals and profiles: conformal ends."""
    found: list[list[float]] = [[] for _ in range(len(LEVELS) + 1)]
    for back in range(2, weeks + 1):
        end = len(days) - 7 * (back - 1)
        known = end - 14
        if known < 28:
            break
        shape = profile(days[:known], slots[:known], closed=closed[:known])
        level = slots[max(known - 28, 0) : known].sum(axis=1).reshape(-1, 7).mean(axis=0)
        for d in range(end - 7, end):
            expected = level[(d - known) % 7] * shape[(int(days[d].astype(np.int64)) + 3) % 7]
            here = expected > 0.05
            if closed[d]:
                continue
            score = (slots[d] - expected)[here] / np.sqrt(expected[here])
            for at, one in zip(level_of(expected[here]), score, strict=True):
                found[int(at)].append(float(one))
    ready = [ends(np.array(scores)) if len(scores) >= FEWEST else None for scores in found]
    known_ends = [pair for pair in ready if pair is not None]
    return Within(tuple(pair or (known_ends[0] if known_ends else (-NORMAL, NORMAL)) for pair in ready))
