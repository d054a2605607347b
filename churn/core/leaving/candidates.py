"""Candidates: which derived columns and which models a company's data deserve.

Derived columns are proposed from every pair and every set of like-named columns, and kept only where they explain what
a first model left over. Models are compared by log loss on inner folds; only strong ones are blended, and the blend's
weights, fitted on the same held-out log odds, are the calibration.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.linalg import cholesky, solve, solve_triangular
from scipy.optimize import lsq_linear, minimize
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils.parallel import _get_threadpool_controller

from churn.core.columns import Array, Columns, Derived, Design, tokens

BINS = 24  # quantile groups in which a leftover is summed
NOTABLE = 4.5  # standard deviations above chance before a derived column is kept
MOST_KEPT = 16
WIDEST = 40  # numeric columns paired with one another


class SplineLogistic:
    """Additive logistic regression: rising quadratic splines of every amount, 0/1 columns as they are, ridge penalty.

    Each spline basis function climbs from 0 to 1 between knots and stays there (an I-spline, Ramsay 1988), so the ridge
    penalises the slope, nothing runs away beyond the data, and signed coefficients make the curve monotone exactly.
    """

    def __init__(self, *, signs: Array, penalty: float = 3.0, n_knots: int = 9) -> None:
        self.signs, self.penalty, self.n_knots = signs, penalty, n_knots

    def fit(self, design: Array, target: Array) -> SplineLogistic:
        """Fit on (n, d) design (NaN: missing) and a 0/1 target."""
        self._place_knots(design)
        basis = self._basis(design)
        self.coef_ = self._solve(basis, target)
        return self

    def logits(self, design: Array) -> Array:
        """(n,) log odds."""
        return self._basis(design) @ self.coef_[1:] + self.coef_[0]

    def _place_knots(self, design: Array) -> None:
        columns, knots, bounds, self.gaps_, self.fill_ = [], [], [], [], np.zeros(design.shape[1])
        for k in range(design.shape[1]):
            held = design[np.isfinite(design[:, k]), k]
            if len(held) < len(design) and 10 <= len(held) <= len(design) - 10:
                self.gaps_.append(k)
            if not held.size or np.ptp(held) == 0:
                continue
            self.fill_[k] = np.median(held)
            for left, middle, right in rising_knots(held, self.n_knots):
                columns.append(k)
                knots.append((left, middle, right))
                bounds.append(self.signs[k])
        self.columns_ = np.array(columns, dtype=np.intp)
        self.knots_ = np.array(knots, dtype=float).reshape(-1, 3)
        self.bounds_ = np.array([*bounds, *np.zeros(len(self.gaps_))], dtype=int)

    def _basis(self, design: Array) -> Array:
        filled = np.where(np.isfinite(design), design, self.fill_)[:, self.columns_]
        left, middle, right = self.knots_.T
        x = np.clip(filled, left, right)
        rise = (x - left) ** 2 / ((middle - left) * (right - left))
        fall = 1.0 - (right - x) ** 2 / ((right - middle) * (right - left))
        return np.hstack([np.where(x < middle, rise, fall), ~np.isfinite(design[:, self.gaps_])])

    def _solve(self, basis: Array, target: Array, steps: int = 25) -> Array:
        """Newton's method; where signs are declared each step is a bounded least squares problem."""
        basis = np.column_stack([np.ones(len(basis)), basis])
        signs, ridge = np.append(0, self.bounds_), np.append(1e-9, np.full(basis.shape[1] - 1, self.penalty))
        coef, best = np.zeros(basis.shape[1]), np.inf
        for _ in range(steps):
            z = basis @ coef
            p = expit(z)
            curve = (basis * (p * (1 - p))[:, None]).T @ basis + np.diag(ridge)
            slope = basis.T @ (target - p) - ridge * coef
            coef, value = self._step(basis, target, coef, signed_solution(curve, curve @ coef + slope, signs), ridge)
            if best - value < 1e-6 * abs(value):
                break
            best = value
        return coef

    def _step(self, basis: Array, target: Array, coef: Array, goal: Array, ridge: Array) -> tuple[Array, float]:
        """The furthest of a full, half, quarter … step to `goal` that does not raise the penalised loss."""

        def loss(at: Array) -> float:
            z = basis @ at
            return float(np.logaddexp(0.0, z).sum() - target @ z + 0.5 * ridge @ at**2)

        now = loss(coef)
        for share in (1.0, 0.5, 0.25, 0.1):
            value = loss(coef + share * (goal - coef))
            if value <= now:
                return coef + share * (goal - coef), value
        return coef, now


def signed_solution(curve: Array, pull: Array, signs: Array) -> Array:
    """Minimiser of ½ x'·curve·x − pull·x with x ≥ 0 where the sign is 1 and x ≤ 0 where it is −1."""
    if not signs.any():
        return np.asarray(solve(curve, pull, assume_a="pos"))
    root = cholesky(curve)
    bounds = np.where(signs > 0, 0.0, -np.inf), np.where(signs < 0, 0.0, np.inf)
    found: Any = lsq_linear(root, solve_triangular(root, pull, trans="T"), bounds=bounds, method="bvls")
    return np.asarray(found.x)


def rising_knots(values: Array, n_knots: int) -> list[tuple[float, float, float]]:
    """(left, middle, right) of each rising function over the quantiles of `values`; two values get one step."""
    knots = np.unique(np.quantile(values, np.linspace(0.0, 1.0, n_knots)))
    if len(knots) < 3:
        low, high = float(values.min()), float(values.max())
        return [(low, (low + high) / 2, high)]
    ends = [2 * knots[0] - knots[1], *knots, 2 * knots[-1] - knots[-2]]
    return [(float(ends[i]), float(ends[i + 1]), float(ends[i + 2])) for i in range(len(ends) - 2)]


def propose_derived(columns: Columns, coded: Array, paired: Sequence[int]) -> list[Derived]:
    """Totals and differences of like-named columns, differences of dates, and every ratio among `paired` columns."""
    groups = like_groups(columns.names, paired)
    found = [Derived("total", group) for group in groups]
    found += [Derived("less", pair) for group in groups for pair in combinations(group, 2)]
    dates = [j for j in paired if columns.columns[j].kind == "date"]
    found += [Derived("less", pair) for pair in combinations(dates, 2)]
    zeros = (coded == 0).sum(axis=0)
    for first, second in combinations([j for j in paired if j not in dates], 2):
        found.append(Derived("per", (first, second) if zeros[first] >= zeros[second] else (second, first)))
    return list(dict.fromkeys(found))


def like_groups(names: Sequence[str], among: Sequence[int]) -> list[tuple[int, ...]]:
    """Sets of columns whose names differ in one word, or begin or end with the same word."""
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for j in among:
        words = tokens(names[j])
        if len(words) > 1:
            for key in [
                ("first", words[0]),
                ("last", words[-1]),
                *((words[:k], words[k + 1 :]) for k in range(len(words))),
            ]:
                groups[key].append(j)
    return sorted({tuple(group) for group in groups.values() if len(group) > 1})


def quantile_groups(values: Array) -> Array:
    """(n,) group 0 … BINS−1 of each value by quantile; missing values are group BINS."""
    held = np.isfinite(values)
    which = np.full(len(values), BINS)
    if held.any():
        edges = np.unique(np.quantile(values[held], np.linspace(0.0, 1.0, BINS + 1)[1:-1]))
        which[held] = np.searchsorted(edges, values[held], side="right")
    return which


def leftover(which: Array, slip: Array, curve: Array) -> float:
    """How far the leftovers `slip` (y − p), summed by group, are from chance, in standard deviations of a χ²."""
    total, spread = np.bincount(which, slip, BINS + 1), np.bincount(which, curve, BINS + 1)
    seen = spread > 0
    freedom = max(int(seen.sum()) - 1, 1)
    return float(((total[seen] ** 2 / spread[seen]).sum() - freedom) / np.sqrt(2 * freedom))


def useful_derived(
    columns: Columns,
    coded: Array,
    target: Array,
    splits: list[tuple[Array, Array]],
    *,
    fixed: frozenset[int],
    seed: int,
) -> list[Derived]:
    """The derived columns that explain what a first model leaves over, the strongest first, each given the ones before.

    `fixed` are columns with a declared sign; they enter no derived column, or the sign would not hold.
    """
    open_ = [j for j, c in enumerate(columns.columns) if c.is_numeric and j not in fixed]
    paired = [j for j in open_ if len(np.unique(coded[:5000, j])) > 4]
    if len(paired) < 2:
        return []
    chance = out_of_fold(columns, coded, target, splits, seed)
    slip, curve = target - chance, chance * (1 - chance)
    alone = {j: leftover(quantile_groups(coded[:, j]), slip, curve) for j in paired}
    if len(paired) > WIDEST:
        plain = {j: leftover(quantile_groups(coded[:, j]), target - target.mean(), curve) for j in paired}
        paired = sorted(sorted(paired, key=lambda j: -plain[j])[:WIDEST])
    proposed = []
    for made in propose_derived(columns, coded, paired):
        which = quantile_groups(made.values(coded)).astype(np.int8)
        found = leftover(which, slip, curve)
        if found > max(NOTABLE, 1.0 + max(alone[j] for j in made.parts)):
            proposed.append((found, made, which))
    proposed.sort(key=lambda entry: -entry[0])
    return forward_choice([(made, which) for _, made, which in proposed[:150]], slip, curve)


def forward_choice(proposed: list[tuple[Derived, Array]], slip: Array, curve: Array) -> list[Derived]:
    """Take the strongest, remove what it explains, and again, until nothing notable is left."""
    kept: list[Derived] = []
    while proposed and len(kept) < MOST_KEPT:
        strengths = [leftover(which, slip, curve) for _, which in proposed]
        best = int(np.argmax(strengths))
        if strengths[best] < NOTABLE:
            break
        made, which = proposed.pop(best)
        kept.append(made)
        explained = np.bincount(which, slip, BINS + 1) / (np.bincount(which, curve, BINS + 1) + 5.0)
        slip = slip - curve * explained[which]
    return kept


def out_of_fold(columns: Columns, coded: Array, target: Array, splits: list[tuple[Array, Array]], seed: int) -> Array:
    """(n,) chance of each row by a first boosted model that has not seen it."""
    chance = np.empty(len(target))
    for train, test in splits:
        design = Design(columns, seed=seed)
        model = boosted({"learning_rate": 0.08, "max_leaf_nodes": 15, "max_features": 0.3}, len(train), 120, seed=seed)
        model.fit(design.fit_transform(coded[train], target[train]), target[train])
        chance[test] = model.predict_proba(design.transform(coded[test]))[:, 1]
    return chance


def folds(target: Array, n_folds: int, seed: int, groups: Array | None = None) -> list[tuple[Array, Array]]:
    """Train and test rows of stratified, shuffled folds; rows of one group stay together."""
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    return list(kind(n_folds, shuffle=True, random_state=seed).split(np.zeros(len(target)), target, groups))


def boosted(
    settings: Mapping[str, Any], n_rows: int, rounds: int, *, seed: int, signs: Array | None = None, **more: Any
) -> HistGradientBoostingClassifier:
    """An unfitted boosted model; leaves grow with the number of rows, and no class is ever weighted."""
    return HistGradientBoostingClassifier(
        **{"min_samples_leaf": int(np.clip(n_rows // 500, 10, 60)), "l2_regularization": 5.0, **settings},
        max_iter=rounds,
        monotonic_cst=None if signs is None or not signs.any() else signs,
        random_state=seed,
        **{"early_stopping": False, **more},
    )


class Additive:
    """Candidate: the spline logistic."""

    name = "spline logistic"

    def trial(
        self, train: tuple[Array, Array], test: tuple[Array, Array], signs: Array, seed: int
    ) -> tuple[Array, int]:
        """(held-out log odds, rounds) of one inner fold."""
        del seed
        return SplineLogistic(signs=signs).fit(*train).logits(test[0]), 0

    def final(self, design: Array, target: Array, signs: Array, rounds: int, seed: int) -> Member:
        """Fit on all rows."""
        del rounds, seed
        return SplineLogistic(signs=signs).fit(design, target)


@dataclass(frozen=True)
class Boosted:
    """Candidate: boosted trees with these settings; the number of rounds is found on the inner folds."""

    name: str
    settings: Mapping[str, Any]
    most_rounds: int = 600
    n_seeds: int = 1

    def trial(
        self, train: tuple[Array, Array], test: tuple[Array, Array], signs: Array, seed: int
    ) -> tuple[Array, int]:
        """(held-out log odds, rounds) of one inner fold, stopped where its log loss stops falling."""
        stop = {"early_stopping": True, "scoring": "loss", "n_iter_no_change": 25, "tol": 0.0}
        model = boosted(self.settings, len(train[1]), self.most_rounds, seed=seed, signs=signs, **stop)
        model.fit(*train, X_val=test[0], y_val=test[1])
        return np.asarray(model.decision_function(test[0])), max(int(np.argmax(model.validation_score_)), 10)

    def final(self, design: Array, target: Array, signs: Array, rounds: int, seed: int) -> Member:
        """Fit on all rows, averaged over seeds."""
        models = [boosted(self.settings, len(target), rounds, seed=seed + k, signs=signs) for k in range(self.n_seeds)]
        return Averaged([model.fit(design, target) for model in models])


class Averaged:
    """Boosted models that differ in their seed; their log odds are averaged."""

    def __init__(self, models: Sequence[HistGradientBoostingClassifier]) -> None:
        self.models = list(models)

    def logits(self, design: Array) -> Array:
        """(n,) log odds."""
        return np.asarray(sum(model.decision_function(design) for model in self.models) / len(self.models))


Member = SplineLogistic | Averaged
Candidate = Additive | Boosted


SMALL = Boosted(
    "small trees", {"learning_rate": 0.05, "max_leaf_nodes": 5, "max_features": 0.4, "l2_regularization": 1.0}
)
MEDIUM = Boosted(
    "medium trees", {"learning_rate": 0.04, "max_leaf_nodes": 12, "max_features": 0.8, "l2_regularization": 1.0}
)
BROAD = Boosted("broad trees", {"learning_rate": 0.08, "max_leaf_nodes": 10, "max_features": 0.4}, 400)
LARGE = Boosted(
    "large trees",
    {"learning_rate": 0.06, "max_leaf_nodes": 24, "max_features": 0.3, "l2_regularization": 10.0},
    most_rounds=400,
    n_seeds=2,
)


def candidates_for(n_rows: int, n_features: int) -> list[Candidate]:
    """The models worth trying on a design of this size; without any feature, the base rate alone."""
    if not n_features:
        return [Additive()]
    return [Additive(), BROAD, LARGE] if n_rows > 20_000 else [Additive(), SMALL, MEDIUM]


def one_thread() -> AbstractContextManager[Any]:
    """Hold OpenMP and BLAS to one thread while it lasts.

    On a machine with other work, idle threads that spin made one fit forty times slower (3.7 s against 148 s), and one
    caller is scored faster by one thread anyway. It also keeps sums, and so figures, the same on every machine.
    """
    return _get_threadpool_controller().limit(limits=1)


def log_loss_of(logits: Array, target: Array) -> float:
    """Mean log loss of log odds."""
    return float(np.mean(np.logaddexp(0.0, logits) - target * logits))


def blend_weights(logits: Array, target: Array, *, weak: float = 0.08, least: float = 0.1) -> tuple[Array, float]:
    """(k,) weights and an intercept for the (n, k) held-out log odds of k candidates.

    A candidate that loses more than `weak` of the best one's gain over the base rate gets no weight, nor does one whose
    weight would be under `least`. The weights' sum is the calibration slope, held near 1 as if by 25 rows of evidence.
    """
    losses = np.array([log_loss_of(logits[:, k], target) for k in range(logits.shape[1])])
    base = float(target.mean())
    null = log_loss_of(np.full(len(target), np.log(base / (1 - base))), target)
    kept = np.flatnonzero(losses <= losses.min() + weak * max(null - losses.min(), 0.0))
    while True:
        weights, intercept = _stack(logits[:, kept], target)
        if len(kept) == 1 or weights.min() >= least:
            break
        kept = np.delete(kept, int(np.argmin(weights)))
    full = np.zeros(logits.shape[1])
    full[kept] = weights
    return full, intercept


def _stack(logits: Array, target: Array) -> tuple[Array, float]:
    n_members = logits.shape[1]

    def loss(at: Array) -> tuple[float, Array]:
        z = logits @ at[:-1] + at[-1]
        slip = expit(z) - target
        slope = at[:-1].sum() - 1
        value = np.logaddexp(0.0, z).sum() - target @ z + 12.5 * slope**2
        return float(value), np.append(logits.T @ slip + 25.0 * slope, slip.sum())

    start = np.append(np.full(n_members, 1 / n_members), 0.0)
    bounds = [(0.0, None)] * n_members + [(None, None)]
    found: Any = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x[:-1]), float(found.x[-1])
