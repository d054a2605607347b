"""Two versions of a policy side by side: each rule, instrument and authority line that is not the same, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any

from churn.core.language import current, mark, t, tn
from churn.core.money import show
from churn.core.policies.policy import Authority, Instrument, Policy, Rule, conditions
from churn.core.policies.policy_words import in_words
from churn.core.words import spoken

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
DIFFERENT = {ADDED: mark("added"), REMOVED: mark("removed"), CHANGED: mark("changed")}
SENTENCES = ("reason", "reference")  # what is read, not what is reckoned
MONEY = ("max_amount", "step_amount", "handling_cost", "per_grant", "per_window")
EFFECTS = {
    "ceiling": mark("ceiling"), "floor": mark("floor"), "default_offer": mark("default"),
    "rolling_cap": mark("cap on one customer"), "cooldown": mark("wait between two"),
    "redemptions": mark("how often"), "counter_offers": mark("offers in one call"),
    "horizon": mark("days that make a save"), "discount_rate": mark("discount rate"),
    "day_share": mark("most of a month in a day"), "refund_outage": mark("refund for an outage"),
    "refund_outage_from": mark("outage counts from"), "refund_double_bill": mark("refund of a bill paid twice"),
    "late_fee": mark("late fee"), "worth_months": mark("months of worth"), "margin": mark("assumed margin"),
    "forbid": mark("never"), "needs_role": mark("takes"),
}  # fmt: skip

IN_ALL = {
    "day": mark("{line}: {at_once} at once, {in_all} a day"),
    "week": mark("{line}: {at_once} at once, {in_all} a week"),
    "month": mark("{line}: {at_once} at once, {in_all} a month"),
}
SHARES = {
    "share_of_worth": mark("{share} of worth"), "share_of_bill": mark("{share} of a month's bill"),
    "share_of_budget": mark("{share} of the budget"),
}  # fmt: skip
COUNTED: Mapping[str, Callable[[int], str]] = {
    "days": lambda n: tn(n, "{n} day", "{n} days"), "times": lambda n: tn(n, "{n} time", "{n} times"),
    "months": lambda n: tn(n, "{n} month", "{n} months"), "hours": lambda n: tn(n, "{n} hour", "{n} hours"),
    "days_of_bill": lambda n: tn(n, "{n} day of bill", "{n} days of bill"),
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
    effect = t(EFFECTS[rule.effect]) if rule.effect in EFFECTS else _plain(rule.effect)
    which = t("{what} for {instrument}", what=effect, instrument=spoken(rule.instrument)) if rule.instrument else effect
    parts = [_when(box)] if box else []
    parts += [_worth_in_words(rule, currency)] if rule.worth_from is not None or rule.worth_to is not None else []
    return t("{what} when {conditions}", what=which, conditions=", ".join(parts)) if parts else which


def value_of(rule: Rule, currency: str) -> str:
    """A rule's value with its unit: `£80`, `20 % of worth`, `3 times in 365 days`, `no limit`."""
    if rule.unit == "role":
        return spoken(rule.role) if rule.role else t("nobody")
    if rule.unit == "per_year" and rule.value is not None:
        return t("{share} a year", share=_percent(rule.value))
    said = _amount_of(rule, currency)
    if not rule.window_days:
        return said
    return t("{value} in {days}", value=said, days=tn(rule.window_days, "{n} day", "{n} days"))


def _amount_of(rule: Rule, currency: str) -> str:
    """A rule's value with its unit, whatever the days it counts over."""
    if rule.unit == "no_limit" or rule.value is None:
        return {"no_limit": t("no limit"), "none": t("yes")}.get(rule.unit, t("nothing"))
    if rule.unit == "money":
        is_whole = rule.value == rule.value.to_integral_value()
        return show(int(rule.value), currency) if is_whole else t("{n} minor units", n=_written(rule.value))
    if rule.unit in SHARES:
        return t(SHARES[rule.unit], share=_percent(rule.value))
    value, whole = _written(rule.value), int(rule.value)
    if rule.value == whole and rule.unit in COUNTED:
        return COUNTED[rule.unit](whole)
    return f"{value} {spoken(rule.unit)}"


def _between(what: str, old: Mapping[str, Any], new: Mapping[str, Any], policy: Policy) -> Iterator[Difference]:
    for key in [*old, *(key for key in new if key not in old)]:
        if key not in new:
            yield Difference(REMOVED, what, key, t("{what}: removed.", what=_told(old[key], policy.currency)))
        elif key not in old:
            yield Difference(ADDED, what, key, t("{what}: new.", what=_told(new[key], policy.currency)))
        elif _held(old[key]) != _held(new[key]):
            yield Difference(CHANGED, what, key, _change(old[key], new[key], policy.currency))


def _told(row: Any, currency: str) -> str:
    if isinstance(row, Rule):
        return f"{_first(said(row, currency))} ({row.code})"
    if isinstance(row, Authority):
        at_once, in_all = show(row.per_grant, currency), show(row.per_window, currency)
        told = IN_ALL.get(row.time_window, "{line}: {at_once} at once, {in_all} a {window}")
        return t(told, line=_line(row), at_once=at_once, in_all=in_all, window=row.time_window)
    return t("{what} up to {most}", what=_first(spoken(row.instrument)), most=show(row.max_amount, currency))


def _change(old: Any, new: Any, currency: str) -> str:
    if isinstance(new, Rule):
        return _rule_change(old, new, currency)
    name = _line(new) if isinstance(new, Authority) else _first(spoken(new.instrument))
    pairs = [(field, getattr(old, field), getattr(new, field)) for field in _names(new)]
    parts = [
        f"{spoken(field)} {_shown(field, before, currency)} → {_shown(field, after, currency)}"
        for field, before, after in pairs
        if _exact(before) != _exact(after)
    ]
    return f"{name}: {', '.join(parts)}."


def _rule_change(old: Rule, new: Rule, currency: str) -> str:
    """What a rule says now and said before: its limit, when it fits, and its sentence."""
    before, after = value_of(old, currency), value_of(new, currency)
    parts = []
    if about(old, currency) != about(new, currency):
        parts.append(t("was {what}", what=about(old, currency)))
    if before != after:
        parts.append(f"{before} → {after}")
    pairs = [(name, getattr(old, name) or "", getattr(new, name) or "") for name in SENTENCES]
    parts += [f"{spoken(name)} “{was}” → “{now}”" for name, was, now in pairs if was != now]
    if old.topic != new.topic:
        parts.append(f"{spoken('topic')} {old.topic} → {new.topic}")
    return f"{_first(about(new, currency))}: {', '.join(parts) or after} ({new.code})."


def _line(row: Authority) -> str:
    role, instrument = _first(spoken(row.role)), spoken(row.instrument)
    if not row.contact_reason:
        return t("{role} alone may give {instrument}", role=role, instrument=instrument)
    return t(
        "{role} alone may give {instrument} when the reason is {reason}",
        role=role,
        instrument=instrument,
        reason=spoken(row.contact_reason),
    )


def _shown(name: str, held: Any, currency: str) -> str:
    if name in MONEY and held is not None:
        return show(int(held), currency)
    if held is None:
        return t("none")
    if isinstance(held, bool):
        return t("yes") if held else t("no")
    if isinstance(held, int | Decimal):
        return current().write(f"{held}")
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
        return t("worth below {high}", high=high) if low is None else t("worth from {low}", low=low)
    return t("worth from {low} to {high}", low=low, high=high)


def _percent(share: Decimal) -> str:
    return f"{_written(share * 100)} %"


def _written(value: Decimal) -> str:
    return current().write(f"{value.normalize():f}")


def _plain(name: str | None) -> str:
    return (name or "").replace("_", " ")


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]


def in_force_on(rule: Rule, on: date) -> bool:
    """Whether a rule's own dates hold on a day."""
    return (rule.starts_on is None or rule.starts_on <= on) and (rule.ends_on is None or on < rule.ends_on)
