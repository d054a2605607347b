"""Tomorrow's calls and who causes them: forecast, staff, the calendar of changes, what past ones brought, accuracy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.forecasting.charts_volume import days_chart, days_in_words, half_hours_chart, half_hours_in_words
from churn.core.forecasting.erlang import Target, staff_for
from churn.core.forecasting.volume_calendar import Ahead, brought, with_changes
from churn.core.forecasting.volume_events import Kind
from churn.core.language import current, mark, number, t, tn
from churn.forecasting import volume
from churn.ui.gate import Session
from churn.ui.pieces import chart, heading, plain
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway
from churn.ui.volume_calendar import show_calendar
from churn.ui.volume_past import show_accuracy, show_league

VIEWS = {
    "forecast": mark("Forecast"),
    "staff": mark("Staff"),
    "calendar": mark("Change calendar"),
    "league": mark("What changes brought"),
    "accuracy": mark("Accuracy"),
}
SPANS = ("14", "90")  # days
PLANS = {"expected": mark("expected"), "upper end": mark("upper end")}
NOT_YET = mark("Nothing is counted yet: the nightly job does it, or `python3 -m churn volume` now.")
EXPECTED = mark(
    "Modelled from the days counted: weekday, season, holidays and trend, with what planned changes may bring."
)
EXTRA = mark("Contacts planned changes may bring, by what earlier changes of their kind brought; modelled.")


@dataclass(frozen=True)
class Read:
    """What every view needs: the forecast as it stands, the changes to come, what their kinds bring."""

    run: volume.Run
    ahead: Ahead  # planned changes included
    usual: Ahead  # and without them
    kinds: dict[str, Kind]
    changes: list[volume.Change]


def show_volume(session: Session) -> None:
    """The page: filters in the URL, then the view asked for."""
    read = _read(session)
    if read is None:
        return
    if said := st.session_state.pop("volume_said", None):
        st.info(plain(said), icon=":material/info:")
    view = st.segmented_control(
        t("View"),
        list(VIEWS),
        default="forecast",
        required=True,
        format_func=lambda one: t(VIEWS[one]),
        key="view",
        label_visibility="collapsed",
        bind="query-params",
    )
    if view == "forecast":
        _forecast(session, read)
    elif view == "staff":
        _staff(session, read)
    elif view == "calendar":
        show_calendar(session, read.usual, read.kinds, read.changes)
    elif view == "league":
        show_league(session)
    else:
        show_accuracy(session)
    st.caption(
        t(
            "Inbound contacts from {first} to {last}, counted {moment}; times are {zone}. Bands and intervals hold "
            "nine of ten.",
            first=words.day(read.run.first_day, date.min), last=words.day(read.run.until_day, date.min),
            moment=words.moment(read.run.ran_at, session.company.time_zone), zone=plain(session.company.time_zone),
        )
    )  # fmt: skip


def _read(session: Session) -> Read | None:
    with session.database.transaction(session.me) as connection:
        run = volume.last_run(connection)
        ahead = volume.ahead(connection) if run else None
        if run is None or ahead is None:
            why = t(run.refusal) if run and run.refusal else t("the next night makes it.")
            said = t(NOT_YET) if run is None else t("There is no forecast yet: {why}", why=why)
            st.info(said, icon=":material/inbox:")
            return None
        kinds = volume.kinds(connection, ahead.queues)
        first, last = ahead.days[0].astype(object), ahead.days[-1].astype(object)
        changes = volume.calendar(connection, first, last, session.company.time_zone)
    events = [change.event(session.company.time_zone) for change in changes]
    return Read(run, with_changes(ahead, *brought(events, kinds, ahead)), ahead, kinds, changes)


# Forecast -------------------------------------------------------------------------------------------------------------


def _forecast(session: Session, read: Read) -> None:
    span, queue = st.columns([1, 2], vertical_alignment="bottom")
    days = int(
        str(
            span.segmented_control(
                t("Period"),
                SPANS,
                default="14",
                required=True,
                format_func=lambda one: tn(int(one), "{n} day", "{n} days"),
                key="days",
                bind="query-params",
            )
        )
    )
    chosen = queue.selectbox(
        t("Queue"), read.ahead.queues, index=None, placeholder=t("every queue"), key="queue", bind="query-params"
    )
    shown = _cut(read.ahead, days, chosen)
    with session.database.transaction(session.me) as connection:
        came = volume.days_before(connection, read.run.until_day)
    before = pd.DataFrame(came, columns=["day", "queue", "contacts"])
    before = before[before["queue"] == chosen] if chosen else before
    past = [(day, int(n)) for day, n in before.groupby("day")["contacts"].sum().items()]
    last = shown.days[-1].astype(object)
    listed = [change for change in read.changes if _day(session, change) <= last]
    marks = [(_day(session, change), change.title) for change in listed]
    chart(days_chart(past, shown, marks), alt=days_in_words(shown, marks))
    if listed:
        st.caption(" · ".join(f"**{n}** {plain(title)}, {words.day(on, on)}" for n, (on, title) in enumerate(marks, 1)))
    tomorrow, extra = read.ahead.usual[0].sum(), (read.ahead.usual - read.usual.usual)[:days].sum()
    busiest = int(shown.usual.sum(axis=1).argmax())
    one, two, three = st.columns(3)
    first = shown.days[0].astype(object)
    one.metric(
        t("{weekday} {day}", weekday=current().weekdays[first.weekday()], day=words.day(first, first)),
        number(tomorrow if not chosen else shown.usual[0].sum()),
        help=t(EXPECTED),
    )
    two.metric(
        t("Busiest day"),
        number(shown.usual.sum(axis=1)[busiest]),
        words.weekday(shown.days[busiest].astype(object), is_short=True),
        delta_color="off",
        delta_arrow="off",
        help=t(EXPECTED),
    )
    three.metric(
        tn(
            days,
            "Because of planned changes, {n} day, all queues",
            "Because of planned changes, {n} days, all queues",
        ),
        number(extra, is_signed=True),
        help=t(EXTRA),
    )
    _one_day(session, read, chosen)
    takeaway(session, "volume", "forecast", _table(shown))


def _one_day(session: Session, read: Read, queue: str | None) -> None:
    rows = _half_hours(session, read, queue)
    choices = sorted({at.date() for at in rows["at"]})
    if not choices:
        return
    heading(t("One day in half-hours"), help=t("Each coming day by the half-hours of the same weekdays before."))
    day = st.selectbox(t("Day"), choices, format_func=words.weekday, key="day")
    shown = rows[[at.date() == day for at in rows["at"]]]
    shown = shown.groupby("at", as_index=False)[["usual", "low", "high"]].sum()
    chart(half_hours_chart(shown, height=200), alt=half_hours_in_words(shown))


def _half_hours(session: Session, read: Read, queue: str | None) -> pd.DataFrame:
    """Half-hours of the next two weeks on the company's clock, planned changes included."""
    zone = ZoneInfo(session.company.time_zone)
    with session.database.transaction(session.me) as connection:
        rows = volume.half_hours(connection)
    frame = pd.DataFrame(
        [
            (
                r.queue,
                r.starts_at,
                r.starts_at.astimezone(zone).replace(tzinfo=None),
                r.day,
                r.usual,
                r.low,
                r.high,
                r.share,
            )
            for r in rows
            if queue in (None, r.queue)
        ],
        columns=["queue", "instant", "at", "day", "usual", "low", "high", "share"],
    )
    extra = pd.DataFrame(read.ahead.usual - read.usual.usual, columns=list(read.ahead.queues))
    extra.index = pd.Index(read.ahead.days.astype(object))
    more = np.array([extra.at[day, q] for day, q in zip(frame["day"], frame["queue"], strict=True)]) * frame["share"]
    for column in ("usual", "low", "high"):
        frame[column] = (frame[column] + more).clip(lower=0.0)
    return frame


# Staff ----------------------------------------------------------------------------------------------------------------


def _staff(session: Session, read: Read) -> None:
    one, two, three, four = st.columns(4, vertical_alignment="bottom")
    target = Target(
        answered=one.number_input(t("Answered in time, %"), 50, 99, 80, key="answered", bind="query-params") / 100,
        within_seconds=float(
            two.number_input(t("In time is, seconds"), 5, 600, 20, step=5, key="within", bind="query-params")
        ),
        occupancy=three.number_input(t("Busy at most, %"), 50, 100, 90, key="occupancy", bind="query-params") / 100,
        away=four.number_input(t("Paid but away, %"), 0, 70, 30, key="away", bind="query-params") / 100,
    )
    with session.database.transaction(session.me) as connection:
        handling = volume.handling(connection, read.run.until_day, session.company.time_zone)
    queue = st.selectbox(t("Queue"), read.ahead.queues, key="staff_queue", bind="query-params")
    how = handling.get(str(queue))
    measured = how.handle_seconds if how else None
    if how is None or not how.calls_share:
        st.info(
            t("No calls came to this queue in the last {n} days: nobody to staff for.", n=volume.HANDLING_DAYS),
            icon=":material/info:",
        )
        return
    seconds = st.number_input(
        t("Handle time of a call, seconds"),
        10,
        14_400,
        round(measured or 300),
        key=f"handle-{queue}",
        help=t("Measured on the calls of the last {n} days.", n=volume.HANDLING_DAYS)
        if measured
        else t("No call has an end: 300 is a guess."),
    )
    plan_for = st.segmented_control(
        t("Plan for"), list(PLANS), default="expected", required=True, key="plan_for", bind="query-params",
        format_func=lambda one: t(PLANS[one]), help=t("Upper end: of the band that holds nine of ten half-hours."),
    )  # fmt: skip
    rows = _half_hours(session, read, str(queue))
    choices = sorted({at.date() for at in rows["at"]})
    day = st.selectbox(t("Day"), choices, format_func=words.weekday, key="staff_day")
    rows = rows[[at.date() == day for at in rows["at"]]]
    source = rows["usual"] if plan_for == "expected" else rows["high"]
    calls = source * how.calls_share
    found = [staff_for(float(n), float(seconds), target) for n in calls]
    frame = pd.DataFrame(
        {
            "half-hour": [f"{at:%H:%M}" for at in rows["at"]],
            "calls": calls.round(1).to_numpy(),
            "on the telephone": [s.staff for s in found],
            "paid": [s.paid for s in found],
            "answered in time": [round(s.answered * 100, 1) for s in found],
            "mean wait, s": [round(s.wait_seconds, 1) for s in found],
            "busy": [round(s.occupancy * 100, 1) for s in found],
        }
    )
    frame = frame[frame["calls"] >= 0.05]
    if frame.empty:
        st.info(t("Nobody is expected to call that day."), icon=":material/info:")
        return
    hours = frame["paid"].sum() / 2
    st.markdown(
        t(
            "**{hours} paid hours**, at most {most} on the telephone at once.",
            hours=number(hours), most=number(frame["on the telephone"].max()),
        )
    )  # fmt: skip
    show_table(
        frame, hide_index=True, column_config=_staff_columns(),
        alt=t("Staff by half-hour: {hours} paid hours.", hours=number(hours)),
    )  # fmt: skip
    st.caption(
        t(
            "Erlang C; {share} of the queue’s contacts are calls. Nobody is assumed to hang up, so it asks for rather "
            "too many where waits are long.",
            share=words.percent(how.calls_share),
        )
    )
    takeaway(session, "volume", f"staff-{day:%Y-%m-%d}", frame)


def _staff_columns() -> dict[str, Any]:
    column = st.column_config.NumberColumn
    return {
        "half-hour": t("half-hour"),
        "calls": column(t("calls"), help=t("Contacts of the forecast times the share that are calls.")),
        "on the telephone": t("on the telephone"),
        "paid": column(t("paid"), help=t("On the telephone over the share of paid time not away.")),
        "answered in time": column(t("answered in time"), format="%.0f %%"),
        "mean wait, s": t("mean wait, s"),
        "busy": column(t("busy"), format="%.0f %%", help=t("Share of time on the telephone spent in calls.")),
    }


# Shared ---------------------------------------------------------------------------------------------------------------


def _cut(ahead: Ahead, days: int, queue: str | None) -> Ahead:
    keep = [q for q, name in enumerate(ahead.queues) if queue in (None, name)]
    return replace(
        ahead,
        days=ahead.days[:days],
        queues=tuple(ahead.queues[q] for q in keep),
        usual=ahead.usual[:days, keep],
        low=ahead.low[:days, keep],
        high=ahead.high[:days, keep],
    )


def _table(ahead: Ahead) -> pd.DataFrame:
    days = ahead.days.astype(object)
    return pd.DataFrame(
        [
            (
                day,
                queue,
                round(float(ahead.usual[d, q]), 1),
                round(float(ahead.low[d, q]), 1),
                round(float(ahead.high[d, q]), 1),
            )
            for d, day in enumerate(days)
            for q, queue in enumerate(ahead.queues)
        ],
        columns=["day", "queue", "expected contacts", "low", "high"],
    )


def _day(session: Session, change: volume.Change) -> date:
    return change.event(session.company.time_zone).starts_on
