"""A caller's number: masked on the card, shown for a reason, and the reason kept."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn import db
from churn.calls.phone import pretty
from churn.settings import PROJECT, Settings
from tests.pages.test_desk import a_customer, shown


@pytest.fixture
def page(desk: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.setenv("KEEPLINE_DATABASE", desk.database)
    st.cache_resource.clear()
    yield AppTest.from_file(str(PROJECT / "pages/desk.py"), default_timeout=60)
    st.cache_resource.clear()


def test_the_number_is_masked_until_a_reason_is_chosen_and_the_reason_is_kept(page: AppTest, desk: Settings) -> None:
    account, phone, _ = a_customer(desk)
    page.query_params["account"] = account
    text = shown(page.run())
    assert f"number •••{phone[-3:]}" in text.replace("\\", "")
    assert pretty(phone, "GB") not in text.replace("\\", "")
    page.selectbox(key="why-phone").set_value("to check who is calling").run()
    page.button(key="show-phone").click().run()
    assert pretty(phone, "GB") in shown(page).replace("\\", "")
    with psycopg.connect(db.admin_conninfo(desk)) as connection:
        kept = connection.execute("SELECT subject, detail FROM desk.audit WHERE act = 'revealed'").fetchall()
    assert kept == [(account, {"field": "phone", "reason": "to check who is calling"})]


def test_too_many_are_refused_with_the_limit(page: AppTest, desk: Settings) -> None:
    account, _, _ = a_customer(desk)
    with psycopg.connect(db.admin_conninfo(desk)) as connection:
        connection.execute("UPDATE desk.lookup_limits SET per_minute = 1 WHERE act = 'revealed'")
    page.query_params["account"] = account
    page.run().button(key="show-phone").click().run()
    page.button(key="show-email").click().run()
    assert "more than one person may (1 a minute" in shown(page).replace("\\", "")
