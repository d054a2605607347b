"""Kaplan–Meier curves and log-rank tests from survival tables, so that a million customers are a few thousand rows.

A table holds for each day of tenure how many came under observation, how many left by choice, and how many were seen no
longer, leavers included. Who is first seen at a tenure of 40 months enters at 40: nobody is at risk before they could
have been seen leaving. Entered on a day, at risk from the next; the first day of a table holds its entrants, as
lifelines has it (Kaplan & Meier 1958; late entry: Klein & Moeschberger 2003, 4.6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, norm

Array = NDArray[np.float64]
Days = NDArray[np.int64]

DAYS_A_MONTH = 30.4375


@dataclass(frozen=True, slots=True)
class Table:
    """One survival table: rows rising by day, all (n,)."""

    day: Days
    entered: Days
    left: Days
    removed: Days  # leavers included

    @classmethod
    def of(cls, day: ArrayLike, entered: ArrayLike, left: ArrayLike, removed: ArrayLike) -> Table:
        """From columns in the order of days. Raises ValueError when they are not one table."""
        columns = [np.asarray(column, np.int64) for column in (day, entered, left, removed)]
        if len({len(column) for column in columns}) != 1 or (np.diff(columns[0]) <= 0).any():
            raise ValueError("A survival table has one row a day, in the order of days.")
        if columns[1].sum() != columns[3].sum():
            raise ValueError("In a survival table everybody who is seen no longer came under observation once.")
        return cls(*columns)

    @classmethod
    def from_lives(cls, entry: ArrayLike, leave: ArrayLike, is_event: ArrayLike) -> Table:
        """From one row a customer: day under observation, day seen last, whether they left by choice then."""
        first, last, event = np.asarray(entry, np.int64), np.asarray(leave, np.int64), np.asarray(is_event, bool)
        day = np.unique(np.concatenate([first, last]))

        def count(at: Days) -> Days:
            return np.bincount(np.searchsorted(day, at), minlength=len(day)).astype(np.int64)

        return cls(day.astype(np.int64), count(first), count(last[event]), count(last))

    @property
    def customers(self) -> int:
        """How many were ever under observation."""
        return int(self.entered.sum())

    @property
    def at_risk(self) -> Days:
        """(n,) under observation when the day began, new entrants not yet; on the first day they are."""
        before: Days = np.cumsum(self.entered) - np.cumsum(self.removed) + self.removed - self.entered
        before[:1] += self.entered[:1]
        return before


@dataclass(frozen=True, slots=True)
class Curve:
    """Still a customer after so many days, all (n,), with Greenwood's interval on the log-log scale."""

    day: Days
    staying: Array
    low: Array
    high: Array
    at_risk: Days

    def at(self, days: ArrayLike) -> Array:
        """(m,) the curve as steps: its value when each day has ended."""
        return _step(self.day, self.staying, np.asarray(days), 1.0)


def curve(table: Table, *, level: float = 0.95) -> Curve:
    """The product-limit estimate. While nobody is at risk it stays where it is."""
    n, d = table.at_risk.astype(float), table.left.astype(float)
    some = n > 0
    stay = np.where(some, 1 - np.divide(d, n, out=np.zeros_like(d), where=some), 1.0)
    staying = np.asarray(np.cumprod(stay), np.float64)
    rest = n * (n - d)
    variance = np.cumsum(np.divide(d, rest, out=np.zeros_like(d), where=rest > 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(staying)
        width = float(norm.ppf(0.5 + level / 2)) * np.sqrt(variance) / log
        low, high = np.exp(-np.exp(np.log(-log) - width)), np.exp(-np.exp(np.log(-log) + width))
    flat = staying >= 1
    return Curve(
        table.day,
        staying,
        np.where(flat, 1.0, np.where(staying <= 0, 0.0, np.minimum(low, high))),
        np.where(flat, 1.0, np.where(staying <= 0, 0.0, np.maximum(low, high))),
        table.at_risk,
    )


def at_risk_on(table: Table, days: Sequence[int]) -> list[int]:
    """How many are under observation on each of these days."""
    under = np.cumsum(table.entered) - np.cumsum(table.removed)
    return [int(value) for value in _step(table.day, under.astype(float), np.asarray(days), 0.0)]


def known_until(table: Table, fewest: int) -> int:
    """The last day on which at least so many are at risk: beyond it a curve says little. -1: never so many."""
    enough = np.flatnonzero(table.at_risk >= fewest)
    return int(table.day[enough[-1]]) if len(enough) else -1


@dataclass(frozen=True, slots=True)
class LogRank:
    """Whether groups leave alike: `statistic` is chi squared with `freedom` degrees."""

    statistic: float
    freedom: int
    p_value: float
    observed: Mapping[str, float]
    expected: Mapping[str, float]  # leavers, were all groups alike


def log_rank(tables: Mapping[str, Table]) -> LogRank | None:
    """The log-rank test of two or more groups (Mantel 1966); None with fewer, or when nobody left."""
    held = {name: table for name, table in tables.items() if table.customers}
    if len(held) < 2 or not any(table.left.any() for table in held.values()):
        return None
    day = np.unique(np.concatenate([table.day[table.left > 0] for table in held.values()]))
    d = np.column_stack([_on(table.day, table.left, day) for table in held.values()])
    n = np.column_stack([_at_risk_when(table, day) for table in held.values()])
    all_d, all_n = d.sum(axis=1), n.sum(axis=1)
    use = all_n > 0
    d, n, all_d, all_n = d[use], n[use], all_d[use], all_n[use]
    share = n / all_n[:, None]
    expected = (share * all_d[:, None]).sum(axis=0)
    factor = all_d * np.divide(all_n - all_d, all_n - 1, out=np.ones_like(all_n), where=all_n > 1)
    variance = np.diag((factor[:, None] * share).sum(axis=0)) - (factor[:, None] * share).T @ share
    off = (d.sum(axis=0) - expected)[:-1]
    statistic = float(off @ np.linalg.pinv(variance[:-1, :-1]) @ off)
    freedom = len(held) - 1
    names = list(held)
    return LogRank(
        statistic,
        freedom,
        float(chi2.sf(statistic, freedom)),
        dict(zip(names, d.sum(axis=0).tolist(), strict=True)),
        dict(zip(names, expected.tolist(), strict=True)),
    )


def _at_risk_when(table: Table, day: Days) -> Array:
    """(m,) at risk on days of which the table may have none."""
    under = np.cumsum(table.entered) - np.cumsum(table.removed)
    before = _step(table.day, under.astype(float), day - 1, 0.0)
    return before + np.where(day == table.day[0], table.entered[0], 0)


def _on(day: Days, values: Days, when: Days) -> Array:
    found = np.zeros(len(when))
    at = np.searchsorted(day, when)
    inside = (at < len(day)) & (day[np.minimum(at, len(day) - 1)] == when)
    found[inside] = values[at[inside]]
    return found


def _step(day: Days, values: Array, when: NDArray[np.int64], before: float) -> Array:
    at = np.searchsorted(day, when, side="right") - 1
    return np.where(at >= 0, values[np.maximum(at, 0)], before) if len(day) else np.full(len(when), before)
