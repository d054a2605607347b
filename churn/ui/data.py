"""Is today's input sound: alarms, freshness, what is empty, doubled or impossible, set aside or held back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.language import in_english, mark, number, t, tc, tn
from churn.core.trust import charts_models as charts
from churn.core.trust.data_profile import GAP_DAYS, JUMP_Z, LEAST_JUMP, LEAST_LATE, LEAST_RECENT_JUMP, RECENT_DAYS
from churn.trust import data_reports
from churn.trust.data_reports import Past, Profile
from churn.ui.gate import Session
from churn.ui.pieces import chart, heading, plain, reading
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway

NOT_YET = mark("The data were not looked at yet: the nightly job does it, or `python3 -m churn data` now.")
VIEWS = {
    "fresh": mark("Fresh"), "empty": mark("Empty"), "doubles": mark("Doubles and contacts"),
    "contract": mark("Impossible"), "files": mark("Files"), "held": mark("Held back"),
}  # fmt: skip


def show_data(session: Session) -> None:
    """The newest profile and what it rings for; the view stands in the URL."""
    with reading(t("The data")):
        with session.database.transaction(session.me) as connection:
            profile = data_reports.newest(connection)
            past = data_reports.earlier(connection, profile) if profile else []
        if profile is None:
            st.info(t(NOT_YET), icon=":material/inbox:")
            return
        _alarms(profile, past)
        view = str(
            st.segmented_control(
                t("Show"), list(VIEWS), default="fresh", required=True, key="view", bind="query-params",
                format_func=lambda one: t(VIEWS[one]),
            )
        )  # fmt: skip
        show: dict[str, Callable[[], None]] = {
            "fresh": partial(_fresh, session, profile),
            "empty": partial(_empty, session, profile, past),
            "doubles": partial(_doubles, session, profile),
            "contract": partial(_contract, session, profile),
            "files": partial(_files, session, profile),
            "held": partial(_held_back, session, profile),
        }
        show.get(view, show["fresh"])()
        _source(session, profile)


def _heads(frame: pd.DataFrame) -> dict[str, Any]:
    """What the columns are called; counts and shares as the browser's language writes them."""
    found: dict[str, Any] = {name: words.spoken(name) for name in map(str, frame.columns)}
    if "rows" in found:
        found["rows"] = st.column_config.NumberColumn(found["rows"], format="localized")
    return found | {
        name: st.column_config.NumberColumn(said, format="percent")
        for name, said in found.items()
        if name.startswith("share")
    }


def _nouns(frame: pd.DataFrame) -> pd.DataFrame:
    """The same with tables in words."""
    return frame.assign(table=frame["table"].map(words.named)) if "table" in frame else frame


def _alarms(profile: Profile, past: list[Past]) -> None:
    found = data_reports.alarms_of(profile, past)
    for alarm in found:
        st.warning(plain(alarm.sentence), icon=":material/notifications_active:")
    mend = [problem for problem in profile.problems if not problem["is_optional"]]
    if mend:
        st.error(
            tn(
                len(mend), "{n} breach of the data contract to mend: see {view}.",
                "{n} breaches of the data contract to mend: see {view}.", view=t(VIEWS["contract"]),
            ), icon=":material/build:",
        )  # fmt: skip
    if found or mend:
        return
    if past:
        told = tn(
            len(past), "No alarm: nothing late; nothing emptier than in the last {n} profile.",
            "No alarm: nothing late; nothing emptier than in the last {n} profiles.",
        )  # fmt: skip
    else:
        told = t("No alarm: nothing late; whether more is empty than before shows from the second night on.")
    st.success(told, icon=":material/check_circle:")


def _fresh(session: Session, profile: Profile) -> None:
    shown = _nouns(_tables(profile))
    show_table(
        shown, hide_index=True, placeholder="–", alt=t("Tables: rows, newest row, age, usual gap"),
        column_config=_heads(shown),
    )  # fmt: skip
    st.caption(
        t(
            "Newest row by its own date, up to the company's day. Usual gap: days from one day with rows to the next, "
            "as it is 19 times in 20 over {n} days; late is more than twice that, at least {least} days.", n=GAP_DAYS,
            least=LEAST_LATE,
        )
    )  # fmt: skip
    takeaway(session, "data", "freshness", in_english(_tables, profile))
    with_rows = {one["noun"]: one["days"] for one in profile.tables if one["days"]}
    if not with_rows:
        return
    noun = st.segmented_control(
        t("Rows a day of"), list(with_rows), default=next(iter(with_rows)), required=True, key="table",
        bind="query-params", format_func=words.named,
    )  # fmt: skip
    days = pd.DataFrame(with_rows.get(str(noun), []), columns=["day", "rows"])
    chart(
        charts.rows_a_day(days), key="days",
        alt=t(
            "Rows a day of {table}: {n} on a middle day.", table=words.named(str(noun)),
            n=number(float(days["rows"].median())),
        ),
    )  # fmt: skip


def _tables(profile: Profile) -> pd.DataFrame:
    """How old each table's newest row is, and whether that is late."""
    frame = pd.DataFrame(profile.tables).assign(
        state=[
            t("late") if one["late_days"] is not None else t("no row") if not one["rows"] else
            t("nobody can say") if one["usual_gap_days"] is None else t("in time")
            for one in profile.tables
        ]
    )  # fmt: skip
    named = frame.rename(
        columns={
            "noun": "table",
            "age_days": "age, days",
            "usual_gap_days": "usual gap, days",
            "late_days": "days late",
        }
    )
    return named[["table", "rows", "oldest", "newest", "age, days", "usual gap, days", "days late", "state"]]


def _empty(session: Session, profile: Profile, past: list[Past]) -> None:
    before = {(c["noun"], c["name"]): c for c in past[0].columns} if past else {}
    frame = pd.DataFrame(
        [
            {
                "table": one["noun"], "column": one["name"], "required": one["is_required"], "rows": one["rows"],
                "empty": one["nulls"], "share empty": _share(one["nulls"], one["rows"]),
                f"share empty, last {RECENT_DAYS} days": _share(one["recent_nulls"], one["recent_rows"]),
                "share empty before": _share_of(before.get((one["noun"], one["name"]))),
            }
            for one in profile.columns
        ]
    )  # fmt: skip
    tables = list(dict.fromkeys(frame["table"]))
    noun = st.segmented_control(
        t("Table"), ["every", *tables], default="every", required=True, key="noun", bind="query-params",
        format_func=lambda one: tc("table", "every") if one == "every" else words.named(one),
    )  # fmt: skip
    shown = frame if noun == "every" else frame[frame["table"] == noun]
    show_table(
        _nouns(shown), hide_index=True, alt=t("Empty values by column"),
        column_config=_heads(shown)
        | {
            f"share empty, last {RECENT_DAYS} days": st.column_config.NumberColumn(
                t("share empty, last {n} days", n=RECENT_DAYS), format="percent"
            )
        },
    )  # fmt: skip
    when = words.moment(past[0].measured_at, session.company.time_zone) if past else t("there is none")
    st.caption(
        t(
            "Counted over every row. Before: the profile of {when}. A column rings when its share is above the middle "
            "of the last profiles by more than chance (z above {z}), and by {points} points of all rows or {recent} of "
            "the last days'.",
            when=when, z=number(JUMP_Z), points=number(100 * LEAST_JUMP), recent=number(100 * LEAST_RECENT_JUMP),
        )
    )  # fmt: skip
    takeaway(session, "data", "empty-values", shown)


def _share_of(column: Mapping[str, Any] | None) -> float | None:
    return _share(column["nulls"], column["rows"]) if column else None


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if whole and part is not None else None


def _doubles(session: Session, profile: Profile) -> None:
    heading(t("Doubles"), help=t("Rows that say the same under different keys, beyond the first."))
    doubles = pd.DataFrame(profile.doubles, columns=["noun", "what", "rows"]).rename(columns={"noun": "table"})
    show_table(
        _nouns(doubles.assign(what=doubles["what"].map(t))), hide_index=True,
        alt=t("Rows beyond the first with the same values"), column_config=_heads(doubles),
    )  # fmt: skip
    st.caption(t("Shared numbers and addresses may be a household: what is doubled is not always wrong."))
    takeaway(session, "data", "doubles", doubles)
    heading(t("Unmatched contacts"), help=t("Contacts without a customer, or of one nobody knows."))
    if not profile.contacts:
        st.caption(t("There are no contacts."))
        return
    contacts = pd.DataFrame(profile.contacts).rename(
        columns={"nobody": "without a customer", "unknown": "of a customer nobody knows"}
    )
    unmatched = contacts["without a customer"] + contacts["of a customer nobody knows"]
    contacts = contacts.assign(**{"share unmatched": unmatched / contacts["contacts"]})
    counts = ["contacts", "without a customer", "of a customer nobody knows"]
    contacts = contacts[["channel", *counts, "share unmatched"]]
    show_table(
        contacts.assign(channel=contacts["channel"].map(words.named)), hide_index=True,
        alt=t("Contacts by channel and how many are unmatched"),
        column_config=_heads(contacts)
        | {name: st.column_config.NumberColumn(words.spoken(name), format="localized") for name in counts},
    )  # fmt: skip
    st.caption(t("They count in the forecast of volume and in no customer's history."))
    takeaway(session, "data", "unmatched-contacts", contacts)


def _contract(session: Session, profile: Profile) -> None:
    if not profile.problems:
        st.success(
            t("Every row keeps the data contract: no impossible date or amount."), icon=":material/check_circle:"
        )
        return
    for problem in profile.problems:
        said = mark("To know: {problem}") if problem["is_optional"] else mark("To mend: {problem}")
        with st.expander(t(said, problem=plain(data_reports.problem_in_words(problem)))):
            st.caption(t("SQL that mends it, for the owner of the views; it is shown and never run:"))
            st.code(problem["mend"], language="sql", wrap_lines=True)
    st.caption(
        t("Rules of `crm`'s views, each counted over every row; `python3 -m churn check` names an example of each.")
    )
    takeaway(session, "data", "contract-problems", pd.DataFrame(profile.problems))


def _files(session: Session, profile: Profile) -> None:
    if not profile.sources:
        st.info(t("Nothing was imported from files: the views read the company's own tables."), icon=":material/inbox:")
        return
    sources = pd.DataFrame(profile.sources)
    heading(t("Sources"), help=t("The newest import of each file."))
    show_table(
        sources, hide_index=True, alt=t("Files taken in, by which mapping, with rows accepted and set aside"),
        column_config=_heads(sources),
    )  # fmt: skip
    takeaway(session, "data", "sources", sources)
    heading(t("Rows set aside"), help=t("Rows that could not be taken, by reason."))
    if not profile.set_aside:
        st.caption(t("No row was set aside."))
        return
    reasons = pd.DataFrame(profile.set_aside)
    show_table(
        reasons, hide_index=True, alt=t("Reasons for setting rows aside, counted"), column_config=_heads(reasons)
    )
    takeaway(session, "data", "set-aside-reasons", reasons)
    if session.person.role == "administrator":
        _raw_rows(session, reasons)
    else:
        st.caption(t("The rows themselves hold personal data: an administrator sees them."))


def _raw_rows(session: Session, reasons: pd.DataFrame) -> None:
    path = st.selectbox(
        t("Rows of"), list(dict.fromkeys(reasons["path"])), key="path", index=None, placeholder=t("choose a file")
    )
    if path is None:
        return
    of_file = list(reasons.loc[reasons["path"] == path, "reason"].unique())
    reason = st.selectbox(t("Reason"), of_file, key="reason", index=None, placeholder=t("every reason"))
    with session.database.transaction(session.me) as connection:
        rows = data_reports.rows_set_aside(connection, path, reason)
    show_table(
        rows, hide_index=True, alt=t("Source rows as they were read, with line and reason"), column_config=_heads(rows)
    )
    st.caption(t("The first {n} by line; personal data as the file holds them.", n=data_reports.MOST_SET_ASIDE))
    takeaway(session, "data", "set-aside-rows", rows)


def _held_back(session: Session, profile: Profile) -> None:
    frame = pd.DataFrame(profile.held_back, columns=["what", "why", "customers"])
    if frame.empty:
        st.success(t("Nothing was held back: every live customer is scored."), icon=":material/check_circle:")
        return
    show_table(
        frame.assign(what=frame["what"].map(data_reports.held_in_words), why=frame["why"].map(t)), hide_index=True,
        alt=t("What scoring left out, why, and how many customers"), column_config=_heads(frame),
    )  # fmt: skip
    st.caption(
        t("Counted when the profile was made, over every customer; scoring itself runs by `python3 -m churn score`.")
    )
    takeaway(session, "data", "held-back", frame)


def _source(session: Session, profile: Profile) -> None:
    zone = session.company.time_zone
    st.caption(
        t(
            "As of {when}; looked at {then} in {time}. The page reads this profile and no customer's row.",
            when=words.moment(profile.as_of, zone),
            then=words.moment(profile.measured_at, zone),
            time=words.duration(profile.seconds),
        )
    )
