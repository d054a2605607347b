"""Policy versions as they are in the database: which there are, which is in force, and all of one.

A published version never changes, so its rows are read once and kept; which one is in force is asked each time.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import closing
from datetime import date, datetime
from threading import Lock
from typing import TypeVar

from churn.core.grants import Session, Version
from churn.core.leaving.outlook import Economics, economics_of
from churn.core.policies.policy import Authority, Instrument, Policy, Rule
from churn.db import Database, open_database
from churn.gateway import record, rows_of
from churn.settings import Settings

T = TypeVar("T")
MOST_KEPT = 16  # versions, of all databases of this process

# By the database's address and the version's own row: a database made anew has other instants in it.
_kept: OrderedDict[tuple[str, Version], Policy] = OrderedDict()
_lock = Lock()


def policy_versions(database: Database, who: Session | str) -> list[Version]:
    """Every version, drafts included, newest first."""
    return [record(Version, row) for row in rows_of(database, who, "policy", "versions", {})]


def policy_in_force(database: Database, who: Session | str, at: datetime | None = None) -> Policy | None:
    """The policy in force at an instant (None: now), with all its rows; None before the first."""
    rows = rows_of(database, who, "policy", "in_force", {"at": at})
    return _policy(database, who, record(Version, rows[0])) if rows else None


def economics_in_force(settings: Settings, today: date) -> Economics:
    """What a night reckons worth with: as the policy in force says, the usual where there is none."""
    return economics_of(policy_of_job(settings), today)


def policy_of_job(settings: Settings) -> Policy | None:
    """The policy in force now, for a job that asks the database nothing else by the pool; None before the first."""
    with closing(open_database(settings, size=1)) as database:
        return policy_in_force(database, "batch")


def policy_version(database: Database, who: Session | str, version: int) -> Policy | None:
    """One version with all its rows, draft or published."""
    rows = rows_of(database, who, "policy", "version", {"version": version})
    return _policy(database, who, record(Version, rows[0])) if rows else None


def _policy(database: Database, who: Session | str, version: Version) -> Policy:
    if version.published_at is None:
        return _read(database, who, version)
    key = (str(database.pool.conninfo), version)
    with _lock:
        found = _kept.get(key)
        if found is not None:
            _kept.move_to_end(key)
            return found
    policy = _read(database, who, version)  # two at once may read the same: no harm, and nobody waits
    with _lock:
        _kept[key] = policy
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return policy


def _read(database: Database, who: Session | str, version: Version) -> Policy:
    of = {"version": version.version}
    instruments = rows_of(database, who, "policy", "instruments", of)
    rules = rows_of(database, who, "policy", "rules", of)
    authority = rows_of(database, who, "policy", "authority", of)
    return Policy(
        title=version.title,
        currency=version.currency,
        instruments=tuple(record(Instrument, row) for row in instruments),
        rules=tuple(record(Rule, row) for row in rules),
        authority=tuple(record(Authority, row) for row in authority),
        version=version.version,
        effective_from=version.effective_from,
    )
