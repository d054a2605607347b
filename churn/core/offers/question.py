"""What a ladder is made from: plain numbers and words, nothing that has to be read again. It travels as JSON.

A `Question` with a `Curve` and the policy of its version is all a replay needs. Money is whole minor units; only the
values a curve is asked at are major units, for those the effect model speaks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn.core.effects.effect import ConcessionEffect, Encoded
from churn.core.language import mark
from churn.core.offers.limits import Budget, Earlier, Spending
from churn.core.offers.owed import Parts
from churn.core.policies.policy import Case

MEASURED, MODELLED, NO_EVIDENCE = mark("measured"), mark("modelled"), mark("no evidence: policy default")
DIGITS = 6  # of values and chances: what is kept is what was reckoned with
DEAREST = 1e9  # a price of budget beyond any gain: nothing is left
DEFAULT_SHIFTS: Mapping[str, tuple[float, float, float]] = {
    "fix": (0.75, 0.0, 1.5),
    "right_size": (0.5, 0.0, 1.0),
    "pause": (0.4, 0.0, 0.8),
}
"""What a lever without money adds to the logit of staying, with its interval: assumed until it is learned.

From 71 % a fix of 0.75 leads to 84 %. Every interval begins at 0, so an assumed lever always says "no evidence".
"""


@dataclass(frozen=True, slots=True)
class Worth:
    """What they are worth given they stay now, minor units, with its interval."""

    amount: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Ask:
    """What the caller said would put it right, in money or in kind (an instrument or a lever); neither: skipped."""

    amount: int | None = None
    months: int | None = None
    in_kind: str | None = None

    @property
    def is_skipped(self) -> bool:
        """Whether nothing was asked for."""
        return self.amount is None and self.in_kind is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """A way to keep someone without money that fits this caller: `shift` in logits of staying, with its interval.

    `monthly_saving`: what a fitting plan takes off bill and margin each month; `months`: how long a pause.
    """

    instrument: str
    shift: float
    low: float
    high: float
    title: str | None = None  # None: the instrument's own
    evidence: str = MODELLED
    monthly_saving: int = 0
    months: int | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """Randomising among near-equal openings: for a `share` of `key`s (customers), by a stable hash."""

    key: str
    name: str = "opening"
    share: float = 0.1


@dataclass(frozen=True, slots=True)
class Curve:
    """Chance of staying of one caller at values given, and the interval of its rise over nothing given.

    All of one length: `values` rising from 0 in major units, `p`, `low` and `high` (of p − p at 0).
    """

    values: tuple[float, ...]
    p: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    evidence: str = MODELLED

    @classmethod
    def of(cls, values: Any, p: Any, low: Any, high: Any, evidence: str = MODELLED) -> Curve:
        """From arrays (m,). Raises ValueError unless they are of one length, finite, and the first value is 0."""
        parts = [np.asarray(part, float).ravel() for part in (values, p, low, high)]
        if len({len(part) for part in parts}) != 1 or not all(np.isfinite(part).all() for part in parts):
            raise ValueError("a curve needs finite values, chances and ends, as many of each")
        if len(parts[0]) == 0 or parts[0][0] != 0.0:
            raise ValueError("a curve begins with nothing given")
        at, chance, least, most = (tuple(part.round(DIGITS).tolist()) for part in parts)
        return cls(at, chance, least, most, evidence)


Respond = Callable[[NDArray[np.float64]], Curve | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All that is known of one call, the chances apart. `worth` None: no current model, so policy's table answers."""

    case: Case
    role: str
    spending: Spending
    worth: Worth | None = None
    staying: tuple[float, ...] = ()  # chance of being here in month m, given they stay now
    price_of_budget: Mapping[str, float] = field(default_factory=dict)  # λ by instrument; not there: 0
    ask: Ask = Ask()
    levers: tuple[Lever, ...] = ()  # those that fit the caller's problem
    owed: int = 0  # a refund they are entitled to, minor units
    owed_for: str | None = None  # what it is owed for, a sentence
    owed_parts: Parts = ()  # what makes that sentence; receipts kept before it was known have none
    trial: Trial | None = None  # None: nothing is randomised
    versions: Mapping[str, str | int] = field(default_factory=dict)  # of policy and models, for the record

    def __post_init__(self) -> None:
        # With nothing left λ is infinite, which neither arithmetic nor JSON can use.
        held = {name: min(max(price, 0.0), DEAREST) for name, price in self.price_of_budget.items()}
        object.__setattr__(self, "price_of_budget", held)


def lever(instrument: str, kind: str, **facts: Any) -> Lever:
    """A lever with the effect assumed for its kind (`fix`, `right_size`, `pause`) until one is learned."""
    shift, low, high = DEFAULT_SHIFTS[kind]
    return Lever(instrument=instrument, shift=shift, low=low, high=high, evidence=NO_EVIDENCE, **facts)


def respond_with(effect: ConcessionEffect, caller: Encoded, *, level: float = 0.9, evidence: str = MODELLED) -> Respond:
    """Answers of the effect model for one encoded caller."""

    def respond(values: NDArray[np.float64]) -> Curve:
        nothing = effect.curve(caller, values[:1])[0]
        gain, low, high = (part[0] for part in effect.gain_interval(caller, values, level))
        return Curve.of(values, nothing + gain, low, high, evidence)

    return respond


def from_level(respond: Respond, p_nothing: float) -> Respond:
    """The same answers for a caller whose chance of staying with nothing given is `p_nothing`: moved on the log odds.

    For calls of another kind than the effect was learned from: what money changes carries over, the level does not.
    """

    def moved(values: NDArray[np.float64]) -> Curve | None:
        curve = respond(values)
        if curve is None:
            return None
        start = curve.p[0]
        shift = logit(p_nothing) - logit(start)
        p, low, high = (
            [expit(logit(chance) + shift) for chance in chances]
            for chances in (curve.p, [start + rise for rise in curve.low], [start + rise for rise in curve.high])
        )
        return Curve.of(values, p, np.array(low) - p[0], np.array(high) - p[0], curve.evidence)

    return moved


# as JSON --------------------------------------------------------------------------------------------------------------


def to_plain(question: Question, curve: Curve | None) -> dict[str, Any]:
    """Question and curve as values JSON can hold, floats exact."""
    case = {name: getattr(question.case, name) for name in Case.__slots__}
    spending = question.spending
    return {
        "case": case | {"on": question.case.on.isoformat(), "given_days_ago": list(question.case.given_days_ago)},
        "role": question.role,
        "spending": {
            "budgets": {name: [b.amount_limit, b.left, b.spent_today] for name, b in spending.budgets.items()},
            "authority_used": dict(spending.authority_used),
            "earlier": [_plain_earlier(item) for item in spending.earlier],
            "counter_offers_made": spending.counter_offers_made,
            "fee": spending.fee,
        }
        | ({"supervisor_used": dict(spending.supervisor_used)} if spending.supervisor_used else {}),
        "worth": None if question.worth is None else asdict(question.worth),
        "staying": list(question.staying),
        "price_of_budget": dict(question.price_of_budget),
        "ask": asdict(question.ask),
        "levers": [asdict(item) for item in question.levers],
        "owed": question.owed,
        "owed_for": question.owed_for,
        "trial": None if question.trial is None else asdict(question.trial),
        "versions": dict(question.versions),
        **({"owed_parts": [list(part) for part in question.owed_parts]} if question.owed_parts else {}),
        "curve": None if curve is None else asdict(curve),
    }


def _plain_earlier(item: Earlier) -> list[Any]:
    # Receipts kept before it was known who gave have three values, and must stay what they are.
    return [item.instrument, item.amount, item.days_ago, *([True] if item.is_ours else [])]


def from_plain(held: Mapping[str, Any]) -> tuple[Question, Curve | None]:
    """What `to_plain` wrote, back again. Raises KeyError or TypeError when something is missing."""
    spending, curve = held["spending"], held["curve"]
    facts = dict(held["case"])
    question = Question(
        case=Case(**facts | {"on": date.fromisoformat(facts["on"]), "given_days_ago": tuple(facts["given_days_ago"])}),
        role=held["role"],
        spending=Spending(
            budgets={name: Budget(*numbers) for name, numbers in spending["budgets"].items()},
            authority_used=spending["authority_used"],
            supervisor_used=spending.get("supervisor_used", {}),
            earlier=tuple(Earlier(*item) for item in spending["earlier"]),
            counter_offers_made=spending["counter_offers_made"],
            fee=spending["fee"],
        ),
        worth=None if held["worth"] is None else Worth(**held["worth"]),
        staying=tuple(held["staying"]),
        price_of_budget=held["price_of_budget"],
        ask=Ask(**held["ask"]),
        levers=tuple(Lever(**item) for item in held["levers"]),
        owed=held["owed"],
        owed_for=held.get("owed_for"),
        owed_parts=tuple(tuple(part) for part in held.get("owed_parts", ())),
        trial=None if held["trial"] is None else Trial(**held["trial"]),
        versions=held["versions"],
    )
    if curve is None:
        return question, None
    at, chance, least, most = (tuple(curve[name]) for name in ("values", "p", "low", "high"))
    return question, Curve(at, chance, least, most, curve["evidence"])


def logit(p: float) -> float:
    """Log odds of a chance, kept away from certainty."""
    held = min(max(p, 1e-9), 1 - 1e-9)
    return math.log(held / (1 - held))


def expit(x: float) -> float:
    """The chance with these log odds."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
