"""The spend page: every view for finance and the leader, the close, settling, and who is turned away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from churn import db, ledger
from churn.core.finance.applied import BillingMapping
from churn.finance import billing, spend_job
from churn.settings import Settings
from tests.ledger_world import OCTOBER, World, give_in_october, populate
from tests.pages.conftest import OpenPage


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    """£60 given in October, £15 of it taken back in November; £10 in November."""
    pool = db.open_database(database, size=4)
    populate(owner)
    made = World(pool, owner)
    back = give_in_october(made)
    made.budget(1_200)
    ledger.reverse(pool, made["nor"], back.entry_id, reason="=cmd|' /C calc'!A0")
    made.give("ann", "C3", 1_000)
    yield made
    pool.close()


@pytest.fixture
def page(open_page: OpenPage) -> AppTest:
    return open_page("spend", "finn")


def said(page: AppTest) -> str:
    assert not page.exception, page.exception[0].message
    kinds = (page.caption, page.info, page.warning, page.success, page.error, page.markdown)
    return "\n".join(str(part.value) for kind in kinds for part in kind).replace("\\", "")


def show(page: AppTest, view: str) -> str:
    return said(page.run().segmented_control(key="view").set_value(view).run())


def test_budgets_say_pace_and_what_is_left(world: World, page: AppTest) -> None:
    text = said(page.run())
    (table,) = page.dataframe
    row = table.value.iloc[0]
    assert (row["team"], row["limit"], row["spent"], row["left"]) == ("north", 12.0, -5.0, 17.0)
    assert "All 1 rows in GBP: limit £12, spent −£5, left £17." in text


def test_spend_goes_down_to_the_ledger_rows(world: World, page: AppTest) -> None:
    text = show(page, "spend")
    assert "All 1 rows in GBP: granted £70, reversed −£15, clawed back £0, net £55." in text
    page.segmented_control(key="by").set_value("agent").run()
    assert page.dataframe[0].value[["agent", "net"]].values.tolist() == [["ann", 45.0], ["abe", 10.0]]
    page.selectbox(key="rows_of").set_value("ann").run()
    assert "4 entries, net £45." in said(page)
    rows = page.dataframe[1].value
    assert rows["amount"].tolist() == [10.0, -15.0, 15.0, 35.0]  # numbers, which sort
    assert set(rows["customer_id"]) == {"C1", "C2", "C3"}


@pytest.mark.parametrize("cut", ["instrument", "reason", "plan", "region", "kind"])
def test_every_cut_ties(world: World, page: AppTest, cut: str) -> None:
    show(page, "spend")
    page.segmented_control(key="by").set_value(cut).run()
    assert "net £55." in said(page)
    assert page.dataframe[0].value["net"].sum() == 55.0


def test_the_night_has_to_come_first_and_says_what_is_missing(world: World, page: AppTest, database: Settings) -> None:
    assert "Nothing is reckoned yet" in show(page, "return")
    spend_job.refresh(database, progress=lambda *_: None)
    assert "Not enough data: no model of risk and survival is in use" in said(page.run())
    assert "No recurring discount runs." in said(page)


def test_worth_a_look_lists_repeats_and_limits(world: World, page: AppTest) -> None:
    text = show(page, "watch")
    assert page.dataframe[0].value[["customer_id", "grants", "net"]].values.tolist() == [["C1", 2, 45.0]]
    assert page.dataframe[1].value["told"].tolist() == ["too few"]
    assert "The nightly job compares" in text


def test_a_month_is_closed_by_somebody_who_saw_its_sums(world: World, page: AppTest) -> None:
    show(page, "months")
    months = page.dataframe[0].value
    assert months[["month", "reported", "restated"]].values.tolist() == [
        ["2026-11", -5.0, 10.0],
        ["2026-10", 60.0, 45.0],
    ]
    page.selectbox(key="month").set_value("2026-10").run()
    (close,) = [button for button in page.button if button.key == "close"]
    assert close.disabled
    page.checkbox(key=f"seen-{OCTOBER}").check().run()
    page.button(key="close").click().run()
    assert "Signed off by finn on" in said(page)
    assert "ties to the ledger to the penny" in said(page)
    assert not [button for button in page.button if button.key == "close"]
    assert world.owner.execute("SELECT month, closed_by FROM desk.month_closes").fetchall() == [(OCTOBER, "finn")]
    page.selectbox(key="month").set_value("2026-11").run()
    corrections = [table.value for table in page.dataframe if "reverses" in table.value.columns]
    assert corrections[0]["amount"].tolist() == [-15.0]


def test_a_difference_is_settled_with_a_reason(world: World, page: AppTest, database: Settings, tmp_path: Path) -> None:
    assert "Nothing from billing was taken in yet" in show(page, "billing")
    take_in(database, tmp_path)
    text = said(page.run())
    assert "DIFFERENCES · 3 TO SETTLE" in text
    assert "applied.csv, 1 of 2 rows taken" in text
    (settle,) = [button for button in page.button if button.label == "Settle"]
    settle.click().run()
    assert "Say in a few words why" in said(page)
    page.text_input(key="settle_reason").set_value("billing books it next week")
    next(button for button in page.button if button.label == "Settle").click().run()
    assert "DIFFERENCES · 2 TO SETTLE" in said(page)


def take_in(database: Settings, folder: Path) -> None:
    """A file of billing's: £2 nobody promised, and a row that cannot be read."""
    path = folder / "applied.csv"
    path.write_text("d,a,m,e\n2026-10-20,C1,2.00,\nyesterday,C1,2.00,\n")
    columns = {"applied_on": "d", "account": "a", "amount": "m", "entry": "e"}
    billing.import_file(database, path, BillingMapping(columns, currency="GBP"))


def test_a_leader_reads_and_signs_nothing(world: World, page: AppTest, database: Settings, tmp_path: Path) -> None:
    take_in(database, tmp_path)
    page.query_params["who"] = "lea"
    show(page, "months")
    page.selectbox(key="month").set_value("2026-10").run()
    assert not [button for button in page.button if button.key == "close"]
    assert "TO SETTLE" in show(page, "billing")
    assert not [button for button in page.button if button.label == "Settle"]


@pytest.mark.parametrize("who", ["ann", "nor"])
def test_agents_and_supervisors_are_turned_away(world: World, page: AppTest, who: str) -> None:
    page.query_params["who"] = who
    assert "Spend is for finances and leaders" in said(page.run())
    assert not page.dataframe


def test_an_empty_ledger_says_what_to_do_next(database: Settings, owner: psycopg.Connection, page: AppTest) -> None:
    populate(owner)
    assert "There is no budget for November 2026" in said(page.run())
    for view in ("spend", "watch", "months"):
        assert "Nothing has been given from this desk yet" in show(page, view)
