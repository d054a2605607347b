"""The gate of every page: who is here, which company, what time it is, and the connection to ask through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import streamlit as st

from churn import casework, db, ledger, store
from churn.core import records
from churn.core.grants import Session as SignedIn
from churn.refusals import NotSignedIn, PersonUnknown, RoleChanged, SessionEnded
from churn.settings import Settings, read_settings

# Nothing here but the page's own measure: the caller's card begins where the eye is.
STYLE = """<style>
[data-testid="stMainBlockContainer"] {padding-top: 4.2rem; padding-bottom: 2rem;}
[data-testid="stMain"] h2, [data-testid="stMain"] h3, [data-testid="stMain"] h4 {padding: 0;}
</style>"""
PAGES = {
    "desk": ("Desk", ":material/support_agent:", ("agent", "supervisor")),
    "callbacks": ("Callbacks", ":material/phone_callback:", ("agent", "supervisor")),
    "approvals": ("Approvals", ":material/approval_delegation:", ("supervisor",)),
}


@dataclass(frozen=True, slots=True)
class Session:
    """Who looks at what, when: made anew by the gate on every run."""

    database: db.Database
    company: records.Company
    person: records.Staff
    me: SignedIn  # what the database knows the person by: whoever reads or acts through it
    clock: datetime

    @property
    def staff_id(self) -> str:
        """The person's key."""
        return self.person.staff_id


def gate(page: str) -> Session:
    """Who is here, and may they see this page? Stops the run with a sentence when not."""
    title, icon, roles = PAGES[page]
    st.set_page_config(page_title=f"{title} · Keepline", page_icon=icon, layout="wide")
    st.html(STYLE)
    database = _database()
    try:
        with database.transaction("agent") as connection:
            company = store.company(connection)
            staff = store.desk_staff(connection)
        person = _who(staff)
        me = _signed_in(database, person)
    except store.NoCompany as nobody:
        st.info(str(nobody), icon=":material/inbox:")
        st.stop()
    except PersonUnknown as nobody:
        st.info(str(nobody), icon=":material/person_off:")
        st.stop()
    except psycopg.OperationalError:
        st.warning(
            "The database does not answer just now. Nothing is lost: try again in a moment.",
            icon=":material/hourglass:",
        )
        if st.button("Try again", shortcut="Alt+A"):
            st.rerun()
        st.stop()
    if person.role not in roles:
        whom = " and ".join(f"{role}s" for role in roles)
        st.info(f"{title} is for {whom}; you are here as {person.role}.", icon=":material/lock:")
        st.stop()
    return Session(database, company, person, me, datetime.now(UTC))


def _who(staff: list[records.Staff]) -> records.Staff:
    """Local mode: the person picked in the sidebar."""
    if not staff:
        raise PersonUnknown("Nobody is in the staff list yet: `python3 -m churn staff` adds people.")
    names = {person.staff_id: f"{person.name} · {person.role}" for person in staff}
    before = st.session_state.get("person") or st.query_params.get("who")  # the page before, or the URL
    with st.sidebar:
        st.caption("Local mode: no sign-in, this machine only.")
        chosen = st.selectbox(
            "You are",
            list(names),
            index=list(names).index(before) if before in names else 0,
            format_func=names.__getitem__,
            key="who",
            on_change=_chosen,
        )
    st.session_state["person"] = chosen
    return next(person for person in staff if person.staff_id == chosen)


def _chosen() -> None:
    st.query_params["who"] = st.session_state["who"]  # a reload finds the same person


def _signed_in(database: db.Database, person: records.Staff) -> SignedIn:
    """The session of this person in this browser tab, opened anew when it has ended. Raises PersonUnknown."""
    held: SignedIn | None = st.session_state.get("grants")
    if held is not None and held.staff_id == person.staff_id:
        try:
            ledger.person(database, held)
        except (NotSignedIn, SessionEnded, RoleChanged):
            st.session_state.pop("grants")
        else:
            return held
    fresh = ledger.open_session(database, person.staff_id)
    st.session_state["grants"] = fresh
    return fresh


def models(session: Session) -> casework.Models:
    """The models in use; loaded once a version, shared by all sessions."""
    with session.database.transaction(session.me) as connection:
        versions = casework.model_versions(connection)
    return _models(versions)


def menu() -> None:
    """The menu, and the page asked for."""
    st.navigation(
        [st.Page(f"pages/{name}.py", title=title, icon=icon) for name, (title, icon, _) in PAGES.items()]
    ).run()


@st.cache_resource(show_spinner="Opening the database …", on_release=lambda database: database.close())
def _database() -> db.Database:
    settings: Settings = read_settings()
    db.create_database(settings)
    return db.open_database(settings)


@st.cache_resource(show_spinner="Loading the models …", max_entries=4)
def _models(versions: tuple[tuple[str, int], ...]) -> casework.Models:
    with _database().transaction("agent") as connection:
        return casework.load_models(connection, versions)
