"""One file on its way in: cleaned, matched to customers, written, and accounted for in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from churn.imports.accounts import KnownCustomers, SeenKeys
from churn.imports.attributes import attribute_columns, detect_types
from churn.imports.cleaning import Cleaned, clean_chunk, set_aside_rows
from churn.imports.copying import copy_rows, copy_set_aside, make_staging
from churn.imports.inspecting import Refusal
from churn.imports.mapping import AttributeType, FileMapping, Mapping, TableMapping
from churn.imports.reading import Chunk, read_chunks
from churn.imports.surveying import Survey
from churn.imports.tables import TABLES
from churn.imports.values import Rules, holds

RULES_VERSION = "2"  # raised when the cleaning changes, so that files already taken in are read again
Progress = Callable[[str, int, int], None]
_NULL = pa.scalar(None, pa.string())


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file. `rows_read == rows_accepted + rows_set_aside`, always.

    `refusal`: why the file as a whole was not read, a sentence. `is_unchanged`: it was taken in before, and nothing
    before it changed. `left_out`: columns that are neither mapped nor dropped nor attributes.
    """

    path: str
    rows_read: int = 0
    rows_accepted: int = 0
    rows_set_aside: int = 0
    rows_unmatched: int = 0  # accepted contacts that belong to no known customer
    encoding: str | None = None
    is_unchanged: bool = False
    refusal: str | None = None
    left_out: tuple[str, ...] = ()
    is_mapped: bool = (
        True  # False: a file of the folder that the mapping does not name; not read, nothing wrong with it
    )


@dataclass(slots=True)
class _Counts:
    read: int = 0
    accepted: int = 0
    set_aside: int = 0
    unmatched: int = 0


class FileImport:
    """One file, one mapping, one transaction."""

    def __init__(
        self, conn: psycopg.Connection, file: FileMapping, mapping: Mapping, *, survey: Survey, rules: Rules
    ) -> None:
        self.conn, self.file, self.rules = conn, file, rules
        self.inspection = survey.inspections[str(file.path)]
        self.mapping_name, self.lookups = mapping.name, survey.lookups
        self.mapping_sha256 = _mapping_digest(mapping, file, survey)
        self.customers = KnownCustomers(conn)
        self.seen = {table.table: SeenKeys() for table in file.tables}
        self.counts = _Counts()

    @property
    def path(self) -> str:
        return str(self.file.path)

    def unchanged(self) -> FileReport | None:
        """The earlier report, if the last that was taken in under this name is this very file and mapping."""
        row = self.conn.execute(
            "SELECT sha256, mapping_sha256, rows_read, rows_accepted, rows_set_aside, rows_unmatched, encoding "
            "FROM feed.files WHERE path = %s ORDER BY file_id DESC LIMIT 1",
            [self.path],
        ).fetchone()
        if row is None or row[:2] != (self.inspection.sha256, self.mapping_sha256):
            return None
        read, accepted, set_aside, unmatched, encoding = row[2:]
        return FileReport(
            self.path, read, accepted, set_aside, unmatched, encoding, is_unchanged=True, left_out=self.left_out()
        )

    def take_in(self, progress: Progress) -> FileReport:
        """The whole file or nothing of it."""
        progress(self.file.path.name, 0, self.inspection.lines)
        types = self.types()
        try:
            with self.conn.transaction():
                file_id = self.new_entry()
                is_empty = {table.table: self.prepare(table) for table in self.file.tables}
                for chunk in read_chunks(self.inspection):
                    self.take_chunk(chunk, file_id, types, is_empty)
                    progress(self.file.path.name, self.counts.read, self.inspection.lines)
                self.close_entry(file_id)
        except (psycopg.errors.DataError, psycopg.errors.IntegrityError) as error:
            # Postgres' own words carry values; only the rule's name is repeated.
            rule = error.diag.constraint_name or error.diag.column_name or error.sqlstate
            raise Refusal(
                f"{self.path}: the database refused a row by its rule {rule}; nothing was taken in."
            ) from None
        return FileReport(
            self.path,
            self.counts.read,
            self.counts.accepted,
            self.counts.set_aside,
            self.counts.unmatched,
            self.inspection.encoding,
            left_out=self.left_out(),
        )

    def take_chunk(
        self, chunk: Chunk, file_id: int, types: dict[str, AttributeType], is_empty: dict[str, bool]
    ) -> None:
        cleaned = clean_chunk(chunk, self.file, types=types, rules=self.rules, lookups=self.lookups)
        erased = self.refuse_erased(cleaned)
        unmatched = self.match_customers(cleaned)
        for table in self.file.tables:
            self.refuse_repeated(table, cleaned)
        good = cleaned.problems.good
        keep = pa.array(good)
        for table in self.file.tables:
            columns = {name: values.filter(keep) for name, values in cleaned.tables[table.table].items()}
            if good.any():
                copy_rows(self.conn, table.table, columns, straight=is_empty[table.table], completes=table.completes)
        set_aside = set_aside_rows(chunk, cleaned.problems, self.file, erased=erased)
        copy_set_aside(self.conn, file_id, set_aside)
        accepted = int(good.sum())
        self.counts.accepted += accepted
        self.counts.set_aside += len(set_aside)
        self.counts.read += len(chunk) + len(chunk.set_aside)
        self.counts.unmatched += int((unmatched & good).sum())

    def refuse_erased(self, cleaned: Cleaned) -> dict[str, str]:
        """Set aside rows of customers who were erased, whatever else is wrong with them; all such accounts."""
        erased = self.customers.erased()
        for table in self.file.tables if erased else ():
            ids = cleaned.tables[table.table].get("customer_id")
            if ids is not None:
                for sentence in set(erased.values()):
                    named = pa.array([name for name, why in erased.items() if why == sentence], pa.string())
                    source = table.sources["customer_id"]
                    cleaned.problems.replace(holds(pc.is_in(ids, named)), source.blamed(), sentence)
        return erased

    def match_customers(self, cleaned: Cleaned) -> np.ndarray:
        """Set aside what needs a customer and has none; contacts of nobody we know are kept, and told here."""
        unmatched = np.zeros(len(cleaned.problems.which), dtype=bool)
        here = cleaned.tables.get("customers")
        for table in self.file.tables:
            columns = cleaned.tables[table.table]
            if TABLES[table.table].needs_customer:
                stranger = self.strangers(columns["customer_id"], here)
                cleaned.problems.add(
                    stranger, table.sources["customer_id"].blamed(),
                    "customer_id: No such customer. Import the customers first, or correct the id.",
                )  # fmt: skip
            elif table.table == "contacts":
                columns["customer_id"] = self.callers(columns, cleaned, here)
                unmatched = ~holds(pc.is_valid(columns["customer_id"]))
        return unmatched

    def callers(self, columns: dict[str, Any], cleaned: Cleaned, here: dict[str, Any] | None) -> Any:
        """Contacts' customers: by id, else by the number only one customer has, else null."""
        ids = columns.get("customer_id")
        if ids is None:
            ids = pa.nulls(len(cleaned.problems.which), pa.string())
        ids = pc.if_else(pa.array(self.strangers(ids, here)), _NULL, ids)
        if cleaned.customer_phones is None:
            return ids
        asked = pc.if_else(pc.is_valid(ids), _NULL, cleaned.customer_phones).dictionary_encode()
        numbers = asked.dictionary.to_pylist()
        found = self.customers.by_phone(numbers)
        return pc.coalesce(ids, pa.array([found.get(number) for number in numbers], pa.string()).take(asked.indices))

    def strangers(self, ids: Any, here: dict[str, Any] | None) -> np.ndarray:
        """Rows whose customer is neither in the database nor in this file's customers."""
        coded = ids.dictionary_encode()
        distinct = coded.dictionary.to_pylist()
        known = set(here["customer_id"].to_pylist()) if here else set()
        known |= self.customers.known(name for name in distinct if name not in known)
        is_known = pa.array([name in known for name in distinct], pa.bool_()).take(coded.indices)
        return holds(pc.and_(pc.is_valid(ids), pc.invert(is_known)))

    def refuse_repeated(self, table: TableMapping, cleaned: Cleaned) -> None:
        """Set aside rows whose key came before in this file: the first is taken."""
        key = TABLES[table.table].key
        columns = cleaned.tables[table.table]
        keys = pc.binary_join_element_wise(*(columns[name] for name in key), "\x1f")
        repeated = self.seen[table.table].repeated(keys, cleaned.problems.good)
        blamed = table.sources[key[0]].blamed() if len(key) == 1 else None
        cleaned.problems.add(
            repeated, blamed, f"{', '.join(key)}: Used by an earlier row of this file; that one was taken."
        )

    def types(self) -> dict[str, AttributeType]:
        """Types of the attributes, from a reading of the whole file before the one that takes it in."""
        for table in self.file.tables:
            if table.attributes:
                columns = attribute_columns(self.file, table.attributes, self.inspection.header)
                return detect_types(read_chunks(self.inspection), columns, table.attributes, self.file.decimal)
        return {}

    def left_out(self) -> tuple[str, ...]:
        """Columns nothing is said about."""
        if any(table.attributes and table.attributes.rest for table in self.file.tables):
            return ()
        return tuple(name for name in self.inspection.header if name not in self.file.columns())

    def prepare(self, table: TableMapping) -> bool:
        """Lock and stage one table; whether it is empty, so that rows can go straight in."""
        feed = sql.Identifier("feed", table.table)
        self.conn.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(feed))
        row = self.conn.execute(sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(feed)).fetchone()
        make_staging(self.conn, table.table)
        return bool(row and row[0])

    def new_entry(self) -> int:
        key = [self.path, self.inspection.sha256, self.mapping_sha256]
        self.conn.execute("DELETE FROM feed.files WHERE path = %s AND sha256 = %s AND mapping_sha256 = %s", key)
        row = self.conn.execute(
            "INSERT INTO feed.files (path, sha256, mapping_sha256, mapping, encoding, rows_read, rows_accepted, "
            "rows_set_aside) VALUES (%s, %s, %s, %s, %s, 0, 0, 0) RETURNING file_id",
            [*key, self.mapping_name, self.inspection.encoding],
        ).fetchone()
        assert row is not None  # noqa: S101
        return int(row[0])

    def close_entry(self, file_id: int) -> None:
        self.conn.execute(
            "UPDATE feed.files SET rows_read = %s, rows_accepted = %s, rows_set_aside = %s, rows_unmatched = %s "
            "WHERE file_id = %s",
            [self.counts.read, self.counts.accepted, self.counts.set_aside, self.counts.unmatched, file_id],
        )


def _mapping_digest(mapping: Mapping, file: FileMapping, survey: Survey) -> str:
    # A row's values come from the file, the mapping, the lookups and our own rules: any change means reading again.
    parts = [RULES_VERSION, mapping.sha256, *sorted(survey.lookup_files[one.file].sha256 for one in file.lookups())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
