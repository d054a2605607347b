"""What recurring discounts will still cost, month by month: as promised, and weighted by who will still be a customer.

The first part of a discount falls on the bill of the month after it was given. A discount taken back costs nothing
more. Amounts in minor units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Discount:
    """One recurring discount that runs: its parts, one a month."""

    customer_id: str
    instrument: str
    currency: str
    booked_month: date
    schedule: Sequence[int]


@dataclass(frozen=True, slots=True)
class Month:
    """What falls due in one month. `expected`: None where somebody's chance of staying is not known."""

    month: date
    instrument: str
    currency: str
    customers: int
    promised: int
    expected: float | None


def months_on(month: date, months: int) -> date:
    """The first day of the month so many months later."""
    year, at = divmod(month.year * 12 + month.month - 1 + months, 12)
    return date(year, at + 1, 1)


def run_off(
    discounts: Iterable[Discount], staying: Mapping[str, Sequence[float]] | None, this_month: date
) -> list[Month]:
    """All months after `this_month` in which something is due, by month, instrument and currency.

    `staying`: customer → chances of still being one 1, 2 … months from now; who is not in it has left. None: not known.
    A chance beyond the end of a curve is its last one.
    """
    cells: dict[tuple[date, str, str], tuple[set[str], int, float]] = {}
    for one in discounts:
        curve = (staying or {}).get(one.customer_id, ())
        for k, part in enumerate(one.schedule, start=1):
            month = months_on(one.booked_month, k)
            ahead = (month.year - this_month.year) * 12 + month.month - this_month.month
            if ahead < 1:
                continue
            chance = curve[min(ahead, len(curve)) - 1] if len(curve) else 0.0
            key = (month, one.instrument, one.currency)
            who, promised, expected = cells.get(key, (set(), 0, 0.0))
            cells[key] = (who | {one.customer_id}, promised + part, expected + chance * part)
    return [
        Month(*key, len(who), promised, None if staying is None else expected)
        for key, (who, promised, expected) in sorted(cells.items())
    ]
