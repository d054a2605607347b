"""What another policy would have come to on calls already answered, with an interval and how many calls speak for it.

Doubly robust: the outcome model's chance at the amount the other policy gives, corrected by what truly happened where
it would have given about what was given: `m(x, π) + w · (y − m(x, a, h))`, w the inverse of the chance that such a
call got an amount of that band. h is what the agent heard (`churn.core.effects.control`): agents give more to those
who sound serious, so without it the correction would carry the very confounding it is to mend. Weights are clipped,
then normalised to mean 1 (Hájek). Models are cross-fitted: no call is judged by a model that saw it.

The interval holds the error of the correction, what the outcome model may be off where no call corrects it, and the
chance of as many calls: what would have happened in them, not what would happen on average. Source: Robins, Rotnitzky
and Zhao (1994); Dudík, Langford and Li (2011); Kish (1965) for the effective sample size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from churn.core.leaving.candidates import one_thread
from churn.core.replay.replay_calls import Array, Ints, Logged

EDGES = (0.0, 0.25, 0.5, 1.0, 2.0)  # of a month's bill: nothing, up to a quarter, a half, one bill, two, more
BANDS = len(EDGES) + 1
CLIP = 10.0  # the most one call may count for
LEAST_CHANCE = 0.005
ENOUGH = 50  # comparable calls below which an estimate says so


@dataclass(frozen=True, slots=True)
class Estimate:
    """A total over the calls with its interval. `effective`: so many equally comparable calls would say as much."""

    total: float
    low: float
    high: float
    effective: float

    @property
    def is_enough(self) -> bool:
        """Whether enough calls are comparable to measure by."""
        return self.effective >= ENOUGH


@dataclass(frozen=True, slots=True)
class Judged:
    """One policy over n calls, (n,) each: chance of staying by the model, surprises weighed, what is left to chance.

    `effective`: so many equally comparable calls would say as much.
    """

    chance: Array
    surprise: Array
    variance: Array
    effective: float

    def total(self, each: Array, *, level: float = 0.9) -> Estimate:
        """Σ each·stays, for what staying brings or costs in each call (n,)."""
        middle = float(each @ (self.chance + self.surprise))
        wide = float(norm.ppf(0.5 + level / 2)) * math.sqrt(float((each**2) @ self.variance))
        return Estimate(middle, middle - wide, middle + wide, self.effective)


def band_of(amount: Array, monthly_bill: Array) -> Ints:
    """(n,) which band an amount is in, by the bill; both in the same unit."""
    share = amount / np.maximum(monthly_bill, 1e-9)
    return np.where(amount > 0, 1 + np.searchsorted(EDGES[1:], share, side="left"), 0)


def band_chances(features: Array, heard: Array, band: Ints) -> Array:
    """(n, BANDS) how likely each band was in such a call, by its context (n, d) and what was heard (n,)."""
    design = np.column_stack([features, heard, heard**2])
    spread = design.std(axis=0)
    design = (design - design.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    found = np.zeros((len(band), BANDS))
    if len(np.unique(band)) < 2:
        found[:, band] = 1.0
        return found
    with one_thread():
        model = LogisticRegression(C=0.1, max_iter=300).fit(design, band)
        found[:, model.classes_] = model.predict_proba(design)
    return found


def judge(logged: Logged, monthly_bill: Array, amount: Array, chance: Array) -> Judged:
    """A policy that gives `amount` (n,) in each call, where the model expects `chance` (n,) to stay. Major units."""
    given, wanted = band_of(logged.amount, monthly_bill), band_of(amount, monthly_bill)
    rows = np.arange(len(given))
    likely = logged.band_chance[rows, given]
    likely = np.fmax(likely, logged.propensity)  # where a trial drew it: never less likely than its own draw
    alike = given == wanted
    weight = np.where(alike, np.minimum(1.0 / np.maximum(likely, LEAST_CHANCE), CLIP), 0.0)
    total = weight.sum()
    if total <= 0:
        return Judged(chance, np.zeros(len(rows)), chance * (1 - chance), 0.0)
    even = weight * len(rows) / total
    surprise = logged.stayed - logged.expected
    # Where about the same was given the outcome is the one that was seen, so its surprise counts once without error.
    variance = np.where(alike, ((even - 1.0) * surprise) ** 2, chance * (1 - chance))
    return Judged(chance, even * surprise, variance, float(total**2 / (weight**2).sum()))
