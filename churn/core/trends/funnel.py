"""A funnel instead of a league table: whose saves differ from what their callers would have done with anybody.

Each agent's saves are held against what the case mix expects. Beside a line at zero stand control limits that widen as
calls get fewer; between them lies what chance and the usual differences between people explain. Agents differ by more
than chance alone, so the limits are widened by the overdispersion of all of them, the tenth at either end pulled in so
that a truly different one does not hide itself (Spiegelhalter 2005, winsorised). What is shown of one agent is shrunk
to the mean by as much as chance explains (empirical Bayes, DerSimonian & Laird 1986).

Callers may be easier than anything on record tells. Who gets unusual callers by what is known may get ones as unusual
by what is not (selection on unobservables as strong as on observables: Altonji, Elder & Taber 2005): that much of a
difference is allowed for before an agent is told apart. With calls dealt at random it is next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

Array = NDArray[np.float64]

WATCH, ALARM = 0.95, 0.998
PULLED_IN = 0.1  # share of agents at either end
LEAST_SPREAD = 0.005  # between agents, in saves a call: with few of them the figures may show none
ZONES = ("below", "low", "inside", "high", "above")
FEWEST_CALLS = 20  # of whom less is known nothing is said


@dataclass(frozen=True, slots=True)
class Funnel:
    """The funnel of one company. `mean_variance`: of the outcome of one call of usual difficulty.

    `overdispersion`: by how much the limits are wider than chance alone makes them, 1 or more. `spread`: standard
    deviation between agents, saves a call; what figures of one agent are shrunk by. `middle`: of all agents.
    """

    mean_variance: float
    overdispersion: float
    spread: float
    middle: float

    def limit(self, usual_calls: ArrayLike, level: float) -> Array:
        """How far above or below the middle an agent with so many calls of usual difficulty may be."""
        z = float(norm.ppf(0.5 + level / 2))
        return np.asarray(z * self.overdispersion * np.sqrt(self.mean_variance / np.asarray(usual_calls, float)))


@dataclass(frozen=True, slots=True)
class Place:
    """One agent in the funnel; saves a call of usual difficulty above what was expected.

    `told`: what is left of the difference once an unusual mix of callers is allowed for; the zone goes by it.
    """

    usual_calls: float
    difference: float
    told: float
    shrunk: float
    low: float
    high: float
    zone: str


def place_all(
    calls: ArrayLike, saved: ArrayLike, expected: ArrayLike, variance: ArrayLike, *, level: float = 0.95
) -> tuple[Funnel, list[Place]]:
    """The funnel of (n,) agents and the place of each, in their order; agents with few calls count for little.

    `variance`: of each agent's saves by the expectations, sum of p (1 − p). Raises ValueError without any call whose
    outcome was open.
    """
    n, o, e, v = (np.asarray(values, float) for values in (calls, saved, expected, variance))
    if v.sum() <= 0:
        raise ValueError("A funnel needs callers whose staying was not certain.")
    mean_variance = float(v.sum() / n.sum())
    usual = np.maximum(v / mean_variance, 1e-9)
    raw, error = (o - e) / usual, mean_variance / usual
    middle = float((usual * raw).sum() / usual.sum())
    enough = n >= FEWEST_CALLS
    difference = raw - middle
    told = np.sign(difference) * np.maximum(np.abs(difference) - _unusual(n, e, usual), 0.0)
    z = told / np.sqrt(error)
    funnel = Funnel(
        mean_variance,
        overdispersion(z[enough]),
        max(_spread(raw[enough], error[enough]), LEAST_SPREAD),
        middle,
    )
    zones = _zones(z / funnel.overdispersion, enough)
    return funnel, _places(funnel, usual, difference, told, zones=zones, level=level)


def _unusual(calls: Array, expected: Array, usual: Array) -> Array:
    """(n,) how far each agent's callers are from the usual by what is known, in saves a call of usual difficulty."""
    return np.abs(expected - calls * expected.sum() / calls.sum()) / usual


def overdispersion(z: ArrayLike) -> float:
    """By how much (n,) standardised differences are wider than chance makes them, the ends pulled in; at least 1."""
    held = np.asarray(z, float)
    if len(held) < 2:
        return 1.0
    ends = np.quantile(held, [PULLED_IN, 1 - PULLED_IN])
    return max(float(np.sqrt(np.mean(np.clip(held, *ends) ** 2))), 1.0)


def _spread(raw: Array, error: Array) -> float:
    """Standard deviation between agents beyond chance, by the method of moments."""
    if len(raw) < 2:
        return 0.0
    weight = 1 / error
    middle = (weight * raw).sum() / weight.sum()
    q = float((weight * (raw - middle) ** 2).sum())
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    return float(np.sqrt(max(q - (len(raw) - 1), 0.0) / scale)) if scale > 0 else 0.0


def _zones(z: Array, enough: NDArray[np.bool_]) -> list[str]:
    edges = [norm.ppf(0.5 - ALARM / 2), norm.ppf(0.5 - WATCH / 2), norm.ppf(0.5 + WATCH / 2), norm.ppf(0.5 + ALARM / 2)]
    return [ZONES[place] if known else "inside" for place, known in zip(np.searchsorted(edges, z), enough, strict=True)]


def _places(
    funnel: Funnel, usual: Array, difference: Array, told: Array, *, zones: Sequence[str], level: float
) -> list[Place]:
    error = funnel.mean_variance / usual
    keep = funnel.spread**2 / (funnel.spread**2 + error)
    shrunk, sd = keep * told, np.sqrt(keep * error)
    half = float(norm.ppf(0.5 + level / 2)) * sd
    return [
        Place(float(calls), float(raw), float(left), float(middle), float(middle - wide), float(middle + wide), zone)
        for calls, raw, left, middle, wide, zone in zip(usual, difference, told, shrunk, half, zones, strict=True)
    ]
