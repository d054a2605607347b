"""Under the supervisor's queue: open contacts most likely to be handed upwards, why, and what is at stake."""

from __future__ import annotations

from urllib.parse import quote

import streamlit as st

from churn.calls import escalations
from churn.core import words
from churn.core.calls.escalation import FLAGGED, HORIZON_DAYS, told
from churn.core.language import mark, number, t
from churn.core.money import show
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain

SORTS = {"chance": mark("chance"), "stake": mark("value at stake")}


def show_escalations(session: Session) -> None:
    """The list, likeliest first; nothing where no model is in use yet."""
    heading(
        t("Likely to be handed upwards next"),
        help=t(
            "Open contacts with at least {times} times the usual chance of an escalation within {days} days; "
            "modelled, every night.",
            times=number(FLAGGED),
            days=HORIZON_DAYS,
        ),
    )
    order = st.segmented_control(
        t("Sort by"), list(SORTS), default="chance", required=True, format_func=lambda order: t(SORTS[order]),
        key="escalation_sort", bind="query-params", label_visibility="collapsed",
    )  # fmt: skip
    with session.database.transaction(session.me) as connection:
        waiting = escalations.waiting(connection, by_worth=order == "stake")
    if not waiting:
        st.info(
            t("No open contact of your teams stands out. They are scored every night, by `python3 -m churn score`."),
            icon=":material/inbox:",
        )
        return
    for contact in waiting:
        _one(session, contact)
    st.caption(
        t(
            "Scored {moment}; {percent} of open contacts are handed upwards in {days} days. "
            "At stake: worth if nothing is done, modelled.",
            moment=words.moment(waiting[0].as_of, session.company.time_zone),
            percent=words.percent(waiting[0].usual),
            days=HORIZON_DAYS,
        )
    )


def _one(session: Session, contact: escalations.Waiting) -> None:
    with st.container(border=True, key=f"escalation-{contact.contact_id}"):
        text, card = st.columns([9, 2], vertical_alignment="center")
        reason = words.spoken(contact.reason) if contact.reason else t("no reason given")
        since = words.moment(contact.started_at, session.company.time_zone)
        times = number(contact.p_escalates / max(contact.usual, 1e-9), 1)
        parts = [
            f"**{plain(words.percent(contact.p_escalates))}**",
            t("{times}× usual", times=times),
            t("account {account}", account=plain(contact.customer_id, 40)),
        ]
        if contact.worth is not None:
            parts.append(plain(t("{money} at stake", money=show(contact.worth, contact.currency))))
        parts.append(plain(t("{reason}, open since {moment}", reason=reason, moment=since)))
        text.markdown(" · ".join(parts))
        if contact.because:
            text.caption(plain(" · ".join(map(told, contact.because)), 300))
        link = f"./?account={quote(contact.customer_id)}&who={quote(session.staff_id)}"
        card.link_button(t("Open the card"), link, width="stretch")
