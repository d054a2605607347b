"""The ledger's rules, one by one, on a real database: what is given, what is refused, and that both are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from churn import db, ledger, refusals
from churn.core import money
from churn.core.grants import Grant, OfferedRung
from churn.core.policies.approvals import MOVES
from churn.core.policies.policy import schedule
from churn.policies import default_policy
from churn.policies.install import install_default
from churn.policies.stored import policy_in_force, policy_version, policy_versions
from churn.queries import load
from churn.settings import SQL, Settings
from tests.ledger_world import NOON, World, build, populate, rule, small_policy


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    """A desk of two teams; team north has £1,000 for credits in November."""
    desk = db.open_database(database, size=8)
    yield build(desk, owner)
    desk.close()


def code_of(call: object, *args: object, **kwargs: object) -> str:
    """The code of the refusal a call raises."""
    with pytest.raises(refusals.Refusal) as caught:
        call(*args, **kwargs)  # type: ignore[operator]
    return caught.value.code


def ask(world: World, amount: int = 6_000, staff_id: str = "ann", customer_id: str = "C1") -> tuple[Grant, UUID]:
    """An offer of £20 with a request for more."""
    grant = replace(world.offer(staff_id, customer_id), amount=amount)
    key = uuid4()
    ledger.ask_approval(world.database, world[staff_id], grant, approval_id=key, reason="leaving")
    return grant, key


# giving


def test_a_grant_is_booked_once_with_everything_it_came_from(world: World) -> None:
    grant = world.offer("ann", "C7", 2_050)
    entry = ledger.give(world.database, world["ann"], grant)
    assert (entry.kind, entry.amount, entry.currency, entry.staff_id, entry.team) == (
        "grant",
        2_050,
        "GBP",
        "ann",
        "north",
    )
    assert (entry.customer_id, entry.decision_id, entry.policy_version) == ("C7", grant.decision_id, world.version)
    assert (entry.authority, entry.authorised_by, entry.approval_id) == (3_500, "ann", None)
    assert (entry.given_at, entry.booked_on, entry.booked_month) == (NOON, date(2026, 11, 15), date(2026, 11, 1))
    assert world.spent() == 2_050
    assert ledger.find_grant(world.database, world["ann"], grant.decision_id) == replace(entry, is_replay=True)


def test_the_same_click_again_gives_the_same_receipt_and_no_money(world: World) -> None:
    grant = world.offer("ann")
    first = ledger.give(world.database, world["ann"], grant)
    again = [ledger.give(world.database, world["ann"], grant) for _ in range(4)]
    assert [replace(entry, is_replay=False) for entry in again] == [first] * 4
    assert all(entry.is_replay for entry in again)
    assert world.spent() == 2_000


def test_a_replay_answers_after_the_offer_has_expired_and_the_call_is_over(world: World) -> None:
    grant = world.offer("ann", expires_in_seconds=0.2)
    first = ledger.give(world.database, world["ann"], grant)
    world.owner.execute("UPDATE desk.cases SET closed_at = now()")
    world.owner.execute("SELECT pg_sleep(0.2)")
    assert ledger.give(world.database, world["ann"], grant).entry_id == first.entry_id


def test_the_same_key_with_other_terms_is_an_error_and_a_security_event(world: World) -> None:
    decision = world.decision("ann", "C1", 2_000, 3_000)
    ledger.record_decision(world.database, world["ann"], decision)
    grant = Grant(decision_id=decision.decision_id, instrument="bill_credit", amount=2_000, currency="GBP")
    ledger.give(world.database, world["ann"], grant)
    with pytest.raises(refusals.KeyReused, match=r"bill_credit of £20 was given already; nothing more was given"):
        ledger.give(world.database, world["ann"], replace(grant, amount=3_000))
    row = world.owner.execute("SELECT code, staff_id, is_security, asked ->> 'amount' FROM desk.refusals").fetchone()
    assert row == ("KL206", "ann", True, "3000")
    assert world.spent() == 2_000


def test_a_monthly_discount_stores_its_total_and_its_schedule(world: World) -> None:
    world.budget(50_000, instrument="monthly_discount")
    rung = OfferedRung(rung=0, lever="discount", instrument="monthly_discount", amount=1_000, ceiling=6_000, months=3)
    decision = replace(world.decision("ann"), rungs=(rung,))
    ledger.record_decision(world.database, world["ann"], decision)
    grant = Grant(
        decision_id=decision.decision_id, instrument="monthly_discount", amount=1_000, currency="GBP", months=3
    )
    assert code_of(ledger.give, world.database, world["ann"], replace(grant, months=2)) == "KL205"
    entry = ledger.give(world.database, world["ann"], grant)
    assert (entry.amount, entry.months, entry.schedule) == (1_000, 3, (333, 333, 334))
    assert entry.schedule == schedule(1_000, 3)


def test_a_fix_costs_no_budget_and_what_is_owed_draws_none(world: World) -> None:
    rungs = (
        OfferedRung(rung=0, lever="fix", instrument="fix", amount=0, ceiling=0),
        OfferedRung(rung=1, lever="credit", instrument="entitled_refund", amount=3_000, ceiling=50_000),
    )
    for name, amount in (("fix", 0), ("entitled_refund", 3_000)):
        decision = replace(world.decision("ann", rolling_cap=0), rungs=rungs)
        ledger.record_decision(world.database, world["ann"], decision)
        grant = Grant(decision_id=decision.decision_id, instrument=name, amount=amount, currency="GBP")
        assert ledger.give(world.database, world["ann"], grant).budget_id is None
    assert world.spent() == 0
    assert ledger.reconcile(world.database) == []


# limits, each with its figures


def test_more_than_ones_authority_is_refused_with_the_limit_and_who_lifts_it(world: World) -> None:
    with pytest.raises(refusals.AboveAuthority, match=r"You may give £35 of bill_credit alone") as caught:
        world.give("ann", amount=3_501)
    assert caught.value.facts == {"limit": 3_500, "asked": 3_501}
    assert caught.value.who_can_lift == "a supervisor"
    assert world.give("ann", amount=3_500).amount == 3_500


def test_what_takes_a_supervisor_takes_one_whatever_the_amount(world: World) -> None:
    grant = world.offer("ann", amount=500, needs_approval=True)
    with pytest.raises(refusals.AboveAuthority, match="takes a supervisor here"):
        ledger.give(world.database, world["ann"], grant)
    request = ledger.ask_approval(world.database, world["ann"], grant, approval_id=uuid4(), reason="first year")
    assert request.state == "asked"


def test_a_days_authority_is_used_up_to_the_penny(world: World) -> None:
    policy = small_policy()
    lines = tuple(replace(a, per_window=5_000) if a.role == "agent" else a for a in policy.authority)
    world.publish(replace(policy, authority=lines))
    world.give("ann", "C1", 3_000)
    with pytest.raises(refusals.AuthorityUsedUp, match=r"With this ann would pass £50 for bill_credit this day"):
        world.give("ann", "C2", 2_001)
    assert world.give("ann", "C3", 2_000).amount == 2_000
    assert world.give("abe", "C4", 3_000).amount == 3_000  # each has their own
    world.set_clock(NOON + timedelta(days=1))
    assert world.give("ann", "C5", 3_000).amount == 3_000
    assert ledger.authority_used(world.database, world["ann"]) == {"bill_credit": 3_000}
    assert ledger.reconcile(world.database) == []


def test_a_budget_is_spent_to_the_last_penny_and_no_further(world: World) -> None:
    world.budget(-97_000)
    world.give("ann", "C1", 1_000)
    with pytest.raises(refusals.BudgetExhausted, match=r"budget has £20 left this month") as caught:
        world.give("abe", "C2", 2_001)
    assert caught.value.facts == {"left": 2_000, "asked": 2_001}
    world.give("abe", "C3", 2_000)
    assert world.spent() == 3_000
    assert code_of(world.give, "ann", "C4", 1) == "KL308"


def test_a_missing_budget_or_counter_refuses(world: World) -> None:
    with pytest.raises(refusals.NoBudget, match="Team south has no budget for bill_credit this month"):
        world.give("ben")
    world.owner.execute("DELETE FROM desk.budget_counters")
    with pytest.raises(refusals.NoBudget, match="This budget has no counter"):
        world.give("ann")
    assert [d.counted for d in ledger.reconcile(world.database)] == [None, None]


def test_splitting_under_the_limit_meets_the_customers_rolling_cap(world: World) -> None:
    for staff_id in ("ann", "abe"):
        world.give(staff_id, "C1", 2_000, rolling_cap=5_000)
    with pytest.raises(refusals.RollingCapReached, match=r"In 365 days this customer may get £50; £10 of it is left"):
        world.give("ann", "C1", 1_001, rolling_cap=5_000)
    world.give("ann", "C1", 1_000, rolling_cap=5_000)
    assert code_of(world.give, "ann", "C1", 1, rolling_cap=5_000) == "KL304"
    world.set_clock(NOON + timedelta(days=365))
    world.budget(9_000, month=date(2027, 11, 1))
    assert world.give("ann", "C1", 1_000, rolling_cap=5_000).amount == 1_000


def test_what_was_given_elsewhere_counts_against_the_cap(world: World) -> None:
    assert code_of(world.give, "ann", "C1", 2_000, rolling_cap=5_000, given_elsewhere=3_001) == "KL304"
    assert world.give("ann", "C1", 2_000, rolling_cap=5_000, given_elsewhere=3_000).amount == 2_000


def test_a_cooldown_ends_to_the_second(world: World) -> None:
    world.give("ann", "C1", 100)
    world.set_clock(NOON + timedelta(days=10, seconds=-1))
    with pytest.raises(refusals.CoolingDown, match="They had bill_credit on 15 November 2026; .* after 10 days"):
        world.give("ann", "C1", 100, cooldown_days=10)
    world.set_clock(NOON + timedelta(days=10))
    assert world.give("ann", "C1", 100, cooldown_days=10).amount == 100


def test_a_maximum_of_times_counts_what_stands(world: World) -> None:
    times = {"redemptions": 2, "redemption_days": 30}
    first = world.give("ann", "C1", 100, **times)
    world.give("ann", "C1", 100, **times)
    with pytest.raises(refusals.GivenTooOften, match="may be given 2 times in 30 days, and was"):
        world.give("ann", "C1", 100, **times)
    ledger.reverse(world.database, world["nor"], first.entry_id, reason="wrong account")
    assert world.give("ann", "C1", 100, **times).amount == 100


# the offer itself


def test_only_what_was_shown_can_be_given(world: World) -> None:
    grant = world.offer("ann")
    for other in (
        replace(grant, amount=1_999),
        replace(grant, instrument="fix"),
        replace(grant, currency="EUR"),
        replace(grant, months=2),
    ):
        assert code_of(ledger.give, world.database, world["ann"], other) == "KL205"
    assert code_of(ledger.give, world.database, world["ann"], replace(grant, decision_id=uuid4())) == "KL201"


def test_an_offer_belongs_to_whoever_it_was_made_for(world: World) -> None:
    assert code_of(ledger.give, world.database, world["abe"], world.offer("ann")) == "KL202"


def test_an_offer_ends_with_its_time_its_call_and_its_policy(world: World) -> None:
    late = world.offer("ann", "C1", expires_in_seconds=0.2)
    world.owner.execute("SELECT pg_sleep(0.2)")
    assert code_of(ledger.give, world.database, world["ann"], late) == "KL203"
    over = world.offer("ann", "C2")
    world.owner.execute("UPDATE desk.cases SET closed_at = now() WHERE customer_id = 'C2'")
    assert code_of(ledger.give, world.database, world["ann"], over) == "KL204"
    stale = world.offer("ann", "C3")
    world.publish(small_policy())
    assert code_of(ledger.give, world.database, world["ann"], stale) == "KL207"
    declined = world.offer("ann", "C4")
    ledger.answer_decision(
        world.database, world["ann"], declined.decision_id, answer="not_now", reason="thinking about it"
    )
    assert code_of(ledger.give, world.database, world["ann"], declined) == "KL208"


def test_a_decision_is_stored_once_and_its_key_stands_for_it(world: World) -> None:
    decision = world.decision("ann", "C1", 2_000, asked_amount=2_500, propensity=0.25, seed=7, price_of_budget=0.3)
    for _ in range(2):
        assert ledger.record_decision(world.database, world["ann"], decision) == decision.decision_id
    assert code_of(ledger.record_decision, world.database, world["ann"], replace(decision, seed=8)) == "KL206"
    row = world.owner.execute(
        "SELECT asked_amount, propensity, seed, price_of_budget, receipt, staff_id, team, decided_at "
        "FROM desk.decisions"
    ).fetchall()
    assert row == [(2_500, 0.25, 7, 0.3, {"why": "test"}, "ann", "north", NOON)]


def test_no_decision_passes_the_outer_walls_of_its_policy(world: World) -> None:
    good = world.decision("ann", "C1", 2_000)
    wide = replace(good.rungs[0], ceiling=20_001)
    for bad, code in (
        (replace(good, rungs=(wide,)), "KL209"),
        (replace(good, rungs=(replace(good.rungs[0], instrument="car"),)), "KL209"),
        (replace(good, rungs=(replace(good.rungs[0], months=2),)), "KL209"),
        (replace(good, rolling_cap=30_001), "KL209"),
        (replace(good, rolling_days=364), "KL209"),
        (replace(good, currency="EUR"), "KL209"),
        (replace(good, policy_version=world.version + 1), "KL207"),
        (replace(good, customer_id="C2"), "KL202"),
        (replace(good, case_id=uuid4()), "KL202"),
    ):
        assert code_of(ledger.record_decision, world.database, world["ann"], bad) == code


# who


def test_a_session_ends_by_signing_out_by_time_by_rest_and_by_change_of_role(world: World) -> None:
    grant = world.offer("ann")
    for change, code in (
        ("UPDATE desk.sessions SET expires_at = now() - interval '1 second'", "KL102"),
        ("UPDATE desk.sessions SET last_seen_at = now() - interval '31 minutes'", "KL102"),
        ("UPDATE desk.staff SET role = 'supervisor' WHERE staff_id = 'ann'", "KL103"),
        ("UPDATE desk.staff SET is_active = false WHERE staff_id = 'ann'", "KL103"),
    ):
        with world.owner.transaction(force_rollback=True):
            world.owner.execute(change)
            found = world.owner.execute(
                "SELECT code FROM desk.give_concession(%s, %s, 'bill_credit', 2000, 'GBP')",
                [world["ann"].token, grant.decision_id],
            ).fetchone()
            assert found == (code,)
    ledger.close_session(world.database, world["ann"])
    assert code_of(ledger.give, world.database, world["ann"], grant) == "KL102"
    stranger = replace(world["ann"], token=uuid4().hex)
    assert code_of(ledger.person, world.database, stranger) == "KL101"


def test_the_database_knows_a_token_only_by_its_hash(world: World) -> None:
    session = world["ann"]
    assert len(session.token) == 64
    assert session.token not in repr(session)
    rows = world.owner.execute("SELECT s::text FROM desk.sessions s").fetchall()
    assert not [row for row in rows if session.token in row[0]]
    assert code_of(ledger.open_session, world.database, "nobody") == "KL104"


LEDGER = (
    "agent_counters", "approval_history", "approval_moves", "approval_requests", "approvals", "audit", "budget_changes",
    "budget_counters", "budget_proposals", "budgets", "decision_answers", "decision_rungs", "decisions", "ledger",
    "ledger_customers", "lookup_limits", "month_closes", "month_gates", "policy_authority", "policy_instruments",
    "policy_rules", "policy_versions", "refusals", "seals", "sessions", "stand_ins",
)  # fmt: skip


def test_no_role_of_the_app_writes_the_ledger_or_reads_a_session(owner: psycopg.Connection) -> None:
    rows = owner.execute(
        "SELECT relname, r.rolname, "
        "has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'), "
        "has_table_privilege(r.oid, c.oid, 'SELECT') "
        "FROM pg_class c CROSS JOIN pg_roles r "
        "WHERE c.relnamespace = 'desk'::regnamespace AND relname = ANY (%s) AND r.rolname = ANY (%s)",
        [list(LEDGER), [f"keepline_{role}" for role in db.ROLES if role != "owner"]],
    ).fetchall()
    assert len(rows) == len(LEDGER) * 7
    assert not [(table, role) for table, role, may_write, _ in rows if may_write]
    assert not [role for table, role, _, may_read in rows if may_read and table == "sessions"]


def test_every_function_of_the_ledger_is_pinned_and_closed_to_the_public(owner: psycopg.Connection) -> None:
    """Who may run each is docs/access.md's, which tests/test_access.py compares."""
    rows = owner.execute(
        "SELECT proname, prosecdef, coalesce(array_to_string(proconfig, ' '), ''), "
        "EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0) "
        "FROM pg_proc p JOIN pg_roles o ON o.oid = proowner WHERE rolname = 'keepline_owner'"
    ).fetchall()
    assert len(rows) > 40
    pin = "search_path=pg_catalog, pg_temp"
    assert not [name for name, definer, config, _ in rows if definer and pin not in config]
    assert not [name for name, _, _, is_public in rows if is_public]


# asking a supervisor


def test_ask_approve_give(world: World) -> None:
    grant, key = ask(world)
    assert [r.approval_id for r in ledger.approvals_waiting(world.database, world["nor"])] == [key]
    assert ledger.approvals_waiting(world.database, world["sue"]) == []
    answer = ledger.approve(world.database, world["nor"], key, reason="worth it")
    assert (answer.state, answer.decided_by, answer.answer_amount) == ("approved", "nor", 6_000)
    entry = ledger.give(world.database, world["ann"], replace(grant, approval_id=key))
    assert (entry.amount, entry.staff_id, entry.authorised_by, entry.authority) == (6_000, "ann", "nor", 3_500)
    assert ledger.give(world.database, world["ann"], replace(grant, approval_id=key)).is_replay
    states = world.owner.execute("SELECT state FROM desk.approval_history ORDER BY entered_at").fetchall()
    assert states == [("asked",), ("approved",), ("used",)]
    assert ledger.authority_used(world.database, world["ann"]) == {}
    assert ledger.authority_used(world.database, world["nor"]) == {"bill_credit": 6_000}
    assert ledger.reconcile(world.database) == []


def test_a_counter_offer_gives_the_supervisors_amount_and_no_other(world: World) -> None:
    grant, key = ask(world)
    ledger.counter(world.database, world["nor"], key, amount=4_500, reason="half way")
    assert code_of(ledger.give, world.database, world["ann"], replace(grant, approval_id=key)) == "KL406"
    entry = ledger.give(world.database, world["ann"], replace(grant, amount=4_500, approval_id=key))
    assert (entry.amount, world.spent()) == (4_500, 4_500)


def test_a_declined_request_gives_nothing(world: World) -> None:
    grant, key = ask(world)
    ledger.decline(world.database, world["nor"], key, reason="third this month")
    assert code_of(ledger.give, world.database, world["ann"], replace(grant, approval_id=key)) == "KL401"
    found = ledger.approval(world.database, world["ann"], key)
    assert found is not None
    assert (found.state, found.answer_reason) == ("declined", "third this month")


def test_four_eyes_and_team_are_refused_by_the_function(world: World) -> None:
    lines = tuple(replace(a, per_window=10_000) for a in small_policy().authority)
    world.publish(replace(small_policy(), authority=lines))
    world.give("nor", "C9", 9_000)  # a supervisor asks once the day's authority is used up
    _, key = ask(world, 9_000, "nor")
    with pytest.raises(refusals.OwnRequest, match="another supervisor must answer"):
        ledger.approve(world.database, world["nor"], key, reason="me")
    with pytest.raises(refusals.OtherTeam, match="for team north; you look after south"):
        ledger.approve(world.database, world["sue"], key, reason="not mine")
    ledger.name_stand_in(world.database, world["ned"], team="north", staff_id="sue", hours=1)
    assert [r.approval_id for r in ledger.approvals_waiting(world.database, world["sue"])] == [key]
    assert ledger.approve(world.database, world["sue"], key, reason="standing in").state == "approved"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ledger.approve(world.database, world["ann"], key, reason="agents may not")


def test_an_answer_is_given_once_in_time_and_replays(world: World) -> None:
    _, key = ask(world)
    ledger.approve(world.database, world["nor"], key, reason="yes")
    ledger.approve(world.database, world["nor"], key, reason="yes")
    with pytest.raises(refusals.RequestNotOpen, match="The request is approved; it cannot be declined any more"):
        ledger.decline(world.database, world["ned"], key, reason="no")
    grant = replace(world.offer("ann", "C2"), amount=6_000)
    late = uuid4()
    ledger.ask_approval(world.database, world["ann"], grant, approval_id=late, reason="x", seconds=0)
    with pytest.raises(refusals.RequestNotOpen, match="The request is expired"):
        ledger.approve(world.database, world["nor"], late, reason="too late")
    _, closed = ask(world, customer_id="C3")
    world.owner.execute("UPDATE desk.cases SET closed_at = now() WHERE customer_id = 'C3'")
    assert code_of(ledger.approve, world.database, world["nor"], closed, reason="call is over") == "KL402"
    assert ledger.expire_approvals(world.database) == 2
    assert ledger.expire_approvals(world.database) == 0


def test_a_yes_lapses_with_its_time_when_withdrawn_and_when_the_month_turns(world: World) -> None:
    grant = replace(world.offer("ann"), amount=6_000)
    key = uuid4()
    ledger.ask_approval(world.database, world["ann"], grant, approval_id=key, reason="x", seconds=1)
    ledger.approve(world.database, world["nor"], key, reason="yes")
    world.owner.execute("SELECT pg_sleep(1)")
    assert code_of(ledger.give, world.database, world["ann"], replace(grant, approval_id=key)) == "KL405"
    grant, key = ask(world, customer_id="C2")
    ledger.approve(world.database, world["nor"], key, reason="yes")
    ledger.withdraw_approval(world.database, world["ann"], key)
    assert code_of(ledger.give, world.database, world["ann"], replace(grant, approval_id=key)) == "KL405"
    grant, key = ask(world, customer_id="C3")
    ledger.approve(world.database, world["nor"], key, reason="yes")
    world.budget(9_000, month=date(2026, 12, 1))
    world.set_clock(datetime(2026, 12, 1, tzinfo=UTC))
    assert code_of(ledger.give, world.database, world["ann"], replace(grant, approval_id=key)) == "KL405"


def test_a_supervisor_answers_within_their_own_authority_and_the_ceiling(world: World) -> None:
    _, key = ask(world)
    assert code_of(ledger.counter, world.database, world["nor"], key, amount=10_001, reason="x") == "KL301"
    assert code_of(ledger.counter, world.database, world["nor"], key, amount=20_001, reason="x") == "KL309"
    assert code_of(ledger.counter, world.database, world["nor"], key, amount=6_000, reason="same") == "KL406"
    found = ledger.approval(world.database, world["nor"], key)
    assert found is not None
    assert found.state == "asked"


def test_one_asks_only_for_what_one_may_not_give_and_somebody_can(world: World) -> None:
    grant = world.offer("ann")

    def asking(amount: int) -> str:
        changed = replace(grant, amount=amount)
        return code_of(ledger.ask_approval, world.database, world["ann"], changed, approval_id=uuid4(), reason="x")

    assert [asking(3_500), asking(10_001), asking(20_001)] == ["KL407", "KL309", "KL309"]
    key = uuid4()
    for _ in range(2):
        ledger.ask_approval(
            world.database, world["ann"], replace(grant, amount=4_000), approval_id=key, reason="sent twice"
        )
    assert asking(4_000) == "KL408"
    ledger.withdraw_approval(world.database, world["ann"], key)
    ledger.ask_approval(world.database, world["ann"], replace(grant, amount=5_000), approval_id=uuid4(), reason="again")


def test_the_asker_hears_the_answer_by_notification(world: World) -> None:
    world.owner.execute("LISTEN keepline_approvals")
    _, key = ask(world)
    ledger.approve(world.database, world["nor"], key, reason="yes")
    heard = [(n.channel, n.payload) for n in world.owner.notifies(timeout=2, stop_after=2)]
    assert heard == [("keepline_approvals", "north")] * 2


def test_the_table_of_moves_is_the_cores(owner: psycopg.Connection) -> None:
    rows = set(owner.execute("SELECT from_state, to_state FROM desk.approval_moves").fetchall())
    assert rows == {(state, after) for (state, _), after in MOVES.items()}


# what not even the tables' owner can do


def test_the_owner_cannot_approve_their_own_request(world: World) -> None:
    _, key = ask(world)
    as_owner(world)
    with pytest.raises(psycopg.errors.CheckViolation):
        world.owner.execute("UPDATE desk.approval_requests SET state = 'approved', decided_by = requested_by")
    with pytest.raises(psycopg.errors.CheckViolation):
        world.owner.execute(
            "INSERT INTO desk.approvals (approval_id, decision_id, customer_id, currency, instrument, amount, "
            "budget_id, requested_by, decided_by, authority_id, authority) "
            "SELECT approval_id, decision_id, customer_id, currency, instrument, amount, budget_id, requested_by, "
            "requested_by, 1, 99999 FROM desk.approval_requests"
        )
    with pytest.raises(psycopg.DatabaseError, match="The request is asked; it cannot become used"):
        world.owner.execute("UPDATE desk.approval_requests SET decided_by = 'nor', state = 'used'")
    assert key is not None


def test_the_owner_cannot_write_an_unlawful_row(world: World) -> None:
    entry = world.give("ann")
    other = world.decision("ann", "C1", 2_000)
    ledger.record_decision(world.database, world["ann"], other)
    as_owner(world)
    for message, change in UNLAWFUL:
        held = {"decision_id": f"'{other.decision_id}'"} | change if change else {}
        values = ", ".join(held.get(name, name) for name in COLUMNS)
        with pytest.raises(psycopg.DatabaseError, match=message):
            world.owner.execute(
                f"INSERT INTO desk.ledger ({', '.join(COLUMNS)}) SELECT {values} FROM desk.ledger WHERE entry_id = %s",  # noqa: S608
                [entry.entry_id],
            )


COLUMNS = [
    "kind",
    "decision_id",
    "customer_id",
    "staff_id",
    "team",
    "instrument",
    "amount",
    "currency",
    "budget_id",
    "policy_version",
    "authority_id",
    "authority",
    "authorised_by",
    "time_window",
    "approval_id",
    "given_at",
    "cap_at",
    "booked_on",
    "booked_month",
]
UNLAWFUL = [
    ("violates check constraint", {"amount": "3501"}),  # above authority without an approval
    ("authority of this entry is not the policy's", {"authority": "99999", "amount": "9000"}),
    ("violates foreign key constraint", {"approval_id": "gen_random_uuid()", "authorised_by": "'nor'"}),
    ("violates check constraint", {"authorised_by": "'nor'"}),
    ("violates foreign key constraint", {"decision_id": "gen_random_uuid()"}),
    ("violates foreign key constraint", {"customer_id": "'C2'"}),
    ("no such budget", {"budget_id": "99"}),
    ("violates check constraint", {"booked_on": "date '2026-10-31'"}),
    ("no such budget", {"booked_on": "date '2026-10-31'", "booked_month": "date '2026-10-01'"}),
    ("Only a grant can be taken back", {"kind": "'reversal'", "amount": "-100"}),
    ("violates check constraint", {"amount": "-1"}),
    ("duplicate key", {}),
]
APPEND_ONLY = [
    "ledger",
    "decisions",
    "decision_rungs",
    "decision_answers",
    "approvals",
    "approval_history",
    "refusals",
    "budgets",
    "budget_proposals",
    "budget_changes",
    "month_closes",
    "approval_moves",
]


@pytest.mark.parametrize("become", ["SET ROLE keepline_owner", "SET session_replication_role = replica"])
def test_rows_are_append_only_for_the_owner_too(world: World, become: LiteralString) -> None:
    fill_every_table(world)
    world.owner.execute(become)
    for table in APPEND_ONLY:
        column = world.owner.execute(f"SELECT * FROM desk.{table} LIMIT 0").description[-1].name  # type: ignore[index]  # noqa: S608
        for statement in (
            f"UPDATE desk.{table} SET {column} = {column}",  # noqa: S608
            f"DELETE FROM desk.{table}",  # noqa: S608
            f"TRUNCATE desk.{table} CASCADE",
        ):
            with pytest.raises(psycopg.DatabaseError, match="never changed or removed"):
                world.owner.execute(statement)


def fill_every_table(world: World) -> None:
    """At least one row in each append-only table."""
    grant, key = ask(world)
    ledger.approve(world.database, world["nor"], key, reason="yes")
    ledger.give(world.database, world["ann"], replace(grant, approval_id=key))
    refused = world.offer("ann", "C2")
    ledger.answer_decision(world.database, world["ann"], refused.decision_id, answer="not_now", reason="later")
    assert code_of(ledger.give, world.database, world["ann"], refused) == "KL208"
    ledger.close_month(world.database, world["finn"], date(2026, 10, 1))


def as_owner(world: World) -> None:
    """Become the tables' owner: below this there is only the superuser."""
    world.owner.execute("SET ROLE keepline_owner")


# taking back


def test_a_reversal_is_a_new_row_once_and_never_by_the_giver(world: World) -> None:
    entry = world.give("nor", "C1", 2_000)
    with pytest.raises(refusals.OwnGrant, match="another supervisor must reverse it"):
        ledger.reverse(world.database, world["nor"], entry.entry_id, reason="mine")
    assert code_of(ledger.reverse, world.database, world["sue"], entry.entry_id, reason="other team") == "KL404"
    back = ledger.reverse(world.database, world["ned"], entry.entry_id, reason="wrong account")
    assert (back.kind, back.amount, back.reverses, back.reason) == ("reversal", -2_000, entry.entry_id, "wrong account")
    assert world.spent() == 0
    assert ledger.reverse(world.database, world["ned"], entry.entry_id, reason="again").is_replay
    third = ledger.open_session(world.database, "ned")
    assert code_of(ledger.reverse, world.database, third, back.entry_id, reason="of a reversal") == "KL503"
    world.owner.execute("INSERT INTO desk.staff VALUES ('nat', 'Nat', 'supervisor', 'north')")
    assert code_of(ledger.reverse, world.database, world["nat"], entry.entry_id, reason="twice") == "KL502"
    assert code_of(ledger.reverse, world.database, world["ned"], 999, reason="none") == "KL501"
    assert ledger.reconcile(world.database) == []


def test_a_reversal_frees_the_customers_cap_of_its_own_time_only(world: World) -> None:
    old = world.give("ann", "C1", 3_000, rolling_cap=3_000)
    world.set_clock(NOON + timedelta(days=10))
    assert code_of(world.give, "ann", "C1", 1, rolling_cap=3_000) == "KL304"
    ledger.reverse(world.database, world["nor"], old.entry_id, reason="x")
    world.give("ann", "C1", 3_000, rolling_cap=3_000)
    assert code_of(world.give, "ann", "C1", 1, rolling_cap=3_000) == "KL304"
    assert [e.amount for e in ledger.customer_grants(world.database, world["ann"], "C1")] == [3_000]


def test_a_clawback_returns_what_will_never_be_paid(world: World) -> None:
    entry = world.give("ann", "C1", 3_000)
    back = ledger.claw_back(world.database, entry.entry_id, unpaid=1_200, reason="left on 3 December")
    assert (back.kind, back.amount, back.staff_id) == ("clawback", -1_200, "nightly job")
    assert ledger.claw_back(world.database, entry.entry_id, unpaid=1_200, reason="again").is_replay
    assert code_of(ledger.reverse, world.database, world["nor"], entry.entry_id, reason="x") == "KL502"
    other = world.give("ann", "C2", 1_000)
    assert code_of(ledger.claw_back, world.database, other.entry_id, unpaid=1_001, reason="too much") == "KL503"
    assert world.spent() == 2_800
    assert ledger.reconcile(world.database) == []


# months


MOMENTS = [
    ("Europe/London", "2026-03-31T22:59:59Z", "2026-03-31"),  # summer time began on the 29th
    ("Europe/London", "2026-03-31T23:00:00Z", "2026-04-01"),
    ("Pacific/Auckland", "2026-09-30T10:59:59Z", "2026-09-30"),  # and here on the 27th
    ("Pacific/Auckland", "2026-09-30T11:00:00Z", "2026-10-01"),
    ("Europe/London", "2026-10-25T00:30:00Z", "2026-10-25"),  # half past one, which comes twice
    ("Europe/London", "2026-10-25T01:30:00Z", "2026-10-25"),
    ("Europe/London", "2026-10-31T23:59:59Z", "2026-10-31"),
    ("Europe/London", "2026-11-01T00:00:00Z", "2026-11-01"),
    ("America/New_York", "2026-11-01T03:59:59Z", "2026-10-31"),
    ("America/New_York", "2026-11-01T04:00:00Z", "2026-11-01"),  # a day of 25 hours
    ("America/New_York", "2026-12-01T04:59:59Z", "2026-11-30"),
    ("America/New_York", "2026-12-01T05:00:00Z", "2026-12-01"),
]


def test_a_grant_belongs_to_the_day_and_month_of_its_budgets_own_zone(world: World) -> None:
    world.set_clock(datetime(2026, 1, 1, tzinfo=UTC))
    world.publish(small_policy())
    for number, (zone, at, day) in enumerate(MOMENTS):
        booked_on, team = date.fromisoformat(day), f"zone{number}"
        world.owner.execute("UPDATE desk.company SET time_zone = %s", [zone])
        world.owner.execute("UPDATE desk.staff SET team = %s WHERE staff_id = 'ben'", [team])
        world.budget(2_000, month=booked_on.replace(day=1), team=team)
        world.set_clock(datetime.fromisoformat(at))
        world.version = policy_in_force(world.database, "agent").version  # type: ignore[union-attr]
        entry = world.give("ben", f"C{number}")
        assert (entry.booked_on, entry.booked_month) == (booked_on, booked_on.replace(day=1))
        assert world.spent(team, month=booked_on.replace(day=1)) == 2_000


def test_a_month_of_budget_starts_and_ends_by_the_clock_on_the_wall(world: World) -> None:
    for month in (date(2026, 3, 1), date(2026, 10, 1), date(2026, 11, 1)):
        world.budget(1, month=month, team="south")
    rows = world.owner.execute(
        "SELECT extract(epoch FROM ends_at - starts_at)::int / 3600 FROM desk.budgets WHERE team = 'south' "
        "ORDER BY month"
    ).fetchall()
    assert rows == [(31 * 24 - 1,), (31 * 24 + 1,), (30 * 24,)]


def test_a_closed_month_takes_no_row_and_corrections_go_into_the_open_one(world: World) -> None:
    entry = world.give("ann", "C1", 2_000)
    assert code_of(ledger.close_month, world.database, world["finn"], date(2026, 11, 1)) == "KL506"
    world.set_clock(datetime(2026, 12, 1, tzinfo=UTC))
    ledger.close_month(world.database, world["finn"], date(2026, 11, 1))
    ledger.close_month(world.database, world["finn"], date(2026, 11, 1))
    row = world.owner.execute("SELECT closed_by, statement FROM desk.month_closes").fetchone()
    assert row is not None
    assert row[0] == "finn"
    assert [(s["team"], s["granted"], s["net"], s["entries"]) for s in row[1]] == [("north", 2_000, 2_000, 1)]
    assert code_of(ledger.reverse, world.database, world["nor"], entry.entry_id, reason="x") == "KL307"
    world.budget(500, month=date(2026, 12, 1))
    back = ledger.reverse(world.database, world["nor"], entry.entry_id, reason="x")
    assert (back.booked_month, back.reverses) == (date(2026, 12, 1), entry.entry_id)
    assert (world.spent(), world.spent(month=date(2026, 12, 1))) == (2_000, -2_000)
    world.set_clock(NOON)  # a clock that steps back
    assert code_of(world.give, "ann", "C2", 100) == "KL505"
    assert code_of(world.budget, 100) == "KL505"
    assert ledger.reconcile(world.database) == []


def test_budgets_are_moved_by_two_people_and_never_below_what_is_spent(world: World) -> None:
    key = ledger.propose_budget(
        world.database,
        world["finn"],
        team="north",
        instrument="bill_credit",
        month=date(2026, 11, 20),
        currency="GBP",
        amount=-98_001,
        reason="less",
    )
    assert code_of(ledger.confirm_budget, world.database, world["finn"], key) == "KL507"
    world.give("ann", "C1", 2_000)
    with pytest.raises(refusals.BudgetUnchanged, match=r"£20 of this budget is spent"):
        ledger.confirm_budget(world.database, world["fay"], key)
    world.budget(1)
    ledger.confirm_budget(world.database, world["fay"], key)
    ledger.confirm_budget(world.database, world["fay"], key)
    left = ledger.headroom(world.database, world["ann"], "north")
    assert [(h.amount_limit, h.spent, h.headroom) for h in left] == [(2_000, 2_000, 0)]
    assert float(left[0].elapsed) == pytest.approx(14.5 / 30)
    assert code_of(ledger.confirm_budget, world.database, world["fay"], uuid4()) == "KL508"
    as_owner(world)
    with pytest.raises(psycopg.errors.CheckViolation):
        world.owner.execute(
            "INSERT INTO desk.budget_changes "
            "SELECT proposal_id, 1, amount, proposed_by, proposed_by FROM desk.budget_proposals"
        )


# policy


def test_a_policy_comes_back_as_it_was_drafted(world: World) -> None:
    version = world.publish(default_policy())
    stored = policy_in_force(world.database, "agent")
    assert stored is not None
    assert stored.version == version
    assert sorted(stored.rules, key=lambda r: r.code) == sorted(default_policy().rules, key=lambda r: r.code)
    assert set(stored.instruments) == set(default_policy().instruments)
    assert set(stored.authority) == set(default_policy().authority)


def test_a_policy_is_published_by_a_second_person_from_now_or_later(world: World) -> None:
    version = ledger.draft_policy(world.database, world["finn"], small_policy())
    publish = ledger.publish_policy
    assert code_of(publish, world.database, world["finn"], version, effective_from=None) == "KL602"
    early = NOON - timedelta(seconds=1)
    assert code_of(publish, world.database, world["fay"], version, effective_from=early) == "KL603"
    assert code_of(publish, world.database, world["fay"], 99, effective_from=None) == "KL604"
    publish(world.database, world["fay"], version, effective_from=NOON + timedelta(days=1))
    assert code_of(publish, world.database, world["fay"], version, effective_from=None) == "KL601"
    numbers = [policy_in_force(world.database, "finance", NOON + timedelta(days=d)) for d in (-1, 0, 1)]
    assert [found and found.version for found in numbers] == [None, world.version, version]
    assert [v.version for v in policy_versions(world.database, "finance")] == [version, world.version]
    as_owner(world)
    with pytest.raises(psycopg.errors.CheckViolation):
        world.owner.execute(
            "INSERT INTO desk.policy_versions "
            "(title, currency, drafted_by, published_by, published_at, effective_from) "
            "VALUES ('x', 'GBP', 'finn', 'finn', now(), now())"
        )


def test_the_default_policy_is_installed_once_with_budgets_by_seats(
    database: Settings, owner: psycopg.Connection
) -> None:
    desk = db.open_database(database, size=2)
    populate(owner)
    versions = [install_default(desk, first="finn", second="fay") for _ in range(2)]
    assert versions == [1, 1]
    rows = owner.execute(
        "SELECT instrument, amount_limit FROM desk.budgets JOIN desk.budget_counters USING (budget_id) "
        "WHERE team = 'north' ORDER BY 1"
    ).fetchall()
    assert rows == [
        ("bill_credit", 120_000),
        ("fee_waiver", 40_000),
        ("free_month", 60_000),
        ("monthly_discount", 240_000),
    ]
    assert owner.execute("SELECT count(*) FROM desk.sessions WHERE revoked_at IS NULL").fetchone() == (0,)
    desk.close()


def test_a_draft_with_problems_is_kept_and_not_published(world: World) -> None:
    bad = replace(
        small_policy(), rules=(*small_policy().rules, rule("x", "ceiling", 15, "share_of_worth", fault="ours"))
    )
    version = ledger.draft_policy(world.database, world["finn"], bad)
    with pytest.raises(refusals.PolicyHasProblems, match="15 is more than the whole") as caught:
        ledger.publish_policy(world.database, world["fay"], version, effective_from=None)
    assert [problem["kind"] for problem in caught.value.facts["problems"]] == ["out_of_range"]
    kept = policy_version(world.database, "finance", version)
    assert kept is not None
    assert kept.effective_from is None


def test_rows_of_a_published_policy_stand_for_the_owner_too(world: World) -> None:
    as_owner(world)
    for table in ("policy_versions", "policy_rules", "policy_instruments", "policy_authority"):
        column = {"policy_versions": "title", "policy_rules": "reason", "policy_authority": "role"}.get(table, "title")
        for statement in (f"UPDATE desk.{table} SET {column} = 'x'", f"DELETE FROM desk.{table}"):  # noqa: S608
            with pytest.raises(psycopg.DatabaseError, match="is published and stands"):
                world.owner.execute(statement)
        with pytest.raises(psycopg.DatabaseError, match="never changed or removed"):
            world.owner.execute(f"TRUNCATE desk.{table} CASCADE")
    with pytest.raises(psycopg.DatabaseError, match="is published and stands"):
        world.owner.execute("INSERT INTO desk.policy_authority VALUES (DEFAULT, 1, 'agent', 'car', NULL, 1, 1, 'day')")


# words, names, statements


def test_every_refusal_of_the_database_has_a_name_and_every_name_a_refusal() -> None:
    text = "".join(path.read_text() for path in sorted((SQL / "migrations").glob("*.sql")))
    assert set(re.findall(r"desk\.refuse\(\s*'(KL\d+)'", text)) == set(refusals.BY_CODE)
    assert all(kind.__doc__ and kind.__doc__.endswith(".") for kind in refusals.BY_CODE.values())
    assert str(refusals.Busy()) == "The desk is busy; nothing was done. Try again in a moment."


def test_a_refusal_by_exception_is_named_too(world: World) -> None:
    with pytest.raises(refusals.NotYourDecision, match="another person's call"):
        ledger.find_grant(world.database, world["abe"], world.offer("ann").decision_id)


def test_money_in_words_agrees_with_the_core(owner: psycopg.Connection) -> None:
    amounts = (0, 1, 5, 99, 100, 2_000, 2_050, 99_999, 100_000, 1_234_567, -1, -2_000, -123_456, money.LARGEST)
    for currency in ("GBP", "EUR", "USD", "JPY", "CHF", *money.WHOLE, *money.THOUSANDTHS):
        said = owner.execute(
            "SELECT desk.in_words(amount, %s) FROM unnest(%s::bigint[]) amount", [currency, list(amounts)]
        ).fetchall()
        assert said == [(money.show(amount, currency),) for amount in amounts]


@pytest.mark.parametrize("noun", ["ledger", "approvals", "policy"])
def test_every_statement_is_valid_against_the_schema(owner: psycopg.Connection, noun: str) -> None:
    for name, statement in load(noun).items():
        numbered = re.sub(r"%\(\w+\)s", "NULL", statement)
        owner.execute(f"PREPARE {name} AS {numbered}")  # type: ignore[arg-type]
        owner.execute(f"DEALLOCATE {name}")  # type: ignore[arg-type]
