"""Past cases on a real database: gathered without a name, and the nearest are the nearest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta

import psycopg
import pytest

from churn import db
from churn.calls import outcomes, past_cases
from churn.core.calls.similar import Context
from churn.policies.stored import policy_in_force
from churn.settings import Settings
from tests.factories import put_customer
from tests.ledger_world import NOON, World, build

CASES = 20_000
SCALES = {"tenure": 0.8, "bill": 0.4, "risk": 1.1, "worth": 0.6}


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    opened = db.open_database(database, size=2)
    yield build(opened, owner)
    opened.close()


def fill_at_random(owner: psycopg.Connection, cases: int = CASES) -> None:
    """Cases of four reasons with gaps, placed as the job places them."""
    owner.execute("SELECT setseed(0.4)")
    owner.execute(
        """
        INSERT INTO desk.past_cases (
            month, contact_reason, plan, segment, tenure_months, monthly_bill, risk, worth, amount, is_fixed, is_kept,
            at_tenure, at_bill, at_risk, at_worth)
        SELECT '2026-05-01', (ARRAY['cancel', 'cancel', 'price', 'rare'])[reason], 'P' || plan, 'S' || segment, tenure,
               bill, risk, worth, 0, false, kept < 0.6,
               ln(1 + tenure) / 0.8, ln(1 + bill) / 0.4, ln(risk / (1 - risk)) / 1.1, asinh(worth / 100.0) / 0.6
        FROM (SELECT CASE WHEN i %% 5000 = 0 THEN 4 ELSE 1 + floor(random() * 3)::int END AS reason,
                     1 + floor(random() * 6)::int AS plan, floor(random() * 3)::int AS segment,
                     floor(random() * 120)::int AS tenure,
                     CASE WHEN random() < 0.98 THEN 15 + floor(random() * 70)::int END AS bill,
                     CASE WHEN random() < 0.98 THEN 0.02 + 0.9 * random() END AS risk,
                     floor(random() * 2500)::int - 100 AS worth, random() AS kept
              FROM generate_series(1, %s) i) drawn
        """,
        [cases],
    )
    owner.execute("INSERT INTO desk.past_case_scales (tenure, bill, risk, worth) VALUES (0.8, 0.4, 1.1, 0.6)")
    owner.execute("ANALYZE desk.past_cases")


def far(about: Context, row: tuple) -> float:
    """The distance written down once more, from the raw figures."""
    _, fault, plan, segment, tenure, bill, risk, worth = row
    there = Context(tenure_months=tenure, monthly_bill=bill, risk=risk, worth=worth).place
    squares = 0.0
    for mine, theirs, scale in zip(about.place, there, SCALES.values(), strict=True):
        squares += 1.0 if mine is None or theirs is None else ((mine - theirs) / scale) ** 2
    differing = (fault != about.fault) + 4 * (plan != about.plan) + 4 * (segment != about.segment)
    return math.sqrt(squares + differing)


@pytest.mark.parametrize(
    "about",
    [
        Context(contact_reason="cancel", plan="P2", segment="S1", tenure_months=9, monthly_bill=41, risk=0.3, worth=90),
        Context(contact_reason="price", plan="P9", tenure_months=3, monthly_bill=500, risk=0.99, worth=-4_000),
        Context(contact_reason="cancel", plan="P2", tenure_months=30, risk=0.3),  # bill and worth not known
        Context(plan="P2", segment="S1", tenure_months=30, monthly_bill=41, risk=0.3, worth=900),  # reason not known
        Context(contact_reason="rare", plan="P1", segment="S0", tenure_months=60, monthly_bill=30, risk=0.1, worth=500),
        Context(contact_reason="never heard of", plan="P1", tenure_months=60, monthly_bill=30, risk=0.1, worth=500),
    ],
)  # fmt: skip
@pytest.mark.parametrize("n", [5, 25])
def test_the_nearest_are_the_nearest_the_same_reason_first(world: World, about: Context, n: int) -> None:
    fill_at_random(world.owner)
    rows = world.owner.execute(
        "SELECT contact_reason, fault, plan, segment, tenure_months, monthly_bill, risk, worth FROM desk.past_cases"
    ).fetchall()
    every = sorted((about.contact_reason not in {None, row[0]}, far(about, row)) for row in rows)
    found = past_cases.nearest(world.database, world["ann"], about, n)
    assert len(found) == n
    assert [case.distance for case in found] == pytest.approx([distance for _, distance in every[:n]], abs=1e-5)
    same = [about.contact_reason in {None, case.contact_reason} for case in found]
    assert same == [not other for other, _ in every[:n]]


def test_without_past_cases_nobody_is_near(world: World) -> None:
    assert past_cases.nearest(world.database, world["nor"], Context(monthly_bill=40), 5) == ()


def test_a_settled_case_of_the_desk_is_kept_without_its_customer(database: Settings, world: World) -> None:
    for customer_id in ("C1", "C2", "C3"):
        put_customer(world.owner, customer_id)
    world.give("ann", "C1", 2_000)
    world.give("ann", "C2", 1_000)
    world.offer("ann", "C3", 1_500)  # turned down: nothing was given
    world.owner.execute("UPDATE desk.cases SET cancel_asked_at = now(), fault = 'ours', contact_reason = 'cancel'")
    outcomes.settle(database, progress=lambda _: None)
    assert kept(world) == []  # the window is not over
    ended = "UPDATE feed.subscriptions SET ended_on = %s, end_reason = 'voluntary' WHERE customer_id = 'C2'"
    world.owner.execute(ended, [NOON.date() + timedelta(days=20)])
    world.set_clock(NOON + timedelta(days=60))
    outcomes.settle(database, progress=lambda _: None)
    assert kept(world) == []  # who left is known, who stays is not: neither counts yet
    world.set_clock(NOON + timedelta(days=91))
    outcomes.settle(database, progress=lambda _: None)
    first = (date(2026, 11, 1), "cancel", "ours", 41, 34)
    assert kept(world) == [
        (*first, None, 0, False, True), (*first, "bill_credit", 1_000, False, False),
        (*first, "bill_credit", 2_000, False, True),
    ]  # fmt: skip
    columns = world.owner.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'past_cases' "
        "AND column_name ~ 'customer|contact_id|case_id|called|staff|name'"
    ).fetchall()
    assert columns == [("past_case_id",)]
    outcomes.settle(database, progress=lambda _: None)
    assert len(kept(world)) == 3


def kept(world: World) -> list[tuple]:
    return world.owner.execute(
        "SELECT month, contact_reason, fault, monthly_bill, tenure_months, instrument, amount, is_fixed, is_kept "
        "FROM desk.past_cases ORDER BY amount"
    ).fetchall()


def test_the_log_of_the_company_fills_them_and_they_are_bounded(
    desk: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = db.open_database(desk, size=1)
    policy = policy_in_force(opened, "batch")
    opened.close()
    with db.connect(desk, "batch") as connection:
        made = past_cases.refill(connection, policy, NOON.date(), NOON)
        row = connection.execute(
            "SELECT count(*), count(risk), count(worth), count(*) FILTER (WHERE amount > 0), "
            "max(month) <= '2026-08-01', stddev_pop(at_bill)::float8, bool_and(monthly_bill > 0) FROM desk.past_cases"
        ).fetchone()
        assert row is not None
        assert row[:3] == (made, made, made)
        assert made > 200
        assert 50 < row[3] < made
        assert row[4:] == (True, pytest.approx(1.0, abs=1e-3), True)
        monkeypatch.setattr(past_cases, "MOST", 100)
        assert past_cases.refill(connection, policy, NOON.date(), NOON) == 100
        newest = connection.execute("SELECT count(*), min(month) FROM desk.past_cases").fetchone()
        assert newest is not None
        assert newest[0] == 100
        assert newest[1] >= date(2026, 1, 1)
