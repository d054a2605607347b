"""What must happen every minute, whoever is at the desk: requests expire, the audit is sealed, the outbox numbered and
sent, cases closed whose call came in as a contact row.

Sending has a thread of its own, for it waits for somebody else's system. Of several processes one does each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from churn import audit, db, ledger
from churn.calls import telephony
from churn.db import Database
from churn.finance import outbox, webhook
from churn.operations import faults, logs
from churn.queries import query
from churn.refusals import Refusal
from churn.settings import Settings
from churn.web.secrets_file import NoSecret

if TYPE_CHECKING:
    import psycopg

EVERY_SECONDS = 60.0
LOCK = 7_305_114  # of several processes one tidies up
SENDING_LOCK = 7_305_115  # and one sends, so that rows leave in order
# How long a call must be over before a contact row closes its case: the agent first has time to say how it ended.
AGENTS_OWN = timedelta(minutes=10)


def start(database: Database, settings: Settings, *, every: float = EVERY_SECONDS) -> threading.Event:
    """Do it now and every minute in threads of its own, until the event is set."""
    ended = threading.Event()
    for name, task in (("housekeeping", partial(tidy, database)), ("outbox", partial(send_out, settings))):
        threading.Thread(target=_keep, args=(task, every, ended), name=name, daemon=True).start()
    return ended


def tidy(database: Database) -> bool:
    """Do it once; False when another process is at it."""
    with database.transaction("batch") as connection:
        if not _leads(connection, LOCK):
            return False
        ledger.expire_approvals(database)
        audit.seal(database)
        outbox.number(database)
        telephony.close_by_contacts(database, after=AGENTS_OWN)  # last: it reads the company's own views
        return True


def send_out(settings: Settings) -> outbox.Sent | None:
    """Tell billing what is due; None: no webhook is set up, or another process is at it.

    Raises BadWebhook, NoSecret.
    """
    to = webhook.configured()
    if to is None:
        return None
    with db.connect(settings, "batch") as connection:
        return outbox.send_due(settings, to, seconds=EVERY_SECONDS) if _leads(connection, SENDING_LOCK) else None


def _leads(connection: psycopg.Connection, lock: int) -> bool:
    """Whether this process is the one until the connection's transaction ends."""
    row = connection.execute(query("operations", "lead"), {"lock": lock}).fetchone()
    return row is not None and bool(row[0])


def _keep(task: Callable[[], object], every: float, ended: threading.Event) -> None:
    while True:
        try:
            task()
        except (*faults.OF_DATABASE, Refusal, webhook.BadWebhook, NoSecret) as fault:  # the next round tries again
            logs.LOG.warning("Housekeeping has to wait", exc_info=fault)
        if ended.wait(every):
            return
