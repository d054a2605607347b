"""How far today's customers are from those a model learned from."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.calls.saves import WINDOW_DAYS
from churn.core.feature_names import name_of
from churn.core.language import mark, number, t, tn
from churn.core.trust import charts_models as charts
from churn.core.trust.drift import DRIFTED, FEWEST, MOVED, chance_alone
from churn.core.trust.model_words import bin_in_words, grade_in_words
from churn.trust.model_reports import Version
from churn.ui.gate import Session
from churn.ui.pieces import chart, heading
from churn.ui.takeaway import takeaway

HOW = mark(
    "Population stability index over the tenths of training; below {moved} steady, up to {drifted} moved, above "
    "drifted (dashed)."
)

SCORE = {
    "moved": mark("Its chances have moved: {psi}. Look at the columns below; train anew if it stays."),
    "drifted": mark("Its chances have drifted: {psi}. Look at the columns below; train anew if it stays."),
}


def show_drift(session: Session, shown: Version, drift: pd.DataFrame, by_day: pd.DataFrame) -> None:
    """Chances and columns, the most moved first; one column's bins; the days measured."""
    measured = drift[drift["psi"].notna()]
    if measured.empty:
        st.info(
            t(
                "Not measured: the nightly job (`python3 -m churn data`) measures models in use; effect is never "
                "measured, as what it learns from settles {days} days later.",
                days=WINDOW_DAYS,
            )
            if shown.kind == "effect" or shown.status != "current"
            else t("Not measured yet: the nightly job does it, or `python3 -m churn data` now."),
            icon=":material/inbox:",
        )
        return
    score = measured[measured["is_score"]]
    columns = measured[~measured["is_score"]]
    flagged = columns[columns["grade"] == "drifted"]
    for row in score.itertuples():
        if row.grade == "steady":
            st.success(t("Its chances are steady: {psi}.", psi=number(row.psi, 3)), icon=":material/check_circle:")
        else:
            st.warning(
                t(SCORE[row.grade], psi=number(row.psi, 3)),
                icon=":material/moving:",
            )
    _summary(measured, columns, flagged)
    chart(charts.drift(columns), key="drift", alt=_said(flagged))
    name = st.selectbox(
        t("Column"), list(measured["column_name"]), key="column", bind="query-params", format_func=name_of,
    )  # fmt: skip
    chosen = measured[measured["column_name"] == name]
    if len(chosen):
        _bins(chosen.iloc[0])
    if len(by_day) > 1:
        heading(t("Day by day"), help=t("Population stability index of each night’s scores and columns."))
        chart(charts.drift_by_day(by_day), key="drift-by-day", alt=_said_by_day(by_day))
    table = measured[["column_name", "is_score", "psi", "grade", "customers_then", "customers_now", "measured_on"]]
    takeaway(session, "models", f"{shown.kind}-drift", table)


def _summary(measured: pd.DataFrame, columns: pd.DataFrame, flagged: pd.DataFrame) -> None:
    first = measured.iloc[0]
    moved = int((columns["grade"] == "moved").sum())
    noise = chance_alone(len(first["names"]), int(first["customers_then"]), int(first["customers_now"]))
    st.caption(
        tn(
            len(flagged),
            "{n} column drifted, {moved} moved, of {all}, on {day}: {now} of today against up to {then} of training. "
            "{how} Chance alone gives about {noise}. What happened to everybody in the last months (events, a plan "
            "begun) drifts by its nature.",
            "{n} columns drifted, {moved} moved, of {all}, on {day}: {now} of today against up to {then} of training. "
            "{how} Chance alone gives about {noise}. What happened to everybody in the last months (events, a plan "
            "begun) drifts by its nature.",
            moved=moved,
            all=len(columns),
            day=words.full_day(first["measured_on"]),
            now=number(int(columns["customers_now"].max())),
            then=number(int(columns["customers_then"].max())),
            how=t(HOW, moved=number(MOVED, 1), drifted=number(DRIFTED, 2)),
            noise=number(noise, 3),
        )
    )


def _said(flagged: pd.DataFrame) -> str:
    if flagged.empty:
        return t("Population stability index by column: none above {limit}.", limit=number(DRIFTED, 2))
    told = ", ".join(f"{name_of(row.column_name)} {number(row.psi, 2)}" for row in flagged.itertuples())
    return t("Drifted: {columns}.", columns=told)


def _said_by_day(by_day: pd.DataFrame) -> str:
    last = by_day.iloc[-1]
    named = {"score_psi": t("chances"), "worst_psi": t("the most moved column")}
    told = ", ".join(f"{said} {number(last[what], 3)}" for what, said in named.items() if pd.notna(last[what]))
    return t("Population stability index on {n} days; the last: {told}.", n=len(by_day), told=told)


def _bins(row: pd.Series) -> None:
    then, now = t("at training"), t("today")
    both = [(then, row["shares_then"]), (now, row["shares_now"])]
    frame = pd.DataFrame(
        [
            {"bin": bin_in_words(name), "when": when, "share": share}
            for when, shares in both
            for name, share in zip(row["names"], shares, strict=True)
        ]
    )
    largest = frame.pivot_table(index="bin", columns="when", values="share", sort=False)
    change = (largest[now] - largest[then]).abs().idxmax()
    chart(
        charts.then_and_now(frame, then, now), key="bins",
        alt=t(
            "{column}: {bin} from {then} to {now}.", column=name_of(row["column_name"]), bin=change,
            then=words.exact_percent(largest.loc[change, then], 0),
            now=words.exact_percent(largest.loc[change, now], 0),
        ),
    )  # fmt: skip
    st.caption(
        t(
            "Index {psi}, {grade}. Words fewer than {n} customers have are 'any other'.",
            n=FEWEST,
            psi=number(row["psi"], 3),
            grade=grade_in_words(row["grade"]),
        )
    )
