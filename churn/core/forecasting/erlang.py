"""How many people a half-hour takes: Erlang C, the queue of calls that wait until somebody is free.

A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges" (1917). Calls come at random and nobody hangs up, so it asks for rather too many people when waits are long.
Load is in erlangs: calls per half-hour × handle time ÷ half-hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, inf

HALF_HOUR = 1800.0
MOST_STAFF = 5_000


@dataclass(frozen=True, slots=True)
class Target:
    """What is promised: so many calls answered within so many seconds, nobody busier than `occupancy`."""

    answered: float = 0.80
    within_seconds: float = 20.0
    occupancy: float = 0.90
    away: float = 0.30  # share of paid time not on the telephone: breaks, training, sickness

    def __post_init__(self) -> None:
        if not (0 < self.answered < 1 and 0 < self.occupancy <= 1 and 0 <= self.away < 1 and self.within_seconds >= 0):
            raise ValueError("Shares lie between 0 and 1, and seconds are 0 or more.")


@dataclass(frozen=True, slots=True)
class Staffing:
    """What so many people make of it."""

    staff: int  # on the telephone
    paid: int  # with those who are away
    answered: float  # share within the target's seconds
    wait_seconds: float  # of an average call
    occupancy: float


def load_of(calls: float, handle_seconds: float) -> float:
    """Erlangs of so many calls in a half-hour."""
    return calls * handle_seconds / HALF_HOUR


def p_wait(load: float, staff: int) -> float:
    """Chance that a call has to wait, by the recursion of Erlang B; 1 where the load is too much."""
    if load <= 0:
        return 0.0
    if staff <= load:
        return 1.0
    blocked = 1.0
    for n in range(1, staff + 1):
        blocked = load * blocked / (n + load * blocked)
    return staff * blocked / (staff - load * (1.0 - blocked))


def answered_within(load: float, staff: int, *, handle_seconds: float, seconds: float) -> float:
    """Share of calls answered within so many seconds."""
    if load <= 0:
        return 1.0
    if staff <= load:
        return 0.0
    return 1.0 - p_wait(load, staff) * exp(-(staff - load) * seconds / handle_seconds)


def mean_wait(load: float, staff: int, *, handle_seconds: float) -> float:
    """Seconds an average call waits; infinite where the load is too much."""
    if load <= 0:
        return 0.0
    return p_wait(load, staff) * handle_seconds / (staff - load) if staff > load else inf


def staff_for(calls: float, handle_seconds: float, target: Target) -> Staffing:
    """The fewest people who keep the promise for so many calls in a half-hour. Raises ValueError."""
    if calls < 0 or handle_seconds <= 0:
        raise ValueError("Calls are 0 or more, and a call takes some time.")
    load = load_of(calls, handle_seconds)
    if load <= 0:
        return Staffing(0, 0, 1.0, 0.0, 0.0)
    if load > MOST_STAFF * target.occupancy:
        raise ValueError(
            f"{load:,.0f} erlangs are more than {MOST_STAFF:,} people can take: is the handle time in seconds?"
        )
    staff = max(ceil(load / target.occupancy), int(load) + 1)
    while answered_within(load, staff, handle_seconds=handle_seconds, seconds=target.within_seconds) < target.answered:
        staff += 1
    return Staffing(
        staff,
        ceil(staff / (1.0 - target.away) - 1e-9),
        answered_within(load, staff, handle_seconds=handle_seconds, seconds=target.within_seconds),
        mean_wait(load, staff, handle_seconds=handle_seconds),
        load / staff,
    )
