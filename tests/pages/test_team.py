"""The team page, run by Streamlit's own test runner: each sees their own part, nobody is ranked."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn.settings import PROJECT, Settings
from tests.ledger_world import populate


def judged(owner: psycopg.Connection) -> None:
    """Ann above the funnel, Abe inside it, Ben of another team on a run of hard calls."""
    owner.execute(
        "INSERT INTO desk.team_funnel (as_of, window_days, calls, agents, mean_variance, overdispersion, spread, "
        "middle, auc, calibration_error) VALUES (now(), 90, 600, 3, 0.2, 1.2, 0.03, 0, 0.68, 0.02)"
    )
    for who, team, saved, told, zone, run in (
        ("ann", "north", 160, 0.15, "above", 0), ("abe", "north", 130, 0.0, "inside", 0),
        ("ben", "south", 120, -0.01, "inside", 6),
    ):  # fmt: skip
        owner.execute(
            "INSERT INTO desk.agent_outcomes (staff_id, team, since_on, until_on, calls, saved, expected, variance, "
            "usual_calls, difference, told, shrunk, low, high, zone, retained_margin, given, asks, ask_gap, offers, "
            "overrides, referrals_asked, referrals_made, referrals_missed, hard_run, hard_share) "
            "VALUES (%s, %s, '2026-01-01', '2026-08-01', 200, %s, 130, 40, 200, %s, %s, %s, -0.05, 0.2, %s, 9000, "
            "3000, 4, 12.5, 9, 2, 3, 1, 2, %s, 0.5)",
            [who, team, saved, told, told, told / 2, zone, run],
        )
        owner.execute("INSERT INTO desk.agent_topics VALUES (%s, 'cancel', 60, 50, 38, 0.03, 0.2)", [who])
        owner.execute("INSERT INTO desk.agent_wins VALUES (%s, '2026-11-14', 'a referral', 2)", [who])
        owner.execute("INSERT INTO desk.agent_words VALUES (%s, '2026-11-14', 0, 5, 'said <b>thanks</b>')", [who])


@pytest.fixture
def filled(database: Settings, owner: psycopg.Connection) -> psycopg.Connection:
    populate(owner)
    judged(owner)
    return owner


@pytest.fixture
def page(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.setenv("KEEPLINE_DATABASE", database.database)
    st.cache_resource.clear()
    yield AppTest.from_file(str(PROJECT / "pages/team.py"), default_timeout=60)
    st.cache_resource.clear()


def shown(page: AppTest, who: str) -> str:
    page.query_params["who"] = who
    page.run()
    assert not page.exception
    return "\n".join(str(part.value) for part in [*page.markdown, *page.caption, *page.info, *page.warning])


def test_an_agent_sees_their_own_figures_and_nobody_elses(page: AppTest, filled: psycopg.Connection) -> None:
    text = shown(page, "ann")
    figures = {metric.label: metric.value for metric in page.metric}
    assert figures == {
        "Saved": "160 of 200", "Expected of these callers": "130", "Above expected in 100 calls": "+7.5",
        "Margin kept per £1 given": "£3", "Referrals": "1 made",
    }  # fmt: skip
    assert "**More saves than chance explains\\.**" in text or "**More saves than chance explains.**" in text
    assert "£12\\.50 more than asked, on average of 4 asks" in text
    assert "Abe" not in text
    assert "Ben" not in text


def test_a_supervisor_sees_the_team_by_name(page: AppTest, filled: psycopg.Connection) -> None:
    text = shown(page, "nor")
    table = page.dataframe[0].value
    assert table["agent"].to_list() == ["Abe", "Ann"]  # by name, not by merit
    assert "Ben" not in text
    assert "Nobody has had 4 or more hard calls in a row" in text


def test_a_leader_sees_all_and_may_look_at_one_team(page: AppTest, filled: psycopg.Connection) -> None:
    text = shown(page, "lea")
    assert page.dataframe[0].value["agent"].to_list() == ["Abe", "Ann", "Ben"]
    assert "Ben: 6 hard calls in a row, 50 % of the fortnight’s" in text
    page.selectbox(key="team").set_value("south").run()
    assert page.dataframe[0].value["agent"].to_list() == ["Ben"]


def test_words_are_shown_letter_for_letter(page: AppTest, filled: psycopg.Connection) -> None:
    assert "said \\<b\\>thanks\\<\\/b\\>" in shown(page, "ann").replace("\\/", "\\/")


def test_before_the_first_night_it_says_what_to_do(page: AppTest, owner: psycopg.Connection) -> None:
    populate(owner)
    assert "python3 -m churn trends" in shown(page, "nor")


def test_who_has_no_judged_calls_is_told_when_figures_appear(page: AppTest, filled: psycopg.Connection) -> None:
    assert "the night after the first" in shown(page, "agent3")


def test_finance_is_not_shown_the_team(page: AppTest, filled: psycopg.Connection) -> None:
    assert "Team is for agents" in shown(page, "finn")
