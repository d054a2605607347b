"""Many past calls as columns: what rules may ask of each, the caller's curve, and what was given and came of it.

Money is whole minor units as in `Case`, but for the values a curve is known at and what was given, which are major
units as the effect model speaks. A number nobody knows is NaN, a word None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn.core.offers.plans import CARE_FLAGS
from churn.core.offers.question import Curve, Question
from churn.core.policies.policy import FLAGS, WORDS

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.object_]
Flags = NDArray[np.bool_]
VALUES = np.array([0.0, 0.01, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 300, 400])
"""(m,) where curves are kept, major units; between them they are straight, and the jump at "an offer" stays a jump."""


@dataclass(frozen=True, slots=True)
class Before:
    """Earlier concessions of all calls in one list: whose (row), what, how much, how long before."""

    row: Ints
    instrument: Words
    amount: Ints
    days_ago: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """What became of each call, (n,): the amount given, whether they stayed, and what judging another policy takes.

    `expected`: chance of staying at what was given, what the agent heard counted in; `usual` (n, m): the chance at the
    values of the curve, heard by nobody. Both by models that never saw the call. `band_chance` (n, k): how likely each
    band of amounts was in such a call; `propensity`: the known chance where a trial drew the amount, else NaN.
    """

    amount: Array
    stayed: Array
    expected: Array
    usual: Array
    band_chance: Array
    propensity: Array


@dataclass(frozen=True, kw_only=True)
class Calls:
    """n calls. `p`, `low`, `high` (n, m): chance of staying at `values`, and the ends of its rise, as the desk sees it.

    `staying` (n, s): chance of being here in month j given they stay now. `worth_low` NaN: no model, policy's table.
    """

    on: Array  # ordinal of the day
    monthly_bill: Ints
    tenure_months: Array
    risk: Array
    worth: Array
    worth_low: Array
    worth_high: Array
    fee: Ints
    words: Mapping[str, Words]
    flags: Mapping[str, Flags]
    before: Before
    staying: Array
    p: Array
    low: Array
    high: Array
    values: Array
    logged: Logged | None = None

    def __len__(self) -> int:
        return len(self.on)

    def part(self, start: int, end: int) -> Calls:
        """Rows `start` to `end`."""
        rows = slice(start, end)
        inside = (self.before.row >= start) & (self.before.row < end)
        before = Before(*(getattr(self.before, field.name)[inside] for field in fields(Before)))
        logged = self.logged and Logged(**{f.name: getattr(self.logged, f.name)[rows] for f in fields(Logged)})
        cut = {
            field.name: getattr(self, field.name)[rows]
            for field in fields(self)
            if field.name not in {"words", "flags", "before", "values", "logged"}
        }
        return replace(
            self,
            **cut,
            words={name: held[rows] for name, held in self.words.items()},
            flags={name: held[rows] for name, held in self.flags.items()},
            before=replace(before, row=before.row - start),
            logged=logged,
        )

    @cached_property
    def is_care(self) -> Flags:
        """Nobody bargains with these callers."""
        found = np.zeros(len(self), bool)
        for flag in CARE_FLAGS:
            found |= self.flags[flag]
        return found


def from_questions(questions: Sequence[Question], curves: Sequence[Curve | None]) -> Calls:
    """Single calls as columns, their curves at VALUES. Budgets, used authority, asks and trials are left behind."""
    cases = [question.case for question in questions]
    months = max((len(question.staying) for question in questions), default=1) or 1
    earlier = [(row, item) for row, question in enumerate(questions) for item in question.spending.earlier]
    worths = [question.worth for question in questions]

    def number(name: str) -> Array:
        return np.array([np.nan if (v := getattr(case, name)) is None else float(v) for case in cases])

    def at(name: str) -> Array:
        return np.array(
            [np.zeros(len(VALUES)) if c is None else np.interp(VALUES, c.values, getattr(c, name)) for c in curves]
        ).reshape(len(curves), len(VALUES))

    known = [worth is not None and curve is not None for worth, curve in zip(worths, curves, strict=True)]
    return Calls(
        on=np.array([float(case.on.toordinal()) for case in cases]),
        monthly_bill=np.array([case.monthly_bill for case in cases], np.int64),
        tenure_months=number("tenure_months"),
        risk=number("risk"),
        worth=number("worth"),
        worth_low=np.array([float(w.low) if w and k else np.nan for w, k in zip(worths, known, strict=True)]),
        worth_high=np.array([float(w.high) if w else np.nan for w in worths]),
        fee=np.array([question.spending.fee for question in questions], np.int64),
        words={name: words([getattr(case, name) for case in cases]) for name in WORDS},
        flags={name: np.array([getattr(case, name) for case in cases], bool) for name in FLAGS},
        before=Before(
            np.array([row for row, _ in earlier], np.int64),
            words([item.instrument for _, item in earlier]),
            np.array([item.amount for _, item in earlier], np.int64),
            np.array([item.days_ago for _, item in earlier], float),
        ),
        staying=np.array([_padded(question.staying, months) for question in questions]).reshape(len(cases), months),
        p=at("p"),
        low=at("low"),
        high=at("high"),
        values=VALUES,
    )


def words(values: Sequence[Any]) -> Words:
    """(n,) of text or None."""
    found = np.empty(len(values), object)
    found[:] = list(values)
    return found


def _padded(staying: Sequence[float], months: int) -> list[float]:
    held = list(staying) or [1.0]
    return held + [held[-1]] * (months - len(held))
