"""Who will leave and when: risk and survival.

With history, time decides: the model is judged on the newest horizon, having learned only from landmarks whose own
horizon ended before it began; then it is fitted once more with that horizon included. A flat file has no history:
there a quarter of the customers is kept apart to judge on.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from sklearn.model_selection import train_test_split

from churn import store
from churn.core import features, records
from churn.core.leaving.fitted import Fitted, shift_to
from churn.core.leaving.outlook import DAYS_A_MONTH
from churn.core.leaving.risk import ChurnRisk
from churn.core.refusals import LeakSuspected, NoBetterThanUsual, NotEnoughData
from churn.core.staying.survival import TenureCurve
from churn.core.trust.landmarks import landmark_calibration
from churn.core.trust.model_judgement import judgement
from churn.progress import Tell
from churn.training.job import SEED, Job, Trained, must_help

MOST_LANDMARKS = 4
MOST_ROWS = 40_000  # a landmark beyond this is sampled: the fit no longer gains what it costs
CURVE_MONTHS = 12  # how far back survival's landmark lies


def landmarks(company: records.Company, until: datetime, first_fact: datetime) -> list[datetime]:
    """The instants risk is learned at, newest first: the first is the one it is judged on.

    Each lies a horizon before the one above it, and a quarter after the first fact, so that windows hold something.
    """
    if company.snapshot_on is not None:
        return [until - timedelta(days=1)]
    step = timedelta(days=company.horizon_days)
    marks = [until - step * k for k in range(1, MOST_LANDMARKS + 1)]
    return [mark for mark in marks if mark >= first_fact + timedelta(days=90)]


def learning_rows(
    connection: psycopg.Connection, company: records.Company, mark: datetime
) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """Features of the customers live at a landmark, and whether each left by choice within the horizon."""
    left = store.outcomes(connection, mark, company.horizon_days)
    chosen = np.array(sorted(left))
    if len(chosen) > MOST_ROWS:
        chosen = np.sort(np.random.default_rng(SEED).choice(chosen, MOST_ROWS, replace=False))
    names = chosen.tolist()
    rows = store.features(connection, names, [mark] * len(names))
    made = features.frame(rows)
    outcome = np.array([left[row["customer_id"]] == "voluntary" for row in rows], dtype=int)
    return made[features.usable(made.columns)], outcome


def fit_risk(job: Job, curve: Fitted[TenureCurve] | None) -> tuple[Fitted[ChurnRisk] | None, Trained]:
    """The chance of leaving within the horizon, and what became of fitting it. `curve`: re-bases a flat file's rate."""
    marks = landmarks(job.company, job.until, store.first_fact(job.connection))
    try:
        if not marks:
            raise NotEnoughData(0, 0, rows_needed=100, fewer_needed=20)
        sets = []
        for mark in marks:
            job.tell(f"risk: reading customers as of {mark:%Y-%m-%d}")
            sets.append(learning_rows(job.connection, job.company, mark))
        learn, test = _parted(sets)
        job.tell(f"risk: learning from {len(learn[1]):,} rows, {int(learn[1].sum()):,} of them left")
        judged = _fitted(*learn, job.tell)
        held_out = judged.predict_proba(test[0][list(judged.feature_names_in_)])[:, 1]
        metrics = judgement(test[1], held_out, test[0])
        metrics["rivalry"] = job.rivalry("risk", test, held_out, marks[0])
        job.tell(
            f"risk: AUC {metrics['auc']:.3f}, log loss {metrics['log_loss']:.3f} on {metrics['rows']:,} rows not seen"
        )
        must_help(metrics)
        frame, outcome = _stacked(sets)
        estimator = _fitted(frame, outcome, job.tell, like=judged)
        rate = true_rate(job.company, curve, frame[outcome == 0])
    except (NotEnoughData, LeakSuspected, NoBetterThanUsual) as refusal:
        return None, job.refuse("risk", refusal, job.company.horizon_days)
    metrics |= {
        "judged_on": "the newest horizon" if len(marks) > 1 else "a quarter of the customers",
        "landmarks": [mark.isoformat() for mark in marks],
        "weights": {name: float(weight) for name, weight in estimator.weights_.items()},
    }
    shift = 0.0
    if rate is not None:
        shift = shift_to(estimator.predict_proba(frame)[:, 1], rate)
        metrics["rebased_to"] = rate
        job.tell(
            f"risk: re-based from {metrics['rate']:.1%} in the data to {rate:.1%} in {job.company.horizon_days} days"
        )
    kept = Fitted(estimator, tuple(estimator.feature_names_in_), shift)
    trained = job.keep("risk", kept, metrics, job.company.horizon_days)
    job.keep_bins(trained, frame[list(kept.columns)], kept)
    return kept, trained


def true_rate(company: records.Company, curve: Fitted[TenureCurve] | None, live: pd.DataFrame) -> float | None:
    """The rate of leaving within the horizon that chances must average; None: the data's own.

    A flat file says who left, not in which time: its rate is that of the survival curve for those still here. Data that
    hold more leavers than the field does come with the field's monthly rate.
    """
    months = company.horizon_days / DAYS_A_MONTH
    if company.monthly_churn is not None:
        return float(1 - (1 - company.monthly_churn) ** months)
    if company.snapshot_on is None or curve is None:
        return None
    tenure = np.maximum(live["tenure_months"].to_numpy(dtype=float), 0.0)
    return float(np.mean(1 - curve.estimator.survival(live[list(curve.columns)], np.array([months]), tenure)))


def _parted(
    sets: list[tuple[pd.DataFrame, np.ndarray[Any, Any]]],
) -> tuple[tuple[pd.DataFrame, np.ndarray[Any, Any]], tuple[pd.DataFrame, np.ndarray[Any, Any]]]:
    """What to learn from and what to judge on."""
    if len(sets) > 1:
        learn, outcome = _stacked(sets[1:])
        return (learn, outcome), (_with_columns(sets[0][0], learn), sets[0][1])
    frame, outcome = sets[0]
    fewer = int(min(outcome.sum(), len(outcome) - outcome.sum()))
    if len(outcome) < 100 or fewer < 20:
        raise NotEnoughData(len(outcome), fewer, rows_needed=100, fewer_needed=20)
    learn, test, y_learn, y_test = train_test_split(frame, outcome, test_size=0.25, stratify=outcome, random_state=SEED)
    return (learn, y_learn), (test, y_test)


def _stacked(sets: list[tuple[pd.DataFrame, np.ndarray[Any, Any]]]) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    columns = sorted({name for frame, _ in sets for name in frame.columns})
    empty = pd.DataFrame(columns=columns)
    return pd.concat([_with_columns(frame, empty) for frame, _ in sets]), np.concatenate([y for _, y in sets])


def _with_columns(frame: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    # A reason, measure or kind of event may have appeared only at another landmark.
    missing = {name: features.absent_value(name) for name in like.columns if name not in frame.columns}
    return frame.assign(**missing)[list(like.columns)]


def _fitted(
    frame: pd.DataFrame, outcome: np.ndarray[Any, Any], tell: Tell, *, like: ChurnRisk | None = None
) -> ChurnRisk:
    estimator = ChurnRisk(monotone=features.MONOTONE, seed=SEED)
    # One customer at several landmarks stays on one side of an inner fold.
    estimator.fit(
        frame,
        outcome,
        progress=lambda share, what: tell(f"risk: {share:4.0%} {what}"),
        groups=frame.index.get_level_values("customer_id"),
        like=like,
    )
    if estimator.suspicions_:
        raise LeakSuspected(estimator.suspicions_)
    return estimator


def fit_survival(job: Job) -> tuple[Fitted[TenureCurve] | None, Trained]:
    """The curve of staying, and what became of fitting it."""
    is_flat = job.company.snapshot_on is not None
    since = job.until - (timedelta(days=1) if is_flat else timedelta(days=round(CURVE_MONTHS * DAYS_A_MONTH)))
    job.tell(f"survival: reading lifetimes since {since:%Y-%m-%d}")
    lives = pd.DataFrame(store.lifetimes(job.connection, since, job.until))
    try:
        if lives.empty:
            raise NotEnoughData(0, 0, rows_needed=100, fewer_needed=20)
        if len(lives) > MOST_ROWS:
            lives = lives.sample(MOST_ROWS, random_state=SEED).sort_values("customer_id")
        names = lives["customer_id"].tolist()
        rows = store.features(job.connection, names, [since] * len(names))
        frame = features.frame(rows)
        frame = frame[features.lasting(frame.columns)]
        lives = lives.set_index("customer_id").loc[[row["customer_id"] for row in rows]]
        entry = 0.0 if is_flat else lives["entry_months"].to_numpy()
        job.tell(f"survival: learning from {len(lives):,} customers, {int(lives['is_event'].sum()):,} of them left")
        curve = TenureCurve(seed=SEED).fit(
            frame, entry, lives["duration_months"].to_numpy(), lives["is_event"].to_numpy()
        )
    except NotEnoughData as refusal:
        return None, job.refuse("survival", refusal)
    metrics = {
        "rows": len(lives),
        "left": int(lives["is_event"].sum()),
        "data_ends_at_months": float(curve.data_ends_at),
        "strata": list(curve.strata_),
        "dropped": dict(curve.dropped_),
        "choice": curve.choice_,
    }
    metrics |= {"held_out": _landmarks(job, frame, lives, entry)}
    kept = Fitted(curve, tuple(frame.columns))
    trained = job.keep("survival", kept, metrics)
    job.keep_bins(trained, frame)
    return kept, trained


def _landmarks(
    job: Job, frame: pd.DataFrame, lives: pd.DataFrame, entry: np.ndarray[Any, Any] | float
) -> dict[str, Any]:
    """Landmark calibration on a quarter of the customers, by a curve learned from the others; no rows with too few."""
    since = np.broadcast_to(np.asarray(entry, dtype=float), len(lives))
    months, left = lives["duration_months"].to_numpy(dtype=float), lives["is_event"].to_numpy(dtype=bool)
    learn, test = train_test_split(np.arange(len(lives)), test_size=0.25, stratify=left, random_state=SEED)
    job.tell(f"survival: judging on {len(test):,} customers kept apart")
    try:
        curve = TenureCurve(seed=SEED).fit(frame.iloc[learn], since[learn], months[learn], left[learn])
    except NotEnoughData:
        return {"rows": len(test), "landmarks": []}
    cells = landmark_calibration(curve, frame.iloc[test], since[test], months[test], left[test])
    return {"rows": len(test), "landmarks": cells}
