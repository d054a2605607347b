"""The team on a real database: saves against callers, what else counts, who sees whom; and how long nobody asks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import psycopg
import pytest

from churn import db, simulation
from churn.calls import outcomes
from churn.settings import PROJECT, Settings
from churn.trends import team, team_job
from tests.factories import put, put_customer
from tests.ledger_world import NOON, World, build

AGENTS = ("ann", "abe", "ben", "agent0", "agent1", "agent2")


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    opened = db.open_database(database, size=2)
    yield build(opened, owner)
    opened.close()


@pytest.fixture
def judged(database: Settings, world: World) -> World:
    """Two hundred and forty calls of a year ago to now, half of them saved; ann's callers stay more often."""
    rng = np.random.default_rng(4)
    for i in range(264):
        key, agent, days_ago = f"K{i}", AGENTS[i % len(AGENTS)], 100 + i
        stays = rng.random() < (0.95 if agent == "ann" else 0.5)
        put_customer(world.owner, key, joined_on="2023-01-01", name="Zoe Quill", region=("Wales", "London")[i % 2])
        put(
            world.owner, "contacts", contact_id=f"T{i}", customer_id=key, queue="retention",
            reason=("cancel", "price")[i % 3 % 2],
            agent_id=agent, started_at=NOON - timedelta(days=days_ago),
        )  # fmt: skip
        put(
            world.owner,
            "concessions",
            customer_id=key,
            contact_id=f"T{i}",
            amount=10,
            given_at=NOON - timedelta(days=days_ago),
        )
        put(
            world.owner, "invoices", customer_id=key, issued_on=(NOON - timedelta(days=days_ago - 20)).date(), amount=41
        )
        if stays:
            world.owner.execute("UPDATE feed.subscriptions SET monthly_margin = 20.5 WHERE customer_id = %s", [key])
        else:
            left = (NOON - timedelta(days=days_ago - 40)).date()
            world.owner.execute(
                "UPDATE feed.subscriptions SET ended_on = %s, end_reason = 'voluntary' WHERE customer_id = %s",
                [left, key],
            )
    outcomes.settle(database, progress=lambda _: None)
    return world


def night(database: Settings) -> team_job.Judged:
    return team_job.judge(database, progress=lambda _: None)


def by_key(world: World, who: str) -> dict[str, team.Agent]:
    with world.database.transaction(world[who]) as connection:
        return {agent.staff_id: agent for agent in team.agents(connection)}


def test_saves_are_the_outcomes_own_and_the_expected_add_up(database: Settings, judged: World) -> None:
    assert night(database).calls == 264
    found = by_key(judged, "lea")
    plain = dict(
        judged.owner.execute(
            "SELECT staff_id, count(*) FILTER (WHERE saved_days = 90) FROM desk.save_outcomes GROUP BY staff_id"
        ).fetchall()
    )
    assert {key: agent.saved for key, agent in found.items()} == plain
    assert sum(agent.calls for agent in found.values()) == 264
    others = [agent for key, agent in found.items() if key != "ann"]
    assert sum(agent.expected for agent in others) == pytest.approx(sum(agent.saved for agent in others), rel=0.15)
    assert found["ann"].difference > max(agent.difference for agent in others)


def test_margin_kept_is_what_was_invoiced_after_saves_and_money_what_was_given(
    database: Settings, judged: World
) -> None:
    night(database)
    ann = by_key(judged, "lea")["ann"]
    assert float(ann.given) == 10.0 * ann.calls
    assert float(ann.retained_margin or 0) == pytest.approx(20.5 * ann.saved)  # half of each bill is margin
    assert ann.margin_per_unit == pytest.approx(2.05 * ann.saved / ann.calls)


def test_asks_overrides_and_referrals_are_counted(database: Settings, judged: World) -> None:
    judged.give(
        "ann", "K0", 2_000, asked_amount=1_500, shown_rung=0, receipt={"say_yes": {"amount": 3_500, "lifts_to": None}}
    )
    judged.give("ann", "K6", 2_000, shown_rung=None)
    judged.owner.execute(
        "UPDATE desk.cases SET referral = CASE customer_id WHEN 'K0' THEN 'made' END, "
        "would_recommend = CASE customer_id WHEN 'K6' THEN 10 END"
    )
    night(database)
    ann = by_key(judged, "lea")["ann"]
    assert (ann.offers, ann.asks, float(ann.ask_gap or 0), ann.overrides) == (2, 1, 20.0, 1)
    assert (ann.referrals_asked, ann.referrals_made, ann.referrals_missed) == (1, 1, 1)
    assert float(ann.given) == 10.0 * ann.calls + 40.0


def test_an_agent_sees_their_own_row_a_supervisor_the_team_and_the_leader_all(
    database: Settings, judged: World
) -> None:
    night(database)
    assert set(by_key(judged, "ann")) == {"ann"}
    assert set(by_key(judged, "nor")) == {"ann", "abe"}
    assert set(by_key(judged, "sue")) == {"ben"}
    assert set(by_key(judged, "lea")) == set(AGENTS)
    with judged.database.transaction(judged["ann"]) as connection:
        assert {staff_id for staff_id, _ in team.topics(connection)} == {"ann"}
        assert team.ground(connection) is not None
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        by_key(judged, "finn")
    with judged.database.transaction("agent") as connection:
        assert team.agents(connection) == []  # a role without somebody's token is nobody


def test_topics_are_the_calls_of_each_reason(database: Settings, judged: World) -> None:
    night(database)
    with judged.database.transaction(judged["lea"]) as connection:
        found = team.topics(connection)
    assert sum(topic.calls for topics in found.values() for topic in topics.values()) == 264
    assert set(found["ann", "Ann"]) == {"cancel", "price"} or set(found["ann", "Ann"]) == {"cancel"}


def test_words_of_customers_do_not_say_who_they_are(database: Settings, judged: World) -> None:
    put(
        judged.owner, "contacts", customer_id="K1", agent_id="ann", csat=5, started_at=NOON - timedelta(days=2),
        notes="Zoe said thank you, ring zoe.quill@example.com or 020 7946 0999",
    )  # fmt: skip
    night(database)
    with judged.database.transaction(judged["nor"]) as connection:
        (said,) = team.customers_words(connection)
        wins = team.small_wins(connection)
    assert said["csat"] == 5
    assert "thank you" in said["words"]
    assert not re.search(r"zoe|quill|example|7946", said["words"], re.IGNORECASE)
    assert [(win["staff_id"], win["what"], win["times"]) for win in wins] == [("ann", "top marks from the customer", 1)]


def test_too_few_calls_judge_nobody_and_say_so(database: Settings, world: World) -> None:
    told = night(database)
    assert told.refusal is not None
    assert "at least 200 rows" in str(told)
    assert by_key(world, "lea") == {}


def test_features_are_those_of_the_day_before_the_call(database: Settings, judged: World) -> None:
    """A customer who is talked into a new term begins it that day: nothing of that may be read."""
    judged.owner.execute("UPDATE feed.subscriptions SET ended_on = NULL, end_reason = NULL WHERE customer_id = 'K5'")
    put(
        judged.owner, "subscriptions", customer_id="K5", started_on=(NOON - timedelta(days=105)).date(), plan="New term"
    )
    with db.connect(database, "batch") as connection:
        calls = team_job.read_calls(connection, NOON.date())
        frame = team_job.features_of(connection, calls, lambda _: None)
    row = frame.loc[calls.index[calls["customer_id"] == "K5"][0]]
    assert row["plan"] == "Fibre 500"
    assert row["live_subscriptions"] == 1


@pytest.mark.slow
def test_a_planted_better_agent_is_above_the_funnel_and_a_lucky_one_inside(database: Settings) -> None:
    """A smaller version of tests/bench/bench_team.py."""
    with db.connect(database, "batch") as connection:
        company = simulation.simulate(customers=16_000, months=24, seed=3)
        simulation.write_company(connection, company, progress=lambda *_: None)
    outcomes.settle(database, progress=lambda _: None)
    night(database)
    with psycopg.connect(db.admin_conninfo(database)) as owner:
        zones = dict(owner.execute("SELECT role, zone FROM truth.agents "
                                   "JOIN desk.agent_outcomes ON staff_id = agent_id "
                                   "WHERE role <> 'ordinary'").fetchall())  # fmt: skip
    assert zones["better"] in {"high", "above"}
    assert zones["lucky"] == "inside"


OURS = ("sql/queries/team.sql", "churn/trends/team.py", "churn/trends/team_job.py", "churn/ui/team.py", "pages/team.py",
        "churn/core/trends/funnel.py",
        "churn/core/trends/case_mix.py", "churn/core/trends/wins.py", "churn/core/trends/charts_team.py")  # fmt: skip
HANDLE_TIME = re.compile(
    r"ended_at|handle[_ ]time|talk[_ ]time|\baht\b|\bacw\b|wrap[_-]up|duration|epoch|minutes|seconds", re.IGNORECASE
)


@pytest.mark.parametrize("path", OURS)
def test_how_long_anybody_talked_is_asked_nowhere(path: str) -> None:
    lines = [line for line in (PROJECT / path).read_text().splitlines() if "interval '1 second'" not in line]
    assert HANDLE_TIME.findall("\n".join(lines)) == []


def test_a_query_that_ranks_by_time_would_be_seen() -> None:
    assert HANDLE_TIME.search("SELECT avg(ended_at - started_at) AS aht FROM contacts")
