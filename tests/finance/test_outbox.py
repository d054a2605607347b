"""Out to billing: a row with every entry and only then, told at least once, in order, whatever fails on the way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest

from churn import db, ledger
from churn.finance import outbox, webhook
from churn.finance.webhook import BadWebhook, NotSent, Webhook
from churn.operations import housekeeping
from churn.queries import query
from churn.refusals import BudgetExhausted, RoleMayNot
from churn.settings import PROJECT, Settings
from tests.ledger_world import World, add_office, build

KEY = os.urandom(32)
SECRET = webhook.PREFIX + base64.b64encode(KEY).decode()


@dataclass
class Billing:
    """A billing system of our own: what it was sent, and how it answers."""

    url: str = ""
    answers: list[int] = field(default_factory=list)  # next ones first; none left: 200
    slow: float = 0.0
    dies: bool = False  # takes the message and breaks the line
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def once(self) -> dict[str, dict[str, Any]]:
        """What it knows after leaving out what it was told again."""
        return dict(self.got)

    def total(self) -> int:
        return sum(one["data"]["amount_minor"] for one in self.once().values())


@pytest.fixture
def billing() -> Iterator[Billing]:
    made = Billing()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            name, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
            said = hmac.new(KEY, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
            if not hmac.compare_digest(self.headers["webhook-signature"], "v1," + base64.b64encode(said).decode()):
                self._answer(401)
                return
            with made.lock:
                made.at_once += 1
                made.most_at_once = max(made.most_at_once, made.at_once)
                status = made.answers.pop(0) if made.answers else 200
                if status == 200:
                    made.got.append((name, json.loads(body)))
            time.sleep(made.slow)
            with made.lock:
                made.at_once -= 1
            if made.dies:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._answer(status)

        def _answer(self, status: int) -> None:
            try:
                self.send_response(status)
                self.send_header("location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()
            except OSError:
                pass  # they hung up

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_address[1]}/concessions"
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    pool = db.open_database(database, size=12)
    yield build(pool, owner)
    pool.close()


def to(billing: Billing, **changes: Any) -> Webhook:
    return replace(Webhook(billing.url, KEY, seconds=2.0), **changes)


def rows(world: World, statement: str) -> list[tuple[Any, ...]]:
    return world.owner.execute(statement).fetchall()


def be_due(world: World) -> None:
    world.owner.execute("UPDATE desk.outbox SET next_at = now() - interval '1 s'")


def polled(world: World, after: int = 0) -> list[tuple[Any, ...]]:
    """What a billing system that reads sees, as the reporting role."""
    with world.owner.transaction():
        world.owner.execute("SET LOCAL ROLE keepline_report")
        return world.owner.execute(
            "SELECT position, entry_id, type, amount_minor, amount, currency FROM report.outbox WHERE position > %s "
            "ORDER BY position", [after]
        ).fetchall()  # fmt: skip


# written with the ledger ----------------------------------------------------------------------------------------------


def test_every_entry_has_its_row_and_a_refusal_none(world: World) -> None:
    entry = world.give("ann", "C1", 2_000)
    ledger.reverse(world.database, world["nor"], entry.entry_id, reason="by mistake")
    for i in range(28):
        world.give("ann", f"X{i}", 3_500)
    with pytest.raises(BudgetExhausted):
        world.give("ann", "X28", 3_500)
    assert rows(world, "SELECT count(*) FROM desk.outbox") == rows(world, "SELECT count(*) FROM desk.ledger")
    assert rows(world, "SELECT entry_id FROM desk.ledger EXCEPT SELECT entry_id FROM desk.outbox") == []


def test_a_grant_that_is_rolled_back_puts_nothing_out(world: World) -> None:
    grant = world.offer("ann", "C1", 2_000)
    with world.database.transaction(world["ann"]) as connection:
        asked = {"token": world["ann"].token, "decision_id": grant.decision_id, "instrument": "bill_credit",
                 "amount": 2_000, "currency": "GBP", "months": None, "approval_id": None}  # fmt: skip
        connection.execute(query("ledger", "give"), asked)
        raise psycopg.Rollback
    assert rows(world, "SELECT count(*) FROM desk.outbox") == [(0,)]


def test_even_the_owner_writes_no_entry_without_it(world: World) -> None:
    world.give("ann", "C1", 2_000)
    with world.owner.transaction():
        world.owner.execute("SET LOCAL session_replication_role = replica")  # which silences ordinary triggers
        world.owner.execute(
            "INSERT INTO desk.ledger (kind, decision_id, reverses, customer_id, staff_id, team, instrument, amount, "
            "currency, budget_id, policy_version, authority_id, authority, authorised_by, time_window, given_at, "
            "cap_at, booked_on, booked_month) SELECT 'reversal', decision_id, entry_id, customer_id, 'nor', team, "
            "instrument, -amount, currency, budget_id, policy_version, authority_id, authority, 'nor', time_window, "
            "given_at, cap_at, booked_on, booked_month FROM desk.ledger"
        )
    assert rows(world, "SELECT count(*) FROM desk.outbox") == [(2,)]


# read by position -----------------------------------------------------------------------------------------------------


def test_who_reads_by_position_misses_none_that_commits_late(world: World) -> None:
    slow = world.offer("ann", "C1", 1_000)
    with world.database.transaction(world["ann"]) as connection:  # its number is taken, it is not yet visible
        asked = {"token": world["ann"].token, "decision_id": slow.decision_id, "instrument": "bill_credit",
                 "amount": 1_000, "currency": "GBP", "months": None, "approval_id": None}  # fmt: skip
        connection.execute(query("ledger", "give"), asked)
        # another budget, or it would wait for the first
        world.budget(50_000, team="south")
        later = world.give("ben", "C2", 2_000)
        outbox.number(world.database)
        seen = polled(world)
    assert [row[1] for row in seen] == [later.entry_id]
    outbox.number(world.database)
    assert [row[1:4] for row in polled(world, after=seen[-1][0])] == [(later.entry_id - 1, "concession.granted", 1_000)]


def test_a_crowd_numbering_at_once_leaves_no_gap_and_no_double(world: World) -> None:
    for i in range(20):
        world.give("ann", f"C{i}", 100)
    with ThreadPoolExecutor(8) as pool:
        numbered = list(pool.map(lambda _: outbox.number(world.database), range(8)))
    assert sum(numbered) == 20
    assert [row[0] for row in polled(world)] == list(range(1, 21))


def test_what_is_read_ties_to_the_ledger(world: World) -> None:
    entry = world.give("ann", "C1", 2_055)
    world.give("ann", "C2", 1_000)
    ledger.reverse(world.database, world["nor"], entry.entry_id, reason="by mistake")
    outbox.number(world.database)
    seen = polled(world)
    assert [(row[2], row[3], str(row[4]), row[5]) for row in seen] == [
        ("concession.granted", 2_055, "20.55", "GBP"), ("concession.granted", 1_000, "10.00", "GBP"),
        ("concession.reversed", -2_055, "-20.55", "GBP"),
    ]  # fmt: skip
    assert [(sum(row[3] for row in seen),)] == rows(world, "SELECT sum(amount)::bigint FROM desk.ledger")


# sent -----------------------------------------------------------------------------------------------------------------


def test_everything_arrives_once_signed_and_in_order(world: World, database: Settings, billing: Billing) -> None:
    for i in range(5):
        world.give("ann", f"C{i}", 1_000 + i)
    assert outbox.send_due(database, to(billing)) == outbox.Sent(delivered=5)
    assert outbox.send_due(database, to(billing)) == outbox.Sent()
    assert [one["data"]["amount_minor"] for _, one in billing.got] == [1_000, 1_001, 1_002, 1_003, 1_004]
    told = billing.got[0][1]
    assert (told["type"], told["data"]["amount"], told["data"]["currency"]) == ("concession.granted", "10.00", "GBP")
    assert set(told["data"]) == {
        "position", "entry_id", "corrects", "reference", "account", "instrument", "amount_minor", "amount", "currency",
        "months", "schedule_minor", "booked_on", "given_at",
    }  # fmt: skip


@pytest.mark.parametrize("status", [400, 404, 500, 503, 301])
def test_what_fails_waits_longer_each_time_and_then_is_dead(
    world: World, database: Settings, billing: Billing, status: int
) -> None:
    world.give("ann", "C1", 1_000)
    billing.answers = [status] * outbox.MOST_ATTEMPTS
    pauses = []
    for _ in range(outbox.MOST_ATTEMPTS):
        be_due(world)
        outbox.send_due(database, to(billing))
        pauses += rows(world, "SELECT extract(epoch FROM next_at - clock_timestamp())::float8 FROM desk.outbox")
    assert rows(world, "SELECT state, attempts, last_error FROM desk.outbox") == [
        ("dead", outbox.MOST_ATTEMPTS, f"answered {status}")
    ]
    assert 40 < pauses[0][0] < 76
    assert pauses[1][0] > 85
    assert pauses[-1][0] <= 1.25 * outbox.LONGEST_PAUSE
    be_due(world)
    assert outbox.send_due(database, to(billing)) == outbox.Sent()  # nobody tries a dead one
    (late,) = outbox.late(world.database)
    assert (late.state, late.last_error) == ("dead", f"answered {status}")
    assert outbox.retry(world.database) == 1
    assert outbox.send_due(database, to(billing)) == outbox.Sent(delivered=1)
    assert billing.total() == 1_000
    assert outbox.late(world.database) == []


def test_pauses_double_up_to_six_hours() -> None:
    assert [outbox.pause_after(n, jitter=lambda *_: 1.0) for n in (1, 2, 3, 9, 10, 14)] == [
        60, 120, 240, 15_360, 21_600, 21_600,
    ]  # fmt: skip
    hours = sum(outbox.pause_after(n, jitter=lambda *_: 1.0) for n in range(1, outbox.MOST_ATTEMPTS)) / 3600
    assert hours == pytest.approx(32.5, abs=0.1)


def test_who_takes_too_long_is_left_and_told_again(world: World, database: Settings, billing: Billing) -> None:
    world.give("ann", "C1", 1_000)
    billing.slow = 1.5
    assert outbox.send_due(database, to(billing, seconds=0.3)) == outbox.Sent(failed=1)
    assert rows(world, "SELECT last_error FROM desk.outbox") == [("no answer in 0.3 s",)]
    billing.slow = 0
    be_due(world)
    assert outbox.send_due(database, to(billing)) == outbox.Sent(delivered=1)
    assert (len(billing.got), len(billing.once()), billing.total()) == (2, 1, 1_000)  # the same id both times


def test_a_line_that_drips_is_cut_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            line, _ = server.accept()
            with line:
                line.recv(65_536)
                for byte in b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100:
                    try:
                        line.send(bytes([byte]))
                    except OSError:
                        return
                    time.sleep(0.05)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        began = time.monotonic()
        with pytest.raises(NotSent, match="no answer in 0.5 s"):
            webhook.post(Webhook(f"http://127.0.0.1:{server.getsockname()[1]}/", KEY, seconds=0.5), "m", b"{}")
        assert time.monotonic() - began < 5  # it drips for six
        thread.join(10)


def test_who_dies_after_receiving_is_told_again(world: World, database: Settings, billing: Billing) -> None:
    world.give("ann", "C1", 1_000)
    billing.dies = True
    assert outbox.send_due(database, to(billing)) == outbox.Sent(failed=1)
    billing.dies = False
    be_due(world)
    assert outbox.send_due(database, to(billing)) == outbox.Sent(delivered=1)
    assert (len(billing.got), billing.total()) == (2, 1_000)


def test_where_nobody_listens_the_rest_waits(world: World, database: Settings) -> None:
    for i in range(10):
        world.give("ann", f"C{i}", 100)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    away = Webhook(f"http://127.0.0.1:{port}/", KEY, seconds=1)
    assert outbox.send_due(database, away) == outbox.Sent(failed=outbox.MOST_IN_A_ROW)


def test_what_is_taken_back_waits_for_its_grant(world: World, database: Settings, billing: Billing) -> None:
    entry = world.give("ann", "C1", 1_000)
    ledger.reverse(world.database, world["nor"], entry.entry_id, reason="by mistake")
    world.give("ann", "C2", 300)
    billing.answers = [500]
    assert outbox.send_due(database, to(billing)) == outbox.Sent(delivered=1, failed=1)
    assert [one["type"] for _, one in billing.got] == ["concession.granted"]  # of the other customer
    be_due(world)
    outbox.send_due(database, to(billing))
    assert [one["data"]["amount_minor"] for _, one in billing.got] == [300, 1_000, -1_000]


def test_two_senders_never_send_the_same_row_at_once(world: World, database: Settings, billing: Billing) -> None:
    for i in range(30):
        world.give("ann", f"C{i}", 100 + i)
    billing.slow = 0.02
    with ThreadPoolExecutor(4) as pool:
        came = list(pool.map(lambda _: outbox.send_due(database, to(billing)), range(4)))
    assert sum(one.delivered for one in came) == 30
    assert billing.most_at_once > 1
    assert Counter(name for name, _ in billing.got).most_common(1)[0][1] == 1
    assert [(billing.total(),)] == rows(world, "SELECT sum(amount)::bigint FROM desk.ledger")


SENDER = """
import base64, sys
from churn.finance import outbox, webhook
from churn.settings import read_settings
outbox.send_due(read_settings(), webhook.Webhook(sys.argv[1], base64.b64decode(sys.argv[2]), seconds=5))
"""


def test_a_sender_killed_in_the_middle_loses_nothing(world: World, database: Settings, billing: Billing) -> None:
    for i in range(12):
        world.give("ann", f"C{i}", 100 + i)
    billing.slow = 0.1
    environment = os.environ | {"KEEPLINE_HOME": str(database.home), "KEEPLINE_DATABASE": database.database}
    arguments = [sys.executable, "-c", SENDER, billing.url, base64.b64encode(KEY).decode()]
    with subprocess.Popen(arguments, cwd=PROJECT, env=environment) as sender:
        until = time.monotonic() + 60
        while len(billing.got) < 4 and time.monotonic() < until:
            time.sleep(0.01)
        sender.send_signal(signal.SIGKILL)
    time.sleep(0.3)
    billing.slow = 0
    delivered = rows(world, "SELECT count(*) FROM desk.outbox WHERE state = 'delivered'")[0][0]
    assert 3 <= delivered < 12
    assert outbox.send_due(database, to(billing)).delivered == 12 - delivered  # its lock went with it
    assert len(billing.once()) == 12
    assert 0 <= len(billing.got) - 12 <= 1  # the one it was at, told twice by the same id
    assert [(billing.total(),)] == rows(world, "SELECT sum(amount)::bigint FROM desk.ledger")


def test_what_billing_read_for_itself_is_not_sent(world: World, database: Settings, billing: Billing) -> None:
    for i in range(3):
        world.give("ann", f"C{i}", 100)
    outbox.number(world.database)
    assert outbox.skip(world.database, until=2) == 2
    assert outbox.send_due(database, to(billing)) == outbox.Sent(delivered=1)
    assert {(one.state, one.rows) for one in outbox.states(world.database)} == {("skipped", 2), ("delivered", 1)}


def test_no_run_goes_on_for_longer_than_it_may(world: World, database: Settings, billing: Billing) -> None:
    for i in range(10):
        world.give("ann", f"C{i}", 100)
    billing.slow = 0.2
    assert 1 <= outbox.send_due(database, to(billing), seconds=0.5).delivered <= 4
    assert outbox.send_due(database, to(billing), seconds=0) == outbox.Sent()


def test_nothing_the_other_side_says_is_kept(world: World, database: Settings) -> None:
    world.give("ann", "C1", 1_000)
    answer = b"HTTP/1.1 422 Ada Byron of +447700900123\r\nx-customer: C1 Ada\r\ncontent-length: 3\r\n\r\nAda"
    for said, kept in ((answer, "answered 422"), (b"Ada Byron +447700900123\r\n\r\n", "the connection failed")):
        be_due(world)
        with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:

            def say(server: socket.socket = server, said: bytes = said) -> None:
                line, _ = server.accept()
                with line:
                    line.recv(65_536)
                    line.sendall(said)

            talking = pool.submit(say)
            outbox.send_due(database, Webhook(f"http://127.0.0.1:{server.getsockname()[1]}/", KEY, seconds=2), most=1)
            talking.result(10)
        assert rows(world, "SELECT last_error FROM desk.outbox") == [(kept,)]


# what finance sees and does -------------------------------------------------------------------------------------------


def give_up(world: World, *entries: int) -> None:
    outbox.number(world.database)
    world.owner.execute(
        "UPDATE desk.outbox SET state = 'dead', attempts = 14, last_error = 'answered 500' WHERE entry_id = ANY (%s)",
        [list(entries)],
    )


def test_finance_has_sent_again_what_was_given_up_and_it_is_written_down(
    world: World, database: Settings, billing: Billing
) -> None:
    first, second, third, fourth = (world.give("ann", f"C{i}", 1_000 + i).entry_id for i in range(4))
    give_up(world, first, second, third)
    assert outbox.send_again(world.database, world["finn"], second) == 1
    assert outbox.send_again(world.database, world["finn"], second) == 0  # it is given up no more
    assert outbox.send_again(world.database, world["finn"], fourth) == 0  # it never was
    assert outbox.send_due(database, to(billing)) == outbox.Sent(delivered=2)
    assert outbox.send_again(world.database, world["fay"]) == 2
    assert outbox.send_again(world.database, world["fay"]) == 0
    assert outbox.send_due(database, to(billing)) == outbox.Sent(delivered=2)
    assert [one["data"]["entry_id"] for _, one in billing.got] == [second, fourth, first, third]
    assert rows(
        world,
        "SELECT staff_id, subject_kind, subject, detail FROM desk.audit WHERE act = 'sent_again' ORDER BY audit_id",
    ) == [
        ("finn", "billing", f"entry:{second}", {"entries": [second]}),
        ("fay", "billing", "all", {"entries": [first, third]}),
    ]


def test_a_row_that_still_waits_is_not_touched_by_sending_again(
    world: World, database: Settings, billing: Billing
) -> None:
    entry = world.give("ann", "C1", 1_000)
    billing.answers = [500]
    outbox.send_due(database, to(billing))
    assert outbox.send_again(world.database, world["finn"]) == 0
    assert rows(world, "SELECT state, attempts FROM desk.outbox") == [("waiting", 1)]
    assert [(one.entry_id, one.kind) for one in outbox.late(world.database, world["finn"])] == [
        (entry.entry_id, "grant")
    ]


@pytest.mark.parametrize("who", ["ann", "nor", "lea", "ana", "adi"])
def test_nobody_but_finance_has_it_sent_again(world: World, who: str) -> None:
    add_office(world.owner)
    give_up(world, world.give("ann", "C1", 1_000).entry_id)
    with pytest.raises((psycopg.errors.InsufficientPrivilege, RoleMayNot)):
        outbox.send_again(world.database, world[who])
    assert rows(world, "SELECT state FROM desk.outbox") == [("dead",)]


def test_finance_and_leaders_read_what_became_of_it_and_others_do_not(world: World) -> None:
    add_office(world.owner)
    entries = [world.give("ann", f"C{i}", 1_000).entry_id for i in range(3)]
    give_up(world, entries[1])
    outbox.skip(world.database, until=1)
    at = rows(world, "SELECT recorded_at FROM desk.ledger ORDER BY entry_id")
    for who in ("finn", "lea"):
        assert outbox.states(world.database, world[who]) == [
            outbox.State("dead", 1, at[1][0]), outbox.State("skipped", 1, at[0][0]),
            outbox.State("waiting", 1, at[2][0]),
        ]  # fmt: skip
        (late,) = outbox.late(world.database, world[who])
        assert (late.position, late.entry_id, late.kind, late.state, late.attempts, late.last_error) == (
            2, entries[1], "grant", "dead", 14, "answered 500",
        )  # fmt: skip
    for who in ("ann", "nor", "ana", "adi"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            outbox.states(world.database, world[who])
    with world.database.transaction("finance") as connection:  # a role without anybody's token
        assert connection.execute("SELECT count(*) FROM desk.outbox").fetchone() == (0,)
    ledger.sign_out(world.database, world["finn"])
    assert outbox.late(world.database, world["finn"]) == []


# every minute ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def hooked(billing: Billing, monkeypatch: pytest.MonkeyPatch) -> Billing:
    """A billing system the settings name."""
    monkeypatch.setenv("KEEPLINE_WEBHOOK_URL", billing.url)
    monkeypatch.setenv("KEEPLINE_WEBHOOK_SECRET", SECRET)
    return billing


def test_without_a_webhook_nothing_is_sent(world: World, database: Settings, billing: Billing) -> None:
    world.give("ann", "C1", 1_000)
    assert housekeeping.send_out(database) is None
    assert billing.got == []


def test_of_two_processes_one_sends(world: World, database: Settings, hooked: Billing) -> None:
    world.give("ann", "C1", 1_000)
    with world.database.transaction("batch") as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [housekeeping.SENDING_LOCK])
        assert housekeeping.send_out(database) is None
    assert housekeeping.send_out(database) == outbox.Sent(delivered=1)
    assert hooked.total() == 1_000


def test_a_slow_billing_holds_up_no_housekeeping(world: World, database: Settings, hooked: Billing) -> None:
    hooked.slow = 3.0
    world.give("ann", "C1", 1_000)
    before = {thread.ident for thread in threading.enumerate()}
    ended = housekeeping.start(world.database, database, every=0.1)
    try:
        until = time.monotonic() + 15
        while not hooked.at_once:
            assert time.monotonic() < until, "nothing was sent"
            time.sleep(0.02)
        world.owner.execute("INSERT INTO desk.audit (act) VALUES ('test')")
        last = "SELECT max(audit_id) FROM desk.audit WHERE act = 'test'"
        while rows(world, f"SELECT FROM desk.seals WHERE table_name = 'audit' AND ({last}) = ANY (ids)") == []:
            assert hooked.at_once, "billing answered before anything was sealed"
            time.sleep(0.02)
    finally:
        ended.set()
        for thread in threading.enumerate():
            if thread.ident not in before and thread.name in {"housekeeping", "outbox"}:
                thread.join(15)
    assert hooked.total() == 1_000


# where to -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://billing.example/x", "must begin with https"),
        ("ftp://billing.example/x", "https://host/path"),
        ("https://user:word@billing.example/x", "without a name or password"),
        ("https:///x", "https://host/path"),
        ("https://billing.example:99999/x", "no address"),
    ],
)
def test_a_bad_address_is_refused(monkeypatch: pytest.MonkeyPatch, url: str, sentence: str) -> None:
    monkeypatch.setenv("KEEPLINE_WEBHOOK_URL", url)
    monkeypatch.setenv("KEEPLINE_WEBHOOK_SECRET", SECRET)
    with pytest.raises(BadWebhook, match=sentence):
        webhook.configured()


@pytest.mark.parametrize("secret", ["", "short", "whsec_!!!", "whsec_" + base64.b64encode(b"x" * 23).decode()])
def test_a_weak_secret_is_refused(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("KEEPLINE_WEBHOOK_URL", "https://billing.example/x")
    monkeypatch.setenv("KEEPLINE_WEBHOOK_SECRET", secret)
    with pytest.raises(BadWebhook, match="whsec_ and base64"):
        webhook.configured()


@pytest.mark.parametrize(
    ("leads_to", "host", "may_be_private", "is_allowed"),
    [
        ("93.184.216.34", "billing.example", False, True),
        ("10.0.0.5", "billing.example", False, False),
        ("10.0.0.5", "billing.example", True, True),
        ("192.168.1.1", "billing.example", False, False),
        ("127.0.0.1", "billing.example", True, False),
        ("127.0.0.1", "localhost", False, True),
        ("127.0.0.1", "127.0.0.1", False, True),
        ("169.254.169.254", "billing.example", True, False),
        ("0.0.0.0", "billing.example", True, False),  # noqa: S104
        ("224.0.0.1", "billing.example", True, False),
        ("::1", "billing.example", True, False),
        ("::ffff:10.0.0.5", "billing.example", False, False),
        ("::ffff:169.254.169.254", "billing.example", True, False),
        ("fd00::1", "billing.example", False, False),
        ("fe80::1", "billing.example", True, False),
        ("2606:2800:220:1::1", "billing.example", False, True),
    ],
)
def test_an_address_inside_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, leads_to: str, host: str, may_be_private: bool, is_allowed: bool
) -> None:
    """A name of somebody else's choosing must not make us ask our own network; only the resolver is replaced."""
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (leads_to, 443))]
    )
    if is_allowed:
        assert webhook.vetted(host, 443, may_be_private=may_be_private) == [leads_to]
    else:
        with pytest.raises(NotSent, match="not allowed"):
            webhook.vetted(host, 443, may_be_private=may_be_private)


def test_one_bad_address_among_good_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, 443)) for text in ("93.184.216.34", "10.0.0.5")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(NotSent):
        webhook.vetted("billing.example", 443, may_be_private=False)


def test_a_redirect_is_not_followed(world: World, database: Settings, billing: Billing) -> None:
    world.give("ann", "C1", 100)
    billing.answers = [302]
    assert outbox.send_due(database, to(billing)) == outbox.Sent(failed=1)
    assert rows(world, "SELECT last_error FROM desk.outbox") == [("answered 302",)]


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification: its libraries verify what we sign."""
    example = Webhook("https://x.example", webhook.secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    signed = webhook.signature(example, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
