"""The gate with sign-in switched on: each state of a session, and what is shown when something fails."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn import db, ledger, people
from churn.operations import faults
from churn.settings import PROJECT, Settings
from tests.ledger_world import populate

AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "x" * 40,
    "client_id": "a",
    "client_secret": "b",
    "server_metadata_url": "http://127.0.0.1:9/",
}
WHO = "nor@desk.example"


@pytest.fixture
def page(database: Settings, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The supervisors' page; nor is signed in with the company."""
    populate(owner)
    owner.execute("UPDATE desk.staff SET sign_in = %s WHERE staff_id = 'nor'", [WHO])
    monkeypatch.setenv("KEEPLINE_DATABASE", database.database)
    st.cache_resource.clear()
    made = AppTest.from_file(str(PROJECT / "pages/approvals.py"), default_timeout=60)
    made.secrets["auth"] = AUTH
    made.user = {"is_logged_in": True, "email": WHO, "iat": int(time.time()), "name": "Nor"}
    yield made
    st.cache_resource.clear()


def shown(page: AppTest) -> str:
    assert not page.exception
    return "\n".join(
        str(part.value) for part in [*page.markdown, *page.caption, *page.info, *page.warning, *page.error]
    )


def is_in(page: AppTest) -> bool:
    return "Nobody waits for an answer" in shown(page)


def is_at_the_door(page: AppTest, words: str) -> bool:
    """Whether there is a sentence, a way to sign in, and nothing else."""
    held = [*page.main.children.values()]
    labels = [button.label for button in page.button]
    return words in shown(page) and labels == ["Sign in"] and len(held) <= 4


def test_whom_the_provider_vouches_for_is_in(page: AppTest) -> None:
    assert is_in(page.run())
    assert "Nor · supervisor" in shown(page)
    assert "who" not in page.session_state  # no picker of persons


def test_without_signing_in_there_is_the_door(page: AppTest) -> None:
    page.user = {"is_logged_in": False}
    assert is_at_the_door(page.run(), "Sign in with your company's account")


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"email": "nobody@desk.example"}, "not a person who may use this desk"),
        ({"email": None}, "does not say who you are"),
        ({"email_verified": False}, "not verified"),
        ({"iat": None}, "when it was given"),
        ({"iat": int(time.time()) - 13 * 3600}, "session has ended"),
        ({"iat": int(time.time()) + 7200}, "session has ended"),
    ],
)
def test_a_sign_in_that_is_no_good_is_told_why(page: AppTest, user: dict[str, object], words: str) -> None:
    page.user = page.user | user
    assert is_at_the_door(page.run(), words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE desk.sessions SET last_seen_at = now() - interval '31 minutes'", "session has ended"),
        ("UPDATE desk.sessions SET expires_at = now() - interval '1 second'", "session has ended"),
        ("UPDATE desk.sessions SET revoked_at = now()", "session has ended"),
        ("UPDATE desk.staff SET role = 'agent' WHERE staff_id = 'nor'", "role has changed"),
        ("UPDATE desk.staff SET is_active = false WHERE staff_id = 'nor'", "role has changed"),
    ],
)
def test_a_session_that_ends_ends_on_the_next_run(
    page: AppTest, owner: psycopg.Connection, change: str, words: str
) -> None:
    assert is_in(page.run())
    owner.execute(change)  # type: ignore[call-overload]
    for _ in range(2):  # and stays ended, however often the page runs
        assert is_at_the_door(page.run(), words)


def test_signing_out_in_another_tab_ends_this_one_and_a_fresh_one(page: AppTest, database: Settings) -> None:
    assert is_in(page.run())
    app = db.open_database(database, size=1)
    ledger.sign_out(app, page.session_state["grants"])
    app.close()
    assert is_at_the_door(page.run(), "session has ended")
    del page.session_state["grants"]  # a new tab with the same cookie
    assert is_at_the_door(page.run(), "session has ended")


def test_a_role_from_the_claims_is_taken_each_time(page: AppTest, owner: psycopg.Connection) -> None:
    page.secrets["keepline"] = {"role_claim": "groups", "roles": {"KL-Leads": "supervisor"}}
    page.user = page.user | {"email": "new@desk.example", "groups": ["KL-Leads", "staff"], "name": "New One"}
    assert is_in(page.run())
    row = owner.execute("SELECT role, name FROM desk.staff WHERE sign_in = 'new@desk.example'").fetchone()
    assert row == ("supervisor", "New One")


def test_a_page_of_another_role_is_refused(page: AppTest, database: Settings) -> None:
    app = db.open_database(database, size=1)
    people.change(app, "ann", sign_in="ann@desk.example")
    app.close()
    page.user = page.user | {"email": "ann@desk.example"}
    assert "Approvals is for supervisors; you are here as agent." in shown(page.run())


@pytest.mark.parametrize("change", [{"cookie_secret": "short"}, {"redirect_uri": "http://desk.example/oauth2callback"}])
def test_secrets_that_are_not_safe_close_the_door(page: AppTest, change: dict[str, str]) -> None:
    page.secrets["auth"] = AUTH | change
    assert "Sign-in is not set up as it must be" in shown(page.run())
    assert not is_in(page)


def test_a_database_that_is_away_is_one_sentence_and_comes_back(page: AppTest, database: Settings) -> None:
    from tests.faults.test_database import away

    assert is_in(page.run())
    with away(database):
        assert "ry again in a moment." in shown(page.run())
        assert [button.label for button in page.button] == ["Try again"]
    assert is_in(page.button[0].click().run())


def test_a_server_that_only_reads_is_one_sentence(page: AppTest, database: Settings, owner: psycopg.Connection) -> None:
    assert is_in(page.run())
    owner.execute("UPDATE desk.sessions SET last_seen_at = now() - interval '5 minutes'")
    name = psycopg.sql.Identifier(database.database)
    owner.execute(psycopg.sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
    st.cache_resource.clear()  # connections begun from now on read only
    try:
        page.run()
        said = shown(page)
    finally:
        owner.execute("SET default_transaction_read_only = off")
        owner.execute(psycopg.sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
    assert "takes no changes just now" in said


def failing() -> None:
    """A page that meets an error of ours."""
    from churn.ui.errors import show_error

    show_error(ValueError("Zaphod +447700900123"))


def slow() -> None:
    """A page whose read was given up."""
    import psycopg as driver

    from churn.ui.errors import show_error

    show_error(driver.errors.QueryCanceled("SELECT 'Zaphod'"))


def test_an_error_of_ours_is_one_sentence_and_a_number() -> None:
    page = AppTest.from_function(failing).run()
    (said,) = [part.value for part in page.error]
    assert "Something went wrong on our side" in said
    assert len(said.rsplit("**", 2)[1]) == 12
    assert "Zaphod" not in said


def test_a_read_that_took_too_long_is_said_as_such() -> None:
    page = AppTest.from_function(slow).run()
    assert faults.SLOW[:40] in page.warning[0].value.replace("\\", "")
    assert not page.error


@pytest.mark.parametrize("who", ["ann", "nobody-[x](y)"])
def test_a_link_of_somebody_who_does_not_work_here_says_so_and_who_is_shown_instead(
    page: AppTest, owner: psycopg.Connection, who: str
) -> None:
    owner.execute("UPDATE desk.staff SET is_active = false WHERE staff_id = 'ann'")
    page.secrets = {}
    page.query_params["who"] = who
    page.run()
    shown_now = page.selectbox(key="who")
    assert len(page.sidebar.warning) == 1
    said = page.sidebar.warning[0].value.replace("\\", "")
    assert said == f"{who} does not work here (any more). Until you choose, you are {shown_now.options[0]}."
    page.run()
    assert len(page.sidebar.warning) == 1  # a click elsewhere does not make them somebody else
    page.selectbox(key="who").set_value("nor").run()
    assert not page.sidebar.warning
    assert page.query_params["who"] == "nor"
