"""A problem behind a burst: where it sits, what may be done about it, and what mending it saved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt

from scipy.stats import norm

from churn.core import words
from churn.core.language import mark, number, t

STATES = {
    "noticed": mark("noticed"),
    "accepted": mark("accepted"),
    "being_fixed": mark("being fixed"),
    "fixed": mark("fixed"),
    "dismissed": mark("dismissed"),
}
SAME_PROBLEM_DAYS = 14  # a key above its level again within so many days is the same problem
MOST_OF_IT = 0.5  # of a reason's excess: a part with as much is where the problem sits
LEAST_GROUP = 10  # customers; of fewer nobody speaks
EFFECT_DAYS = 28  # a problem left alone is not thought to last longer than that


@dataclass(frozen=True, slots=True)
class Scope:
    """What a key means: a reason, in one region or on one plan or everywhere; or a topic of the notes."""

    reason: str | None
    region: str | None = None
    plan: str | None = None
    topic_id: int | None = None

    @property
    def key(self) -> str:
        """The key as the database has it."""
        if self.reason is None:
            return f"topic|{self.topic_id}"
        if self.region is not None:
            return f"{self.reason}|region|{self.region}"
        return f"{self.reason}|plan|{self.plan}" if self.plan is not None else self.reason


def scope_of(key: str) -> Scope:
    """The scope a key stands for."""
    first, _, rest = key.partition("|")
    kind, _, value = rest.partition("|")
    if first == "topic":
        return Scope(None, topic_id=int(rest))
    return Scope(first, value if kind == "region" else None, value if kind == "plan" else None)


def seat(reason: str, found: Mapping[str, float], excess: Mapping[str, float]) -> str:
    """The key a reason's findings of one night are told under, from p-values by key found and contacts above usual by
    key.

    A part when it holds most of what is above usual, or when the reason as a whole was not found; else the whole.
    """
    parts = sorted((p, key) for key, p in found.items() if key != reason)
    if not parts:
        return reason
    largest = max((key for _, key in parts), key=lambda key: excess.get(key, 0.0))
    if reason not in found or excess.get(largest, 0.0) >= MOST_OF_IT * max(excess.get(reason, 0.0), 1e-9):
        return largest
    return reason


def title_of(scope: Scope, telling: Sequence[str], ratio: float) -> str:
    """`Fault: red light · hub`; without telling words how far it is above usual. English, as it is kept."""
    about = words.plain(scope.reason).capitalize() if scope.reason else "Notes"
    return f"{about}: {' · '.join(telling)}" if telling else f"{about}: {ratio:.1f} times the usual"


def title_said(title: str, reason: str | None) -> str:
    """A kept title in the language spoken here; the words of the notes stay as they were written."""
    kept, _, rest = title.partition(": ")
    if kept != (words.plain(reason).capitalize() if reason else "Notes"):
        return title
    about = words.first_up(words.spoken(reason)) if reason else t("Notes")
    ratio = re.fullmatch(r"(\d+\.\d) times the usual", rest)
    if ratio:
        rest = t("{ratio} times the usual", ratio=number(float(ratio[1]), 1))
    return t("{about}: {rest}", about=about, rest=rest)


def groups(values: Iterable[str | None]) -> list[tuple[str | None, int]]:
    """(group, customers), largest first: groups of at least LEAST_GROUP; the others together as None, if they are as
    many.

    One value a customer; None and groups too small are counted together.
    """
    counted: dict[str | None, int] = {}
    for value in values:
        counted[value] = counted.get(value, 0) + 1
    named = {value: n for value, n in counted.items() if value is not None and n >= LEAST_GROUP}
    rest = sum(counted.values()) - sum(named.values())
    shown: list[tuple[str | None, int]] = sorted(named.items(), key=lambda item: (-item[1], str(item[0])))
    return [*shown, (None, rest)] if rest >= LEAST_GROUP else shown


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a problem: contacts, what would have been usual, and a usual day's variance over its mean."""

    day: date
    contacts: int
    expected: float
    spread: float


@dataclass(frozen=True, slots=True)
class Avoided:
    """Contacts that did not come since the fix, with their 90 % interval, over so many days."""

    contacts: float
    low: float
    high: float
    days: int


def avoided(course: Sequence[Day], began_on: date, fixed_on: date, *, level: float = 0.9) -> Avoided | None:
    """What the fix saved: contacts had it gone on as from `began_on` to the fix, less those that came.

    The day of the fix counts neither way, and nothing counts beyond EFFECT_DAYS. None without a day on either side.
    It is no experiment: a problem that would have ended by itself looks the same.
    """
    before = [one for one in course if began_on <= one.day < fixed_on]
    after = [one for one in course if fixed_on < one.day and (one.day - fixed_on).days <= EFFECT_DAYS]
    usual_before, usual_after = sum(d.expected for d in before), sum(d.expected for d in after)
    if not before or not after or usual_before <= 0:
        return None
    came_before, came_after = sum(d.contacts for d in before), sum(d.contacts for d in after)
    scale = usual_after / usual_before
    spread = sum(d.spread * d.expected for d in [*before, *after]) / (usual_before + usual_after)
    error = sqrt(spread * (scale**2 * came_before + came_after)) * float(norm.ppf(0.5 + level / 2))
    saved = scale * came_before - came_after
    return Avoided(saved, saved - error, saved + error, len(after))
