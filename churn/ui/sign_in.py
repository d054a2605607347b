"""Who is here: signed in by the company's OpenID provider, or in local mode picked from the staff list.

Streamlit's own sign-in is a cookie of thirty days that nobody can take back. So each browser tab has a session of ours
(half an hour idle, twelve hours at most, ended by signing out in any tab), asked for on every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st

from churn import db, ledger, store
from churn.core import records
from churn.core.grants import Session
from churn.core.language import t
from churn.core.words import spoken
from churn.operations import faults
from churn.refusals import Busy, NotSignedIn, PersonUnknown, ReadOnly, RoleChanged, SessionEnded, Unconfirmed
from churn.ui import connection, speech
from churn.ui.pieces import plain
from churn.web import identity

GRANTS = "grants"  # where a tab keeps its session


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who may be here."""

    database: db.Database
    company: records.Company
    person: records.Staff
    me: Session


class NotHere(Exception):
    """Nobody may be shown anything; the message says why. `can_sign_in`: whether signing in would help."""

    def __init__(self, sentence: str, *, can_sign_in: bool = False, is_fault: bool = False) -> None:
        super().__init__(sentence)
        self.can_sign_in, self.is_fault = can_sign_in, is_fault


def arrive() -> Arrival:
    """Who is here, asked of the database anew. Raises NotHere."""
    settings = provider()
    if settings is None:
        _only_this_machine()
    try:
        database = connection.database()
        company = connection.company(database)
        me = _local(database) if settings is None else _signed_in(database, settings)
        name = next((one.name for one in connection.staff(database) if one.staff_id == me.staff_id), me.staff_id)
    except store.NoCompany as nobody:
        raise NotHere(str(nobody)) from None
    except (PersonUnknown, identity.BadClaims) as nobody:
        raise NotHere(str(nobody), can_sign_in=settings is not None) from None
    except (NotSignedIn, SessionEnded, RoleChanged) as ended:  # the ended one stays: only the provider gives another
        raise NotHere(str(ended), can_sign_in=True) from None
    except (Busy, ReadOnly, Unconfirmed) as busy:
        raise NotHere(str(busy), is_fault=True) from None
    except faults.OF_DATABASE as error:
        sentence = faults.sentence_of(error)
        if sentence is None:
            raise
        raise NotHere(sentence, is_fault=True) from None
    return Arrival(database, company, records.Staff(me.staff_id, name, me.role, me.team), me)


def provider() -> identity.Provider | None:
    """The provider of the secrets file; None: local mode. Raises NotHere where the file is of no use."""
    try:
        if st.secrets.load_if_toml_exists():
            return identity.provider(st.secrets.to_dict())
    except identity.BadSecrets as wrong:
        raise NotHere(f"{t('Sign-in is not set up as it must be.')} {wrong}") from None
    files = [Path(name) for name in st.get_option("secrets.files")]
    if any(path.is_file() for path in files):
        raise NotHere(t("Sign-in is not set up as it must be: the secrets file cannot be read."))
    return None


def show_door(nobody: NotHere) -> NoReturn:
    """The page of somebody who may not be here: why, and the way in. Nothing else is rendered."""
    if nobody.is_fault:
        connection.tell_fault(str(nobody))
    st.title("Keepline", anchor=False)
    st.info(str(nobody), icon=":material/lock:")
    if nobody.can_sign_in:
        settings = provider()
        if settings is None:
            if st.button(t("Go on"), type="primary"):
                st.rerun()
        elif st.button(t("Sign in"), type="primary", icon=":material/login:", key="sign_in"):
            st.login(settings.name)
    st.stop()


def show_person(arrival: Arrival) -> None:
    """In the sidebar: the language one reads, who one is, and the way out."""
    speech.pick()
    if provider() is None:
        return
    with st.sidebar:
        st.caption(f"{arrival.person.name} · {spoken(arrival.person.role)}")
        if st.button(t("Sign out"), icon=":material/logout:", key="sign_out"):
            with suppress(NotSignedIn):
                ledger.sign_out(arrival.database, arrival.me)
            st.session_state.clear()
            st.logout()
            st.stop()


def _signed_in(database: db.Database, settings: identity.Provider) -> Session:
    """The session of whom the provider vouches for, opened once a tab. Raises NotHere, PersonUnknown, SessionEnded …"""
    user: Mapping[str, Any] = st.user.to_dict()
    held: Session | None = st.session_state.get(GRANTS)
    if not user.get("is_logged_in"):
        st.session_state.pop(GRANTS, None)
        raise NotHere(t("Sign in with your company's account to go on."), can_sign_in=True)
    if held is not None:
        return replace(held, team=ledger.person(database, held).team)
    who = identity.claimed(user, settings)
    fresh = ledger.sign_in(
        database, subject=who.subject, issued_at=who.issued_at, name=who.name, role=who.role, team=who.team
    )
    st.session_state[GRANTS] = fresh
    return fresh


def _only_this_machine() -> None:
    reason = identity.why_not_local(
        st.get_option("server.address"), dict(st.context.headers.items()), st.context.ip_address
    )
    if reason is not None:
        raise NotHere(t("Keepline has no sign-in set up and answers this machine only, but {reason}.", reason=reason))


def _local(database: db.Database) -> Session:
    """Local mode: the session of the person picked in the sidebar, opened anew when it has ended."""
    person = _picked(connection.staff(database))
    held: Session | None = st.session_state.get(GRANTS)
    if held is not None and held.staff_id == person.staff_id:
        with suppress(NotSignedIn, SessionEnded, RoleChanged):
            return replace(held, team=ledger.person(database, held).team)
    fresh = ledger.open_session(database, person.staff_id)
    st.session_state[GRANTS] = fresh
    return fresh


def _picked(staff: list[records.Staff]) -> records.Staff:
    if not staff:
        raise NotHere(t("Nobody is in the staff list yet: `python3 -m churn staff` adds people."))
    names = {person.staff_id: f"{person.name} · {spoken(person.role)}" for person in staff}
    asked = st.query_params.get("who")
    before = st.session_state.get("person") or asked  # the page before, or the URL
    with st.sidebar:
        local, only = t("Local mode"), t("No sign-in, this machine only.")
        st.caption(f":orange-badge[:material/computer: {local}] {only}")
        chosen = st.selectbox(
            t("You are"),
            list(names),
            index=list(names).index(before) if before in names else 0,
            format_func=names.__getitem__,
            key="who",
            on_change=_chosen,
        )
        if asked and asked not in names:  # a link of somebody who left: never somebody else without a word
            nobody = t(
                "{asked} does not work here (any more). Until you choose, you are {name}.",
                asked=plain(asked, 40),
                name=plain(names[chosen]),
            )
            st.warning(nobody, icon=":material/person_off:")
    st.session_state["person"] = chosen
    return next(person for person in staff if person.staff_id == chosen)


def _chosen() -> None:
    st.query_params["who"] = st.session_state["who"]  # a reload finds the same person
