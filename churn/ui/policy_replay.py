"""The last months' calls under a draft: spend, saves, escalations, who gains and loses, the frontier."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pandas as pd
import streamlit as st

from churn import policy_lab
from churn.core import charts_policy as charts
from churn.core import words
from churn.core.off_policy import ENOUGH, Estimate
from churn.core.policy import Policy
from churn.core.policy_replay import Played, Replayed, escalations
from churn.core.replay_calls import Calls
from churn.policies.stored import policy_in_force, policy_version
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.policy_pieces import choose_version, versions, when
from churn.ui.takeaway import takeaway

NOT_YET = "No calls are ready for replay yet: the nightly job makes them so, or `python3 -m churn replay-log` now."
MONTHS = {92: "three months", 183: "half a year", 366: "a year"}
HOW = (
    "Each call gets what the ladder would aim at, as far as the agent may give it alone, with nobody asking and "
    "budgets whole. Totals are doubly robust: a model that never saw the call, corrected by calls that were given "
    "about as much; intervals are 90 % and hold that correction's error and the chance of so many calls."
)


def show_replay(session: Session) -> None:
    """What is ready, the choice, the run, and what came of it."""
    state = policy_lab.replay_state(session.database, session.me)
    every = versions(session)
    if state is None or not every:
        st.info(NOT_YET, icon=":material/inbox:")
        return
    left, right = st.columns([3, 1])
    with left:
        chosen = choose_version("Replay", every, "replayed")
    with right:
        days = st.selectbox("The last", list(MONTHS), format_func=MONTHS.__getitem__, key="replay-days")
    since = max(state.since_on, state.until_on - timedelta(days=days))
    st.caption(
        f"{state.calls:,} settled calls from {state.since_on:%-d %B %Y} to {state.until_on:%-d %B %Y} are ready, "
        f"made so on {when(state.made_at, session)} with effect model {state.effect_version}. "
        "The last weeks are not settled."
    )
    key = (chosen.version, since, state.made_at)
    if st.button("Replay", type="primary", icon=":material/replay:", key="run-replay"):
        st.session_state["replay"] = (key, _run(session, chosen.version, since, state.made_at))
    held = st.session_state.get("replay")
    if held is not None and held[0] == key and held[1] is not None:
        _result(session, held[1])


def _run(session: Session, version: int, since: date, made_at: datetime) -> Replayed | None:
    draft = policy_version(session.database, session.me, version)
    bar = st.progress(0.0, "Reading calls …")
    calls = _calls(session, str(session.database.pool.conninfo), since, made_at)
    if draft is None or not len(calls):
        bar.empty()
        st.info("There is nothing to replay in that time.", icon=":material/inbox:")
        return None
    now: Policy | None = policy_in_force(session.database, session.me)

    def tell(done: float) -> None:
        bar.progress(done, f"{done:.0%} of the replay")

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
            f"Too few comparable calls: only as good as {found.draft.judged.effective:.0f} in which about as much was "
            f"given as the draft would; {ENOUGH} are wanted. Read what follows as the model's opinion.",
            icon=":material/scale:",
        )
    _totals(found, currency)
    st.caption(HOW)
    _escalated(found)
    heading(
        "Spend against margin kept",
        help="Rising prices of budget from right to left; the large mark is the policy as it stands.",
    )
    st.altair_chart(
        charts.frontier(found.frontier, currency),
        alt="Spend against retained margin at rising prices of budget, for the draft and today's policy.",
    )
    takeaway(session, "policy", "replay-frontier", found.frontier)
    heading("Who gains and who loses", help="The model's figures; groups of 30 calls or more.")
    figures = [name for name in found.segments.columns if name not in {"by", "value", "saves_change"}]
    st.dataframe(
        found.segments.round(dict.fromkeys(figures, 0)).assign(by=found.segments["by"].map(words.spoken)),
        hide_index=True, alt="Spend and saves by group, draft beside today's.",
        column_config={
            "value": "group",
            "saves_change": st.column_config.NumberColumn("more saves", format="%+.1f"),
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
    sides: list[tuple[str, Played]] = [("draft", found.draft)]
    if found.today is not None:
        sides.append(("today's policy", found.today))
    rows = {
        "Spend": [(who, played.spend()) for who, played in sides],
        "Saves": [(who, played.saves()) for who, played in sides],
        "Margin kept": [(who, played.margin()) for who, played in sides],
    }
    for column, (name, held) in zip(st.columns(3), rows.items(), strict=True):
        with column:
            own = held[0][1]
            st.metric(f"{name} under the draft", _said(own.total, name, currency), border=True)
            st.caption(f"90 % between {plain(_between(own, name, currency))} · as good as {own.effective:,.0f} calls")
            st.altair_chart(
                charts.ranges(_ranges(held), name.lower() if name == "Saves" else f"{name.lower()}, {currency}"),
                alt=f"{name} with intervals, draft beside today's.",
            )
    spent = words.money(round(found.happened["spend"]), currency)
    st.caption(
        f"Over {found.calls:,} calls. What truly happened: {plain(spent)} spent on those who stayed, "
        f"{found.happened['saves']:,.0f} stayed, {found.happened['given']:,.0f} were given something."
    )


def _ranges(held: list[tuple[str, Estimate]]) -> pd.DataFrame:
    return pd.DataFrame([{"who": who, "total": e.total, "low": e.low, "high": e.high} for who, e in held])


def _said(amount: float, name: str, currency: str) -> str:
    return f"{amount:,.0f}" if name == "Saves" else words.money(round(amount), currency)


def _between(held: Estimate, name: str, currency: str) -> str:
    return f"{_said(held.low, name, currency)} and {_said(held.high, name, currency)}"


def _escalated(found: Replayed) -> None:
    count = escalations(found)
    st.markdown(
        f"**Escalations**: {count['draft']:,} calls where a supervisor's yes would be worth asking for, against "
        f"{count['today']:,} today: {count['caused']:,} caused, {count['avoided']:,} avoided.",
        anchors=False,
    )
