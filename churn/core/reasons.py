"""Reasons for a risk, in plain words: what moved the model's own number, tied to a fact with a date.

Each reason is a counterfactual: were this one column as usual, the same model would say so many points less. The
sentence quotes the caller's value, never the model's idea of it, so it cannot contradict the screen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from churn.core import features, words
from churn.core.records import CallerFacts, Contact

LEAST_POINTS = 0.005  # half a percentage point: less is not worth an agent's second
Values = Mapping[str, features.Value]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: `points` is the change in the chance of leaving that this column makes, 0.08 = 8 points."""

    text: str
    since: date | None
    points: float
    column: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What a sentence may draw on."""

    facts: CallerFacts
    values: Values
    today: date
    time_zone: str
    currency: str

    def day(self, when: date) -> str:
        """A date as said on this day."""
        return words.day(when, self.today, self.time_zone)

    def money(self, amount: float) -> str:
        """An amount in the caller's currency."""
        return words.money(amount, self.currency)

    def inbound(self, days: int, reason: str | None = None, *, unresolved: bool = False) -> list[Contact]:
        """Inbound contacts of the last days, newest first."""
        return [
            contact
            for contact in self.facts.contacts
            if contact.direction == "in"
            and (self.facts.as_of - contact.started_at).days < days
            and (reason is None or (contact.reason or "unknown") == reason)
            and (not unresolved or contact.is_resolved is False)
        ]


Said = tuple[str, date | None]
UNSAID = frozenset({"outbound_90d"})  # what we did is no reason of theirs to quote


def explain(moved: Mapping[str, float], scene: Scene, most: int = 3) -> tuple[Reason, ...]:
    """The columns that raise this caller's risk most, one a topic, as sentences.

    `moved`: column → change in the chance of leaving made by the caller's value against the usual one.
    """
    told: list[Reason] = []
    topics: set[str] = set()
    for column, points in sorted(moved.items(), key=lambda item: (-item[1], item[0])):
        if points < LEAST_POINTS or len(told) == most:
            break
        said = say(column, scene)
        if said is None or topic_of(column) in topics:
            continue
        topics.add(topic_of(column))
        told.append(Reason(said[0], said[1], points, column))
    return tuple(told)


def topic_of(column: str) -> str:
    """Columns that tell one story give one reason."""
    for topic, starts in TOPICS.items():
        if column.startswith(starts):
            return topic
    return column


TOPICS = {
    "contacts": ("contacts_", "unresolved_", "same_reason_", "escalated_", "days_since_contact", "last_reason"),
    "bill": ("bill_",),
    "payment": ("late_", "overdue"),
    "plan": ("plan", "product", "monthly_", "live_subscriptions", "days_since_plan_change"),
    "concession": ("concessions_", "conceded_", "days_since_concession"),
}


def say(column: str, scene: Scene) -> Said | None:
    """The sentence and date for one column of this caller; None where there is nothing to point at."""
    if column in SENTENCES:
        return SENTENCES[column](scene)
    value = scene.values.get(column)
    if value is None or column in UNSAID:
        return None
    if column.startswith("contacts_about_"):
        return _about(column.removeprefix("contacts_about_").removesuffix("_365d"), scene)
    if column.startswith("events_"):
        return _event(column.removeprefix("events_").removesuffix("_90d"), scene)
    if column.startswith("usage_"):
        return _usage(column, value)
    return _attribute(column, value, scene)


def _contacts(days: int) -> Callable[[Scene], Said | None]:
    def sentence(scene: Scene) -> Said | None:
        found = scene.inbound(days)
        if not found:
            return None
        n = int(float(scene.values[f"contacts_{days}d"] or 0))
        return f"{words.count(n, 'contact')} in {days} days, last {scene.day(found[0].started_at)}", found[0].started_at

    return sentence


def _unresolved(scene: Scene) -> Said | None:
    found = scene.inbound(90, unresolved=True)
    if not found:
        return None
    about = f" about {words.spoken(found[0].reason)}" if found[0].reason else ""
    return (
        f"{words.count(len(found), 'contact')} not resolved{about}, since {scene.day(found[-1].started_at)}",
        found[-1].started_at,
    )


def _same_reason(scene: Scene) -> Said | None:
    by_reason: dict[str, list[Contact]] = {}
    for contact in scene.inbound(90):
        by_reason.setdefault(contact.reason or "unknown", []).append(contact)
    if not by_reason:
        return None
    reason, found = max(by_reason.items(), key=lambda item: len(item[1]))
    last = scene.day(found[0].started_at)
    return f"{words.count(len(found), 'contact')} about {words.spoken(reason)} in 90 days, last {last}", found[
        0
    ].started_at


def _escalated(scene: Scene) -> Said | None:
    found = next((contact for contact in scene.facts.contacts if contact.is_escalated), None)
    return (f"Escalated on {scene.day(found.started_at)}", found.started_at) if found else None


def _csat(scene: Scene) -> Said | None:
    rated = next((contact for contact in scene.facts.contacts if contact.csat is not None), None)
    return (f"Gave {rated.csat} of 5 on {scene.day(rated.started_at)}", rated.started_at) if rated else None


def _last_contact(scene: Scene) -> Said | None:
    found = scene.inbound(365)
    if not found:
        return "No contact in the last year", None
    about = f" about {words.spoken(found[0].reason)}" if found[0].reason else ""
    return f"Last contact {scene.day(found[0].started_at)}{about}", found[0].started_at


def _term(scene: Scene) -> Said | None:
    ends = [s.term_ends_on for s in scene.facts.subscriptions if s.term_ends_on and s.is_live(scene.today)]
    if not ends:
        return None
    end = min(ends)
    return (f"Term ends {scene.day(end)}" if end >= scene.today else f"Out of term since {scene.day(end)}"), end


def _tenure(scene: Scene) -> Said | None:
    joined = scene.facts.customer.joined_on
    return f"Customer for {words.span(joined, scene.today)}, since {scene.day(joined)}", joined


def _price(scene: Scene) -> Said | None:
    live = [s for s in scene.facts.subscriptions if s.is_live(scene.today)]
    if not live:
        return None
    total = float(sum(s.monthly_price for s in live))
    since = max(s.started_on for s in live)
    return f"Pays {scene.money(total)} a month, since {scene.day(since)}", since


def _plan(scene: Scene) -> Said | None:
    live = [s for s in scene.facts.subscriptions if s.is_live(scene.today)]
    return (f"On {live[0].plan} since {scene.day(live[0].started_on)}", live[0].started_on) if live else None


def _bill(scene: Scene) -> Said | None:
    change, bills = scene.values.get("bill_change"), scene.facts.invoices
    if change is None or not bills:
        return None
    way = "up" if float(change) > 0 else "down"
    return (
        f"Bill of {scene.day(bills[0].issued_on)} {way} {scene.money(abs(float(change)))} on their own average",
        bills[0].issued_on,
    )


def _payment(scene: Scene) -> Said | None:
    overdue = [bill for bill in scene.facts.invoices if bill.paid_on is None and bill.due_on < scene.today]
    if overdue:
        total = float(sum(bill.amount for bill in overdue))
        return f"{scene.money(total)} overdue since {scene.day(overdue[-1].due_on)}", overdue[-1].due_on
    late = [bill for bill in scene.facts.invoices if bill.paid_on and bill.paid_on > bill.due_on]
    return (
        (f"{words.count(len(late), 'bill')} paid late, last {scene.day(late[0].due_on)}", late[0].due_on)
        if late
        else None
    )


def _concession(scene: Scene) -> Said | None:
    given = scene.facts.concessions
    if not given:
        return None
    last = given[0]
    return (
        f"Last given {scene.money(float(last.amount))} ({words.spoken(last.instrument)}) on {scene.day(last.given_at)}",
        last.given_at,
    )


def _about(reason: str, scene: Scene) -> Said | None:
    found = scene.inbound(365, reason)
    if not found:
        return None
    n = int(float(scene.values[f"contacts_about_{reason}_365d"] or 0))
    return (
        f"{words.count(n, 'contact')} about {words.spoken(reason)} in a year, last {scene.day(found[0].started_at)}",
        found[0].started_at,
    )


def _event(kind: str, scene: Scene) -> Said | None:
    found = next((event for event in scene.facts.events if event.kind == kind), None)
    return (f"{found.title}, {scene.day(found.starts_at)}", found.starts_at) if found else None


def _usage(column: str, value: features.Value) -> Said | None:
    measure = words.spoken(column.removeprefix("usage_").removesuffix("_change"))
    if not isinstance(value, (int, float)):
        return None
    if column.endswith("_change"):
        way = "up" if value > 0 else "down"
        return f"Use of {measure} {way} {abs(value):,.0f} on their own average", None
    return f"Used {value:,.0f} {measure} last month", None


def _attribute(column: str, value: features.Value, scene: Scene) -> Said | None:
    label = words.spoken(column.removeprefix("attribute_"))
    shown = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
    if isinstance(shown, float):
        shown = f"{shown:,.10g}"
    return f"{label[:1].upper()}{label[1:]}: {shown} (in the CRM on {scene.day(scene.today)})", scene.today


SENTENCES: dict[str, Callable[[Scene], Said | None]] = {
    "contacts_30d": _contacts(30),
    "contacts_90d": _contacts(90),
    "contacts_365d": _contacts(365),
    "unresolved_90d": _unresolved,
    "same_reason_90d": _same_reason,
    "escalated_365d": _escalated,
    "csat_365d": _csat,
    "days_since_contact": _last_contact,
    "last_reason": _last_contact,
    "months_to_term_end": _term,
    "tenure_months": _tenure,
    "monthly_price": _price,
    "monthly_margin": _price,
    "live_subscriptions": _price,
    "product": _plan,
    "plan": _plan,
    "days_since_plan_change": _plan,
    "bill_last": _bill,
    "bill_change": _bill,
    "late_365d": _payment,
    "overdue": _payment,
    "concessions_365d": _concession,
    "conceded_365d": _concession,
    "days_since_concession": _concession,
}
