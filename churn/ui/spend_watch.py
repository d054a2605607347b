"""What finance may want to look into: repeat recipients, amounts under a limit, unusual givers, unlike for like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from churn import spend
from churn.core import words
from churn.core.charts_spend import GIVES, givers_chart
from churn.core.crowding import crowding
from churn.core.money import show
from churn.spend import Period
from churn.spend_export import View
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.spend_return import between_days
from churn.ui.spend_table import empty, show_view
from churn.ui.takeaway import takeaway

if TYPE_CHECKING:
    import psycopg

NIGHT = "The nightly job compares: `python3 -m churn spend` does it now. It takes 200 settled calls of five agents."


def show_watch(session: Session, connection: psycopg.Connection, period: Period) -> None:
    """Four lists; none of them accuses anybody."""
    heading("Given to more than once", help="Customers by key, in these months.")
    rows = spend.repeats(connection, period)
    if not empty(rows, "Nobody was given money twice in these months."):
        show_view(
            session, View("repeats", rows, ("net",), {"from": f"{period.first}"}), alt="Customers given to repeatedly."
        )
    _crowding(session, connection, period)
    _givers(session, connection)
    _likeness(session, connection)


def _crowding(session: Session, connection: psycopg.Connection, period: Period) -> None:
    heading(
        "Amounts just under a limit",
        help="Of all amounts in the two tenths under the giver’s own limit, the share in the upper one. Crowded: the "
        "whole 95 % interval is above a half. A ladder whose target is the limit crowds too: look at who and why.",
    )
    rows = []
    for (instrument, limit), amounts in spend.near_limits(connection, period).items():
        told = crowding(amounts, limit)
        rows.append(
            {
                "instrument": words.spoken(instrument), "own limit": show(limit, period.currency),
                "just under": told.under, "a tenth lower": told.lower, "just above, approved": told.above,
                "share": words.percent(told.share),
                "95 %": f"{words.percent(told.low)} to {words.percent(told.high)}", "told": told.verdict,
            }
        )  # fmt: skip
    if not empty(pd.DataFrame(rows), "No money was given in these months."):
        st.dataframe(rows, hide_index=True, alt="Amounts around each limit.")
        takeaway(session, "spend", "near-limits", pd.DataFrame(rows))


def _givers(session: Session, connection: psycopg.Connection) -> None:
    heading(
        "Who gives otherwise than others to callers like theirs",
        help="Expected: from calls of other agents with what was known before the call. Between the lines lies what "
        "chance and the usual differences between people explain: 95 % within the full lines, 99.8 % in the dashed.",
    )
    state, rows = spend.state(connection), spend.givers(connection)
    funnel = state.funnel if state else None
    if state is None or funnel is None or rows.empty:
        st.info(NIGHT, icon=":material/inbox:")
        return
    outside = rows[rows["zone"] != "inside"]
    said = "; ".join(f"{name}: {GIVES[zone]}" for name, zone in zip(outside["name"], outside["zone"], strict=True))
    st.altair_chart(
        givers_chart(funnel, rows, state.currency),
        alt=f"Funnel of {len(rows)} agents. {said or 'All are inside the limits'}.",
    )
    st.caption(plain(f"{said or 'All are inside the control limits'}. Settled calls, {between_days(state)}."))
    takeaway(session, "spend", "givers", rows)


def _likeness(session: Session, connection: psycopg.Connection) -> None:
    heading(
        "Like for like",
        help="Near-identical cases: same plan and reason to call, tenure, bill and worth within a quarter of a "
        "standard deviation. Above: mean amount above near-identical cases of everybody else.",
    )
    rows, state = spend.likeness(connection), spend.state(connection)
    if state is None or empty(rows, "Fewer than 30 cases have a near-identical one: nothing can be said."):
        return
    whole = rows.iloc[0]
    st.caption(
        plain(
            f"{whole['cases']:,} cases have a near-identical one; half of the pairs differ by more than "
            f"{words.money(round(whole['spread'], 2), state.currency)}. "
            f"Settled calls, {between_days(state)}."
        )
    )
    told = rows.iloc[1:]
    marks = [
        "differs" if low > 0 or high < 0 else "no difference shown"
        for low, high in zip(told["low"], told["high"], strict=True)
    ]
    if len(told):
        st.dataframe(
            told.assign(
                cut=told["cut"].map(words.spoken), told=marks,
                value=told["value"].replace({"True": "yes", "False": "no"}),
            ),
            hide_index=True, alt="Amounts of groups, like for like.",
            column_config={"cut": "by", "value": "group", "told": "judged"} | {
                name: st.column_config.NumberColumn(f"{name} ({state.currency})", format="%+.2f")
                for name in ("above", "low", "high")
            } | {"spread": st.column_config.NumberColumn(f"spread ({state.currency})", format="%.2f")},
        )  # fmt: skip
        takeaway(session, "spend", "like-for-like", told)
