"""The headline: what the agent can say yes to now, which limit decides, and who could lift it to what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from churn.core.language import t
from churn.core.money import show
from churn.core.offers.bounds import with_limits
from churn.core.offers.choice import AGAINST, DEFAULT_ONLY, EVIDENCE, TABLE, Choice, Plan, Weighed
from churn.core.offers.limits import NOBODY, SUPERVISOR, TIME, Limit, as_plain
from churn.core.offers.rung import CEILING, OWED, Facts, Rung
from churn.core.words import day


@dataclass(frozen=True, slots=True)
class SayYes:
    """`amount` alone and now, `lifts_to` with a supervisor's yes (None: nobody lifts it), and the limit that binds."""

    sentence: str = ""
    amount: int = 0
    months: int | None = None
    instrument: str | None = None
    limit: Limit | None = None
    lifts_to: int | None = None


def with_economics(plan: Plan, choice: Choice, currency: str) -> Plan:
    """The plan with the economic ceiling (or "no bargaining") among its limits, alone and with a supervisor."""
    if choice.basis == TABLE:
        return plan
    amounts, held = plan.terms.amounts.tolist(), plan.bounds
    ceiling, most = amounts[choice.ceiling], amounts[max(choice.most_above, choice.ceiling)]
    kind = "no_bargaining" if choice.basis == DEFAULT_ONLY else "economic_ceiling"
    own = [a for a in amounts if a <= held.agent_limit]  # no offer among them
    alone, above = (
        Limit(kind, None, t("The most that the other limits leave is still worth giving."))
        if limit == largest and choice.basis == EVIDENCE
        else Limit(kind, limit, _why_no_more(choice, limit, currency), lifted_by=lifted_by)
        for limit, largest, lifted_by in (
            (ceiling, own[-1], SUPERVISOR if choice.most_above else NOBODY),
            (most, amounts[-1], NOBODY),
        )
    )
    return replace(plan, bounds=with_limits(held, own=(alone,), above=(above,)))


def _why_no_more(choice: Choice, limit: int, currency: str) -> str:
    if not limit and choice.basis == DEFAULT_ONLY:
        return t("With this caller nobody bargains, and policy's default is no money.")
    if not limit and choice.basis != AGAINST:
        return t("Nothing shows that money pays with this caller.")
    return {
        AGAINST: t("Policy's default would lose money with this caller, and nothing shows that more would pay."),
        EVIDENCE: t("More than {money} is not sure to be worth it with this caller.", money=show(limit, currency)),
        DEFAULT_ONLY: t(
            "With this caller nobody bargains: policy's default, {money}, and no more.", money=show(limit, currency)
        ),
    }.get(
        choice.basis,
        t("Nothing shows that more than {money} is worth it with this caller.", money=show(limit, currency)),
    )


def headline(facts: Facts, rungs: Sequence[Rung], main: Weighed | None, *, is_over: bool) -> SayYes:
    """What can be said yes to. `main` is the money instrument that goes first, with its economics."""
    if main is None:
        return SayYes(f"{_no_money(rungs)} {t('The policy knows no money to give.')}")
    plan, choice = main.plan, main.choice
    limit = plan.bounds.binding_limit
    own = next((r for r in rungs if CEILING in r.roles and r.instrument == plan.bounds.instrument.instrument), None)
    most = int(plan.terms.amounts[choice.most_above]) if not is_over else 0
    lifts_to = most if most > (own.amount if own else 0) else None
    yes = t("You can say yes to {money} now.", money=facts.show(own.amount)) if own else _no_money(rungs)
    sentence = f"{yes} {limit.reason}{_lift(facts, limit, lifts_to)}"
    if own is None:
        return SayYes(sentence, limit=limit, lifts_to=lifts_to)
    return SayYes(sentence, own.amount, own.months, own.instrument, limit, lifts_to)


def _no_money(rungs: Sequence[Rung]) -> str:
    owed = next((r for r in rungs if OWED in r.roles and r.is_grant and not r.needs_approval), None)
    first = next((r for r in rungs if not r.needs_approval and OWED not in r.roles), None)
    said = owed or first
    if said is None:
        return t("No money:")
    return t("You can say yes to this now: {title}. No other money:", title=said.title)


def _lift(facts: Facts, limit: Limit, lifts_to: int | None) -> str:
    if lifts_to is not None:
        return f" {t('{money} with a supervisor.', money=facts.show(lifts_to))}"
    if limit.lifted_by == TIME and limit.lifts_on is not None:
        return f" {t('More from {day}.', day=day(limit.lifts_on, facts.question.case.on))}"
    return ""


def plain_headline(said: SayYes) -> dict[str, Any]:
    """A headline as JSON holds it."""
    return {
        "sentence": said.sentence,
        "amount": said.amount,
        "months": said.months,
        "instrument": said.instrument,
        "limit": None if said.limit is None else as_plain(said.limit),
        "lifts_to": said.lifts_to,
    }
