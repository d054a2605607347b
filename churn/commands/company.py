"""A company's data: simulated, taken in from files, checked; and what its billing applied."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from churn.commands import shared

if TYPE_CHECKING:
    import psycopg

    from churn.imports.taking import FileReport
    from churn.settings import Settings

DEMO_CUSTOMERS, DEMO_SEED, DEMO_MONTHS = 20_000, 7, 24


def add(command: shared.Command) -> None:
    """demo, import, check, billing."""
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
    billing_ = command(
        "billing", billing, "take in a file of what billing applied; exit code 1 when rows were set aside"
    )
    billing_.add_argument("what", choices=("import",))
    billing_.add_argument("file", type=Path)
    billing_.add_argument("--mapping", required=True, type=Path, metavar="FILE.toml")


def demo(asked: argparse.Namespace) -> int:
    """A simulated company of any size; `train` and `score` follow."""
    from churn import db, scoring

    settings, progress = shared.settings(), shared.Progress()
    db.create_database(settings)
    with progress.step(f"Simulated company of {asked.customers:,} customers, seed {asked.seed}"):
        simulate(
            settings,
            customers=asked.customers,
            months=asked.months,
            seed=asked.seed,
            until=asked.until,
            replace=asked.replace,
            progress=progress,
        )
    with progress.step("Policy and budgets"):
        install_policy(settings, progress)
    with progress.step("Search directory"):
        scoring.sync_directory(settings, progress=progress)
    return 0


def import_files(asked: argparse.Namespace) -> int:
    """Files into `feed`; what could not be taken is told and kept."""
    from churn import db, scoring
    from churn.imports.loading import import_folder
    from churn.imports.parsing import load_mapping

    mapping = load_mapping(asked.mapping)
    settings, progress = shared.settings(), shared.Progress()
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
    from churn import db
    from churn.crm import contract_check

    settings = shared.existing()
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


def billing(asked: argparse.Namespace) -> int:
    """Take in what billing applied. 1 when a row was set aside."""
    from churn.finance import billing as billings

    try:
        taken = billings.import_file(shared.existing(), asked.file, billings.load_mapping(asked.mapping))
    except billings.UnreadableFile as error:
        raise shared.NotYet(str(error)) from None
    print(taken)
    return 1 if taken.rows_set_aside and not taken.is_again else 0


def simulate(
    settings: Settings,
    *,
    customers: int,
    months: int,
    seed: int,
    until: datetime | None = None,
    replace: bool = False,
    progress: shared.Progress,
) -> None:
    """Write a simulated company whose history ends `until`, or now. Raises NotYet."""
    from churn import db, simulation

    with db.connect(settings, "batch") as connection:
        _refuse_unnamed(connection, settings)
        made = simulation.simulate(customers, months, seed, until or _this_hour())
        simulation.write_company(connection, made, replace=replace, progress=progress)


def install_policy(settings: Settings, progress: shared.Progress) -> None:
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


def _this_hour() -> datetime:
    """Where a simulated company ends: now, so that it can be worked with like a live one."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def _instant(text: str) -> datetime:
    """An instant typed on the command line; without an offset it is UTC."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


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
    from churn.crm import contract

    is_readable = all(problem.is_optional for problem in contract.check_catalogue(connection))
    if not contract.state(connection).has_company and is_readable and contract.has_customers(connection):
        raise shared.NotYet(
            f"{settings.database} has customers but no name. Say whose they are: INSERT INTO desk.company "  # noqa: S608 - shown, not run
            "(name, time_zone, phone_region, currency, source) VALUES ('…', 'Europe/London', 'GB', 'GBP', 'views');"
        )
