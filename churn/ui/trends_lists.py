"""Behind the pictures: the customers by key, what policy forbids, files to take away, the page to print."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from churn import trends
from churn.core import words
from churn.core.charts_trends import PICK
from churn.core.drivers import Driver
from churn.core.money import show, to_major
from churn.core.rates import FEWEST
from churn.core.summary import Section, Tile, page
from churn.trends import Filter, Mark, State
from churn.ui.gate import Session
from churn.ui.pieces import heading
from churn.ui.takeaway import takeaway, written_down

if TYPE_CHECKING:
    import psycopg

COLUMNS = {
    "customer_id": "account", "left_on": "left on", "left_how": "left how", "reason": "last contact",
    "joined": "quarter joined", "tenure_days": "days a customer", "called_on": "called on",
    "contact_reason": "called about", "stage": "what became of it", "window_days": "window (days)",
    "saved_days": "stayed (days)",
}  # fmt: skip
HIDDEN = f"Fewer than {FEWEST} customers are behind this mark: they are not listed."


def points(picked: Any) -> list[dict[str, Any]]:
    """The marks chosen in a picture: at most one."""
    selection = getattr(picked, "selection", None) or {}
    return list(selection.get(PICK) or [])[:1]


def month_of(point: dict[str, Any]) -> date | None:
    """The month of a chosen mark, as the browser sends it."""
    held = point.get("month")
    return None if held is None else pd.Timestamp(held, unit="ms" if isinstance(held, int | float) else None).date()


def show_leavers(session: Session, connection: psycopg.Connection, mark: Mark, key: str) -> None:
    """The customers behind a mark, by key only; nobody where they are too few."""
    frame, count = trends.leavers(connection, mark)
    _listed(session, frame, count, key)


def show_came(session: Session, connection: psycopg.Connection, month: date) -> None:
    """Who came to cancel in a month, by key only."""
    frame, count = trends.came_in_month(connection, month)
    _listed(session, frame, count, "came")


def _listed(session: Session, frame: pd.DataFrame, count: int, key: str) -> None:
    if count < FEWEST:
        st.info(HIDDEN, icon=":material/visibility_off:")
        return
    more = f", the newest {len(frame):,} shown" if count > len(frame) else ""
    heading(f"Behind this mark · {count:,}{more}", help="Customers by account only: no name, number or text.")
    said = {name: st.column_config.Column(label) for name, label in COLUMNS.items()}
    said["monthly_margin"] = st.column_config.NumberColumn(
        f"margin a month ({session.company.currency})", format="%.2f"
    )
    st.dataframe(
        frame, hide_index=True, key=f"list-{key}", alt="Customers behind the chosen mark.", placeholder="–",
        column_config={name: label for name, label in said.items() if name in frame.columns},
    )  # fmt: skip
    takeaway(session, "trends", f"customers-{key}", frame)


def show_forbidden(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Customers worth keeping whom policy forbids to keep: how many, what they are worth, by which limit."""
    heading(
        "Worth keeping, but policy forbids",
        help="From the receipts of the last 180 days: a limit of policy bound, and by the model more than anybody may "
        "give would have been worth it.",
    )
    if not rows:
        st.caption("No decision of the last 180 days was cut by policy where more would have paid.")
        return
    if len(rows) < FEWEST:
        st.info(f"Fewer than {FEWEST} customers: not told apart.", icon=":material/visibility_off:")
        return
    currency = session.company.currency
    ours = [row for row in rows if row["currency"] == currency]
    st.markdown(
        f"**{words.count(len(ours), 'customer')}**, together worth "
        f"**{show(sum(row['worth'] for row in ours), currency)}** if they stay.",
        anchors=False,
    )
    frame = forbidden_table(ours, currency)
    by_limit = frame.groupby("limit").agg(customers=("account", "size"), worth=("worth", "sum")).reset_index()
    st.dataframe(
        by_limit[by_limit["customers"] >= FEWEST], hide_index=True, alt="Customers and worth by limit of policy."
    )
    with st.expander("Who they are"):
        st.dataframe(frame, hide_index=True, alt="Customers policy forbids to keep, by account.")
        takeaway(session, "trends", "policy-forbids", frame)


def forbidden_table(rows: Sequence[dict[str, Any]], currency: str) -> pd.DataFrame:
    """account, decided, limit, allowed, would pay, worth; money in major units."""
    return pd.DataFrame(
        [
            {
                "account": row["customer_id"], "decided": row["decided_at"].date(), "limit": row["reason"],
                "allowed": float(to_major(row["allowed"], currency)),
                "would pay": f"{'at least ' if row['is_at_least'] else ''}{show(row['best'], currency)}",
                "worth": float(to_major(row["worth"], currency)),
            }
            for row in rows
        ]
    )  # fmt: skip


def show_summary(
    session: Session, state: State, narrowed: Filter, *, rates: pd.DataFrame, risk: tuple[float, float, float] | None,
    kept: pd.DataFrame, drivers: Sequence[Driver], forbidden: Sequence[dict[str, Any]],
) -> None:  # fmt: skip
    """The page to print, made when it is asked for."""
    others = "" if narrowed == Filter() else ". Saves, what moves the risk and what policy forbids: all customers."
    make = partial(
        summary_html, session.company.name, session.company.currency,
        f"{state.as_of:%-d %B %Y}; {narrowed.said}{others}",
        rates=rates, risk=risk, kept=kept, drivers=drivers, forbidden=forbidden,
    )  # fmt: skip
    st.download_button(
        "One page to print", data=written_down(session, "trends", "summary", lambda: make().encode()),
        file_name=f"churn-{state.as_of:%Y-%m-%d}.html", mime="text/html", on_click="ignore", icon=":material/print:",
        key="summary",
    )  # fmt: skip


def summary_html(
    company: str, currency: str, subtitle: str, *, rates: pd.DataFrame, risk: tuple[float, float, float] | None,
    kept: pd.DataFrame, drivers: Sequence[Driver], forbidden: Sequence[dict[str, Any]],
) -> str:  # fmt: skip
    """The one-page summary: rates of the last six months, margin at risk, saves, drivers, what policy forbids."""
    tiles = []
    if risk is not None:
        middle, low, high = (words.money(round(value), currency) for value in risk)
        tiles.append(Tile("Margin at risk next quarter", middle, f"modelled; 90 % between {low} and {high}"))
    if len(forbidden) >= FEWEST:
        worth = show(sum(row["worth"] for row in forbidden if row["currency"] == currency), currency)
        tiles.append(Tile("Worth keeping, policy forbids", f"{len(forbidden):,}", f"worth {worth} if they stay"))
    last = kept[kept["measure"].str.startswith("saved")].groupby("measure").last() if len(kept) else pd.DataFrame()
    tiles += [
        Tile(
            str(row.Index).capitalize(),
            words.percent(float(row.rate)),
            f"of {row.callers:,} who came in {row.month:%b %Y}",
        )
        for row in last.itertuples()
    ]
    return page(
        f"{company}: churn", subtitle, tiles, [_rates_section(rates), *([_drivers_section(drivers)] if drivers else [])]
    )


def _rates_section(rates: pd.DataFrame) -> Section:
    months = sorted(rates["month"].unique())[-6:] if len(rates) else []
    by = rates.set_index(["month", "how"]) if len(rates) else rates
    rows = [
        [f"{month:%b %Y}", f"{by.loc[(month, 'voluntary'), 'live']:,}"]
        + [_rate(by.loc[(month, how)]) for how in ("voluntary", "involuntary", "moved")]
        for month in months
    ]
    return Section(
        "Left in the month", ["month", "live at the start", "by choice", "cut off", "moved away"], rows,
        "Left over live at the start of the month, with 95 % intervals (Wilson).",
    )  # fmt: skip


def _rate(row: pd.Series) -> str:
    return f"{row['rate']:.2%} ({row['low']:.2%} to {row['high']:.2%})"


def _drivers_section(drivers: Sequence[Driver]) -> Section:
    rows = [[plain_name(d), words.points(d.points_now), words.points(d.points_then)] for d in drivers[:6]]
    return Section(
        "What moves the risk", ["column", "now", "91 days before"], rows,
        "Mean change of the chance of leaving against the column’s usual value, by the model in use.",
    )  # fmt: skip


def plain_name(driver: Driver) -> str:
    """A column's name as words."""
    return words.spoken(driver.column)
