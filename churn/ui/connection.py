"""What all sessions of this process share: the pool, the company, the staff; and what is said when it fails."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from churn import db, store
from churn.core import records
from churn.core.language import t
from churn.settings import Settings, read_settings

RARELY = 5  # seconds: how old a company's name or the staff list may be. Who may be here is never kept


@st.cache_resource(show_spinner=False, on_release=lambda database: database.close())
def database() -> db.Database:
    """The pool, opened once, with the newest migrations applied."""
    settings: Settings = read_settings()
    db.create_database(settings)
    return db.open_database(settings)


def company(held: db.Database) -> records.Company:
    """The company, read every few seconds. Raises NoCompany."""
    return _company(held, str(held.pool.conninfo))


def staff(held: db.Database) -> list[records.Staff]:
    """Everybody who works here, read every few seconds."""
    return _staff(held, str(held.pool.conninfo))


def tell_fault(sentence: str) -> NoReturn:
    """Say what is wrong with the surroundings, and let them try again. Nothing else is shown."""
    st.warning(sentence, icon=":material/hourglass:")
    if st.button(t("Try again"), shortcut="Alt+A"):
        st.rerun()
    st.stop()


@st.cache_data(ttl=RARELY, max_entries=8, show_spinner=False)
def _company(_database: db.Database, conninfo: str) -> records.Company:  # noqa: ARG001 - what it is kept by
    with _database.transaction("batch") as connection:
        return store.company(connection)


@st.cache_data(ttl=RARELY, max_entries=8, show_spinner=False)
def _staff(_database: db.Database, conninfo: str) -> list[records.Staff]:  # noqa: ARG001 - what it is kept by
    with _database.transaction("batch") as connection:
        return store.desk_staff(connection)
