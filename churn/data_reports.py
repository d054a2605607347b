"""What the data page reads: the newest profile, those before it, and for an administrator the rows set aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import psycopg
from psycopg.rows import class_row, dict_row

from churn.core.data_profile import LOOK_BACK, Alarm, alarms
from churn.queries import query

MOST_SET_ASIDE = 500
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


def rows_set_aside(
    connection: psycopg.Connection, path: str, reason: str | None, *, most: int = MOST_SET_ASIDE
) -> pd.DataFrame:
    """path, line, column_name, value, reason, row (as read) of a file's newest import. An administrator's read."""
    with connection.cursor(row_factory=dict_row) as cursor:
        asked = {"path": path, "reason": reason, "most": most}
        return pd.DataFrame(cursor.execute(query("data_reports", "rows_set_aside"), asked).fetchall())
