"""Behind the pictures: the customers by key, what policy forbids, files to take away, the page to print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from churn.core import words
from churn.core.feature_names import name_of
from churn.core.language import mark, number, t, tn
from churn.core.money import show, to_major
from churn.core.trends.charts_trends import PICK
from churn.core.trends.drivers import Driver
from churn.core.trends.rates import FEWEST, HOW, measure_said
from churn.core.trends.summary import Section, Tile, page
from churn.trends import trends
from churn.trends.trends import Filter, Mark, State
from churn.ui.gate import Session
from churn.ui.pieces import heading
from churn.ui.tables import show_table
from churn.ui.takeaway import takeaway, written_down

if TYPE_CHECKING:
    import psycopg

COLUMNS = {
    "customer_id": mark("account"), "left_on": mark("left on"), "left_how": mark("left how"), "plan": mark("plan"),
    "region": mark("region"), "segment": mark("segment"), "tenure": mark("tenure"), "reason": mark("last contact"),
    "joined": mark("quarter joined"), "tenure_days": mark("days a customer"), "called_on": mark("called on"),
    "contact_reason": mark("called about"), "stage": mark("what became of it"), "window_days": mark("window (days)"),
    "saved_days": mark("stayed (days)"),
}  # fmt: skip
CODED = ("left_how", "tenure", "reason", "contact_reason", "stage")  # columns of codes
GROUPS = ("plan", "region", "segment")
HIDDEN = mark("Fewer than {n} customers are behind this mark: they are not listed.")


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


def show_came(session: Session, connection: psycopg.Connection, month: date, narrowed: Filter) -> None:
    """Who came to cancel in a month, by key only; nobody where they are too few."""
    frame, count = trends.came_in_month(connection, month, narrowed)
    _listed(session, frame, count, "came")


def _listed(session: Session, frame: pd.DataFrame, count: int, key: str) -> None:
    if count < FEWEST:
        st.info(t(HIDDEN, n=FEWEST), icon=":material/visibility_off:")
        return
    heading(
        t("Behind this mark · {all}, the newest {n} shown", all=number(count), n=number(len(frame)))
        if count > len(frame)
        else t("Behind this mark · {all}", all=number(count)),
        help=t("Customers by account only: no name, number or text."),
    )
    said = {name: st.column_config.Column(t(label)) for name, label in COLUMNS.items()}
    said["monthly_margin"] = st.column_config.NumberColumn(
        t("margin a month ({currency})", currency=session.company.currency), format="%.2f"
    )
    show_table(
        spoken_in(spoken_in(frame, CODED), GROUPS, trends.group_said),
        hide_index=True, key=f"list-{key}", placeholder="–", alt=t("Customers behind the chosen mark."),
        column_config={name: label for name, label in said.items() if name in frame.columns},
    )  # fmt: skip
    takeaway(session, "trends", f"customers-{key}", frame)


def say_group(cut: str | None) -> Callable[[str], str]:
    """How a group of this cut is said: codes in words, the company's own names as they are."""
    return words.spoken if cut in CODED else trends.group_said


def spoken_in(frame: pd.DataFrame, columns: Sequence[str], say: Callable[[str], str] = words.spoken) -> pd.DataFrame:
    """The same with the codes of some columns as words."""
    coded = [name for name in columns if name in frame.columns]
    return frame.assign(**{name: frame[name].map(say, na_action="ignore") for name in coded})


def show_forbidden(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Customers worth keeping whom policy forbids to keep: how many, what they are worth, by which limit."""
    heading(
        t("Worth keeping, but policy forbids"),
        help=t(
            "From the receipts of the last 180 days: a limit of policy bound, and by the model more than anybody may "
            "give would have been worth it. Worth: what the customer is worth over the coming years, modelled."
        ),
    )
    if not rows:
        st.caption(t("No decision of the last 180 days was cut by policy where more would have paid."))
        return
    if len(rows) < FEWEST:
        st.info(t("Fewer than {n} customers: not told apart.", n=FEWEST), icon=":material/visibility_off:")
        return
    currency = session.company.currency
    ours = [row for row in rows if row["currency"] == currency]
    st.markdown(
        tn(
            len(ours), "**{n} customer**, together worth **{worth}** if they stay.",
            "**{n} customers**, together worth **{worth}** if they stay.",
            worth=show(sum(row["worth"] for row in ours), currency),
        ),
        anchors=False,
    )  # fmt: skip
    frame = forbidden_table(ours, currency)
    by_limit = frame.groupby("limit").agg(customers=("account", "size"), worth=("worth", "sum")).reset_index()
    show_table(
        by_limit[by_limit["customers"] >= FEWEST], hide_index=True, column_config=_labels(currency),
        alt=t("Customers and worth by limit of policy."),
    )  # fmt: skip
    with st.expander(t("Who they are")):
        show_table(
            frame, hide_index=True, column_config=_labels(currency),
            alt=t("Customers policy forbids to keep, by account."),
        )  # fmt: skip
        takeaway(session, "trends", "policy-forbids", frame)


def _labels(currency: str) -> dict[str, Any]:
    column = st.column_config.Column
    return {
        "account": column(t("account")), "decided": column(t("decided")), "limit": column(t("limit")),
        "customers": column(t("customers")),
        "allowed": column(t("allowed ({currency})", currency=currency), help=t("The most policy allowed anybody.")),
        "would pay": column(
            t("would pay"), help=t("The amount with the highest expected gain by the model of that decision.")
        ),
        "worth": column(t("worth ({currency})", currency=currency)),
    }  # fmt: skip


def forbidden_table(rows: Sequence[dict[str, Any]], currency: str) -> pd.DataFrame:
    """account, decided, limit, allowed, would pay, worth; money in major units."""
    return pd.DataFrame(
        [
            {
                "account": row["customer_id"], "decided": row["decided_at"].date(), "limit": row["reason"],
                "allowed": float(to_major(row["allowed"], currency)),
                "would pay": t("at least {amount}", amount=show(row["best"], currency))
                if row["is_at_least"]
                else show(row["best"], currency),
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
    others = "" if narrowed == Filter() else t("What moves the risk and what policy forbids: all customers.")
    day = words.full_day(state.as_of.date())
    make = partial(
        summary_html, session.company.name, session.company.currency,
        ". ".join(filter(None, (f"{day}; {narrowed.said}", others))),
        rates=rates, risk=risk, kept=kept, drivers=drivers, forbidden=forbidden,
    )  # fmt: skip
    st.download_button(
        t("One page to print"), data=written_down(session, "trends", "summary", lambda: make().encode()),
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
        how = t("modelled; 90 % between {low} and {high}", low=low, high=high)
        tiles.append(Tile(t("Margin at risk next quarter"), middle, how))
    if len(forbidden) >= FEWEST:
        worth = show(sum(row["worth"] for row in forbidden if row["currency"] == currency), currency)
        how = t("worth {worth} if they stay", worth=worth)
        tiles.append(Tile(t("Worth keeping, policy forbids"), number(len(forbidden)), how))
    last = kept[kept["measure"].str.startswith("saved")].groupby("measure").last() if len(kept) else pd.DataFrame()
    tiles += [
        Tile(
            words.first_up(measure_said(str(row.Index))),
            words.percent(float(row.rate)),
            t(
                "of {n} who came in {month}",
                n=number(row.callers),
                month=words.month(row.month, is_short=True),
            ),
        )
        for row in last.itertuples()
    ]
    return page(
        t("{company}: churn", company=company), subtitle, tiles,
        [_rates_section(rates), *([_drivers_section(drivers)] if drivers else [])],
    )  # fmt: skip


def _rates_section(rates: pd.DataFrame) -> Section:
    months = sorted(rates["month"].unique())[-6:] if len(rates) else []
    by = rates.set_index(["month", "how"]) if len(rates) else rates
    rows = [
        [words.month(month, is_short=True), number(by.loc[(month, "voluntary"), "live"])]
        + [_rate(by.loc[(month, how)]) for how in ("voluntary", "involuntary", "moved")]
        for month in months
    ]
    return Section(
        t("Left in the month"), [t("month"), t("live at the start"), *(t(said) for said in HOW.values())], rows,
        t("Left over live at the start of the month, with 95 % intervals (Wilson)."),
    )  # fmt: skip


def _rate(row: pd.Series) -> str:
    rate, low, high = (words.exact_percent(row[end], 2) for end in ("rate", "low", "high"))
    return words.with_interval(rate, low, high)


def _drivers_section(drivers: Sequence[Driver]) -> Section:
    rows = [[name_of(d.column), words.points(d.points_now), words.points(d.points_then)] for d in drivers[:6]]
    return Section(
        t("What moves the risk"), [t("column"), t("now"), t("91 days before")], rows,
        t("Mean change of the chance of leaving against the column’s usual value, by the model in use."),
    )  # fmt: skip
