"""Reasons for a risk, in plain words: what moved the model's own number, tied to a fact with a date.

Each reason is a counterfactual: were this one column as usual, the same model would say so many points less. The
sentence quotes the caller's value, never the model's idea of it, so it cannot contradict the screen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from churn.core import features, words
from churn.core.records import Contact
from churn.core.scene import UNKNOWN, Scene
from churn.core.text import visible

LEAST_POINTS = 0.005  # half a percentage point: less is not worth an agent's second
LONGEST_VALUE = 80  # characters of a CRM value


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: `points` is the change in the chance of leaving that this column makes, 0.08 = 8 points."""

    text: str
    since: date | None
    points: float
    column: str


Said = tuple[str, date | None]
UNSAID = frozenset({"outbound_90d"})  # what we did is no reason of theirs to quote


def explain(moved: Mapping[str, float], scene: Scene, most: int = 3) -> tuple[Reason, ...]:
    """The columns that raise this caller's risk most, one a topic, as sentences.

    `moved`: column → change in the chance of leaving made by the caller's value against the usual one.
    """
    told: list[Reason] = []
    topics: set[str] = set()
    worth_saying = [(column, points) for column, points in moved.items() if math.isfinite(points)]
    for column, points in sorted(worth_saying, key=lambda item: (-item[1], item[0])):
        if points < LEAST_POINTS or len(told) == most:
            break
        said = say(column, scene)
        if said is None or topic_of(column) in topics:
            continue
        topics.add(topic_of(column))
        told.append(Reason(said[0], said[1], points, column))
    return tuple(told)


def topic_of(column: str) -> str:
    """Columns that tell one story give one reason. A CRM column is its own story, whatever its name begins with."""
    if column.startswith("usage_"):
        return column.removesuffix("_change")
    if column in features.BY_NAME or column.startswith("contacts_about_"):
        return next((topic for topic, starts in TOPICS.items() if column.startswith(starts)), column)
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
    if not _is_attribute(column, scene):
        if column.startswith("contacts_about_"):
            return _about(column.removeprefix("contacts_about_").removesuffix("_365d"), scene)
        if column.startswith("events_"):
            return _event(column.removeprefix("events_").removesuffix("_90d"), scene)
        if column.startswith("usage_"):
            return _usage(column, value)
    return _attribute(column, value, scene)


def _is_attribute(column: str, scene: Scene) -> bool:
    attributes = scene.facts.features.get("attributes")
    return isinstance(attributes, Mapping) and column.removeprefix("attribute_") in attributes


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
        by_reason.setdefault(contact.reason or UNKNOWN, []).append(contact)
    if not by_reason:
        return None
    reason, found = max(by_reason.items(), key=lambda item: len(item[1]))
    return _counted(len(found), reason, "90 days", found[0], scene)


def _counted(n: int, reason: str, window: str, last: Contact, scene: Scene) -> Said:
    about = f"about {words.spoken(reason)}" if reason != UNKNOWN else "without a reason given"
    text = f"{words.count(n, 'contact')} {about} in {window}, last {scene.day(last.started_at)}"
    return text, last.started_at


def _of_the_year(scene: Scene) -> list[Contact]:
    since = scene.facts.as_of - timedelta(days=365)
    return [contact for contact in scene.facts.contacts if contact.started_at > since]


def _escalated(scene: Scene) -> Said | None:
    found = next((contact for contact in _of_the_year(scene) if contact.is_escalated), None)
    return (f"Escalated on {scene.day(found.started_at)}", found.started_at) if found else None


def _csat(scene: Scene) -> Said | None:
    rated = [(contact.csat, contact.started_at) for contact in _of_the_year(scene) if contact.csat is not None]
    if not rated:
        return None
    last = rated[0][1]
    if len(rated) == 1:
        return f"Gave {rated[0][0]} of 5 on {scene.day(last)}", last
    mean = sum(given for given, _ in rated) / len(rated)
    return f"Gave {mean:.1f} of 5 on average over {len(rated)} contacts, last {scene.day(last)}", last


def _last_contact(scene: Scene) -> Said | None:
    found = scene.inbound(365)
    if not found:
        return "No contact from them in the last year", None
    about = f" about {words.spoken(found[0].reason)}" if found[0].reason else ""
    return f"Last contact {scene.day(found[0].started_at)}{about}", found[0].started_at


def _term(scene: Scene) -> Said | None:
    ends = [line.term_ends_on for line in scene.live() if line.term_ends_on]
    if not ends:
        return None
    end = min(ends)
    return (f"Term ends {scene.day(end)}" if end >= scene.today else f"Out of term since {scene.day(end)}"), end


def _tenure(scene: Scene) -> Said | None:
    joined = scene.facts.customer.joined_on
    return f"Customer for {words.span(joined, scene.today)}, since {scene.day(joined)}", joined


def _price(scene: Scene) -> Said | None:
    live = scene.live()
    if not live:
        return None
    total = float(sum(line.monthly_price for line in live))
    since = max(line.started_on for line in live)
    return f"Pays {scene.money(total)} a month, since {scene.day(since)}", since


def _plan(scene: Scene) -> Said | None:
    live = scene.live()
    return (f"On {live[0].plan} since {scene.day(live[0].started_on)}", live[0].started_on) if live else None


def _plan_change(scene: Scene) -> Said | None:
    newest = max(scene.facts.subscriptions, key=lambda line: line.started_on, default=None)
    if newest is None or scene.values.get("days_since_plan_change") is None:
        return None
    return f"Took {newest.plan} on {scene.day(newest.started_on)}", newest.started_on


def _bill(scene: Scene) -> Said | None:
    last, bills = scene.values.get("bill_last"), scene.facts.invoices
    if last is None or not bills:
        return None
    return f"Bill of {scene.day(bills[0].issued_on)}: {scene.money(float(last))}", bills[0].issued_on


def _bill_change(scene: Scene) -> Said | None:
    change, bills = scene.values.get("bill_change"), scene.facts.invoices
    if change is None or not bills:
        return None
    shown = scene.money(abs(float(change)))
    if shown == scene.money(0):
        return None
    way = "up" if float(change) > 0 else "down"
    return f"Bill of {scene.day(bills[0].issued_on)} {way} {shown} on their own average", bills[0].issued_on


def _payment(scene: Scene) -> Said | None:
    overdue = [bill for bill in scene.facts.invoices if bill.paid_on is None and bill.due_on < scene.today]
    if overdue:
        total = float(sum(bill.amount for bill in overdue))
        if total <= 0:
            return None  # credit notes
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
    return _counted(n, reason, "a year", found[0], scene)


def _event(kind: str, scene: Scene) -> Said | None:
    found = next((event for event in scene.facts.events if event.kind == kind), None)
    return (f"{found.title}, {scene.day(found.starts_at)}", found.starts_at) if found else None


def _usage(column: str, value: features.Value) -> Said | None:
    measure = words.spoken(column.removeprefix("usage_").removesuffix("_change"))
    if not isinstance(value, (int, float)):
        return None
    if not column.endswith("_change"):
        return f"Used {_figure(value)} {measure} in the last full month on record", None
    way = "up" if value > 0 else "down"
    return (f"Use of {measure} {way} {_figure(abs(value))} on their own average", None) if value else None


def _figure(value: float) -> str:
    """Three figures say enough: `0.4`, `12.5`, `1,234`."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _attribute(column: str, value: features.Value, scene: Scene) -> Said | None:
    label = words.spoken(column.removeprefix("attribute_"))
    if isinstance(value, bool):
        shown = "yes" if value else "no"
    elif isinstance(value, (int, float)):
        shown = f"{value:,.10g}"
    else:
        shown = visible(str(value), LONGEST_VALUE)
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
    "days_since_plan_change": _plan_change,
    "bill_last": _bill,
    "bill_change": _bill_change,
    "late_365d": _payment,
    "overdue": _payment,
    "concessions_365d": _concession,
    "conceded_365d": _concession,
    "days_since_concession": _concession,
}
