"""Trial arms and randomised rungs by a stable hash: never a die thrown at the desk, so that a replay draws the same.

A draw is the first 53 bits of the SHA-256 of `trial`, a line feed and `key` in UTF-8, over 2⁵³: a number in [0, 1).
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


def draw(trial: str, key: str) -> float:
    """A number in [0, 1), uniform over keys, the same for ever for this trial and key.

    Raises ValueError when `trial` is empty or holds a line feed (two trials could share draws).
    """
    if not trial or "\n" in trial:
        raise ValueError("a trial needs a name of one line")
    digest = hashlib.sha256(f"{trial}\n{key}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / float(1 << 53)


def choose_arm(trial: str, customer: str, shares: Mapping[str, float]) -> str:
    """The arm of one customer. `shares` maps arm to its share, in order; shares are at least 0 and sum to 1.

    Raises ValueError when they do not.
    """
    if not shares or min(shares.values()) < 0 or not math.isclose(sum(shares.values()), 1.0, abs_tol=1e-9):
        raise ValueError("the shares of the arms must be at least 0 and sum to 1")
    return list(shares)[_pick(draw(trial, customer), list(shares.values()))]


@dataclass(frozen=True)
class RungDraw:
    """The rung shown and the chance it had: what the decision log keeps as `propensity`."""

    rung: int
    propensity: float
    among: tuple[int, ...]  # the near-equal rungs it was drawn from
    randomised: bool


def near_equal(values: Sequence[float], *, tolerance: float) -> tuple[int, ...]:
    """Indices of the rungs whose value is within `tolerance` (money, ≥ 0) of the best, in order. NaN is never near."""
    best = max((v for v in values if not math.isnan(v)), default=math.nan)
    return tuple(i for i, v in enumerate(values) if v >= best - tolerance)


def draw_rung(
    trial: str, key: str, values: Sequence[float], *, tolerance: float, share: float, most: int = 4
) -> RungDraw:
    """The rung to show one caller: the best, or, for a `share` of callers, any of the near-equal ones alike.

    `values` is the expected value of each rung after the price of budget, in rising order of amount; `key` is the
    customer, so that a second call the same week meets the same rung. Of more than `most` near-equal rungs the outer
    ones and evenly spaced inner ones are kept: few anchors measure better than a spread. The best rung is always among
    them. The propensity counts both ways to the rung: drawn, or shown as the best outside the trial's share.

    Raises ValueError when no rung has a value, `share` is outside [0, 1] or `most` is below 2.
    """
    if not 0 <= share <= 1 or most < 2:
        raise ValueError("share is in [0, 1] and at least two rungs are drawn from")
    candidates = near_equal(values, tolerance=tolerance)
    if not candidates:
        raise ValueError("no rung has a value")
    best = max(candidates, key=lambda i: (values[i], -i))
    among = tuple(sorted({*_anchors(candidates, most), best}))
    if len(among) == 1 or draw(f"{trial}/enter", key) >= share:
        in_trial, rung = False, best
    else:
        in_trial, rung = True, among[_pick(draw(f"{trial}/rung", key), [1 / len(among)] * len(among))]
    chance = share / len(among) + (1 - share) * (rung == best) if len(among) > 1 else 1.0
    return RungDraw(rung, chance, among, in_trial)


def _anchors(candidates: Sequence[int], most: int) -> list[int]:
    if len(candidates) <= most:
        return list(candidates)
    step = (len(candidates) - 1) / (most - 1)
    return [candidates[round(i * step)] for i in range(most)]


def _pick(at: float, shares: Sequence[float]) -> int:
    """Index of the part of [0, 1) the draw falls into; rounding at the end goes to the last part with a share."""
    reached = 0.0
    for i, share in enumerate(shares):
        reached += share
        if at < reached:
            return i
    return max(i for i, share in enumerate(shares) if share > 0)
