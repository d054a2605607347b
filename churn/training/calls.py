"""What calls teach: why people get in touch, and what a concession changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import psycopg
from sklearn.metrics import log_loss

from churn import store
from churn.core import features
from churn.core.calls.saves import WINDOW_DAYS
from churn.core.calls.why import LikelyWhy
from churn.core.effects.demand import Demand, EffectInUse, staying_given_saved
from churn.core.effects.effect import LOG_COLUMNS, ConcessionEffect
from churn.core.leaving.fitted import Fitted
from churn.core.leaving.judge import calibration
from churn.core.leaving.outlook import DAYS_A_MONTH, Economics, look_ahead, margins, risk_of
from churn.core.leaving.risk import ChurnRisk
from churn.core.leaving.worth import clv
from churn.core.refusals import NoBetterThanUsual, NotEnoughData
from churn.core.staying.survival import TenureCurve
from churn.training.job import SEED, Job, Trained, must_help

MOST_CONTACTS = 12_000
MOST_CALLS = 50_000
FEWEST_CALLS = 200
DEMAND_CALLERS = 400
OFFERED = np.array([0.0, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100, 120])  # money in major units
CALL_COLUMNS = (
    "amount", "stayed", "agent_id", "given_month", "intended_amount", "propensity", "channel", "contact_reason"
)  # fmt: skip


def fit_why(job: Job) -> Trained:
    """Chances of the contact reasons, judged on the newest quarter of contacts."""
    newest = store.reasoned_contacts(job.connection, job.until, MOST_CONTACTS)
    try:
        if not newest:
            raise NotEnoughData(0, 0, rows_needed=300, fewer_needed=30)
        job.tell(f"likely why: learning from {len(newest):,} contacts with a reason")
        # As of the day before: neither the contact nor what it brought about is known yet.
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
        must_help(metrics)
        kept = Fitted(LikelyWhy(SEED).fit(frame, reasons), tuple(frame.columns))
    except (NotEnoughData, NoBetterThanUsual) as refusal:
        return job.refuse("why", refusal)
    trained = job.keep("why", kept, metrics)
    job.keep_bins(trained, frame)
    return trained


def fit_effect(job: Job, chance: Fitted[ChurnRisk] | None, curve: Fitted[TenureCurve] | None) -> Trained:
    """What a concession changes, from logged calls; with the callers its budgets are priced by."""
    calls = store.retention_log(job.connection, job.until, WINDOW_DAYS, MOST_CALLS)
    try:
        if len(calls) < FEWEST_CALLS:
            raise NotEnoughData(
                len(calls), sum(c["amount"] > 0 for c in calls), rows_needed=FEWEST_CALLS, fewer_needed=50
            )
        job.tell(f"effect: learning from {len(calls):,} calls, {sum(c['amount'] > 0 for c in calls):,} with an offer")
        rows, log = effect_log(job.connection, calls)
        estimator = ConcessionEffect().fit(log)
    except NotEnoughData as refusal:
        return job.refuse("effect", refusal)
    context = log.drop(columns=[name for name in log.columns if name in LOG_COLUMNS])
    # The newest callers stand for those to come: what a month's money must last for.
    worth = worth_if_saved(rows[-DEMAND_CALLERS:], chance, curve, job.company.horizon_days, job.economics)
    demand = _demand(job, rows, estimator.p_stay(context.iloc[-DEMAND_CALLERS:], OFFERED), worth)
    reasons = frozenset(call["contact_reason"] for call in calls if call["contact_reason"])
    kept = EffectInUse(Fitted(estimator, tuple(context.columns)), demand, reasons)
    return job.keep("effect", kept, _judge_effect(estimator, log, context))


def _demand(job: Job, rows: list[dict[str, Any]], p_stay: np.ndarray[Any, Any], worth: np.ndarray[Any, Any]) -> Demand:
    known = np.isfinite(worth)
    days = max((rows[-1]["as_of"] - rows[0]["as_of"]).days, 1)
    agents = sum(person.role == "agent" for person in store.desk_staff(job.connection))
    return Demand(OFFERED, p_stay[-len(worth) :][known], worth[known], len(rows) / days / max(agents, 1))


def worth_if_saved(
    rows: list[dict[str, Any]],
    chance: Fitted[ChurnRisk] | None,
    curve: Fitted[TenureCurve] | None,
    horizon_days: int,
    economics: Economics,
) -> np.ndarray[Any, Any]:
    """(n,) what callers are worth given they stay on this call; without risk or survival nobody's is known: (0,)."""
    if chance is None or curve is None or not rows:
        return np.empty(0)
    ahead = look_ahead(curve, rows, risk_of(chance, rows), horizon_days=horizon_days, economics=economics)
    saved = staying_given_saved(ahead.staying, horizon_days / DAYS_A_MONTH)
    return clv(margins(rows, economics).amount, saved, **economics.terms)


def effect_log(
    connection: psycopg.Connection, calls: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Rows of features just before each call, and the log a ConcessionEffect learns from, oldest first."""
    known = {
        (row["customer_id"], row["as_of"]): row
        for row in store.features(connection, [c["customer_id"] for c in calls], [c["as_of"] for c in calls])
    }
    calls = [call for call in calls if (call["customer_id"], call["as_of"]) in known]
    rows = [known[call["customer_id"], call["as_of"]] for call in calls]
    frame = features.frame(rows).reset_index(drop=True)
    frame = frame[features.usable(frame.columns)].assign(monthly_bill=frame["monthly_price"])
    logged = pd.DataFrame([{name: call[name] for name in CALL_COLUMNS} for call in calls])
    return rows, frame.join(logged, rsuffix="_of_call")


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
    is_right = first == np.array(truth)
    named = [list(chances.columns).index(name) for name in truth]
    of_truth = chances.iloc[held].to_numpy()[np.arange(len(held)), named]
    gained = np.log(of_truth) - np.log(shares[np.arange(len(held)), named])
    return {
        "rows": len(held),
        "log_loss": float(log_loss(truth, chances.iloc[held].to_numpy(), labels=list(chances.columns))),
        "log_loss_of_the_rate": float(log_loss(truth, shares, labels=list(chances.columns))),
        "first_is_right": float(np.mean(is_right)),
        "usual_is_right": float(np.mean(np.array(truth) == max(judged.usual_, key=lambda name: judged.usual_[name]))),
        # Whether what is named first with a chance is right as often as that says.
        "calibration": calibration(is_right.astype(int), chances.iloc[held].max(axis=1).to_numpy()),
        "held_out": {
            "log_loss_gain": float(gained.mean()),
            "log_loss_gain_error": float(gained.std(ddof=1) / np.sqrt(len(gained))),
        },
    }
