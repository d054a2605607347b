"""The night's preparation for replay: settled calls of the last months with all that judging another policy takes.

Read are the calls the effect of concessions is learned from, the company's own and this desk's; their context is what
was known just before each call, by the models in use now. What is kept names nobody. Not known of a past call, and so
left open: a fee that could be waived, and whose fault it was, but for calls of this desk.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from psycopg.rows import dict_row

from churn import db, registry, store
from churn.core import features
from churn.core.calls.saves import WINDOW_DAYS
from churn.core.effects.demand import EffectInUse, staying_given_saved
from churn.core.effects.effect import LOG_COLUMNS, ConcessionEffect, Encoded
from churn.core.leaving import worth
from churn.core.leaving.outlook import DAYS_A_MONTH, Economics, economics_of, look_ahead, margins, risk_of
from churn.core.money import exponent, to_minor
from churn.core.policies.policy import FLAGS, WORDS, Policy
from churn.core.records import Company
from churn.core.replay.replay_calls import VALUES, Array, Logged
from churn.core.replay.replay_log import STAYING_MONTHS, learn
from churn.progress import Tell
from churn.queries import query
from churn.settings import Settings
from churn.training.calls import CALL_COLUMNS, FEWEST_CALLS, MOST_CALLS

BATCH = 5_000
Row = dict[str, Any]


class NothingToReplay(RuntimeError):
    """Too few settled calls, or no effect model: the sentence says which."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What one night made ready."""

    calls: int
    since_on: date
    until_on: date

    def __str__(self) -> str:
        """One line for whoever ran it."""
        return f"{self.calls:,} calls from {self.since_on} to {self.until_on} are ready for replay"


def prepare(settings: Settings, policy: Policy | None, *, progress: Tell) -> Prepared:
    """Make the calls ready anew, in one transaction. Raises store.NoCompany and NothingToReplay."""
    with db.connect(settings, "batch") as connection:
        company = store.company(connection)
        as_of = company.data_until or datetime.now(UTC)
        today = store.local_day(as_of, company.time_zone)
        current = registry.current(connection)
        if "effect" not in current:
            raise NothingToReplay("No effect model is in use: train and promote one first.")
        effect: EffectInUse = registry.load(connection, current["effect"].model_version)
        calls = read_calls(connection, company, as_of, today)
        if len(calls) < FEWEST_CALLS:
            raise NothingToReplay(f"{len(calls):,} settled calls are fewer than {FEWEST_CALLS}.")
        progress(f"replay: reading what was known before {len(calls):,} calls")
        calls, rows = with_features(connection, calls)
        log = log_of(calls, rows)
        progress("replay: learning from all but a third of the calls, three times")
        logged = learn(log, effect.effect.estimator)
        found = _columns(connection, company, economics_of(policy, today), calls, rows)
        curves = _curves(effect.effect.estimator, log, logged, found["staying"])
        _keep(connection, found, logged, curves, _state(company, as_of, calls, current["effect"].model_version))
    return Prepared(len(calls), *_days(company, calls))


def read_calls(connection: psycopg.Connection, company: Company, as_of: datetime, today: date) -> list[Row]:
    """Settled calls of the company's log and of this desk, a call that is in both once, oldest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        asked = {"today": today, "most": MOST_CALLS}
        ours = cursor.execute(query("policy_lab", "desk_calls"), asked).fetchall()
    scale = 10 ** exponent(company.currency)
    desk = [{**call, "amount": call["amount"] / scale, "intended_amount": None} for call in ours]
    seen = {call["contact_id"] for call in desk if call["contact_id"]}
    log = [
        {**call, "fault": None}
        for call in store.retention_log(connection, as_of, WINDOW_DAYS, MOST_CALLS)
        if call["contact_id"] not in seen
    ]
    return sorted([*desk, *log], key=lambda call: call["as_of"])[-MOST_CALLS:]


def with_features(connection: psycopg.Connection, calls: list[Row]) -> tuple[list[Row], list[Row]]:
    """The calls whose customer was known then, with the row of features just before each."""
    kept, rows = [], []
    for start in range(0, len(calls), BATCH):
        part = calls[start : start + BATCH]
        found = store.features(connection, [c["customer_id"] for c in part], [c["as_of"] for c in part])
        known = {(row["customer_id"], row["as_of"]): row for row in found}
        for call in part:
            row = known.get((call["customer_id"], call["as_of"]))
            if row is not None:
                kept.append(call)
                rows.append(row)
    return kept, rows


def log_of(calls: Sequence[Row], rows: Sequence[Row]) -> pd.DataFrame:
    """The log as the effect model learns from it."""
    frame = features.frame(rows).reset_index(drop=True)
    frame = frame[features.usable(frame.columns)].assign(monthly_bill=frame["monthly_price"])
    logged = pd.DataFrame([{name: call[name] for name in CALL_COLUMNS} for call in calls])
    return frame.join(logged, rsuffix="_of_call")


def _columns(
    connection: psycopg.Connection, company: Company, economics: Economics, calls: Sequence[Row], rows: Sequence[Row]
) -> dict[str, Any]:
    """What rules may ask of each call, by the table's own names; `staying` (n, STAYING_MONTHS)."""
    risks, worths, staying = _economics(connection, company, economics, rows)
    refusing = _do_not_offer(connection, calls)
    flat = [features.flatten(row) for row in rows]
    flags = {name: [values.get(name) is True for values in flat] for name in FLAGS}
    flags["is_vulnerable"] = [bool(row["is_vulnerable"]) for row in rows]
    flags["is_do_not_offer"] = [call["customer_id"] in refusing for call in calls]
    flags["open_complaint"] = [bool(row["escalated_365d"]) and bool(row["unresolved_90d"]) for row in rows]
    return {
        "called_on": [store.local_day(call["as_of"], company.time_zone) for call in calls],
        "monthly_bill": [to_minor(float(row["monthly_price"] or 0.0), company.currency) for row in rows],
        "tenure_months": [int(float(row["tenure_months"] or 0.0)) for row in rows],
        "risk": risks,
        **{name: [_minor(w, company.currency) for w in held] for name, held in worths.items()},
        "fee": [0] * len(rows),
        **{name: [None] * len(rows) for name in WORDS},
        **{name: [row[name] for row in rows] for name in ("plan", "segment", "region")},
        **{name: [call[name] for call in calls] for name in ("contact_reason", "fault", "channel")},
        **flags,
        "earlier": _earlier(connection, company, calls),
        "staying": staying,
    }


def _economics(
    connection: psycopg.Connection, company: Company, economics: Economics, rows: Sequence[Row]
) -> tuple[list[float | None], dict[str, Array], Array]:
    """Risk, worth given they stay with its ends, and the curve from there; nothing known without both models."""
    current, n = registry.current(connection), len(rows)
    empty = {name: np.full(n, np.nan) for name in ("worth", "worth_low", "worth_high")}
    staying = np.ones((n, STAYING_MONTHS))
    if not {"risk", "survival"} <= current.keys():
        return [None] * n, empty, staying
    chance, curve = (registry.load(connection, current[kind].model_version) for kind in ("risk", "survival"))
    risks: list[float | None] = []
    for start in range(0, n, BATCH):
        part, here = rows[start : start + BATCH], slice(start, start + BATCH)
        risk = risk_of(chance, part)
        risks += risk.tolist()
        ahead = look_ahead(curve, part, risk, horizon_days=company.horizon_days, economics=economics)
        at = company.horizon_days / DAYS_A_MONTH
        curves = [staying_given_saved(held, at) for held in (ahead.staying, ahead.low, ahead.high)]
        margin = margins(part, economics).amount
        middle, low, high = (worth.clv(margin, held, **economics.terms) for held in curves)
        down, up = ahead.worth.clv - ahead.worth.low, ahead.worth.high - ahead.worth.clv
        empty["worth"][here] = middle
        empty["worth_low"][here], empty["worth_high"][here] = (
            np.minimum(low, middle - down),
            np.maximum(high, middle + up),
        )
        months = min(STAYING_MONTHS, curves[0].shape[1])
        staying[here, :months] = curves[0][:, :months]
        staying[here, months:] = curves[0][:, months - 1 : months]
    return risks, empty, staying


def _do_not_offer(connection: psycopg.Connection, calls: Sequence[Row]) -> set[str]:
    customers = sorted({call["customer_id"] for call in calls})
    return {row[0] for row in connection.execute(query("policy_lab", "do_not_offer"), {"customers": customers})}


def _earlier(connection: psycopg.Connection, company: Company, calls: Sequence[Row]) -> list[list[list[Any]]]:
    """Of each call the concessions before it: instrument, minor units, days before."""
    asked = {"customers": sorted({c["customer_id"] for c in calls}), "until": calls[-1]["as_of"]}
    had: dict[str, list[tuple[str, int, datetime]]] = defaultdict(list)
    for customer, instrument, amount, given_at in connection.execute(query("policy_lab", "earlier"), asked):
        had[customer].append((instrument, to_minor(amount, company.currency), given_at))
    return [
        [
            [instrument, amount, round((call["as_of"] - given_at).total_seconds() / 86_400, 3)]
            for instrument, amount, given_at in had[call["customer_id"]]
            if given_at <= call["as_of"]
        ]
        for call in calls
    ]


def _curves(effect: ConcessionEffect, log: pd.DataFrame, logged: Logged, staying: Array) -> Array:
    """(n, all of `replay_log.CURVES`) float32, in that order."""
    known = effect.encode(log[[name for name in log.columns if name not in LOG_COLUMNS]])
    parts = []
    for start in range(0, len(log), 1000):
        rows = slice(start, start + 1000)
        some = Encoded(known.features[rows], known.bill[rows], known.nothing[rows])
        gain, low, high = effect.gain_interval(some, VALUES)
        p = effect.curve(some, VALUES[:1]) + gain
        held = (p, low, high, logged.usual[rows], logged.band_chance[rows], staying[rows])
        parts.append(np.hstack(held).astype("<f4"))
    return np.vstack(parts)


def _state(company: Company, as_of: datetime, calls: Sequence[Row], version: int) -> Mapping[str, Any]:
    since, until = _days(company, calls)
    return {
        "as_of": as_of, "since_on": since, "until_on": until, "calls": len(calls), "currency": company.currency,
        "effect_version": version,
    }  # fmt: skip


def _days(company: Company, calls: Sequence[Row]) -> tuple[date, date]:
    return tuple(store.local_day(calls[i]["as_of"], company.time_zone) for i in (0, -1))  # type: ignore[return-value]


def _keep(
    connection: psycopg.Connection, found: Mapping[str, Any], logged: Logged, curves: Array, state: Mapping[str, Any]
) -> None:
    with connection.transaction():
        connection.execute(query("policy_lab", "empty"))
        connection.execute(query("policy_lab", "forget_state"))
        connection.execute(query("policy_lab", "keep_state"), state)
        with connection.cursor() as cursor:  # rows under row-level security cannot be copied in
            cursor.executemany(query("policy_lab", "fill"), _rows(found, logged, curves))


def _rows(found: Mapping[str, Any], logged: Logged, curves: Array) -> Iterator[dict[str, Any]]:
    """One row of the table each, by its columns."""
    names = [name for name in found if name not in {"staying", "earlier"}]
    for i, values in enumerate(zip(*(found[name] for name in names), strict=True)):
        drawn = float(logged.propensity[i])
        yield dict(zip(names, values, strict=True)) | {
            "earlier": json.dumps(found["earlier"][i]),
            "amount": float(logged.amount[i]),
            "stayed": bool(logged.stayed[i]),
            "expected": float(logged.expected[i]),
            "propensity": None if np.isnan(drawn) else drawn,
            "curves": curves[i].tobytes(),
        }


def _minor(amount: float, currency: str) -> int | None:
    return to_minor(round(float(amount), 2), currency) if np.isfinite(amount) else None
