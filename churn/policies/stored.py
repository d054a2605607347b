"""Policy versions as they are in the database: which there are, which is in force, and all of one."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from churn.core.grants import Version
from churn.core.policy import Authority, Instrument, Policy, Rule
from churn.db import Database
from churn.gateway import record, rows_of

T = TypeVar("T")


def policy_versions(database: Database, role: str) -> list[Version]:
    """Every version, drafts included, newest first."""
    return [record(Version, row) for row in rows_of(database, role, "policy", "versions", {})]


def policy_in_force(database: Database, role: str, at: datetime | None = None) -> Policy | None:
    """The policy in force at an instant (None: now), with all its rows; None before the first."""
    rows = rows_of(database, role, "policy", "in_force", {"at": at})
    return _policy(database, role, record(Version, rows[0])) if rows else None


def policy_version(database: Database, role: str, version: int) -> Policy | None:
    """One version with all its rows, draft or published."""
    rows = rows_of(database, role, "policy", "version", {"version": version})
    return _policy(database, role, record(Version, rows[0])) if rows else None


def _policy(database: Database, role: str, version: Version) -> Policy:
    of = {"version": version.version}
    instruments = rows_of(database, role, "policy", "instruments", of)
    rules = rows_of(database, role, "policy", "rules", of)
    authority = rows_of(database, role, "policy", "authority", of)
    return Policy(
        title=version.title,
        currency=version.currency,
        instruments=tuple(record(Instrument, row) for row in instruments),
        rules=tuple(record(Rule, row) for row in rules),
        authority=tuple(record(Authority, row) for row in authority),
        version=version.version,
        effective_from=version.effective_from,
    )
