"""The amounts an instrument may take, over how many months, what each is worth to the caller and costs the company."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from churn.core.language import t, tn
from churn.core.money import show
from churn.core.offers.bill import Bill, by_month, with_credit, with_pause, with_price
from churn.core.offers.limits import longest_term
from churn.core.offers.question import Ask, Lever
from churn.core.policies.policy import Instrument

Array = NDArray[np.float64]
MOST_STEPS = 60  # an instrument with finer steps is offered in multiples of its step
HALF_YEAR = 6
PART_OF_BILL = 3  # a discount runs long enough not to take more than a third of a month's bill


@dataclass(frozen=True, slots=True)
class Terms:
    """Amounts (m,) in minor units, rising, the first 0; months of each (0: at once); value to the caller, cost."""

    amounts: NDArray[np.int64]
    months: tuple[int, ...]
    values: Array  # minor units, as the effect of money is measured
    costs: Array  # minor units, expected once they stay


@lru_cache(maxsize=512)
def unit_of(step: int, most: int) -> int:
    """The step that amounts are offered in. It depends on the instrument alone: a tighter limit only drops amounts."""
    steps = most // max(step, 1)
    return max(step, 1) * max(1, -(-steps // MOST_STEPS))


def terms(
    item: Instrument, top: int, *, monthly_bill: int, extra: tuple[int, ...], ask: Ask, staying: Array, rate: float
) -> Terms:
    """All that may be offered of `item` up to `top`: its steps, what is `extra` (default, floor, ask), and nothing.

    `staying` (≥ 1,): chance of being here in each month given they stay now, its last value holding on; `rate`: a year.
    Value to the caller is the present value of what is taken off, month m discounted by (1 + rate)^(−m/12).
    """
    amounts = _amounts(item, top, monthly_bill, extra)
    months = tuple(_months(item, amount, monthly_bill, ask) for amount in amounts)
    money = np.array(amounts, np.int64)
    if not any(months):
        face: Array = money.astype(np.float64)
        return Terms(money, months, face, float(item.cost_share) * face)
    factors: Array = np.asarray((1.0 + rate) ** (-np.arange(max(months)) / 12.0), np.float64)
    here = staying[np.minimum(np.arange(max(months)), len(staying) - 1)]
    costs: Array = float(item.cost_share) * _over_months(money, months, here)
    return Terms(money, months, _over_months(money, months, factors), costs)


def _amounts(item: Instrument, top: int, monthly_bill: int, extra: tuple[int, ...]) -> list[int]:
    if item.cost_model == "free_months":
        whole = [monthly_bill * m for m in range(1, (item.max_months or 1) + 1)] if monthly_bill > 0 else []
        return [0, *(amount for amount in whole if amount <= top)]
    unit = unit_of(item.step_amount, item.max_amount)
    steps = range(unit, top + 1, unit)
    more = {amount for amount in extra if 0 < amount <= top and amount % unit}
    return [0, *(sorted({*steps, *more}) if more else steps)]


def _months(item: Instrument, amount: int, monthly_bill: int, ask: Ask) -> int:
    if amount == 0 or item.cost_model not in {"monthly", "free_months"}:
        return 0
    if item.cost_model == "free_months":
        return amount // monthly_bill
    asked = ask.months or 0
    if amount == ask.amount and 0 < asked <= (item.max_months or 1) and amount <= monthly_bill * asked:
        return asked
    return term_of(amount, monthly_bill, longest_term(item))


def term_of(amount: int, monthly_bill: int, longest: int) -> int:
    """Months a discount of `amount` in all runs: the fewest half-years that take at most a third of a bill a month.

    A term that parts it evenly goes before one that leaves a remainder in the last month.
    """
    every = range(HALF_YEAR, longest + 1, HALF_YEAR) if longest >= HALF_YEAR else (longest,)
    gentle = [term for term in every if amount * PART_OF_BILL <= monthly_bill * term]
    even = [term for term in gentle if amount % term == 0]
    return (even or gentle or [longest])[0]


def _over_months(amounts: NDArray[np.int64], months: tuple[int, ...], weights: Array) -> Array:
    """Each amount month by month as `policy.schedule` parts it, each month times its weight."""
    term = np.maximum(np.array(months), 1)
    part = amounts // term
    rest = amounts - part * term
    return np.asarray(part * np.cumsum(weights)[term - 1] + rest * weights[term - 1], float)


def default_amount(amount: int, floor: int, item: Instrument, monthly_bill: int) -> int:
    """Policy's default in whole steps (or itself, below one step), at least the floor; whole months where free."""
    if item.cost_model == "free_months":
        whole = amount // monthly_bill if monthly_bill > 0 else 0
        return min(whole, item.max_months or 1) * monthly_bill
    wanted = max(amount, floor)
    return max(wanted - wanted % unit_of(item.step_amount, item.max_amount), floor) or wanted


def title_of(item: Instrument, amount: int, months: int, currency: str) -> str:
    """What the agent says: `£20 credit`, `£6 off a month for 6 months`, `1 month free`."""
    money = show(amount, currency)
    if item.cost_model == "free_months":
        return tn(months, "{n} month free", "{n} months free")
    if item.cost_model == "monthly":
        part, rest = divmod(amount, months)
        each, more = show(part, currency), show(rest, currency)
        if rest:
            return tn(
                months,
                "{money} off a month for {n} month, and {more} more off the last",
                "{money} off a month for {n} months, and {more} more off the last",
                money=each,
                more=more,
            )
        return tn(months, "{money} off a month for {n} month", "{money} off a month for {n} months", money=each)
    if item.instrument == "bill_credit":
        return t("{money} credit", money=money)
    return f"{item.title}: {money}"


def lever_title(item: Instrument, lever: Lever, currency: str) -> str:
    """What the agent says of a lever without money."""
    said = lever.title or item.title
    if lever.monthly_saving:
        return t("{lever}: {money} less a month", lever=said, money=show(lever.monthly_saving, currency))
    return said


def bill_of(item: Instrument, amount: int, months: int, *, monthly_bill: int, fee: int, saving: int = 0) -> Bill | None:
    """The bill before and after; None where it does not change."""
    if item.lever == "pause" and months:
        return with_pause(monthly_bill, months)
    if saving:
        return with_price(monthly_bill, saving)
    if not amount:
        return None
    if months:
        return by_month(monthly_bill, amount, months)
    return with_credit(monthly_bill, amount, fee if item.instrument == "fee_waiver" else 0)
