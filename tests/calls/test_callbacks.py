"""Callbacks: who is worth ringing by what a call may gain, and one customer taken by one person only."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import numpy as np
import psycopg
import pytest

from churn import db
from churn.calls import callback_ranking, callbacks
from churn.core.calls.callback import Ends, better, gain_of_call, ring_with, shift_of
from churn.settings import PROJECT, Settings
from tests.core.callers import TODAY, bill, line, scene, unresolved
from tests.factories import put, put_customer
from tests.ledger_world import NOON, World, populate

LEAVING = "You were in touch on 3 Nov about leaving."
FAULT = "I can see the fault from 3 Nov still isn’t settled."


def ends(*figures: float) -> Ends:
    return Ends(*(np.array([figure], float) for figure in figures))


# what a call may gain -------------------------------------------------------------------------------------------------


def test_a_gain_is_the_rise_in_staying_at_its_worth_less_what_it_costs() -> None:
    # 0.5 stays, 0.75 with ln 3 on the log odds; 0.25 × (400 − 20) − 0.5 × 20 − 6
    made = gain_of_call(np.array([0.5]), ends(np.log(3), 0.0, np.log(3)), ends(400, 400, 400), cost=20.0, fixed=6.0)
    assert made.p_with[0] == pytest.approx(0.75)
    assert made.gain[0] == pytest.approx(79.0)
    assert made.low[0] == pytest.approx(79.0 - 0.25 * 380)  # no effect at all: the credit and the call are lost
    assert made.high[0] == pytest.approx(79.0)


def test_the_ends_add_what_is_not_known_of_effect_and_worth_as_squares() -> None:
    made = gain_of_call(np.array([0.5]), ends(np.log(3), 0.0, np.log(3)), ends(400, 280, 400), cost=0.0, fixed=0.0)
    assert made.gain[0] - made.low[0] == pytest.approx(np.hypot(0.25 * 400, 0.25 * 120))


def test_at_the_same_risk_moved_more_is_worth_more_and_the_certain_are_worth_nothing() -> None:
    stays = np.array([0.5, 0.5, 0.999, 0.001])
    shift = Ends(*(np.array([1.0, 0.2, 1.0, 1.0]) for _ in range(3)))
    worth = Ends(*(np.full(4, 500.0) for _ in range(3)))
    gain = gain_of_call(stays, shift, worth, cost=10.0, fixed=6.0).gain
    assert gain[0] > gain[1] > 0
    assert gain[2] < 0  # a sure thing: the credit is wasted
    assert gain[3] < 0  # a lost cause, at the highest risk of all


def test_who_would_leave_because_of_it_loses() -> None:
    made = gain_of_call(np.array([0.9]), ends(-0.5, -0.9, -0.1), ends(500, 400, 600), cost=10.0, fixed=6.0)
    assert made.high[0] < 0


def test_an_effect_carries_over_on_the_log_odds() -> None:
    moved = shift_of(np.array([0.5]), ends(0.25, 0.0, 0.25))
    assert (moved.middle[0], moved.low[0]) == (pytest.approx(np.log(3)), 0.0)


def test_a_gain_that_is_shown_goes_before_a_larger_one_that_is_not() -> None:
    def made(gain: float, low: float) -> object:
        return callback_ranking.Gain(*(np.array([figure]) for figure in (0.5, gain, low, gain)))

    assert better(made(50, -1), made(10, 1))[0]
    assert not better(made(10, 1), made(50, -1))[0]
    assert better(made(np.nan, np.nan), made(10, -1))[0]
    assert not better(made(10, -1), made(np.nan, np.nan))[0]


@pytest.mark.parametrize(
    ("known", "text", "ground"),
    [
        (
            {"contacts": (unresolved(12),)},
            f"{FAULT} That’s on us, and I’m sorry. I’m ringing to put it right. Is now a good time?",
            "1 contact not resolved since 3 Nov",
        ),
        (
            {"contacts": (unresolved(12, "cancel"),)},  # a wish to leave is no fault to apologise for
            f"{LEAVING} I’d like to hear what would put it right. Is now a good time to talk?",
            "1 contact not resolved since 3 Nov",
        ),
        (
            {"invoices": (bill(3, "60.00"),), "values": {"bill_change": 20.0, "bill_last": 60.0}},
            "I can see your bill of 12 Nov is £20 above what you usually pay. Is now a good time to talk?",
            "£60 against £40 on average",
        ),
        (
            {"subscriptions": (line(term_ends_on=TODAY + timedelta(days=14)),)},
            "Your agreement runs until 29 Nov. Let’s see what suits you best after that. Is now a good time to talk?",
            "Term ends 29 Nov",
        ),
        (
            {},
            "I’m ringing to ask how things are going with us. Is now a good time to talk?",
            "Nothing in the records calls for more",
        ),
    ],
)
def test_a_call_of_ours_opens_with_their_problem_and_asks_no_why_do_you_call(
    known: dict, text: str, ground: str
) -> None:
    opening = ring_with(scene(known.pop("values", None), **known))
    assert (opening.text, opening.ground) == (text, ground)


# the night ------------------------------------------------------------------------------------------------------------


def fill(settings: Settings, **asked: float) -> callback_ranking.Filled:
    return callback_ranking.fill(settings, progress=lambda _: None, **asked)


def test_the_queue_of_a_whole_company(desk: Settings) -> None:
    """One fill, then each reason to leave somebody out, tried on the best of the queue."""
    filled = fill(desk, call_cost=0.5)
    with psycopg.connect(db.admin_conninfo(desk), autocommit=True) as owner:
        rows = owner.execute(
            "SELECT customer_id, gain, gain_low, gain_high, p_without, p_with, worth, amount, is_shown "
            "FROM desk.callback_candidates ORDER BY gain DESC"
        ).fetchall()
        scores = dict(owner.execute("SELECT customer_id, p_churn FROM desk.scores").fetchall())
        out = [row[0] for row in rows[:7]]
        spoil(owner, out)
    assert len(rows) == filled.shown + filled.likely >= 10
    assert filled.weighed > len(rows)  # of most a call gains nothing
    for customer_id, gain, low, high, without, p_with, worth, _amount, is_shown in rows:
        assert without == pytest.approx(1 - scores[customer_id])
        assert 0 < gain <= (p_with - without) * worth
        assert low <= gain <= high
        assert is_shown == (low > 0)
    by_risk = sorted(rows, key=lambda row: row[4])
    assert [row[0] for row in by_risk] != [row[0] for row in rows]  # gain is not risk
    fill(desk, call_cost=0.5)
    with psycopg.connect(db.admin_conninfo(desk)) as owner:
        left = {row[0] for row in owner.execute("SELECT customer_id FROM desk.callback_candidates").fetchall()}
    assert left == {row[0] for row in rows} - set(out[:6])
    assert out[6] in left  # rung, but long ago


def spoil(owner: psycopg.Connection, out: list[str]) -> None:
    owner.execute("UPDATE feed.customers SET is_do_not_offer = true WHERE customer_id = %s", [out[0]])
    owner.execute("UPDATE feed.subscriptions SET ended_on = '2026-11-01' WHERE customer_id = %s", [out[1]])
    owner.execute("UPDATE feed.customers SET phone = NULL WHERE customer_id = %s", [out[2]])
    owner.execute(
        "UPDATE feed.customers SET attributes = attributes || '{\"has_fraud_hold\": true}' WHERE customer_id = %s",
        [out[3]],
    )
    owner.execute("INSERT INTO desk.callback_events (customer_id, staff_id, what) VALUES (%s, 'ann', 'kept')", [out[4]])
    put(owner, "contacts", customer_id=out[5], direction="out", channel="Phone call", started_at="2026-11-01T10:00Z")
    put(owner, "contacts", customer_id=out[6], direction="out", channel="call", started_at="2026-10-01T10:00Z")


def test_the_command_fills_the_queue(desk: Settings) -> None:
    command = ["callbacks", "--call-cost", "0.5", "--database", desk.database]
    done = subprocess.run(
        [sys.executable, "-m", "churn", *command], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    with psycopg.connect(db.admin_conninfo(desk)) as owner:
        (count,) = owner.execute("SELECT count(*) FROM desk.callback_candidates").fetchone() or (0,)
    told = re.search(r"a gain is shown for ([\d,]+) and likely for ([\d,]+) more", done.stdout)
    assert told is not None
    assert sum(int(part.replace(",", "")) for part in told.groups()) == count >= 10


def test_a_dearer_call_is_worth_making_to_fewer(desk: Settings) -> None:
    cheap, dear = fill(desk, call_cost=0.5), fill(desk, call_cost=30.0)
    assert dear.shown + dear.likely < cheap.shown + cheap.likely


def test_without_an_effect_model_the_policys_curve_ranks_and_nothing_is_shown(desk: Settings) -> None:
    with psycopg.connect(db.admin_conninfo(desk)) as owner:
        owner.execute("UPDATE desk.model_versions SET status = 'retired' WHERE kind = 'effect'")
    filled = fill(desk, call_cost=0.5)
    assert filled.shown == 0
    assert filled.likely > 0


def test_without_policy_or_models_it_says_what_is_missing(database: Settings, owner: psycopg.Connection) -> None:
    put(owner, "company")
    with pytest.raises(callback_ranking.NothingToRank, match="policy in force, a survival model"):
        fill(database)


# the day --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def opened(database: Settings, owner: psycopg.Connection) -> Iterator[db.Database]:
    """A desk with three candidates: C1 and C2 with a gain that is shown, C3 likely."""
    for customer_id, gain, low in (("C1", 900, 100), ("C2", 500, 200), ("C3", 2_000, -50)):
        candidate(owner, customer_id, gain, low)
    pool = db.open_database(database, size=32)
    yield pool
    pool.close()


@pytest.fixture
def world(opened: db.Database, owner: psycopg.Connection) -> World:
    """The people at that desk, by key."""
    populate(owner)
    return World(opened, owner)


def candidate(owner: psycopg.Connection, customer_id: str, gain: int, low: int) -> None:
    put_customer(owner, customer_id)
    owner.execute(
        "INSERT INTO desk.callback_candidates (customer_id, as_of, lever, instrument, amount, currency, p_without, "
        "p_with, worth, gain, gain_low, gain_high, policy_version) "
        "VALUES (%s, %s, 'credit', 'bill_credit', 1500, 'GBP', 0.6, 0.7, 40000, %s, %s, %s, 1)",
        [customer_id, NOON, gain, low, gain * 2],
    )


def waiting(world: World, **asked: object) -> list[str]:
    with world.database.transaction(world["ann"]) as connection:
        return [one.customer_id for one in callbacks.queue(connection, **asked)]  # type: ignore[arg-type]


def later(owner: psycopg.Connection, **ago: float) -> None:
    """Let time pass for every hold and rest."""
    owner.execute(
        "UPDATE desk.callback_holds SET taken_at = taken_at - %(t)s, expires_at = expires_at - %(t)s, "
        "free_from = free_from - %(t)s",
        {"t": timedelta(**ago)},
    )


def events(owner: psycopg.Connection) -> Counter[str]:
    return Counter(row[0] for row in owner.execute("SELECT what FROM desk.callback_events").fetchall())


def test_the_queue_is_ranked_by_gain_and_what_is_not_shown_stands_apart(opened: db.Database, world: World) -> None:
    assert waiting(world) == ["C1", "C2"]
    assert waiting(world, is_shown=False) == ["C3"]
    assert waiting(world, most=1) == ["C1"]


def test_who_is_taken_is_gone_from_the_queue_for_everybody_else(opened: db.Database, world: World) -> None:
    held = callbacks.take(opened, world["ann"], "C1")
    assert (held.customer_id, held.gain, held.misses) == ("C1", 900, 0)
    assert callbacks.take(opened, world["ann"], "C1") == held  # a second click
    assert waiting(world) == ["C2"]
    with pytest.raises(callbacks.Taken, match="Somebody else has them"):
        callbacks.take(opened, world["abe"], "C1")
    with pytest.raises(callbacks.HoldsOne, match="taken somebody already"):
        callbacks.take(opened, world["ann"], "C2")
    with pytest.raises(callbacks.Taken):
        callbacks.take(opened, world["abe"], "NOBODY")


def test_of_32_who_take_the_same_one_has_it(opened: db.Database, world: World, owner: psycopg.Connection) -> None:
    start = Barrier(32)

    def one(number: int) -> str:
        start.wait()
        try:
            return callbacks.take(opened, world[f"agent{number}"], "C1").customer_id
        except callbacks.Taken:
            return "taken"

    with ThreadPoolExecutor(32) as pool:
        answers = Counter(pool.map(one, range(32)))
    assert answers == {"C1": 1, "taken": 31}
    assert events(owner) == {"taken": 1}


def test_32_who_ring_through_a_queue_ring_everybody_once(
    opened: db.Database, world: World, owner: psycopg.Connection
) -> None:
    for number in range(40):
        candidate(owner, f"D{number:02}", 300 + number, 10)

    def work(number: int) -> int:
        done, staff_id = 0, f"agent{number}"
        while first := waiting(world, most=1):
            try:
                callbacks.take(opened, world[staff_id], first[0])
            except callbacks.Taken:
                continue
            callbacks.finish(opened, world[staff_id], first[0], "reached")
            done += 1
        return done

    with ThreadPoolExecutor(32) as pool:
        assert sum(pool.map(work, range(32))) == 42
    assert events(owner) == {"taken": 42, "reached": 42}
    once = owner.execute(
        "SELECT max(n) FROM (SELECT count(*) n FROM desk.callback_events GROUP BY customer_id, what) t"
    )
    assert once.fetchone() == (1,)


def test_a_hold_ends_by_itself_and_somebody_else_may_take_it(
    opened: db.Database, world: World, owner: psycopg.Connection
) -> None:
    callbacks.take(opened, world["ann"], "C1")
    later(owner, minutes=29)
    assert waiting(world) == ["C2"]
    later(owner, minutes=2)
    assert waiting(world) == ["C1", "C2"]
    assert callbacks.take(opened, world["abe"], "C1").customer_id == "C1"
    with pytest.raises(callbacks.NotHeld, match="somebody else took it"):
        callbacks.finish(opened, world["ann"], "C1", "kept")


def test_an_outcome_said_late_still_counts_while_nobody_took_them(
    opened: db.Database, world: World, owner: psycopg.Connection
) -> None:
    callbacks.take(opened, world["ann"], "C1")
    later(owner, minutes=45)
    callbacks.finish(opened, world["ann"], "C1", "kept")
    assert waiting(world) == ["C2"]


@pytest.mark.parametrize("what", ["reached", "kept", "left"])
def test_who_was_reached_is_left_in_peace_for_thirty_days(
    opened: db.Database, world: World, owner: psycopg.Connection, what: str
) -> None:
    callbacks.take(opened, world["ann"], "C1")
    free_from = callbacks.finish(opened, world["ann"], "C1", what)
    assert timedelta(days=29, hours=23) < free_from - datetime.now(UTC) <= timedelta(days=30)
    later(owner, days=29)
    assert waiting(world) == ["C2"]
    later(owner, days=1, minutes=1)
    assert waiting(world) == ["C1", "C2"]


def test_no_answer_comes_back_tomorrow_and_rests_after_three(
    opened: db.Database, world: World, owner: psycopg.Connection
) -> None:
    for _ in range(2):
        callbacks.take(opened, world["ann"], "C1")
        callbacks.finish(opened, world["ann"], "C1", "no_answer")
        assert waiting(world) == ["C2"]
        later(owner, hours=20, minutes=1)
        assert waiting(world) == ["C1", "C2"]
    assert callbacks.take(opened, world["ann"], "C1").misses == 2
    callbacks.finish(opened, world["ann"], "C1", "no_answer")
    later(owner, days=29)
    assert waiting(world) == ["C2"]


def test_put_back_is_free_at_once_and_a_snooze_waits_for_its_day(
    opened: db.Database, world: World, owner: psycopg.Connection
) -> None:
    callbacks.take(opened, world["ann"], "C1")
    callbacks.finish(opened, world["ann"], "C1", "released")
    assert waiting(world) == ["C1", "C2"]
    callbacks.take(opened, world["ann"], "C1")
    until = datetime.now(UTC) + timedelta(days=3)
    assert callbacks.finish(opened, world["ann"], "C1", "snoozed", until=until) == until
    later(owner, days=2, hours=23)
    assert waiting(world) == ["C2"]
    later(owner, hours=1, minutes=1)
    assert waiting(world) == ["C1", "C2"]


@pytest.mark.parametrize(("what", "until"), [("snoozed", None), ("kept", NOON), ("bought", None)])
def test_an_ending_that_is_none_is_refused(
    opened: db.Database, world: World, what: str, until: datetime | None
) -> None:
    callbacks.take(opened, world["ann"], "C1")
    with pytest.raises(ValueError, match=what):
        callbacks.finish(opened, world["ann"], "C1", what, until=until)


def test_a_second_click_on_an_outcome_counts_once(opened: db.Database, world: World, owner: psycopg.Connection) -> None:
    callbacks.take(opened, world["ann"], "C1")
    first = callbacks.finish(opened, world["ann"], "C1", "kept")
    assert callbacks.finish(opened, world["ann"], "C1", "kept") == first
    with pytest.raises(callbacks.NotHeld):
        callbacks.finish(opened, world["ann"], "C1", "left")
    assert events(owner) == {"taken": 1, "kept": 1}


def test_the_day_adds_up(opened: db.Database, world: World) -> None:
    for staff_id, customer_id, what in (("ann", "C1", "kept"), ("abe", "C2", "no_answer")):
        callbacks.take(opened, world[staff_id], customer_id)
        callbacks.finish(opened, world[staff_id], customer_id, what)
    callbacks.take(opened, world["ben"], "C3")
    with opened.transaction(world["ann"]) as connection:
        standing = callbacks.standing(connection, "ann")
    assert standing == callbacks.Progress(0, 0, 1, NOON, {"kept": 1, "no_answer": 1}, 1)


def test_nobody_but_agents_and_supervisors_takes_anybody(opened: db.Database, world: World) -> None:
    for who in (world["lea"], world["finn"], "batch"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            callbacks.take(opened, who, "C1")  # type: ignore[arg-type]
