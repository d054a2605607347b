"""Drift: how far the distribution of a column, or of a model's chances, is from the one it was learned on.

Population stability index: PSI = Σ (aᵢ − eᵢ) · ln(aᵢ / eᵢ) over bins, e the shares at training and a today's. Below
0.1 steady, up to 0.25 moved, above drifted (Siddiqi 2006, the usual thresholds). Numbers are binned at the tenths of
training, words by the commonest; what is missing is a bin of its own. A share of 0 counts as LEAST.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from churn.core.columns import to_level

Array = np.ndarray[Any, Any]

MOVED, DRIFTED = 0.1, 0.25
LEAST = 1e-4
TENTHS = np.arange(1, 10) / 10
MOST_LEVELS = 12
FEWEST = 10  # customers: a word fewer of them have is not named
MISSING, OTHER = "missing", "any other"


@dataclass(frozen=True, slots=True)
class Bins:
    """How one column is binned and how training's customers fell into the bins.

    `edges`: upper ends of the bins of a number, the last bin open; None for words. `names`: of every bin, `missing` the
    last. `shares`: of training's customers, one a bin.
    """

    column: str
    names: tuple[str, ...]
    shares: tuple[float, ...]
    edges: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """One column today: its index and its shares, a bin each."""

    column: str
    psi: float
    shares: tuple[float, ...]

    @property
    def grade(self) -> str:
        """`steady`, `moved` or `drifted`."""
        return grade(self.psi)


def grade(psi: float) -> str:
    """`steady` below 0.1, `moved` below 0.25, else `drifted`."""
    return "steady" if psi < MOVED else "moved" if psi < DRIFTED else "drifted"


def index(expected: Sequence[float] | Array, actual: Sequence[float] | Array) -> float:
    """PSI of two rows of shares over the same bins, one share a bin."""
    e, a = (np.maximum(np.asarray(shares, float), LEAST) for shares in (expected, actual))
    return float(np.sum((a - e) * np.log(a / e)))


def chance_alone(bins: int, then: int, now: int) -> float:
    """The index two samples of one distribution have on average: (bins − 1) · (1 / then + 1 / now)."""
    return (bins - 1) * (1 / max(then, 1) + 1 / max(now, 1))


def learn(column: str, values: pd.Series) -> Bins:
    """Bins of (n,) values of any type as they were at training."""
    numbers = _numbers(values)
    if numbers is None:
        levels = values.map(to_level)
        sizes = levels.value_counts()
        common = [str(level) for level in sizes[sizes >= FEWEST].index[:MOST_LEVELS]]
        bare = Bins(column, (*common, OTHER, MISSING), ())
    else:
        held = numbers[np.isfinite(numbers)]
        # An edge at the greatest value would leave the last bin empty for ever.
        edges = [float(e) for e in np.unique(np.quantile(held, TENTHS, method="lower")) if e < held.max()]
        bare = Bins(column, (*_spans(edges), MISSING), (), tuple(edges))
    return Bins(column, bare.names, tuple(shares(bare, values).tolist()), bare.edges)


def shares(bins: Bins, values: pd.Series) -> Array:
    """(bins,) shares of (n,) values; all 0 without any."""
    last = len(bins.names) - 1
    if bins.edges is None:
        places = {name: i for i, name in enumerate(bins.names[:-2])}
        which = np.array([last if v is None else places.get(v, last - 1) for v in map(to_level, values)], int)
    else:
        numbers = np.asarray(pd.to_numeric(values, errors="coerce"), float)
        which = np.where(np.isfinite(numbers), np.searchsorted(np.array(bins.edges), numbers, side="left"), last)
    return np.bincount(which, minlength=last + 1) / max(len(which), 1)


def compare(bins: Bins, values: pd.Series) -> Drift:
    """One column of today against training's bins."""
    today = shares(bins, values)
    return Drift(bins.column, index(bins.shares, today), tuple(today.tolist()))


def _numbers(values: pd.Series) -> Array | None:
    """(n,) numbers, NaN where missing; None for a column of words or of yes and no."""
    if values.dtype == bool or values.dropna().map(lambda v: isinstance(v, bool | np.bool_ | str)).any():
        return None
    numbers = np.asarray(pd.to_numeric(values, errors="coerce"), float)
    return numbers if np.isfinite(numbers).any() else None


def _spans(edges: Sequence[float]) -> list[str]:
    told = [f"{edge:.4g}" for edge in edges]
    if not told:
        return ["any number"]
    middle = [f"above {a} to {b}" for a, b in itertools.pairwise(told)]
    return [f"up to {told[0]}", *middle, f"above {told[-1]}"]
