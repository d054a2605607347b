"""A company's own tables: ready mappings, what the tables lack for one, what would come of it, in force or not."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from churn.commands import shared

if TYPE_CHECKING:
    from churn.core.sources import Chosen
    from churn.crm.sources import Preview

ACTS = ("list", "inspect", "show", "preview", "register", "apply", "back")


def add(command: shared.Command) -> None:
    """source."""
    source_ = command(
        "source",
        source,
        "your own tables as the data contract: list the ready mappings, inspect what the tables lack, show the SQL, "
        "preview without changing anything, register for the page, apply, or go back to the feed's own views",
    )
    source_.add_argument("what", choices=ACTS)
    source_.add_argument("sources", nargs="*", metavar="SOURCE=SCHEMA", help="e.g. salesforce=sf zendesk stripe")
    source_.add_argument("--key", action="append", default=[], metavar="SOURCE=KEY", help="how a source is joined")
    source_.add_argument("--take", action="append", default=[], metavar="VIEW=SOURCE", help="who gives a view")
    source_.add_argument("--phone-prefix", metavar="+44", help="put before numbers in national format")
    source_.add_argument("--metadata-key", help="Stripe's metadata field with the CRM's key (account_id)")
    source_.add_argument("--reason", help="apply, back: why, for the audit")
    source_.add_argument("--company", help="apply: whose tables they are, where nobody said so; with the next three")
    source_.add_argument("--time-zone", metavar="Europe/London", help="the zone business days are days in")
    source_.add_argument("--phone-region", metavar="GB", help="of numbers typed in national format")
    source_.add_argument("--currency", metavar="GBP", help="of customers whose own is not known")


def source(asked: argparse.Namespace) -> int:
    """One of ACTS; 1 when the tables lack something or a proposed mapping breaks the contract."""
    acts = {
        "list": _list,
        "inspect": _inspect,
        "show": _show,
        "preview": _preview,
        "register": _register,
        "apply": _apply,
        "back": _back,
    }
    return acts[asked.what](asked)


def _chosen(asked: argparse.Namespace) -> Chosen:
    from churn.core.sources import Chosen, read_pairs

    values = {"phone_prefix": asked.phone_prefix, "metadata_key": asked.metadata_key}
    return Chosen(
        read_pairs(asked.sources, "The source"),
        read_pairs(asked.key, "The key of"),
        read_pairs(asked.take, "The view"),
        {name: value for name, value in values.items() if value is not None},
    )


def _list(_asked: argparse.Namespace) -> int:
    from churn import db
    from churn.crm import sources

    for one in sources.load().values():
        print(f"{one.name:12}{one.title}: {', '.join(one.gives)}")
        if one.keys:
            print(f"{'':12}joined by {', '.join(one.keys)}")
    with db.connect(shared.existing(), "batch") as connection:
        found = sources.moves(connection)
        there = sources.schemas(connection)
    print(f"\nSchemas: {', '.join(there) or 'none but our own'}.")
    in_force = found[0].title if found and found[0].mapping_id else None
    print(f"In force: {in_force or 'the views over the feed (files or the simulated company)'}.")
    return 0


def _inspect(asked: argparse.Namespace) -> int:
    from churn import db
    from churn.crm import sources

    with db.connect(shared.existing(), "batch") as connection:
        found = sources.inspect(connection, sources.load(), _chosen(asked))
    for one in found:
        lacking = f"{len(one.wanting)} lacking" if one.wanting else "all there"
        print(f"{one.source} in {one.schema}: {one.columns} columns needed, {lacking}.")
        for want in one.wanting:
            print(f"  {want.sentence}\n      {want.mend}")
        if one.unreadable and not one.wanting:
            print(f"  `source register` will let mappings read {', '.join(one.unreadable)}.")
    return 1 if any(one.wanting for one in found) else 0


def _show(asked: argparse.Namespace) -> int:
    from churn import db
    from churn.crm import sources

    with db.connect(shared.existing(), "batch") as connection:
        print(sources.statement_of(connection, sources.load(), _chosen(asked)))
    return 0


def _preview(asked: argparse.Namespace) -> int:
    from churn.crm import sources

    return _told(sources.preview_on_host(shared.existing(), _chosen(asked)))


def _told(seen: Preview) -> int:
    for view, rows in seen.counts.items():
        print(f"crm.{view:18}{'cannot be read' if rows is None else f'{rows:,} rows':>18}")
    for one in seen.left_out:
        print(f"left out: {one['rows']:,} of kind {one['what']}, which {one['why']}")
    for problem in seen.problems:
        print(f"\n{problem.text}")
    faults = sum(not problem.is_optional for problem in seen.problems)
    print(f"\n{faults} to mend, {len(seen.problems) - faults} to know. Nothing was changed.")
    return 1 if faults else 0


def _register(asked: argparse.Namespace) -> int:
    from churn.crm import sources

    mapping = sources.register(shared.existing(), _chosen(asked), by=shared.who())
    print(f"Mapping {mapping.mapping_id} ({mapping.title}) may be applied, on the page Sources or by `source apply`.")
    print(f"sha256 {mapping.sha256}")
    return 0


def _apply(asked: argparse.Namespace) -> int:
    from churn import db, scoring
    from churn.crm import sources

    settings, progress = shared.settings(), shared.Progress()
    db.create_database(settings)
    if asked.company:
        if not (asked.time_zone and asked.phone_region and asked.currency):
            raise shared.NotYet("A company has a name, --time-zone, --phone-region and --currency.")
        sources.name_company(
            settings,
            name=asked.company,
            time_zone=asked.time_zone,
            phone_region=asked.phone_region,
            currency=asked.currency,
        )
    mapping = sources.register(settings, _chosen(asked), by=shared.who())
    sources.apply_on_host(settings, mapping, by=shared.who(), reason=asked.reason or "applied by a command")
    with progress.step("Search directory"):
        scoring.sync_directory(settings, progress=progress)
    print(f"In force: {mapping.title}. Now: python3 -m churn check, then train and score.")
    return 0


def _back(asked: argparse.Namespace) -> int:
    from churn import scoring
    from churn.crm import sources

    settings, progress = shared.existing(), shared.Progress()
    sources.apply_on_host(settings, None, by=shared.who(), reason=asked.reason or "taken back by a command")
    with progress.step("Search directory"):
        scoring.sync_directory(settings, progress=progress)
    print("The views are the feed's own again.")
    return 0
