"""The gate of every page: who is here, which company, what time it is, and the connection to ask through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import streamlit as st

from churn import casework, db, store
from churn.core import records
from churn.settings import Settings, read_settings

# Nothing here but the page's own measure: the caller's card begins where the eye is.
STYLE = """<style>
[data-testid="stMainBlockContainer"] {padding-top: 4.2rem; padding-bottom: 2rem;}
[data-testid="stMain"] h2, [data-testid="stMain"] h3, [data-testid="stMain"] h4 {padding: 0;}
</style>"""
PAGES = {"desk": ("Desk", ":material/support_agent:")}
ROLE_OF_STAFF = {
    "agent": "agent",
    "supervisor": "supervisor",
    "leader": "leader",
    "finance": "finance",
    "analyst": "analyst",
    "administrator": "admin",
}


@dataclass(frozen=True, slots=True)
class Session:
    """Who looks at what, when: made anew by the gate on every run."""

    database: db.Database
    company: records.Company
    staff_id: str
    staff_name: str
    role: str  # the database role's name without its prefix
    clock: datetime


def gate(page: str) -> Session:
    """Who is here, and may they see this page? Stops the run with a sentence when not."""
    title, icon = PAGES[page]
    st.set_page_config(page_title=f"{title} · Keepline", page_icon=icon, layout="wide")
    st.html(STYLE)
    database = _database()
    try:
        with database.transaction("agent") as connection:
            company = store.company(connection)
            staff = store.desk_staff(connection)
    except store.NoCompany as nobody:
        st.info(str(nobody), icon=":material/inbox:")
        st.stop()
    except psycopg.OperationalError:
        st.warning(
            "The database does not answer just now. Nothing is lost: try again in a moment.",
            icon=":material/hourglass:",
        )
        if st.button("Try again", shortcut="Alt+A"):
            st.rerun()
        st.stop()
    person = staff[0] if staff else records.Staff("desk", "Desk", "agent", None)
    return Session(database, company, person.staff_id, person.name, ROLE_OF_STAFF[person.role], datetime.now(UTC))


def models(session: Session) -> casework.Models:
    """The models in use; loaded once a version, shared by all sessions."""
    with session.database.transaction(session.role) as connection:
        versions = casework.model_versions(connection)
    return _models(versions)


def menu() -> None:
    """The menu, and the page asked for."""
    st.navigation([st.Page(f"pages/{name}.py", title=title, icon=icon) for name, (title, icon) in PAGES.items()]).run()


@st.cache_resource(show_spinner="Opening the database …", on_release=lambda database: database.close())
def _database() -> db.Database:
    settings: Settings = read_settings()
    db.create_database(settings)
    return db.open_database(settings)


@st.cache_resource(show_spinner="Loading the models …", max_entries=4)
def _models(versions: tuple[tuple[str, int], ...]) -> casework.Models:
    with _database().transaction("agent") as connection:
        return casework.load_models(connection, versions)
