"""Who may touch what: every role × every table and function as docs/access.md says, every act × every role, every row.

`python -m tests.test_access` writes the tables of docs/access.md anew: read the difference before it is committed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from churn import audit, casework, db, ledger, store
from churn.calls import callbacks
from churn.core.grants import Session
from churn.refusals import NotSignedIn, Refusal, RoleMayNot
from churn.settings import PROJECT, Settings
from churn.trust import model_reports
from tests.factories import put, put_customer
from tests.ledger_world import World, add_office, build
from tests.ledger_world import small_policy as a_policy

DOCUMENT = PROJECT / "docs/access.md"
SCHEMAS = ("crm", "caller", "masked", "desk", "feed", "truth")
ROLES = ("agent", "supervisor", "leader", "finance", "analyst", "admin", "batch")
PEOPLE = {
    "agent": "ann", "supervisor": "nor", "leader": "lea", "finance": "finn", "analyst": "ana", "administrator": "adi",
}  # fmt: skip

# What the catalogue says ----------------------------------------------------------------------------------------------

TABLES = """
    SELECT format('%%s.%%s', n.nspname, c.relname) AS name, c.relrowsecurity AS has_rows,
           ARRAY(SELECT format('%%s: %%s', p.cmd, p.qual) FROM pg_policies p
                 WHERE p.schemaname = n.nspname AND p.tablename = c.relname
                     AND ('keepline_' || r.name)::name = ANY (p.roles)) AS policies,
           r.name AS role,
           has_schema_privilege('keepline_' || r.name, n.oid, 'USAGE') AS may_enter,
           ARRAY(SELECT left(k, 1)
                 FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) WITH ORDINALITY u (k, o)
                 WHERE has_table_privilege('keepline_' || r.name, c.oid, k)
                     OR k IN ('SELECT', 'INSERT', 'UPDATE')
                     AND has_any_column_privilege('keepline_' || r.name, c.oid, k)
                 ORDER BY o) AS may
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN unnest(%s::text[]) r (name)
    WHERE n.nspname = ANY (%s::text[]) AND c.relkind IN ('r', 'v', 'm', 'p')
    ORDER BY array_position(%s::text[], n.nspname::text), c.relname, array_position(%s::text[], r.name)"""
ASKED = [list(ROLES), list(SCHEMAS), list(SCHEMAS), list(ROLES)]
FUNCTIONS = """
    SELECT format('desk.%%s', p.proname) AS name,
           ARRAY(SELECT r.name FROM unnest(%s::text[]) WITH ORDINALITY r (name, o)
                 WHERE has_function_privilege('keepline_' || r.name, p.oid, 'EXECUTE') ORDER BY r.o) AS may
    FROM pg_proc p
    WHERE p.pronamespace = 'desk'::regnamespace AND p.prokind IN ('f', 'p') AND p.prorettype <> 'trigger'::regtype
    ORDER BY p.proname, p.oid"""


def tables_of(owner: psycopg.Connection) -> list[str]:
    """One line of the table for each relation: what each role may do with it, rows limited where a policy says so."""
    lines: dict[str, list[str]] = {}
    found = owner.execute(TABLES, ASKED).fetchall()  # type: ignore[arg-type]
    for name, has_rows, policies, _role, may_enter, may in found:
        rights = "".join(may) if may_enter else ""
        is_every_row = not has_rows or any(policy.endswith(": true") for policy in policies)
        is_limited = name.startswith(("caller.", "masked.")) or not is_every_row
        lines.setdefault(name, []).append(f"{rights}{'°' if rights and is_limited else ''}" or "–")
    return [f"| `{name}` | {' | '.join(cells)} |" for name, cells in lines.items()]


def functions_of(owner: psycopg.Connection) -> list[str]:
    """One line for each function anybody but the owner may run."""
    found = owner.execute(FUNCTIONS, [list(ROLES)]).fetchall()  # type: ignore[arg-type]
    return sorted({f"| `{name}` | {', '.join(may)} |" for name, may in found if may})


def document_of(owner: psycopg.Connection) -> str:
    """docs/access.md with its tables as the database is."""
    text = DOCUMENT.read_text()
    for heading, head, lines in (
        ("## Tables and views", f"| | {' | '.join(ROLES)} |\n|---|{'---|' * len(ROLES)}", tables_of(owner)),
        ("## Functions", "| function | who may run it |\n|---|---|", functions_of(owner)),
    ):
        before, rest = text.split(f"{heading}\n", 1)
        prose, after = rest.split("\n| ", 1)[0], rest.split("\n\n## ", 1)[1:]
        text = f"{before}{heading}\n{prose}\n{head}\n" + "\n".join(lines) + ("\n\n## " + after[0] if after else "\n")
    return text


def test_the_document_says_what_the_database_allows(owner: psycopg.Connection) -> None:
    assert document_of(owner) == DOCUMENT.read_text(), "run `python -m tests.test_access`, read it"


def test_what_is_not_allowed_is_refused_when_tried(owner: psycopg.Connection) -> None:
    """The same by trying: every role asks every relation for a row."""
    found = owner.execute(TABLES, ASKED).fetchall()  # type: ignore[arg-type]
    for name, _rows, _policies, role, may_enter, may in found:
        schema, relation = name.split(".")
        asked = sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(schema, relation))
        with owner.transaction(force_rollback=True):
            owner.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(f"keepline_{role}")))
            if may_enter and "S" in may:
                owner.execute(asked)
                continue
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                owner.execute(asked)


def test_nobody_writes_what_functions_write(owner: psycopg.Connection) -> None:
    """No role of a person has INSERT, UPDATE or DELETE anywhere, but for what an agent writes down of an own case."""
    found = owner.execute(TABLES, ASKED).fetchall()  # type: ignore[arg-type]
    writable = {
        (name, role, "".join(may)) for name, _, _, role, _, may in found if set(may) - {"S"} and role != "batch"
    }
    assert writable == {("desk.cases", role, "SU") for role in ("agent", "supervisor")}


def test_no_role_of_the_app_may_do_everything(owner: psycopg.Connection) -> None:
    mighty = owner.execute(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'keepline%' AND rolname !~ '_(template|test)' "
        "AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)"
    ).fetchall()
    assert mighty == []


# Every act × every role -----------------------------------------------------------------------------------------------


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    """Two teams, somebody of every role, a customer on ann's line."""
    pool = db.open_database(database, size=4)
    made = build(pool, owner)
    add_office(owner)
    put_customer(
        owner,
        "C1",
        name="Ada Byron",
        phone="+447700900123",
        email="ada@example.com",
        attributes={"vip": True, "pet": "cat"},
    )
    put(owner, "contacts", customer_id="C1", notes="my sister Zoe", reason="fault")
    put_customer(owner, "C2", name="Zoe Stranger", phone="+447700900124")
    yield made
    pool.close()


def _open(world: World, me: Session) -> object:
    with world.database.transaction(me) as connection:
        return store.open_case(connection, "C1", "search")


def _find(world: World, me: Session) -> object:
    with world.database.transaction(me) as connection:
        return store.search(connection, "ada")


def _reveal(world: World, me: Session) -> object:
    _open(world, me)
    with world.database.transaction(me) as connection:
        return store.reveal(connection, "C1", "phone", "calls back")


def _case(world: World, me: Session) -> str:
    row = world.owner.execute("SELECT case_id FROM desk.cases WHERE staff_id = %s", [me.staff_id]).fetchone()
    return str(row[0]) if row else str(uuid4())


def _trail(world: World, me: Session) -> object:
    return audit.trail(world.database, me, since=ledger.datetime(2020, 1, 1), until=ledger.datetime(2100, 1, 1))


BOTH = {"agent", "supervisor"}
MONEY = {"finance", "leader"}
ALL = set(PEOPLE)
ACTS: dict[str, tuple[set[str], Callable[[World, Session], Any]]] = {
    "search": (BOTH, _find),
    "open a case": (BOTH, _open),
    "reveal a number": (BOTH, _reveal),
    "note a cancel": (BOTH, lambda w, me: casework.note_cancel(w.database, me, _case(w, me))),
    "close a case": (
        BOTH,
        lambda w, me: casework.close_case(w.database, me, _case(w, me), casework.Ending(outcome="resolved")),
    ),
    "take a callback": (BOTH, lambda w, me: callbacks.take(w.database, me, "C1")),
    "end a callback": (BOTH, lambda w, me: callbacks.finish(w.database, me, "C1", "kept")),
    "record a decision": (
        BOTH,
        lambda w, me: ledger.record_decision(w.database, me, w.decision(me.staff_id, "C1", 100)),
    ),
    "answer a decision": (
        BOTH,
        lambda w, me: ledger.answer_decision(w.database, me, uuid4(), answer="not_now", reason="x"),
    ),
    "give": (BOTH, lambda w, me: ledger.give(w.database, me, w.offer("ann", "C1", 100))),
    "ask a supervisor": (
        BOTH,
        lambda w, me: ledger.ask_approval(w.database, me, w.offer("ann", "C1", 5_000), approval_id=uuid4(), reason="x"),
    ),
    "withdraw a request": (BOTH, lambda w, me: ledger.withdraw_approval(w.database, me, uuid4())),
    "approve": ({"supervisor"}, lambda w, me: ledger.approve(w.database, me, uuid4(), reason="x")),
    "reverse": ({"supervisor"}, lambda w, me: ledger.reverse(w.database, me, 1, reason="x")),
    "name a stand-in": (
        {"supervisor", "leader", "administrator"},
        lambda w, me: ledger.name_stand_in(w.database, me, team="north", staff_id="ned", hours=1),
    ),
    "propose a budget": (
        MONEY,
        lambda w, me: ledger.propose_budget(
            w.database,
            me,
            team="north",
            instrument="bill_credit",
            month=date(2026, 11, 1),
            currency="GBP",
            amount=1,
            reason="x",
        ),
    ),
    "confirm a budget": (MONEY, lambda w, me: ledger.confirm_budget(w.database, me, uuid4())),
    "draft a policy": (MONEY, lambda w, me: ledger.draft_policy(w.database, me, a_policy())),
    "publish a policy": (MONEY, lambda w, me: ledger.publish_policy(w.database, me, 1)),
    "close a month": ({"finance"}, lambda w, me: ledger.close_month(w.database, me, date(2026, 10, 1))),
    "put a model into use": (
        {"leader", "analyst", "administrator"},
        lambda w, me: model_reports.promote(w.database, me, 1, "x"),
    ),
    "read the audit": ({"administrator"}, _trail),
    "note an export": (ALL, lambda w, me: audit.note_view(w.database, me, "exported", "spend", {"rows": 3})),
    "verify the audit": ({"administrator"}, lambda w, me: audit.verify(w.database, me)),
}


@pytest.mark.parametrize("act", ACTS)
def test_each_act_is_open_to_its_roles_and_refused_to_the_others(world: World, act: str) -> None:
    allowed, attempt = ACTS[act]
    for role, staff_id in PEOPLE.items():
        me = world[staff_id]
        if role not in allowed:
            with pytest.raises((psycopg.errors.InsufficientPrivilege, RoleMayNot)):
                attempt(world, me)
            continue
        try:
            attempt(world, me)
        except (RoleMayNot, NotSignedIn) as refusal:
            pytest.fail(f"{role} is refused: {refusal}")
        except (Refusal, LookupError, ValueError):
            pass  # refused for what it is about, not for who asks


def test_a_role_that_is_not_the_tokens_sees_and_does_nothing(world: World) -> None:
    """An app that lies about the role gains nothing: rows and acts go by the token."""
    world.give("ann", "C1", 1_000)
    liar = Session(world["ann"].token, world["ann"].session_id, "ann", "finance", None, world["ann"].expires_at)
    with world.database.transaction(liar) as connection:
        assert connection.execute("SELECT count(*) FROM desk.ledger").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (0,)
    with pytest.raises(RoleMayNot):
        ledger.close_month(world.database, liar, date(2026, 10, 1))


# Every row ------------------------------------------------------------------------------------------------------------


def rows(world: World, staff_id: str, statement: str) -> list[tuple[Any, ...]]:
    with world.database.transaction(world[staff_id]) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[arg-type]


def test_an_agent_reads_the_caller_on_the_line_and_nobody_else(world: World) -> None:
    book = "SELECT customer_id FROM customers ORDER BY 1"
    assert rows(world, "ann", book) == []
    _open(world, world["ann"])
    assert rows(world, "ann", book) == [("C1",)]
    assert rows(world, "abe", book) == rows(world, "nor", book) == []
    for table in ("subscriptions", "contacts"):
        assert {row[0] for row in rows(world, "ann", f"SELECT customer_id FROM {table}")} == {"C1"}  # noqa: S608
        assert rows(world, "ben", f"SELECT customer_id FROM {table}") == []  # noqa: S608
    world.owner.execute("UPDATE desk.cases SET closed_at = now() - interval '61 minutes'")
    assert rows(world, "ann", book) == []


def test_an_agents_caller_is_shown_masked_and_revealed_for_a_reason_that_is_kept(world: World) -> None:
    _open(world, world["ann"])
    assert rows(world, "ann", "SELECT name, phone, email FROM customers") == [
        ("Ada Byron", "•••123", "a•••@example.com")
    ]
    with world.database.transaction(world["ann"]) as connection:
        assert store.reveal(connection, "C1", "phone", "the call dropped") == "+447700900123"
    kept = world.owner.execute("SELECT staff_id, subject, detail FROM desk.audit WHERE act = 'revealed'").fetchall()
    assert kept == [("ann", "C1", {"field": "phone", "reason": "the call dropped"})]
    with world.database.transaction(world["ann"]) as connection, pytest.raises(Refusal, match="open their case first"):
        store.reveal(connection, "C2", "phone", "curious")
    with world.database.transaction(world["ann"]) as connection, pytest.raises(Refusal, match="what you need it for"):
        store.reveal(connection, "C1", "phone", " ")


@pytest.mark.parametrize("staff_id", ["lea", "finn", "ana", "adi"])
def test_who_reads_the_book_reads_nobody_by_name(world: World, staff_id: str) -> None:
    found = rows(world, staff_id, "SELECT name, phone, email, attributes FROM customers ORDER BY customer_id")
    assert found == [("A. B.", None, None, {"vip": True}), ("Z. S.", None, None, {})]
    assert rows(world, staff_id, "SELECT reason, notes FROM contacts") == [("fault", None)]


def test_an_agent_cannot_make_a_case_into_a_way_to_read_somebody_else(world: World) -> None:
    _open(world, world["ann"])
    for statement in (
        "UPDATE desk.cases SET customer_id = 'C2'",
        "INSERT INTO desk.cases (staff_id, customer_id, opened_by) VALUES ('ann', 'C2', 'x')",
        "INSERT INTO desk.callback_holds (customer_id, staff_id) VALUES ('C2', 'ann')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(world, "ann", statement)
    with world.database.transaction(world["abe"]) as connection:  # somebody else's case
        done = connection.execute("UPDATE desk.cases SET outcome = 'dropped' RETURNING case_id").fetchall()
    assert done == []


def test_the_ledger_is_read_by_whom_it_concerns(world: World) -> None:
    world.budget(10_000, team="south")
    world.give("ann", "C1", 1_000)
    world.give("ben", "C2", 2_000)
    seen = {who: [row[0] for row in rows(world, who, "SELECT amount FROM desk.ledger ORDER BY 1")]
            for who in ("ann", "abe", "ben", "nor", "sue", "finn", "lea")}  # fmt: skip
    assert seen == {
        "ann": [1_000], "abe": [], "ben": [2_000], "nor": [1_000], "sue": [2_000], "finn": [1_000, 2_000],
        "lea": [1_000, 2_000],
    }  # fmt: skip
    for table in ("decisions", "decision_rungs"):
        every = f"SELECT 1 FROM desk.{table}"  # noqa: S608 - the test's own
        counts = {who: len(rows(world, who, every)) for who in ("ann", "abe", "nor", "sue", "finn")}
        assert counts == {"ann": 1, "abe": 0, "nor": 1, "sue": 1, "finn": 2}
    _open(world, world["abe"])  # what this caller had before is on abe's card too
    assert [row[0] for row in rows(world, "abe", "SELECT amount FROM desk.ledger")] == [1_000]


def test_a_stand_in_sees_the_team_for_the_hours_named(world: World) -> None:
    world.give("ann", "C1", 1_000)
    assert rows(world, "sue", "SELECT 1 FROM desk.ledger") == []
    ledger.name_stand_in(world.database, world["nor"], team="north", staff_id="sue", hours=1)
    assert len(rows(world, "sue", "SELECT 1 FROM desk.ledger")) == 1
    with world.owner.transaction():
        world.owner.execute("SET LOCAL session_replication_role = replica")
        world.owner.execute(
            "UPDATE desk.stand_ins SET ends_at = now() - interval '1 s', starts_at = now() - interval '1 h'"
        )
    assert rows(world, "sue", "SELECT 1 FROM desk.ledger") == []


def test_without_a_token_or_with_an_ended_one_nobody_sees_a_row(world: World) -> None:
    world.give("ann", "C1", 1_000)
    me = world["finn"]
    assert len(rows(world, "finn", "SELECT 1 FROM desk.ledger")) == 1
    ledger.sign_out(world.database, me)
    assert rows(world, "finn", "SELECT 1 FROM desk.ledger") == []
    with world.database.transaction("finance") as connection:
        assert connection.execute("SELECT 1 FROM desk.ledger").fetchall() == []
    with world.database.transaction("finance") as connection:
        connection.execute("SET LOCAL keepline.token = 'guessed'")
        assert connection.execute("SELECT 1 FROM desk.ledger").fetchall() == []


def test_row_security_goes_by_an_index(world: World) -> None:
    """The functions of a policy are asked once a statement, not once a row."""
    world.give("ann", "C1", 1_000)
    with world.database.transaction(world["ann"]) as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        for statement in (
            "SELECT * FROM desk.ledger WHERE customer_id = 'C1'",
            "SELECT * FROM contacts WHERE customer_id = 'C1'",
            "SELECT * FROM customers WHERE customer_id = 'C1'",
            "SELECT * FROM desk.scores WHERE customer_id = 'C1'",
        ):
            plan = "\n".join(line for (line,) in connection.execute("EXPLAIN " + statement))  # type: ignore[operator]
            assert not re.search("Seq Scan on (ledger|contacts|customers|scores)", plan)
            assert "InitPlan" in plan


# Looking people up ----------------------------------------------------------------------------------------------------


def test_who_looks_up_a_thousand_is_stopped_and_named(world: World) -> None:
    for number in range(70):
        put_customer(world.owner, f"M{number}")
    world.owner.execute("UPDATE desk.lookup_limits SET per_minute = 1000, per_hour = 60 WHERE act = 'saw'")
    opened = []

    def one_after_the_other() -> None:
        for number in range(70):
            with world.database.transaction(world["ann"]) as connection:
                opened.append(store.open_case(connection, f"M{number}", "search"))

    with pytest.raises(Refusal, match="You have looked up more than one person may") as stopped:
        one_after_the_other()
    assert (len(opened), stopped.value.code) == (60, "KL701")
    assert [(a.staff_id, a.act, a.times) for a in audit.alerts(world.database, world["adi"])] == [("ann", "saw", 60)]
    _open(world, world["abe"])  # nobody else waits


def test_searching_is_written_down_without_what_was_typed(world: World) -> None:
    world.owner.execute("INSERT INTO desk.directory (customer_id, words) VALUES ('C1', desk.name_words('Ada Byron'))")
    assert [match.customer_id for match in _find(world, world["ann"])] == ["C1"]  # type: ignore[attr-defined]
    kept = world.owner.execute("SELECT staff_id, subject, detail FROM desk.audit WHERE act = 'searched'").fetchall()
    assert kept == [("ann", "C1", {"by": "search", "found": 1})]


def test_the_same_caller_is_opened_once(world: World) -> None:
    assert _open(world, world["ann"]) == _open(world, world["ann"])
    assert world.owner.execute("SELECT count(*) FROM desk.audit WHERE act = 'saw'").fetchone() == (1,)


if __name__ == "__main__":
    from dataclasses import replace

    from churn.settings import read_settings

    settings = replace(read_settings(), database="keepline_access_document")
    db.create_database(settings)
    with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as connection:
        DOCUMENT.write_text(document_of(connection))
    with psycopg.connect(db.admin_conninfo(settings, "postgres"), autocommit=True) as server:
        server.execute("DROP DATABASE keepline_access_document WITH (FORCE)")
    sys.exit(0)
