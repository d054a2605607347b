"""What a log teaches for judging other policies: cross-fitted chances, and how likely each band of amounts was."""

from __future__ import annotations

import numpy as np
import pandas as pd

from churn.core.effects.effect import LOG_COLUMNS, ConcessionEffect
from churn.core.replay.off_policy import BANDS, band_chances, band_of
from churn.core.replay.replay_calls import VALUES, Logged

FOLDS = 3
SEED = 20240501
STAYING_MONTHS = 36
CURVES = {
    "p": len(VALUES),
    "low": len(VALUES),
    "high": len(VALUES),
    "usual": len(VALUES),
    "band_chance": BANDS,
    "staying": STAYING_MONTHS,
}
"""The parts of a kept call's `curves` and how many float32 each has, in order."""


def learn(log: pd.DataFrame, effect: ConcessionEffect, *, folds: int = FOLDS) -> Logged:
    """From a log as `ConcessionEffect.fit` takes it. `effect`, fitted on all of it, supplies the context's features.

    Customers are not told apart: a caller's two calls may fall into two folds.
    """
    n = len(log)
    context = log[[c for c in log.columns if c not in LOG_COLUMNS]]
    expected, heard, usual = np.zeros(n), np.zeros(n), np.zeros((n, len(VALUES)))
    fold = np.random.default_rng(SEED).permutation(n) % folds
    for number in range(folds):
        rows = fold == number
        model = ConcessionEffect(effect.default).fit(log[~rows])
        expected[rows], heard[rows] = model.as_logged(log[rows])
        usual[rows] = model.p_stay(context[rows], VALUES)
    amount = log["amount"].to_numpy(float)
    known = effect.encode(context)
    band = band_of(amount, known.bill)
    return Logged(
        amount=amount,
        stayed=log["stayed"].to_numpy(float),
        expected=expected,
        usual=usual,
        band_chance=band_chances(known.features[:, 1:], heard, band),
        propensity=pd.to_numeric(log["propensity"], errors="coerce").to_numpy(float),
    )
