"""A model's card as markdown: what it is for, what it was made of, how it was judged, where it must not be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from churn.core import held_out
from churn.core.features import PROTECTED
from churn.core.text import visible
from churn.core.trial import Arm

PURPOSE = {
    "risk": "the chance that a customer leaves by choice within the horizon",
    "survival": "how long a customer who is still here stays, month by month",
    "why": "why a caller probably gets in touch, before they say it",
    "effect": "what a concession changes in the chance of staying",
    "escalation": "the chance that an open contact is handed upwards",
}
USE = {
    "risk": "Prices what keeping a caller is worth and orders callbacks. A person decides; it refuses nobody anything.",
    "survival": "Prices what a caller is worth. Beyond the longest tenure seen a curve is an assumption, and said so.",
    "why": "Shows at most three likely reasons on the card. It never closes off another.",
    "effect": "Orders amounts within policy. Where its interval covers nothing, policy's table decides.",
    "escalation": "Puts open contacts before a supervisor. It changes nothing the customer is given.",
}
NAMES = {
    "rows": "customers judged on", "left": "of these left", "rate": "rate", "auc": "AUC", "log_loss": "log loss",
    "log_loss_of_the_rate": "log loss of the usual rate", "brier": "Brier score",
    "lift_top_decile": "lift of the top tenth",
    "calibration_error": "mean calibration error", "data_ends_at_months": "data end at months of tenure",
    "first_is_right": "first guess is right", "usual_is_right": "the commonest is right", "calls": "calls",
    "offers": "with an offer", "randomised": "drawn by lot", "stayed": "stayed", "typical_amount": "typical amount",
    "naive_difference": "difference as it stands", "adjusted_difference": "difference, all else alike",
    "rebased_to": "re-based to a rate of",
}  # fmt: skip

# What the rows and those who left are called, where they are not customers judged on.
COUNTED = {
    "survival": {"rows": "customers learned from"},
    "why": {"rows": "contacts judged on"},
    "escalation": {"rows": "open contacts judged on", "left": "of these handed upwards"},
}


@dataclass(frozen=True, slots=True)
class Card:
    """What a card is made from; instants in UTC."""

    kind: str
    model_version: int
    status: str
    made_at: datetime
    made_by: str
    data_as_of: datetime
    horizon_days: int | None
    promoted: tuple[datetime, str] | None
    metrics: Mapping[str, Any]
    libraries: Mapping[str, str]
    columns: Sequence[str]
    moved: Sequence[tuple[str, float]]
    versions: Sequence[str]
    refusal: str | None = None
    arms: Sequence[Arm] = ()  # of the trial, for `effect`
    trial_days: int = 0  # after a call, when it settled
    measured_on: date | None = None  # held against that day's customers, the last time


def as_markdown(card: Card) -> str:
    """The card. Names from data are written as code, letter for letter."""
    horizon = f" ({card.horizon_days} days)" if card.horizon_days else ""
    parts = [
        f"# Model card: {card.kind}, version {card.model_version}",
        f"Says {PURPOSE[card.kind]}{horizon}. {USE[card.kind]}",
        _made(card),
        "## Who is in it",
        *held_out.who_is_in_it(card.kind, card.metrics),
        "## Judged",
        *_judged(card),
        *_in_detail(card),
        "## Columns it reads",
        ", ".join(map(_code, card.columns)) or "Not kept for this version.",
        "## Never read",
        "A column whose name holds one of these words says who somebody is, and no model is given it: "
        + ", ".join(sorted(PROTECTED)) + ". Names, numbers, e-mail addresses and notes are read by no model.",
        "## Limits",
        *_limits(card),
        "## Last looked at",
        held_out.looked_at(card.made_at.date(), card.measured_on, len(card.moved)),
        "## Versions",
        *(f"- {visible(line, 300)}" for line in card.versions),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _made(card: Card) -> str:
    used = (
        f"In use since {card.promoted[0]:%Y-%m-%d}, put there by {_code(card.promoted[1])}."
        if card.promoted
        else "Never put into use."
    )
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(card.libraries.items()))
    return (
        f"Status: {card.status}. Made {card.made_at:%Y-%m-%d} by {_code(card.made_by)} from data up to "
        f"{card.data_as_of:%Y-%m-%d}, with {libraries}. {used}"
    )


def _judged(card: Card) -> list[str]:
    if card.refusal:
        return [f"There is no model: {visible(card.refusal, 500)}"]
    how = card.metrics.get("judged_on")
    names = NAMES | COUNTED.get(card.kind, {})
    lines = [
        f"- {said}: {value:,}" if isinstance(value := card.metrics[name], int) else f"- {said}: {value:,.4g}"
        for name, said in names.items()
        if isinstance(card.metrics.get(name), int | float)
    ]
    held = card.metrics.get("held_out") or {}
    if "auc" in held:
        lines.append(f"- AUC, 95 %: {held['auc']['low']:.3f} to {held['auc']['high']:.3f}")
    slope = (held.get("calibration") or {}).get("slope")
    if slope is not None:
        of = held["calibration"]
        lines.append(f"- calibration slope {slope:.2f} ({of['slope_low']:.2f} to {of['slope_high']:.2f}), 1 is right")
        lines.append(
            f"- calibration-in-the-large {of['intercept']:+.2f} ({of['intercept_low']:+.2f} to "
            f"{of['intercept_high']:+.2f}) on the logit, 0 is right"
        )
    if card.kind == "risk" and "empc" in held:
        lines.append(f"- EMPC {held['empc']:.4f} a customer, with the paper's values (200, 10, 1; Beta(6, 14))")
    return [f"On {how}, which it had not seen." if how else "As the training found it.", "\n".join(lines)]


def _in_detail(card: Card) -> list[str]:
    if card.refusal:
        return []
    if card.kind == "effect":
        return ["## Measured on the trial", *held_out.arms(card.arms, card.trial_days)]
    if card.kind == "survival":
        return ["## Landmarks", *held_out.landmarks(card.metrics)]
    groups = [] if card.kind == "why" else ["## By group", *held_out.by_group(card.metrics)]
    return ["## Calibration", *held_out.calibration(card.metrics), *groups]


def _limits(card: Card) -> list[str]:
    lines = [
        "- Learned from one company's past: it does not know what never happened there.",
        "- A difference under one standard error is no win.",
    ]
    drifted = ", ".join(f"{_code(name)} ({psi:.2f})" for name, psi in card.moved)
    if drifted:
        lines.append(f"- Columns that have moved since training (PSI of 0.1 or more): {drifted}.")
    if card.kind == "survival":
        lines.append("- Customers seen at long tenures are few; past the end of the data the hazard stays what it was.")
    if card.kind == "effect":
        lines.append("- Logged gifts mislead; what agents meant is explained away by a model that may be wrong.")
    if card.metrics.get("rebased_to") is not None:
        lines.append("- The data hold another share of leavers than the field; chances were moved to the field's rate.")
    return ["\n".join(lines)]


def _code(text: str) -> str:
    return "`" + visible(text, 200).replace("`", "'").replace("\n", " ") + "`"
