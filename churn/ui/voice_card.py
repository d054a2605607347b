"""A problem's card: what rose, who is affected, in whose words, whose it is, and what mending it saved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.language import mark, number, t, tn
from churn.core.money import to_major
from churn.core.voice.charts_voice import problem_chart, problem_in_words
from churn.core.voice.digest import at_that_time, effect_in_words, effect_of, rise_in_words
from churn.core.voice.problems import LEAST_GROUP, STATES, Day, title_said
from churn.refusals import Refusal
from churn.ui.gate import Session
from churn.ui.pieces import Colour, Flag, chart, day_format, flags, plain
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway
from churn.voice import voice

BADGES: dict[str, tuple[str, Colour]] = {
    "noticed": (":material/visibility:", "orange"),
    "accepted": (":material/assignment_turned_in:", "blue"),
    "being_fixed": (":material/build:", "violet"),
    "fixed": (":material/task_alt:", "green"),
    "dismissed": (":material/block:", "gray"),
}
ACTS = {
    "noticed": mark("Notice again"),
    "accepted": mark("Accept"),
    "being_fixed": mark("Being fixed"),
    "fixed": mark("Fixed"),
    "dismissed": mark("Dismiss"),
}
OTHERS = mark("others, under {n} each")
EFFECT = mark(
    "Against the level before it was fixed: what would have come had it gone on. No experiment: it may have ended by "
    "itself."
)
MOST_LISTED = 100


def show_problem(
    session: Session, problem: voice.Problem, course: Sequence[Day], quotes: Sequence[voice.Quote]
) -> None:
    """One card."""
    with st.container(border=True, key=f"problem-{problem.problem_id}"):
        where = f" · {problem.region or problem.plan}" if problem.region or problem.plan else ""
        title = title_said(problem.title, problem.reason)
        st.markdown(f"### {plain(title + where, 200)}", anchors=False)
        with st.container(horizontal=True, gap="small"):
            flags([(t(STATES[problem.state]), *BADGES[problem.state]), *_owner(problem)])
        left, right = st.columns([5, 4])
        with left:
            st.markdown(_figures(problem))
            for quote in quotes[:2]:
                st.markdown(f"> {plain(quote.quote, 300)}")
            effect = effect_of(course, problem.began_on, problem.fixed_on)
            if effect is not None:
                st.markdown(
                    f"**{plain(words.first_up(effect_in_words(effect)))}**",
                    help=t(EFFECT),
                )
            elif problem.state == "fixed":
                st.caption(t("What the fix saved shows from the day after it."))
        if course:
            with right:
                told = problem_in_words(title, course)
                chart(problem_chart(course, problem.fixed_on), alt=told, key=f"course-{problem.problem_id}")
                st.caption(t("Contacts a day; shaded: where nine usual days of ten lie."))
        _who(session, problem, quotes)
        if session.person.role == "leader":
            _acts(session, problem)


def _owner(problem: voice.Problem) -> list[Flag]:
    owner: list[Flag] = []
    if problem.owner_department:
        owner = [(problem.owner_department, ":material/apartment:", "gray")]
    if not problem.fixed_on:
        return owner
    return [*owner, (t("on {day}", day=words.day(problem.fixed_on, date.min)), ":material/event:", "gray")]


def _figures(problem: voice.Problem) -> str:
    last = problem.last_burst_on
    rise, end = rise_in_words(problem.contacts, problem.expected), words.day(last, last)
    lines = [t("{rise}, on {day}.", rise=rise, day=end)]
    if problem.began_on != last:
        lines = [t("{rise}, {first} to {last}.", rise=rise, first=words.day(problem.began_on, last), last=end)]
    if problem.customers >= LEAST_GROUP:
        lines.append(
            tn(problem.customers, "{n} customer got in touch about it.", "{n} customers got in touch about it.")
        )
    if problem.worth_at_risk is not None and problem.customers >= LEAST_GROUP:
        worth = words.money(round(to_major(problem.worth_at_risk, problem.currency)), problem.currency)
        lines.append(t("{worth} at risk: what they are worth times their chance of leaving; modelled.", worth=worth))
    if problem.reason is None:
        lines.append(t("Counted in the notes that were read: no reason is coded."))
    if problem.at_that_time:
        lines.append(at_that_time(problem.at_that_time))
    if problem.topic:
        lines.append(t("Most notes are about: {topic}.", topic=problem.topic))
    return "  \n".join(plain(line, 400) for line in lines)


def _who(session: Session, problem: voice.Problem, quotes: Sequence[voice.Quote]) -> None:
    asked = st.toggle(t("Who is affected, and what was decided"), key=f"who-{problem.problem_id}")
    if not asked:
        return
    with session.database.transaction(session.me) as connection:
        groups = voice.groups(connection, problem.problem_id)
        touched = voice.touched(connection, problem.problem_id)
        steps = voice.history(connection, problem.problem_id)
    regions, plans = st.columns(2)
    for column, dimension, label, told in (
        (regions, "region", t("region"), t("Customers affected by region.")),
        (plans, "plan", t("plan"), t("Customers affected by plan.")),
    ):
        some = [
            {label: g.value or t(OTHERS, n=LEAST_GROUP), t("customers"): g.customers}
            for g in groups
            if g.dimension == dimension
        ]
        if some:
            with column:
                show_table(pd.DataFrame(some), hide_index=True, alt=told)
    if not groups:
        st.caption(t("Fewer than {n} customers: who they are is not told.", n=LEAST_GROUP))
    if touched:
        _accounts(session, problem, touched)
    for quote in quotes[2:]:
        st.markdown(f"> {plain(quote.quote, 300)}")
    for step in steps:
        remark = f": {step.remark}" if step.remark else ""
        st.caption(
            plain(
                f"{words.moment(step.happened_at, session.company.time_zone)} · {step.person}: "
                f"{t(STATES[step.from_state])} → "
                f"{t(STATES[step.to_state])}{remark}",
                400,
            )
        )


def _accounts(session: Session, problem: voice.Problem, touched: Sequence[voice.Touched]) -> None:
    frame = pd.DataFrame(
        [
            {
                "account": one.customer_id,
                "region": one.region,
                "plan": one.plan,
                "contacts": one.contacts,
                "last on": one.last_on,
                "chance of leaving": one.p_churn,
                f"worth ({problem.currency})": None
                if one.worth is None
                else float(to_major(one.worth, problem.currency)),
            }
            for one in touched
        ]
    )
    show_table(
        frame.head(MOST_LISTED),
        hide_index=True,
        alt=t("Accounts with most worth at risk, without names."),
        column_config={
            "account": t("account"),
            "region": t("region"),
            "plan": t("plan"),
            "contacts": t("contacts"),
            "last on": t("last on"),
            "chance of leaving": st.column_config.NumberColumn(
                t("chance of leaving"), format="percent", help=t("By the model in use, at the last scoring.")
            ),
            f"worth ({problem.currency})": st.column_config.NumberColumn(
                t("worth ({currency})", currency=problem.currency),
                format="%,.0f",
                help=t("What the customer is worth over the coming years; modelled."),
            ),
        },
    )
    st.caption(
        tn(
            len(touched), "{n} account with most at risk, of {all}; no names.",
            "{n} accounts with most at risk, of {all}; no names.", all=number(problem.customers),
        )
    )  # fmt: skip
    takeaway(session, "voice", f"problem-{problem.problem_id}", frame)


def _acts(session: Session, problem: voice.Problem) -> None:
    key = problem.problem_id
    with session.database.transaction(session.me) as connection:
        nexts, owners = voice.next_states(connection, problem.state), voice.owners(connection)
    may_fix = "fixed" in nexts
    widths = [3, *([2] if may_fix else []), 3, *([1.6] * len(nexts))]
    columns = iter(st.columns(widths, vertical_alignment="bottom"))
    options = sorted({*owners, *([problem.owner_department] if problem.owner_department else [])})
    next(columns).selectbox(
        t("Owner department"),
        options,
        index=options.index(problem.owner_department) if problem.owner_department else None,
        accept_new_options=True,
        placeholder=t("whose is it?"),
        key=f"owner-{key}",
    )
    if may_fix:
        next(columns).date_input(
            t("Fixed on"),
            value=problem.fixed_on,
            min_value=problem.began_on,
            max_value=voice.local_today(session.company, session.clock),
            format=day_format("DD/MM/YYYY"),
            key=f"fixed-{key}",
        )
    next(columns).text_input(t("Remark"), key=f"remark-{key}", max_chars=300)
    for column, state in zip(columns, nexts, strict=True):
        column.button(
            t(ACTS[state]), key=f"to-{state}-{key}", on_click=_move, args=(session, problem, state), width="stretch"
        )
    if refused := st.session_state.pop(f"refused-{key}", None):
        st.warning(plain(refused), icon=":material/block:")


def _move(session: Session, problem: voice.Problem, state: str) -> None:
    """Owner, day and remark are read as they are now. A refusal is told on the card, by the button."""
    key, typed = problem.problem_id, st.session_state
    fixed_on = typed.get(f"fixed-{key}") if state == "fixed" else None
    try:
        voice.move(
            session.database,
            session.me,
            key,
            state,
            owner=typed.get(f"owner-{key}"),
            fixed_on=fixed_on,
            remark=typed.get(f"remark-{key}"),
        )
        title = title_said(problem.title, problem.reason)
        typed["voice_said"] = t("{title}: {state}.", title=title, state=t(STATES[state]))
    except Refusal as refusal:
        typed[f"refused-{key}"] = str(refusal)
