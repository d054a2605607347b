"""What concessions cost and saved: budgets, spend down to the ledger, return, months, billing, what to look at."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from churn import store
from churn.core import words
from churn.core.finance.pace import FEWEST_DAYS, WEEKS, Forecast, pace
from churn.core.language import ENGLISH, mark, number, speaking, t, tc, tn
from churn.core.money import exponent, show, to_major
from churn.finance import spend
from churn.finance.spend import Budget, Month, Period
from churn.finance.spend_export import View
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain, reading
from churn.ui.spend_billing import show_billing
from churn.ui.spend_months import show_months
from churn.ui.spend_return import show_return
from churn.ui.spend_table import CODES, as_said, empty, files, head, money_column, show_view
from churn.ui.spend_watch import show_watch
from churn.ui.tables import show_table

if TYPE_CHECKING:
    import psycopg

VIEWS = {
    "budgets": mark("Budgets"), "spend": mark("Spend"), "return": mark("Return"), "watch": mark("Worth a look"),
    "months": mark("Months"), "billing": mark("Billing"),
}  # fmt: skip
CUTS = {
    "agent": mark("Agent"), "team": mark("Team"), "instrument": mark("Instrument"), "reason": mark("Reason"),
    "plan": mark("Plan"), "region": mark("Region"), "kind": mark("Kind of entry"),
}  # fmt: skip
OF_ONE = {
    "agent": mark("Ledger rows of one agent"), "team": mark("Ledger rows of one team"),
    "instrument": mark("Ledger rows of one instrument"), "reason": mark("Ledger rows of one reason"),
    "plan": mark("Ledger rows of one plan"), "region": mark("Ledger rows of one region"),
    "kind": mark("Ledger rows of one kind of entry"),
}  # fmt: skip
NOTHING = mark(
    "Nothing has been given from this desk yet. Budgets come first: propose and confirm them on the policy page; what "
    "is given then shows here to the penny."
)
SUMS = ("granted", "reversed", "clawed_back", "net")
SUMS_HELP = {
    "granted": mark("Given in these months."),
    "reversed": mark("Taken back by a supervisor, booked in these months."),
    "clawed_back": mark("Months of a discount nobody will pay, for the customer left; booked in these months."),
    "net": mark("Granted less what was taken back."), "customers": mark("Different accounts."),
    "entries": mark("Rows of the ledger booked in these months."),
}  # fmt: skip
BUDGET_HELP = {
    "limit": mark("Confirmed for the month by two people."),
    "spent": mark("By the ledger: granted in the month less what was taken back in it."),
    "left": mark("Limit less spent."),
    "pace": mark("Share spent over share of the month gone; above 1 is too fast."),
    "month’s end, expected": mark(
        "Modelled: spent by now and the usual of each weekday left, of the last eight weeks; 90 % interval."
    ),
    "runs out on": mark("Modelled: the day on which it is likelier than not that nothing is left."),
}
ENTRY_COLUMNS = (
    "entry_id", "kind", "booked_on", "amount", "currency", "instrument", "months", "reason", "customer_id", "team",
    "staff_id", "done_by", "belongs_month", "booked_month", "reverses", "remark",
)  # fmt: skip


def show_spend(session: Session) -> None:
    """The page: a view, then what it shows. Every sum is the ledger's own."""
    view = st.segmented_control(
        t("View"), list(VIEWS), default="budgets", required=True, format_func=lambda one: t(VIEWS[one]), key="view",
        label_visibility="collapsed", bind="query-params",
    )  # fmt: skip
    today = store.local_day(session.company.data_until or session.clock, session.company.time_zone)
    with reading(t("Spend")):
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
                st.info(t(NOTHING), icon=":material/inbox:")
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
    begin = first.selectbox(t("From"), list(names), index=max(len(days) - 3, 0), key="from", bind="query-params")
    end = last.selectbox(t("To and with"), list(names), index=len(days) - 1, key="until", bind="query-params")
    currency = currencies[0]
    if len(currencies) > 1:
        currency = str(money.selectbox(t("Currency"), currencies, key="currency", bind="query-params"))
    if begin is None or end is None or begin > end:
        st.info(
            t("The first month lies after the last: choose them the other way round."), icon=":material/date_range:"
        )
        return None
    return Period(names[begin], names[end], currency)


def _budgets(session: Session, connection: psycopg.Connection, today: date) -> None:
    month = today.replace(day=1)
    found = spend.forecasts(connection, month, today)
    if not found:
        st.info(
            t(
                "There is no budget for {month}. Propose one on the policy page; a second person confirms it.",
                month=words.month(month),
            ),
            icon=":material/inbox:",
        )
        return
    for budget, told in found:
        if told is not None and told.is_alarm and not budget.is_closed:
            st.warning(plain(_alarm(budget, told)), icon=":material/alarm:")
    heading(
        t("Budgets of {month}", month=words.month(month)),
        help=t(
            "Pace: share spent over share of the month gone; above 1 is too fast. The month’s end is expected from "
            "the last {weeks} weeks by weekday, with an interval that nine in ten months fall into.",
            weeks=WEEKS,
        ),
    )
    told = pd.DataFrame([_budget_row(budget, told, month, today) for budget, told in found])
    with speaking(ENGLISH):  # as a file has them
        frame = pd.DataFrame([_budget_row(budget, told, month, today) for budget, told in found])
    money = ("limit", "spent", "left")
    show_view(
        session, View("budgets", frame, money, {"month": f"{month:%Y-%m}"}),
        alt=t("Budgets of {month} with pace and forecast.", month=words.month(month)),
        help=BUDGET_HELP, told=told,
    )  # fmt: skip


def _alarm(budget: Budget, told: Forecast) -> str:
    spent = t(
        "{team}, {instrument}: {spent} of {limit} is spent.", team=budget.team,
        instrument=words.spoken(budget.instrument), spent=show(told.spent, budget.currency),
        limit=show(told.limit, budget.currency),
    )  # fmt: skip
    if told.spent >= told.limit:
        return f"{spent} {t('Nothing is left this month.')}"
    chance = words.percent(told.p_runs_out)
    if told.runs_out_on is not None:
        ends = t(
            "At this pace it runs out on {day} (chance before the month ends: {chance}).",
            day=words.full_day(told.runs_out_on, has_year=False), chance=chance,
        )  # fmt: skip
        return f"{spent} {ends}"
    return f"{spent} {t('Chance that it runs out before the month ends: {chance}.', chance=chance)}"


def _budget_row(budget: Budget, told: Forecast | None, month: date, today: date) -> dict[str, object]:
    at = pace(budget.spent, budget.amount_limit, month, today)
    ends = t("under {n} days seen", n=FEWEST_DAYS) if told is None else t(
        "{middle} ({low} to {high})",
        **{end: show(round(getattr(told, end)), budget.currency) for end in ("middle", "low", "high")},
    )  # fmt: skip
    return {
        "team": budget.team, "instrument": words.spoken(budget.instrument), "currency": budget.currency,
        "limit": budget.amount_limit, "spent": budget.spent, "left": budget.amount_limit - budget.spent,
        "pace": None if at is None else round(at, 2), "month’s end, expected": ends,
        "runs out on": None if told is None or told.runs_out_on is None else words.day(told.runs_out_on, today),
        "state": tc("of a budget", "closed") if budget.is_closed else tc("of a budget", "open"),
    }  # fmt: skip


def _spend(session: Session, connection: psycopg.Connection, period: Period) -> None:
    cut = st.segmented_control(
        t("By"), list(CUTS), default="team", required=True, format_func=_cut, key="by",
        bind="query-params",
    )  # fmt: skip
    rows = spend.by(connection, str(cut), period).assign(currency=period.currency)
    if cut == "agent":
        names = {one.staff_id: one.name for one in store.desk_staff(connection)}
        rows.insert(1, "name", [names.get(one) for one in rows["value"]])
    if empty(rows, t("No entry in {currency} in these months.", currency=period.currency)):
        return
    about = {"by": str(cut), "from": f"{period.first:%Y-%m}", "until": f"{period.last:%Y-%m}"}
    heading(
        t(
            "{cut}, {first} to {last}", cut=_cut(str(cut)), first=words.month(period.first, is_short=True),
            last=words.month(period.last, is_short=True),
        ),
        help=t("By the month an entry is booked in."),
    )  # fmt: skip
    named = rows.rename(columns={"value": str(cut)})
    show_view(
        session,
        View(f"by-{cut}", named, SUMS, about),
        alt=t("Spend by {cut}.", cut=words.spoken(str(cut))),
        help=SUMS_HELP,
    )
    value = st.selectbox(
        t(OF_ONE[str(cut)]), [str(one) for one in rows["value"]], index=None,
        format_func=words.spoken if cut in CODES else str,
        placeholder=t("choose to see its entries"), key="rows_of", bind="query-params",
    )  # fmt: skip
    if value is not None:
        _entries(session, connection, str(cut), value, period)


def _cut(one: str) -> str:
    return tc("contact", "Reason") if one == "reason" else t(CUTS[one])


def _entries(session: Session, connection: psycopg.Connection, cut: str, value: str, period: Period) -> None:
    """The way down: ledger rows, customers by key only."""
    rows, many, net = spend.entries(connection, cut, value, period, most=spend.EVERY_ROW)
    if empty(rows, t("No entry of it in these months.")):
        return
    listed = rows.head(spend.MOST_ROWS)
    said = tn(many, "{n} entry, net {net}.", "{n} entries, net {net}.", net=show(net, period.currency))
    if many != len(listed):
        said += " " + t("The newest {n} are listed; a file holds all.", n=number(len(listed)))
    st.caption(plain(said))
    view = View("entries", rows.drop(columns="remark"), ("amount",), {"by": cut, "value": value})
    told = as_said(listed).assign(
        amount=[float(to_major(int(amount), period.currency)) for amount in listed["amount"]],
        booked_month=listed["booked_month"].map("{:%Y-%m}".format),
        belongs_month=listed["belongs_month"].map("{:%Y-%m}".format),
    )
    config: dict[str, Any] = {name: st.column_config.Column(head(name)) for name in told.columns}
    config["amount"] = money_column(words.spoken("amount"), exponent(period.currency))
    show_table(
        told, hide_index=True, placeholder="–", alt=t("Ledger entries of {value}.", value=value),
        column_order=ENTRY_COLUMNS, column_config=config,
    )  # fmt: skip
    files(session, view)
