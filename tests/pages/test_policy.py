"""The policy page: what each part says, and every act that writes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pandas as pd
import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn import db, ledger
from churn.db import Database
from churn.policies import policy_lab, replay_nights
from churn.policies.stored import policy_in_force
from churn.settings import PROJECT, Settings
from tests.ledger_world import World, build, small_policy
from tests.pages.test_desk import shown as text_of
from tests.policies.test_policy_lab import GREEN, changed


@pytest.fixture
def world(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The small desk, with the page looking at it."""
    held = db.open_database(database, size=4)
    monkeypatch.setenv("KEEPLINE_DATABASE", database.database)
    st.cache_resource.clear()
    with psycopg.connect(db.admin_conninfo(database), autocommit=True) as owner:
        yield build(held, owner)
    st.cache_resource.clear()
    held.close()


def page(who: str, view: str | None = None) -> AppTest:
    """The page as somebody sees it, at one of its views."""
    found = AppTest.from_file(str(PROJECT / "pages/policy.py"), default_timeout=60)
    found.session_state["who"] = who
    if view is not None:
        found.session_state["view"] = view
    return found.run()


def shown(found: AppTest) -> str:
    """Everything said on the page, its coloured boxes included."""
    boxes = (*found.success, *found.error, *found.warning, *found.info)
    return "\n".join([text_of(found), *(box.value for box in boxes)]).replace("\\", "")


def table(found: AppTest, column: str) -> pd.DataFrame:
    """The table with that column."""
    return next(held.value for held in found.dataframe if column in held.value)


def press(found: AppTest, label: str) -> AppTest:
    return next(button for button in found.button if button.label == label).click().run()


@pytest.mark.parametrize("who", ["ann", "nor"])
def test_agents_and_supervisors_have_no_policy_page(world: World, who: str) -> None:
    assert "Policy is for finances and leaders" in shown(page(who)).replace("finance and", "finances and")


def test_rules_in_force_are_a_table_in_words(world: World) -> None:
    found = page("lea")
    assert not found.exception
    rules = found.dataframe[0].value
    assert rules[["what", "says"]].values.tolist()[0] == ["ceiling", "£200"]
    assert found.dataframe[1].value["at once"].tolist()[:1] == ["£35"]


def test_two_versions_are_compared_in_sentences(world: World) -> None:
    policy_lab.save_draft(world.database, world["finn"], changed(small_policy(), "ceiling", value=15_000), "")
    found = page("lea", "compare")
    assert "Ceiling: £200 → £150" in shown(found)


def test_a_draft_shows_its_problems_and_its_cases_and_is_saved(world: World) -> None:
    found = page("finn", "draft")
    assert not found.exception
    assert "No problems" in shown(found)
    found.text_area[0].set_value(GREEN.replace("alone: 35", "alone: 36")).run()
    assert "0 of 1 cases green." in shown(found)
    found.text_area[0].set_value("case: [").run()
    assert next(b for b in found.button if b.label == "Save as a new draft").disabled
    found.text_area[0].set_value(GREEN).run()
    assert "All 1 cases green." in shown(found)
    found.text_input[0].set_value("Spring").run()
    press(found, "Save as a new draft")
    assert "without problems, its cases green" in shown(found)
    row = world.owner.execute(
        "SELECT title, drafted_by, document FROM desk.policy_versions JOIN desk.policy_cases USING (policy_version)"
    ).fetchone()
    assert row == ("Spring", "finn", GREEN)


def test_problems_of_a_version_name_their_rows(world: World) -> None:
    ledger.draft_policy(world.database, world["finn"], changed(small_policy(), "cap", window_days=None))
    found = page("finn", "draft")
    said = table(found, "what is wrong")
    assert said["what is wrong"].tolist() == ["cap: rolling_cap needs the days it counts over."]
    assert said["row"].tolist() != [""]


def test_a_made_up_case_is_tried_under_both(world: World) -> None:
    ledger.draft_policy(world.database, world["finn"], changed(small_policy(), "ceiling", value=2_000))
    found = page("lea", "try")
    found.number_input(key="try-worth").set_value(1_000.0)
    found.number_input(key="try-risk").set_value(40.0).run()
    assert not found.exception
    ceilings = [held.value["with a supervisor"].tolist()[0] for held in found.table if "alone" in held.value]
    assert ceilings == ["£20", "£100"]


def test_publishing_takes_a_second_person_and_green_cases(world: World) -> None:
    red = policy_lab.save_draft(world.database, world["finn"], small_policy(title="red"), GREEN.replace("35", "36"))
    mine = page("finn", "publish")
    assert next(b for b in mine.button if b.label == "Publish").disabled
    found = press(page("fay", "publish"), "Publish")
    assert "Any call: Expected alone £36, came out £35" in shown(found)
    assert policy_in_force(world.database, "batch").version == world.version != red
    green = policy_lab.save_draft(world.database, world["finn"], small_policy(title="green"), GREEN)
    found = press(page("fay", "publish"), "Publish")
    assert f"Version {green} is published" in shown(found)
    assert policy_in_force(world.database, "batch").version == green


def test_money_is_proposed_by_one_and_confirmed_by_another(world: World) -> None:
    found = page("finn", "budgets")
    found.text_input[0].set_value("12.50")
    found.text_input[1].set_value("a busy week")
    press(found, "Propose")
    assert "somebody else confirms it" in shown(found)
    waiting = next(one for one in policy_lab.proposals(world.database, world["fay"]) if one.confirmed_by is None)
    assert (waiting.amount, waiting.team, waiting.reason) == (1_250, "north", "a busy week")
    assert page("finn", "budgets").button(key=f"confirm-{waiting.proposal_id}").disabled
    page("fay", "budgets").button(key=f"confirm-{waiting.proposal_id}").click().run()
    assert policy_lab.budgets(world.database, world["fay"], waiting.month)[0].amount_limit in {1_250, 101_250}


def test_an_amount_that_is_none_is_refused_in_words(world: World) -> None:
    found = page("finn", "budgets")
    found.text_input[0].set_value("lots")
    found.text_input[1].set_value("because")
    press(found, "Propose")
    assert "is not an amount of GBP" in shown(found)


def test_without_a_night_the_replay_says_what_to_do(world: World) -> None:
    assert "python3 -m churn replay-log" in shown(page("lea", "replay"))


def test_a_replay_says_spend_saves_and_escalations(desk: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPLINE_DATABASE", desk.database)
    st.cache_resource.clear()
    database: Database = db.open_database(desk, size=4)
    replay_nights.prepare(desk, policy_in_force(database, "batch"), progress=lambda _: None)
    with psycopg.connect(db.admin_conninfo(desk)) as owner:
        row = owner.execute("SELECT staff_id FROM desk.staff WHERE role = 'finance' ORDER BY 1").fetchone()
    assert row is not None
    found = press(page(row[0], "replay"), "Replay")
    assert not found.exception
    text = shown(found)
    assert "0 caused, 0 avoided" in text
    assert [metric.label for metric in found.metric] == [
        "Spend under the draft", "Saves under the draft", "Margin kept under the draft",
    ]  # fmt: skip
    # Money on the screen is the replay's own, in pounds.
    state = policy_lab.replay_state(database, "batch")
    assert state is not None
    policy = policy_in_force(database, "batch")
    assert policy is not None
    since = max(state.since_on, state.until_on - timedelta(days=92))
    own = policy_lab.replay_draft(policy, policy, policy_lab.replay_calls(database, "batch", since)).draft
    assert [metric.value for metric in found.metric] == [
        f"£{own.spend().total:,.0f}", f"{own.saves().total:,.0f}", f"£{own.margin().total:,.0f}",
    ]  # fmt: skip
    database.close()
    st.cache_resource.clear()
