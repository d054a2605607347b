"""A person's own data: typed text is cleaned, an erasure leaves sums and nothing else, no table is forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from psycopg import sql

from churn import db, ledger, privacy
from churn.core.masking import without_cards
from churn.queries import query
from churn.refusals import ErasureNeedsReason, NobodyHeld, NoSuchPeriod, RoleMayNot
from churn.settings import Settings
from tests.core.test_masking import CARD, CASES
from tests.factories import put, put_customer
from tests.ledger_world import NOON, World, build

# What says who they are: nowhere in the database after an erasure.
NAME, PHONE, EMAIL, NOTE = "Zenobia Quillfeather", "+442079460958", "zq@quill.example", "her dog is called Marzipan"
# Every table with a customer_id, and what an erasure does to its rows. A new table: say here and, unless its rows may
# simply go, in desk.kept_tables (a migration) what becomes of them.
TREATED = {
    "feed.customers": "blanked", "feed.contacts": "blanked", "feed.subscriptions": "kept", "feed.invoices": "kept",
    "feed.concessions": "kept", "feed.usage": "deleted", "desk.directory": "deleted", "desk.scores": "deleted",
    "desk.callback_candidates": "deleted", "desk.callback_holds": "deleted", "desk.cases": "blanked",
    "desk.decisions": "kept", "desk.ledger": "kept", "desk.ledger_customers": "kept", "desk.approval_requests": "kept",
    "desk.approvals": "kept", "desk.cancel_intents": "kept", "desk.callback_events": "kept", "desk.erasures": "kept",
    "desk.trend_leavers": "deleted", "desk.trend_forbidden": "deleted", "desk.prediction_samples": "deleted",
    "desk.problem_customers": "deleted", "desk.escalation_scores": "deleted",
    "desk.broken_notes": "deleted", "desk.case_notes": "deleted", "desk.billing_applied": "kept",
    "desk.telephony_events": "deleted", "desk.fresh_scores": "deleted",
}  # fmt: skip


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    """The small desk with Zenobia, who has been given £20, and an administrator."""
    pool = db.open_database(database, size=4)
    made = build(pool, owner)
    owner.execute("INSERT INTO desk.staff (staff_id, name, role) VALUES ('adi', 'Adi', 'administrator')")
    put_customer(owner, "C1", name=NAME, phone=PHONE, email=EMAIL, attributes={"pet": "Marzipan"}, language="en")
    put(owner, "contacts", customer_id="C1", contact_id="K1", notes=NOTE)
    put(owner, "usage", customer_id="C1", month="2026-10-01")
    put_customer(owner, "C2", name="Other Person", phone="+442079460001")
    with owner.transaction(), db.connect(database, "batch") as batch:
        batch.execute(query("scores", "sync_directory"))
    made.give("ann", "C1", 2_000)
    yield made
    pool.close()


def tables_with_customers(owner: psycopg.Connection) -> set[str]:
    rows = owner.execute(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'customer_id' AND NOT a.attisdropped "
        "WHERE n.nspname IN ('feed', 'desk') AND c.relkind IN ('r', 'p')"
    ).fetchall()
    return {row[0] for row in rows}


def linked_tables(owner: psycopg.Connection) -> set[str]:
    """Tables that name no customer, but a call or contact of one."""
    return {row[0] for row in owner.execute("SELECT name FROM desk.tables_of_customers() WHERE key <> 'customer_id'")}


def places_of(owner: psycopg.Connection, text: str) -> list[str]:
    """Every table of feed and desk with a row that holds `text` anywhere."""
    names = owner.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname IN ('feed', 'desk') AND c.relkind IN ('r', 'p')"
    ).fetchall()
    found = []
    for name in names:
        statement = sql.SQL("SELECT EXISTS (SELECT FROM {} t WHERE position(%s IN lower(t::text)) > 0)")
        row = owner.execute(statement.format(sql.Identifier(*name)), [text.lower()]).fetchone()
        found += [".".join(name)] if row and row[0] else []
    return found


def books(owner: psycopg.Connection) -> list[object]:
    """All that must stay exactly equal: ledger, receipts, counters, invoices."""
    return [
        owner.execute(f"SELECT jsonb_agg(to_jsonb(t) ORDER BY to_jsonb(t)::text) FROM {name} t").fetchone()  # noqa: S608
        for name in (
            "desk.ledger", "desk.decisions", "desk.decision_rungs", "desk.budget_counters", "desk.agent_counters",
            "feed.invoices", "feed.subscriptions", "feed.concessions",
        )
    ]  # fmt: skip


# typed text -----------------------------------------------------------------------------------------------------------


def test_the_database_takes_cards_out_as_python_does(owner: psycopg.Connection) -> None:
    for name, (text, expected) in CASES.items():
        row = owner.execute("SELECT desk.without_cards(%s)", [text]).fetchone()
        assert row == (expected,), name


def test_the_database_and_python_agree_on_any_text(template: Settings) -> None:
    with db.connect(template, "batch") as connection:

        @budget(max_examples=300, deadline=None)
        @given(st.text(alphabet="0123456789 -–\u200b٣४x4１", max_size=50))
        def agree(text: str) -> None:
            row = connection.execute("SELECT desk.without_cards(%s)", [text]).fetchone()
            assert row == (without_cards(text),)

        agree()


TYPED = {
    "a card": (f"paid with {CARD}", "paid with [card number removed]"),
    "an order number": ("order 1234567890123", "order 1234567890123"),
    "an e-mail address": (f"write to {EMAIL}", "write to [e-mail removed]"),
    "their number": ("ring 020 7946 0958 later", "ring [number removed] later"),
    "their number from abroad": ("ring +44 20 7946 0958", "ring [number removed]"),
    "another number": ("ring 020 7946 0001", "ring 020 7946 0001"),
    "their name": ("zenobia quillfeather is angry", "[name removed] is angry"),
    "their surname": ("Mrs Quillfeather is angry", "Mrs [name removed] is angry"),
    "a word that is no name": ("quillfeathers", "quillfeathers"),
}


@pytest.mark.parametrize(("typed", "kept"), TYPED.values(), ids=TYPED.keys())
def test_what_an_agent_types_about_a_case_is_kept_without_who_it_was(world: World, typed: str, kept: str) -> None:
    case = world.case("ann", "C1")
    world.owner.execute("UPDATE desk.cases SET what_is_broken = %s WHERE case_id = %s", [typed, case])
    assert world.owner.execute("SELECT what_is_broken FROM desk.cases WHERE case_id = %s", [case]).fetchone() == (kept,)


def test_reasons_in_rows_that_never_change_say_nothing_of_who_it_was(world: World) -> None:
    said = f"{NAME}, {PHONE}, {EMAIL}, card {CARD}"
    clean = "[name removed], [number removed], [e-mail removed], card [card number removed]"
    offer = world.offer("ann", "C1", 5_000)
    request = ledger.ask_approval(world.database, world["ann"], offer, approval_id=uuid4(), reason=said)
    answered = ledger.approve(world.database, world["nor"], request.approval_id, reason=said)
    entry = world.give("ann", "C1", 1_000)
    back = ledger.reverse(world.database, world["nor"], entry.entry_id, reason=said)
    other = world.offer("ann", "C1", 1_500)
    ledger.answer_decision(world.database, world["ann"], other.decision_id, answer="refused_by_caller", reason=said)
    (answer,) = world.owner.execute("SELECT reason FROM desk.decision_answers").fetchone() or ("",)
    assert [request.reason, answered.answer_reason, back.reason, answer] == [clean] * 4
    assert {"desk.ledger", "desk.approval_requests", "desk.audit", "desk.refusals"} & set(
        places_of(world.owner, CARD)
    ) == set()


# erasure --------------------------------------------------------------------------------------------------------------


def test_every_table_that_names_a_customer_is_spoken_for(owner: psycopg.Connection) -> None:
    kept = dict(owner.execute("SELECT table_name, blanked <> '{}' FROM desk.kept_tables").fetchall())
    there = {
        name: "deleted" if name not in kept else "blanked" if kept[name] else "kept"
        for name in tables_with_customers(owner)
    }
    assert kept.keys() <= there.keys()
    there |= dict.fromkeys(linked_tables(owner), "deleted")
    assert {name: how for name, how in there.items() if TREATED.get(name) != how} == {}, "say what becomes of its rows"


def test_an_erasure_leaves_the_books_and_nothing_that_says_who_it_was(world: World) -> None:
    before = books(world.owner)
    assert places_of(world.owner, NAME) == ["feed.customers"]
    done = privacy.erase(world.database, world["adi"], "C1", reason="asked by letter of 2 November")
    assert books(world.owner) == before
    assert [places_of(world.owner, text) for text in (NAME, PHONE, EMAIL, NOTE, "Marzipan", "quillfeather")] == [[]] * 6
    assert (done.rows["feed.customers"], done.rows["desk.directory"], done.rows["feed.usage"]) == (1, 1, 1)
    assert ledger.reconcile(world.database) == []
    assert world.owner.execute("SELECT name, phone FROM feed.customers WHERE customer_id = 'C1'").fetchone() == (
        "[erased]", None,
    )  # fmt: skip


def test_what_hangs_on_their_calls_goes_with_them(world: World) -> None:
    for customer in ("C1", "C2"):
        world.owner.execute(
            "INSERT INTO desk.broken_notes (case_id, said_on, note) VALUES (%s, '2026-11-01', %s)",
            [world.case("ann", customer), f"router of {customer}"],
        )
    privacy.erase(world.database, world["adi"], "C1", reason="asked")
    assert world.owner.execute("SELECT note FROM desk.broken_notes").fetchall() == [("router of C2",)]


def test_somebody_else_keeps_everything(world: World) -> None:
    privacy.erase(world.database, world["adi"], "C1", reason="asked")
    assert places_of(world.owner, "Other Person") == ["feed.customers"]
    assert world.owner.execute("SELECT customer_id FROM desk.directory").fetchall() == [("C2",)]


def test_erasing_again_is_no_harm_and_says_so(world: World) -> None:
    privacy.erase(world.database, world["adi"], "C1", reason="asked")
    assert privacy.erase(world.database, world["adi"], "C1", reason="asked").is_replay
    assert world.owner.execute("SELECT count(*) FROM desk.erasures").fetchone() == (1,)


def test_an_erasure_is_in_the_audit_with_who_and_how_much(world: World) -> None:
    privacy.erase(world.database, world["adi"], "C1", reason="asked")
    row = world.owner.execute("SELECT staff_id, subject, detail -> 'rows' ->> 'feed.contacts' FROM desk.audit "
                              "WHERE act = 'erased'").fetchall()  # fmt: skip
    assert row == [("adi", "C1", "1")]


@pytest.mark.parametrize("person", ["ann", "nor", "lea", "finn"])
def test_only_administrators_erase_and_export(world: World, person: str) -> None:
    for act in (
        lambda: privacy.erase(world.database, world[person], "C1", reason="asked"),
        lambda: privacy.held_about(world.database, world[person], "C1"),
    ):
        with pytest.raises((RoleMayNot, psycopg.errors.InsufficientPrivilege)):
            act()
    assert places_of(world.owner, NAME) == ["feed.customers"]


def test_an_erasure_needs_a_customer_and_a_reason(world: World) -> None:
    with pytest.raises(NobodyHeld):
        privacy.erase(world.database, world["adi"], "nobody", reason="asked")
    with pytest.raises(ErasureNeedsReason):
        privacy.erase(world.database, world["adi"], "C1", reason=" ")


def test_the_erased_come_back_neither_by_sync_nor_score_nor_search(world: World, database: Settings) -> None:
    privacy.erase(world.database, world["adi"], "C1", reason="asked")
    world.owner.execute("UPDATE feed.customers SET name = %s, phone = %s WHERE customer_id = 'C1'", [NAME, PHONE])
    with db.connect(database, "batch") as batch, batch.transaction():
        batch.execute(query("scores", "sync_directory"))
        batch.execute(query("scores", "forget_gone"))
    with world.database.transaction(world["abe"]) as connection:
        for by, key, like, digits in (
            ("ani", PHONE, None, None),
            ("account", "C1", None, None),
            ("contact", "K1", None, None),
            ("search", NAME, "zenobia%", "8590649702%"),
        ):
            found = connection.execute(
                "SELECT customer_id FROM desk.find_customers(%s, %s, %s, %s)", [by, key, like, digits]
            ).fetchall()
            assert found == [], by
        assert connection.execute("SELECT desk.open_case('C1', 'account')").fetchone() == (None,)


def test_who_had_them_on_the_line_sees_nothing_more_either(world: World) -> None:
    with world.database.transaction(world["ann"]) as connection:
        assert connection.execute("SELECT count(*) FROM caller.customers").fetchone() == (1,)
    privacy.erase(world.database, world["adi"], "C1", reason="asked")
    with world.database.transaction(world["ann"]) as connection:
        assert connection.execute("SELECT count(*) FROM caller.customers").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM caller.contacts").fetchone() == (0,)
    with world.database.transaction(world["lea"]) as connection:
        assert connection.execute("SELECT customer_id FROM masked.customers").fetchall() == [("C2",)]


def test_a_company_with_its_own_views_is_told_that_its_source_must_erase_too(world: World) -> None:
    world.owner.execute("UPDATE desk.company SET source = 'views'")
    world.owner.execute(
        "CREATE TABLE public.theirs AS SELECT * FROM feed.customers; TRUNCATE feed.customers; "
        "CREATE OR REPLACE VIEW crm.customers AS SELECT customer_id, name, phone, email, joined_on, segment, region, "
        "language, currency, is_vulnerable, is_do_not_offer, attributes FROM public.theirs; "
        "GRANT SELECT ON public.theirs TO keepline_mapper; SELECT desk.make_reading_views()"
    )
    assert privacy.erase(world.database, world["adi"], "C1", reason="asked").source_too
    assert places_of(world.owner, "quillfeather") == []
    with world.database.transaction(world["abe"]) as connection:
        found = connection.execute("SELECT customer_id FROM desk.find_customers('ani', %s, NULL, NULL)", [PHONE])
        assert found.fetchall() == []


def test_card_numbers_in_notes_read_live_are_taken_out_on_the_way(world: World) -> None:
    put(world.owner, "contacts", customer_id="C1", contact_id="K2", notes=f"card {CARD}")
    world.owner.execute("UPDATE desk.company SET source = 'views'")
    with world.database.transaction(world["ann"]) as connection:
        row = connection.execute("SELECT notes FROM caller.contacts WHERE contact_id = 'K2'").fetchone()
    assert row == ("card [card number removed]",)


# what is held ---------------------------------------------------------------------------------------------------------


def test_what_is_held_about_one_is_all_of_it_and_nobody_elses(world: World) -> None:
    held = privacy.held_about(world.database, world["adi"], "C1")
    tables = {name for name in tables_with_customers(world.owner) if name.startswith("desk.")}
    views = {row[0] for row in world.owner.execute(
        "SELECT format('crm.%s', table_name) FROM information_schema.columns "
        "WHERE table_schema = 'crm' AND column_name = 'customer_id'")}  # fmt: skip
    for name in tables | views:
        row = world.owner.execute(f"SELECT count(*) FROM {name} WHERE customer_id = 'C1'").fetchone()  # noqa: S608
        assert (len(held.get(name, [])),) == row, name
    text = json.dumps(held)
    assert all(part in text for part in (NAME, PHONE, EMAIL, NOTE, "Marzipan"))
    assert "Other Person" not in text
    assert held["desk.ledger"][0]["amount"] == 2_000
    assert held["desk.decision_rungs"][0]["amount"] == 2_000


def test_an_export_is_written_down_and_a_stranger_has_none(world: World) -> None:
    privacy.held_as_job(world.database, "C1", by="root")
    assert world.owner.execute("SELECT subject, detail ->> 'by' FROM desk.audit WHERE act = 'exported'").fetchall() == [
        ("C1", "root")
    ]
    with pytest.raises(NobodyHeld):
        privacy.held_as_job(world.database, "nobody", by="root")


# retention ------------------------------------------------------------------------------------------------------------


def old_rows(world: World) -> None:
    """One row beyond each period, and one within."""
    for days in (731, 729):
        at = NOON - timedelta(days=days)
        put(world.owner, "contacts", customer_id="C2", contact_id=f"N{days}", notes="old", started_at=at)
        world.owner.execute(
            "INSERT INTO desk.cases (staff_id, customer_id, opened_by, opened_at, closed_at, what_is_broken) "
            "VALUES ('ann', 'C2', 'search', %s, %s, 'router')", [at, at],
        )  # fmt: skip
    for days in (2_200, 2_180):
        put(world.owner, "customers", customer_id=f"L{days}", name="Long Gone", joined_on="2015-01-01")
        ended = (NOON - timedelta(days=days)).date()
        put(
            world.owner,
            "subscriptions",
            customer_id=f"L{days}",
            started_on="2015-01-01",
            ended_on=ended,
            end_reason="voluntary",
        )
    world.owner.execute(
        "INSERT INTO desk.sessions (token_sha256, staff_id, role, opened_at, expires_at) VALUES "
        "(sha256('x'), 'ann', 'agent', now() - interval '91 days', now() - interval '91 days')"
    )


def test_a_dry_run_counts_what_the_real_one_does_and_changes_nothing(world: World, database: Settings) -> None:
    old_rows(world)
    before = books(world.owner)
    with db.connect(database, "batch") as batch:
        dry = privacy.retain(batch, by="tests", applies=False)
        assert {one.subject: one.affected for one in dry if one.affected} == {
            "case_texts": 1, "left_customers": 1, "notes": 1, "sessions": 1,
        }  # fmt: skip
        assert world.owner.execute("SELECT count(*) FROM feed.contacts WHERE notes = 'old'").fetchone() == (2,)
        real = privacy.retain(batch, by="tests", applies=True)
        again = privacy.retain(batch, by="tests", applies=True)
    assert [(one.subject, one.days, one.affected) for one in real] == [
        (one.subject, one.days, one.affected) for one in dry
    ]
    assert sum(one.affected for one in again) == 0
    assert books(world.owner) == before
    assert world.owner.execute("SELECT contact_id FROM feed.contacts WHERE notes = 'old'").fetchall() == [("N729",)]
    names = dict(
        world.owner.execute("SELECT customer_id, name FROM feed.customers WHERE customer_id LIKE 'L%'").fetchall()
    )
    assert names == {"L2200": "[erased]", "L2180": "Long Gone"}
    noted = world.owner.execute("SELECT detail -> 'rows' ->> 'notes' FROM desk.audit WHERE act = 'retained' ORDER BY 1")
    assert noted.fetchall() == [("0",), ("1",)]


def test_a_period_is_changed_by_an_administrator_with_a_reason(world: World, database: Settings) -> None:
    privacy.set_period(world.database, world["adi"], "notes", 30, reason="works council", reference="BV 12")
    notes = next(one for one in privacy.periods(world.database, "batch") if one.subject == "notes")
    assert (notes.days, notes.reason, notes.reference, notes.set_by) == (30, "works council", "BV 12", "adi")
    for subject, days in (("notes", 0), ("accounts", 10), ("look_ups", 10)):
        with pytest.raises(NoSuchPeriod):
            privacy.set_period(world.database, world["adi"], subject, days, reason="because")
    with pytest.raises((RoleMayNot, psycopg.errors.InsufficientPrivilege)):
        privacy.set_period(world.database, world["ann"], "notes", 1, reason="because")


def test_no_row_of_ledger_or_audit_has_an_end(world: World) -> None:
    kept = {one.subject for one in privacy.periods(world.database, "batch") if one.days is None}
    assert kept == {"look_ups", "accounts"}
