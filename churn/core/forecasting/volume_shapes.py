"""How an event's contacts spread over the days after its start: a few shapes, mixed, bent by how busy each day is."""

from __future__ import annotations

from functools import cache

import numpy as np

from churn.core.forecasting.volume import Array

LAGS = 28  # days after the start on which contacts can come
SOON = slice(0, 3)  # of the shapes: what comes at once
# Before anything is known: much on the first day, most within a week, some call again.
PLAIN = np.array([0.35, 0.25, 0.15, 0.05, 0.05, 0.15])


@cache
def shapes() -> Array:
    """Ways in which contacts can spread over the days after a start, (shapes, LAGS), each summing to 1."""
    lag = np.arange(LAGS, dtype=float)
    later = np.where(lag >= 1, 1.0, 0.0)
    rows = [np.where(lag == 0, 1.0, 0.0)]
    rows += [later * np.exp(-(lag - 1) / scale) for scale in (0.6, 1.5, 4.0)]
    rows += [later * lag * np.exp(-lag / scale) for scale in (1.5, 3.0)]
    table = np.array(rows)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def spread_out(start: int, mixture: Array, busy: Array) -> tuple[Array, float]:
    """The share of an event's contacts on each day, (n,), and the share that falls within these n days."""
    n = len(busy) - LAGS
    if start <= -LAGS or start >= n:
        return np.zeros(n), 0.0
    shares = placed(start, mixture @ bent_shapes(start, mixture, busy), n)
    return shares, float(shares.sum())


def placed(start: int, shares: Array, n: int) -> Array:
    """(…, LAGS) from a start, as (…, n) days: what falls outside is cut off."""
    found = np.zeros((*shares.shape[:-1], n))
    first, last = max(start, 0), min(start + LAGS, n)
    if first < last:
        found[..., first:last] = shares[..., first - start : last - start]
    return found


def bent_shapes(start: int, mixture: Array, busy: Array) -> Array:
    """The `shapes` as they fall on the days from a start, (shapes, LAGS), each by how busy the days are.

    `busy` is (n + LAGS,), 1 on an ordinary day; a closed day takes none. What comes soon is one flow, which a quiet
    Sunday only puts off to Monday. What comes late (they call again) is bent apart from it, so that an event that
    starts on a Sunday has no heavier tail than another.
    """
    forms = shapes()
    if start >= 0:
        bent = forms * busy[start : start + LAGS]
    else:
        bent = np.column_stack([forms[:, :-start], forms[:, -start:] * busy[: start + LAGS]])
    whole = bent.sum(axis=1)
    soon = mixture[SOON].sum()
    if soon > 0:
        whole[SOON] = mixture[SOON] @ whole[SOON] / soon
    return np.where(whole[:, None] > 0, bent / np.maximum(whole[:, None], 1e-12), forms)
