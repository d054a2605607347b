"""Can the models be trusted: one kind and version at a time, judged, by group, over time, against today, and used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.language import in_english, mark, number, t
from churn.core.trends.rates import FEWEST, wilson
from churn.core.trust import charts_models as charts
from churn.core.trust.model_judgement import FEWEST_EACH, FEWEST_ROWS, group_in_words
from churn.core.trust.model_words import KINDS, PURPOSE, model_name, status_in_words
from churn.trust import model_reports
from churn.trust.model_reports import Version
from churn.ui.gate import Session
from churn.ui.models_drift import show_drift
from churn.ui.models_judged import show_judged
from churn.ui.models_use import show_card, show_versions
from churn.ui.pieces import chart, heading, plain, reading
from churn.ui.spend_table import number_column
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway

if TYPE_CHECKING:
    import psycopg

VIEWS = {
    "judged": mark("Judged"), "groups": mark("By group"), "time": mark("Over time"), "drift": mark("Drift"),
    "versions": mark("Versions"), "card": mark("Card"),
}  # fmt: skip
FIGURES = {
    "auc": mark("AUC"), "auc_low": mark("AUC from"), "auc_high": mark("AUC to"), "log_loss": mark("log loss"),
    "log_loss_of_the_rate": mark("log loss of its rate"),
}  # fmt: skip
NONE_YET = mark("No {kind} model was ever made: `python3 -m churn train` makes one, or says why it cannot.")


def show_models(session: Session) -> None:
    """One kind and version at a time; kind, version and view stand in the URL."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        kind = str(
            st.segmented_control(
                t("Model"), KINDS, default="risk", required=True, key="kind", bind="query-params",
                format_func=model_name,
            )
        )  # fmt: skip
    with reading(t("The models")), session.database.transaction(session.me) as connection:
        versions = model_reports.versions(connection, kind, session.staff_id)
        shown = _chosen(right, kind, versions) if versions else None
        if shown is None:
            st.info(t(NONE_YET, kind=model_name(kind)), icon=":material/inbox:")
            return
        _headline(session, shown, versions)
        view = str(
            st.segmented_control(
                t("Show"), list(VIEWS), default="judged", required=True, key="view", bind="query-params",
                format_func=lambda one: t(VIEWS[one]),
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
        t("Version"), list(by_number), index=list(by_number).index(usual), key=f"version-{kind}", bind="query-params",
        format_func=lambda one: " · ".join(
            [
                str(one), status_in_words(by_number[one].status),
                words.full_day(by_number[one].data_as_of, is_short=True),
            ]
        ),
    )  # fmt: skip
    return by_number.get(number, by_number[usual])


def _headline(session: Session, shown: Version, versions: list[Version]) -> None:
    zone = session.company.time_zone
    purpose = t(PURPOSE[shown.kind])
    if shown.horizon_days:
        purpose = t("{purpose}, {n} days", purpose=purpose, n=shown.horizon_days)
    use = (
        t(
            "in use since {when}, put there by {who}",
            when=words.moment(shown.promoted_at, zone),
            who=plain(shown.promoted_by),
        )
        if shown.status == "current" and shown.promoted_at
        else t("{status}, not in use", status=status_in_words(shown.status))
    )
    name = model_name(shown.kind)
    version = t("Version {number}, {use}.", number=shown.model_version, use=use)
    st.markdown(f"**{name[:1].upper()}{name[1:]}**: {purpose}. {version}")
    if shown.refusal:
        st.warning(t("There is no model: {why}", why=plain(shown.refusal)), icon=":material/block:")
    newest = versions[0]
    if newest.refusal and newest.model_version != shown.model_version:
        st.warning(
            t(
                "The last training ({when}) made none: {why}",
                when=words.moment(newest.created_at, zone),
                why=plain(newest.refusal),
            ),
            icon=":material/block:",
        )
    if shown.status == "current" and not shown.can_be_loaded:
        st.error(
            t(
                "It was made with other libraries than are installed and is not used: fit it anew with "
                "`python3 -m churn train`."
            ), icon=":material/gpp_bad:",
        )  # fmt: skip


def _groups(session: Session, shown: Version) -> None:
    rows = shown.held_out.get("groups") or []
    cuts = list(dict.fromkeys(row["cut"] for row in rows))
    if not cuts:
        st.caption(
            t(
                "No group had {n} held-out customers with {each} of either outcome, or this kind is not judged by "
                "group.",
                n=FEWEST_ROWS,
                each=FEWEST_EACH,
            )
        )
        return
    cut = st.segmented_control(
        t("By"), cuts, default=cuts[0], required=True, key="cut", bind="query-params", format_func=words.spoken
    )
    frame = pd.DataFrame([row for row in rows if row["cut"] == cut and row["rows"] >= FEWEST])
    low, high = wilson(frame["left"], frame["rows"])
    frame = frame.rename(columns={"value": "group", "low": "auc_low", "high": "auc_high"}).assign(low=low, high=high)
    off = frame[(frame["chance"] < frame["low"]) | (frame["chance"] > frame["high"])]
    shown_groups = frame.assign(group=[group_in_words(str(cut), value) for value in frame["group"]])
    outside = ", ".join(shown_groups.loc[off.index, "group"])
    told = t("every group within its interval") if off.empty else t("outside its interval: {groups}", groups=outside)
    by = words.spoken(str(cut))
    chart(
        charts.groups(shown_groups), key="groups", alt=t("Predicted and happened by {cut}; {told}.", cut=by, told=told)
    )
    show_table(
        shown_groups[["group", "rows", "left", "chance", "rate", *FIGURES]],
        hide_index=True, alt=t("Figures by {cut}", cut=by),
        column_config={
            "group": t("group"),
            "left": st.column_config.NumberColumn(t("left"), help=t("Measured: of these customers.")),
            "chance": st.column_config.NumberColumn(
                t("predicted"), format="percent", help=t("Mean of the model’s chances.")
            ),
            "rate": st.column_config.NumberColumn(
                t("happened"), format="percent", help=t("Measured: share that left.")
            ),
            "rows": st.column_config.NumberColumn(t("customers"), format="localized"),
            **{name: number_column(t(said), 3) for name, said in FIGURES.items()},
        },
    )  # fmt: skip
    held = t(
        "Held-out customers of groups with {n} or more and {each} of either outcome; bars 95 % (Wilson), AUC 95 % "
        "(DeLong).",
        n=FEWEST_ROWS,
        each=FEWEST_EACH,
    )
    told = plain(told)
    by_chance = t("With many groups one in twenty falls outside by chance.")
    st.caption(f"{held} {told[:1].upper()}{told[1:]}. {by_chance}")
    takeaway(session, "models", f"{shown.kind}-by-{cut}", frame)


def _over_time(session: Session, connection: psycopg.Connection, versions: list[Version]) -> None:
    made = [version for version in versions if not version.refusal and "log_loss" in version.metrics]
    if made:
        heading(t("Version by version"), help=t("Each on customers it had not seen; not the same customers."))
        frame = _figures(made)
        show_table(
            frame, hide_index=True, placeholder="–", alt=t("Figures of each version"),
            column_config={name: words.spoken(name) for name in frame.columns} | {
                "judged on": st.column_config.NumberColumn(words.spoken("judged on"), format="localized"),
                "rate": st.column_config.NumberColumn(
                    words.spoken("rate"), format="percent",
                    help=t("Measured: share that left, of those it is judged on."),
                ),
                **{name: number_column(words.spoken(name), 4) for name in ("AUC", "log loss", "EMPC")},
                "usual rate": number_column(t("log loss of the usual rate"), 4),
            },
        )  # fmt: skip
        takeaway(session, "models", f"{made[0].kind}-versions", in_english(_figures, made))
    if versions[0].kind != "risk":
        if not made:
            st.caption(t("This kind keeps no figure that can be followed over time."))
        return
    heading(t("Month by month"), help=t("What each month's first predictions came to, once their horizon was over."))
    months = model_reports.months(connection)
    if months.empty:
        st.caption(
            t("No prediction's horizon is over yet: the nightly scoring keeps them, `python3 -m churn trends` judges.")
        )
        return
    low, high = wilson(months["happened"], months["customers"])
    expected = months["expected"] / months["customers"]
    months = months.assign(ratio=months["happened"] / months["expected"], low=low / expected, high=high / expected)
    chart(charts.months(months), key="ratio", alt=t("Left over expected to leave by month; 1 is right."))
    st.caption(t("Left over expected, of up to {n} customers a month; bars 95 % (Wilson).", n=number(20_000)))
    takeaway(session, "models", "risk-by-month", months)


def _figures(made: list[Version]) -> pd.DataFrame:
    """A row a version: on what it was judged, and how it did."""
    return pd.DataFrame(
        [
            {
                "version": one.model_version, "data up to": one.data_as_of.date(),
                "status": status_in_words(one.status),
                "judged on": one.metrics.get("rows"), "rate": one.metrics.get("rate"),
                "AUC": one.metrics.get("auc"),
                "log loss": one.metrics["log_loss"], "usual rate": one.metrics.get("log_loss_of_the_rate"),
                "EMPC": one.held_out.get("empc") if one.kind == "risk" else None,
            }
            for one in made
        ]
    ).dropna(axis="columns", how="all")  # fmt: skip
