"""The trends page, run by Streamlit's own test runner: empty, filled, filtered by its URL, and closed to others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import psycopg
import pyarrow as pa
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn.calls import outcomes
from churn.core.trends.drivers import Driver
from churn.core.trends.rates import monthly
from churn.settings import PROJECT, Settings
from churn.trends import trend_job
from churn.ui.trends_lists import forbidden_table, summary_html
from tests.factories import put
from tests.ledger_world import populate
from tests.pages.test_language_leader import DATA, all_unsaid
from tests.pseudo import in_brackets
from tests.trend_world import fact, many

COMPANY = (r"\b(Wales|Kent|Fibre 500)\b", *DATA)


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


@pytest.fixture
def came(owner: psycopg.Connection, database: Settings) -> Settings:
    """12 of Wales and 3 of Kent who came to cancel in July; 4 of Wales had gone after six weeks, 2 on the call."""
    populate(owner)
    fact(owner, "W0")
    called = date(2026, 7, 9)
    many(owner, "W", 6, "2026-01-05", region="Wales")
    many(owner, "V", 4, "2026-01-05", left=called + timedelta(days=45), region="Wales")
    many(owner, "U", 2, "2026-01-05", left=called, region="Wales")
    many(owner, "K", 3, "2026-01-05", region="Kent")
    for key in [*(f"W{i}" for i in range(6)), *(f"V{i}" for i in range(4)), "U0", "U1", "K0", "K1", "K2"]:
        put(owner, "contacts", customer_id=key, started_at=datetime(2026, 7, 9, 9, tzinfo=UTC), reason="cancel request")
    outcomes.settle(database, progress=lambda _: None)
    trend_job.refresh(database, progress=lambda _: None)
    return database


def save_rates(page: AppTest) -> dict[str, tuple[int, int]]:
    """Measure → (callers, kept) as the browser gets them; empty where there is no such picture."""
    for chart in page.get("vega_lite_chart"):
        for sent in chart.proto.datasets:
            frame = pa.ipc.open_stream(sent.data.data).read_pandas()
            if "kept" in frame:
                return {row.measure: (row.callers, row.kept) for row in frame.itertuples()}
    return {}


def together(owner: psycopg.Connection) -> None:
    """Saves as a night leaves them that does not tell groups apart."""
    owner.execute(
        "WITH before AS (DELETE FROM desk.trend_saves RETURNING *) "
        "INSERT INTO desk.trend_saves (month, window_days, came, deflected, is_over, saved) "
        "SELECT month, window_days, sum(came), sum(deflected), sum(is_over), sum(saved) FROM before GROUP BY 1, 2"
    )


def test_who_came_to_cancel_is_narrowed_too_and_says_so(
    came: Settings, opened: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = page_of(came, monkeypatch, "lea").run()
    wales = page_of(came, monkeypatch, "lea", regions="Wales", tenures="6 to 12 months").run()
    assert save_rates(everybody) == {
        "deflected": (15, 13), "saved, 30 days": (15, 13), "saved, 60 days": (15, 9), "saved, 90 days": (15, 9),
    }  # fmt: skip
    assert save_rates(wales) == {
        "deflected": (12, 10), "saved, 30 days": (12, 10), "saved, 60 days": (12, 6), "saved, 90 days": (12, 6),
    }  # fmt: skip
    says = (
        "Wilson. Shown: region Wales; tenure 6 to 12 months. Plan and tenure: when the day of the call began. Choose a "
        "point to see who they are."
    )
    assert says in shown(wales)
    text = shown(everybody)
    assert "Wilson. Shown: all customers. Choose a point to see who they are." in text
    assert "whatever the filters" not in text


def test_of_too_few_who_came_to_cancel_no_rate_is_shown(
    came: Settings, opened: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kent = page_of(came, monkeypatch, "lea", regions="Kent").run()
    assert "No month in which 10 customers or more came to cancel: widen the filters." in shown(kent)
    assert save_rates(kent) == {}


def test_of_too_few_no_margin_at_risk_is_shown(
    came: Settings, owner: psycopg.Connection, opened: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No scores yet" in shown(page_of(came, monkeypatch, "lea").run())
    owner.execute(
        "INSERT INTO desk.trend_risk VALUES ('Fibre 500', 'Kent', 'unknown', 9, 1, 90, 10, 5), "
        "('Fibre 500', 'Wales', 'unknown', 10, 1, 100, 20, 5)"
    )
    for regions, figures in (("Kent", []), ("Wales", ["1 of 10"])):
        page = page_of(came, monkeypatch, "lea", regions=regions).run()
        assert ("Fewer than 10 customers with a score" in shown(page)) == (not figures)
        assert [metric.value for metric in page.metric][2:] == figures


def test_before_the_night_tells_saves_apart_all_are_shown_and_none_of_a_group(
    came: Settings, owner: psycopg.Connection, opened: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    together(owner)
    assert save_rates(page_of(came, monkeypatch, "lea").run())["saved, 60 days"] == (15, 9)
    wales = page_of(came, monkeypatch, "lea", regions="Wales").run()
    assert "not added up by plan, region, segment or tenure yet: the nightly job does it" in shown(wales)
    assert save_rates(wales) == {}


def test_narrowed_saves_are_said_in_each_language(
    came: Settings, owner: psycopg.Connection, opened: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    filters = [{"regions": "Wales", "tenures": "6 to 12 months"}, {"regions": "Kent"}]
    with in_brackets():
        for narrowed in filters:
            assert all_unsaid(page_of(came, monkeypatch, "lea", **narrowed).run(), COMPANY) == []
        together(owner)
        assert all_unsaid(page_of(came, monkeypatch, "lea", **filters[0]).run(), COMPANY) == []
