"""Limits over many calls: the same as `bounds.bounds` for one, without the sentences.

As a replay asks: for who is on the call in `role`, with nothing given yet on this desk, so that budgets and the
windows of authority are whole; a budget is asked about by its price instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from churn.core.offers.limits import BY_MONTH, longest_term
from churn.core.offers.terms import unit_of
from churn.core.policies.policy import ROLES, Instrument, Policy, Rule, authority_for
from churn.core.replay.replay_calls import Array, Calls, Flags
from churn.core.replay.replay_rules import Reading

SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Limits:
    """One instrument, (n,) minor units each: alone, with a yes, the least if anything is given, policy's default."""

    item: Instrument
    alone: Array
    ceiling: Array
    floor: Array
    default: Array


def limits_of(reading: Reading, item: Instrument, role: str) -> Limits:
    """What may be given of `item` in each call."""
    shared = _shared(reading, item)
    own, own_stops = _authority(reading, item, role)
    need = _needed(reading, item)
    below = need > _reach(role)
    own, own_stops = np.where(below, 0.0, own), own_stops | below
    above, above_stops = _authority(reading, item, SUPERVISOR)
    widest = np.where(own_stops == above_stops, np.maximum(own, above), np.where(own_stops, above, own))
    floor = _highest(reading, "floor", item)
    alone, ceiling = np.minimum(shared, own), np.minimum(shared, widest)
    # What is left but does not reach the floor is nothing.
    alone, ceiling = (np.where((most > 0) & (most < floor), 0.0, most) for most in (alone, ceiling))
    return Limits(item, alone, ceiling, floor, _default(reading, item, floor))


def _shared(reading: Reading, item: Instrument) -> Array:
    """What holds whoever asks: policy, the instrument's own walls, what the customer had."""
    calls, name = reading.calls, item.instrument
    most = np.full(len(calls), float(item.max_amount))
    for rule, mask in reading.said("ceiling", name):
        most[mask] = np.minimum(most, reading.amount(rule))[mask]
    if item.cost_model in BY_MONTH:
        most = np.minimum(most, np.maximum(calls.monthly_bill, 0) * longest_term(item))
    if name == "fee_waiver":
        most = np.minimum(most, np.maximum(calls.fee, 0))
    if item.draws_budget:
        most = np.minimum(most, _cap_left(reading, name))
    for rule, mask in reading.said("redemptions", name):
        had = reading.given_within(rule.window_days or 0, name)
        most[mask & (had >= reading.amount(rule))] = 0.0
    wait = _highest(reading, "cooldown", item)
    most[reading.last(name) < wait] = 0.0
    for _, mask in reading.said("forbid", name):
        most[mask] = 0.0
    return most


def _cap_left(reading: Reading, name: str) -> Array:
    """What is left of the smallest cap over the time it counts."""
    cap, window = np.full(len(reading.calls), np.inf), np.zeros(len(reading.calls))
    for rule, mask in reading.said("rolling_cap", name):
        amount = reading.amount(rule)
        less = mask & (amount < cap)
        cap[less], window[less] = amount[less], rule.window_days or 0
    left = np.full(len(cap), np.inf)
    for days in np.unique(window[np.isfinite(cap)]):
        here = (window == days) & np.isfinite(cap)
        left[here] = np.maximum(cap - reading.money_within(days), 0.0)[here]
    return left


def _highest(reading: Reading, effect: str, item: Instrument) -> Array:
    found = np.zeros(len(reading.calls))
    for rule, mask in reading.said(effect, item.instrument):
        found[mask] = np.maximum(found, reading.amount(rule))[mask]
    return found


def _needed(reading: Reading, item: Instrument) -> Array:
    """The rank of the role policy wants for it; −1 where it wants none."""
    need = np.full(len(reading.calls), -1.0)
    for rule, mask in reading.said("needs_role", item.instrument):
        need[mask] = np.maximum(need, _reach_needed(rule))[mask]
    return need


def _reach(role: str) -> int:
    return ROLES.index(role) if role in ROLES else -1


def _reach_needed(rule: Rule) -> int:
    return _reach(rule.role or "")


def _authority(reading: Reading, item: Instrument, role: str) -> tuple[Array, Flags]:
    """(n,) what a role may give alone at once, and where it has no authority at all."""
    policy, reasons = reading.policy, reading.calls.words["contact_reason"]
    most, stops = np.zeros(len(reasons)), np.zeros(len(reasons), bool)
    for reason, mask in _by_reason(policy, item, role, reading.calls):
        line = authority_for(policy, role, item.instrument, reason)
        most[mask] = 0 if line is None else min(line.per_grant, line.per_window)
        stops[mask] = line is None
    return most, stops


def _by_reason(policy: Policy, item: Instrument, role: str, calls: Calls) -> list[tuple[str | None, Flags]]:
    """The reasons that have a line of their own, and all others, with their calls."""
    reasons = calls.words["contact_reason"]
    own = {a.contact_reason for a in policy.authority if (a.role, a.instrument) == (role, item.instrument)} - {None}
    named = [(reason, np.asarray(reasons == reason, bool)) for reason in sorted(map(str, own))]
    others = ~np.logical_or.reduce([mask for _, mask in named]) if named else np.ones(len(reasons), bool)
    return [(None, others), *named]


def _default(reading: Reading, item: Instrument, floor: Array) -> Array:
    """Policy's default as it can be offered: `terms.default_amount`; 0 where policy names none."""
    bill, named = reading.calls.monthly_bill, np.full(len(reading.calls), np.inf)
    has = np.zeros(len(named), bool)
    for rule, mask in reading.said("default_offer", item.instrument):
        named[mask] = np.minimum(named, reading.amount(rule))[mask]
        has |= mask
    amount = np.where(np.isfinite(named), named, 0.0)
    if item.cost_model == "free_months":
        months = np.where(bill > 0, amount // np.maximum(bill, 1), 0)
        return np.where(has, np.minimum(months, item.max_months or 1) * bill, 0.0)
    unit = unit_of(item.step_amount, item.max_amount)
    wanted = np.maximum(amount, floor)
    whole = np.maximum(wanted - wanted % unit, floor)
    return np.where(has, np.where(whole > 0, whole, wanted), 0.0)
