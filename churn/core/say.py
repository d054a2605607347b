"""What to say first: one or two sentences from the caller's own facts, never a script.

In the order in which trust is at stake: our fault still open, an event that hit them, a bill that jumped, a term about
to end, loyalty. The first that is true is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from churn.core import words
from churn.core.scene import Scene

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
    return Opening("What can I put right for you today?", "Nothing in the records calls for more")


def _still_open(scene: Scene) -> Opening | None:
    found = scene.still_open(90)
    if not found:
        return None
    same = [contact for contact in found if contact.reason == found[0].reason]
    about = f"the {words.spoken(found[0].reason)}" if found[0].reason else "this"
    since = scene.day(same[-1].started_at)
    ground = f"{words.count(len(same), 'contact')} not resolved since {since}"
    if len(same) >= 2:
        text = (
            f"I can see you’ve contacted us {len(same)} times about {about} since {since} "
            "and it still isn’t put right. That’s our doing, and I’m sorry. Is it the same today?"
        )
    else:
        text = (
            f"I can see {about} from {since} still isn’t settled. "
            "That’s on us, and I’m sorry. Is that why you’re calling?"
        )
    return Opening(text, ground, is_our_fault=True)


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
            state = "It’s back now, and I’m sorry" if is_over else "It isn’t fixed yet, and I’m sorry"
            return Opening(
                f"You were hit by an outage from {scene.day(event.starts_at)}. {state}. How did it affect you?",
                ground,
                is_our_fault=True,
            )
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
        f"I can see your bill of {scene.day(bill.issued_on)} is {scene.money(change)} above what you usually pay. "
        "Shall we go through it together?",
        f"{scene.money(last)} against {scene.money(usual)} on average",
    )


def _term_ends(scene: Scene) -> Opening | None:
    ends = [line.term_ends_on for line in scene.live() if line.term_ends_on]
    soon = [end for end in ends if 0 <= (end - scene.today).days <= TERM_SOON_DAYS]
    if not soon:
        return None
    return Opening(
        f"Your agreement runs until {scene.day(min(soon))}. Let’s see what suits you best after that.",
        f"Term ends {scene.day(min(soon))}",
    )


def _brand_new(scene: Scene) -> Opening | None:
    joined = scene.facts.customer.joined_on
    if not scene.live() or not 0 <= (scene.today - joined).days <= BRAND_NEW_DAYS:
        return None
    return Opening("Welcome to us. How are your first weeks going?", f"Customer since {scene.day(joined)}")


def _loyal(scene: Scene) -> Opening | None:
    joined = scene.facts.customer.joined_on
    years = words.whole_months(joined, scene.today) // 12
    if not scene.live() or years < LOYAL_YEARS:
        return None
    return Opening(
        f"You’ve been with us for {years} years, thank you. What can I do for you today?",
        f"Customer since {scene.day(joined)}",
    )


RULES: tuple[Callable[[Scene], Opening | None], ...] = (
    _still_open, _event, _bill_shock, _term_ends, _brand_new, _loyal,
)  # fmt: skip
