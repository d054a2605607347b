"""What the registry keeps: an estimator with the columns it was fitted on, and how its chances are re-based."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

E = TypeVar("E")
Array = np.ndarray[Any, Any]


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
    """The shift that makes (n,) chances average `mean`. Raises ValueError when `mean` is not between 0 and 1."""
    if not 0 < mean < 1:
        raise ValueError(f"A mean chance lies between 0 and 1, not at {mean}.")
    return float(brentq(lambda shift: float(np.mean(rebased(chance, shift or 1e-300))) - mean, -20, 20))
