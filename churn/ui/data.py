"""Is today's input sound: alarms, freshness, what is empty, doubled or impossible, set aside or held back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from churn import data_reports
from churn.core import charts_models as charts
from churn.core import words
from churn.core.data_profile import GAP_DAYS, RECENT_DAYS
from churn.data_reports import Past, Profile
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain, reading
from churn.ui.takeaway import takeaway

NOT_YET = "The data were not looked at yet: the nightly job does it, or `python3 -m churn data` now."
VIEWS = {
    "fresh": "Fresh", "empty": "Empty", "doubles": "Doubles and contacts", "contract": "Impossible", "files": "Files",
    "held": "Held back",
}  # fmt: skip
ABOUT = {
    "rows": st.column_config.NumberColumn(format="localized"),
    "share empty": st.column_config.NumberColumn(format="percent"),
}


def show_data(session: Session) -> None:
    """The newest profile and what it rings for; the view stands in the URL."""
    with reading("The data"):
        with session.database.transaction(session.me) as connection:
            profile = data_reports.newest(connection)
            past = data_reports.earlier(connection, profile) if profile else []
        if profile is None:
            st.info(NOT_YET, icon=":material/inbox:")
            return
        _alarms(profile, past)
        view = str(
            st.segmented_control(
                "Show", list(VIEWS), default="fresh", required=True, key="view", bind="query-params",
                format_func=VIEWS.__getitem__,
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


def _alarms(profile: Profile, past: list[Past]) -> None:
    found = data_reports.alarms_of(profile, past)
    for alarm in found:
        st.warning(plain(alarm.sentence), icon=":material/notifications_active:")
    mend = [problem for problem in profile.problems if not problem["is_optional"]]
    if mend:
        st.error(
            f"{words.count(len(mend), 'breach')} of the data contract to mend: see Impossible.", icon=":material/build:"
        )
    if not found and not mend:
        emptier = f"nothing emptier than in the last {words.count(len(past), 'profile')}"
        told = emptier if past else "whether more is empty than before shows from the second night on"
        st.success(f"No alarm: nothing late; {told}.", icon=":material/check_circle:")


def _fresh(session: Session, profile: Profile) -> None:
    frame = pd.DataFrame(profile.tables).assign(
        state=[
            "late" if one["late_days"] is not None else "no row" if not one["rows"] else
            "nobody can say" if one["usual_gap_days"] is None else "in time"
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
    shown = named[["table", "rows", "oldest", "newest", "age, days", "usual gap, days", "days late", "state"]]
    st.dataframe(
        shown, hide_index=True, placeholder="–", alt="Tables: rows, newest row, age, usual gap", column_config=ABOUT
    )
    st.caption(
        f"Newest row by its own date, up to the company's day. Usual gap: days from one day with rows to the next, as "
        f"it is 19 times in 20 over {GAP_DAYS} days; late is more than twice that, at least two days."
    )
    takeaway(session, "data", "freshness", shown)
    with_rows = {one["noun"]: one["days"] for one in profile.tables if one["days"]}
    if not with_rows:
        return
    noun = st.segmented_control(
        "Rows a day of", list(with_rows), default=next(iter(with_rows)), required=True, key="table", bind="query-params"
    )
    days = pd.DataFrame(with_rows.get(str(noun), []), columns=["day", "rows"])
    st.altair_chart(
        charts.rows_a_day(days), key="days", alt=f"Rows a day of {noun}: {days['rows'].median():,.0f} on a middle day."
    )


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
        "Table", ["every", *tables], default="every", required=True, key="noun", bind="query-params"
    )
    shown = frame if noun == "every" else frame[frame["table"] == noun]
    shares = [name for name in frame.columns if name.startswith("share")]
    st.dataframe(
        shown, hide_index=True, alt="Empty values by column",
        column_config=ABOUT | {name: st.column_config.NumberColumn(format="percent") for name in shares},
    )  # fmt: skip
    when = words.moment(past[0].measured_at, session.company.time_zone) if past else "there is none"
    st.caption(
        f"Counted over every row. Before: the profile of {when}. A column rings when its share is above the middle of "
        "the last profiles by more than chance (z above 4), and by 2 points of all rows or 5 of the last days'."
    )
    takeaway(session, "data", "empty-values", shown)


def _share_of(column: Mapping[str, Any] | None) -> float | None:
    return _share(column["nulls"], column["rows"]) if column else None


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if whole and part is not None else None


def _doubles(session: Session, profile: Profile) -> None:
    heading("Doubles", help="Rows that say the same under different keys, beyond the first.")
    doubles = pd.DataFrame(profile.doubles, columns=["noun", "what", "rows"]).rename(columns={"noun": "table"})
    st.dataframe(doubles, hide_index=True, alt="Rows beyond the first with the same values", column_config=ABOUT)
    st.caption("Shared numbers and addresses may be a household: what is doubled is not always wrong.")
    takeaway(session, "data", "doubles", doubles)
    heading("Unmatched contacts", help="Contacts without a customer, or of one nobody knows.")
    if not profile.contacts:
        st.caption("There are no contacts.")
        return
    contacts = pd.DataFrame(profile.contacts).rename(
        columns={"nobody": "without a customer", "unknown": "of a customer nobody knows"}
    )
    unmatched = contacts["without a customer"] + contacts["of a customer nobody knows"]
    contacts = contacts.assign(**{"share unmatched": unmatched / contacts["contacts"]})
    counts = ["contacts", "without a customer", "of a customer nobody knows"]
    contacts = contacts[["channel", *counts, "share unmatched"]]
    st.dataframe(
        contacts, hide_index=True, alt="Contacts by channel and how many are unmatched",
        column_config={name: st.column_config.NumberColumn(format="localized") for name in counts}
        | {"share unmatched": st.column_config.NumberColumn(format="percent")},
    )  # fmt: skip
    st.caption("They count in the forecast of volume and in no customer's history.")
    takeaway(session, "data", "unmatched-contacts", contacts)


def _contract(session: Session, profile: Profile) -> None:
    if not profile.problems:
        st.success("Every row keeps the data contract: no impossible date or amount.", icon=":material/check_circle:")
        return
    for problem in profile.problems:
        word = "To know" if problem["is_optional"] else "To mend"
        with st.expander(f"{word}: {plain(problem['sentence'])}"):
            st.caption("SQL that mends it, for the owner of the views; it is shown and never run:")
            st.code(problem["mend"], language="sql", wrap_lines=True)
    st.caption(
        "Rules of `crm`'s views, each counted over every row; `python3 -m churn check` names an example of each."
    )
    takeaway(session, "data", "contract-problems", pd.DataFrame(profile.problems))


def _files(session: Session, profile: Profile) -> None:
    if not profile.sources:
        st.info("Nothing was imported from files: the views read the company's own tables.", icon=":material/inbox:")
        return
    sources = pd.DataFrame(profile.sources)
    heading("Sources", help="The newest import of each file.")
    st.dataframe(sources, hide_index=True, alt="Files taken in, by which mapping, with rows accepted and set aside")
    takeaway(session, "data", "sources", sources)
    heading("Rows set aside", help="Rows that could not be taken, by reason.")
    if not profile.set_aside:
        st.caption("No row was set aside.")
        return
    reasons = pd.DataFrame(profile.set_aside)
    st.dataframe(reasons, hide_index=True, alt="Reasons for setting rows aside, counted", column_config=ABOUT)
    takeaway(session, "data", "set-aside-reasons", reasons)
    if session.person.role == "administrator":
        _raw_rows(session, reasons)
    else:
        st.caption("The rows themselves hold personal data: an administrator sees them.")


def _raw_rows(session: Session, reasons: pd.DataFrame) -> None:
    path = st.selectbox(
        "Rows of", list(dict.fromkeys(reasons["path"])), key="path", index=None, placeholder="choose a file"
    )
    if path is None:
        return
    of_file = list(reasons.loc[reasons["path"] == path, "reason"].unique())
    reason = st.selectbox("Reason", of_file, key="reason", index=None, placeholder="every reason")
    with session.database.transaction(session.me) as connection:
        rows = data_reports.rows_set_aside(connection, path, reason)
    st.dataframe(rows, hide_index=True, alt="Source rows as they were read, with line and reason")
    st.caption(f"The first {data_reports.MOST_SET_ASIDE} by line; personal data as the file holds them.")
    takeaway(session, "data", "set-aside-rows", rows)


def _held_back(session: Session, profile: Profile) -> None:
    frame = pd.DataFrame(profile.held_back, columns=["what", "why", "customers"])
    if frame.empty:
        st.success("Nothing was held back: every live customer is scored.", icon=":material/check_circle:")
        return
    st.dataframe(frame, hide_index=True, alt="What scoring left out, why, and how many customers")
    st.caption(
        "Counted when the profile was made, over every customer; scoring itself runs by `python3 -m churn score`."
    )
    takeaway(session, "data", "held-back", frame)


def _source(session: Session, profile: Profile) -> None:
    zone = session.company.time_zone
    st.caption(
        f"As of {words.moment(profile.as_of, zone)}; looked at {words.moment(profile.measured_at, zone)} in "
        f"{words.duration(profile.seconds)}. The page reads this profile and no customer's row."
    )
