"""The shell of the policy page: drafts with their cases, calls to replay, budgets and who proposed them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np

from churn import ledger
from churn.core.grants import Session
from churn.core.policies.policy import FLAGS, WORDS, Policy
from churn.core.replay.policy_replay import Replayed, Told, replay
from churn.core.replay.replay_calls import VALUES, Before, Calls, Logged, words
from churn.core.replay.replay_log import CURVES
from churn.db import Database
from churn.gateway import record, rows_of
from churn.policies.cases import cases_of, parse_cases

MOST_PROPOSALS = 200


@dataclass(frozen=True, slots=True)
class ReplayState:
    """What is ready for replay: from when to when, by which model."""

    as_of: datetime
    since_on: date
    until_on: date
    calls: int
    currency: str
    effect_version: int
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Proposal:
    """Money proposed for a budget; nobody has confirmed it while `confirmed_by` is None."""

    proposal_id: UUID
    team: str
    instrument: str
    month: date
    currency: str
    amount: int
    reason: str
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str | None
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Money:
    """One budget of a month, minor units."""

    team: str
    instrument: str
    month: date
    currency: str
    amount_limit: int
    spent: int
    headroom: int


def save_draft(database: Database, me: Session, policy: Policy, cases: str) -> int:
    """Store a draft with its cases as a new version; its number. Raises CasesUnreadable, and the ledger's refusals."""
    parse_cases(cases)
    return ledger.draft_policy(database, me, policy, cases=cases)


def cases(database: Database, me: Session, version: int | None) -> str:
    """The YAML kept with a version; empty without one."""
    return "" if version is None else cases_of(database, me, version)


def replay_state(database: Database, me: Session) -> ReplayState | None:
    """What is ready for replay; None before the first night."""
    rows = rows_of(database, me, "policy_lab", "replay_state", {})
    return record(ReplayState, rows[0]) if rows else None


def replay_calls(database: Database, me: Session, since: date) -> Calls:
    """The calls since a day, as columns."""
    return as_calls(rows_of(database, me, "policy_lab", "replay_calls", {"since": since}))


def replay_draft(draft: Policy, today: Policy | None, calls: Calls, tell: Told | None = None) -> Replayed:
    """A draft and today's policy over the calls."""
    return replay(draft, today, calls, tell)


def as_calls(rows: list[dict[str, Any]]) -> Calls:
    """Rows of the table as columns."""
    ends = np.cumsum(list(CURVES.values()))
    packed = np.frombuffer(b"".join(row["curves"] for row in rows), "<f4").reshape(len(rows), ends[-1])
    held = dict(zip(CURVES, np.split(packed.astype(np.float64), ends[:-1], axis=1), strict=True))
    earlier = [(i, item) for i, row in enumerate(rows) for item in row["earlier"]]
    column = partial(_column, rows)
    return Calls(
        on=np.array([float(row["called_on"].toordinal()) for row in rows]),
        monthly_bill=np.array([row["monthly_bill"] for row in rows], np.int64),
        tenure_months=column("tenure_months"),
        risk=column("risk"),
        worth=column("worth"),
        worth_low=column("worth_low"),
        worth_high=column("worth_high"),
        fee=np.array([row["fee"] for row in rows], np.int64),
        words={name: words([row[name] for row in rows]) for name in WORDS},
        flags={name: np.array([row[name] for row in rows], bool) for name in FLAGS},
        before=Before(
            np.array([i for i, _ in earlier], np.int64),
            words([item[0] for _, item in earlier]),
            np.array([item[1] for _, item in earlier], np.int64),
            np.array([item[2] for _, item in earlier], float),
        ),
        staying=held["staying"],
        p=held["p"],
        low=held["low"],
        high=held["high"],
        values=VALUES,
        logged=Logged(
            amount=column("amount"),
            stayed=column("stayed"),
            expected=column("expected"),
            usual=held["usual"],
            band_chance=held["band_chance"],
            propensity=column("propensity"),
        ),
    )


def _column(rows: list[dict[str, Any]], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if row[name] is None else float(row[name]) for row in rows])


def budgets(database: Database, me: Session | str, month: date) -> list[Money]:
    """The budgets of a month and the ones after."""
    return [record(Money, row) for row in rows_of(database, me, "policy_lab", "budgets", {"month": month})]


def proposals(database: Database, me: Session) -> list[Proposal]:
    """Proposals of money, those that wait first, then the newest."""
    rows = rows_of(database, me, "policy_lab", "proposals", {"most": MOST_PROPOSALS})
    return [record(Proposal, row) for row in rows]
