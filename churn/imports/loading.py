"""A folder of files into the schema `feed`: each file in one transaction, each row either taken or set aside.

A killed import leaves nothing or all of a file. The same file with the same mapping again changes nothing, not even a
row version; a changed file changes the rows that differ. Rows that are gone from a file stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from churn.imports.company import rules_of, write_company
from churn.imports.inspecting import Refusal
from churn.imports.mapping import Mapping
from churn.imports.surveying import Survey, survey_folder
from churn.imports.taking import FileImport, FileReport, Progress
from churn.imports.values import Rules

IMPORT_LOCK = 7_305_113


class ImportBusy(RuntimeError):
    """Another import into this database is running."""


def import_folder(conn: psycopg.Connection, folder: Path, mapping: Mapping, *, progress: Progress) -> list[FileReport]:
    """Take in the folder's files in the mapping's order; one report a file, files outside the mapping too.

    `progress(file name, rows done, rows expected)` is called after every chunk. If a file is refused before anything is
    read, none is; if one turns out unreadable on the way, the files after it are not read. Raises ImportBusy,
    OtherCompany, and ValueError for a connection inside a transaction.
    """
    if conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        raise ValueError("An import needs a connection that is in no transaction: each file gets one of its own.")
    survey = survey_folder(folder, mapping)
    if survey.refusals:
        return [FileReport(path, refusal=sentence) for path, sentence in survey.refusals.items()]
    with _only_import(conn):
        write_company(conn, mapping.company)
        rules = rules_of(conn, mapping.company)
        return [*_import_files(conn, mapping, survey, rules, progress), *_not_mapped(survey)]


def _import_files(
    conn: psycopg.Connection, mapping: Mapping, survey: Survey, rules: Rules, progress: Progress
) -> Iterator[FileReport]:
    has_changed, refused = False, None
    yield from (_account_lookup(conn, lookup, survey, mapping) for lookup in survey.lookup_files)
    for file in mapping.files:
        path = str(file.path)
        if refused:
            yield FileReport(path, refusal=f"{path} was not read, because {refused} was refused.")
            continue
        work = FileImport(conn, file, mapping, survey=survey, rules=rules)
        # What an earlier file says may decide about rows of a later one: whose contacts they are, what they complete.
        if not has_changed and (report := work.unchanged()):
            yield report
            continue
        has_changed = True
        try:
            yield work.take_in(progress)
        except Refusal as refusal:
            refused = path
            yield FileReport(path, refusal=str(refusal))


def _not_mapped(survey: Survey) -> list[FileReport]:
    return [FileReport(path, is_unchanged=True, is_mapped=False) for path in survey.strangers]


def _account_lookup(conn: psycopg.Connection, path: str, survey: Survey, mapping: Mapping) -> FileReport:
    """A lookup's rows are all taken, or its folder is refused."""
    file, rows = survey.lookup_files[path], survey.lookup_rows[path]
    added = conn.execute(
        "INSERT INTO feed.files (path, sha256, mapping_sha256, mapping, encoding, rows_read, rows_accepted, "
        "rows_set_aside) VALUES (%s, %s, %s, %s, %s, %s, %s, 0) ON CONFLICT DO NOTHING",
        [path, file.sha256, mapping.sha256, mapping.name, file.encoding, rows, rows],
    ).rowcount
    return FileReport(path, rows, rows, encoding=file.encoding, is_unchanged=not added)


@contextmanager
def _only_import(conn: psycopg.Connection) -> Iterator[None]:
    """The connection to itself, in no transaction but ours, and no second import beside it."""
    was_autocommit = conn.autocommit
    conn.autocommit = True
    try:
        row = conn.execute("SELECT pg_try_advisory_lock(%s)", [IMPORT_LOCK]).fetchone()
        if not row or not row[0]:
            raise ImportBusy("Another import into this database is running: wait until it is done.")
        try:
            yield
        finally:
            if not conn.closed:
                conn.execute("SELECT pg_advisory_unlock(%s)", [IMPORT_LOCK])
    finally:
        if not conn.closed:
            conn.autocommit = was_autocommit
