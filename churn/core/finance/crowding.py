"""Do amounts crowd just under a limit? Those within a tenth under it against those a tenth lower and those above.

Without crowding, amounts grow rarer the larger they are, so no more than half of both tenths under a limit lie in the
upper one. That share, with its score interval, is the test: crowded when the whole interval is above a half.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from churn.core.trends.rates import wilson

FEWEST = 20  # amounts in both tenths


@dataclass(frozen=True, slots=True)
class Crowding:
    """Counts around one limit, and the share just under it of all in the two tenths under it."""

    limit: int
    under: int  # (limit − band, limit]
    lower: int  # (limit − 2 bands, limit − band]
    above: int  # (limit, limit + band]
    share: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """`crowded`, `not crowded` or `too few`."""
        if self.under + self.lower < FEWEST:
            return "too few"
        return "crowded" if self.low > 0.5 else "not crowded"


def crowding(amounts: Iterable[tuple[int, int]], limit: int, *, level: float = 0.95) -> Crowding:
    """`amounts`: (amount, how often). Raises ValueError for a limit that is not above 0."""
    if limit <= 0:
        raise ValueError("Amounts crowd under a limit above zero.")
    counts = {"under": 0, "lower": 0, "above": 0}
    for amount, times in amounts:
        # In tenths of the limit, whole numbers only: no rounding at the edges.
        over = 10 * (amount - limit)
        if -limit < over <= 0:
            counts["under"] += times
        elif -2 * limit < over <= -limit:
            counts["lower"] += times
        elif 0 < over <= limit:
            counts["above"] += times
    both = counts["under"] + counts["lower"]
    low, high = wilson([counts["under"]], [both], level=level)
    share = counts["under"] / both if both else 0.0
    return Crowding(limit, **counts, share=share, low=float(low[0]), high=float(high[0]))
