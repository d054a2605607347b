"""The leader's pages speak the language of whoever looks: nothing is said past it, and German is said in German."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn.calls import outcomes
from churn.core import feature_names, features
from churn.core.language import speaking
from churn.core.voice import problems
from churn.languages import chart_locale, language_of
from churn.settings import PROJECT, Settings
from churn.trends import trend_job
from churn.voice import voice_nights
from tests.factories import put
from tests.ledger_world import populate
from tests.pages.test_team import judged
from tests.pages.test_volume import forecast
from tests.pseudo import drawn, in_brackets, said, unsaid
from tests.voice.test_voice import QUIET, fill

VIEWS = {
    "voice": ("rising", "topics", "league", "broken"),
    "volume": ("forecast", "staff", "calendar", "league", "accuracy"),
    "team": (None,),
    "trends": (None,),
}
# What is the company's, or the simulation's: names, plans, titles, notes, files.
DATA = (
    r"^.* · \s*$", r"English|Deutsch", r"CSV|Excel|Parquet", r"Keepline", r"UTC", r"Europe/London",
    r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b", r"\b(Ann|Abe|Ben|Lea)\b", r"App (7|8|\S*8\S*)",
    r"\b(care|Digital|Network|Fibre)\b", r"(?i)\b(north|south|west)\b", r"says hub.*", r"passed security.*",
    r"said .*b.*thanks.*",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _opened() -> Iterator[None]:
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def page_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, page: str, *, who: str = "lea", language: str | None = None
) -> AppTest:
    monkeypatch.setenv("KEEPLINE_DATABASE", settings.database)
    app = AppTest.from_file(str(PROJECT / f"pages/{page}.py"), default_timeout=120)
    app.query_params["who"] = who
    if language:
        app.session_state["language"] = language
    app.run()
    assert not app.exception
    return app


def texts(page: AppTest) -> str:
    return "\n".join(text for _, _, text in said(page)).replace("\\", "")


def all_unsaid(page: AppTest, data: tuple[str, ...] = DATA) -> list[tuple[str, str, str]]:
    return unsaid(page, data) + unsaid(page, data, texts=drawn(page))


@pytest.fixture
def filled(owner: psycopg.Connection, database: Settings) -> Settings:
    """A small centre with a night's voice, a forecast and judged agents."""
    populate(owner)
    fill(owner)
    voice_nights.run(database, progress=QUIET)
    forecast(owner)
    judged(owner)
    return database


def test_nothing_is_said_past_the_language(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_brackets():
        for name in ("voice", "volume", "team"):
            page = page_of(filled, monkeypatch, name)
            for view in VIEWS[name]:
                if view is not None:
                    page.segmented_control(key="view").set_value(view).run()
                assert not page.exception
                assert all_unsaid(page) == [], (name, view)
        assert all_unsaid(page_of(filled, monkeypatch, "team", who="ann")) == []


def test_nothing_is_said_past_the_language_where_there_is_nothing(
    owner: psycopg.Connection, database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(owner)
    put(owner, "change_events", owner_department="Network", starts_at="2026-01-05T10:00Z")
    with in_brackets():
        for name in VIEWS:
            assert all_unsaid(page_of(database, monkeypatch, name)) == [], name


def test_the_trends_of_a_company_are_said_in_each_language(desk: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes.settle(desk, progress=lambda _: None)
    trend_job.refresh(desk, progress=lambda _: None)
    with in_brackets():
        page = page_of(desk, monkeypatch, "trends", who="O01")
        chosen_from = [page.multiselect(key=cut).options for cut in ("plans", "regions", "segments")]
        names = sorted({re.escape(name) for options in chosen_from for name in options}, key=len, reverse=True)
        assert all_unsaid(page, (*names, *DATA)) == []
    page = page_of(desk, monkeypatch, "trends", who="O01", language="de")
    text = texts(page)
    assert "Log-Rank-Test über die gezeigten Gruppen: χ² = " in text
    assert [metric.label for metric in page.metric] == ["In Gefahr", "90 % zwischen", "Erwartete Kündigungen"]
    assert page.metric[0].value.endswith("\u00a0£")
    assert "customer" not in text
    for chart in page.get("vega_lite_chart"):
        assert json.loads(chart.proto.spec)["config"]["locale"]["number"]["decimal"] == ","


def test_voice_volume_and_team_in_german(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    voice = texts(page_of(filled, monkeypatch, "voice", language="de"))
    assert "PROBLEME · 1" in voice
    assert "Kunden haben sich deswegen gemeldet." in voice
    assert "Störung: " in voice  # the reason of a title kept in English
    volume = page_of(filled, monkeypatch, "volume", language="de")
    assert {metric.label: metric.value for metric in volume.metric}["Sonntag, 15. Nov."] == "40"
    assert "**1** App [8](x), 23. Nov." in texts(volume)
    team = page_of(filled, monkeypatch, "team", who="ann", language="de")
    figures = {metric.label: metric.value for metric in team.metric}
    assert figures == {
        "Gehalten": "160 von 200", "Bei diesen Anrufern erwartet": "130", "Über Erwartung je 100 Anrufe": "+7,5",
        "Gehaltene Marge je gegebene 1\u00a0£": "3\u00a0£", "Empfehlungen": "1 gemacht",
    }  # fmt: skip
    assert "2 × eine Empfehlung" in texts(team)


def test_another_language_keeps_the_view_one_is_in(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_of(filled, monkeypatch, "volume")
    page.segmented_control(key="view").set_value("accuracy").run()
    page.selectbox(key="language_picked").set_value("de").run()
    assert not page.exception
    assert "Mittlerer Fehler" in {label for _, _, label in drawn(page)}


def test_every_column_of_the_features_has_a_name_in_words() -> None:
    assert set(feature_names.NAMES) == {feature.name for feature in features.FEATURES}
    assert feature_names.name_of("contacts_about_payment_date_365d") == "contacts about payment date, 365 days"
    assert feature_names.name_of("usage_gb_change") == "use of gb against their own average"
    assert feature_names.name_of("usage_gb") == "use of gb, last month"
    assert feature_names.name_of("attribute_plan") == "plan"
    assert feature_names.name_of("InternetService") == "internet service"
    with speaking(language_of("de")):
        assert feature_names.name_of("contacts_about_billing_365d") == "Kontakte zu Abrechnung, 365 Tage"
        assert feature_names.meaning_of("overdue") == "Am Tag fällig und offen."


def test_a_kept_title_is_said_anew_as_far_as_it_is_ours() -> None:
    scope = problems.Scope("billing")
    ours, theirs = problems.title_of(scope, [], 2.345), problems.title_of(scope, ["red light", "hub"], 2.0)
    assert (ours, theirs) == ("Billing: 2.3 times the usual", "Billing: red light · hub")
    assert problems.title_said(ours, "billing") == ours
    with speaking(language_of("de")):
        assert problems.title_of(scope, [], 2.345) == ours  # what is kept is English
        assert problems.title_said(ours, "billing") == "Abrechnung: das 2,3-Fache des Üblichen"
        assert problems.title_said(theirs, "billing") == "Abrechnung: red light · hub"
        assert problems.title_said("Something else", "billing") == "Something else"


def test_charts_write_numbers_and_months_as_the_language_does() -> None:
    locale = chart_locale("de")
    assert (locale["number"]["decimal"], locale["number"]["thousands"], locale["number"]["percent"]) == (
        ",", ".", "\u00a0%",
    )  # fmt: skip
    assert locale["time"]["days"][0] == "Sonntag"
    assert locale["time"]["shortMonths"][2] == "März"
