"""What past change events brought, measured day by day, and what the next of their kind may bring.

The counts of a queue are its usual days (`churn.core.forecasting.volume`) at a slowly moving level, plus for each event

    audience × rate(event, queue) × lag(kind) × how busy that day is by the calendar.

Rates of one kind and queue are drawn around the kind's mean, so that an event that shows little is judged by its like
and one that shows much by itself: the posterior of a Gaussian model, means and spreads by expectation-maximisation
(empirical Bayes). How the contacts spread over the days after the start is learned by kind (non-negative least squares
on a few shapes). A day far off is given less weight (Student's t, 4 degrees), for bursts nobody announced lie among
them. An event of one region is measured there, against all the other regions on the same days.

Shapes: days (n,) without gaps; counts (n, queues); regions by name, each (n, queues). Rates are contacts for each
member of the audience, over all days on which they come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from churn.core.forecasting.volume import Array, Days
from churn.core.forecasting.volume_bursts import bursts_of, with_bursts
from churn.core.forecasting.volume_events import Effect, Effects, Event, Kind, start_of
from churn.core.forecasting.volume_fit import WORTH_OF_START, Fit, blocks_of, fit_blocks
from churn.core.forecasting.volume_shapes import LAGS, PLAIN, bent_shapes, placed, shapes, spread_out

PASSES = 3  # of learning rates and lags in turn


def measure(
    days: Days,
    queues: Sequence[str],
    counts: Array,
    events: Sequence[Event],
    *,
    usual: Array,
    busy: Array,
    regions: Mapping[str, Array] | None = None,
) -> Effects:
    """What each event brought, and each kind brings.

    `usual` (n, queues) are the days as the calendar has them, `busy` (n + LAGS,) how busy a day is, ahead of the last
    one too. `regions` may be left out: then an event of a region is looked for in the whole. Events that start after
    the last day, or whose last contacts came before the first, are left out.
    """
    found = [event for event in events if -LAGS < start_of(event, days) < len(days)]
    if not found:
        return Effects(tuple(queues), (), {}, np.zeros_like(usual), np.zeros_like(usual))
    kinds = sorted({event.kind for event in found})
    of_kind = np.array([kinds.index(event.kind) for event in found], int)
    audience = np.array([max(event.audience, 1.0) for event in found])
    mixtures = np.tile(PLAIN, (len(kinds), 1))
    fits: list[Fit] = []
    for _ in range(PASSES):
        used = mixtures
        parts = [spread_out(start_of(event, days), used[k], busy) for event, k in zip(found, of_kind, strict=True)]
        shares = np.array([share for share, _ in parts]).reshape(len(found), len(days)).T
        before, fits = fits, []
        for q in range(len(queues)):
            blocks = blocks_of(counts[:, q], shares * audience, found, usual=usual[:, q], regions=_column(regions, q))
            if before:
                starts = [start_of(event, days) for event in found]
                blocks = [with_bursts(block, before[q], of_kind, starts, usual=usual[:, q]) for block in blocks]
            fits.append(fit_blocks(blocks, of_kind, len(kinds), len(found)))
        mixtures = _learn_mixtures(days, found, fits, busy=busy, of_kind=of_kind, audience=audience, mixtures=used)
    mean, sd = (np.column_stack([getattr(fit, name) for fit in fits]) for name in ("mean", "sd"))
    group_mean, group_sd, group_spread = (
        np.column_stack([getattr(fit, name) for fit in fits]) for name in ("group_mean", "group_sd", "group_spread")
    )
    brought = shares @ (mean * audience[:, None])
    seen = np.array([share for _, share in parts])
    scale = (audience * seen)[:, None]
    effects = tuple(
        Effect(event, m, s, float(v)) for event, m, s, v in zip(found, mean * scale, sd * scale, seen, strict=True)
    )
    made = {}
    for k, name in enumerate(kinds):
        own = of_kind == k
        none = own & np.array([event.claims_none for event in found], bool)
        rate = (mean[none].sum(axis=0) + WORTH_OF_START * group_mean[k]) / (none.sum() + WORTH_OF_START)
        made[name] = Kind(name, group_mean[k], group_sd[k], group_spread[k], used[k], int(own.sum()), rate,
                          int(none.sum()))  # fmt: skip
    return Effects(tuple(queues), effects, made, brought, np.column_stack([bursts_of(fit, len(days)) for fit in fits]))


def _column(regions: Mapping[str, Array] | None, q: int) -> dict[str, Array]:
    return {name: table[:, q] for name, table in (regions or {}).items()}


def _learn_mixtures(
    days: Days,
    events: Sequence[Event],
    fits: Sequence[Fit],
    *,
    busy: Array,
    of_kind: NDArray[np.int64],
    audience: Array,
    mixtures: Array,
) -> Array:
    """How much of each kind's contacts follows each shape, (kinds, shapes), from wherever they were looked for."""
    forms, kinds = shapes(), int(of_kind.max(initial=-1)) + 1
    columns = np.zeros((len(events), len(forms), len(days)))
    for e, event in enumerate(events):
        start = start_of(event, days)
        columns[e] = audience[e] * placed(start, bent_shapes(start, mixtures[of_kind[e]], busy), len(days))
    size = kinds * len(forms)
    gram, right = np.zeros((size, size)), np.zeros(size)
    for fit in fits:
        for block, weight, at in zip(fit.blocks, fit.weights, fit.at, strict=True):
            design = np.zeros((len(block.target), kinds, len(forms)))
            for event in block.events:
                rate = max(fit.group_mean[of_kind[event]], fit.mean[event], 0.0)
                design[:, of_kind[event]] += rate * columns[event][:, block.told].T
            wide = design.reshape(len(block.target), size)
            inverse = weight / (block.noise + np.abs(block.columns @ fit.mean[block.events]))
            inverse = inverse[:, None]
            gram += wide.T @ (inverse * wide)
            right += wide.T @ (inverse[:, 0] * (block.target - block.level @ (block.level_sd * at)))
    # worth a few events that follow the plain shape: a kind that never showed anything keeps it
    prior = np.tile(PLAIN, kinds)
    hold = np.maximum(np.diag(gram) / np.maximum(np.bincount(of_kind, minlength=kinds), 1).repeat(
        len(forms)), 1.0)  # fmt: skip
    root = np.linalg.cholesky(gram + np.diag(hold))
    found, _ = nnls(root.T, np.linalg.solve(root, right + hold * prior))
    mixture = found.reshape(kinds, len(forms))
    return np.asarray(mixture / np.maximum(mixture.sum(axis=1, keepdims=True), 1e-12))
