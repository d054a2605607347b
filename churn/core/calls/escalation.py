"""Which open contacts will be handed upwards: the columns the risk estimator reads for it, and why this one.

A contact is open while it is coded not resolved and nothing later about the same settled it. It is asked of every
instant: will one of this customer's contacts be escalated within HORIZON_DAYS? Read are the customer's features as of
that instant and four columns of the contact itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from churn.core import features, words
from churn.core.language import number, t, tn

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
        return t(
            "may be handed upwards: {percent} in {days} days, {times}× usual",
            percent=words.percent(self.p_escalates),
            days=HORIZON_DAYS,
            times=number(self.p_escalates / max(self.usual, 1e-9), 1),
        )


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
    """Why this contact, the weightiest first, one fact a topic; `moved`: column → change in the chance it makes.

    Only what can be pointed at is told: the contact itself, its repeats, earlier escalations, satisfaction. Each is
    kept as what makes its sentence, which `told` says to whoever reads it.
    """
    found: dict[tuple[str, str | None], str] = {}
    ranked = sorted(moved.items(), key=lambda item: (-item[1], item[0]))
    for column, points in ranked:
        if not math.isfinite(points) or points < LEAST_POINTS or len(found) == most:
            break
        fact = _fact(column, contact, values)
        if fact is not None:
            topic = (fact[0].partition(" ")[0], fact[2] if fact[0] == "about" else None)
            found.setdefault(topic, json.dumps(fact))
    return list(found.values())


def told(kept: str) -> str:  # noqa: PLR0911 - one line a fact
    """A fact of `because` as a sentence. What earlier nights kept as a sentence is shown as it is."""
    try:
        topic, figure, reason = json.loads(kept)
    except ValueError:
        return kept
    about = words.spoken(reason) if reason else t("no reason given")
    n = round(figure or 0)
    match topic:
        case "repeat":
            return t("{nth} contact about {reason} in 30 days", nth=words.ordinal(n), reason=about)
        case "reason":
            return t("it is about {reason}", reason=about)
        case "open":
            return tn(n, "open for {n} day", "open for {n} days")
        case "unresolved":
            return tn(n, "{n} contact not resolved in 90 days", "{n} contacts not resolved in 90 days")
        case "escalated":
            return tn(n, "handed upwards {n} time in a year", "handed upwards {n} times in a year")
        case "csat":
            return t("gave {rating} of 5 on average in a year", rating=number(figure, 1))
        case "contacts 30":
            return tn(n, "{n} contact in 30 days", "{n} contacts in 30 days")
        case "contacts 90":
            return tn(n, "{n} contact in 90 days", "{n} contacts in 90 days")
        case "about":
            return tn(n, "{n} contact about {reason} in a year", "{n} contacts about {reason} in a year", reason=about)
        case _:
            return t("the last bill was higher than usual")


Fact = tuple[str, float | None, str | None]  # topic, figure, contact reason


def _fact(column: str, contact: Row, values: Row) -> Fact | None:  # noqa: PLR0911 - one line a column
    """What makes the sentence of one column; None where there is nothing to point at."""
    about = contact["reason"]
    if column in {"times_30d", "same_reason_90d"} and contact["times_30d"] > 1:
        return "repeat", contact["times_30d"], about
    if column in {"contact_reason", "last_reason"}:
        return "reason", None, about
    if column == "days_open":
        return "open", max(round(contact["days_open"]), 1), None
    figure = values.get(column)
    if not figure or isinstance(figure, str | bool) or not math.isfinite(float(figure)):
        return None
    if column in {"unresolved_90d", "escalated_365d", "csat_365d"}:
        return column.partition("_")[0], float(figure), None
    if column in {"contacts_30d", "contacts_90d"}:
        return f"contacts {column[9:-1]}", int(figure), None
    if column.startswith("contacts_about_"):
        return "about", int(figure), column.removeprefix("contacts_about_").removesuffix("_365d")
    if column == "bill_change" and float(figure) > 0:
        return "bill", None, None
    return None
