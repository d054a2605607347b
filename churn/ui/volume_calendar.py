"""The calendar of changes: what each may bring, where it clashes, a better date, the editor; what past ones brought."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import streamlit as st

from churn import volume
from churn.core import words
from churn.core.volume_calendar import Ahead, brought, capacity_of, clash_of, extra_of, with_changes
from churn.core.volume_day import SLOTS
from churn.core.volume_events import Kind
from churn.refusals import Refusal
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.takeaway import takeaway

KINDS = ("campaign", "release", "price_rise", "bill_run", "maintenance", "letter")
MEASURES = {"contacts": "Contacts", "cancels": "Cancels", "concessions": "Concessions"}
NO_CHANGES = "No change is planned for the next 90 days, neither by the company's own calendar nor here."


def show_calendar(session: Session, usual: Ahead, kinds: dict[str, Kind], changes: list[volume.Change]) -> None:
    """What is planned, with what it may bring; for leaders the editor below."""
    shares = _shares(session, usual)
    limit = round(capacity_of(usual, shares))
    capacity = st.number_input(
        "Most contacts the centre takes in half an hour",
        0,
        None,
        max(limit, 1),
        key="capacity",
        bind="query-params",
        help="Unless you say: what is reached in one of twenty half-hours ahead without any change.",
    )
    if not changes:
        st.info(NO_CHANGES, icon=":material/event_available:")
    else:
        rows = [
            _row(session, change, changes, usual, kinds, shares=shares, capacity=float(capacity)) for change in changes
        ]
        frame = pd.DataFrame(rows)
        st.dataframe(
            frame,
            hide_index=True,
            alt=f"{len(frame)} planned changes with the contacts they may bring.",
            column_config={"what to say": st.column_config.TextColumn(width="medium")},
        )
        if any(change.claims_none for change in changes):
            st.caption("† Claims to have no impact: reckoned with what one in five of such changes brings at least.")
        takeaway(session, "volume", "changes", frame)
    if session.person.role == "leader":
        _editor(session, [change for change in changes if change.is_ours])
    else:
        st.caption("Leaders enter and change what is planned.")


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
        f"{extra.expected:,.0f} ({extra.low:,.0f} to {extra.high:,.0f})"
        if extra.events
        else "not known: first of its kind"
    )
    return {
        "begins": words.moment(change.starts_at, zone),
        "change": change.title + (" †" if change.claims_none else ""),
        "kind": words.spoken(change.kind),
        "owner": change.owner_department,
        "audience": f"{change.audience:,}" + (" counted" if change.is_counted else ""),
        "extra contacts": known,
        "mostly within": f"{kind.duration_days} days" if kind else "",
        "overload": f"{clash.overload:,.0f} on {clash.worst_day:%-d %b}" if clash.worst_day else "none",
        "better date": f"{clash.better:%a %-d %b} ({clash.better_overload:,.0f})" if clash.better else "",
        "what to say": change.what_to_say or "",
        "entered": "here" if change.is_ours else "by the company",
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
    heading("Plan a change, or change one")
    by_id = {change.event_id: change for change in ours}
    chosen = st.selectbox(
        "Which", [None, *by_id], format_func=lambda key: by_id[key].title if key else "a new one", key="edit_event"
    )
    old = by_id.get(chosen) if chosen else None
    zone = ZoneInfo(session.company.time_zone)
    begins = old.starts_at.astimezone(zone) if old else _tomorrow(session)
    name = old.event_id if old else "new"
    with st.form(f"change-{name}", border=True):
        one, two, three = st.columns(3)
        title = one.text_input("Title", old.title if old else "", max_chars=120, key=f"title-{name}")
        owner = two.text_input(
            "Owner department", old.owner_department if old else "", max_chars=80, key=f"owner-{name}"
        )
        kinds = list(dict.fromkeys([*([old.kind] if old else []), *KINDS]))
        kind = three.selectbox("Kind", kinds, format_func=words.spoken, accept_new_options=True, key=f"kind-{name}")
        day, hour, hours, audience = st.columns(4)
        on = day.date_input("Begins on", begins.date(), key=f"on-{name}")
        at = hour.time_input("At", begins.time(), key=f"at-{name}")
        lasts = hours.number_input("Lasts, hours", 0.0, 24.0 * 366, _hours(old), key=f"hours-{name}", help="0: no end.")
        size = audience.number_input(
            "Audience",
            0,
            None,
            None if old is None or old.is_counted else old.audience,
            key=f"audience-{name}",
            placeholder="counted tonight",
            help="Customers it reaches; empty: counted from the subscriptions.",
        )
        region, product, plan = (
            column.text_input(
                label,
                (getattr(old, label.lower()) or "") if old else "",
                key=f"{label}-{name}",
                help="Empty: every one.",
            )
            for column, label in zip(st.columns(3), ("Region", "Product", "Plan"), strict=True)
        )
        say = st.text_area(
            "What to say to callers", (old.what_to_say or "") if old else "", max_chars=600, key=f"say-{name}"
        )
        none = st.checkbox(
            "The owner says: no impact on customers", old.claims_none if old else False, key=f"none-{name}"
        )
        if st.form_submit_button("Save", type="primary"):
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
            "Withdraw it", key=f"withdraw-{name}", icon=":material/event_busy:", on_click=_withdraw, args=(session, old)
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
    st.session_state["volume_said"] = f"{draft.title} is in the calendar; callers it reaches hear of it once it begins."
    st.rerun()


def _withdraw(session: Session, change: volume.Change) -> None:
    try:
        volume.withdraw_event(session.database, session.me, UUID(change.event_id))
    except Refusal as refusal:
        st.session_state["volume_said"] = str(refusal)
        return
    st.session_state["volume_said"] = f"{change.title} is withdrawn."


# What past changes brought --------------------------------------------------------------------------------------------


def show_league(session: Session) -> None:
    """Every past event with its interval, and the owner departments by what they brought."""
    with session.database.transaction(session.me) as connection:
        rows = volume.brought(connection)
    if not rows:
        st.info("No past change is known: the company's calendar is `crm.change_events`.", icon=":material/inbox:")
        return
    zone = session.company.time_zone
    table: dict[str, dict[str, object]] = {}
    for row in rows:
        line = table.setdefault(
            row.event_id,
            {
                "owner": row.owner_department,
                "change": row.title + (" †" if row.claims_none else ""),
                "kind": words.spoken(row.kind),
                "began": words.moment(row.starts_at, zone),
                "audience": row.audience,
            },
        )
        line[MEASURES[row.measure]] = _told(row)
        if row.measure == "contacts":
            line["per 1,000"] = row.extra / row.audience * 1000 if row.audience else None
    heading("By owner department")
    owners = pd.DataFrame(
        [(r.owner_department, r.extra, (r.high - r.low) / 2, r.low > 0) for r in rows if r.measure == "contacts"],
        columns=["owner", "extra", "half", "shown"],
    )
    by = owners.assign(square=owners["half"] ** 2).groupby("owner")
    # events are off by themselves, so the department's interval adds up by squares
    league = pd.DataFrame(
        {
            "owner": by.size().index,
            "changes": by.size().to_numpy(),
            "extra contacts": by["extra"].sum().round().to_numpy(),
            "at least": (by["extra"].sum() - np.sqrt(by["square"].sum())).round().to_numpy(),
            "at most": (by["extra"].sum() + np.sqrt(by["square"].sum())).round().to_numpy(),
            "changes with a shown effect": by["shown"].sum().to_numpy(),
        }
    ).sort_values("extra contacts", ascending=False)
    st.dataframe(league, hide_index=True, alt="Extra contacts by owner department, with 90 % intervals.")
    heading("Every past change")
    frame = pd.DataFrame(table.values())
    st.dataframe(
        frame,
        hide_index=True,
        alt=f"{len(frame)} past changes with what they brought.",
        column_config={"per 1,000": st.column_config.NumberColumn("Contacts per 1,000 reached", format="%.0f")},
    )
    st.caption(
        "Extra over the usual days in the four weeks from the start, with the 90 % interval, cancels and "
        "concessions likewise. "
        "“No evidence”: the interval holds zero. † Had claimed to have no impact."
    )
    takeaway(session, "volume", "past-changes", frame)


def _told(row: volume.Brought) -> str:
    span = f"{row.low:,.0f} to {row.high:,.0f}"
    return f"no evidence ({span})" if row.low <= 0 <= row.high else f"{row.extra:,.0f} ({span})"
