"""The audit for administrators: filters in the URL, the list, who looked up too much, and whether the seals hold."""

from __future__ import annotations

import json
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from churn import audit, store
from churn.audit import Event
from churn.core import words
from churn.core.language import in_english, mark, number, t
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain, reading
from churn.ui.takeaway import takeaway

DAYS = {"1": mark("today"), "7": mark("7 days"), "30": mark("30 days"), "365": mark("a year")}
ACTS = (
    "searched", "saw", "revealed", "exported", "gave", "reversed", "clawed_back", "refused", "asked", "approved",
    "countered", "declined", "used", "expired", "withdrawn", "drafted", "published", "proposed", "confirmed", "closed",
    "named", "changed", "signed_in", "signed_out", "erased",
)  # fmt: skip
BROKEN = (  # as `desk.verify_audit` says what is not as it was
    mark("a seal before this one was removed or changed"), mark("this seal was changed"),
    mark("this row was removed"), mark("this row was put in after the sealing"), mark("this row was changed"),
)  # fmt: skip
MOST = 2_000


def show_audit(session: Session) -> None:
    """Filters, what was done, alarms and seals."""
    since, until, asked = _filters(session)
    with reading(t("The audit")):
        found = audit.trail(session.database, session.me, since=since, until=until, most=MOST, **asked)
        _alerts(session)
        _list(session, found)
    _seals(session)


def _filters(session: Session) -> tuple[datetime, datetime, dict[str, str | None]]:
    period, person, act, subject = st.columns([2, 2, 2, 2], vertical_alignment="bottom")
    days = period.segmented_control(
        t("Period"), list(DAYS), default="7", required=True, format_func=lambda one: t(DAYS[one]), key="days",
        bind="query-params",
    )  # fmt: skip
    with session.database.transaction(session.me) as connection:
        names = {one.staff_id: one.name for one in store.desk_staff(connection)}
    who = person.selectbox(
        t("Person"), list(names), index=None, placeholder=t("everybody"), key="person_asked", bind="query-params",
        format_func=lambda key: f"{names.get(key, key)} · {key}",
    )  # fmt: skip
    what = act.selectbox(
        t("Act"),
        ACTS,
        index=None,
        placeholder=t("everything"),
        key="act",
        bind="query-params",
        format_func=words.spoken,
    )
    about = subject.text_input(
        t("Account, request, policy …"), key="subject", placeholder=t("any"), max_chars=80, bind="query-params",
        help=t("The key it was about: a customer's account, a request, a policy's number, a page."),
    )  # fmt: skip
    today = store.local_day(session.clock, session.company.time_zone)
    first = today - timedelta(days=int(str(days)) - 1)
    begins = datetime.combine(first, time(), ZoneInfo(session.company.time_zone))
    return (
        begins,
        session.clock + timedelta(minutes=1),
        {"staff_id": who, "act": what, "subject": about.strip() or None},
    )


def _alerts(session: Session) -> None:
    for alert in audit.alerts(session.database, session.me):
        when = words.moment(alert.hour, session.company.time_zone)
        st.warning(
            t(
                "{who} {act} {n} customers in the hour of {when}: the limit of {limit} was reached. Ask why.",
                who=plain(alert.staff_id),
                act=words.spoken(alert.act),
                n=number(alert.times),
                when=when,
                limit=number(alert.per_hour),
            ),
            icon=":material/person_alert:",
        )


def _list(session: Session, found: list[Event]) -> None:
    if not found:
        st.info(
            t("Nothing was done, seen or refused like that in this time. Widen the period."), icon=":material/inbox:"
        )
        return
    frame = _frame(found, session.company.time_zone)
    more = t("the newest {n} of more", n=number(MOST)) if len(found) == MOST else number(len(found))
    heading(
        t("What was done · {n}", n=more), help=t("Grants, refusals and the audit's own rows together, newest first.")
    )
    st.dataframe(
        frame, hide_index=True, alt=t("What was done, by whom, about what, newest first"),
        column_config={name: words.spoken(name) for name in frame.columns}
        | {"when": st.column_config.DatetimeColumn(words.spoken("when"), format="YYYY-MM-DD HH:mm:ss")},
    )  # fmt: skip
    takeaway(session, "audit", "audit", in_english(_frame, found, session.company.time_zone))


def _frame(found: list[Event], zone: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "when": [event.happened_at.astimezone(ZoneInfo(zone)) for event in found],
            "who": [event.staff_id or t("a job") for event in found],
            "did": [words.spoken(event.act) for event in found],
            "about": [words.named(event.subject_kind or "") for event in found],
            "key": [event.subject or "" for event in found],
            "more": [json.dumps(event.detail, ensure_ascii=False) if event.detail else "" for event in found],
            "row": [f"{event.source} {event.id}" for event in found],
            "request": [event.request_id or "" for event in found],
        }
    )


def _seals(session: Session) -> None:
    heading(
        t("Seals"),
        help=t("Every minute what was written down is sealed in a chain; a changed or missing row breaks it."),
    )
    with reading(t("The seals")):
        newest = audit.seals(session.database, session.me, most=1)
        if not newest:
            st.caption(t("Nothing is sealed yet: `serve` does it every minute, `python3 -m churn audit seal` now."))
            return
        when = words.moment(newest[0].sealed_at, session.company.time_zone)
        st.caption(
            t(
                "The newest of {n} seals is of {when}. Keep its root off this host:",
                n=number(newest[0].seal_id),
                when=when,
            )
        )
        st.code(newest[0].root, language=None)
        if st.button(t("Verify every seal"), icon=":material/verified:", key="verify"):
            with st.spinner(t("Comparing every sealed row …")):
                faults = audit.verify(session.database, session.me)
            if not faults:
                st.success(t("Every sealed row is as it was."), icon=":material/verified:")
            for fault in faults[:100]:
                st.error(_broken(fault), icon=":material/gpp_bad:")


def _broken(fault: audit.Fault) -> str:
    told = {"seal": fault.seal_id, "table": fault.table_name, "problem": t(fault.problem)}
    if fault.id is None:
        return t("Seal {seal}, {table}: {problem}.", **told)
    return t("Seal {seal}, {table} row {row}: {problem}.", row=fault.id, **told)
