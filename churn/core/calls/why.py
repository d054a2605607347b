"""Why this caller probably calls: chances of the contact reasons, from the caller's own recent facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from churn.core.columns import Array, Columns
from churn.core.leaving.candidates import one_thread
from churn.core.refusals import NotEnoughData

OTHER = "other"
FEWEST_CONTACTS = 300
FEWEST_OF_A_REASON = 30
RAREST_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Chance:
    """One reason with its chance among inbound contacts like this one."""

    reason: str
    chance: float


class LikelyWhy:
    """Chance of each contact reason, learned from past inbound contacts and what was known just before each.

    A boosted multinomial on log loss: its chances need no further calibration. Reasons rarer than one in a hundred
    are one class, `other`.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, X: pd.DataFrame, reason: Sequence[str]) -> Self:
        """Learn from (n, p) raw features just before n contacts and their reasons. Raises NotEnoughData."""
        named = pd.Series(list(reason), dtype="object")
        counts = named.value_counts()
        kept = counts[(counts >= FEWEST_OF_A_REASON) & (counts >= RAREST_SHARE * len(named))].index
        if len(named) < FEWEST_CONTACTS or len(kept) < 2:
            second = int(counts.iloc[1]) if len(counts) > 1 else 0
            raise NotEnoughData(len(named), second, rows_needed=FEWEST_CONTACTS, fewer_needed=FEWEST_OF_A_REASON)
        self.columns_ = Columns(X)
        self.model_ = HistGradientBoostingClassifier(
            max_iter=30, learning_rate=0.1, max_leaf_nodes=8, min_samples_leaf=60, l2_regularization=20.0,
            early_stopping=False, random_state=self.seed,
        )  # fmt: skip
        with one_thread():
            self.model_.fit(self.columns_.codes(X), named.where(named.isin(kept), OTHER).to_numpy(dtype=str))
        self.usual_ = dict(zip(self.model_.classes_.tolist(), self._shares(named, kept), strict=True))
        return self

    def chances(self, X: pd.DataFrame) -> pd.DataFrame:
        """(n, reasons) chances, each row summing to one."""
        return pd.DataFrame(self._predict(self.columns_.codes(X)), columns=self.model_.classes_)

    def rank(self, row: Mapping[str, Any]) -> list[Chance]:
        """The reasons of one caller, likeliest first; `row` holds raw features by name."""
        chances = self._predict(self.columns_.codes_of_rows([row]))[0]
        order = np.argsort(-chances, kind="stable")
        return [Chance(str(self.model_.classes_[i]), float(chances[i])) for i in order]

    def _predict(self, coded: Array) -> Array:
        with one_thread():
            return self.model_.predict_proba(coded)

    def _shares(self, named: pd.Series[str], kept: pd.Index[str]) -> list[float]:
        shares = named.where(named.isin(kept), OTHER).value_counts(normalize=True)
        return [float(shares[name]) for name in self.model_.classes_]
