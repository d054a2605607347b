"""The ends of a band from errors that were seen: split-conformal quantiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BAND = 0.90
NORMAL = 1.6449  # ends of a Gaussian's band, until errors are known


def ends(scores: Array) -> tuple[float, float]:
    """The two ends that hold a new score nine times in ten: conformal quantiles of (n,) scores."""
    scores = np.sort(scores[np.isfinite(scores)])
    n = len(scores)
    if not n:
        return -NORMAL, NORMAL
    beyond = (1 - BAND) / 2
    few = 1.0 + 1.5 / n  # errors of neighbouring days go together, so n of them say less than n
    low, high = int(np.floor((1 - (1 - beyond) * few) * n)), int(np.ceil((1 - beyond) * few * n)) - 1
    return float(scores[max(low, 0)]), float(scores[min(high, n - 1)])
