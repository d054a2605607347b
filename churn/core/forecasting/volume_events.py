"""The nouns of cause and effect: a change event, what it brought, what its kind brings, and what the next one may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.special import ndtri

from churn.core.forecasting.volume import Array, Days
from churn.core.forecasting.volume_ends import BAND
from churn.core.forecasting.volume_shapes import LAGS, shapes, spread_out

# Intervals of the plain Gaussian held 83 to 86 % of what simulated companies knew, not 90: no lag and no level is quite
# as modelled. This was set on seeds 1 to 30; the benchmark uses others (`python3 -m churn bench volume`).
WIDER = 1.28
PESSIMISM = 0.80  # quantile assumed of a release that claims to have no impact


@dataclass(frozen=True, slots=True)
class Event:
    """One planned or past change. `audience`: members it reaches; `region` None: everywhere."""

    event_id: str
    kind: str
    starts_on: date
    audience: float
    region: str | None = None
    claims_none: bool = False  # whoever planned it said: no impact


@dataclass(frozen=True)
class Effect:
    """What one event brought up to the last day, by queue: (queues,) means and standard deviations of the total."""

    event: Event
    mean: Array
    sd: Array
    share_seen: float  # of its contacts, that could have come by the last day

    @property
    def extra(self) -> tuple[float, float, float]:
        """Extra contacts in all: expected, and the ends of the 90 % interval."""
        return interval(float(self.mean.sum()), float(np.sqrt((self.sd**2).sum())))


@dataclass(frozen=True)
class Kind:
    """What an event of this kind brings: contacts per member of the audience by queue, and by day after the start."""

    name: str
    mean: Array  # (queues,)
    mean_sd: Array  # how well the mean is known
    spread: Array  # (queues,) from one event to another
    mixture: Array  # (shapes,) sums to 1
    events: int  # learned from
    none_mean: Array  # (queues,) of those that claimed to have no impact, shrunk to the kind
    none_events: int

    @property
    def lags(self) -> Array:
        """The share of the contacts on each day after the start, (LAGS,), on days that are all as busy."""
        return np.asarray(self.mixture @ shapes())

    @property
    def lag_days(self) -> float:
        """Mean days from the start to the contact."""
        return float(self.lags @ np.arange(LAGS))

    @property
    def duration_days(self) -> int:
        """Days until nine tenths have come, the first included."""
        return int(np.searchsorted(np.cumsum(self.lags), 0.9) + 1)


@dataclass(frozen=True)
class Effects:
    """All that was learned: each event's own effect and each kind's, with the names of the queues."""

    queues: tuple[str, ...]
    effects: tuple[Effect, ...]
    kinds: Mapping[str, Kind]
    contacts: Array  # (n, queues) that events brought, day by day: usual days are the counts without them
    bursts: Array  # (n, queues) that came for some days and nobody had announced


def interval(mean: float, sd: float) -> tuple[float, float, float]:
    """A Gaussian's mean and the ends of its 90 % interval."""
    half = WIDER * float(ndtri((1 + BAND) / 2)) * sd
    return mean, mean - half, mean + half


def start_of(event: Event, days: Days) -> int:
    return int((np.datetime64(event.starts_on, "D") - days[0]).astype(int))


def expected(event: Event, kind: Kind | None) -> tuple[Array, Array]:
    """What an event that has not begun may bring, by queue: (queues,) means and standard deviations.

    Of one that claims to have no impact the pessimistic quantile of its like, shrunk to the kind, is what it brings:
    who is wrong about that hears it from the queue. Of a kind never seen nothing is known: (0,) each.
    """
    if kind is None:
        return np.zeros(1), np.zeros(1)
    spread = np.sqrt(kind.spread**2 + kind.mean_sd**2)
    if not event.claims_none:
        return event.audience * kind.mean, event.audience * spread
    whole = max(float(kind.none_mean.sum()), 0.0) + float(ndtri(PESSIMISM)) * float(np.sqrt((spread**2).sum()))
    share = spread**2 / max(float((spread**2).sum()), 1e-18)
    return event.audience * whole * share, event.audience * spread


def ahead_of(effects: Effects, events: Sequence[Event], days: Days, busy: Array) -> tuple[Array, Array]:
    """What events bring on coming days, (h, queues), and its variance: those under way and those to come.

    `busy` is (h + LAGS,), from the first of these days on.
    """
    mean, variance = np.zeros((2, len(days), len(effects.queues)))
    begun = {effect.event.event_id: effect for effect in effects.effects}
    for event in events:
        start, kind = start_of(event, days), effects.kinds.get(event.kind)
        if kind is None or start <= -LAGS or start >= len(days):
            continue
        if event.event_id in begun:
            effect = begun[event.event_id]
            seen = max(effect.share_seen, 0.2)
            contacts, sd = effect.mean / seen, effect.sd / seen
        else:
            contacts, sd = expected(event, kind)
        share, _ = spread_out(start, kind.mixture, busy)
        mean += share[:, None] * contacts
        variance += (share[:, None] * sd) ** 2
    return mean, variance


def extra_before(effects: Effects) -> dict[str, float]:
    """What earlier events of its kind would have said of each event: contacts by event; none of the first of a kind.

    The mean rate of the earlier ones: what a planner had to go by on that day.
    """
    found: dict[str, float] = {}
    seen: dict[str, list[float]] = {}
    for effect in sorted(effects.effects, key=lambda one: (one.event.starts_on, one.event.event_id)):
        event, earlier = effect.event, seen.setdefault(effect.event.kind, [])
        if earlier:
            found[event.event_id] = event.audience * float(np.mean(earlier)) * effect.share_seen
        if event.audience > 0 and effect.share_seen > 0.5:
            earlier.append(float(effect.mean.sum()) / event.audience / effect.share_seen)
    return found
