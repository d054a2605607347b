"""Everything a night does, in order: each step by itself, so that one that fails is told and the others go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from churn import audit, db, scoring
from churn.calls import callback_ranking, escalations, outcomes
from churn.finance import spend_job
from churn.forecasting import volume_nights
from churn.operations import logs
from churn.policies import replay_nights
from churn.policies.stored import policy_of_job
from churn.progress import Tell
from churn.settings import Settings
from churn.trends import team_job, trend_job
from churn.trust import data_job, drift_job
from churn.voice import voice_nights

SCORES = "Scores"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a night does. `act` answers with what it came to."""

    name: str
    act: Callable[[Settings, Tell], object]


@dataclass(frozen=True, slots=True)
class Passed:
    """What a step came to; `fault` is a sentence where it failed."""

    name: str
    said: str
    fault: str | None = None


def steps() -> tuple[Step, ...]:
    """In the order in which each finds what it needs from those before."""
    return (
        Step("Search directory", lambda s, tell: f"{scoring.sync_directory(s, progress=tell):,} customers"),
        Step(SCORES, lambda s, tell: scoring.score_everyone(s, progress=tell)),
        Step("Escalations", _escalations),
        Step("Outcomes", lambda s, tell: outcomes.settle(s, progress=tell)),
        Step("Callbacks", lambda s, tell: callback_ranking.fill(s, progress=tell)),
        Step("Trends", lambda s, tell: trend_job.refresh(s, progress=tell)),
        Step("Team", lambda s, tell: team_job.judge(s, progress=tell)),
        Step("Voice", lambda s, tell: voice_nights.run(s, progress=tell)),
        Step("Volume", lambda s, tell: volume_nights.run(s, progress=tell)),
        Step("Spend", lambda s, tell: spend_job.refresh(s, progress=tell)),
        Step("Policy lab", _policy_lab),
        Step("Data", lambda s, tell: data_job.profile(s, progress=tell)),
        Step("Drift", lambda s, tell: drift_job.measure(s, progress=tell)),
        Step("Seals", _seals),
    )


def pass_a_night(settings: Settings, *, progress: Tell) -> list[Passed]:
    """Every step; what each came to. Lacking what it needs is a fault like any other."""
    done = []
    for step in steps():
        progress(f"{step.name} …")
        done.append(_passed(step, settings, progress))
        progress(f"{step.name}: {done[-1].fault or done[-1].said}")
    return done


def _passed(step: Step, settings: Settings, tell: Tell) -> Passed:
    try:
        return Passed(step.name, str(step.act(settings, tell)))
    except Exception as error:  # noqa: BLE001 - one failed step must not cost the company the rest of its night
        if type(error).__module__.startswith("churn"):  # a refusal of ours: a sentence that quotes no row
            return Passed(step.name, "", f"failed. {error}")
        logs.LOG.exception("A step of the night failed")
        return Passed(step.name, "", f"failed by {type(error).__name__}; the log says where.")


def _escalations(settings: Settings, tell: Tell) -> str:
    scored = escalations.score_open(settings, progress=tell)
    return "no model is in use" if scored is None else f"{scored:,} open contacts"


def _policy_lab(settings: Settings, tell: Tell) -> object:
    return replay_nights.prepare(settings, policy_of_job(settings), progress=tell)


def _seals(settings: Settings, _tell: Tell) -> str:
    database = db.open_database(settings, size=1)
    try:
        return f"{audit.seal(database):,} rows"
    finally:
        database.close()
