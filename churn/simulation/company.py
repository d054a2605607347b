"""The simulated company: an invented broadband and mobile operator, from its first invoice to its hidden truth.

    company = simulate(customers=20_000, months=24, seed=1)
    company.frame("feed.contacts")                      # pandas, all parts
    company.frame("truth.calls")                        # what only the simulator knows
    again = simulate(customers=20_000, seed=1, decide=my_policy)    # the same people and chances, another policy

Customers are lived through in parts of PART_SIZE, each served by a floor of its own and needing nothing from the
others: a million customers are forty parts, made one after the other or side by side, always with the same bytes.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pyarrow as pa

from churn.simulation import truth
from churn.simulation.chance import Chance
from churn.simulation.clock import ZONE, day_number, instant, month_starts
from churn.simulation.details import concessions_table, contacts_table, gather, instants
from churn.simulation.events import draw_events
from churn.simulation.life import World, live
from churn.simulation.people import REGION_NAMES, customers_table, draw_people, words
from churn.simulation.plans import PLANS, PRODUCTS
from churn.simulation.retention import Decide
from churn.simulation.staff import Floor, draw_floor, staff_rows
from churn.simulation.tables import invoices_table, subscriptions_table, usage_table

NAME = "Larkfell Broadband & Mobile"
TIME_ZONE, PHONE_REGION, CURRENCY = "Europe/London", "GB", "GBP"
UNTIL = datetime(2026, 11, 15, tzinfo=UTC)
PART_SIZE = 25_000
KEPT_PARTS = 4  # more parts than these are made anew each time they are asked for


@dataclass(frozen=True)
class Part:
    """The tables of one part, by their names in the database, and each event's audience in it."""

    number: int
    tables: dict[str, pa.Table]
    audience: np.ndarray


@dataclass
class Company:
    """A company that can be lived through any number of times, always the same."""

    customers: int
    months: int
    seed: int
    until: datetime
    decide: Decide | None
    world: World
    name: str = NAME
    part_size: int = PART_SIZE
    _kept: dict[int, Part] = field(default_factory=dict, repr=False)

    @property
    def parts_count(self) -> int:
        """How many parts there are."""
        return -(-self.customers // self.part_size)

    def part(self, number: int) -> Part:
        """One part, by itself."""
        if number in self._kept:
            return self._kept[number]
        made = _make_part(self, number)
        if self.parts_count <= KEPT_PARTS:
            self._kept[number] = made
        return made

    def parts(self, *, ahead: int = 0) -> Iterator[Part]:
        """All parts in order, few of them in memory at a time; `ahead` processes make the next ones meanwhile.

        A policy of the caller's own may remember what it saw, so it is always played in this process.
        """
        numbers = range(self.parts_count)
        if ahead < 1 or self.decide or self.parts_count <= KEPT_PARTS:
            yield from map(self.part, numbers)
            return
        with ProcessPoolExecutor(ahead, mp_context=get_context("spawn")) as pool:
            coming = deque(pool.submit(self.part, k) for k in numbers[: ahead + 1])
            for k in numbers:
                part = coming.popleft().result()
                if k + ahead + 1 < self.parts_count:
                    coming.append(pool.submit(self.part, k + ahead + 1))
                yield part

    def shared(self, tally: truth.Tally) -> dict[str, pa.Table]:
        """The tables that belong to no part: staff, events and their truth; `tally` has seen all parts."""
        floors = [draw_floor(self.world.chance, k, len(self.world.starts) - 1) for k in range(self.parts_count)]
        return {
            "desk.staff": _staff_table(self.world.chance, floors),
            "feed.change_events": _change_events(self.world, tally.audience),
            "truth.events": truth.events_table(self.world, tally),
            "truth.agents": truth.agents_table(floors),
            "truth.days": truth.days_table(self.world),
        }

    def tables(self) -> dict[str, pa.Table]:
        """Every table whole. For companies that fit in memory."""
        parts = list(self.parts())
        whole = {name: pa.concat_tables([p.tables[name] for p in parts]) for name in parts[0].tables}
        tally = truth.Tally(self.world)
        for part in parts:
            tally.add(part.audience, part.tables["truth.contact_causes"])
        return whole | self.shared(tally)

    def frame(self, name: str) -> pd.DataFrame:
        """One table as a data frame, e.g. `feed.contacts` or `truth.calls`."""
        if name in self.part(0).tables:
            return pa.concat_tables([p.tables[name] for p in self.parts()]).to_pandas()
        return self.tables()[name].to_pandas()


def simulate(
    customers: int = 20_000,
    months: int = 24,
    seed: int = 1,
    until: datetime = UNTIL,
    decide: Decide | None = None,
) -> Company:
    """A company with so many customers now or once, `months` full months of history and the part of one before `until`.

    `decide` plays another policy in the same world: given what the desk would know of a month's retention calls, in
    the order they come, it returns the amounts to offer. The same seed gives the same people, wishes, faults and
    answers, so that two policies differ by what they do only.
    """
    if customers < 1 or months < 1:
        raise ValueError("A company needs at least one customer and one month of history.")
    if until.tzinfo is None:
        raise ValueError("`until` is an instant: give it a time zone.")
    chance, day = Chance(seed), day_number(until.astimezone(ZONE).date())
    starts = month_starts(until, months)
    world = World(chance, starts, day, draw_events(chance, starts, day))
    company = Company(customers, months, seed, until, decide, world)
    if company.parts_count <= KEPT_PARTS:
        for _ in company.parts():
            pass
    return company


def _make_part(company: Company, number: int) -> Part:
    world = company.world
    chance, until = world.chance, world.until
    size = company.part_size
    index = np.arange(number * size, min((number + 1) * size, company.customers))
    people = draw_people(chance, index)
    floor = draw_floor(chance, number, len(world.starts) - 1)
    life = live(world, number, people, floor, company.decide)
    calls = life.all_calls()
    contacts = gather(world, life, calls)
    tables = {
        "feed.customers": customers_table(chance, people, life.state.joined),
        "feed.subscriptions": subscriptions_table(life, until),
        "feed.invoices": invoices_table(life, until),
        "feed.usage": usage_table(life),
        "feed.contacts": contacts_table(world, life, contacts, calls),
        "feed.concessions": concessions_table(life, contacts, calls),
        "truth.customers": truth.customers_table(life, until),
        "truth.calls": truth.calls_table(life, contacts, calls),
        "truth.curves": truth.curves_table(life, contacts, calls),
        "truth.contact_causes": truth.causes_table(number, world, contacts),
        "truth.budgets": truth.budgets_table(world, floor, len(people)),
    }
    return Part(number, tables, life.audience)


def _staff_table(chance: Chance, floors: list[Floor]) -> pa.Table:
    columns = list(zip(*staff_rows(chance, floors), strict=True))
    names = ("staff_id", "name", "role", "team", "is_active")
    return pa.table({name: pa.array(values) for name, values in zip(names, columns, strict=True)})


def _change_events(world: World, audience: np.ndarray) -> pa.Table:
    """Announced events, past and planned."""
    chosen = [i for i, e in enumerate(world.events) if e.announced]
    events = [world.events[i] for i in chosen]
    starts = np.array([instant(e.day, e.minute)[()] for e in events], np.int64)
    hours = np.array([e.hours for e in events])
    return pa.table(
        {
            "event_id": pa.array([e.event_id for e in events]),
            "owner_department": pa.array([e.owner for e in events]),
            "kind": pa.array([e.kind for e in events]),
            "title": pa.array([e.title for e in events]),
            "starts_at": instants(starts),
            "ends_at": instants(starts + np.round(hours * 3600).astype(np.int64) * 1_000_000),
            "audience_size": pa.array(audience[chosen].astype(np.int32)),
            "what_to_say": pa.array([e.say or None for e in events], pa.string()),
            "region": words(REGION_NAMES, [-1 if e.region is None else e.region for e in events]),
            "product": words(PRODUCTS, [-1 if e.product is None else e.product for e in events]),
            "plan": words([p.name for p in PLANS], [-1 if e.plan is None else e.plan for e in events]),
        }
    )
