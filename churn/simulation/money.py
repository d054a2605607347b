"""Bills, payments and use: what a month costs each customer, when they pay it, and how much they used."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn.simulation.chance import Array, Chance, Ints
from churn.simulation.clock import Month, as_date
from churn.simulation.events import BILL_DAY
from churn.simulation.people import People
from churn.simulation.plans import MOBILE, TV, USUAL_GB, pounds
from churn.simulation.state import FAR, Rows, State

PAY_WITHIN = 14
MEASURES = ("gb", "minutes", "tv_hours")
SEASON_GB = np.array([1.10, 1.06, 1.02, 0.99, 0.96, 0.93, 0.92, 0.94, 0.98, 1.02, 1.06, 1.12])
INVOICE_COLUMNS = ("customer", "issued", "due", "paid", "amount")
USAGE_COLUMNS = ("customer", "month", "measure", "quantity")


def send_bills(chance: Chance, people: People, state: State, month: Month, out: Rows) -> None:
    """The month's bill run: everyone served on the bill day; moves credit, discount, shock and lateness along."""
    day = month.first + BILL_DAY - 1
    rows = np.flatnonzero((state.joined <= day - 2) & (state.ends > day))
    index = people.index[rows]
    plain = state.bill()[rows]
    newly = state.joined[rows] > day - 30
    extras = _extras(chance, state, index, rows, month.number) + np.where(newly, 0.4 * plain + 9.99, 0.0)
    discount = np.where(state.discount_until[rows] > day, state.discount[rows], 0.0)
    gross = (plain + extras - discount).clip(0.0)
    used = np.minimum(state.credit[rows], gross)
    state.credit[rows] -= used
    amount = pounds(gross - used)
    over = gross / state.usual_bill[rows].clip(5.0)
    state.shock[:] *= 0.5
    state.shock[rows] = np.maximum(state.shock[rows], ((over - 1.12) / 0.3).clip(0.0, 1.0))
    state.usual_bill[rows] = np.where(newly, plain, 0.75 * state.usual_bill[rows] + 0.25 * gross)
    paid = _paid_on(chance, people, state, rows, month=month.number, day=day)
    state.late[:] *= 0.75
    state.late[rows] += (paid > day + PAY_WITHIN + 3) & (amount > 0)
    out.add(
        customer=rows,
        issued=np.full(len(rows), day),
        due=np.full(len(rows), day + PAY_WITHIN),
        paid=paid,
        amount=amount,
    )


def _extras(chance: Chance, state: State, index: Ints, rows: Ints, month: int) -> Array:
    """Use beyond the allowance, roaming, films, a missed-visit fee: what makes a bill jump."""
    mobile = state.live[rows, MOBILE]
    small = state.plan[rows, MOBILE] == 5
    u = chance.uniform("extras", index, month)
    summer = 1.6 if month % 12 in (8, 9) else 1.0
    odds = 0.015 + mobile * (0.02 * summer + 0.06 * small) + 0.03 * state.live[rows, TV]
    size = 3.0 + 9.0 * -np.log(chance.uniform("size of extras", index, month))
    return pounds(np.where(u < odds, np.minimum(size, 90.0), 0.0))


def _paid_on(chance: Chance, people: People, state: State, rows: Ints, *, month: int, day: int) -> Ints:
    """The day each bill is paid, FAR for never: direct debits on the day, others as they are, troubled ones late."""
    index = people.index[rows]
    u = chance.uniform("paid", index, month)
    spread = np.floor(-4.0 + 7.0 * chance.normal("paid when", index) * 0.4 + 12.0 * u**3).astype(np.int64)
    habit = PAY_WITHIN + spread - np.round(2.0 * people.comfort[rows]).astype(np.int64)
    debit = (people.payment[rows] == 0) & (u < 0.985)
    paid = day + np.where(debit, PAY_WITHIN, habit.clip(1, 60))
    troubled = (state.trouble_from[rows] <= day) & (state.trouble_until[rows] > day)
    until = state.trouble_until[rows]
    return np.where(troubled, np.where(until >= FAR, FAR, np.maximum(until + 5, paid)), paid)


def measure_use(chance: Chance, people: People, state: State, month: Month, out: Rows) -> None:
    """What each customer used in the month, by measure; a month only partly served counts in part."""
    served = (np.minimum(state.ends, month.end) - np.maximum(state.joined, month.first)).clip(0) / month.days
    season = SEASON_GB[as_date(month.first).month - 1]
    index = people.index
    noise = np.exp(0.18 * chance.normal("use", index, month.number) + 0.32 * state.engagement)
    own = np.exp(0.45 * chance.normal("own use", index)) * (0.75 + 0.12 * people.household)
    allowance = (USUAL_GB[state.plan[:, :TV]] * state.live[:, :TV]).sum(axis=1)
    values = (
        allowance * own * noise * season,
        state.live[:, MOBILE] * 210.0 * np.exp(0.7 * chance.normal("minutes", index)) * noise,
        state.live[:, TV] * 44.0 * own * noise * season,
    )
    on = (served > 0.02, (served > 0.02) & state.live[:, MOBILE], (served > 0.02) & state.live[:, TV])
    for code, (value, flag) in enumerate(zip(values, on, strict=True)):
        rows = np.flatnonzero(flag)
        out.add(
            customer=rows,
            month=np.full(len(rows), month.first),
            measure=np.full(len(rows), code),
            quantity=np.round(value[rows] * served[rows], 1),
        )


def invoice_rows(joined: dict[str, NDArray[Any]], ends: Ints, until: int) -> dict[str, NDArray[Any]]:
    """The bills as the company sees them on the day `until`: none from later, none after the end, payments so far."""
    keep = (joined["issued"] < until) & (joined["issued"] < ends[joined["customer"]])
    return {name: values[keep] for name, values in joined.items()}
