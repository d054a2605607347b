"""What is wrong with a rule set: all of it at once, each problem a sentence finance can act on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from churn.core.language import mark, t
from churn.core.policies.policy import (
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
    Rule,
    conditions,
    is_inside,
)
from churn.core.policies.policy_words import Other, edge, in_words, named_all, written
from churn.core.words import named

WINDOWED = ("rolling_cap", "redemptions", "refund_outage", "refund_double_bill", "late_fee")  # count over days
REQUIRED = ("rolling_cap", "counter_offers", "horizon", "discount_rate")  # every case needs an answer
MOST_GAPS = 5  # of one topic; the first few show the pattern
_WHOLE = (1, mark("{value} is more than the whole: a share of 15 % is written 0.15."))
# By effect or unit: what a value may be at most, and what is said above that.
LARGEST: Mapping[str, tuple[int, str]] = {
    "share_of_worth": _WHOLE,
    "share_of_budget": _WHOLE,
    "per_year": _WHOLE,
    "margin": _WHOLE,
    "share_of_bill": (36, mark("{value} monthly bills are more than three years.")),
    "months": (120, mark("{value} months are more than ten years.")),
}
KNOWN_WORDS = {"fault": FAULTS}
MOST = 10**15  # of any value of a rule: more than any company gives, far inside a bigint


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: its kind, the sentence, and the codes of the rules it is about."""

    kind: str
    sentence: str
    codes: tuple[str, ...] = ()


def problems(policy: Policy, on: date) -> list[Problem]:
    """Every problem of `policy` were it in force from `on`; empty when it may be published."""
    beyond = [
        rule
        for rule in policy.rules
        if rule.value is not None and not (rule.value.is_finite() and abs(rule.value) < MOST)
    ]
    if beyond:  # with NaN, infinity or what no bigint holds nothing else can be reckoned
        return [
            Problem(
                "out_of_range",
                t("{code}: {value} is no number that can be reckoned with.", code=rule.code, value=rule.value),
                (rule.code,),
            )
            for rule in beyond
        ]
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
        yield Problem("no_instruments", t("The policy names no instrument, so nothing could be given."))
    for item in policy.instruments:
        for held, known in ((item.lever, LEVERS), (item.cost_model, COST_MODELS)):
            if held not in known:
                sentence = t(
                    "{instrument}: '{word}' is none of {words}.",
                    instrument=item.instrument,
                    word=held,
                    words=named_all(known),
                )
                yield Problem("unknown_word", sentence)
        if item.max_amount < 0 or item.step_amount < 1 or item.handling_cost < 0:
            sentence = t("{instrument}: amounts are not below zero and steps at least 1.", instrument=item.instrument)
            yield Problem("negative", sentence)
        if not 0 <= item.cost_share <= 1:
            yield Problem(
                "out_of_range",
                t(
                    "{instrument}: a cost share of {share} is not between 0 and 1.",
                    instrument=item.instrument,
                    share=written(item.cost_share),
                ),
            )
        if item.cost_model in {"monthly", "free_months"} and not item.max_months:
            sentence = t("{instrument} runs by the month but names no most months.", instrument=item.instrument)
            yield Problem("months_missing", sentence)


def _rule_problems(policy: Policy, rule: Rule, on: date) -> Iterator[Problem]:
    def found(kind: str, sentence: str) -> Problem:
        return Problem(kind, f"{rule.code}: {sentence}", (rule.code,))

    if rule.instrument is not None and policy.instrument(rule.instrument) is None:
        yield found("unknown_instrument", t("there is no instrument '{name}'.", name=rule.instrument))
    if rule.effect not in UNITS:
        yield found("unknown_effect", t("there is no effect '{name}'.", name=rule.effect))
    elif rule.unit not in UNITS[rule.effect]:
        units = t(" or ").join(map(named, UNITS[rule.effect]))
        sentence = t(
            "{effect} is in {units}, not in '{unit}'.", effect=named(rule.effect), units=units, unit=named(rule.unit)
        )
        yield found("wrong_unit", sentence)
    elif wrong := _value_problem(rule):
        yield found("out_of_range", wrong)
    if rule.effect in WINDOWED and not (rule.window_days or 0) > 0:
        yield found("window_missing", t("{effect} needs the days it counts over.", effect=named(rule.effect)))
    if rule.effect == "needs_role" and rule.role not in ROLES:
        yield found("unknown_role", _no_role(rule.role))
    if (rule.given_from is not None or rule.given_to is not None) != (rule.given_days is not None):
        yield found("window_missing", t("a count of earlier concessions and its days go together."))
    yield from _condition_problems(rule)
    if rule.ends_on is not None and rule.ends_on <= on:
        yield found(
            "expired", t("it ended on {end}, before {on} when the policy would begin.", end=rule.ends_on, on=on)
        )
    if not rule.reason.strip():
        yield found("reason_missing", t("the agent needs a sentence to read."))


def _condition_problems(rule: Rule) -> Iterator[Problem]:
    for name, (start, end) in RANGES.items():
        low, high = getattr(rule, start), getattr(rule, end)
        if low is not None and high is not None and low >= high:
            sentence = t(
                "{code}: {condition} from {low} to {high} holds no case.", code=rule.code, condition=named(name),
                low=edge(low), high=edge(high),
            )  # fmt: skip
            yield Problem("empty", sentence, (rule.code,))
    for name, known in KNOWN_WORDS.items():
        if getattr(rule, name) not in (None, *known):
            yield Problem(
                "unknown_word",
                t(
                    "{code}: {condition} '{word}' is none of {words}.",
                    code=rule.code,
                    condition=named(name),
                    word=getattr(rule, name),
                    words=named_all(known),
                ),
                (rule.code,),
            )


def _value_problem(rule: Rule) -> str | None:
    """What is wrong with the value, given a unit that fits the effect."""
    if rule.unit in {"none", "role", "no_limit"}:
        return None if rule.value is None else t("'{unit}' takes no value.", unit=named(rule.unit))
    if rule.value is None or rule.value < 0:
        return t("{effect} needs a value in {unit}, not below zero.", effect=named(rule.effect), unit=named(rule.unit))
    for what in (rule.effect, rule.unit):
        if what in LARGEST and rule.value > LARGEST[what][0]:
            return t(LARGEST[what][1], value=written(rule.value))
    if rule.effect == "worth_months" and rule.value < 1:
        return t("worth needs a month at least.")
    is_whole = rule.unit not in {"money", "days", "times", "months"} or rule.value == int(rule.value)
    return (
        None
        if is_whole
        else t("{value} {unit} is not a whole number.", value=written(rule.value), unit=named(rule.unit))
    )


def _duplicates(policy: Policy) -> Iterator[Problem]:
    for sentence, names in (
        (mark("The rule code '{name}' is there more than once."), [rule.code for rule in policy.rules]),
        (mark("The instrument '{name}' is there more than once."), [item.instrument for item in policy.instruments]),
        (
            mark("The authority '{name}' is there more than once."),
            [f"{a.role}, {a.instrument}, {a.contact_reason or t('any reason')}" for a in policy.authority],
        ),
    ):
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Problem("twice", t(sentence, name=name), (name,))


def _topic_problems(policy: Policy) -> Iterator[Problem]:
    giving = [item.instrument for item in policy.instruments if item.max_amount > 0]
    for effect in ANSWERED:
        of_effect = [rule for rule in policy.rules if rule.effect == effect]
        topics = sorted({rule.topic for rule in of_effect})
        if effect in REQUIRED and not topics:
            yield Problem("missing", t("No rule sets {effect}.", effect=named(effect)))
        if effect in {*SETTINGS, *ENTITLING} and len(topics) > 1:
            yield Problem(
                "overlap",
                t(
                    "{effect} is answered by more than one topic: {topics}.",
                    effect=named(effect),
                    topics=", ".join(topics),
                ),
                tuple(topics),
            )
        for topic in topics:
            rules = [rule for rule in of_effect if rule.topic == topic]
            yield from _overlaps(topic, rules)
            if effect != "default_offer":
                yield from _gaps(effect, topic, rules, giving if effect == "ceiling" else [])
    for name in giving if policy.rules else []:
        if not any(rule.effect == "ceiling" and rule.instrument in (None, name) for rule in policy.rules):
            yield Problem("gap", t("No rule sets a ceiling for {instrument}.", instrument=name))


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
                    t(
                        "{first} and {second} of topic '{topic}' both fit {case}; narrow one, "
                        "or add a rule for just that.",
                        first=first.code,
                        second=second.code,
                        topic=topic,
                        case=in_words(shared),
                    ),
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
    about = {rule.instrument for rule in rules if rule.instrument is not None}
    general = any(rule.instrument is None for rule in rules)
    for name in [n for n in instruments if general or n in about] or [""]:
        boxes = [
            {key: held for key, held in conditions(rule).items() if key != "instrument"}
            for rule in rules
            if rule.instrument in (None, name)
        ]
        for number, hole in enumerate(uncovered(boxes)):
            if number == MOST_GAPS:
                break
            told = {"topic": topic, "effect": named(effect), "case": in_words(hole)}
            sentence = (
                t("Topic '{topic}' sets no {effect} for {instrument} when {case}.", instrument=name, **told)
                if name
                else t("Topic '{topic}' sets no {effect} when {case}.", **told)
            )
            yield Problem("gap", sentence, tuple(rule.code for rule in rules))


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


def _no_role(role: str | None) -> str:
    return t("'{role}' is not a role that may give; there are {roles}.", role=role, roles=named_all(ROLES))


def _floor_problems(policy: Policy) -> Iterator[Problem]:
    floors = [rule for rule in policy.rules if rule.effect == "floor" and rule.value is not None]
    ceilings = [rule for rule in policy.rules if rule.effect == "ceiling" and rule.value is not None]
    for floor in floors:
        wall = policy.instrument(floor.instrument or "")
        if wall is not None and floor.unit == "money" and (floor.value or 0) > wall.max_amount:
            yield Problem(
                "floor_above_ceiling",
                t("{code} is above the most {instrument} may be.", code=floor.code, instrument=wall.instrument),
                (floor.code,),
            )
        for ceiling in ceilings:
            shared = common(conditions(floor), conditions(ceiling))
            if shared is None or floor.unit != ceiling.unit or (floor.value or 0) <= (ceiling.value or 0):
                continue
            if not any(_answers_instead(other, ceiling, shared) for other in policy.rules):
                yield Problem(
                    "floor_above_ceiling",
                    t(
                        "{floor} gives at least {low}, {ceiling} at most {high}, when {case}.",
                        floor=floor.code,
                        low=floor.value,
                        ceiling=ceiling.code,
                        high=ceiling.value,
                        case=in_words(shared),
                    ),
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
            yield Problem("unknown_role", _no_role(line.role))
        if line.time_window not in WINDOWS:
            sentence = t("{line}: a window is a day, a week, a month, not '{word}'.", line=what, word=line.time_window)
            yield Problem("unknown_word", sentence)
        if line.per_grant < 0 or line.per_window < line.per_grant:
            sentence = t(
                "{line}: one grant of {amount} does not go into {most}.", line=what, amount=line.per_grant,
                most=line.per_window,
            )  # fmt: skip
            yield Problem("out_of_range", sentence)
        if item is None:
            sentence = t("{line}: there is no instrument '{name}'.", line=what, name=line.instrument)
            yield Problem("unknown_instrument", sentence)
        elif line.per_grant > (top := _highest_ceiling(policy, item)):
            sentence = t(
                "{line}: {amount} is above the highest ceiling, {top}.", line=what, amount=line.per_grant, top=top
            )
            yield Problem("authority_above_ceiling", sentence)
    for item in policy.instruments:
        limits = {
            a.role: a.per_grant
            for a in policy.authority
            if a.instrument == item.instrument and a.contact_reason is None
        }
        for role in ROLES:
            if role not in limits:
                sentence = t(
                    "No {role} has authority for {instrument}: nobody could give it.", role=named(role),
                    instrument=item.instrument,
                )  # fmt: skip
                yield Problem("authority_missing", sentence)
        if limits.get("agent", 0) > limits.get("supervisor", math.inf):
            sentence = t("{instrument}: an agent may give more than a supervisor.", instrument=item.instrument)
            yield Problem("authority_upside_down", sentence)


def _highest_ceiling(policy: Policy, item: Instrument) -> int:
    """The most any case may get of it: of each topic in plain money the highest, of those the lowest."""
    top = item.max_amount
    rules = [r for r in policy.rules if r.effect == "ceiling" and r.instrument in (None, item.instrument)]
    for topic in {rule.topic for rule in rules}:
        here = [rule for rule in rules if rule.topic == topic]
        if all(rule.unit == "money" and rule.value is not None for rule in here):
            top = min(top, int(max(rule.value or 0 for rule in here)))
    return top
