"""Why customers get in touch in a month: their own life with the company, events, and things left open."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churn.simulation.chance import Array, Chance, Ints
from churn.simulation.clock import Month, as_date, open_from, working_day
from churn.simulation.events import Event
from churn.simulation.people import People
from churn.simulation.plans import BROADBAND
from churn.simulation.state import FAR, Flags, Rows, State
from churn.simulation.wishes import Wish

REASONS = (
    "fault", "billing", "price", "complaint", "move_home", "upgrade", "payment", "installation", "account", "usage",
    "cancel", "renewal", "service_update", "collections", "satisfaction_survey",
)  # fmt: skip
CODE = {name: i for i, name in enumerate(REASONS)}
OWN_REASONS = 10  # the first ones are those customers have by themselves
REPEATABLE = np.isin(
    np.arange(len(REASONS)), [CODE[r] for r in ("fault", "billing", "complaint", "installation", "payment")]
)
P_RESOLVED = np.array([0.66, 0.78, 0.80, 0.52, 0.92, 0.90, 0.88, 0.72, 0.90, 0.86, 0.5, 1, 1, 0.8, 1])
OWN, RETENTION, OUTBOUND, AFTERWARDS, UNKNOWN = -1, -2, -3, -4, -5  # sources; an event's place in the list otherwise
LONGEST_CHAIN = 4
COLUMNS = ("customer", "month", "day", "reason", "source", "place", "chain", "resolved", "goodwill")


def rates(people: People, state: State, wishes: Wish, first: int) -> Array:
    """Expected contacts of the month by reason, (n, OWN_REASONS)."""
    n = len(people)
    winter = 1.12 if as_date(first).month in (11, 12, 1, 2) else 0.96
    new = (first - state.joined) < 45
    unpaid = (state.trouble_from <= first) & (state.trouble_until > first)
    table = np.column_stack(
        [
            0.16 * winter * (0.25 + state.live[:, BROADBAND]) * np.exp(-0.45 * people.line) * (1 + 0.8 * new),
            0.10 + 0.22 * state.shock + 0.10 * new,
            0.03 + 0.10 * wishes.price_gap.clip(0) + 0.07 * wishes.near_end,
            0.015 + 0.10 * np.minimum(state.unresolved, 3) + 0.03 * state.shock,
            np.full(n, 0.014),
            0.045 + 0.04 * wishes.near_end,
            0.05 + 0.06 * (people.payment > 0) + 0.45 * unpaid,
            0.02 + 0.5 * new,
            np.full(n, 0.09),
            np.full(n, 0.05),
        ]
    )
    return table * people.talk[:, None]


def own_contacts(chance: Chance, people: People, table: Array, month: Month, out: Rows) -> None:
    """Contacts customers have by themselves, with their repeats, appended to `out`."""
    index = people.index
    count = chance.poisson(table.sum(axis=1), "own contacts", index, month.number)
    who = np.repeat(np.arange(len(index)), count)
    place = _places(count)
    steps = np.cumsum(table, axis=1)
    u = chance.uniform("reason", index[who], month.number, place) * steps[who, -1]
    reason = (u[:, None] >= steps[who]).sum(axis=1).clip(0, OWN_REASONS - 1)
    day = working_day(chance.uniform("day", index[who], month.number, place), month)
    with_repeats(
        chance, index, who, day, reason=reason, source=np.full(len(who), OWN), place=place, month=month.number, out=out
    )


def event_contacts(
    chance: Chance, people: People, audience: Flags, event: Event, *, source: int, month: int, out: Rows
) -> int:
    """Extra contacts an event brings, with their repeats, appended to `out`; the size of the audience."""
    members = np.flatnonzero(audience)
    index = people.index[members]
    # talk has mean 1 over everyone, so that the event's rate is what an average member adds
    count = chance.poisson(event.rate * people.talk[members], "event contacts", index, source)
    who = np.repeat(members, count)
    place = _places(count)
    steps = np.cumsum(event.kernel)
    later = np.searchsorted(steps, chance.uniform("event day", people.index[who], source, place), side="right")
    day = event.day + later.clip(0, event.span - 1)
    reason = np.full(len(who), CODE[event.reason])
    with_repeats(
        chance,
        people.index,
        who,
        day,
        reason=reason,
        source=np.full(len(who), source),
        place=place,
        month=month,
        out=out,
    )
    return len(members)


def with_repeats(
    chance: Chance,
    index: Ints,
    who: Ints,
    day: Ints,
    *,
    reason: Ints,
    source: Ints,
    place: Ints,
    month: int,
    out: Rows,
) -> None:
    """Append contacts and, where the matter stays open, the next ones about the same: up to three more."""
    for chain in range(LONGEST_CHAIN):
        if not len(who):
            return
        key = (index[who], month, source, place, chain)
        resolved = chance.uniform("resolved", *key) < P_RESOLVED[reason] - 0.07 * chain
        out.add(
            customer=who,
            month=np.full(len(who), month),
            day=day,
            reason=reason,
            source=source,
            place=place,
            chain=np.full(len(who), chain),
            resolved=resolved,
            goodwill=_goodwill(chance, reason, chain, key),
        )
        again = ~resolved & REPEATABLE[reason] & (chance.uniform("again", *key) < 0.52)
        wait = 1 + np.floor(10 * chance.uniform("again when", *key) ** 1.5).astype(np.int64)
        who, day, reason = who[again], open_from(day[again] + wait[again]), reason[again]
        source, place = source[again], place[again]


def outbound_contacts(
    chance: Chance,
    people: People,
    state: State,
    wishes: Wish,
    *,
    active: Flags,
    month: Month,
    out: Rows,
) -> Flags:
    """What the company sends or rings of itself, appended to `out`; who was asked to renew."""
    index = people.index
    unpaid = (state.trouble_from < month.first) & (state.trouble_until > month.first)
    renew = active & wishes.near_end & (chance.uniform("renewal call", index, month.number) < 0.22)
    kinds = (
        ("renewal", renew),
        ("service_update", active & (chance.uniform("service update", index, month.number) < 0.24)),
        ("collections", active & unpaid),
        ("satisfaction_survey", active & (chance.uniform("survey", index, month.number) < 0.03)),
    )
    for name, flag in kinds:
        who = np.flatnonzero(flag)
        day = working_day(chance.uniform(f"day of {name}", index[who], month.number), month)
        _plain(out, who, day, reason=CODE[name], source=OUTBOUND, month=month.number)
    return renew


def contacts_afterwards(chance: Chance, people: People, state: State, month: Month, out: Rows) -> None:
    """Some who have left call again: a last bill, or second thoughts."""
    gone = (state.ends <= month.first) & (state.ends > month.first - 120) & (state.ends < FAR)
    who = np.flatnonzero(gone & (chance.uniform("afterwards", people.index, month.number) < 0.035))
    day = working_day(chance.uniform("day afterwards", people.index[who], month.number), month)
    _plain(out, who, day, reason=CODE["billing"], source=AFTERWARDS, month=month.number)


def contacts_of_nobody(chance: Chance, part: int, n: int, month: Month, out: Rows) -> None:
    """Contacts that match no customer: withheld numbers, wrong accounts, people asking for prices."""
    count = round(0.007 * n)
    place = np.arange(count)
    day = working_day(chance.uniform("nobody's day", part, month.number, place), month)
    reason = np.array([CODE["upgrade"], CODE["account"], CODE["fault"], CODE["billing"]])
    out.add(
        customer=np.full(count, -1),
        month=np.full(count, month.number),
        day=day,
        reason=reason[chance.pick((5, 2, 2, 1), "nobody's reason", part, month.number, place)],
        source=np.full(count, UNKNOWN),
        place=place,
        chain=np.zeros(count, np.int64),
        resolved=chance.uniform("nobody's resolved", part, month.number, place) < 0.7,
        goodwill=np.zeros(count),
    )


def _plain(out: Rows, who: Ints, day: Ints, *, reason: int, source: int, month: int) -> None:
    n = len(who)
    out.add(
        customer=who,
        month=np.full(n, month),
        day=day,
        reason=np.full(n, reason),
        source=np.full(n, source),
        place=np.full(n, reason),  # one of each kind a month
        chain=np.zeros(n, np.int64),
        resolved=np.ones(n, bool),
        goodwill=np.zeros(n),
    )


def _goodwill(chance: Chance, reason: Ints, chain: int, key: tuple[ArrayLike, ...]) -> Array:
    """A few pounds now and then for a complaint or a fault that came back: most contacts get none."""
    odds = np.select([reason == CODE["complaint"], (reason == CODE["fault"]) & (chain > 0)], [0.10, 0.05], 0.0)
    given = chance.uniform("goodwill", *key) < odds
    return np.where(given, 5.0 * (1 + chance.below(5, "how much goodwill", *key)), 0.0)


def _places(count: Ints) -> Ints:
    """0, 1, … within each customer's contacts."""
    ends = np.cumsum(count)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - count, count)


def last_of_chain(rows: dict[str, NDArray[Any]], n: int) -> tuple[Array, Array]:
    """From a month's contacts: how many matters each customer has open at the end, and how many contacts came, (n,)."""
    known = rows["customer"] >= 0
    inbound = known & (rows["source"] != OUTBOUND)
    matters = inbound & REPEATABLE[rows["reason"]]
    # a matter is open when its last contact was unresolved: unresolved ones less those followed by a next in the chain
    opened = np.bincount(rows["customer"][matters & ~rows["resolved"]], minlength=n)
    followed = np.bincount(rows["customer"][matters & (rows["chain"] > 0)], minlength=n)
    return (opened - followed).clip(0).astype(float), np.bincount(rows["customer"][inbound], minlength=n).astype(float)
