"""The ladder: what may be said yes to for this caller, in the order to try it, and why not more.

What is owed comes first, then fix, right-size and pause, then money: one instrument with opening, target and ceiling,
what a supervisor could add, and one other way; doing nothing is listed with its worth. A ladder is made of a policy, a
`Question` and a `Curve` by arithmetic alone, so `replay` of its receipt gives exactly the same one.

    made = ladder(policy, question, respond_with(effect, effect.encode(context)))
    made.say_yes.sentence                        # You can say yes to £35 now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from churn.core.grants import OfferedRung
from churn.core.offers import limits
from churn.core.offers.bounds import Bounds
from churn.core.offers.choice import EVIDENCE, ORDER, Choice, Plan, Weighed, by_table, choose, default_only, price
from churn.core.offers.levers import entitlements, no_money, nothing, something_to_say
from churn.core.offers.plans import is_care, money_plans, values_of
from churn.core.offers.question import Ask, Curve, Question, Respond, from_plain, to_plain
from churn.core.offers.rung import OPENING, OTHER, Facts, Rung, money_rung, plain_rung, roles_of
from churn.core.offers.say_yes import SayYes, headline, plain_headline, with_economics
from churn.core.policies.arms import RungDraw, draw_rung
from churn.core.policies.policy import LEVERS, Instrument, Policy


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """What was recommended, with all it was made from. `shown` is the index of the rung to open with."""

    question: Question
    curve: Curve | None
    policy_version: int | None
    currency: str
    rungs: tuple[Rung, ...]
    bounds: tuple[Bounds, ...]
    say_yes: SayYes
    shown: int | None = None
    propensity: float = 1.0
    is_randomised: bool = False
    among: tuple[int, ...] = ()  # amounts the opening was drawn from
    is_negotiable: bool = True
    is_over: bool = False  # no more offers: only what is owed, and the way out

    @property
    def ask_gap(self) -> int | None:
        """The most that may be given, a supervisor's yes included, minus the ask; None: no amount was asked."""
        asked = self.question.ask.amount
        return None if asked is None else max(self.say_yes.amount, self.say_yes.lifts_to or 0) - asked

    def as_receipt(self) -> dict[str, Any]:
        """Inputs, bounds and rungs as values JSON can hold; `inputs` is what `replay` takes.

        Of the bounds, those that limit as things stand; the others follow from the inputs like these.
        """
        return {
            "inputs": to_plain(self.question, self.curve) | {"policy_version": self.policy_version},
            "bounds": {
                held.instrument.instrument: [limits.as_plain(one) for one in held.limits if one.amount is not None]
                for held in self.bounds
            },
            "rungs": [plain_rung(rung) for rung in self.rungs],
            "say_yes": plain_headline(self.say_yes),
            "shown": self.shown,
            "propensity": self.propensity,
            "is_randomised": self.is_randomised,
            "among": list(self.among),
            "is_negotiable": self.is_negotiable,
            "is_over": self.is_over,
        }


def ladder(policy: Policy, question: Question, respond: Respond | None = None) -> Ladder:
    """The ladder of one call. `respond` gives the caller's curve at the values asked; None: policy's table answers.

    Raises ValueError when the curve is not one (see `Curve.of`).
    """
    plans = money_plans(policy, question)
    has_numbers = respond is not None and question.worth is not None
    curve = respond(values_of(plans, policy.currency)) if respond is not None and has_numbers else None
    return _assemble(policy, question, curve, plans)


def replay(policy: Policy, inputs: Mapping[str, Any]) -> Ladder:
    """The ladder of a receipt's `inputs`, exactly. Raises ValueError when they are of another policy version."""
    if inputs["policy_version"] != policy.version:
        raise ValueError(f"The receipt is of policy {inputs['policy_version']}, not of {policy.version}.")
    question, curve = from_plain(inputs)
    return _assemble(policy, question, curve, money_plans(policy, question))


def retold(policy: Policy, made: Ladder) -> Ladder:
    """The same ladder, its sentences in the language spoken here."""
    return _assemble(policy, made.question, made.curve, money_plans(policy, made.question))


def offered(made: Ladder) -> tuple[OfferedRung, ...]:
    """The rungs that can be given, as a decision stores them; `rung` is the index in the ladder."""
    return tuple(_offered(made, i, rung) for i, rung in enumerate(made.rungs) if rung.is_grant)


def _offered(made: Ladder, index: int, rung: Rung) -> OfferedRung:
    held = next(b for b in made.bounds if b.instrument.instrument == rung.instrument)
    ruling = held.ruling
    times = limits.fewest_left(ruling, made.question.spending)
    return OfferedRung(
        rung=index,
        lever=rung.lever,
        instrument=rung.instrument,
        amount=rung.amount,
        ceiling=ruling.ceiling,
        months=rung.months,
        cooldown_days=(ruling.cooldown.amount or None) if ruling.cooldown else None,
        redemptions=times[0] if times else None,
        redemption_days=times[1] if times else None,
        cost=None if rung.cost is None else float(rung.cost),
        p_stay=rung.p_after,
        gain=None if rung.gain is None else float(rung.gain),
        propensity=made.propensity if index == made.shown else None,
        needs_approval=any(limit.kind == "needs_role" for limit in held.own),
    )


def _assemble(policy: Policy, question: Question, curve: Curve | None, plans: list[Plan]) -> Ladder:
    worth = question.worth
    facts = Facts(policy, question, None if worth is None else curve, plans)
    is_negotiable = not is_care(question.case)
    made = Ladder(
        question=question,
        curve=facts.curve,
        policy_version=policy.version,
        currency=policy.currency,
        rungs=(),
        bounds=(),
        say_yes=SayYes(),
        is_negotiable=is_negotiable,
        is_over=any(limit.kind == "counter_offers" and limit.stops for plan in plans for limit in plan.bounds.shared),
    )
    owed, owed_bounds = entitlements(facts)
    helps, help_bounds = ([], []) if made.is_over else no_money(facts)
    weighed = sorted(
        _weigh(facts, plans, is_negotiable=is_negotiable),
        key=lambda held: _rank(held, question.ask if is_negotiable else Ask()),
    )
    main, draw = _draw(question, weighed[0]) if weighed else (None, None)
    money = [] if main is None or made.is_over else _money(facts, [main, *weighed[1:]], made)
    rungs = [*owed, *helps, *money]
    rungs += [*something_to_say(facts, rungs, is_over=made.is_over), nothing(facts)]
    return replace(
        made,
        rungs=tuple(rungs),
        bounds=(*owed_bounds, *help_bounds, *(held.plan.bounds for held in weighed)),
        say_yes=headline(facts, rungs, main, is_over=made.is_over),
        shown=next((i for i, rung in enumerate(rungs) if OPENING in rung.roles), None),
        propensity=draw.propensity if draw else 1.0,
        is_randomised=draw.randomised if draw else False,
        among=_drawn_from(main, draw),
    )


def _weigh(facts: Facts, plans: list[Plan], *, is_negotiable: bool) -> list[Weighed]:
    """Each instrument with what is chosen of it, and its economic ceiling among its limits."""
    question, currency = facts.question, facts.policy.currency
    asked = question.ask.amount or None  # who asks for no money is offered what anyone is
    if facts.curve is None or question.worth is None:
        choices = [by_table(plan, asked) if is_negotiable else default_only(plan) for plan in plans]
        return [Weighed(with_economics(p, c, currency), c, None) for p, c in zip(plans, choices, strict=True)]
    prices = [question.price_of_budget.get(plan.bounds.instrument.instrument, 0.0) for plan in plans]
    found = []
    for plan, priced in zip(plans, price(plans, facts.curve, question.worth, prices, facts.scale), strict=True):
        choice = choose(plan, priced, asked) if is_negotiable else default_only(plan)
        found.append(Weighed(with_economics(plan, choice, currency), choice, priced))
    return found


def _rank(held: Weighed, ask: Ask) -> tuple[bool, bool, bool, int, float]:
    """What was asked for first, then what may be given alone, then by how much is known and what it gains.

    Of equal ones, and of those of which nothing is known, the first in the ladder's order.
    """
    choice = held.choice
    if not _has_rungs(choice):
        return (True, True, True, 0, 0.0)
    is_asked = _answers(held.plan.bounds.instrument, ask)
    known = ORDER.index(choice.basis), -choice.score if choice.basis == EVIDENCE else 0.0
    return (not is_asked, not choice.ceiling, False, *known)


def _answers(item: Instrument, ask: Ask) -> bool:
    """Whether an instrument is what was asked for: by name, so much at once, or so much over some months."""
    if ask.in_kind is not None and ask.in_kind in {item.instrument, item.lever}:
        return True
    return bool(ask.amount) and item.cost_model == ("monthly" if ask.months else "once")


def _draw(question: Question, held: Weighed) -> tuple[Weighed, RungDraw | None]:
    """The opening drawn among near-equal ones for the trial's share of callers; the smallest for all others."""
    trial, choice = question.trial, held.choice
    if trial is None or len(choice.near) < 2:
        return held, None
    # Alike in value, so that outside the trial's share the smallest is shown.
    drawn = draw_rung(trial.name, trial.key, [0.0] * len(choice.near), tolerance=0.0, share=trial.share)
    opening = choice.near[drawn.rung]
    chosen = replace(choice, opening=opening, target=max(choice.target, opening))
    return replace(held, choice=chosen), drawn


def _drawn_from(main: Weighed | None, draw: RungDraw | None) -> tuple[int, ...]:
    if main is None or draw is None:
        return ()
    return tuple(int(main.plan.terms.amounts[main.choice.near[i]]) for i in draw.among)


def _money(facts: Facts, weighed: list[Weighed], made: Ladder) -> list[Rung]:
    """The rungs of the instrument that goes first, and one of the other lever."""
    main = weighed[0]
    rungs = _rungs_of(facts, main, roles_of(main.choice))
    lever = main.plan.bounds.instrument.lever
    others = [
        held
        for held in weighed[1:]
        if held.plan.bounds.instrument.lever != lever
        and held.choice.target
        and held.choice.basis in {EVIDENCE, main.choice.basis}
    ]
    if made.is_negotiable and others:
        other = others[0]
        rungs += _rungs_of(facts, other, {other.choice.target: (OTHER,)})
    return sorted(rungs, key=lambda rung: LEVERS.index(rung.lever))


def _has_rungs(choice: Choice) -> bool:
    return bool(choice.ceiling or choice.approval)


def _rungs_of(facts: Facts, held: Weighed, roles: Mapping[int, tuple[str, ...]]) -> list[Rung]:
    return [money_rung(facts, held, i, roles[i]) for i in sorted(roles) if i]
