"""The nightly job on a small centre whose weeks are known, what people may read of it, and how a problem is brought
forward.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from churn import db
from churn.core.grants import Session
from churn.core.voice import bursts, digest
from churn.refusals import NoSuchProblem, ProblemIncomplete, ProblemStands, RoleMayNot
from churn.settings import Settings
from churn.voice import voice, voice_nights
from tests.bench import bench_voice
from tests.ledger_world import World, populate

NOON = datetime(2026, 11, 15, 12, 0, tzinfo=UTC)  # a Sunday; yesterday is the last whole day
LAST = date(2026, 11, 14)
BEGAN = date(2026, 11, 12)
QUIET = [].append  # a listener who says nothing

# 600 customers of three regions and two plans; ten weeks of six reasons; from BEGAN on thirty a day more in the north.
CENTRE = """
INSERT INTO feed.customers (customer_id, name, joined_on, region, currency)
SELECT 'C' || n, 'Zebedee Quill' || chr(65 + n % 20), '2024-01-01',
       (ARRAY['North', 'South', 'West'])[1 + n % 3], 'GBP'
FROM generate_series(1, 600) n;
INSERT INTO feed.subscriptions (subscription_id, customer_id, product, plan, started_on, monthly_price)
SELECT 'S' || n || k, 'C' || n, 'fibre', CASE k WHEN 1 THEN 'Copper' ELSE 'Fibre ' || n % 2 END, '2024-01-01', 20 + k
FROM generate_series(1, 600) n, generate_series(1, 2) k;
INSERT INTO feed.contacts (contact_id, customer_id, started_at, channel, direction, reason, notes)
SELECT format('T%s-%s-%s', d, r, k), 'C' || 1 + (d * 31 + r * 17 + k * 7) % 600,
       timestamptz '2026-11-14T10:00Z' - make_interval(days => d, mins => k), 'call', 'in',
       (ARRAY['fault', 'billing', 'account', 'payment', 'price', 'usage'])[r],
       'passed security ' || (ARRAY['router shows no light', 'bill too high', 'locked out of app', 'card declined',
                                    'seen cheaper elsewhere', 'data used up'])[r] || ' all sorted'
FROM generate_series(0, 70) d, generate_series(1, 6) r,
     generate_series(1, (ARRAY[24, 16, 14, 12, 10, 10])[r] + (d * 5 + r * 3) % 4) k;
INSERT INTO feed.contacts (contact_id, customer_id, started_at, channel, direction, reason, notes)
SELECT format('B%s-%s', d, k), 'C' || 3 * (1 + (d * 30 + k) % 190),
       timestamptz '2026-11-14T14:00Z' - make_interval(days => d, mins => k),
       'chat', 'in', 'fault', 'Zebedee says hub red light since update, ring 07700 900123'
FROM generate_series(0, 2) d, generate_series(1, 30) k;
INSERT INTO feed.contacts (contact_id, customer_id, started_at, channel, direction, reason) VALUES
    ('OUT', 'C1', '2026-11-14T10:00Z', 'call', 'out', 'fault'),
    ('NOBODY', NULL, '2026-11-14T10:00Z', 'call', 'in', NULL),
    ('TODAY', 'C1', '2026-11-15T10:00Z', 'call', 'in', 'fault'),
    ('SUMMER', 'C2', '2026-10-20T23:30Z', 'call', 'in', 'price');
"""


def fill(owner: psycopg.Connection) -> None:
    """Put the small centre's customers, lines and contacts into a company that is there."""
    for statement in CENTRE.split(";\n"):
        if statement.strip():
            owner.execute(statement)
    owner.execute("ANALYZE")  # as an import leaves it


@pytest.fixture
def centre(owner: psycopg.Connection) -> psycopg.Connection:
    populate(owner)
    fill(owner)
    return owner


@pytest.fixture
def told(centre: psycopg.Connection, database: Settings) -> psycopg.Connection:
    """The centre after one night's run."""
    voice_nights.run(database, progress=QUIET)
    return centre


@pytest.fixture
def world(told: psycopg.Connection, database: Settings) -> Iterator[World]:
    opened = db.open_database(database, size=3)
    yield World(opened, told)
    opened.close()


def problem(owner: psycopg.Connection) -> voice.Problem:
    """The one problem of the centre."""
    (found,) = voice.problems(owner, voice.Asked(LAST - timedelta(days=29), LAST))
    return found


# Counting -------------------------------------------------------------------------------------------------------------


def test_days_hold_inbound_contacts_of_the_companys_own_days_by_dearest_plan(told: psycopg.Connection) -> None:
    inbound = told.execute(
        "SELECT count(*) FROM feed.contacts WHERE direction = 'in' AND contact_id <> 'TODAY'"
    ).fetchone()
    assert told.execute("SELECT sum(contacts) FROM desk.reason_days").fetchone() == inbound
    assert told.execute(
        "SELECT max(day), count(*) FILTER (WHERE plan = 'Copper') FROM desk.reason_days"
    ).fetchone() == (LAST, 0)
    # half past eleven in the evening UTC is the next day in London's summer
    plain = (
        "SELECT count(*) FROM feed.contacts "
        "WHERE reason = 'price' AND (started_at AT TIME ZONE 'Europe/London')::date = %s"
    )
    kept = "SELECT sum(contacts) FROM desk.reason_days WHERE reason = 'price' AND day = %s"
    day = [date(2026, 10, 21)]
    assert told.execute(kept, day).fetchone() == told.execute(plain, day).fetchone()
    unknown = "SELECT region, plan, contacts, customers FROM desk.reason_days WHERE reason = 'unknown'"
    assert told.execute(unknown).fetchall() == [("unknown", "unknown", 1, 0)]


def test_customers_add_up_over_regions_and_plans(told: psycopg.Connection) -> None:
    ours = (
        "SELECT day, reason, sum(customers) FROM desk.reason_days WHERE reason <> 'unknown' GROUP BY 1, 2 ORDER BY 1, 2"
    )
    theirs = (
        "SELECT (started_at AT TIME ZONE 'Europe/London')::date AS day, reason, count(DISTINCT customer_id) "
        "FROM feed.contacts "
        "WHERE direction = 'in' AND reason IS NOT NULL AND contact_id <> 'TODAY' GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert told.execute(ours).fetchall() == told.execute(theirs).fetchall()


def test_a_second_run_changes_nothing(told: psycopg.Connection, database: Settings) -> None:
    tables = (
        "reason_days",
        "topics",
        "topic_days",
        "burst_nights",
        "burst_days",
        "problem_days",
        "problem_quotes",
        "problem_groups",
        "problem_customers",
    )
    ask = "SELECT coalesce(string_agg(t::text, '|' ORDER BY t::text), '') FROM desk.{} t"
    before = [told.execute(ask.format(name)).fetchone() for name in tables]
    again = voice_nights.run(database, progress=QUIET)
    assert (again.nights, again.found) == (0, ())
    assert [told.execute(ask.format(name)).fetchone() for name in tables] == before


def test_what_came_late_is_counted_the_next_night(told: psycopg.Connection, database: Settings) -> None:
    told.execute(
        "INSERT INTO feed.contacts (contact_id, customer_id, started_at, channel, direction, reason) "
        "VALUES ('LATE', 'C5', '2026-11-13T09:00Z', 'call', 'in', 'usage')"
    )
    ask = "SELECT sum(contacts) FROM desk.reason_days WHERE reason = 'usage' AND day = '2026-11-13'"
    before = told.execute(ask).fetchone()
    voice_nights.run(database, progress=QUIET)
    assert told.execute(ask).fetchone() == (before[0] + 1,)


def test_nights_one_by_one_find_what_one_run_over_all_finds(centre: psycopg.Connection, database: Settings) -> None:
    for back in (4, 3, 2, 1, 0):
        centre.execute("UPDATE desk.company SET data_until = %s", [NOON - timedelta(days=back)])
        voice_nights.run(database, progress=QUIET)
    one = problem(centre)
    assert (one.key, one.began_on, one.found_on, one.last_burst_on) == ("fault|region|North", BEGAN, BEGAN, LAST)


def test_a_centre_without_contacts_is_no_fault(owner: psycopg.Connection, database: Settings) -> None:
    populate(owner)
    assert voice_nights.run(database, progress=QUIET) == voice_nights.Ran(0, 0, ())


# What is found --------------------------------------------------------------------------------------------------------


def test_the_burst_is_found_on_its_first_night_where_it_sits(told: psycopg.Connection) -> None:
    one = problem(told)
    assert (one.key, one.reason, one.region, one.plan) == ("fault|region|North", "fault", "North", None)
    assert (one.began_on, one.found_on, one.last_burst_on, one.state) == (BEGAN, BEGAN, LAST, "noticed")
    assert one.p_value < one.level <= bursts.RATE
    assert {"hub", "red", "light"} <= set(one.title.lower().split())
    assert one.contacts - one.expected == pytest.approx(90, abs=12)


def test_who_is_affected_is_counted_and_small_groups_are_not_told(told: psycopg.Connection) -> None:
    one = problem(told)
    about = (
        "SELECT count(DISTINCT customer_id) FROM feed.contacts JOIN feed.customers USING (customer_id) "
        "WHERE reason = 'fault' AND direction = 'in' AND region = 'North' AND started_at >= '2026-11-12' "
        "AND contact_id <> 'TODAY'"
    )
    assert told.execute(about).fetchone() == (one.customers,)
    told_of = voice.groups(told, one.problem_id)
    assert {(g.dimension, g.value) for g in told_of} == {("region", "North"), ("plan", "Fibre 0"), ("plan", "Fibre 1")}
    assert sum(g.customers for g in told_of if g.dimension == "plan") == one.customers


def test_worth_at_risk_is_worth_times_risk_of_everybody_who_got_in_touch(
    centre: psycopg.Connection, database: Settings
) -> None:
    centre.execute(
        "INSERT INTO desk.model_versions "
        "(kind, data_as_of, metrics, libraries, artifact, sha256, created_by) "
        "VALUES ('risk', now(), '{}', '{}', 'x', 'x', 'test')"
    )
    centre.execute(
        "INSERT INTO desk.scores (customer_id, as_of, p_churn, clv, risk_version) "
        "SELECT customer_id, now(), 0.1, 200, (SELECT max(model_version) FROM desk.model_versions) "
        "FROM feed.customers"
    )
    voice_nights.run(database, progress=QUIET)
    one = problem(centre)
    assert one.worth_at_risk == one.customers * 2_000  # £20 each, in pence
    first = voice.touched(centre, one.problem_id)[0]
    assert (first.p_churn, first.worth, first.region) == (0.1, 20_000, "North")


def test_quotes_are_masked_and_of_the_problem(told: psycopg.Connection) -> None:
    said = voice.quotes(told, [problem(told).problem_id])[problem(told).problem_id]
    assert said[0].quote == "••• says hub red light since update, ring •••"
    assert not any("Zebedee" in quote.quote or "900123" in quote.quote for quote in said)


def test_the_course_holds_two_weeks_before_and_every_day_since(told: psycopg.Connection) -> None:
    days = voice.courses(told, [problem(told).problem_id])[problem(told).problem_id]
    assert [one.day for one in days] == [BEGAN - timedelta(days=13 - k) for k in range(16)]
    assert all(one.contacts > 2 * one.expected for one in days[-3:])
    assert all(0.5 < one.contacts / one.expected < 1.8 for one in days[:-3])


def test_topics_keep_their_ids_over_nights_and_agents_notes_are_sorted_into_them(
    centre: psycopg.Connection, database: Settings
) -> None:
    centre.execute("UPDATE desk.company SET data_until = %s", [NOON - timedelta(days=1)])
    voice_nights.run(database, progress=QUIET)
    before = dict(centre.execute("SELECT topic_id, name FROM desk.topics").fetchall())
    centre.execute("UPDATE desk.company SET data_until = %s", [NOON])
    centre.execute(
        "INSERT INTO desk.cases "
        "(staff_id, customer_id, opened_by, opened_at, closed_at, outcome, what_is_broken) VALUES "
        "('ann', 'C3', 'search', now(), now(), 'resolved', 'Zebedee: hub red light since update')"
    )
    voice_nights.run(database, progress=QUIET)
    after = dict(centre.execute("SELECT topic_id, name FROM desk.topics").fetchall())
    assert len(before) > 5
    assert {key: after[key] for key in before} == before
    (note,) = voice.broken(centre, voice.Asked(LAST - timedelta(days=9), LAST + timedelta(days=400)))
    assert note.note.endswith(": hub red light since update")
    assert "Zebedee" not in note.note
    assert note.topic is not None
    assert {"red", "light", "hub", "update"} & set(note.topic.split())


def test_a_change_of_a_kind_that_brought_the_same_before_is_an_expected_cause(
    centre: psycopg.Connection, database: Settings
) -> None:
    event = (
        "INSERT INTO feed.change_events (event_id, owner_department, kind, title, starts_at) "
        "VALUES (%s, 'Network', 'release', %s, %s)"
    )
    centre.execute(event, ["E1", "Hub 5", "2026-11-12T03:00Z"])
    voice_nights.run(database, progress=QUIET)
    assert (problem(centre).at_that_time, problem(centre).is_expected) == (["Hub 5"], False)


# Who may see and do what ----------------------------------------------------------------------------------------------


def test_no_person_reads_a_cell_and_small_groups_are_not_told(world: World) -> None:
    world.owner.execute("INSERT INTO desk.reason_days VALUES (%s, 'fault', 'East', 'Fibre 9', 9, 9)", [LAST])
    for who in ("lea", "nor"):
        with world.database.transaction(world[who]) as connection:
            east = voice.reasons_over_time(connection, voice.Asked(LAST, LAST, region="East"))
            everywhere = voice.reasons_over_time(connection, voice.Asked(LAST, LAST, reason="fault"))
        assert [(point.about, point.contacts) for point in east] == [("fault", None)]
        assert everywhere[0].contacts is not None
        with pytest.raises(psycopg.errors.InsufficientPrivilege), world.database.transaction(world[who]) as connection:
            connection.execute("SELECT * FROM desk.reason_days")


def test_accounts_are_for_who_reads_the_masked_book_and_supervisors(world: World) -> None:
    key = problem(world.owner).problem_id
    for who, sees in (("lea", True), ("nor", True)):
        with world.database.transaction(world[who]) as connection:
            assert bool(voice.touched(connection, key)) == sees
    with pytest.raises(psycopg.errors.InsufficientPrivilege), world.database.transaction(world["ann"]) as connection:
        voice.touched(connection, key)
    with world.database.transaction("leader") as connection:  # the role alone, nobody signed in
        assert voice.touched(connection, key) == []


def test_from_noticed_to_fixed_with_owner_day_and_history(world: World) -> None:
    key = problem(world.owner).problem_id
    lea: Session = world["lea"]
    voice.move(world.database, lea, key, "accepted", owner=" Network ")
    voice.move(world.database, lea, key, "being_fixed")
    voice.move(world.database, lea, key, "fixed", fixed_on=LAST, remark="firmware withdrawn")
    one = problem(world.owner)
    assert (one.state, one.owner_department, one.fixed_on) == ("fixed", "Network", LAST)
    with world.database.transaction(lea) as connection:
        steps = voice.history(connection, key)
    assert [(step.from_state, step.to_state) for step in steps] == [
        ("being_fixed", "fixed"),
        ("accepted", "being_fixed"),
        ("noticed", "accepted"),
    ]
    assert (steps[0].person, steps[0].remark) == ("Lea", "firmware withdrawn")
    noted = world.owner.execute(
        "SELECT staff_id, act FROM desk.audit WHERE subject_kind = 'problem' ORDER BY audit_id"
    ).fetchall()
    assert noted == [("lea", "accepted"), ("lea", "being_fixed"), ("lea", "fixed")]


def test_the_same_move_twice_is_one(world: World) -> None:
    key = problem(world.owner).problem_id
    for _ in range(2):
        voice.move(world.database, world["lea"], key, "accepted", owner="Network")
    assert world.owner.execute("SELECT count(*) FROM desk.problem_history").fetchone() == (1,)


@pytest.mark.parametrize(
    ("to", "details", "refusal"),
    [
        ("fixed", {"owner": "Network", "fixed_on": LAST}, ProblemStands),
        ("being_fixed", {"owner": "Network"}, ProblemStands),
        ("accepted", {}, ProblemIncomplete),
        ("nonsense", {"owner": "Network"}, ProblemStands),
    ],
)
def test_moves_outside_the_table_are_refused(world: World, to: str, details: dict, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        voice.move(world.database, world["lea"], problem(world.owner).problem_id, to, **details)
    assert problem(world.owner).state == "noticed"


@pytest.mark.parametrize("day", [None, BEGAN - timedelta(days=1), LAST + timedelta(days=2)])
def test_a_fix_has_a_day_between_its_beginning_and_today(world: World, day: date | None) -> None:
    key = problem(world.owner).problem_id
    voice.move(world.database, world["lea"], key, "accepted", owner="Network")
    with pytest.raises(ProblemIncomplete, match="2026-11-12 to 2026-11-15"):
        voice.move(world.database, world["lea"], key, "fixed", fixed_on=day)


def test_only_a_leader_brings_it_forward_and_nobody_past_the_function(world: World) -> None:
    key = problem(world.owner).problem_id
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        voice.move(world.database, world["nor"], key, "accepted", owner="Network")
    with pytest.raises(NoSuchProblem):
        voice.move(world.database, world["lea"], key + 1, "accepted", owner="Network")
    for role in ("leader", "batch"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), world.database.transaction(role) as connection:
            connection.execute("UPDATE desk.problems SET state = 'dismissed'")
    world.owner.execute("UPDATE desk.staff SET role = 'finance' WHERE staff_id = 'lea'")
    assert RoleMayNot.code == "KL105"


def test_a_leaders_class_counts_and_the_newest_of_them(world: World) -> None:
    for to_them in ("irritating", "valuable"):
        voice.classify(world.database, world["lea"], "usage", "valuable", to_them)
    with world.database.transaction(world["lea"]) as connection:
        rows = {row.reason: row for row in voice.standings(connection, voice.Asked(LAST, LAST))}
    assert (rows["usage"].to_us, rows["usage"].to_them, rows["usage"].is_ours) == ("valuable", "valuable", True)
    assert not rows["fault"].is_ours
    with pytest.raises(ProblemIncomplete):
        voice.classify(world.database, world["lea"], "usage", "odd", "valuable")
    with pytest.raises(NoSuchProblem):
        voice.classify(world.database, world["lea"], "never heard of", "valuable", "valuable")


def test_after_the_fix_the_contacts_avoided_are_told(world: World, database: Settings) -> None:
    key = problem(world.owner).problem_id
    voice.move(world.database, world["lea"], key, "accepted", owner="Network")
    voice.move(world.database, world["lea"], key, "fixed", fixed_on=LAST)
    world.owner.execute(
        "INSERT INTO feed.contacts (contact_id, customer_id, started_at, channel, direction, reason) "
        "SELECT contact_id || '+7', customer_id, started_at + interval '7 days', channel, direction, reason "
        "FROM feed.contacts WHERE contact_id LIKE 'T%-%' AND started_at >= '2026-11-08'"
    )
    world.set_clock(NOON + timedelta(days=7))
    voice_nights.run(database, progress=QUIET)
    with world.database.transaction(world["lea"]) as connection:
        one = problem(connection)
        effect = digest.effect_of(voice.courses(connection, [key])[key], one.began_on, one.fixed_on)
    assert effect is not None
    assert effect.days == 7
    assert effect.low < 7 * 30 < effect.high or effect.contacts == pytest.approx(210, rel=0.35)
    assert effect.low > 0


# The truth ------------------------------------------------------------------------------------------------------------


def test_planted_bursts_of_a_simulated_company_are_found_within_a_day_and_quiet_days_stay_quiet() -> None:
    judged = bench_voice.evaluate(seed=7, months=14)
    assert len(judged.lags) == 4
    assert judged.found == 4
    assert judged.false_share <= bursts.RATE
    assert judged.false_on_quiet == 0
    assert judged.quiet_days > 100
