"""Other systems: the API and its keys, the telephone system's word, out to billing."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from churn.commands import shared

if TYPE_CHECKING:
    from churn.api.keys import Key


def add(command: shared.Command) -> None:
    """api, api-key, telephony, outbox."""
    api_ = command("api", api, "serve the API for other systems, nothing else; off unless started")
    api_.add_argument("--port", type=int, default=8510)
    api_.add_argument("--address", default="127.0.0.1", help="beyond this machine only with --certificate and --key")
    api_.add_argument("--certificate", type=Path, metavar="FILE.pem")
    api_.add_argument("--key", type=Path, metavar="FILE.pem")
    _add_keys(command("api-key", api_key, "keys of other systems: make, list, revoke"))
    _add_telephony(command("telephony", telephony, "what the telephone system says of a call's end"))
    outbox_ = command("outbox", outbox, "what goes out to billing; exit code 1 while something does not arrive")
    outbox_.add_argument("what", choices=("send", "list", "retry", "skip"))
    outbox_.add_argument("--until", type=int, metavar="POSITION", help="skip: up to here billing has read for itself")


def _add_keys(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="what", metavar="make | list | revoke", required=True)
    make_ = acts.add_parser("make", help="a new key, shown this one time")
    make_.add_argument("service", metavar="NAME", help="small letters, digits, hyphens")
    make_.add_argument("--role", required=True, help="agent, supervisor or finance: what it may do")
    make_.add_argument("--team", help="whose budgets it draws")
    make_.add_argument("--name", help="as people read it")
    make_.add_argument("--days", type=float, help="how long it is good (until revoked)")
    acts.add_parser("list", help="every key, without what is secret")
    revoke_ = acts.add_parser("revoke", help="take a key back; whoever is in by it is out at once")
    revoke_.add_argument("key", metavar="KEY_ID")


def _add_telephony(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="what", metavar="close | code | codes | sign", required=True)
    acts.add_parser("close", help="close the open cases whose call came in as a contact row")
    code_ = acts.add_parser("code", help="give a wrap-up code its meaning")
    code_.add_argument("code")
    code_.add_argument("outcome", help="deflected, cancelled, resolved, call_back or dropped")
    acts.add_parser("codes", help="what each wrap-up code means")
    sign_ = acts.add_parser("sign", help="the query of a signed link, to try it")
    sign_.add_argument("said", nargs="+", metavar="NAME=VALUE")
    sign_.add_argument("--seconds", type=int, default=300)


def api(asked: argparse.Namespace) -> int:
    """The API, on a database that is there."""
    from churn import db
    from churn.api import app
    from churn.web.serve import refuse_taken_port

    if bool(asked.certificate) != bool(asked.key):
        raise shared.NotYet("--certificate and --key go together.")
    app.refuse_open_door(asked.address, asked.certificate)
    refuse_taken_port(asked.address, asked.port)
    settings = shared.existing()
    db.create_database(settings)  # newer migrations, if any
    app.serve_forever(settings, address=asked.address, port=asked.port, certificate=asked.certificate, key=asked.key)
    return 0


def api_key(asked: argparse.Namespace) -> int:
    """Make, list or revoke."""
    from churn import db
    from churn.api import keys

    database = db.open_database(shared.existing(), size=1)
    try:
        if asked.what == "make":
            until = datetime.now(UTC) + timedelta(days=asked.days) if asked.days else None
            made = keys.make(
                database,
                asked.service,
                role=asked.role,
                team=asked.team,
                name=asked.name,
                by=shared.who(),
                expires_at=until,
            )
            print(made)
            told = "This is the only time it is shown; Keepline keeps a digest."
            print(f"{told} The service is api:{asked.service}.", file=sys.stderr)
        elif asked.what == "revoke":
            keys.revoke(database, asked.key, by=shared.who())
            print(f"{asked.key} is revoked.")
        else:
            for one in keys.listed(database):
                print(_told_key(one))
    finally:
        database.close()
    return 0


def telephony(asked: argparse.Namespace) -> int:
    """Close by contact rows, say what codes mean, or sign a link."""
    from churn import db
    from churn.calls import telephony as telephones

    if asked.what == "sign":
        secret = telephones.secret()
        if secret is None:
            raise shared.NotYet("There is no secret in [telephony] of the secrets file, nor KEEPLINE_TELEPHONY_SECRET.")
        said = dict(part.split("=", 1) for part in asked.said if "=" in part)
        print(telephones.signed_query({"ended": str(int(time.time())), **said}, secret, seconds=asked.seconds))
        return 0
    database = db.open_database(shared.existing(), size=1)
    try:
        if asked.what == "close":
            closed = telephones.close_by_contacts(database)
            for one in closed:
                print(f"case {one.case_id}: {one.sentence}{f', {one.outcome}' if one.outcome else ''}")
            print(f"{sum(one.contact_id is not None for one in closed):,} cases closed.")
        else:
            if asked.what == "code":
                telephones.set_code(database, asked.code, asked.outcome)
            for code in telephones.codes(database):
                print(f"{code.code:30}{code.outcome}")
    finally:
        database.close()
    return 0


def outbox(asked: argparse.Namespace) -> int:
    """Send what is due, show what does not arrive, try it again, or leave it to whoever reads. 1: something is late."""
    from churn import db
    from churn.finance import outbox as out
    from churn.finance import webhook

    if asked.what == "skip" and asked.until is None:
        raise shared.NotYet("Say up to which position billing has read: --until POSITION.")
    settings = shared.existing()
    database = db.open_database(settings, size=1)
    try:
        if asked.what == "send":
            out.number(database)
            to = webhook.configured()
            if to is None:
                print("Numbered for whoever reads report.outbox. No webhook is set up, so nothing is sent.")
                return 0
            print(out.send_due(settings, to))
        elif asked.what == "retry":
            print(f"{out.retry(database):,} rows are due again.")
            return 0
        elif asked.what == "skip":
            print(f"{out.skip(database, until=asked.until):,} rows will not be sent.")
            return 0
        else:
            for state in out.states(database):
                print(f"{state.state:12}{state.rows:>10,} rows, the oldest of {state.oldest_at:%Y-%m-%d %H:%M}")
        found = out.late(database)
    finally:
        database.close()
    for one in found:
        again = "given up" if one.state == "dead" else f"again at {one.next_at:%H:%M}"
        print(f"position {one.position}, entry {one.entry_id}: {one.attempts} attempts, {one.last_error}; {again}")
    return 1 if found else 0


def _told_key(one: Key) -> str:
    used = f"last used {one.last_used_at:%Y-%m-%d}" if one.last_used_at else "never used"
    now = datetime.now(UTC)
    end = (
        f"revoked {one.revoked_at:%Y-%m-%d}"
        if one.revoked_at
        else f"{'ended' if one.expires_at < now else 'until'} {one.expires_at:%Y-%m-%d}"
        if one.expires_at
        else "in use"
    )
    return f"{one.key_id}  {one.staff_id:24}{one.role:12}{one.team or '–':16}{used:22}{end}"
