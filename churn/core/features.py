"""The column table: every feature by name, type, unit and meaning, and how a database row becomes a row of them.

`sql/queries/features.sql` gives the rows. Fixed features stand in FEATURES. Groups (a company's own CRM columns,
contact reasons, usage measures, kinds of event) are open: their keys become columns named by the group, so a company's
data becomes features without code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from churn.core.language import mark

Kind = Literal["number", "category", "boolean"]
Value = float | str | bool | None


@dataclass(frozen=True, slots=True)
class Feature:
    """One column: `monotone` is +1 where more of it can only mean more risk, -1 less, 0 not sure."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    monotone: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """An open set of columns from one JSON object of the row; `{key}` in `pattern` is the object's key."""

    name: str
    pattern: str
    unit: str
    meaning: str
    absent: Value = None  # the value where the object lacks the key


FEATURES = (
    Feature("tenure_months", "number", "months", mark("Since the customer joined, whole months.")),
    Feature("segment", "category", "", mark("Customer segment, from the CRM.")),
    Feature("region", "category", "", mark("Region, from the CRM.")),
    Feature("language", "category", "", mark("Language spoken, from the CRM.")),
    Feature("is_vulnerable", "boolean", "", mark("Marked vulnerable in the CRM.")),
    Feature("live_subscriptions", "number", "subscriptions", mark("Live on the day.")),
    Feature("product", "category", "", mark("Product of the dearest live subscription.")),
    Feature("plan", "category", "", mark("Plan of the dearest live subscription.")),
    Feature("monthly_price", "number", "money a month", mark("Sum over live subscriptions.")),
    Feature("monthly_margin", "number", "money a month", mark("Sum over live subscriptions; missing if one lacks it.")),
    Feature(
        "months_to_term_end",
        "number",
        "months",
        mark("Whole months to the nearest end of term; negative after it."),
    ),
    Feature(
        "days_since_plan_change",
        "number",
        "days",
        mark("Since a later subscription began, in steps; else missing."),
    ),
    Feature("contacts_30d", "number", "contacts", mark("Inbound, last 30 days.")),
    Feature("contacts_90d", "number", "contacts", mark("Inbound, last 90 days.")),
    Feature("contacts_365d", "number", "contacts", mark("Inbound, last 365 days.")),
    Feature("outbound_90d", "number", "contacts", mark("Outbound, last 90 days.")),
    Feature("unresolved_90d", "number", "contacts", mark("Inbound, last 90 days, coded not resolved."), monotone=1),
    Feature("same_reason_90d", "number", "contacts", mark("Most inbound contacts about one reason, last 90 days.")),
    Feature("escalated_365d", "number", "contacts", mark("Handed upwards, last 365 days."), monotone=1),
    Feature("csat_365d", "number", "1 to 5", mark("Mean satisfaction given, last 365 days."), monotone=-1),
    Feature("days_since_contact", "number", "days", mark("Since the last inbound contact, within 365 days, in steps.")),
    Feature("last_reason", "category", "", mark("Reason of the last inbound contact, within 365 days.")),
    Feature("bill_last", "number", "money", mark("Amount of the last invoice.")),
    Feature("bill_change", "number", "money", mark("Last invoice less the mean of the earlier ones, 365 days.")),
    Feature("late_365d", "number", "invoices", mark("Paid after they were due, or due and unpaid, 365 days.")),
    Feature("overdue", "number", "money", mark("Due and unpaid on the day.")),
    Feature("concessions_365d", "number", "concessions", mark("Given, last 365 days.")),
    Feature("conceded_365d", "number", "money", mark("Worth of concessions given, last 365 days.")),
    Feature("days_since_concession", "number", "days", mark("Since the last concession, within 365 days, in steps.")),
)
GROUPS = (
    Group("attributes", "{key}", "", mark("A column of the company's own CRM.")),
    Group(
        "reasons_365d", "contacts_about_{key}_365d", "contacts", mark("Inbound about this, last 365 days."), absent=0.0
    ),
    Group("usage_last", "usage_{key}", "as measured", mark("The last complete month.")),
    Group("usage_change", "usage_{key}_change", "as measured", mark("Last complete month less the mean of seven.")),
    Group(
        "events_90d", "events_{key}_90d", "events", mark("Change events that hit this customer, 90 days."), absent=0.0
    ),
)
BY_NAME = {feature.name: feature for feature in FEATURES}
KEYS = ("customer_id", "as_of")
MONOTONE = {feature.name: feature.monotone for feature in FEATURES if feature.monotone}
# Who somebody is must not move what they are offered: columns with these words never enter a model.
PROTECTED = frozenset(
    {
        *("age", "agehh1", "agehh2", "birth", "birthdate", "citizen", "disability", "disabled", "ethnicity", "ethnic"),
        *("gender", "language", "marital", "maritalstatus", "married", "nationality", "partner", "pregnancy"),
        *("pregnant", "race", "religion", "senior", "seniorcitizen", "sex", "sexual", "vulnerable"),
    }
)
# What describes the customer and the contract rather than the last weeks: the columns a curve over years may use.
LASTING = ("segment", "region", "live_subscriptions", "product", "plan", "monthly_price")


def flatten(row: Mapping[str, Any]) -> dict[str, Value]:
    """One row of `features.sql` as feature name → value, open groups spread out. Keys of the row are left out."""
    values: dict[str, Value] = {feature.name: row[feature.name] for feature in FEATURES}
    for group in GROUPS:
        for key, value in (row[group.name] or {}).items():
            values[column_name(group, key)] = value
    return values


def is_protected(name: str) -> bool:
    """Whether a column speaks of who somebody is rather than of what they buy, use or asked for."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    words = [word.lower() for word in re.split(r"[\W_]+", parted) if word]
    return any(word in PROTECTED for word in [*words, "".join(words)])


def column_name(group: Group, key: str) -> str:
    """The column of a group's key; a CRM column that bears a feature's own name keeps its origin in front."""
    name = group.pattern.format(key=key)
    return f"attribute_{name}" if name in BY_NAME else name


def frame(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Rows of `features.sql` as (n, features), indexed by customer and instant, columns in a fixed order.

    `columns`: those of a fitted model; without them every column seen, fixed ones first, the rest by name.
    """
    rows = list(rows)
    held = {name: [row[name] for row in rows] for name in BY_NAME if columns is None or name in columns}
    held |= _spread(rows, None if columns is None else set(columns))
    names = list(columns) if columns is not None else [*BY_NAME, *sorted(held.keys() - BY_NAME.keys())]
    index = pd.MultiIndex.from_arrays(
        [[row["customer_id"] for row in rows], pd.to_datetime([row["as_of"] for row in rows], utc=True)], names=KEYS
    )
    values = {name: _typed(held[name] if name in held else [absent_value(name)] * len(rows)) for name in names}
    return pd.DataFrame(values, index=index, columns=names)


def _spread(rows: Sequence[Mapping[str, Any]], wanted: set[str] | None) -> dict[str, list[Value]]:
    """The open groups by column, a value a row: column by column, since a book has many rows and few columns."""
    held: dict[str, list[Value]] = {}
    for group in GROUPS:
        by_key: dict[str, list[Value] | None] = {}
        for at, row in enumerate(rows):
            for key, value in (row[group.name] or {}).items():
                if key not in by_key:
                    name = column_name(group, key)
                    is_wanted = wanted is None or name in wanted
                    by_key[key] = held.setdefault(name, [absent_value(name)] * len(rows)) if is_wanted else None
                values = by_key[key]
                if values is not None:
                    values[at] = value
    return held


def complete(row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Value]:
    """One row of `features.sql` with every column of a fitted model, without pandas."""
    flat = flatten(row)
    return {name: flat[name] if name in flat else absent_value(name) for name in columns}


def usable(columns: Iterable[str]) -> list[str]:
    """The columns a model may learn from: none that says who somebody is."""
    return [name for name in columns if not is_protected(name)]


def lasting(columns: Iterable[str]) -> list[str]:
    """The columns a curve over years may use: lasting features and the company's own CRM columns."""
    patterns = [group.pattern.partition("{key}") for group in GROUPS if group.name != "attributes"]
    moving = {name for name in BY_NAME if name not in LASTING}
    return [
        name
        for name in usable(columns)
        if name not in moving
        and not any(name.startswith(before) and name.endswith(after) for before, _, after in patterns)
    ]


def absent_value(name: str) -> Value:
    """What a customer without this column has: zero where the group counts, else missing."""
    for group in GROUPS:
        before, _, after = group.pattern.partition("{key}")
        if group.absent is not None and name.startswith(before) and name.endswith(after) and name not in BY_NAME:
            return group.absent
    return None


def describe(name: str) -> Feature:
    """What a column means, fixed or open."""
    if name in BY_NAME:
        return BY_NAME[name]
    for group in reversed(GROUPS):
        before, _, after = group.pattern.partition("{key}")
        if name.startswith(before) and name.endswith(after):
            return Feature(name, "number" if group.unit else "category", group.unit, group.meaning)
    return Feature(name, "category", "", GROUPS[0].meaning)


def _typed(values: list[Any]) -> np.ndarray[Any, Any]:
    # Numbers stay numbers with gaps; everything else stays as it came.
    if pd.api.types.infer_dtype(values, skipna=True) in {"floating", "integer", "mixed-integer-float", "empty"}:
        return np.array(values, dtype=float)
    return np.array([*values, None], dtype=object)[:-1]  # never a matrix, where every value is a list of one length
