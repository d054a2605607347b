"""Drafts with their cases, calls made ready for replay, and a replay over them, on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import psycopg
import pytest

from churn import db, ledger
from churn.core.grants import Session
from churn.core.policies.policy import Policy
from churn.core.policies.policy_cases import CasesUnreadable
from churn.core.replay.policy_replay import escalations
from churn.db import Database
from churn.gateway import act, rows_of
from churn.policies import policy_lab, replay_nights
from churn.policies.stored import policy_in_force
from churn.refusals import CasesNotGreen, OwnDraft, PolicyHasProblems, PolicyNotChecked, RoleMayNot
from churn.settings import Settings
from tests.ledger_world import NOON, World, build, small_policy

GREEN = "- {case: Any call, give: bill_credit, when: {monthly_bill: 41}, expect: {ceiling: 100, alone: 35}}\n"


@pytest.fixture
def world(database: Settings) -> Iterator[World]:
    """The small desk."""
    held = db.open_database(database, size=4)
    with psycopg.connect(db.admin_conninfo(database), autocommit=True) as owner:
        yield build(held, owner)
    held.close()


def changed(policy: Policy, code: str, **values: object) -> Policy:
    """The policy with one rule changed."""
    return replace(policy, rules=tuple(replace(r, **values) if r.code == code else r for r in policy.rules))


def test_a_draft_keeps_its_cases_and_they_stand(world: World) -> None:
    version = policy_lab.save_draft(world.database, world["finn"], small_policy(title="next"), GREEN)
    assert policy_lab.cases(world.database, world["lea"], version) == GREEN
    with pytest.raises(psycopg.Error, match="never changed"):
        world.owner.execute("UPDATE desk.policy_cases SET document = ''")
    assert policy_lab.cases(world.database, world["fay"], world.version) == ""


def test_cases_that_cannot_be_read_are_not_kept(world: World) -> None:
    with pytest.raises(CasesUnreadable, match="Cases are a list"):
        policy_lab.save_draft(world.database, world["finn"], small_policy(), "case: one")
    assert world.owner.execute("SELECT count(*) FROM desk.policy_versions").fetchone() == (1,)


def test_an_agent_drafts_nothing_and_no_cases_stay_behind(world: World) -> None:
    with pytest.raises((RoleMayNot, psycopg.Error)):
        policy_lab.save_draft(world.database, world["ann"], small_policy(), GREEN)
    assert world.owner.execute("SELECT count(*) FROM desk.policy_cases").fetchone() == (0,)


def test_a_draft_with_a_red_case_is_not_published_and_one_that_is_green_is(world: World) -> None:
    red = GREEN.replace("alone: 35", "alone: 36")
    version = policy_lab.save_draft(world.database, world["finn"], small_policy(title="red"), red)
    with pytest.raises(CasesNotGreen, match="Any call: Expected alone £36, came out £35") as refused:
        ledger.publish_policy(world.database, world["fay"], version)
    assert [one["title"] for one in refused.value.facts["cases"]] == ["Any call"]
    green = policy_lab.save_draft(world.database, world["finn"], small_policy(title="green"), GREEN)
    ledger.publish_policy(world.database, world["fay"], green)
    assert policy_in_force(world.database, world["ann"]).version == green


def test_problems_refuse_before_cases_do(world: World) -> None:
    version = policy_lab.save_draft(world.database, world["finn"], small_policy(rules=()), GREEN)
    with pytest.raises(PolicyHasProblems):
        ledger.publish_policy(world.database, world["fay"], version)


def publish_past_the_shell(world: World, who: str, version: int) -> None:
    """The database's own function, as whoever has a connection of their role may call it."""
    act(world.database, world[who], "policy", "publish", {"version": version, "effective_from": None})


def test_past_the_shell_a_version_is_published_only_as_it_was_checked_and_green(world: World) -> None:
    red = policy_lab.save_draft(
        world.database, world["finn"], small_policy(title="red"), GREEN.replace("alone: 35", "alone: 36")
    )
    with pytest.raises(PolicyNotChecked, match=f"version {red} was not checked as it is now for 15 November 2026"):
        publish_past_the_shell(world, "fay", red)
    with pytest.raises(CasesNotGreen):
        ledger.publish_policy(world.database, world["fay"], red)
    with pytest.raises(PolicyNotChecked, match="red cases \\(1 of 1\\)"):
        publish_past_the_shell(world, "fay", red)
    green = policy_lab.save_draft(world.database, world["finn"], small_policy(title="green"), GREEN)
    other_day = NOON + timedelta(days=1)
    with pytest.raises(OwnDraft):  # checked, and not theirs to publish
        ledger.publish_policy(world.database, world["finn"], green, effective_from=other_day)
    with pytest.raises(PolicyNotChecked, match="for 15 November 2026"):
        publish_past_the_shell(world, "fay", green)
    with pytest.raises(OwnDraft):
        ledger.publish_policy(world.database, world["finn"], green)
    world.owner.execute(  # as only an owner of the database could
        "INSERT INTO desk.policy_rules (policy_version, code, topic, effect, value, unit, reason) "
        "SELECT policy_version, 'more', topic, effect, value, unit, reason FROM desk.policy_rules "
        "WHERE policy_version = %s LIMIT 1",
        [green],
    )
    with pytest.raises(PolicyNotChecked, match="not checked as it is now"):
        publish_past_the_shell(world, "fay", green)
    last = policy_lab.save_draft(world.database, world["finn"], small_policy(title="last"), GREEN)
    with pytest.raises(OwnDraft):
        ledger.publish_policy(world.database, world["finn"], last)
    publish_past_the_shell(world, "fay", last)
    assert policy_in_force(world.database, world["ann"]).version == last


def test_nobodys_role_says_what_the_checks_found(world: World) -> None:
    version = policy_lab.save_draft(world.database, world["finn"], small_policy(title="next"), GREEN)
    found = {"content": "x", "begins_on": NOON.date(), "problems": 0, "cases": 1, "red_cases": 0}
    for who in ("finn", "lea"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows_of(world.database, world[who], "policy_lab", "keep_check", {"version": version, **found})
    with pytest.raises(OwnDraft):
        ledger.publish_policy(world.database, world["finn"], version)
    with pytest.raises(psycopg.Error, match="never changed"):
        world.owner.execute("UPDATE desk.policy_checks SET red_cases = 0")


def test_budgets_and_proposals_show_who_waits_for_whom(world: World) -> None:
    (held,) = policy_lab.budgets(world.database, world["fay"], date(2026, 11, 1))
    assert (held.team, held.amount_limit, held.spent, held.headroom) == ("north", 100_000, 0, 100_000)
    ledger.propose_budget(
        world.database, world["finn"], team="north", instrument="bill_credit", month=date(2026, 11, 1), currency="GBP",
        amount=-2_500, reason="less",
    )  # fmt: skip
    waiting, done = policy_lab.proposals(world.database, world["lea"])
    assert (waiting.amount, waiting.reason, waiting.proposed_by, waiting.confirmed_by) == (-2_500, "less", "finn", None)
    assert (done.amount, done.confirmed_by) == (100_000, "fay")
    ledger.confirm_budget(world.database, world["fay"], waiting.proposal_id)
    assert policy_lab.budgets(world.database, world["lea"], date(2026, 11, 1))[0].amount_limit == 97_500


# replay ---------------------------------------------------------------------------------------------------------------


def office(settings: Settings, database: Database) -> Session:
    """Somebody of finance in the simulated company."""
    with psycopg.connect(db.admin_conninfo(settings)) as owner:
        row = owner.execute("SELECT staff_id FROM desk.staff WHERE role = 'finance' ORDER BY 1").fetchone()
    assert row is not None
    return ledger.open_session(database, row[0])


def test_the_night_makes_calls_ready_and_a_draft_is_replayed_over_them(desk: Settings) -> None:
    database = db.open_database(desk, size=4)
    me = office(desk, database)
    assert policy_lab.replay_state(database, me) is None
    today = policy_in_force(database, me)
    assert today is not None
    made = replay_nights.prepare(desk, today, progress=lambda _: None)
    state = policy_lab.replay_state(database, me)
    assert state is not None
    assert (state.calls, state.since_on, state.until_on) == (made.calls, made.since_on, made.until_on)
    calls = policy_lab.replay_calls(database, me, state.since_on)
    assert len(calls) == made.calls > 300
    logged = calls.logged
    assert logged is not None
    assert np.isfinite(calls.worth).mean() > 0.9
    assert np.allclose(logged.band_chance.sum(axis=1), 1, atol=1e-3)
    # Nobody's chance is far from what happened: the models were of this company.
    assert abs(logged.expected.mean() - logged.stayed.mean()) < 0.05
    with psycopg.connect(db.admin_conninfo(desk)) as owner:
        given = owner.execute("SELECT sum(amount) FROM desk.replay_calls").fetchone()
        names = owner.execute(
            "SELECT count(*) FROM information_schema.columns "
            "WHERE table_name = 'replay_calls' AND column_name ~ 'customer|name|contact_id'"
        ).fetchone()
    assert given == (pytest.approx(float(logged.amount.sum())),)
    assert names == (0,)

    told: list[float] = []
    same = policy_lab.replay_draft(today, today, calls, told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert same.today is not None
    assert same.draft.spend() == same.today.spend()
    assert escalations(same)["caused"] == escalations(same)["avoided"] == 0
    lean = replace(
        today,
        rules=tuple(
            replace(r, value=Decimal(500)) if r.code.startswith("worth:") and r.unit == "money" else
            replace(r, value=Decimal("0.01")) if r.topic == "worth" and r.unit == "share_of_worth" else r
            for r in today.rules
        ),
    )  # fmt: skip
    less = policy_lab.replay_draft(lean, today, calls)
    assert less.draft.spend().total < less.today.spend().total
    assert less.draft.amount.sum() < less.today.amount.sum()
    assert set(less.frontier["policy"]) == {"draft", "today"}
    dear = less.frontier[less.frontier["policy"] == "today"].sort_values("price")["spend"]
    assert dear.is_monotonic_decreasing
    database.close()


def test_others_than_finance_and_leaders_read_no_calls(world: World) -> None:
    for who in ("ann", "nor"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            policy_lab.replay_state(world.database, world[who])


def test_without_an_effect_model_nothing_is_made_ready(database: Settings) -> None:
    with psycopg.connect(db.admin_conninfo(database), autocommit=True) as owner:
        owner.execute(
            "INSERT INTO desk.company (name, time_zone, phone_region, currency, source) "
            "VALUES ('Test', 'Europe/London', 'GB', 'GBP', 'simulated')"
        )
    with pytest.raises(replay_nights.NothingToReplay, match="No effect model is in use"):
        replay_nights.prepare(database, None, progress=lambda _: None)
