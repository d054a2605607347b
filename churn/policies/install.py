"""Put the default policy in force and fill this month's budgets, as two people would."""

from __future__ import annotations

from dataclasses import replace

from churn import ledger
from churn.db import Database
from churn.gateway import rows_of
from churn.policies import default_budgets, default_policy
from churn.policies.stored import policy_in_force


def install_default(database: Database, *, first: str, second: str) -> int:
    """The version in force: the one there is, else the default, drafted by `first` and published by `second`.

    Both are staff of finance or leaders. Teams that have agents and no budget this month get one by seats. Running it
    again changes nothing.
    """
    one, other = (ledger.open_session(database, staff_id, hours=0.1) for staff_id in (first, second))
    seats = rows_of(database, "finance", "policy", "seats", {})
    policy = policy_in_force(database, "finance")
    if policy is None:
        draft = default_policy()
        if seats:
            draft = replace(draft, currency=seats[0]["currency"])
        version = ledger.draft_policy(database, one, draft)
        ledger.publish_policy(database, other, version, effective_from=None)
    else:
        version = policy.version or 0
    for seat in seats:
        known = {left.instrument for left in ledger.headroom(database, one, seat["team"])}
        for instrument, each in default_budgets().items():
            if instrument not in known:
                key = ledger.propose_budget(
                    database,
                    one,
                    team=seat["team"],
                    instrument=instrument,
                    month=seat["month"],
                    currency=seat["currency"],
                    amount=each * seat["agents"],
                    reason="default budget by seats",
                )
                ledger.confirm_budget(database, other, key)
    for session in (one, other):
        ledger.close_session(database, session)
    return version
