"""What billing was told, on the spend page: counts, what did not arrive and why, and who has it sent again."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn import db, ledger
from churn.finance import outbox, webhook
from churn.settings import PROJECT, Settings
from churn.ui.spend_outbox import STATES
from tests.ledger_world import World, build
from tests.pages.test_language_finance import OWN
from tests.pseudo import drawn, in_brackets, unsaid

SECRET = webhook.PREFIX + base64.b64encode(os.urandom(32)).decode()


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("KEEPLINE_DATABASE", database.database)
    st.cache_resource.clear()
    pool = db.open_database(database, size=4)
    yield build(pool, owner)
    pool.close()
    st.cache_resource.clear()


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook is set up."""
    monkeypatch.setenv("KEEPLINE_WEBHOOK_URL", "https://billing.example/keepline")
    monkeypatch.setenv("KEEPLINE_WEBHOOK_SECRET", SECRET)


def page(who: str = "finn", **state: str) -> AppTest:
    app = AppTest.from_file(str(PROJECT / "pages/spend.py"), default_timeout=60)
    app.query_params["who"] = who
    for key, value in ({"view": "billing"} | state).items():
        app.session_state[key] = value
    return app.run()


def said(app: AppTest) -> str:
    assert not app.exception, app.exception[0].message
    kinds = (app.caption, app.info, app.warning, app.success, app.error, app.markdown, app.toast)
    return "\n".join(str(part.value) for kind in kinds for part in kind).replace("\\", "").replace("\u00a0", " ")


def counts(app: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in app.metric}


def send_again(app: AppTest) -> list[str]:
    return [button.label for button in app.button if button.label == "Send again"]


def put_out(world: World) -> list[int]:
    """Six grants in every state there is, two of them given up, and a reversal that waits for the first."""
    first = world.give("ann", "C0", 1_000)
    entries = [first.entry_id, *(world.give("ann", f"C{i}", 1_000 + i).entry_id for i in range(1, 6))]
    entries.append(ledger.reverse(world.database, world["nor"], first.entry_id, reason="by mistake").entry_id)
    outbox.number(world.database)
    for entry, state, attempts, why in zip(
        entries,
        ("dead", "delivered", "dead", "waiting", "waiting", "skipped"),
        (14, 1, 14, 3, 0, 0),
        ("answered 500", None, "the connection failed", "no answer in 10 s", None, None),
        strict=False,
    ):
        world.owner.execute(
            "UPDATE desk.outbox SET state = %s, attempts = %s, last_error = %s, next_at = '2026-11-22 18:05Z', "
            "delivered_at = CASE WHEN %s = 'delivered' THEN now() END WHERE entry_id = %s",
            [state, attempts, why, state, entry],
        )
    return entries


@pytest.mark.usefixtures("hooked")
def test_finance_sees_what_went_out_and_what_did_not_arrive(world: World) -> None:
    entries = put_out(world)
    app = page()
    assert counts(app) == {"Waiting": "3", "Delivered": "1", "Given up": "2", "Not to be sent": "1"}
    (oldest,) = world.owner.execute(
        "SELECT to_char(recorded_at AT TIME ZONE 'Europe/London', 'FMDD Mon YYYY HH24:MI') FROM desk.ledger "
        "WHERE entry_id = %s", [entries[3]],
    ).fetchone()  # fmt: skip
    text = said(app)
    assert f"The oldest that waits was put out on {oldest}." in text
    assert "2 rows were given up. The last error says why." in text
    assert "webhook is set up" not in text
    assert app.dataframe[0].value.astype(object).where(lambda rows: rows.notna(), None).values.tolist() == [
        [1, entries[0], "grant", "given up", 14, None, "answered 500"],
        [3, entries[2], "grant", "given up", 14, None, "the connection failed"],
        [4, entries[3], "grant", "tried again", 3, "22 Nov 2026 18:05", "no answer in 10 s"],
    ]
    assert "C0" not in text


@pytest.mark.usefixtures("hooked")
def test_finance_has_one_and_then_all_of_it_sent_again(world: World) -> None:
    entries = put_out(world)
    app = page()
    app.selectbox(key="given_up").set_value(entries[2])
    next(one for one in app.button if one.label == "Send again").click().run()
    assert "1 row is due again." in said(app)
    assert counts(app) == {"Waiting": "4", "Delivered": "1", "Given up": "1", "Not to be sent": "1"}
    next(one for one in app.button if one.label == "Send again").click().run()
    assert counts(app) == {"Waiting": "5", "Delivered": "1", "Given up": "0", "Not to be sent": "1"}
    assert send_again(app) == []
    done = world.owner.execute("SELECT staff_id, subject FROM desk.audit WHERE act = 'sent_again' ORDER BY audit_id")
    assert done.fetchall() == [("finn", f"entry:{entries[2]}"), ("finn", "all")]


@pytest.mark.usefixtures("hooked")
def test_who_comes_second_sees_that_nothing_is_left_to_do(world: World) -> None:
    put_out(world)
    app = page()
    outbox.send_again(world.database, world["fay"])
    next(one for one in app.button if one.label == "Send again").click().run()
    assert (counts(app)["Given up"], send_again(app)) == ("0", [])
    assert "given up." not in said(app)


@pytest.mark.usefixtures("hooked")
def test_a_leader_reads_it_and_presses_nothing(world: World) -> None:
    put_out(world)
    app = page("lea")
    assert counts(app)["Given up"] == "2"
    assert len(app.dataframe[0].value) == 3
    assert send_again(app) == []


def test_nothing_put_out_and_no_webhook_say_what_to_do(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    text = said(page())
    assert "Nothing was put out to billing yet: every concession is, the moment it is given." in text
    assert "an administrator puts `[webhook]` into the secrets file" in text
    monkeypatch.setenv("KEEPLINE_WEBHOOK_URL", "ftp://billing.example")
    assert "`python3 -m churn outbox send` says what is wrong." in said(page())
    world.give("ann", "C1", 1_000)
    assert counts(page())["Waiting"] == "1"


@pytest.mark.usefixtures("hooked")
def test_what_did_not_arrive_can_be_taken_along(world: World) -> None:
    put_out(world)
    files = [one.proto for one in page().get("download_button") if "not-arrived" in one.proto.id]
    assert [one.label for one in files] == ["CSV", "Excel", "Parquet"]


@pytest.mark.parametrize("has_webhook", [True, False])
def test_it_is_said_in_every_language(world: World, request: pytest.FixtureRequest, has_webhook: bool) -> None:
    if has_webhook:
        request.getfixturevalue("hooked")
    put_out(world)
    with in_brackets():
        app = page()
        assert not app.exception
        assert "\n".join(map(str, unsaid(app, OWN))) == ""
        assert unsaid(app, OWN, texts=drawn(app)) == []
        whys = app.dataframe[0].value["last_error"].tolist()
    assert whys == ["⟦answered 500⟧", "⟦the connection failed⟧", "⟦no answer in 10 s⟧"]
    german = page(language="de")
    assert counts(german) == {"Wartet": "3", "Zugestellt": "1", "Aufgegeben": "2", "Nicht zu senden": "1"}
    assert german.dataframe[0].value["last_error"].tolist() == [
        "Antwort 500", "die Verbindung kam nicht zustande", "keine Antwort in 10 s",
    ]  # fmt: skip


def test_every_state_the_database_knows_has_its_name(owner: psycopg.Connection) -> None:
    (allowed,) = owner.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'desk.outbox'::regclass "
        "AND pg_get_constraintdef(oid) LIKE '%%waiting%%'"
    ).fetchone()
    assert all(f"'{state}'" in allowed for state in STATES)
    assert allowed.count("::text") == len(STATES) + allowed.count("::text[]")
