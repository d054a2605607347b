"""Columns that give tenure or its end away, told from their values: a survival model may not see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from churn.core.columns import Column
from churn.core.staying.exposure import Exposure

Array = np.ndarray[Any, Any]


def find_leaks(columns: Sequence[Column], codes: Array, rows: Exposure, most: int = 20_000) -> dict[str, str]:
    """Columns a survival model may not see, each with a sentence why.

    Numbers that order customers as tenure does (rank correlation from 0.8), that equal tenure × another column
    (correlation from 0.98), whose average grows from zero in proportion to tenure, or that follow such a column; levels
    that each stand for a narrow band of tenure; and columns filled in, or set to one level, only for those who left.
    """
    if len(codes) > most:
        some = np.linspace(0, len(codes) - 1, most).astype(int)
        codes, rows = codes[some], rows.take(some)
    clocks = {"tenure": rows.duration}
    if np.unique(rows.entry).size > 10:
        clocks |= {"tenure at entry": rows.entry, "the months under observation": rows.duration - rows.entry}
    amounts = [j for j, c in enumerate(columns) if c.is_numeric and np.isfinite(codes[:, j]).sum() > 50]
    found: dict[int, str] = {}
    for j, column in enumerate(columns):
        reason = _known_after(column, codes[:, j], rows.event)
        if reason is None and column.kind == "levels":
            reason = _tenure_bands(codes[:, j], rows.duration)
        if reason is not None:
            found[j] = reason
    for clock, ticks in clocks.items():
        found |= _accumulating(columns, codes, [j for j in amounts if j not in found], clock, ticks)
    found |= _followers(columns, codes, amounts, found)
    return {columns[j].name: f"`{columns[j].name}` {reason}." for j, reason in sorted(found.items())}


def _known_after(column: Column, codes: Array, event: Array) -> str | None:
    """Filled in, or at certain levels, for almost nobody but those who left, and for most of them."""
    if column.kind == "skipped" or event.all():
        return None
    which = np.isfinite(codes).astype(int) if column.is_numeric else codes.astype(int)
    count, left = np.bincount(which), np.bincount(which, weights=event)
    only = (count >= 10) & (left >= 0.99 * count)
    if left[only].sum() < 0.8 * event.sum():
        return None
    return "is set for those who left and hardly anyone else: it is known only afterwards"


def _tenure_bands(codes: Array, tenure: Array) -> str | None:
    """At least two levels whose customers sit within about a third of the tenure ranks."""
    ranks = rankdata(tenure) / len(tenure)
    which = codes.astype(int)
    narrow = [k for k in np.unique(which) if (which == k).sum() >= 30 and ranks[which == k].std() < 0.1]
    if len(narrow) < 2 or np.isin(which, narrow).mean() < 0.2:
        return None
    return "has levels that each stand for a narrow band of tenure"


def _accumulating(
    columns: Sequence[Column], codes: Array, amounts: Sequence[int], clock: str, ticks: Array
) -> dict[int, str]:
    found: dict[int, str] = {}
    for j in amounts:
        held = np.isfinite(codes[:, j])
        values, tenure = codes[held, j], ticks[held]
        rank = _correlation(rankdata(values), rankdata(tenure))
        times = None if abs(rank) >= 0.95 else _product_partner(codes[held], amounts, j, tenure)
        if times is not None:
            found[j] = f"is {clock} × `{columns[times].name}`: it accumulates since sign-up"
        elif abs(rank) >= 0.8:
            found[j] = (
                f"orders customers almost as {clock} does (rank correlation {rank:.2f}): it is tenure in disguise"
            )
        elif rank >= 0.3 and _grows_from_zero(values, tenure):
            found[j] = f"grows from zero in proportion to {clock}: it accumulates since sign-up"
    return found


def _correlation(a: Array, b: Array) -> float:
    spread = a.std() * b.std()
    return float(np.mean((a - a.mean()) * (b - b.mean())) / spread) if spread > 0 else 0.0


def _product_partner(codes: Array, amounts: Sequence[int], j: int, tenure: Array) -> int | None:
    """The column that times tenure gives column j, clearly better than it or tenure alone does."""
    for other in amounts:
        held = np.isfinite(codes[:, other])
        if other == j or held.sum() <= 50:
            continue
        mine, theirs = codes[held, j], codes[held, other]
        alone = max(abs(_correlation(mine, theirs)), abs(_correlation(mine, tenure[held])))
        if _correlation(mine, tenure[held] * theirs) >= max(0.98, min(alone + 0.01, 0.999)):
            return other
    return None


def _grows_from_zero(values: Array, tenure: Array) -> bool:
    """Whether averages over tenth parts of tenure lie on a power of tenure near one."""
    if (values < 0).any() or np.unique(values).size <= 10:
        return False
    part = np.searchsorted(np.unique(np.quantile(tenure, np.linspace(0.1, 0.9, 9))), tenure)
    count = np.bincount(part)
    parts = np.flatnonzero(count >= 20)
    mean = np.bincount(part, weights=values)[parts] / count[parts]
    at = np.bincount(part, weights=tenure)[parts] / count[parts]
    if len(parts) < 5 or (mean <= 0).any() or (at <= 0).any() or at[-1] < 3 * at[0]:
        return False
    slope = float(np.polyfit(np.log(at), np.log(mean), 1)[0])
    return 0.8 <= slope <= 1.5 and _correlation(np.log(at), np.log(mean)) ** 2 >= 0.95


def _followers(
    columns: Sequence[Column], codes: Array, amounts: Sequence[int], found: dict[int, str]
) -> dict[int, str]:
    """Numbers that move with one already found (rank correlation from 0.95)."""
    leaders = [j for j in found if columns[j].is_numeric]
    followers: dict[int, str] = {}
    for j in (j for j in amounts if j not in found):
        for leader in leaders:
            held = np.isfinite(codes[:, j]) & np.isfinite(codes[:, leader])
            if held.sum() > 50 and _correlation(rankdata(codes[held, j]), rankdata(codes[held, leader])) >= 0.95:
                followers[j] = f"moves with `{columns[leader].name}`, which was left out"
                break
    return followers
