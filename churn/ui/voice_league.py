"""Which contacts are worth having, and which should not have been needed."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.language import number, t
from churn.core.voice.league import CLASSES, QUADRANTS, Standing, avoidable
from churn.core.voice.problems import LEAST_GROUP
from churn.refusals import Refusal
from churn.ui.gate import Session
from churn.ui.tables import spoken
from churn.ui.takeaway import takeaway
from churn.voice import voice


def show_worth_having(session: Session, asked: voice.Asked) -> None:
    """Contact reasons by whether we and they want them; a leader classes them."""
    with session.database.transaction(session.me) as connection:
        rows = voice.standings(connection, asked)
    if not rows:
        st.info(
            t("No contacts to rank: widen the filters. Groups under {n} customers are not told.", n=LEAST_GROUP),
            icon=":material/filter_alt:",
        )
        return
    contacts, share = avoidable(rows)
    st.markdown(
        t(
            "**{n} contacts in {days} days, {share} of all, should not have been needed**: neither we nor they wanted "
            "them.",
            n=number(contacts), days=voice.LEAGUE_DAYS, share=words.percent(share),
        )
    )  # fmt: skip
    may_edit = session.person.role == "leader"
    frame = pd.DataFrame([_standing(row) for row in rows])
    columns = {
        "about": t("About"),
        "contacts": st.column_config.NumberColumn(t("Contacts, {n} days", n=voice.LEAGUE_DAYS), format="%,d"),
        "share": st.column_config.ProgressColumn(t("Share of all"), min_value=0, max_value=100, format="%.1f %%"),
        "change": st.column_config.NumberColumn(t("On the {n} days before", n=voice.LEAGUE_DAYS), format="%+.0f %%"),
        "to_us": _class_column(t("To us")),
        "to_them": _class_column(t("To them")),
        "advice": t("So"),
    }
    edited = st.data_editor(
        **spoken(frame.assign(share=frame["share"] * 100), columns),
        hide_index=True,
        key=f"league-{asked.region}-{asked.plan}",
        alt=t("Contact reasons with contacts, share, change and class."),
        disabled=["about", "contacts", "share", "change", "advice", *([] if may_edit else ["to_us", "to_them"])],
        column_order=["about", "contacts", "share", "change", "to_us", "to_them", "advice"],
    )
    if may_edit:
        _classify(session, frame, edited)
    st.caption(
        t("Classes are guessed from the reason’s name until a leader says otherwise.")
        + " "
        + " ".join(
            t(
                "{Us} to us, {them} to them: {what}.",
                Us=words.first_up(t(CLASSES[us])), them=t(CLASSES[them]), what=t(what),
            )
            for (us, them), what in QUADRANTS.items()
        )
    )  # fmt: skip
    takeaway(session, "voice", "league", frame.drop(columns="reason"))


def _class_column(label: str) -> Any:
    return st.column_config.SelectboxColumn(
        label, options=list(CLASSES), format_func=lambda one: t(CLASSES[str(one)]), required=True
    )


def _standing(row: Standing) -> dict[str, object]:
    change = None if row.change is None else row.change * 100
    return {
        "reason": row.reason,
        "about": words.spoken(row.reason),
        "contacts": row.contacts,
        "share": row.share,
        "change": change,
        "to_us": row.to_us,
        "to_them": row.to_them,
        "advice": t(row.advice),
    }


def _classify(session: Session, before: pd.DataFrame, after: pd.DataFrame) -> None:
    changed = (before[["to_us", "to_them"]] != after[["to_us", "to_them"]]).any(axis=1)
    for row in after[changed].to_dict("records"):
        try:
            voice.classify(session.database, session.me, row["reason"], row["to_us"], row["to_them"])
            reason = words.first_up(words.spoken(row["reason"]))
            st.session_state["voice_said"] = t("{reason} is classified.", reason=reason)
        except Refusal as refusal:
            st.session_state["voice_said"] = str(refusal)
    if changed.any():
        st.rerun()
