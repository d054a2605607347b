"""What is for every night: all of it in order, and each step by itself."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from churn.commands import shared


def add(command: shared.Command) -> None:
    """night; and one by one sync, score, outcomes, callbacks, trends, voice, volume, spend, replay-log, data."""
    command("night", night, "all that is for every night, in order; exit code 1 when a step failed")
    command("sync", sync, "bring the search directory up to date")
    score_ = command("score", score, "score whose inputs changed, by the current models")
    score_.add_argument("--engine", choices=("local", "dask"), default="local", help="who does it (this process)")
    score_.add_argument("--workers", type=int, help="processes of a Dask cluster made here (cores)")
    score_.add_argument("--full", action="store_true", help="everyone, whether or not anything changed")
    command("outcomes", outcomes, "what became of everybody who came to cancel, and clawing back; for every night")
    callbacks_ = command("callbacks", callbacks, "who is worth ringing today; for every night, after score")
    callbacks_.add_argument("--call-cost", type=float, help="what one call costs, in the company's currency (6)")
    command(
        "trends", trends, "churn, predictions and saves by agent added up for the pages; every night, after outcomes"
    )
    voice_ = command("voice", voice, "what customers say and what is rising; for every night, after score")
    voice_.add_argument(
        "--digest", type=Path, metavar="FILE", help="write the newest digest (.md or .html), run nothing"
    )
    volume_ = command("volume", volume, "contacts counted, tomorrow's calls forecast; for every night")
    volume_.add_argument("--all", action="store_true", help="count every day anew, not only the last ones")
    command("spend", spend, "what the money brought and still costs; for every night, after score and outcomes")
    command("replay-log", replay_log, "settled calls made ready to try another policy on; for every night")
    command("data", data, "whether today's data are sound, and how far from what the models learned; for every night")


def night(_asked: argparse.Namespace) -> int:
    """Every step. 1 when one failed; the others ran all the same."""
    from churn.night import pass_a_night
    from churn.operations import logs

    settings = shared.existing()
    logs.configure()
    passed = pass_a_night(settings, progress=shared.Progress())
    failed = [one.name for one in passed if one.fault]
    if failed:
        print(f"{len(failed)} of {len(passed)} steps failed: {', '.join(failed)}.", file=sys.stderr)
        return 1
    print(f"{len(passed)} steps, all done.")
    return 0


def sync(_asked: argparse.Namespace) -> int:
    """The search directory from `crm`."""
    from churn import scoring

    settings, progress = shared.existing(), shared.Progress()
    with progress.step("Search directory"):
        scoring.sync_directory(settings, progress=progress)
    return 0


def score(asked: argparse.Namespace) -> int:
    """Everyone's scores by the current models, and those of open contacts."""
    from churn import scoring
    from churn.calls import escalations

    settings, progress = shared.existing(), shared.Progress()
    with progress.step("Scores"):
        print(
            scoring.score_everyone(
                settings, progress=progress, engine=asked.engine, workers=asked.workers, is_full=asked.full
            )
        )
        if escalations.score_open(settings, progress=progress) is None:
            progress("escalations: no model is in use; `train` makes one where the data allow")
    return 0


def outcomes(_asked: argparse.Namespace) -> int:
    """Saves and losses as of the company's day; running it again changes nothing."""
    from churn.calls import outcomes

    settings, progress = shared.existing(), shared.Progress()
    with progress.step("Outcomes"):
        print(outcomes.settle(settings, progress=progress))
    return 0


def callbacks(asked: argparse.Namespace) -> int:
    """The callback queue, made anew from today's scores."""
    from churn.calls import callback_ranking as ranking

    settings, progress = shared.existing(), shared.Progress()
    with progress.step("Callbacks"):
        print(ranking.fill(settings, call_cost=asked.call_cost or ranking.CALL_COST, progress=progress))
    return 0


def trends(_asked: argparse.Namespace) -> int:
    """What the pages for trends and the team show, made anew; months long past stay as they are."""
    from churn.trends import team_job, trend_job

    settings, progress = shared.existing(), shared.Progress()
    with progress.step("Trends"):
        print(trend_job.refresh(settings, progress=progress))
    with progress.step("Team"):
        print(team_job.judge(settings, progress=progress))
    return 0


def voice(asked: argparse.Namespace) -> int:
    """The daily focus group: count, read, test; or its digest into a file."""
    from churn import db, store
    from churn.core.voice import digest
    from churn.voice import voice as customers_voice
    from churn.voice import voice_nights

    settings, progress = shared.existing(), shared.Progress()
    if asked.digest is None:
        with progress.step("Voice"):
            print(voice_nights.run(settings, progress=progress))
        return 0
    with db.connect(settings, "batch") as connection:
        told = customers_voice.digest(connection, store.company(connection))
    if told is None:
        raise shared.NotYet("Nothing is counted yet: `python3 -m churn voice` does it.")
    is_mail = asked.digest.suffix.lower() in {".html", ".htm"}
    asked.digest.write_text(digest.as_html(told) if is_mail else digest.as_text(told), encoding="utf-8")
    print(f"{asked.digest}: what customers said up to {told.day}.")
    return 0


def volume(asked: argparse.Namespace) -> int:
    """Contacts counted by half-hour, what changes brought, and the forecast."""
    from churn.forecasting import volume_nights

    settings, progress = shared.existing(), shared.Progress()
    with progress.step("Volume"):
        print(volume_nights.run(settings, progress=progress, is_anew=asked.all))
    return 0


def spend(_asked: argparse.Namespace) -> int:
    """Make what the night finds out of the money anew."""
    from churn.finance import spend_job

    print(spend_job.refresh(shared.existing(), progress=shared.Progress()))
    return 0


def replay_log(_asked: argparse.Namespace) -> int:
    """Settled calls of the last months, made ready for the policy page."""
    from churn.policies import replay_nights
    from churn.policies.stored import policy_of_job

    settings, progress = shared.existing(), shared.Progress()
    with progress.step("Replay"):
        print(replay_nights.prepare(settings, policy_of_job(settings), progress=progress))
    return 0


def data(_asked: argparse.Namespace) -> int:
    """Profile the data; measure the models in use and the trial against them."""
    from churn.trust import data_job, drift_job

    settings, progress = shared.existing(), shared.Progress()
    with progress.step("Data"):
        print(data_job.profile(settings, progress=progress))
    with progress.step("Models"):
        print(drift_job.measure(settings, progress=progress))
    return 0
