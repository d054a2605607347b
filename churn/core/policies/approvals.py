"""The life of an approval request: its states, the moves between them, and who may make each.

                 approve ┌──────────┐ use
            ┌───────────▶│ approved │──────┐
    ┌───────┴┐ counter   ├──────────┤ use  ▼
    │ asked  │──────────▶│countered │──▶ used
    └───┬────┘           └────┬─────┘
        │ decline             │ expire · withdraw
        ▼                     ▼
     declined         expired · withdrawn

The same table is `desk.approval_moves`, kept by a trigger; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

STATES = ("asked", "approved", "countered", "declined", "expired", "withdrawn", "used")
OPEN = frozenset({"asked", "approved", "countered"})  # something may still come of it

MOVES: dict[tuple[str, str], str] = {
    ("asked", "approve"): "approved",
    ("asked", "counter"): "countered",
    ("asked", "decline"): "declined",
    ("asked", "expire"): "expired",
    ("asked", "withdraw"): "withdrawn",
    ("approved", "use"): "used",
    ("approved", "expire"): "expired",
    ("approved", "withdraw"): "withdrawn",
    ("countered", "use"): "used",
    ("countered", "expire"): "expired",
    ("countered", "withdraw"): "withdrawn",
}
"""Where an act leads. What is not here is not possible."""

ACTORS = {
    "approve": "another supervisor",
    "counter": "another supervisor",
    "decline": "another supervisor",
    "expire": "the clock",
    "withdraw": "who asked",
    "use": "who asked",
}
"""Who each act belongs to. Four eyes: who asked may not answer."""


class IllegalMove(ValueError):
    """The request is in a state that this act does not start from."""

    def __init__(self, state: str, act: str) -> None:
        self.state, self.act = state, act
        possible = [tried for (held, tried) in MOVES if held == state]
        rest = f"it can only {', '.join(possible)}" if possible else "nothing more comes of it"
        super().__init__(f"The request is {state}; '{act}' is not possible: {rest}.")


class NotYours(ValueError):
    """The act belongs to somebody else."""

    def __init__(self, act: str, person: str) -> None:
        self.act, self.person = act, person
        super().__init__(f"'{act}' belongs to {ACTORS[act]}, not to {person}.")


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked for or said yes to. `amount` in minor units, in all, whatever the months."""

    instrument: str
    amount: int
    months: int | None = None


def move(state: str, act: str) -> str:
    """The state after `act`. Raises IllegalMove, naming where it was and what was tried."""
    try:
        return MOVES[state, act]
    except KeyError:
        raise IllegalMove(state, act) from None


def require_actor(act: str, *, asked_by: str, person: str, role: str) -> None:
    """Raise NotYours unless `person` may make this act on a request of `asked_by`."""
    is_asker = person == asked_by
    if (ACTORS[act] == "who asked" and not is_asker) or (
        ACTORS[act] == "another supervisor" and (is_asker or role != "supervisor")
    ):
        raise NotYours(act, person)
    if ACTORS[act] == "the clock":
        raise NotYours(act, person)


def state_at(state: str, *, expires_at: datetime, is_call_over: bool, now: datetime) -> str:
    """The state as it is at `now`: what nobody used in time is expired, and the end of the call ends it."""
    return "expired" if state in OPEN and (is_call_over or now >= expires_at) else state


def granted(state: str, asked: Terms, answer: Terms | None) -> Terms | None:
    """What may be given: as asked when approved, the supervisor's terms when countered, else None."""
    if state == "approved":
        return asked
    return answer if state == "countered" else None


def urgency(*, seconds_left: float, value_at_stake: float) -> float:
    """Rank in the queue, higher first: value at stake for each second that is left."""
    return value_at_stake / max(seconds_left, 1.0)
