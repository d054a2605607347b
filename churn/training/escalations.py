"""Which open contacts will be handed upwards: a second target of the risk estimator.

Learned at instants two weeks apart over the last year, on the contacts open then; judged on the newest quarter of the
instants. What is open, and what became of it, is what was known at the instant and within its horizon.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from churn import store
from churn.calls import escalations
from churn.core import features
from churn.core.calls import escalation
from churn.core.calls.escalation import HORIZON_DAYS, MONOTONE
from churn.core.leaving.fitted import Fitted
from churn.core.leaving.risk import ChurnRisk
from churn.core.refusals import LeakSuspected, NoBetterThanUsual, NotEnoughData
from churn.core.trust.model_judgement import judgement
from churn.training.job import SEED, Job, Trained, must_help

MOST_ROWS = 12_000
MOST_LANDMARKS = 26  # a year
FEWEST_EACH = 20


# What a contact is about is known as it comes in, and may honestly be most of what there is to know.
KNOWN_AT_ONCE = ("contact_reason", "last_reason")


def landmarks(until: datetime, first_fact: datetime) -> list[datetime]:
    """Instants to learn at, oldest first, each a horizon before the next; the last one's horizon ends with the data."""
    marks = [until - timedelta(days=HORIZON_DAYS) * k for k in range(1, MOST_LANDMARKS + 1)]
    return [mark for mark in reversed(marks) if mark >= first_fact + timedelta(days=90)]


def fit_escalation(job: Job) -> Trained:
    """The chance that an open contact is escalated within the horizon, judged on the newest quarter of the instants."""
    marks = landmarks(job.until, store.first_fact(job.connection))
    try:
        frame, outcome, at = learning_rows(job, marks)
        cut = marks[len(marks) * 3 // 4]
        is_test = at >= np.datetime64(cut.replace(tzinfo=None))
        _enough(outcome[~is_test])
        job.tell(f"escalation: learning from {len(outcome):,} open contacts, {int(outcome.sum()):,} handed upwards")
        judged = _fitted(job, frame[~is_test], outcome[~is_test])
        if not 0 < outcome[is_test].sum() < is_test.sum():
            raise NotEnoughData(int(is_test.sum()), int(outcome[is_test].sum()), rows_needed=100, fewer_needed=1)
        held_out = judged.predict_proba(frame[is_test])[:, 1]
        metrics = judgement(outcome[is_test], held_out, frame[is_test])
        metrics["rivalry"] = job.rivalry("escalation", (frame[is_test], outcome[is_test]), held_out, cut)
        must_help(metrics)
        job.tell(f"escalation: AUC {metrics['auc']:.3f} on {metrics['rows']:,} open contacts not seen")
        estimator = _fitted(job, frame, outcome, like=judged)
    except (NotEnoughData, LeakSuspected, NoBetterThanUsual) as refusal:
        return job.refuse("escalation", refusal, HORIZON_DAYS)
    metrics |= {"judged_on": "the newest quarter of a year", "columns": list(estimator.feature_names_in_)}
    kept = Fitted(estimator, tuple(estimator.feature_names_in_))
    trained = job.keep("escalation", kept, metrics, HORIZON_DAYS)
    job.keep_bins(trained, frame[list(kept.columns)], kept)
    return trained


def learning_rows(job: Job, marks: list[datetime]) -> tuple[pd.DataFrame, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(columns, escalated or not, instant) of the contacts open at each instant."""
    if not marks:
        raise NotEnoughData(0, 0, rows_needed=100, fewer_needed=FEWEST_EACH)
    contacts = escalations.open_contacts(job.connection, marks, most=MOST_ROWS // len(marks))
    if not contacts:
        raise NotEnoughData(0, 0, rows_needed=100, fewer_needed=FEWEST_EACH)
    job.tell(f"escalation: reading {len(contacts):,} open contacts at {len(marks)} instants")
    rows, contacts = escalations.with_features(job.connection, contacts)
    frame = escalation.frame(rows, contacts)
    outcome = np.array([contact["escalates"] for contact in contacts], dtype=int)
    at = np.array([np.datetime64(contact["as_of"].replace(tzinfo=None)) for contact in contacts])
    return frame, outcome, at


def _enough(outcome: np.ndarray[Any, Any]) -> None:
    fewer = int(min(outcome.sum(), len(outcome) - outcome.sum()))
    if len(outcome) < 100 or fewer < FEWEST_EACH:
        raise NotEnoughData(len(outcome), fewer, rows_needed=100, fewer_needed=FEWEST_EACH)


def _fitted(
    job: Job, frame: pd.DataFrame, outcome: np.ndarray[Any, Any], *, like: ChurnRisk | None = None
) -> ChurnRisk:
    estimator = ChurnRisk(monotone=MONOTONE, seed=SEED)
    estimator.fit(
        frame,
        outcome,
        progress=lambda share, what: job.tell(f"escalation: {share:4.0%} {what}"),
        groups=frame.index.get_level_values(features.KEYS[0]),  # a customer at several instants stays on one side
        like=like,
    )
    about = tuple(f"The column {name} alone gives nearly all" for name in KNOWN_AT_ONCE)
    grave = [said for said in estimator.suspicions_ if not said.startswith(about)]
    if grave:
        raise LeakSuspected(grave)
    return estimator
