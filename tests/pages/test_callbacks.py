"""The callbacks page, run by Streamlit's own test runner: queue, call, outcome, and its empty states."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn import db, ledger
from churn.calls import callbacks
from churn.settings import PROJECT, Settings
from tests.calls.test_callbacks import candidate
from tests.factories import put
from tests.ledger_world import NOON, populate


@pytest.fixture
def filled(database: Settings, owner: psycopg.Connection) -> psycopg.Connection:
    """A desk with two customers whose gain is shown and one whose gain is likely."""
    populate(owner)
    for customer_id, gain, low in (("C1", 9_000, 1_000), ("C2", 5_000, 2_000), ("C3", 20_000, -500)):
        candidate(owner, customer_id, gain, low)
    owner.execute(
        "UPDATE feed.customers SET phone = '+442079460123', name = 'Ada [x](y) Byron' WHERE customer_id = 'C1'"
    )
    owner.execute("UPDATE feed.customers SET is_vulnerable = true WHERE customer_id = 'C2'")
    owner.execute("UPDATE desk.callback_candidates SET worth = 90000 WHERE customer_id = 'C2'")
    put(owner, "contacts", customer_id="C1", reason="fault", is_resolved=False, started_at="2026-11-03T10:00Z")
    return owner


@pytest.fixture
def page(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.setenv("KEEPLINE_DATABASE", database.database)
    st.cache_resource.clear()
    app = AppTest.from_file(str(PROJECT / "pages/callbacks.py"), default_timeout=60)
    app.query_params["who"] = "ann"  # as the URL carries it
    yield app
    st.cache_resource.clear()


def shown(page: AppTest) -> str:
    assert not page.exception
    parts = [*page.markdown, *page.caption, *page.info, *page.warning]
    return "\n".join(str(part.value) for part in parts)


def taken(page: AppTest) -> list[str]:
    """Accounts in the order of their buttons."""
    return [button.key.removeprefix("take-") for button in page.button if str(button.key).startswith("take-C")]


def test_the_queue_is_ranked_by_gain_with_what_is_not_shown_below(page: AppTest, filled: psycopg.Connection) -> None:
    text = shown(page.run())
    assert taken(page) == ["C1", "C2", "C3"]
    assert "gain £90 \\(£10 to £180\\) · stays 60 % → 70 % with £15 credit · worth £400 if they stay" in text
    assert "GAIN SHOWN · 2" in text
    assert "GAIN LIKELY, NOT SHOWN · 1" in text
    assert "1 contact not resolved since 3 Nov" in text
    assert "[x](y)" not in text


def test_it_sorts_by_worth(page: AppTest, filled: psycopg.Connection) -> None:
    page.run().segmented_control(key="callback_sort").set_value("worth").run()
    assert taken(page) == ["C2", "C1", "C3"]


def test_from_taking_the_first_to_its_outcome(page: AppTest, filled: psycopg.Connection) -> None:
    page.run().button(key="take-first").click().run()
    text = shown(page)
    assert "ON YOUR LINE" in text
    assert "020 7946 0123 · yours for about 29 minutes" in text
    assert "That’s on us, and I’m sorry\\. I’m ringing to put it right\\. Is now a good time?" in text
    assert taken(page) == []
    page.button(key="end-kept").click().run()
    assert "left in peace for 30 days" in shown(page)
    assert taken(page) == ["C2", "C3"]
    events = filled.execute("SELECT customer_id, staff_id, what FROM desk.callback_events ORDER BY event_id").fetchall()
    assert events == [("C1", "ann", "taken"), ("C1", "ann", "kept")]


def test_the_card_opens_for_the_customer_and_the_person(page: AppTest, filled: psycopg.Connection) -> None:
    page.run().button(key="take-C2").click().run()
    (link,) = page.get("link_button")
    assert parse_qs(urlsplit(link.proto.url).query) == {"account": ["C2"], "who": ["ann"]}


def test_no_answer_and_a_snooze_say_when_they_come_back(page: AppTest, filled: psycopg.Connection) -> None:
    page.run().button(key="take-C1").click().run()
    page.button(key="end-no_answer").click().run()
    assert "back in the queue from" in shown(page)
    page.button(key="take-C2").click().run()
    page.button(key="end-snoozed").click().run()
    assert "back in the queue from" in shown(page)
    until = filled.execute("SELECT to_char(until AT TIME ZONE 'Europe/London', 'HH24:MI') FROM desk.callback_events "
                           "WHERE what = 'snoozed'")  # fmt: skip
    assert until.fetchone() == ("09:00",)
    assert taken(page) == ["C3"]


def test_who_came_second_is_told_and_sees_the_rest(
    page: AppTest, filled: psycopg.Connection, database: Settings
) -> None:
    page.run()
    other = db.open_database(database, size=1)
    callbacks.take(other, ledger.open_session(other, "abe"), "C1")
    other.close()
    page.button(key="take-C1").click().run()
    assert "Somebody else has them on the line" in shown(page)
    assert taken(page) == ["C2", "C3"]


def test_put_back_they_are_first_again(page: AppTest, filled: psycopg.Connection) -> None:
    page.run().button(key="take-C1").click().run()
    page.button(key="end-released").click().run()
    assert taken(page) == ["C1", "C2", "C3"]


def test_progress_counts_the_day(page: AppTest, filled: psycopg.Connection) -> None:
    page.run().button(key="take-C1").click().run()
    page.button(key="end-kept").click().run()
    (bar,) = page.get("progress")
    assert (bar.proto.text, bar.proto.value) == ("1 done today, 1 by you · 2 waiting · 0 on the line · 1 stay", 33)


def test_a_held_customer_who_fell_out_of_the_queue_is_still_shown(page: AppTest, filled: psycopg.Connection) -> None:
    page.run().button(key="take-C1").click().run()
    filled.execute("DELETE FROM desk.callback_candidates")
    assert "they are no longer in it" in shown(page.run())
    assert [button.key for button in page.button if str(button.key).startswith("end-")] != []


def test_an_empty_queue_says_what_to_do(page: AppTest, owner: psycopg.Connection) -> None:
    populate(owner)
    assert "python3 -m churn callbacks" in shown(page.run())


def test_a_queue_rung_through_says_so(page: AppTest, filled: psycopg.Connection) -> None:
    filled.execute(
        "INSERT INTO desk.callback_holds (customer_id, free_from) SELECT customer_id, %s + interval '1 year' "
        "FROM desk.callback_candidates",
        [NOON],
    )
    assert "Everybody worth a call has been rung" in shown(page.run())


@pytest.mark.parametrize(("who", "may"), [("nor", True), ("finn", False), ("lea", False)])
def test_agents_and_supervisors_only(page: AppTest, filled: psycopg.Connection, who: str, may: bool) -> None:
    page.query_params["who"] = who
    text = shown(page.run())
    assert bool(taken(page)) == may
    assert ("is for agents and supervisors" in text) != may
