"""Below the queue: who stands in for the team, and how fast those who wanted to leave were let go."""

from __future__ import annotations

from statistics import median

import streamlit as st

from churn import ledger
from churn.calls import floor
from churn.core.language import mark, t, tn
from churn.core.words import duration, moment, spoken
from churn.refusals import Refusal
from churn.ui import connection
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain, reading

HOURS = 24
LONGEST_STAND_IN = 72.0
MOST_SHOWN = 10


def show_floor(session: Session) -> None:
    """Who stands in now, naming somebody, and the last day's ways out."""
    with reading(mark("Who stands in")):
        _stand_ins(session)
    with reading(mark("Who was let go")):
        _ways_out(session)


def _stand_ins(session: Session) -> None:
    heading(t("Standing in"), help=t("Who answers requests of a team besides its own supervisors."))
    zone = session.company.time_zone
    now = floor.stand_ins(session.database, session.me)
    for one in now:
        st.markdown(
            t(
                "**{name}** for team {team} until {moment}, named by {person}",
                name=plain(one.name, 80),
                team=plain(one.team, 80),
                moment=moment(one.ends_at, zone),
                person=plain(one.named_by, 40),
            ),
            anchors=False,
        )
    if not now:
        st.markdown(t("Nobody stands in for anybody."), anchors=False)
    others = {
        person.staff_id: f"{person.name} · {person.team or t('no team')}"
        for person in connection.staff(session.database)
        if person.role == "supervisor" and person.staff_id != session.staff_id
    }
    if session.me.team is None or not others:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            t("Stand-in for {team}", team=plain(session.me.team, 80)), list(others), index=None,
            format_func=others.__getitem__, placeholder=t("Another supervisor"), key="stand_in", width=320,
        )  # fmt: skip
        st.number_input(t("Hours"), 0.5, LONGEST_STAND_IN, 8.0, step=0.5, key="stand_in_hours", width=140)
        st.button(t("Name them"), key="stand_in_name", on_click=_name, args=(session,))
    said = st.session_state.pop("stand_in_said", None)
    if said:
        st.info(plain(said))


def _name(session: Session) -> None:
    staff_id = st.session_state["stand_in"]
    if staff_id is None:
        st.session_state["stand_in_said"] = t("Choose who stands in first.")
        return
    try:
        ledger.name_stand_in(
            session.database, session.me, team=session.me.team or "", staff_id=staff_id,
            hours=st.session_state["stand_in_hours"],
        )  # fmt: skip
    except Refusal as refusal:
        st.session_state["stand_in_said"] = str(refusal)
        return
    st.session_state["stand_in_said"] = t("They answer for your team from now on.")


def _ways_out(session: Session) -> None:
    """The right to leave, in seconds: for the team as a whole and one by one, ranking nobody."""
    heading(
        t("Let go in the last {n} hours", n=HOURS),
        help=t("Seconds from a caller's first “cancel” to done, on the desk's clock."),
    )
    gone = floor.ways_out(session.database, session.me, team=session.me.team or "", hours=HOURS)
    if not gone:
        st.markdown(t("Nobody left through the desk."), anchors=False)
        return
    middle, longest = median(one.seconds for one in gone), max(one.seconds for one in gone)
    st.markdown(
        tn(
            len(gone),
            "{n} cancelled · from first “cancel” to done {median} at the median, {longest} at the longest",
            "{n} cancelled · from first “cancel” to done {median} at the median, {longest} at the longest",
            median=duration(middle),
            longest=duration(longest),
        ),
        anchors=False,
    )
    lines = [
        f"{moment(one.cancelled_at, session.company.time_zone)} · "
        f"{t('account {account}', account=plain(one.customer_id, 40))} · "
        f"{plain(spoken(one.contact_reason) if one.contact_reason else t('no reason given'))} · "
        f"{plain(one.agent, 80)} · {duration(one.seconds)}"
        for one in gone[:MOST_SHOWN]
    ]
    st.markdown("  \n".join(lines), anchors=False)
