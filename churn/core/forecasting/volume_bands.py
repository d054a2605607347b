"""How far forecasts of contacts were off, looked at from days gone by, and the bands that follow from it.

From each of several origins the days ahead are forecast with what was known then and compared with what came. The
errors, in units of a Poisson's spread, give the bands of later forecasts: split-conformal, by how far ahead a day is,
each end by its own quantile, for contacts lean upwards. Nothing is assumed of their distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from churn.core.forecasting.event_effects import measure
from churn.core.forecasting.volume import Array, Calendar, DayModel, Days, fit_days
from churn.core.forecasting.volume_ends import NORMAL, ends
from churn.core.forecasting.volume_events import Effects, Event, ahead_of
from churn.core.forecasting.volume_shapes import LAGS

HORIZONS = ((1, 7), (8, 14), (15, 28), (29, 56), (57, 90))  # days ahead, both ends included
AHEAD_DAYS = 90
FEWEST_SCORES = 60  # of a queue and horizon, below which all queues are taken together
WEEK = 7
RECENT = 12  # origins a band is made of: what was noisy years ago need not be


@dataclass(frozen=True)
class History:
    """What was counted: days (n,) without gaps, (n, queues) contacts, by region where it is known."""

    days: Days
    queues: tuple[str, ...]
    counts: Array
    regions: Mapping[str, Array]

    def until(self, end: int) -> History:
        """The first `end` days."""
        return History(
            self.days[:end], self.queues, self.counts[:end], {name: table[:end] for name, table in self.regions.items()}
        )


@dataclass(frozen=True)
class Outlook:
    """The coming days: usual contacts (h, queues), and what changes bring on top, with its variance."""

    days: Days
    usual: Array
    extra: Array
    variance: Array

    @property
    def expected(self) -> Array:
        """Contacts in all, (h, queues)."""
        return np.maximum(self.usual + self.extra, 0.0)

    @property
    def scale(self) -> Array:
        """What an error is measured in, (h, queues)."""
        return np.sqrt(np.maximum(self.expected, 0.25) + self.variance)


@dataclass(frozen=True)
class Learned:
    """A history understood: what changes brought, and each queue's usual days."""

    effects: Effects
    models: tuple[DayModel, ...]

    def ahead(self, first: np.datetime64, horizon: int, events: Sequence[Event]) -> Outlook:
        """The days from `first` on."""
        days = first + np.arange(horizon)
        usual = np.column_stack([model.ahead(days) for model in self.models])
        extra, variance = ahead_of(self.effects, events, days, busy_of(self.models, days))
        return Outlook(days, usual, extra, variance)


def busy_of(models: Sequence[DayModel], days: Days) -> Array:
    """How busy the days and the LAGS after them are by the calendar, 1 on the middle one."""
    longer = np.concatenate([days, days[-1] + 1 + np.arange(LAGS)])
    busy = np.sum([model.pattern(longer) for model in models], axis=0)
    middle = np.median(busy[busy > 0]) if (busy > 0).any() else 1.0
    return np.asarray(busy / middle)


def learn(history: History, calendar: Calendar, events: Sequence[Event]) -> Learned:
    """Usual days and what changes brought, each told apart by the other in two rounds. Raises volume.TooShort."""
    counts, taken = history.counts, np.zeros_like(history.counts)
    effects: Effects | None = None
    for _ in range(2 if events else 1):
        models = [fit_days(history.days, np.maximum(counts[:, q] - taken[:, q], 0.0), calendar, has_month=not events)
                  for q in range(len(history.queues))]  # fmt: skip
        usual = np.column_stack([model.fitted for model in models])
        effects = measure(
            history.days,
            history.queues,
            counts,
            events,
            usual=usual,
            busy=busy_of(models, history.days),
            regions=history.regions,
        )
        taken = effects.contacts + effects.bursts
    final = tuple(
        fit_days(history.days, np.maximum(counts[:, q] - taken[:, q], 0.0), calendar)
        for q in range(len(history.queues))
    )
    assert effects is not None  # noqa: S101 - the loop runs at least once
    return Learned(effects, final)


def back_test(
    history: History,
    calendar: Calendar,
    events: Sequence[Event],
    origins: Sequence[int],
    *,
    is_planned: Callable[[Event], bool] | None = None,
    horizon: int = AHEAD_DAYS,
) -> pd.DataFrame:
    """One row per origin, day ahead and queue: origin, day (places), ahead, queue, came, expected, scale, naive.

    `origins` are places of first days not known. Of coming events only the planned ones are. `naive` is the same
    weekday of the last week that was known.
    """
    rows = []
    for origin in origins:
        known = history.until(origin)
        begun = np.datetime64(history.days[origin], "D")
        told = [
            event
            for event in events
            if is_planned is None or is_planned(event) or np.datetime64(event.starts_on, "D") < begun
        ]
        learned = learn(known, calendar, [event for event in told if np.datetime64(event.starts_on, "D") < begun])
        size = min(horizon, len(history.days) - origin)
        outlook = learned.ahead(begun, size, told)
        place = np.arange(size)
        for q, queue in enumerate(history.queues):
            rows.append(
                pd.DataFrame(
                    {
                        "origin": origin,
                        "day": origin + place,
                        "ahead": place + 1,
                        "queue": queue,
                        "came": history.counts[origin + place, q],
                        "expected": outlook.expected[:, q],
                        "scale": outlook.scale[:, q],
                        "naive": history.counts[origin - WEEK + place % WEEK, q],
                    }
                )
            )
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=COLUMNS)


COLUMNS = ("origin", "day", "ahead", "queue", "came", "expected", "scale", "naive")


@dataclass(frozen=True)
class Bands:
    """Quantiles of past errors in units of their scale, by queue and horizon; `whole`: of all queues together."""

    each: Mapping[tuple[str, int], tuple[float, float]]
    whole: tuple[float, float]

    def around(self, outlook: Outlook, queues: Sequence[str]) -> tuple[Array, Array]:
        """The ends of the 90 % band, (h, queues) each; never below nothing."""
        place = [_horizon(ahead) for ahead in range(1, len(outlook.days) + 1)]
        ends = np.array([[self.each.get((queue, h), self.whole) for queue in queues] for h in place])
        low = outlook.expected + ends[:, :, 0] * outlook.scale
        high = outlook.expected + ends[:, :, 1] * outlook.scale
        return np.maximum(low, 0.0), np.maximum(high, outlook.expected)


def _horizon(ahead: int) -> int:
    return next((h for h, (_, last) in enumerate(HORIZONS) if ahead <= last), len(HORIZONS) - 1)


def bands_of(tested: pd.DataFrame) -> Bands:
    """The bands that a back-test's errors give."""
    if not len(tested):
        return Bands({}, (-NORMAL, NORMAL))  # a Poisson's, until there is a back-test
    score = ((tested["came"] - tested["expected"]) / tested["scale"]).to_numpy()
    horizon = tested["ahead"].map(_horizon).to_numpy()
    each = {}
    for h in range(len(HORIZONS)):
        here = horizon == h
        if not here.any():
            continue
        shared = ends(score[here])
        for queue in tested["queue"].unique():
            own = here & (tested["queue"] == queue).to_numpy()
            each[queue, h] = ends(score[own]) if own.sum() >= FEWEST_SCORES else shared
    return Bands(each, ends(score))


def within_bands(tested: pd.DataFrame, *, warm_up: int = 4) -> pd.DataFrame:
    """The back-test's rows that had a band made of earlier ones only, with `low` and `high`.

    An origin's bands come from errors on days before it; the first `warm_up` origins have none.
    """
    found = []
    origins = sorted(tested["origin"].unique())
    for place, origin in enumerate(origins[warm_up:], warm_up):
        recent = tested["origin"] >= origins[max(place - RECENT, 0)]
        bands = bands_of(tested[recent & (tested["day"] < origin)])
        here = tested[tested["origin"] == origin]
        pairs = [
            bands.each.get((q, _horizon(a)), bands.whole) for q, a in zip(here["queue"], here["ahead"], strict=True)
        ]
        low, high = np.array(pairs).T
        found.append(
            here.assign(
                low=np.maximum(here["expected"] + low * here["scale"], 0.0),
                high=here["expected"] + high * here["scale"],
            )
        )
    return pd.concat(found, ignore_index=True) if found else tested.assign(low=np.nan, high=np.nan).head(0)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How good forecasts were, so many days ahead. `mase`: error over that of last week's same weekday."""

    queue: str
    first_day: int
    last_day: int
    origins: int
    mase: float | None
    error: float | None  # mean absolute error over what came on average
    bias: float | None  # share by which forecasts were too high
    covered: float | None  # share of days within the band


def accuracy(tested: pd.DataFrame) -> list[Accuracy]:
    """Errors by queue and horizon; `all` is the queues side by side."""
    banded = within_bands(tested)
    found = []
    for queue in ["all", *sorted(tested["queue"].unique())]:
        for first, last in HORIZONS:
            here = _slice(tested, queue, first, last)
            if not len(here):
                continue
            came, off = here["came"].sum(), (here["expected"] - here["came"]).abs().sum()
            naive = (here["naive"] - here["came"]).abs().sum()
            held = _slice(banded, queue, first, last)
            covered = held["came"].between(held["low"], held["high"]).mean() if len(held) else None
            found.append(
                Accuracy(
                    queue, first, last, here["origin"].nunique(), off / naive if naive else None,
                    off / came if came else None, (here["expected"].sum() / came - 1) if came else None,
                    None if covered is None else float(covered),
                )
            )  # fmt: skip
    return found


def _slice(tested: pd.DataFrame, queue: str, first: int, last: int) -> pd.DataFrame:
    here = tested[tested["ahead"].between(first, last)]
    return here if queue == "all" else here[here["queue"] == queue]
