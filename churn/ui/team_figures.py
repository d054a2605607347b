"""The figures of agents by name, and an agent's own: customers kept, money given, referrals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.language import mark, number, t, tn
from churn.core.trends.charts_team import SAID, SHORT
from churn.trends import team
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway

FIGURES = ["agent", "team", "calls", "saved", "expected", "above in 100", "at least", "at most", "judged"]
MONEY = [
    "agent", "margin per unit given", "ask gap", "asks", "offers", "overrides", "referrals made", "asked", "missed",
]  # fmt: skip
MARGIN_HELP = mark("Margin invoiced within the window after saves, for each unit of money given; empty: none given.")


def show_figures(session: Session, people: Sequence[team.Agent]) -> None:
    """What each saved, gave and was asked, by name; an agent's own in words."""
    currency = session.company.currency
    if session.person.role == "agent":
        _own(people[0], currency)
        return
    heading(
        t("Figures, by name"),
        help=t(
            "Everything over the same period as the funnel. Choose a column to sort by it. Judged: of those rather "
            "fewer or more one in twenty is there by chance; plain fewer or more is what chance does not explain."
        ),
    )
    frame = table(people)
    show_table(
        frame[FIGURES].assign(judged=[t(SHORT[person.zone]) for person in people]), hide_index=True, key="figures",
        alt=t("Saves of each agent by name, against what was expected."), column_config=_saves_columns(),
    )  # fmt: skip
    show_table(
        frame[MONEY], hide_index=True, key="money", placeholder="–",
        alt=t("Money given, asks and referrals of each agent by name."), column_config=_money_columns(currency),
    )  # fmt: skip
    takeaway(session, "team", "team", frame)


def _saves_columns() -> dict[str, Any]:
    column = st.column_config.NumberColumn
    interval = t("95 % interval of the figure before.")
    return {
        "agent": t("agent"), "team": t("team"),
        "calls": column(t("calls"), help=t("Of people who came to cancel, whose save window is over.")),
        "saved": column(t("saved"), help=t("Still a customer when the window ended.")),
        "expected": column(t("expected"), format="%.1f", help=t("Saves expected of these callers.")),
        "above in 100": column(
            t("above in 100"), format="%+.1f",
            help=t("Saves above expected in 100 calls, drawn to the mean by what chance explains."),
        ),
        "at least": column(t("at least"), format="%+.1f", help=interval),
        "at most": column(t("at most"), format="%+.1f", help=interval),
        "judged": t("judged"),
    }  # fmt: skip


def _money_columns(currency: str) -> dict[str, Any]:
    column = st.column_config.NumberColumn
    return {
        "agent": t("agent"),
        "margin per unit given": column(
            t("margin per {amount} given", amount=words.money(1, currency)), format="%.2f", help=t(MARGIN_HELP)
        ),
        "ask gap": column(
            t("ask gap ({currency})", currency=currency), format="%.2f",
            help=t("Mean of what could be given minus the ask."),
        ),
        "asks": t("asks"), "offers": t("offers"),
        "overrides": column(t("overrides"), help=t("Given otherwise than shown first, of all offers.")),
        "referrals made": t("referrals made"), "asked": t("referrals asked"),
        "missed": column(t("missed"), help=t("Somebody would recommend us and was not asked for a referral.")),
    }  # fmt: skip


def table(people: Sequence[team.Agent]) -> pd.DataFrame:
    """The figures of each agent as a table, by name."""
    return pd.DataFrame(
        [
            {
                "agent": person.name, "team": person.team, "calls": person.calls, "saved": person.saved,
                "expected": person.expected, "above in 100": 100 * person.shrunk, "at least": 100 * person.low,
                "at most": 100 * person.high, "judged": t(SAID[person.zone]),
                "margin per unit given": person.margin_per_unit,
                "ask gap": None if person.ask_gap is None else float(person.ask_gap), "asks": person.asks,
                "offers": person.offers, "overrides": person.overrides, "referrals made": person.referrals_made,
                "asked": person.referrals_asked, "missed": person.referrals_missed,
            }
            for person in people
        ]
    )  # fmt: skip


def _own(person: team.Agent, currency: str) -> None:
    """An agent's own figures, in words before numbers."""
    st.markdown(f"**{plain(words.first_up(t(SAID[person.zone])))}.**", anchors=False)
    low, middle, high = (number(100 * value, 1, is_signed=True) for value in (person.low, person.shrunk, person.high))
    with st.container(horizontal=True, gap="medium"):
        st.metric(
            t("Saved"), t("{n} of {all}", n=number(person.saved), all=number(person.calls)), width="content",
            help=t("Calls whose save window is over."),
        )  # fmt: skip
        st.metric(
            t("Expected of these callers"), number(person.expected), width="content",
            help=t("Saves the same callers would have made with anybody; modelled, see below the funnel."),
        )  # fmt: skip
        st.metric(
            t("Above expected in 100 calls"), middle, width="content",
            help=t("95 % between {low} and {high}; drawn to the mean by what chance explains.", low=low, high=high),
        )  # fmt: skip
        per = person.margin_per_unit
        st.metric(
            t("Margin kept per {amount} given", amount=words.money(1, currency)),
            t("no money given") if per is None else words.money(round(per, 2), currency), width="content",
            help=t(MARGIN_HELP),
        )  # fmt: skip
        st.metric(
            t("Referrals"), t("{n} made", n=person.referrals_made), width="content",
            help=t(
                "{asked} asked for, {missed} missed: somebody would recommend us and was not asked.",
                asked=person.referrals_asked, missed=person.referrals_missed,
            ),
        )  # fmt: skip
    st.caption(plain(f"{_asks(person, currency)} {_offers(person)}"))


def _asks(person: team.Agent, currency: str) -> str:
    if person.ask_gap is None:
        return t("Asks: nobody has said yet what would put it right.")
    return tn(
        person.asks,
        "Asks: could be given {amount} more than asked, on average of {n} ask.",
        "Asks: could be given {amount} more than asked, on average of {n} asks.",
        amount=words.money(person.ask_gap, currency),
    )


def _offers(person: team.Agent) -> str:
    if not person.offers:
        return t("Offers: none yet.")
    return t("Offers: {n}, {overrides} given otherwise than shown first.", n=person.offers, overrides=person.overrides)
