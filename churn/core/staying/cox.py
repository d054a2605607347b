"""A Cox model as arrays: fitted by lifelines, its hazards by numpy on step arrays, in input order.

Lifelines gives the coefficients only: its own baseline hazard ignores late entry (its issue 1416), and its predictions
come grouped by stratum.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning

from churn.core.columns import Column
from churn.core.staying.baseline import Baseline, breslow
from churn.core.staying.exposure import Exposure
from churn.core.staying.survival_design import Covariates, Strata

Array = np.ndarray[Any, Any]
TRUNCATED_ROWS = 20_000  # the most lifelines fits with late entries in reasonable time
PENALTIES = (1e-3, 1e-1)  # ridge of the Cox fit; the second only where the first does not converge


@dataclass(frozen=True)
class Placed:
    """n customers as a model sees them: `covariates` (n, d), `risk` (n,) exp(x'β), `stratum` (n,) −1 for pooled."""

    covariates: Array
    risk: Array
    stratum: Array


@dataclass(frozen=True)
class Cox:
    """A fitted model as arrays; the last baseline is the pooled one."""

    covariates: Covariates
    strata: Strata
    beta: Array
    covariance: Array
    baselines: tuple[Baseline, ...]

    def place(self, codes: Array) -> Placed:
        """(n, p) codes, read once for everything that is asked of them."""
        x = self.covariates(codes)
        return Placed(x, _risk(x, self.beta), self.strata.of(codes))

    def cumulative(self, placed: Placed, tenure: Array) -> Array:
        """(n, q) cumulative hazard of each row at its own tenures (n, q)."""
        made = np.empty(tenure.shape)
        for k in np.unique(placed.stratum):
            rows = placed.stratum == k
            made[rows] = self.baselines[k].at(tenure[rows]) * placed.risk[rows, None]
        return made

    def increments(
        self, placed: Placed, given: Array, months: Array, *, with_variance: bool = False
    ) -> tuple[Array, Array]:
        """(n, m) cumulative hazard from given to given + months; variance of its logarithm (empty unless asked)."""
        hazard = np.empty((len(placed.risk), len(months)))
        variance = np.empty_like(hazard) if with_variance else np.empty(0)
        for k in np.unique(placed.stratum):
            base, rows = self.baselines[k], placed.stratum == k
            start = given[rows, None] if given.ndim else given  # one tenure for all: one line for all
            line = base.at(start + months) - base.at(start)
            hazard[rows] = line * placed.risk[rows, None]
            if with_variance:
                far = placed.covariates[rows] - base.centre
                relative = base.variance_between(start, start + months) / np.maximum(line, 1e-12) ** 2
                variance[rows] = relative + np.einsum("ij,jk,ik->i", far, self.covariance, far)[:, None]
        return hazard, variance

    def ends_at(self, placed: Placed) -> Array:
        """(n,) months of tenure at which the data of each row's stratum end."""
        return np.array([base.ends_at for base in self.baselines])[placed.stratum]


def _risk(covariates: Array, beta: Array) -> Array:
    return np.exp(np.clip(covariates @ beta, -20.0, 20.0))


@dataclass(frozen=True)
class CoxMaker:
    """Fits Cox models of one table from its `used` columns (by index), one for each way to stratify and to bend."""

    columns: Sequence[Column]
    used: Sequence[int]
    smooth_events: int

    def fit(self, codes: Array, rows: Exposure, strata_columns: tuple[int, ...], bends: bool) -> Cox:
        """The model of rows with (n, p) codes, stratified by columns given by index."""
        strata = Strata.read(strata_columns, codes, rows.event)
        of = strata.of(codes)
        settled = strata.settled() if (of >= 0).all() else ()
        covariates = Covariates(self.columns, [j for j in self.used if j not in settled], codes, bends)
        x = covariates(codes)
        beta, covariance = cox_coefficients(x, rows, of)
        risk, grid = _risk(x, beta), np.unique(rows.duration)
        groups = [np.flatnonzero(of == k) for k in range(len(strata.keys))] + [np.arange(len(codes))]
        baselines = tuple(
            breslow(rows.take(g), risk[g], x[g], smooth_events=self.smooth_events, grid=grid) for g in groups
        )
        return Cox(covariates, strata, beta, covariance, baselines)


def cox_coefficients(x: Array, rows: Exposure, strata: Array) -> tuple[Array, Array]:
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
