"""The night's look at the money: whose calls count, with which chance of nothing, what is kept for the page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import psycopg
import pytest

from churn import db, ledger, store
from churn.calls import outcomes
from churn.core.finance.incremental import MODELLED
from churn.core.grants import Grant, OfferedRung
from churn.finance import spend, spend_job
from churn.settings import Settings
from tests.factories import put_customer
from tests.ledger_world import NOON, World, populate, small_policy

CALLED = datetime.fromisoformat("2026-07-01T10:00Z")


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    pool = db.open_database(database, size=4)
    populate(owner)
    made = World(pool, owner)
    made.set_clock(CALLED)
    made.publish(small_policy())
    made.budget(100_000, month=date(2026, 7, 1))
    made.budget(100_000, month=date(2026, 7, 1), instrument="monthly_discount")
    yield made
    pool.close()


def call(world: World, customer_id: str, given: int, **changes: Any) -> None:
    """Somebody who came to cancel: nothing with a chance of 0.3, else £20 of credit; what was given."""
    put_customer(world.owner, customer_id, joined_on="2024-01-01")
    rungs = tuple(
        OfferedRung(rung=k, lever="credit", instrument="bill_credit", amount=amount, ceiling=20_000, propensity=chance)
        for k, (amount, chance) in enumerate([(0, 0.3), (2_000, 0.7)])
    )
    decision = world.decision(
        "ann", customer_id, rungs=rungs, intended_amount=2_000, propensity=0.7 if given else 0.3, arm="a", **changes
    )
    ledger.record_decision(world.database, world["ann"], decision)
    if given:
        grant = Grant(decision_id=decision.decision_id, instrument="bill_credit", amount=given, currency="GBP")
        ledger.give(world.database, world["ann"], grant)
    world.owner.execute(
        "UPDATE desk.cases SET opened_at = %s, cancel_asked_at = %s, closed_at = now(), outcome = 'deflected' "
        "WHERE case_id = %s",
        [CALLED, CALLED, decision.case_id],
    )


def test_calls_of_the_desk_count_once_settled_with_the_chance_of_nothing(world: World, database: Settings) -> None:
    call(world, "C1", 2_000)
    call(world, "C2", 0)
    world.owner.execute(
        "UPDATE feed.subscriptions SET ended_on = '2026-07-20', end_reason = 'voluntary' WHERE customer_id = 'C2'"
    )
    world.set_clock(NOON)
    outcomes.settle(database, progress=lambda _: None)
    with db.connect(database, "batch") as connection:
        rows, log = spend_job.settled_calls(connection, store.company(connection), NOON, NOON.date())
        assert spend_job.settled_calls(connection, store.company(connection), NOON, date(2026, 7, 25))[0] == []
    assert [row["customer_id"] for row in rows] == ["C1", "C2"]
    told = log[["amount", "intended_amount", "p_nothing", "agent_id"]].astype(object).values.tolist()
    assert told == [[20.0, 20.0, 0.3, "ann"], [0.0, 20.0, 0.3, "ann"]]
    assert log["stayed"].astype(bool).tolist() == [True, False]


@pytest.mark.parametrize(
    ("amount", "drawn", "p_nothing"), [(20, 0.7, 0.3), (0, 0.3, 0.3), (20, None, None), (0, None, None)]
)
def test_a_record_of_the_company_says_the_chance_of_nothing_either_way(
    amount: float, drawn: float | None, p_nothing: float | None
) -> None:
    told = spend_job._with_chance({"amount": amount, "propensity": drawn})["p_nothing"]
    assert told == (None if p_nothing is None else pytest.approx(p_nothing))


def test_discounts_that_run_are_listed_unweighted_where_no_model_is_in_use(world: World, database: Settings) -> None:
    put_customer(world.owner, "C1")
    rung = OfferedRung(rung=0, lever="discount", instrument="monthly_discount", amount=1_000, months=6, ceiling=20_000)
    decision = world.decision("ann", "C1", rungs=(rung,))
    ledger.record_decision(world.database, world["ann"], decision)
    grant = Grant(
        decision_id=decision.decision_id, instrument="monthly_discount", amount=1_000, currency="GBP", months=6
    )
    ledger.give(world.database, world["ann"], grant)
    world.set_clock(datetime.fromisoformat("2026-10-15T10:00Z"))
    for _ in range(2):  # a second night replaces the first
        told = spend_job.refresh(database, progress=lambda _: None)
    assert (told.label, told.discounts) == ("not enough data", 1)
    with world.database.transaction(world["lea"]) as connection:
        rows = spend.run_off(connection).astype(object)
        state = spend.state(connection)
        returns = spend.returns(connection)
    assert rows[["month", "promised", "customers"]].values.tolist() == [
        [date(2026, 11, 1), 166, 1], [date(2026, 12, 1), 166, 1], [date(2027, 1, 1), 170, 1],
    ]  # fmt: skip
    assert rows["expected"].isna().all()
    assert state is not None
    assert "no model" in state.run_off_missing
    assert (returns["all"].margin, returns["all"].missing) == (None, spend_job.NO_MODELS)


def kept_in_truth(settings: Settings) -> float:
    """How many of the settled callers with money would not have stayed without it, by what only the simulator knows."""
    with psycopg.connect(db.admin_conninfo(settings)) as owner:
        row = owner.execute(
            "SELECT sum(p_stay_with - p_stay_without) FROM truth.calls, desk.company "
            "WHERE amount > 0 AND called_at <= data_until - interval '90 days'"
        ).fetchone()
    assert row is not None
    return float(row[0])


def test_a_trained_company_is_looked_at_whole(desk: Settings) -> None:
    """Its own trial moves money by £5 and measures nothing by it; calls for which the money was gone do."""
    told = spend_job.refresh(desk, progress=lambda _: None)
    assert told.agents >= 20
    assert told.groups >= 4
    with db.connect(desk, "batch") as connection:
        given = {row["staff_id"]: row for row in spend.givers(connection).to_dict("records")}
        returns = spend.returns(connection)
    assert sum(one["given"] for one in given.values()) == pytest.approx(returns["all"].spent, rel=0.02)
    whole = returns["all"]
    assert whole.label == MODELLED
    assert whole.kept is not None
    assert whole.kept.low <= kept_in_truth(desk) <= whole.kept.high
