"""Context of any kind, with gaps, as numbers: what the response curve is a function of.

Nothing is hand-named: a column is a number, a yes/no or a label by what it holds. Numbers become normal scores by the
quantiles seen when fitting (so skew and outliers do no harm), labels become centred indicators of their common levels;
a gap is the middle, plus an indicator where gaps are common. Plain parameters; one caller needs no pandas.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

Array = NDArray[np.float64]
MOST_LEVELS = 15
GAP = "(gap)"
FEW = 12  # numbers with at most this many values keep their own spacing


@dataclass
class Column:
    """How one column becomes features; everything JSON can hold."""

    name: str
    kind: str  # "number" or "label"
    knots: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    curved: bool = False  # a second, bent feature is worth having
    gaps: float = 0.0  # share of gaps when common, else 0
    levels: dict[str, float] = field(default_factory=dict)  # common levels and their shares


def columns_of(X: pd.DataFrame | Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Each column as an array: float with NaN for numbers, yes/no and instants, object with None for labels.

    A mapping of plain values is one caller.
    """
    if isinstance(X, pd.DataFrame):
        return {str(name): _plain(X[name].to_numpy()) for name in X.columns}
    return {str(name): _plain(np.atleast_1d(np.asarray(value, dtype=None))) for name, value in X.items()}


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind in "biuf":
        return np.asarray(values, float)
    if values.dtype.kind in "mM":
        days = values.astype("datetime64[s]" if values.dtype.kind == "M" else "timedelta64[s]").astype(float) / 86_400
        return np.asarray(np.where(np.isnat(values), np.nan, days), float)
    objects = values.astype(object)
    missing = np.array([v is None or v is pd.NA or v is pd.NaT or v != v for v in objects], bool)  # noqa: PLR0124
    try:
        numbers = np.array([np.nan if gone else float(v) for v, gone in zip(objects, missing, strict=True)], float)
    except (TypeError, ValueError):
        return np.array([None if gone else str(v) for v, gone in zip(objects, missing, strict=True)], object)
    return numbers


@dataclass
class Encoder:
    """Columns to two matrices: `linear` (n, d), and `full` (n, d + c) with a bend for each many-valued number."""

    columns: list[Column] = field(default_factory=list)

    @classmethod
    def fit(cls, arrays: Mapping[str, NDArray[Any]]) -> "Encoder":
        """Learn knots and levels. Constant, empty and one-level columns carry nothing and are left out."""
        found = [_fit_number(n, v) if v.dtype.kind == "f" else _fit_labels(n, v) for n, v in sorted(arrays.items())]
        return cls([column for column in found if column is not None])

    def linear(self, arrays: Mapping[str, NDArray[Any]], n: int) -> Array:
        """Features (n, d): bounded, zero where a column is missing, a gap or a label never seen."""
        return self._stack([_linear(column, arrays.get(column.name), n) for column in self.columns], n)

    def bends(self, linear: Array) -> Array:
        """The bent features (n, c), from `linear`: squares of the scores, centred."""
        at, kept = 0, []
        for column in self.columns:
            if column.curved:
                kept.append(at)
            at += _width(column)
        return (linear[:, kept] ** 2 - 1.0) / np.sqrt(2.0)

    @property
    def bends_count(self) -> int:
        """How many bent features `bends` gives."""
        return sum(column.curved for column in self.columns)

    def _stack(self, blocks: list[Array], n: int) -> Array:
        return np.hstack(blocks) if blocks else np.zeros((n, 0))


def _width(column: Column) -> int:
    return len(column.levels) if column.kind == "label" else 1 + (column.gaps > 0)


def _fit_number(name: str, values: NDArray[Any]) -> Column | None:
    known = values[np.isfinite(values)]
    if len(known) < 2 or known.min() == known.max():
        return None
    gaps = 1.0 - len(known) / len(values)
    unique, counts = np.unique(known, return_counts=True)
    if len(unique) <= FEW:
        mean, spread = known.mean(), known.std()
        scores = ((unique - mean) / spread).clip(-3, 3)
        return Column(name, "number", unique.tolist(), scores.tolist(), len(unique) > 3, gaps if gaps > 0.01 else 0.0)
    middle = (np.cumsum(counts) - 0.5 * counts) / len(known)  # share below, ties at their middle
    knots = np.unique(np.quantile(known, np.linspace(0.005, 0.995, 41), method="nearest"))
    scores = norm.ppf(middle[np.searchsorted(unique, knots)]).clip(-2.6, 2.6)
    return Column(name, "number", knots.tolist(), scores.tolist(), True, gaps if gaps > 0.01 else 0.0)


def _fit_labels(name: str, values: NDArray[Any]) -> Column | None:
    labels = np.array([GAP if v is None else v for v in values], object)
    levels, counts = np.unique(labels.astype(str), return_counts=True)
    enough = counts >= max(10, 0.005 * len(values))
    order = sorted(np.flatnonzero(enough), key=lambda i: (-counts[i], levels[i]))[:MOST_LEVELS]
    if not order or len(levels) < 2:
        return None
    return Column(name, "label", levels={str(levels[i]): float(counts[i] / len(values)) for i in order})


def _linear(column: Column, values: NDArray[Any] | None, n: int) -> Array:
    if values is None:
        return np.zeros((n, _width(column)))
    if column.kind == "label":
        return _indicators(column, values)
    if values.dtype.kind != "f":
        return np.zeros((n, _width(column)))
    known = np.isfinite(values)
    score = np.where(known, np.interp(np.where(known, values, 0.0), column.knots, column.scores), 0.0)[:, None]
    return np.hstack([score, 2.0 * (~known[:, None] - column.gaps)]) if column.gaps > 0 else score


def _indicators(column: Column, values: NDArray[Any]) -> Array:
    """Centred indicators, doubled so that a half-and-half level has unit spread; rare levels shrink by themselves."""
    at = {level: j for j, level in enumerate(column.levels)}
    out = np.tile(-2.0 * np.array(list(column.levels.values())), (len(values), 1))
    for i, value in enumerate(values):
        j = at.get(_label(value))
        if j is not None:
            out[i, j] += 2.0
    return out


def _label(value: Any) -> str:
    """A label as it was learned; a column of labels without any here has come in as NaN."""
    if value is None or value != value:  # noqa: PLR0124
        return GAP
    return value if isinstance(value, str) else f"{value:g}"
