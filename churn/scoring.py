"""The nightly jobs: the search directory, and everyone's scores. Each is one transaction: all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from churn import db, registry, store
from churn.core import records
from churn.core.fitted import Fitted
from churn.core.outlook import Economics, look_ahead, risk_of
from churn.core.risk import ChurnRisk
from churn.core.survival import TenureCurve
from churn.queries import query
from churn.settings import Settings

Tell = Callable[[str], None]

MOST_REMEMBERED = 20_000  # predictions of a month, for what happened: enough for a tenth of them to be told to a point


class NoModel(LookupError):
    """There is no risk model in use: run `python3 -m churn train`, and `promote` one if training was refused before."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models in use, as loaded."""

    risk: Fitted[ChurnRisk]
    survival: Fitted[TenureCurve] | None
    risk_version: int
    survival_version: int | None


def sync_directory(settings: Settings, *, progress: Tell) -> int:
    """Bring the search directory and the list of reasons to what `crm` holds; how many customers it knows."""
    with db.connect(settings, "batch") as connection, connection.transaction():
        progress("directory: reading names and numbers")
        connection.execute(query("scores", "sync_directory"))
        connection.execute(query("scores", "forget_gone"))
        progress("reasons: counting why people call")
        connection.execute(query("scores", "forget_reasons"))
        connection.execute(query("scores", "count_reasons"))
        row = connection.execute(query("scores", "directory_size")).fetchone()
        return int(row[0]) if row else 0


def score_everyone(settings: Settings, *, progress: Tell) -> int:
    """Score every live customer by the models in use; how many. Raises NoModel, store.NoCompany."""
    with db.connect(settings, "batch") as connection:
        company = store.company(connection)
        as_of = company.data_until or datetime.now(UTC)
        versions = registry.current(connection)
        if "risk" not in versions:
            raise NoModel(NoModel.__doc__)
        survival = versions.get("survival")
        models = Models(
            registry.load(connection, versions["risk"].model_version),
            registry.load(connection, survival.model_version) if survival else None,
            versions["risk"].model_version,
            survival.model_version if survival else None,
        )
        done = 0
        with connection.transaction():
            connection.execute(query("scores", "stage"))
            for rows in store.features_of_everyone(connection, as_of):
                live = [row for row in rows if row["live_subscriptions"]]
                with connection.cursor().copy(query("scores", "copy")) as copy:
                    for scored in score_rows(models, live, company):
                        copy.write_row(scored)
                done += len(live)
                progress(f"scores: {done:,} customers")
            connection.execute(query("scores", "empty"))
            connection.execute(query("scores", "fill"))
            ran = {"as_of": as_of, "risk": models.risk_version, "survival": models.survival_version}
            connection.execute(query("scores", "note_run"), ran)
            kept = {"horizon_days": company.horizon_days, "most": MOST_REMEMBERED}
            connection.execute(query("scores", "remember"), kept)
        return done


def score_rows(models: Models, rows: Sequence[dict[str, Any]], company: records.Company) -> Iterator[tuple[Any, ...]]:
    """One tuple of desk.scores per row of features."""
    if not rows:
        return
    risks = risk_of(models.risk, rows)
    if models.survival is None:
        for row, risk in zip(rows, risks, strict=True):
            yield row["customer_id"], row["as_of"], float(risk), None, None, None, None, models.risk_version, None
        return
    ahead = look_ahead(models.survival, rows, risks, horizon_days=company.horizon_days, economics=Economics())
    figures = zip(rows, risks, ahead.worth.clv, ahead.worth.low, ahead.worth.high, ahead.expected_months, strict=True)
    for row, risk, clv, low, high, months in figures:
        yield (
            row["customer_id"], row["as_of"], float(risk), round(float(clv), 2), round(float(low), 2),
            round(float(high), 2), float(months), models.risk_version, models.survival_version,
        )  # fmt: skip
