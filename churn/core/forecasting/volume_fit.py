"""One queue's Gaussian model of what events bring: where each is looked for, and the posterior of its rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn.core.forecasting.volume import Array, knots
from churn.core.forecasting.volume_events import Event

NEAR_DAYS = 60  # around an event of one region, that its usual days there are read from
LEVEL_DAYS = 28  # between two knots of the level
LEVEL_SPREAD = 0.10  # of the usual, by which the level may be off
FREEDOM = 4.0  # of the t that holds bursts down
ROUNDS = 8
FREQUENT = 20  # events of a kind from which on the furthest tenth is left out of judging it
WORTH_OF_START = 3.0  # events the starting spread of a kind counts for
UNEVEN = 0.25  # of what an event brings on a day, by which the day may be off its share
MEDIAN_CHI2 = 0.4549  # of one degree
LEAST_NOISE = 0.05  # variance of a day
FEWEST_USUAL = 0.25  # contacts a day below which a Gaussian says nothing


@dataclass(frozen=True)
class Block:
    """A stretch of days on which some events are looked for: targets, level columns, event columns, usual noise."""

    told: NDArray[np.int64]  # the days, by their places
    target: Array  # (n,)
    level: Array  # (n, knots), each with a prior of its own spread
    level_sd: Array  # (knots,)
    columns: Array  # (n, events here)
    events: NDArray[np.int64]  # their places among all
    noise: Array  # (n,) variance as of a Poisson
    is_regional: bool = False
    bursts: int = 0  # columns at the end of `level` that are bursts nobody announced


def blocks_of(
    counts: Array, columns: Array, events: Sequence[Event], *, usual: Array, regions: Mapping[str, Array]
) -> list[Block]:
    """One block for what reaches everybody, one for each region that had events of its own."""
    local = {name for name in regions if any(event.region == name for event in events)}
    level = knots(len(counts), LEVEL_DAYS)
    told = np.isfinite(counts) & (usual > FEWEST_USUAL)
    everywhere = np.array([i for i, event in enumerate(events) if event.region not in local], int)
    rest = counts.copy()
    blocks = []
    for name in sorted(local):
        own = np.array([i for i, event in enumerate(events) if event.region == name], int)
        other = np.where(np.isfinite(counts), counts - regions[name], np.nan)
        active = columns[:, own].sum(axis=1) > 0
        near = np.convolve(active, np.ones(2 * NEAR_DAYS + 1), "same") > 0
        here = told & (other > 0) & near
        calm = here & ~active
        share = regions[name][calm].sum() / max(other[calm].sum(), 1.0) if calm.any() else 0.0
        slow = share * (level * _nearby(other, usual)[:, None])
        noise = np.maximum(share * (1 + share) * (usual - share * usual), LEAST_NOISE)
        blocks.append(
            Block(
                told=np.flatnonzero(here),
                target=(regions[name] - share * other)[here],
                level=slow[here],
                level_sd=np.full(level.shape[1], 2 * LEVEL_SPREAD),
                columns=columns[np.ix_(here, own)],
                events=own,
                noise=noise[here],
                is_regional=True,
            )
        )
        # what the others are measured on is without this region's days under an event of its own
        rest = np.where(active & here, counts - (regions[name] - share * other), rest)
    whole = Block(
        told=np.flatnonzero(told),
        target=(rest - usual)[told],
        level=(level * usual[:, None])[told],
        level_sd=np.full(level.shape[1], LEVEL_SPREAD),
        columns=columns[np.ix_(told, everywhere)],
        events=everywhere,
        noise=np.maximum(usual[told], LEAST_NOISE),
    )
    return [block for block in [whole, *blocks] if len(block.events)]


def _nearby(other: Array, usual: Array) -> Array:
    return np.where(np.isfinite(other), other, usual)


@dataclass(frozen=True)
class Fit:
    """One queue: rates of events (events,), of kinds (kinds,), and what is needed to learn the lags from it."""

    mean: Array
    sd: Array
    group_mean: Array
    group_sd: Array
    group_spread: Array
    blocks: Sequence[Block]
    weights: Sequence[Array]
    levels: Sequence[Array]
    at: Sequence[Array]  # the levels' coefficients, in units of their prior's spread


def fit_blocks(blocks: Sequence[Block], of_kind: NDArray[np.int64], kinds: int, events: int) -> Fit:
    mean, sd = np.zeros((2, events))
    group_mean, group_sd = np.zeros((2, kinds))
    start = _first_spreads(blocks, of_kind, kinds)
    spread = start.copy()
    weights = [np.ones(len(block.target)) for block in blocks]
    at = [np.zeros(len(block.level_sd)) for block in blocks]
    for _ in range(ROUNDS):
        for b, block in enumerate(blocks):
            kind, before = of_kind[block.events], mean[block.events]
            m, v, at[b], weights[b] = _posterior(block, group_mean[kind], spread[kind], before, weights[b])
            mean[block.events], sd[block.events] = m, np.sqrt(v)
        for k in range(kinds):
            own = of_kind == k
            own &= ~_furthest(mean, own, float(group_mean[k]))
            # around zero, as wide as the kind is: a mean of one or two events is not believed at once
            pull = 1.0 / (4.0 * (start[k] ** 2 + spread[k] ** 2))
            precision = own.sum() / spread[k] ** 2 + pull
            group_sd[k] = 1.0 / np.sqrt(precision)
            group_mean[k] = mean[own].sum() / spread[k] ** 2 / precision
            around = ((mean[own] - group_mean[k]) ** 2 + sd[own] ** 2).sum()
            usual_spread = (0.1 * start[k]) ** 2 + (0.5 * group_mean[k]) ** 2
            spread[k] = np.sqrt((around + WORTH_OF_START * usual_spread) / (own.sum() + WORTH_OF_START))
    # the kind's own mean is not known exactly: the more an event leans on it, the more of that is its error too
    lean = np.minimum((sd / spread[of_kind]) ** 2, 1.0)
    sd = np.sqrt(sd**2 + (lean * group_sd[of_kind]) ** 2)
    levels = [slow_level(block, a) for block, a in zip(blocks, at, strict=True)]
    return Fit(mean, sd, group_mean, group_sd, spread, blocks, weights, levels, at)


def slow_level(block: Block, at: Array) -> Array:
    slow = len(at) - block.bursts
    return block.level[:, :slow] @ (block.level_sd * at)[:slow]


def _furthest(mean: Array, own: NDArray[np.bool_], centre: float) -> NDArray[np.bool_]:
    """The tenth of a kind's events that is furthest off: a burst fell on them, and no kind is judged by that."""
    off = np.where(own, np.abs(mean - centre), -1.0)
    return np.asarray(off >= np.sort(off)[::-1][max(own.sum() // 10 - 1, 0)]) & (own.sum() >= FREQUENT)


def _first_spreads(blocks: Sequence[Block], of_kind: NDArray[np.int64], kinds: int) -> Array:
    """A rate of each kind that could be seen at all: five per cent of the usual contacts of the days it covers."""
    found: list[list[float]] = [[] for _ in range(kinds)]
    for block in blocks:
        for column, event in zip(block.columns.T, block.events, strict=True):
            if column.sum() > 0:
                found[of_kind[event]].append(0.3 * float((column @ block.noise) / (column @ column)))
    return np.array([np.median(rates) if rates else 1e-3 for rates in found])


def _posterior(
    block: Block, centre: Array, spread: Array, rate: Array, weight: Array
) -> tuple[Array, Array, Array, Array]:
    """Rates of a block's events with their variances, the coefficients of its level, the next weights of its days.

    On each day an event may bring more or less than its share: that too is its own, so what is left over on a day on
    which little else happens counts as the event's, and on a day with much else hardly any of it does.
    """
    own = len(block.events)
    design = np.column_stack([block.columns, block.level])
    prior_mean = np.concatenate([centre, np.zeros(block.level.shape[1])])
    prior = np.concatenate([spread, block.level_sd])
    scaled = design * prior  # in units of the prior's spread everything is of one size, whatever an audience is
    target = block.target - design @ prior_mean
    brought = np.abs(block.columns * rate)
    loose = brought + (UNEVEN * brought) ** 2  # (n, own): how far a day of an event may be off its share
    noise = block.noise + loose.sum(axis=1)
    inverse = weight / noise
    covariance = np.linalg.inv((scaled * inverse[:, None]).T @ scaled + np.eye(len(prior)))
    at = covariance @ (scaled.T @ (inverse * target))
    left = target - scaled @ at
    # noise beyond a Poisson's, read off the middle of the residuals: bursts do not raise it
    off = _off(left, noise)
    excess = max(float(np.median(off)) / MEDIAN_CHI2, 1.0)
    weight = (FREEDOM + 1.0) / (FREEDOM + off / excess) / excess
    share = loose / noise[:, None]
    whole = block.columns.sum(axis=0)
    fixed = -scaled.T @ share
    fixed[np.arange(own), np.arange(own)] += whole * prior[:own]
    total = whole * (prior_mean[:own] + prior[:own] * at[:own]) + share.T @ left
    variance = np.einsum("ie,ij,je->e", fixed, covariance, fixed) + ((share * (noise[:, None] - loose)).sum(axis=0))
    seen = np.maximum(whole, 1e-9)
    return total / seen, variance / seen**2, at[own:], weight


def _off(left: Array, noise: Array) -> Array:
    """Squared standard deviations off, of counts whose variance is their mean: by roots, for they lean to the right."""
    there = np.sqrt(np.maximum(noise + left, 0.0) + 0.375)
    return np.asarray(4.0 * (there - np.sqrt(noise + 0.375)) ** 2)
