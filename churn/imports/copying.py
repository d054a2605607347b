"""Columns into Postgres: one COPY a chunk, and only rows that differ are written."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from churn.imports.reading import SetAside
from churn.imports.tables import TABLES

_PIECE = 1 << 20


def make_staging(conn: psycopg.Connection, table: str) -> None:
    """A temporary table shaped like `feed.<table>`, gone with the transaction and not logged."""
    conn.execute(sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP").format(_staging(table), _feed(table)))
    conn.execute(_drop_not_null(table))


def copy_rows(
    conn: psycopg.Connection, table: str, columns: dict[str, Any], *, straight: bool, completes: bool
) -> None:
    """Rows into `feed.<table>`: new keys are added, known keys updated where something differs.

    `straight`: the table was empty and the rows' keys are distinct, so that nothing can be known. `completes`: a
    missing value leaves what stands there.
    """
    if straight:
        _copy(conn, _feed(table), columns)
        return
    _copy(conn, _staging(table), columns)
    conn.execute(_merge(table, list(columns), completes=completes))
    conn.execute(sql.SQL("TRUNCATE {}").format(_staging(table)))


def copy_set_aside(conn: psycopg.Connection, file_id: int, rows: list[SetAside]) -> None:
    """Rows that could not be taken into `feed.set_aside`."""
    with conn.cursor().copy("COPY feed.set_aside (file_id, line, column_name, value, reason, row) FROM STDIN") as copy:
        for one in rows:
            copy.write_row(
                (file_id, one.line, one.column, one.value, one.reason, json.dumps(one.row, ensure_ascii=False))
            )


def copy_text(columns: list[Any]) -> memoryview:
    """Rows in Postgres' COPY text format, out of columns (pyarrow string arrays of one length)."""
    cells = [_escaped(column) for column in columns]
    lines = pc.binary_join_element_wise(*cells, "\t", null_handling="replace", null_replacement="\\N")
    lines = pc.binary_join_element_wise(lines, "\n", "")
    if isinstance(lines, pa.ChunkedArray):
        lines = pa.concat_arrays(lines.chunks)
    # The strings of an arrow array lie end to end in one buffer: that buffer is the COPY.
    _, offsets, data = lines.buffers()
    if data is None:
        return memoryview(b"")
    return memoryview(data)[: int(np.frombuffer(offsets, dtype=np.int32)[len(lines)])]


def _escaped(texts: Any) -> Any:
    if not pc.any(pc.match_substring_regex(texts, r"[\\\t\n\r]")).as_py():
        return texts
    for raw, safe in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        texts = pc.replace_substring(texts, raw, safe)
    return texts


def _copy(conn: psycopg.Connection, target: sql.Identifier, columns: dict[str, Any]) -> None:
    names = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    data = copy_text(list(columns.values()))
    with conn.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(target, names)) as copy:
        for start in range(0, len(data), _PIECE):
            copy.write(data[start : start + _PIECE])


def _merge(table: str, columns: list[str], *, completes: bool) -> sql.Composed:
    key = TABLES[table].key
    others = [name for name in columns if name not in key]
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    new = sql.SQL("coalesce(excluded.{0}, t.{0})") if completes else sql.SQL("excluded.{0}")
    values = [new.format(sql.Identifier(name)) for name in others]
    return sql.SQL(
        "INSERT INTO {feed} AS t ({names}) SELECT {names} FROM {staging} "
        "ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE ({old}) IS DISTINCT FROM ({new})"
    ).format(
        feed=_feed(table),
        staging=_staging(table),
        names=names,
        key=sql.SQL(", ").join(map(sql.Identifier, key)),
        changes=sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), value) for name, value in zip(others, values, strict=True)
        ),
        old=sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(name)) for name in others),
        new=sql.SQL(", ").join(values),
    )


def _drop_not_null(table: str) -> sql.Composed:
    # Only mapped columns come in; the others take the table's defaults when the rows are merged.
    drops = [
        sql.SQL("ALTER COLUMN {} DROP NOT NULL").format(sql.Identifier(name))
        for name in (*TABLES[table].columns, *(["attributes"] if table == "customers" else []))
    ]
    return sql.SQL("ALTER TABLE {} {}").format(_staging(table), sql.SQL(", ").join(drops))


def _feed(table: str) -> sql.Identifier:
    return sql.Identifier("feed", TABLES[table].name)


def _staging(table: str) -> sql.Identifier:
    return sql.Identifier("pg_temp", f"staging_{TABLES[table].name}")
