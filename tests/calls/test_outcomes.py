"""Did it work, on a real database: who came, what became of them, what goes back, and that nothing is overwritten."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from churn import db, ledger
from churn.calls import outcomes
from churn.calls.outcomes import Settled
from churn.core.grants import Grant, OfferedRung
from churn.settings import PROJECT, Settings
from tests.factories import put, put_customer
from tests.ledger_world import NOON, World, build, rule, small_policy

TODAY = NOON.date()


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    opened = db.open_database(database, size=2)
    yield build(opened, owner)
    opened.close()


def night(database: Settings, world: World | None = None, *, days: int = 0) -> Settled:
    """The nightly job, so many days after the start."""
    if world is not None:
        world.set_clock(NOON + timedelta(days=days))
    return outcomes.settle(database, progress=lambda _: None)


def came(owner: psycopg.Connection, customer_id: str = "C1", days_ago: int = 0, **values: object) -> None:
    """A customer and their call to cancel."""
    if owner.execute("SELECT count(*) FROM feed.customers WHERE customer_id = %s", [customer_id]).fetchone() == (0,):
        put_customer(owner, customer_id)
    called = {
        "queue": "retention",
        "reason": "cancel",
        "agent_id": "ann",
        "started_at": NOON - timedelta(days=days_ago),
    }
    put(owner, "contacts", customer_id=customer_id, **called | values)


def leave(owner: psycopg.Connection, customer_id: str, on: date, how: str | None = "voluntary") -> None:
    owner.execute(
        "UPDATE feed.subscriptions SET ended_on = %s, end_reason = %s WHERE customer_id = %s", [on, how, customer_id]
    )


def history(owner: psycopg.Connection, customer_id: str = "C1") -> list[str]:
    """Each row of the history in the order it was written, re-statements with an exclamation mark."""
    rows = owner.execute(
        "SELECT stage || coalesce(window_days::text, '') || ' ' || to_char(began_on, 'MM-DD') "
        "|| CASE WHEN is_restatement THEN ' !' ELSE '' END "
        "FROM desk.save_stages JOIN desk.cancel_intents USING (intent_id) WHERE customer_id = %s "
        "ORDER BY intent_id, seq",
        [customer_id],
    ).fetchall()
    return [row[0] for row in rows]


def who_came(owner: psycopg.Connection) -> list[str]:
    return [row[0] for row in owner.execute("SELECT customer_id FROM desk.cancel_intents ORDER BY 1").fetchall()]


def everything(owner: psycopg.Connection) -> list[tuple]:
    return [
        *owner.execute("SELECT i::text FROM desk.cancel_intents i ORDER BY 1").fetchall(),
        *owner.execute("SELECT s::text FROM desk.save_stages s ORDER BY 1").fetchall(),
        *owner.execute("SELECT l::text FROM desk.ledger l ORDER BY 1").fetchall(),
        *owner.execute("SELECT r::text FROM desk.refusals r ORDER BY 1").fetchall(),
    ]


# who came -------------------------------------------------------------------------------------------------------------


def test_who_came_to_cancel_is_told_by_queue_or_reason(database: Settings, world: World) -> None:
    calls: dict[str, dict[str, object]] = {
        "yes1": {},
        "yes2": {"queue": None, "reason": "Cancellation request"},
        "yes3": {"queue": "Retention", "reason": "price"},
        "no1": {"queue": "retention", "reason": "renewal", "direction": "out"},  # we rang them
        "no2": {"queue": "billing", "reason": "bill"},
        "no3": {"queue": None, "reason": None},
        "no4": {"started_at": NOON + timedelta(hours=1)},  # not yet
    }
    for customer_id, values in calls.items():
        came(world.owner, customer_id, **values)
    assert night(database) == Settled(3, 3, 0, 0, 0)
    assert who_came(world.owner) == ["yes1", "yes2", "yes3"]


def test_nobody_cancels_what_had_ended_before(database: Settings, world: World) -> None:
    came(world.owner, days_ago=5)
    leave(world.owner, "C1", TODAY - timedelta(days=6))
    assert night(database).came == 0


def test_a_case_and_two_contacts_of_one_day_are_one_caller(database: Settings, world: World) -> None:
    came(world.owner)
    came(world.owner, started_at=NOON - timedelta(hours=3), agent_id="abe")
    case = world.case("ann", "C1")
    world.owner.execute("UPDATE desk.cases SET cancel_asked_at = now() WHERE case_id = %s", [case])
    assert night(database).came == 1
    row = world.owner.execute(
        "SELECT case_id, staff_id, contact_id IS NOT NULL, windows, called_on FROM desk.cancel_intents"
    ).fetchone()
    assert row == (case, "ann", True, [30, 60, 90], TODAY)


def test_a_case_counts_when_cancel_was_said_or_coded(database: Settings, world: World) -> None:
    cases = {
        "yes1": (True, None, None),
        "yes2": (False, "cancel", "resolved"),
        "yes3": (False, None, "deflected"),
        "no1": (False, "fault", "resolved"),
        "no2": (False, None, None),
    }
    for customer_id, (is_said, reason, outcome) in cases.items():
        put_customer(world.owner, customer_id)
        world.owner.execute(
            "UPDATE desk.cases SET cancel_asked_at = CASE WHEN %s THEN now() END, contact_reason = %s, outcome = %s "
            "WHERE case_id = %s",
            [is_said, reason, outcome, world.case("ann", customer_id)],
        )
    night(database)
    assert who_came(world.owner) == ["yes1", "yes2", "yes3"]


def test_a_decision_made_for_a_canceller_counts(database: Settings, world: World) -> None:
    put_customer(world.owner, "C1")
    world.offer("ann", "C1", contact_reason="cancel")
    assert night(database).came == 1


def test_the_day_is_the_companys_own(database: Settings, world: World) -> None:
    world.owner.execute("UPDATE desk.company SET time_zone = 'Pacific/Auckland'")
    came(world.owner)  # noon in London is one in the morning there
    night(database)
    assert history(world.owner) == ["deflected 11-16"]


# what became of them --------------------------------------------------------------------------------------------------


def test_night_after_night_a_stayer_is_watched_and_saved(database: Settings, world: World) -> None:
    came(world.owner)
    for days in (0, 1, 2, 30, 31, 61, 90, 91, 150):
        night(database, world, days=days)
    assert history(world.owner) == [
        "deflected 11-15", "watchlist30 11-16", "saved30 12-15", "saved60 01-14", "saved90 02-13",
    ]  # fmt: skip


def test_one_late_night_writes_the_same_as_many(database: Settings, world: World) -> None:
    came(world.owner)
    assert night(database, world, days=91) == Settled(1, 5, 0, 0, 0)
    assert history(world.owner)[-1] == "saved90 02-13"


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("voluntary", "lost_deflect60 12-30"),
        (None, "lost_deflect60 12-30"),  # nobody wrote down why: by choice, as everywhere
        ("involuntary", "left_involuntary60 12-30"),
        ("move", "left_move60 12-30"),
    ],
)
def test_who_left_in_the_second_window_is_lost_there(
    database: Settings, world: World, how: str | None, expected: str
) -> None:
    came(world.owner)
    leave(world.owner, "C1", TODAY + timedelta(days=45), how)
    night(database, world, days=44)
    assert history(world.owner)[-1] == "saved30 12-15"
    night(database, world, days=45)
    assert history(world.owner)[-1] == expected


def test_a_plan_changed_without_a_gap_is_no_leaving(database: Settings, world: World) -> None:
    came(world.owner)
    leave(world.owner, "C1", TODAY + timedelta(days=10))
    put(world.owner, "subscriptions", customer_id="C1", started_on=TODAY + timedelta(days=10))
    night(database, world, days=31)
    assert history(world.owner)[-1] == "saved30 12-15"


def test_a_cancelled_case_was_never_deflected(database: Settings, world: World) -> None:
    came(world.owner)
    case = world.case("ann", "C1")
    world.owner.execute(
        "UPDATE desk.cases SET cancel_asked_at = now(), cancelled_at = now(), closed_at = now(), outcome = 'cancelled' "
        "WHERE case_id = %s",
        [case],
    )
    for days in (0, 40):
        night(database, world, days=days)
    assert history(world.owner) == ["cancelled 11-15"]


def test_a_date_that_came_late_restates_and_the_old_rows_stay(database: Settings, world: World) -> None:
    came(world.owner)
    night(database, world, days=61)
    leave(world.owner, "C1", TODAY + timedelta(days=20))
    assert night(database, world, days=62) == Settled(0, 1, 1, 0, 0)
    assert history(world.owner) == [
        "deflected 11-15", "watchlist30 11-16", "saved30 12-15", "saved60 01-14", "lost_deflect30 12-05 !",
    ]  # fmt: skip
    standing = "SELECT stage, window_days, saved_days, restatements FROM desk.save_outcomes"
    assert world.owner.execute(standing).fetchall() == [("lost_deflect", 30, None, 1)]


def test_a_customer_put_back_is_restated_too(database: Settings, world: World) -> None:
    came(world.owner)
    leave(world.owner, "C1", TODAY + timedelta(days=40))
    night(database, world, days=41)
    world.owner.execute("UPDATE feed.subscriptions SET ended_on = NULL, end_reason = NULL")
    night(database, world, days=50)
    assert history(world.owner)[-2:] == ["lost_deflect60 12-25", "saved30 12-15 !"]
    night(database, world, days=61)
    assert world.owner.execute("SELECT stage, saved_days FROM desk.save_outcomes").fetchall() == [("saved", 60)]


def test_the_windows_are_those_of_the_policy_at_the_call(database: Settings, world: World) -> None:
    came(world.owner, "C1")
    world.set_clock(NOON + timedelta(days=10))
    rules = [r for r in small_policy().rules if r.effect != "horizon"]
    world.publish(small_policy(rules=(*rules, rule("horizon", "horizon", Decimal(60), "days"))))
    came(world.owner, "C2", days_ago=-20)
    night(database, world, days=30)
    windows = world.owner.execute("SELECT customer_id, windows FROM desk.cancel_intents ORDER BY 1").fetchall()
    assert windows == [("C1", [30, 60, 90]), ("C2", [20, 40, 60])]


def test_counts_of_stages_add_up_to_everybody_who_came(database: Settings, world: World) -> None:
    for number, (days_ago, left) in enumerate([(100, None), (100, 50), (40, None), (40, 3), (0, None)]):
        came(world.owner, f"C{number}", days_ago)
        if left is not None:
            leave(world.owner, f"C{number}", TODAY - timedelta(days=days_ago - left))
    night(database)
    with db.connect(database, "batch") as connection:
        counts = outcomes.standing(connection)
    assert counts == {
        ("saved", 90): 1, ("lost_deflect", 60): 1, ("saved", 30): 1, ("lost_deflect", 30): 1, ("deflected", None): 1,
    }  # fmt: skip


def test_nobody_changes_what_is_written(database: Settings, world: World) -> None:
    came(world.owner)
    night(database)
    for statement in ("UPDATE desk.save_stages SET stage = 'saved'", "DELETE FROM desk.cancel_intents"):
        with pytest.raises(psycopg.Error, match="never changed or removed"):
            world.owner.execute(statement)
        for role in ("batch", "agent", "supervisor", "finance"):
            with db.connect(database, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


# what goes back -------------------------------------------------------------------------------------------------------


def give_monthly(world: World, amount: int, months: int) -> ledger.Entry:
    """A monthly discount by ann to C1."""
    rung = OfferedRung(
        rung=0, lever="discount", instrument="monthly_discount", amount=amount, ceiling=20_000, months=months
    )
    decision = world.decision("ann", "C1", rungs=(rung,))
    ledger.record_decision(world.database, world["ann"], decision)
    grant = Grant(
        decision_id=decision.decision_id, instrument="monthly_discount", amount=amount, currency="GBP", months=months
    )
    return ledger.give(world.database, world["ann"], grant)


def clawbacks(owner: psycopg.Connection) -> list[tuple[int, int, str]]:
    return owner.execute(
        "SELECT reverses, amount, staff_id FROM desk.ledger WHERE kind = 'clawback' ORDER BY entry_id"
    ).fetchall()


def test_the_months_nobody_will_pay_go_back_to_the_open_month(database: Settings, world: World) -> None:
    came(world.owner)
    world.budget(50_000, instrument="monthly_discount")
    world.budget(50_000, instrument="monthly_discount", month=date(2027, 1, 1))
    entry = give_monthly(world, 3_500, 6)  # 583 a month, the last 585
    leave(world.owner, "C1", date(2027, 1, 10))  # paid: 15 November, 15 December
    assert night(database, world, days=56).clawed_back == 1
    assert clawbacks(world.owner) == [(entry.entry_id, -(3_500 - 2 * 583), "nightly job")]
    assert world.spent(instrument="monthly_discount") == 3_500
    assert world.spent(instrument="monthly_discount", month=date(2027, 1, 1)) == -2_334
    assert ledger.reconcile(world.database) == []


def test_what_was_given_at_once_is_gone_but_counts_for_no_save(database: Settings, world: World) -> None:
    came(world.owner)
    entry = world.give("ann", "C1", 2_000)
    leave(world.owner, "C1", TODAY + timedelta(days=5))
    night(database, world, days=5)
    assert clawbacks(world.owner) == [(entry.entry_id, 0, "nightly job")]
    assert world.spent() == 2_000


@pytest.mark.parametrize(("left_after", "how"), [(5, "involuntary"), (5, "move"), (91, "voluntary"), (6, "voluntary")])
def test_nothing_goes_back_from_who_was_cut_off_moved_or_left_late_or_not_yet(
    database: Settings, world: World, left_after: int, how: str
) -> None:
    came(world.owner)
    world.give("ann", "C1", 2_000)
    leave(world.owner, "C1", TODAY + timedelta(days=left_after), how)
    world.budget(1, month=date(2027, 3, 1))
    night(database, world, days=5 if left_after < 90 else 120)
    assert clawbacks(world.owner) == []


def test_a_grant_that_was_reversed_is_left_alone(database: Settings, world: World) -> None:
    came(world.owner)
    entry = world.give("ann", "C1", 2_000)
    ledger.reverse(world.database, world["nor"], entry.entry_id, reason="mistake")
    leave(world.owner, "C1", TODAY + timedelta(days=5))
    assert night(database, world, days=5).clawed_back == 0


def test_without_a_budget_of_the_month_it_waits_and_no_refusal_piles_up(database: Settings, world: World) -> None:
    came(world.owner)
    world.give("ann", "C1", 2_000)
    leave(world.owner, "C1", TODAY + timedelta(days=20))
    for days in (20, 21):
        assert (night(database, world, days=days).clawed_back, night(database, world, days=days).waiting) == (0, 1)
    assert world.owner.execute("SELECT count(*) FROM desk.refusals").fetchone() == (0,)
    world.budget(1, month=date(2026, 12, 1))
    assert night(database, world, days=22).clawed_back == 1


def test_a_second_run_changes_nothing_at_all(database: Settings, world: World) -> None:
    world.budget(50_000, instrument="monthly_discount")
    came(world.owner)
    give_monthly(world, 3_500, 6)
    leave(world.owner, "C1", TODAY + timedelta(days=5))
    for number in range(2, 30):
        came(world.owner, f"C{number}", days_ago=number * 4)
    # three of who left; of the others two each, and one for each window over: 23, 16 and 8 of them
    assert night(database, world, days=5) == Settled(29, 3 + 28 * 2 + 23 + 16 + 8, 0, 1, 0)
    before = everything(world.owner)
    assert night(database, world, days=5) == Settled(0, 0, 0, 0, 0)
    assert everything(world.owner) == before


def test_a_run_cut_off_before_the_clawbacks_is_completed_by_the_next(
    database: Settings, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    came(world.owner)
    world.give("ann", "C1", 2_000)
    leave(world.owner, "C1", TODAY + timedelta(days=5))
    with monkeypatch.context() as cut:
        cut.setattr(outcomes, "_claw_back", interrupted)
        with pytest.raises(KeyboardInterrupt):
            night(database, world, days=5)
    assert night(database, world, days=5) == Settled(0, 0, 0, 1, 0)


def interrupted(*_: object, **__: object) -> bool:
    raise KeyboardInterrupt


def test_a_fault_while_writing_leaves_nothing_of_that_night(
    database: Settings, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    came(world.owner)
    monkeypatch.setattr(outcomes, "additions", interrupted)
    with pytest.raises(KeyboardInterrupt):
        night(database)
    assert everything(world.owner) == []


def test_the_command_says_what_was_done_and_twice_is_no_harm(database: Settings, world: World) -> None:
    came(world.owner)
    said = [
        subprocess.run(
            [sys.executable, "-m", "churn", "outcomes", "--database", database.database],
            cwd=PROJECT, capture_output=True, text=True, check=True,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert "1 came to cancel; 1 new stages, 0 of them re-statements; 0 clawed back, 0 waiting for a budget" in said[0]
    assert "0 came to cancel; 0 new stages" in said[1]


# the simulated company ------------------------------------------------------------------------------------------------


def test_the_simulated_companys_saves_are_those_its_truth_knows(desk: Settings) -> None:
    """Every retention call with its window over: still here after 90 days or not, by the mechanism itself."""
    done = outcomes.settle(desk, progress=lambda _: None)
    with psycopg.connect(db.admin_conninfo(desk)) as connection:
        rows = connection.execute(
            "SELECT o.stage, o.saved_days, c.leaves_on, o.called_on FROM truth.calls c "
            "JOIN desk.save_outcomes o ON o.customer_id = c.customer_id AND o.contact_id = c.contact_id "
            "WHERE o.called_on < %s",
            [datetime(2026, 8, 1, tzinfo=UTC).date()],
        ).fetchall()
    assert done.came > 300
    assert len(rows) > 250
    stayed = [stage for stage, _, leaves_on, on in rows if leaves_on is None or (leaves_on - on).days > 90]
    left = [stage for stage, _, leaves_on, on in rows if leaves_on is not None and (leaves_on - on).days <= 90]
    assert stayed.count("saved") >= 0.95 * len(stayed)  # a few were cut off or moved meanwhile
    assert left.count("lost_deflect") >= 0.95 * len(left)
