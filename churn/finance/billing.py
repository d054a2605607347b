"""What billing applied: a file of theirs taken in by a mapping, and held against what was promised.

A row is taken or set aside with a reason; nothing is guessed row by row. A mapping is TOML:

    [file]
    delimiter = ","                 # and encoding = "utf-8"
    [columns]                       # ours = theirs
    applied_on = "Booking date"
    account = "Account"
    amount = "Amount"
    entry = "Keepline entry"        # the entry's number, or
    reference = "Reference"         # the decision's id as it was handed over
    currency = "Currency"           # or one for all: [values] currency = "GBP"
    key = "Transaction"             # billing's own number: the same one is never taken twice
    [values]
    date = "%d/%m/%Y"
    decimal = "."                   # or ","
"""

from __future__ import annotations

import csv
import hashlib
import io
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import psycopg
from psycopg.rows import class_row

from churn import db
from churn.core.finance.applied import Applied, BillingMapping, Fault, read_row
from churn.core.grants import Session
from churn.db import Database
from churn.gateway import act
from churn.queries import query
from churn.settings import Settings

MOST_LISTED = 500


class UnreadableFile(ValueError):
    """The file or its mapping cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one file. `is_again`: taken in before, nothing was done."""

    name: str
    rows_read: int
    rows_accepted: int
    rows_set_aside: int
    is_again: bool = False

    def __str__(self) -> str:
        """One line for whoever ran it."""
        again = ": taken in before, nothing changed" if self.is_again else ""
        taken = f"{self.rows_accepted:,} of {self.rows_read:,} rows taken, {self.rows_set_aside:,} set aside"
        return f"{self.name}: {taken}{again}"


@dataclass(frozen=True, slots=True)
class File:
    """A file that was taken in."""

    file_id: int
    name: str
    rows_read: int
    rows_accepted: int
    rows_set_aside: int
    imported_at: datetime


def load_mapping(path: Path) -> BillingMapping:
    """A mapping from its file. Raises UnreadableFile with everything that is wrong with it."""
    try:
        return BillingMapping.of(tomllib.loads(path.read_text()))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError) as error:
        raise UnreadableFile(f"{path}: {error}") from error


def import_file(settings: Settings, path: Path, mapping: BillingMapping) -> Taken:
    """Take one file in, in one transaction. The same file again changes nothing. Raises UnreadableFile."""
    content = _content(path)
    with db.connect(settings, "batch") as connection, connection.transaction():
        connection.execute(query("billing", "lock_import"))
        digest = hashlib.sha256(content).hexdigest()
        before = connection.execute(query("billing", "is_taken"), {"sha256": digest}).fetchone()
        if before is not None:
            _, read, accepted, aside = before
            return Taken(path.name, read, accepted, aside, is_again=True)
        rows, faults = _read(content, mapping, path)
        rows, twice = _without_known(connection, rows)
        faults += twice
        counts = {"rows_read": len(rows) + len(faults), "rows_accepted": len(rows), "rows_set_aside": len(faults)}
        found = connection.execute(
            query("billing", "add_file"), {"name": path.name, "sha256": digest, **counts}
        ).fetchone()
        assert found is not None  # noqa: S101 - INSERT … RETURNING gives its row
        _write(connection, found[0], rows, faults)
    return Taken(path.name, counts["rows_read"], len(rows), len(faults))


def totals(connection: psycopg.Connection) -> pd.DataFrame:
    """status, currency, entries, promised, due, applied, open: what became of what was promised."""
    return _frame(connection, "totals", {})


def differences(connection: psycopg.Connection, *, most: int = MOST_LISTED) -> pd.DataFrame:
    """Every difference, the open ones first and the largest on top."""
    return _frame(connection, "differences", {"most": most})


def files(connection: psycopg.Connection) -> list[File]:
    """The newest files first."""
    with connection.cursor(row_factory=class_row(File)) as cursor:
        return cursor.execute(query("billing", "files")).fetchall()


def set_aside(connection: psycopg.Connection, file_id: int) -> pd.DataFrame:
    """line, reason of what could not be taken from a file."""
    return _frame(connection, "set_aside", {"file_id": file_id})


def settle(database: Database, session: Session, key: str, *, reason: str) -> None:
    """Settle a difference as it stands. Raises NoSuchDifference, SettlementNeedsReason, RoleMayNot."""
    act(database, session, "billing", "settle", {"key": key, "reason": reason})


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror}") from error


def _read(content: bytes, mapping: BillingMapping, path: Path) -> tuple[list[Applied], list[Fault]]:
    try:
        text = content.decode("utf-8-sig" if mapping.encoding in ("utf-8", "utf8") else mapping.encoding)
        table = csv.DictReader(io.StringIO(text, newline=""), delimiter=mapping.delimiter, strict=True)
        missing = mapping.missing(table.fieldnames or ())
        if missing:
            raise UnreadableFile(f"{path}: there is no column {', '.join(missing)}.")
        rows: list[Applied] = []
        faults: list[Fault] = []
        for row in table:
            told = read_row(row, table.line_num, mapping)
            (rows if isinstance(told, Applied) else faults).append(told)  # type: ignore[arg-type]
    except (UnicodeDecodeError, LookupError, csv.Error) as error:
        raise UnreadableFile(f"{path}: {error}") from error
    return rows, faults


def _without_known(connection: psycopg.Connection, rows: list[Applied]) -> tuple[list[Applied], list[Fault]]:
    """Rows whose billing number is new, and a fault for each of the others."""
    keys = [row.key for row in rows if row.key]
    known = {row[0] for row in connection.execute(query("billing", "known_keys"), {"keys": keys})}
    kept: list[Applied] = []
    faults: list[Fault] = []
    for row in rows:
        if row.key and row.key in known:
            faults.append(Fault(row.line, f"Billing’s number {row.key[:60]} was taken in before."))
            continue
        kept.append(row)
        if row.key:
            known.add(row.key)
    return kept, faults


def _write(connection: psycopg.Connection, file_id: int, rows: list[Applied], faults: list[Fault]) -> None:
    decisions = [row.reference for row in rows if row.entry_id is None and _is_uuid(row.reference)]
    entries: dict[str, int] = dict(
        connection.execute(query("billing", "entries_of"), {"decisions": decisions}).fetchall()
    )
    with connection.cursor() as cursor:
        with cursor.copy(query("billing", "add_applied")) as copy:
            for row in rows:
                entry = row.entry_id if row.entry_id is not None else entries.get(row.reference.lower())
                copy.write_row(
                    (
                        file_id,
                        row.line,
                        row.applied_on,
                        row.account,
                        entry,
                        row.reference,
                        row.key,
                        row.amount,
                        row.currency,
                    )
                )
        with cursor.copy(query("billing", "add_set_aside")) as copy:
            for fault in faults:
                copy.write_row((file_id, fault.line, fault.reason))


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _frame(connection: psycopg.Connection, name: str, asked: Mapping[str, Any]) -> pd.DataFrame:
    with connection.cursor() as cursor:
        rows = cursor.execute(query("billing", name), asked).fetchall()
        return pd.DataFrame(rows, columns=[column.name for column in cursor.description or ()])
