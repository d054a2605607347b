"""Can the models be trusted: one kind and version at a time, judged, by group, over time, against today, and used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from churn import model_reports
from churn.core import charts_models as charts
from churn.core import words
from churn.core.model_card import PURPOSE
from churn.core.rates import FEWEST, wilson
from churn.model_reports import Version
from churn.ui.gate import Session
from churn.ui.models_drift import show_drift
from churn.ui.models_judged import show_judged
from churn.ui.models_use import show_card, show_versions
from churn.ui.pieces import heading, plain, reading
from churn.ui.takeaway import takeaway

if TYPE_CHECKING:
    import psycopg

KINDS = ("risk", "survival", "why", "effect", "escalation")
VIEWS = {
    "judged": "Judged", "groups": "By group", "time": "Over time", "drift": "Drift",
    "versions": "Versions", "card": "Card",
}  # fmt: skip
FIGURES = {
    "auc": "AUC", "auc_low": "AUC from", "auc_high": "AUC to", "log_loss": "log loss",
    "log_loss_of_the_rate": "log loss of its rate",
}  # fmt: skip
NONE_YET = "No {kind} model was ever made: `python3 -m churn train` makes one, or says why it cannot."


def show_models(session: Session) -> None:
    """One kind and version at a time; kind, version and view stand in the URL."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        kind = str(st.segmented_control("Model", KINDS, default="risk", required=True, key="kind", bind="query-params"))
    with reading("The models"), session.database.transaction(session.me) as connection:
        versions = model_reports.versions(connection, kind, session.staff_id)
        shown = _chosen(right, kind, versions) if versions else None
        if shown is None:
            st.info(NONE_YET.format(kind=kind), icon=":material/inbox:")
            return
        _headline(session, shown, versions)
        view = str(
            st.segmented_control(
                "Show", list(VIEWS), default="judged", required=True, key="view", bind="query-params",
                format_func=VIEWS.__getitem__,
            )
        )  # fmt: skip
        drift = model_reports.drift_now(connection, shown.model_version)
        if view == "judged":
            show_judged(session, connection, shown)
        elif view == "groups":
            _groups(session, shown)
        elif view == "time":
            _over_time(session, connection, versions)
        elif view == "drift":
            show_drift(session, shown, drift, model_reports.drift_by_day(connection, shown.model_version))
        elif view == "versions":
            show_versions(session, versions)
        else:
            show_card(session, connection, shown, versions, drift)


def _chosen(place: Any, kind: str, versions: list[Version]) -> Version:
    """The version asked for, else the one in use, else the newest."""
    by_number = {version.model_version: version for version in versions}
    usual = next((v.model_version for v in versions if v.status == "current"), versions[0].model_version)
    number = place.selectbox(
        "Version", list(by_number), index=list(by_number).index(usual), key=f"version-{kind}", bind="query-params",
        format_func=lambda one: f"{one} · {by_number[one].status} · {by_number[one].data_as_of:%-d %b %Y}",
    )  # fmt: skip
    return by_number.get(number, by_number[usual])


def _headline(session: Session, shown: Version, versions: list[Version]) -> None:
    zone = session.company.time_zone
    horizon = f", {shown.horizon_days} days" if shown.horizon_days else ""
    use = (
        f"in use since {words.moment(shown.promoted_at, zone)}, put there by {plain(shown.promoted_by)}"
        if shown.status == "current" and shown.promoted_at
        else f"{shown.status}, not in use"
    )
    st.markdown(f"**{shown.kind.capitalize()}**: {PURPOSE[shown.kind]}{horizon}. Version {shown.model_version}, {use}.")
    if shown.refusal:
        st.warning(f"There is no model: {plain(shown.refusal)}", icon=":material/block:")
    newest = versions[0]
    if newest.refusal and newest.model_version != shown.model_version:
        st.warning(
            f"The last training ({words.moment(newest.created_at, zone)}) made none: {plain(newest.refusal)}",
            icon=":material/block:",
        )
    if shown.status == "current" and not shown.can_be_loaded:
        st.error(
            "It was made with other libraries than are installed and is not used: fit it anew with "
            "`python3 -m churn train`.", icon=":material/gpp_bad:",
        )  # fmt: skip


def _groups(session: Session, shown: Version) -> None:
    rows = shown.held_out.get("groups") or []
    cuts = list(dict.fromkeys(row["cut"] for row in rows))
    if not cuts:
        st.caption("No group had 50 held-out customers with 5 of either outcome, or this kind is not judged by group.")
        return
    cut = st.segmented_control("By", cuts, default=cuts[0], required=True, key="cut", bind="query-params")
    frame = pd.DataFrame([row for row in rows if row["cut"] == cut and row["rows"] >= FEWEST])
    low, high = wilson(frame["left"], frame["rows"])
    frame = frame.rename(columns={"value": "group", "low": "auc_low", "high": "auc_high"}).assign(low=low, high=high)
    off = frame[(frame["chance"] < frame["low"]) | (frame["chance"] > frame["high"])]
    told = "every group within its interval" if off.empty else f"outside its interval: {', '.join(off['group'])}"
    st.altair_chart(charts.groups(frame), key="groups", alt=f"Predicted and happened by {cut}; {told}.")
    st.dataframe(
        frame[["group", "rows", "left", "chance", "rate", *FIGURES]],
        hide_index=True, alt=f"Figures by {cut}",
        column_config={
            "chance": st.column_config.NumberColumn("predicted", format="percent"),
            "rate": st.column_config.NumberColumn("happened", format="percent"),
            "rows": st.column_config.NumberColumn("customers", format="localized"),
            **{name: st.column_config.NumberColumn(said, format="%.3f") for name, said in FIGURES.items()},
        },
    )  # fmt: skip
    st.caption(
        f"Held-out customers of groups with 50 or more and 5 of either outcome; bars 95 % (Wilson), AUC 95 % (DeLong). "
        f"{plain(told).capitalize()}. With many groups one in twenty falls outside by chance."
    )
    takeaway(session, "models", f"{shown.kind}-by-{cut}", frame)


def _over_time(session: Session, connection: psycopg.Connection, versions: list[Version]) -> None:
    made = [version for version in versions if not version.refusal and "log_loss" in version.metrics]
    if made:
        heading("Version by version", help="Each on customers it had not seen; not the same customers.")
        frame = pd.DataFrame(
            [
                {
                    "version": one.model_version, "data up to": one.data_as_of.date(), "status": one.status,
                    "judged on": one.metrics.get("rows"), "rate": one.metrics.get("rate"),
                    "AUC": one.metrics.get("auc"),
                    "log loss": one.metrics["log_loss"], "usual rate": one.metrics.get("log_loss_of_the_rate"),
                    "EMPC": one.held_out.get("empc") if one.kind == "risk" else None,
                }
                for one in made
            ]
        ).dropna(axis="columns", how="all")  # fmt: skip
        st.dataframe(
            frame, hide_index=True, placeholder="–", alt="Figures of each version",
            column_config={
                "judged on": st.column_config.NumberColumn(format="localized"),
                "rate": st.column_config.NumberColumn(format="percent"),
                "usual rate": st.column_config.Column("log loss of the usual rate"),
            },
        )  # fmt: skip
        takeaway(session, "models", f"{made[0].kind}-versions", frame)
    if versions[0].kind != "risk":
        if not made:
            st.caption("This kind keeps no figure that can be followed over time.")
        return
    heading("Month by month", help="What each month's first predictions came to, once their horizon was over.")
    months = model_reports.months(connection)
    if months.empty:
        st.caption(
            "No prediction's horizon is over yet: the nightly scoring keeps them, `python3 -m churn trends` judges."
        )
        return
    low, high = wilson(months["happened"], months["customers"])
    expected = months["expected"] / months["customers"]
    months = months.assign(ratio=months["happened"] / months["expected"], low=low / expected, high=high / expected)
    st.altair_chart(charts.months(months), key="ratio", alt="Left over expected to leave by month; 1 is right.")
    st.caption("Left over expected, of up to 20,000 customers a month; bars 95 % (Wilson).")
    takeaway(session, "models", "risk-by-month", months)
