"""What the ledger survives: crowds, double clicks, lost answers, killed clients and a killed server.

One checker judges every scene, and a naive read-check-write grant must fail it, or it would see nothing.
"""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from psycopg import sql
from psycopg_pool import ConnectionPool

from churn import db, gateway, ledger, refusals
from churn.core.grants import Entry, Grant, OfferedRung
from churn.settings import PROJECT, Settings
from tests.ledger_world import World, build

CLIENTS = 32
NOVEMBER = date(2026, 11, 1)


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    """A desk whose pool holds a crowd."""
    desk = db.open_database(database, size=CLIENTS + 4)
    yield build(desk, owner)
    desk.close()


def violations(owner: psycopg.Connection, told: Sequence[Entry] = (), refused: Sequence[UUID] = ()) -> list[str]:
    """Every invariant that does not hold; `told` are acknowledged grants, `refused` keys that were refused."""
    found = []
    checks = {
        "a budget is overspent": "SELECT budget_id FROM desk.budget_counters WHERE spent > amount_limit",
        "the ledger holds more than a budget": "SELECT budget_id FROM desk.ledger "
        "JOIN desk.budget_counters USING (budget_id) GROUP BY budget_id, amount_limit "
        "HAVING sum(amount) > amount_limit",
        "a counter is not the ledger": "SELECT budget_id FROM desk.budget_counters c WHERE spent <> "
        "(SELECT coalesce(sum(amount), 0) FROM desk.ledger l WHERE l.budget_id = c.budget_id)",
        "a key was granted twice": "SELECT decision_id FROM desk.ledger WHERE kind = 'grant' "
        "GROUP BY 1 HAVING count(*) > 1",
        "a row has no decision": "SELECT entry_id FROM desk.ledger l "
        "WHERE NOT EXISTS (SELECT FROM desk.decisions d WHERE d.decision_id = l.decision_id)",
        "a customer is over the cap": "SELECT customer_id FROM desk.ledger l "
        "JOIN desk.decisions d USING (decision_id, customer_id) GROUP BY customer_id "
        "HAVING sum(amount) > min(rolling_cap)",
        "somebody is over their authority": "SELECT staff_id FROM desk.agent_counters WHERE spent <> "
        "(SELECT sum(amount) FROM desk.ledger l WHERE l.kind = 'grant' AND l.authorised_by = agent_counters.staff_id)",
    }
    for sentence, statement in checks.items():
        found += [sentence for _ in owner.execute(statement).fetchall()]  # type: ignore[arg-type]
    rows = owner.execute("SELECT decision_id, amount FROM desk.ledger WHERE kind = 'grant'").fetchall()
    held = Counter(rows)
    found += [f"acknowledged and not there: {e.decision_id}" for e in told if not held[e.decision_id, e.amount]]
    found += [f"refused and there: {key}" for key in refused if any(key == decision for decision, _ in rows)]
    return found


def crowd(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Results, or the exceptions, of all acts started at the same moment."""
    start = threading.Barrier(len(acts))

    def one(act: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return act()
        except Exception as error:  # noqa: BLE001 - the caller counts them
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


# crowds


def test_of_a_crowd_on_the_last_of_a_budget_as_many_succeed_as_it_holds(world: World) -> None:
    world.owner.execute("UPDATE desk.staff SET team = 'north' WHERE staff_id LIKE 'agent%'")
    world.budget(-100_000 + 5 * 2_000 + 1_999)
    offers = [(f"agent{i}", world.offer(f"agent{i}", f"C{i}")) for i in range(CLIENTS)]
    results = crowd([lambda o=o: ledger.give(world.database, world[o[0]], o[1]) for o in offers])
    told = [result for result in results if isinstance(result, Entry)]
    refused = [offer.decision_id for (_, offer), result in zip(offers, results, strict=True) if result not in told]
    assert len(told) == 5
    assert {type(result) for result in results} == {Entry, refusals.BudgetExhausted}
    assert violations(world.owner, told, refused) == []
    assert world.spent() == 10_000


def test_of_a_crowd_on_one_customer_the_cap_lets_in_as_many_as_fit(world: World) -> None:
    world.owner.execute("UPDATE desk.staff SET team = 'north' WHERE staff_id LIKE 'agent%'")
    offers = [(f"agent{i}", world.offer(f"agent{i}", "C1", rolling_cap=7_000)) for i in range(CLIENTS)]
    results = crowd([lambda o=o: ledger.give(world.database, world[o[0]], o[1]) for o in offers])
    assert Counter(type(result) for result in results) == {Entry: 3, refusals.RollingCapReached: CLIENTS - 3}
    assert violations(world.owner) == []


def test_thirty_two_clicks_on_one_offer_give_once(world: World) -> None:
    grant = world.offer("ann")
    results = crowd([lambda: ledger.give(world.database, world["ann"], grant)] * CLIENTS)
    assert {result.entry_id for result in results} == {results[0].entry_id}
    assert sum(not result.is_replay for result in results) == 1
    assert (violations(world.owner, results), world.spent()) == ([], 2_000)


def test_two_supervisors_answer_one_request_and_one_is_too_late(world: World) -> None:
    for number in range(5):
        grant, key = replace(world.offer("ann", f"C{number}"), amount=6_000), uuid4()
        ledger.ask_approval(world.database, world["ann"], grant, approval_id=key, reason="x")
        results = crowd(
            [
                lambda key=key: ledger.approve(world.database, world["nor"], key, reason="yes"),
                lambda key=key: ledger.decline(world.database, world["ned"], key, reason="no"),
            ]
        )
        assert sum(isinstance(result, refusals.RequestNotOpen) for result in results) == 1


def test_a_month_closes_beside_a_crowd_and_admits_nothing_late(world: World) -> None:
    world.owner.execute("UPDATE desk.staff SET team = 'north' WHERE staff_id LIKE 'agent%'")
    offers = [(f"agent{i}", world.offer(f"agent{i}", f"C{i}")) for i in range(CLIENTS)]
    world.set_clock(datetime(2026, 12, 1, tzinfo=UTC) - timedelta(seconds=1))
    closer = world["finn"]

    def close() -> None:
        time.sleep(0.02)
        world.set_clock(datetime(2026, 12, 1, tzinfo=UTC))
        ledger.close_month(world.database, closer, NOVEMBER)

    results = crowd([close, *[lambda o=o: ledger.give(world.database, world[o[0]], o[1]) for o in offers]])
    told = [result for result in results if isinstance(result, Entry)]
    assert results[0] is None
    assert violations(world.owner, told) == []
    row = world.owner.execute("SELECT coalesce((statement -> 0 ->> 'net')::int, 0) FROM desk.month_closes").fetchone()
    assert row == (sum(entry.amount for entry in told),)


@pytest.mark.parametrize("instrument", ["bill_credit", "entitled_refund"])
def test_a_grant_halfway_when_its_month_closes_is_refused_or_counted(
    world: World, database: Settings, instrument: str
) -> None:
    rung = OfferedRung(rung=0, lever="credit", instrument=instrument, amount=2_000, ceiling=20_000)
    decision = replace(world.decision("ann"), rungs=(rung,))
    ledger.record_decision(world.database, world["ann"], decision)
    grant = Grant(decision_id=decision.decision_id, instrument=instrument, amount=2_000, currency="GBP")
    closer = world["finn"]
    with psycopg.connect(db.admin_conninfo(database)) as holder, ThreadPoolExecutor(2) as pool:
        holder.execute("SELECT FROM desk.ledger_customers FOR UPDATE")
        giving = pool.submit(ledger.give, world.database, world["ann"], grant)
        wait_for_lock(world.owner, "give_concession")
        world.set_clock(datetime(2026, 12, 1, tzinfo=UTC))
        closing = pool.submit(ledger.close_month, world.database, closer, NOVEMBER)
        if instrument == "bill_credit":
            closing.result()  # the counter is free: the month closes first
        else:
            wait_for_lock(world.owner, "close_month")  # the grant holds the month open
        holder.commit()
        if instrument == "bill_credit":
            with pytest.raises(refusals.MonthClosed):
                giving.result()
        else:
            assert giving.result().amount == 2_000
        closing.result()
    row = world.owner.execute(
        "SELECT coalesce(sum((s ->> 'net')::int), 0) = (SELECT coalesce(sum(amount), 0) FROM desk.ledger) "
        "FROM desk.month_closes, jsonb_array_elements(statement) s"
    ).fetchone()
    assert row == (True,)


def wait_for_lock(owner: psycopg.Connection, function: str) -> None:
    """Return once a call of `function` waits for a lock."""
    deadline = time.monotonic() + 2
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
    while not owner.execute(waiting, [f"%{function}%"]).fetchall():
        assert time.monotonic() < deadline, f"no {function} waits"
        time.sleep(0.01)


# a checker that sees


def naive_give(conninfo: str, decision: UUID, amount: int) -> bool:
    """Read, check, write: what an application does without thinking. Its own connection, as the tables' owner."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute("SELECT amount_limit - spent, spent FROM desk.budget_counters").fetchone()
        assert row is not None
        time.sleep(0.01)
        if row[0] < amount:
            return False
        connection.execute(
            "INSERT INTO desk.ledger (kind, decision_id, customer_id, staff_id, team, instrument, amount, currency, "
            "budget_id, policy_version, authority_id, authority, authorised_by, time_window, given_at, cap_at, "
            "booked_on, booked_month) "
            "SELECT 'grant', decision_id, customer_id, staff_id, 'north', 'bill_credit', %s, 'GBP', 1, policy_version, "
            "authority_id, per_grant, staff_id, 'day', decided_at, decided_at, '2026-11-15', '2026-11-01' "
            "FROM desk.decisions JOIN desk.policy_authority USING (policy_version) "
            "WHERE decision_id = %s AND role = 'agent' AND instrument = 'bill_credit'",
            [amount, decision],
        )
        connection.execute("UPDATE desk.budget_counters SET spent = %s", [row[1] + amount])
        return True


def test_a_naive_grant_fails_the_same_checker(world: World, database: Settings) -> None:
    world.budget(-100_000 + 5 * 2_000)
    offers = [world.offer("ann", f"C{i}") for i in range(CLIENTS)]
    conninfo = db.admin_conninfo(database)
    results = crowd([lambda o=o: naive_give(conninfo, o.decision_id, o.amount) for o in offers])
    assert results.count(True) > 5
    found = set(violations(world.owner))
    assert {"the ledger holds more than a budget", "a counter is not the ledger"} <= found


# answers that get lost


class Line:
    """A wire to the database that can be cut before the request or before the answer."""

    def __init__(self, target: str, folder: Path) -> None:
        self.target, self.path = target, folder / ".s.PGSQL.5432"
        self.drop_answers = self.drop_requests = False
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self.listener.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self.target)
                for source, sink, name in ((here, there, "drop_requests"), (there, here, "drop_answers")):
                    threading.Thread(target=self._pump, args=(source, sink, name), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, name: str) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if getattr(self, name) and (name == "drop_answers" or b"give_concession" in data):
                    setattr(self, name, False)
                    break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
                end.close()

    def close(self) -> None:
        self.listener.close()


@pytest.fixture
def line(world: World, database: Settings, tmp_path: Path) -> Iterator[tuple[Line, World]]:
    """The same desk reached over a wire that can be cut."""
    if database.database_url:
        pytest.skip("the wire is laid to the embedded server's socket")
    wire = Line(str(database.socket_folder / ".s.PGSQL.5432"), tmp_path)
    pool = psycopg.conninfo.make_conninfo(host=str(tmp_path), dbname=database.database, user=db.LOGIN)
    desk = db.Database(ConnectionPool(pool, min_size=1, max_size=4, timeout=1.0, open=True))
    desk.pool.wait(60)  # else the answer that is lost could be one to the pool's own connecting
    yield wire, World(desk, world.owner, world.version, world.sessions)
    desk.close()
    wire.close()


@pytest.mark.parametrize("lost", ["drop_answers", "drop_requests"])
def test_a_lost_request_or_answer_still_gives_once(line: tuple[Line, World], lost: str) -> None:
    wire, far = line
    grant = far.offer("ann")
    far["ann"]
    setattr(wire, lost, True)
    entry = ledger.give(far.database, far["ann"], grant)
    assert getattr(wire, lost) is False  # the wire was cut
    assert entry.is_replay == (lost == "drop_answers")
    assert (violations(far.owner, [entry]), far.spent()) == ([], 2_000)


def test_what_stays_unknown_is_said_so_and_answered_by_key(
    line: tuple[Line, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, far = line
    grant = far.offer("ann")
    real = gateway._once

    def losing(database: db.Database, message: sql.Composed, params: Any) -> Any:
        if "amount" in params:
            wire.drop_answers = True
        return real(database, message, params)

    monkeypatch.setattr(gateway, "_once", losing)
    found = ledger.give(far.database, far["ann"], grant)  # three answers lost, then asked by key
    assert (found.amount, found.is_replay, far.spent()) == (2_000, True, 2_000)

    def gone(*_: Any) -> Any:
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(gateway, "_once", gone)
    with pytest.raises(refusals.Unconfirmed, match="Not confirmed yet, checking"):
        ledger.give(far.database, far["ann"], grant)
    monkeypatch.setattr(gateway, "_once", real)
    wire.drop_answers = False
    again = ledger.find_grant(far.database, far["ann"], grant.decision_id)
    assert again == found


def test_a_server_that_says_nothing_is_given_up_in_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "DEADLINE_SECONDS", 0.3)
    monkeypatch.setattr(gateway, "TRIES", 1)
    grant = world.offer("ann")
    with world.owner.transaction():
        world.owner.execute("SELECT FROM desk.ledger_customers FOR UPDATE")
        start = time.monotonic()
        with pytest.raises(refusals.Unconfirmed):
            gateway.act(world.database, world["ann"], "ledger", "give", _params(grant), tries=1)
        assert time.monotonic() - start < 10  # and not for ever: the lock, or the pool, is held all along
    assert ledger.give(world.database, world["ann"], grant).amount == 2_000
    assert world.spent() == 2_000


def _params(grant: Grant) -> dict[str, Any]:
    return asdict(grant)


def test_a_held_lock_is_busy_and_not_unknown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    grant = world.offer("ann")
    with world.owner.transaction():
        world.owner.execute("SELECT FROM desk.ledger_customers FOR UPDATE")
        with pytest.raises(refusals.Busy, match="nothing was done"):
            gateway.act(world.database, world["ann"], "ledger", "give", _params(grant), tries=1)
    assert world.spent() == 0


def test_an_exhausted_pool_is_busy_before_long(database: Settings, world: World) -> None:
    narrow = db.open_database(database, size=1)
    session = world["ann"]
    grant = world.offer("ann")
    with narrow.pool.connection():
        start = time.monotonic()
        with pytest.raises(refusals.Busy):
            ledger.give(narrow, session, grant)
        assert time.monotonic() - start < 10  # and not for ever: the lock, or the pool, is held all along
    assert ledger.give(narrow, session, grant).amount == 2_000
    narrow.close()


# clients that die or freeze

CLIENT = """
import sys
from churn import db, ledger
from churn.core.grants import Grant, Session
from churn.settings import Settings
from datetime import datetime, UTC
from pathlib import Path
from uuid import UUID
home, name, token, *keys = sys.argv[1:]
desk = db.open_database(Settings(Path(home), name, None), size=1)
session = Session(token, 1, "ann", "agent", "north", datetime.now(UTC))
print("ready", flush=True)
sys.stdin.readline()
for key in keys:
    grant = Grant(decision_id=UUID(key), instrument="bill_credit", amount=2000, currency="GBP")
    entry = ledger.give(desk, session, grant)
    print(entry.decision_id, flush=True)
"""


def start_client(world: World, database: Settings, keys: Sequence[UUID]) -> subprocess.Popen[str]:
    """A process that gives one offer after the other and prints each key once it knows."""
    if database.database_url:
        pytest.skip("the client finds the embedded server by its folder")
    arguments = [str(database.home), database.database, world["ann"].token, *map(str, keys)]
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, *arguments],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout is not None
    assert client.stdout.readline() == "ready\n"
    return client


def go(client: subprocess.Popen[str]) -> None:
    assert client.stdin is not None
    client.stdin.write("go\n")
    client.stdin.flush()


def acknowledged(client: subprocess.Popen[str]) -> list[UUID]:
    """Keys the client was told of before it ended."""
    assert client.stdout is not None
    assert client.stdin is not None
    keys = [UUID(line.strip()) for line in client.stdout.read().split() if len(line) == 36]
    client.stdin.close()
    client.stdout.close()
    client.wait()
    return keys


def test_a_client_killed_in_the_middle_leaves_whole_grants_and_free_locks(world: World, database: Settings) -> None:
    offers = [world.offer("ann", "C1", rolling_cap=30_000) for _ in range(10)]
    client = start_client(world, database, [offer.decision_id for offer in offers])
    go(client)
    while world.spent() < 4_000:
        time.sleep(0.001)
    client.send_signal(signal.SIGKILL)
    told = acknowledged(client)
    entries = [ledger.give(world.database, world["ann"], offer) for offer in offers]
    assert {entry.decision_id for entry in entries if entry.is_replay} >= set(told)
    assert len(told) >= 1
    assert (violations(world.owner, entries), world.spent()) == ([], 20_000)


def test_a_client_frozen_in_the_middle_delays_nobody(world: World, database: Settings) -> None:
    others = [world.offer("abe", "C1") for _ in range(5)]
    worst = 0.0
    for _ in range(3):
        mine = [world.offer("ann", "C1") for _ in range(8)]
        client = start_client(world, database, [offer.decision_id for offer in mine])
        go(client)
        time.sleep(0.01)
        client.send_signal(signal.SIGSTOP)
        start = time.monotonic()
        ledger.give(world.database, world["abe"], others.pop())
        worst = max(worst, time.monotonic() - start)
        client.send_signal(signal.SIGCONT)
        client.send_signal(signal.SIGKILL)
        acknowledged(client)
    assert worst < 5  # the frozen one stays frozen until after it
    assert violations(world.owner) == []


# a server that dies

SERVER_AND_CROWD = """
import sys, threading
from churn import db, ledger
from churn.settings import read_settings
from tests.ledger_world import World, build
import psycopg

settings = read_settings()
db.create_database(settings)
owner = psycopg.connect(db.admin_conninfo(settings), autocommit=True)
desk = db.open_database(settings, size=12)
world = build(desk, owner, budget=1_000_000)
offers = [world.offer("ann", f"C{i}", 1_000) for i in range(56)]
print("OFFERS", *[offer.decision_id for offer in offers], flush=True)
queue = iter(offers)
lock = threading.Lock()

def work():
    while True:
        with lock:
            offer = next(queue, None)
        if offer is None:
            return
        try:
            entry = ledger.give(desk, world["ann"], offer)
        except Exception:
            continue
        with lock:
            print("TOLD", entry.decision_id, flush=True)

world["ann"]
print("START", flush=True)
threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print("END", flush=True)
"""


@pytest.mark.slow
def test_a_server_killed_in_the_middle_keeps_every_acknowledged_grant() -> None:
    if os.environ.get("DATABASE_URL"):
        pytest.skip("only a server of one's own is killed")
    with tempfile.TemporaryDirectory(prefix="keepline-kill-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        env = os.environ | {"KEEPLINE_HOME": f"{folder}/home", "KEEPLINE_FSYNC": "on", "KEEPLINE_DATABASE": "kill"}
        told = _kill_server_under_a_crowd(env, Path(folder) / "home")
        checked = subprocess.run(
            [sys.executable, "-c", CHECK, *map(str, told)],
            cwd=PROJECT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr
        assert checked.stdout.split()[-1] == "SOUND"
        assert len(told) >= 20
        deadline = time.monotonic() + 30
        while (Path(folder) / "home/cluster/postmaster.pid").exists() and time.monotonic() < deadline:
            time.sleep(0.05)  # the keeper stops the server after its last user
        time.sleep(0.2)


def _kill_server_under_a_crowd(env: dict[str, str], home: Path) -> list[UUID]:
    crowd_process = subprocess.Popen(
        [sys.executable, "-c", SERVER_AND_CROWD], cwd=PROJECT, env=env, stdout=subprocess.PIPE, text=True
    )
    assert crowd_process.stdout is not None
    told = []
    for text in crowd_process.stdout:
        word, *rest = text.split()
        told += [UUID(key) for key in rest] if word == "TOLD" else []
        if len(told) == 20 and word == "TOLD":
            postmaster = int((home / "cluster/postmaster.pid").read_text().split()[0])
            children = subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(postmaster)], capture_output=True, text=True, check=True
            )
            for pid in (postmaster, *map(int, children.stdout.split())):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    crowd_process.stdout.close()
    assert crowd_process.wait(60) == 0
    return told


CHECK = """
import sys
from uuid import UUID
import psycopg
from churn import db, ledger
from churn.settings import read_settings
from tests.ledger_world import World
from tests.test_ledger_faults import violations

settings = read_settings()
owner = psycopg.connect(db.admin_conninfo(settings), autocommit=True)
there = {row[0] for row in owner.execute("SELECT decision_id FROM desk.ledger")}
assert violations(owner) == [], violations(owner)
assert {UUID(key) for key in sys.argv[1:]} <= there, "an acknowledged grant is gone"
desk = db.open_database(settings, size=2)
world = World(desk, owner, 1)
before = world.spent()
assert before == 1_000 * len(there)
world.give("ann", "C9", 1_000)
assert ledger.reconcile(desk) == []
print("SOUND")
"""


# any order of acts


class Desk(RuleBasedStateMachine):
    """Random acts beside a model in plain arithmetic. One rule spends exactly what is left: off by one shows there."""

    world: World  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.team = f"run{next(Desk.numbers)}"
        for staff_id in ("ann", "abe", "nor"):
            self.world.owner.execute("UPDATE desk.staff SET team = %s WHERE staff_id = %s", [self.team, staff_id])
        self.limit = 7_000
        self.world.budget(self.limit, team=self.team)
        self.standing: list[Entry] = []
        self.offers: list[tuple[str, Grant]] = []
        self.given: dict[str, int] = {}

    numbers: Iterator[int]

    @property
    def left(self) -> int:
        return self.limit - sum(entry.amount for entry in self.standing)

    def customer(self, name: str) -> str:
        return f"{self.team}-{name}"

    @rule(who=st.sampled_from(["ann", "abe"]), name=st.sampled_from("AB"), amount=st.integers(1, 3_500))
    def give(self, who: str, name: str, amount: int) -> None:
        self._give(who, name, amount)

    @rule(who=st.sampled_from(["ann", "abe"]), over=st.integers(0, 1))
    def spend_exactly_what_is_left(self, who: str, over: int) -> None:
        self._give(who, "last", min(self.left + over, 3_500))

    def _give(self, who: str, name: str, amount: int) -> None:
        customer, cap = self.customer(name), 4_000
        if amount < 1:
            return
        grant = self.world.offer(who, customer, amount, rolling_cap=cap)
        got = sum(entry.amount for entry in self.standing if entry.customer_id == customer)
        try:
            entry = ledger.give(self.world.database, self.world[who], grant)
        except refusals.RollingCapReached:
            assert got + amount > cap
        except refusals.BudgetExhausted:
            assert amount > self.left
        else:
            assert got + amount <= cap
            assert amount <= self.left
            self.standing.append(entry)
            self.offers.append((who, grant))

    @rule(index=st.integers(0, 50))
    def click_again(self, index: int) -> None:
        if self.offers:
            who, grant = self.offers[index % len(self.offers)]
            assert ledger.give(self.world.database, self.world[who], grant).is_replay

    @rule(index=st.integers(0, 50))
    def reverse(self, index: int) -> None:
        if self.standing:
            entry = self.standing.pop(index % len(self.standing))
            ledger.reverse(self.world.database, self.world["nor"], entry.entry_id, reason="x")

    @rule(amount=st.integers(-2_000, 1_000).filter(bool))
    def move_budget(self, amount: int) -> None:
        try:
            self.world.budget(amount, team=self.team)
        except refusals.BudgetUnchanged:
            assert amount < 0
            assert self.left + amount < 0
        else:
            assert self.left + amount >= 0
            self.limit += amount

    @invariant()
    def sums_are_equal(self) -> None:
        assert self.world.spent(self.team) == self.limit - self.left
        assert self.left >= 0
        assert ledger.reconcile(self.world.database) == []


def test_no_order_of_acts_breaks_a_limit(world: World) -> None:
    Desk.world, Desk.numbers = world, itertools.count()
    run_state_machine_as_test(
        Desk, settings=hypothesis_settings(max_examples=20, stateful_step_count=15, deadline=None)
    )


def test_no_deadlock_among_grants_reversals_and_approvals(world: World) -> None:
    given = [world.give("ann", f"C{i % 3}", 100) for i in range(6)]
    acts: list[Callable[[], Any]] = [
        lambda e=e: ledger.reverse(world.database, world["nor"], e.entry_id, reason="x") for e in given
    ]
    offers = [(who, world.offer(who, f"C{i % 3}", 100)) for i, who in enumerate(["ann", "abe"] * 9)]
    acts += [lambda o=o: ledger.give(world.database, world[o[0]], o[1]) for o in offers]
    results = crowd(acts)
    assert all(isinstance(result, Entry) for result in results), results
    row = world.owner.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert row == (0,)
    assert ledger.reconcile(world.database) == []
