"""A decision in plain words, from its receipt: a paragraph that may be read to the customer it was about.

What was recommended, from which facts, within which limits, by which policy and models; that a person decided and could
override it; what was given; and how to have it looked at again (GDPR art. 13(2)(f), 15(1)(h) and 22(3)).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from churn.core.money import show
from churn.core.words import count, percent

Receipt = Mapping[str, Any]

# Limits whose sentence is the agent's or tells the company's own figures: said to a customer in these words.
TOLD = {
    "authority": "an agent may give no more than {amount} of this at once without a supervisor",
    "authority_window": "an agent may give only so much in one day, week or month without a supervisor",
    "needs_role": "this takes a supervisor's agreement",
    "budget": "the team has only so much money for this in a month",
    "pace": "no single day may take too much of the month's money",
    "economic_ceiling": "more than {amount} was not expected to make enough of a difference",
    "no_bargaining": "you were to be given the standard offer at once, without bargaining",
    "bill": "no month can be more than free",
    "outer_wall": "this kind of offer is never more than {amount}",
}
FAULTS = {"ours": "our fault", "theirs": "not our fault", "shared": "partly our fault", "none": "nobody's fault"}
NOTED = {
    "is_vulnerable": "that you may need extra care",
    "is_bereaved": "that somebody close to you has died",
    "in_collections": "that bills were unpaid for long",
    "has_fraud_hold": "that your account was being checked",
    "is_do_not_offer": "that you do not want offers",
    "open_complaint": "that a complaint of yours was open",
}
MODELS = {
    "risk": "how likely somebody is to leave",
    "survival": "how long customers stay",
    "effect": "what an offer changes",
    "why": "why people call",
    "escalation": "which calls are handed on",
}
MOST_LIMITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What became of a decision. `given`: minor units in all, None: nothing; `answer`: how an offer was declined."""

    decided_at: datetime
    currency: str
    given: int | None = None
    given_instrument: str | None = None
    answer: str | None = None
    is_reversed: bool = False


def in_plain_words(receipt: Receipt, after: Aftermath, titles: Mapping[str, str]) -> str:
    """The paragraph. `titles`: instrument → what policy calls it. Made from the receipt: nothing is read again."""
    inputs = receipt["inputs"]
    overridable = (
        "The agent decided, not the system, and could have chosen anything else within these limits, or asked a "
        "supervisor for more."
    )
    sentences = [
        _opening(inputs, after),
        _recommended(receipt),
        f"It went by this: {_series(_facts(inputs, after.currency))}.",
        *_limits(receipt, after.currency),
        *_versions(inputs),
        *_chance(receipt),
        *_drawn(receipt),
        overridable,
        _given(after, titles),
        "You may have this looked at again by a person, say what you think of it, and be told more.",
    ]
    return " ".join(sentences)


def _opening(inputs: Mapping[str, Any], after: Aftermath) -> str:
    about = inputs["case"].get("contact_reason")
    about = f" about “{about.replace('_', ' ')}”" if about else ""
    when = after.decided_at
    return (
        f"On {when.day} {when:%B %Y} you were in touch{about}, and our system recommended to the agent what to offer."
    )


def _recommended(receipt: Receipt) -> str:
    rungs, shown = receipt["rungs"], receipt["shown"]
    first = rungs[shown] if shown is not None else rungs[0]
    others = [rung["title"] for rung in rungs if rung is not first and rung["is_grant"]]
    said = f"It recommended to begin with: {first['title']}."
    return said + (f" Also on the list: {_series(others)}." if others else "")


def _facts(inputs: Mapping[str, Any], currency: str) -> Iterator[str]:
    """What the recommendation was made from, as a customer knows it."""
    case, spending, ask = inputs["case"], inputs["spending"], inputs["ask"]
    if case.get("tenure_months") is not None:
        yield f"you have been with us for {count(case['tenure_months'], 'month')}"
    yield f"your monthly bill is {show(case['monthly_bill'], currency)}"
    if case.get("plan"):
        yield f"your plan is {case['plan']}"
    if case.get("fault"):
        yield f"what happened was taken as {FAULTS[case['fault']]}"
    if ask["amount"] is not None:
        yield f"you asked for {show(ask['amount'], currency)}"
    elif ask["in_kind"]:
        yield f"you asked for this: {ask['in_kind'].replace('_', ' ')}"
    else:
        yield "you named nothing that would put it right"
    earlier = [item[1] for item in spending["earlier"]]
    before = f"{count(len(earlier), 'time')}, {show(sum(earlier), currency)} in all" if earlier else "nothing"
    yield f"you were given before: {before}"
    if inputs.get("owed"):
        yield f"we owed you {show(inputs['owed'], currency)}"
    if case.get("risk") is not None:
        yield f"the chance that you leave was estimated at {percent(case['risk'])}"
    noted = [words for name, words in NOTED.items() if case.get(name)]
    if noted:
        yield f"we had noted {_series(noted)}"


def _limits(receipt: Receipt, currency: str) -> Iterator[str]:
    """What bounds the first offer: the limit that decided, then policy's others."""
    rungs, shown = receipt["rungs"], receipt["shown"]
    held = receipt["bounds"].get(rungs[shown]["instrument"], []) if shown is not None else []
    decided = receipt["say_yes"]["limit"]
    said = [_limit(decided, currency)] if decided else []
    said += [_limit(one, currency) for one in held]
    said = list(dict.fromkeys(said))[:MOST_LIMITS]
    if decided:
        yield f"What decided how much could be given: {said[0]}."
    if said[bool(decided) :]:
        yield f"These limits held as well: {_series(said[bool(decided) :])}."


def _limit(limit: Mapping[str, Any], currency: str) -> str:
    told = TOLD.get(limit["kind"])
    if told is not None:
        return told.format(amount="" if limit.get("amount") is None else show(limit["amount"], currency))
    reference = f" ({limit['reference']})" if limit.get("reference") else ""
    return f"“{limit['reason']}”{reference}"


def _versions(inputs: Mapping[str, Any]) -> Iterator[str]:
    yield f"The rules were version {inputs['policy_version']} of our policy."
    used = [f"{MODELS.get(kind, kind)} (version {v})" for kind, v in inputs["versions"].items() if kind in MODELS]
    if used and inputs["worth"] is not None:
        yield f"Estimates came from models, learned from many customers, of {_series(used)}."
    else:
        yield "No model was used: the amounts are policy's own."


def _chance(receipt: Receipt) -> Iterator[str]:
    shown = receipt["shown"]
    rung = receipt["rungs"][shown] if shown is not None else {}
    if rung.get("p_before") is not None and rung.get("p_after") is not None:
        before, after = percent(rung["p_before"]), percent(rung["p_after"])
        yield f"The chance that you stay was estimated at {before} with nothing given and {after} with this offer."


def _drawn(receipt: Receipt) -> Iterator[str]:
    if receipt["is_randomised"]:
        yield "To learn which offers help, the first of several about equally good ones was chosen by chance."


def _given(after: Aftermath, titles: Mapping[str, str]) -> str:
    if after.given is not None:
        what = titles.get(after.given_instrument or "", "this").lower()
        amount = f", {show(after.given, after.currency)} in all" if after.given else ""
        return f"You were given: {what}{amount}." + (" It was taken back later." if after.is_reversed else "")
    return {
        "refused_by_caller": "You declined what was offered.",
        "cancelled": "You decided to leave.",
        "not_now": "Nothing was given then.",
    }.get(after.answer or "", "Nothing was given from it.")


def _series(parts: Iterator[str] | Sequence[str]) -> str:
    held = list(parts)
    joint = "; " if any("," in part or ";" in part for part in held) else ", "
    return held[0] if len(held) == 1 else f"{joint.join(held[:-1])} and {held[-1]}"
