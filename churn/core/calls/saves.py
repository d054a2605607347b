"""Did it work: what became of a caller who came to cancel, as stages with their dates, and how a history is restated.

                  day_ends ┌───────────┐ window_ends ┌───────┐ window_ends (60, 90 days; after the last nothing more)
    ┌───────────┐─────────▶│ watchlist │────────────▶│ saved │──────┐
    │ deflected │          └─────┬─────┘             └─┬───▲─┘      │
    └─────┬─────┘                │                     │   └────────┘
          └──────── leaves ──────┴─── inside a window ─┴──▶ lost_deflect
                    is_cut_off · moves ─────────────────▶ left_involuntary · left_move: kept apart
    came and cancelled on that day: cancelled

A window is over when its last day is: saved at 30 days means still a customer when day 30 ended, so that no evening's
news takes it back. What is once written stays. Where the facts say otherwise later (a date that came late, a
customer who was put back), the stage from which they differ is written anew and marked a re-statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import takewhile

STAGES = ("deflected", "watchlist", "saved", "lost_deflect", "left_involuntary", "left_move", "cancelled")
CALL = "call"  # where every path begins
MOVES: dict[tuple[str, str], str] = {
    (CALL, "stays"): "deflected",
    (CALL, "leaves"): "cancelled",
    (CALL, "is_cut_off"): "left_involuntary",
    (CALL, "moves"): "left_move",
    ("deflected", "day_ends"): "watchlist",
    ("watchlist", "window_ends"): "saved",
    ("saved", "window_ends"): "saved",
} | {
    (stage, act): end
    for stage in ("deflected", "watchlist", "saved")
    for act, end in (("leaves", "lost_deflect"), ("is_cut_off", "left_involuntary"), ("moves", "left_move"))
}
"""Where an act leads. What is not here is not possible."""
BY_TIME = frozenset({"watchlist", "saved"})  # reached by the clock alone
WINDOW_DAYS = 90  # after which models and past cases take a caller who is still here for a save
LEAVING = {"voluntary": "leaves", "involuntary": "is_cut_off", "move": "moves"}


@dataclass(frozen=True, slots=True)
class Call:
    """A call of somebody who came to cancel, with what is known of them since.

    `windows`: days, rising, the last being the policy's horizon. `is_cancelled`: it was cancelled on the call.
    `left_on`: the first day they were nobody's customer, `left_how` by choice (voluntary), involuntary or move.
    """

    called_on: date
    windows: tuple[int, ...]
    is_cancelled: bool = False
    left_on: date | None = None
    left_how: str | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage and the day it began. `window_days`: the window it belongs to; None for what has none."""

    name: str
    on: date
    window_days: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a history: `step` is its place in the path. A re-statement takes the place of all from its step on."""

    step: int
    stage: Stage
    is_restatement: bool = False


def windows_of(horizon_days: int) -> tuple[int, ...]:
    """The three windows of a horizon: 90 gives 30, 60 and 90. Raises ValueError under three days."""
    if horizon_days < 3:
        raise ValueError(f"A save is judged over at least three days, not {horizon_days}.")
    return tuple(round(horizon_days * part / 3) for part in (1, 2, 3))


def path(call: Call, today: date) -> tuple[Stage, ...]:
    """Every stage up to `today`, first to last; never empty."""
    stages = [_first(call, today)]
    for on, act, window in _acts(call, today):
        name = MOVES.get((stages[-1].name, act))
        if name is not None:  # after an end nothing more comes of it
            stages.append(Stage(name, on, window))
    return tuple(stages)


def _first(call: Call, today: date) -> Stage:
    left_at_once = call.left_on is not None and call.left_on <= min(call.called_on, today)
    act = _leaving(call) if left_at_once else "leaves" if call.is_cancelled else "stays"
    return Stage(MOVES[CALL, act], call.called_on)


def _acts(call: Call, today: date) -> list[tuple[date, str, int | None]]:
    """What happened after the day of the call, in order; who leaves on a window's last day was not there at its end."""
    end_of = {days: call.called_on + timedelta(days=days) for days in call.windows}
    found: list[tuple[date, int, str, int | None]] = []
    if call.left_on is not None and call.called_on < call.left_on <= min(end_of[call.windows[-1]], today):
        window = next(days for days, end in end_of.items() if call.left_on <= end)
        found.append((call.left_on, 0, _leaving(call), window))
    if today > call.called_on:
        found.append((call.called_on + timedelta(days=1), 1, "day_ends", call.windows[0]))
    found += [(end, 2, "window_ends", days) for days, end in end_of.items() if end < today]
    return [(on, act, window) for on, _, act, window in sorted(found)]


def _leaving(call: Call) -> str:
    return LEAVING.get(call.left_how or "voluntary", "leaves")


def standing(history: Sequence[Row]) -> tuple[Stage, ...]:
    """The path as a history, oldest row first, has it in the end."""
    held: list[Stage] = []
    for row in history:
        held = [*held[: row.step], row.stage]
    return tuple(held)


def additions(history: Sequence[Row], wanted: Sequence[Stage]) -> list[Row]:
    """The rows that make `history` stand for `wanted`; none when it does.

    A history that is ahead only because the clock has stepped back is left alone.
    """
    held = standing(history)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(held, wanted, strict=False)))
    if same == len(held):
        return [Row(same + i, stage) for i, stage in enumerate(wanted[same:])]
    if same == len(wanted):
        if held[same].name in BY_TIME:
            return []
        return [Row(same - 1, wanted[-1], is_restatement=True)]
    return [Row(same + i, stage, is_restatement=i == 0) for i, stage in enumerate(wanted[same:])]


def unpaid(schedule: Sequence[int] | None, given_on: date, left_on: date) -> int:
    """What nobody will pay of something given month by month, minor units; 0 for what was given at once.

    Part m of the schedule falls due m months after the gift, the first at once, as its cost is reckoned. A part is
    due while they are a customer: from the day they left on nothing is. Given at once is gone at once: the credit is on
    a bill already, and what is withdrawn is the credit for the save.
    """
    if schedule is None:
        return 0
    return sum(part for month, part in enumerate(schedule) if months_after(given_on, month) >= left_on)


def months_after(day: date, months: int) -> date:
    """The same day some months later, or the month's last: 31 January and one month is 28 or 29 February."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = date(year, month + 1, 1)
    length = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - first).days
    return first.replace(day=min(day.day, length))
