"""What customers say: what is rising and what is done about it, topics, the league, and what is broken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.language import mark, number, t, tn
from churn.core.voice import digest
from churn.core.voice.bursts import RATE
from churn.core.voice.charts_voice import reasons_chart, reasons_in_words, trend
from churn.core.voice.problems import LEAST_GROUP, STATES
from churn.ui.gate import Session
from churn.ui.pieces import chart, heading, plain
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway, written_down
from churn.ui.voice_card import show_problem
from churn.ui.voice_league import show_worth_having
from churn.voice import voice

PERIODS = ("30", "90", "365")  # days; the URL carries what is read
VIEWS = {
    "rising": mark("Rising"),
    "topics": mark("Topics"),
    "league": mark("Worth having"),
    "broken": mark("What is broken"),
}
NOT_YET = mark("Nothing is counted yet: the nightly job does it, or `python3 -m churn voice` now.")
PROBLEMS = mark(
    "Above the usual level without a known cause, or being worked on. Usual: what was expected of the day from earlier "
    "weeks; modelled."
)


def show_voice(session: Session) -> None:
    """The page: filters in the URL, then the view asked for."""
    with session.database.transaction(session.me) as connection:
        run = voice.last_run(connection)
        choices = voice.choices(connection)
    if run is None:
        st.info(t(NOT_YET), icon=":material/inbox:")
        return
    asked = _filters(run, choices)
    if said := st.session_state.pop("voice_said", None):
        st.toast(plain(said), icon=":material/info:", duration="long")  # nothing on the page moves for it
    view = st.segmented_control(
        t("View"),
        list(VIEWS),
        default="rising",
        required=True,
        format_func=lambda one: t(VIEWS[one]),
        key="view",
        label_visibility="collapsed",
        bind="query-params",
    )
    show = {"rising": _rising, "topics": _topics, "league": show_worth_having, "broken": _broken}[str(view)]
    show(session, asked)
    _source(session, run)


def _filters(run: voice.Run, choices: voice.Choices) -> voice.Asked:
    period, region, plan, reason, state = st.columns([2.7, 1.5, 1.5, 1.4, 1.4], vertical_alignment="bottom")
    days = period.segmented_control(
        t("Period"),
        PERIODS,
        default="90",
        required=True,
        format_func=lambda one: tn(int(one), "{n} day", "{n} days"),
        key="days",
        bind="query-params",
    )
    chosen = {
        "region": region.selectbox(
            t("Region"), choices.regions, index=None, placeholder=t("every region"), key="region", bind="query-params"
        ),
        "plan": plan.selectbox(
            t("Plan"), choices.plans, index=None, placeholder=t("every plan"), key="plan", bind="query-params"
        ),
        "reason": reason.selectbox(
            t("About"),
            choices.reasons,
            index=None,
            placeholder=t("everything"),
            format_func=words.spoken,
            key="reason",
            bind="query-params",
        ),
        "state": state.selectbox(
            t("State"),
            list(STATES),
            index=None,
            placeholder=t("any state"),
            format_func=lambda one: t(STATES[one]),
            key="state",
            bind="query-params",
        ),
    }
    return voice.Asked(run.until_day - timedelta(days=int(str(days)) - 1), run.until_day, **chosen)


def _rising(session: Session, asked: voice.Asked) -> None:
    with session.database.transaction(session.me) as connection:
        points = [(p.bucket, p.about, p.contacts) for p in voice.reasons_over_time(connection, asked)]
        found = voice.problems(connection, asked)
        courses = voice.courses(connection, [one.problem_id for one in found])
        quotes = voice.quotes(connection, [one.problem_id for one in found])
    told = [point for point in points if point[2] is not None and point[1] != "unknown"]
    if told:
        chart(reasons_chart(told, asked.bucket_days), alt=reasons_in_words(told))
        counted = t("Inbound contacts as coded, counted; the largest reasons of the period.")
        hidden = t("Days on which a group has fewer than {n} customers are left out.", n=LEAST_GROUP)
        st.caption(f"{counted} {hidden}" if any(n is None for _, _, n in points) else counted)
    else:
        st.info(
            t("No contacts to show: widen the filters. Groups under {n} customers are not told.", n=LEAST_GROUP),
            icon=":material/filter_alt:",
        )
    settled = [one for one in found if one.state in ("fixed", "dismissed")]
    known = [one for one in found if one.state == "noticed" and one.is_expected]
    fresh = [one for one in found if one not in settled and one not in known]
    heading(t("Problems · {n}", n=number(len(fresh))), help=t(PROBLEMS))
    if not fresh:
        st.info(t("Nothing rises without a known cause, and nothing is being worked on."), icon=":material/task_alt:")
    for problem in fresh:
        show_problem(session, problem, courses[problem.problem_id], quotes[problem.problem_id])
    for title, some in (
        (t("With a known cause · {n}", n=number(len(known))), known),
        (t("Settled · {n}", n=number(len(settled))), settled),
    ):
        if some:
            with st.expander(title):
                for problem in some:
                    show_problem(session, problem, courses[problem.problem_id], quotes[problem.problem_id])


def _topics(session: Session, asked: voice.Asked) -> None:
    with session.database.transaction(session.me) as connection:
        points = voice.topics_over_time(connection, asked)
    if not points:
        st.info(t("No topics in this period: it takes some hundred notes, and a night."), icon=":material/inbox:")
        return
    if asked.region or asked.plan or asked.reason:
        st.caption(
            t("Topics are of everybody: notes are read as a sample, too small to part by region, plan or reason.")
        )
    by_topic: dict[str, list[tuple[date, float]]] = {}
    for point in points:
        by_topic.setdefault(point.about, []).append((point.bucket, float(point.contacts or 0)))
    first = min(point.bucket for point in points)  # notes are read of the trailing weeks only
    half = first + (asked.last - first) / 2
    rows = []
    for topic, known in by_topic.items():
        early = sum(n for day, n in known if day < half)
        late = sum(n for day, n in known if day >= half)
        line = trend(known, first, asked.last, asked.bucket_days)
        rows.append(
            {
                "topic": topic,
                "contacts": early + late,
                "change": (late / early - 1) * 100 if early else None,
                "trend": line,
            }
        )
    frame = pd.DataFrame(rows).sort_values("contacts", ascending=False)
    show_table(
        frame,
        hide_index=True,
        alt=tn(
            len(frame),
            "{n} topic with contacts, change and trend over the period.",
            "{n} topics with contacts, change and trend over the period.",
        ),
        column_config={
            "topic": st.column_config.TextColumn(
                t("Topic"), width="large", help=t("Words that tell the notes of a topic from the others.")
            ),
            "contacts": st.column_config.NumberColumn(t("Contacts, reckoned"), format="%,.0f"),
            "change": st.column_config.NumberColumn(t("Second half against the first"), format="%+.0f %%"),
            "trend": st.column_config.LineChartColumn(t("Over the period"), y_min=0),
        },
    )
    st.caption(
        t(
            "Contacts are reckoned from the share of the notes that were read, at most 400 a day. Names stay the same "
            "from night to night."
        )
    )
    takeaway(session, "voice", "topics", frame.drop(columns="trend"))


def _broken(session: Session, asked: voice.Asked) -> None:
    with session.database.transaction(session.me) as connection:
        notes = voice.broken(connection, asked)
    if not notes:
        st.info(
            t("No agent wrote down what is broken in this period. They do it at the end of a call."),
            icon=":material/inbox:",
        )
        return
    by_topic: dict[str, list[voice.Broken]] = {}
    for note in notes:
        by_topic.setdefault(note.topic or t("About none of the topics"), []).append(note)
    for topic, some in by_topic.items():
        count = tn(some[0].of_topic, "{n} note", "{n} notes")
        with st.expander(f"{plain(topic)} · {count}", expanded=len(by_topic) < 5):
            for note in some:
                about = f" · {words.spoken(note.reason)}" if note.reason else ""
                st.markdown(f"{plain(note.note, 300)}  \n:small[{plain(words.day(note.said_on, asked.last) + about)}]")


def _source(session: Session, run: voice.Run) -> None:
    told = {
        "day": words.day(run.until_day, date.min), "moment": words.moment(run.ran_at, session.company.time_zone),
        "rate": words.percent(RATE),
    }  # fmt: skip
    st.caption(
        t(
            "Inbound contacts up to {day}, counted {moment}. A problem is what lies above its usual level by more than "
            "chance allows; of all found, at most {rate} are expected to be false.",
            **told,
        )
        if run.level is None
        else t(
            "Inbound contacts up to {day}, counted {moment}. A problem is what lies above its usual level by more than "
            "chance allows; of all found, at most {rate} are expected to be false, that night at a level of {level}.",
            **told, level=number(run.level, 4),
        )
    )  # fmt: skip
    text, mail, _ = st.columns([2, 2, 4])
    for column, label, make, ending, kind in (
        (text, t("Digest as text"), digest.as_text, "md", "text/markdown"),
        (mail, t("Digest as a mail"), digest.as_html, "html", "text/html"),
    ):
        column.download_button(
            label,
            written_down(session, "voice", "digest", partial(_digest, session, make)),
            f"voice-{run.until_day:%Y-%m-%d}.{ending}",
            kind,
            key=f"digest-{ending}",
            width="stretch",
            icon=":material/mail:",
        )


def _digest(session: Session, make: Callable[[digest.Digest], str]) -> bytes:
    """Made when it is asked for, not on every run of the page."""
    with session.database.transaction(session.me) as connection:
        told = voice.digest(connection, session.company)
    return (make(told) if told is not None else t(NOT_YET)).encode()
