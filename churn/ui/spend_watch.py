"""What finance may want to look into: repeat recipients, amounts under a limit, unusual givers, unlike for like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.finance.charts_spend import GIVES, givers_chart
from churn.core.finance.crowding import crowding
from churn.core.finance.likeness import FEWEST
from churn.core.language import in_english, mark, number, t
from churn.core.money import show
from churn.finance import spend
from churn.finance.spend import Period
from churn.finance.spend_export import View
from churn.ui.gate import Session
from churn.ui.pieces import chart, heading, plain
from churn.ui.spend_return import between_days
from churn.ui.spend_table import empty, number_column, show_view
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway

if TYPE_CHECKING:
    import psycopg

NIGHT = mark(
    "The nightly job compares: `python3 -m churn spend` does it now. It takes 200 settled calls of five agents."
)
CROWDING = {
    "own limit": mark("What the giver may give at once alone, by policy."),
    "just under": mark("Amounts up to a tenth under the limit."),
    "a tenth lower": mark("Amounts in the tenth below that one."),
    "just above, approved": mark("Amounts up to a tenth above it, with a supervisor’s yes."),
    "share": mark("Just under, of both tenths under the limit."),
    "95 %": mark("Interval of the share (Wilson)."),
}


REPEATS = {
    "grants": mark("How often they were given money in these months."),
    "net": mark("Granted less what was taken back."), "agents": mark("How many people gave it."),
}  # fmt: skip


def show_watch(session: Session, connection: psycopg.Connection, period: Period) -> None:
    """Four lists; none of them accuses anybody."""
    heading(t("Given to more than once"), help=t("Customers by key, in these months."))
    rows = spend.repeats(connection, period)
    if not empty(rows, t("Nobody was given money twice in these months.")):
        show_view(
            session, View("repeats", rows, ("net",), {"from": f"{period.first}"}),
            alt=t("Customers given to repeatedly."), help=REPEATS,
        )  # fmt: skip
    _crowding(session, connection, period)
    _givers(session, connection)
    _likeness(session, connection)


def _crowding(session: Session, connection: psycopg.Connection, period: Period) -> None:
    heading(
        t("Amounts just under a limit"),
        help=t(
            "Of all amounts in the two tenths under the giver’s own limit, the share in the upper one. Crowded: the "
            "whole 95 % interval is above a half. A ladder whose target is the limit crowds too: look at who and why."
        ),
    )
    found = spend.near_limits(connection, period)
    rows = _limits(found, period.currency)
    if not empty(rows, t("No money was given in these months.")):
        show_table(
            rows, hide_index=True, alt=t("Amounts around each limit."),
            column_config={
                name: st.column_config.Column(words.spoken(name), help=t(CROWDING[name]) if name in CROWDING else None)
                for name in rows.columns
            },
        )  # fmt: skip
        takeaway(session, "spend", "near-limits", in_english(_limits, found, period.currency))


def _limits(found: dict[tuple[str, int], list[tuple[int, int]]], currency: str) -> pd.DataFrame:
    """Each instrument's amounts around a giver's own limit, and what is thought of them."""
    rows = []
    for (instrument, limit), amounts in found.items():
        told = crowding(amounts, limit)
        between = t("{low} to {high}", low=words.percent(told.low), high=words.percent(told.high))
        rows.append(
            {
                "instrument": words.spoken(instrument), "own limit": show(limit, currency),
                "just under": told.under, "a tenth lower": told.lower, "just above, approved": told.above,
                "share": words.percent(told.share), "95 %": between, "told": words.spoken(told.verdict),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _givers(session: Session, connection: psycopg.Connection) -> None:
    heading(
        t("Who gives otherwise than others to callers like theirs"),
        help=t(
            "Expected: from calls of other agents with what was known before the call. Between the lines lies what "
            "chance and the usual differences between people explain: 95 % within the full lines, 99.8 % in the dashed."
        ),
    )
    state, rows = spend.state(connection), spend.givers(connection)
    funnel = state.funnel if state else None
    if state is None or funnel is None or rows.empty:
        st.info(t(NIGHT), icon=":material/inbox:")
        return
    outside = rows[rows["zone"] != "inside"]
    said = "; ".join(f"{name}: {t(GIVES[zone])}" for name, zone in zip(outside["name"], outside["zone"], strict=True))
    chart(
        givers_chart(funnel, rows, state.currency),
        alt=t("Funnel of {n} agents. {said}.", n=number(len(rows)), said=said or t("All are inside the limits")),
    )
    st.caption(
        plain(
            t(
                "{said}. Settled calls, {period}.",
                said=said or t("All are inside the control limits"),
                period=between_days(state),
            )
        )
    )
    takeaway(session, "spend", "givers", rows)


def _likeness(session: Session, connection: psycopg.Connection) -> None:
    heading(
        t("Like for like"),
        help=t(
            "Near-identical cases: same plan and reason to call, tenure, bill and worth within a quarter of a "
            "standard deviation. Above: mean amount above near-identical cases of everybody else."
        ),
    )
    rows, state = spend.likeness(connection), spend.state(connection)
    if state is None or empty(
        rows, t("Fewer than {n} cases have a near-identical one: nothing can be said.", n=FEWEST)
    ):
        return
    whole = rows.iloc[0]
    st.caption(
        plain(
            t(
                "{n} cases have a near-identical one; half of the pairs differ by more than {amount}. "
                "Settled calls, {period}.",
                n=number(whole["cases"]),
                amount=words.money(round(whole["spread"], 2), state.currency),
                period=between_days(state),
            )
        )
    )
    told = rows.iloc[1:]
    marks = [
        t("differs") if low > 0 or high < 0 else t("no difference shown")
        for low, high in zip(told["low"], told["high"], strict=True)
    ]
    if len(told):
        show_table(
            told.assign(
                cut=told["cut"].map(words.spoken), told=marks,
                value=told["value"].replace({"True": t("yes"), "False": t("no")}),
            ),
            hide_index=True, alt=t("Amounts of groups, like for like."),
            column_config={"cut": t("by"), "value": t("group"), "told": t("judged"), "cases": words.spoken("cases")} | {
                name: number_column(f"{words.spoken(name)} ({state.currency})", 2, "%+.2f")
                for name in ("above", "low", "high")
            } | {"spread": number_column(f"{words.spoken('spread')} ({state.currency})", 2)},
        )  # fmt: skip
        takeaway(session, "spend", "like-for-like", told)
