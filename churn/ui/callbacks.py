"""Who is worth ringing today: take one, open the call with their problem, say what came of it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import streamlit as st

from churn import store
from churn.calls import callbacks
from churn.calls.callbacks import Candidate, Held, HoldsOne, NotHeld, Progress, Taken
from churn.core import words
from churn.core.calls.say import Opening
from churn.core.language import current, mark, number, t, tn
from churn.core.leaving.outlook import economics_of
from churn.core.money import to_major
from churn.policies.stored import policy_in_force
from churn.ui.gate import Session
from churn.ui.pieces import day_format, flags, heading, plain
from churn.ui.reveal import number_to_ring

if TYPE_CHECKING:
    import psycopg

MOST_SHOWN = 10
SORTS = {"gain": mark("expected gain"), "worth": mark("worth"), "stays": mark("rise in staying")}
ENDINGS = (
    ("reached", mark("Reached, undecided"), "Alt+1"),
    ("kept", mark("Reached, stays"), "Alt+2"),
    ("left", mark("Reached, leaves"), "Alt+3"),
    ("no_answer", mark("No answer"), "Alt+4"),
)
NOT_MADE = mark(
    "The queue is empty: it is made every night from the scores, by `python3 -m churn callbacks`. "
    "If it ran, nobody is worth a call today."
)
ALL_DONE = mark("Everybody worth a call has been rung or is on the line. Who did not answer comes back tomorrow.")


def show_callbacks(session: Session) -> None:
    """Whom I hold, else the queue to take from."""
    with session.database.transaction(session.me) as connection:
        standing = callbacks.standing(connection, session.staff_id)
        held = callbacks.mine(connection, session.staff_id)
    _progress(session, standing)
    said = st.session_state.pop("callback_said", None)
    if said:
        st.info(said, icon=":material/info:")
    if held is not None:
        _held(session, held)
    elif not standing.shown + standing.likely:
        st.info(t(NOT_MADE if standing.as_of is None else ALL_DONE), icon=":material/task_alt:")
    else:
        _queue(session, standing)


def _progress(session: Session, standing: Progress) -> None:
    done = sum(count for what, count in standing.today.items() if what != "released")
    waiting = standing.shown + standing.likely
    parts = [
        t("{n} done today, {mine} by you", n=number(done), mine=number(standing.mine)),
        t("{n} waiting", n=number(waiting)),
        t("{n} on the line", n=number(standing.held)),
    ]
    if kept := standing.today.get("kept"):
        parts.append(t("{n} stay", n=number(kept)))
    st.progress(done / max(done + waiting + standing.held, 1), text=" · ".join(parts))
    if standing.as_of is not None:
        day = store.local_day(standing.as_of, session.company.time_zone)
        st.caption(
            t(
                "Ranked by what a call may gain over not ringing, the offer and the call paid; modelled from scores of "
                "{moment}, worth over {months} months.",
                months=economics_of(policy_in_force(session.database, session.me), day).horizon_months,
                moment=words.moment(standing.as_of, session.company.time_zone),
            )
        )


def _queue(session: Session, standing: Progress) -> None:
    order = st.segmented_control(
        t("Sort by"), list(SORTS), default="gain", required=True, format_func=lambda order: t(SORTS[order]),
        key="callback_sort", bind="query-params",
    )  # fmt: skip
    with session.database.transaction(session.me) as connection:
        shown = callbacks.queue(connection, is_shown=True, order=str(order), most=MOST_SHOWN)
        likely = callbacks.queue(connection, is_shown=False, order=str(order), most=MOST_SHOWN)
        openings = _openings(connection, session, [*shown, *likely])
    first = [*shown, *likely][0]
    st.button(
        t("Take the first"), type="primary", icon=":material/call:", shortcut="Alt+N", key="take-first",
        on_click=_take, args=(session, first.customer_id),
    )  # fmt: skip
    if shown:
        heading(
            t("Gain shown · {n}", n=number(standing.shown)),
            help=t("The whole 90 % interval of the gain is above zero."),
        )
    for candidate in shown:
        _row(session, candidate, openings)
    if likely:
        heading(
            t("Gain likely, not shown · {n}", n=number(standing.likely)),
            help=t("The gain's 90 % interval reaches below zero."),
        )
    for candidate in likely:
        _row(session, candidate, openings)


def _row(session: Session, candidate: Candidate, openings: dict[str, Opening]) -> None:
    with st.container(border=True, key=f"callback-{candidate.customer_id}"):
        text, take = st.columns([9, 2], vertical_alignment="center")
        with text:
            _who(candidate)
            opening = openings.get(candidate.customer_id)
            if opening is not None:
                st.caption(plain(opening.ground))
        take.button(
            t("Take"), key=f"take-{candidate.customer_id}", on_click=_take, args=(session, candidate.customer_id),
            width="stretch",
        )  # fmt: skip


def _who(candidate: Candidate) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        account = t("account {account}", account=plain(candidate.customer_id, 40))
        st.markdown(f"**{plain(candidate.name, 80)}** · {account}", width="content")
        if candidate.is_vulnerable:
            flags([(t("vulnerable: take time, best fix first"), ":material/volunteer_activism:", "violet")])
    st.markdown(_figures(candidate), anchors=False)


def _figures(candidate: Candidate) -> str:
    """What ringing may gain, and from what; nothing once they are no longer in the queue."""
    currency = candidate.currency
    if currency is None or candidate.gain is None or candidate.p_without is None or candidate.p_with is None:
        return t("No figures: the queue was made anew and they are no longer in it.")
    gain, low, high, worth, amount = (
        _about(figure, currency)
        for figure in (candidate.gain, candidate.gain_low, candidate.gain_high, candidate.worth, candidate.amount)
    )
    lever = t("{money} credit", money=amount) if candidate.amount else t("putting it right")
    before, after = words.percent(candidate.p_without), words.percent(candidate.p_with)
    said = (
        t("gain {gain} ({low} to {high})", gain=gain, low=low, high=high),
        t("stays {before} → {after} with {lever}", before=before, after=after, lever=lever),
        t("worth {money} if they stay", money=worth),
    )
    return plain(" · ".join(said))


def _about(amount: int | None, currency: str) -> str:
    return words.money(round(float(to_major(amount or 0, currency))), currency)


def _held(session: Session, held: Held) -> None:
    with session.database.transaction(session.me) as connection:
        opening = _openings(connection, session, [held]).get(held.customer_id)
    with st.container(border=True, key="callback_held"):
        heading(t("On your line"))
        _who(held)
        phone = number_to_ring(session, held.customer_id, held.phone)
        minutes = max(int((held.expires_at - session.clock).total_seconds() // 60), 0)
        parts = [plain(phone), tn(minutes, "yours for about {n} minute", "yours for about {n} minutes")]
        if held.misses:
            parts.append(tn(held.misses, "no answer {n} time before", "no answer {n} times before"))
        st.markdown(" · ".join(parts), anchors=False)
        if opening is not None:
            heading(t("Open with"), help=t("From their own records; the problem we know of comes first."))
            st.markdown(f"### {t('“{said}”', said=plain(opening.text))}", anchors=False)
            st.caption(plain(opening.ground))
        # In a tab of its own: what came of the call is still written down here.
        st.link_button(
            t("Open the card"), f"./?{_card_of(held)}", icon=":material/support_agent:", shortcut="Alt+O",
            key="open-card",
        )  # fmt: skip
        _endings(session, held.customer_id)


def _card_of(held: Held) -> str:
    """The query of the desk's card; who one is goes along where it was chosen by hand."""
    chosen = {"who": st.query_params["who"]} if "who" in st.query_params else {}
    return urlencode({"account": held.customer_id} | chosen)


def _endings(session: Session, customer_id: str) -> None:
    heading(t("What came of it"))
    with st.container(horizontal=True, gap="small"):
        for what, label, shortcut in ENDINGS:
            st.button(
                t(label), key=f"end-{what}", shortcut=shortcut, on_click=_finish, args=(session, customer_id, what),
                type="primary" if what == "kept" else "secondary",
            )  # fmt: skip
        st.button(
            t("Put back"), key="end-released", shortcut="Alt+0", type="tertiary", on_click=_finish,
            args=(session, customer_id, "released"),
        )  # fmt: skip
    tomorrow = session.clock.astimezone(ZoneInfo(session.company.time_zone)).date() + timedelta(days=1)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        day = st.date_input(
            t("They asked to be rung on"), tomorrow, min_value=tomorrow, max_value=tomorrow + timedelta(days=90),
            key="callback_day", width=220, format=day_format("YYYY/MM/DD"),
        )  # fmt: skip
        nine = datetime.combine(day, time(9), ZoneInfo(session.company.time_zone)) if day else None
        st.button(
            t("Snooze until then"), key="end-snoozed", on_click=_finish, args=(session, customer_id, "snoozed", nine),
            disabled=nine is None,
        )  # fmt: skip


def _openings(
    connection: psycopg.Connection, session: Session, candidates: list[Candidate] | list[Held]
) -> dict[str, Opening]:
    """What to open each call with; read once a tab for as long as the queue is the same."""
    kept: dict[tuple[str, datetime | None, str], Opening] = st.session_state.setdefault("callback_openings", {})
    found = {}
    for candidate in candidates:
        key = (candidate.customer_id, candidate.as_of, current().code)
        if key not in kept:
            try:
                kept[key] = callbacks.opening_of(connection, candidate.customer_id, session.company, session.clock)
            except store.NoSuchCustomer:
                continue
        found[candidate.customer_id] = kept[key]
    return found


def _take(session: Session, customer_id: str) -> None:
    try:
        callbacks.take(session.database, session.me, customer_id)
    except (Taken, HoldsOne) as refusal:
        st.session_state["callback_said"] = str(refusal)


def _finish(session: Session, customer_id: str, what: str, until: datetime | None = None) -> None:
    try:
        free_from = callbacks.finish(session.database, session.me, customer_id, what, until=until)
    except NotHeld as refusal:
        st.session_state["callback_said"] = str(refusal)
        return
    if what in {"no_answer", "snoozed"}:
        when = words.moment(free_from, session.company.time_zone)
        st.session_state["callback_said"] = t("Written down. They are back in the queue from {moment}.", moment=when)
    elif what != "released":
        st.session_state["callback_said"] = t(
            "Written down. They are left in peace for {days} days.", days=callbacks.REST_DAYS
        )
