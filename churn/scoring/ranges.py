"""One range of customers scored, in one transaction: all of the range or nothing, and never twice.

Any process that reaches the database may do it: the plan in the database says for which instant, by which models and on
which terms. A range that is done already is left alone, so whoever lost a worker may hand its ranges out again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import class_row, dict_row
from psycopg.types.json import set_json_loads

from churn import db, registry, store
from churn.core.leaving.fitted import Fitted
from churn.core.leaving.outlook import Economics, look_ahead, risk_of
from churn.core.leaving.risk import ChurnRisk
from churn.core.staying.survival import TenureCurve
from churn.queries import query
from churn.settings import Settings

RISK_DIGITS = 6  # a millionth: what a matrix product does to the last digits in another batch is far below
MONTH_DIGITS = 4


class PlanGone(RuntimeError):
    """This scoring was given up meanwhile: the next one does its ranges."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models a range is scored by, as loaded."""

    risk: Fitted[ChurnRisk]
    survival: Fitted[TenureCurve] | None
    risk_version: int
    survival_version: int | None


@dataclass(frozen=True, slots=True)
class Task:
    """A range as planned: keys from `first` (None: from the beginning) to before `beyond` (None: to the end)."""

    first: str | None
    beyond: str | None
    done_at: datetime | None
    as_of: datetime
    risk_version: int
    survival_version: int | None
    horizon_months: int
    annual_rate: float
    margin_rate: float
    margin_rate_se: float
    is_full: bool
    written_at: str  # what a replica must have taken in before it may be read

    @property
    def economics(self) -> Economics:
        """What worth is reckoned with."""
        return Economics(self.horizon_months, self.annual_rate, self.margin_rate, self.margin_rate_se)

    def by(self, horizon_days: int) -> str:
        """All that a score goes by besides its customer's features, as words of a fingerprint."""
        return f"|{self.risk_version}|{self.survival_version}|{horizon_days}|{self.economics}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a range holds: how many are live, features of those to be scored anew, keys whose score falls away."""

    live: int
    changed: Sequence[dict[str, Any]]
    gone: Sequence[str]


def score_range(settings: Settings, plan_id: UUID, range_no: int) -> int:
    """Do one range of a plan, unless it is done; its number. Raises PlanGone, db.ReplicaBehind."""
    with db.connect(settings, "batch") as connection, connection.transaction():
        asked = {"plan_id": plan_id, "range_no": range_no}
        task = connection.cursor(row_factory=class_row(Task)).execute(query("scores", "take_range"), asked).fetchone()
        if task is None:
            raise PlanGone(PlanGone.__doc__)
        if task.done_at is None:
            horizon_days = store.company(connection).horizon_days
            found = _to_score(settings, task, horizon_days)
            models = _models(settings, task.risk_version, task.survival_version)
            with connection.cursor().copy(query("scores", "copy")) as copy:
                for row in _scores_of(models, found.changed, horizon_days, task.economics):
                    copy.write_row(row)
                for key in found.gone:
                    copy.write_row((key, *[None] * 9))
            came_to = {"live": found.live, "anew": len(found.changed), "gone": len(found.gone)}
            connection.execute(query("scores", "range_done"), asked | came_to)
    return range_no


def _to_score(settings: Settings, task: Task, horizon_days: int) -> Found:
    """Read a range, from a replica where there is one."""
    asked = {
        "customers": None, "instants": None, "as_of": task.as_of, "first": task.first, "beyond": task.beyond,
        "is_full": task.is_full, "by": task.by(horizon_days),
    }  # fmt: skip
    with db.connect_to_read(settings, "batch", task.written_at) as connection:
        set_json_loads(orjson.loads, connection)  # five objects a customer: half of the time it takes to read a row
        cursor = connection.cursor(row_factory=dict_row)
        rows = cursor.execute(query("scores", "to_score"), asked, prepare=False).fetchall()
    return Found(
        live=int(rows[0]["live"]),
        changed=[row for row in rows if row["is_gone"] is False],
        gone=[row["key"] for row in rows if row["is_gone"]],
    )


def _scores_of(
    models: Models, rows: Sequence[dict[str, Any]], horizon_days: int, economics: Economics
) -> Iterable[tuple[Any, ...]]:
    """One tuple of desk.scores per row of features."""
    if not rows:
        return
    risks = risk_of(models.risk, rows)
    worths: Iterator[tuple[float | None, ...]] = iter([(None,) * 4] * len(rows))
    if models.survival is not None:
        ahead = look_ahead(models.survival, rows, risks, horizon_days=horizon_days, economics=economics)
        worth = ahead.worth
        worths = zip(
            worth.clv.round(2).tolist(), worth.low.round(2).tolist(), worth.high.round(2).tolist(),
            ahead.expected_months.round(MONTH_DIGITS).tolist(), strict=True,
        )  # fmt: skip
    for row, risk, of_worth in zip(rows, risks.round(RISK_DIGITS).tolist(), worths, strict=True):
        yield (
            row["customer_id"], row["as_of"], risk, *of_worth, models.risk_version, models.survival_version,
            row["inputs"],
        )  # fmt: skip


@lru_cache(maxsize=2)
def _models(settings: Settings, risk_version: int, survival_version: int | None) -> Models:
    """Read once a process: a worker does many ranges by the same models."""
    with db.connect(settings, "batch") as connection:
        return Models(
            registry.load(connection, risk_version),
            registry.load(connection, survival_version) if survival_version else None,
            risk_version,
            survival_version,
        )
