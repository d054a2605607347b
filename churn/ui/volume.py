"""Tomorrow's calls and who causes them: forecast, staff, the calendar of changes, what past ones brought, accuracy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import streamlit as st

from churn import volume
from churn.core import words
from churn.core.charts_volume import days_chart, days_in_words, half_hours_chart, half_hours_in_words
from churn.core.erlang import Target, staff_for
from churn.core.volume_calendar import Ahead, brought, with_changes
from churn.core.volume_events import Kind
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.takeaway import takeaway
from churn.ui.volume_calendar import show_calendar, show_league

VIEWS = {
    "forecast": "Forecast",
    "staff": "Staff",
    "calendar": "Change calendar",
    "league": "What changes brought",
    "accuracy": "Accuracy",
}
SPANS = {"14": "14 days", "90": "90 days"}
NOT_YET = "Nothing is counted yet: the nightly job does it, or `python3 -m churn volume` now."
NO_FORECAST = "There is no forecast yet: {}"


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
        "View",
        list(VIEWS),
        default="forecast",
        required=True,
        format_func=VIEWS.__getitem__,
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
        _accuracy(session)
    st.caption(
        f"Inbound contacts from {read.run.first_day:%-d %b %Y} to {read.run.until_day:%-d %b %Y}, counted "
        f"{words.moment(read.run.ran_at, session.company.time_zone)}; times are {plain(session.company.time_zone)}. "
        "Bands and intervals hold nine of ten."
    )


def _read(session: Session) -> Read | None:
    with session.database.transaction(session.me) as connection:
        run = volume.last_run(connection)
        ahead = volume.ahead(connection) if run else None
        if run is None or ahead is None:
            why = NOT_YET if run is None else NO_FORECAST.format(run.refusal or "the next night makes it.")
            st.info(why, icon=":material/inbox:")
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
                "Period",
                list(SPANS),
                default="14",
                required=True,
                format_func=SPANS.__getitem__,
                key="days",
                bind="query-params",
            )
        )
    )
    chosen = queue.selectbox(
        "Queue", read.ahead.queues, index=None, placeholder="every queue", key="queue", bind="query-params"
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
    st.altair_chart(days_chart(past, shown, marks), alt=days_in_words(shown, marks))
    if listed:
        st.caption(" · ".join(f"**{n}** {plain(c.title)}, {_day(session, c):%-d %b}" for n, c in enumerate(listed, 1)))
    tomorrow, extra = read.ahead.usual[0].sum(), (read.ahead.usual - read.usual.usual)[:days].sum()
    busiest = int(shown.usual.sum(axis=1).argmax())
    one, two, three = st.columns(3)
    one.metric(f"{shown.days[0].astype(object):%A %-d %b}", f"{tomorrow if not chosen else shown.usual[0].sum():,.0f}")
    two.metric(
        "Busiest day",
        f"{shown.usual.sum(axis=1)[busiest]:,.0f}",
        f"{shown.days[busiest].astype(object):%a %-d %b}",
        delta_color="off",
        delta_arrow="off",
    )
    three.metric(f"Because of planned changes, {days} days, all queues", f"{extra:+,.0f}")
    _one_day(session, read, chosen)
    takeaway(session, "volume", "forecast", _table(shown))


def _one_day(session: Session, read: Read, queue: str | None) -> None:
    rows = _half_hours(session, read, queue)
    choices = sorted({at.date() for at in rows["at"]})
    if not choices:
        return
    heading("One day in half-hours")
    day = st.selectbox("Day", choices, format_func=lambda d: f"{d:%A %-d %B}", key="day")
    shown = rows[[at.date() == day for at in rows["at"]]]
    shown = shown.groupby("at", as_index=False)[["usual", "low", "high"]].sum()
    st.altair_chart(half_hours_chart(shown, height=200), alt=half_hours_in_words(shown))


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
        answered=one.number_input("Answered in time, %", 50, 99, 80, key="answered", bind="query-params") / 100,
        within_seconds=float(
            two.number_input("In time is, seconds", 5, 600, 20, step=5, key="within", bind="query-params")
        ),
        occupancy=three.number_input("Busy at most, %", 50, 100, 90, key="occupancy", bind="query-params") / 100,
        away=four.number_input("Paid but away, %", 0, 70, 30, key="away", bind="query-params") / 100,
    )
    with session.database.transaction(session.me) as connection:
        handling = volume.handling(connection, read.run.until_day, session.company.time_zone)
    queue = st.selectbox("Queue", read.ahead.queues, key="staff_queue", bind="query-params")
    how = handling.get(str(queue))
    measured = how.handle_seconds if how else None
    if how is None or not how.calls_share:
        st.info("No calls came to this queue in the last eight weeks: nobody to staff for.", icon=":material/info:")
        return
    seconds = st.number_input(
        "Handle time of a call, seconds",
        10,
        14_400,
        round(measured or 300),
        key=f"handle-{queue}",
        help="Measured on the calls of the last eight weeks." if measured else "No call has an end: 300 is a guess.",
    )
    plan_for = st.segmented_control(
        "Plan for", ["expected", "upper end"], default="expected", required=True, key="plan_for", bind="query-params"
    )
    rows = _half_hours(session, read, str(queue))
    choices = sorted({at.date() for at in rows["at"]})
    day = st.selectbox("Day", choices, format_func=lambda d: f"{d:%A %-d %B}", key="staff_day")
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
        st.info("Nobody is expected to call that day.", icon=":material/info:")
        return
    hours = frame["paid"].sum() / 2
    st.markdown(f"**{hours:,.0f} paid hours**, at most {frame['on the telephone'].max():,} on the telephone at once.")
    st.dataframe(
        frame,
        hide_index=True,
        alt=f"Staff by half-hour: {hours:,.0f} paid hours.",
        column_config={
            "answered in time": st.column_config.NumberColumn(format="%.0f %%"),
            "busy": st.column_config.NumberColumn(format="%.0f %%"),
        },
    )
    st.caption(
        f"Erlang C; {words.percent(how.calls_share)} of the queue’s contacts are calls. Nobody is assumed to hang up, "
        "so it asks for rather too many where waits are long."
    )
    takeaway(session, "volume", f"staff-{day:%Y-%m-%d}", frame)


# Accuracy -------------------------------------------------------------------------------------------------------------


def _accuracy(session: Session) -> None:
    with session.database.transaction(session.me) as connection:
        rows = volume.accuracy(connection)
        past = volume.brought(connection)
    if not rows:
        st.info("Not enough days yet to look back from: it takes about half a year.", icon=":material/inbox:")
        return
    frame = pd.DataFrame(
        {
            "queue": ["all queues" if r.queue == "all" else r.queue for r in rows],
            "days ahead": [f"{r.first_day} to {r.last_day}" for r in rows],
            "looked ahead from": [r.origins for r in rows],
            "error": [_percent(r.error) for r in rows],
            "too high by": [_percent(r.bias) for r in rows],
            "against last week": [r.mase for r in rows],
            "within the band": [_percent(r.covered) for r in rows],
        }
    )
    number = st.column_config.NumberColumn
    st.dataframe(
        frame,
        hide_index=True,
        alt="Forecast errors by queue and days ahead.",
        column_config={
            "error": number("Mean error", format="%.0f %%", help="Of a queue's day, over what came on average."),
            "too high by": number(format="%+.1f %%"),
            "within the band": number(format="%.0f %%", help="Should be 90 %."),
            "against last week": number(
                format="%.2f", help="Error over that of last week's same weekday; below 1 is better."
            ),
            "looked ahead from": number("Days looked ahead from"),
        },
    )
    told = pd.DataFrame(
        [
            (b.owner_department, b.extra, b.expected, b.low <= b.expected <= b.high)
            for b in past
            if b.measure == "contacts" and b.expected is not None and b.share_seen > 0.9
        ],
        columns=["owner", "extra", "expected", "ok"],
    )
    heading("By owner: what earlier changes said of the next")
    if told.empty:
        st.info("No department has had two changes of a kind yet.", icon=":material/inbox:")
    else:
        by = told.assign(off=(told["expected"] - told["extra"]).abs()).groupby("owner")
        owners = pd.DataFrame(
            {
                "owner": by.size().index,
                "changes": by.size().to_numpy(),
                "brought": by["extra"].sum().round().to_numpy(),
                "expected": by["expected"].sum().round().to_numpy(),
                "mean error, contacts": by["off"].mean().round().to_numpy(),
            }
        )
        st.dataframe(owners, hide_index=True, alt="Forecast error of changes by owner department.")
    takeaway(session, "volume", "accuracy", frame)


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100


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
