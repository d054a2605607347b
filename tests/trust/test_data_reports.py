"""The nightly profile on a real database: each count is plain SQL's, what was planted rings, nobody is in it by key."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
import pytest

from churn import db, store
from churn.crm import contract
from churn.settings import Settings
from churn.trust import data_job, data_reports
from tests.factories import put, put_customer
from tests.ledger_world import NOON, populate


@pytest.fixture
def company(database: Settings, owner: psycopg.Connection) -> psycopg.Connection:
    """Sixty customers, a contact a day, two of nobody, an invoice twice, a shared number."""
    populate(owner)
    for i in range(60):
        phone = "+447700900001" if i < 3 else f"+4477009{i:05}"
        put_customer(owner, f"C{i}", joined_on="2025-01-01", region=None if i % 4 else "Wales", phone=phone)
        put(owner, "contacts", customer_id=f"C{i}", started_at=NOON - timedelta(days=i, hours=1), reason="billing")
    put(owner, "contacts", customer_id=None, started_at=NOON - timedelta(days=1))
    put(owner, "contacts", customer_id="nobody", started_at=NOON - timedelta(days=1))
    for _ in range(3):
        put(owner, "invoices", customer_id="C1", issued_on="2026-11-01", amount=41)
    return owner


def night(database: Settings) -> data_reports.Profile:
    data_job.profile(database, progress=lambda _: None)
    with db.connect(database, "batch") as connection:
        found = data_reports.newest(connection)
    assert found is not None
    return found


def count(owner: psycopg.Connection, asked: LiteralString) -> int:
    row = owner.execute(asked).fetchone()
    assert row is not None
    return int(row[0])


def of(rows: list[Any], **wanted: Any) -> Any:
    (row,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return row


def alarms(database: Settings, profile: data_reports.Profile) -> list[tuple[str, str]]:
    with db.connect(database, "batch") as connection:
        past = data_reports.earlier(connection, profile)
    return [(alarm.kind, alarm.about) for alarm in data_reports.alarms_of(profile, past)]


def test_every_count_is_that_of_plain_sql(database: Settings, company: psycopg.Connection) -> None:
    found = night(database)
    for view in contract.CONTRACT:
        table = of(found.tables, noun=view.name)
        assert table["rows"] == count(company, f"SELECT count(*) FROM crm.{view.name}")  # type: ignore[arg-type]  # noqa: S608
        for column in view.columns:
            told = of(found.columns, noun=view.name, name=column.name)
            plain = f"SELECT count(*) FROM crm.{view.name} WHERE {column.name} IS NULL"  # noqa: S608
            assert told["nulls"] == count(company, plain)  # type: ignore[arg-type]
    region = of(found.columns, noun="customers", name="region")
    assert (region["rows"], region["nulls"]) == (60, 45)
    contacts = of(found.tables, noun="contacts")
    assert (contacts["newest"], contacts["age_days"], contacts["usual_gap_days"], contacts["late_days"]) == (
        "2026-11-15", 0, 1, None,
    )  # fmt: skip
    assert sum(rows for _, rows in contacts["days"]) == 62


def test_doubles_and_unmatched_contacts_are_counted(database: Settings, company: psycopg.Connection) -> None:
    found = night(database)
    told = {(row["noun"], row["what"].split()[0]): row["rows"] for row in found.doubles if row["rows"]}
    assert told == {("customers", "customers"): 2, ("invoices", "a"): 2}
    assert found.contacts == [{"channel": "call", "contacts": 62, "nobody": 1, "unknown": 1}]


def test_a_breach_of_the_contract_is_told_with_what_mends_it_and_without_whose_it_is(
    database: Settings, company: psycopg.Connection
) -> None:
    put(company, "customers", customer_id="SECRET-KEY", joined_on="2030-01-01")
    found = night(database)
    (problem,) = [one for one in found.problems if one["place"] == "crm.customers.joined_on"]
    assert problem["sentence"] == "crm.customers: 1 row has a day of joining that is yet to come."
    assert (problem["rows"], problem["is_optional"]) == (1, False)
    assert "CREATE OR REPLACE VIEW crm.customers" in problem["mend"]
    row = company.execute("SELECT to_jsonb(p) FROM desk.data_profiles p").fetchone()
    assert row is not None
    assert "SECRET-KEY" not in json.dumps(row[0])
    assert not any(f'"C{i}"' in json.dumps(row[0]) for i in range(60))


def test_a_stale_feed_rings_and_a_fresh_one_does_not(database: Settings, company: psycopg.Connection) -> None:
    assert alarms(database, night(database)) == []
    company.execute("DELETE FROM feed.contacts WHERE started_at > %s", [NOON - timedelta(days=2)])
    assert alarms(database, night(database)) == []  # two days are no more than twice the usual day
    company.execute("DELETE FROM feed.contacts WHERE started_at > %s", [NOON - timedelta(days=5)])
    profile = night(database)
    assert alarms(database, profile) == [("late", "contacts")]
    assert of(profile.tables, noun="contacts")["late_days"] == 3


def test_a_jump_in_empty_values_rings_against_the_profiles_before(
    database: Settings, company: psycopg.Connection
) -> None:
    night(database)
    company.execute("UPDATE feed.contacts SET reason = NULL WHERE started_at > %s", [NOON - timedelta(days=30)])
    profile = night(database)
    assert alarms(database, profile) == [("jump", "contacts.reason")]


def test_what_scoring_leaves_out_is_said(database: Settings, company: psycopg.Connection) -> None:
    put_customer(company, "GONE", joined_on="2024-01-01")
    company.execute(
        "UPDATE feed.subscriptions SET ended_on = '2026-06-01', end_reason = 'move' WHERE customer_id = 'GONE'"
    )
    told = {row["what"]: row["customers"] for row in night(database).held_back}
    assert told == {"not scored: no live subscription": 1, "not scored: live": 60}
    company.execute("DROP VIEW crm.usage CASCADE")
    missing = of(night(database).held_back, what="crm.usage is missing")
    assert missing["why"] == "usage is left out"


def test_rows_set_aside_are_an_administrators_and_their_reasons_everybodys(
    database: Settings, company: psycopg.Connection
) -> None:
    company.execute(
        "INSERT INTO feed.files (path, sha256, mapping, mapping_sha256, encoding, rows_read, rows_accepted, "
        "rows_set_aside) VALUES ('people.csv', 'x', 'm', 'y', 'utf-8', 10, 7, 3)"
    )
    company.execute(
        "INSERT INTO feed.set_aside SELECT 1, l, 'price', 'Zoe''s price', 'This is no number.', '{\"who\": \"Zoe\"}' "
        "FROM generate_series(2, 4) l"
    )
    company.execute("INSERT INTO desk.staff (staff_id, name, role) VALUES ('adi', 'Adi', 'administrator')")
    found = night(database)
    assert found.set_aside == [
        {"path": "people.csv", "column_name": "price", "reason": "This is no number.", "rows": 3}
    ]
    assert of(found.sources, path="people.csv")["rows_set_aside"] == 3
    assert "Zoe" not in json.dumps([found.set_aside, found.sources])
    pool = db.open_database(database, size=2)
    try:
        with pool.transaction("admin") as connection:
            rows = data_reports.rows_set_aside(connection, "people.csv", None)
        assert rows["line"].tolist() == [2, 3, 4]
        for role in ("leader", "analyst", "finance"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), pool.transaction(role) as connection:
                data_reports.rows_set_aside(connection, "people.csv", None)
        with pytest.raises(psycopg.errors.InsufficientPrivilege), pool.transaction("agent") as connection:
            data_reports.newest(connection)
    finally:
        pool.close()


def test_an_old_profile_is_forgotten(database: Settings, company: psycopg.Connection) -> None:
    night(database)
    company.execute("UPDATE desk.data_profiles SET measured_at = now() - interval '401 days'")
    night(database)
    assert count(company, "SELECT count(*) FROM desk.data_profiles") == 1


def test_without_a_company_it_says_what_to_do(database: Settings) -> None:
    with pytest.raises(store.NoCompany, match="python3 -m churn demo"):
        data_job.profile(database, progress=lambda _: None)
