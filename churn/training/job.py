"""One run of training: what every fit needs, how a model or a refusal is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from churn import registry
from churn.core import records
from churn.core.refusals import NoBetterThanUsual

Tell = Callable[[str], None]
SEED = 20240501


@dataclass(frozen=True, slots=True)
class Trained:
    """One model as registered, or the sentence why there is none."""

    kind: str
    model_version: int
    metrics: dict[str, Any]
    refusal: str | None = None

    def __str__(self) -> str:
        """One line for whoever trained it."""
        if self.refusal:
            return f"{self.kind}: no model. {self.refusal}"
        shown = {name: value for name, value in self.metrics.items() if isinstance(value, float | int)}
        figures = ", ".join(f"{name.replace('_', ' ')} {value:,.4g}" for name, value in shown.items())
        return f"{self.kind}: version {self.model_version}, {figures}"


@dataclass(frozen=True, slots=True)
class Job:
    """What every fit of one run needs."""

    connection: psycopg.Connection
    company: records.Company
    until: datetime
    by: str
    tell: Tell

    def keep(self, kind: str, model: object, metrics: dict[str, Any], horizon_days: int | None = None) -> Trained:
        number = registry.register(
            self.connection, kind, model, data_as_of=self.until, horizon_days=horizon_days, metrics=metrics, by=self.by
        )
        return Trained(kind, number, metrics)

    def refuse(self, kind: str, refusal: Exception, horizon_days: int | None = None) -> Trained:
        self.tell(f"{kind}: no model. {refusal}")
        number = registry.register_refusal(
            self.connection, kind, str(refusal), data_as_of=self.until, horizon_days=horizon_days, by=self.by
        )
        return Trained(kind, number, {}, str(refusal))


def must_help(metrics: dict[str, Any]) -> None:
    """Raises NoBetterThanUsual when what was learned says no more than the usual rate."""
    if metrics["log_loss"] >= metrics["log_loss_of_the_rate"]:
        raise NoBetterThanUsual(metrics["log_loss"], metrics["log_loss_of_the_rate"])
