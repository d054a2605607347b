"""Ringing somebody first: what a call may be expected to gain, and what to open it with.

`gain = (p_with − p_without)·V − p_with·cost − handling − call`, V being what they are worth given they stay, p_without
the chance of staying as scored, and p_with the same moved on the log odds by what the lever changes. Never by risk: who
leaves anyway gains nothing from a call, and who would only be reminded of leaving loses. The ends of the interval add
the deviations of the effect and of the worth as squares, as on the ladder.

The effect was learned from people who came to cancel. That it holds for people who did not come is assumed, and nothing
in it says what being rung out of the blue does by itself; hence a gain counts as shown only when the lower end says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from churn.core.calls.say import Opening, say_first
from churn.core.calls.scene import Scene
from churn.core.language import t

Array = np.ndarray[Any, Any]
SURE = 1e-9  # chances are kept this far from certainty
LAST_QUESTION = re.compile(r"(^|(?<=[.!]))[^.!]*\?$")


@dataclass(frozen=True, slots=True)
class Ends:
    """A figure of n customers with the ends of its interval, (n,) each."""

    middle: Array
    low: Array
    high: Array


@dataclass(frozen=True, slots=True)
class Gain:
    """What a call may gain, major units, and the chance of staying with it; (n,) each."""

    p_with: Array
    gain: Array
    low: Array
    high: Array


def shift_of(start: Array, rise: Ends) -> Ends:
    """What a rise of the chance from `start` (n,) is on the log odds."""
    base = _logit(start)
    return Ends(*(_logit(start + part) - base for part in (rise.middle, rise.low, rise.high)))


def gain_of_call(p_without: Array, shift: Ends, worth: Ends, *, cost: Array | float, fixed: Array | float) -> Gain:
    """Expected gain of ringing n customers.

    `shift`: of the log odds of staying; `cost`: of what is given, once they stay; `fixed`: handling and the call
    itself, stay or go. Money in major units.
    """
    base = _logit(p_without)
    p, low, high = (1.0 / (1.0 + np.exp(-(base + part))) for part in (shift.middle, shift.low, shift.high))
    rise = p - p_without
    slope = worth.middle - cost
    gain = rise * slope - p_without * cost - fixed
    by_effect = np.sort([slope * (low - p), slope * (high - p)], axis=0)
    by_worth = np.sort([rise * (worth.low - worth.middle), rise * (worth.high - worth.middle)], axis=0)
    down, up = np.minimum([by_effect[0], by_worth[0]], 0.0), np.maximum([by_effect[1], by_worth[1]], 0.0)
    return Gain(p, gain, gain - np.hypot(*down), gain + np.hypot(*up))


def better(one: Gain, other: Gain) -> Array:
    """(n,) whether `other` is the better thing to ring with: shown before not shown, then by gain. NaN is worst."""
    known = np.isfinite(other.gain)
    rank = (np.nan_to_num(one.low, nan=-np.inf) > 0, np.nan_to_num(one.gain, nan=-np.inf))
    against = (np.nan_to_num(other.low, nan=-np.inf) > 0, np.nan_to_num(other.gain, nan=-np.inf))
    return known & ((against[0] & ~rank[0]) | ((against[0] == rank[0]) & (against[1] > rank[1])))


def ring_with(scene: Scene) -> Opening:
    """What to open a call of ours with: the problem they have; the question for why they ring makes way for ours."""
    opening = say_first(scene)
    still_open = scene.still_open(90)
    if still_open and "cancel" in (still_open[0].reason or "").lower():
        leaving = t(
            "You were in touch on {day} about leaving. I’d like to hear what would put it right. "
            "Is now a good time to talk?",
            day=scene.day(still_open[0].started_at),
        )
        return Opening(leaving, opening.ground)
    told = LAST_QUESTION.sub("", opening.text) or t("I’m ringing to ask how things are going with us.")
    ours = opening.is_our_fault
    purpose = t("I’m ringing to put it right. Is now a good time?") if ours else t("Is now a good time to talk?")
    return Opening(f"{told} {purpose}", opening.ground, ours)


def _logit(p: Array) -> Array:
    held = np.clip(p, SURE, 1.0 - SURE)
    return np.asarray(np.log(held / (1.0 - held)))
