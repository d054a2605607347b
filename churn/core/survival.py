"""How long they stay: conditional survival of a customer who is still here.

A lifelines Cox model, stratified where calibration asks for it, with left truncation. Three things are done here and
not by lifelines: the baseline hazard counts at each tenure only those already under observation (lifelines' own ignores
`entry_col`: its issue 1416); prediction is numpy on step arrays, in input order (lifelines groups rows by stratum); and
beyond the data the hazard stays what it last was. Strata, and whether numbers bend, are chosen by calibration at
landmarks on held-out customers, not by concordance: parametric curves rank as well and miss by half.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning
from lifelines.utils import concordance_index
from scipy.special import xlogy
from scipy.stats import norm, rankdata
from sklearn.model_selection import StratifiedKFold

from churn.core.columns import Column, Columns
from churn.core.refusals import NotEnoughData

Array = np.ndarray[Any, Any]
_Candidate = tuple[tuple[int, ...], bool]  # strata columns, and whether numbers bend

ROWS_NEEDED, EVENTS_NEEDED = 100, 20
EVENTS_PER_STRATUM = 15
MOST_LEVELS = 6  # of a column that may become a stratum
RAREST_LEVEL = 20  # rows: below, a level shares the effect of the commonest
AT_RISK_NEEDED = 10  # customers: a stratum's data end where fewer have got
BAND_MONTHS = 12.0  # landmarks of the choice, and the window that gives the hazard beyond the data
CHOICE_ROWS = 6_000  # customers the choice is made on
TRUNCATED_ROWS = 20_000  # the most lifelines fits with late entries in reasonable time
TIE = 0.02  # calibration errors closer than this are equal, and concordance decides
PENALTIES = (1e-3, 1e-1)  # ridge of the Cox fit; the second only where the first does not converge


class TenureCurve:
    """Conditional survival curves learned from raw columns, tenure at entry and exit, and whether the exit was churn.

    `smooth_events`: the baseline hazard is constant over blocks of months that hold so many events; 0 keeps raw steps.
    `max_rows`: above it a random subsample, fixed by `seed`, is fitted.

    After `fit`: `dropped_` (raw column → sentence why it is not used), `strata_` (names), `bends_` (whether numbers
    enter as splines), `choice_` (one record per candidate: strata, bends, calibration_error, concordance),
    `data_ends_at` (months), `data_ends_at_by_stratum`.
    """

    def __init__(self, *, smooth_events: int = 5, max_rows: int = 50_000, seed: int = 20240501) -> None:
        self.smooth_events, self.max_rows, self.seed = smooth_events, max_rows, seed

    def fit(self, X: pd.DataFrame, entry: Array | float, duration: Array, event: Array) -> TenureCurve:
        """Learn from n customers. Returns self.

        `entry`: (n,) or scalar months of tenure when first under observation (0: from the start); `duration`: (n,)
        months at exit or censoring; `event`: (n,) whether they left. Who left in the month of entry counts half a
        month; who was never under observation is ignored. Raises NotEnoughData, and ValueError on missing or negative
        times.
        """
        rows = _Exposure.read(entry, duration, event, len(X))
        kept = rows.observed()
        if len(kept) > self.max_rows:
            kept = np.sort(np.random.default_rng(self.seed).choice(kept, self.max_rows, replace=False))
        rows, frame = rows.take(kept), X.iloc[kept]
        if len(rows.duration) < ROWS_NEEDED or rows.event.sum() < EVENTS_NEEDED:
            raise NotEnoughData(len(kept), int(rows.event.sum()), rows_needed=ROWS_NEEDED, fewer_needed=EVENTS_NEEDED)
        self.columns_ = Columns(frame)
        codes = self.columns_.codes(frame)
        self.dropped_ = find_leaks(self.columns_.columns, codes, rows)
        used = [j for j, c in enumerate(self.columns_.columns) if c.kind != "skipped" and c.name not in self.dropped_]
        maker = _Maker(self.columns_.columns, used, self.smooth_events)
        best, self.choice_ = _choose(maker, codes, rows, self.seed)
        self._cox = maker.fit(codes, rows, *best)
        self.strata_ = tuple(self.columns_.names[j] for j in best[0])
        self.bends_ = best[1]
        return self

    @property
    def data_ends_at(self) -> float:
        """Months of tenure up to which some stratum has data; beyond, every curve is an assumption."""
        return max(b.ends_at for b in self._cox.baselines)

    @property
    def data_ends_at_by_stratum(self) -> dict[str, float]:
        """Months of tenure at which each stratum's data end, by its levels; `any other` is the pooled curve."""
        strata = self._cox.strata
        names = [" / ".join(map(self._level, strata.columns, key)) for key in strata.keys]
        return dict(zip([*names, "any other"], (b.ends_at for b in self._cox.baselines), strict=True))

    def survival(self, X: pd.DataFrame, months: Array, given: Array | float = 0.0) -> Array:
        """(n, m) chance of still being a customer `months` (m,) ahead, given one has been for `given` months.

        S(given + months) / S(given), rows in input order; `given` is a scalar or (n,). Beyond `data_ends_at` the hazard
        is the average of the last year of data. Raises ColumnsMissing and, on negative times, ValueError.
        """
        return np.exp(-self._hazards(X, months, given)[0])

    def band(
        self, X: pd.DataFrame, months: Array, given: Array | float = 0.0, level: float = 0.9
    ) -> tuple[Array, Array]:
        """(n, m) lower and upper end of the `level` interval around `survival`, pointwise on log cumulative hazard.

        In it: the uncertainty of the coefficients and of the baseline hazard (Tsiatis' variance, covariate part about
        the stratum's mean at events), beyond the data that of the last hazard. Not in it: which model was chosen,
        drift, and that a hazard may change beyond the data.
        """
        hazard, log_variance = self._hazards(X, months, given, with_variance=True)
        reach = np.exp(norm.ppf(0.5 + level / 2) * np.sqrt(log_variance))
        return np.exp(-hazard * reach), np.exp(-hazard / reach)

    def months_known(self, X: pd.DataFrame, given: Array | float = 0.0) -> Array:
        """(n,) months ahead of `given` for which the curve rests on data of the customer's stratum; never negative."""
        ends = np.array([b.ends_at for b in self._cox.baselines])
        return np.maximum(ends[self._cox.strata.of(self._codes(X))] - _given(given, len(X)), 0.0)

    def _hazards(
        self, X: pd.DataFrame, months: Array, given: Array | float, with_variance: bool = False
    ) -> tuple[Array, Array]:
        ahead, start = np.atleast_1d(np.asarray(months, dtype=float)), _given(given, len(X))
        if (ahead < 0).any() or (start < 0).any():
            raise ValueError("Months ahead and months already stayed cannot be negative.")
        return self._cox.increments(self._codes(X), start, ahead, with_variance)

    def _codes(self, X: pd.DataFrame) -> Array:
        if len(X) <= 16:
            return self.columns_.codes_of_rows(
                X.rename(columns=str).to_dict("records")
            )  # a caller: no pandas per column
        return self.columns_.codes(X)

    def _level(self, j: int, code: float) -> str:
        column = self.columns_.columns[j]
        if code == ANY:
            return "any"
        if column.is_numeric:
            return "missing" if np.isnan(code) else f"{code:g}"
        return {i: level for level, i in column.levels.items()}.get(int(code), "missing")


def anchor(survival_curve: Array, risk: Array | float, horizon_months: float, months: Array | None = None) -> Array:
    """(n, m) the curves bent so that 1 − S(horizon) is the calibrated risk: each row raised to its own power, S^k.

    `survival_curve`: (n, m) or (m,); `risk`: (n,) or scalar in [0, 1); `months`: (m,) the month of each column, by
    default 0, 1, 2, … where the first column is 1 and 1, 2, 3, … where it is not. Between columns the hazard is
    constant, so the horizon may fall there. A curve without any hazard up to the horizon is given a constant one. A
    proportional change of the hazard: no curve starts to rise. Raises ValueError when the horizon is outside the
    columns or a risk outside [0, 1).
    """
    curves = np.atleast_2d(np.asarray(survival_curve, dtype=float))
    first = 0.0 if np.all(curves[:, 0] == 1.0) else 1.0
    at = first + np.arange(curves.shape[1]) if months is None else np.asarray(months, dtype=float)
    if not 0 < horizon_months <= at[-1]:
        raise ValueError(f"The horizon of {horizon_months:g} months lies outside the curve, which ends at {at[-1]:g}.")
    wanted = np.broadcast_to(np.asarray(risk, dtype=float), len(curves))
    if not ((wanted >= 0) & (wanted < 1)).all():
        raise ValueError("A risk to anchor at must be at least 0 and below 1.")
    hazard = -np.log(np.maximum(curves, np.finfo(float).tiny))
    at_horizon = _between(hazard, at, horizon_months)
    flat = at_horizon <= 0
    hazard = np.where(flat[:, None], at[None, :], hazard)
    at_horizon = np.where(flat, horizon_months, at_horizon)
    anchored = np.exp(hazard * (np.log1p(-wanted) / at_horizon)[:, None])
    return anchored.reshape(np.shape(survival_curve))


def _between(hazard: Array, at: Array, month: float) -> Array:
    """(n,) cumulative hazard at a month between columns; it is 0 at month 0."""
    knots = np.concatenate([[0.0], at]) if at[0] > 0 else at
    values = np.column_stack([np.zeros(len(hazard)), hazard]) if at[0] > 0 else hazard
    right = int(np.clip(np.searchsorted(knots, month), 1, len(knots) - 1))
    share = (month - knots[right - 1]) / (knots[right] - knots[right - 1])
    return values[:, right - 1] * (1 - share) + values[:, right] * share


def _given(given: Array | float, n_rows: int) -> Array:
    months = np.asarray(given, dtype=float)
    if months.ndim and months.shape != (n_rows,):
        raise ValueError(f"There are {n_rows} customers and {months.size} tenures.")
    return months


@dataclass(frozen=True)
class _Exposure:
    """When each customer was under observation: from just after `entry` to `duration` months, and whether they left."""

    entry: Array
    duration: Array
    event: Array

    @classmethod
    def read(cls, entry: Array | float, duration: Array, event: Array, n_rows: int) -> _Exposure:
        until = np.asarray(duration, dtype=float)
        since = np.broadcast_to(np.asarray(entry, dtype=float), until.shape)
        left = np.asarray(event).astype(bool)
        if until.shape != (n_rows,) or left.shape != (n_rows,):
            raise ValueError(f"There are {n_rows} customers, {until.size} durations and {left.size} events.")
        if not (np.isfinite(until).all() and np.isfinite(since).all() and (since >= 0).all() and (until >= 0).all()):
            raise ValueError("Tenure at entry and at exit must be known and not negative.")
        return cls(since, np.where(left & (until <= since), since + 0.5, until), left)

    def observed(self) -> Array:
        return np.flatnonzero(self.duration > self.entry)

    def take(self, rows: Array) -> _Exposure:
        return _Exposure(self.entry[rows], self.duration[rows], self.event[rows])


# --- columns that give the answer away ---


def find_leaks(columns: Sequence[Column], codes: Array, rows: _Exposure, most: int = 20_000) -> dict[str, str]:
    """Columns a survival model may not see, each with a sentence why.

    Numbers that order customers as tenure does (rank correlation from 0.8), that equal tenure × another column
    (correlation from 0.98), whose average grows from zero in proportion to tenure, or that follow such a column; levels
    that each stand for a narrow band of tenure; and columns filled in, or set to one level, only for those who left.
    """
    if len(codes) > most:
        some = np.linspace(0, len(codes) - 1, most).astype(int)
        codes, rows = codes[some], rows.take(some)
    clocks = {"tenure": rows.duration}
    if np.unique(rows.entry).size > 10:
        clocks |= {"tenure at entry": rows.entry, "the months under observation": rows.duration - rows.entry}
    amounts = [j for j, c in enumerate(columns) if c.is_numeric and np.isfinite(codes[:, j]).sum() > 50]
    found: dict[int, str] = {}
    for j, column in enumerate(columns):
        reason = _known_after(column, codes[:, j], rows.event)
        if reason is None and column.kind == "levels":
            reason = _tenure_bands(codes[:, j], rows.duration)
        if reason is not None:
            found[j] = reason
    for clock, ticks in clocks.items():
        found |= _accumulating(columns, codes, [j for j in amounts if j not in found], clock, ticks)
    found |= _followers(columns, codes, amounts, found)
    return {columns[j].name: f"`{columns[j].name}` {reason}." for j, reason in sorted(found.items())}


def _known_after(column: Column, codes: Array, event: Array) -> str | None:
    """Filled in, or at certain levels, for almost nobody but those who left, and for most of them."""
    if column.kind == "skipped" or event.all():
        return None
    which = np.isfinite(codes).astype(int) if column.is_numeric else codes.astype(int)
    count, left = np.bincount(which), np.bincount(which, weights=event)
    only = (count >= 10) & (left >= 0.99 * count)
    if left[only].sum() < 0.8 * event.sum():
        return None
    return "is set for those who left and hardly anyone else: it is known only afterwards"


def _tenure_bands(codes: Array, tenure: Array) -> str | None:
    """At least two levels whose customers sit within about a third of the tenure ranks."""
    ranks = rankdata(tenure) / len(tenure)
    which = codes.astype(int)
    narrow = [k for k in np.unique(which) if (which == k).sum() >= 30 and ranks[which == k].std() < 0.1]
    if len(narrow) < 2 or np.isin(which, narrow).mean() < 0.2:
        return None
    return "has levels that each stand for a narrow band of tenure"


def _accumulating(
    columns: Sequence[Column], codes: Array, amounts: Sequence[int], clock: str, ticks: Array
) -> dict[int, str]:
    found: dict[int, str] = {}
    for j in amounts:
        held = np.isfinite(codes[:, j])
        values, tenure = codes[held, j], ticks[held]
        rank = _correlation(rankdata(values), rankdata(tenure))
        times = None if abs(rank) >= 0.95 else _product_partner(codes[held], amounts, j, tenure)
        if times is not None:
            found[j] = f"is {clock} × `{columns[times].name}`: it accumulates since sign-up"
        elif abs(rank) >= 0.8:
            found[j] = (
                f"orders customers almost as {clock} does (rank correlation {rank:.2f}): it is tenure in disguise"
            )
        elif rank >= 0.3 and _grows_from_zero(values, tenure):
            found[j] = f"grows from zero in proportion to {clock}: it accumulates since sign-up"
    return found


def _correlation(a: Array, b: Array) -> float:
    spread = a.std() * b.std()
    return float(np.mean((a - a.mean()) * (b - b.mean())) / spread) if spread > 0 else 0.0


def _product_partner(codes: Array, amounts: Sequence[int], j: int, tenure: Array) -> int | None:
    """The column that times tenure gives column j, clearly better than it or tenure alone does."""
    for other in amounts:
        held = np.isfinite(codes[:, other])
        if other == j or held.sum() <= 50:
            continue
        mine, theirs = codes[held, j], codes[held, other]
        alone = max(abs(_correlation(mine, theirs)), abs(_correlation(mine, tenure[held])))
        if _correlation(mine, tenure[held] * theirs) >= max(0.98, min(alone + 0.01, 0.999)):
            return other
    return None


def _grows_from_zero(values: Array, tenure: Array) -> bool:
    """Whether averages over tenth parts of tenure lie on a power of tenure near one."""
    if (values < 0).any() or np.unique(values).size <= 10:
        return False
    part = np.searchsorted(np.unique(np.quantile(tenure, np.linspace(0.1, 0.9, 9))), tenure)
    count = np.bincount(part)
    parts = np.flatnonzero(count >= 20)
    mean = np.bincount(part, weights=values)[parts] / count[parts]
    at = np.bincount(part, weights=tenure)[parts] / count[parts]
    if len(parts) < 5 or (mean <= 0).any() or (at <= 0).any() or at[-1] < 3 * at[0]:
        return False
    slope = float(np.polyfit(np.log(at), np.log(mean), 1)[0])
    return 0.8 <= slope <= 1.5 and _correlation(np.log(at), np.log(mean)) ** 2 >= 0.95


def _followers(
    columns: Sequence[Column], codes: Array, amounts: Sequence[int], found: dict[int, str]
) -> dict[int, str]:
    """Numbers that move with one already found (rank correlation from 0.95)."""
    leaders = [j for j in found if columns[j].is_numeric]
    followers: dict[int, str] = {}
    for j in (j for j in amounts if j not in found):
        for leader in leaders:
            held = np.isfinite(codes[:, j]) & np.isfinite(codes[:, leader])
            if held.sum() > 50 and _correlation(rankdata(codes[held, j]), rankdata(codes[held, leader])) >= 0.95:
                followers[j] = f"moves with `{columns[leader].name}`, which was left out"
                break
    return followers


# --- covariates and strata ---


class _Covariates:
    """Codes to standardised Cox covariates, numpy only.

    Numbers are clipped to their 0.5–99.5 % range and scaled, missing ones put at the median with a flag; with `bends`
    those of ten values or more get two more columns of a restricted cubic spline (Harrell 2015, 2.4.5, four knots).
    Levels become flags against the commonest; wide text its log frequency. Constant and repeated columns are left out.
    """

    def __init__(self, columns: Sequence[Column], used: Sequence[int], codes: Array, bends: bool) -> None:
        self.parts: list[tuple[int, Callable[[Array], Array]]] = []
        for j in used:
            values = codes[:, j]
            part = _Amount(values, bends) if columns[j].is_numeric else _Levels(columns[j], values)
            self.parts.append((j, part))
        self.kept: Array | None = None
        raw = self._raw(codes)
        self.mean, spread = raw.mean(axis=0), raw.std(axis=0)
        self.scale = np.where(spread > 0, spread, 1.0)
        self.kept = _independent((raw - self.mean) / self.scale, spread)

    def _raw(self, codes: Array) -> Array:
        made = [part(codes[:, j]) for j, part in self.parts]
        return np.hstack(made) if made else np.empty((len(codes), 0))

    def __call__(self, codes: Array) -> Array:
        """(n, d) covariates."""
        return ((self._raw(codes) - self.mean) / self.scale)[:, self.kept]


class _Amount:
    def __init__(self, values: Array, bends: bool) -> None:
        held = values[np.isfinite(values)]
        self.low, self.middle, self.high = map(float, np.quantile(held if held.size else [0.0], (0.005, 0.5, 0.995)))
        self.flag = min(len(values) - held.size, held.size) >= RAREST_LEVEL
        knots = np.unique(np.quantile(held, (0.05, 0.35, 0.65, 0.95))) if held.size else np.empty(0)
        self.knots = knots if bends and len(knots) == 4 and np.unique(held).size >= 10 else None

    def __call__(self, values: Array) -> Array:
        missing = ~np.isfinite(values)
        amount = np.clip(np.where(missing, self.middle, values), self.low, self.high)
        made = [amount]
        if self.knots is not None:
            made += _restricted_cubic(amount, self.knots)
        if self.flag:
            made.append(missing.astype(float))
        return np.column_stack(made)


def _restricted_cubic(x: Array, knots: Array) -> list[Array]:
    """Two columns that with x itself span the cubic splines straight beyond four knots."""
    above = [np.maximum(x - knot, 0.0) ** 3 for knot in knots]
    last, before = knots[3], knots[2]
    scale = (last - knots[0]) ** 2
    return [
        (above[j] - above[2] * (last - knots[j]) / (last - before) + above[3] * (before - knots[j]) / (last - before))
        / scale
        for j in (0, 1)
    ]


class _Levels:
    def __init__(self, column: Column, codes: Array) -> None:
        count = np.bincount(codes.astype(int), minlength=column.n_codes)
        if column.kind == "text":
            self.table = np.log1p(count.astype(float))[:, None]
            return
        often = [k for k in np.flatnonzero(count >= RAREST_LEVEL) if k != count.argmax()]
        self.table = np.eye(column.n_codes)[:, often]

    def __call__(self, codes: Array) -> Array:
        return self.table[codes.astype(int)]


def _independent(standard: Array, spread: Array) -> Array:
    """Indices of columns that vary and are not (almost) an earlier one or its opposite."""
    alike = np.abs(standard.T @ standard) / max(len(standard), 1)
    kept: list[int] = []
    for j in np.flatnonzero(spread > 1e-9):
        if not kept or alike[j, kept].max() < 0.9999:
            kept.append(int(j))
    return np.array(kept, dtype=int)


ANY = np.inf  # in a stratum's key: whatever the second column says


@dataclass(frozen=True)
class _Strata:
    """Which baseline each customer has: columns, and the codes of each stratum, one row each.

    A level of the first column is divided by the second only where every part has enough events for its own curve.
    """

    columns: tuple[int, ...]
    keys: Array

    @classmethod
    def read(cls, columns: tuple[int, ...], codes: Array, event: Array) -> _Strata:
        made = cls(columns, np.array(list(_keys(codes[:, list(columns)], event)), dtype=float))
        return made if len(made.keys) > 1 else cls((), np.empty((0, 0)))

    def of(self, codes: Array) -> Array:
        """(n,) index of each row's stratum; −1, the pooled baseline: no strata, unseen level or too few events."""
        if not self.columns:
            return np.full(len(codes), -1)
        mine = codes[:, None, list(self.columns)]
        same = ((mine == self.keys) | (self.keys == ANY) | (np.isnan(mine) & np.isnan(self.keys))).all(axis=2)
        return np.where(same.any(axis=1), same.argmax(axis=1), -1)

    def settled(self) -> tuple[int, ...]:
        """Columns that every stratum fixes; the others still say something within a stratum."""
        return tuple(j for k, j in enumerate(self.columns) if (self.keys[:, k] != ANY).all())


def _keys(codes: Array, event: Array) -> Iterator[tuple[float, ...]]:
    """Keys of the strata of one or two columns (n, 1 or 2)."""
    if not codes.shape[1]:
        return
    for level, rows in _by_level(codes[:, 0]):
        if event[rows].sum() < EVENTS_PER_STRATUM:
            continue
        parts = _by_level(codes[rows, 1]) if codes.shape[1] > 1 else []
        if len(parts) > 1 and all(event[rows][held].sum() >= EVENTS_PER_STRATUM for _, held in parts):
            yield from ((level, part) for part, _ in parts)
        else:
            yield (level, ANY)[: codes.shape[1]]


def _by_level(codes: Array) -> list[tuple[float, Array]]:
    levels, which = np.unique(codes, return_inverse=True)
    return [(float(level), np.flatnonzero(which == k)) for k, level in enumerate(levels)]


# --- the baseline and the fitted model ---


@dataclass(frozen=True)
class _Baseline:
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
        return np.interp(months, self.times, self.cumulative) + self.tail * np.maximum(months - self.ends_at, 0.0)

    def variance_between(self, start: Array, end: Array) -> Array:
        known = np.interp(end, self.times, self.variance) - np.interp(start, self.times, self.variance)
        beyond = np.maximum(end - self.ends_at, 0.0) - np.maximum(start - self.ends_at, 0.0)
        return known + (self.tail * beyond) ** 2 / self.tail_events


def breslow(
    rows: _Exposure, risk: Array, covariates: Array, *, smooth_events: int, grid: Array | None = None
) -> _Baseline:
    """Breslow's cumulative baseline hazard, late entry heeded: events at t over summed risk of entry < t ≤ duration.

    `risk`: (n,) exp(x'β). With `smooth_events` constant over blocks of months that hold so many; without, its steps
    at `grid`. Variance: hazard over summed risk (Tsiatis 1981).
    """
    knots = np.arange(1.0, np.ceil(rows.duration.max()) + 1.0) if smooth_events or grid is None else grid
    when, events = np.unique(rows.duration[rows.event], return_counts=True)
    jump = events / _at_risk(rows, when, risk)
    bin_of = np.searchsorted(knots, when)
    hazard = np.bincount(bin_of, weights=jump, minlength=len(knots))
    events_in = np.bincount(bin_of, weights=events, minlength=len(knots))
    exposure = np.divide(events_in, hazard, out=_at_risk(rows, knots, risk), where=hazard > 0)
    if smooth_events:
        hazard, exposure = _smoothed(events_in, exposure, smooth_events)
    people = _at_risk(rows, knots, np.ones(len(risk)))
    last = int(np.flatnonzero(people >= min(AT_RISK_NEEDED, people.max()))[-1])
    recent = _recent(knots, events_in, last)
    tail = events_in[recent].sum() / exposure[recent].sum() / float(np.mean(np.diff(knots, prepend=0.0)[recent]))
    steps = np.divide(hazard, exposure, out=np.zeros(len(knots)), where=exposure > 0)
    cumulative = np.cumsum(hazard)
    here = slice(0, last + 1)
    base = _Baseline(
        times=np.concatenate([[0.0], knots[here]]),
        cumulative=np.concatenate([[0.0], cumulative[here]]),
        variance=np.concatenate([[0.0], np.cumsum(steps)[here]]),
        ends_at=float(knots[last]),
        tail=float(tail),
        tail_events=float(events_in[recent].sum()),
        centre=np.zeros(covariates.shape[1]),
    )
    weight = risk * (base.at(rows.duration) - base.at(rows.entry))
    object.__setattr__(base, "centre", weight @ covariates / max(weight.sum(), 1e-300))
    return base


def _at_risk(rows: _Exposure, when: Array, weight: Array) -> Array:
    """(k,) summed weight of those under observation just before each time."""
    return _sum_from(rows.duration, when, weight) - _sum_from(rows.entry, when, weight)


def _sum_from(times: Array, when: Array, weight: Array) -> Array:
    order = np.argsort(times, kind="stable")
    beyond = np.concatenate([np.cumsum(weight[order][::-1])[::-1], [0.0]])
    return beyond[np.searchsorted(times[order], when, side="left")]


def _smoothed(events: Array, exposure: Array, enough: int) -> tuple[Array, Array]:
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
    year = int(np.searchsorted(knots, knots[last] - BAND_MONTHS, side="right"))
    behind = np.cumsum(events[last::-1])
    back = last - int(np.searchsorted(behind, min(enough, behind[-1])))
    return slice(max(min(year, back), 0), last + 1)


@dataclass(frozen=True)
class _Cox:
    """A fitted model as arrays; the last baseline is the pooled one."""

    covariates: _Covariates
    strata: _Strata
    beta: Array
    covariance: Array
    baselines: tuple[_Baseline, ...]

    def cumulative(self, codes: Array, tenure: Array) -> Array:
        """(n, q) cumulative hazard of each row at its own tenures (n, q)."""
        risk, of = _risk(self.covariates(codes), self.beta), self.strata.of(codes)
        made = np.empty(tenure.shape)
        for k in np.unique(of):
            made[of == k] = self.baselines[k].at(tenure[of == k]) * risk[of == k, None]
        return made

    def increments(self, codes: Array, given: Array, months: Array, with_variance: bool) -> tuple[Array, Array]:
        """(n, m) cumulative hazard from given to given + months; variance of its logarithm (empty unless asked)."""
        x, of = self.covariates(codes), self.strata.of(codes)
        risk = _risk(x, self.beta)
        hazard = np.empty((len(codes), len(months)))
        variance = np.empty_like(hazard) if with_variance else np.empty(0)
        for k in np.unique(of):
            base, rows = self.baselines[k], of == k
            start = given[rows, None] if given.ndim else given  # one tenure for all: one line for all
            line = base.at(start + months) - base.at(start)
            hazard[rows] = line * risk[rows, None]
            if with_variance:
                far = x[rows] - base.centre
                relative = base.variance_between(start, start + months) / np.maximum(line, 1e-12) ** 2
                variance[rows] = relative + np.einsum("ij,jk,ik->i", far, self.covariance, far)[:, None]
        return hazard, variance


def _risk(covariates: Array, beta: Array) -> Array:
    return np.exp(np.clip(covariates @ beta, -20.0, 20.0))


@dataclass(frozen=True)
class _Maker:
    """Fits one candidate: strata columns, and whether numbers bend."""

    columns: Sequence[Column]
    used: Sequence[int]
    smooth_events: int

    def fit(self, codes: Array, rows: _Exposure, strata_columns: tuple[int, ...], bends: bool) -> _Cox:
        strata = _Strata.read(strata_columns, codes, rows.event)
        of = strata.of(codes)
        settled = strata.settled() if (of >= 0).all() else ()
        covariates = _Covariates(self.columns, [j for j in self.used if j not in settled], codes, bends)
        x = covariates(codes)
        beta, covariance = cox_coefficients(x, rows, of)
        risk, grid = _risk(x, beta), np.unique(rows.duration)
        groups = [np.flatnonzero(of == k) for k in range(len(strata.keys))] + [np.arange(len(codes))]
        baselines = tuple(
            breslow(rows.take(g), risk[g], x[g], smooth_events=self.smooth_events, grid=grid) for g in groups
        )
        return _Cox(covariates, strata, beta, covariance, baselines)


def cox_coefficients(x: Array, rows: _Exposure, strata: Array) -> tuple[Array, Array]:
    """(d,) coefficients and (d, d) covariance of lifelines' Cox model, ties by Efron, left truncation by `entry_col`.

    With late entries lifelines goes through everybody at risk at every distinct time. There more than 100 times are
    rounded up to months, and more than 20,000 customers thinned; the baseline is measured on all, at exact times.
    """
    if not x.shape[1]:
        return np.zeros(0), np.zeros((0, 0))
    truncated = bool((rows.entry > 0).any())
    if truncated and len(x) > TRUNCATED_ROWS:
        some = np.linspace(0, len(x) - 1, TRUNCATED_ROWS).astype(int)
        x, rows, strata = x[some], rows.take(some), strata[some]
    duration, entry = rows.duration, rows.entry
    if truncated and np.unique(duration[rows.event]).size > 100:
        duration = np.ceil(duration)
        entry = np.minimum(np.ceil(entry), duration - 1.0)
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(x.shape[1])])
    frame = frame.assign(duration=duration, event=rows.event)
    options: dict[str, Any] = {}
    if truncated:
        frame["entry"], options["entry_col"] = entry, "entry"
    if np.unique(strata).size > 1:
        frame["stratum"], options["strata"] = strata, ["stratum"]
    for penalty in PENALTIES:
        try:
            with warnings.catch_warnings():
                # rare flags: lifelines suspects separation or low variance; the ridge holds their coefficients
                warnings.simplefilter("ignore", ConvergenceWarning)
                fitted = CoxPHFitter(penalizer=penalty).fit(frame, "duration", "event", **options)
        except ConvergenceError:
            if penalty == PENALTIES[-1]:
                raise
        else:
            break
    return fitted.params_.to_numpy(dtype=float), fitted.variance_matrix_.to_numpy(dtype=float)


# --- the choice ---


def _choose(maker: _Maker, codes: Array, rows: _Exposure, seed: int) -> tuple[_Candidate, list[dict[str, Any]]]:
    """The candidate with the best landmark calibration on held-out customers, and what each got."""
    able = [j for j in maker.used if _may_stratify(maker.columns[j], codes[:, j], rows.event)]
    if len(codes) > CHOICE_ROWS:
        some = np.random.default_rng(seed).choice(len(codes), CHOICE_ROWS, replace=False)
        codes, rows = codes[some], rows.take(some)
    judge = _Judge(maker, codes, rows, seed)
    plain = judge.held_out((), False)
    leading = sorted(able, key=lambda j: -judge.misfit(plain, codes[:, j]))[:3]
    judge.groups = [codes[:, j] for j in leading]
    tried: dict[_Candidate, tuple[float, float]] = {((), False): judge.score(plain)}
    for j in leading[:2]:
        tried[((j,), False)] = judge.score(judge.held_out((j,), False))
    for pair in permutations(leading[:2], 2):
        tried[(pair, False)] = judge.score(judge.held_out(pair, False))
    best = _best(tried)
    tried[(best[0], True)] = judge.score(judge.held_out(best[0], True))
    record = [
        {
            "strata": tuple(maker.columns[j].name for j in strata),
            "bends": bends,
            "calibration_error": error,
            "concordance": concordance,
        }
        for (strata, bends), (error, concordance) in tried.items()
    ]
    return _best(tried), record


def _best(tried: dict[_Candidate, tuple[float, float]]) -> _Candidate:
    least = min(error for error, _ in tried.values())
    return max((c for c in tried if tried[c][0] <= least + TIE), key=lambda c: tried[c][1])


def _may_stratify(column: Column, codes: Array, event: Array) -> bool:
    if column.kind == "text":
        return False
    _, which = np.unique(codes, return_inverse=True)
    if not 2 <= which.max() + 1 <= MOST_LEVELS:
        return False
    enough = np.bincount(which, weights=event) >= EVENTS_PER_STRATUM
    return bool(enough.sum() >= 2 and enough[which].mean() >= 0.95)


class _Judge:
    """Expected against observed events of held-out customers, in years of tenure and groups.

    Expected events are the hazard each customer was exposed to, so censoring and late entry need no correction; a year
    of tenure is the twelve months that follow a landmark.
    """

    def __init__(self, maker: _Maker, codes: Array, rows: _Exposure, seed: int) -> None:
        self.maker, self.codes, self.rows = maker, codes, rows
        longest = rows.duration.max()
        step = BAND_MONTHS if longest >= 3 * BAND_MONTHS else longest / 4
        self.edges = np.arange(0.0, longest + step, step)
        upper = np.clip(rows.duration[:, None], self.edges[:-1], self.edges[1:])
        lower = np.clip(rows.entry[:, None], self.edges[:-1], self.edges[1:])
        self.spans = np.hstack([np.minimum(lower, upper), upper])
        inside = (rows.duration[:, None] > self.edges[:-1]) & (rows.duration[:, None] <= self.edges[1:])
        self.observed = inside & rows.event[:, None]
        self.folds = list(StratifiedKFold(3, shuffle=True, random_state=seed).split(codes, rows.event))
        self.groups: list[Array] = []

    def held_out(self, strata: tuple[int, ...], bends: bool) -> tuple[Array, Array]:
        """(n, years) expected events and (n,) mean chance of still being here, each from the folds one was not in."""
        bands = len(self.edges) - 1
        expected, stay = np.empty((len(self.codes), bands)), np.empty(len(self.codes))
        for train, test in self.folds:
            cox = self.maker.fit(self.codes[train], self.rows.take(train), strata, bends)
            hazard = cox.cumulative(self.codes[test], self.spans[test])
            expected[test] = hazard[:, bands:] - hazard[:, :bands]
            everywhere = np.broadcast_to(self.edges[1:], (len(test), bands))
            stay[test] = np.exp(-cox.cumulative(self.codes[test], everywhere)).mean(axis=1)
        return expected, stay

    def misfit(self, held_out: tuple[Array, Array], group: Array) -> float:
        """Poisson deviance of a column's levels by year, beyond what chance gives (its number of cells)."""
        return float((self._deviance(held_out[0], group) - 1.0).sum())

    def score(self, held_out: tuple[Array, Array]) -> tuple[float, float]:
        """Root mean deviance over everybody and the leading columns (1: chance), and concordance."""
        groups = [np.zeros(len(self.codes)), *self.groups]
        deviance = [float(self._deviance(held_out[0], group).mean()) for group in groups]
        rank = concordance_index(self.rows.duration, held_out[1], self.rows.event)
        return float(np.sqrt(np.mean(deviance))), float(rank)

    def _deviance(self, expected: Array, group: Array) -> Array:
        """(levels, years) of 2 (O log(O / E) − (O − E)), O events observed and E expected."""
        _, which = np.unique(group, return_inverse=True)
        flags = np.eye(which.max() + 1)[which]
        seen, awaited = flags.T @ self.observed, np.maximum(flags.T @ expected, 1e-6)
        return 2.0 * (xlogy(seen, seen / awaited) - (seen - awaited))
