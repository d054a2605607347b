"""Files as they come: encodings, delimiters, quotes, ragged rows, things that are no CSV, and whole-file refusals."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn.imports.inspecting import Inspection, Refusal, inspect_file
from churn.imports.reading import Chunk, read_chunks

NAMES = "id,name\n1,Zoë\n2,Ørsted\n"
ROWS = [("1", "Zoë"), ("2", "Ørsted")]


def inspect(folder: Path, content: bytes, name: str = "a.csv", **settings: str) -> Inspection:
    (folder / name).write_bytes(content)
    return inspect_file(folder / name, wanted=["id", "name"], **settings)


def rows(file: Inspection, **limits: int) -> list[tuple[str, ...]]:
    return [
        row for chunk in read_chunks(file, **limits) for row in zip(*map(to_list, chunk.columns.values()), strict=True)
    ]


def to_list(column: object) -> list[str]:
    return column.to_pylist()  # type: ignore[attr-defined,no-any-return]


def only_chunk(file: Inspection) -> Chunk:
    (chunk,) = read_chunks(file)
    return chunk


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (NAMES.encode(), "utf-8"),
        (NAMES.encode("utf-8-sig"), "utf-8-sig"),
        (NAMES.encode("utf-16"), "utf-16"),
        (NAMES.encode("utf-16-le"), "utf-16-le"),
        (NAMES.encode("utf-16-be"), "utf-16-be"),
        (NAMES.encode("utf-32"), "utf-32"),
        (NAMES.encode("cp1252"), "cp1252"),
        (gzip.compress(NAMES.encode(), mtime=0), "utf-8"),
        (gzip.compress(NAMES.encode("cp1252"), mtime=0), "cp1252"),
        (NAMES.replace("\n", "\r\n").encode(), "utf-8"),
        (NAMES.replace("\n", "\r").encode(), "utf-8"),
        (NAMES.rstrip("\n").encode(), "utf-8"),
        (b"\n\n" + NAMES.encode(), "utf-8"),
        (NAMES.replace(",", ";").encode(), "utf-8"),
        (NAMES.replace(",", "\t").encode(), "utf-8"),
        (NAMES.replace(",", "|").encode(), "utf-8"),
        (
            NAMES.replace("id,name", ' "id" , "name"')
            .replace(' "id" ,', '"id",')
            .replace(' "name"', '"name"')
            .encode(),
            "utf-8",
        ),
    ],
)
def test_text_is_read_whatever_wrote_it(tmp_path: Path, content: bytes, encoding: str) -> None:
    file = inspect(tmp_path, content)
    assert (file.encoding, file.header) == (encoding, ("id", "name"))
    assert rows(file) == ROWS


def test_a_byte_no_windows_code_page_has_means_latin_1(tmp_path: Path) -> None:
    file = inspect(tmp_path, b"id,name\n1,Zo\xeb\x81\n")
    assert (file.encoding, rows(file)) == ("latin-1", [("1", "Zoë\x81")])


def test_a_declared_encoding_wins_over_a_guess(tmp_path: Path) -> None:
    assert rows(inspect(tmp_path, "id,name\n1,Ł\n".encode("cp1250"), encoding="cp1250")) == [("1", "Ł")]


def test_a_broken_byte_among_good_utf_8_sets_one_row_aside(tmp_path: Path) -> None:
    chunk = only_chunk(inspect(tmp_path, "id,name\n1,Zoë\n2,Renée\n".encode() + b"3,Jos\xe9\n"))
    assert chunk.lines.tolist() == [2, 3]
    assert [(one.line, one.column, one.reason[:29]) for one in chunk.set_aside] == [
        (4, "name", "The value has bytes that are ")
    ]


def test_a_nul_sets_one_row_aside(tmp_path: Path) -> None:
    chunk = only_chunk(inspect(tmp_path, b"id,name\n1,A\x00da\n2,Bob\n"))
    assert chunk.columns["name"].to_pylist() == ["Bob"]
    assert [(one.line, one.column) for one in chunk.set_aside] == [(2, "name")]


def test_lines_are_counted_through_quoted_line_breaks_and_empty_lines(tmp_path: Path) -> None:
    chunk = only_chunk(inspect(tmp_path, b'id,name\r\n1,"a\r\nb"\r\n\r\n2,"c\nd\ne"\r\n3,f\r\n4\r\n5,g\r\n'))
    assert chunk.lines.tolist() == [2, 5, 8, 10]
    assert chunk.columns["id"].to_pylist() == ["1", "2", "3", "5"]
    assert [(one.line, one.reason) for one in chunk.set_aside] == [(9, "The row has 1 values where the header has 2.")]


def test_lines_are_counted_across_chunks(tmp_path: Path) -> None:
    content = b"id,name\n" + b"".join(b'%d,"x\ny"\n' % n for n in range(30_000))
    file = inspect(tmp_path, content)
    chunks = list(read_chunks(file, size=50_000))
    assert [line for chunk in chunks for line in chunk.lines.tolist()] == list(range(2, 60_002, 2))
    assert len(chunks) > 3


def test_a_ragged_row_keeps_what_stands_beyond_the_header(tmp_path: Path) -> None:
    chunk = only_chunk(inspect(tmp_path, b"id,name\n1,a,b,c\n"))
    (one,) = chunk.set_aside
    assert one.reason == "The row has 4 values where the header has 2."
    assert one.row == {"id": "1", "name": "a", "(beyond the header)": "b, c"}


def test_the_header_again_in_the_middle_is_no_row(tmp_path: Path) -> None:
    chunk = only_chunk(inspect(tmp_path, "id,name\n1,a\n\ufeffid,name\n2,b\n".encode()))
    assert chunk.columns["id"].to_pylist() == ["1", "2"]
    assert [one.reason for one in chunk.set_aside] == ["The header again in the middle of the file: remove this line."]


def test_a_customer_named_like_a_column_is_a_row(tmp_path: Path) -> None:
    assert rows(inspect(tmp_path, b"id,name\nid,x\n2,b\n")) == [("id", "x"), ("2", "b")]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a.csv is empty."),
        (b"\n \n", "a.csv is empty."),
        (b"PK\x03\x04\x14\x00", "a.csv is not CSV but an Excel workbook or another zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.csv is not CSV but an old Excel workbook"),
        (b"%PDF-1.7", "a.csv is not CSV but a PDF"),
        (b"PAR1\x15\x04", "a.csv is not CSV but a Parquet file"),
        (b"id,name,id\n1,a,2\n", "a.csv has more than one column named “id”"),
        (gzip.compress(NAMES.encode(), mtime=0)[:-6], "a.csv is a damaged or cut-off gzip file"),
        (gzip.compress(NAMES.encode(), mtime=0)[:20] + b"xxxxxxxxxxxx", "a.csv is a damaged or cut-off gzip file"),
        (NAMES.encode("utf-16") + b"\x00", "a.csv is not text in the encoding utf-16"),
        (b'id,name\n1,a\n2,"b\n3,c\n4,d\n', "a.csv: a quote opened on line 3 is never closed."),
        (b'id,name\n1,"x\ny"\n2,"b" c\n', "a.csv: the quotes do not match up on lines 4 to 4."),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(Refusal) as refused:
        rows(inspect(tmp_path, content))
    assert str(refused.value).startswith(sentence)


def test_a_quote_that_swallows_the_file_is_refused_before_the_memory_is_full(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="line 2 is longer than 16 million characters"):
        rows(inspect(tmp_path, b'id,name\n1,"' + b"x,y\n" * 5_000_000))


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="a line of more than 64 MB after line 1"):
        inspect(tmp_path, b"id,name\n" + b"x" * (70 << 20))


def test_long_rows_end_a_chunk_early(tmp_path: Path) -> None:
    content = b"id,name\n" + b"".join(b"%d,%s\n" % (n, b"x" * 100_000) for n in range(300))
    sizes = [len(chunk) for chunk in read_chunks(inspect(tmp_path, content), size=10 << 20)]
    assert sum(sizes) == 300
    assert max(sizes) <= 200


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(
        st.one_of(
            st.text('ab," \n\r', max_size=8),
            st.tuples(st.text('a,"\n', max_size=4), st.text('b,"\r\n', max_size=4)).map(
                lambda pair: ",".join('"' + cell.replace('"', '""') + '"' for cell in pair) + "\n"
            ),
            st.just("1,a\n"),
            st.just("id,name\n"),
        ),
        max_size=12,
    ),
    size=st.integers(min_value=1, max_value=64),
)
def test_the_quick_way_reads_what_the_strict_one_reads(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], size: int
) -> None:
    file = inspect(tmp_path_factory.mktemp("quick"), ("id,name\n" + "".join(rows)).encode())
    assert everything(file, size) == everything(replace(file, is_doubtful=True), size)


def everything(file: Inspection, size: int) -> tuple[list[tuple[object, ...]], list[tuple[int, str]], str | None]:
    """Rows with their lines, what is set aside, and the refusal."""
    taken: list[tuple[object, ...]] = []
    set_aside: list[tuple[int, str]] = []
    try:
        for chunk in read_chunks(file, size=size):
            taken += zip(chunk.lines.tolist(), *map(to_list, chunk.columns.values()), strict=True)
            set_aside += [(one.line, one.reason) for one in chunk.set_aside]
    except Refusal as refusal:
        return [], [], str(refusal)
    return taken, set_aside, None


def test_unnamed_columns_are_named_by_their_place(tmp_path: Path) -> None:
    assert inspect(tmp_path, b",id,name\n0,1,a\n").header == ("column 1", "id", "name")
