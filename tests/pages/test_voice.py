"""The voice page, run by Streamlit's own test runner: problems, acts, views, and who may see it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn.settings import PROJECT, Settings
from churn.voice import voice_nights
from tests.factories import put
from tests.ledger_world import populate
from tests.voice.test_voice import LAST, QUIET, fill, problem


@pytest.fixture
def told(owner: psycopg.Connection, database: Settings) -> psycopg.Connection:
    """The small centre after one night's run."""
    populate(owner)
    fill(owner)
    voice_nights.run(database, progress=QUIET)
    return owner


@pytest.fixture
def page(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.setenv("KEEPLINE_DATABASE", database.database)
    st.cache_resource.clear()
    app = AppTest.from_file(str(PROJECT / "pages/voice.py"), default_timeout=60)
    app.query_params["who"] = "lea"
    yield app
    st.cache_resource.clear()


def shown(page: AppTest) -> str:
    assert not page.exception
    parts = [*page.markdown, *page.caption, *page.info, *page.warning]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def test_a_problem_is_shown_with_who_and_in_whose_words(page: AppTest, told: psycopg.Connection) -> None:
    text = shown(page.run())
    one = problem(told)
    assert "PROBLEMS · 1" in text
    assert f"{one.customers} customers got in touch about it." in text
    assert "says hub red light since update, ring •••" in text
    assert "Zebedee" not in text


def test_a_leader_accepts_and_fixes_it_and_sees_the_history(page: AppTest, told: psycopg.Connection) -> None:
    put(told, "change_events", owner_department="Network", starts_at="2026-01-05T10:00Z")
    key = problem(told).problem_id
    page.run().button(key=f"to-accepted-{key}").click().run()
    assert "Say which department owns it" in shown(page)
    page.selectbox(key=f"owner-{key}").set_value("Network").run()
    page.button(key=f"to-accepted-{key}").click().run()
    page.date_input(key=f"fixed-{key}").set_value(LAST - timedelta(days=1)).run()
    page.button(key=f"to-fixed-{key}").click().run()
    assert (problem(told).state, problem(told).fixed_on) == ("fixed", LAST - timedelta(days=1))
    page.toggle(key=f"who-{key}").set_value(True).run()
    assert "Lea: accepted → fixed" in shown(page)


def test_a_supervisor_reads_and_has_no_buttons(page: AppTest, told: psycopg.Connection) -> None:
    page.query_params["who"] = "nor"
    assert "PROBLEMS · 1" in shown(page.run())
    assert [button for button in page.button if str(button.key).startswith("to-")] == []


@pytest.mark.parametrize("who", ["ann", "finn"])
def test_nobody_else(page: AppTest, told: psycopg.Connection, who: str) -> None:
    page.query_params["who"] = who
    text = shown(page.run())
    assert "PROBLEMS" not in text
    assert "Voice is for leaders and supervisors" in text


@pytest.mark.parametrize(
    ("view", "says"),
    [
        ("Topics", "at most 400 a day"),
        ("Worth having", "should not have been needed"),
        ("What is broken", "No agent wrote down"),
    ],
)
def test_each_view_opens_from_its_url(page: AppTest, told: psycopg.Connection, view: str, says: str) -> None:
    page.query_params["view"] = view
    assert says in shown(page.run())


def test_filters_come_from_the_url_and_a_small_group_is_not_told(page: AppTest, told: psycopg.Connection) -> None:
    page.query_params["state"] = "dismissed"
    assert "PROBLEMS · 0" in shown(page.run())
    page.query_params.pop("state")


def test_before_the_first_night_it_says_what_to_do(page: AppTest, owner: psycopg.Connection) -> None:
    populate(owner)
    assert "python3 -m churn voice" in shown(page.run())
