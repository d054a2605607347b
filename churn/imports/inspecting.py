"""What a file is before a row of it is read: its digest, encoding, delimiter and header, or why it is refused."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BLOCK = 4 << 20
LONGEST_LINE = 64 << 20  # bytes; a longer one is no table, and would have to stand in memory whole
LONGEST_FIELD = 16 << 20  # characters
DELIMITERS = (",", ";", "\t", "|")
_MAGIC = {
    b"PK\x03\x04": "an Excel workbook or another zip archive: save the sheet as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV (UTF-8)",
    b"%PDF": "a PDF document: ask for the table as CSV",
    b"PAR1": "a Parquet file: export it as CSV",
    b"SQLite format 3": "an SQLite database: export the table as CSV",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GZIP = b"\x1f\x8b"
_UNDEFINED_CP1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")


class Refusal(ValueError):
    """A file as a whole cannot be read; the message is a sentence with the position."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """One file, looked at from end to end once. `lines` is an estimate of its rows, for progress only."""

    path: Path
    sha256: str  # of the bytes as they lie on disk
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    lines: int
    is_doubtful: bool  # NUL or undecodable bytes were seen: rows are looked at one by one


def inspect_file(
    path: Path, *, wanted: Iterable[str], encoding: str | None = None, delimiter: str | None = None
) -> Inspection:
    """Look at a CSV file (plain or gzip). `wanted`: the columns a mapping names, by which the delimiter is told.

    A byte-order mark decides the encoding; then what is declared; then UTF-8 if the bytes are (mostly) that;
    then Windows-1252; Latin-1 last. Raises Refusal.
    """
    with path.open("rb") as raw:
        digest = hashlib.file_digest(raw, "sha256").hexdigest()
    with refusing_damage(path), open_bytes(path) as stream:
        scan = _scan(path.name, stream)
    found = scan.encoding(encoding)
    with refusing_damage(path), open_text(path, found) as text:
        header, mark = _header(text, set(wanted), delimiter)
    _check_header(path.name, header)
    return Inspection(path, digest, found, mark, header, scan.lines, scan.is_doubtful(found))


def open_text(path: Path, encoding: str, offset: int = 0) -> IO[str]:
    """The file as text from `offset` on, unpacked if packed. Bytes not in the encoding become lone surrogates."""
    errors = "strict" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
    stream = open_bytes(path)
    stream.seek(offset)
    return io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline="")


@contextmanager
def refusing_damage(path: Path) -> Iterator[None]:
    """Turn what the standard library says about broken files into a Refusal."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise Refusal(f"{path.name} is a damaged or cut-off gzip file: copy it again.") from None
    except UnicodeError as error:
        raise Refusal(f"{path.name} is not text in the encoding {getattr(error, 'encoding', 'it declares')}.") from None


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked if they are packed."""
    with path.open("rb") as file:
        is_packed = file.read(2) == _GZIP
    return gzip.open(path, "rb") if is_packed else path.open("rb")  # type: ignore[return-value]


@dataclass(slots=True)
class _Scan:
    start: bytes = b""
    lines: int = 0
    has_nul: bool = False
    strange: int = 0  # bytes that cannot be UTF-8
    continued: int = 0  # bytes that continue a UTF-8 character
    is_cp1252: bool = True

    def encoding(self, declared: str | None) -> str:
        for mark, name in _BOMS:
            if self.start.startswith(mark):
                return name
        if declared:
            return declared
        if wide := _utf16_without_mark(self.start):
            return wide
        # A few broken bytes in a file full of good UTF-8 are broken bytes; otherwise it is another encoding.
        if self.strange <= self.continued:
            return "utf-8"
        return "cp1252" if self.is_cp1252 else "latin-1"

    def is_doubtful(self, encoding: str) -> bool:
        if encoding == "latin-1":  # every byte is a character
            return self.has_nul
        return self.has_nul or (not self.is_cp1252 if encoding == "cp1252" else self.strange > 0)


def _scan(name: str, stream: IO[bytes]) -> _Scan:
    scan = _Scan(start=stream.read(4096))
    if not scan.start.strip():
        raise Refusal(f"{name} is empty.")
    for magic, what in _MAGIC.items():
        if scan.start.startswith(magic):
            raise Refusal(f"{name} is not CSV but {what}.")
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    block, since_newline = scan.start, 0
    while block:
        scan.lines += block.count(b"\n")
        scan.has_nul = scan.has_nul or b"\0" in block
        since_newline = since_newline + len(block) if b"\n" not in block else len(block) - block.rfind(b"\n")
        if since_newline > LONGEST_LINE:
            raise Refusal(f"{name} has a line of more than {LONGEST_LINE >> 20} MB after line {scan.lines}.")
        _count_utf8(scan, decoder, block)
        block = stream.read(BLOCK)
    return scan


def _count_utf8(scan: _Scan, decoder: codecs.IncrementalDecoder, block: bytes) -> None:
    if block.isascii() and not decoder.getstate()[0]:
        return
    text = decoder.decode(block)
    strange = len(text) - len(text.encode(errors="ignore").decode())
    scan.strange += strange
    scan.continued += len(block) - len(text)
    scan.is_cp1252 = scan.is_cp1252 and not (strange and _UNDEFINED_CP1252 & set(block))


def _utf16_without_mark(start: bytes) -> str | None:
    if len(start) < 8:
        return None
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if max(even, odd) < 0.3 * len(start) / 2:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _header(text: IO[str], wanted: set[str], declared: str | None) -> tuple[tuple[str, ...], str]:
    """The header's names and the delimiter: the declared one, or the one that yields most of the wanted columns."""
    first = next((line for line in text if line.strip("\ufeff \r\n")), "")
    if first.count('"') % 2:  # a line break inside a quoted name
        first += "".join(line for line, _ in zip(text, range(20), strict=False))
    tried = []
    for mark in (declared,) if declared else DELIMITERS:
        row = next(csv.reader([*first.splitlines(keepends=True)], delimiter=mark), [])
        names = tuple(name.strip(" \t\ufeff\u00a0") or f"column {place}" for place, name in enumerate(row, start=1))
        tried.append((len(wanted & set(names)), len(names), names, mark))
    _, _, names, mark = max(tried, key=lambda one: one[:2])
    return names, mark


def _check_header(name: str, header: tuple[str, ...]) -> None:
    twice = sorted(column for column, count in Counter(header).items() if count > 1)
    if twice:
        listed = ", ".join(f"“{column}”" for column in twice)
        raise Refusal(f"{name} has more than one column named {listed}: give each a name of its own.")
