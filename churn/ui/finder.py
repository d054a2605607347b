"""Finding the caller: by URL, by typing, among several, among those one had on screen lately."""

from __future__ import annotations

import streamlit as st

from churn import casework, store
from churn.calls.phone import pretty
from churn.calls.screen_pop import Asked, read_query
from churn.core import words
from churn.core.language import t, tn
from churn.core.records import Match
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain


def ask_for_caller(session: Session) -> Asked | None:
    """The search box, and whom the URL or the box asks for."""
    st.text_input(
        t("Find a caller"),
        key="typed",
        placeholder=t("Number, last digits, account, or beginnings of a name, then Enter"),
        icon=":material/search:",
        max_chars=128,
        label_visibility="collapsed",
        on_change=_typed,
    )
    typed = st.session_state.get("looked_for")
    if typed:
        return Asked("search", typed)
    asked = read_query({name: st.query_params.get_all(name)[0] for name in st.query_params})
    if asked is None:
        _recent(session)
    return asked


def choose(session: Session, found: casework.Found) -> None:
    """Several customers: pick one. None: what was looked for and what helps."""
    if found.matches:
        is_number = found.number is not None and found.number.e164 is not None and found.asked.by in {"ani", "caller"}
        n = len(found.matches)
        said = (
            tn(
                n,
                "{n} customer share this number: ask who is calling.",
                "{n} customers share this number: ask who is calling.",
            )
            if is_number
            else tn(n, "{n} customer match: choose one.", "{n} customers match: choose one.")
        )
        st.info(said, icon=":material/group:")
        _buttons(found.matches)
        if len(found.matches) == 20:
            st.caption(t("Only the first 20 are shown: type more of the name, or more digits."))
        return
    _nobody(session, found)


def open_account(customer_id: str) -> None:
    """Have the next run open this customer; the URL carries the account, not the number."""
    st.session_state["looked_for"] = None
    st.session_state["typed"] = ""
    _forget_url()
    st.query_params["account"] = customer_id


def _typed() -> None:
    st.session_state["looked_for"] = st.session_state["typed"].strip() or None
    _forget_url()


def _forget_url() -> None:
    """Leave nothing of a screen-pop in the URL; who sits here stays."""
    for name in [name for name in st.query_params if name != "who"]:
        del st.query_params[name]


def _nobody(session: Session, found: casework.Found) -> None:
    if found.number is not None and found.number.is_withheld:
        st.info(
            t("The caller withholds the number. Ask for their name or account and type it above."),
            icon=":material/phone_locked:",
        )
    elif found.asked.by in {"ani", "caller"} and found.number and found.number.e164:
        shown = pretty(found.number.e164, session.company.phone_region)
        st.info(
            t(
                "No customer has the number {number}. They may call from another phone: "
                "ask for their name or account and type it above.",
                number=plain(shown),
            ),
            icon=":material/person_search:",
        )
    else:
        st.info(
            t(
                "Nothing matches “{typed}”. Try the last four digits of the number, the account, "
                "or the beginnings of first and last name.",
                typed=plain(found.asked.key, 60),
            ),
            icon=":material/search_off:",
        )
    _recent(session)


def _recent(session: Session) -> None:
    with session.database.transaction(session.me) as connection:
        recent = store.recent_callers(connection, session.staff_id)
    if not recent:
        st.caption(t("Callers you open are listed here, so that you find them again after the call drops."))
        return
    heading(t("Recent callers"))
    for caller in recent:
        when = words.moment(caller.opened_at, session.company.time_zone)
        st.button(
            f"{plain(caller.name, 80)} · {plain(caller.customer_id, 40)} · {when}",
            key=f"recent-{caller.customer_id}",
            on_click=open_account,
            args=(caller.customer_id,),
            type="tertiary",
        )


def _buttons(matches: tuple[Match, ...]) -> None:
    for match in matches:
        parts = [
            plain(match.name, 80),
            plain(match.customer_id, 40),
            plain(match.plan, 60) if match.plan else t("no longer a customer"),
            plain(match.region, 40),
            t("since {year}", year=match.joined_on.year),
            t("number ending {digits}", digits=match.phone[-4:]) if match.phone else "",
        ]
        st.button(
            " · ".join(part for part in parts if part),
            key=f"match-{match.customer_id}",
            on_click=open_account,
            args=(match.customer_id,),
        )
