"""The baseline hazard of one stratum: Breslow's, late entry heeded, smoothed, and constant beyond the data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from churn.core.staying.exposure import Exposure

Array = np.ndarray[Any, Any]
AT_RISK_NEEDED = 10  # customers: a stratum's data end where fewer have got
TAIL_MONTHS = 12.0  # the last of the data, which give the hazard beyond them


@dataclass(frozen=True)
class Baseline:
    """Cumulative hazard of one stratum at `times` (first 0), straight in between, constant hazard past `ends_at`.

    `variance` is that of the cumulative hazard; `tail_events` the events the last hazard was measured on; `centre` the
    mean covariates over the risk sets at the events.
    """

    times: Array
    cumulative: Array
    variance: Array
    ends_at: float
    tail: float
    tail_events: float
    centre: Array

    def at(self, months: Array) -> Array:
        """Cumulative hazard at months of tenure, in their shape."""
        return np.interp(months, self.times, self.cumulative) + self.tail * np.maximum(months - self.ends_at, 0.0)

    def variance_between(self, start: Array, end: Array) -> Array:
        """Variance of the cumulative hazard between two tenures, in their shape."""
        known = np.interp(end, self.times, self.variance) - np.interp(start, self.times, self.variance)
        beyond = np.maximum(end - self.ends_at, 0.0) - np.maximum(start - self.ends_at, 0.0)
        return known + (self.tail * beyond) ** 2 / self.tail_events


def breslow(
    rows: Exposure, risk: Array, covariates: Array, *, smooth_events: int, grid: Array | None = None
) -> Baseline:
    """Breslow's cumulative baseline hazard, late entry heeded: events at t over summed risk of entry < t ≤ duration.

    `risk`: (n,) exp(x'β). With `smooth_events` constant over blocks of months that hold so many; without, its steps
    at `grid`. Variance: hazard over summed risk (Tsiatis 1981).
    """
    knots = np.arange(1.0, np.ceil(rows.duration.max()) + 1.0) if smooth_events or grid is None else grid
    when, events = np.unique(rows.duration[rows.event], return_counts=True)
    jump = events / rows.at_risk(when, risk)
    bin_of = np.searchsorted(knots, when)
    hazard = np.bincount(bin_of, weights=jump, minlength=len(knots))
    events_in = np.bincount(bin_of, weights=events, minlength=len(knots))
    exposure = np.divide(events_in, hazard, out=rows.at_risk(knots, risk), where=hazard > 0)
    if smooth_events:
        hazard, exposure = smoothed(events_in, exposure, smooth_events)
    people = rows.at_risk(knots, np.ones(len(risk)))
    last = int(np.flatnonzero(people >= min(AT_RISK_NEEDED, people.max()))[-1])
    recent = _recent(knots, events_in, last)
    tail = events_in[recent].sum() / exposure[recent].sum() / float(np.mean(np.diff(knots, prepend=0.0)[recent]))
    steps = np.divide(hazard, exposure, out=np.zeros(len(knots)), where=exposure > 0)
    cumulative = np.cumsum(hazard)
    here = slice(0, last + 1)
    base = Baseline(
        times=np.concatenate([[0.0], knots[here]]),
        cumulative=np.concatenate([[0.0], cumulative[here]]),
        variance=np.concatenate([[0.0], np.cumsum(steps)[here]]),
        ends_at=float(knots[last]),
        tail=float(tail),
        tail_events=float(events_in[recent].sum()),
        centre=np.zeros(covariates.shape[1]),
    )
    weight = risk * (base.at(rows.duration) - base.at(rows.entry))
    return replace(base, centre=weight @ covariates / max(weight.sum(), 1e-300))


def smoothed(events: Array, exposure: Array, enough: int) -> tuple[Array, Array]:
    """Hazard and mean exposure per month, equal within blocks of months that hold enough events each.

    Blocks keep the sum of events; a window around each month leans upwards: quiet months borrow and busy ones do not.
    """
    block, held = np.zeros(len(events), dtype=int), 0.0
    for month, count in enumerate(events[:-1]):
        held += count
        full = held >= enough and events[month + 1 :].sum() >= enough
        block[month + 1] = block[month] + full
        held = 0.0 if full else held
    months, risked = np.bincount(block), np.bincount(block, weights=exposure)
    hazard = np.bincount(block, weights=events) / np.where(risked > 0, risked, 1.0)
    return hazard[block], (risked / months)[block]


def _recent(knots: Array, events: Array, last: int, enough: int = 10) -> slice:
    """The last year before the data end, or as far back as ten events reach."""
    year = int(np.searchsorted(knots, knots[last] - TAIL_MONTHS, side="right"))
    behind = np.cumsum(events[last::-1])
    back = last - int(np.searchsorted(behind, min(enough, behind[-1])))
    return slice(max(min(year, back), 0), last + 1)
