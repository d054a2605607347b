"""What must happen every minute, whoever is at the desk: requests expire, the audit is sealed, the outbox numbered."""

from __future__ import annotations

import threading

from churn import audit, ledger
from churn.db import Database
from churn.finance import outbox
from churn.operations import faults, logs
from churn.queries import query
from churn.refusals import Refusal

EVERY_SECONDS = 60.0
LOCK = 7_305_114  # of several processes one does it


def start(database: Database, *, every: float = EVERY_SECONDS) -> threading.Event:
    """Do it now and every minute in a thread of its own, until the event is set."""
    ended = threading.Event()
    threading.Thread(target=_keep, args=(database, every, ended), name="housekeeping", daemon=True).start()
    return ended


def tidy(database: Database) -> bool:
    """Do it once; False when another process is at it."""
    with database.transaction("batch") as connection:
        row = connection.execute(query("operations", "lead"), {"lock": LOCK}).fetchone()
        if row is None or not row[0]:
            return False
        ledger.expire_approvals(database)
        audit.seal(database)
        outbox.number(database)
        return True


def _keep(database: Database, every: float, ended: threading.Event) -> None:
    while True:
        try:
            tidy(database)
        except (*faults.OF_DATABASE, Refusal) as fault:  # the next round tries again
            logs.LOG.warning("Housekeeping has to wait", exc_info=fault)
        if ended.wait(every):
            return
