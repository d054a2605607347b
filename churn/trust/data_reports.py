"""What the data page reads: the newest profile, those before it, and for an administrator the rows set aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import psycopg
from psycopg.rows import class_row, dict_row

from churn.core.language import mark, t
from churn.core.trust.data_profile import LOOK_BACK, Alarm, alarms
from churn.core.words import named
from churn.crm.contract_rules import row_problem
from churn.queries import query

MOST_SET_ASIDE = 500
HELD = {" is missing": mark("{view} is missing"), " cannot be read": mark("{view} cannot be read")}
# As `sql/queries/data_reports.sql` and the contract name what was left out, and why.
LEFT_OUT = (
    mark("not scored: no live subscription"), mark("who has left is not scored"), mark("not scored: live"),
    mark("came after the last scoring, or nothing was scored yet: python3 -m churn score"),
    mark("not scored: erased"), mark("their data were erased on request"), mark("scored without worth"),
    mark("there is no survival model in use: python3 -m churn train"), mark("no customer can be scored"),
    mark("bills and late payments are left out"), mark("usage is left out"),
    mark("outages, price rises and campaigns are left out"), mark("what was given before Keepline is left out"),
)  # fmt: skip
Rows = list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Profile:
    """One night's look at the data; lists of objects as `desk.data_profiles` says."""

    profile_id: int
    as_of: datetime
    measured_at: datetime
    seconds: float
    tables: Rows
    columns: Rows
    doubles: Rows
    problems: Rows
    contacts: Rows
    sources: Rows
    set_aside: Rows
    held_back: Rows


@dataclass(frozen=True, slots=True)
class Past:
    """The empty values of an earlier profile."""

    measured_at: datetime
    columns: Rows


def newest(connection: psycopg.Connection) -> Profile | None:
    """The newest profile; None before the first night."""
    with connection.cursor(row_factory=class_row(Profile)) as cursor:
        return cursor.execute(query("data_reports", "newest")).fetchone()


def earlier(connection: psycopg.Connection, profile: Profile, *, most: int = LOOK_BACK) -> list[Past]:
    """The profiles before it, newest first."""
    with connection.cursor(row_factory=class_row(Past)) as cursor:
        asked = {"profile_id": profile.profile_id, "most": most}
        return cursor.execute(query("data_reports", "earlier"), asked).fetchall()


def alarms_of(profile: Profile, past: list[Past]) -> list[Alarm]:
    """What the newest profile rings for."""
    return alarms(profile.tables, profile.columns, [one.columns for one in past])


def problem_in_words(problem: Mapping[str, Any]) -> str:
    """A kept problem in the language spoken here; what no rule of rows found, as the night told it."""
    if "what" not in problem:
        return str(problem["sentence"])
    return row_problem(problem["view"], problem["what"], problem["rows"])


def held_in_words(what: str) -> str:
    """What scoring left out, as the night named it."""
    for end, said in HELD.items():
        if what.startswith("crm.") and what.endswith(end):
            return t(said, view=what.removesuffix(end))
    if what.startswith("no ") and what.endswith(" model"):
        return t("no {kind} model", kind=named(what.removeprefix("no ").removesuffix(" model")))
    return t(what)


def rows_set_aside(
    connection: psycopg.Connection, path: str, reason: str | None, *, most: int = MOST_SET_ASIDE
) -> pd.DataFrame:
    """path, line, column_name, value, reason, row (as read) of a file's newest import. An administrator's read."""
    with connection.cursor(row_factory=dict_row) as cursor:
        asked = {"path": path, "reason": reason, "most": most}
        return pd.DataFrame(cursor.execute(query("data_reports", "rows_set_aside"), asked).fetchall())
