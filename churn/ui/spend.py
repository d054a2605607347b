"""What concessions cost and saved: budgets, spend down to the ledger, return, months, billing, what to look at."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from churn import spend, store
from churn.core import words
from churn.core.money import exponent, show, to_major
from churn.core.pace import Forecast, pace
from churn.spend import Budget, Month, Period
from churn.spend_export import View
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain, reading
from churn.ui.spend_billing import show_billing
from churn.ui.spend_months import show_months
from churn.ui.spend_return import show_return
from churn.ui.spend_table import as_said, empty, files, money_format, show_view
from churn.ui.spend_watch import show_watch

if TYPE_CHECKING:
    import psycopg

VIEWS = {
    "budgets": "Budgets", "spend": "Spend", "return": "Return", "watch": "Worth a look", "months": "Months",
    "billing": "Billing",
}  # fmt: skip
CUTS = {
    "agent": "Agent", "team": "Team", "instrument": "Instrument", "reason": "Reason", "plan": "Plan",
    "region": "Region", "kind": "Kind of entry",
}  # fmt: skip
NOTHING = (
    "Nothing has been given from this desk yet. Budgets come first: propose and confirm them on the policy page; what "
    "is given then shows here to the penny."
)
SUMS = ("granted", "reversed", "clawed_back", "net")
SUMS_HELP = {
    "granted": "Given in these months.", "reversed": "Taken back by a supervisor, booked in these months.",
    "clawed_back": "Months of a discount nobody will pay, for the customer left; booked in these months.",
    "net": "Granted less what was taken back.", "customers": "Different accounts.",
}  # fmt: skip


ENTRY_COLUMNS = (
    "entry_id", "kind", "booked_on", "amount", "currency", "instrument", "months", "reason", "customer_id", "team",
    "staff_id", "done_by", "belongs_month", "booked_month", "reverses", "remark",
)  # fmt: skip


def show_spend(session: Session) -> None:
    """The page: a view, then what it shows. Every sum is the ledger's own."""
    view = st.segmented_control(
        "View", list(VIEWS), default="budgets", required=True, format_func=VIEWS.__getitem__, key="view",
        label_visibility="collapsed", bind="query-params",
    )  # fmt: skip
    today = store.local_day(session.company.data_until or session.clock, session.company.time_zone)
    with reading("Spend"):
        if view == "billing":
            show_billing(session)
            return
        with session.database.transaction(session.me) as connection:
            months = spend.months(connection)
            if view == "budgets":
                _budgets(session, connection, today)
            elif view == "return":
                show_return(session, connection)
            elif not months:
                st.info(NOTHING, icon=":material/inbox:")
            elif view == "months":
                show_months(session, connection, months, today)
            elif (period := _period(months)) is not None:
                (_spend if view == "spend" else show_watch)(session, connection, period)


def _period(months: list[Month]) -> Period | None:
    """The months and the currency looked at; in the URL."""
    days = sorted({one.month for one in months})
    currencies = sorted({one.currency for one in months})
    first, last, money = st.columns([2, 2, 3], vertical_alignment="bottom")
    names = {f"{day:%Y-%m}": day for day in days}
    begin = first.selectbox("From", list(names), index=max(len(days) - 3, 0), key="from", bind="query-params")
    end = last.selectbox("To and with", list(names), index=len(days) - 1, key="until", bind="query-params")
    currency = currencies[0]
    if len(currencies) > 1:
        currency = str(money.selectbox("Currency", currencies, key="currency", bind="query-params"))
    if begin is None or end is None or begin > end:
        st.info("The first month lies after the last: choose them the other way round.", icon=":material/date_range:")
        return None
    return Period(names[begin], names[end], currency)


def _budgets(session: Session, connection: psycopg.Connection, today: date) -> None:
    month = today.replace(day=1)
    found = spend.forecasts(connection, month, today)
    if not found:
        st.info(
            f"There is no budget for {month:%B %Y}. Propose one on the policy page; a second person confirms it.",
            icon=":material/inbox:",
        )
        return
    for budget, told in found:
        if told is not None and told.is_alarm and not budget.is_closed:
            st.warning(plain(_alarm(budget, told)), icon=":material/alarm:")
    heading(
        f"Budgets of {month:%B %Y}",
        help="Pace: share spent over share of the month gone; above 1 is too fast. The month’s end is expected from "
        "the last eight weeks by weekday, with an interval that nine in ten months fall into.",
    )
    frame = pd.DataFrame([_budget_row(budget, told, month, today) for budget, told in found])
    money = ("limit", "spent", "left")
    show_view(
        session, View("budgets", frame, money, {"month": f"{month:%Y-%m}"}),
        alt=f"Budgets of {month:%B %Y} with pace and forecast.",
    )  # fmt: skip


def _alarm(budget: Budget, told: Forecast) -> str:
    money = f"{budget.team}, {words.spoken(budget.instrument)}: {show(told.spent, budget.currency)} of "
    money += f"{show(told.limit, budget.currency)} is spent"
    if told.spent >= told.limit:
        return f"{money}. Nothing is left this month."
    chance = words.percent(told.p_runs_out)
    if told.runs_out_on is not None:
        return (
            f"{money}. At this pace it runs out on {told.runs_out_on:%-d %B} (chance before the month ends: {chance})."
        )
    return f"{money}. Chance that it runs out before the month ends: {chance}."


def _budget_row(budget: Budget, told: Forecast | None, month: date, today: date) -> dict[str, object]:
    at = pace(budget.spent, budget.amount_limit, month, today)
    ends = "under two weeks seen" if told is None else (
        f"{show(round(told.middle), budget.currency)} ({show(round(told.low), budget.currency)} to "
        f"{show(round(told.high), budget.currency)})"
    )  # fmt: skip
    return {
        "team": budget.team, "instrument": words.spoken(budget.instrument), "currency": budget.currency,
        "limit": budget.amount_limit, "spent": budget.spent, "left": budget.amount_limit - budget.spent,
        "pace": None if at is None else round(at, 2), "month’s end, expected": ends,
        "runs out on": None if told is None or told.runs_out_on is None else f"{told.runs_out_on:%-d %b}",
        "state": "closed" if budget.is_closed else "open",
    }  # fmt: skip


def _spend(session: Session, connection: psycopg.Connection, period: Period) -> None:
    cut = st.segmented_control(
        "By", list(CUTS), default="team", required=True, format_func=CUTS.__getitem__, key="by", bind="query-params"
    )
    rows = spend.by(connection, str(cut), period).assign(currency=period.currency)
    if cut == "agent":
        names = {one.staff_id: one.name for one in store.desk_staff(connection)}
        rows.insert(1, "name", [names.get(one) for one in rows["value"]])
    if empty(rows, f"No entry in {period.currency} in these months."):
        return
    about = {"by": str(cut), "from": f"{period.first:%Y-%m}", "until": f"{period.last:%Y-%m}"}
    heading(
        f"{CUTS[str(cut)]}, {period.first:%b %Y} to {period.last:%b %Y}", help="By the month an entry is booked in."
    )
    named = rows.rename(columns={"value": str(cut)})
    show_view(session, View(f"by-{cut}", named, SUMS, about), alt=f"Spend by {cut}.", help=SUMS_HELP)
    value = st.selectbox(
        f"Ledger rows of one {CUTS[str(cut)].lower()}", [str(one) for one in rows["value"]], index=None,
        placeholder="choose to see its entries", key="rows_of", bind="query-params",
    )  # fmt: skip
    if value is not None:
        _entries(session, connection, str(cut), value, period)


def _entries(session: Session, connection: psycopg.Connection, cut: str, value: str, period: Period) -> None:
    """The way down: ledger rows, customers by key only."""
    rows, many, net = spend.entries(connection, cut, value, period, most=spend.EVERY_ROW)
    if empty(rows, "No entry of it in these months."):
        return
    listed = rows.head(spend.MOST_ROWS)
    shown = "" if many == len(listed) else f" The newest {len(listed):,} are listed; a file holds all."
    said = "1 entry" if many == 1 else f"{many:,} entries"
    st.caption(plain(f"{said}, net {show(net, period.currency)}.{shown}"))
    view = View("entries", rows.drop(columns="remark"), ("amount",), {"by": cut, "value": value})
    told = as_said(listed).assign(
        amount=[float(to_major(int(amount), period.currency)) for amount in listed["amount"]],
        booked_month=listed["booked_month"].map("{:%Y-%m}".format),
        belongs_month=listed["belongs_month"].map("{:%Y-%m}".format),
    )
    config: dict[str, Any] = {name: st.column_config.Column(words.spoken(name)) for name in told.columns}
    config["amount"] = st.column_config.NumberColumn("amount", format=money_format(exponent(period.currency)))
    st.dataframe(
        told, hide_index=True, placeholder="–", alt=f"Ledger entries of {value}.", column_order=ENTRY_COLUMNS,
        column_config=config,
    )  # fmt: skip
    files(session, view)
