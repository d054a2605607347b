"""What a survival model sees of a customer: the covariates of its Cox model and the stratum that picks the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from churn.core.columns import Column

Array = np.ndarray[Any, Any]
EVENTS_PER_STRATUM = 15
ANY = np.inf  # in a stratum's key: whatever the second column says
RAREST_LEVEL = 20  # rows: below, a level shares the effect of the commonest


class Covariates:
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


@dataclass(frozen=True)
class Strata:
    """Which baseline each customer has: columns, and the codes of each stratum, one row each.

    A level of the first column is divided by the second only where every part has enough events for its own curve.
    """

    columns: tuple[int, ...]
    keys: Array

    @classmethod
    def read(cls, columns: tuple[int, ...], codes: Array, event: Array) -> Strata:
        """Strata by the levels of up to two columns, from codes (n, p) and events (n,); never a single one."""
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
