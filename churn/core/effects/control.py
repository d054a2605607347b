"""What the agent heard, read off what the agent meant to give: the first stage of the response curve.

Agents give more to those who sound serious. What was meant is explained by the context and by how lenient this agent
is in this month, which has nothing to do with the caller; the rest is what was heard. Two residuals: `u`, of "meant to
give nothing", and `v`, of the log of the amount meant by those who meant to give something. In the outcome they stand
for what the agent heard (control function; Heckman's and Rivers and Vuong's argument), leniency being the instrument.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass
class Control:
    """First stage: `nothing` (d,) are coefficients on the context features, the first one the intercept."""

    nothing: list[float] = field(default_factory=list)
    nodes: list[list[float]] = field(default_factory=list)  # v at its nodes, one weight each

    def chance_of_nothing(self, features: Array) -> Array:
        """Chance (n,) that an agent of middling leniency means to give this caller nothing."""
        return np.asarray(features @ np.array(self.nothing)).clip(0.03, 0.97)


def first_stage(
    features: Array, dose: Array, agent: NDArray[np.int64], month: NDArray[np.int64]
) -> tuple[Control, Array]:
    """The fitted first stage and the residuals (n, 2) `u`, `v` of each row of the log.

    `features` (n, d) with intercept; `dose` (n,) what was meant, as dose, NaN where not known (residuals 0);
    `agent`, `month` (n,) codes, -1 unknown.
    """
    known = np.isfinite(dose)
    residual = np.zeros((len(dose), 2))
    if known.sum() < 50:
        return Control(), residual
    none = (dose[known] <= 0).astype(float)
    fitted, on_context = _explain(features[known], none, agent[known], month[known])
    residual[known, 0] = none - fitted.clip(0.02, 0.98)
    some = known & (np.nan_to_num(dose) > 0)
    nodes = [[0.0, 1.0]]
    if some.sum() >= 50:
        money = np.log(np.expm1(dose[some]))  # of the bill: agents differ by factors, not by pounds
        fitted, _ = _explain(features[some], money, agent[some], month[some])
        left = money - fitted
        spread = float(left.std()) or 1.0
        v = (left / spread).clip(-3, 3)
        residual[some, 1] = v
        edges = np.quantile(v, [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
        part = np.clip(np.searchsorted(edges, v, side="right") - 1, 0, 5)
        nodes = [[float(v[part == k].mean()), float((part == k).mean())] for k in range(6) if (part == k).any()]
    return Control([float(c) for c in on_context], nodes), residual


def _explain(features: Array, target: Array, agent: NDArray[np.int64], month: NDArray[np.int64]) -> tuple[Array, Array]:
    """Fitted values (n,) and context coefficients (d,): ridge on the context, shrunk means of agent, month and both."""
    cell = np.where((agent < 0) | (month < 0), -1, agent * (month.max() + 1) + month)
    groups = [_recode(codes) for codes in (agent, month, cell)]
    effects = [np.zeros(len(target)) for _ in groups]
    gram = features.T @ features + np.diag(np.r_[1e-6, np.full(features.shape[1] - 1, 3.0)])
    context, coefficients = np.zeros(len(target)), np.zeros(features.shape[1])
    for _ in range(8):
        coefficients = np.linalg.solve(gram, features.T @ (target - sum(effects)))
        context = features @ coefficients
        for g, codes in enumerate(groups):
            others = sum((e for h, e in enumerate(effects) if h != g), np.zeros(len(target)))
            effects[g] = _shrunk_means(target - context - others, codes)
    return context + sum(effects, np.zeros(len(target))), coefficients


def _recode(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Codes from 0 upwards, all unknowns -1."""
    known = codes >= 0
    out = np.full(len(codes), -1)
    out[known] = np.unique(codes[known], return_inverse=True)[1]
    return out


def _shrunk_means(values: Array, codes: NDArray[np.int64]) -> Array:
    """Each row's group mean, shrunk to 0 by the variance between groups found by moments; 0 for the unknown."""
    known = codes >= 0
    if not known.any():
        return np.zeros(len(values))
    size = np.bincount(codes[known]).astype(float)
    if len(size) < 2:
        return np.zeros(len(values))
    mean = np.bincount(codes[known], values[known]) / size
    within = values[known] - mean[codes[known]]
    noise = float(within @ within) / max(len(within) - len(size), 1)
    between = (size @ mean**2 - noise * len(size)) / size.sum()
    shrunk = mean * max(between, 0.0) / (max(between, 0.0) + noise / size + 1e-12)
    return np.where(known, shrunk[np.maximum(codes, 0)], 0.0)
