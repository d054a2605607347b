"""A decision in plain words, from its receipt: a paragraph that may be read to the customer it was about.

What was recommended, from which facts, within which limits, by which policy and models; that a person decided and could
override it; what was given; and how to have it looked at again (GDPR art. 13(2)(f), 15(1)(h) and 22(3)).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from churn.core.language import ENGLISH, current, mark, t, tn
from churn.core.money import show
from churn.core.words import full_day, percent, spoken

Receipt = Mapping[str, Any]

# Limits whose sentence is the agent's or tells the company's own figures: said to a customer in these words.
TOLD = {
    "authority": mark("an agent may give no more than {amount} of this at once without a supervisor"),
    "authority_window": mark("an agent may give only so much in one day, week or month without a supervisor"),
    "needs_role": mark("this takes a supervisor's agreement"),
    "budget": mark("the team has only so much money for this in a month"),
    "pace": mark("no single day may take too much of the month's money"),
    "economic_ceiling": mark("more than {amount} was not expected to make enough of a difference"),
    "no_bargaining": mark("you were to be given the standard offer at once, without bargaining"),
    "bill": mark("no month can be more than free"),
    "outer_wall": mark("this kind of offer is never more than {amount}"),
}
FAULTS = {
    "ours": mark("our fault"),
    "theirs": mark("not our fault"),
    "shared": mark("partly our fault"),
    "none": mark("nobody's fault"),
}
NOTED = {
    "is_vulnerable": mark("that you may need extra care"),
    "is_bereaved": mark("that somebody close to you has died"),
    "in_collections": mark("that bills were unpaid for long"),
    "has_fraud_hold": mark("that your account was being checked"),
    "is_do_not_offer": mark("that you do not want offers"),
    "open_complaint": mark("that a complaint of yours was open"),
}
MODELS = {
    "risk": mark("how likely somebody is to leave"),
    "survival": mark("how long customers stay"),
    "effect": mark("what an offer changes"),
    "why": mark("why people call"),
    "escalation": mark("which calls are handed on"),
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
    overridable = t(
        "The agent decided, not the system, and could have chosen anything else within these limits, or asked a "
        "supervisor for more."
    )
    sentences = [
        _opening(inputs, after),
        _recommended(receipt),
        t("It went by this: {facts}.", facts=_series(_facts(inputs, after.currency))),
        *_limits(receipt, after.currency),
        *_versions(inputs),
        *_chance(receipt),
        *_drawn(receipt),
        overridable,
        _given(after, titles),
        t("You may have this looked at again by a person, say what you think of it, and be told more."),
    ]
    return " ".join(sentences)


def _opening(inputs: Mapping[str, Any], after: Aftermath) -> str:
    about, day = inputs["case"].get("contact_reason"), full_day(after.decided_at)
    if about:
        return t(
            "On {day} you were in touch about “{reason}”, and our system recommended to the agent what to offer.",
            day=day,
            reason=spoken(about),
        )
    return t("On {day} you were in touch, and our system recommended to the agent what to offer.", day=day)


def _recommended(receipt: Receipt) -> str:
    rungs, shown = receipt["rungs"], receipt["shown"]
    first = rungs[shown] if shown is not None else rungs[0]
    others = [rung["title"] for rung in rungs if rung is not first and rung["is_grant"]]
    said = t("It recommended to begin with: {title}.", title=first["title"])
    return f"{said} {t('Also on the list: {titles}.', titles=_series(others))}" if others else said


def _facts(inputs: Mapping[str, Any], currency: str) -> Iterator[str]:
    """What the recommendation was made from, as a customer knows it."""
    case, spending, ask = inputs["case"], inputs["spending"], inputs["ask"]
    if case.get("tenure_months") is not None:
        n = case["tenure_months"]
        yield tn(n, "you have been with us for {n} month", "you have been with us for {n} months")
    yield t("your monthly bill is {money}", money=show(case["monthly_bill"], currency))
    if case.get("plan"):
        yield t("your plan is {plan}", plan=case["plan"])
    if case.get("fault"):
        yield t("what happened was taken as {fault}", fault=t(FAULTS[case["fault"]]))
    if ask["amount"] is not None:
        yield t("you asked for {money}", money=show(ask["amount"], currency))
    elif ask["in_kind"]:
        yield t("you asked for this: {kind}", kind=spoken(ask["in_kind"]))
    else:
        yield t("you named nothing that would put it right")
    earlier = [item[1] for item in spending["earlier"]]
    if earlier:
        yield tn(
            len(earlier),
            "you were given before: {n} time, {money} in all",
            "you were given before: {n} times, {money} in all",
            money=show(sum(earlier), currency),
        )
    else:
        yield t("you were given before: nothing")
    if inputs.get("owed"):
        yield t("we owed you {money}", money=show(inputs["owed"], currency))
    if case.get("risk") is not None:
        yield t("the chance that you leave was estimated at {percent}", percent=percent(case["risk"]))
    noted = [t(words) for name, words in NOTED.items() if case.get(name)]
    if noted:
        yield t("we had noted {what}", what=_series(noted))


def _limits(receipt: Receipt, currency: str) -> Iterator[str]:
    """What bounds the first offer: the limit that decided, then policy's others."""
    rungs, shown = receipt["rungs"], receipt["shown"]
    held = receipt["bounds"].get(rungs[shown]["instrument"], []) if shown is not None else []
    decided = receipt["say_yes"]["limit"]
    said = [_limit(decided, currency)] if decided else []
    said += [_limit(one, currency) for one in held]
    said = list(dict.fromkeys(said))[:MOST_LIMITS]
    if decided:
        yield t("What decided how much could be given: {limit}.", limit=said[0])
    if said[bool(decided) :]:
        yield t("These limits held as well: {limits}.", limits=_series(said[bool(decided) :]))


def _limit(limit: Mapping[str, Any], currency: str) -> str:
    told = TOLD.get(limit["kind"])
    if told is not None:
        return t(told, amount="" if limit.get("amount") is None else show(limit["amount"], currency))
    reference = f" ({limit['reference']})" if limit.get("reference") else ""
    return f"“{limit['reason']}”{reference}"


def _versions(inputs: Mapping[str, Any]) -> Iterator[str]:
    yield t("The rules were version {version} of our policy.", version=inputs["policy_version"])
    used = [
        t("{model} (version {version})", model=t(MODELS[kind]), version=version)
        for kind, version in inputs["versions"].items()
        if kind in MODELS
    ]
    if used and inputs["worth"] is not None:
        yield t("Estimates came from models, learned from many customers, of {models}.", models=_series(used))
    else:
        yield t("No model was used: the amounts are policy's own.")


def _chance(receipt: Receipt) -> Iterator[str]:
    shown = receipt["shown"]
    rung = receipt["rungs"][shown] if shown is not None else {}
    if rung.get("p_before") is not None and rung.get("p_after") is not None:
        yield t(
            "The chance that you stay was estimated at {before} with nothing given and {after} with this offer.",
            before=percent(rung["p_before"]),
            after=percent(rung["p_after"]),
        )


def _drawn(receipt: Receipt) -> Iterator[str]:
    if receipt["is_randomised"]:
        yield t("To learn which offers help, the first of several about equally good ones was chosen by chance.")


def _given(after: Aftermath, titles: Mapping[str, str]) -> str:
    if after.given is not None:
        what = titles.get(after.given_instrument or "", t("this"))
        what = what.lower() if current().code == ENGLISH.code else what  # other languages write nouns as they are
        said = (
            t("You were given: {what}, {money} in all.", what=what, money=show(after.given, after.currency))
            if after.given
            else t("You were given: {what}.", what=what)
        )
        return f"{said} {t('It was taken back later.')}" if after.is_reversed else said
    return {
        "refused_by_caller": t("You declined what was offered."),
        "cancelled": t("You decided to leave."),
        "not_now": t("Nothing was given then."),
    }.get(after.answer or "", t("Nothing was given from it."))


def _series(parts: Iterator[str] | Sequence[str]) -> str:
    held = list(parts)
    joint = "; " if any("," in part or ";" in part for part in held) else ", "
    return held[0] if len(held) == 1 else t("{first} and {last}", first=joint.join(held[:-1]), last=held[-1])
