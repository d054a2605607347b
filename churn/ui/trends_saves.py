"""Who came to cancel and who of them was kept, by month, narrowed as churn is, and the callers behind a month."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from churn.core.language import mark, t
from churn.core.trends import charts_trends as charts
from churn.core.trends.rates import DEFLECTED, FEWEST, saves
from churn.trends import trends
from churn.trends.trends import Filter
from churn.ui.gate import Session
from churn.ui.pieces import chart, heading, plain
from churn.ui.takeaway import takeaway
from churn.ui.trends_lists import month_of, points, show_came

if TYPE_CHECKING:
    import psycopg

DEFLECTS = mark("Deflected: did not cancel on the call, over all who came.")
NO_DEFLECTS = mark("Nobody is on record as having cancelled on the call, so there is no deflect rate.")
HOW = mark(
    "Saved: still a customer when the window ended, over those whose window is over; cut off and moved left out. "
    "Bands: 95 %, Wilson."
)
AS_OF_CALL = mark("Plan and tenure: when the day of the call began.")
NOT_YET = mark(
    "Who came to cancel is not added up by plan, region, segment or tenure yet: the nightly job does it, or `python3 "
    "-m churn trends` now."
)


def show_saves(session: Session, connection: psycopg.Connection, narrowed: Filter) -> pd.DataFrame:
    """Deflect and save rates by month of the call; gives them. A chosen month lists who came in it."""
    heading(t("Who came to cancel"))
    rows = trends.saves(connection, narrowed)
    found = saves(rows) if len(rows) else pd.DataFrame()
    if found.empty:
        _say_why(connection, narrowed)
        return found
    picked = chart(charts.save_rates(found), on_select="rerun", key="saves", alt=t("Deflect and save rates by month."))
    parts = [
        t(DEFLECTS if (found["measure"] == DEFLECTED).any() else NO_DEFLECTS), t(HOW),
        t("Shown: {what}.", what=plain(narrowed.said)),
        t(AS_OF_CALL) if narrowed.plans or narrowed.tenures else "", t("Choose a point to see who they are."),
    ]  # fmt: skip
    st.caption(" ".join(filter(None, parts)))
    takeaway(session, "trends", "save-rates", found)
    for point in points(picked):
        month = month_of(point)
        if month is not None:
            show_came(session, connection, month, narrowed)
    return found


def _say_why(connection: psycopg.Connection, narrowed: Filter) -> None:
    """Why there is no picture: nobody at all, too few in each month, or a night before did not tell groups apart."""
    grouped = trends.are_saves_grouped(connection)
    if grouped is None:
        st.caption(t("Nobody has come to cancel yet, or `python3 -m churn outcomes` has not run."))
    elif narrowed == Filter():
        st.caption(t("No month in which {n} customers or more came to cancel.", n=FEWEST))
    elif grouped:
        st.info(
            t("No month in which {n} customers or more came to cancel: widen the filters.", n=FEWEST),
            icon=":material/filter_alt:",
        )
    else:
        st.info(t(NOT_YET), icon=":material/inbox:")
