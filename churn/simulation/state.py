"""The customers of a part in the middle of their lives: what they have today and what bears on leaving tomorrow."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn.simulation.chance import Array, Chance, Ints
from churn.simulation.people import People
from churn.simulation.plans import (
    BROADBAND,
    DAYS_A_MONTH,
    FIRST_PLAN,
    LAST_PLAN,
    MOBILE,
    PLAN_PRODUCT,
    PRODUCTS,
    ROLLING_PRICE,
    TERM_MONTHS,
    TERM_PRICE,
    TERM_SHARES,
    TV,
    popularity,
    pounds,
)

Flags = NDArray[np.bool_]
FAR = 10**6  # a day that never comes
KEPT, VOLUNTARY, INVOLUNTARY, MOVE = range(4)
END_REASONS = ("voluntary", "involuntary", "move")
SHARE_AT_START, SHARE_LONG_GONE = 0.60, 0.02
OLDEST_YEARS = 12


class Rows:
    """Columns that grow month by month and are joined once."""

    def __init__(self, *names: str) -> None:
        self._parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}

    def add(self, **columns: NDArray[Any]) -> None:
        """Append equally long columns, one for each name."""
        if len(columns.keys() ^ self._parts.keys()):
            raise KeyError(f"columns differ: {sorted(columns.keys() ^ self._parts.keys())}")
        for name, values in columns.items():
            self._parts[name].append(values)

    def joined(self) -> dict[str, NDArray[Any]]:
        """Each column as one array."""
        return {name: np.concatenate(parts) if parts else np.empty(0, np.int64) for name, parts in self._parts.items()}


@dataclass
class State:
    """Arrays are (n,) or, for the three products, (n, 3); days count from 1970."""

    joined: Ints
    ends: Ints  # day the last subscription ends; FAR while nothing is decided
    end_reason: Ints
    live: Flags  # (n, 3)
    plan: Ints  # (n, 3)
    price: Array  # (n, 3)
    since: Ints  # (n, 3) first day of the present row
    term_end: Ints  # (n, 3), 0 without a term
    engagement: Array
    unresolved: Array  # own faults and complaints left open, fading
    shock: Array  # 1 after a bill well above their own average, fading
    annoyed: Array  # logits, from events that hit them, fading
    usual_bill: Array
    credit: Array  # owed to them on the next bill
    discount: Array  # pounds off each bill
    discount_until: Ints
    trouble_from: Ints  # day from which bills stay unpaid
    trouble_until: Ints
    late: Array  # late payments, fading
    settled_until: Ints  # after a retention call: no second thoughts before this day
    contacts: Array  # (n, 3) of the last three months, newest first
    given_on: Ints  # last concession
    given_total: Array
    subs: Rows

    def active(self, first: int, end: int) -> Flags:
        """Customers on some day of [first, end)."""
        return (self.joined < end) & (self.ends > first)

    def bill(self) -> Array:
        """Sum of the live prices."""
        return np.asarray((self.price * self.live).sum(axis=1))

    def main(self) -> Ints:
        """The product that decides: broadband, else mobile, else TV."""
        return np.asarray(np.argmax(self.live, axis=1))

    def main_of(self, table: NDArray[Any]) -> NDArray[Any]:
        """The column of an (n, 3) table for each customer's main product."""
        return np.asarray(table[np.arange(len(table)), self.main()])

    def close(self, rows: Ints, product: int, day: Ints, reason: int = KEPT) -> None:
        """Write the present subscription of these customers as ended that day."""
        self.subs.add(
            customer=rows,
            product=np.full(len(rows), product),
            plan=self.plan[rows, product],
            started=self.since[rows, product],
            term_end=self.term_end[rows, product],
            ended=day,
            reason=np.full(len(rows), reason),
            price=self.price[rows, product],
        )

    def replace(self, rows: Ints, product: int, day: Ints, *, plan: Ints, price: Array, term_end: Ints) -> None:
        """From that day these customers have another plan, price or term: the old row ends, a new one begins."""
        self.close(rows, product, day)
        self.since[rows, product] = day
        self.plan[rows, product] = plan
        self.price[rows, product] = pounds(price)
        self.term_end[rows, product] = term_end

    def close_all(self) -> dict[str, NDArray[Any]]:
        """All subscription rows ever, those of today and of leavers included. Open ones have `ended` = FAR."""
        for product in range(len(PRODUCTS)):
            rows = np.flatnonzero(self.live[:, product])
            for reason in range(4):
                some = rows[self.end_reason[rows] == reason]
                self.close(some, product, self.ends[some], reason)
        return self.subs.joined()


def start_state(chance: Chance, people: People, first: int, end: int) -> State:
    """Everyone as they are on the first day of the history, and those who join before `end` as they will begin."""
    n, index = len(people), people.index
    part = chance.uniform("when joined", index)
    old = part < SHARE_AT_START
    gone = (part >= SHARE_AT_START) & (part < SHARE_AT_START + SHARE_LONG_GONE)
    years = OLDEST_YEARS * (1 - np.sqrt(1 - chance.uniform("years", index)))
    newly = first + np.floor((part - SHARE_AT_START - SHARE_LONG_GONE) / (0.98 - SHARE_AT_START) * (end - first))
    joined = np.where(old | gone, first - 30 - np.floor(years * 365.25), newly).astype(np.int64)
    live = _products(chance, people)
    since, term = _terms(chance, index, joined, first, old)
    plan = np.column_stack([chance.pick(popularity(p), f"plan {p}", index) for p in range(3)])
    in_term = term > first
    rise = 1 + 0.05 * chance.uniform("old rises", index)[:, None] * (first - since).clip(0) / 365.25
    price = np.where(in_term, TERM_PRICE[plan], ROLLING_PRICE[plan]) * np.where(old[:, None], rise, 1.0)
    promo_kept = chance.uniform("promotion kept", index) < 0.3
    price = np.where(promo_kept[:, None] & ~in_term, TERM_PRICE[plan] * 1.05, price)
    zeros = np.zeros(n)
    state = State(
        joined=joined,
        ends=np.full(n, FAR),
        end_reason=np.zeros(n, np.int64),
        live=live,
        plan=plan,
        price=pounds(price),
        since=since,
        term_end=term,
        engagement=chance.normal("engagement", index),
        unresolved=np.where(old, 0.4 * chance.poisson(np.exp(-1.2 - 0.4 * people.line), "unresolved", index), 0.0),
        shock=zeros.copy(),
        annoyed=zeros.copy(),
        usual_bill=(price * live).sum(axis=1),
        credit=zeros.copy(),
        discount=zeros.copy(),
        discount_until=np.zeros(n, np.int64),
        trouble_from=np.full(n, FAR),
        trouble_until=np.full(n, FAR),
        late=zeros.copy(),
        settled_until=np.zeros(n, np.int64),
        contacts=np.zeros((n, 3)),
        given_on=np.full(n, -FAR),
        given_total=zeros.copy(),
        subs=Rows("customer", "product", "plan", "started", "term_end", "ended", "reason", "price"),
    )
    _earlier_rows(chance, state, index, old)
    _already_gone(chance, state, index, gone, first)
    return state


def _products(chance: Chance, people: People) -> Flags:
    """Which products each customer starts with, (n, 3): at least one."""
    mix = chance.pick((0.40, 0.14, 0.22, 0.14, 0.10), "products", people.index)  # B, M, B+M, B+TV, all
    live = np.zeros((len(people), 3), bool)
    live[:, BROADBAND] = mix != 1
    live[:, MOBILE] = np.isin(mix, [1, 2, 4])
    live[:, TV] = np.isin(mix, [3, 4])
    return live


def _terms(chance: Chance, index: Ints, joined: Ints, first: int, old: Flags) -> tuple[Ints, Ints]:
    """Start of the present row and end of its term, each (n, 3); products of old customers began at different times."""
    slot = np.arange(3)[None, :]
    months = TERM_MONTHS[chance.pick(TERM_SHARES, "term", index[:, None], slot)]
    back = np.floor(chance.uniform("row start", index[:, None], slot) * 30 * DAYS_A_MONTH).astype(np.int64)
    since = np.where(old[:, None], np.maximum(joined[:, None], first - 1 - back), joined[:, None])
    term = since + np.round(months * DAYS_A_MONTH).astype(np.int64)
    return since, term


def _earlier_rows(chance: Chance, state: State, index: Ints, old: Flags) -> None:
    """Before the history: one earlier row from the day they joined, on the main product, often a smaller plan."""
    main = state.main()
    for product in range(3):
        rows = np.flatnonzero(old & (main == product) & (state.since[:, product] > state.joined))
        smaller = chance.uniform("earlier plan", index[rows]) < 0.6
        plan = np.where(
            smaller, np.maximum(state.plan[rows, product] - 1, FIRST_PLAN[product]), state.plan[rows, product]
        )
        joined = state.joined[rows]
        state.subs.add(
            customer=rows,
            product=np.full(len(rows), product),
            plan=plan,
            started=joined,
            term_end=np.where(joined + 548 < state.since[rows, product], joined + 548, 0),
            ended=state.since[rows, product],
            reason=np.full(len(rows), KEPT),
            price=pounds(0.92 * TERM_PRICE[plan]),
        )


def _already_gone(chance: Chance, state: State, index: Ints, gone: Flags, first: int) -> None:
    """Those who had left within the two years before the history."""
    rows = np.flatnonzero(gone)
    days = np.floor(chance.uniform("gone", index[rows]) * 700).astype(np.int64)
    state.ends[rows] = np.maximum(first - 1 - days, state.joined[rows] + 20)
    state.ends[rows] = np.minimum(state.ends[rows], first - 1)
    state.end_reason[rows] = 1 + chance.pick((0.8, 0.08, 0.12), "gone why", index[rows])
    state.since[rows] = state.joined[rows, None]
    state.term_end[rows] = 0


def next_plan(plan: Ints, step: Ints) -> Ints:
    """The plan `step` places up or down within the same product."""
    product = PLAN_PRODUCT[plan]
    return np.asarray(np.clip(plan + step, FIRST_PLAN[product], LAST_PLAN[product]))
