"""What was written down: a decision made anew and explained, a person's own data, seals, how long it is kept."""

from __future__ import annotations

import argparse
from pathlib import Path
from uuid import UUID

from churn.commands import shared


def add(command: shared.Command) -> None:
    """replay, explain, person, audit, retain."""
    replay_ = command("replay", replay, "recompute the ladder of a stored decision and say whether it is the same")
    replay_.add_argument("decision", type=UUID, metavar="DECISION_ID")
    explain_ = command("explain", explain, "what a stored decision went by, in words a customer can be read")
    explain_.add_argument("decision", type=UUID, metavar="DECISION_ID")
    explain_.add_argument("--language", default="en", metavar="CODE", help="the customer's language, such as de (en)")
    person_ = command("person", person, "erase one customer on request, or export all that is held about them")
    person_.add_argument("what", choices=("erase", "export"))
    person_.add_argument("account")
    person_.add_argument("--reason", help="who asked for the erasure, and when")
    person_.add_argument("--to", type=Path, metavar="FILE", help="where the export goes (the screen)")
    audit_ = command("audit", audit, "seal what was written down, verify every seal, or list the roots to keep")
    audit_.add_argument("what", choices=("seal", "verify", "roots"))
    audit_.add_argument("--root", metavar="HEX", help="verify: a root kept elsewhere must be in the chain")
    retain_ = command("retain", retain, "count what was kept long enough by policy, or remove it; for every night")
    retain_.add_argument("--apply", action="store_true", help="remove it")


def replay(asked: argparse.Namespace) -> int:
    """A decision's ladder made anew from its receipt: the same, or each difference and 1."""
    from churn import db, offers

    database = db.open_database(shared.existing(), size=1)
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
    from churn.core.language import ENGLISH, speaking
    from churn.core.offers.offer import replay as made_again
    from churn.languages import language_of
    from churn.policies.stored import policy_version

    database = db.open_database(shared.existing(), size=1)
    try:
        receipt = offers.receipt_of(database, "batch", asked.decision)
        after = privacy.aftermath(database, "batch", asked.decision)
        policy = policy_version(database, "batch", receipt["inputs"]["policy_version"])
    finally:
        database.close()
    titles = {item.instrument: item.title for item in policy.instruments} if policy else {}
    language = language_of(asked.language)
    with speaking(language):
        if policy and language.code != ENGLISH.code:  # its sentences are kept in English, and made again in another
            receipt = made_again(policy, receipt["inputs"]).as_receipt()
        print(in_plain_words(receipt, after, titles))
    return 0


def person(asked: argparse.Namespace) -> int:
    """What a customer may ask of the company, done by whoever runs this."""
    import json

    from churn import db, privacy

    if asked.what == "erase" and not asked.reason:
        raise shared.NotYet("Say who asked for it and when: --reason 'letter of 2 November'.")
    database = db.open_database(shared.existing(), size=1)
    try:
        if asked.what == "export":
            text = json.dumps(
                privacy.held_as_job(database, asked.account, by=shared.who()), indent=1, ensure_ascii=False
            )
            if asked.to:
                asked.to.touch(mode=0o600)
                asked.to.write_text(text + "\n")
            print(f"All that is held is in {asked.to}." if asked.to else text)
            return 0
        done = privacy.erase_as_job(database, asked.account, reason=asked.reason, by=shared.who())
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

    database = db.open_database(shared.existing(), size=1)
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

    with db.connect(shared.existing(), "batch") as connection:
        reached = privacy.retain(connection, by=shared.who(), applies=asked.apply)
    for one in reached:
        kept = "kept for good" if one.days is None else f"kept {one.days:,} days, to {one.before:%d %b %Y}"
        print(f"{one.subject:16}{kept:36}{one.affected:>12,} rows")
    print("Removed." if asked.apply else "Nothing was removed: this is what --apply would do.")
    return 0
