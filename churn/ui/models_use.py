"""Champion and challenger, putting a model into use, and its card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.language import in_english, mark, number, t
from churn.core.trust.model_words import status_in_words
from churn.refusals import Refusal
from churn.trust import model_reports
from churn.trust.model_reports import Version
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway, written_down

if TYPE_CHECKING:
    import psycopg

RIVALRY = {
    "gain": mark("Log loss of the champion less that of the challenger; above 0 the challenger is better."),
    "standard error": mark("Of the gain, over the same customers."),
}
MAY_PROMOTE = ("leader", "analyst", "administrator")


def show_versions(session: Session, versions: list[Version]) -> None:
    """Every version, the newest against the one in use, and what may be put into use."""
    done = st.session_state.pop("promoted", None)
    if done:
        st.success(done, icon=":material/check_circle:")
    zone = session.company.time_zone
    frame = _every(versions, zone)
    show_table(
        frame, hide_index=True, alt=t("Versions of this kind, newest first"),
        column_config={name: words.spoken(name) for name in frame.columns},
    )  # fmt: skip
    takeaway(session, "models", f"{versions[0].kind}-all-versions", in_english(_every, versions, zone))
    candidates = [one for one in versions if one.status == "candidate"]
    _rivals(candidates, next((one for one in versions if one.status == "current"), None))
    _promotion(session, [one for one in versions if one.status in ("candidate", "retired")])


def _every(versions: list[Version], zone: str) -> pd.DataFrame:
    """A row a version: from which data, by whom it was made and put into use."""
    return pd.DataFrame(
        [
            {
                "version": one.model_version, "status": status_in_words(one.status),
                "data up to": words.moment(one.data_as_of, zone), "made": words.moment(one.created_at, zone),
                "by": one.created_by, "in use from": words.moment(one.promoted_at, zone) if one.promoted_at else "",
                "put there by": one.promoted_by or "", "refusal": one.refusal or "",
            }
            for one in versions
        ]
    )  # fmt: skip


def _rivals(candidates: list[Version], champion: Version | None) -> None:
    heading(
        t("Champion and challenger"),
        help=t("The one in use and a newer one on the same customers, seen by neither."),
    )
    told = [(one, one.metrics["rivalry"]) for one in candidates if one.metrics.get("rivalry")]
    told = [(one, of) for one, of in told if champion and of["champion"] == champion.model_version]
    if not told:
        st.caption(
            t("No candidate was judged beside the model in use. Survival, why and effect are not compared this way.")
        )
        return
    frame = pd.DataFrame(
        [
            {
                "challenger": one.model_version, "champion": of["champion"], "same customers": of["rows"],
                "log loss": of["challenger_log_loss"], "of the champion": of["champion_log_loss"],
                "gain": of["gain"], "standard error": of["error"], "AUC": of["challenger_auc"],
                "AUC of the champion": of["champion_auc"],
            }
            for one, of in told
        ]
    )  # fmt: skip
    show_table(
        frame, hide_index=True, alt=t("Each candidate against the model in use"),
        column_config={name: words.spoken(name) for name in frame.columns}
        | {
            name: st.column_config.Column(words.spoken(name), help=t(why))
            for name, why in RIVALRY.items()
        },
    )  # fmt: skip
    for one, of in told:
        st.caption(_verdict(one, of))


def _verdict(one: Version, of: dict[str, float]) -> str:
    errors = of["gain_in_errors"]
    if abs(errors) < 1:
        said = mark("Version {version}: no win either way: less than one standard error in log loss on {n} customers.")
    elif errors > 0:
        said = mark("Version {version}: better by {errors} standard errors in log loss on {n} customers.")
    else:
        said = mark("Version {version}: worse by {errors} standard errors in log loss on {n} customers.")
    told = t(said, version=one.model_version, errors=number(abs(errors), 1), n=number(of["rows"]))
    if not of["has_seen_some"]:
        return told
    seen = t("The model in use has learned from part of the outcomes it is judged on here, which flatters it.")
    return f"{told} {seen}"


def _promotion(session: Session, able: list[Version]) -> None:
    heading(t("Put into use"))
    if session.person.role not in MAY_PROMOTE:
        st.caption(t("A leader, an analyst who did not make it, or an administrator puts a model into use."))
        return
    if not able:
        st.caption(t("There is no other version: `python3 -m churn train` makes a candidate."))
        return
    by_number = {one.model_version: one for one in able}
    number = st.selectbox(
        t("Version to use"), list(by_number), key="to-use",
        format_func=lambda key: t(
            "{version} · {status} · made by {who}", version=key, status=status_in_words(by_number[key].status),
            who=by_number[key].created_by,
        ),
    )  # fmt: skip
    one = by_number[number]
    if session.person.role == "analyst" and one.is_own:
        st.info(t("You made this model; somebody else must put it into use."), icon=":material/lock:")
        return
    if not one.can_be_loaded:
        st.info(
            t("It was made with other libraries than are installed and could not be used."), icon=":material/block:"
        )
        return
    reason = st.text_input(t("Why"), key="why-use", max_chars=300, placeholder=t("what speaks for it"))
    if st.button(t("Put into use"), icon=":material/publish:", type="primary", key="put-into-use"):
        try:
            model_reports.promote(session.database, session.me, one.model_version, reason)
        except Refusal as refusal:
            st.error(str(refusal), icon=":material/block:")
            return
        st.session_state["promoted"] = t(
            "Version {version} is in use. The next scoring goes by it.", version=one.model_version
        )
        st.rerun()


def show_card(
    session: Session, connection: psycopg.Connection, shown: Version, versions: list[Version], drift: pd.DataFrame
) -> None:
    """The card of one version, to read and to take along."""
    card = model_reports.card(connection, shown, versions, drift)
    name = f"model-card-{shown.kind}-{shown.model_version}.md"
    st.download_button(
        t("Take the card"), data=written_down(session, "models", name, card.encode), file_name=name,
        mime="text/markdown", on_click="ignore", icon=":material/download:",
    )  # fmt: skip
    for part in card.split("\n\n"):
        if part.startswith("#"):
            heading(plain(part.lstrip("# ")))
        else:
            st.text(part.strip().replace("`", ""))
