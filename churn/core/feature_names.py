"""What a column is called in front of a person, in the language spoken there: `contacts_90d` → `contacts, 90 days`."""

from __future__ import annotations

from churn.core import features, words
from churn.core.language import mark, t

NAMES = {
    "tenure_months": mark("months as a customer"),
    "segment": mark("segment"),
    "region": mark("region"),
    "language": mark("language"),
    "is_vulnerable": mark("marked vulnerable"),
    "live_subscriptions": mark("live subscriptions"),
    "product": mark("product"),
    "plan": mark("plan"),
    "monthly_price": mark("monthly price"),
    "monthly_margin": mark("monthly margin"),
    "months_to_term_end": mark("months to the end of term"),
    "days_since_plan_change": mark("days since a change of plan"),
    "contacts_30d": mark("contacts, 30 days"),
    "contacts_90d": mark("contacts, 90 days"),
    "contacts_365d": mark("contacts, 365 days"),
    "outbound_90d": mark("contacts from us, 90 days"),
    "unresolved_90d": mark("contacts not resolved, 90 days"),
    "same_reason_90d": mark("contacts about one reason, 90 days"),
    "escalated_365d": mark("contacts handed upwards, 365 days"),
    "csat_365d": mark("satisfaction given, 365 days"),
    "days_since_contact": mark("days since the last contact"),
    "last_reason": mark("reason of the last contact"),
    "bill_last": mark("last bill"),
    "bill_change": mark("last bill against their own average"),
    "late_365d": mark("bills paid late, 365 days"),
    "overdue": mark("amount overdue"),
    "concessions_365d": mark("concessions, 365 days"),
    "conceded_365d": mark("worth of concessions, 365 days"),
    "days_since_concession": mark("days since the last concession"),
}
GROUPS = {
    "reasons_365d": mark("contacts about {what}, 365 days"),
    "usage_change": mark("use of {what} against their own average"),
    "usage_last": mark("use of {what}, last month"),
    "events_90d": mark("{what}, events of 90 days"),
}


def name_of(column: str) -> str:
    """A column as words; one of the company's own CRM by its own name."""
    if column in NAMES:
        return t(NAMES[column])
    for group in reversed(features.GROUPS):  # `usage_{key}_change` before `usage_{key}`
        before, _, after = group.pattern.partition("{key}")
        if group.name in GROUPS and column.startswith(before) and column.endswith(after):
            return t(GROUPS[group.name], what=words.spoken(column.removeprefix(before).removesuffix(after)))
    return words.spoken(column.removeprefix("attribute_"))


def meaning_of(column: str) -> str:
    """What a column holds, in a sentence."""
    return t(features.describe(column).meaning)
