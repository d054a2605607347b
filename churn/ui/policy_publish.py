"""Putting a draft in force: what it changes, whether it may, and the second person's button."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

import streamlit as st

from churn import ledger
from churn.core.language import t, tn
from churn.core.policies.policy_diff import DIFFERENT, differences
from churn.core.policies.policy_problems import problems
from churn.core.words import full_day
from churn.policies import policy_lab
from churn.policies.cases import verdicts_of
from churn.policies.stored import policy_in_force, policy_version
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.policy_draft import show_verdicts
from churn.ui.policy_pieces import acting, choose_version, day_format, today, versions

MOST_SHOWN = 30


def show_publish(session: Session) -> None:
    """The drafts there are; of the chosen one its differences, problems and cases, and the button."""
    drafts = [version for version in versions(session) if version.published_at is None]
    if not drafts:
        st.info(t("No draft waits: edit one and save it."), icon=":material/inbox:")
        return
    chosen = choose_version(t("Draft"), drafts, "to-publish")
    draft = policy_version(session.database, session.me, chosen.version)
    if draft is None:
        st.info(t("That draft is gone."), icon=":material/inbox:")
        return
    day = st.date_input(
        t("In force from"), value=today(session), min_value=today(session), key="from", format=day_format()
    )
    old = policy_in_force(session.database, session.me)
    if old is not None:
        changed = differences(old, draft)
        with st.expander(tn(len(changed), "{n} difference to what is in force", "{n} differences to what is in force")):
            for one in changed[:MOST_SHOWN]:
                st.markdown(f"**{t(DIFFERENT[one.kind])}** {plain(one.sentence)}", anchors=False)
    found = problems(draft, day)
    for problem in found[:MOST_SHOWN]:
        st.error(plain(problem.sentence), icon=":material/error:")
    heading(t("Cases"))
    text = policy_lab.cases(session.database, session.me, chosen.version)
    show_verdicts(verdicts_of(draft, text, day))
    is_mine = chosen.drafted_by == session.staff_id
    if is_mine:
        st.info(t("You drafted this yourself; a second person must publish it."), icon=":material/group:")
    if st.button(t("Publish"), type="primary", icon=":material/publish:", disabled=is_mine, key="publish"):
        begins = None if day == today(session) else datetime.combine(day, time(), ZoneInfo(session.company.time_zone))
        done = t("Version {version} is published, in force from {day}.", version=chosen.version, day=full_day(day))
        with acting(done):
            ledger.publish_policy(session.database, session.me, chosen.version, effective_from=begins)
