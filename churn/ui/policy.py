"""Who may give what: rules in force, versions compared, drafts, cases, replay, budgets."""

from __future__ import annotations

from datetime import date

import pandas as pd
import streamlit as st

from churn.core.money import show
from churn.core.policy import Policy
from churn.core.policy_diff import about, differences, in_force_on, value_of
from churn.core.words import spoken
from churn.policies.stored import policy_in_force, policy_version
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain, reading
from churn.ui.policy_budgets import show_budgets
from churn.ui.policy_draft import show_draft
from churn.ui.policy_pieces import choose_version, end_of, now, today, versions
from churn.ui.policy_publish import show_publish
from churn.ui.policy_replay import show_replay
from churn.ui.policy_try import show_try
from churn.ui.takeaway import takeaway

VIEWS = {
    "force": "In force", "compare": "Compare", "draft": "Edit a draft", "try": "Try a case", "replay": "Replay",
    "publish": "Publish", "budgets": "Budgets",
}  # fmt: skip
NO_POLICY = "No policy is in force on that day. Draft one, and a second person publishes it."


def show_policy(session: Session) -> None:
    """The page: a view, then what it shows."""
    view = st.segmented_control(
        "View", list(VIEWS), default="force", required=True, format_func=VIEWS.__getitem__, key="view",
        label_visibility="collapsed", bind="query-params",
    )  # fmt: skip
    shown = {
        "force": _in_force, "compare": _compare, "draft": show_draft, "try": show_try, "replay": show_replay,
        "publish": show_publish, "budgets": show_budgets,
    }  # fmt: skip
    with reading("Policy"):
        shown[str(view)](session)


def _in_force(session: Session) -> None:
    day = st.date_input("On", value=today(session), key="on", format="DD/MM/YYYY")
    at = now(session) if day == today(session) else end_of(day, session)
    policy = policy_in_force(session.database, session.me, at)
    if policy is None:
        st.info(NO_POLICY, icon=":material/inbox:")
        return
    begins = f", from {policy.effective_from:%-d %B %Y}" if policy.effective_from else ""
    st.markdown(f"**{plain(policy.title)}** · version {policy.version}{begins}", anchors=False)
    rules = rules_table(policy, day)
    heading(
        f"Rules · {len(rules)}",
        help="Of the rules of one topic the narrowest that fits answers; the lowest topic binds.",
    )
    st.dataframe(
        rules, hide_index=True, height=420, alt="Rules in force: what, how much, and the sentence the agent reads."
    )
    takeaway(session, "policy", "rules-in-force", rules)
    heading("Who may give it alone")
    st.dataframe(
        authority_table(policy), hide_index=True, alt="What each role may give alone, at once and in a window."
    )
    takeaway(session, "policy", "authority-in-force", authority_table(policy))
    heading("What may be given")
    st.dataframe(
        instruments_table(policy), hide_index=True, placeholder="–",
        alt="Instruments with their outer walls and costs.",
        column_config={"from budget": st.column_config.CheckboxColumn("draws on the budget")},
    )  # fmt: skip
    takeaway(session, "policy", "instruments-in-force", instruments_table(policy))


def rules_table(policy: Policy, day: date) -> pd.DataFrame:
    """What each rule says that holds on a day: its effect and conditions, its value, its sentence, its code."""
    return pd.DataFrame(
        [
            {
                "what": about(rule, policy.currency), "says": value_of(rule, policy.currency), "reason": rule.reason,
                "reference": rule.reference or "", "topic": rule.topic, "code": rule.code,
            }
            for rule in policy.rules
            if in_force_on(rule, day)
        ],
        columns=["what", "says", "reason", "reference", "topic", "code"],
    )  # fmt: skip


def authority_table(policy: Policy) -> pd.DataFrame:
    """Role, instrument, reason, and what may be given at once and in a window."""
    return pd.DataFrame(
        [
            {
                "role": line.role, "instrument": spoken(line.instrument), "reason": line.contact_reason or "any",
                "at once": show(line.per_grant, policy.currency), "in all": show(line.per_window, policy.currency),
                "each": line.time_window,
            }
            for line in policy.authority
        ]
    )  # fmt: skip


def instruments_table(policy: Policy) -> pd.DataFrame:
    """Instrument, its lever, the most anybody may get, what it costs."""
    return pd.DataFrame(
        [
            {
                "instrument": spoken(item.instrument), "title": item.title, "lever": spoken(item.lever),
                "never more than": show(item.max_amount, policy.currency),
                "in steps of": show(item.step_amount, policy.currency),
                "months": item.max_months, "costs of its face": f"{float(item.cost_share):.0%}",
                "handling": show(item.handling_cost, policy.currency), "from budget": item.draws_budget,
            }
            for item in policy.instruments
        ]
    )  # fmt: skip


def _compare(session: Session) -> None:
    every = versions(session)
    if len(every) < 2:
        st.info("There are no two versions to compare yet: save a draft first.", icon=":material/inbox:")
        return
    left, right = st.columns(2)
    with left:
        old = choose_version("Before", every, "before", index=1)
    with right:
        new = choose_version("After", every, "after")
    before, after = (policy_version(session.database, session.me, one.version) for one in (old, new))
    if before is None or after is None:
        st.info("One of the two is gone.", icon=":material/inbox:")
        return
    found = differences(before, after)
    if not found:
        st.info("Both say the same.", icon=":material/balance:")
        return
    counts = ", ".join(f"{sum(one.kind == kind for one in found)} {kind}" for kind in ("added", "removed", "changed"))
    heading(f"{len(found)} differences · {counts}")
    for one in found:
        mark = {"added": ":material/add_circle:", "removed": ":material/do_not_disturb_on:"}.get(
            one.kind, ":material/edit:"
        )
        st.markdown(f"{mark} **{one.kind}** {plain(one.sentence)}", anchors=False)
    rows = [(one.kind, one.what, one.key, one.sentence) for one in found]
    takeaway(session, "policy", "policy-differences", pd.DataFrame(rows, columns=["kind", "what", "key", "sentence"]))
