"""Chance that does not depend on order: every draw is named by what it decides, and about whom.

`chance.uniform("fault", customers, month)` gives the same customer the same number in the same month, whoever else is
in the array, however the company is cut into parts, and whatever policy was played before. That is what makes two
policies comparable (common random numbers) and a part computable by itself.
"""

import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MOST_COUNTED = 12


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64: every bit in moves every bit out."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class Chance:
    """All randomness of one company with one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._root = _mixed(np.array([seed % 2**63], np.uint64) + _STEP)

    def bits(self, what: str, *where: ArrayLike) -> NDArray[np.uint64]:
        """64 random bits for each combination of `where` (integers, broadcast together, at least one-dimensional)."""
        state = _mixed(self._root ^ np.array([zlib.crc32(what.encode())], np.uint64) * _STEP)
        for counter in where:
            state = _mixed(state + np.atleast_1d(np.asarray(counter)).astype(np.uint64) * _STEP)
        return state

    def uniform(self, what: str, *where: ArrayLike) -> Array:
        """In the open interval (0, 1)."""
        return ((self.bits(what, *where) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53

    def normal(self, what: str, *where: ArrayLike) -> Array:
        """Standard normal."""
        return np.asarray(ndtri(self.uniform(what, *where)))

    def below(self, most: int, what: str, *where: ArrayLike) -> Ints:
        """Whole numbers in [0, most)."""
        return (self.uniform(what, *where) * most).astype(np.int64)

    def pick(self, weights: ArrayLike, what: str, *where: ArrayLike) -> Ints:
        """Index of one of the `weights` (k,), which need not sum to one."""
        steps = np.cumsum(np.asarray(weights, float))
        place = np.searchsorted(steps, self.uniform(what, *where) * steps[-1], side="right")
        return np.asarray(np.minimum(place, len(steps) - 1), np.int64)

    def poisson(self, rate: ArrayLike, what: str, *where: ArrayLike) -> Ints:
        """Counts with mean `rate`, cut at 12; more draws for a higher rate never take one away."""
        u = self.uniform(what, *where)
        mean = np.broadcast_to(np.asarray(rate, float), u.shape)
        term = np.exp(-mean)
        reached, count = term.copy(), np.zeros(u.shape, np.int64)
        for k in range(1, _MOST_COUNTED + 1):
            more = u > reached
            if not more.any():
                break
            count += more
            term = term * mean / k
            reached = reached + term
        return count

    def generator(self, what: str, *where: int) -> np.random.Generator:
        """A stream of its own, for code that draws from numpy's generators."""
        return np.random.default_rng([self.seed, zlib.crc32(what.encode()), *where])
