"""The gate of every page: who is here, which company, what time it is, and the connection to ask through."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import streamlit as st

from churn import casework, db, ledger
from churn.core import records
from churn.core.grants import Session as SignedIn
from churn.core.language import mark, t
from churn.core.words import spoken
from churn.operations import faults, logs, metrics
from churn.refusals import Busy, NotSignedIn, RoleChanged, SessionEnded, Unconfirmed
from churn.ui import connection, sign_in

P = ParamSpec("P")
T = TypeVar("T")

# Nothing here but the page's own measure: the caller's card begins where the eye is. A table's own "Download as CSV"
# goes: it guards no formula and leaves no row in the audit; each page has an export that does. Captions, quotations,
# shortcuts, hints in boxes, labels of what is disabled and letters of charts are not as pale as Streamlit's (4:1 and
# less on our paper), what is chosen is in ink, and the page's name is a heading for whoever hears the page.
STYLE = """<style>
[data-testid="stElementToolbarButton"]:has(button[aria-label*="ownload"]) {display: none;}
[data-testid="stMainBlockContainer"] {padding-top: 4.2rem; padding-bottom: 2rem;}
[data-testid="stMain"] h2, [data-testid="stMain"] h3, [data-testid="stMain"] h4 {padding: 0;}
[data-testid="stCaptionContainer"], [data-testid="stMain"] blockquote, [data-testid^="stBase"] kbd {opacity: 0.8;}
[data-testid^="stBaseButton-primary"] kbd {opacity: 1;}
[data-testid="stButtonGroup"] button[aria-checked="true"] {color: inherit !important;}
[data-testid="stCaptionContainer"] h2 {font-size: inherit; font-weight: 700; line-height: inherit; margin: 0 0 1rem;}
[data-testid="stCaptionContainer"] h2 a {display: none;}
[data-testid="stWidgetLabel"] {color: inherit;}
[data-testid="stCode"] .token {color: inherit !important;}
[data-testid="stCode"] .token.keyword {font-weight: 600;}
[data-testid="stMain"] ::placeholder {color: currentColor; opacity: 0.8;}
[data-testid="stVegaLiteChart"] :is([class*="role-axis"], [class*="role-legend"]) text {fill: currentColor;}
.st-key-page_name {position: absolute; clip-path: inset(50%); height: 1px; width: 1px; overflow: hidden;}
</style>"""
ICON = "📞"  # drawn by the browser; an icon by name would be fetched from somebody else's server
# page → title, icon, who may see it
PAGES = {
    "desk": (mark("Desk"), ":material/support_agent:", ("agent", "supervisor")),
    "callbacks": (mark("Callbacks"), ":material/phone_callback:", ("agent", "supervisor")),
    "approvals": (mark("Approvals"), ":material/approval_delegation:", ("supervisor",)),
    "team": (mark("Team"), ":material/groups:", ("agent", "supervisor", "leader")),
    "trends": (mark("Trends"), ":material/trending_down:", ("leader", "finance")),
    "voice": (mark("Voice"), ":material/forum:", ("leader", "supervisor")),
    "volume": (mark("Volume"), ":material/monitoring:", ("leader", "supervisor")),
    "spend": (mark("Spend"), ":material/payments:", ("finance", "leader")),
    "policy": (mark("Policy"), ":material/rule:", ("finance", "leader")),
    "models": (mark("Models"), ":material/model_training:", ("leader", "finance", "analyst", "administrator")),
    "data": (mark("Data"), ":material/database:", ("administrator", "leader", "analyst")),
    "sources": (mark("Sources"), ":material/cable:", ("administrator",)),
    "audit": (mark("Audit"), ":material/policy:", ("administrator",)),
    "help": (mark("Help"), ":material/help:", ("agent", "supervisor", "leader", "finance", "analyst", "administrator")),
}
# The menu's headings; a page that is not named here comes last.
SECTIONS = {
    mark("Calls"): ("desk", "callbacks", "approvals"),
    mark("People"): ("team", "trends", "voice", "volume"),
    mark("Money"): ("spend", "policy"),
    mark("Models"): ("models", "data"),
    mark("Administration"): ("sources", "audit"),
    mark("Questions"): ("help",),
}
WHOM = {
    "agent": mark("agents"),
    "supervisor": mark("supervisors"),
    "leader": mark("leaders"),
    "finance": mark("finances"),
    "analyst": mark("analysts"),
    "administrator": mark("administrators"),
}
JUST_ASKED = timedelta(seconds=1)  # a fragment drawn with its page need not ask again who is here
# Who is here, from the menu to the page within one run. A page run without the menu asks for itself.
_arrived: ContextVar[sign_in.Arrival | sign_in.NotHere | None] = ContextVar("arrived", default=None)


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
    title, roles = t(PAGES[page][0]), PAGES[page][2]
    st.set_page_config(page_title=f"{title} · Keepline", page_icon=ICON, layout="wide")
    st.html(STYLE)
    st.container(key="page_name").title(title, anchor=False)  # for who listens to the page
    found = _arrived.get() or _arrive()
    _arrived.set(None)
    if isinstance(found, sign_in.NotHere):
        sign_in.show_door(found)
    sign_in.show_person(found)
    metrics.run_of(page)
    if found.person.role not in roles:
        whom = reduce(lambda first, last: t("{first} and {last}", first=first, last=last), (t(WHOM[r]) for r in roles))
        you = spoken(found.person.role)
        st.info(
            t("{page} is for {roles}; you are here as {role}.", page=title, roles=whom, role=you),
            icon=":material/lock:",
        )
        st.stop()
    return Session(found.database, found.company, found.person, found.me, datetime.now(UTC))


def fragment(
    *, run_every: float | None = None
) -> Callable[[Callable[Concatenate[Session, P], T]], Callable[Concatenate[Session, P], T]]:
    """`st.fragment` that runs only while the session stands: when it has ended, the whole page runs and says so.

    Without `run_every` it runs because somebody clicked in it, which is a sign of life; running by itself is none.
    """

    def of(function: Callable[Concatenate[Session, P], T]) -> Any:
        @st.fragment(run_every=run_every)
        @wraps(function)
        def watched(session: Session, *args: P.args, **kwargs: P.kwargs) -> T:
            if datetime.now(UTC) - session.clock > JUST_ASKED and not _stands(session, is_click=run_every is None):
                st.rerun()
            return function(session, *args, **kwargs)

        return watched

    return of


def _stands(session: Session, *, is_click: bool) -> bool:
    """Whether the session still stands; a click waits for the whole page to say what else is wrong."""
    logs.begin_request()
    if not is_click:
        return ledger.is_here(session.database, session.me)
    with suppress(NotSignedIn, SessionEnded, RoleChanged, Busy, Unconfirmed):
        ledger.person(session.database, session.me)
        return True
    return False


def models(session: Session) -> casework.Models:
    """The models in use; loaded once a version, shared by all sessions."""
    with session.database.transaction(session.me) as connection_:
        versions = casework.model_versions(connection_)
    with st.spinner(t("Loading the models …")):
        return _models(versions)


def load_models() -> None:
    """Load the models in use ahead of the first caller. What is wrong with the database each page says itself."""
    with suppress(*faults.OF_DATABASE), connection.database().transaction("batch") as connection_:
        _models(casework.model_versions(connection_))


def menu() -> None:
    """The menu of whoever is here, and the page asked for. Nobody gets no menu, and each page says why."""
    found = _arrive()
    role = found.person.role if isinstance(found, sign_in.Arrival) else None
    own = {name: _page(name) for name, (_, _, roles) in PAGES.items() if role in roles}
    others = [
        _page(name, is_hidden=True) for name in PAGES if name not in own
    ]  # a deep link finds its page's own guard
    listed: dict[str, list[Any]] = {
        t(heading): [own.pop(name) for name in names if name in own] for heading, names in SECTIONS.items()
    }
    listed[t("Other")] = [*own.values()]
    first = next((page for pages in listed.values() for page in pages), None)
    home = st.Page(lambda: _home(first), title="Keepline", default=True, visibility="hidden")
    listed = {heading: pages for heading, pages in listed.items() if pages}
    if len(listed) == 1:
        listed = {"": [page for pages in listed.values() for page in pages]}
    listed[""] = [*listed.get("", []), home, *others]
    page = st.navigation(listed, position="hidden" if role is None else "sidebar")
    _arrived.set(found)
    page.run()


def _home(first: Any) -> None:
    """Where no page was asked for: the first one of the role, with what the URL says besides."""
    found = _arrived.get()
    if isinstance(found, sign_in.NotHere):
        st.set_page_config(page_title="Keepline", page_icon=ICON, layout="wide")
        sign_in.show_door(found)
    if first is not None:
        st.switch_page(first, query_params=st.query_params.to_dict())
    if found is not None:
        sign_in.show_person(found)
    st.info(t("There is no page for your role yet."), icon=":material/inbox:")


def _arrive() -> sign_in.Arrival | sign_in.NotHere:
    logs.begin_request()
    try:
        return sign_in.arrive()
    except sign_in.NotHere as nobody:
        return nobody


def _page(name: str, *, is_hidden: bool = False) -> Any:
    title, icon, _ = PAGES[name]
    return st.Page(f"pages/{name}.py", title=t(title), icon=icon, visibility="hidden" if is_hidden else "visible")


@st.cache_resource(show_spinner=False, max_entries=4)
def _models(versions: tuple[tuple[str, int], ...]) -> casework.Models:
    with connection.database().transaction("batch") as connection_:
        return casework.load_models(connection_, versions)
