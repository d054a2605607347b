"""A caller to be shown around with: on the simulated company only, found when somebody asks for the tour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from churn import ledger
from churn.core.money import to_minor
from churn.core.offers.bounds import Bounds, bounds
from churn.core.offers.limits import Budget, Spending
from churn.core.policies.policy import Case, Instrument, Policy
from churn.core.words import whole_months
from churn.db import Database
from churn.gateway import record, rows_of
from churn.policies.stored import policy_in_force

INSTRUMENT = "bill_credit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unhappy:
    """A made-up customer whose last call was about a fault nobody put right. Money in major units."""

    customer_id: str
    name: str
    risk: float
    worth: float
    monthly_bill: Decimal
    joined_on: date
    called_at: datetime
    region: str | None
    segment: str | None
    plan: str
    today: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Whom the tour opens: what may be given alone and with a supervisor's yes, minor units of `currency`."""

    caller: Unhappy
    alone: int
    most: int
    currency: str


def find_guest(database: Database, team: str) -> Guest | None:
    """The likeliest to leave of the unhappy callers whom policy lets an agent of `team` give a credit.

    Read as the job's role, for an agent may look at nobody before their card is open; of a company that is not made up
    the query finds nobody. None: nobody is of that kind today, or there is no policy.
    """
    policy = policy_in_force(database, "batch")
    item = policy.instrument(INSTRUMENT) if policy else None
    if policy is None or item is None:
        return None
    left = ledger.headroom(database, "batch", team)
    budgets = {one.instrument: Budget(one.amount_limit, one.headroom, one.spent_today) for one in left}
    callers = [record(Unhappy, row) for row in rows_of(database, "batch", "tour", "unhappy", {})]
    for caller in callers:
        held = _may_be_given(policy, item, caller, budgets)
        if held.is_open and held.agent_limit > 0:
            return Guest(caller=caller, alone=held.agent_limit, most=held.ceiling, currency=policy.currency)
    return None


def _may_be_given(policy: Policy, item: Instrument, caller: Unhappy, budgets: dict[str, Budget]) -> Bounds:
    case = Case(
        on=caller.today,
        monthly_bill=to_minor(caller.monthly_bill, policy.currency),
        tenure_months=whole_months(caller.joined_on, caller.today),
        worth=to_minor(caller.worth, policy.currency),
        risk=caller.risk,
        plan=caller.plan,
        segment=caller.segment,
        contact_reason="fault",
        fault="ours",
        channel="call",
        region=caller.region,
    )
    return bounds(policy, case, item, role="agent", spending=Spending(budgets=budgets))
