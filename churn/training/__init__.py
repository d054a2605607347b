"""Fit, judge, register: what `python3 -m churn train` does."""

from __future__ import annotations

from datetime import UTC, datetime

from churn import db, registry, store
from churn.policies.stored import economics_in_force
from churn.progress import Tell
from churn.settings import Settings
from churn.training.calls import fit_effect, fit_why
from churn.training.escalations import fit_escalation
from churn.training.job import Job, Trained
from churn.training.leaving import fit_risk, fit_survival

__all__ = ["Trained", "train"]


def train(settings: Settings, *, progress: Tell, by: str) -> list[Trained]:
    """Fit, judge and register risk, survival, likely-why, the effect of concessions, and escalations.

    The first of a kind goes into use; later ones wait for a person.

    Raises store.NoCompany.
    """
    with db.connect(settings, "batch") as connection:
        company = store.company(connection)
        until = company.data_until or datetime.now(UTC)
        economics = economics_in_force(settings, store.local_day(until, company.time_zone))
        job = Job(connection, company, until, by, progress, economics)
        curve, survival = fit_survival(job)
        chance, risk = fit_risk(job, curve)
        results = [risk, survival, fit_why(job), fit_effect(job, chance, curve), fit_escalation(job)]
        in_use = registry.current(connection)
        for result in results:
            if result.refusal is None and result.kind not in in_use:
                registry.promote(connection, result.model_version, by)
        return results
