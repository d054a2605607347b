"""Spend: every figure ties to the ledger to the penny, months close under fire, a report role reads its schema only."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import openpyxl
import psycopg
import pyarrow.parquet as pq
import pytest

from churn import db, ledger
from churn.core.money import to_major
from churn.finance import spend, spend_export
from churn.finance.spend import CUTS, Period
from churn.finance.spend_export import View
from churn.refusals import Refusal, RoleMayNot
from churn.settings import Settings
from tests.ledger_world import NOON, World, populate, small_policy
from tests.spend_rows import fill

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
ALL = (date(2025, 1, 1), date(2027, 1, 1))


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    """The small desk with a policy in force since last year, and a November budget."""
    pool = db.open_database(database, size=12)
    populate(owner)
    made = World(pool, owner)
    made.set_clock(datetime.fromisoformat("2025-08-01T12:00Z"))
    made.publish(small_policy())
    made.set_clock(NOON)
    made.budget(10_000_000)
    yield made
    pool.close()


def in_python(world: World) -> dict[tuple[str, date], int]:
    """Net by currency and booked month, added up one row after the other, without SQL."""
    sums: dict[tuple[str, date], int] = defaultdict(int)
    for currency, month, amount in world.owner.execute("SELECT currency, booked_month, amount FROM desk.ledger"):
        sums[currency, month] += amount
    return sums


def test_ledger_page_files_and_report_agree_to_the_penny_over_100_000_entries(world: World) -> None:
    fill(world, 84_000)
    (count,) = world.owner.execute("SELECT count(*) FROM desk.ledger").fetchone() or (0,)
    assert count > 100_000
    for month in [date(2025, 10, 1), date(2026, 3, 1), OCTOBER]:
        ledger.close_month(world.database, world["finn"], month)
    sums = in_python(world)
    currencies = sorted({currency for currency, _ in sums})
    whole = {c: sum(net for (held, _), net in sums.items() if held == c) for c in currencies}
    assert currencies == ["GBP", "JPY", "KWD"]
    with world.database.transaction(world["finn"]) as connection:
        months = spend.months(connection)
        assert {(m.currency, m.month): m.reported for m in months if m.entries} == dict(sums)
        assert {c: sum(m.restated for m in months if m.currency == c) for c in currencies} == whole
        for cut in CUTS:
            for currency in currencies if cut == "kind" else ["GBP"]:
                rows = spend.by(connection, cut, Period(*ALL, currency))
                assert rows["net"].sum() == whole[currency], cut
                assert (rows["granted"] + rows["reversed"] + rows["clawed_back"] == rows["net"]).all()
        listed, many, net = spend.entries(connection, "agent", "ann", Period(*ALL, "GBP"), most=spend.EVERY_ROW)
        by_agent = spend.by(connection, "agent", Period(*ALL, "GBP")).set_index("value")
        assert (len(listed), many, net) == (by_agent.loc["ann", "entries"], len(listed), by_agent.loc["ann", "net"])
        assert listed["amount"].sum() == net
        for month in (OCTOBER, date(2026, 3, 1)):
            signed = spend.statement(connection, month)
            assert signed is not None
            assert spend.still_ties(signed, spend.sums(connection, month))
            for currency in currencies:
                told = sum(row["net"] for row in signed.statement if row["currency"] == currency)
                assert told == sums[currency, month]
    reported = dict(world.owner.execute("SELECT currency, sum(amount) FROM report.concessions GROUP BY 1").fetchall())
    assert reported == {c: to_major(whole[c], c) for c in currencies}
    view = View("entries", listed, ("amount",), {})
    csv_rows = list(csv.reader(io.StringIO(spend_export.file_of("CSV", view.frame, view.money).decode("utf-8-sig"))))
    at = csv_rows[0].index("amount")
    assert sum(Decimal(row[at]) for row in csv_rows[1 : csv_rows.index([])]) == to_major(net, "GBP")
    assert csv_rows[-1][:2] == ["all rows", "GBP"]
    assert Decimal(csv_rows[-1][-1]) == to_major(net, "GBP")


def test_the_totals_of_every_kind_of_file_stand_apart_and_tie(world: World) -> None:
    fill(world, 600)
    with world.database.transaction(world["lea"]) as connection:
        frame, _, net = spend.entries(connection, "agent", None, Period(*ALL, "JPY"))
    assert len(frame) > 50
    book = openpyxl.load_workbook(io.BytesIO(spend_export.file_of("Excel", frame, ("amount",))))
    heads = [cell.value for cell in book["Keepline"][1]]
    amounts = [row[heads.index("amount")] for row in book["Keepline"].iter_rows(min_row=2, values_only=True)]
    assert book.sheetnames == ["Keepline", "Totals"]
    assert sum(amounts) == net == book["Totals"]["D2"].value
    table = pq.read_table(io.BytesIO(spend_export.file_of("Parquet", frame, ("amount",))))
    (told,) = json.loads(table.schema.metadata[b"keepline_totals"])
    assert sum(table["amount"].to_pylist()) == Decimal(told["amount"]) == net


def test_a_file_is_written_down_before_it_is_handed_out(world: World) -> None:
    world.give("ann", "C1", 1_234)
    with world.database.transaction(world["finn"]) as connection:
        frame = spend.by(connection, "team", Period(*ALL, "GBP")).assign(currency="GBP")
    text = spend_export.exported(world.database, world["finn"], "CSV", View("by-team", frame, ("net",), {"by": "team"}))
    assert b"12.34" in text
    kept = world.owner.execute("SELECT staff_id, subject, detail FROM desk.audit WHERE act = 'exported'").fetchall()
    assert kept == [("finn", "spend", {"view": "by-team", "kind": "CSV", "rows": 1, "by": "team"})]


def test_what_is_taken_back_later_restates_the_month_it_was_given_in(world: World) -> None:
    world.set_clock(datetime.fromisoformat("2026-10-20T12:00Z"))
    world.budget(100_000, month=OCTOBER)
    entry = world.give("ann", "C1", 3_000)
    world.give("ann", "C2", 1_000)
    world.set_clock(datetime.fromisoformat("2026-11-15T12:00Z"))
    ledger.close_month(world.database, world["finn"], OCTOBER)
    ledger.reverse(world.database, world["nor"], entry.entry_id, reason="wrong account")
    with world.database.transaction(world["finn"]) as connection:
        told = {m.month: (m.reported, m.restated, m.closed_by) for m in spend.months(connection)}
        granted = {m.month: m.granted for m in spend.months(connection)}
        late = spend.corrections(connection, NOVEMBER)
        signed = spend.statement(connection, OCTOBER)
        assert signed is not None
        assert spend.still_ties(signed, spend.sums(connection, OCTOBER))
        by_agent = spend.by(connection, "agent", Period(NOVEMBER, NOVEMBER, "GBP"))
    assert told == {OCTOBER: (4_000, 1_000, "finn"), NOVEMBER: (-3_000, 0, None)}
    assert granted == {OCTOBER: 4_000, NOVEMBER: 0}, "a month with nothing but corrections has granted nothing"
    assert late[["reverses", "belongs_month", "amount"]].values.tolist() == [[entry.entry_id, OCTOBER, -3_000]]
    assert by_agent[["value", "net"]].values.tolist() == [["ann", -3_000]], "it is the giver's figure that is restated"


def test_a_month_closed_under_concurrent_grants_loses_nothing_and_admits_nothing_late(world: World) -> None:
    """Agents give in October's last minute while finance closes it: every yes is in the statement, no no is."""
    world.set_clock(datetime.fromisoformat("2026-10-31T23:59:30Z"))
    world.budget(10_000_000, month=OCTOBER)
    offers = [(f"agent{k % 8}", k) for k in range(48)]
    for k in range(8):
        world.owner.execute("UPDATE desk.staff SET team = 'north' WHERE staff_id = %s", [f"agent{k}"])
    ready = [(who, world.offer(who, f"C{k}", 100 + k)) for who, k in offers]
    begin, given, refused = threading.Barrier(10), [], []

    def give(mine: list[tuple[str, ledger.Grant]]) -> None:
        begin.wait()
        for who, grant in mine:
            try:
                given.append(ledger.give(world.database, world[who], grant))
            except Refusal as no:
                refused.append(no)

    def close() -> None:
        begin.wait()
        while len(given) < 6:  # somewhere in the middle
            pass
        world.set_clock(datetime.fromisoformat("2026-11-01T00:00:01Z"))
        ledger.close_month(world.database, world["finn"], OCTOBER)

    for who in {who for who, _ in offers}:
        assert world[who]
    threads = [threading.Thread(target=give, args=(ready[k::9],)) for k in range(9)]
    threads.append(threading.Thread(target=close))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with world.database.transaction(world["finn"]) as connection:
        signed = spend.statement(connection, OCTOBER)
        assert signed is not None
        assert spend.still_ties(signed, spend.sums(connection, OCTOBER))
    october = [entry for entry in given if entry.booked_month == OCTOBER]
    assert sum(row["net"] for row in signed.statement) == sum(entry.amount for entry in october)
    assert len(given) + len(refused) == len(ready)
    (there,) = world.owner.execute("SELECT count(*) FROM desk.ledger").fetchone() or (0,)
    assert there == len(given), "every yes is in the ledger and nothing else"
    assert len(october) >= 6
    (late,) = world.owner.execute(
        "SELECT count(*) FROM desk.ledger l JOIN desk.month_closes c ON c.month = l.booked_month "
        "WHERE l.entry_id > (SELECT max((s ->> 'last_entry')::bigint) FROM jsonb_array_elements(c.statement) s)"
    ).fetchone() or (0,)
    assert late == 0


def test_who_may_read_spend(world: World) -> None:
    world.give("ann", "C1", 1_000)
    for who in ("finn", "lea"):
        with world.database.transaction(world[who]) as connection:
            assert [m.reported for m in spend.months(connection)] == [1_000]
    for who in ("ann", "nor"):
        with world.database.transaction(world[who]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            spend.months(connection)
    with world.database.transaction("finance") as connection:
        assert spend.months(connection) == [], "a role without somebody's token sees no row"
    with pytest.raises((RoleMayNot, psycopg.errors.InsufficientPrivilege)):
        ledger.close_month(world.database, world["lea"], OCTOBER)


def test_the_report_role_reads_its_schema_and_nothing_else(world: World) -> None:
    world.give("ann", "C1", 1_050)
    with world.owner.transaction(force_rollback=True):
        world.owner.execute("SET LOCAL ROLE keepline_report")
        found = world.owner.execute(
            "SELECT kind, agent, team, customer, amount, currency, month, outcome, is_closed FROM report.concessions"
        ).fetchall()
        assert found == [("grant", "ann", "north", "C1", Decimal("10.50"), "GBP", NOVEMBER, None, False)]
        assert world.owner.execute("SELECT * FROM report.month_closes").fetchall() == []
    readable = world.owner.execute(
        "SELECT format('%s.%s', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'v', 'm') "
        "AND n.nspname IN ('desk', 'crm', 'feed', 'masked', 'caller', 'truth', 'report') "
        "AND has_schema_privilege('keepline_report', n.oid, 'USAGE') "
        "AND has_any_column_privilege('keepline_report', c.oid, "
        "'SELECT, INSERT, UPDATE') ORDER BY 1"
    ).fetchall()
    assert readable == [("report.concessions",), ("report.month_closes",), ("report.outbox",)]
    for relation in ("desk.ledger", "crm.customers", "masked.customers"):
        with world.owner.transaction(force_rollback=True):
            world.owner.execute("SET LOCAL ROLE keepline_report")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                world.owner.execute(f"SELECT * FROM {relation}")  # type: ignore[arg-type]  # noqa: S608


@pytest.mark.parametrize(
    ("minor", "currency", "units"),
    [
        (3_550, "GBP", "35.50"),
        (-1, "GBP", "-0.01"),
        (3_500, "JPY", "3500"),
        (1_250, "KWD", "1.250"),
        (2**62, "EUR", "46116860184273879.04"),
    ],
)
def test_units_of_the_report_are_those_of_the_app(
    owner: psycopg.Connection, minor: int, currency: str, units: str
) -> None:
    (told,) = owner.execute("SELECT report.in_units(%s, %s)", [minor, currency]).fetchone() or (None,)
    assert told == Decimal(units) == to_major(minor, currency)


def test_a_budget_that_runs_out_is_told_before_it_does(world: World) -> None:
    world.set_clock(datetime.fromisoformat("2026-11-15T12:00Z"))
    world.owner.execute("UPDATE desk.budget_counters SET amount_limit = 40000")
    for k in range(14):
        world.set_clock(datetime.fromisoformat(f"2026-11-{k + 1:02}T12:00Z"))
        world.give("ann", f"C{k}", 2_000)
    with world.database.transaction(world["finn"]) as connection:
        ((budget, told),) = spend.forecasts(connection, NOVEMBER, date(2026, 11, 14))
    assert (budget.spent, budget.amount_limit) == (28_000, 40_000)
    assert told is not None
    assert told.is_alarm
    assert told.runs_out_on == date(2026, 11, 20), "£120 left, £20 a day"
    assert told.middle == pytest.approx(60_000)
