"""A policy as a handbook to read and to print: rules as sentences by instrument, authority, money, worked examples.

Markdown, in the language spoken here; policy's own sentences stay as its owners wrote them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from churn.core.document import letters, table
from churn.core.language import mark, t, tc
from churn.core.money import show
from churn.core.offers.bounds import bounds
from churn.core.policies.policy import ROLES, Authority, Instrument, Policy, Rule
from churn.core.policies.policy_cases import Verdict, call_of, came_out
from churn.core.policies.policy_diff import EFFECTS, about, value_of
from churn.core.words import spoken

GIVES_MONEY = ("once", "monthly", "free_months")

# Calls to show what the rules come to; money in major units, as in a policy's own cases.
EXAMPLES: tuple[tuple[str, Mapping[str, Any], tuple[Mapping[str, Any], ...]], ...] = (
    (
        mark("Six years with us, and it is our fault. A bill of 41 a month, worth 1,140 over three years."),
        {"tenure_months": 74, "monthly_bill": 41, "worth": 1140, "risk": 0.2, "fault": "ours", "fee": 20},
        (),
    ),
    (
        mark("The same, who had a credit of 20 a hundred days ago."),
        {"tenure_months": 74, "monthly_bill": 41, "worth": 1140, "risk": 0.2, "fault": "ours", "fee": 20},
        ({"instrument": "bill_credit", "amount": 20, "days_ago": 100},),
    ),
    (
        mark("Three months with us, nobody's fault. A bill of 30 a month, worth 300."),
        {"tenure_months": 3, "monthly_bill": 30, "worth": 300, "risk": 0.2, "fault": "none", "fee": 10},
        (),
    ),
    (
        mark("Four years with us, vulnerable, and it is our fault. A bill of 41 a month, worth 900."),
        {
            "tenure_months": 48, "monthly_bill": 41, "worth": 900, "risk": 0.2, "fault": "ours", "fee": 20,
            "is_vulnerable": True,
        },
        (),
    ),
    (
        mark("Four years with us, who asked us to make no offers. A bill of 41 a month, worth 900."),
        {"tenure_months": 48, "monthly_bill": 41, "worth": 900, "risk": 0.2, "is_do_not_offer": True},
        (),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """A team's money of the month for one instrument, minor units of `currency`."""

    team: str
    instrument: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Handbook:
    """What a handbook is made from; `people`: names by key."""

    policy: Policy
    company: str
    today: date
    drafted_by: str
    published_by: str
    published_on: date
    in_force_since: date
    people: Mapping[str, str]
    budgets: Sequence[Money] = ()
    cases: Sequence[Verdict] = ()


def as_markdown(book: Handbook) -> str:
    """The whole handbook."""
    parts = [
        "# " + t("Policy handbook: {company}", company=letters(book.company)),
        *_edition(book),
        "## " + tc("document", "For every call"),
        _rules(book, None),
        *(part for item in book.policy.instruments for part in _instrument(book, item)),
        *_authority(book.policy),
        *_budgets(book),
        *_examples(book),
        *_cases(book),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _edition(book: Handbook) -> list[str]:
    policy = book.policy
    return [
        t("**{title}**, version {version}, in force since {day}.", title=letters(policy.title), version=policy.version,
          day=book.in_force_since)
        + " "
        + t("Drafted by {one}, published by {other} on {day}.", one=_who(book, book.drafted_by),
            other=_who(book, book.published_by), day=book.published_on),
        t("Made on {day} from what the desk goes by. Amounts are in {currency}.", day=book.today,
          currency=policy.currency),
        t("Rules of one topic answer one question: of those that fit a call the narrowest answers. Of several topics "
          "that set a limit the lowest binds, and the agent is told which."),
    ]  # fmt: skip


def _who(book: Handbook, key: str) -> str:
    name = book.people.get(key)
    return f"{letters(name)} ({letters(key)})" if name else letters(key)


def _rules(book: Handbook, instrument: str | None) -> str:
    order = {effect: rank for rank, effect in enumerate(EFFECTS)}
    rules = [rule for rule in book.policy.rules if rule.instrument == instrument and _has_not_ended(rule, book.today)]
    rules.sort(key=lambda rule: order.get(rule.effect, len(order)))  # stable: the policy's own order within
    return "\n".join(_rule(rule, book.policy.currency) for rule in rules)


def _has_not_ended(rule: Rule, today: date) -> bool:
    return rule.ends_on is None or today < rule.ends_on


def _rule(rule: Rule, currency: str) -> str:
    """Its sentence and where it is written, then what is reckoned with."""
    where = f" ({letters(rule.reference)})" if rule.reference else ""
    limit = f"{about(rule, currency)}: {value_of(rule, currency)}"
    return f"- **{letters(rule.reason)}**{where} · {letters(limit)}"


def _instrument(book: Handbook, item: Instrument) -> Iterator[str]:
    yield f"## {letters(item.title)}"
    yield _terms(item, book.policy.currency)
    yield _rules(book, item.instrument) or t("No rule is about this alone.")


def _terms(item: Instrument, currency: str) -> str:
    said = [t("In the tables: {instrument}.", instrument=letters(spoken(item.instrument)))]
    if item.cost_model in GIVES_MONEY:
        said.append(t("Never more than {amount}, in steps of {step}.", amount=show(item.max_amount, currency),
                      step=show(item.step_amount, currency)))  # fmt: skip
    else:
        said.append(t("There is no money in it."))
    if item.max_months:
        said.append(t("At most {n} months.", n=item.max_months))
    if item.is_entitlement:
        said.append(t("It is owed: outside of budgets, caps and offers."))
    elif item.draws_budget:
        said.append(t("It is paid from the team's budget."))
    if item.handling_cost:
        said.append(t("Handling it costs {amount}.", amount=show(item.handling_cost, currency)))
    return " ".join(said)


def _authority(policy: Policy) -> Iterator[str]:
    yield "## " + t("Who may give what alone")
    for role in ROLES:
        lines = [line for line in policy.authority if line.role == role]
        if lines:
            yield "### " + spoken(role).capitalize()
            yield table(
                (tc("document", "what"), tc("document", "reason"), tc("document", "at once"), tc("document", "in all")),
                [_delegated(line, policy) for line in lines],
            )


def _delegated(line: Authority, policy: Policy) -> tuple[str, ...]:
    item = policy.instrument(line.instrument)
    title = item.title if item else spoken(line.instrument)
    reason = spoken(line.contact_reason) if line.contact_reason else tc("document", "any")
    if not line.per_window:
        return title, reason, tc("document", "no money in it"), tc("document", "no limit")
    in_all = t("{amount} a {window}", amount=show(line.per_window, policy.currency), window=spoken(line.time_window))
    return title, reason, show(line.per_grant, policy.currency), in_all


def _budgets(book: Handbook) -> Iterator[str]:
    yield "## " + t("This month's money")
    if not book.budgets:
        yield t("No team has money this month.")
        return
    rows = [(one.team, spoken(one.instrument), show(one.amount, one.currency)) for one in book.budgets]
    yield table((tc("document", "team"), tc("document", "what"), tc("document", "this month")), rows)


def _examples(book: Handbook) -> Iterator[str]:
    yield "## " + tc("document", "Worked examples")
    yield t("What an agent may give in such a call on {day}, reckoned as the desk reckons it; the team's money is "
            "taken to be whole.", day=book.today)  # fmt: skip
    for told, facts, given in EXAMPLES:
        yield f"### {t(told)}"
        yield "\n".join(_worked(book, facts, given))


def _worked(book: Handbook, facts: Mapping[str, Any], given: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    policy = book.policy
    case, spending = call_of(policy, facts, given, book.today)
    for item in policy.instruments:
        if item.cost_model in GIVES_MONEY and not item.is_entitlement:
            held = bounds(policy, case, item, role="agent", spending=spending)
            yield f"- {letters(item.title)}: {letters(came_out(held, policy.currency))}"


def _cases(book: Handbook) -> Iterator[str]:
    if book.cases:
        yield "## " + t("Cases kept with this version")
        yield "\n".join(
            f"- {t('As it must be') if one.is_green else t('NOT as it must be')}: "
            f"{letters(one.title)}. {letters(one.sentence)}"
            for one in book.cases
        )
