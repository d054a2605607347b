"""The page Help: everybody's own guide, a tour of the simulated company only, words, and documents for who may see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from churn import db
from churn.settings import Settings
from tests.ledger_world import World, add_office, build
from tests.pages.conftest import OpenPage
from tests.pseudo import in_brackets, unsaid

PEOPLE = {
    "ann": "agent",
    "nor": "supervisor",
    "lea": "leader",
    "finn": "finance",
    "ana": "analyst",
    "adi": "administrator",
}
FIRST = {
    "ann": "Your page is **Desk**", "nor": "**Approvals** is the page to leave open", "lea": "**Trends**, **Voice**",
    "finn": "**Spend** is what the money did", "ana": "**Models** says whether", "adi": "**Sources** brings a company",
}  # fmt: skip


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    pool = db.open_database(database, size=4)
    made = build(pool, owner)
    add_office(owner)
    yield made
    pool.close()


@pytest.fixture
def pages(open_page: OpenPage) -> OpenPage:
    return lambda who, **state: open_page("help", who, **state).run()


def said(page: AppTest) -> str:
    assert not page.exception, [error.value for error in page.exception]
    kinds = (page.caption, page.info, page.warning, page.markdown)
    return "\n".join(str(part.value) for kind in kinds for part in kind).replace("\\", "")


def links(page: AppTest) -> dict[str, str]:
    return {one.proto.label: one.proto.url for one in page.get("link_button")}


@pytest.mark.parametrize("who", PEOPLE)
def test_everybody_reads_the_guide_of_their_own_role(world: World, pages: Any, who: str) -> None:
    page = pages(who)
    assert FIRST[who] in said(page)
    assert len(page.get("image")) in (1, 2)


def test_a_guide_is_read_in_ones_own_language(world: World, pages: Any) -> None:
    page = pages("ann")
    page.selectbox(key="language_picked").set_value("de").run()
    assert "Ihre Seite ist **Platz**" in said(page)


def test_a_word_is_found_and_one_that_is_not_there_is_said(world: World, pages: Any) -> None:
    page = pages("ann", view="Glossary")
    assert len(page.dataframe[0].value) > 75
    page.text_input(key="word").set_value("bindende").run()
    assert list(page.dataframe[0].value["word"]) == ["binding limit"]
    assert "1 word of" in said(page)
    page.text_input(key="word").set_value("xyzzy").run()
    assert "No word of the glossary has that in it." in said(page)


def test_without_a_caller_of_that_kind_the_tour_says_so_and_goes_on(world: World, pages: Any) -> None:
    page = pages("ann", view="Tour")
    assert "Nobody of the kind the tour wants has called lately" in said(page)
    assert links(page) == {
        "Approvals": "./approvals?who=ned", "Team": "./team?who=ned", "Churn by plan": "./trends?by=plan&who=lea",
        "Worth having": "./voice?view=Worth+having&who=lea", "Return": "./spend?view=Return&who=fay",
        "Try a case": "./policy?view=Try+a+case&who=fay",
    }  # fmt: skip


def test_a_real_company_has_no_tour(world: World, pages: Any) -> None:
    world.owner.execute("UPDATE desk.company SET source = 'files'")
    page = pages("ann", view="Tour")
    assert "The tour is of the simulated company; here real customers ring." in said(page)
    assert links(page) == {}


@pytest.mark.parametrize(
    ("who", "files"),
    [("ann", []), ("nor", []), ("finn", ["policy-handbook"]), ("lea", ["policy-handbook"]), ("ana", []), ("adi", [])],
)
def test_documents_are_for_who_may_see_policy_or_models(world: World, pages: Any, who: str, files: list[str]) -> None:
    page = pages(who, view="Documents")
    offered = [one.proto.label for one in page.get("download_button")]
    assert offered == ["To print (HTML)", "As text (Markdown)"] * len(files)
    assert ("No model is in use yet." in said(page)) == (
        PEOPLE[who] in ("leader", "finance", "analyst", "administrator")
    )


@pytest.mark.parametrize(
    ("who", "view"), [("ann", "guide"), ("ann", "tour"), ("ann", "glossary"), ("lea", "documents")]
)
def test_nothing_is_said_past_the_language(world: World, pages: Any, who: str, view: str) -> None:
    """The guide is a document of its own."""
    with in_brackets():
        page = pages(who, view=f"⟦{view.capitalize()}⟧")
        assert not page.exception
        outside = [
            entry
            for entry in unsaid(page, data=[r"\w+ · ", "English", "Deutsch", r"[\w-]+\.(md|html)$"])
            if view != "guide"
        ]
    assert outside == []
