"""The caller's bill before and after, month by month, in whole minor units that add up."""

from __future__ import annotations

from dataclasses import dataclass

from churn.core.policies.policy import schedule

MOST_MONTHS = 24  # a credit that would take longer is left as a balance in the last month
PLAN_MONTHS = 12  # how many months a changed price is shown for


@dataclass(frozen=True, slots=True)
class Bill:
    """Bills of this month and each following, as they would be and as they become; below zero: a balance in credit."""

    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def saved(self) -> int:
        """What the caller pays less over the months shown."""
        return sum(self.before) - sum(self.after)


def with_credit(monthly_bill: int, amount: int, fee: int = 0) -> Bill:
    """A credit taken off the next bills until it is used up, and the first month after. `fee` is on this month's bill.

    `saved` is exactly `amount`.
    """
    before: list[int] = []
    after: list[int] = []
    left = amount
    while not before or (left > 0 and len(before) < MOST_MONTHS and monthly_bill > 0):
        due = monthly_bill + (0 if before else fee)
        taken = min(left, due)
        before.append(due)
        after.append(due - taken)
        left -= taken
    after[-1] -= left
    return Bill((*before, monthly_bill), (*after, monthly_bill))


def by_month(monthly_bill: int, amount: int, months: int) -> Bill:
    """Money off each month as `policy.schedule` parts it, and the first month after. `saved` is exactly `amount`."""
    parts = schedule(amount, months)
    return Bill((monthly_bill,) * (months + 1), (*(monthly_bill - part for part in parts), monthly_bill))


def with_price(monthly_bill: int, saving: int) -> Bill:
    """Another price from now on, for a year."""
    return Bill((monthly_bill,) * PLAN_MONTHS, (monthly_bill - saving,) * PLAN_MONTHS)


def with_pause(monthly_bill: int, months: int) -> Bill:
    """Nothing to pay for some months, and the first month after."""
    return Bill((monthly_bill,) * (months + 1), (*[0] * months, monthly_bill))
