"""One part of the company lived month by month: nothing is read that has not happened yet."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn.simulation import happenings as happen
from churn.simulation.callers import KINDS
from churn.simulation.chance import Array, Chance, Ints
from churn.simulation.clock import working_day
from churn.simulation.contracts import move_contracts, raise_prices
from churn.simulation.events import Event
from churn.simulation.money import INVOICE_COLUMNS, USAGE_COLUMNS, measure_use, send_bills
from churn.simulation.people import People
from churn.simulation.retention import Decide, Month, draw_traits, hold_calls
from churn.simulation.staff import Floor
from churn.simulation.state import FAR, INVOLUNTARY, KEPT, MOVE, VOLUNTARY, Flags, Rows, State
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
    """Everything that happened in one part: columns by month appended, and the state at the end."""

    state: State
    contacts: list[dict[str, NDArray]]
    invoices: Rows
    usage: Rows
    calls: list[dict[str, NDArray]]
    kind: Ints  # hidden kind of each customer, as last seen
    leave_reason: Ints  # code in LEAVE_REASONS, -1 for those still here
    audience: Ints  # (events,) members in this part


def live(world: World, part: int, people: People, state: State, floor: Floor, decide: Decide | None) -> Life:
    """Play all months; `decide` replaces what agents give by habit."""
    n = len(people)
    life = Life(
        state, [], Rows(*INVOICE_COLUMNS), Rows(*USAGE_COLUMNS), [],
        np.zeros(n, np.int64), np.full(n, -1), np.zeros(len(world.events), np.int64),
    )  # fmt: skip
    for number in range(len(world.starts) - 1):
        month = Month(number, int(world.starts[number]), int(world.starts[number + 1]))
        _live_month(world, part, people, life, floor, month, decide)
    return life


def _live_month(
    world: World, part: int, people: People, life: Life, floor: Floor, month: Month, decide: Decide | None
) -> None:
    chance, state, m = world.chance, life.state, month.number
    events = [(i, e) for i, e in enumerate(world.events) if month.first <= e.day < month.end]
    for _, event in events:
        if event.price_rise:
            raise_prices(state, event)
    state.engagement[:] = 0.86 * state.engagement + 0.51 * chance.normal("engagement", people.index, m)
    wishes = wish(people, state, m, month.first)
    send_bills(chance, people, state, m, month.first, life.invoices)
    out = Rows(*happen.COLUMNS)
    renewed = _contacts(world, part, people, life, wishes, month, events, out)
    traits = draw_traits(chance, part, people, state, wishes, month.first)
    life.kind[:] = traits.kind
    window = _may_leave(state, month)
    calling = window & calls_to_cancel(chance, people, wishes, m)
    day = working_day(chance.uniform("retention day", people.index, m), month.first, month.end)
    call = hold_calls(
        chance, people, state, wishes=wishes, traits=traits, floor=floor, month=month,
        calling=calling, day=day, decide=decide,
    )  # fmt: skip
    life.calls.append(call)
    _leave(chance, people, life, wishes, window & ~calling, annoyed=renewed & (traits.kind == DOG), month=month)
    going = call["customer"][~call["stayed"]]
    life.leave_reason[going] = wishes.reason[going]
    move_contracts(chance, people, state, m, month.first, month.end)
    if month.end <= world.until:
        measure_use(chance, people, state, m, month.first, month.end, life.usage)
    rows = out.joined()
    life.contacts.append(rows)
    _fade(state, rows, len(people))


def _contacts(
    world: World,
    part: int,
    people: People,
    life: Life,
    wishes: Wish,
    month: Month,
    events: list[tuple[int, Event]],
    out: Rows,
) -> Flags:
    """All contacts of the month but retention calls, appended to `out`; who was asked to renew."""
    chance, state, m = world.chance, life.state, month.number
    window = (month.first, month.end)
    active = state.active(*window)
    table = happen.rates(people, state, wishes, month.first) * active[:, None]
    happen.own_contacts(chance, people, table, m, window, out)
    state.annoyed *= 0.55
    for source, event in events:
        hit = audience_of(people, state, event)
        life.audience[source] = happen.event_contacts(chance, people, hit, event, source=source, month=m, out=out)
        state.annoyed[hit] += event.annoyance
    happen.contacts_afterwards(chance, people, state, m, window, out)
    happen.contacts_of_nobody(chance, part, len(people), m, window, out)
    return happen.outbound_contacts(chance, people, state, wishes, active=active, month=m, window=window, out=out)


def audience_of(people: People, state: State, event: Event) -> Flags:
    """Whom the event can reach on the day it starts."""
    hit = (state.joined <= event.day) & (state.ends > event.day)
    if event.product is not None:
        hit &= state.live[:, event.product]
    if event.plan is not None and event.product is not None:
        hit &= state.plan[:, event.product] == event.plan
    if event.region is not None:
        hit &= people.region == event.region
    return hit


def _may_leave(state: State, month: Month) -> Flags:
    """Here for three weeks, nothing decided yet, and not within three months of a retention call."""
    return (state.joined < month.first - 21) & (state.ends == FAR) & (state.settled_until <= month.first)


def _leave(
    chance: Chance, people: People, life: Life, wishes: Wish, window: Flags, *, annoyed: Flags, month: Month
) -> None:
    """Those who go without a call, move away, or cease to pay."""
    state, m, index = life.state, month.number, people.index
    poked = Wish(**{**wishes.__dict__, "logit": wishes.logit + 0.9 * annoyed})
    silent = window & leaves_silently(chance, people, poked, m)
    life.leave_reason[silent] = wishes.reason[silent]
    open_still = (state.joined < month.first) & (state.ends == FAR)
    moving = open_still & moves_away(chance, people, m) & ~silent
    day = month.first + 1 + np.floor(chance.uniform("end day", index, m) * (month.end - month.first)).astype(np.int64)
    for flag, reason in ((silent, VOLUNTARY), (moving, MOVE)):
        state.ends[flag], state.end_reason[flag] = day[flag], reason
    stops = open_still & (state.trouble_until <= month.first) | (state.trouble_from == FAR) & open_still
    stops &= stops_paying(chance, people, m)
    spell = 1 + chance.below(6, "trouble", index, m)
    lost = stops & (spell >= 4) & (state.end_reason == KEPT)
    state.trouble_from[stops] = month.first
    state.trouble_until[stops] = np.where(spell >= 4, FAR, month.first + 30 * spell)[stops]
    state.ends[lost], state.end_reason[lost] = day[lost] + 92, INVOLUNTARY


def _fade(state: State, rows: dict[str, NDArray], n: int) -> None:
    """The month passes into memory."""
    opened, count = happen.last_of_chain(rows, n)
    state.unresolved[:] = 0.6 * state.unresolved + opened
    state.contacts[:] = np.column_stack([count, state.contacts[:, :2]])
    known = rows["customer"] >= 0
    goodwill: Array = np.bincount(rows["customer"][known], weights=rows["goodwill"][known], minlength=n)
    state.credit += goodwill
