"""Same facts, same amount: how far apart the amounts of near-identical cases are, in all and for each group.

Near-identical: the same plan and reason to call, and tenure, bill and worth each within a quarter of a standard
deviation on scales on which a step means about the same everywhere. A group's figure compares each of its cases with
near-identical ones outside it: what is left cannot come from the facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import norm

Array = NDArray[np.float64]
NEAR = 0.25  # standard deviations
FEWEST = 30  # cases with a near-identical one
MOST_LEVELS = 12  # a group of more values names people


@dataclass(frozen=True, slots=True)
class Likeness:
    """One group against everybody else, or all cases (`cut` and `value` are `all`). Major units."""

    cut: str
    value: str
    cases: int
    spread: float  # median difference to a near-identical case
    above: float  # mean amount above near-identical cases outside the group; of all cases 0
    low: float
    high: float


def likeness(
    facts: pd.DataFrame, amounts: Array, groups: Mapping[str, NDArray[np.object_]], *, level: float = 0.95
) -> list[Likeness]:
    """All cases first, then every group with enough near-identical cases.

    `facts`: plan, reason, tenure_months, monthly_bill, worth for (n,) cases; `groups`: cut → (n,) values, None where
    not known.
    """
    left, right = _pairs(facts)
    if len(left) == 0:
        return []
    gaps = np.abs(amounts[left] - amounts[right])
    alike = len(np.unique(left))
    if alike < FEWEST:
        return []
    found = [Likeness("all", "all", alike, float(np.median(gaps)), 0.0, 0.0, 0.0)]
    z = float(norm.ppf(0.5 + level / 2))
    for cut, values in groups.items():
        known = np.array([value is not None for value in values], bool)
        levels = sorted({str(value) for value in values[known]})
        if not 2 <= len(levels) <= MOST_LEVELS:
            continue
        names = np.array([str(value) for value in values], object)
        for name in levels:
            across = (names[left] == name) & known[left] & known[right] & (names[right] != name)
            held = _against_others(left[across], right[across], amounts, z)
            if held is not None:
                found.append(Likeness(cut, name, *held))
    return found


def _against_others(
    mine: NDArray[np.int64], others: NDArray[np.int64], amounts: Array, z: float
) -> tuple[int, float, float, float, float] | None:
    """Cases, spread, mean above and its ends for one group; None where too few have a near-identical case outside."""
    frame = pd.DataFrame({"case": mine, "other": amounts[others], "gap": np.abs(amounts[mine] - amounts[others])})
    means = frame.groupby("case")["other"].mean()
    if len(means) < FEWEST:
        return None
    above = amounts[means.index.to_numpy()] - means.to_numpy()
    # Those outside are used again and again: their own spread counts as that of as many cases as they are.
    distinct = amounts[np.unique(others)]
    error = np.sqrt(above.var(ddof=1) / len(above) + distinct.var(ddof=1) / max(len(distinct), 2))
    middle = float(above.mean())
    return len(means), float(frame["gap"].median()), middle, middle - z * float(error), middle + z * float(error)


def _pairs(facts: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both ways of every pair of near-identical cases."""
    scales = np.column_stack(
        [np.log1p(facts["tenure_months"].clip(lower=0)), np.log1p(facts["monthly_bill"].clip(lower=0)),
         np.arcsinh(facts["worth"] / 100)]
    ).astype(float)  # fmt: skip
    usable = np.isfinite(scales).all(axis=1) & facts["plan"].notna().to_numpy() & facts["reason"].notna().to_numpy()
    spread = scales[usable].std(axis=0) if usable.any() else np.ones(3)
    scales = scales / np.where(spread > 0, spread, 1.0)
    left: list[NDArray[np.int64]] = []
    for _, rows in facts.reset_index(drop=True)[usable].groupby(["plan", "reason"]):
        at = rows.index.to_numpy()
        pairs = cKDTree(scales[at]).query_pairs(NEAR, p=np.inf, output_type="ndarray")
        left.append(at[pairs])
    both = np.concatenate(left) if left else np.empty((0, 2), np.int64)
    return np.concatenate([both[:, 0], both[:, 1]]), np.concatenate([both[:, 1], both[:, 0]])
