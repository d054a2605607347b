"""Settled cases without a name: gathered anew every night, and those nearest to a call.

What was logged of retention calls comes from the company's records, what was given on the desk from the ledger and the
stages of saves. Context is what was known just before each call, by the models in use now. Nothing that names anybody
is kept: no customer, no contact, no day, figures in whole units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from statistics import pstdev
from typing import Any

import numpy as np
import psycopg
from psycopg.rows import dict_row

from churn import registry, store
from churn.core.calls.saves import WINDOW_DAYS
from churn.core.calls.similar import OTHER_KIND, Context, PastCase
from churn.core.effects.demand import staying_given_saved
from churn.core.grants import Session
from churn.core.leaving.fitted import Fitted
from churn.core.leaving.outlook import DAYS_A_MONTH, Economics, economics_of, look_ahead, margins, risk_of
from churn.core.leaving.risk import ChurnRisk
from churn.core.leaving.worth import clv
from churn.core.money import to_minor
from churn.core.policies.policy import Policy
from churn.core.records import Company
from churn.core.staying.survival import TenureCurve
from churn.db import Database
from churn.gateway import record, rows_of
from churn.queries import query

MOST = 50_000  # the newest
BATCH = 5_000
SCALES = ("tenure", "bill", "risk", "worth")

Row = dict[str, Any]


def nearest(database: Database, who: Session | str, about: Context, n: int) -> tuple[PastCase, ...]:
    """The `n` past cases nearest to a call, those of its own reason first; fewer when there are fewer.

    No case of another plan or segment is nearer than that alone counts, so where `n` of the same are, they are exact.
    """
    asked: dict[str, Any] = dict(zip(SCALES, about.place, strict=True))
    asked |= {name: getattr(about, name) for name in ("contact_reason", "fault", "plan", "segment")}
    asked |= {"most": n, "other_kind": OTHER_KIND**2}
    rows = rows_of(database, who, "past_cases", "nearest", asked | {"is_same_kind": True})
    if len(rows) < n or rows[-1]["distance"] > OTHER_KIND:
        rows = rows_of(database, who, "past_cases", "nearest", asked | {"is_same_kind": False})
    return tuple(record(PastCase, row) for row in rows)


def refill(connection: psycopg.Connection, policy: Policy | None, today: date, now: datetime) -> int:
    """Replace all past cases by the newest that are settled, in one transaction; how many. Raises store.NoCompany."""
    company = store.company(connection)
    cases = _cases(connection, company, today, now)
    horizon, economics = company.horizon_days, economics_of(policy, today)
    risk, survival = _models(connection)
    found: list[tuple[Row, Context]] = []
    for start in range(0, len(cases), BATCH):
        part = cases[start : start + BATCH]
        known = store.features(connection, [c["customer_id"] for c in part], [c["as_of"] for c in part])
        contexts = _contexts(known, risk, survival, horizon, economics)
        found += [(case, contexts[key]) for case in part if (key := (case["customer_id"], case["as_of"])) in contexts]
    scales = _scales([context for _, context in found])
    with connection.transaction():
        connection.execute(query("past_cases", "empty"))
        connection.execute(query("past_cases", "forget_scales"))
        connection.execute(query("past_cases", "keep_scales"), scales)
        with connection.cursor().copy(query("past_cases", "fill")) as copy:
            for case, context in found:
                copy.write_row(_row(case, context, scales))
    return len(found)


def _cases(connection: psycopg.Connection, company: Company, today: date, now: datetime) -> list[Row]:
    """The newest settled cases of the desk and of the company's log, a call that is in both once."""
    with connection.cursor(row_factory=dict_row) as cursor:
        ours = cursor.execute(query("past_cases", "settled"), {"today": today, "most": MOST}).fetchall()
    seen = {case["contact_id"] for case in ours if case["contact_id"]}
    logged = [
        {
            **call,
            "fault": None,
            "is_kept": call["stayed"],
            "is_fixed": False,
            "amount": to_minor(call["amount"], company.currency),
            "month": date.fromisoformat(f"{call['given_month']}-01"),
        }
        for call in store.retention_log(connection, now, WINDOW_DAYS, MOST)
        if call["contact_id"] not in seen
    ]
    return sorted([*ours, *logged], key=lambda case: case["as_of"], reverse=True)[:MOST]


def _models(connection: psycopg.Connection) -> tuple[Fitted[ChurnRisk] | None, Fitted[TenureCurve] | None]:
    current = registry.current(connection)
    risk, survival = (
        registry.load(connection, current[kind].model_version) if kind in current else None
        for kind in ("risk", "survival")
    )
    return risk, survival


def _contexts(
    rows: Sequence[Row],
    risk: Fitted[ChurnRisk] | None,
    survival: Fitted[TenureCurve] | None,
    horizon_days: int,
    economics: Economics,
) -> dict[tuple[str, datetime], Context]:
    """What was known of each caller at an instant; risk and worth by the models in use, None without them."""
    risks = [None] * len(rows) if risk is None or not rows else risk_of(risk, rows).tolist()
    worths: list[float | None] = [None] * len(rows)
    if survival is not None and risk is not None and rows:
        ahead = look_ahead(survival, rows, np.array(risks), horizon_days=horizon_days, economics=economics)
        saved = staying_given_saved(ahead.staying, horizon_days / DAYS_A_MONTH)
        worths = clv(margins(rows, economics).amount, saved, **economics.terms).tolist()
    return {
        (row["customer_id"], row["as_of"]): Context(
            plan=row["plan"],
            segment=row["segment"],
            tenure_months=_whole(row["tenure_months"]),
            monthly_bill=_whole(row["monthly_price"]),
            risk=chance,
            worth=_whole(value),
        )
        for row, chance, value in zip(rows, risks, worths, strict=True)
    }


def _scales(contexts: Sequence[Context]) -> dict[str, float]:
    """One standard deviation of each figure; 1 where it does not vary."""
    columns = zip(*(context.place for context in contexts), strict=True) if contexts else ((),) * len(SCALES)
    found = {}
    for name, column in zip(SCALES, columns, strict=True):
        known = [value for value in column if value is not None]
        found[name] = (pstdev(known) if len(known) > 1 else 0.0) or 1.0
    return found


def _row(case: Mapping[str, Any], about: Context, scales: Mapping[str, float]) -> tuple[Any, ...]:
    amount = case["amount"]
    return (
        case["month"], case["contact_reason"], case["fault"], about.plan, about.segment, about.tenure_months,
        about.monthly_bill, about.risk, about.worth, case["instrument"] if amount else None, amount, case["is_fixed"],
        case["is_kept"], *_standard(about, scales),
    )  # fmt: skip


def _standard(about: Context, scales: Mapping[str, float]) -> Iterator[float | None]:
    for name, value in zip(SCALES, about.place, strict=True):
        yield None if value is None else value / scales[name]


def _whole(value: Any) -> int | None:
    return None if value is None or not math.isfinite(float(value)) else round(float(value))
