"""The telephone system says a call has ended: by a signed URL, or by a contact row that comes in with the data.

The URL's parameters are signed together: `name=value`, names sorted, a line each, HMAC-SHA256 in hex. It ends by
itself, and what it says is done once.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args
from urllib.parse import urlencode
from uuid import UUID

from churn.core.grants import Session
from churn.core.records import Outcome
from churn.db import Database
from churn.gateway import record, rows_of, verdict
from churn.web import secrets_file

NEEDED = ("event", "contact", "ended", "expires", "signature")
NAMES = (*NEEDED, "agent", "disposition")
LONGEST = 128
LONGEST_LIFE = 86_400  # seconds a link may be good for
CLOCKS_DIFFER = timedelta(minutes=-5)  # a call whose end lies as far ahead is over
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


class BadLink(ValueError):
    """The URL cannot be read."""


class LinkRefused(ValueError):
    """The URL was not signed by the telephone system, or has ended."""


class NoSuchOutcome(ValueError):
    """A wrap-up code can only mean one of our outcomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """What a signed URL says. `disposition`: the telephone system's wrap-up code; None: not yet known."""

    event: str
    contact: str
    ended_at: datetime
    agent: str | None = None
    disposition: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """The case an event was about; `is_replay`: it was taken before, nothing was changed."""

    case_id: UUID
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Closing:
    """What became of an open case by contact rows; `contact_id` None: several could be it."""

    case_id: UUID
    contact_id: str | None
    outcome: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Code:
    """What a wrap-up code means."""

    code: str
    outcome: str


def secret() -> str | None:
    """The secret shared with the telephone system; None: signed URLs are off. Raises NoSecret."""
    found = secrets_file.section("telephony").get("secret")
    if found is not None and len(found) < secrets_file.SHORTEST_SECRET:
        raise secrets_file.NoSecret(
            f"secret of [telephony] must have {secrets_file.SHORTEST_SECRET} random characters or more."
        )
    return found


def signature(parameters: Mapping[str, str], key: str) -> str:
    """HMAC-SHA256, in hex, of all parameters but the signature."""
    lines = "\n".join(f"{name}={parameters[name]}" for name in sorted(parameters) if name != "signature")
    return hmac.new(key.encode(), lines.encode(), hashlib.sha256).hexdigest()


def signed_query(parameters: Mapping[str, str], key: str, *, seconds: int = 300, now: float | None = None) -> str:
    """The query of a URL that says this and ends after so many seconds."""
    held = {**parameters, "expires": str(int(time.time() if now is None else now) + seconds)}
    return urlencode(held | {"signature": signature(held, key)})


def read_link(pairs: Sequence[tuple[str, str]], key: str, *, now: float | None = None) -> CallEnded:
    """What a URL says, once its signature and time are good. Raises BadLink, LinkRefused."""
    held = dict(pairs)
    unknown = sorted({name for name, _ in pairs} - set(NAMES))
    missing = [name for name in NEEDED if not held.get(name)]
    if unknown or missing or len(held) < len(pairs):
        raise BadLink(_what_is_wrong(unknown, missing))
    if not all(len(value) <= LONGEST and value.isascii() and value.isprintable() for value in held.values()):
        raise BadLink(f"A value is longer than {LONGEST} characters or not of plain ASCII.")
    if not hmac.compare_digest(signature(held, key).encode(), held["signature"].encode()):
        raise LinkRefused("The signature is not that of these parameters.")
    until, at = _seconds(held["expires"], "expires"), time.time() if now is None else now
    if not at <= until <= at + LONGEST_LIFE:
        raise LinkRefused("This link has ended." if until < at else "A link may be good for a day at the most.")
    return CallEnded(
        event=held["event"],
        contact=held["contact"],
        ended_at=datetime.fromtimestamp(_seconds(held["ended"], "ended"), UTC),
        agent=held.get("agent") or None,
        disposition=held.get("disposition") or None,
    )


def take(database: Database, event: CallEnded) -> Taken:
    """Note the end of a call, and close its case where a wrap-up code says how it ended.

    Raises the refusals KL881 to KL887 by name, Busy, Unconfirmed.
    """
    asked = {
        "event": event.event,
        "contact": event.contact,
        "agent": event.agent,
        "wrap_up": event.disposition,
        "ended_at": event.ended_at,
    }
    done = verdict(rows_of(database, "batch", "telephony", "end_call", asked)[0])
    return Taken(UUID(done["key"]), done["is_replay"])


def close_by_contacts(database: Database, *, after: timedelta = CLOCKS_DIFFER) -> list[Closing]:
    """Close open cases whose call came in as a contact row that has ended; those that could be several stay open.

    `after`: how long the call must be over.
    """
    found = rows_of(database, "batch", "telephony", "close_by_contacts", {"after": after}, tries=1)
    return [record(Closing, row) for row in found]


def keep_contact(database: Database, me: Session, case_id: str, call: str) -> None:
    """Keep which call of the telephone system my open case is; the first one stays."""
    rows_of(database, me, "telephony", "keep_contact", {"token": me.token, "case_id": case_id, "contact": call})


def codes(database: Database) -> list[Code]:
    """What each wrap-up code means."""
    return [record(Code, row) for row in rows_of(database, "batch", "telephony", "codes", {})]


def set_code(database: Database, code: str, outcome: str) -> None:
    """Give a wrap-up code its meaning. Raises NoSuchOutcome."""
    if outcome not in OUTCOMES:
        raise NoSuchOutcome(f"A wrap-up code means one of {', '.join(OUTCOMES)}, not {outcome}.")
    rows_of(database, "batch", "telephony", "set_code", {"code": code.strip().lower(), "outcome": outcome})


def _what_is_wrong(unknown: list[str], missing: list[str]) -> str:
    if missing:
        return f"The link lacks {', '.join(missing)}."
    return (
        f"{', '.join(name[:40] for name in unknown)} is not known here." if unknown else "A parameter is there twice."
    )


def _seconds(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise BadLink(f"{name} must be whole seconds since 1970, such as 1794744000.")
    return int(text)
