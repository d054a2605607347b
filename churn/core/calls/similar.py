"""Similar past callers: how near one call is to another, and what kept them, in a sentence that says how many.

Two calls are as far apart as their tenure, bill, risk and worth, each measured in standard deviations of past calls
(tenure and bill as logarithms, risk as log odds, worth as the inverse hyperbolic sine of hundreds), with two more for
another plan and for another segment, one for another fault and one for each figure that is not known: the root of the
sum of squares. Calls for the same reason go before all others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from churn.core.language import mark, t
from churn.core.money import exponent, show
from churn.core.offers.question import logit
from churn.core.words import spoken

ALIKE = mark(
    "Settled past calls most like this one in reason, plan, segment, tenure, bill, risk and worth. "
    "Measured: who was still a customer after {days} days. It tells what happened, not what the offer caused."
)
FEWEST = 3  # callers given the same, before the same is worth naming
OTHER_KIND = 2.0  # standard deviations that another plan or another segment counts
BAND = 10  # major units that count as the same money


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What makes two callers alike, as known when they called. Money in major units; None: not known."""

    contact_reason: str | None = None
    fault: str | None = None
    plan: str | None = None
    segment: str | None = None
    tenure_months: float | None = None
    monthly_bill: float | None = None
    risk: float | None = None
    worth: float | None = None  # given they stay

    @property
    def place(self) -> tuple[float | None, float | None, float | None, float | None]:
        """Tenure, bill, risk and worth on scales on which a step means about the same everywhere."""
        return (
            None if self.tenure_months is None else math.log1p(max(self.tenure_months, 0.0)),
            None if self.monthly_bill is None else math.log1p(max(self.monthly_bill, 0.0)),
            None if self.risk is None else logit(self.risk),
            None if self.worth is None else math.asinh(self.worth / 100),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCase:
    """One settled case near to a call. `amount` in minor units; `alike` is 1 for the same in everything, towards 0."""

    month: date
    contact_reason: str | None
    fault: str | None
    plan: str | None
    segment: str | None
    tenure_months: int | None
    monthly_bill: int | None  # major units, like worth
    risk: float | None
    worth: int | None
    instrument: str | None  # None: no money
    amount: int
    is_fixed: bool
    is_kept: bool
    distance: float

    @property
    def alike(self) -> float:
        """How much this case is like the call."""
        return 1 / (1 + self.distance)


@dataclass(frozen=True, slots=True)
class PastCaller:
    """One near case: what was given, as the agent said it (`fix`, `£20 credit`), and whether they stayed."""

    given: tuple[str, ...]
    stayed: bool


def context_of(case: Mapping[str, Any], currency: str) -> Context:
    """The context of a `policy.Case` as plain data, as a receipt holds it."""
    scale = 10 ** exponent(currency)
    return Context(
        contact_reason=case["contact_reason"],
        fault=case["fault"],
        plan=case["plan"],
        segment=case["segment"],
        tenure_months=case["tenure_months"],
        monthly_bill=case["monthly_bill"] / scale,
        risk=case["risk"],
        worth=None if case["worth"] is None else case["worth"] / scale,
    )


def given_in(case: PastCase, currency: str) -> tuple[str, ...]:
    """What was given in a past case, in words: `a fix`, `about £20 credit`; nothing: ()."""
    parts = [t("a fix")] if case.is_fixed else []
    if case.instrument is not None:
        unit = BAND * 10 ** exponent(currency)
        money = show(max(round(case.amount / unit), 1) * unit, currency)
        parts.append(
            t("about {money} credit", money=money)
            if case.instrument == "bill_credit"
            else t("about {money} {instrument}", money=money, instrument=spoken(case.instrument))
        )
    return tuple(parts)


def callers(cases: Iterable[PastCase], currency: str) -> list[PastCaller]:
    """Past cases as `what_kept` reads them."""
    return [PastCaller(given_in(case, currency), case.is_kept) for case in cases]


def what_kept(callers: Iterable[PastCaller]) -> str | None:
    """`9 of 12 similar callers stayed; with a fix and £20 credit 3 of 4.` None without any near case.

    What is named is what most of those given it stayed with, among what at least three were given; of equal shares the
    one that more were given. It tells what happened, not what it caused: agents give more to those in doubt.
    """
    cases = list(callers)
    if not cases:
        return None
    stayed = sum(case.stayed for case in cases)
    groups: dict[tuple[str, ...], list[bool]] = {}
    for case in cases:
        groups.setdefault(tuple(sorted(case.given)), []).append(case.stayed)
    ranked = sorted(
        ((sum(ends) / len(ends), len(ends), given) for given, ends in groups.items() if given and len(ends) >= FEWEST),
        key=lambda found: (-found[0], -found[1], found[2]),
    )
    if not ranked:
        return t("{stayed} of {n} similar callers stayed.", stayed=stayed, n=len(cases))
    share, many, given = ranked[0]
    return t(
        "{stayed} of {n} similar callers stayed; with {given} {kept} of {many}.",
        stayed=stayed,
        n=len(cases),
        given=given[0] if len(given) == 1 else t("{first} and {last}", first=given[0], last=given[1]),
        kept=round(share * many),
        many=many,
    )
