"""What an agent is told of: runs of hard calls, and what they master by topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Array = NDArray[np.float64]

HARD_SHARE = 1 / 3  # of all calls: those whose callers were least expected to stay
LONG_RUN = 4  # hard calls in a row: time to hand the next ones to somebody else
PRIOR_CALLS = 20.0  # as many calls of the usual outcome speak for an agent of whom a topic knows nothing
LEAST_CALLS = 15  # before a topic is said to be mastered


@dataclass(frozen=True, slots=True)
class Topic:
    """How an agent does with one contact reason: saves over what was expected, a call, shrunk, with a 90 % interval."""

    calls: int
    saved: int
    expected: float
    low: float
    high: float

    @property
    def is_mastered(self) -> bool:
        """Whether they do at least as well as anybody with these callers: the interval is not below it."""
        return self.calls >= LEAST_CALLS and self.low > 0


def hard_below(chances: Array) -> float:
    """The chance of staying below which a call counts as hard: a third of all calls lie there."""
    return float(np.quantile(chances, HARD_SHARE)) if len(chances) else 0.0


def run_of_hard(is_hard: Sequence[bool]) -> int:
    """How many hard calls in a row somebody has just had; calls oldest first."""
    run = 0
    for hard in reversed(is_hard):
        if not hard:
            break
        run += 1
    return run


def topic_of(calls: int, saved: int, expected: float, variance: float, *, level: float = 0.9) -> Topic:
    """Saves over expected a call, drawn to zero as by PRIOR_CALLS more calls that went as expected."""
    all_calls = calls + PRIOR_CALLS
    middle = (saved - expected) / all_calls
    # The prior's calls are as open as these, and a quarter is the most open a call can be.
    open_calls = variance + PRIOR_CALLS * (variance / calls if calls else 0.25)
    half = float(norm.ppf(0.5 + level / 2)) * float(np.sqrt(open_calls)) / all_calls
    return Topic(calls, saved, expected, middle - half, middle + half)
