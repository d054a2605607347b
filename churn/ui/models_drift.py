"""How far today's customers are from those a model learned from."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from churn.core import charts_models as charts
from churn.core import words
from churn.core.drift import DRIFTED, MOVED, chance_alone
from churn.model_reports import Version
from churn.ui.gate import Session
from churn.ui.pieces import heading
from churn.ui.takeaway import takeaway

HOW = (
    f"Population stability index over the tenths of training; below {MOVED} steady, up to {DRIFTED} moved, above "
    "drifted (dashed)."
)


def show_drift(session: Session, shown: Version, drift: pd.DataFrame, by_day: pd.DataFrame) -> None:
    """Chances and columns, the most moved first; one column's bins; the days measured."""
    measured = drift[drift["psi"].notna()]
    if measured.empty:
        st.info(
            "Not measured: the nightly job (`python3 -m churn data`) measures models in use; effect is never measured, "
            "as what it learns from settles 90 days later."
            if shown.kind == "effect" or shown.status != "current"
            else "Not measured yet: the nightly job does it, or `python3 -m churn data` now.",
            icon=":material/inbox:",
        )
        return
    score = measured[measured["is_score"]]
    columns = measured[~measured["is_score"]]
    flagged = columns[columns["grade"] == "drifted"]
    for row in score.itertuples():
        if row.grade == "steady":
            st.success(f"Its chances are steady: {row.psi:.3f}.", icon=":material/check_circle:")
        else:
            st.warning(
                f"Its chances have {row.grade}: {row.psi:.3f}. Look at the columns below; train anew if it stays.",
                icon=":material/moving:",
            )
    _summary(measured, columns, flagged)
    st.altair_chart(charts.drift(columns), key="drift", alt=_said(flagged))
    name = st.selectbox(
        "Column", list(measured["column_name"]), key="column", bind="query-params",
        format_func=lambda one: f"{one.replace('_', ' ')}",
    )  # fmt: skip
    chosen = measured[measured["column_name"] == name]
    if len(chosen):
        _bins(chosen.iloc[0])
    if len(by_day) > 1:
        heading("Day by day")
        st.altair_chart(charts.drift_by_day(by_day), key="drift-by-day", alt=_said_by_day(by_day))
    table = measured[["column_name", "is_score", "psi", "grade", "customers_then", "customers_now", "measured_on"]]
    takeaway(session, "models", f"{shown.kind}-drift", table)


def _summary(measured: pd.DataFrame, columns: pd.DataFrame, flagged: pd.DataFrame) -> None:
    first = measured.iloc[0]
    moved = int((columns["grade"] == "moved").sum())
    noise = chance_alone(len(first["names"]), int(first["customers_then"]), int(first["customers_now"]))
    st.caption(
        f"{words.count(len(flagged), 'column')} drifted, {moved} moved, of {len(columns)}, on "
        f"{first['measured_on']:%-d %B %Y}: {int(columns['customers_now'].max()):,} of today against up to "
        f"{int(columns['customers_then'].max()):,} of training. {HOW} Chance alone gives about {noise:.3f}. "
        "What happened to everybody in the last months (events, a plan begun) drifts by its nature."
    )


def _said(flagged: pd.DataFrame) -> str:
    if flagged.empty:
        return "Population stability index by column: none above 0.25."
    return f"Drifted: {', '.join(f'{row.column_name} {row.psi:.2f}' for row in flagged.itertuples())}."


def _said_by_day(by_day: pd.DataFrame) -> str:
    last = by_day.iloc[-1].rename({"score_psi": "chances", "worst_psi": "the most moved column"})
    told = ", ".join(
        f"{what} {last[what]:.3f}" for what in ("chances", "the most moved column") if pd.notna(last[what])
    )
    return f"Population stability index on {len(by_day)} days; the last: {told}."


def _bins(row: pd.Series) -> None:
    both = [("at training", row["shares_then"]), ("today", row["shares_now"])]
    frame = pd.DataFrame(
        [
            {"bin": name, "when": when, "share": share}
            for when, shares in both
            for name, share in zip(row["names"], shares, strict=True)
        ]
    )
    largest = frame.pivot_table(index="bin", columns="when", values="share", sort=False)
    change = (largest["today"] - largest["at training"]).abs().idxmax()
    st.altair_chart(
        charts.then_and_now(frame), key="bins",
        alt=f"{row['column_name']}: {change} from {largest.loc[change, 'at training']:.0%} to "
        f"{largest.loc[change, 'today']:.0%}.",
    )  # fmt: skip
    st.caption(f"Index {row['psi']:.3f}, {row['grade']}. Words fewer than 10 customers have are 'any other'.")
