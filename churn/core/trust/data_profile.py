"""Is today's input sound: how late each table is, whether more is empty than it used to be, and what to say of it.

A table's usual gap is the 95th percentile of the days between one day with new rows and the next, over GAP_DAYS. It is
late when its newest row is older than twice that, and at least LEAST_LATE days. A column jumps when the share of empty
values is above the median of the last profiles by more than chance explains (two proportions, z above JUMP_Z) and by
enough to matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Any

import numpy as np

from churn.core.language import mark, number, t, tn
from churn.core.words import named

GAP_DAYS = 180
RECENT_DAYS = 7
LEAST_LATE = 2  # days
FEWEST_DAYS = 5  # days with rows that a usual gap needs
JUMP_Z, LEAST_JUMP, LEAST_RECENT_JUMP = 4.0, 0.02, 0.05
FEWEST_ROWS = 30
LOOK_BACK = 14  # profiles
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something to look into today; `about` names the table or column."""

    kind: str  # late, empty or jump
    about: str
    sentence: str


def usual_gap(days: Iterable[date]) -> int | None:
    """Days from one day with new rows to the next, as it is 19 times in 20; None with too few days to tell."""
    known = sorted(set(days))
    if len(known) < FEWEST_DAYS:
        return None
    gaps = np.diff([day.toordinal() for day in known])
    return int(np.quantile(gaps, 0.95, method="higher"))


def late_by(age_days: int | None, gap: int | None) -> int | None:
    """Days beyond what is usual; None when it is not late, or nobody can say."""
    if age_days is None or gap is None:
        return None
    allowed = max(2 * gap, LEAST_LATE)
    return age_days - allowed if age_days > allowed else None


def alarms(tables: Sequence[Row], columns: Sequence[Row], earlier: Sequence[Sequence[Row]]) -> list[Alarm]:
    """What the newest profile should ring for: late tables, required tables without a row, columns that jumped.

    `tables`, `columns`: of the newest profile; `earlier`: the columns of the profiles before it, newest first.
    """
    return [*_late(tables), *_jumps(columns, earlier[:LOOK_BACK])]


def _late(tables: Sequence[Row]) -> Iterable[Alarm]:
    for table in tables:
        noun = str(table["noun"])
        if not table["rows"] and not table["is_optional"]:
            yield Alarm("empty", noun, t("{table} has no row: nothing can be said of any customer.", table=named(noun)))
        elif table["late_days"] is not None:
            yield Alarm(
                "late",
                noun,
                t(
                    "{table}: the newest row is {age} old; usually one comes every {gap}. Ask whoever delivers it.",
                    table=named(noun),
                    age=tn(table["age_days"], "{n} day", "{n} days"),
                    gap=tn(table["usual_gap_days"], "{n} day", "{n} days"),
                ),
            )


def _jumps(columns: Sequence[Row], earlier: Sequence[Sequence[Row]]) -> Iterable[Alarm]:
    before: dict[tuple[str, str], list[Row]] = {}
    for profile in earlier:
        for column in profile:
            before.setdefault((column["noun"], column["name"]), []).append(column)
    for column in columns:
        past = before.get((column["noun"], column["name"]), [])
        for nulls, rows, least, sentence in (
            (
                "recent_nulls", "recent_rows", LEAST_RECENT_JUMP,
                mark(
                    "{about}: {now} of the rows of the last {n} days are empty; in the last profiles it was {usual}."
                ),
            ),
            (
                "nulls", "rows", LEAST_JUMP,
                mark("{about}: {now} of all rows are empty; in the last profiles it was {usual}."),
            ),
        ):  # fmt: skip
            jumped = _jump([(p[nulls], p[rows]) for p in past], (column[nulls], column[rows]), least)
            if jumped is not None:
                usual, now = jumped
                about = f"{column['noun']}.{column['name']}"
                values = {"about": about, "now": _percent(now), "usual": _percent(usual), "n": RECENT_DAYS}
                yield Alarm("jump", about, t(sentence, **values))
                break


def _jump(past: Sequence[tuple[int, int]], now: tuple[int, int], least: float) -> tuple[float, float] | None:
    """(usual share, share now) where it is above what is usual by more than chance; else None."""
    held = [(nulls, rows) for nulls, rows in past if rows >= FEWEST_ROWS]
    if not held or now[1] < FEWEST_ROWS:
        return None
    usual, share = median(nulls / rows for nulls, rows in held), now[0] / now[1]
    size = median(rows for _, rows in held)
    pooled = (usual * size + now[0]) / (size + now[1])
    error = math.sqrt(pooled * (1 - pooled) * (1 / size + 1 / now[1]))
    is_beyond = share - usual > least and (error == 0 or (share - usual) / error > JUMP_Z)
    return (usual, share) if is_beyond else None


def _percent(share: float) -> str:
    return f"{number(share * 100, 1)} %"
