"""The tour's caller: unhappy, likely to leave, somebody policy lets be given something; nobody of a real company."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from churn import db
from churn.core.policies.policy import Policy
from churn.documents import tour
from churn.settings import Settings
from tests.factories import put, put_customer
from tests.ledger_world import World, build, rule, small_policy

GIVEN = """INSERT INTO feed.concessions (concession_id, customer_id, given_at, instrument, amount)
           VALUES ('G', 'C1', '2026-10-01', 'bill_credit', 5)"""


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    pool = db.open_database(database, size=4)
    made = build(pool, owner)
    owner.execute("SET search_path = crm")
    version = owner.execute(
        "INSERT INTO desk.model_versions (kind, status, data_as_of, metrics, libraries, artifact, sha256, created_by) "
        "VALUES ('risk', 'current', now(), '{}', '{}', '', '', 'test') RETURNING model_version"
    ).fetchone()
    assert version is not None
    for number, risk in enumerate((0.9, 0.5, 0.3), start=1):
        caller(owner, f"C{number}", risk, version[0])
    yield made
    pool.close()


def caller(owner: psycopg.Connection, key: str, risk: float, version: int) -> None:
    """Five years with us, £40 a month, rang five days ago about a fault nobody put right."""
    put_customer(owner, key, name=f"Caller {key}", joined_on="2021-05-01")
    put(owner, "subscriptions", subscription_id=key, customer_id=key, started_on="2021-05-01", monthly_price=40)
    put(owner, "contacts", contact_id=key, customer_id=key, started_at="2026-11-10 10:00Z", reason="fault",
        direction="in", channel="call", is_resolved=False)  # fmt: skip
    owner.execute(
        "INSERT INTO desk.scores (customer_id, as_of, p_churn, clv, risk_version) VALUES (%s, now(), %s, 400, %s)",
        [key, risk, version],
    )


def test_the_likeliest_to_leave_is_shown_with_what_may_be_given(world: World) -> None:
    found = tour.find_guest(world.database, "north")
    assert found is not None
    assert (found.caller.customer_id, found.caller.name, found.caller.risk) == ("C1", "Caller C1", 0.9)
    assert found.caller.called_at == datetime(2026, 11, 10, 10, 0, tzinfo=UTC)
    assert (found.alone, found.most, found.currency) == (3_500, 10_000, "GBP")


@pytest.mark.parametrize(
    "undone",
    [
        "UPDATE feed.contacts SET is_resolved = true WHERE customer_id = 'C1'",
        "UPDATE feed.contacts SET reason = 'billing' WHERE customer_id = 'C1'",
        "UPDATE feed.contacts SET started_at = started_at - interval '90 days' WHERE customer_id = 'C1'",
        "UPDATE feed.customers SET is_vulnerable = true WHERE customer_id = 'C1'",
        "UPDATE feed.customers SET is_do_not_offer = true WHERE customer_id = 'C1'",
        "UPDATE feed.subscriptions SET ended_on = '2026-11-01' WHERE customer_id = 'C1'",
        GIVEN,
    ],
)
def test_whoever_is_not_of_that_kind_is_passed_over(world: World, undone: str) -> None:
    world.owner.execute(undone)  # type: ignore[call-overload]
    found = tour.find_guest(world.database, "north")
    assert found is not None
    assert found.caller.customer_id == "C2"


def test_who_was_given_something_on_the_tour_is_no_guest_again(world: World) -> None:
    world.give("ann", "C1", 1_000)
    found = tour.find_guest(world.database, "north")
    assert found is not None
    assert found.caller.customer_id == "C2"


@pytest.mark.parametrize("changed", ["forbid", "budget", "team"])
def test_whom_nothing_may_be_given_is_not_shown(world: World, changed: str) -> None:
    policy: Policy = small_policy()
    if changed == "forbid":
        never = replace(rule("never", "forbid", None, "none", risk_from=0.4), instrument="bill_credit")
        world.publish(replace(policy, rules=(*policy.rules, never)))
    if changed == "budget":
        world.owner.execute("UPDATE desk.budget_counters SET spent = amount_limit")
    found = tour.find_guest(world.database, "south" if changed == "team" else "north")
    assert (found.caller.customer_id if found else None) == ("C3" if changed == "forbid" else None)


def test_of_a_real_company_nobody_is_ever_found(world: World) -> None:
    world.owner.execute("UPDATE desk.company SET source = 'files'")
    assert tour.find_guest(world.database, "north") is None


def test_the_simulated_company_has_such_a_caller(trained: Settings) -> None:
    pool = db.open_database(trained, size=2)
    with pool.transaction("batch") as connection:
        row = connection.execute("SELECT min(team) FROM desk.staff WHERE role = 'agent'").fetchone()
    assert row is not None
    found = tour.find_guest(pool, row[0])
    pool.close()
    assert found is not None
    assert 0 < found.alone <= found.most
