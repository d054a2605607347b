"""Stretches of days above the usual that nothing announced explains, told apart: no event is charged with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from churn.core.forecasting.volume import Array
from churn.core.forecasting.volume_fit import FREQUENT, MEDIAN_CHI2, Block, Fit

MOST_BURSTS, LONGEST_BURST = 12, 10  # bursts in a queue; days
SURE = 5.0  # standard deviations above the usual that make a burst
OWN_DAYS = 5  # of a rare event, on which nothing else is looked for


def with_bursts(block: Block, before: Fit, of_kind: NDArray[np.int64], starts: Sequence[int], *, usual: Array) -> Block:
    """The block with a column for each stretch of days that nothing announced explains.

    Days are compared with the level and with each event, one of a frequent kind at the kind's middle. The first days
    of a rare event are its own unless the stretch had begun before: nobody could tell them apart.
    """
    if block.is_regional:
        return block
    often = np.bincount(of_kind) >= FREQUENT
    middle = np.array([np.median(before.mean[of_kind == k]) if often[k] else before.group_mean[k]
                       for k in range(len(often))])  # fmt: skip
    place = next(i for i, known in enumerate(before.blocks) if not known.is_regional)
    brought = block.columns @ middle[of_kind[block.events]]
    left = block.target - before.levels[place] - brought
    noise = block.noise + np.abs(brought)
    noise = noise * max(float(np.median(left**2 / noise)) / MEDIAN_CHI2, 1.0)
    rare = [starts[event] for event in block.events if not often[of_kind[event]]]
    free = np.array([not any(start <= day < start + OWN_DAYS for start in rare) for day in block.told])
    columns = []
    for _ in range(MOST_BURSTS):
        score, first, length = max(
            (_surest(left * free, noise * free, length) for length in range(2, LONGEST_BURST + 1)), default=(0.0, 0, 0)
        )
        if score < SURE:
            break
        last = found = first + length
        while last < min(len(left), found + 2) and not free[last] and left[last] > 1.5 * np.sqrt(noise[last]):
            last += 1
        column = np.zeros(len(left))
        column[first:last] = usual[block.told][first:last]
        columns.append(column)
        left = left - column * (left @ column) / (column @ column)
    if not columns:
        return block
    return replace(
        block,
        level=np.column_stack([block.level, *columns]),
        level_sd=np.concatenate([block.level_sd, np.full(len(columns), 3.0)]),
        bursts=len(columns),
    )


def bursts_of(fit: Fit, days: int) -> Array:
    """Contacts of one queue in stretches nobody announced, (days,)."""
    found = np.zeros(days)
    for block, at in zip(fit.blocks, fit.at, strict=True):
        if block.bursts:
            found[block.told] += block.level[:, -block.bursts :] @ (block.level_sd * at)[-block.bursts :]
    return np.maximum(found, 0.0)


def _surest(left: Array, noise: Array, length: int) -> tuple[float, int, int]:
    """The stretch of so many days that is furthest above the usual: standard deviations, first day, length."""
    ones = np.ones(length)
    score = np.convolve(left, ones, "valid") / np.sqrt(np.maximum(np.convolve(noise, ones, "valid"), 1.0))
    first = int(score.argmax())
    return float(score[first]), first, length
