"""One message to one database function: how every act of the ledger reaches it, and what its answer is called.

Role, time-out and call travel together as a transaction of their own, so a client that freezes holds no lock. A lost
connection, a time-out or a deadlock is tried again with the same key, at most three times and jittered; what stays
unknown is `Unconfirmed`. A refusal is never tried again.
"""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from typing import Any, LiteralString, TypeVar, cast

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg_pool import PoolTimeout, TooManyRequests

from churn.core.grants import Session
from churn.db import STATEMENT_SECONDS, Database, acting
from churn.queries import query
from churn.refusals import Busy, ReadOnly, Unconfirmed, refusal

T = TypeVar("T")
Row = dict[str, Any]

TRIES = 3
PAUSE_SECONDS = 0.05  # before the second try; doubled for the third, jittered by half
DEADLINE_SECONDS = 6.0  # the client gives up on the server
UNDONE = ("40001", "40P01", "55P03", "57014", "53")  # the server says so itself: nothing was done


def act(
    database: Database, session: Session, noun: str, name: str, params: Mapping[str, Any], *, tries: int = TRIES
) -> Row:
    """One act of a signed-in person: its row, or its refusal raised."""
    held = {**params, "token": session.token}
    return verdict(rows_of(database, session, noun, name, held, tries=tries)[0])


def verdict(row: Row) -> Row:
    if row["outcome"] == "refused":
        raise refusal(row["code"], row["sentence"], row["facts"], row["who_can_lift"])
    return row | {"is_replay": row["outcome"] == "replayed"}


def rows_of(
    database: Database, who: Session | str, noun: str, name: str, params: Mapping[str, Any], *, tries: int = TRIES
) -> list[Row]:
    """Rows of one named statement in a transaction of its own, tried again while the answer is unknown or undone.

    `who` is the signed-in person who acts, or for a job the database role.
    """
    message, is_unknown = compose(who, query(noun, name)), False
    for attempt in range(tries):
        if attempt:
            time.sleep(PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        try:
            return _once(database, message, params)
        except (PoolTimeout, TooManyRequests):
            if not is_unknown:
                break  # nothing was sent: busy, said within a second
        except psycopg.OperationalError as error:
            is_unknown |= not (error.sqlstate or "").startswith(UNDONE)
        except psycopg.Error as error:
            raise _named(error) from error
    raise Unconfirmed() if is_unknown else Busy()


def _once(database: Database, message: sql.Composed, params: Mapping[str, Any]) -> list[Row]:
    with database.pool.connection() as connection:
        connection.autocommit = True  # the message is its own transaction: nothing stays open between client and server
        try:
            with _deadline(connection), psycopg.ClientCursor(connection, row_factory=dict_row) as cursor:
                cursor.execute(message, params)
                while cursor.nextset():
                    pass  # the settings answer first
                return cursor.fetchall()
        finally:
            if not connection.closed:
                connection.autocommit = False


def compose(who: Session | str, statement: LiteralString) -> sql.Composed:
    return sql.SQL("SET LOCAL statement_timeout = {}; {}; {}").format(
        sql.Literal(f"{STATEMENT_SECONDS}s"), acting(who), sql.SQL(statement)
    )


@contextmanager
def _deadline(connection: psycopg.Connection) -> Iterator[None]:
    """Cut the connection when the server says nothing for too long: the call then fails instead of hanging."""
    timer = threading.Timer(DEADLINE_SECONDS, _cut, [connection.fileno()])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(descriptor: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as line:
        line.shutdown(socket.SHUT_RDWR)


@contextmanager
def refusals_by_name() -> Iterator[None]:
    """What the database refuses within is raised by its name."""
    try:
        yield
    except psycopg.Error as error:
        raise _named(error) from error


def _named(error: psycopg.Error) -> Exception:
    """The refusal behind an error of class KL or of a server that takes no changes, else the error itself."""
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return ReadOnly()
    if not (error.sqlstate or "").startswith("KL"):
        return error
    facts = json.loads(error.diag.message_detail or "{}")
    return refusal(error.sqlstate or "", error.diag.message_primary or "", facts, error.diag.message_hint)


def record(kind: type[T], row: Mapping[str, Any]) -> T:
    """The columns a record knows; arrays become tuples."""
    known = {field.name for field in fields(cast(Any, kind))}
    return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in row.items() if name in known})
