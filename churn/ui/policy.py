"""Who may give what: rules in force, versions compared, drafts, cases, replay, budgets."""

from __future__ import annotations

from datetime import date

import pandas as pd
import streamlit as st

from churn.core.language import ENGLISH, in_english, mark, number, speaking, t, tc, tn
from churn.core.money import show
from churn.core.policies.policy import Policy
from churn.core.policies.policy_diff import DIFFERENT, about, differences, in_force_on, value_of
from churn.core.words import exact_percent, full_day, spoken
from churn.policies.stored import policy_in_force, policy_version
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain, reading
from churn.ui.policy_budgets import show_budgets
from churn.ui.policy_draft import show_draft
from churn.ui.policy_pieces import choose_version, day_format, end_of, heads, now, today, versions
from churn.ui.policy_publish import show_publish
from churn.ui.policy_replay import show_replay
from churn.ui.policy_try import show_try
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway

VIEWS = {
    "force": mark("In force"), "compare": mark("Compare"), "draft": mark("Edit a draft"), "try": mark("Try a case"),
    "replay": mark("Replay"), "publish": mark("Publish"), "budgets": mark("Budgets"),
}  # fmt: skip
NO_POLICY = mark("No policy is in force on that day. Draft one, and a second person publishes it.")


def show_policy(session: Session) -> None:
    """The page: a view, then what it shows."""
    view = st.segmented_control(
        t("View"), list(VIEWS), default="force", required=True, format_func=lambda one: t(VIEWS[one]), key="view",
        label_visibility="collapsed", bind="query-params",
    )  # fmt: skip
    shown = {
        "force": _in_force, "compare": _compare, "draft": show_draft, "try": show_try, "replay": show_replay,
        "publish": show_publish, "budgets": show_budgets,
    }  # fmt: skip
    with reading(t("Policy")):
        shown[str(view)](session)


def _in_force(session: Session) -> None:
    day = st.date_input(t("On"), value=today(session), key="on", format=day_format())
    at = now(session) if day == today(session) else end_of(day, session)
    policy = policy_in_force(session.database, session.me, at)
    if policy is None:
        st.info(t(NO_POLICY), icon=":material/inbox:")
        return
    version = t("version {number}", number=policy.version)
    if policy.effective_from:
        version = t("version {number}, from {day}", number=policy.version, day=full_day(policy.effective_from))
    st.markdown(f"**{plain(policy.title)}** · {version}", anchors=False)
    rules = rules_table(policy, day)
    heading(
        t("Rules · {n}", n=number(len(rules))),
        help=t("Of the rules of one topic the narrowest that fits answers; the lowest topic binds."),
    )
    show_table(
        rules, hide_index=True, height=420, column_config=heads(rules.columns),
        alt=t("Rules in force: what, how much, and the sentence the agent reads."),
    )  # fmt: skip
    takeaway(session, "policy", "rules-in-force", in_english(rules_table, policy, day))
    heading(t("Who may give it alone"), help=t("As policy sets it. In all: in each day, week or month, by the ledger."))
    authority = authority_table(policy)
    show_table(
        authority, hide_index=True, column_config=heads(authority.columns) | {"reason": tc("contact", "reason")},
        alt=t("What each role may give alone, at once and in a window."),
    )  # fmt: skip
    takeaway(session, "policy", "authority-in-force", in_english(authority_table, policy))
    heading(
        t("What may be given"),
        help=t("As policy sets it. Costs of its face: what an amount given costs the company, in percent of it."),
    )
    instruments = instruments_table(policy)
    show_table(
        instruments, hide_index=True, placeholder="–", alt=t("Instruments with their outer walls and costs."),
        column_config=heads(instruments.columns)
        | {"from budget": st.column_config.CheckboxColumn(t("draws on the budget"))},
    )  # fmt: skip
    takeaway(session, "policy", "instruments-in-force", in_english(instruments_table, policy))


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
                "role": spoken(line.role), "instrument": spoken(line.instrument),
                "reason": spoken(line.contact_reason) if line.contact_reason else t("any"),
                "at once": show(line.per_grant, policy.currency), "in all": show(line.per_window, policy.currency),
                "each": spoken(line.time_window),
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
                "months": item.max_months, "costs of its face": exact_percent(float(item.cost_share), 0),
                "handling": show(item.handling_cost, policy.currency), "from budget": item.draws_budget,
            }
            for item in policy.instruments
        ]
    )  # fmt: skip


def _compare(session: Session) -> None:
    every = versions(session)
    if len(every) < 2:
        st.info(t("There are no two versions to compare yet: save a draft first."), icon=":material/inbox:")
        return
    left, right = st.columns(2)
    with left:
        old = choose_version(t("Before"), every, "before", index=1)
    with right:
        new = choose_version(t("After"), every, "after")
    before, after = (policy_version(session.database, session.me, one.version) for one in (old, new))
    if before is None or after is None:
        st.info(t("One of the two is gone."), icon=":material/inbox:")
        return
    found = differences(before, after)
    if not found:
        st.info(t("Both say the same."), icon=":material/balance:")
        return
    many = {kind: sum(one.kind == kind for one in found) for kind in DIFFERENT}
    counts = ", ".join(f"{number(n)} {t(DIFFERENT[kind])}" for kind, n in many.items())
    heading(f"{tn(len(found), '{n} difference', '{n} differences')} · {counts}")
    for one in found:
        icon = {"added": ":material/add_circle:", "removed": ":material/do_not_disturb_on:"}.get(
            one.kind, ":material/edit:"
        )
        st.markdown(f"{icon} **{t(DIFFERENT[one.kind])}** {plain(one.sentence)}", anchors=False)
    with speaking(ENGLISH):
        rows = [(one.kind, one.what, one.key, one.sentence) for one in differences(before, after)]
    takeaway(session, "policy", "policy-differences", pd.DataFrame(rows, columns=["kind", "what", "key", "sentence"]))
