"""Open contacts that may be handed upwards: what is open at an instant, what is learned, scored, and who may see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import psycopg
import pytest

from churn import db, registry
from churn.calls import escalations
from churn.core.calls import escalation
from churn.core.calls.escalation import Escalation
from churn.settings import Settings
from churn.training import escalations as training
from tests.factories import put, put_customer
from tests.ledger_world import World, populate

AS_OF = datetime(2026, 11, 15, 12, tzinfo=UTC)


def contact(owner: psycopg.Connection, key: str, customer: str, days: float, **values: object) -> None:
    """An inbound contact so many days before AS_OF, coded not resolved."""
    usual = {"reason": "fault", "is_resolved": False, "agent_id": "ann"}
    put(
        owner,
        "contacts",
        contact_id=key,
        customer_id=customer,
        started_at=AS_OF - timedelta(days=days),
        **usual | values,
    )


@pytest.fixture
def book(owner: psycopg.Connection) -> psycopg.Connection:
    populate(owner)
    for customer in ("C1", "C2", "C3", "C4", "C5", "C6"):
        put_customer(owner, customer)
    return owner


def found(connection: psycopg.Connection, as_of: datetime = AS_OF) -> dict[str, dict]:
    return {row["contact_id"]: row for row in escalations.open_contacts(connection, [as_of], most=100)}


def test_open_is_not_resolved_not_settled_since_and_not_too_old(book: psycopg.Connection, database: Settings) -> None:
    contact(book, "open", "C1", 3)
    contact(book, "older of the same", "C1", 9)
    contact(book, "old", "C2", 15)
    contact(book, "settled", "C3", 5)
    contact(book, "settles", "C3", 2, is_resolved=True)
    contact(book, "not coded", "C4", 2, is_resolved=None)
    contact(book, "escalated already", "C5", 2, is_escalated=True)
    contact(book, "still open", "C6", 5)
    contact(book, "about another matter", "C6", 2, is_resolved=True, reason="billing")
    contact(book, "ours", "C4", 1, direction="out")
    with db.connect(database, "batch") as connection:
        rows = found(connection)
    assert set(rows) == {"open", "still open"}
    assert (rows["open"]["times_30d"], rows["open"]["team"]) == (2, "north")
    assert rows["open"]["days_open"] == pytest.approx(3)


def test_nothing_after_the_instant_is_read_but_the_outcome(book: psycopg.Connection, database: Settings) -> None:
    contact(book, "open", "C1", 3)
    contact(book, "in time", "C1", -13, is_escalated=True)
    contact(book, "C2 open", "C2", 3)
    contact(book, "too late", "C2", -15, is_escalated=True)
    contact(book, "C3 open", "C3", 3)
    contact(book, "settled later", "C3", -1, is_resolved=True)
    with db.connect(database, "batch") as connection:
        rows = found(connection)
    assert {key: row["escalates"] for key, row in rows.items()} == {"open": True, "C2 open": False, "C3 open": False}


def test_landmarks_lie_a_horizon_apart_and_end_before_the_data() -> None:
    marks = training.landmarks(AS_OF, AS_OF - timedelta(days=200))
    assert marks[-1] == AS_OF - timedelta(days=14)
    assert {later - earlier for earlier, later in pairwise(marks)} == {timedelta(days=14)}
    assert marks[0] >= AS_OF - timedelta(days=110)


def test_a_simulated_company_gets_a_model_better_than_the_base_rate_and_calibrated(trained: Settings) -> None:
    with db.connect(trained, "batch") as connection:
        version = registry.current(connection)["escalation"]
        model = registry.load(connection, version.model_version)
    metrics = version.metrics
    assert metrics["log_loss"] < metrics["log_loss_of_the_rate"]
    assert metrics["auc"] > 0.6
    assert version.horizon_days == 14
    assert set(escalation.OWN) <= set(model.columns)


def test_scores_are_replaced_whole_with_reasons_and_worth(desk: Settings) -> None:
    for _ in range(2):
        scored = escalations.score_open(desk, progress=lambda _: None)
    with psycopg.connect(db.admin_conninfo(desk)) as owner:
        rows = owner.execute(
            "SELECT count(*), avg(p_escalates), max(usual), count(worth) FROM desk.escalation_scores"
        ).fetchone()
        (because,) = owner.execute(
            "SELECT because FROM desk.escalation_scores ORDER BY p_escalates DESC LIMIT 1"
        ).fetchone()
    assert rows[0] == scored
    assert scored > 0
    assert rows[1] == pytest.approx(rows[2])
    assert rows[3] > 0
    assert because


def test_without_a_model_nothing_is_scored(database: Settings, owner: psycopg.Connection) -> None:
    populate(owner)
    assert escalations.score_open(database, progress=lambda _: None) is None


def test_supervisors_see_their_teams_agents_their_callers_and_leaders_nothing(
    book: psycopg.Connection, database: Settings
) -> None:
    for key, customer, team, chance in (("a", "C1", "north", 0.3), ("b", "C2", "south", 0.4), ("c", "C3", None, 0.2)):
        book.execute(
            "INSERT INTO desk.escalation_scores "
            "VALUES (%s, %s, %s, %s, 'fault', %s, %s, 0.05, '{it is about fault}', 100, 'GBP', 1)",
            [key, customer, AS_OF, AS_OF, team, chance],
        )
    opened = db.open_database(database, size=2)
    try:
        world = World(opened, book)
        with opened.transaction(world["nor"]) as connection:
            assert [row.contact_id for row in escalations.waiting(connection)] == ["a", "c"]
        with opened.transaction(world["ann"]) as connection:
            assert escalations.of_caller(connection, "C1") is None
        world.case("ann", "C1")
        with opened.transaction(world["ann"]) as connection:
            assert escalations.of_caller(connection, "C1") == Escalation(0.3, 0.05, ("it is about fault",))
        with pytest.raises(psycopg.errors.InsufficientPrivilege), opened.transaction(world["lea"]) as connection:
            escalations.waiting(connection)
    finally:
        opened.close()


def test_a_flag_says_how_much_and_only_well_above_the_usual() -> None:
    assert str(Escalation(0.12, 0.04, ())) == "may be handed upwards: 12 % in 14 days, 3.0× usual"
    assert Escalation(0.12, 0.06, ()).is_flagged
    assert not Escalation(0.11, 0.06, ()).is_flagged


def test_reasons_name_what_can_be_pointed_at_one_a_topic() -> None:
    moved = {
        "times_30d": 0.05,
        "same_reason_90d": 0.04,
        "contact_reason": 0.03,
        "plan": 0.5,
        "csat_365d": np.nan,
        "days_open": 0.001,
    }
    kept = escalation.because(moved, {"reason": "fault", "times_30d": 3, "days_open": 2.0}, {"plan": "Copper"})
    said = [escalation.told(fact) for fact in kept]
    assert said == ["3rd contact about fault in 30 days", "it is about fault"]
