"""Expected maximum profit of a churn model (EMPC): Verbraken, Verbeke & Baesens, IEEE TKDE 25(5), 2013, 961–973.

A campaign contacts everybody above a chance t. With γ the share of leavers an offer keeps, δ = offer / value and
φ = contact / value, a customer of the base brings on average

    P(t; γ) = value · [ (γ(1 − δ) − φ) · π₀ F₀(t) − (δ + φ) · π₁ F₁(t) ],

π₀, π₁ being the shares of leavers and stayers and F₀(t), F₁(t) of these contacted. γ is not known beforehand but
Beta(α, β): EMPC = ∫ max over t of P(t; γ) · h(γ) dγ. The best t lies on the convex hull of the ROC curve, so the
integral is a sum over its corners, in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import beta

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a campaign is reckoned with, money in one currency. The defaults are the paper's.

    `value` of a customer kept, `offer` each who stays is given, `contact` for each who is asked; `alpha`, `beta`: how
    the share of leavers an offer keeps is distributed, 0.3 on average.
    """

    value: float = 200.0
    offer: float = 10.0
    contact: float = 1.0
    alpha: float = 6.0
    beta: float = 14.0


@dataclass(frozen=True, slots=True)
class Profit:
    """`empc`: money a customer of the base; `share`: of the base contacted on average, at the best limit for each γ."""

    empc: float
    share: float


PAPER = Campaign()


def expected_maximum_profit(outcome: Array, chance: Array, campaign: Campaign = PAPER) -> Profit:
    """EMPC of (n,) chances against (n,) outcomes, 1: left. Raises ValueError when only one outcome is there."""
    if not 0 < np.mean(outcome) < 1:
        raise ValueError("A profit is judged on customers of whom some left and some stayed.")
    kept, bothered = roc_hull(np.asarray(outcome), np.asarray(chance))
    left = float(np.mean(outcome))
    delta, phi = campaign.offer / campaign.value, campaign.contact / campaign.value
    turns = _turns(left * np.diff(kept), (1 - left) * np.diff(bothered), delta, phi)
    edges = np.concatenate([[0.0], np.clip(turns, 0.0, 1.0), [1.0]])
    among = np.diff(beta.cdf(edges, campaign.alpha, campaign.beta))
    # ∫ γ h(γ) over the same stretches: E[γ] times a Beta with α one higher.
    mean = campaign.alpha / (campaign.alpha + campaign.beta)
    gamma = mean * np.diff(beta.cdf(edges, campaign.alpha + 1, campaign.beta))
    leavers, stayers = left * kept, (1 - left) * bothered
    parts = (gamma * (1 - delta) - among * phi) * leavers - among * (delta + phi) * stayers
    return Profit(campaign.value * float(parts.sum()), float((among * (leavers + stayers)).sum()))


def roc_hull(outcome: Array, chance: Array) -> tuple[Array, Array]:
    """Corners of the upper hull of the ROC curve from (0, 0) to (1, 1): shares of leavers and of stayers contacted."""
    _, which = np.unique(-chance, return_inverse=True)  # customers with one chance are contacted together
    left, everybody = np.bincount(which, weights=outcome), np.bincount(which).astype(float)
    kept = np.concatenate([[0.0], np.cumsum(left) / left.sum()])
    bothered = np.concatenate([[0.0], np.cumsum(everybody - left) / (everybody - left).sum()])
    corners: list[int] = []
    for i in range(len(kept)):
        while len(corners) > 1 and _is_below(corners[-2], corners[-1], i, bothered, kept):
            corners.pop()
        corners.append(i)
    return kept[corners], bothered[corners]


def _is_below(a: int, b: int, c: int, x: Array, y: Array) -> bool:
    """Whether corner b lies on or below the line from a to c."""
    return bool((x[b] - x[a]) * (y[c] - y[a]) >= (y[b] - y[a]) * (x[c] - x[a]))


def _turns(leavers: Array, stayers: Array, delta: float, phi: float) -> Array:
    """The γ from which each next corner pays: what contacting its customers costs over what keeping one brings."""
    cost = phi * leavers + (delta + phi) * stayers
    return np.divide(cost, (1 - delta) * leavers, out=np.full(len(cost), np.inf), where=leavers > 0)
