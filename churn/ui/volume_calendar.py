"""The calendar of changes: what each may bring, where it clashes, a better date, the editor; what past ones brought."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.forecasting.volume_bands import AHEAD_DAYS
from churn.core.forecasting.volume_calendar import (
    WEEKS_TO_LOOK,
    Ahead,
    brought,
    capacity_of,
    clash_of,
    extra_of,
    with_changes,
)
from churn.core.forecasting.volume_day import SLOTS
from churn.core.forecasting.volume_events import Kind
from churn.core.language import mark, number, t, tn
from churn.forecasting import volume
from churn.refusals import Refusal
from churn.ui.gate import Session
from churn.ui.pieces import day_format, heading, plain
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway

KINDS = ("campaign", "release", "price_rise", "bill_run", "maintenance", "letter")
NO_CHANGES = mark("No change is planned for the next {days} days, neither by the company's own calendar nor here.")
EXTRA_HELP = mark(
    "By what earlier changes of its kind brought for each customer reached, with the interval that holds nine of ten; "
    "modelled."
)
AUDIENCE_HELP = mark("Customers it reaches: as stated, or counted from the subscriptions.")
WITHIN_HELP = mark("Days until nine tenths of what its kind brings have come.")
OVERLOAD_HELP = mark("Contacts the change adds above what the centre takes, over all its days, and the worst of them.")
BETTER_HELP = mark(
    "From two weeks before to {weeks} weeks after, the day with the least overload, which is in brackets."
)


def show_calendar(session: Session, usual: Ahead, kinds: dict[str, Kind], changes: list[volume.Change]) -> None:
    """What is planned, with what it may bring; for leaders the editor below."""
    shares = _shares(session, usual)
    limit = round(capacity_of(usual, shares))
    capacity = st.number_input(
        t("Most contacts the centre takes in half an hour"),
        0,
        None,
        max(limit, 1),
        key="capacity",
        bind="query-params",
        help=t("Unless you say: what is reached in one of twenty half-hours ahead without any change."),
    )
    if not changes:
        st.info(t(NO_CHANGES, days=AHEAD_DAYS), icon=":material/event_available:")
    else:
        rows = [
            _row(session, change, changes, usual, kinds, shares=shares, capacity=float(capacity)) for change in changes
        ]
        frame = pd.DataFrame(rows)
        show_table(
            frame,
            hide_index=True,
            alt=tn(
                len(frame),
                "{n} planned change with the contacts they may bring.",
                "{n} planned changes with the contacts they may bring.",
            ),
            column_config=_planned_columns(),
        )
        if any(change.claims_none for change in changes):
            st.caption(t("† Claims to have no impact: reckoned with what one in five of such changes brings at least."))
        takeaway(session, "volume", "changes", frame)
    if session.person.role == "leader":
        _editor(session, [change for change in changes if change.is_ours])
    else:
        st.caption(t("Leaders enter and change what is planned."))


def _planned_columns() -> dict[str, Any]:
    column = st.column_config.TextColumn
    return {
        "begins": t("begins"),
        "change": t("change"),
        "kind": t("kind"),
        "owner": t("owner"),
        "audience": column(
            t("audience"), help=t("Customers it reaches: as stated, or counted from the subscriptions.")
        ),
        "extra contacts": column(t("extra contacts"), help=t(EXTRA_HELP)),
        "mostly within": column(t("mostly within"), help=t(WITHIN_HELP)),
        "overload": column(t("overload"), help=t(OVERLOAD_HELP)),
        "better date": column(t("better date"), help=t(BETTER_HELP, weeks=WEEKS_TO_LOOK)),
        "what to say": column(t("what to say"), width="medium"),
        "entered": t("entered"),
    }


def _row(
    session: Session,
    change: volume.Change,
    changes: list[volume.Change],
    usual: Ahead,
    kinds: dict[str, Kind],
    *,
    shares: list[np.ndarray],
    capacity: float,
) -> dict[str, object]:
    zone = session.company.time_zone
    event = change.event(zone)
    others = [other.event(zone) for other in changes if other.event_id != change.event_id]
    extra, kind = extra_of(event, kinds), kinds.get(event.kind)
    clash = clash_of(event, kinds, with_changes(usual, *brought(others, kinds, usual)), shares, capacity)
    known = (
        words.with_interval(number(extra.expected), number(extra.low), number(extra.high))
        if extra.events
        else t("not known: first of its kind")
    )
    return {
        "begins": words.moment(change.starts_at, zone),
        "change": change.title + (" †" if change.claims_none else ""),
        "kind": words.spoken(change.kind),
        "owner": change.owner_department,
        "audience": t("{n} counted", n=number(change.audience)) if change.is_counted else number(change.audience),
        "extra contacts": known,
        "mostly within": tn(kind.duration_days, "{n} day", "{n} days") if kind else "",
        "overload": t("{n} on {day}", n=number(clash.overload), day=words.day(clash.worst_day, clash.worst_day))
        if clash.worst_day
        else t("none"),
        "better date": f"{words.weekday(clash.better, is_short=True)} ({number(clash.better_overload)})"
        if clash.better
        else "",
        "what to say": change.what_to_say or "",
        "entered": t("here") if change.is_ours else t("by the company"),
    }


def _shares(session: Session, usual: Ahead) -> list[np.ndarray]:
    """Each coming day's half-hours as shares of the day, all queues together, by the same weekday's."""
    with session.database.transaction(session.me) as connection:
        rows = volume.half_hours(connection)
    zone = ZoneInfo(session.company.time_zone)
    by_weekday = np.zeros((7, SLOTS))
    for row in rows:
        local = row.starts_at.astimezone(zone)
        by_weekday[row.day.weekday(), local.hour * 2 + local.minute // 30] += row.usual
    whole = by_weekday.sum(axis=1, keepdims=True)
    shares = by_weekday / np.where(whole > 0, whole, 1.0)
    return [shares[day.weekday()] for day in usual.days.astype(object)]


# The editor -----------------------------------------------------------------------------------------------------------


def _editor(session: Session, ours: list[volume.Change]) -> None:
    heading(t("Plan a change, or change one"))
    by_id = {change.event_id: change for change in ours}
    chosen = st.selectbox(
        t("Which"), [None, *by_id], key="edit_event",
        format_func=lambda key: by_id[key].title if key else t("a new one"),
    )  # fmt: skip
    old = by_id.get(chosen) if chosen else None
    zone = ZoneInfo(session.company.time_zone)
    begins = old.starts_at.astimezone(zone) if old else _tomorrow(session)
    name = old.event_id if old else "new"
    with st.form(f"change-{name}", border=True):
        one, two, three = st.columns(3)
        title = one.text_input(t("Title"), old.title if old else "", max_chars=120, key=f"title-{name}")
        owner = two.text_input(
            t("Owner department"), old.owner_department if old else "", max_chars=80, key=f"owner-{name}"
        )
        kinds = list(dict.fromkeys([*([old.kind] if old else []), *KINDS]))
        kind = three.selectbox(t("Kind"), kinds, format_func=words.spoken, accept_new_options=True, key=f"kind-{name}")
        day, hour, hours, audience = st.columns(4)
        on = day.date_input(t("Begins on"), begins.date(), key=f"on-{name}", format=day_format("YYYY/MM/DD"))
        at = hour.time_input(t("At"), begins.time(), key=f"at-{name}")
        lasts = hours.number_input(
            t("Lasts, hours"), 0.0, 24.0 * 366, _hours(old), key=f"hours-{name}", help=t("0: no end.")
        )
        size = audience.number_input(
            t("Audience"),
            0,
            None,
            None if old is None or old.is_counted else old.audience,
            key=f"audience-{name}",
            placeholder=t("counted tonight"),
            help=t("Customers it reaches; empty: counted from the subscriptions."),
        )
        region, product, plan = (
            column.text_input(
                t(label),
                (getattr(old, label.lower()) or "") if old else "",
                key=f"{label}-{name}",
                help=t("Empty: every one."),
            )
            for column, label in zip(st.columns(3), (mark("Region"), mark("Product"), mark("Plan")), strict=True)
        )
        say = st.text_area(
            t("What to say to callers"), (old.what_to_say or "") if old else "", max_chars=600, key=f"say-{name}"
        )
        none = st.checkbox(
            t("The owner says: no impact on customers"), old.claims_none if old else False, key=f"none-{name}"
        )
        if st.form_submit_button(t("Save"), type="primary"):
            starts = datetime.combine(on, at, zone)
            draft = volume.Draft(
                UUID(old.event_id) if old else _new_id(),
                owner,
                str(kind or ""),
                title,
                starts,
                starts + timedelta(hours=lasts) if lasts else None,
                size,
                region or None,
                product or None,
                plan or None,
                say or None,
                none,
            )
            _save(session, draft)
    if old:
        st.button(
            t("Withdraw it"),
            key=f"withdraw-{name}",
            icon=":material/event_busy:",
            on_click=_withdraw,
            args=(session, old),
        )


def _new_id() -> UUID:
    """The key of the change being entered: the same until it is saved, so that a double click enters it once."""
    held = st.session_state.setdefault("new_change", uuid4())
    return UUID(str(held))


def _tomorrow(session: Session) -> datetime:
    zone = ZoneInfo(session.company.time_zone)
    now = session.company.data_until or session.clock
    return datetime.combine(now.astimezone(zone).date() + timedelta(days=7), time(10), zone)


def _hours(old: volume.Change | None) -> float:
    return (old.ends_at - old.starts_at).total_seconds() / 3600 if old and old.ends_at else 0.0


def _save(session: Session, draft: volume.Draft) -> None:
    try:
        volume.plan_event(session.database, session.me, draft)
    except Refusal as refusal:
        st.warning(plain(str(refusal)), icon=":material/block:")
        return
    st.session_state.pop("new_change", None)
    st.session_state["volume_said"] = t(
        "{title} is in the calendar; callers it reaches hear of it once it begins.", title=draft.title
    )
    st.rerun()


def _withdraw(session: Session, change: volume.Change) -> None:
    try:
        volume.withdraw_event(session.database, session.me, UUID(change.event_id))
    except Refusal as refusal:
        st.session_state["volume_said"] = str(refusal)
        return
    st.session_state["volume_said"] = t("{title} is withdrawn.", title=change.title)
