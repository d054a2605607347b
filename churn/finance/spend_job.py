"""The night's look at the money: what it brought, what is still to be paid, who gives otherwise, are like cases alike.

Read are settled calls: the company's own record of what was given on them, and the desk's. All of it is one
transaction: the page shows the night before until it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from psycopg.rows import dict_row

from churn import db, registry, store
from churn.core import features
from churn.core.calls.saves import WINDOW_DAYS
from churn.core.effects.effect import LOG_COLUMNS
from churn.core.finance.givers import expected_amounts, givers
from churn.core.finance.incremental import MISSING, Return, incremental_return
from churn.core.finance.likeness import likeness
from churn.core.finance.run_off import Discount, run_off
from churn.core.language import mark
from churn.core.leaving.fitted import Fitted
from churn.core.leaving.outlook import Economics, look_ahead, margins, risk_of
from churn.core.leaving.risk import ChurnRisk
from churn.core.money import to_major
from churn.core.records import Company
from churn.core.refusals import NotEnoughData
from churn.core.staying.survival import TenureCurve
from churn.policies.stored import economics_in_force
from churn.progress import Tell
from churn.queries import query
from churn.settings import Settings
from churn.training.calls import effect_log, worth_if_saved

Models = tuple[Fitted[ChurnRisk], Fitted[TenureCurve]]

MOST_CALLS = 20_000
NO_MODELS = mark(
    "no model of risk and survival is in use, so what a customer kept is worth, and who stays, is not known"
)
NOT_CONTEXT = ("instrument", "given_month", "agent_id", "propensity")


@dataclass(frozen=True, slots=True)
class Looked:
    """What one night came to."""

    calls: int
    label: str
    discounts: int
    agents: int
    groups: int

    def __str__(self) -> str:
        """One line for whoever ran it."""
        return (
            f"return: {self.label}, {self.calls:,} settled calls; {self.discounts:,} discounts run; "
            f"{self.agents:,} agents and {self.groups:,} groups compared"
        )


@dataclass(frozen=True, slots=True)
class _Night:
    company: Company
    as_of: datetime
    today: date
    models: Models | None
    economics: Economics


def refresh(settings: Settings, *, progress: Tell) -> Looked:
    """Make everything the night finds out anew. Raises store.NoCompany."""
    with db.connect(settings, "batch") as connection, connection.transaction():
        connection.execute(query("spend", "one_refresh"))
        night = _night(connection, settings)
        progress("spend: reading settled calls")
        rows, log = settled_calls(connection, night.company, night.as_of, night.today)
        log["worth"] = _worth(rows, night)
        progress(f"spend: what the money of {len(log):,} calls brought")
        returns = _returns(log, night.models is not None)
        _write_returns(connection, returns)
        discounts, missing = _run_off(connection, night)
        agents, funnel = _givers(connection, log)
        groups = _likeness(connection, rows, log, night.economics)
        days = [row["as_of"].date() for row in rows]
        connection.execute(query("spend", "clear_state"))
        connection.execute(
            query("spend", "write_state"),
            {
                "as_of": night.as_of, "currency": night.company.currency, "since_on": min(days, default=None),
                "until_on": max(days, default=None), "window_days": WINDOW_DAYS, "run_off_missing": missing, **funnel,
            },
        )  # fmt: skip
    return Looked(len(log), returns["all"].label, discounts, agents, groups)


def settled_calls(
    connection: psycopg.Connection, company: Company, as_of: datetime, today: date
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Features just before each settled call, and the log `incremental_return` reads, but for the worth.

    A call of the desk that the company recorded too counts once, as the desk has it.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(query("spend", "desk_calls"), {"today": today, "most": MOST_CALLS}).fetchall()
    own = [_in_major(call) for call in found if call["currency"] == company.currency]
    seen = {(call["customer_id"], (call["as_of"] + timedelta(days=k)).date()) for call in own for k in (-1, 0, 1)}
    theirs = [
        _with_chance(call)
        for call in store.retention_log(connection, as_of, WINDOW_DAYS, MOST_CALLS)
        if (call["customer_id"], call["as_of"].date()) not in seen
    ]
    calls = sorted(own + theirs, key=lambda call: (call["as_of"], call["customer_id"]))  # oldest first
    if not calls:
        return [], pd.DataFrame(columns=["amount", "stayed", "agent_id", "contact_reason", "p_nothing", "instrument"])
    rows, log = effect_log(connection, calls)
    known = {(call["customer_id"], call["as_of"]): call for call in calls}
    # Instants are told apart to the microsecond, so a customer's two calls keep their own.
    for name in ("p_nothing", "instrument"):
        log[name] = [known[row["customer_id"], row["as_of"]][name] for row in rows]
    return rows, log


def _night(connection: psycopg.Connection, settings: Settings) -> _Night:
    company = store.company(connection)
    as_of = company.data_until or datetime.now(UTC)
    current = registry.current(connection)
    models = None
    if "risk" in current and "survival" in current:
        models = tuple(registry.load(connection, current[kind].model_version) for kind in ("risk", "survival"))
    today = store.local_day(as_of, company.time_zone)
    return _Night(company, as_of, today, models, economics_in_force(settings, today))


def _in_major(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call of the desk in the shape of the company's record."""
    meant = call["intended_amount"]
    return {
        **call, "amount": float(to_major(call["amount"], call["currency"])), "given_month": f"{call['as_of']:%Y-%m}",
        "intended_amount": None if meant is None else float(to_major(meant, call["currency"])), "propensity": None,
        "channel": "call",
    }  # fmt: skip


def _with_chance(call: Mapping[str, Any]) -> dict[str, Any]:
    """The chance of nothing where the company drew lots: that of nothing, or what the amount given leaves of 1."""
    drawn = call["propensity"]
    p_nothing = None if drawn is None else 1 - drawn if call["amount"] > 0 else drawn
    return {**call, "p_nothing": p_nothing}


def _worth(rows: list[dict[str, Any]], night: _Night) -> np.ndarray[Any, Any]:
    if night.models is None or not rows:
        return np.full(len(rows), np.nan)
    return worth_if_saved(rows, *night.models, night.company.horizon_days, night.economics)


def _returns(log: pd.DataFrame, is_worth_known: bool) -> dict[str, Return]:
    given = log["amount"].astype(float) > 0
    if not is_worth_known:
        spent = float(log.loc[given, "amount"].astype(float).sum())
        return {"all": Return(MISSING, int(given.sum()), 0, spent, missing=NO_MODELS)}
    held = log.drop(columns=[name for name in NOT_CONTEXT if name in log])
    found = {"all": incremental_return(held)}
    for instrument in sorted({str(name) for name in log.loc[given, "instrument"].dropna()}):
        found[instrument] = incremental_return(held[~given | (log["instrument"] == instrument)])
    return found


def _write_returns(connection: psycopg.Connection, returns: Mapping[str, Return]) -> None:
    connection.execute(query("spend", "clear_returns"))
    for scope, told in returns.items():
        ends = {
            f"{name}{end}": None if held is None else getattr(held, at)
            for name, held in (("kept", told.kept), ("margin", told.margin), ("deadweight", told.deadweight))
            for end, at in (("", "middle"), ("_low", "low"), ("_high", "high"))
        }
        facts = {name: getattr(told, name) for name in ("label", "given", "without", "spent", "missing")}
        connection.execute(query("spend", "add_return"), {"scope": scope, **facts, **ends})


def _run_off(connection: psycopg.Connection, night: _Night) -> tuple[int, str]:
    this_month = night.today.replace(day=1)
    with connection.cursor(row_factory=dict_row) as cursor:
        running = cursor.execute(query("spend", "running"), {"this_month": this_month}).fetchall()
    discounts = [Discount(**row) for row in running]
    staying = _staying(connection, night, sorted({one.customer_id for one in discounts}))
    connection.execute(query("spend", "clear_run_off"))
    for month in run_off(discounts, staying, this_month):
        connection.execute(query("spend", "add_run_off"), asdict(month))
    return len(discounts), "" if staying is not None else NO_MODELS


def _staying(connection: psycopg.Connection, night: _Night, customers: list[str]) -> dict[str, list[float]] | None:
    """Chances of still being a customer at the end of each month to come, of those who are one now."""
    if night.models is None:
        return None
    rows = [
        row
        for row in store.features(connection, customers, [night.as_of] * len(customers))
        if row["live_subscriptions"]
    ]
    if not rows:
        return {}
    chance, curve = night.models
    ahead = look_ahead(
        curve, rows, risk_of(chance, rows), horizon_days=night.company.horizon_days, economics=night.economics
    )
    return {row["customer_id"]: line.tolist() for row, line in zip(rows, ahead.staying, strict=True)}


def _givers(connection: psycopg.Connection, log: pd.DataFrame) -> tuple[int, dict[str, float | None]]:
    """Every agent with calls against the case mix; the funnel, empty where there are too few calls."""
    none: dict[str, float | None] = dict.fromkeys(("mean_variance", "overdispersion", "spread", "middle"))
    connection.execute(query("spend", "clear_givers"))
    held = log[log["agent_id"].notna()].reset_index(drop=True)
    amounts, agents = held["amount"].to_numpy(float), held["agent_id"].to_numpy(object)
    hidden = {*LOG_COLUMNS, "p_nothing", "instrument", "worth"}
    try:
        expected = expected_amounts(held.drop(columns=[name for name in held if name in hidden]), amounts, agents)
    except NotEnoughData:
        return 0, none
    funnel, names, places = givers(amounts, expected, agents)
    teams = {person.staff_id: person.team for person in store.desk_staff(connection)}
    sums = pd.DataFrame({"agent": agents, "given": amounts, "expected": expected}).groupby("agent").agg(
        calls=("given", "size"), given=("given", "sum"), expected=("expected", "sum")
    )  # fmt: skip
    for name, place in zip(names, places, strict=True):
        facts = {"staff_id": name, "team": teams.get(name), **sums.loc[name].to_dict(), **asdict(place)}
        connection.execute(query("spend", "add_giver"), facts | {"calls": int(facts["calls"])})
    return len(names), {name: getattr(funnel, name) for name in none}


def _likeness(
    connection: psycopg.Connection, rows: list[dict[str, Any]], log: pd.DataFrame, economics: Economics
) -> int:
    """Near-identical cases, in all and by team, region and every group the company holds."""
    connection.execute(query("spend", "clear_likeness"))
    if not rows:
        return 0
    frame = features.frame(rows).reset_index(drop=True)
    teams = {person.staff_id: person.team for person in store.desk_staff(connection)}
    groups = {"team": log["agent_id"].map(teams.get).to_numpy(object)}
    for name in ("region", *(name for name in frame.columns if features.is_protected(name))):
        if name in frame:
            groups[name] = frame[name].astype(object).where(frame[name].notna(), None).to_numpy(object)
    worth = log["worth"].astype(float) if log["worth"].notna().any() else pd.Series(margins(rows, economics).amount)
    facts = pd.DataFrame(
        {
            "plan": frame["plan"], "reason": log["contact_reason"],
            "tenure_months": frame["tenure_months"].astype(float),
            "monthly_bill": frame["monthly_price"].astype(float), "worth": worth.to_numpy(float),
        }
    )  # fmt: skip
    found = likeness(facts, log["amount"].to_numpy(float), groups)
    for one in found:
        connection.execute(query("spend", "add_likeness"), asdict(one))
    return max(len(found) - 1, 0)
