"""The trends page, run by Streamlit's own test runner: empty, filled, filtered by its URL, and closed to others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pandas as pd
import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn.calls import outcomes
from churn.core.trends.drivers import Driver
from churn.core.trends.rates import monthly
from churn.settings import PROJECT, Settings
from churn.trends import trend_job
from churn.ui.trends_lists import forbidden_table, summary_html
from tests.ledger_world import populate


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def page_of(settings: Settings, monkeypatch: pytest.MonkeyPatch, who: str, **query: str) -> AppTest:
    monkeypatch.setenv("KEEPLINE_DATABASE", settings.database)
    app = AppTest.from_file(str(PROJECT / "pages/trends.py"), default_timeout=120)
    app.query_params["who"] = who
    for name, value in query.items():
        app.query_params[name] = value
    return app


def shown(page: AppTest) -> str:
    assert not page.exception
    return "\n".join(str(part.value) for part in [*page.markdown, *page.caption, *page.info, *page.warning])


def test_before_the_first_night_it_says_what_to_do(
    database: Settings, owner: psycopg.Connection, opened: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(owner)
    assert "python3 -m churn trends" in shown(page_of(database, monkeypatch, "lea").run())


def test_it_is_for_leaders_and_finance(
    database: Settings, owner: psycopg.Connection, opened: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(owner)
    assert "Trends is for leaders and finances; you are here as agent." in shown(
        page_of(database, monkeypatch, "ann").run()
    )


@pytest.mark.parametrize("who", ["O01", "O03"])
def test_a_leader_and_finance_see_every_picture(
    desk: Settings, opened: None, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    outcomes.settle(desk, progress=lambda _: None)
    trend_job.refresh(desk, progress=lambda _: None)
    page = page_of(desk, monkeypatch, who).run()
    text = shown(page)
    assert len(page.get("vega_lite_chart")) == 6
    assert "Rate: customers who left in the month over customers live when it began" in text
    assert "Log-rank test over the groups shown" in text
    assert "Held out: the model’s last test" in text
    assert [metric.label for metric in page.metric] == ["At risk", "90 % between", "Expected to leave"]
    assert "No decision of the last 180 days" in text


def test_filters_come_from_the_url_and_narrow_the_figures(
    desk: Settings, opened: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trend_job.refresh(desk, progress=lambda _: None)
    everybody = page_of(desk, monkeypatch, "O01").run()
    some = page_of(desk, monkeypatch, "O01", plans="Fibre 80", by="region").run()
    assert "plan Fibre 80" in shown(some)
    assert some.metric[0].value != everybody.metric[0].value
    assert some.multiselect(key="plans").value == ["Fibre 80"]


def test_the_page_to_print_holds_the_rates_and_no_code_of_others() -> None:
    rows = pd.DataFrame({"month": [date(2026, 1, 1)], "live": 1_000, "voluntary": 20, "involuntary": 2, "moved": 1})
    rows["month"] = pd.to_datetime(rows["month"])
    driver = Driver("bill_<b>change", "Bill.", "money", 1.0, 2.0, 0.012, 0.004, 0.001, 900)
    made = summary_html(
        "Acme <script>", "GBP", "today", rates=monthly(rows), risk=(1_000.0, 800.0, 1_200.0), kept=pd.DataFrame(),
        drivers=[driver], forbidden=[],
    )  # fmt: skip
    assert "2.00% (1.30% to 3.07%)" in made
    assert "£1,000" in made
    assert "+1.2 points" in made
    assert "<script" not in made
    assert "<b>change" not in made


def test_what_policy_forbids_is_listed_in_major_units() -> None:
    row = {
        "customer_id": "C1", "decided_at": datetime(2026, 11, 1, tzinfo=UTC), "reason": "Enough.", "allowed": 1_000,
        "best": 5_050, "is_at_least": True, "worth": 90_000,
    }  # fmt: skip
    frame = forbidden_table([row], "GBP")
    assert frame.iloc[0].to_list() == ["C1", date(2026, 11, 1), "Enough.", 10.0, "at least £50.50", 900.0]
