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
from churn.core.calls.scene import UNKNOWN, Scene
from churn.core.language import current, number, t, tn
from churn.core.records import Contact
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
        last = found[0].started_at
        return _in_days(n, days, scene.day(last)), last

    return sentence


def _in_days(n: int, days: int, last: str) -> str:
    return tn(
        n, "{n} contact in {days} days, last {day}", "{n} contacts in {days} days, last {day}", days=days, day=last
    )


def _unresolved(scene: Scene) -> Said | None:
    found = scene.inbound(90, unresolved=True)
    if not found:
        return None
    n, since = len(found), found[-1].started_at
    if found[0].reason:
        return tn(
            n,
            "{n} contact not resolved about {reason}, since {day}",
            "{n} contacts not resolved about {reason}, since {day}",
            reason=words.spoken(found[0].reason),
            day=scene.day(since),
        ), since
    return tn(
        n, "{n} contact not resolved, since {day}", "{n} contacts not resolved, since {day}", day=scene.day(since)
    ), since


def _same_reason(scene: Scene) -> Said | None:
    by_reason: dict[str, list[Contact]] = {}
    for contact in scene.inbound(90):
        by_reason.setdefault(contact.reason or UNKNOWN, []).append(contact)
    if not by_reason:
        return None
    reason, found = max(by_reason.items(), key=lambda item: len(item[1]))
    return _counted(len(found), reason, t("90 days"), found[0], scene)


def _counted(n: int, reason: str, window: str, last: Contact, scene: Scene) -> Said:
    day = scene.day(last.started_at)
    if reason == UNKNOWN:
        return tn(
            n,
            "{n} contact without a reason given in {window}, last {day}",
            "{n} contacts without a reason given in {window}, last {day}",
            window=window,
            day=day,
        ), last.started_at
    return tn(
        n,
        "{n} contact about {reason} in {window}, last {day}",
        "{n} contacts about {reason} in {window}, last {day}",
        reason=words.spoken(reason),
        window=window,
        day=day,
    ), last.started_at


def _of_the_year(scene: Scene) -> list[Contact]:
    since = scene.facts.as_of - timedelta(days=365)
    return [contact for contact in scene.facts.contacts if contact.started_at > since]


def _escalated(scene: Scene) -> Said | None:
    found = next((contact for contact in _of_the_year(scene) if contact.is_escalated), None)
    return (t("Escalated on {day}", day=scene.day(found.started_at)), found.started_at) if found else None


def _csat(scene: Scene) -> Said | None:
    rated = [(contact.csat, contact.started_at) for contact in _of_the_year(scene) if contact.csat is not None]
    if not rated:
        return None
    last = rated[0][1]
    if len(rated) == 1:
        return t("Gave {rating} of 5 on {day}", rating=rated[0][0], day=scene.day(last)), last
    mean = number(sum(given for given, _ in rated) / len(rated), 1)
    return t(
        "Gave {rating} of 5 on average over {n} contacts, last {day}", rating=mean, n=len(rated), day=scene.day(last)
    ), last


def _last_contact(scene: Scene) -> Said | None:
    found = scene.inbound(365)
    if not found:
        return t("No contact from them in the last year"), None
    last, reason = found[0].started_at, found[0].reason
    if reason:
        return t("Last contact {day} about {reason}", day=scene.day(last), reason=words.spoken(reason)), last
    return t("Last contact {day}", day=scene.day(last)), last


def _term(scene: Scene) -> Said | None:
    ends = [line.term_ends_on for line in scene.live() if line.term_ends_on]
    if not ends:
        return None
    end = min(ends)
    day = scene.day(end)
    return (t("Term ends {day}", day=day) if end >= scene.today else t("Out of term since {day}", day=day)), end


def _tenure(scene: Scene) -> Said | None:
    joined = scene.facts.customer.joined_on
    span = words.span(joined, scene.today)
    return t("Customer for {span}, since {day}", span=span, day=scene.day(joined)), joined


def _price(scene: Scene) -> Said | None:
    live = scene.live()
    if not live:
        return None
    total = float(sum(line.monthly_price for line in live))
    since = max(line.started_on for line in live)
    return t("Pays {money} a month, since {day}", money=scene.money(total), day=scene.day(since)), since


def _plan(scene: Scene) -> Said | None:
    live = scene.live()
    if not live:
        return None
    since = live[0].started_on
    return t("On {plan} since {day}", plan=live[0].plan, day=scene.day(since)), since


def _plan_change(scene: Scene) -> Said | None:
    newest = max(scene.facts.subscriptions, key=lambda line: line.started_on, default=None)
    if newest is None or scene.values.get("days_since_plan_change") is None:
        return None
    return t("Took {plan} on {day}", plan=newest.plan, day=scene.day(newest.started_on)), newest.started_on


def _bill(scene: Scene) -> Said | None:
    last, bills = scene.values.get("bill_last"), scene.facts.invoices
    if last is None or not bills:
        return None
    issued = bills[0].issued_on
    return t("Bill of {day}: {money}", day=scene.day(issued), money=scene.money(float(last))), issued


def _bill_change(scene: Scene) -> Said | None:
    change, bills = scene.values.get("bill_change"), scene.facts.invoices
    if change is None or not bills:
        return None
    shown = scene.money(abs(float(change)))
    if shown == scene.money(0):
        return None
    issued = bills[0].issued_on
    day = scene.day(issued)
    if float(change) > 0:
        return t("Bill of {day} up {money} on their own average", day=day, money=shown), issued
    return t("Bill of {day} down {money} on their own average", day=day, money=shown), issued


def _payment(scene: Scene) -> Said | None:
    overdue = [bill for bill in scene.facts.invoices if bill.paid_on is None and bill.due_on < scene.today]
    if overdue:
        total = float(sum(bill.amount for bill in overdue))
        if total <= 0:
            return None  # credit notes
        due = overdue[-1].due_on
        return t("{money} overdue since {day}", money=scene.money(total), day=scene.day(due)), due
    late = [bill for bill in scene.facts.invoices if bill.paid_on and bill.paid_on > bill.due_on]
    if not late:
        return None
    day = scene.day(late[0].due_on)
    return tn(len(late), "{n} bill paid late, last {day}", "{n} bills paid late, last {day}", day=day), late[0].due_on


def _concession(scene: Scene) -> Said | None:
    given = scene.facts.concessions
    if not given:
        return None
    last = given[0]
    said = t(
        "Last given {money} ({instrument}) on {day}",
        money=scene.money(float(last.amount)),
        instrument=words.spoken(last.instrument),
        day=scene.day(last.given_at),
    )
    return said, last.given_at


def _about(reason: str, scene: Scene) -> Said | None:
    found = scene.inbound(365, reason)
    if not found:
        return None
    n = int(float(scene.values[f"contacts_about_{reason}_365d"] or 0))
    return _counted(n, reason, t("a year"), found[0], scene)


def _event(kind: str, scene: Scene) -> Said | None:
    found = next((event for event in scene.facts.events if event.kind == kind), None)
    return (f"{found.title}, {scene.day(found.starts_at)}", found.starts_at) if found else None


def _usage(column: str, value: features.Value) -> Said | None:
    measure = words.spoken(column.removeprefix("usage_").removesuffix("_change"))
    if not isinstance(value, (int, float)):
        return None
    if not column.endswith("_change"):
        said = t("Used {figure} {measure} in the last full month on record", figure=_figure(value), measure=measure)
        return said, None
    if not value:
        return None
    figure = _figure(abs(value))
    if value > 0:
        return t("Use of {measure} up {figure} on their own average", measure=measure, figure=figure), None
    return t("Use of {measure} down {figure} on their own average", measure=measure, figure=figure), None


def _figure(value: float) -> str:
    """Three figures say enough: `0.4`, `12.5`, `1,234`."""
    return number(value) if abs(value) >= 100 else current().write(f"{value:.3g}")


def _attribute(column: str, value: features.Value, scene: Scene) -> Said | None:
    label = words.spoken(column.removeprefix("attribute_"))
    if isinstance(value, bool):
        shown = t("yes") if value else t("no")
    elif isinstance(value, (int, float)):
        shown = current().write(f"{value:,.10g}")
    else:
        shown = visible(str(value), LONGEST_VALUE)
    named = f"{label[:1].upper()}{label[1:]}"
    said = t("{label}: {value} (in the CRM on {day})", label=named, value=shown, day=scene.day(scene.today))
    return said, scene.today


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
