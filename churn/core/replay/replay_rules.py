"""The rules of one policy over many calls: which rule answers where, and with how much.

The same reading as `policy.answers`, by columns: a rule's conditions are one mask, and of the rules of a topic the
narrowest is found once for each combination of rules that fits anywhere, not once for each call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from churn.core.policies.policy import ANSWERED, FLAGS, Box, Policy, Rule, narrowest
from churn.core.replay.replay_calls import Array, Calls, Flags, Ints

BITS = 40  # masks that one number holds, with room for the combinations found so far


class Reading:
    """A policy and the calls it is read over."""

    def __init__(self, policy: Policy, calls: Calls) -> None:
        self.policy, self.calls = policy, calls
        self._masks: dict[tuple[Any, ...], Flags] = {}
        goodwill = {name: (item := policy.instrument(name)) is None or item.draws_budget for name in _named(calls)}
        self._is_goodwill = np.array([goodwill[name] for name in calls.before.instrument], bool)

    def said(self, effect: str, instrument: str = "") -> list[tuple[Rule, Flags]]:
        """Each rule that answers somewhere, with the calls (n,) it answers for, by code."""
        book = self.policy.book.get((effect, instrument), ())
        held = [(rule, box, self._fits(rule, box)) for rule, box in book]
        if effect not in ANSWERED:
            return [(rule, mask) for rule, _, mask in held]
        topics: dict[str, list[tuple[Rule, Box, Flags]]] = {}
        for one in held:
            topics.setdefault(one[0].topic, []).append(one)
        found = [pair for topic in sorted(topics) for pair in _narrowest_each(topics[topic])]
        return sorted(found, key=lambda pair: pair[0].code)

    def amount(self, rule: Rule) -> Array:
        """(n,) minor units, days or times, as `policy.amount_of`; infinite where the rule sets no limit."""
        n = len(self.calls)
        if rule.value is None or rule.unit == "no_limit":
            return np.full(n, np.inf)
        top, scale = _fraction(rule)
        base = np.ones(n, np.int64)
        if rule.unit == "share_of_bill":
            base = self.calls.monthly_bill
        elif rule.unit == "share_of_worth":
            base = np.nan_to_num(self.calls.worth).astype(np.int64)
        whole = -((-top * base) // scale) if rule.effect == "floor" else (top * base) // scale
        amount = np.maximum(whole, 0).astype(float)
        return np.where(np.isnan(self.calls.worth), np.inf, amount) if rule.unit == "share_of_worth" else amount

    def given_within(self, days: float, instrument: str | None = None) -> Ints:
        """(n,) earlier concessions younger than `days`: goodwill of any kind, or one instrument."""
        mask = self._inside(days, instrument)
        return np.asarray(np.bincount(self.calls.before.row[mask], minlength=len(self.calls)), np.int64)

    def money_within(self, days: float) -> Array:
        """(n,) goodwill given within `days`, minor units."""
        mask = self._inside(days, None)
        rows, money = self.calls.before.row[mask], self.calls.before.amount[mask]
        return np.asarray(np.bincount(rows, weights=money, minlength=len(self.calls)), float)

    def last(self, instrument: str) -> Array:
        """(n,) days since the instrument was last given; infinite where never."""
        found = np.full(len(self.calls), np.inf)
        mask = self.calls.before.instrument == instrument
        np.minimum.at(found, self.calls.before.row[mask], self.calls.before.days_ago[mask])
        return found

    def _inside(self, days: float, instrument: str | None) -> Flags:
        before = self.calls.before
        chosen = self._is_goodwill if instrument is None else before.instrument == instrument
        return np.asarray(chosen & (before.days_ago < days), bool)

    def _fits(self, rule: Rule, box: Box) -> Flags:
        mask = np.ones(len(self.calls), bool)
        for name, wanted in box.items():
            if name == "instrument":
                continue
            key = (name, wanted)
            if key not in self._masks:
                self._masks[key] = self._holds(rule, name, wanted)
            mask = mask & self._masks[key]
        return mask

    def _holds(self, rule: Rule, name: str, wanted: Any) -> Flags:
        if isinstance(wanted, tuple):
            fact = self._fact(rule, name)
            return np.asarray((fact >= wanted[0]) & (fact < wanted[1]), bool)  # NaN is in no range
        held: Mapping[str, Any] = self.calls.flags if name in FLAGS else self.calls.words
        return np.asarray(held[name] == wanted, bool)

    def _fact(self, rule: Rule, name: str) -> Array:
        if name.startswith("given"):
            return self.given_within(np.inf if rule.given_days is None else rule.given_days).astype(float)
        named = {"date": "on", "tenure": "tenure_months"}
        return np.asarray(getattr(self.calls, named.get(name, name)), float)


def _named(calls: Calls) -> set[str]:
    return set(calls.before.instrument)


def _narrowest_each(rules: list[tuple[Rule, Box, Flags]]) -> Iterator[tuple[Rule, Flags]]:
    """Each rule of a topic with the calls it is the narrowest for."""
    if len(rules) == 1:
        yield rules[0][0], rules[0][2]
        return
    which, first = _patterns([mask for *_, mask in rules])
    answering: dict[str, Flags] = {}
    by_code = {rule.code: rule for rule, *_ in rules}
    for number, example in enumerate(first):
        fitting = [(rule, box) for rule, box, mask in rules if mask[example]]
        if fitting:
            code = narrowest(fitting).code
            answering[code] = answering.get(code, np.zeros(len(which), bool)) | (which == number)
    yield from ((by_code[code], mask) for code, mask in answering.items())


def _patterns(masks: list[Flags]) -> tuple[Ints, Ints]:
    """(n,) the number of each call's combination of masks, and a call of each combination."""
    which, first = np.zeros(len(masks[0]), np.int64), np.zeros(0, np.int64)
    for start in range(0, len(masks), BITS):
        code = which
        for mask in masks[start : start + BITS]:
            code = 2 * code + mask
        _, first, which = np.unique(code, return_index=True, return_inverse=True)
    return which, first


def _fraction(rule: Rule) -> tuple[int, int]:
    """A rule's value as whole numbers over and under the line."""
    top, under = (rule.value or 0).as_integer_ratio()
    return int(top), int(under)
