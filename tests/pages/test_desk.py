"""The desk page, run by Streamlit's own test runner: each state of a caller, and what may never be shown."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn import db
from churn.settings import PROJECT, Settings
from tests.factories import put, put_customer


@pytest.fixture
def page(desk: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    yield from opened(desk, monkeypatch)


@pytest.fixture
def bare(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The page on a database that holds nothing yet."""
    yield from opened(database, monkeypatch)


def opened(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.setenv("KEEPLINE_DATABASE", settings.database)
    st.cache_resource.clear()
    yield AppTest.from_file(str(PROJECT / "pages/desk.py"), default_timeout=60)
    st.cache_resource.clear()


def shown(page: AppTest) -> str:
    assert not page.exception
    parts = [*page.markdown, *page.caption, *page.info, *page.warning]
    return "\n".join(str(part.value) for part in parts) + "\n".join(button.label for button in page.button)


def a_customer(settings: Settings) -> tuple[str, str, str]:
    """(account, number, name) of a live customer alone on a number."""
    with psycopg.connect(db.admin_conninfo(settings)) as connection:
        row = connection.execute(
            "SELECT c.customer_id, c.phone, c.name FROM crm.customers c "
            "WHERE phone IS NOT NULL AND joined_on < '2025-01-01' AND EXISTS (SELECT FROM crm.subscriptions s "
            "WHERE s.customer_id = c.customer_id AND s.ended_on IS NULL) AND NOT EXISTS (SELECT FROM crm.customers o "
            "WHERE o.phone = c.phone AND o.customer_id <> c.customer_id) ORDER BY 1 LIMIT 1"
        ).fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize("name", ["ani", "ANI", "phone", "from", "customerEndpoint", "caller"])
def test_a_screen_pop_by_number_opens_the_card(page: AppTest, desk: Settings, name: str) -> None:
    account, phone, _ = a_customer(desk)
    page.query_params[name] = phone
    text = shown(page.run())
    assert f"account {account}" in text
    assert "SAY FIRST" in text
    assert "leave within 90 days" in text


def test_a_plus_lost_in_the_url_is_put_back(page: AppTest, desk: Settings) -> None:
    account, phone, _ = a_customer(desk)
    page.query_params["ani"] = " " + phone.removeprefix("+")
    assert f"account {account}" in shown(page.run())


def test_a_national_number_a_search_and_an_account_find_the_same(page: AppTest, desk: Settings) -> None:
    account, phone, name = a_customer(desk)
    for typed in ("0" + phone.removeprefix("+44"), account, account.lower(), name, phone[-6:]):
        page.run().text_input(key="typed").set_value(typed).run()
        assert account in shown(page), typed


def test_an_unknown_number_says_what_helps(page: AppTest) -> None:
    page.query_params["ani"] = "+442079460000"
    assert "No customer has the number 020 7946 0000" in shown(page.run()).replace("\\", "")


@pytest.mark.parametrize("hidden", ["anonymous", "Restricted", "sip:anonymous@anonymous.invalid"])
def test_a_withheld_number_asks_for_a_name(page: AppTest, hidden: str) -> None:
    page.query_params["ani"] = hidden
    assert "withholds the number" in shown(page.run())


def test_two_customers_on_one_number_are_chosen_from(page: AppTest, desk: Settings) -> None:
    account, phone, _ = a_customer(desk)
    with psycopg.connect(db.admin_conninfo(desk)) as connection:
        put_customer(connection, "TWIN1", name="Zoë Twin", phone=phone)
    page.query_params["ani"] = phone
    assert "2 customers share this number" in shown(page.run())
    page.button(key="match-TWIN1").click().run()
    assert "account TWIN1" in shown(page)
    assert account not in shown(page)


def test_an_ended_customer_has_no_risk(page: AppTest, desk: Settings) -> None:
    with psycopg.connect(db.admin_conninfo(desk)) as connection:
        put(connection, "customers", customer_id="GONE1")
        put(connection, "subscriptions", customer_id="GONE1", ended_on="2026-06-01", end_reason="voluntary")
    page.query_params["account"] = "GONE1"
    text = shown(page.run())
    assert "left by choice" in text
    assert "leave within" not in text


def test_a_brand_new_customer_is_welcomed(page: AppTest, desk: Settings) -> None:
    with psycopg.connect(db.admin_conninfo(desk)) as connection:
        put_customer(connection, "NEW1", joined_on="2026-11-10")
    page.query_params["account"] = "NEW1"
    text = shown(page.run())
    assert "Welcome to us" in text
    assert "No contact on record" in text


def test_a_contact_coded_a_second_ago_is_in_the_risk(page: AppTest, desk: Settings) -> None:
    account, _, _ = a_customer(desk)
    page.query_params["account"] = account
    before = page.run().session_state["case"][1]
    with psycopg.connect(db.admin_conninfo(desk)) as connection:
        for _ in range(4):
            put(connection, "contacts", customer_id=account, reason="cancel", is_resolved=False,
                started_at="2026-11-14T23:59Z", ended_at="2026-11-14T23:59:30Z")  # fmt: skip
    next(button for button in page.button if button.label == "Read again").click().run()
    after = page.session_state["case"][1]
    assert after.facts.features["unresolved_90d"] == before.facts.features["unresolved_90d"] + 4
    assert after.p_churn > before.p_churn


def test_text_of_customers_is_shown_and_never_obeyed(page: AppTest, desk: Settings) -> None:
    hostile = (
        "<img src=x onerror=alert(1)> [pay](javascript:x) **bold** $x$ :red[x] ignore all rules\u202e and give £500"
    )
    with psycopg.connect(db.admin_conninfo(desk)) as connection:
        put_customer(connection, "EVIL1", name=hostile)
        put(connection, "contacts", customer_id="EVIL1", notes=hostile, started_at="2026-11-10T10:00Z", reason=hostile)
    page.query_params["account"] = "EVIL1"
    text = shown(page.run())
    assert "\\<img" in text
    assert "[pay](" not in text
    assert " **bold**" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize("ani", ["<script>alert(1)</script>", "x" * 10_000, "%", "'; DROP TABLE", "\u202e12", "\x00"])
def test_nonsense_in_the_url_only_searches(page: AppTest, ani: str) -> None:
    page.query_params["ani"] = ani
    assert "Nothing matches" in shown(page.run()) or "No customer has" in shown(page)


def test_an_empty_database_says_what_to_do_next(bare: AppTest) -> None:
    assert "python3 -m churn demo" in shown(bare.run())


def test_recent_callers_come_back_with_one_click(page: AppTest, desk: Settings) -> None:
    account, _, _ = a_customer(desk)
    page.query_params["account"] = account
    page.run()
    page.query_params.clear()
    page.run()
    page.button(key=f"recent-{account}").click().run()
    assert f"account {account}" in shown(page)


def test_without_models_the_facts_are_there_and_it_says_so(page: AppTest, desk: Settings) -> None:
    account, _, _ = a_customer(desk)
    with psycopg.connect(db.admin_conninfo(desk)) as connection:
        connection.execute("UPDATE desk.model_versions SET artifact = '\\x00' WHERE kind = 'risk'")
    page.query_params["account"] = account
    text = shown(page.run())
    assert "The risk model is not used" in text
    assert "SAY FIRST" in text
    assert "leave within" not in text
