"""Under the supervisor's queue: open contacts most likely to be handed upwards, why, and what is at stake."""

from __future__ import annotations

from urllib.parse import quote

import streamlit as st

from churn import escalations
from churn.core import words
from churn.core.escalation import FLAGGED, HORIZON_DAYS
from churn.core.money import show
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain

SORTS = {"chance": "chance", "stake": "value at stake"}


def show_escalations(session: Session) -> None:
    """The list, likeliest first; nothing where no model is in use yet."""
    heading(
        "Likely to be handed upwards next",
        help=f"Open contacts with at least {FLAGGED:.0f} times the usual chance of an escalation within "
        f"{HORIZON_DAYS} days; modelled, every night.",
    )
    order = st.segmented_control(
        "Sort by", list(SORTS), default="chance", required=True, format_func=SORTS.__getitem__, key="escalation_sort",
        bind="query-params", label_visibility="collapsed",
    )  # fmt: skip
    with session.database.transaction(session.me) as connection:
        waiting = escalations.waiting(connection, by_worth=order == "stake")
    if not waiting:
        st.info(
            "No open contact of your teams stands out. They are scored every night, by `python3 -m churn score`.",
            icon=":material/inbox:",
        )
        return
    for contact in waiting:
        _one(session, contact)
    st.caption(
        f"Scored {words.moment(waiting[0].as_of, session.company.time_zone)}; {words.percent(waiting[0].usual)} of "
        f"open contacts are handed upwards in {HORIZON_DAYS} days. At stake: worth if nothing is done, modelled."
    )


def _one(session: Session, contact: escalations.Waiting) -> None:
    with st.container(border=True, key=f"escalation-{contact.contact_id}"):
        text, card = st.columns([9, 2], vertical_alignment="center")
        stake = f" · {show(contact.worth, contact.currency)} at stake" if contact.worth is not None else ""
        since = words.moment(contact.started_at, session.company.time_zone)
        times = contact.p_escalates / max(contact.usual, 1e-9)
        text.markdown(
            f"**{plain(words.percent(contact.p_escalates))}** · {times:.1f}× usual · account "
            f"{plain(contact.customer_id, 40)}{plain(stake)} · "
            f"{plain(words.spoken(contact.reason or 'no reason given'))}, open since {plain(since)}"
        )
        if contact.because:
            text.caption(plain(" · ".join(contact.because), 300))
        card.link_button(
            "Open the card", f"./?account={quote(contact.customer_id)}&who={quote(session.staff_id)}", width="stretch"
        )  # fmt: skip
