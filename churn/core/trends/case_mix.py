"""What callers who came to cancel would have done with anybody: the chance of staying from what was known before.

A case's expectation never comes from its own agent: agents are dealt into folds, and each fold's calls are judged by a
model of the other folds' calls. So an agent who talks everybody into staying raises nobody's expectation but others'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from churn.core.columns import Array, Columns, Design
from churn.core.leaving.candidates import SMALL, SplineLogistic, one_thread
from churn.core.leaving.judge import judge
from churn.core.refusals import NotEnoughData

FOLDS = 5
ROUNDS = 150  # of small trees at a learning rate of 0.05; more gain nothing on a few thousand calls
FEWEST, FEWEST_EACH = 200, 40  # calls whose outcome is known, and of each outcome
NOT_BEFORE = frozenset({"last_reason", "days_since_contact"})  # a call's own coding may reach them


@dataclass(frozen=True, slots=True)
class Expected:
    """(n,) chances of staying, and how good they are on calls the model of each had not seen."""

    chance: Array
    auc: float
    calibration_error: float


def expect(frame: pd.DataFrame, stayed: Array, is_known: Array, agents: Array, *, seed: int = 0) -> Expected:
    """Chances of staying for (n, p) columns known before each call.

    `stayed`: (n,) 0 or 1, read only where `is_known` (n,), the others being calls whose window is not over. `agents`:
    (n,) who had the call. Raises NotEnoughData for too few calls, outcomes, or agents.
    """
    known = np.asarray(is_known, bool)
    target = np.asarray(stayed, float)
    _refuse_few(target[known], np.unique(np.asarray(agents)[known]))
    names = [name for name in frame.columns if name not in NOT_BEFORE]
    logits = np.full(len(frame), np.nan)
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed).split(frame, groups=np.asarray(agents))
    with one_thread():
        for train, test in folds:
            learn = train[known[train]]
            logits[test] = _logits(frame[names], learn, test, target[learn], seed)
    chance = np.asarray(expit(logits))
    told = judge(target[known], chance[known])
    return Expected(chance, float(roc_auc_score(target[known], chance[known])), float(told["calibration_error"]))


def _logits(frame: pd.DataFrame, learn: Any, test: Any, target: Array, seed: int) -> Array:
    """The mean log odds of an additive model and of small trees: near alike, and steadier together."""
    columns = Columns(frame.iloc[learn])
    design = Design(columns, seed=seed)
    known = design.fit_transform(columns.codes(frame.iloc[learn]), target)
    asked = design.transform(columns.codes(frame.iloc[test]))
    free = np.zeros(known.shape[1], dtype=int)
    additive = SplineLogistic(signs=free).fit(known, target).logits(asked)
    trees = SMALL.final(known, target, free, ROUNDS, seed).logits(asked)
    return np.asarray((additive + trees) / 2)


def _refuse_few(target: Array, agents: Array) -> None:
    fewer = int(min(target.sum(), len(target) - target.sum())) if len(target) else 0
    if len(target) < FEWEST or fewer < FEWEST_EACH or len(agents) < FOLDS:
        raise NotEnoughData(len(target), fewer, rows_needed=FEWEST, fewer_needed=FEWEST_EACH)
