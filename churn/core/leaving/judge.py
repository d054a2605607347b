"""How good a risk model is on customers it has not seen: what the analyst sees."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

Array = np.ndarray[Any, Any]
BINS = 10


def judge(outcome: Array, chance: Array) -> dict[str, Any]:
    """Discrimination, calibration and lift of (n,) chances against (n,) outcomes of 0 and 1.

    `calibration`: ten groups of equal size by chance, each with its mean chance, observed rate and size;
    `calibration_error`: their mean absolute difference weighted by size (Naeini et al. 2015); `lift_top_decile`: rate
    among the tenth with the highest chance over the rate of all. Customers with the same chance count as their mean, so
    that no figure depends on the order of the rows. Raises ValueError when only one outcome is there.
    """
    base = float(np.mean(outcome))
    if not 0 < base < 1:
        raise ValueError("A model is judged on customers of whom some left and some stayed.")
    order = np.argsort(-chance, kind="stable")
    top = order[: max(len(order) // 10, 1)]
    bins = calibration(outcome, chance)
    return {
        "rows": len(outcome),
        "left": int(np.sum(outcome)),
        "rate": base,
        "auc": float(roc_auc_score(outcome, chance)),
        "log_loss": float(log_loss(outcome, chance, labels=[0, 1])),
        "log_loss_of_the_rate": float(log_loss(outcome, np.full(len(outcome), base), labels=[0, 1])),
        "brier": float(brier_score_loss(outcome, chance)),
        "lift_top_decile": float(np.mean(_shared(outcome, chance)[top]) / base),
        "calibration_error": sum(b["rows"] * abs(b["chance"] - b["rate"]) for b in bins) / len(outcome),
        "calibration": bins,
    }


def calibration(outcome: Array, chance: Array) -> list[dict[str, float]]:
    """Mean chance and observed rate in up to ten groups of equal size, lowest chance first."""
    rates = _shared(outcome, chance)
    groups = np.array_split(np.argsort(chance, kind="stable"), min(BINS, len(chance)))
    return [
        {"chance": float(chance[g].mean()), "rate": float(rates[g].mean()), "rows": float(len(g))}
        for g in groups
        if len(g)
    ]


def _shared(outcome: Array, chance: Array) -> Array:
    """(n,) the mean outcome of everybody with the same chance."""
    _, which, size = np.unique(chance, return_inverse=True, return_counts=True)
    return (np.bincount(which, weights=outcome) / size)[which]
