"""A model's card as markdown: what it is for, what it was made of, how it was judged, where it must not be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from churn.core.features import PROTECTED
from churn.core.language import current, mark, number, t, tc, tn
from churn.core.text import visible
from churn.core.trust import held_out
from churn.core.trust.drift import MOVED
from churn.core.trust.model_words import PURPOSE, model_name, status_in_words
from churn.core.trust.trial import Arm

USE = {
    "risk": mark(
        "Prices what keeping a caller is worth and orders callbacks. A person decides; it refuses nobody anything."
    ),
    "survival": mark(
        "Prices what a caller is worth. Beyond the longest tenure seen a curve is an assumption, and said so."
    ),
    "why": mark("Shows at most three likely reasons on the card. It never closes off another."),
    "effect": mark("Orders amounts within policy. Where its interval covers nothing, policy's table decides."),
    "escalation": mark("Puts open contacts before a supervisor. It changes nothing the customer is given."),
}
NAMES = {
    "rows": mark("customers judged on"),
    "left": mark("of these left"),
    "rate": mark("rate"),
    "auc": mark("AUC"),
    "log_loss": mark("log loss"),
    "log_loss_of_the_rate": mark("log loss of the usual rate"),
    "brier": mark("Brier score"),
    "lift_top_decile": mark("lift of the top tenth"),
    "calibration_error": mark("mean calibration error"),
    "data_ends_at_months": mark("data end at months of tenure"),
    "first_is_right": mark("first guess is right"),
    "usual_is_right": mark("the commonest is right"),
    "calls": mark("calls"),
    "offers": mark("with an offer"),
    "randomised": mark("drawn by lot"),
    "stayed": mark("stayed"),
    "typical_amount": mark("typical amount"),
    "naive_difference": mark("difference as it stands"),
    "adjusted_difference": mark("difference, all else alike"),
    "rebased_to": mark("re-based to a rate of"),
}

# What the rows and those who left are called, where they are not customers judged on.
COUNTED = {
    "survival": {"rows": mark("customers learned from")},
    "why": {"rows": mark("contacts judged on")},
    "escalation": {"rows": mark("open contacts judged on"), "left": mark("of these handed upwards")},
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
    horizon = f" ({tn(card.horizon_days, '{n} day', '{n} days')})" if card.horizon_days else ""
    title = t("Model card: {kind}, version {version}", kind=model_name(card.kind), version=card.model_version)
    parts = [
        f"# {title}",
        t("Says {what}.", what=f"{t(PURPOSE[card.kind])}{horizon}") + " " + t(USE[card.kind]),
        _made(card),
        "## " + t("Who is in it"),
        *held_out.who_is_in_it(card.kind, card.metrics),
        "## " + tc("document", "Judged"),
        *_judged(card),
        *_in_detail(card),
        "## " + t("Columns it reads"),
        ", ".join(map(_code, card.columns)) or t("Not kept for this version."),
        "## " + t("Never read"),
        t("A column whose name holds one of these words says who somebody is, and no model is given it: {words}. "
          "Names, numbers, e-mail addresses and notes are read by no model.", words=", ".join(sorted(PROTECTED))),
        "## " + t("Limits"),
        "\n".join(_limits(card)),
        "## " + t("Last looked at"),
        held_out.looked_at(card.made_at.date(), card.measured_on, len(card.moved)),
        "## " + tc("document", "Versions"),
        *(f"- {visible(line, 300)}" for line in card.versions),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _made(card: Card) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(card.libraries.items()))
    made = t(
        "Status: {status}. Made {day} by {who} from data up to {until}, with {libraries}.",
        status=status_in_words(card.status), day=card.made_at.date(), who=_code(card.made_by),
        until=card.data_as_of.date(), libraries=libraries,
    )  # fmt: skip
    if card.promoted is None:
        return f"{made} {t('Never put into use.')}"
    since, who = card.promoted
    return f"{made} " + t("In use since {day}, put there by {who}.", day=since.date(), who=_code(who))


def _judged(card: Card) -> list[str]:
    if card.refusal:
        return [t("There is no model: {why}", why=visible(card.refusal, 500))]
    names = NAMES | COUNTED.get(card.kind, {})
    lines = [
        f"- {t(said)}: {_written(value, ',' if isinstance(value, int) else ',.4g')}"
        for name, said in names.items()
        if isinstance(value := card.metrics.get(name), int | float)
    ]
    held = card.metrics.get("held_out") or {}
    if "auc" in held:
        low, high = (_written(held["auc"][end], ".3f") for end in ("low", "high"))
        lines.append("- " + t("AUC, 95 %: {low} to {high}", low=low, high=high))
    lines += _calibrated(held.get("calibration") or {})
    if card.kind == "risk" and "empc" in held:
        lines.append("- " + t("EMPC {n} a customer, with the paper's values (200, 10, 1; Beta(6, 14))",
                              n=_written(held["empc"], ".4f")))  # fmt: skip
    how = card.metrics.get("judged_on")
    seen = t("On {what}, which it had not seen.", what=t(how)) if how else t("As the training found it.")
    return [seen, "\n".join(lines)]


def _calibrated(of: Mapping[str, float | None]) -> list[str]:
    if of.get("slope") is None:
        return []
    slope, shift = (
        {"n": _written(of[name], form), "low": _written(of[f"{name}_low"], form),
         "high": _written(of[f"{name}_high"], form)}
        for name, form in (("slope", ".2f"), ("intercept", "+.2f"))
    )  # fmt: skip
    return [
        "- " + t("calibration slope {n} ({low} to {high}), 1 is right", **slope),
        "- " + t("calibration-in-the-large {n} ({low} to {high}) on the logit, 0 is right", **shift),
    ]


def _in_detail(card: Card) -> list[str]:
    if card.refusal:
        return []
    if card.kind == "effect":
        return ["## " + tc("document", "Measured on the trial"), *held_out.arms(card.arms, card.trial_days)]
    if card.kind == "survival":
        return ["## " + t("Landmarks"), *held_out.landmarks(card.metrics)]
    groups = [] if card.kind == "why" else ["## " + tc("document", "By group"), *held_out.by_group(card.metrics)]
    return ["## " + tc("document", "Calibration"), *held_out.calibration(card.metrics), *groups]


def _limits(card: Card) -> Iterator[str]:
    yield "- " + t("Learned from one company's past: it does not know what never happened there.")
    yield "- " + t("A difference under one standard error is no win.")
    drifted = ", ".join(f"{_code(name)} ({_written(psi, '.2f')})" for name, psi in card.moved)
    if drifted:
        yield "- " + t(
            "Columns that have moved since training (PSI of {moved} or more): {columns}.",
            moved=number(MOVED, 1),
            columns=drifted,
        )
    if card.kind == "survival":
        yield "- " + t("Customers seen at long tenures are few; past the end of the data the hazard stays what it was.")
    if card.kind == "effect":
        yield "- " + t("Logged gifts mislead; what agents meant is explained away by a model that may be wrong.")
    if card.metrics.get("rebased_to") is not None:
        yield "- " + t("The data hold another share of leavers than the field; chances were moved to the field's rate.")


def _written(value: float | None, form: str) -> str:
    return current().write(format(value or 0.0, form))


def _code(text: str) -> str:
    return "`" + visible(text, 200).replace("`", "'").replace("\n", " ") + "`"
