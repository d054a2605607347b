"""Planned changes on top of the usual days: what they bring, where they clash with busy hours, and a better date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from scipy.special import ndtri

from churn.core.forecasting.volume import Array, Days
from churn.core.forecasting.volume_ends import BAND
from churn.core.forecasting.volume_events import WIDER, Event, Kind, expected, start_of
from churn.core.forecasting.volume_shapes import LAGS, spread_out

WEEKS_TO_LOOK = 6
QUIET = 0.4  # of an ordinary day: a Sunday or Christmas on which hardly anybody works is no better date
BUSIEST = 0.95  # quantile of the coming half-hours that counts as what the centre can take, unless somebody says


@dataclass(frozen=True)
class Ahead:
    """Coming days by queue: usual contacts and their band, (h, queues) each."""

    days: Days
    queues: tuple[str, ...]
    usual: Array
    low: Array
    high: Array


def brought(events: Sequence[Event], kinds: Mapping[str, Kind], ahead: Ahead) -> tuple[Array, Array]:
    """What events that have not begun bring on the coming days, (h, queues), and its variance."""
    mean, variance = np.zeros((2, *ahead.usual.shape))
    busy = _busy(ahead)
    for event in events:
        kind, start = kinds.get(event.kind), start_of(event, ahead.days)
        if kind is None or not 0 <= start < len(ahead.days):
            continue
        contacts, sd = expected(event, kind)
        share, _ = spread_out(start, kind.mixture, busy)
        mean += share[:, None] * contacts
        variance += (share[:, None] * sd) ** 2
    return mean, variance


def _busy(ahead: Ahead) -> Array:
    whole = ahead.usual.sum(axis=1)
    middle = np.median(whole[whole > 0]) if (whole > 0).any() else 1.0
    return np.concatenate([whole / middle, np.ones(LAGS)])


def with_changes(ahead: Ahead, mean: Array, variance: Array) -> Ahead:
    """The same days with what changes bring: the band widens by what is not known of them."""
    half = WIDER * float(ndtri((1 + BAND) / 2)) * np.sqrt(variance)
    return replace(
        ahead,
        usual=np.maximum(ahead.usual + mean, 0.0),
        low=np.maximum(ahead.usual + mean - np.hypot(ahead.usual - ahead.low, half), 0.0),
        high=np.maximum(ahead.usual + mean, 0.0) + np.hypot(ahead.high - ahead.usual, half),
    )


@dataclass(frozen=True, slots=True)
class Extra:
    """What one change that has not begun may bring in all: contacts, with the ends of the 90 % interval."""

    expected: float
    low: float
    high: float
    events: int  # of its kind, learned from; 0: nothing is known
    is_pessimistic: bool


def extra_of(event: Event, kinds: Mapping[str, Kind]) -> Extra:
    """What a change may bring. Of a kind nobody has seen that is nothing known, and `events` is 0."""
    kind = kinds.get(event.kind)
    if kind is None:
        return Extra(0.0, 0.0, 0.0, 0, event.claims_none)
    mean, sd = expected(event, kind)
    middle, half = float(mean.sum()), WIDER * float(ndtri((1 + BAND) / 2)) * float(np.sqrt((sd**2).sum()))
    return Extra(middle, max(middle - half, 0.0), middle + half, kind.events, event.claims_none)


def capacity_of(ahead: Ahead, shares: Sequence[Array]) -> float:
    """Contacts in a half-hour that are reached in one of twenty of the open ones ahead, without any planned change."""
    whole = np.concatenate([usual * share for usual, share in zip(ahead.usual.sum(axis=1), shares, strict=True)])
    whole = whole[whole > 0.5]
    return float(np.quantile(whole, BUSIEST)) if len(whole) else 0.0


@dataclass(frozen=True, slots=True)
class Clash:
    """Contacts above what the centre can take, on the planned day and on the best one near it."""

    overload: float  # over the days the change reaches, because of it
    worst_day: date | None  # None: no half-hour goes beyond
    better: date | None  # None: no day is clearly better
    better_overload: float


def clash_of(
    event: Event,
    kinds: Mapping[str, Kind],
    ahead: Ahead,
    shares: Sequence[Array],
    capacity: float,
    *,
    weeks: int = WEEKS_TO_LOOK,
) -> Clash:
    """Where a change clashes, and the day within the next weeks on which it would least; `ahead` has the other changes.

    `shares` are each day's half-hours as shares of the day. A better day takes away at least a tenth of the overload
    and one contact; of equal ones the nearest is named.
    """
    options: list[tuple[float, int, date]] = []
    now, worst, whole = 0.0, None, ahead.usual.sum(axis=1)
    for shift in range(-14, 7 * weeks + 1):
        day = event.starts_on + timedelta(days=shift)
        if np.datetime64(day, "D") < ahead.days[0] or np.datetime64(day, "D") + LAGS > ahead.days[-1]:
            continue
        if shift and whole[start_of(replace(event, starts_on=day), ahead.days)] < QUIET * np.median(whole):
            continue
        more = _overload(replace(event, starts_on=day), kinds, ahead, shares, capacity)
        if shift == 0:
            now = float(more.sum())
            worst = ahead.days[int(more.argmax())].astype(object) if now > 0 else None
        options.append((round(float(more.sum()), 3), abs(shift), day))
    if not options or now <= 0:
        return Clash(now, worst, None, now)
    least, _, day = min(options)
    is_better = now - least >= max(0.1 * now, 1.0)
    return Clash(now, worst, day if is_better else None, least if is_better else now)


def _overload(event: Event, kinds: Mapping[str, Kind], ahead: Ahead, shares: Sequence[Array], capacity: float) -> Array:
    """Contacts above the capacity that the change adds, by day, (h,)."""
    extra = brought([event], kinds, ahead)[0].sum(axis=1)
    usual = ahead.usual.sum(axis=1)
    found = np.zeros(len(ahead.days))
    for d in np.flatnonzero(np.abs(extra) > 0.01).tolist():
        before = np.maximum(usual[d] * shares[d] - capacity, 0.0).sum()
        found[d] = np.maximum((usual[d] + extra[d]) * shares[d] - capacity, 0.0).sum() - before
    return np.maximum(found, 0.0)
