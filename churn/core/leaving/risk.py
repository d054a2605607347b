"""Who will leave, and why this one: a calibrated chance from any flat table of customers.

`ChurnRisk` is fitted per company: it reads the columns, tries a few models on inner folds, blends the strong ones and
keeps everything needed to score one caller without pandas. Nothing in it is about churn: escalation is a second target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import roc_auc_score

from churn.core.columns import Array, Columns, Design, tokens
from churn.core.leaving.candidates import (
    blend_weights,
    candidates_for,
    folds,
    log_loss_of,
    one_thread,
    quantile_groups,
    useful_derived,
)
from churn.core.refusals import NotEnoughData, leak_suspicions

Progress = Callable[[float, str], None]
Splits = list[tuple[Array, Array]]
MANY_ROWS = 10_000  # three inner folds instead of five
MOST_SELECTION_ROWS = 40_000  # inner selection beyond this only costs time
BATCH_ROWS = 20_000
# What is found out on inner folds, and holds for more rows of the same columns.
CHOSEN = (
    "derived_", "candidates_", "rounds_", "weights_", "intercept_", "losses_", "inner_log_loss_", "inner_auc_",
    "suspicions_",
)  # fmt: skip


class ChurnRisk(ClassifierMixin, BaseEstimator):
    """Calibrated chance of the second class of `y`, from a raw mixed table.

    Parameters
    ----------
    monotone: column name → 1 (chance never falls as it rises) or −1; ignored for names that are not present and for
        columns that are neither numeric nor yes/no.
    seed: everything random follows it.
    min_rows, min_each: fewest rows, and fewest rows of each outcome, to learn from.

    Learned: `classes_`, `feature_names_in_` (raw columns, as in the frame), `derived_` (names of derived columns kept),
    `losses_` (inner log loss by candidate), `weights_` (blend weights by candidate), `inner_auc_`, `inner_log_loss_`,
    `suspicions_` (sentences for the analyst: `leak_suspicions`; fitting never refuses because of them).
    """

    def __init__(
        self, monotone: Mapping[str, int] | None = None, seed: int = 0, *, min_rows: int = 100, min_each: int = 20
    ) -> None:
        self.monotone = monotone
        self.seed = seed
        self.min_rows = min_rows
        self.min_each = min_each

    def fit(
        self, X: pd.DataFrame, y: Any, progress: Progress | None = None, groups: Any = None, *, like: Self | None = None
    ) -> Self:
        """Learn from (n, p) raw columns and n outcomes of two kinds.

        `progress`, if given, is called with the share done (0 to 1) and what is being done. `groups`, if given, are n
        ids: rows of one id, such as a customer at several dates, are never on both sides of an inner fold. `like`: a
        fitted one whose derived columns, blend and rounds are kept, so that nothing is chosen twice; where these rows
        have other columns, or columns to be read in another way, all of it is chosen anew.
        Raises NotEnoughData for too few rows or outcomes; ValueError where X or y cannot be read.
        """
        tell = progress or _silent
        target = self._read_target(X, y)
        with one_thread():
            coded = self._read_columns(X, tell)
            if like is not None and self.columns_.are_read_like(like.columns_):
                self._follow(like)
            else:
                self._find_out(coded, target, groups, tell)
            self._fit_members(coded, target, tell)
        tell(1.0, "done")
        return self

    def predict_proba(self, X: pd.DataFrame) -> Array:
        """(n, 2) chances, columns in the order of `classes_`. Raises ColumnsMissing."""
        chance = self._chance(self.columns_.codes(X))
        return np.column_stack([1 - chance, chance])

    def predict(self, X: pd.DataFrame) -> Array:
        """(n,) the likelier class."""
        return self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]

    def score_rows(self, rows: Sequence[Mapping[str, object]]) -> Array:
        """(n,) chance of the second class for a handful of plain mappings; the same figures as `predict_proba`."""
        return self._chance(self.columns_.codes_of_rows(rows))

    def contributions(self, X: pd.DataFrame) -> pd.DataFrame:
        """What each raw column does to each row's chance: (n, p), in probability, 0.01 is one point.

        Counterfactual occlusion: the chance as it is, less the chance were that one column at its usual value
        (`usual_`) with everything derived from it recomputed. Positive: this value raises the chance. Exact by
        construction, since the model that scored the row scores the changed row too; they need not add up.
        """
        moved = self._moved(self.columns_.codes(X))
        return pd.DataFrame(moved, index=X.index, columns=list(self.columns_.names))[list(self.feature_names_in_)]

    def reasons_of_row(self, row: Mapping[str, object]) -> tuple[float, dict[str, float]]:
        """(chance, contribution by column) of one plain mapping, in one prediction."""
        coded = self.columns_.codes_of_rows([row])
        chances = self._chance(np.vstack([coded, self._at_usual(coded)]))
        return float(chances[0]), dict(zip(self.columns_.names, (chances[0] - chances[1:]).tolist(), strict=True))

    @property
    def usual_(self) -> dict[str, Any]:
        """The usual value of each raw column: median of numbers and dates, commonest level of the rest."""
        return {column.name: column.usual for column in self.columns_.columns}

    def _read_columns(self, X: pd.DataFrame, tell: Progress) -> Array:
        tell(0.02, "reading the columns")
        self.feature_names_in_ = np.array([str(name) for name in X.columns], dtype=object)
        self.columns_ = Columns(X)
        return self.columns_.codes(X)

    def _follow(self, other: Self) -> None:
        for name in CHOSEN:
            setattr(self, name, getattr(other, name))
        self.design_: Design = Design(self.columns_, other.design_.derived, seed=self.seed)

    def _find_out(self, coded: Array, target: Array, groups: Any, tell: Progress) -> None:
        chosen = self._selection_rows(target)
        fixed = frozenset(self._signs_by_column())
        ids = None if groups is None else np.asarray(groups)[chosen]
        splits = [folds(target[chosen], n, self.seed, ids) for n in (2, 3, 5 if len(chosen) <= MANY_ROWS else 3)]
        derived = useful_derived(self.columns_, coded[chosen], target[chosen], splits[1], fixed=fixed, seed=self.seed)
        self.derived_ = [made.name(self.columns_.names) for made in derived]
        self.design_ = Design(self.columns_, derived, seed=self.seed)
        self._choose(coded[chosen], target[chosen], splits[2], tell)
        alone = auc_alone(self.columns_, coded[chosen], target[chosen], splits[0])
        self.suspicions_ = leak_suspicions(self.inner_auc_, alone, {name: tokens(name) for name in alone})

    def _read_target(self, X: pd.DataFrame, y: Any) -> Array:
        if not isinstance(X, pd.DataFrame):
            raise TypeError("The customers must come as a data frame with named columns.")
        outcomes = np.asarray(y)
        if outcomes.shape != (len(X),):
            raise ValueError(f"There are {len(X):,} rows but {outcomes.size:,} outcomes.")
        if pd.isna(outcomes).any():
            raise ValueError(f"The outcome is missing in {int(pd.isna(outcomes).sum()):,} rows.")
        classes, which = np.unique(outcomes, return_inverse=True)
        if len(classes) > 2:
            raise ValueError(f"The outcome has {len(classes)} values; a risk needs exactly two.")
        fewer = int(np.bincount(which, minlength=2).min())
        if len(X) < self.min_rows or fewer < self.min_each:
            raise NotEnoughData(len(X), fewer, rows_needed=self.min_rows, fewer_needed=self.min_each)
        self.classes_ = classes
        self.n_features_in_ = X.shape[1]
        return which.astype(float)

    def _selection_rows(self, target: Array) -> Array:
        if len(target) <= MOST_SELECTION_ROWS:
            return np.arange(len(target))
        return np.sort(np.random.default_rng(self.seed).permutation(len(target))[:MOST_SELECTION_ROWS])

    def _signs_by_column(self) -> dict[int, int]:
        wanted = self.monotone or {}
        columns = enumerate(self.columns_.columns)
        return {
            j: int(np.sign(wanted[c.name])) for j, c in columns if wanted.get(c.name) and (c.is_numeric or c.is_yes_no)
        }

    def _choose(self, coded: Array, target: Array, splits: Splits, tell: Progress) -> None:
        """Try every candidate on inner folds; sets the blend, and the rounds each boosted candidate needs."""
        self.candidates_ = candidates_for(len(target), self.columns_.n_informative)
        logits, rounds = np.empty((len(target), len(self.candidates_))), np.zeros((len(splits), len(self.candidates_)))
        for i, (train, test) in enumerate(splits):
            design = Design(self.columns_, self.design_.derived, seed=self.seed)
            learn = design.fit_transform(coded[train], target[train]), target[train]
            held = design.transform(coded[test]), target[test]
            for k, candidate in enumerate(self.candidates_):
                tell(0.1 + 0.6 * (i + k / len(self.candidates_)) / len(splits), f"trying {candidate.name}")
                logits[test, k], rounds[i, k] = candidate.trial(
                    learn, held, design.signs(self._signs_by_column()), self.seed
                )
        weights, self.intercept_ = blend_weights(logits, target)
        blended = logits @ weights + self.intercept_
        names = [candidate.name for candidate in self.candidates_]
        self.losses_ = {name: log_loss_of(logits[:, k], target) for k, name in enumerate(names)}
        self.weights_ = dict(zip(names, weights.tolist(), strict=True))
        self.inner_log_loss_ = log_loss_of(blended, target)
        self.inner_auc_: float = float(roc_auc_score(target, blended))
        self.rounds_ = [int(r) for r in rounds.mean(axis=0) * 1.1]

    def _fit_members(self, coded: Array, target: Array, tell: Progress) -> None:
        design = self.design_.fit_transform(coded, target)
        signs = self.design_.signs(self._signs_by_column())
        self.members_ = []
        for candidate, n_rounds, weight in zip(self.candidates_, self.rounds_, self.weights_.values(), strict=True):
            if weight > 0:
                tell(0.75, f"fitting {candidate.name}")
                self.members_.append((weight, candidate.final(design, target, signs, n_rounds, self.seed)))

    def _chance(self, coded: Array) -> Array:
        parts = [coded[start : start + BATCH_ROWS] for start in range(0, len(coded), BATCH_ROWS)]
        with one_thread():
            return np.concatenate([self._chance_of_batch(part) for part in parts]) if parts else np.empty(0)

    def _chance_of_batch(self, coded: Array) -> Array:
        design = self.design_.transform(coded)
        z = np.full(len(coded), self.intercept_)
        for weight, member in self.members_:
            z += weight * member.logits(design)
        return np.asarray(expit(z))

    def _at_usual(self, coded: Array) -> Array:
        """(n · p, p): each row p times, with one column at its usual value each time."""
        n_columns = coded.shape[1]
        changed = np.repeat(coded, n_columns, axis=0)
        at = np.tile(np.arange(n_columns), len(coded))
        changed[np.arange(len(changed)), at] = self.columns_.usual_codes[at]
        return changed

    def _moved(self, coded: Array) -> Array:
        chance = self._chance(coded)
        moved = np.empty(coded.shape)
        some = max(BATCH_ROWS // max(coded.shape[1], 1), 1)
        for start in range(0, len(coded), some):
            part = coded[start : start + some]
            usual = self._chance(self._at_usual(part)).reshape(part.shape)
            moved[start : start + some] = chance[start : start + some, None] - usual
        return moved


def auc_alone(columns: Columns, coded: Array, target: Array, splits: Splits) -> dict[str, float]:
    """Held-out AUC of each raw column by itself: the rate of its level or quantile, from the other rows."""
    found = {}
    for j, column in enumerate(columns.columns):
        if column.kind != "skipped":
            which = quantile_groups(coded[:, j]) if column.is_numeric else coded[:, j].astype(int)
            rates = np.empty(len(target))
            for train, test in splits:
                rows = np.bincount(which[train], minlength=which.max() + 1)
                events = np.bincount(which[train], target[train], minlength=which.max() + 1)
                rates[test] = ((events + 5 * target.mean()) / (rows + 5))[which[test]]
            found[column.name] = float(roc_auc_score(target, rates))
    return found


def _silent(share: float, what: str) -> None:
    """Tell nobody."""
