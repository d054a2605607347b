"""One part of the company lived month by month: nothing is read that has not happened yet."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn.simulation import happenings as happen
from churn.simulation.callers import KINDS
from churn.simulation.chance import Chance, Ints
from churn.simulation.clock import Month, working_day
from churn.simulation.contracts import move_contracts, raise_prices
from churn.simulation.events import Event
from churn.simulation.money import INVOICE_COLUMNS, USAGE_COLUMNS, measure_use, send_bills
from churn.simulation.people import People
from churn.simulation.retention import Decide, draw_traits, hold_calls
from churn.simulation.staff import Floor
from churn.simulation.state import FAR, INVOLUNTARY, KEPT, MOVE, VOLUNTARY, Flags, Rows, State, start_state
from churn.simulation.wishes import Wish, calls_to_cancel, leaves_silently, moves_away, stops_paying, wish

DOG = KINDS.index("sleeping_dog")


@dataclass(frozen=True)
class World:
    """What all parts of a company share: seed, calendar and events."""

    chance: Chance
    starts: Ints  # first days of the months, one more than there are months
    until: int  # the day the data ends: nothing from this day on
    events: list[Event]


@dataclass(frozen=True)
class Life:
    """One part as lived: who was there, everything that happened, and the state at the end."""

    number: int
    people: People
    floor: Floor
    state: State
    contacts: list[dict[str, NDArray[Any]]]
    invoices: Rows
    usage: Rows
    calls: list[dict[str, NDArray[Any]]]
    kind: Ints  # hidden kind of each customer, as last seen
    leave_reason: Ints  # code in LEAVE_REASONS, -1 for those still here
    audience: Ints  # (events,) members in this part

    def all_calls(self) -> dict[str, NDArray[Any]]:
        """The retention calls of all months, in order."""
        return {name: np.concatenate([c[name] for c in self.calls]) for name in self.calls[0]}


def live(world: World, number: int, people: People, floor: Floor, decide: Decide | None) -> Life:
    """Play all months; `decide` replaces what agents give by habit."""
    n = len(people)
    state = start_state(world.chance, people, int(world.starts[0]), world.until)
    life = Life(
        number, people, floor, state, [], Rows(*INVOICE_COLUMNS), Rows(*USAGE_COLUMNS), [],
        np.zeros(n, np.int64), np.full(n, -1), np.zeros(len(world.events), np.int64),
    )  # fmt: skip
    for m in range(len(world.starts) - 1):
        _live_month(world, life, Month(m, int(world.starts[m]), int(world.starts[m + 1])), decide)
    for place, event in enumerate(world.events):
        if event.day >= world.until:  # planned: whom it would reach if it came today
            life.audience[place] = audience_of(people, state, event, world.until - 1).sum()
    return life


def _live_month(world: World, life: Life, month: Month, decide: Decide | None) -> None:
    chance, people, state, m = world.chance, life.people, life.state, month.number
    events = [(i, e) for i, e in enumerate(world.events) if month.first <= e.day < month.end]
    for _, event in events:
        if event.price_rise:
            raise_prices(state, event)
    state.engagement[:] = 0.86 * state.engagement + 0.51 * chance.normal("engagement", people.index, m)
    wishes = wish(people, state, m, month.first)
    send_bills(chance, people, state, month, life.invoices)
    out = Rows(*happen.COLUMNS)
    renewed = _contacts(world, life, wishes, month, events=events, out=out)
    traits = draw_traits(chance, life.number, state, wishes, month.first)
    life.kind[:] = traits.kind
    window = _may_leave(state, month)
    calling = window & calls_to_cancel(chance, people, wishes, m)
    day = working_day(chance.uniform("retention day", people.index, m), month)
    call = hold_calls(
        chance, people, state, wishes=wishes, traits=traits, floor=life.floor, month=month,
        calling=calling, day=day, decide=decide,
    )  # fmt: skip
    life.calls.append(call)
    _leave(chance, life, wishes, month, window=window & ~calling, poked=renewed & (traits.kind == DOG))
    going = call["customer"][~call["stayed"]]
    life.leave_reason[going] = wishes.reason[going]
    move_contracts(chance, people, state, month)
    if month.end <= world.until:
        measure_use(chance, people, state, month, life.usage)
    rows = out.joined()
    life.contacts.append(rows)
    _fade(state, rows, len(people))


def _contacts(
    world: World, life: Life, wishes: Wish, month: Month, *, events: list[tuple[int, Event]], out: Rows
) -> Flags:
    """All contacts of the month but retention calls, appended to `out`; who was asked to renew."""
    chance, people, state = world.chance, life.people, life.state
    active = state.active(month.first, month.end)
    table = happen.rates(people, state, wishes, month.first) * active[:, None]
    happen.own_contacts(chance, people, table, month, out)
    state.annoyed *= 0.55
    for source, event in events:
        hit = audience_of(people, state, event, event.day)
        life.audience[source] = happen.event_contacts(
            chance, people, hit, event, source=source, month=month.number, out=out
        )
        state.annoyed[hit] += event.annoyance
    happen.contacts_afterwards(chance, people, state, month, out)
    happen.contacts_of_nobody(chance, life.number, len(people), month, out)
    return happen.outbound_contacts(chance, people, state, wishes, active=active, month=month, out=out)


def audience_of(people: People, state: State, event: Event, day: int) -> Flags:
    """Whom the event can reach on that day."""
    hit = (state.joined <= day) & (state.ends > day)
    if event.product is not None:
        hit &= state.live[:, event.product]
    if event.plan is not None and event.product is not None:
        hit &= state.plan[:, event.product] == event.plan
    if event.region is not None:
        hit &= people.region == event.region
    return np.asarray(hit)


def _may_leave(state: State, month: Month) -> Flags:
    """Here for three weeks, nothing decided yet, and not within three months of a retention call."""
    undecided = (state.ends == FAR) & (state.settled_until <= month.first)
    return np.asarray(undecided & (state.joined < month.first - 21))


def _leave(chance: Chance, life: Life, wishes: Wish, month: Month, *, window: Flags, poked: Flags) -> None:
    """Those who go without a call, move away, or cease to pay. `poked`: sleeping dogs who were asked to renew."""
    people, state, m, index = life.people, life.state, month.number, life.people.index
    silent = window & leaves_silently(chance, people, wishes.logit + 0.9 * poked, m)
    life.leave_reason[silent] = wishes.reason[silent]
    open_still = (state.joined < month.first) & (state.ends == FAR)
    moving = open_still & moves_away(chance, people, m) & ~silent
    day = month.first + 1 + chance.below(month.days, "end day", index, m)
    for flag, reason in ((silent, VOLUNTARY), (moving, MOVE)):
        state.ends[flag], state.end_reason[flag] = day[flag], reason
    _stop_paying(chance, people, state, month, open_still)


def _stop_paying(chance: Chance, people: People, state: State, month: Month, open_still: Flags) -> None:
    """Some bills stay unpaid for a while; after four months of it the company ends the contract."""
    m, index = month.number, people.index
    day = month.first + 1 + chance.below(month.days, "end day", index, m)
    clear = (state.trouble_until <= month.first) | (state.trouble_from == FAR)
    stops = open_still & clear & stops_paying(chance, people, m)
    spell = 1 + chance.below(6, "trouble", index, m)
    lost = stops & (spell >= 4) & (state.end_reason == KEPT)
    state.trouble_from[stops] = month.first
    state.trouble_until[stops] = np.where(spell >= 4, FAR, month.first + 30 * spell)[stops]
    state.ends[lost], state.end_reason[lost] = day[lost] + 92, INVOLUNTARY


def _fade(state: State, rows: dict[str, NDArray[Any]], n: int) -> None:
    """The month passes into memory."""
    opened, count = happen.last_of_chain(rows, n)
    state.unresolved[:] = 0.6 * state.unresolved + opened
    state.contacts[:] = np.column_stack([count, state.contacts[:, :2]])
    known = rows["customer"] >= 0
    state.credit += np.bincount(rows["customer"][known], weights=rows["goodwill"][known], minlength=n)
