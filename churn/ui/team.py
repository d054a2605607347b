"""Customers kept, not time on the phone: an agent's own page, a supervisor's team, the leader's teams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from churn import team
from churn.core import words
from churn.core.charts_team import SAID, SHORT, funnel_chart
from churn.core.wins import LONG_RUN, Topic
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.takeaway import takeaway

if TYPE_CHECKING:
    import psycopg

NOT_YET = (
    "Nothing is judged yet: the nightly job does it, or `python3 -m churn trends` now. It takes some hundred calls of "
    "people who came to cancel whose save window is over."
)
NOBODY = {
    "agent": "None of your calls of people who came to cancel has its save window behind it yet. Your figures appear "
    "here the night after the first.",
    "supervisor": "Nobody of your team has calls with a save window behind them yet.",
    "leader": "Nobody has calls with a save window behind them yet.",
}
HOW = (
    "Saved: still a customer {days} days after they came to cancel. Expected: what these callers would have done with "
    "anybody, modelled from what was known the day before the call, never from the agent’s own calls (AUC {auc}, off "
    "by {error} on average). {calls} calls of {agents} agents, {since} to {until}."
)
FIGURES = ["agent", "team", "calls", "saved", "expected", "above in 100", "at least", "at most", "judged"]
MONEY = [
    "agent", "margin per unit given", "ask gap", "asks", "offers", "overrides", "referrals made", "asked", "missed",
]  # fmt: skip
MOST_WORDS = 12
FUNNEL_HELP = (
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
            _figures(session, people)
            _rotate(session, people)
            _wins(connection, session, people)
            _topics(connection, people)
            _words(connection, session, people)
    if ground is None:
        st.info(NOT_YET, icon=":material/inbox:")
    elif not people:
        st.info(NOBODY[session.person.role], icon=":material/inbox:")


def _chosen_team(session: Session, people: list[team.Agent]) -> list[team.Agent]:
    """A leader may look at one team; the choice stands in the URL."""
    teams = sorted({person.team for person in people if person.team})
    if session.person.role != "leader" or len(teams) < 2:
        return people
    chosen = st.selectbox(
        "Team", teams, index=None, placeholder="every team", key="team", bind="query-params", width=280
    )
    return [person for person in people if chosen is None or person.team == chosen]


def _funnel(session: Session, ground: team.Ground, people: Sequence[team.Agent]) -> None:
    heading("Saves against what these callers would have done with anybody", help=FUNNEL_HELP)
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
    said = "; ".join(f"{row.name_}: {SAID[row.zone]}" for row in outside.rename(columns={"name": "name_"}).itertuples())
    st.altair_chart(
        funnel_chart(ground.funnel, frame), key="funnel",
        alt=f"Funnel of {words.count(len(frame), 'agent')}. {said or 'All are inside the control limits'}.",
    )  # fmt: skip
    since, until = min(person.since_on for person in people), max(person.until_on for person in people)
    st.caption(
        HOW.format(
            days=ground.window_days, auc=f"{ground.auc:.2f}" if ground.auc else "unknown",
            error=words.points(ground.calibration_error or 0.0).lstrip("+"), calls=f"{ground.calls:,}",
            agents=ground.agents, since=words.day(since, session.clock), until=words.day(until, session.clock),
        )
    )  # fmt: skip


def _figures(session: Session, people: Sequence[team.Agent]) -> None:
    currency = session.company.currency
    if session.person.role == "agent":
        _own(people[0], currency)
        return
    heading(
        "Figures, by name",
        help="Everything over the same period as the funnel. Choose a column to sort by it. Judged: of those rather "
        "fewer or more one in twenty is there by chance; plain fewer or more is what chance does not explain.",
    )
    frame = table(people)
    st.dataframe(
        frame[FIGURES].assign(judged=[SHORT[person.zone] for person in people]), hide_index=True, key="figures",
        alt="Saves of each agent by name, against what was expected.",
        column_config={
            "expected": st.column_config.NumberColumn(format="%.1f", help="Saves expected of these callers."),
            "above in 100": st.column_config.NumberColumn(
                format="%+.1f", help="Saves above expected in 100 calls, drawn to the mean by what chance explains."
            ),
            "at least": st.column_config.NumberColumn(format="%+.1f", help="95 % interval of the figure before."),
            "at most": st.column_config.NumberColumn(format="%+.1f", help="95 % interval of the figure before."),
        },
    )  # fmt: skip
    st.dataframe(
        frame[MONEY], hide_index=True, key="money", placeholder="–",
        alt="Money given, asks and referrals of each agent by name.",
        column_config={
            "margin per unit given": st.column_config.NumberColumn(
                f"margin per {words.money(1, currency)} given", format="%.2f",
                help="Margin invoiced within the window after saves, for each unit of money given; empty: none given.",
            ),
            "ask gap": st.column_config.NumberColumn(
                f"ask gap ({currency})", format="%.2f", help="Mean of what could be given minus the ask."
            ),
            "overrides": st.column_config.NumberColumn(help="Given otherwise than shown first, of all offers."),
            "asked": st.column_config.NumberColumn("referrals asked"),
            "missed": st.column_config.NumberColumn(
                "missed", help="Somebody would recommend us and was not asked for a referral."
            ),
        },
    )  # fmt: skip
    takeaway(session, "team", "team", frame)


def table(people: Sequence[team.Agent]) -> pd.DataFrame:
    """The figures of each agent as a table, by name."""
    return pd.DataFrame(
        [
            {
                "agent": person.name, "team": person.team, "calls": person.calls, "saved": person.saved,
                "expected": person.expected, "above in 100": 100 * person.shrunk, "at least": 100 * person.low,
                "at most": 100 * person.high, "judged": SAID[person.zone],
                "margin per unit given": person.margin_per_unit,
                "ask gap": None if person.ask_gap is None else float(person.ask_gap), "asks": person.asks,
                "offers": person.offers, "overrides": person.overrides, "referrals made": person.referrals_made,
                "asked": person.referrals_asked, "missed": person.referrals_missed,
            }
            for person in people
        ]
    )  # fmt: skip


def _own(person: team.Agent, currency: str) -> None:
    """An agent's own figures, in words before numbers."""
    st.markdown(f"**{plain(SAID[person.zone].capitalize())}.**", anchors=False)
    low, middle, high = (f"{100 * value:+.1f}".replace("-", "−") for value in (person.low, person.shrunk, person.high))
    with st.container(horizontal=True, gap="medium"):
        st.metric(
            "Saved", f"{person.saved} of {person.calls}", help="Calls whose save window is over.", width="content"
        )
        st.metric("Expected of these callers", f"{person.expected:.0f}", width="content")
        st.metric(
            "Above expected in 100 calls", middle, width="content",
            help=f"95 % between {low} and {high}; drawn to the mean by what chance explains.",
        )  # fmt: skip
        per = person.margin_per_unit
        st.metric(
            f"Margin kept per {words.money(1, currency)} given",
            "no money given" if per is None else words.money(round(per, 2), currency), width="content",
        )  # fmt: skip
        st.metric(
            "Referrals", f"{person.referrals_made} made", help=f"{person.referrals_asked} asked for, "
            f"{person.referrals_missed} missed: somebody would recommend us and was not asked.", width="content",
        )  # fmt: skip
    gap = "nobody has said yet what would put it right" if person.ask_gap is None else (
        f"could be given {words.money(person.ask_gap, currency)} more than asked, "
        f"on average of {words.count(person.asks, 'ask')}"
    )  # fmt: skip
    given = f"{person.offers}, {person.overrides} given otherwise than shown first" if person.offers else "none yet"
    st.caption(plain(f"Asks: {gap}. Offers: {given}."))


def _rotate(session: Session, people: Sequence[team.Agent]) -> None:
    """Who has had only hard callers lately."""
    hard = [person for person in people if person.hard_run >= LONG_RUN]
    heading("Hard calls", help="A third of all calls, those whose callers were least expected to stay. Last fortnight.")
    if not hard:
        who = "You have not" if session.person.role == "agent" else "Nobody has"
        st.caption(f"{who} had {LONG_RUN} or more hard calls in a row.")
    for person in sorted(hard, key=lambda one: (-one.hard_run, one.name)):
        share = "" if person.hard_share is None else f", {words.percent(person.hard_share)} of the fortnight’s"
        st.markdown(
            f"{plain(person.name)}: {person.hard_run} hard calls in a row{plain(share)}. "
            "Hand the next ones to somebody else.",
            anchors=False,
        )


def _wins(connection: psycopg.Connection, session: Session, people: Sequence[team.Agent]) -> None:
    shown = {person.staff_id for person in people}
    found = [win for win in team.small_wins(connection) if win["staff_id"] in shown]
    heading("Small wins of the day")
    if not found:
        st.caption("None written down for the last day with calls.")
        return
    by_name: dict[str, list[str]] = {}
    for win in found:
        by_name.setdefault(win["name"], []).append(f"{win['times']} × {win['what']}")
    st.caption(words.day(found[0]["won_on"], session.clock))
    if session.person.role == "agent":
        st.markdown(plain("; ".join(told for some in by_name.values() for told in some)), anchors=False)
        return
    frame = pd.DataFrame([{"agent": name, "wins": "; ".join(told)} for name, told in by_name.items()])
    st.dataframe(frame, hide_index=True, alt="Small wins of the day by agent.")


def _topics(connection: psycopg.Connection, people: Sequence[team.Agent]) -> None:
    shown = {person.staff_id for person in people}
    rows = [
        _topic_row(name, topic, told)
        for (staff_id, name), topics in team.topics(connection).items()
        if staff_id in shown
        for topic, told in topics.items()
    ]
    heading(
        "Evidence by contact reason",
        help="Saves above expected in 100 calls, with a 90 % interval, drawn to zero as by 20 more calls that went as "
        "expected. Mastered: 15 calls or more and the whole interval above zero.",
    )
    if rows:
        st.dataframe(
            pd.DataFrame(rows), hide_index=True, alt="Saves against expected by agent and contact reason.",
            column_config={
                name: st.column_config.NumberColumn(format="%+.1f") for name in ("at least in 100", "at most in 100")
            } | {"expected": st.column_config.NumberColumn(format="%.1f")},
        )  # fmt: skip


def _topic_row(name: str, topic: str, told: Topic) -> dict[str, object]:
    return {
        "agent": name, "contact reason": words.spoken(topic), "calls": told.calls, "saved": told.saved,
        "expected": told.expected, "at least in 100": 100 * told.low, "at most in 100": 100 * told.high,
        "mastered": "mastered" if told.is_mastered else "not shown yet",
    }  # fmt: skip


def _words(connection: psycopg.Connection, session: Session, people: Sequence[team.Agent]) -> None:
    shown = {person.staff_id for person in people}
    found = [said for said in team.customers_words(connection) if said["staff_id"] in shown]
    heading(
        "After the call", help="Notes of calls customers gave marks for, last 30 days; names and numbers are masked."
    )
    if not found:
        st.caption("No marks from customers in the last 30 days.")
        return
    if len(found) > MOST_WORDS:
        st.caption(f"{MOST_WORDS} of the newest, in no order of marks.")
    for said in found[:MOST_WORDS]:
        when = words.day(said["said_on"], session.clock)
        who = "" if session.person.role == "agent" else f"{plain(said['name'])} · "
        st.markdown(f"{said['csat']} of 5 · {who}{when} · “{plain(said['words'], 240)}”", anchors=False)
