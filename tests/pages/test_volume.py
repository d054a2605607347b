"""The volume page, run by Streamlit's own test runner: forecast, staff, the calendar and its editor, who may see it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn.core.forecasting.volume_shapes import PLAIN
from churn.settings import PROJECT, Settings
from tests.ledger_world import populate

FIRST = date(2026, 11, 15)


@pytest.fixture
def filled(database: Settings, owner: psycopg.Connection) -> psycopg.Connection:
    """A desk with a leader and a forecast."""
    populate(owner)
    forecast(owner)
    return owner


def forecast(owner: psycopg.Connection) -> None:
    """40 contacts a day in one queue, 20 at ten and 20 at half past; a change that was and one that is planned."""
    owner.execute(
        "INSERT INTO desk.staff (staff_id, name, role) VALUES ('lea', 'Lea', 'leader') ON CONFLICT DO NOTHING"
    )
    owner.execute("INSERT INTO desk.volume_runs (first_day, until_day, days) VALUES ('2026-01-01', '2026-11-14', 1)")
    for n in range(90):
        at = datetime(2026, 11, 15, tzinfo=UTC) + timedelta(days=n)
        owner.execute("INSERT INTO desk.volume_forecasts VALUES (false, 'care', %s, 40, 30, 52, 1)", [at])
        for minutes in (0, 30) if n < 14 else ():
            half = at + timedelta(hours=10, minutes=minutes)
            owner.execute("INSERT INTO desk.volume_forecasts VALUES (true, 'care', %s, 20, 12, 29, 0.5)", [half])
    owner.execute(
        "INSERT INTO desk.volume_half_hours VALUES ('care', '2026-11-13T10:00Z', 40, 30, 30, 9000)"  # 300 s a call
    )
    owner.execute(
        "INSERT INTO desk.volume_kinds VALUES ('release', 'care', 0.1, 0.01, 0.03, %s, 12, 0.05, 3)", [list(PLAIN)]
    )
    for event_id, title, at in (("E1", "App 7", "2026-06-01T10:00Z"), ("E2", "App [8](x)", "2026-11-23T10:00Z")):
        owner.execute(
            "INSERT INTO desk.volume_events VALUES "
            "(%s, 'Digital', 'release', %s, %s, NULL, 1000, false, NULL, NULL, NULL, NULL, false)",
            [event_id, title, at],
        )
    owner.execute(
        "INSERT INTO desk.volume_effects VALUES ('E1', 'contacts', 120, 80, 160, 1, 90), "
        "('E1', 'cancels', 1, -3, 5, 1, NULL)"
    )
    owner.execute("INSERT INTO desk.volume_accuracy VALUES ('all', 1, 7, 12, 0.62, 0.11, -0.01, 0.9)")


def page_of(database: Settings, monkeypatch: pytest.MonkeyPatch, who: str, view: str | None = None) -> AppTest:
    monkeypatch.setenv("KEEPLINE_DATABASE", database.database)
    st.cache_resource.clear()
    app = AppTest.from_file(str(PROJECT / "pages/volume.py"), default_timeout=60)
    app.query_params["who"] = who
    app.run()
    return app.segmented_control(key="view").set_value(view).run() if view else app


@pytest.fixture(autouse=True)
def _clear() -> Iterator[None]:
    yield
    st.cache_resource.clear()


def shown(page: AppTest) -> str:
    assert not page.exception
    parts = [*page.markdown, *page.caption, *page.info, *page.warning]
    return "\n".join(str(part.value) for part in parts)


def test_before_the_first_night_it_says_what_to_do(
    database: Settings, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(owner)
    owner.execute(
        "INSERT INTO desk.staff (staff_id, name, role) VALUES ('lea', 'Lea', 'leader') ON CONFLICT DO NOTHING"
    )
    assert "python3 -m churn volume" in shown(page_of(database, monkeypatch, "lea"))


def test_the_forecast_counts_planned_changes_and_names_them(
    database: Settings, filled: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(database, monkeypatch, "lea")
    text = shown(page)
    assert "**1** App \\[8\\]\\(x\\), 23 Nov" in text
    assert {metric.label: metric.value for metric in page.metric}["Sunday 15 Nov"] == "40"
    extra = next(m.value for m in page.metric if m.label.startswith("Because of planned changes"))
    assert 70 < float(extra) < 100  # of 100, within the 14 days shown


def test_staff_follow_calls_handle_time_and_target(
    database: Settings, filled: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(database, monkeypatch, "lea", view="staff")
    frame = page.dataframe[0].value
    assert frame["half-hour"].tolist() == ["10:00", "10:30"]
    assert frame["calls"].tolist() == [15.0, 15.0]  # three quarters of 20 are calls
    assert frame["on the telephone"].tolist() == [5, 5]  # 2.5 erlangs, 80 % in 20 s
    assert frame["paid"].tolist() == [8, 8]
    page.number_input(key="within").set_value(600).run()
    assert page.dataframe[0].value["on the telephone"].tolist() == [4, 4]  # with 3 a quarter would wait longer


def test_a_leader_plans_a_change_and_sees_what_it_may_bring(
    database: Settings, filled: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(database, monkeypatch, "lea", view="calendar")
    page.text_input(key="title-new").set_value("App 9")
    page.text_input(key="owner-new").set_value("Digital")
    page.selectbox(key="kind-new").set_value("release")
    page.number_input(key="audience-new").set_value(2000)
    page.checkbox(key="none-new").set_value(True)
    next(button for button in page.button if button.label == "Save").click().run()
    text = shown(page)
    assert "App 9 is in the calendar" in text
    assert "Claims to have no impact" in text
    frame = page.dataframe[0].value.set_index("change")
    assert frame.loc["App [8](x)", "extra contacts"].startswith("100 (")
    assert frame.loc["App 9 †", "entered"] == "here"
    kept = filled.execute("SELECT title, audience_size, claims_none, changed_by FROM desk.planned_events").fetchall()
    assert kept == [("App 9", 2000, True, "lea")]


def test_what_is_missing_is_told_and_nothing_is_kept(
    database: Settings, filled: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(database, monkeypatch, "lea", view="calendar")
    next(button for button in page.button if button.label == "Save").click().run()
    assert "Say which department owns it" in shown(page)
    assert filled.execute("SELECT count(*) FROM desk.planned_events").fetchone() == (0,)


def test_past_changes_say_when_there_is_no_evidence(
    database: Settings, filled: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(database, monkeypatch, "lea", view="league")
    owners, events = (frame.value for frame in page.dataframe)
    assert owners.loc[0, ["owner", "extra contacts", "at least", "at most"]].tolist() == ["Digital", 120, 80, 160]
    assert events.loc[0, "Contacts"] == "120 (80 to 160)"
    assert events.loc[0, "Cancels"] == "no evidence (−3 to 5)"
    accuracy = page_of(database, monkeypatch, "lea", view="accuracy")
    assert accuracy.dataframe[0].value.loc[0, "against last week"] == 0.62
    assert accuracy.dataframe[1].value.loc[0, "mean error, contacts"] == 30


def test_agents_do_not_see_it(database: Settings, filled: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_of(database, monkeypatch, "ann")
    assert "Volume is for" in shown(page)
    assert not page.metric
