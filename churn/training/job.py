"""One run of training: what every fit needs, how a model or a refusal is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import psycopg

from churn import registry
from churn.core import features, records
from churn.core.leaving.fitted import Fitted, rebased
from churn.core.leaving.outlook import Economics
from churn.core.refusals import NoBetterThanUsual
from churn.core.trust.drift import Bins, learn
from churn.core.trust.model_judgement import against
from churn.progress import Tell

Array = np.ndarray[Any, Any]
SEED = 20240501
MOST_BINNED = 20_000  # customers that bins are made of
SCORE = "chance"


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
    economics: Economics

    def keep(self, kind: str, model: object, metrics: dict[str, Any], horizon_days: int | None = None) -> Trained:
        number = registry.register(
            self.connection, kind, model, data_as_of=self.until, horizon_days=horizon_days, metrics=metrics, by=self.by
        )
        return Trained(kind, number, metrics)

    def keep_bins(self, trained: Trained, frame: pd.DataFrame, model: Fitted[Any] | None = None) -> None:
        """Keep how training's rows fell into bins of each column, and `model`'s chances likewise: drift is from them.

        The chances are the kept model's own of its training rows: those of the one that was judged are another model's.
        """
        if len(frame) > MOST_BINNED:
            frame = frame.sample(MOST_BINNED, random_state=SEED)
        bins: list[tuple[Bins, bool, int]] = [(learn(str(c), frame[c]), False, len(frame)) for c in frame.columns]
        if model is not None:
            chance = rebased(model.estimator.predict_proba(frame[list(model.columns)])[:, 1], model.shift)
            bins.append((learn(SCORE, pd.Series(chance)), True, len(chance)))
        registry.keep_bins(self.connection, trained.model_version, bins)

    def rivalry(
        self, kind: str, test: tuple[pd.DataFrame, Array], chance: Array, since: datetime
    ) -> dict[str, Any] | None:
        """The model in use on the rows (columns, outcome) the new one is judged on; None without one that can be read.

        `since`: when the outcomes of these rows began. A model that learned from later data has seen some of them.
        """
        frame, outcome = test
        champion = registry.current(self.connection).get(kind)
        if champion is None:
            return None
        try:
            fitted: Fitted[Any] = registry.load(self.connection, champion.model_version)
        except (registry.ModelTampered, registry.ModelOfOtherLibraries):
            return None
        missing = {name: features.absent_value(name) for name in fitted.columns if name not in frame.columns}
        # As it was fitted: both without the shift to another base rate.
        said = fitted.estimator.predict_proba(frame.assign(**missing)[list(fitted.columns)])[:, 1]
        told: dict[str, Any] = against(outcome, said, chance)
        return told | {"champion": champion.model_version, "has_seen_some": champion.data_as_of > since}

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
