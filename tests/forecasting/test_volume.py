"""The volume job on real Postgres: counted as contacts are, again when they come late; planned changes and who may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import psycopg
import pytest

from churn import db, store
from churn.forecasting import volume, volume_nights
from churn.forecasting.volume import Draft
from churn.refusals import ChangeHasBegun, ChangeIncomplete, NoSuchChange, RoleMayNot
from churn.settings import Settings
from tests.conftest import Slept
from tests.factories import put, put_customer
from tests.ledger_world import NOON, World, populate


def quiet(_: str) -> None:
    """Tell nobody."""


@pytest.fixture
def company(owner: psycopg.Connection) -> psycopg.Connection:
    """A company in London whose data end on 15 November 2026 at noon."""
    put(owner, "company", data_until=NOON)
    put_customer(owner, "C1", region="Wales")
    return owner


def call(owner: psycopg.Connection, at: str, **values: object) -> None:
    put(owner, "contacts", started_at=at, **({"customer_id": "C1", "queue": "care"} | values))


def halves(owner: psycopg.Connection) -> list[tuple]:
    return owner.execute(
        "SELECT queue, to_char(starts_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI'), contacts, calls, handled, "
        "handle_seconds "
        "FROM desk.volume_half_hours ORDER BY starts_at, queue"
    ).fetchall()


def test_contacts_are_counted_by_queue_and_half_hour(database: Settings, company: psycopg.Connection) -> None:
    call(company, "2026-11-02T10:05Z", ended_at="2026-11-02T10:15Z")
    call(company, "2026-11-02T10:29:59Z")
    call(company, "2026-11-02T10:30Z", channel="chat", ended_at="2026-11-02T11:00Z")
    call(company, "2026-11-02T10:31Z", direction="out")
    call(company, "2026-11-02T10:31Z", queue=None, customer_id=None)
    call(company, "2026-11-15T10:31Z")  # today is not over
    ran = volume_nights.run(database, progress=quiet)
    assert halves(company) == [
        ("care", "11-02 10:00", 2, 2, 1, 600),
        ("care", "11-02 10:30", 1, 0, 0, 0),
        ("no queue", "11-02 10:30", 1, 1, 0, 0),
    ]
    assert "four weeks" in str(ran)
    regions = company.execute("SELECT day, queue, region, contacts FROM desk.volume_days ORDER BY queue").fetchall()
    assert regions == [(date(2026, 11, 2), "care", "Wales", 3), (date(2026, 11, 2), "no queue", "", 1)]


def test_the_day_is_the_companys_when_the_clocks_change(database: Settings, company: psycopg.Connection) -> None:
    for at in ("2026-10-24T23:10Z", "2026-10-25T00:40Z", "2026-10-25T01:40Z", "2026-10-25T23:50Z"):
        call(company, at)
    call(company, "2026-10-26T00:10Z")
    volume_nights.run(database, progress=quiet)
    days = company.execute("SELECT day, contacts FROM desk.volume_days ORDER BY day").fetchall()
    assert days == [(date(2026, 10, 25), 4), (date(2026, 10, 26), 1)]
    with db.connect(database, "batch") as connection:
        assert volume.days_before(connection, date(2026, 10, 25), 1) == [(date(2026, 10, 25), "care", 4)]


def test_late_contacts_are_counted_the_next_night_and_a_second_run_changes_nothing(
    database: Settings, company: psycopg.Connection
) -> None:
    call(company, "2026-09-01T10:05Z")
    call(company, "2026-11-13T10:05Z")
    assert volume_nights.run(database, progress=quiet).days == 74
    call(company, "2026-11-13T10:06Z")  # handed in late
    call(company, "2026-09-02T10:06Z")  # too late for the nights, not for --all
    ran = volume_nights.run(database, progress=quiet)
    assert ran.days == volume_nights.LATE_DAYS
    assert [row[2] for row in halves(company)] == [1, 2]
    assert volume_nights.run(database, progress=quiet).days == volume_nights.LATE_DAYS
    assert [row[2] for row in halves(company)] == [1, 2]
    volume_nights.run(database, progress=quiet, is_anew=True)
    assert [row[2] for row in halves(company)] == [1, 1, 2]


def test_another_companys_counts_do_not_stay(database: Settings, company: psycopg.Connection) -> None:
    call(company, "2026-09-01T10:05Z")
    volume_nights.run(database, progress=quiet)
    company.execute("DELETE FROM feed.contacts")
    call(company, "2026-11-01T10:05Z")
    volume_nights.run(database, progress=quiet)
    assert [row[1] for row in halves(company)] == ["11-01 10:00"]


def test_cancels_and_concessions_are_counted_once_a_customer(database: Settings, company: psycopg.Connection) -> None:
    call(company, "2026-11-02T10:05Z")
    call(company, "2026-11-14T10:05Z")
    put(company, "subscriptions", customer_id="C1", ended_on="2026-11-10", end_reason="voluntary")
    company.execute(
        "UPDATE feed.subscriptions SET ended_on = '2026-11-12', end_reason = 'voluntary' WHERE ended_on IS NULL"
    )
    put(company, "concessions", customer_id="C1", given_at="2026-11-09T10:00Z")
    put(company, "concessions", customer_id="C1", given_at="2026-11-08T10:00Z", amount=0, intended_amount=20)
    volume_nights.run(database, progress=quiet)
    rows = company.execute("SELECT day, region, cancels, concessions FROM desk.volume_outcomes ORDER BY day").fetchall()
    assert rows == [(date(2026, 11, 9), "Wales", 0, 1), (date(2026, 11, 12), "Wales", 1, 0)]


def test_without_contacts_there_is_nothing_and_it_says_so(database: Settings, company: psycopg.Connection) -> None:
    assert "no inbound contacts" in str(volume_nights.run(database, progress=quiet))


def test_half_of_a_countrys_parts_make_a_holiday() -> None:
    held = volume_nights.holidays_of("GB", [2026])
    assert held[date(2026, 4, 6)] == "Easter Monday"  # not in Scotland
    assert date(2026, 1, 2) not in held  # in Scotland only
    assert volume_nights.holidays_of("ZZ", [2026]) == {}


# The whole night ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_night_makes_forecast_effects_and_accuracy(slept: Slept) -> None:
    with db.connect(slept.settings, "batch") as connection:
        company = store.company(connection)
        run, ahead = volume.last_run(connection), volume.ahead(connection)
        assert run is not None
        assert ahead is not None
        assert ahead.days[0].astype(object) == run.until_day.fromordinal(run.until_day.toordinal() + 1)
        assert ahead.usual.shape == (90, len(ahead.queues))
        assert (ahead.low <= ahead.usual).all()
        assert (ahead.usual <= ahead.high).all()
        halves_ahead = volume.half_hours(connection)
        first = sum(half.usual for half in halves_ahead if half.day == ahead.days[0].astype(object))
        assert first == pytest.approx(ahead.usual[0].sum(), rel=0.02)
        came = connection.execute("SELECT count(*) FROM feed.contacts WHERE direction = 'in'").fetchone()
        counted = connection.execute("SELECT sum(contacts) FROM desk.volume_half_hours").fetchone()
        today = connection.execute(
            "SELECT count(*) FROM feed.contacts WHERE direction = 'in' AND started_at >= %s",
            [datetime(2026, 11, 15, tzinfo=UTC)],
        ).fetchone()
        assert came is not None
        assert today is not None
        assert counted == (came[0] - today[0],)
        assert {"release", "bill_run", "outage"} <= set(volume.kinds(connection, ahead.queues))
        assert {row.measure for row in volume.brought(connection)} >= {"contacts"}
        assert all(row.low <= row.extra <= row.high for row in volume.brought(connection))
        assert {row.queue for row in volume.accuracy(connection)} == {"all", *ahead.queues}
        shown = volume.calendar(connection, date(2026, 11, 15), date(2027, 1, 30), company.time_zone)
        assert any(change.claims_none for change in shown)
        handled = volume.handling(connection, run.until_day, company.time_zone)
        assert 300 < (handled["technical"].handle_seconds or 0) < 1200


# Planned changes ------------------------------------------------------------------------------------------------------


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    populate(owner)
    opened = db.open_database(database, size=2)
    yield World(opened, owner)
    opened.close()


def draft(**changes: object) -> Draft:
    held = {
        "event_id": uuid4(), "owner": "Network", "kind": "release", "title": "Router firmware 4.3",
        "starts_at": datetime(2026, 12, 1, 22, tzinfo=UTC), "audience": 500, "what_to_say": "Restart the router.",
    }  # fmt: skip
    return Draft(**held | changes)


def leader(world: World) -> str:
    row = world.owner.execute("SELECT staff_id FROM desk.staff WHERE role = 'leader' ORDER BY 1").fetchone()
    if row is None:
        world.owner.execute("INSERT INTO desk.staff (staff_id, name, role) VALUES ('lea', 'Lea', 'leader')")
        return "lea"
    return str(row[0])


def test_a_leader_plans_changes_and_withdraws_and_all_of_it_is_kept(world: World) -> None:
    me, planned = world[leader(world)], draft()
    assert volume.plan_event(world.database, me, planned)
    assert not volume.plan_event(world.database, me, planned)  # a double click
    assert volume.plan_event(world.database, me, replace(planned, what_to_say="Wait for two minutes."))
    assert volume.withdraw_event(world.database, me, planned.event_id)
    assert not volume.withdraw_event(world.database, me, planned.event_id)
    kept = world.owner.execute(
        "SELECT what, event ->> 'what_to_say', staff_id FROM desk.planned_event_history ORDER BY change_id"
    ).fetchall()
    assert kept == [
        ("planned", "Restart the router.", me.staff_id), ("changed", "Wait for two minutes.", me.staff_id),
        ("withdrawn", "Wait for two minutes.", me.staff_id),
    ]  # fmt: skip
    with pytest.raises(NoSuchChange, match="withdrawn"):
        volume.plan_event(world.database, me, planned)
    with pytest.raises(psycopg.Error, match="never changed or removed"):
        world.owner.execute("DELETE FROM desk.planned_event_history")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": " "}, "what it is called"),
        ({"owner": ""}, "which department"),
        ({"ends_at": datetime(2026, 11, 30, tzinfo=UTC)}, "later than that"),
        ({"audience": -1}, "0 or more"),
        ({"what_to_say": "x" * 601}, "Too long"),
    ],
)
def test_what_is_missing_is_said(world: World, changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ChangeIncomplete, match=sentence):
        volume.plan_event(world.database, world[leader(world)], draft(**changes))
    assert world.owner.execute("SELECT count(*) FROM desk.planned_events").fetchone() == (0,)


def test_what_has_begun_can_still_be_talked_about_but_not_moved(world: World) -> None:
    me, planned = world[leader(world)], draft()
    volume.plan_event(world.database, me, planned)
    world.set_clock(datetime(2026, 12, 2, tzinfo=UTC))
    assert volume.plan_event(world.database, me, replace(planned, what_to_say="It is over by noon."))
    with pytest.raises(ChangeHasBegun, match="only its end"):
        volume.plan_event(world.database, me, replace(planned, starts_at=datetime(2026, 12, 3, tzinfo=UTC)))
    with pytest.raises(ChangeHasBegun, match="has begun"):
        volume.withdraw_event(world.database, me, planned.event_id)
    with pytest.raises(ChangeHasBegun, match="before it begins"):
        volume.plan_event(world.database, me, draft())


def test_nobody_but_a_leader_plans(world: World) -> None:
    for person in ("ann", "finn"):
        with pytest.raises((RoleMayNot, psycopg.errors.InsufficientPrivilege)):
            volume.plan_event(world.database, world[person], draft())
    with pytest.raises(NoSuchChange):
        volume.withdraw_event(world.database, world[leader(world)], UUID(int=1))


def test_what_to_say_reaches_the_card_of_callers_it_affects(world: World, database: Settings) -> None:
    put_customer(world.owner, "K1", region="Wales")
    planned = draft(region="Wales")
    volume.plan_event(world.database, world[leader(world)], planned)
    volume.plan_event(world.database, world[leader(world)], draft(region="Scotland"))
    withdrawn = draft(region="Wales")
    volume.plan_event(world.database, world[leader(world)], withdrawn)
    volume.withdraw_event(world.database, world[leader(world)], withdrawn.event_id)
    with db.connect(database, "batch") as connection:
        facts = store.caller_facts(connection, "K1", datetime(2026, 12, 2, tzinfo=UTC), "Europe/London")
    assert [(e.event_id, e.what_to_say) for e in facts.events] == [(str(planned.event_id), "Restart the router.")]
