"""The last months' calls under a draft: spend, saves, escalations, who gains and loses, the frontier."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.language import mark, number, t
from churn.core.policies.policy import Policy
from churn.core.replay import charts_policy as charts
from churn.core.replay.off_policy import ENOUGH, Estimate
from churn.core.replay.policy_replay import FEWEST, Played, Replayed, escalations, group_in_words
from churn.core.replay.replay_calls import Calls
from churn.policies import policy_lab
from churn.policies.stored import policy_in_force, policy_version
from churn.ui.gate import Session
from churn.ui.pieces import chart, heading, plain
from churn.ui.policy_pieces import choose_version, versions, when
from churn.ui.spend_table import number_column
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway

NOT_YET = mark(
    "No calls are ready for replay yet: the nightly job makes them so, or `python3 -m churn replay-log` now."
)
MONTHS = {92: mark("three months"), 183: mark("half a year"), 366: mark("a year")}
HOW = mark(
    "Each call gets what the ladder would aim at, as far as the agent may give it alone, with nobody asking and "
    "budgets whole. Totals are doubly robust: a model that never saw the call, corrected by calls that were given "
    "about as much; intervals are 90 % and hold that correction's error and the chance of so many calls."
)

TOTALS = {
    "spend": (
        mark("Spend under the draft"), mark("spend, {currency}"), mark("Spend with intervals, draft beside today's.")
    ),
    "saves": (mark("Saves under the draft"), mark("saves"), mark("Saves with intervals, draft beside today's.")),
    "margin": (
        mark("Margin kept under the draft"), mark("margin kept, {currency}"),
        mark("Margin kept with intervals, draft beside today's."),
    ),
}  # fmt: skip


def show_replay(session: Session) -> None:
    """What is ready, the choice, the run, and what came of it."""
    state = policy_lab.replay_state(session.database, session.me)
    every = versions(session)
    if state is None or not every:
        st.info(t(NOT_YET), icon=":material/inbox:")
        return
    left, right = st.columns([3, 1])
    with left:
        chosen = choose_version(t("Replay"), every, "replayed")
    with right:
        days = st.selectbox(t("The last"), list(MONTHS), format_func=lambda one: t(MONTHS[one]), key="replay-days")
    since = max(state.since_on, state.until_on - timedelta(days=days))
    st.caption(
        t(
            "{n} settled calls from {first} to {last} are ready, made so on {when} with effect model {version}. "
            "The last weeks are not settled.",
            n=number(state.calls),
            first=words.full_day(state.since_on),
            last=words.full_day(state.until_on),
            when=when(state.made_at, session),
            version=state.effect_version,
        )
    )
    key = (chosen.version, since, state.made_at)
    if st.button(t("Replay"), type="primary", icon=":material/replay:", key="run-replay"):
        st.session_state["replay"] = (key, _run(session, chosen.version, since, state.made_at))
    held = st.session_state.get("replay")
    if held is not None and held[0] == key and held[1] is not None:
        _result(session, held[1])


def _run(session: Session, version: int, since: date, made_at: datetime) -> Replayed | None:
    draft = policy_version(session.database, session.me, version)
    bar = st.progress(0.0, t("Reading calls …"))
    calls = _calls(session, str(session.database.pool.conninfo), since, made_at)
    if draft is None or not len(calls):
        bar.empty()
        st.info(t("There is nothing to replay in that time."), icon=":material/inbox:")
        return None
    now: Policy | None = policy_in_force(session.database, session.me)

    def tell(done: float) -> None:
        bar.progress(done, t("{share} of the replay", share=words.exact_percent(done, 0)))

    found = policy_lab.replay_draft(draft, now, calls, tell)
    bar.empty()
    return found


@st.cache_resource(show_spinner=False, max_entries=2)
def _calls(_session: Session, address: str, since: date, made_at: datetime) -> Calls:  # noqa: ARG001 - the cache's key
    return policy_lab.replay_calls(_session.database, _session.me, since)


def _result(session: Session, found: Replayed) -> None:
    currency = session.company.currency
    if found.draft.judged.effective < ENOUGH:
        st.warning(
            t(
                "Too few comparable calls: only as good as {n} in which about as much was "
                "given as the draft would; {least} are wanted. Read what follows as the model's opinion.",
                n=number(found.draft.judged.effective),
                least=ENOUGH,
            ),
            icon=":material/scale:",
        )
    _totals(found, currency)
    st.caption(t(HOW))
    _escalated(found)
    heading(
        t("Spend against margin kept"),
        help=t("By the model: rising prices of budget from right to left; the large mark is the policy as it stands."),
    )
    chart(
        charts.frontier(found.frontier, currency),
        alt=t("Spend against retained margin at rising prices of budget, for the draft and today's policy."),
    )
    takeaway(session, "policy", "replay-frontier", found.frontier)
    heading(t("Who gains and who loses"), help=t("The model's figures; groups of {n} calls or more.", n=FEWEST))
    figures = [name for name in found.segments.columns if name not in {"by", "value", "saves_change"}]
    groups = found.segments.round(dict.fromkeys(figures, 0)).assign(
        by=found.segments["by"].map(words.spoken),
        value=[group_in_words(by, one) for by, one in zip(found.segments["by"], found.segments["value"], strict=True)],
    )
    show_table(
        groups,
        hide_index=True, alt=t("Spend and saves by group, draft beside today's."),
        column_config={
            "by": t("by"),
            "value": t("group"),
            "saves_change": number_column(t("more saves"), 1, "%+.1f"),
            **{
                name: st.column_config.NumberColumn(
                    words.spoken(name) + (f", {currency}" if name.endswith("spend") else ""), format="localized"
                )
                for name in figures
            },
        },
    )  # fmt: skip
    takeaway(session, "policy", "replay-segments", found.segments)


def _totals(found: Replayed, currency: str) -> None:
    """Spend, saves and margin of the draft, of today's policy, and what happened."""
    sides: list[tuple[str, Played]] = [(t("draft"), found.draft)]
    if found.today is not None:
        sides.append((t("today's policy"), found.today))
    rows = {
        "spend": [(who, played.spend()) for who, played in sides],
        "saves": [(who, played.saves()) for who, played in sides],
        "margin": [(who, played.margin()) for who, played in sides],
    }
    for column, (name, held) in zip(st.columns(3), rows.items(), strict=True):
        with column:
            own = held[0][1]
            label, axis, alt = TOTALS[name]
            st.metric(t(label), _said(own.total, name, currency), border=True)
            st.caption(
                t(
                    "90 % between {low} and {high} · as good as {n} calls",
                    low=plain(_said(own.low, name, currency)),
                    high=plain(_said(own.high, name, currency)),
                    n=number(own.effective),
                )
            )
            chart(charts.ranges(_ranges(held), t(axis, currency=currency)), alt=t(alt))
    spent = words.money(round(found.happened["spend"]), currency)
    st.caption(
        t(
            "Over {n} calls. What truly happened: {spent} spent on those who stayed, "
            "{stayed} stayed, {given} were given something.",
            n=number(found.calls),
            spent=plain(spent),
            stayed=number(found.happened["saves"]),
            given=number(found.happened["given"]),
        )
    )


def _ranges(held: list[tuple[str, Estimate]]) -> pd.DataFrame:
    return pd.DataFrame([{"who": who, "total": e.total, "low": e.low, "high": e.high} for who, e in held])


def _said(amount: float, name: str, currency: str) -> str:
    return number(amount) if name == "saves" else words.money(round(amount), currency)


def _escalated(found: Replayed) -> None:
    count = escalations(found)
    st.markdown(
        t(
            "**Escalations**: {draft} calls where a supervisor's yes would be worth asking for, against "
            "{today} today: {caused} caused, {avoided} avoided.",
            **{name: number(n) for name, n in count.items()},
        ),
        anchors=False,
        help=t("Modelled: calls in which a supervisor could add what is worth more than the agent may give alone."),
    )
