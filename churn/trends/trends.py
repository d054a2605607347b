"""What the trends page reads: aggregates the night made, as tables and frames; the database says who may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import psycopg
from psycopg.rows import class_row, dict_row

from churn.core import words
from churn.core.language import t
from churn.core.trends.curves import Table
from churn.core.trends.drivers import Driver
from churn.core.trends.rates import relative_error
from churn.queries import query

MOST_LISTED = 500
EVERY = ("plans", "regions", "segments", "tenures")  # what can be narrowed
UNKNOWN = "unknown"  # the group of those of whom the company's records do not say


@dataclass(frozen=True, slots=True)
class State:
    """When the aggregates were made and from when on leavers are known."""

    as_of: datetime
    since_on: date | None
    landmark_on: date | None
    refreshed_at: datetime


@dataclass(frozen=True, slots=True)
class Filter:
    """What the page is narrowed to; an empty choice is everything."""

    plans: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    tenures: tuple[str, ...] = ()

    def asked(self, *names: str) -> dict[str, list[str] | None]:
        """The values of some of them as a query takes them."""
        return {name: list(getattr(self, name)) or None for name in names}

    @property
    def of_any_tenure(self) -> Filter:
        """The same without a choice of tenure."""
        return replace(self, tenures=())

    @property
    def said(self) -> str:
        """In words, for a caption: `plan Fibre 35; region Wales`."""
        parts = [
            t("plan {names}", names=", ".join(map(group_said, self.plans))) if self.plans else "",
            t("region {names}", names=", ".join(map(group_said, self.regions))) if self.regions else "",
            t("segment {names}", names=", ".join(map(group_said, self.segments))) if self.segments else "",
            t("tenure {names}", names=", ".join(map(words.spoken, self.tenures))) if self.tenures else "",
        ]
        return "; ".join(filter(None, parts)) or t("all customers")


@dataclass(frozen=True, slots=True)
class Mark:
    """The mark of a picture somebody chose: each part that is there narrows the list behind it.

    With a month, plan and reason are those when it began; without one, as the curves know them.
    """

    month: date | None = None
    how: str | None = None
    reason: str | None = None
    cohort: str | None = None
    joined: str | None = None
    from_day: int | None = None
    to_day: int | None = None
    filter: Filter = field(default_factory=Filter)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the risk model in use said of customers it had not seen, in up to ten groups, and what they did."""

    groups: tuple[Mapping[str, float], ...]
    data_as_of: datetime

    @property
    def relative_error(self) -> float:
        """By how much its chances were off, as a share of the mean chance."""
        return relative_error([dict(group) for group in self.groups])


def group_said(name: str) -> str:
    """What a plan, region or segment is called: as the company does, but for the one nobody named."""
    return words.spoken(name) if name == UNKNOWN else name


def state(connection: psycopg.Connection) -> State | None:
    """When trends were last made; None before the first night."""
    with connection.cursor(row_factory=class_row(State)) as cursor:
        return cursor.execute(query("trends", "state")).fetchone()


def values(connection: psycopg.Connection) -> dict[str, list[str]]:
    """plan, region, segment and tenure → what can be chosen, the largest first."""
    found: dict[str, list[str]] = {}
    for cut, value, _ in connection.execute(query("trends", "values")):
        found.setdefault(cut, []).append(value)
    return found


def months(connection: psycopg.Connection, by: str | None, narrowed: Filter) -> pd.DataFrame:
    """month, value, live, voluntary, involuntary, moved; `by`: plan, region, segment, tenure, reason or None."""
    asked = {"by": by or "all", **narrowed.asked(*EVERY)}
    return _frame(connection, "months", asked, ["month", "value", "live", "voluntary", "involuntary", "moved"])


def tables(connection: psycopg.Connection, cut: str, narrowed: Filter) -> dict[str, Table]:
    """Value → survival table, the largest group first; `cut`: all, plan, region, segment, cohort, joined or reason.

    Narrowed to plans (those somebody was first seen with), regions and segments; tenure is what a curve runs over.
    """
    asked = {"by": cut, **narrowed.asked("plans", "regions", "segments")}
    rows = connection.execute(query("trends", "tenures"), asked).fetchall()
    return {value: Table.of(*columns) for value, *columns in rows}


def saves(connection: psycopg.Connection, narrowed: Filter) -> pd.DataFrame:
    """month, window_days, came, deflected, is_over, saved; plan and tenure as the day of the call found them."""
    columns = ["month", "window_days", "came", "deflected", "is_over", "saved"]
    return _frame(connection, "saves", narrowed.asked(*EVERY), columns)


def are_saves_grouped(connection: psycopg.Connection) -> bool | None:
    """Whether saves can be narrowed; None without any, False until the night that tells old ones apart."""
    row = connection.execute(query("trends", "saves_by_group")).fetchone()
    return row[0] if row else None


def risk(connection: psycopg.Connection, narrowed: Filter) -> pd.DataFrame:
    """plan, region, segment, customers, expected_leavers, margin, at_risk, variance."""
    columns = ["plan", "region", "segment", "customers", "expected_leavers", "margin", "at_risk", "variance"]
    return _frame(connection, "risk", narrowed.asked("plans", "regions", "segments"), columns)


def tenths(connection: psycopg.Connection) -> pd.DataFrame:
    """month, tenth, horizon_days, customers, expected, happened; empty until a horizon is over."""
    return _frame(connection, "tenths", {}, ["month", "tenth", "horizon_days", "customers", "expected", "happened"])


def held_out(connection: psycopg.Connection) -> HeldOut | None:
    """The held-out groups of the risk model in use; None without one, or for one that keeps none."""
    row = connection.execute(query("trends", "held_out")).fetchone()
    if row is None or not row[0].get("calibration"):
        return None
    return HeldOut(tuple(row[0]["calibration"]), row[1])


def drivers(connection: psycopg.Connection) -> list[Driver]:
    """What moves the risk, the largest first."""
    return [Driver(*row) for row in connection.execute(query("trends", "drivers"))]


def forbidden(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """Customers worth keeping whom policy cut off, by key, the most worth first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query("trends", "forbidden")).fetchall()


def leavers(connection: psycopg.Connection, mark: Mark, *, most: int = MOST_LISTED) -> tuple[pd.DataFrame, int]:
    """Who left behind a mark, newest first and at most `most`, and how many there are in all."""
    parts = {name: getattr(mark, name) for name in ("month", "how", "reason", "cohort", "joined", "from_day", "to_day")}
    return _listed(connection, "leavers", parts | mark.filter.asked(*EVERY) | {"most": most})


def came_in_month(
    connection: psycopg.Connection, month: date, narrowed: Filter, *, most: int = MOST_LISTED
) -> tuple[pd.DataFrame, int]:
    """Who came to cancel in a month and what became of them, and how many there are in all."""
    until = (month + timedelta(days=31)).replace(day=1)
    return _listed(connection, "came_in_month", {"first": month, "until": until, "most": most} | narrowed.asked(*EVERY))


def _listed(connection: psycopg.Connection, name: str, asked: Mapping[str, Any]) -> tuple[pd.DataFrame, int]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query("trends", name), asked).fetchall()
    return pd.DataFrame(rows).drop(columns="all_of_them", errors="ignore"), rows[0]["all_of_them"] if rows else 0


def _frame(connection: psycopg.Connection, name: str, asked: Mapping[str, Any], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(connection.execute(query("trends", name), asked).fetchall(), columns=columns)
