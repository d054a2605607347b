"""How subscriptions move without anyone leaving: price rises, ends of terms, new terms, added and dropped lines."""

import numpy as np

from churn.simulation.chance import Chance, Ints
from churn.simulation.clock import Month
from churn.simulation.events import Event
from churn.simulation.people import People
from churn.simulation.plans import (
    BROADBAND,
    DAYS_A_MONTH,
    MOBILE,
    ROLLING_PRICE,
    TERM_MONTHS,
    TERM_PRICE,
    TERM_SHARES,
    TV,
    popularity,
)
from churn.simulation.state import KEPT, VOLUNTARY, Flags, State, next_plan


def raise_prices(state: State, event: Event) -> None:
    """A price rise: whoever has had the present price for two months gets a new row with the new one."""
    product = event.product or 0
    rows = np.flatnonzero(
        state.live[:, product] & (state.since[:, product] < event.day - 60) & (state.ends > event.day)
    )
    term = state.term_end[rows, product]
    state.replace(
        rows,
        product,
        np.full(len(rows), event.day),
        plan=state.plan[rows, product],
        price=state.price[rows, product] * (1 + event.price_rise),
        term_end=np.where(term > event.day, term, 0),
    )


def move_contracts(chance: Chance, people: People, state: State, month: Month) -> None:
    """The month's ends of terms, new terms, upgrades, and lines that come and go."""
    staying = (state.ends > month.end) & (state.joined < month.first)
    for product in (BROADBAND, MOBILE, TV):
        _end_terms(chance, people, state, staying, product=product, month=month)
        _new_terms(chance, people, state, staying, product=product, month=month)
    _drop_lines(chance, people, state, staying, month)
    _add_lines(chance, people, state, staying, month)


def _end_terms(chance: Chance, people: People, state: State, staying: Flags, *, product: int, month: Month) -> None:
    """Terms ending this month: a third renew on the day, most others pay the higher price from it, some nothing new."""
    term = state.term_end[:, product]
    rows = np.flatnonzero(staying & state.live[:, product] & (term > month.first) & (term < month.end))
    rows = rows[state.since[rows, product] < term[rows]]
    u = chance.uniform("end of term", people.index[rows], month.number, product)
    renew, dearer = rows[u < 0.34], rows[(u >= 0.34) & (u < 0.84)]
    _renew(chance, people, state, rows=renew, day=term[renew].copy(), product=product, month=month.number)
    plan = state.plan[dearer, product]
    price = np.maximum(ROLLING_PRICE[plan], state.price[dearer, product])
    state.replace(
        dearer, product, term[dearer].copy(), plan=plan, price=price, term_end=np.zeros(len(dearer), np.int64)
    )


def _new_terms(chance: Chance, people: People, state: State, staying: Flags, *, product: int, month: Month) -> None:
    """Out of contract, some take a new one; in contract, a few move up a plan."""
    term = state.term_end[:, product]
    free = staying & state.live[:, product] & (term < month.first)
    bound = staying & state.live[:, product] & (term > month.end + 60)
    u = chance.uniform("new terms", people.index, month.number, product)
    rows = np.flatnonzero((free & (u < 0.035)) | (bound & (u < 0.006)))
    day = _day(chance, people, rows, product, month)
    ok = day > state.since[rows, product]
    _renew(chance, people, state, rows=rows[ok], day=day[ok], product=product, month=month.number)


def _renew(chance: Chance, people: People, state: State, *, rows: Ints, day: Ints, product: int, month: int) -> None:
    index = people.index[rows]
    step = chance.pick((0.12, 0.58, 0.30), "plan step", index, month, product) - 1
    plan = next_plan(state.plan[rows, product], step)
    months = TERM_MONTHS[chance.pick(TERM_SHARES, "next term", index, month, product)]
    price = TERM_PRICE[plan] * (1.0 + 0.06 * chance.uniform("renewal price", index, month, product))
    state.replace(
        rows, product, day, plan=plan, price=price, term_end=day + np.round(months * DAYS_A_MONTH).astype(int)
    )


def _drop_lines(chance: Chance, people: People, state: State, staying: Flags, month: Month) -> None:
    """Some with several lines end one, which is not leaving."""
    many = staying & (state.live.sum(axis=1) > 1) & (state.end_reason == KEPT)
    rows = np.flatnonzero(many & (chance.uniform("drops a line", people.index, month.number) < 0.006))
    last = 2 - np.argmax(state.live[rows, ::-1], axis=1)
    day = _day(chance, people, rows, 7, month)
    for product in (MOBILE, TV):
        mine = (last == product) & (day > state.since[rows, product])
        state.close(rows[mine], product, day[mine], VOLUNTARY)
        state.live[rows[mine], product] = False


def _add_lines(chance: Chance, people: People, state: State, staying: Flags, month: Month) -> None:
    """Some take a further product."""
    rows = np.flatnonzero(staying & (chance.uniform("adds a line", people.index, month.number) < 0.006))
    product = chance.pick((0.2, 0.5, 0.3), "which line", people.index[rows], month.number)
    day = _day(chance, people, rows, 8, month)
    for p in (BROADBAND, MOBILE, TV):
        mine = (product == p) & ~state.live[rows, p] & (state.since[rows, p] < day)
        who, when = rows[mine], day[mine]
        plan = chance.pick(popularity(p), "added plan", people.index[who], month.number)
        state.live[who, p] = True
        state.since[who, p], state.plan[who, p] = when, plan
        state.price[who, p] = TERM_PRICE[plan]
        state.term_end[who, p] = when + 548


def _day(chance: Chance, people: People, rows: Ints, what: int, month: Month) -> Ints:
    """A day of the month but the first, for one kind of change."""
    return month.first + 1 + chance.below(month.days - 1, "contract day", people.index[rows], month.number, what)
