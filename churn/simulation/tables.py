"""Subscriptions, invoices and usage as the company sees them on the day the data ends."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churn.simulation.chance import Ints
from churn.simulation.life import Life
from churn.simulation.money import MEASURES, invoice_rows
from churn.simulation.people import customer_ids, dates, words
from churn.simulation.plans import MARGIN, PLANS, PRODUCTS, pounds
from churn.simulation.state import END_REASONS, KEPT, State


def subscriptions_table(life: Life, until: int) -> pa.Table:
    """Rows of `feed.subscriptions`. A change of plan, price or term ends one row without reason and begins one."""
    rows = _as_of(life.state.close_all(), life.state, until)
    order = np.lexsort((rows["product"], rows["started"], rows["customer"]))
    rows = {name: values[order] for name, values in rows.items()}
    who = rows["customer"]
    first = np.flatnonzero(np.r_[True, who[1:] != who[:-1]])
    place = np.arange(len(who)) - np.repeat(first, np.diff(np.r_[first, len(who)])) + 1
    account = customer_ids(life.people.index).take(pa.array(who))
    ended = rows["ended"] < until
    reason = np.where(ended & (rows["reason"] != KEPT), rows["reason"] - 1, -1)
    return pa.table(
        {
            "subscription_id": pc.binary_join_element_wise(account, pa.array(place).cast(pa.string()), "-"),
            "customer_id": account,
            "product": words(PRODUCTS, rows["product"]),
            "plan": words([p.name for p in PLANS], rows["plan"]),
            "started_on": dates(rows["started"]),
            "term_ends_on": dates(rows["term_end"], rows["term_end"] > 0),
            "ended_on": dates(rows["ended"].clip(max=until), ended),
            "end_reason": words(END_REASONS, reason),
            "monthly_price": pa.array(rows["price"]),
            "monthly_margin": pa.array(pounds(rows["price"] * MARGIN[rows["plan"]])),
        }
    )


def _as_of(rows: dict[str, NDArray[Any]], state: State, until: int) -> dict[str, NDArray[Any]]:
    """Rows begun before `until` and before the customer left; those open on the day of leaving end on it."""
    who = rows["customer"]
    ends = state.ends[who]
    rows = dict(rows)
    late = rows["ended"] >= ends
    rows["reason"] = np.where(late, state.end_reason[who], rows["reason"])
    rows["ended"] = np.minimum(rows["ended"], ends)
    keep = (rows["started"] < until) & (rows["started"] < ends) & (rows["ended"] >= rows["started"])
    return {name: values[keep] for name, values in rows.items()}


def invoices_table(life: Life, until: int) -> pa.Table:
    """Rows of `feed.invoices`: one a month, unpaid ones without a day of payment."""
    rows = _by_customer(invoice_rows(life.invoices.joined(), life.state.ends, until), "issued")
    month: Ints = rows["issued"]
    account = customer_ids(life.people.index).take(pa.array(rows["customer"]))
    stamp = dates(month)
    return pa.table(
        {
            "invoice_id": pc.binary_join_element_wise("I", account, pc.strftime(stamp, format="%y%m"), "-"),
            "customer_id": account,
            "issued_on": stamp,
            "due_on": dates(rows["due"]),
            "paid_on": dates(rows["paid"].clip(max=until), rows["paid"] < until),
            "amount": pa.array(rows["amount"]),
        }
    )


def usage_table(life: Life) -> pa.Table:
    """Rows of `feed.usage`: whole months only."""
    rows = _by_customer(life.usage.joined(), "month")
    return pa.table(
        {
            "customer_id": customer_ids(life.people.index).take(pa.array(rows["customer"])),
            "month": dates(rows["month"]),
            "measure": words(MEASURES, rows["measure"]),
            "quantity": pa.array(rows["quantity"].astype(float)),
        }
    )


def _by_customer(rows: dict[str, NDArray[Any]], day: str) -> dict[str, NDArray[Any]]:
    """The rows in the order of their key, which indexes take far faster than any other."""
    order = np.lexsort((rows[day], rows["customer"]))
    return {name: values[order] for name, values in rows.items()}
