"""Two versions of a policy side by side: each rule, instrument and authority line that is not the same, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any

from churn.core.money import show
from churn.core.policy import Authority, Instrument, Policy, Rule, conditions
from churn.core.policy_problems import in_words

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
SENTENCES = ("reason", "reference")  # what is read, not what is reckoned
MONEY = ("max_amount", "step_amount", "handling_cost", "per_grant", "per_window")
EFFECTS = {
    "ceiling": "ceiling", "floor": "floor", "default_offer": "default", "rolling_cap": "cap on one customer",
    "cooldown": "wait between two", "redemptions": "how often", "counter_offers": "offers in one call",
    "horizon": "days that make a save", "discount_rate": "discount rate", "day_share": "most of a month in a day",
    "refund_outage": "refund for an outage", "refund_outage_from": "outage counts from",
    "refund_double_bill": "refund of a bill paid twice", "late_fee": "late fee", "worth_months": "months of worth",
    "margin": "assumed margin", "forbid": "never", "needs_role": "takes",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same: `what` is rule, instrument or authority, `key` its name there."""

    kind: str
    what: str
    key: str
    sentence: str


def differences(before: Policy, after: Policy) -> list[Difference]:
    """Everything that differs, instruments first; empty when both say the same, whatever their titles."""
    return [
        *_between("instrument", _by(before.instruments, "instrument"), _by(after.instruments, "instrument"), after),
        *_between("rule", _by(before.rules, "code"), _by(after.rules, "code"), after),
        *_between("authority", _lines(before.authority), _lines(after.authority), after),
    ]


def said(rule: Rule, currency: str) -> str:
    """A rule's limit in words: `ceiling for bill credit when fault = ours: £80`."""
    return f"{about(rule, currency)}: {value_of(rule, currency)}"


def about(rule: Rule, currency: str) -> str:
    """What a rule is about: its effect, its instrument and when it fits."""
    box = {name: held for name, held in conditions(rule).items() if name not in {"instrument", "worth"}}
    which = f" for {_plain(rule.instrument)}" if rule.instrument else ""
    parts = [_when(box)] if box else []
    parts += [_worth_in_words(rule, currency)] if rule.worth_from is not None or rule.worth_to is not None else []
    when = f" when {', '.join(parts)}" if parts else ""
    return f"{EFFECTS.get(rule.effect, _plain(rule.effect))}{which}{when}"


def value_of(rule: Rule, currency: str) -> str:
    """A rule's value with its unit: `£80`, `20 % of worth`, `3 times in 365 days`, `no limit`."""
    within = f" in {rule.window_days} days" if rule.window_days else ""
    if rule.unit == "role":
        return f"{rule.role or 'nobody'}"
    if rule.unit == "no_limit" or rule.value is None:
        return {"no_limit": "no limit", "none": "yes"}.get(rule.unit, "nothing") + within
    if rule.unit == "money":
        is_whole = rule.value == rule.value.to_integral_value()
        return (show(int(rule.value), currency) if is_whole else f"{rule.value} minor units") + within
    shares = {"share_of_worth": "of worth", "share_of_bill": "of a month's bill", "share_of_budget": "of the budget"}
    if rule.unit in shares:
        return f"{_percent(rule.value)} {shares[rule.unit]}{within}"
    if rule.unit == "per_year":
        return f"{_percent(rule.value)} a year"
    return f"{rule.value.normalize():f} {_plain(rule.unit)}{within}"


def _between(what: str, old: Mapping[str, Any], new: Mapping[str, Any], policy: Policy) -> Iterator[Difference]:
    for key in [*old, *(key for key in new if key not in old)]:
        if key not in new:
            yield Difference(REMOVED, what, key, f"{_told(old[key], policy.currency)}: removed.")
        elif key not in old:
            yield Difference(ADDED, what, key, f"{_told(new[key], policy.currency)}: new.")
        elif _held(old[key]) != _held(new[key]):
            yield Difference(CHANGED, what, key, _change(old[key], new[key], policy.currency))


def _told(row: Any, currency: str) -> str:
    if isinstance(row, Rule):
        return f"{_first(said(row, currency))} ({row.code})"
    if isinstance(row, Authority):
        at_once, in_all = show(row.per_grant, currency), show(row.per_window, currency)
        return f"{_line(row)}: {at_once} at once, {in_all} a {row.time_window}"
    return f"{_first(_plain(row.instrument))} up to {show(row.max_amount, currency)}"


def _change(old: Any, new: Any, currency: str) -> str:
    if isinstance(new, Rule):
        return _rule_change(old, new, currency)
    name = _line(new) if isinstance(new, Authority) else _first(_plain(new.instrument))
    pairs = [(field, getattr(old, field), getattr(new, field)) for field in _names(new)]
    parts = [
        f"{_plain(field)} {_shown(field, before, currency)} → {_shown(field, after, currency)}"
        for field, before, after in pairs
        if _exact(before) != _exact(after)
    ]
    return f"{name}: {', '.join(parts)}."


def _rule_change(old: Rule, new: Rule, currency: str) -> str:
    """What a rule says now and said before: its limit, when it fits, and its sentence."""
    before, after = value_of(old, currency), value_of(new, currency)
    parts = []
    if about(old, currency) != about(new, currency):
        parts.append(f"was {about(old, currency)}")
    if before != after:
        parts.append(f"{before} → {after}")
    pairs = [(name, getattr(old, name) or "", getattr(new, name) or "") for name in SENTENCES]
    parts += [f"{name} “{was}” → “{now}”" for name, was, now in pairs if was != now]
    if old.topic != new.topic:
        parts.append(f"topic {old.topic} → {new.topic}")
    return f"{_first(about(new, currency))}: {', '.join(parts) or after} ({new.code})."


def _line(row: Authority) -> str:
    reason = f" when the reason is {_plain(row.contact_reason)}" if row.contact_reason else ""
    return f"{_first(row.role)} alone may give {_plain(row.instrument)}{reason}"


def _shown(name: str, held: Any, currency: str) -> str:
    if name in MONEY and held is not None:
        return show(int(held), currency)
    if held is None:
        return "none"
    if isinstance(held, bool):
        return "yes" if held else "no"
    return f"“{held}”" if isinstance(held, str) else f"{held}"


def _names(row: Any) -> list[str]:
    return [field.name for field in fields(row)]


def _held(row: Any) -> tuple[Any, ...]:
    return tuple(_exact(getattr(row, name)) for name in _names(row))


def _exact(held: Any) -> Any:
    return held.normalize() if isinstance(held, Decimal) else held  # 0.10 is 0.1


def _by(rows: Sequence[Instrument | Rule], name: str) -> dict[str, Any]:
    return {getattr(row, name): row for row in rows}


def _lines(rows: Sequence[Authority]) -> dict[str, Authority]:
    return {f"{row.role}, {row.instrument}, {row.contact_reason or 'any reason'}": row for row in rows}


def _when(box: Mapping[str, Any]) -> str:
    return in_words(dict(box)).replace("_", " ")


def _worth_in_words(rule: Rule, currency: str) -> str:
    low, high = (None if held is None else show(held, currency) for held in (rule.worth_from, rule.worth_to))
    if low is None or high is None:
        return f"worth below {high}" if low is None else f"worth from {low}"
    return f"worth from {low} to {high}"


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f} %"


def _plain(name: str | None) -> str:
    return (name or "").replace("_", " ")


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]


def in_force_on(rule: Rule, on: date) -> bool:
    """Whether a rule's own dates hold on a day."""
    return (rule.starts_on is None or rule.starts_on <= on) and (rule.ends_on is None or on < rule.ends_on)
