"""What a sentence about a caller may draw on: facts and feature values as of one day, and how they are said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from churn.core import features, words
from churn.core.records import CallerFacts, Contact, Subscription

UNKNOWN = "unknown"  # how features.sql names a contact without a reason
Values = Mapping[str, features.Value]


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
            and (reason is None or (contact.reason or UNKNOWN) == reason)
            and (not unresolved or contact.is_resolved is False)
        ]

    def still_open(self, days: int, reason: str | None = None) -> list[Contact]:
        """Unresolved inbound contacts of the last days that no later contact about the same has resolved."""
        settled: dict[str | None, datetime] = {}
        for contact in self.facts.contacts:
            if contact.is_resolved:
                settled.setdefault(contact.reason, contact.started_at)
        return [
            contact
            for contact in self.inbound(days, reason, unresolved=True)
            if contact.reason not in settled or contact.started_at > settled[contact.reason]
        ]

    def live(self) -> list[Subscription]:
        """The lines live on this day, dearest first; none: no customer today."""
        return [line for line in self.facts.subscriptions if line.is_live(self.today)]
