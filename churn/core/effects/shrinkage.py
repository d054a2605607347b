"""Logistic regression with Gaussian priors in groups, how hard each group shrinks being learned.

Posterior mode by Newton's method, Laplace covariance, and the spread of a group by the evidence (MacKay's update), held
by a weak prior worth four coefficients so that a small group neither vanishes nor runs away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

Array = NDArray[np.float64]
WORTH_OF_START = 4.0  # coefficients the starting spread of a learned group counts for


@dataclass(frozen=True)
class Group:
    """Coefficients with one prior: how many, around what, how far; `learned` if the spread is only a start."""

    size: int
    mean: float
    sd: float
    learned: bool = False


class Prior:
    """Means and variances (p,) of all coefficients, and the slices whose variance is learned, each with its start."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.mean = np.concatenate([np.full(g.size, g.mean) for g in groups])
        self.variance = np.concatenate([np.full(g.size, g.sd**2) for g in groups])
        ends = np.cumsum([g.size for g in groups])
        self.learned = [
            (slice(end - g.size, end), g.sd**2) for g, end in zip(groups, ends, strict=True) if g.learned and g.size
        ]


def posterior(design: Array, stayed: Array, prior: Prior, *, rounds: int = 8) -> tuple[Array, Array]:
    """Mode (p,) and Laplace covariance (p, p) for a design (n, p) and outcomes (n,) in {0, 1}."""
    theta, variance = prior.mean.copy(), prior.variance.copy()
    covariance = np.diag(variance)
    for _ in range(rounds):
        theta, covariance = _newton(design, stayed, prior.mean, variance, theta)
        for part, start in prior.learned:
            settled = (1.0 - np.diag(covariance)[part] / variance[part]).sum()
            off = theta[part] - prior.mean[part]
            variance[part] = (off @ off + WORTH_OF_START * start) / (settled + WORTH_OF_START)
    return theta, covariance


def _newton(
    design: Array, stayed: Array, mean: Array, variance: Array, theta: Array, *, steps: int = 25
) -> tuple[Array, Array]:
    """Posterior mode from a warm start, halving steps that do not climb."""

    def height(at: Array) -> float:
        eta = design @ at
        return float(stayed @ eta - np.logaddexp(0.0, eta).sum() - 0.5 * ((at - mean) ** 2 / variance).sum())

    now = height(theta)
    for _ in range(steps):
        p = expit(design @ theta)
        gradient = design.T @ (stayed - p) - (theta - mean) / variance
        hessian = (design * (p * (1 - p))[:, None]).T @ design + np.diag(1.0 / variance)
        factor = cho_factor(hessian)
        step = cho_solve(factor, gradient)
        while height(theta + step) < now - 1e-9 and np.abs(step).max() > 1e-8:
            step = 0.5 * step
        theta = theta + step
        now = height(theta)
        if np.abs(step).max() < 1e-5:
            break
    return theta, cho_solve(factor, np.eye(len(theta)))
