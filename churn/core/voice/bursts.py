"""What is rising: each day's contacts of a key against its usual level, with few false alarms over the days.

A key is a reason, a reason in one region or on one plan, or a topic of the notes. Its usual level comes from the
trailing weeks: its share of the centre's work, by weekday as far as the weeks say so, times how much work the day
brought in all. The day's size is a weighted median over the reasons, so that one of them bursting, a bank holiday or a
Monday moves nobody's level. Days on which a key was above its level are left out of its later levels.

Counts are negative-binomial: more spread than Poisson, by as much as the key itself has shown. What is tested is not
"above usual" but "above usual by more than MARGIN": seasons creep, and nobody acts on a tenth.

Every night asks of all keys at once. Within a night Benjamini and Hochberg (1995) hold the false-discovery rate, whole
reasons and their parts weighed alike; over the nights LORD++ (Ramdas et al. 2017) says at which level the night is
tested, so that the rate also holds over a hundred nights on which nothing happens, which a fixed level per night would
not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import nbinom, norm, poisson

Array = np.ndarray[Any, Any]

WEEKS = 8  # of history a level is learned from
WINDOW = 2  # days looked at together: a burst that begins at noon shows on its second day
HISTORY = 7 * WEEKS + WINDOW + 1  # days a night looks at, its own among them
LEAST_DAYS = 21  # of history, before anything is tested
MARGIN = 0.15  # a rise smaller than this is no burst, however sure
WEEKDAY_PRIOR = 4.0  # days of the all-week share that a weekday's own share must outweigh
OUTLIER = 2.5  # standard deviations
LEAST_REASONS = 4  # fewer cannot tell a day's size from a burst
RATE = 0.10  # false discoveries among all, over all nights
LEAST_CONTACTS = 10  # fewer are no group one may speak of
GOING_ON = 0.01  # p-value below which a burst that was found goes on
LONGEST = 28  # days; what lasts longer is the new usual


@dataclass(frozen=True, slots=True)
class Keys:
    """(k,) what is counted: the reason (or topic) each key belongs to, and whether it is the whole of it or a part."""

    names: tuple[str, ...]
    reasons: Array
    is_whole: Array

    def weights(self, chosen: Array) -> Array:
        """(m,) of the chosen keys: all wholes together weigh as much as all parts; 1 on average."""
        whole = self.is_whole[chosen]
        families = [kind.sum() for kind in (whole, ~whole)]
        present = sum(size > 0 for size in families) or 1
        share = np.where(whole, 1 / max(families[0], 1), 1 / max(families[1], 1)) / present
        return np.asarray(share * len(whole))


@dataclass(frozen=True, slots=True)
class Night:
    """What one night found, by key. `days`: 2 where yesterday belongs to it; `goes_on`: found now or earlier, and
    above.
    """

    found: Array
    goes_on: Array
    p_values: Array
    expected: Array
    spread: Array
    days: Array
    tested: int


def look(counts: Array, weekdays: Array, keys: Keys, is_burst: Array, *, level: float) -> Night:
    """Test the last of (days, k) counts against the days before, at this false-discovery rate.

    `weekdays` (days,); `is_burst` (days, k): whether a key was above its level, the last day not known yet. Keys that
    were so yesterday are followed, not tested. A part is held against the rest of its reason: where all of it rises,
    no part is news of its own.
    """
    today = len(counts) - 1
    sizes = day_sizes(counts[:, keys.is_whole], weekdays)
    levels = [
        usual(counts, sizes, weekdays, day=today - back, until=max(today - WINDOW, 1), is_burst=is_burst)
        for back in range(WINDOW)
    ]
    p_values, days = rising(counts[today], counts[today - 1], [_beside_the_rest(counts[today - back], one, keys)
                                                              for back, one in enumerate(levels)])  # fmt: skip
    expected, spread = levels[0].expected, levels[0].spread
    before = is_burst[today - 1]
    may_begin = np.flatnonzero(~before)
    found = np.zeros(len(p_values), dtype=bool)
    found[may_begin] = found_at(p_values[may_begin], level, keys.weights(may_begin))
    whole_is_up = np.isin(keys.reasons, keys.reasons[(before | found) & keys.is_whole])
    is_worn = is_burst[max(today - LONGEST, 0) : today].sum(axis=0) >= LONGEST
    is_above = levels[0].p_values(counts[today]) < GOING_ON
    goes_on = found | ((before | whole_is_up) & is_above & ~is_worn)
    return Night(found, goes_on, p_values, expected, spread, days, len(may_begin))


def _beside_the_rest(counts: Array, level: Usual, keys: Keys) -> Usual:
    """The level of each part raised by as much as the rest of its reason is up that day; wholes as they are."""
    expected, spread = level.expected.copy(), level.spread.copy()
    place = {reason: k for k, reason in enumerate(keys.reasons) if keys.is_whole[k]}
    whole = np.array([place.get(reason, -1) for reason in keys.reasons])
    parts = np.flatnonzero(~keys.is_whole & (whole >= 0))
    rest = np.maximum(level.expected[whole[parts]] - level.expected[parts], 1.0)
    rise = np.maximum((counts[whole[parts]] - counts[parts]) / rest, 1.0)
    expected[parts] *= rise
    spread[parts] *= 1 + expected[parts] / (rest * rise)  # the rest is counted too, not known
    return Usual(expected, spread)


@dataclass(frozen=True, slots=True)
class Usual:
    """(k,) what a day should bring by key, and how much that spreads: variance = `spread` × `expected`."""

    expected: Array
    spread: Array

    def p_values(self, counts: Array, margin: float = MARGIN) -> Array:
        """(k,) chance of at least so many contacts, were the level up by `margin` and no more; 1 where nothing came."""
        return tail(counts, self.expected * (1 + margin), self.spread)


def tail(counts: Array, mean: Array, spread: Array) -> Array:
    """P(Y >= counts) of a negative binomial with this mean and variance spread × mean; Poisson at spread 1."""
    mean = np.maximum(mean, 1e-9)
    size = mean / np.maximum(spread - 1, 1e-9)
    heavy = np.where(spread > 1 + 1e-6, nbinom.sf(counts - 1, size, 1 / np.maximum(spread, 1 + 1e-6)), 0.0)
    return np.where(spread > 1 + 1e-6, heavy, poisson.sf(counts - 1, mean))


def band(expected: Array, spread: Array, level: float = 0.9) -> tuple[Array, Array]:
    """Usual range of a day's contacts: `level` of the days lie within it."""
    reach = norm.ppf(0.5 + level / 2) * np.sqrt(np.maximum(spread * expected, 0))
    return np.maximum(expected - reach, 0), expected + reach


def day_sizes(counts: Array, weekdays: Array) -> Array:
    """(days,) how much work each day brought, 1 on average, from (days, reasons) counts.

    The median over the reasons, each weighted as surely as it is known (by the root of its size), of a day's contacts
    against the mean day's. With fewer than
    LEAST_REASONS reasons: the median of that weekday.
    """
    counts = counts.astype(float)
    level = np.maximum(counts.mean(axis=0), 1e-9)
    if counts.shape[1] < LEAST_REASONS:
        total = counts.sum(axis=1) / level.sum()
        return np.array([np.median(total[weekdays == weekday]) for weekday in weekdays])
    sizes = np.ones(len(counts))
    for _ in range(3):  # the level of a reason is its median share, so that its own bursts do not lift it
        sizes = np.maximum(weighted_median(counts / level, np.sqrt(level)), 1e-3)
        level = np.maximum(counts.sum(axis=0) / sizes.sum(), 1e-9)
    return sizes


def weighted_median(values: Array, weights: Array) -> Array:
    """(n,) weighted median of each row of (n, k) values, between the two middle ones where they meet."""
    order = np.argsort(values, axis=1)
    ranked, weight = np.take_along_axis(values, order, axis=1), weights[order]
    middle = np.cumsum(weight, axis=1) - weight / 2
    half = weight.sum(axis=1) / 2
    return np.array([np.interp(h, m, v) for h, m, v in zip(half, middle, ranked, strict=True)])


def usual(counts: Array, sizes: Array, weekdays: Array, *, day: int, until: int, is_burst: Array) -> Usual:
    """What day `day` should bring, from the WEEKS that end before day `until`.

    `counts` (days, k), `sizes` and `weekdays` (days,), `is_burst` (days, k): days left out of a key's level.
    """
    weeks = slice(max(until - 7 * WEEKS, 0), until)
    kept = ~is_burst[weeks]
    past, size = counts[weeks] * kept, sizes[weeks, None] * kept
    share = past.sum(axis=0) / np.maximum(size.sum(axis=0), 1e-9)
    same = (weekdays[weeks] == weekdays[day])[:, None]
    prior = WEEKDAY_PRIOR * size.sum(axis=0) / np.maximum(kept.sum(axis=0), 1)
    work = np.maximum((size * same).sum(axis=0) + prior, 1e-9)
    expected = ((past * same).sum(axis=0) + prior * share) / work * sizes[day]
    spread = spread_of(past, share * size, kept)
    return Usual(expected, spread * (1 + sizes[day] / work))  # the level itself is known from so much work only


def spread_of(past: Array, fitted: Array, kept: Array) -> Array:
    """(k,) variance over mean of (days, k) counts around their fitted level, at least 1.

    A day further out than OUTLIER standard deviations counts as one that far: a burst that was missed must not hide the
    next. A week of Poisson days holds it near 1 while little is known.
    """
    fitted = np.maximum(fitted, 1e-9)
    squared = np.where(kept, (past - fitted) ** 2 / fitted, 0.0)
    days = kept.sum(axis=0)
    spread = np.ones(past.shape[1])
    for _ in range(3):
        spread = np.maximum((np.minimum(squared, OUTLIER**2 * spread).sum(axis=0) + 7) / (days + 7), 1.0)
    return spread


def rising(counts: Array, yesterday: Array, levels: Sequence[Usual]) -> tuple[Array, Array]:
    """(k,) p-value and days of today alone or with yesterday, whichever says more; `levels` of today and yesterday.

    The p-value is that of the better of two looks, doubled (Bonferroni); 1 for fewer than LEAST_CONTACTS.
    """
    single = levels[0].p_values(counts)
    both = Usual(levels[0].expected + levels[1].expected, np.maximum(levels[0].spread, levels[1].spread))
    # What only yesterday brought is no news today.
    double = np.where(counts > levels[0].expected, both.p_values(counts + yesterday), 1.0)
    is_longer = double < single
    p_values = np.minimum(2 * np.minimum(single, double), 1.0)
    return np.where(counts + is_longer * yesterday < LEAST_CONTACTS, 1.0, p_values), 1 + is_longer


def found_at(p_values: Array, level: float, weights: Array | None = None) -> Array:
    """(k,) which are found at this false-discovery rate; weights average 1 (Genovese, Roeder and Wasserman 2006)."""
    k = len(p_values)
    if not k or level <= 0:
        return np.zeros(k, dtype=bool)
    weighed = p_values if weights is None else p_values / np.maximum(weights, 1e-12)
    order = np.argsort(weighed)
    below = np.flatnonzero(weighed[order] <= level * np.arange(1, k + 1) / k)
    found = np.zeros(k, dtype=bool)
    found[order[: below[-1] + 1 if len(below) else 0]] = True
    return found


def spending(n: int) -> Array:
    """(n,) shares of the error budget a night gets so many nights after the last finding; they sum to at most 1.

    The sequence of Javanmard and Montanari (2018), close to the best for rare signals.
    """
    nights = np.arange(1, n + 1)
    return np.asarray(0.0722 * np.log(np.maximum(nights, 2)) / (nights * np.exp(np.sqrt(np.log(nights)))))


def level_of_night(night: int, findings: Sequence[int], rate: float = RATE) -> float:
    """At which level night `night` (from 0) is tested, given the earlier nights with findings: LORD++ with half of the
    rate to begin with."""
    start = rate / 2
    share = spending(night + 1)
    level = share[night] * start
    for nth, found in enumerate(findings):
        level += share[night - found - 1] * ((rate - start) if nth == 0 else rate)
    return float(min(level, rate))
