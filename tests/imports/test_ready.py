"""The ready mappings on the public data sets: every row is accounted for, and the traps in them are seen."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from churn.imports.loading import import_folder
from churn.imports.parsing import load_mapping, ready_mappings

# file: read, accepted, set aside, unmatched
ACCOUNTS = {
    "telco": {"Telco-Customer-Churn.csv": (7043, 7043, 0, 0)},
    "maven": {"telecom_customer_churn.csv": (7043, 6923, 120, 0)},
    "cell2cell": {"cell2cell_70.csv.gz": (35856, 35737, 119, 0)},
    "mlc": {"mlc_churn.csv": (5000, 5000, 0, 0)},
    "eagle": {
        "completeddistrict.csv": (77, 77, 0, 0),
        "completedclient.csv": (5369, 5369, 0, 0),
        "crm_events.csv": (23419, 23419, 0, 0),
        "crm_call_center_logs.csv": (3999, 3999, 0, 58),
        "crm_reviews.csv": (504, 504, 0, 504),
    },
}
# customers, of them ended, ended by choice, and the sum of prices
COMPANIES = {
    "telco": (7043, 1869, 1869, Decimal("456116.60")),
    "maven": (6923, 1839, 1787, Decimal("448557.55")),
    "cell2cell": (35737, 10266, 10266, Decimal("1672986.00")),
    "mlc": (5000, 707, 707, Decimal("297464.59")),
    "eagle": (5369, 0, 0, Decimal("0.00")),
}


def one(conn: psycopg.Connection, query: str) -> tuple[Any, ...] | None:
    return conn.execute(query).fetchone()  # type: ignore[arg-type]


def test_every_data_set_has_its_mapping() -> None:
    assert ready_mappings() == sorted(ACCOUNTS)


@pytest.mark.parametrize("name", sorted(ACCOUNTS))
def test_a_public_data_set_comes_in_row_for_row_and_only_once(batch: psycopg.Connection, data: Path, name: str) -> None:
    mapping = load_mapping(name)
    reports = import_folder(batch, data / name, mapping, progress=lambda *_: None)
    read = {r.path: (r.rows_read, r.rows_accepted, r.rows_set_aside, r.rows_unmatched) for r in reports if r.is_mapped}
    assert read == ACCOUNTS[name]
    assert all(rows == accepted + aside for rows, accepted, aside, _ in read.values())
    kept = one(
        batch,
        "SELECT count(*), count(ended_on), count(*) FILTER (WHERE end_reason = 'voluntary'), sum(monthly_price) "
        "FROM feed.customers JOIN feed.subscriptions USING (customer_id)",
    )
    assert kept == COMPANIES[name]
    again = import_folder(batch, data / name, mapping, progress=lambda *_: None)
    assert all(report.is_unchanged and not report.refusal for report in again)


def test_telco_tenure_is_the_start_and_the_flag_is_the_end(batch: psycopg.Connection, data: Path) -> None:
    import_folder(batch, data / "telco", load_mapping("telco"), progress=lambda *_: None)
    assert one(batch, "SELECT snapshot_on, data_until FROM desk.company") == (
        date(2019, 10, 1),
        datetime(2019, 10, 2, 6, 59, 59, 999999, tzinfo=UTC),
    )
    assert one(
        batch, "SELECT started_on, ended_on, product FROM feed.subscriptions WHERE customer_id = '3668-QPYBK'"
    ) == (date(2019, 8, 1), date(2019, 10, 1), "DSL")
    assert one(batch, "SELECT count(*) FROM feed.customers WHERE joined_on = '2019-10-01'") == (11,)
    assert one(batch, "SELECT count(*) FROM feed.customers WHERE attributes ?| ARRAY['TotalCharges', 'Churn']") == (0,)


def test_maven_keeps_nothing_that_is_known_only_afterwards(batch: psycopg.Connection, data: Path) -> None:
    import_folder(batch, data / "maven", load_mapping("maven"), progress=lambda *_: None)
    leaks = "ARRAY['Customer Status', 'Churn Category', 'Churn Reason', 'Offer', 'Total Charges', 'Total Revenue']"
    assert one(batch, f"SELECT count(*) FROM feed.customers WHERE attributes ?| {leaks}") == (0,)  # noqa: S608
    reasons = batch.execute("SELECT end_reason, count(*) FROM feed.subscriptions GROUP BY 1 ORDER BY 1").fetchall()
    assert reasons == [("involuntary", 6), ("move", 46), ("voluntary", 1787), (None, 5084)]
    assert one(batch, "SELECT DISTINCT column_name, reason FROM feed.set_aside") == (
        "Monthly Charge",
        "monthly_price: An amount below zero, which this cannot be.",
    )


def test_eagle_joins_calls_to_complaints_and_callers_to_clients(batch: psycopg.Connection, data: Path) -> None:
    import_folder(batch, data / "eagle", load_mapping("eagle"), progress=lambda *_: None)
    # 23,419 complaints, 1,495 calls about none of them, 504 reviews; 2,504 calls complete a complaint.
    assert one(batch, "SELECT count(*), count(ended_at) FROM feed.contacts") == (25_418, 3_999)
    assert one(
        batch,
        "SELECT customer_id, started_at, ended_at, agent_id, reason, queue, is_resolved FROM feed.contacts "
        "WHERE contact_id = 'CR2406263'",
    ) == (
        "C00004587",
        datetime(2017, 3, 27, 17, 34, 11, tzinfo=UTC),
        datetime(2017, 3, 27, 17, 40, 23, tzinfo=UTC),
        "MICHAL",
        "Closing/Cancelling account",
        "Credit card",
        None,
    )
    assert one(batch, "SELECT count(*) FROM feed.contacts WHERE channel = 'call' AND customer_id IS NULL") == (58,)
    assert one(batch, "SELECT started_at FROM feed.contacts WHERE contact_id = 'CR0922485'") == (
        datetime(2014, 7, 3, 4, 0, tzinfo=UTC),
    )
    assert one(batch, "SELECT name, phone, region FROM feed.customers WHERE customer_id = 'C00000001'") == (
        "Emma Avaya Smith",
        "+13671716840",
        "West",
    )
