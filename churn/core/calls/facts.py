"""The caller's own dated fact that goes with a contact reason: an outage, a bill that rose, a term that ends."""

from __future__ import annotations

from collections.abc import Callable

from churn.core import words
from churn.core.calls.reasons import say
from churn.core.calls.scene import Scene
from churn.core.language import t


def fact_for(reason: str, scene: Scene) -> str | None:
    """The caller's own dated fact that goes with a contact reason; None when nothing of theirs does."""
    found = scene.inbound(365, reason)
    open_ones = scene.still_open(365, reason)
    if open_ones:
        nth = words.ordinal(len(open_ones) + 1)
        return t("would be the {nth} time, open since {day}", nth=nth, day=scene.day(open_ones[-1].started_at))
    tell = next((tell for word, tell in SPEAKING.items() if word in reason.lower()), None)
    if tell is not None and (fact := tell(scene)):
        return fact
    return t("last on {day}", day=scene.day(found[0].started_at)) if found else None


def striking(scene: Scene) -> list[tuple[str, str]]:
    """(reason, fact) of what stands out among the caller's own facts, each fact once."""
    told = {fact: reason for reason, tell in reversed(SPEAKING.items()) if (fact := tell(scene))}
    return [(reason, fact) for fact, reason in reversed(told.items())]


def _bill_rise(scene: Scene) -> str | None:
    change = scene.values.get("bill_change")
    if not isinstance(change, float) or change < 1:
        return None
    said = say("bill_change", scene)
    return t("bill up {money}", money=scene.money(change)) if said else None


def _term_near(scene: Scene) -> str | None:
    months = scene.values.get("months_to_term_end")
    if not isinstance(months, float) or not -1 <= months <= 2:
        return None
    said = say("months_to_term_end", scene)
    end = said[1] if said else None
    if end is None:
        return None
    day = scene.day(end)
    return t("term ends {day}", day=day) if end >= scene.today else t("out of term since {day}", day=day)


def _outage(scene: Scene) -> str | None:
    found = next((event for event in scene.facts.events if event.kind == "outage"), None)
    return f"{found.title}, {scene.day(found.starts_at)}" if found else None


def _overdue(scene: Scene) -> str | None:
    said = say("overdue", scene) if scene.values.get("overdue") else None
    return said[0] if said else None


SPEAKING: dict[str, Callable[[Scene], str | None]] = {
    "fault": _outage,
    "outage": _outage,
    "bill": _bill_rise,
    "price": _bill_rise,
    "pay": _overdue,
    "cancel": _term_near,
    "contract": _term_near,
    "upgrade": _term_near,
}
