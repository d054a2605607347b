"""Cases the policy's owner writes: in such a call, this is what must come out; and whether it does.

    - case: Our fault, six years with us
      give: bill_credit
      when: {fault: ours, tenure_months: 74, monthly_bill: 41, worth: 1140}
      given: [{instrument: bill_credit, amount: 20, days_ago: 100}]
      expect: {ceiling: 120, alone: 35, needs supervisor: 60}

Amounts are in the currency's units as people write them. What is not said of a call is not known, flags are no, and
budgets are whole. `expect`: `ceiling` and `alone` are what may be given with and without a supervisor's yes, exactly;
`at most`, `at least` bound the ceiling; `forbidden` that nothing may be given; `needs supervisor` that this amount
(or, with `yes`, any) takes a yes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from churn.core import money
from churn.core.language import mark, t
from churn.core.money import show
from churn.core.offers.bounds import Bounds, bounds
from churn.core.offers.limits import Budget, Earlier, Spending
from churn.core.policies.policy import FLAGS, ROLES, WORDS, Case, Policy
from churn.core.words import named

MOST_CASES = 500
PLENTY = 10**12  # minor units of budget: money is no limit of a case
EXPECTATIONS = ("ceiling", "alone", "at most", "at least", "forbidden", "needs supervisor")
PARTS = ("case", "give", "when", "given", "role", "expect")
FACTS = ("day", "monthly_bill", "tenure_months", "worth", "risk", "fee", *WORDS, *FLAGS)


class CasesUnreadable(ValueError):
    """What was written is no list of cases; the sentence says where."""


@dataclass(frozen=True, slots=True)
class PolicyCase:
    """One case as written: its title, the instrument, the facts of the call, what came before, what must come out."""

    title: str
    instrument: str
    facts: Mapping[str, Any]
    expect: Mapping[str, Any]
    given: tuple[Mapping[str, Any], ...] = ()
    role: str = "agent"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one case came out as written, and what did."""

    title: str
    is_green: bool
    sentence: str


def read_cases(plain: Any) -> tuple[PolicyCase, ...]:
    """Cases from plain data (YAML). Raises CasesUnreadable at the first that cannot be read."""
    if plain is None:
        return ()
    if not isinstance(plain, list):
        raise CasesUnreadable(t("Cases are a list: each begins with “- case: …”."))
    if len(plain) > MOST_CASES:
        raise CasesUnreadable(t("{n} cases are more than {most}.", n=len(plain), most=MOST_CASES))
    found = tuple(_read(number, row) for number, row in enumerate(plain, start=1))
    titles = [case.title for case in found]
    twice = next((title for title in titles if titles.count(title) > 1), None)
    if twice is not None:
        raise CasesUnreadable(t("Two cases are called “{title}”.", title=twice))
    return found


def _read(number: int, row: Any) -> PolicyCase:
    def no(sentence: str) -> CasesUnreadable:
        return CasesUnreadable(t("Case {number}: {what}", number=number, what=sentence))

    if not isinstance(row, dict) or not isinstance(row.get("case"), str):
        raise no(t("it begins with “case:” and a title."))
    facts, given, expect = row.get("when") or {}, row.get("given") or [], row.get("expect")
    if not isinstance(row.get("give"), str):
        raise no(t("“give:” names the instrument."))
    if not isinstance(facts, dict) or not isinstance(expect, dict) or not expect:
        raise no(t("“when:” holds the facts and “expect:” at least one expectation."))
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise no(t("“given:” is a list of what came before."))
    for names, known, sentence in (
        (row, PARTS, mark("there is no part “{name}”; there are {names}.")),
        (facts, FACTS, mark("there is no fact “{name}”; there are {names}.")),
        (expect, EXPECTATIONS, mark("there is no expectation “{name}”; there are {names}.")),
    ):
        strange = next((name for name in names if name not in known), None)
        if strange is not None:
            raise no(t(sentence, name=strange, names=", ".join(known)))
    role = row.get("role", "agent")
    if role not in ROLES:
        raise no(t("“{word}” is none of {words}.", word=role, words=", ".join(ROLES)))
    return PolicyCase(row["case"].strip(), row["give"], facts, expect, tuple(given), role)


def run_cases(policy: Policy, cases: tuple[PolicyCase, ...], on: date) -> list[Verdict]:
    """Each case against a policy as of a day, in order."""
    return [_judged(policy, case, on) for case in cases]


def _judged(policy: Policy, case: PolicyCase, on: date) -> Verdict:
    item = policy.instrument(case.instrument)
    if item is None:
        return Verdict(case.title, False, t("The policy knows no instrument “{name}”.", name=case.instrument))
    try:
        facts, spending = call_of(policy, case.facts, case.given, on)
        held = bounds(policy, facts, item, role=case.role, spending=spending)
        wrong = list(_wrong(held, case.expect, policy.currency))
    except (TypeError, ValueError, ArithmeticError) as error:
        return Verdict(case.title, False, t("It cannot be reckoned: {why}", why=error))
    if wrong:
        return Verdict(case.title, False, " ".join(wrong))
    return Verdict(case.title, True, came_out(held, policy.currency))


def call_of(
    policy: Policy, facts: Mapping[str, Any], given: tuple[Mapping[str, Any], ...], on: date
) -> tuple[Case, Spending]:
    """A case and what was spent, from facts as written, money in major units. Raises ValueError, with a sentence."""
    held: dict[str, Any] = {name: value for name, value in facts.items() if name != "fee"}
    for name in ("monthly_bill", "worth"):
        if name in held and held[name] is not None:
            held[name] = _minor(held[name], policy.currency)
    if held.get("risk") is not None and not 0 <= float(held["risk"]) <= 1:
        raise ValueError(t("risk is a chance from 0 to 1, not {value}.", value=held["risk"]))
    for name in FLAGS:
        if not isinstance(held.get(name, False), bool):
            raise ValueError(t("{name} is yes or no.", name=name))
    earlier = tuple(
        Earlier(str(item["instrument"]), _minor(item.get("amount", 0), policy.currency), float(item.get("days_ago", 0)))
        for item in given
        if "instrument" in item
    )
    goodwill = {item.instrument: item.draws_budget for item in policy.instruments}
    ages = tuple(item.days_ago for item in earlier if goodwill.get(item.instrument, True))
    day = held.pop("day", on)
    if not isinstance(day, date):
        raise ValueError(t("day is written like 2026-11-15."))
    known: dict[str, Any] = {"on": day, "monthly_bill": 0} | held | {"given_days_ago": ages}
    case = Case(**known)
    budgets = {item.instrument: Budget(PLENTY, PLENTY) for item in policy.instruments if item.draws_budget}
    return case, Spending(budgets=budgets, earlier=earlier, fee=_minor(facts.get("fee") or 0, policy.currency))


def _minor(amount: Any, currency: str) -> int:
    if isinstance(amount, bool) or not isinstance(amount, int | float | Decimal):
        raise ValueError(t("“{amount}” is no amount.", amount=amount))
    return money.to_minor(amount, currency)


def _wrong(held: Bounds, expect: Mapping[str, Any], currency: str) -> Iterator[str]:
    """A sentence for each expectation that is not met."""
    for name, wanted in expect.items():
        if name == "forbidden":
            if not isinstance(wanted, bool):
                raise ValueError(t("{name} is yes or no.", name=name))
            if held.is_open_above == wanted:
                expected = t("Expected to be forbidden.") if wanted else t("Expected not to be forbidden.")
                yield f"{expected} {came_out(held, currency)}"
        elif name == "needs supervisor":
            yield from _approval(held, wanted, currency)
        else:
            yield from _amount(held, name, _minor(wanted, currency), currency)


def _amount(held: Bounds, name: str, wanted: int, currency: str) -> Iterator[str]:
    found = held.agent_limit if name == "alone" else held.ceiling
    is_met = {"at most": found <= wanted, "at least": found >= wanted}.get(name, found == wanted)
    if not is_met:
        limit = held.binding_limit if name == "alone" else held.binding_ceiling
        yield t(
            "Expected {name} {wanted}, came out {found}: {reason}",
            name=named(name),
            wanted=show(wanted, currency),
            found=show(found, currency),
            reason=limit.reason,
        )


def _approval(held: Bounds, wanted: Any, currency: str) -> Iterator[str]:
    if isinstance(wanted, bool):
        needs = held.is_open_above and (not held.is_open or held.agent_limit < held.ceiling)
        if needs != wanted:
            expected = t("Expected to need a supervisor.") if wanted else t("Expected not to need a supervisor.")
            yield f"{expected} {came_out(held, currency)}"
        return
    amount = _minor(wanted, currency)
    if not held.agent_limit < amount <= held.ceiling and not (not held.is_open and amount <= held.ceiling):
        expected = t("Expected {amount} to need a supervisor.", amount=show(amount, currency))
        yield f"{expected} {came_out(held, currency)}"


def came_out(held: Bounds, currency: str) -> str:
    """What may be given, in one sentence."""
    if not held.is_open_above:
        return t("Forbidden: {reason}", reason=held.binding_ceiling.reason)
    alone, most = show(held.agent_limit, currency), show(held.ceiling, currency)
    if held.agent_limit == held.ceiling:
        return t("Up to {most}: {reason}", most=most, reason=held.binding_ceiling.reason)
    reason = held.binding_limit.reason
    return t("Up to {alone} alone, {most} with a supervisor: {reason}", alone=alone, most=most, reason=reason)
