"""What the registry keeps: an estimator with the columns it was fitted on, and how its chances are re-based."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

E = TypeVar("E")
Array = np.ndarray[Any, Any]
FURTHEST = 80.0  # in logits: past the smallest chance a float's logit can be moved from


@dataclass(frozen=True, slots=True)
class Fitted(Generic[E]):
    """An estimator and the raw columns it reads, in order. `shift` is added to the logit of its chances."""

    estimator: E
    columns: tuple[str, ...]
    shift: float = 0.0


def rebased(chance: Array, shift: float) -> Array:
    """Chances for another base rate than the data's: the logit moved by `shift` (Saerens et al. 2002, two classes)."""
    return chance if shift == 0 else np.asarray(expit(logit(chance) + shift))


def shift_to(chance: Array, mean: float) -> float:
    """The shift that makes (n,) chances average `mean`.

    Raises ValueError when `mean` is not between 0 and 1, or when so many chances are exactly 0 or 1 that no shift does.
    """
    if not 0 < mean < 1:
        raise ValueError(f"A mean chance lies between 0 and 1, not at {mean}.")
    if not float(np.mean(chance == 1)) < mean < float(np.mean(chance > 0)):
        raise ValueError(f"Too many of these chances are 0 or 1 to average {mean}.")
    return float(brentq(lambda shift: float(np.mean(rebased(chance, shift))) - mean, -FURTHEST, FURTHEST))
