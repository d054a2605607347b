"""The handbook of the policy in force, gathered from the database as whoever asks may read it."""

from __future__ import annotations

from churn import ledger, store
from churn.core.grants import Session
from churn.core.policies import handbook
from churn.core.policies.handbook import Handbook
from churn.db import Database
from churn.policies import policy_lab
from churn.policies.cases import cases_of, verdicts_of
from churn.policies.stored import policy_in_force, policy_versions


class NothingInForce(LookupError):
    """No policy is in force yet: a handbook has nothing to say. One person drafts a policy, another publishes it."""

    def __init__(self) -> None:
        super().__init__(" ".join((NothingInForce.__doc__ or "").split()))


def handbook_in_force(database: Database, who: Session | str) -> str:
    """The handbook as markdown, in the language spoken here. Raises NothingInForce."""
    return handbook.as_markdown(_gathered(database, who))


def _gathered(database: Database, who: Session | str) -> Handbook:
    policy = policy_in_force(database, who)
    if policy is None:
        raise NothingInForce
    edition = next(one for one in policy_versions(database, who) if one.version == policy.version)
    if edition.published_by is None or edition.published_at is None or edition.effective_from is None:
        raise NothingInForce
    with database.transaction(who) as connection:
        company, staff = store.company(connection), store.desk_staff(connection)
    today = store.local_day(ledger.clock(database, who), company.time_zone)
    month = today.replace(day=1)
    return Handbook(
        policy=policy,
        company=company.name,
        today=today,
        drafted_by=edition.drafted_by,
        published_by=edition.published_by,
        published_on=store.local_day(edition.published_at, company.time_zone),
        in_force_since=store.local_day(edition.effective_from, company.time_zone),
        people={person.staff_id: person.name for person in staff},
        budgets=tuple(
            handbook.Money(team=one.team, instrument=one.instrument, amount=one.amount_limit, currency=one.currency)
            for one in policy_lab.budgets(database, who, month)
            if one.month == month
        ),
        cases=tuple(verdicts_of(policy, cases_of(database, who, edition.version), today)),
    )
