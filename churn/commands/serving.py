"""Serving the app, and what goes with the place it runs at: set-up, backups, who works there."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from churn.commands import company, shared
from churn.settings import PROJECT, Settings


def add(command: shared.Command) -> None:
    """run, serve, setup, backup, restore, staff."""
    for name, act, what in (
        ("run", run, "set up whatever is missing, with a simulated company if there is none, and serve"),
        ("serve", serve, "serve the app, nothing else"),
    ):
        serving = command(name, act, what)
        serving.add_argument("--port", type=int, default=8501)
        serving.add_argument("--address", default="127.0.0.1", help="0.0.0.0 to be reached from elsewhere (sign-in)")
        serving.add_argument("--headless", action="store_true", help="open no browser")
        serving.add_argument("--metrics-port", type=int, metavar="PORT", help="figures for Prometheus on it")
    command("setup", setup, "make the environment, nothing else")
    for name, act, what in (
        ("backup", backup, "write the company's database into one file"),
        ("restore", restore, "make a new database (--database NAME) from such a file"),
    ):
        command(name, act, what).add_argument("file", type=Path)
    _add_staff(command("staff", staff, "who works here: list, add, role, leave"))


def _add_staff(parser: argparse.ArgumentParser) -> None:
    staff_acts = parser.add_subparsers(dest="what", metavar="list | add | role | leave")
    staff_acts.add_parser("list", help="everybody, with what they sign in by")
    add_ = staff_acts.add_parser("add", help="add a person, or change one")
    add_.add_argument("person", metavar="KEY")
    add_.add_argument("--name", required=True)
    add_.add_argument("--role", required=True)
    add_.add_argument("--team")
    add_.add_argument("--sign-in", metavar="E-MAIL", help="what the company's sign-in knows them by")
    role_ = staff_acts.add_parser("role", help="give somebody another role; their sessions end")
    role_.add_argument("person", metavar="KEY")
    role_.add_argument("role")
    role_.add_argument("--team")
    leave_ = staff_acts.add_parser("leave", help="let somebody go; they are out at once")
    leave_.add_argument("person", metavar="KEY")


def run(asked: argparse.Namespace) -> int:
    """Everything that is missing, in order, then the app. Each step is skipped when it is done already."""
    from churn import db
    from churn.web.serve import refuse_open_door, refuse_taken_port

    refuse_open_door(asked.address)
    refuse_taken_port(asked.address, asked.port)
    settings, progress = shared.settings(), shared.Progress()
    progress(f"Keepline, database {settings.database}")
    db.create_database(settings)
    if not shared.state(settings).has_company:
        with progress.step(f"Simulated company of {company.DEMO_CUSTOMERS:,} customers"):
            company.simulate(
                settings,
                customers=company.DEMO_CUSTOMERS,
                months=company.DEMO_MONTHS,
                seed=company.DEMO_SEED,
                progress=progress,
            )
    if shared.state(settings).source == "simulated":  # each month has budgets of its own
        with progress.step("Policy and budgets"):
            company.install_policy(settings, progress)
    if not shared.state(settings).has_directory:
        from churn import scoring

        with progress.step("Search directory"):
            scoring.sync_directory(settings, progress=progress)
    if not shared.state(settings).has_models:
        from churn import training

        with progress.step("Models"):
            training.train(settings, progress=progress, by=shared.who())
    if not shared.state(settings).has_scores:
        from churn import scoring

        with progress.step("Scores"):
            scoring.score_everyone(settings, progress=progress)
    if shared.state(settings).source == "simulated" and not shared.state(settings).has_night:
        with _night_beside(settings):
            return serve(asked)
    return serve(asked)


@contextlib.contextmanager
def _night_beside(settings: Settings) -> Iterator[None]:
    """The first night in a process of its own, behind whoever is at the desk; it ends with the app at the latest."""
    print("The first night's counts are made beside it: what leaders and finance read fills in.", flush=True)
    night = subprocess.Popen(
        ["nice", sys.executable, "-m", "churn", "--database", settings.database, "night"], cwd=PROJECT
    )
    try:
        yield
    finally:
        if night.poll() is None:  # begun anew by the next `run`
            night.terminate()
        night.wait()


def serve(asked: argparse.Namespace) -> int:
    """The app, on a database that is there."""
    from churn import db
    from churn.crm import contract
    from churn.web.serve import refuse_open_door, refuse_taken_port, serve_forever

    refuse_open_door(asked.address)
    refuse_taken_port(asked.address, asked.port)
    settings = shared.existing()
    db.create_database(settings)  # newer migrations, if any
    with db.connect(settings, "batch") as connection:
        problems = contract.check_catalogue(connection)
    for problem in problems:
        print(problem.text, file=sys.stderr)
    if any(not problem.is_optional for problem in problems):
        raise shared.NotYet("The company's data cannot be served before the above is mended.")
    serve_forever(
        settings,
        address=asked.address,
        port=asked.port,
        opens_browser=not asked.headless,
        metrics_port=asked.metrics_port,
    )
    return 0


def setup(_asked: argparse.Namespace) -> int:
    """Reached only once everything is in place."""
    print("Ready: python3 -m churn run")
    return 0


def backup(asked: argparse.Namespace) -> int:
    """One file; nothing is stopped meanwhile."""
    from churn.operations.backup import back_up

    settings, progress = shared.existing(), shared.Progress()
    with progress.step(f"Backup of {settings.database}"):
        size = back_up(settings, asked.file)
    print(f"{asked.file}: {size:,} bytes, with everybody's personal data in it. Keep it as you keep the database.")
    return 0


def restore(asked: argparse.Namespace) -> int:
    """A new database, with the newest migrations."""
    from churn.operations.backup import restore as restore_from

    settings, progress = shared.settings(), shared.Progress()
    with progress.step(f"Restoring {settings.database}"):
        restore_from(settings, asked.file)
    return 0


def staff(asked: argparse.Namespace) -> int:
    """The staff list, and each change of it with its row in the audit."""
    from churn import db, people

    database = db.open_database(shared.existing(), size=1)
    try:
        if asked.what == "add":
            people.put(database, people.Employee(asked.person, asked.name, asked.role, asked.team, asked.sign_in))
        elif asked.what == "role":
            kept = {"team": asked.team} if asked.team else {}
            people.change(database, asked.person, role=asked.role, **kept)
        elif asked.what == "leave":
            people.change(database, asked.person, is_active=False)
        for one in people.everyone(database):
            told = f"{one.staff_id:12}{one.role:15}{one.team or '–':18}{one.name:28}{one.sign_in or '–'}"
            print(told if one.is_active else f"{told}  (left)")
    finally:
        database.close()
    return 0
