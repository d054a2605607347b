"""Policy versions as they are in the database: which there are, which is in force, and all of one."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from churn.core.grants import Session, Version
from churn.core.policy import Authority, Instrument, Policy, Rule
from churn.db import Database
from churn.gateway import record, rows_of

T = TypeVar("T")


def policy_versions(database: Database, who: Session | str) -> list[Version]:
    """Every version, drafts included, newest first."""
    return [record(Version, row) for row in rows_of(database, who, "policy", "versions", {})]


def policy_in_force(database: Database, who: Session | str, at: datetime | None = None) -> Policy | None:
    """The policy in force at an instant (None: now), with all its rows; None before the first."""
    rows = rows_of(database, who, "policy", "in_force", {"at": at})
    return _policy(database, who, record(Version, rows[0])) if rows else None


def policy_version(database: Database, who: Session | str, version: int) -> Policy | None:
    """One version with all its rows, draft or published."""
    rows = rows_of(database, who, "policy", "version", {"version": version})
    return _policy(database, who, record(Version, rows[0])) if rows else None


def _policy(database: Database, who: Session | str, version: Version) -> Policy:
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
