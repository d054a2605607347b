"""Worth keeping, but policy forbids: where a receipt shows that more than anybody may give would have paid.

Read off the receipt of a decision: the limit that bound its headline, the caller's curve and worth. Of the caller's net
worth p(v) · (worth − v) the best amount v is compared with what policy allowed; where the curve ends before its best,
the best is at least its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from churn.core.money import exponent, to_minor

# Limits policy sets whoever asks; what a budget, a bill or a person's own authority leaves is another matter.
KINDS = frozenset(
    {"forbid", "policy_ceiling", "outer_wall", "rolling_cap", "redemptions", "cooldown", "counter_offers"}
)


@dataclass(frozen=True, slots=True)
class Cut:
    """What policy cut off one caller. Money in minor units; `best` is a least amount where `is_at_least`."""

    limit_kind: str
    reason: str
    instrument: str
    allowed: int
    best: int
    is_at_least: bool
    worth: int


def cut_of(receipt: Mapping[str, Any], currency: str) -> Cut | None:
    """What policy cut; None where another limit bound, nothing was modelled, or more would not have paid."""
    inputs = receipt.get("inputs") or {}
    curve, worth = inputs.get("curve"), inputs.get("worth")
    limit = (receipt.get("say_yes") or {}).get("limit")
    if curve is None or worth is None or limit is None or limit.get("kind") not in KINDS:
        return None
    instrument = _bound_by(receipt, limit)
    if instrument is None:
        return None
    best, is_at_least = _best(curve, worth["amount"] / 10 ** exponent(currency))
    allowed, best_minor = int(limit.get("amount") or 0), to_minor(best, currency)
    if best_minor <= allowed and not (is_at_least and best_minor == allowed and allowed > 0):
        return None
    return Cut(
        limit["kind"], str(limit.get("reason", "")), instrument, allowed, best_minor, is_at_least, int(worth["amount"])
    )


def _bound_by(receipt: Mapping[str, Any], limit: Mapping[str, Any]) -> str | None:
    """The instrument whose limits hold this one."""
    for instrument, limits in (receipt.get("bounds") or {}).items():
        if any(one.get("kind") == limit["kind"] and one.get("amount") == limit.get("amount") for one in limits):
            return str(instrument)
    return None


def _best(curve: Mapping[str, Any], worth: float) -> tuple[float, bool]:
    """The amount with the highest net worth, major units, and whether the curve still rises where it ends."""
    values, p = np.asarray(curve["values"], float), np.asarray(curve["p"], float)
    net = p * (worth - values)
    top = int(np.argmax(net))
    return float(values[top]), top == len(values) - 1 and top > 0
