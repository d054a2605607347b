"""Keys of services: made once and shown once, kept as a digest, and exchanged for a session like a person's."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime

from churn import ledger
from churn.core.grants import Session
from churn.db import Database
from churn.gateway import record, rows_of
from churn.refusals import NotSignedIn, PersonUnknown, RoleChanged, SessionEnded

ROLES = ("agent", "supervisor", "finance")
FORM = re.compile(r"kl_[0-9a-f]{8}_[A-Za-z0-9_-]{43}")
MOST_HELD = 1000  # sessions of one process
MOST_A_MINUTE = 600  # requests of one key: a program gone wild must not take the connections people work with


class BadService(ValueError):
    """A service cannot be called that, or cannot have that role."""


class NoSuchKey(LookupError):
    """There is no such key."""


class TooFast(ValueError):
    """This key has asked too often in the last minute; nothing was done."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it may be shown."""

    key_id: str
    staff_id: str
    role: str
    team: str | None
    made_by: str
    made_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def make(
    database: Database,
    service: str,
    *,
    role: str,
    by: str,
    team: str | None = None,
    name: str | None = None,
    expires_at: datetime | None = None,
) -> str:
    """A new key for `service`, whose staff row is `api:service`; shown this one time.

    Raises BadService, ServiceDiffers.
    """
    if not re.fullmatch(r"[a-z0-9-]{1,40}", service):
        raise BadService("A service is called by up to 40 small letters, digits and hyphens, such as ivr-bot.")
    if role not in ROLES:
        raise BadService(f"A service acts as {', '.join(ROLES)}, not as {role}.")
    if role != "finance" and not team:
        raise BadService("A service that gives needs a team whose budgets it draws: --team NAME.")
    key_id = secrets.token_hex(4)
    key = f"kl_{key_id}_{secrets.token_urlsafe(32)}"
    asked = {
        "key_id": key_id,
        "sha256": digest_of(key),
        "staff_id": f"api:{service}",
        "name": name or f"Service {service}",
        "role": role,
        "team": team,
        "expires_at": expires_at,
        "by": by,
    }
    rows_of(database, "batch", "api", "make_key", asked, tries=1)
    return key


def listed(database: Database) -> list[Key]:
    """Every key, the newest first."""
    return [record(Key, row) for row in rows_of(database, "batch", "api", "keys", {})]


def revoke(database: Database, key_id: str, *, by: str) -> None:
    """Take a key back; whoever is in by it is out at once. Raises NoSuchKey."""
    if not rows_of(database, "batch", "api", "revoke_key", {"key_id": key_id, "by": by})[0]["is_there"]:
        raise NoSuchKey(f"There is no key {key_id}; `api-key list` shows them.")


def digest_of(key: str) -> bytes:
    """What is kept of a key. It has 256 random bits: a slow hash would protect nothing more."""
    return hashlib.sha256(key.encode()).digest()


@dataclass(slots=True)
class KeyRing:
    """The sessions that keys were exchanged for, by digest, so that a request does not sign in anew."""

    database: Database
    _held: OrderedDict[bytes, Session] = field(default_factory=OrderedDict)
    _asked: OrderedDict[bytes, deque[float]] = field(default_factory=OrderedDict)  # when, of the last minute
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def session(self, key: str) -> Session:
        """The session of a key, asked of the database every time. Raises TooFast, KeyInvalid, Busy, Unconfirmed."""
        digest = digest_of(key if FORM.fullmatch(key) else "")
        with self._lock:
            self._pace(digest)
            held = self._held.get(digest)
        if held is not None:
            try:
                ledger.person(self.database, held)
            except (NotSignedIn, SessionEnded, RoleChanged, PersonUnknown):
                pass  # ended by time, or by whoever took the key back: the key itself decides
            else:
                return held
        found = record(Session, rows_of(self.database, "batch", "api", "open_session", {"sha256": digest})[0])
        with self._lock:
            self._held[digest] = found
            while len(self._held) > MOST_HELD:
                self._held.popitem(last=False)
        return found

    def _pace(self, digest: bytes) -> None:
        """Count a request. What is no key is counted too, all of it together: guessing is slow."""
        now, asked = time.monotonic(), self._asked.setdefault(digest, deque())
        self._asked.move_to_end(digest)
        while asked and now - asked[0] >= 60:
            asked.popleft()
        if len(asked) >= MOST_A_MINUTE:
            raise TooFast(f"This key has asked {MOST_A_MINUTE} times in the last minute; nothing was done.")
        asked.append(now)
        while len(self._asked) > MOST_HELD:
            self._asked.popitem(last=False)
