"""What models, their states and what was measured of them are called; the codes themselves are kept and compared."""

from __future__ import annotations

from churn.core.language import current, mark, t, tc

PURPOSE = {
    "risk": mark("the chance that a customer leaves by choice within the horizon"),
    "survival": mark("how long a customer who is still here stays, month by month"),
    "why": mark("why a caller probably gets in touch, before they say it"),
    "effect": mark("what a concession changes in the chance of staying"),
    "escalation": mark("the chance that an open contact is handed upwards"),
}
KINDS = tuple(PURPOSE)  # in the order in which they are told
STATUS = {
    "current": mark("current"), "candidate": mark("candidate"), "retired": mark("retired"), "refused": mark("refused"),
}  # fmt: skip
GRADES = {"steady": mark("steady"), "moved": mark("moved"), "drifted": mark("drifted")}
JUDGED_ON = (mark("the newest quarter of a year"), mark("the newest horizon"), mark("a quarter of the customers"))
BINS = {"missing": mark("missing"), "any other": mark("any other"), "any number": mark("any number")}


def model_name(kind: str) -> str:
    """`risk`, `survival`, `why`, `effect`, `escalation`."""
    names = {
        "risk": tc("model", "risk"), "survival": tc("model", "survival"), "why": tc("model", "why"),
        "effect": tc("model", "effect"), "escalation": tc("model", "escalation"),
    }  # fmt: skip
    return names.get(kind, kind)


def status_in_words(status: str) -> str:
    """Where a version stands."""
    return t(STATUS.get(status, status))


def grade_in_words(grade: str) -> str:
    """How far a column has moved."""
    return t(GRADES.get(grade, grade))


def bin_in_words(name: str) -> str:
    """A bin of a column: a span of numbers, what is missing, or a word of the company's own."""
    if name in BINS:
        return t(BINS[name])
    parts = name.split(" ")
    if parts[:2] == ["up", "to"] and len(parts) == 3:
        return t("up to {high}", high=current().write(parts[2]))
    if parts[0] == "above" and len(parts) == 2:
        return t("above {low}", low=current().write(parts[1]))
    if parts[0] == "above" and parts[2:3] == ["to"] and len(parts) == 4:
        return t("above {low} to {high}", low=current().write(parts[1]), high=current().write(parts[3]))
    return name
