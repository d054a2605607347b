"""What is wrong with a rule set: all of it at once, each problem a sentence finance can act on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from churn.core.policy import (
    ANSWERED,
    COST_MODELS,
    ENTITLING,
    FAULTS,
    FLAGS,
    LEVERS,
    RANGES,
    ROLES,
    SETTINGS,
    UNITS,
    WINDOWS,
    Box,
    Instrument,
    Policy,
    Range,
    Rule,
    conditions,
    is_inside,
)

WINDOWED = ("rolling_cap", "redemptions", "refund_outage", "refund_double_bill", "late_fee")  # count over days
REQUIRED = ("rolling_cap", "counter_offers", "horizon", "discount_rate")  # every case needs an answer
MOST_GAPS = 5  # of one topic; the first few show the pattern
_WHOLE = (1, "is more than the whole: a share of 15 % is written 0.15.")
# By effect or unit: what a value may be at most, and what is said above that.
LARGEST: Mapping[str, tuple[int, str]] = {
    "share_of_worth": _WHOLE,
    "share_of_budget": _WHOLE,
    "per_year": _WHOLE,
    "margin": _WHOLE,
    "share_of_bill": (36, "monthly bills are more than three years."),
    "months": (120, "months are more than ten years."),
}
KNOWN_WORDS = {"fault": FAULTS}
MOST = 10**15  # of any value of a rule: more than any company gives, far inside a bigint


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: its kind, the sentence, and the codes of the rules it is about."""

    kind: str
    sentence: str
    codes: tuple[str, ...] = ()


class Other(frozenset[str]):
    """Any word but these, or none."""


def problems(policy: Policy, on: date) -> list[Problem]:
    """Every problem of `policy` were it in force from `on`; empty when it may be published."""
    beyond = [
        rule
        for rule in policy.rules
        if rule.value is not None and not (rule.value.is_finite() and abs(rule.value) < MOST)
    ]
    if beyond:  # with NaN, infinity or what no bigint holds nothing else can be reckoned
        sentence = "{0.code}: {0.value} is no number that can be reckoned with."
        return [Problem("out_of_range", sentence.format(rule), (rule.code,)) for rule in beyond]
    return [
        *_instrument_problems(policy),
        *(problem for rule in policy.rules for problem in _rule_problems(policy, rule, on)),
        *_duplicates(policy),
        *_topic_problems(policy),
        *_floor_problems(policy),
        *_authority_problems(policy),
    ]


def _instrument_problems(policy: Policy) -> Iterator[Problem]:
    if not policy.instruments:
        yield Problem("no_instruments", "The policy names no instrument, so nothing could be given.")
    for item in policy.instruments:
        for held, known in ((item.lever, LEVERS), (item.cost_model, COST_MODELS)):
            if held not in known:
                yield Problem("unknown_word", f"{item.instrument}: '{held}' is none of {', '.join(known)}.")
        if item.max_amount < 0 or item.step_amount < 1 or item.handling_cost < 0:
            yield Problem("negative", f"{item.instrument}: amounts are not below zero and steps at least 1.")
        if not 0 <= item.cost_share <= 1:
            yield Problem(
                "out_of_range", f"{item.instrument}: a cost share of {item.cost_share} is not between 0 and 1."
            )
        if item.cost_model in {"monthly", "free_months"} and not item.max_months:
            yield Problem("months_missing", f"{item.instrument} runs by the month but names no most months.")


def _rule_problems(policy: Policy, rule: Rule, on: date) -> Iterator[Problem]:
    def found(kind: str, sentence: str) -> Problem:
        return Problem(kind, f"{rule.code}: {sentence}", (rule.code,))

    if rule.instrument is not None and policy.instrument(rule.instrument) is None:
        yield found("unknown_instrument", f"there is no instrument '{rule.instrument}'.")
    if rule.effect not in UNITS:
        yield found("unknown_effect", f"there is no effect '{rule.effect}'.")
    elif rule.unit not in UNITS[rule.effect]:
        yield found("wrong_unit", f"{rule.effect} is in {' or '.join(UNITS[rule.effect])}, not in '{rule.unit}'.")
    elif sentence := _value_problem(rule):
        yield found("out_of_range", sentence)
    if rule.effect in WINDOWED and not (rule.window_days or 0) > 0:
        yield found("window_missing", f"{rule.effect} needs the days it counts over.")
    if rule.effect == "needs_role" and rule.role not in ROLES:
        yield found("unknown_role", f"'{rule.role}' is not a role that may give; there are {', '.join(ROLES)}.")
    if (rule.given_from is not None or rule.given_to is not None) != (rule.given_days is not None):
        yield found("window_missing", "a count of earlier concessions and its days go together.")
    yield from _condition_problems(rule)
    if rule.ends_on is not None and rule.ends_on <= on:
        yield found("expired", f"it ended on {rule.ends_on}, before {on} when the policy would begin.")
    if not rule.reason.strip():
        yield found("reason_missing", "the agent needs a sentence to read.")


def _condition_problems(rule: Rule) -> Iterator[Problem]:
    for name, (start, end) in RANGES.items():
        low, high = getattr(rule, start), getattr(rule, end)
        if low is not None and high is not None and low >= high:
            yield Problem("empty", f"{rule.code}: {name} from {low} to {high} holds no case.", (rule.code,))
    for name, known in KNOWN_WORDS.items():
        if getattr(rule, name) not in (None, *known):
            yield Problem(
                "unknown_word",
                f"{rule.code}: {name} '{getattr(rule, name)}' is none of {', '.join(known)}.",
                (rule.code,),
            )


def _value_problem(rule: Rule) -> str | None:
    """What is wrong with the value, given a unit that fits the effect."""
    if rule.unit in {"none", "role", "no_limit"}:
        return None if rule.value is None else f"'{rule.unit}' takes no value."
    if rule.value is None or rule.value < 0:
        return f"{rule.effect} needs a value in {rule.unit}, not below zero."
    for what in (rule.effect, rule.unit):
        if what in LARGEST and rule.value > LARGEST[what][0]:
            return f"{rule.value} {LARGEST[what][1]}"
    if rule.effect == "worth_months" and rule.value < 1:
        return "worth needs a month at least."
    is_whole = rule.unit not in {"money", "days", "times", "months"} or rule.value == int(rule.value)
    return None if is_whole else f"{rule.value} {rule.unit} is not a whole number."


def _duplicates(policy: Policy) -> Iterator[Problem]:
    for what, names in (
        ("rule code", [rule.code for rule in policy.rules]),
        ("instrument", [item.instrument for item in policy.instruments]),
        ("authority", [f"{a.role}, {a.instrument}, {a.contact_reason or 'any reason'}" for a in policy.authority]),
    ):
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Problem("twice", f"The {what} '{name}' is there more than once.", (name,))


def _topic_problems(policy: Policy) -> Iterator[Problem]:
    giving = [item.instrument for item in policy.instruments if item.max_amount > 0]
    for effect in ANSWERED:
        of_effect = [rule for rule in policy.rules if rule.effect == effect]
        topics = sorted({rule.topic for rule in of_effect})
        if effect in REQUIRED and not topics:
            yield Problem("missing", f"No rule sets {effect}.")
        if effect in {*SETTINGS, *ENTITLING} and len(topics) > 1:
            yield Problem(
                "overlap", f"{effect} is answered by more than one topic: {', '.join(topics)}.", tuple(topics)
            )
        for topic in topics:
            rules = [rule for rule in of_effect if rule.topic == topic]
            yield from _overlaps(topic, rules)
            if effect != "default_offer":
                yield from _gaps(effect, topic, rules, giving if effect == "ceiling" else [])
    for name in giving if policy.rules else []:
        if not any(rule.effect == "ceiling" and rule.instrument in (None, name) for rule in policy.rules):
            yield Problem("gap", f"No rule sets a ceiling for {name}.")


def _overlaps(topic: str, rules: Sequence[Rule]) -> Iterator[Problem]:
    """Pairs that fit the same case with neither inside the other, and no third rule that settles it."""
    boxes = {rule.code: conditions(rule) for rule in rules}
    for i, first in enumerate(rules):
        for second in rules[i + 1 :]:
            a, b = boxes[first.code], boxes[second.code]
            shared = common(a, b)
            if shared is None or (is_inside(a, b) != is_inside(b, a)):
                continue
            settled = (
                is_inside(shared, c) and is_inside(c, a) and is_inside(c, b) and c not in (a, b) for c in boxes.values()
            )
            if not any(settled):
                yield Problem(
                    "overlap",
                    f"{first.code} and {second.code} of topic '{topic}' both fit {in_words(shared)}; narrow one, "
                    "or add a rule for just that.",
                    (first.code, second.code),
                )


def common(first: Box, second: Box) -> Box | None:
    """The cases of both, or None when there are none."""
    shared = first | second
    for name in first.keys() & second.keys():
        a, b = first[name], second[name]
        if isinstance(a, tuple):
            shared[name] = (max(a[0], b[0]), min(a[1], b[1]))
            if shared[name][0] >= shared[name][1]:
                return None
        elif a != b:
            return None
    return shared


def _gaps(effect: str, topic: str, rules: Sequence[Rule], instruments: Sequence[str]) -> Iterator[Problem]:
    """Cases that no rule of the topic fits. A topic about some instruments must cover those, a general one all."""
    named = {rule.instrument for rule in rules if rule.instrument is not None}
    general = any(rule.instrument is None for rule in rules)
    for name in [n for n in instruments if general or n in named] or [""]:
        boxes = [
            {key: held for key, held in conditions(rule).items() if key != "instrument"}
            for rule in rules
            if rule.instrument in (None, name)
        ]
        for number, hole in enumerate(uncovered(boxes)):
            if number == MOST_GAPS:
                break
            about = f" for {name}" if name else ""
            yield Problem(
                "gap",
                f"Topic '{topic}' sets no {effect}{about} when {in_words(hole)}.",
                tuple(rule.code for rule in rules),
            )


def uncovered(boxes: Sequence[Box]) -> Iterator[Box]:
    """Boxes of cases that are in none of `boxes`: split by one condition at a time until all is decided.

    A fact may be unknown, and a word may be one nobody listed: both fit only what does not ask.
    """
    if not boxes:
        yield {}
        return
    if any(not box for box in boxes):
        return
    name = next(iter(sorted(boxes, key=len)[-1]))
    for cell in _cells(name, [box[name] for box in boxes if name in box]):
        rest = [
            {key: held for key, held in box.items() if key != name}
            for box in boxes
            if name not in box or _holds(box[name], cell)
        ]
        for hole in uncovered(rest):
            yield {name: cell} | hole


def _cells(name: str, wanted: Sequence[Any]) -> list[Any]:
    """The values of one condition that rules tell apart; None is unknown, Other any word but those named."""
    if name in FLAGS:
        return [True, False]
    if not isinstance(wanted[0], tuple):
        return [*sorted(set(wanted)), Other(wanted)]
    lowest = -math.inf if name == "worth" else 0.0  # worth may be below zero
    edges = sorted({lowest, math.inf, *(edge for pair in wanted for edge in pair if edge > lowest)})
    ranges: list[Any] = list(pairwise(edges))
    is_known = name == "date" or name.startswith("given")
    return ranges if is_known else [*ranges, None]


def _holds(wanted: Any, cell: Any) -> bool:
    if isinstance(wanted, tuple):
        return cell is not None and bool(wanted[0] <= cell[0] and cell[1] <= wanted[1])
    return bool(wanted == cell)


def in_words(box: Box) -> str:
    """A box as a person says it: `tenure from 12 to 24, fault = ours`."""
    parts = []
    for name, held in sorted(box.items()):
        if held is None:
            parts.append(f"{name} is unknown")
        elif isinstance(held, Other):
            parts.append(f"{name} is not {' or '.join(sorted(held))}")
        elif isinstance(held, bool):
            parts.append(name if held else f"not {name}")
        elif isinstance(held, tuple):
            parts.append(f"{name} {_range_in_words(name, held)}")
        else:
            parts.append(f"{name} = {held}")
    return ", ".join(parts) or "every case"


def _range_in_words(name: str, held: Range) -> str:
    low, high = (
        str(date.fromordinal(int(edge))) if name == "date" and 0 < edge < math.inf else f"{edge:g}" for edge in held
    )
    if math.isinf(held[1]):
        return "any" if math.isinf(held[0]) else f"from {low}"
    return f"below {high}" if math.isinf(held[0]) else f"from {low} to {high}"


def _floor_problems(policy: Policy) -> Iterator[Problem]:
    floors = [rule for rule in policy.rules if rule.effect == "floor" and rule.value is not None]
    ceilings = [rule for rule in policy.rules if rule.effect == "ceiling" and rule.value is not None]
    for floor in floors:
        wall = policy.instrument(floor.instrument or "")
        if wall is not None and floor.unit == "money" and (floor.value or 0) > wall.max_amount:
            yield Problem(
                "floor_above_ceiling", f"{floor.code} is above the most {wall.instrument} may be.", (floor.code,)
            )
        for ceiling in ceilings:
            shared = common(conditions(floor), conditions(ceiling))
            if shared is None or floor.unit != ceiling.unit or (floor.value or 0) <= (ceiling.value or 0):
                continue
            if not any(_answers_instead(other, ceiling, shared) for other in policy.rules):
                yield Problem(
                    "floor_above_ceiling",
                    f"{floor.code} gives at least {floor.value}, {ceiling.code} at most {ceiling.value}, "
                    f"when {in_words(shared)}.",
                    (floor.code, ceiling.code),
                )


def _answers_instead(other: Rule, ceiling: Rule, shared: Box) -> bool:
    """Whether a narrower ceiling of the same topic takes all the shared cases."""
    if other is ceiling or (other.effect, other.topic) != (ceiling.effect, ceiling.topic):
        return False
    box = conditions(other)
    return is_inside(shared, box) and is_inside(box, conditions(ceiling))


def _authority_problems(policy: Policy) -> Iterator[Problem]:
    for line in policy.authority:
        what = f"{line.role}, {line.instrument}"
        item = policy.instrument(line.instrument)
        if line.role not in ROLES:
            yield Problem("unknown_role", f"'{line.role}' is not a role that may give; there are {', '.join(ROLES)}.")
        if line.time_window not in WINDOWS:
            yield Problem("unknown_word", f"{what}: a window is a {', a '.join(WINDOWS)}, not '{line.time_window}'.")
        if line.per_grant < 0 or line.per_window < line.per_grant:
            yield Problem("out_of_range", f"{what}: one grant of {line.per_grant} does not go into {line.per_window}.")
        if item is None:
            yield Problem("unknown_instrument", f"{what}: there is no instrument '{line.instrument}'.")
        elif line.per_grant > (top := _highest_ceiling(policy, item)):
            yield Problem("authority_above_ceiling", f"{what}: {line.per_grant} is above the highest ceiling, {top}.")
    for item in policy.instruments:
        limits = {
            a.role: a.per_grant
            for a in policy.authority
            if a.instrument == item.instrument and a.contact_reason is None
        }
        for role in ROLES:
            if role not in limits:
                yield Problem(
                    "authority_missing", f"No {role} has authority for {item.instrument}: nobody could give it."
                )
        if limits.get("agent", 0) > limits.get("supervisor", math.inf):
            yield Problem("authority_upside_down", f"{item.instrument}: an agent may give more than a supervisor.")


def _highest_ceiling(policy: Policy, item: Instrument) -> int:
    """The most any case may get of it: of each topic in plain money the highest, of those the lowest."""
    top = item.max_amount
    rules = [r for r in policy.rules if r.effect == "ceiling" and r.instrument in (None, item.instrument)]
    for topic in {rule.topic for rule in rules}:
        here = [rule for rule in rules if rule.topic == topic]
        if all(rule.unit == "money" and rule.value is not None for rule in here):
            top = min(top, int(max(rule.value or 0 for rule in here)))
    return top
