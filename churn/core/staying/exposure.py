"""When customers were under observation, which is what a survival model learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Exposure:
    """When n customers were under observation, (n,) each: from just after `entry` to `duration` months of tenure.

    `event`: whether they left then; otherwise they were still here, or lost from sight.
    """

    entry: Array
    duration: Array
    event: Array

    @classmethod
    def read(cls, entry: Array | float, duration: Array, event: Array, n_rows: int) -> Exposure:
        """Times as they come, an entry for all or one each; who left by the month of entry counts half a month.

        Raises ValueError when lengths differ from `n_rows`, and on missing or negative times.
        """
        until = np.asarray(duration, dtype=float)
        since = np.broadcast_to(np.asarray(entry, dtype=float), until.shape)
        left = np.asarray(event).astype(bool)
        if until.shape != (n_rows,) or left.shape != (n_rows,):
            raise ValueError(f"There are {n_rows} customers, {until.size} durations and {left.size} events.")
        if not (np.isfinite(until).all() and np.isfinite(since).all() and (since >= 0).all() and (until >= 0).all()):
            raise ValueError("Tenure at entry and at exit must be known and not negative.")
        return cls(since, np.where(left & (until <= since), since + 0.5, until), left)

    def observed(self) -> Array:
        """Indices of those who were ever under observation."""
        return np.flatnonzero(self.duration > self.entry)

    def take(self, rows: Array) -> Exposure:
        """The same of some rows, by index."""
        return Exposure(self.entry[rows], self.duration[rows], self.event[rows])

    def at_risk(self, when: Array, weight: Array) -> Array:
        """(k,) summed `weight` (n,) of those under observation just before each time `when` (k,)."""
        return _sum_from(self.duration, when, weight) - _sum_from(self.entry, when, weight)


def _sum_from(times: Array, when: Array, weight: Array) -> Array:
    order = np.argsort(times, kind="stable")
    beyond = np.concatenate([np.cumsum(weight[order][::-1])[::-1], [0.0]])
    return beyond[np.searchsorted(times[order], when, side="left")]
