"""What drawing amounts by lot showed: how many stayed in each arm of the trial, and how far apart the arms are.

Arms are what the lot made of what was meant: nothing, less, as meant, more. Each settled call counts by one over the
chance its amount had (Hájek), so that arms compare though they were not drawn alike. Without enough calls an arm says
how many are needed to see a difference of DIFFERENCE.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

Array = NDArray[np.float64]
Z = float(norm.ppf(0.975))

ARMS = ("nothing", "less", "as meant", "more")
AGAINST = "as meant"
DIFFERENCE = 0.05  # of staying, that a trial should be able to see
POWER = 0.8
PENNY = 0.005  # amounts nearer than this are the same


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm: settled calls, mean money given, share that stayed; `lift` against `as meant` with its 95 % interval.

    `needed`: calls an arm must have to see a difference of five points four times in five; with fewer, or no arm to
    compare with, `lift` is None.
    """

    arm: str
    calls: int
    amount: float
    stayed: float
    needed: int
    lift: float | None = None
    low: float | None = None
    high: float | None = None


def needed(stayed: float, difference: float = DIFFERENCE) -> int:
    """Calls an arm needs: 2 p (1 − p) · ((z₀.₉₇₅ + z₀.₈) / difference)²."""
    return math.ceil(2 * stayed * (1 - stayed) * ((Z + float(norm.ppf(POWER))) / difference) ** 2)


def arms(log: pd.DataFrame) -> list[Arm]:
    """The arms that were drawn, in the order of ARMS.

    `log`: a row a settled call with amount, intended_amount, propensity and stayed; calls that were not drawn (no
    propensity, or nothing meant) are left out.
    """
    amount, meant, chance, stayed = (
        np.asarray(pd.to_numeric(log[name], errors="coerce"), float)
        for name in ("amount", "intended_amount", "propensity", "stayed")
    )
    drawn = np.isfinite(meant) & (meant > 0) & (chance > 0) & (chance < 1) & np.isfinite(stayed)
    amount, meant, chance, stayed = amount[drawn], meant[drawn], chance[drawn], stayed[drawn]
    if not len(stayed):
        return []
    ways = (
        amount == 0,
        (amount > 0) & (amount < meant - 0.005),
        np.abs(amount - meant) <= 0.005,
        amount > meant + 0.005,
    )
    which = dict(zip(ARMS, ways, strict=True))
    least = needed(float(stayed.mean()))
    usual = _mean(stayed[which[AGAINST]], chance[which[AGAINST]])
    found = []
    for name, some in which.items():
        if not some.any():
            continue
        middle, error = _mean(stayed[some], chance[some])
        made: dict[str, Any] = {
            "arm": name, "calls": int(some.sum()), "amount": float(amount[some].mean()), "stayed": middle,
            "needed": least,
        }  # fmt: skip
        if name != AGAINST and min(some.sum(), which[AGAINST].sum()) >= least:
            lift, half = middle - usual[0], Z * math.hypot(error, usual[1])
            made |= {"lift": lift, "low": lift - half, "high": lift + half}
        found.append(Arm(**made))
    return found


def _mean(stayed: Array, chance: Array) -> tuple[float, float]:
    """Weighted mean and its standard error; nan for an empty arm."""
    if not len(stayed):
        return math.nan, math.nan
    weight = 1 / chance
    middle = float(np.average(stayed, weights=weight))
    return middle, float(np.sqrt(np.sum((weight * (stayed - middle)) ** 2)) / weight.sum())
