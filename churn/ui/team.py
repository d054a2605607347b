"""Customers kept, not time on the phone: an agent's own page, a supervisor's team, the leader's teams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.language import mark, number, t, tn
from churn.core.trends.charts_team import SAID, funnel_chart
from churn.core.trends.wins import LEAST_CALLS, LONG_RUN, PRIOR_CALLS, Topic
from churn.trends import team
from churn.ui.gate import Session
from churn.ui.pieces import chart, heading, plain
from churn.ui.tables import show_table
from churn.ui.team_figures import show_figures

if TYPE_CHECKING:
    import psycopg

NOT_YET = mark(
    "Nothing is judged yet: the nightly job does it, or `python3 -m churn trends` now. It takes some hundred calls of "
    "people who came to cancel whose save window is over."
)
NOBODY = {
    "agent": mark(
        "None of your calls of people who came to cancel has its save window behind it yet. Your figures appear here "
        "the night after the first."
    ),
    "supervisor": mark("Nobody of your team has calls with a save window behind them yet."),
    "leader": mark("Nobody has calls with a save window behind them yet."),
}
HOW = mark(
    "Saved: still a customer {days} days after they came to cancel. Expected: what these callers would have done with "
    "anybody, modelled from what was known the day before the call, never from the agent’s own calls (AUC {auc}, off "
    "by {error} on average). {calls} calls of {agents} agents, {since} to {until}."
)
MOST_WORDS = 12
FUNNEL_HELP = mark(
    "Between the lines lies what chance and the usual differences between people explain: 95 % within the full lines, "
    "99.8 % within the dashed. A stroke toward the middle is what an unusual mix of callers may explain. No order of "
    "merit: inside the funnel nobody is better than anybody."
)


def show_team(session: Session) -> None:
    """The page, for whoever looks: the database gives each the rows that are theirs."""
    with session.database.transaction(session.me) as connection:
        ground = team.ground(connection)
        people = team.agents(connection)
        if ground is not None and people:
            people = _chosen_team(session, people)
            _funnel(session, ground, people)
            show_figures(session, people)
            _rotate(session, people)
            _wins(connection, session, people)
            _topics(connection, people)
            _words(connection, session, people)
    if ground is None:
        st.info(t(NOT_YET), icon=":material/inbox:")
    elif not people:
        st.info(t(NOBODY[session.person.role]), icon=":material/inbox:")


def _chosen_team(session: Session, people: list[team.Agent]) -> list[team.Agent]:
    """A leader may look at one team; the choice stands in the URL."""
    teams = sorted({person.team for person in people if person.team})
    if session.person.role != "leader" or len(teams) < 2:
        return people
    chosen = st.selectbox(
        t("Team"), teams, index=None, placeholder=t("every team"), key="team", bind="query-params", width=280
    )
    return [person for person in people if chosen is None or person.team == chosen]


def _funnel(session: Session, ground: team.Ground, people: Sequence[team.Agent]) -> None:
    heading(t("Saves against what these callers would have done with anybody"), help=t(FUNNEL_HELP))
    frame = pd.DataFrame(
        [
            {
                "name": person.name, "usual_calls": person.usual_calls, "difference": person.difference,
                "told": person.told, "zone": person.zone, "calls": person.calls, "saved": person.saved,
                "expected": person.expected,
            }
            for person in people
        ]
    )  # fmt: skip
    outside = frame[frame["zone"] != "inside"]
    said = "; ".join(
        f"{row.name_}: {t(SAID[row.zone])}" for row in outside.rename(columns={"name": "name_"}).itertuples()
    )
    chart(
        funnel_chart(ground.funnel, frame), key="funnel",
        alt=tn(
            len(frame), "Funnel of {n} agent. {said}.", "Funnel of {n} agents. {said}.",
            said=said or t("All are inside the control limits"),
        ),
    )  # fmt: skip
    since, until = min(person.since_on for person in people), max(person.until_on for person in people)
    st.caption(
        t(
            HOW, days=ground.window_days, auc=number(ground.auc, 2) if ground.auc else t("unknown"),
            error=words.points(ground.calibration_error or 0.0).lstrip("+"), calls=number(ground.calls),
            agents=number(ground.agents), since=words.day(since, session.clock), until=words.day(until, session.clock),
        )
    )  # fmt: skip


def _rotate(session: Session, people: Sequence[team.Agent]) -> None:
    """Who has had only hard callers lately."""
    hard = [person for person in people if person.hard_run >= LONG_RUN]
    heading(
        t("Hard calls"),
        help=t("A third of all calls, those whose callers were least expected to stay. Last fortnight."),
    )
    if not hard:
        st.caption(
            t("You have not had {n} or more hard calls in a row.", n=LONG_RUN)
            if session.person.role == "agent"
            else t("Nobody has had {n} or more hard calls in a row.", n=LONG_RUN)
        )
    for person in sorted(hard, key=lambda one: (-one.hard_run, one.name)):
        who = {"name": plain(person.name), "n": person.hard_run}
        told = (
            t("{name}: {n} hard calls in a row.", **who)
            if person.hard_share is None
            else t(
                "{name}: {n} hard calls in a row, {share} of the fortnight’s.",
                **who, share=plain(words.percent(person.hard_share)),
            )
        )  # fmt: skip
        st.markdown(f"{told} {t('Hand the next ones to somebody else.')}", anchors=False)


def _wins(connection: psycopg.Connection, session: Session, people: Sequence[team.Agent]) -> None:
    shown = {person.staff_id for person in people}
    found = [win for win in team.small_wins(connection) if win["staff_id"] in shown]
    heading(t("Small wins of the day"), help=t("Counted from what was written down on the last day with calls."))
    if not found:
        st.caption(t("None written down for the last day with calls."))
        return
    by_name: dict[str, list[str]] = {}
    for win in found:
        by_name.setdefault(win["name"], []).append(f"{win['times']} × {words.spoken(win['what'])}")
    st.caption(plain(words.day(found[0]["won_on"], session.clock)))  # `3. März` alone would begin a list
    if session.person.role == "agent":
        st.markdown(plain("; ".join(told for some in by_name.values() for told in some)), anchors=False)
        return
    frame = pd.DataFrame([{"agent": name, "wins": "; ".join(told)} for name, told in by_name.items()])
    show_table(
        frame, hide_index=True, alt=t("Small wins of the day by agent."),
        column_config={"agent": t("agent"), "wins": t("wins")},
    )  # fmt: skip


def _topics(connection: psycopg.Connection, people: Sequence[team.Agent]) -> None:
    shown = {person.staff_id for person in people}
    rows = [
        _topic_row(name, topic, told)
        for (staff_id, name), topics in team.topics(connection).items()
        if staff_id in shown
        for topic, told in topics.items()
    ]
    heading(
        t("Evidence by contact reason"),
        help=t(
            "Saves above expected in 100 calls, with a 90 % interval, drawn to zero as by {prior} more calls that went "
            "as expected. Mastered: {least} calls or more and the whole interval above zero.",
            prior=number(PRIOR_CALLS),
            least=LEAST_CALLS,
        ),
    )
    if rows:
        show_table(
            pd.DataFrame(rows), hide_index=True, alt=t("Saves against expected by agent and contact reason."),
            column_config={
                "agent": t("agent"), "contact reason": t("contact reason"), "calls": t("calls"), "saved": t("saved"),
                "expected": st.column_config.NumberColumn(t("expected"), format="%.1f"),
                "at least in 100": st.column_config.NumberColumn(t("at least in 100"), format="%+.1f"),
                "at most in 100": st.column_config.NumberColumn(t("at most in 100"), format="%+.1f"),
                "mastered": t("mastered"),
            },
        )  # fmt: skip


def _topic_row(name: str, topic: str, told: Topic) -> dict[str, object]:
    return {
        "agent": name, "contact reason": words.spoken(topic), "calls": told.calls, "saved": told.saved,
        "expected": told.expected, "at least in 100": 100 * told.low, "at most in 100": 100 * told.high,
        "mastered": t("mastered") if told.is_mastered else t("not shown yet"),
    }  # fmt: skip


def _words(connection: psycopg.Connection, session: Session, people: Sequence[team.Agent]) -> None:
    shown = {person.staff_id for person in people}
    found = [said for said in team.customers_words(connection) if said["staff_id"] in shown]
    heading(
        t("After the call"),
        help=t("Notes of calls customers gave marks for, last 30 days; names and numbers are masked."),
    )
    if not found:
        st.caption(t("No marks from customers in the last 30 days."))
        return
    if len(found) > MOST_WORDS:
        st.caption(t("{n} of the newest, in no order of marks.", n=MOST_WORDS))
    for said in found[:MOST_WORDS]:
        when = words.day(said["said_on"], session.clock)
        who = "" if session.person.role == "agent" else f"{plain(said['name'])} · "
        of_five = t("{n} of {all}", n=said["csat"], all=5)
        st.markdown(f"{of_five} · {who}{when} · “{plain(said['words'], 240)}”", anchors=False)
