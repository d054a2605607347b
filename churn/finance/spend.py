"""What finance reads of the money: sums over the ledger, its rows, months, budgets, and what the night found out.

Every sum is the ledger's own, in minor units of one currency; nothing is added across currencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import psycopg
from psycopg.rows import class_row, dict_row

from churn.core.finance.incremental import Range, Return
from churn.core.finance.pace import WEEKS, Forecast, forecast
from churn.core.trends.funnel import Funnel
from churn.queries import query

CUTS = ("agent", "team", "instrument", "reason", "plan", "region", "kind")
MOST_ROWS = 1_000
EVERY_ROW = 1_000_000  # an export takes all there are


@dataclass(frozen=True, slots=True)
class Period:
    """Some months of one currency, both ends included; months by their first day."""

    first: date
    last: date
    currency: str


@dataclass(frozen=True, slots=True)
class Month:
    """A month as it was first reported and with what was taken back of it since; closed by whom, or still open."""

    month: date
    currency: str
    entries: int
    granted: int
    reported: int
    restated: int
    closed_by: str | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Budget:
    """A team's money for an instrument in a month, and what the ledger says is spent of it."""

    budget_id: int
    team: str
    instrument: str
    currency: str
    time_zone: str
    amount_limit: int
    is_closed: bool
    spent: int


@dataclass(frozen=True, slots=True)
class Statement:
    """The sums somebody signed off, by team, instrument and currency."""

    month: date
    closed_by: str
    closed_at: datetime
    statement: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class State:
    """When the night last looked at the money, at which calls, and the funnel of givers."""

    as_of: datetime
    refreshed_at: datetime
    currency: str
    since_on: date | None
    until_on: date | None
    window_days: int
    run_off_missing: str
    mean_variance: float | None
    overdispersion: float | None
    spread: float | None
    middle: float | None

    @property
    def funnel(self) -> Funnel | None:
        """The funnel of givers; None where there were too few calls."""
        if self.mean_variance is None or self.overdispersion is None or self.spread is None or self.middle is None:
            return None
        return Funnel(self.mean_variance, self.overdispersion, self.spread, self.middle)


def months(connection: psycopg.Connection) -> list[Month]:
    """Every month with entries, newest first, one row a currency."""
    with connection.cursor(row_factory=class_row(Month)) as cursor:
        return cursor.execute(query("spend", "months")).fetchall()


def by(connection: psycopg.Connection, cut: str, period: Period) -> pd.DataFrame:
    """value, entries, customers, granted, reversed, clawed_back, net (minor units), the largest first."""
    return _frame(connection, "by", _asked(cut, period))


def entries(
    connection: psycopg.Connection, cut: str, value: str | None, period: Period, *, most: int = MOST_ROWS
) -> tuple[pd.DataFrame, int, int]:
    """Ledger rows behind a figure, newest first and at most `most`; how many there are, and their net sum in all."""
    rows = _frame(connection, "entries", _asked(cut, period) | {"value": value, "most": most})
    if rows.empty:
        return rows, 0, 0
    told = int(rows["all_of_them"].iloc[0]), int(rows["net_of_all"].iloc[0])
    return rows.drop(columns=["all_of_them", "net_of_all"]), *told


def corrections(connection: psycopg.Connection, month: date) -> pd.DataFrame:
    """What was booked in a month about an earlier one, with the entry each row corrects."""
    return _frame(connection, "corrections", {"month": month})


def budgets(connection: psycopg.Connection, month: date) -> list[Budget]:
    """The budgets of a month by team and instrument."""
    with connection.cursor(row_factory=class_row(Budget)) as cursor:
        return cursor.execute(query("spend", "budgets"), {"month": month}).fetchall()


def forecasts(connection: psycopg.Connection, month: date, today: date) -> list[tuple[Budget, Forecast | None]]:
    """Each budget of a month with what the month will come to, those whose money ends first on top."""
    since = today - timedelta(weeks=WEEKS)
    days: dict[tuple[str, str, str], dict[date, int]] = {}
    for team, instrument, currency, booked_on, net in connection.execute(query("spend", "days"), {"since": since}):
        days.setdefault((team, instrument, currency), {})[booked_on] = net
    begun = {(row[0], row[1], row[2]): row[3] for row in connection.execute(query("spend", "begun"))}
    found = []
    for one in budgets(connection, month):
        key = (one.team, one.instrument, one.currency)
        told = forecast(
            days.get(key, {}),
            spent=one.spent,
            limit=one.amount_limit,
            month=month,
            today=today,
            since=begun.get(key, month),
        )
        found.append((one, told))
    return sorted(found, key=lambda pair: -(pair[1].p_runs_out if pair[1] else -1.0))


def repeats(connection: psycopg.Connection, period: Period, *, most: int = MOST_ROWS) -> pd.DataFrame:
    """Customers given money more than once, by key: grants, net, currency, last_on, agents."""
    return _frame(connection, "repeats", {**asdict(period), "most": most})


def near_limits(connection: psycopg.Connection, period: Period) -> dict[tuple[str, int], list[tuple[int, int]]]:
    """(instrument, the giver's own limit) → (amount, how often)."""
    found: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for instrument, limit, amount, times in connection.execute(query("spend", "near_limits"), asdict(period)):
        found.setdefault((instrument, limit), []).append((amount, times))
    return found


def accrual(connection: psycopg.Connection) -> pd.DataFrame:
    """month, currency, granted, taken_back, applied, owed by the month it was given in, newest first."""
    return _frame(connection, "accrual", {})


def statement(connection: psycopg.Connection, month: date) -> Statement | None:
    """What was signed off for a month; None while it is open."""
    with connection.cursor(row_factory=class_row(Statement)) as cursor:
        return cursor.execute(query("spend", "statement"), {"month": month}).fetchone()


def sums(connection: psycopg.Connection, month: date) -> pd.DataFrame:
    """The sums of a month as the ledger has them now, by team, instrument and currency."""
    return _frame(connection, "sums", {"month": month})


def still_ties(signed: Statement, now: pd.DataFrame) -> bool:
    """Whether the ledger still says what was signed off, to the penny."""
    names = ("team", "instrument", "currency", "entries", "granted", "reversed", "clawed_back", "net")

    def held(rows: list[Any]) -> set[tuple[Any, ...]]:
        return {tuple(row[name] for name in names) for row in rows}

    return held(signed.statement) == held(now.astype(object).where(now.notna(), None).to_dict("records"))


def state(connection: psycopg.Connection) -> State | None:
    """When the night last looked; None before the first."""
    with connection.cursor(row_factory=class_row(State)) as cursor:
        return cursor.execute(query("spend", "state")).fetchone()


def returns(connection: psycopg.Connection) -> dict[str, Return]:
    """`all` and each instrument → what its money brought."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("spend", "returns")).fetchall()
    return {row["scope"]: _return(row) for row in rows}


def run_off(connection: psycopg.Connection) -> pd.DataFrame:
    """month, instrument, currency, customers, promised, expected of recurring discounts, the next month first."""
    return _frame(connection, "run_off", {})


def givers(connection: psycopg.Connection) -> pd.DataFrame:
    """Each agent's money against what callers like theirs are given, by name; major units a call."""
    return _frame(connection, "givers", {})


def likeness(connection: psycopg.Connection) -> pd.DataFrame:
    """cut, value, cases, spread, above, low, high for near-identical cases, all of them first; major units."""
    return _frame(connection, "likeness", {})


def _return(row: Mapping[str, Any]) -> Return:
    ranges = {
        name: None if row[name] is None else Range(row[name], row[f"{name}_low"], row[f"{name}_high"])
        for name in ("kept", "margin", "deadweight")
    }
    return Return(
        row["label"], row["given"], row["without"], float(row["spent"]), missing=row["missing"], **ranges
    )  # fmt: skip


def _asked(cut: str, period: Period) -> dict[str, Any]:
    if cut not in (*CUTS, "customer"):
        raise ValueError(f"Spend is cut by {', '.join(CUTS)}, not by {cut}.")
    return {"by": cut, **asdict(period)}


def _frame(connection: psycopg.Connection, name: str, asked: Mapping[str, Any]) -> pd.DataFrame:
    with connection.cursor() as cursor:
        rows = cursor.execute(query("spend", name), asked).fetchall()
        return pd.DataFrame(rows, columns=[column.name for column in cursor.description or ()])
