"""Landmark calibration of survival: of held-out customers still here at a tenure, who was predicted to leave, who did.

Within each month of tenure the same customers are under observation for the predicted and the observed: what happened
is events over customer-months seen, what was predicted the hazard these customers were exposed to over the same months
(piecewise exponential; late entry and censoring need no correction). A risk over h months is 1 − exp(−Σ rates).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.stats import norm

from churn.core.staying.exposure import Exposure

Array = np.ndarray[Any, Any]
Z = float(norm.ppf(0.975))

LANDMARKS = (0, 6, 12, 24, 36, 48)  # months of tenure
AHEAD = (3, 6, 12, 24)  # months after them
FEWEST_SEEN = 10.0  # customer-months a month of tenure must have


class Staying(Protocol):
    """What is judged: (n, m) chances of still being a customer at months (m,)."""

    def survival(self, X: pd.DataFrame, months: Array) -> Array: ...


def landmark_calibration(
    curve: Staying, frame: pd.DataFrame, entry: Array | float, duration: Array, event: Array
) -> list[dict[str, float]]:
    """A row a landmark and months ahead that enough customers were seen through.

    Each: `landmark`, `ahead`, `seen` (customers under observation between the two), `left` (of these, in between),
    `predicted`, `observed`, `low`, `high` (95 %). Arguments as `TenureCurve.fit` takes them.
    """
    rows = Exposure.read(entry, duration, event, len(frame))
    kept = rows.observed()
    rows, held = rows.take(kept), frame.iloc[kept]
    months = np.arange(LANDMARKS[-1] + AHEAD[-1] + 1, dtype=float)
    hazard = np.column_stack([np.zeros(len(held)), -np.log(np.maximum(curve.survival(held, months[1:]), 1e-300))])
    begin = np.clip(rows.entry[:, None], months[:-1], months[1:])
    end = np.maximum(np.clip(rows.duration[:, None], months[:-1], months[1:]), begin)
    seen = end - begin
    # Within a month the hazard is constant.
    expected = (seen * np.diff(hazard, axis=1)).sum(axis=0)
    left = ((rows.duration[:, None] > months[:-1]) & (rows.duration[:, None] <= months[1:]) & rows.event[:, None]).sum(
        0
    )
    return [
        cell
        for landmark in LANDMARKS
        for ahead in AHEAD
        if (cell := _cell(rows, slice(landmark, landmark + ahead), seen.sum(axis=0), expected, left)) is not None
    ]


def _cell(rows: Exposure, span: slice, seen: Array, expected: Array, left: Array) -> dict[str, float] | None:
    if seen[span].min() < FEWEST_SEEN:
        return None
    there = (rows.entry < span.stop) & (rows.duration > span.start)
    rate, error = float((left[span] / seen[span]).sum()), float(np.sqrt((left[span] / seen[span] ** 2).sum()))
    # On the log of the rate an interval never leaves 0 to 1; without an event, three would be the most (rule of three).
    low, high = (
        (rate * np.exp(-Z * error / rate), rate * np.exp(Z * error / rate))
        if rate
        else (0.0, 3.0 * (span.stop - span.start) / float(seen[span].sum()))
    )
    observed, below, above = (1 - float(np.exp(-value)) for value in (rate, low, high))
    return {
        "landmark": span.start, "ahead": span.stop - span.start, "seen": int(there.sum()),
        "left": int(left[span].sum()), "predicted": 1 - float(np.exp(-(expected[span] / seen[span]).sum())),
        "observed": observed, "low": below, "high": above,
    }  # fmt: skip
