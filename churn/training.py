"""Fit, judge, register: what `python3 -m churn train` does.

With history, time decides: the model is judged on the newest horizon, having learned only from landmarks whose own
horizon ended before it began; then it is fitted once more with that horizon included. A flat file has no history:
there a quarter of the customers is kept apart to judge on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from churn import db, registry, store
from churn.core import features, records
from churn.core.effect import LOG_COLUMNS, ConcessionEffect
from churn.core.fitted import Fitted, shift_to
from churn.core.judge import judge
from churn.core.outlook import DAYS_A_MONTH
from churn.core.refusals import LeakSuspected, NoBetterThanUsual, NotEnoughData
from churn.core.risk import ChurnRisk
from churn.core.survival import TenureCurve
from churn.core.why import LikelyWhy
from churn.settings import Settings

Tell = Callable[[str], None]
MOST_LANDMARKS = 4
MOST_ROWS = 40_000  # a landmark beyond this is sampled: the fit no longer gains what it costs
MOST_CONTACTS = 12_000
CURVE_MONTHS = 12  # how far back survival's landmark lies
WINDOW_DAYS = 90  # a call is a save when they are still here then
MOST_CALLS = 50_000
FEWEST_CALLS = 200
CALL_COLUMNS = (
    "amount", "stayed", "agent_id", "given_month", "intended_amount", "propensity", "channel", "contact_reason"
)  # fmt: skip
SEED = 20240501


@dataclass(frozen=True, slots=True)
class Trained:
    """One model as registered, or the sentence why there is none."""

    kind: str
    model_version: int
    metrics: dict[str, Any]
    refusal: str | None = None

    def __str__(self) -> str:
        """One line for whoever trained it."""
        if self.refusal:
            return f"{self.kind}: no model. {self.refusal}"
        shown = {name: value for name, value in self.metrics.items() if isinstance(value, float | int)}
        figures = ", ".join(f"{name.replace('_', ' ')} {value:,.4g}" for name, value in shown.items())
        return f"{self.kind}: version {self.model_version}, {figures}"


@dataclass(frozen=True, slots=True)
class _Job:
    """What every fit of one run needs."""

    connection: psycopg.Connection
    company: records.Company
    until: datetime
    by: str
    tell: Tell

    def keep(self, kind: str, model: object, metrics: dict[str, Any], horizon_days: int | None = None) -> Trained:
        number = registry.register(
            self.connection, kind, model, data_as_of=self.until, horizon_days=horizon_days, metrics=metrics, by=self.by
        )
        return Trained(kind, number, metrics)

    def refuse(self, kind: str, refusal: Exception, horizon_days: int | None = None) -> Trained:
        self.tell(f"{kind}: no model. {refusal}")
        number = registry.register_refusal(
            self.connection, kind, str(refusal), data_as_of=self.until, horizon_days=horizon_days, by=self.by
        )
        return Trained(kind, number, {}, str(refusal))


def train(settings: Settings, *, progress: Tell, by: str) -> list[Trained]:
    """Fit, judge and register risk, survival, likely-why and the effect of concessions.

    The first of a kind goes into use; later ones wait for a person.

    Raises store.NoCompany.
    """
    with db.connect(settings, "batch") as connection:
        company = store.company(connection)
        until = company.data_until or datetime.now(UTC)
        job = _Job(connection, company, until, by, progress)
        curve, survival = _survival(job)
        results = [_risk(job, curve), survival, _why(job), _effect(job)]
        in_use = registry.current(connection)
        for result in results:
            if result.refusal is None and result.kind not in in_use:
                registry.promote(connection, result.model_version, by)
        return results


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


def _risk(job: _Job, curve: Fitted[TenureCurve] | None) -> Trained:
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
        metrics = judge(test[1], judged.predict_proba(test[0][list(judged.feature_names_in_)])[:, 1])
        job.tell(
            f"risk: AUC {metrics['auc']:.3f}, log loss {metrics['log_loss']:.3f} on {metrics['rows']:,} rows not seen"
        )
        _must_help(metrics)
        frame, outcome = _stacked(sets)
        estimator = _fitted(frame, outcome, job.tell)
        rate = true_rate(job.company, curve, frame[outcome == 0])
    except (NotEnoughData, LeakSuspected, NoBetterThanUsual) as refusal:
        return job.refuse("risk", refusal, job.company.horizon_days)
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
    return job.keep("risk", kept, metrics, job.company.horizon_days)


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


def _must_help(metrics: dict[str, Any]) -> None:
    if metrics["log_loss"] >= metrics["log_loss_of_the_rate"]:
        raise NoBetterThanUsual(metrics["log_loss"], metrics["log_loss_of_the_rate"])


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


def _fitted(frame: pd.DataFrame, outcome: np.ndarray[Any, Any], tell: Tell) -> ChurnRisk:
    estimator = ChurnRisk(monotone=features.MONOTONE, seed=SEED)
    estimator.fit(frame, outcome, progress=lambda share, what: tell(f"risk: {share:4.0%} {what}"))
    if estimator.suspicions_:
        raise LeakSuspected(estimator.suspicions_)
    return estimator


def _survival(job: _Job) -> tuple[Fitted[TenureCurve] | None, Trained]:
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
    kept = Fitted(curve, tuple(frame.columns))
    return kept, job.keep("survival", kept, metrics)


def _why(job: _Job) -> Trained:
    newest = store.reasoned_contacts(job.connection, job.until, MOST_CONTACTS)
    try:
        if not newest:
            raise NotEnoughData(0, 0, rows_needed=300, fewer_needed=30)
        job.tell(f"likely why: learning from {len(newest):,} contacts with a reason")
        # Just before the contact: the contact itself is not known yet.
        known = {
            (row["customer_id"], row["as_of"]): row
            for row in store.features(job.connection, [c for c, _, _ in newest], [at for _, at, _ in newest])
        }
        newest = [one for one in newest if one[:2] in known]
        frame = features.frame([known[one[:2]] for one in newest])
        frame = frame[features.usable(frame.columns)]
        reasons = [reason for _, _, reason in newest]
        cut = len(reasons) * 3 // 4  # oldest first: judged on the newest quarter
        metrics = _judge_why(frame, reasons, cut)
        _must_help(metrics)
        kept = Fitted(LikelyWhy(SEED).fit(frame, reasons), tuple(frame.columns))
    except (NotEnoughData, NoBetterThanUsual) as refusal:
        return job.refuse("why", refusal)
    return job.keep("why", kept, metrics)


def _effect(job: _Job) -> Trained:
    calls = store.retention_log(job.connection, job.until, WINDOW_DAYS, MOST_CALLS)
    try:
        if len(calls) < FEWEST_CALLS:
            raise NotEnoughData(
                len(calls), sum(c["amount"] > 0 for c in calls), rows_needed=FEWEST_CALLS, fewer_needed=50
            )
        job.tell(f"effect: learning from {len(calls):,} calls, {sum(c['amount'] > 0 for c in calls):,} with an offer")
        log = effect_log(job.connection, calls)
        estimator = ConcessionEffect().fit(log)
    except NotEnoughData as refusal:
        return job.refuse("effect", refusal)
    context = log.drop(columns=[name for name in log.columns if name in LOG_COLUMNS])
    return job.keep("effect", Fitted(estimator, tuple(context.columns)), _judge_effect(estimator, log, context))


def effect_log(connection: psycopg.Connection, calls: list[dict[str, Any]]) -> pd.DataFrame:
    """Calls with the features known just before each: the log a ConcessionEffect learns from. Calls of the same second
    by one customer count once."""
    known = {
        (row["customer_id"], row["as_of"]): row
        for row in store.features(connection, [c["customer_id"] for c in calls], [c["as_of"] for c in calls])
    }
    calls = [call for call in calls if (call["customer_id"], call["as_of"]) in known]
    frame = features.frame([known[call["customer_id"], call["as_of"]] for call in calls]).reset_index(drop=True)
    frame = frame[features.usable(frame.columns)].assign(monthly_bill=frame["monthly_price"])
    logged = pd.DataFrame([{name: call[name] for name in CALL_COLUMNS} for call in calls])
    return frame.join(logged, rsuffix="_of_call")


def _judge_effect(estimator: ConcessionEffect, log: pd.DataFrame, context: pd.DataFrame) -> dict[str, Any]:
    amount, stayed = log["amount"].to_numpy(float), log["stayed"].to_numpy(float)
    offered = amount > 0
    typical = float(np.median(amount[offered])) if offered.any() else 0.0
    p = estimator.p_stay(context, np.array([0.0, typical]))
    return {
        "calls": len(log),
        "offers": int(offered.sum()),
        "randomised": int(np.isfinite(log["propensity"].to_numpy(float)).sum()),
        "stayed": float(stayed.mean()),
        "typical_amount": typical,
        "naive_difference": float(stayed[offered].mean() - stayed[~offered].mean()) if offered.any() else 0.0,
        "adjusted_difference": float((p[:, 1] - p[:, 0]).mean()),
    }


def _judge_why(frame: pd.DataFrame, reasons: list[str], cut: int) -> dict[str, Any]:
    judged = LikelyWhy(SEED).fit(frame.iloc[:cut], reasons[:cut])
    chances = judged.chances(frame.iloc[cut:])
    truth = [reason if reason in chances.columns else "other" for reason in reasons[cut:]]
    held = [i for i, reason in enumerate(truth) if reason in chances.columns]
    truth = [truth[i] for i in held]
    shares = np.tile([judged.usual_[name] for name in chances.columns], (len(held), 1))
    first = chances.iloc[held].idxmax(axis=1).to_numpy()
    return {
        "rows": len(held),
        "log_loss": float(log_loss(truth, chances.iloc[held].to_numpy(), labels=list(chances.columns))),
        "log_loss_of_the_rate": float(log_loss(truth, shares, labels=list(chances.columns))),
        "first_is_right": float(np.mean(first == np.array(truth))),
        "usual_is_right": float(np.mean(np.array(truth) == max(judged.usual_, key=lambda name: judged.usual_[name]))),
    }
