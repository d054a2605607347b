"""Billing: a file is taken in row by row, held against the ledger, and differences are settled by a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from churn import db, ledger
from churn.core.finance.applied import Applied, BillingMapping, Fault, read_row
from churn.finance import billing, spend
from churn.refusals import NoSuchDifference, RoleMayNot, SettlementNeedsReason
from churn.settings import Settings
from tests.ledger_world import NOON, World, populate, small_policy

MAPPING: dict[str, Any] = {
    "columns": {"applied_on": "Day", "account": "Account", "amount": "Amount", "entry": "Entry", "reference": "Ref",
                "currency": "Currency", "key": "Number"},
    "values": {"date": "%d/%m/%Y"},
}  # fmt: skip
HEAD = "Day,Account,Amount,Entry,Ref,Currency,Number\n"


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    """Grants of 1 September, looked at on 15 November: all of a credit is due."""
    pool = db.open_database(database, size=4)
    populate(owner)
    made = World(pool, owner)
    made.set_clock(datetime.fromisoformat("2026-08-20T12:00Z"))
    made.publish(small_policy())
    made.set_clock(datetime.fromisoformat("2026-09-01T12:00Z"))
    made.budget(100_000, month=date(2026, 9, 1))
    made.budget(100_000)
    yield made
    pool.close()


def taken(database: Settings, folder: Path, rows: str, name: str = "applied.csv") -> billing.Taken:
    path = folder / name
    path.write_text(HEAD + rows)
    return billing.import_file(database, path, BillingMapping.of(MAPPING))


def differences(world: World) -> dict[str, tuple[str, int, int, int, str | None]]:
    with world.database.transaction(world["finn"]) as connection:
        rows = billing.differences(connection)
    rows = rows.astype(object).where(rows.notna(), None)
    return {
        row["key"]: (row["status"], row["promised"], row["due"], row["applied"], row["settled_because"])
        for row in rows.to_dict("records")
    }


def test_each_entry_is_applied_missing_differing_or_without_promise(
    world: World, database: Settings, tmp_path: Path
) -> None:
    right, wrong, missing, back = (world.give("ann", f"C{k}", 2_000 + k) for k in range(4))
    world.set_clock(NOON)
    young = world.give("ann", "C9", 900)
    ledger.reverse(world.database, world["nor"], back.entry_id, reason="wrong account")
    done = taken(
        database, tmp_path,
        f"03/10/2026,C0,20.00,{right.entry_id},,GBP,1\n"
        f"03/10/2026,C1,20.00,{wrong.entry_id},,GBP,2\n"
        f"03/10/2026,C3,20.03,{back.entry_id},,GBP,3\n"
        f"03/10/2026,C7,5.00,,unknown,GBP,4\n"
        f"03/10/2026,C8,20.02,{missing.entry_id},,GBP,5\n",
    )  # fmt: skip
    assert (done.rows_read, done.rows_accepted, done.rows_set_aside) == (5, 5, 0)
    found = differences(world)
    assert found == {
        f"entry:{wrong.entry_id}": ("differs", 2_001, 2_001, 2_000, None),
        f"entry:{missing.entry_id}": ("missing", 2_002, 2_002, 0, None),
        f"entry:{back.entry_id}": ("unpromised", 0, 0, 2_003, None),
        "applied:4": ("unpromised", 0, 0, 500, None),
        "applied:5": ("unpromised", 0, 0, 2_002, None),
    }, "a booking of another customer's account counts for nobody's promise"
    with world.database.transaction(world["lea"]) as connection:
        totals = billing.totals(connection).set_index("status")
        owed = spend.accrual(connection)
    assert totals.loc["on_its_way", ["entries", "promised", "due"]].tolist() == [1, young.amount, 0]
    assert totals["open"].to_dict() == {"applied": 0, "on_its_way": 0, "differs": 1, "missing": 1, "unpromised": 3}
    assert owed[["granted", "taken_back", "applied", "owed"]].values.tolist() == [
        [900, 0, 0, 900], [8_006, 2_003, 6_003, 0],
    ]  # fmt: skip


def test_a_monthly_discount_is_due_part_by_part(owner: psycopg.Connection) -> None:
    due = "SELECT desk.due_by(1000, desk.schedule(1000, 3), '2026-01-31', %s::date)"
    days = {
        "2026-03-11": 0,
        "2026-03-12": 333,
        "2026-04-08": 333,
        "2026-04-09": 666,
        "2026-05-09": 666,
        "2026-05-10": 1_000,
    }
    assert {day: (owner.execute(due, [day]).fetchone() or (None,))[0] for day in days} == days


def test_a_reference_names_the_decision_and_the_same_file_or_number_is_taken_once(
    world: World, database: Settings, tmp_path: Path
) -> None:
    entry = world.give("ann", "C1", 2_000)
    row = f"03/10/2026,C1,20.00,,{str(entry.decision_id).upper()},GBP,77\n"
    assert not taken(database, tmp_path, row).is_again
    assert taken(database, tmp_path, row, "renamed.csv").is_again
    again = taken(database, tmp_path, row + "04/10/2026,C1,1.00,,,GBP,78\n", "longer.csv")
    assert (again.rows_accepted, again.rows_set_aside) == (1, 1)
    with world.database.transaction(world["finn"]) as connection:
        newest, oldest = billing.files(connection)
        assert billing.set_aside(connection, newest.file_id).to_dict("records") == [
            {"line": 2, "reason": "Billing’s number 77 was taken in before."}
        ]
        assert (oldest.name, oldest.rows_accepted) == ("applied.csv", 1)
        assert billing.totals(connection).set_index("status").loc["applied", "applied"] == 2_000


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("31/02/2026,C1,1.00,,,GBP,", "is not a day written like"),
        ("01/02/2026,,1.00,,,GBP,", "There is no account"),
        ("01/02/2026,C1,1.005,,,GBP,", "has 3 decimals; GBP has 2"),
        ("01/02/2026,C1,0.00,,,GBP,", "An amount of nothing"),
        ("01/02/2026,C1,1.00,seven,,GBP,", "is not the number of an entry"),
        ("01/02/2026,C1,1.00,,,pounds,", "is not a currency code"),
        ("01/02/2026,C1,1.00,,,GBP", "more or fewer fields"),
        ("01/02/0001,C1,1.00,,,GBP,", "is no day money was applied on"),
    ],
)
def test_a_row_that_cannot_be_read_is_set_aside_with_the_reason(
    world: World, database: Settings, tmp_path: Path, row: str, said: str
) -> None:
    done = taken(database, tmp_path, f"{row}\n02/02/2026,C2,3.00,,,GBP,\n")
    assert (done.rows_accepted, done.rows_set_aside) == (1, 1)
    with world.database.transaction(world["finn"]) as connection:
        ((line, reason),) = billing.set_aside(connection, billing.files(connection)[0].file_id).to_numpy()
    assert line == 2
    assert said in reason


def test_a_decimal_comma_is_read_only_where_it_is_said() -> None:
    values = {"currency": "EUR", "decimal": ","}
    mapping = BillingMapping.of(
        {"columns": {"applied_on": "d", "account": "a", "amount": "m", "entry": "e"}, "values": values}
    )
    row = {"d": "2026-10-03", "a": "C1", "m": "-1.234,50", "e": "7"}
    assert read_row(row, 2, mapping) == Applied(2, date(2026, 10, 3), "C1", -123_450, "EUR", 7)
    assert isinstance(read_row(row | {"m": "1,5"}, 3, BillingMapping(mapping.columns, currency="EUR")), Fault)


def test_everything_wrong_with_a_mapping_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('[columns]\naccount = "A"\ncolour = "B"\n[values]\ndecimal = ";"\n')
    with pytest.raises(billing.UnreadableFile) as told:
        billing.load_mapping(path)
    for part in ("column colour is not known", "lacks applied_on", "lacks amount", "lacks entry or reference",
                 "currency is a column or a value", "decimal is"):  # fmt: skip
        assert part in str(told.value)


def test_a_settled_difference_stays_settled_until_its_figures_move(
    world: World, database: Settings, tmp_path: Path
) -> None:
    entry = world.give("ann", "C1", 2_000)
    world.set_clock(NOON)
    key = f"entry:{entry.entry_id}"
    assert differences(world)[key][0] == "missing"
    with pytest.raises(SettlementNeedsReason):
        billing.settle(world.database, world["finn"], key, reason="  ")
    with pytest.raises((RoleMayNot, psycopg.errors.InsufficientPrivilege)):
        billing.settle(world.database, world["lea"], key, reason="x")
    for _ in range(2):  # twice is once
        billing.settle(
            world.database, world["finn"], key, reason="billing books it next week, card 4111 1111 1111 1111"
        )
    (kept,) = world.owner.execute("SELECT reason, staff_id, promised, applied FROM desk.billing_settlements").fetchall()
    assert kept[1:] == ("finn", 2_000, 0)
    assert "4111" not in kept[0]
    assert differences(world)[key][4] == kept[0]
    noted = world.owner.execute("SELECT staff_id, subject FROM desk.audit WHERE act = 'settled'").fetchall()
    assert noted == [("finn", key)]
    taken(database, tmp_path, f"20/11/2026,C1,10.00,{entry.entry_id},,GBP,\n")
    assert differences(world)[key] == ("differs", 2_000, 2_000, 1_000, None), "other figures: open again"
    with pytest.raises(NoSuchDifference):
        billing.settle(world.database, world["finn"], "entry:999", reason="x")


def test_nobody_changes_what_billing_said(world: World, database: Settings, tmp_path: Path) -> None:
    taken(database, tmp_path, "20/11/2026,C1,10.00,,,GBP,\n")
    for table in ("billing_files", "billing_applied"):
        with pytest.raises(psycopg.Error, match="never changed or removed"):
            world.owner.execute(f"DELETE FROM desk.{table}")  # type: ignore[arg-type]  # noqa: S608
