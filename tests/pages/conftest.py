"""A page as somebody opens it by its URL, on the database of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn.settings import PROJECT, Settings

OpenPage = Callable[..., AppTest]


@pytest.fixture
def open_page(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenPage]:
    """`open_page("spend", "finn", view="Months")` gives the page, not run yet."""
    monkeypatch.setenv("KEEPLINE_DATABASE", database.database)
    st.cache_resource.clear()
    st.cache_data.clear()

    def of(name: str, who: str, **asked: str) -> AppTest:
        app = AppTest.from_file(str(PROJECT / f"pages/{name}.py"), default_timeout=60)
        for key, value in {"who": who, **asked}.items():
            app.query_params[key] = value
        return app

    yield of
    st.cache_resource.clear()
    st.cache_data.clear()
