"""What a fault of the database means to the person at the desk: one sentence, or None where it is a defect of ours."""

from __future__ import annotations

import psycopg
from psycopg_pool import PoolTimeout, TooManyRequests

from churn.core.language import mark, t

OF_DATABASE = (psycopg.Error, PoolTimeout, TooManyRequests)

BUSY = mark("The desk is busy just now. Nothing is lost: try again in a moment.")
AWAY = mark("The database does not answer just now. Nothing is lost: try again in a moment.")
SLOW = mark("That took the database too long and was given up. Nothing is lost: try again, or look at less at once.")
READ_ONLY = mark("The database takes no changes just now. Nothing was done: try again in a moment.")
FULL = mark("The database has no room left. Nothing was done: please tell an administrator.")

# SQLSTATEs, or their class in two letters.
BY_STATE = {
    "25006": READ_ONLY,  # a standby, or a server told to be read-only
    "53100": FULL,
    "53": BUSY,  # connections, memory
    "57014": SLOW,
    "55P03": BUSY,  # somebody holds a lock
    "40": BUSY,  # deadlock, serialisation
    "57": AWAY,  # shut down, starting up
    "08": AWAY,
}


def sentence_of(error: BaseException) -> str | None:
    """What to say of an error, in the language spoken here; None: not a fault of the surroundings."""
    found = _fault(error)
    return None if found is None else t(found)


def _fault(error: BaseException) -> str | None:
    if isinstance(error, PoolTimeout | TooManyRequests):
        return BUSY
    if not isinstance(error, psycopg.Error):
        return None
    state = error.sqlstate or ""
    found = BY_STATE.get(state) or BY_STATE.get(state[:2])
    if found is None and isinstance(error, psycopg.OperationalError):
        return AWAY  # a line that broke has no state
    return found
