"""The sources page: from tables of their own to views in force and back, and what it says where that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from streamlit.testing.v1 import AppTest

from churn import db
from churn.core.sources import Chosen
from churn.crm import sources
from churn.settings import PROJECT, Settings
from tests.ledger_world import World, build
from tests.pages.conftest import OpenPage

PEOPLE = {"lea": "leader", "finn": "finance", "ann": "agent", "nor": "supervisor"}


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    pool = db.open_database(database, size=4)
    made = build(pool, owner)
    owner.execute("INSERT INTO desk.staff (staff_id, name, role) VALUES ('adi', 'Adi', 'administrator')")
    yield made
    pool.close()


@pytest.fixture
def pages(open_page: OpenPage) -> OpenPage:
    return lambda who: open_page("sources", who).run()


def tables(world: World, *names: str) -> None:
    """What a sync tool would have written."""
    for name in names:
        world.owner.execute((PROJECT / f"tests/sources/{name}.sql").read_text())  # type: ignore[arg-type]


def said(page: AppTest) -> str:
    assert not page.exception, [error.value for error in page.exception]
    kinds = (page.caption, page.info, page.warning, page.success, page.error, page.markdown, page.text)
    return "\n".join(str(part.value) for kind in kinds for part in kind).replace("\\", "")  # as it is read


def choose(page: AppTest, *names: str) -> AppTest:
    return page.multiselect(key="sources").set_value(list(names)).run()


@pytest.mark.parametrize("who", PEOPLE)
def test_it_is_the_administrators(world: World, pages: Any, who: str) -> None:
    assert f"Sources is for administrators; you are here as {PEOPLE[who]}" in said(pages(who))


def test_without_tables_it_says_what_to_do(world: World, pages: Any) -> None:
    told = said(pages("adi"))
    assert "let your sync tool write a schema into it" in told
    assert "In force: the views over the feed" in told


def test_the_whole_walk(world: World, pages: Any, database: Settings) -> None:
    tables(world, "salesforce", "zendesk", "stripe")
    page = choose(pages("adi"), "salesforce", "zendesk", "stripe")
    told = said(page)
    assert "Salesforce: customers; Zendesk: contacts; Stripe: subscriptions, invoices, concessions" in told
    assert "Every column is there" in told
    assert "Somebody who runs the host reads the SQL" in told
    command = "python3 -m churn source register salesforce=salesforce zendesk=zendesk stripe=stripe"
    assert command in [code.value for code in page.code]
    assert not [button for button in page.button if button.key in ("preview", "apply")]

    sources.register(database, Chosen({name: name for name in ("salesforce", "zendesk", "stripe")}), by="ops")
    page = page.run()
    assert "Registered on the host by ops" in said(page)
    assert "Look at it first" in said(page)
    page = page.button(key="preview").click().run()
    told = said(page)
    assert "Every row keeps the data contract" in told
    assert "Left out: 1 of kind invoice, which is in USD, the customer in GBP" in told
    shown = page.dataframe[0].value
    assert sorted(shown["name"]) == ["A. M.", "B. K."]
    assert set(shown["phone"].dropna()) == {"there is one"}
    assert world.owner.execute("SELECT count(*) FROM crm.customers").fetchone() == (0,)

    page = page.button(key="apply").click().run()
    assert "Say in a few words why" in said(page)
    page.text_input(key="why-apply").set_value("our own books")
    page = page.button(key="apply").click().run()
    assert "In force: Salesforce: customers" in said(page)
    assert world.owner.execute("SELECT count(*) FROM crm.customers").fetchone() == (2,)

    page.text_input(key="why-back").set_value("it was a trial")
    page = page.button(key="back").click().run()
    assert "The views are the feed's own again" in said(page)
    assert world.owner.execute("SELECT count(*) FROM crm.customers").fetchone() == (0,)
    assert list(page.dataframe[-1].value["why"]) == ["it was a trial", "our own books"]
    seen = world.owner.execute("SELECT staff_id, detail ->> 'mapping' FROM desk.audit WHERE act = 'saw'").fetchall()
    assert seen == [("adi", "1")]


def test_what_is_lacking_is_listed_at_once(world: World, pages: Any) -> None:
    tables(world, "own")
    world.owner.execute(
        "ALTER TABLE own.customer DROP COLUMN phone; DROP TABLE own.invoice; "
        "ALTER TABLE own.contact ALTER COLUMN started_at TYPE timestamp"
    )
    page = choose(pages("adi"), "own")
    assert page.dataframe[0].value.to_dict("list") == {
        "table": ["own.customer", "own.contact", "own.invoice"],
        "column": ["phone", "started_at", "the whole table"],
        "needed": ["text", "timestamptz", "table"],
        "found": ["missing", "timestamp", "missing"],
    }
    (mend,) = [code.value for code in page.code]
    world.owner.execute(mend)
    assert "Every column is there" in said(page.run())


def test_problems_stand_with_their_counts_and_what_mends_them(world: World, pages: Any, database: Settings) -> None:
    tables(world, "own")
    world.owner.execute("UPDATE own.subscription SET monthly_price = -1")
    sources.register(database, Chosen({"own": "own"}), by="ops")
    page = choose(pages("adi"), "own").button(key="preview").click().run()
    assert "1 breach of the data contract to mend" in said(page)
    (problem,) = [one.label for one in page.expander if one.label.startswith("To mend")]
    assert "2 rows have a negative price" in problem
    assert any("SET search_path = crm;\nCREATE OR REPLACE VIEW crm.subscriptions" in code.value for code in page.code)


def test_a_choice_that_makes_no_sense_is_a_sentence(world: World, pages: Any) -> None:
    tables(world, "zendesk")
    assert "cannot say who the customers are" in said(choose(pages("adi"), "zendesk"))
