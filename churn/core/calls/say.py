"""What to say first: one or two sentences from the caller's own facts, never a script.

In the order in which trust is at stake: our fault still open, an event that hit them, a bill that jumped, a term about
to end, loyalty. The first that is true is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from churn.core import words
from churn.core.calls.scene import Scene
from churn.core.language import t, tn

BILL_SHOCK_SHARE = 0.15  # of their own average
BILL_SHOCK_LEAST = 3.0  # money: less is not noticed
TERM_SOON_DAYS = 45
BRAND_NEW_DAYS = 45
LOYAL_YEARS = 5
EVENT_FRESH_DAYS = 14
OUR_DOING = frozenset({"outage", "release", "fault"})


@dataclass(frozen=True, slots=True)
class Opening:
    """The sentence, and the fact it stands on."""

    text: str
    ground: str
    is_our_fault: bool = False


def say_first(scene: Scene) -> Opening:
    """The opening for this caller."""
    for rule in RULES:
        opening = rule(scene)
        if opening is not None:
            return opening
    return Opening(t("What can I put right for you today?"), t("Nothing in the records calls for more"))


def _still_open(scene: Scene) -> Opening | None:
    found = scene.still_open(90)
    if not found:
        return None
    same = [contact for contact in found if contact.reason == found[0].reason]
    since = scene.day(same[-1].started_at)
    ground = tn(len(same), "{n} contact not resolved since {day}", "{n} contacts not resolved since {day}", day=since)
    reason = words.spoken(found[0].reason) if found[0].reason else None
    return Opening(_not_put_right(len(same), reason, since), ground, is_our_fault=True)


def _not_put_right(times: int, reason: str | None, since: str) -> str:
    """In the agent's words: they came so many times, about one thing, and it is still open."""
    if times >= 2:
        what = (
            t(
                "I can see you’ve contacted us {times} times about the {reason} since {day} "
                "and it still isn’t put right.",
                times=times,
                reason=reason,
                day=since,
            )
            if reason
            else t(
                "I can see you’ve contacted us {times} times about this since {day} and it still isn’t put right.",
                times=times,
                day=since,
            )
        )
        return f"{what} {t('That’s our doing, and I’m sorry. Is it the same today?')}"
    what = (
        t("I can see the {reason} from {day} still isn’t settled.", reason=reason, day=since)
        if reason
        else t("I can see this from {day} still isn’t settled.", day=since)
    )
    return f"{what} {t('That’s on us, and I’m sorry. Is that why you’re calling?')}"


def _event(scene: Scene) -> Opening | None:
    fresh = scene.facts.as_of - timedelta(days=EVENT_FRESH_DAYS)
    for event in scene.facts.events:
        if event.starts_at < fresh:
            continue
        is_over = event.ends_at is not None
        ground = f"{event.title}, {scene.day(event.starts_at)}"
        if event.kind not in OUR_DOING and not (event.kind == "price_rise" and _bill_change(scene) > 0):
            continue  # a bill run or a campaign hits everybody; it is no opening by itself
        if event.what_to_say and event.what_to_say.strip():
            return Opening(event.what_to_say.strip(), ground, is_our_fault=event.kind in OUR_DOING)
        if event.kind == "outage":
            said = t("You were hit by an outage from {day}.", day=scene.day(event.starts_at))
            state = t("It’s back now, and I’m sorry.") if is_over else t("It isn’t fixed yet, and I’m sorry.")
            return Opening(f"{said} {state} {t('How did it affect you?')}", ground, is_our_fault=True)
    return None


def _bill_change(scene: Scene) -> float:
    change = scene.values.get("bill_change")
    return change if isinstance(change, float) else 0.0


def _bill_shock(scene: Scene) -> Opening | None:
    change, last = _bill_change(scene), scene.values.get("bill_last")
    if not isinstance(last, float) or not scene.facts.invoices:
        return None
    usual = last - change
    if usual <= 0 or change < max(BILL_SHOCK_LEAST, BILL_SHOCK_SHARE * usual):
        return None
    bill = scene.facts.invoices[0]
    return Opening(
        t(
            "I can see your bill of {day} is {money} above what you usually pay. Shall we go through it together?",
            day=scene.day(bill.issued_on),
            money=scene.money(change),
        ),
        t("{last} against {usual} on average", last=scene.money(last), usual=scene.money(usual)),
    )


def _term_ends(scene: Scene) -> Opening | None:
    ends = [line.term_ends_on for line in scene.live() if line.term_ends_on]
    soon = [end for end in ends if 0 <= (end - scene.today).days <= TERM_SOON_DAYS]
    if not soon:
        return None
    end = scene.day(min(soon))
    return Opening(
        t("Your agreement runs until {day}. Let’s see what suits you best after that.", day=end),
        t("Term ends {day}", day=end),
    )


def _brand_new(scene: Scene) -> Opening | None:
    joined = scene.facts.customer.joined_on
    if not scene.live() or not 0 <= (scene.today - joined).days <= BRAND_NEW_DAYS:
        return None
    return Opening(
        t("Welcome to us. How are your first weeks going?"), t("Customer since {day}", day=scene.day(joined))
    )


def _loyal(scene: Scene) -> Opening | None:
    joined = scene.facts.customer.joined_on
    years = words.whole_months(joined, scene.today) // 12
    if not scene.live() or years < LOYAL_YEARS:
        return None
    return Opening(
        t("You’ve been with us for {years} years, thank you. What can I do for you today?", years=years),
        t("Customer since {day}", day=scene.day(joined)),
    )


RULES: tuple[Callable[[Scene], Opening | None], ...] = (
    _still_open, _event, _bill_shock, _term_ends, _brand_new, _loyal,
)  # fmt: skip
