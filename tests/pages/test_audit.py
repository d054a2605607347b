"""The audit page: what an administrator sees, finds and verifies."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn import audit, db
from churn.settings import PROJECT, Settings
from churn.ui.gate import Session
from churn.ui.takeaway import written_down
from tests.ledger_world import World, build
from tests.pages.conftest import OpenPage


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    pool = db.open_database(database, size=4)
    made = build(pool, owner)
    owner.execute("INSERT INTO desk.staff (staff_id, name, role) VALUES ('adi', 'Adi', 'administrator')")
    made.give("ann", "C1", 1_000)
    yield made
    pool.close()


@pytest.fixture
def page(open_page: OpenPage) -> AppTest:
    return open_page("audit", "adi")


def said(page: AppTest) -> str:
    assert not page.exception
    kinds = (page.caption, page.info, page.warning, page.success, page.error)
    return "\n".join(str(part.value) for kind in kinds for part in kind)


def test_a_grant_is_found_by_its_giver(world: World, page: AppTest) -> None:
    page.run().selectbox(key="person_asked").set_value("ann").run()
    (table,) = page.dataframe
    assert [tuple(row) for row in table.value[["who", "did", "about", "key"]].to_numpy()][:1] == [
        ("ann", "gave", "customer", "C1")
    ]
    page.selectbox(key="act").set_value("revealed").run()
    assert "Nothing was done, seen or refused like that" in said(page)


def test_a_changed_row_is_named_on_the_page(world: World, page: AppTest) -> None:
    assert "Nothing is sealed yet" in said(page.run())
    audit.seal(world.database)
    page.run()
    (button,) = [one for one in page.button if one.label == "Verify every seal"]
    button.click().run()
    assert "Every sealed row is as it was" in said(page)
    with world.owner.transaction():
        world.owner.execute("ALTER TABLE desk.ledger DISABLE TRIGGER USER")
        world.owner.execute("UPDATE desk.ledger SET amount = 1")
    (button,) = [one for one in page.run().button if one.label == "Verify every seal"]
    button.click().run()
    assert "ledger row 1: this row was changed" in said(page)


def test_nobody_else_reads_it(world: World, page: AppTest) -> None:
    for staff_id in ("ann", "nor", "lea", "finn"):
        page.query_params["who"] = staff_id
        st.cache_resource.clear()
        other = AppTest.from_file(str(PROJECT / "pages/audit.py"), default_timeout=60)
        other.query_params["who"] = staff_id
        assert "Audit is for administrators" in said(other.run())
        assert not other.dataframe


def test_an_export_stands_in_the_audit_before_its_bytes_are_made(world: World) -> None:
    me = world["lea"]
    session = Session(world.database, company=None, person=None, me=me, clock=datetime.now(UTC))  # type: ignore[arg-type]  # the piece asks only who takes what

    def rows() -> list[tuple[str, str, dict[str, object]]]:
        return world.owner.execute("SELECT staff_id, subject, detail FROM desk.audit WHERE act = 'exported'").fetchall()

    seen: list[int] = []
    taken = written_down(session, "voice", "league", lambda: (seen.append(len(rows())), b"bytes")[1], rows=3)
    assert rows() == []  # a button drawn is nothing taken
    assert taken() == b"bytes"
    assert seen == [1]
    assert rows() == [(me.staff_id, "voice", {"what": "league", "rows": 3})]


def test_every_download_of_a_page_is_written_down() -> None:
    """A file leaves only through a piece that notes it first: the only data a download button takes."""
    buttons = 0
    for path in sorted((PROJECT / "churn/ui").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "download_button":
                buttons += 1
                data = next((word.value for word in node.keywords if word.arg == "data"), None) or node.args[1]
                made = ast.unparse(data)
                assert made.startswith("written_down(") or "spend_export.exported" in made, f"{path.name}: {made}"
    assert buttons >= 6
