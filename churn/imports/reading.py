"""Rows out of a CSV file in chunks of columns, each row with the line it starts on."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn.imports.blocks import BLOCK, Block, parse_block, read_blocks
from churn.imports.inspecting import (
    LONGEST_FIELD,
    Inspection,
    Refusal,
    open_bytes,
    open_text,
    refusing_damage,
)

CHUNK_ROWS = 100_000
CHUNK_BYTES = 64 << 20  # a chunk ends here too, so that long notes do not fill the memory
_BATCH_ROWS = 5_000  # rows kept as Python lists at a time: few enough for the processor's cache
_SLICE_ROWS = 50  # rows between two looks at how much was read
_LINE_END = re.compile("\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class SetAside:
    """One source row that cannot be taken. `row`: their column → text as read."""

    line: int
    column: str | None
    value: str | None
    reason: str
    row: dict[str, str | None]


@dataclass(slots=True)
class Chunk:
    """Some rows. `lines`: int64, on which each starts; `columns`: their column → pyarrow string array as long."""

    lines: np.ndarray
    columns: dict[str, Any]
    set_aside: list[SetAside] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    def row(self, position: int) -> dict[str, str | None]:
        """One source row as read."""
        return {name: column[position].as_py() for name, column in self.columns.items()}


def read_chunks(file: Inspection, *, rows: int = CHUNK_ROWS, size: int = CHUNK_BYTES) -> Iterator[Chunk]:
    """All rows after the header, in chunks of at most about `rows` rows and `size` bytes of the file.

    Line numbers count the file's line ends, those inside quotes too; the header is line 1. Rows with too few or too
    many values, NUL, undecodable bytes or the header again come in `Chunk.set_aside`. Raises Refusal where the quotes
    do not match up: nobody can tell where such a row ends.
    """
    csv.field_size_limit(LONGEST_FIELD)  # one limit for the process; its default is 128 kB
    is_plain = file.encoding in ("utf-8", "utf-8-sig") and not file.is_doubtful
    with refusing_damage(file.path):
        parts: list[Chunk] = []
        taken, began = 0, 0
        for part, position in _quick_parts(file, size) if is_plain else _slow_parts(file, size):
            parts.append(part)
            taken += len(part) + len(part.set_aside)
            if taken >= rows or position - began >= size:
                yield _joined(parts)
                parts, taken, began = [], 0, position
        if parts:
            yield _joined(parts)


def _quick_parts(file: Inspection, size: int) -> Iterator[tuple[Chunk, int]]:
    """Parts of the file and how many of its bytes were read by then."""
    header = list(file.header)
    with open_bytes(file.path) as stream:
        for block in read_blocks(stream, file.delimiter, min(BLOCK, size)):
            is_first = block.line == 1
            columns = parse_block(block, header, file.delimiter) if block.is_sound else None
            if columns and is_first and not _is_header([column[0].as_py() for column in columns.values()], header):
                columns = None  # empty lines before it, names in quotes over two lines: let the slow way see to it
            if columns is None:
                yield from _slow_parts(file, size, block)
            else:
                skipped = 1 if is_first else 0
                mine = {name: column.slice(skipped) for name, column in columns.items()}
                yield Chunk(block.starts[skipped:], mine), block.offset + len(block.data)


def _is_header(row: list[str], header: list[str]) -> bool:
    return [cell.strip("\ufeff \t\u00a0") or f"column {n}" for n, cell in enumerate(row, start=1)] == header


def _slow_parts(file: Inspection, size: int, block: Block | None = None) -> Iterator[tuple[Chunk, int]]:
    """The same by the `csv` module: the whole file, one sound block of it, or all from an unsound one on."""
    offset = block.offset if block else 0
    if block and block.is_sound:
        text: IO[str] = io.TextIOWrapper(io.BytesIO(block.data), encoding="utf-8", newline="")
    else:
        text = open_text(file.path, file.encoding, offset)
    with text:
        for batch in _Batches(text, file, size=size, line=block.line if block else 1):
            yield _columns(batch, file), offset + batch.position


@dataclass(frozen=True, slots=True)
class _Batch:
    rows: list[list[str]]
    lines: list[int]  # on which each row starts
    position: int  # bytes of the file read so far


class _Batches:
    """A file's rows as Python lists, few at a time."""

    def __init__(self, text: IO[str], file: Inspection, *, size: int, line: int) -> None:
        self._file, self._size, self._lines_before = file, size, line - 1
        self._bytes = text.buffer  # type: ignore[attr-defined]
        self._reader = csv.reader(text, delimiter=file.delimiter, strict=True)

    def __iter__(self) -> Iterator[_Batch]:
        if not self._lines_before:
            self._skip_header()
        while True:
            rows: list[list[str]] = []
            lines: list[int] = []
            began = self._bytes.tell()
            while len(rows) < _BATCH_ROWS and self._bytes.tell() - began < self._size:
                before = self._line + 1
                more = self._slice(before)
                if not more:
                    break
                rows += more
                lines += self._starts(more, before)
            if not rows:
                return
            if [] in rows:  # empty lines
                lines = [line for row, line in zip(rows, lines, strict=True) if row]
                rows = [row for row in rows if row]
            yield _Batch(rows, lines, self._bytes.tell())

    @property
    def _line(self) -> int:
        return self._lines_before + self._reader.line_num

    def _skip_header(self) -> None:
        for row in self._reader:
            if len(row) > 1 or "".join(row).strip("\ufeff "):
                return

    def _slice(self, before: int) -> list[list[str]]:
        rows: list[list[str]] = []
        try:
            rows.extend(islice(self._reader, _SLICE_ROWS))
        except csv.Error as error:
            start = before + sum(map(_height, rows))
            raise Refusal(_quote_sentence(self._file.path.name, start, self._line, str(error))) from None
        return rows

    def _starts(self, rows: list[list[str]], before: int) -> list[int]:
        after = self._line + 1
        if after - before == len(rows):  # no line break inside quotes: one line a row
            return list(range(before, after))
        starts = [before]
        for row in rows[:-1]:
            starts.append(starts[-1] + _height(row))
        return starts


def _height(row: list[str]) -> int:
    """Lines a row takes up in the file."""
    return 1 + sum(len(_LINE_END.findall(cell)) for cell in row)


def _quote_sentence(name: str, start: int, line: int, error: str) -> str:
    if "unexpected end" in error:
        return (
            f"{name}: a quote opened on line {start} is never closed. Close it, or double it if it is part of the text."
        )
    if "field limit" in error:
        return (
            f"{name}: a value that starts on line {start} is longer than {LONGEST_FIELD >> 20} million characters. "
            "Most likely its quote is never closed."
        )
    return f"{name}: the quotes do not match up on lines {start} to {line}. A quote inside a text must be doubled."


def _columns(batch: _Batch, file: Inspection) -> Chunk:
    header = list(file.header)
    if not file.is_doubtful and set(map(len, batch.rows)) == {len(header)}:
        chunk = _chunk(batch.rows, batch.lines, header)
        # A repeated header is looked for in the first column alone, which costs nothing; `_fault` looks at the row.
        if not pc.any(pc.match_substring(chunk.columns[header[0]], header[0])).as_py():
            return chunk
    checked = [(row, line, _fault(row, header)) for row, line in zip(batch.rows, batch.lines, strict=True)]
    rows = [row for row, _, fault in checked if not fault]
    chunk = _chunk(rows, [line for _, line, fault in checked if not fault], header)
    chunk.set_aside = [_misread(row, line, fault, header) for row, line, fault in checked if fault]
    return chunk


def _chunk(rows: list[list[str]], lines: list[int], header: list[str]) -> Chunk:
    values = zip(*rows, strict=True) if rows else ([] for _ in header)
    columns = {name: pa.array(column, pa.string()) for name, column in zip(header, values, strict=True)}
    return Chunk(np.array(lines, dtype=np.int64), columns)


def _fault(row: list[str], header: list[str]) -> tuple[str | None, str] | None:
    """Their column and a sentence for a row that cannot be read as one of this table."""
    if len(row) != len(header):
        return None, f"The row has {len(row)} values where the header has {len(header)}."
    if [cell.strip("\ufeff \t") for cell in row] == header:
        return None, "The header again in the middle of the file: remove this line."
    for name, cell in zip(header, row, strict=True):
        if "\0" in cell:
            return name, "The value has a NUL character in it: export the file again."
        if any("\ud800" <= char <= "\udfff" for char in cell):
            return name, "The value has bytes that are not in the file's encoding: export the file again as UTF-8."
    return None


def _misread(row: list[str], line: int, fault: tuple[str | None, str], header: list[str]) -> SetAside:
    column, reason = fault
    source: dict[str, str | None] = dict(zip(header, row, strict=False))
    if len(row) > len(header):
        source["(beyond the header)"] = file_safe(", ".join(row[len(header) :]))
    return SetAside(line, column, source.get(column) if column else None, reason, source)


def file_safe(text: str) -> str:
    """Text that can be stored: NUL and undecodable bytes made visible."""
    return text.replace("\0", "␀").encode(errors="backslashreplace").decode()


def _joined(parts: list[Chunk]) -> Chunk:
    lines = np.concatenate([part.lines for part in parts])
    columns = {name: pa.concat_arrays([part.columns[name] for part in parts]) for name in parts[0].columns}
    return Chunk(lines, columns, [one for part in parts for one in part.set_aside])
