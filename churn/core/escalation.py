"""Which open contacts will be handed upwards: the columns the risk estimator reads for it, and why this one, in words.

A contact is open while it is coded not resolved and nothing later about the same settled it. It is asked of every
instant: will one of this customer's contacts be escalated within HORIZON_DAYS? Read are the customer's features as of
that instant and four columns of the contact itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from churn.core import features, words

HORIZON_DAYS = 14
OPEN_DAYS = 14  # a contact open for longer is taken up by nobody any more
OWN = ("contact_reason", "contact_channel", "days_open", "times_30d")
MONOTONE = features.MONOTONE | {"times_30d": 1}
LEAST_POINTS = 0.002  # a fifth of a point: escalations are rare
FLAGGED = 2.0  # times the usual chance from which a contact is worth a flag
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Escalation:
    """The chance that a caller's open contact is handed upwards, that of open contacts in all, and why."""

    p_escalates: float
    usual: float
    because: tuple[str, ...]

    @property
    def is_flagged(self) -> bool:
        """Whether it is so much above the usual that an agent should know."""
        return self.p_escalates >= FLAGGED * self.usual

    def __str__(self) -> str:
        """A flag's words."""
        times = self.p_escalates / max(self.usual, 1e-9)
        return f"may be handed upwards: {words.percent(self.p_escalates)} in {HORIZON_DAYS} days, {times:.1f}× usual"


def frame(rows: Sequence[Row], contacts: Sequence[Row], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """(n, columns) of feature rows with their open contacts, in order; `columns`: those of a fitted model."""
    kept = None if columns is None else [name for name in columns if name not in OWN]
    made = features.frame(rows, kept)
    if columns is None:
        made = made[features.usable(made.columns)]
    own = {
        "contact_reason": [contact["reason"] or "unknown" for contact in contacts],
        "contact_channel": [contact["channel"] for contact in contacts],
        "days_open": [float(contact["days_open"]) for contact in contacts],
        "times_30d": [float(contact["times_30d"]) for contact in contacts],
    }
    made = made.assign(**own)
    return made if columns is None else made[list(columns)]


def because(moved: Mapping[str, float], contact: Row, values: Row, most: int = 3) -> list[str]:
    """Why this contact, the weightiest first, one sentence a topic; `moved`: column → change in the chance it makes.

    Only what can be pointed at is told: the contact itself, its repeats, earlier escalations, satisfaction.
    """
    told: dict[str, str] = {}
    ranked = sorted(moved.items(), key=lambda item: (-item[1], item[0]))
    for column, points in ranked:
        if not math.isfinite(points) or points < LEAST_POINTS or len(told) == most:
            break
        said = _say(column, contact, values)
        if said is not None and said[0] not in told:
            told[said[0]] = said[1]
    return list(told.values())


def _say(column: str, contact: Row, values: Row) -> tuple[str, str] | None:  # noqa: PLR0911 - one line a column
    """(topic, sentence) of one column; None where there is nothing to point at."""
    about = words.spoken(contact["reason"] or "no reason given")
    if column in {"times_30d", "same_reason_90d"} and contact["times_30d"] > 1:
        return "repeat", f"{words.ordinal(contact['times_30d'])} contact about {about} in 30 days"
    if column in {"contact_reason", "last_reason"}:
        return "reason", f"it is about {about}"
    if column == "days_open":
        return "open", f"open for {words.count(max(round(contact['days_open']), 1), 'day')}"
    number = values.get(column)
    if not number or isinstance(number, str | bool) or not math.isfinite(float(number)):
        return None
    if column == "unresolved_90d":
        return "unresolved", f"{words.count(int(number), 'contact')} not resolved in 90 days"
    if column == "escalated_365d":
        return "escalated", f"handed upwards {words.count(int(number), 'time')} in a year"
    if column == "csat_365d":
        return "csat", f"gave {float(number):.1f} of 5 on average in a year"
    if column in {"contacts_30d", "contacts_90d"}:
        return "contacts", f"{words.count(int(number), 'contact')} in {column[9:-1]} days"
    if column.startswith("contacts_about_"):
        reason = words.spoken(column.removeprefix("contacts_about_").removesuffix("_365d"))
        return f"about {reason}", f"{words.count(int(number), 'contact')} about {reason} in a year"
    if column == "bill_change" and float(number) > 0:
        return "bill", "the last bill was higher than usual"
    return None
