"""The command line: what may be asked, and each command in a few lines.

Only the standard library is imported here at the top, so that `--help` answers at once on any machine; a command
imports what it needs when it runs.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from uuid import UUID

if TYPE_CHECKING:
    import psycopg

    from churn.contract import State
    from churn.imports.taking import FileReport
    from churn.settings import Settings

PROJECT = Path(__file__).resolve().parent.parent
DEMO_CUSTOMERS, DEMO_SEED, DEMO_MONTHS = 20_000, 7, 24
TOLD_AGAIN_AFTER = 1.0  # seconds between two lines of progress of the same step


class NotYet(ValueError):
    """Something must be done first; the message says what to type."""


class Progress:
    """Tells what goes on, with the seconds since the command began."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.told = ("", 0.0)

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """One line; the same thing again only after a second, or when it is complete."""
        now = time.monotonic()
        if self.told[0] == what and now - self.told[1] < TOLD_AGAIN_AFTER and (done < total or not total):
            return
        self.told = (what, now)
        amount = f"  {done:,} of {total:,}" if total else ""
        print(f"{now - self.began:7.1f} s  {what}{amount}", flush=True)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A headline, the step, and how long it took."""
        began = time.monotonic()
        self(f"{name} …")
        yield
        self(f"{name}: done in {time.monotonic() - began:.1f} s")


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """What was asked. A mistake is told and ends the process with 2, as does `--help` with 0."""
    parser = make_parser()
    asked, rest = parser.parse_known_args(arguments)
    if rest and asked.command != "test":
        parser.error(f"unknown: {' '.join(rest)}")
    asked.rest = rest
    return asked


def make_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    shared = argparse.ArgumentParser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--database", metavar="NAME", help="the company's database (default: keepline)")
    parser = argparse.ArgumentParser(
        prog="python3 -m churn", description="Keepline, a retention desk.", parents=[shared]
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, act: Callable[[argparse.Namespace], int], what: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=what, description=what, parents=[shared], allow_abbrev=False)
        added.set_defaults(act=act)
        return added

    for name, act, what in (
        ("run", run, "set up whatever is missing, with a simulated company if there is none, and serve"),
        ("serve", serve, "serve the app, nothing else"),
    ):
        serving = command(name, act, what)
        serving.add_argument("--port", type=int, default=8501)
        serving.add_argument("--address", default="127.0.0.1", help="0.0.0.0 to be reached from elsewhere (sign-in)")
        serving.add_argument("--headless", action="store_true", help="open no browser")
        serving.add_argument("--metrics-port", type=int, metavar="PORT", help="figures for Prometheus on it")
    demo_ = command("demo", demo, "write a simulated company")
    demo_.add_argument("--customers", type=int, default=DEMO_CUSTOMERS)
    demo_.add_argument("--seed", type=int, default=DEMO_SEED)
    demo_.add_argument("--months", type=int, default=DEMO_MONTHS)
    demo_.add_argument("--until", type=_instant, help="where its history ends (now)")
    demo_.add_argument("--replace", action="store_true", help="in place of the simulated company before")
    import_ = command("import", import_files, "read a folder of files into the company's database")
    import_.add_argument("folder", type=Path)
    import_.add_argument("--mapping", required=True, metavar="NAME_OR_PATH")
    command("check", check, "whether data and models are as they must be; names every problem and what mends it")
    command("sync", sync, "bring the search directory up to date")
    command("train", train, "fit and judge the models on the data as it is")
    command("score", score, "score every customer with the current models")
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
    command("data", data, "whether today's data are sound, and how far from what the models learned; for every night")
    promote_ = command("promote", promote, "make a model version the current one")
    promote_.add_argument("version", type=int)
    promote_.add_argument("--by", required=True, metavar="PERSON")
    _staff_arguments(command("staff", staff, "who works here: list, add, role, leave"))
    for name, act, what in (
        ("backup", backup, "write the company's database into one file"),
        ("restore", restore, "make a new database (--database NAME) from such a file"),
    ):
        command(name, act, what).add_argument("file", type=Path)
    replay_ = command("replay", replay, "recompute the ladder of a stored decision and say whether it is the same")
    replay_.add_argument("decision", type=UUID, metavar="DECISION_ID")
    _money(command)
    _data_protection(command)
    command("test", test, "all checks and tests; what follows is handed to pytest")
    command("lint", lint, "formatting, lint and types")
    bench_ = command("bench", bench, "benchmarks of tests/bench, all or one")
    bench_.add_argument("name", nargs="?")
    command("setup", setup, "make the environment, nothing else")
    return parser


def _money(command: Callable[..., argparse.ArgumentParser]) -> None:
    """The commands behind finance's page."""
    command("spend", spend, "what the money brought and still costs; for every night, after score and outcomes")
    billing_ = command(
        "billing", billing, "take in a file of what billing applied; exit code 1 when rows were set aside"
    )
    billing_.add_argument("what", choices=("import",))
    billing_.add_argument("file", type=Path)
    billing_.add_argument("--mapping", required=True, type=Path, metavar="FILE.toml")


def _data_protection(command: Callable[..., argparse.ArgumentParser]) -> None:
    """The commands about a person's own data, about what was written down, and about the safety of what is installed."""
    audit_ = command("audit", audit, "seal what was written down, verify every seal, or list the roots to keep")
    audit_.add_argument("what", choices=("seal", "verify", "roots"))
    audit_.add_argument("--root", metavar="HEX", help="verify: a root kept elsewhere must be in the chain")
    explain_ = command("explain", explain, "what a stored decision went by, in words a customer can be read")
    explain_.add_argument("decision", type=UUID, metavar="DECISION_ID")
    person_ = command("person", person, "erase one customer on request, or export all that is held about them")
    person_.add_argument("what", choices=("erase", "export"))
    person_.add_argument("account")
    person_.add_argument("--reason", help="who asked for the erasure, and when")
    person_.add_argument("--to", type=Path, metavar="FILE", help="where the export goes (the screen)")
    retain_ = command("retain", retain, "count what was kept long enough by policy, or remove it; for every night")
    retain_.add_argument("--apply", action="store_true", help="remove it")
    command("audit-dependencies", audit_dependencies, "known holes of the packages installed; needs the internet")


def _staff_arguments(parser: argparse.ArgumentParser) -> None:
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


def obey(asked: argparse.Namespace) -> int:
    """Run the command; its exit code. What we refuse on purpose is one sentence, not a traceback."""
    if "database" in asked:
        os.environ["KEEPLINE_DATABASE"] = asked.database  # the app and every worker read the same settings
    signal.signal(signal.SIGTERM, _end)
    try:
        return int(asked.act(asked))
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except Exception as error:
        if not _is_a_sentence(error):
            raise
        print(str(error.args[0] if isinstance(error, KeyError) else error).strip(), file=sys.stderr)
        return 1
    finally:
        _leave_no_server()


# Commands ------------------------------------------------------------------------------------------------------------


def run(asked: argparse.Namespace) -> int:
    """Everything that is missing, in order, then the app. Each step is skipped when it is done already."""
    from churn import db
    from churn.serve import refuse_open_door, refuse_taken_port

    refuse_open_door(asked.address)
    refuse_taken_port(asked.address, asked.port)
    settings, progress = _settings(), Progress()
    progress(f"Keepline, database {settings.database}")
    db.create_database(settings)
    if not _state(settings).has_company:
        from churn.simulation import simulate, write_company

        with (
            db.connect(settings, "batch") as connection,
            progress.step(f"Simulated company of {DEMO_CUSTOMERS:,} customers"),
        ):
            _refuse_unnamed(connection, settings)
            company = simulate(DEMO_CUSTOMERS, DEMO_MONTHS, DEMO_SEED, _this_hour())
            write_company(connection, company, progress=progress)
    if _state(settings).source == "simulated":  # each month has budgets of its own
        with progress.step("Policy and budgets"):
            _install_policy(settings, progress)
    if not _state(settings).has_directory:
        from churn import scoring

        with progress.step("Search directory"):
            scoring.sync_directory(settings, progress=progress)
    if not _state(settings).has_models:
        from churn import training

        with progress.step("Models"):
            training.train(settings, progress=progress, by=_who())
    if not _state(settings).has_scores:
        from churn import scoring

        with progress.step("Scores"):
            scoring.score_everyone(settings, progress=progress)
    if _state(settings).source == "simulated" and not _state(settings).has_night:
        _pass_a_night(settings, progress)
    return serve(asked)


def serve(asked: argparse.Namespace) -> int:
    """The app, on a database that is there."""
    from churn import contract, db
    from churn.serve import refuse_open_door, refuse_taken_port, serve_forever

    refuse_open_door(asked.address)
    refuse_taken_port(asked.address, asked.port)
    settings = _existing(_settings())
    db.create_database(settings)  # newer migrations, if any
    with db.connect(settings, "batch") as connection:
        problems = contract.check_catalogue(connection)
    for problem in problems:
        print(problem.text, file=sys.stderr)
    if any(not problem.is_optional for problem in problems):
        raise NotYet("The company's data cannot be served before the above is mended.")
    serve_forever(
        settings,
        address=asked.address,
        port=asked.port,
        opens_browser=not asked.headless,
        metrics_port=asked.metrics_port,
    )
    return 0


def demo(asked: argparse.Namespace) -> int:
    """A simulated company of any size; `train` and `score` follow."""
    from churn import db, scoring
    from churn.simulation import simulate, write_company

    settings, progress = _settings(), Progress()
    db.create_database(settings)
    with db.connect(settings, "batch") as connection:
        _refuse_unnamed(connection, settings)
        with progress.step(f"Simulated company of {asked.customers:,} customers, seed {asked.seed}"):
            company = simulate(asked.customers, asked.months, asked.seed, asked.until or _this_hour())
            write_company(connection, company, replace=asked.replace, progress=progress)
    with progress.step("Policy and budgets"):
        _install_policy(settings, progress)
    with progress.step("Search directory"):
        scoring.sync_directory(settings, progress=progress)
    return 0


def import_files(asked: argparse.Namespace) -> int:
    """Files into `feed`; what could not be taken is told and kept."""
    from churn import db, scoring
    from churn.imports.loading import import_folder
    from churn.imports.mapping import load_mapping

    mapping = load_mapping(asked.mapping)
    settings, progress = _settings(), Progress()
    db.create_database(settings)
    with db.connect(settings, "batch") as connection:
        reports = import_folder(connection, asked.folder, mapping, progress=progress)
    if not all(report.is_unchanged for report in reports):
        with progress.step("Search directory"):
            scoring.sync_directory(settings, progress=progress)
    for report in reports:
        print(_told(report))
    return 1 if any(report.refusal for report in reports) else 0


def check(_asked: argparse.Namespace) -> int:
    """The data contract, the data against it, the models. 1 when something must be mended."""
    from churn import contract_check, db

    settings = _existing(_settings())
    with db.connect(settings, "batch") as connection:
        problems = [
            *contract_check.check_contract(connection),
            *contract_check.check_files(connection),
            *contract_check.check_models(connection),
        ]
        counts = contract_check.count_rows(connection)
    for view, rows in counts.items():
        print(f"{view:22}{rows:>14,} rows")
    for problem in problems:
        print(f"\n{problem.text}")
    faults = sum(not problem.is_optional for problem in problems)
    print(f"\n{faults} to mend, {len(problems) - faults} to know." if problems else "\nAll is as it must be.")
    return 1 if faults else 0


def sync(_asked: argparse.Namespace) -> int:
    """The search directory from `crm`."""
    from churn import scoring

    settings, progress = _existing(_settings()), Progress()
    with progress.step("Search directory"):
        scoring.sync_directory(settings, progress=progress)
    return 0


def train(_asked: argparse.Namespace) -> int:
    """New model versions, each judged; a refusal is a sentence among them."""
    from churn import training

    settings, progress = _existing(_settings()), Progress()
    with progress.step("Models"):
        reports = training.train(settings, progress=progress, by=_who())
    for report in reports:
        print(report)
    return 0


def score(_asked: argparse.Namespace) -> int:
    """Everyone's scores by the current models, and those of open contacts."""
    from churn import escalations, scoring

    settings, progress = _existing(_settings()), Progress()
    with progress.step("Scores"):
        scoring.score_everyone(settings, progress=progress)
        if escalations.score_open(settings, progress=progress) is None:
            progress("escalations: no model is in use; `train` makes one where the data allow")
    return 0


def outcomes(_asked: argparse.Namespace) -> int:
    """Saves and losses as of the company's day; running it again changes nothing."""
    from churn import outcomes

    settings, progress = _existing(_settings()), Progress()
    with progress.step("Outcomes"):
        print(outcomes.settle(settings, progress=progress))
    return 0


def callbacks(asked: argparse.Namespace) -> int:
    """The callback queue, made anew from today's scores."""
    from churn import callback_ranking as ranking

    settings, progress = _existing(_settings()), Progress()
    with progress.step("Callbacks"):
        print(ranking.fill(settings, call_cost=asked.call_cost or ranking.CALL_COST, progress=progress))
    return 0


def trends(_asked: argparse.Namespace) -> int:
    """What the pages for trends and the team show, made anew; months long past stay as they are."""
    from churn import team_job, trend_job

    settings, progress = _existing(_settings()), Progress()
    with progress.step("Trends"):
        print(trend_job.refresh(settings, progress=progress))
    with progress.step("Team"):
        print(team_job.judge(settings, progress=progress))
    return 0


def spend(_asked: argparse.Namespace) -> int:
    """Make what the night finds out of the money anew."""
    from churn import spend_job

    print(spend_job.refresh(_existing(_settings()), progress=Progress()))
    return 0


def billing(asked: argparse.Namespace) -> int:
    """Take in what billing applied. 1 when a row was set aside."""
    from churn import billing as billings

    try:
        taken = billings.import_file(_existing(_settings()), asked.file, billings.load_mapping(asked.mapping))
    except billings.UnreadableFile as error:
        raise NotYet(str(error)) from None
    print(taken)
    return 1 if taken.rows_set_aside and not taken.is_again else 0


def replay_log(_asked: argparse.Namespace) -> int:
    """Settled calls of the last months, made ready for the policy page."""
    from churn import db, replay_nights
    from churn.policies.stored import policy_in_force

    settings, progress = _existing(_settings()), Progress()
    database = db.open_database(settings, size=2)
    try:
        policy = policy_in_force(database, "batch")
    finally:
        database.close()
    with progress.step("Replay"):
        print(replay_nights.prepare(settings, policy, progress=progress))
    return 0


def voice(asked: argparse.Namespace) -> int:
    """The daily focus group: count, read, test; or its digest into a file."""
    from churn import db, store, voice_nights
    from churn import voice as customers_voice
    from churn.core import digest

    settings, progress = _existing(_settings()), Progress()
    if asked.digest is None:
        with progress.step("Voice"):
            print(voice_nights.run(settings, progress=progress))
        return 0
    with db.connect(settings, "batch") as connection:
        told = customers_voice.digest(connection, store.company(connection))
    if told is None:
        raise NotYet("Nothing is counted yet: `python3 -m churn voice` does it.")
    is_mail = asked.digest.suffix.lower() in {".html", ".htm"}
    asked.digest.write_text(digest.as_html(told) if is_mail else digest.as_text(told), encoding="utf-8")
    print(f"{asked.digest}: what customers said up to {told.day}.")
    return 0


def volume(asked: argparse.Namespace) -> int:
    """Contacts counted by half-hour, what changes brought, and the forecast."""
    from churn import volume_nights

    settings, progress = _existing(_settings()), Progress()
    with progress.step("Volume"):
        print(volume_nights.run(settings, progress=progress, is_anew=asked.all))
    return 0


def data(_asked: argparse.Namespace) -> int:
    """Profile the data; measure the models in use and the trial against them."""
    from churn import data_job, drift_job

    settings, progress = _existing(_settings()), Progress()
    with progress.step("Data"):
        print(data_job.profile(settings, progress=progress))
    with progress.step("Models"):
        print(drift_job.measure(settings, progress=progress))
    return 0


def promote(asked: argparse.Namespace) -> int:
    """A version becomes current by a person's name."""
    from churn import db, registry

    with db.connect(_existing(_settings()), "batch") as connection:
        registry.promote(connection, asked.version, asked.by)
    print(f"Model version {asked.version} is current, by {asked.by}.")
    return 0


def staff(asked: argparse.Namespace) -> int:
    """The staff list, and each change of it with its row in the audit."""
    from churn import db, people

    database = db.open_database(_existing(_settings()), size=1)
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


def backup(asked: argparse.Namespace) -> int:
    """One file; nothing is stopped meanwhile."""
    from churn.backup import back_up

    settings, progress = _existing(_settings()), Progress()
    with progress.step(f"Backup of {settings.database}"):
        size = back_up(settings, asked.file)
    print(f"{asked.file}: {size:,} bytes, with everybody's personal data in it. Keep it as you keep the database.")
    return 0


def restore(asked: argparse.Namespace) -> int:
    """A new database, with the newest migrations."""
    from churn.backup import restore as restore_from

    settings, progress = _settings(), Progress()
    with progress.step(f"Restoring {settings.database}"):
        restore_from(settings, asked.file)
    return 0


def replay(asked: argparse.Namespace) -> int:
    """A decision's ladder made anew from its receipt: the same, or each difference and 1."""
    from churn import db, offers

    database = db.open_database(_existing(_settings()), size=1)
    try:
        made, receipt = offers.recompute(database, "batch", asked.decision)
    finally:
        database.close()
    different = offers.differences(made, receipt)
    for line in different:
        print(line)
    rungs, version = len(made.rungs), receipt["inputs"]["policy_version"]
    told = f"{len(different)} values differ" if different else "the same ladder"
    print(f"Decision {asked.decision}, policy version {version}: {told}, {rungs} rungs. {made.say_yes.sentence}")
    return 1 if different else 0


def explain(asked: argparse.Namespace) -> int:
    """One paragraph from the receipt of a decision."""
    from churn import db, offers, privacy
    from churn.core.explanation import in_plain_words
    from churn.policies.stored import policy_version

    database = db.open_database(_existing(_settings()), size=1)
    try:
        receipt = offers.receipt_of(database, "batch", asked.decision)
        after = privacy.aftermath(database, "batch", asked.decision)
        policy = policy_version(database, "batch", receipt["inputs"]["policy_version"])
    finally:
        database.close()
    titles = {item.instrument: item.title for item in policy.instruments} if policy else {}
    print(in_plain_words(receipt, after, titles))
    return 0


def person(asked: argparse.Namespace) -> int:
    """What a customer may ask of the company, done by whoever runs this."""
    import json

    from churn import db, privacy

    if asked.what == "erase" and not asked.reason:
        raise NotYet("Say who asked for it and when: --reason 'letter of 2 November'.")
    database = db.open_database(_existing(_settings()), size=1)
    try:
        if asked.what == "export":
            text = json.dumps(privacy.held_as_job(database, asked.account, by=_who()), indent=1, ensure_ascii=False)
            if asked.to:
                asked.to.touch(mode=0o600)
                asked.to.write_text(text + "\n")
            print(f"All that is held is in {asked.to}." if asked.to else text)
            return 0
        done = privacy.erase_as_job(database, asked.account, reason=asked.reason, by=_who())
    finally:
        database.close()
    for table, rows in done.rows.items():
        print(f"{table:28}{rows:>8,} rows")
    print(f"{asked.account} was erased before." if done.is_replay else f"{asked.account} is erased.")
    if done.source_too:
        print("The system the data came from must erase them too: here they are hidden and never taken in again.")
    return 0


def audit(asked: argparse.Namespace) -> int:
    """Seal, verify or list; verify ends with 1 and names every row that is not as it was sealed."""
    from churn import audit as audits
    from churn import db

    database = db.open_database(_existing(_settings()), size=1)
    try:
        if asked.what == "seal":
            print(f"{audits.seal(database):,} rows sealed.")
        elif asked.what == "roots":
            for one in audits.seals(database):
                at = f"{one.sealed_at:%Y-%m-%d %H:%M}"
                print(f"{one.seal_id:>8}  {at}  {one.table_name:9}{one.rows:>8,} rows  {one.root}")
        else:
            faults = audits.verify(database)
            for fault in faults:
                row = f" row {fault.id}" if fault.id is not None else ""
                print(f"seal {fault.seal_id}, {fault.table_name}{row}: {fault.problem}")
            is_there = asked.root is None or audits.has_root(database, asked.root)
            if not is_there:
                print("The root kept elsewhere is not in the chain: it was made anew since.")
            if faults or not is_there:
                return 1
            print("Every sealed row is as it was.")
    finally:
        database.close()
    return 0


def retain(asked: argparse.Namespace) -> int:
    """What each period of policy reaches; removed only with --apply."""
    from churn import db, privacy

    with db.connect(_existing(_settings()), "batch") as connection:
        reached = privacy.retain(connection, by=_who(), applies=asked.apply)
    for one in reached:
        kept = "kept for good" if one.days is None else f"kept {one.days:,} days, to {one.before:%d %b %Y}"
        print(f"{one.subject:16}{kept:36}{one.affected:>12,} rows")
    print("Removed." if asked.apply else "Nothing was removed: this is what --apply would do.")
    return 0


def audit_dependencies(_asked: argparse.Namespace) -> int:
    """Known holes of every package installed here. 1 when there are any, or they cannot be looked up."""
    from churn import advisories

    found = advisories.known_holes()
    for line in found:
        print(line)
    print(f"{len(found)} known holes." if found else "No known holes.")
    return 1 if found else 0


def test(asked: argparse.Namespace) -> int:
    """Lint and types, then every test, pytest's closing line last."""
    from churn import bootstrap

    try:
        os.environ["KEEPLINE_CHROMIUM"] = bootstrap.ensure_chromium()
    except bootstrap.CannotSetUp as missing:
        raise NotYet(str(missing)) from None
    faults = _lint()
    print("— tests", flush=True)
    tests = _tool("pytest", "-n", "auto", "--maxprocesses", "8", "--dist", "worksteal", *asked.rest)
    if faults:
        print(f"Not in order: {', '.join(faults)}.", file=sys.stderr)
    return tests or (1 if faults else 0)


def lint(_asked: argparse.Namespace) -> int:
    """Formatting, lint and types."""
    return 1 if _lint() else 0


def bench(asked: argparse.Namespace) -> int:
    """Each benchmark is a module of tests/bench with a main; `NAME` may leave out its `bench_`."""
    names = sorted(path.stem for path in (PROJECT / "tests/bench").glob("bench_*.py"))
    if asked.name:
        names = [name for name in names if name in {asked.name, f"bench_{asked.name}"}]
        if not names:
            raise NotYet(f"There is no benchmark '{asked.name}' in tests/bench.")
    codes = []
    for name in names:
        print(f"— {name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], cwd=PROJECT, check=False).returncode)
    return max(codes, default=0)


def setup(_asked: argparse.Namespace) -> int:
    """Reached only once everything is in place."""
    print("Ready: python3 -m churn run")
    return 0


# Shared --------------------------------------------------------------------------------------------------------------


def _settings() -> Settings:
    from churn.settings import read_settings

    return read_settings()


def _state(settings: Settings) -> State:
    """How far the set-up has come, asked anew after every step: one may be what the next was waiting for."""
    from churn import contract, db

    with db.connect(settings, "batch") as connection:
        return contract.state(connection)


def _existing(settings: Settings) -> Settings:
    from churn import db

    if not db.exists(settings):
        raise NotYet(f"There is no database {settings.database} yet: `python3 -m churn run` or `import` makes it.")
    return settings


def _this_hour() -> datetime:
    """Where a simulated company ends: now, so that it can be worked with like a live one."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def _instant(text: str) -> datetime:
    """An instant typed on the command line; without an offset it is UTC."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _install_policy(settings: Settings, progress: Progress) -> None:
    """The default policy and this month's budgets, as two of the simulated company's finance people would."""
    from churn import db, store
    from churn.policies.install import install_default

    database = db.open_database(settings, size=2)
    try:
        with database.transaction("finance") as connection:
            office = [person.staff_id for person in store.desk_staff(connection) if person.role == "finance"]
        if len(office) >= 2:
            progress(f"policy version {install_default(database, first=office[0], second=office[1])} in force")
    finally:
        database.close()


def _pass_a_night(settings: Settings, progress: Progress) -> None:
    """What its own nights would have made of a simulated company: outcomes, callbacks, escalations, voice."""
    from churn import callback_ranking as ranking
    from churn import escalations, outcomes, voice_nights

    with progress.step("Outcomes"):
        progress(str(outcomes.settle(settings, progress=progress)))
    with progress.step("Callbacks"):
        try:
            progress(str(ranking.fill(settings, progress=progress)))
        except ranking.NothingToRank as nothing:
            progress(str(nothing))  # the desk works without
    with progress.step("Escalations"):
        escalations.score_open(settings, progress=progress)
    with progress.step("Voice"):
        progress(str(voice_nights.run(settings, progress=progress)))


def _who() -> str:
    """The account this runs as; a container may have none of that number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _told(report: FileReport) -> str:
    """One line on what became of a file."""
    if report.refusal:
        return report.refusal
    if not report.is_mapped:
        return f"{report.path}: not in the mapping, left alone"
    if report.is_unchanged:
        return f"{report.path}: unchanged since it was taken in"
    line = f"{report.path}: {report.rows_accepted:,} of {report.rows_read:,} rows taken"
    line += f", {report.rows_set_aside:,} set aside"
    if report.rows_unmatched:
        line += f", {report.rows_unmatched:,} contacts of nobody known"
    return line + (f"; columns left out: {', '.join(report.left_out)}" if report.left_out else "")


def _refuse_unnamed(connection: psycopg.Connection, settings: Settings) -> None:
    """A company of somebody's own views is never joined by a simulated one."""
    from churn import contract

    is_readable = all(problem.is_optional for problem in contract.check_catalogue(connection))
    if not contract.state(connection).has_company and is_readable and contract.has_customers(connection):
        raise NotYet(
            f"{settings.database} has customers but no name. Say whose they are: INSERT INTO desk.company "  # noqa: S608 - shown, not run
            "(name, time_zone, phone_region, currency, source) VALUES ('…', 'Europe/London', 'GB', 'GBP', 'views');"
        )


def _lint() -> list[str]:
    """Names of the checks that found something."""
    checks = {"ruff check": ("ruff", "check"), "ruff format": ("ruff", "format", "--check"), "mypy": ("mypy",)}
    faults = []
    for name, tool in checks.items():
        print(f"— {name}", flush=True)
        if _tool(*tool) != 0:
            faults.append(name)
    return faults


def _tool(name: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", name, *arguments], cwd=PROJECT, check=False).returncode


def _is_a_sentence(error: Exception) -> bool:
    """Our own refusals, and a database or file that cannot be reached; anything else is a defect and shows itself."""
    if type(error).__module__.startswith("churn"):
        return True
    if isinstance(error, OSError):
        return error.filename is not None
    return type(error).__module__.startswith("psycopg") and type(error).__name__ == "OperationalError"


def _leave_no_server() -> None:
    """Wait for the embedded server to stop, when this command was its last user."""
    server = sys.modules.get("churn.server")
    if server is not None:
        server.release_all()


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)
