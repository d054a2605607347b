"""Which strata, and whether numbers bend: chosen by calibration at landmarks on held-out customers.

Not by concordance: parametric curves rank as well and miss by half.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
from lifelines.utils import concordance_index
from scipy.special import xlogy
from sklearn.model_selection import StratifiedKFold

from churn.core.columns import Column
from churn.core.staying.cox import CoxMaker
from churn.core.staying.exposure import Exposure
from churn.core.staying.survival_design import EVENTS_PER_STRATUM

Array = np.ndarray[Any, Any]
Candidate = tuple[tuple[int, ...], bool]  # strata columns, and whether numbers bend

MOST_LEVELS = 6  # of a column that may become a stratum
BAND_MONTHS = 12.0  # a year of tenure follows each landmark
CHOICE_ROWS = 6_000  # customers the choice is made on
TIE = 0.02  # calibration errors closer than this are equal, and concordance decides


def choose(maker: CoxMaker, codes: Array, rows: Exposure, seed: int) -> tuple[Candidate, list[dict[str, Any]]]:
    """The candidate with the best landmark calibration on held-out customers, and what each got."""
    able = [j for j in maker.used if _may_stratify(maker.columns[j], codes[:, j], rows.event)]
    if len(codes) > CHOICE_ROWS:
        some = np.random.default_rng(seed).choice(len(codes), CHOICE_ROWS, replace=False)
        codes, rows = codes[some], rows.take(some)
    judge = _Judge(maker, codes, rows, seed)
    plain = judge.held_out((), False)
    leading = sorted(able, key=lambda j: -judge.misfit(plain, codes[:, j]))[:3]
    judge.groups = [codes[:, j] for j in leading]
    tried: dict[Candidate, tuple[float, float]] = {((), False): judge.score(plain)}
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


def _best(tried: dict[Candidate, tuple[float, float]]) -> Candidate:
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

    def __init__(self, maker: CoxMaker, codes: Array, rows: Exposure, seed: int) -> None:
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
            placed = cox.place(self.codes[test])
            hazard = cox.cumulative(placed, self.spans[test])
            expected[test] = hazard[:, bands:] - hazard[:, :bands]
            everywhere = np.broadcast_to(self.edges[1:], (len(test), bands))
            stay[test] = np.exp(-cox.cumulative(placed, everywhere)).mean(axis=1)
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
