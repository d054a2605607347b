"""Rows out of a CSV file in chunks of columns, each row with the line it starts on."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from churn.imports.inspecting import LONGEST_FIELD, Inspection, Refusal, refusing_damage, open_text

CHUNK_ROWS = 100_000
CHUNK_CHARACTERS = 64 << 20  # a chunk ends here too, so that long notes do not fill the memory
_BATCH_ROWS = 5_000  # rows kept as Python lists at a time: few enough for the processor's cache


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
    """`lines`: int64, the line each row starts on; `columns`: their column → pyarrow string array as long as `lines`."""

    lines: np.ndarray
    columns: dict[str, Any]
    set_aside: list[SetAside] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    def row(self, position: int) -> dict[str, str | None]:
        """One source row as read."""
        return {name: column[position].as_py() for name, column in self.columns.items()}


def read_chunks(file: Inspection, *, rows: int = CHUNK_ROWS, characters: int = CHUNK_CHARACTERS) -> Iterator[Chunk]:
    """All rows after the header. Line numbers count the file's line ends, those inside quotes too; the header is line 1.

    Rows with too few or too many values, NUL, undecodable bytes or the header again come in `Chunk.set_aside`.
    Raises Refusal where the quotes do not match up: nobody can tell where such a row ends.
    """
    csv.field_size_limit(LONGEST_FIELD)  # one limit for the process; its default is 128 kB
    with refusing_damage(file.path), open_text(file.path, file.encoding) as text:
        batches = _batches(text, file, characters)
        next_batch = next(batches, None)
        while next_batch is not None:
            parts, taken, size = [], 0, 0
            while next_batch is not None and taken < rows and size < characters:
                parts.append(_columns(*next_batch[:2], file))
                taken, size = taken + len(next_batch[0]), size + next_batch[2]
                next_batch = next(batches, None)
            yield _joined(parts)


def _batches(text: Any, file: Inspection, characters: int) -> Iterator[tuple[list[list[str]], list[int], int]]:
    """Up to 5,000 rows at a time, the line each starts on, and how many characters of the file they took."""
    taken = 0

    def metered() -> Iterator[str]:
        nonlocal taken
        for line in text:
            taken += len(line)
            yield line

    reader = csv.reader(metered(), delimiter=file.delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    is_header, start, before = True, 1, 0
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise Refusal(_quote_sentence(file.path.name, start, reader.line_num, str(error))) from None
        if row is None:
            break
        if is_header:
            is_header = len(row) < 2 and not "".join(row).strip("\ufeff ")
        elif row:
            rows.append(row)
            lines.append(start)
            if len(rows) >= _BATCH_ROWS or taken - before > characters:
                yield rows, lines, taken - before
                rows, lines, before = [], [], taken
        start = reader.line_num + 1
    if rows:
        yield rows, lines, taken - before


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


def _columns(rows: list[list[str]], lines: list[int], file: Inspection) -> Chunk:
    width = len(file.header)
    set_aside: list[SetAside] = []
    header = list(file.header)
    # The set of lengths and one comparison cost nothing beside the parsing; rows are looked at only where needed.
    first = header[0]
    if file.is_doubtful or set(map(len, rows)) != {width} or any(row[0].strip("\ufeff ") == first for row in rows):
        checked = [(row, line, _fault(row, header)) for row, line in zip(rows, lines, strict=True)]
        set_aside = [_misread(row, line, fault, header) for row, line, fault in checked if fault]
        rows = [row for row, _, fault in checked if not fault]
        lines = [line for _, line, fault in checked if not fault]
    values = zip(*rows, strict=True) if rows else ([] for _ in header)
    columns = {name: pa.array(column, pa.string()) for name, column in zip(header, values, strict=True)}
    return Chunk(np.array(lines, dtype=np.int64), columns, set_aside)


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
