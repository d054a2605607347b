"""Into the database: once is enough, half is never, and every row is accounted for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from churn import db
from churn.imports import loading
from churn.imports.company import OtherCompany
from churn.imports.loading import ImportBusy, import_folder
from churn.imports.parsing import load_mapping
from churn.settings import PROJECT, Settings
from tests.imports.small import CONTACTS, GOOD_CONTACT, GOOD_SUBSCRIBER, SUBSCRIBERS, Small, csv_row

TABLES = ("feed.customers", "feed.subscriptions", "feed.contacts", "feed.files", "feed.set_aside", "desk.company")


def versions(conn: psycopg.Connection) -> list[list[tuple[Any, ...]]]:
    """Every row with its place and version."""
    return [
        conn.execute(f"SELECT ctid::text, xmin::text, t::text FROM {table} t ORDER BY 1").fetchall()  # noqa: S608
        for table in TABLES
    ]


def subscribers(*changes: dict[str, str]) -> str:
    """A file of good subscribers with these changes."""
    return f"{SUBSCRIBERS}\n" + "".join(csv_row(GOOD_SUBSCRIBER | change) for change in changes)


def contacts(*changes: dict[str, str]) -> str:
    """A file of good contacts with these changes."""
    return f"{CONTACTS}\n" + "".join(csv_row(GOOD_CONTACT | change) for change in changes)


@pytest.fixture
def both(small: Small) -> Small:
    """Two subscribers, three contacts of which one is bad and one nobody's."""
    small.with_contacts = True
    small.put("subscribers.csv", subscribers({}, {"Id": "2", "Phone": ""}))
    small.put("contacts.csv", contacts({}, {"No": "k2", "Score": "9"}, {"No": "k3", "Account": "404"}))
    return small


def test_every_row_is_accepted_or_set_aside(both: Small) -> None:
    reports = both.take_in()
    assert [(r.path, r.rows_read, r.rows_accepted, r.rows_set_aside, r.rows_unmatched) for r in reports] == [
        ("subscribers.csv", 2, 2, 0, 0),
        ("contacts.csv", 3, 2, 1, 1),
    ]
    assert both.rows("SELECT path, rows_read, rows_accepted, rows_set_aside, rows_unmatched FROM feed.files") == [
        ("subscribers.csv", 2, 2, 0, 0),
        ("contacts.csv", 3, 2, 1, 1),
    ]


def test_the_same_files_again_change_nothing_not_even_a_row_version(both: Small) -> None:
    both.take_in()
    before = versions(both.conn)
    assert [report.is_unchanged for report in both.take_in()] == [True, True]
    assert versions(both.conn) == before


def test_reading_the_same_rows_again_writes_no_row(both: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    both.take_in()
    before = both.rows("SELECT ctid::text, xmin::text FROM feed.contacts ORDER BY 1")
    monkeypatch.setattr("churn.imports.taking.RULES_VERSION", "next")  # reads everything again
    assert [report.is_unchanged for report in both.take_in()] == [False, False]
    assert both.rows("SELECT ctid::text, xmin::text FROM feed.contacts ORDER BY 1") == before


def test_a_changed_file_changes_the_rows_that_differ(small: Small) -> None:
    small.put("subscribers.csv", subscribers({}, {"Id": "2"}, {"Id": "3"}))
    small.take_in()
    before = dict(small.rows("SELECT customer_id, xmin::text FROM feed.customers"))
    small.put("subscribers.csv", subscribers({}, {"Id": "2", "Name": "Bea"}, {"Id": "4"}))
    small.take_in()
    after = dict(small.rows("SELECT customer_id, xmin::text FROM feed.customers"))
    assert sorted(after) == ["1", "2", "3", "4"]
    assert [key for key in before if after[key] != before[key]] == ["2"]
    assert small.rows("SELECT name FROM feed.customers WHERE customer_id = '2'") == [("Bea",)]


def test_going_back_to_an_earlier_file_is_a_change(small: Small) -> None:
    small.put("subscribers.csv", subscribers({"Name": "Ada"}))
    small.take_in()
    small.put("subscribers.csv", subscribers({"Name": "Bea"}))
    small.take_in()
    small.put("subscribers.csv", subscribers({"Name": "Ada"}))
    assert not small.take_in()[0].is_unchanged
    assert small.rows("SELECT name FROM feed.customers") == [("Ada",)]


def test_contacts_find_their_customer_once_the_customer_is_known(both: Small) -> None:
    both.take_in()
    both.put("subscribers.csv", subscribers({}, {"Id": "2"}, {"Id": "404"}))
    _, report = both.take_in()
    assert (report.is_unchanged, report.rows_unmatched) == (False, 0)
    assert both.rows("SELECT customer_id FROM feed.contacts WHERE contact_id = 'k3'") == [("404",)]


def test_the_second_row_of_a_key_is_set_aside(small: Small) -> None:
    small.put("subscribers.csv", subscribers({"Name": "First"}, {"Name": "Second"}, {"Id": "2"}))
    small.take_in()
    assert small.rows("SELECT name FROM feed.customers WHERE customer_id = '1'") == [("First",)]
    assert small.set_aside() == [
        (3, "Id", "customer_id: Used by an earlier row of this file; that one was taken."),
    ]


def test_a_bad_row_does_not_use_up_its_key(small: Small) -> None:
    small.put("subscribers.csv", subscribers({"Price": "-1"}, {"Name": "Second"}))
    small.take_in()
    assert small.rows("SELECT name FROM feed.customers") == [("Second",)]


def test_keys_are_remembered_across_chunks(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("churn.imports.reading.read_chunks.__kwdefaults__", {"rows": 1, "size": 1})
    monkeypatch.setattr("churn.imports.reading._BATCH_ROWS", 1)
    monkeypatch.setattr("churn.imports.reading._SLICE_ROWS", 1)
    small.put("subscribers.csv", subscribers({}, {"Id": "2"}, {"Id": "1"}, {"Id": "3"}, {"Id": "2"}))
    small.take_in()
    assert [line for line, *_ in small.set_aside()] == [4, 6]


def test_subscriptions_of_nobody_are_set_aside(small: Small) -> None:
    (small.folder.parent / "own.toml").write_text(
        """
        [company]
        name = "Own"
        time_zone = "UTC"
        phone_region = "GB"
        currency = "GBP"
        [[file]]
        path = "bills.csv"
        dates = "%Y-%m-%d"
        decimal = "1.234,50"
        [file.invoices]
        invoice_id = "no"
        customer_id = "who"
        issued_on = "on"
        due_on = "on"
        amount = "sum"
        """
    )
    small.put("bills.csv", "no;who;on;sum\n1;404;2024-01-05;-1.012,5\n")
    mapping = load_mapping(small.folder.parent / "own.toml")
    import_folder(small.conn, small.folder, mapping, progress=lambda *_: None)
    assert small.set_aside() == [
        (2, "who", "customer_id: No such customer. Import the customers first, or correct the id.")
    ]


def test_the_company_is_written_and_its_clock_stands_where_the_mapping_says(both: Small) -> None:
    both.take_in()
    columns = "name, time_zone, phone_region, currency, horizon_days, snapshot_on, data_until, source"
    found = both.rows(f"SELECT {columns} FROM desk.company")  # noqa: S608
    assert found == [("Small", "Europe/London", "GB", "GBP", 90, None, None, "files")]


def test_another_companys_files_are_refused(both: Small) -> None:
    both.take_in()
    both.conn.execute("UPDATE desk.company SET name = 'Large'")
    with pytest.raises(OtherCompany, match="holds the customers of Large, and the mapping is about Small"):
        both.take_in()


def test_files_do_not_go_into_the_simulated_company(both: Small) -> None:
    both.conn.execute(
        "INSERT INTO desk.company (name, time_zone, phone_region, currency, source) "
        "VALUES ('Sim', 'UTC', 'GB', 'GBP', 'simulated')"
    )
    with pytest.raises(OtherCompany, match="about Sim"):
        both.take_in()


def test_only_one_import_runs_at_a_time(both: Small, database: Settings) -> None:
    with db.connect(database, "batch") as other:
        other.execute("SELECT pg_advisory_lock(%s)", [loading.IMPORT_LOCK])
        with pytest.raises(ImportBusy, match="Another import"):
            both.take_in()
    both.take_in()


def test_a_connection_in_a_transaction_is_refused(both: Small) -> None:
    with both.conn.transaction(), pytest.raises(ValueError, match="in no transaction"):
        both.take_in()


def test_a_connection_without_autocommit_commits_each_file(both: Small, database: Settings) -> None:
    with psycopg.connect(db.app_conninfo(database), options="-c role=keepline_batch") as conn:
        both.conn, watching = conn, both.conn
        both.take_in()
        assert watching.execute("SELECT count(*) FROM feed.files").fetchone() == (2,)
        assert conn.autocommit is False


def test_a_missing_file_and_a_missing_column_are_said_together_and_nothing_is_read(both: Small) -> None:
    both.put("subscribers.csv", "Id,Nmae,Phone,Joined,Price\n")
    (both.folder / "contacts.csv").unlink()
    assert [report.refusal for report in both.take_in()] == [
        "subscribers.csv has no column “Name” (is it “Nmae”?).",
        "contacts.csv is not in the folder.",
    ]
    assert both.rows("SELECT * FROM feed.files") == []


def test_a_file_that_breaks_on_the_way_leaves_nothing_and_stops_the_rest(both: Small) -> None:
    both.put("subscribers.csv", subscribers({}) + '"2,unclosed\n')
    first, second = both.take_in()
    assert first.refusal == (
        "subscribers.csv: a quote opened on line 3 is never closed. Close it, or double it if it is part of the text."
    )
    assert second.refusal == "contacts.csv was not read, because subscribers.csv was refused."
    assert both.rows("SELECT count(*) FROM feed.customers") == [(0,)]


def test_files_and_columns_nobody_mapped_are_named(both: Small) -> None:
    both.put("other.csv", "a\n1\n")
    both.put("contacts.csv", contacts({}).replace("Score,Note", "Score,Note,Mood").replace('"hello"', '"hello","x"'))
    _, report, other = both.take_in()
    assert report.left_out == ("Mood",)
    assert (other.path, other.is_mapped, other.rows_read, other.refusal) == ("other.csv", False, 0, None)


def test_progress_names_the_file_and_counts_rows(both: Small) -> None:
    seen: list[tuple[str, int, int]] = []
    import_folder(both.conn, both.folder, both.mapping(), progress=lambda *call: seen.append(call))
    assert seen == [
        ("subscribers.csv", 0, 3),
        ("subscribers.csv", 2, 3),
        ("contacts.csv", 0, 4),
        ("contacts.csv", 3, 4),
    ]


def test_types_of_attributes_come_from_the_whole_file(small: Small) -> None:
    small.put("subscribers.csv", subscribers({"Tier": "1"}, {"Id": "2", "Tier": "N/A"}, {"Id": "3", "Tier": "gold"}))
    small.take_in()
    assert small.rows("SELECT attributes FROM feed.customers ORDER BY customer_id") == [
        ({"Tier": "1"},),
        ({"Tier": "N/A"},),
        ({"Tier": "gold"},),
    ]


CHILD = """
import os, sys
from pathlib import Path
from churn import db
from churn.imports import reading
from churn.imports.loading import import_folder
from churn.imports.parsing import load_mapping
from churn.settings import read_settings

def progress(name, done, total):
    if done >= 20_000:
        print("half", flush=True)
        sys.stdin.readline()

reading.read_chunks.__kwdefaults__.update(rows=10_000, size=500_000)
with db.connect(read_settings(sys.argv[1]), "batch") as conn:
    import_folder(conn, Path(sys.argv[2]), load_mapping(sys.argv[3]), progress=progress)
"""


def test_a_killed_import_leaves_nothing_of_the_file(small: Small, database: Settings) -> None:
    small.put("subscribers.csv", subscribers(*({"Id": str(n)} for n in range(50_000))))
    small.mapping()
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, database.database, str(small.folder), str(small.folder.parent / "small.toml")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"half\n"
        child.send_signal(signal.SIGKILL)
    (report,) = small.take_in()  # the lock is free again, and nothing is in the way
    assert (report.is_unchanged, report.rows_accepted, report.rows_set_aside) == (False, 50_000, 0)
    assert small.rows("SELECT count(*), count(DISTINCT customer_id) FROM feed.customers") == [(50_000, 50_000)]


def test_a_database_rule_broken_on_the_way_is_a_refusal_without_values(
    both: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churn.imports.taking.FileImport.refuse_repeated", lambda *_: None)
    both.put("subscribers.csv", subscribers({}, {}))
    refusal = both.take_in()[0].refusal
    assert refusal == "subscribers.csv: the database refused a row by its rule customers_pkey; nothing was taken in."


def test_utc_is_what_is_stored(both: Small) -> None:
    both.put("contacts.csv", contacts({"At": "01/07/2024 10:00", "Until": ""}))
    both.take_in()
    assert both.rows("SELECT started_at FROM feed.contacts") == [(datetime(2024, 7, 1, 9, 0, tzinfo=UTC),)]


def test_a_file_outside_the_folder_is_not_read(both: Small, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text(contacts({}))
    (both.folder / "contacts.csv").unlink()
    (both.folder / "contacts.csv").symlink_to(tmp_path / "secret.csv")
    assert [report.refusal for report in both.take_in()] == ["contacts.csv leads out of the folder."]
