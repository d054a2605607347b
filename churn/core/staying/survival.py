"""How long they stay: conditional survival of a customer who is still here.

A Cox model with left truncation (`cox`), stratified where calibration asks for it (`survival_choice`), of what does not
give tenure away (`survival_leaks`). At each tenure the baseline hazard (`baseline`) counts only those already under
observation; beyond the data it stays what it last was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from scipy.special import ndtri

from churn.core.columns import Columns
from churn.core.refusals import NotEnoughData
from churn.core.staying.cox import CoxMaker, Placed
from churn.core.staying.exposure import Exposure
from churn.core.staying.survival_choice import choose
from churn.core.staying.survival_design import ANY
from churn.core.staying.survival_leaks import find_leaks

Array = np.ndarray[Any, Any]
# Rows of raw columns: a frame, or plain mappings by the columns' names.
Table: TypeAlias = pd.DataFrame | Sequence[Mapping[str, Any]]

ROWS_NEEDED, EVENTS_NEEDED = 100, 20
FEW = 16  # rows: up to here they are coded without pandas


@dataclass(frozen=True)
class Curves:
    """What is ahead of n customers over m months.

    `staying`, `low`, `high` (n, m): the chance of still being a customer and the ends of its interval; `months_known`
    (n,): months ahead that rest on data.
    """

    staying: Array
    low: Array
    high: Array
    months_known: Array


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
        rows = Exposure.read(entry, duration, event, len(X))
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
        maker = CoxMaker(self.columns_.columns, used, self.smooth_events)
        best, self.choice_ = choose(maker, codes, rows, self.seed)
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

    def survival(self, X: Table, months: Array, given: Array | float = 0.0) -> Array:
        """(n, m) chance of still being a customer `months` (m,) ahead, given one has been for `given` months.

        `X`: n rows of the raw columns, a frame or plain mappings. S(given + months) / S(given), rows in input order;
        `given` is a scalar or (n,). Beyond `data_ends_at` the hazard is the average of the last year of data. Raises
        ColumnsMissing and, on negative times, ValueError.
        """
        ahead, start = _times(months, given, len(X))
        return np.exp(-self._cox.increments(self._placed(X), start, ahead)[0])

    def band(self, X: Table, months: Array, given: Array | float = 0.0, level: float = 0.9) -> tuple[Array, Array]:
        """(n, m) lower and upper end of the `level` interval around `survival`, pointwise on log cumulative hazard.

        In it: the uncertainty of the coefficients and of the baseline hazard (Tsiatis' variance, covariate part about
        the stratum's mean at events), beyond the data that of the last hazard. Not in it: which model was chosen,
        drift, and that a hazard may change beyond the data.
        """
        curves = self.curves(X, months, given, level)
        return curves.low, curves.high

    def months_known(self, X: Table, given: Array | float = 0.0) -> Array:
        """(n,) months ahead of `given` for which the curve rests on data of the customer's stratum; never negative."""
        return self._known(self._placed(X), _given(given, len(X)))

    def curves(self, X: Table, months: Array, given: Array | float = 0.0, level: float = 0.9) -> Curves:
        """`survival`, `band` and `months_known` of the same rows, read once. Raises as they do."""
        ahead, start = _times(months, given, len(X))
        placed = self._placed(X)
        hazard, log_variance = self._cox.increments(placed, start, ahead, with_variance=True)
        reach = np.exp(ndtri(0.5 + level / 2) * np.sqrt(log_variance))
        return Curves(
            staying=np.exp(-hazard),
            low=np.exp(-hazard * reach),
            high=np.exp(-hazard / reach),
            months_known=self._known(placed, start),
        )

    def _known(self, placed: Placed, start: Array) -> Array:
        return np.maximum(self._cox.ends_at(placed) - start, 0.0)

    def _placed(self, X: Table) -> Placed:
        return self._cox.place(self._codes(X))

    def _codes(self, X: Table) -> Array:
        if not isinstance(X, pd.DataFrame):
            return self.columns_.codes_of_rows(X)
        if len(X) <= FEW:
            return self.columns_.codes_of_rows(X.rename(columns=str).to_dict("records"))
        return self.columns_.codes(X)

    def _level(self, j: int, code: float) -> str:
        column = self.columns_.columns[j]
        if code == ANY:
            return "any"
        if column.is_numeric:
            return "missing" if np.isnan(code) else f"{code:g}"
        return {i: level for level, i in column.levels.items()}.get(int(code), "missing")


def anchor(
    survival_curve: Array,
    risk: Array | float,
    horizon_months: float,
    months: Array | None = None,
    *,
    persistence: float = 1.0,
) -> Array:
    """(n, m) the curves bent so that 1 − S(horizon) is the calibrated risk: each row raised to its own power, S^k.

    `survival_curve`: (n, m) or (m,); `risk`: (n,) or scalar in [0, 1); `months`: (m,) the month of each column, by
    default 0, 1, 2, … where the first column is 1 and 1, 2, 3, … where it is not. Between columns the hazard is
    constant, so the horizon may fall there. A curve without any hazard up to the horizon is given a constant one. A
    proportional change of the hazard: no curve starts to rise. After the column in which the horizon ends, the hazard
    is changed by k^`persistence`: 1 keeps the whole of what makes this customer differ, 0 returns to the curve's own.
    Raises ValueError when the horizon is outside the columns or a risk outside [0, 1).
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
    power = (np.log1p(-wanted) / at_horizon)[:, None]  # −k
    within = np.minimum(hazard, hazard[:, [int(np.searchsorted(at, horizon_months))]])  # to the column that ends there
    anchored = np.exp(within * power - (hazard - within) * (-power) ** persistence)
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


def _times(months: Array, given: Array | float, n_rows: int) -> tuple[Array, Array]:
    """Months ahead (m,) and months already stayed, a scalar or (n,), neither negative."""
    ahead, start = np.atleast_1d(np.asarray(months, dtype=float)), _given(given, n_rows)
    if (ahead < 0).any() or (start < 0).any():
        raise ValueError("Months ahead and months already stayed cannot be negative.")
    return ahead, start
