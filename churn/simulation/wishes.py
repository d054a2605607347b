"""The known mechanism of leaving, retention calls apart: who wants to go this month, and why."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from churn.simulation.chance import Array, Chance
from churn.simulation.people import People
from churn.simulation.plans import market_price
from churn.simulation.state import Flags, State

SILENT, CALLING = -4.70, -2.75  # logits of a month's chance to leave without a word, and to ring first
CALLING_SLOPE = 0.70  # ringing follows the wish to go less closely: some ring to bargain
MOVES, TROUBLE = 0.0022, 0.004  # a month's chances of moving away and of ceasing to pay
LEAVE_REASONS = ("price", "fault", "bill", "contract_end", "competitor", "service", "life")


@dataclass(frozen=True)
class Wish:
    """What drives each customer this month; logits are added to a month's chance of going. Arrays are (n,)."""

    logit: Array  # all together, frailty included
    known: Array  # without frailty: what the facts say
    price_gap: Array  # log of own price over the market's
    in_term: Flags
    near_end: Flags
    reason: np.ndarray  # code in LEAVE_REASONS: the strongest single cause


def wish(people: People, state: State, month: int, first: int) -> Wish:
    """The mechanism: tenure, contract, price against the market, what is broken, bills, events, habit, frailty."""
    plan, term = state.main_of(state.plan), state.main_of(state.term_end)
    gap = np.log(state.main_of(state.price) / market_price(plan, month)).clip(-0.3, 0.8)
    left = term - first
    in_term, near_end = left > 45, (left > -60) & (left <= 45) & (term > 0)
    years = ((first - state.joined) / 365.25).clip(0.0)
    broken = 0.95 * np.minimum(state.unresolved, 3.0)
    bill = 0.9 * state.shock
    price = 3.2 * gap
    causes = np.column_stack(
        [
            price,
            broken,
            bill,
            1.3 * near_end,
            0.45 * (people.acquired == 1) + 0.2 * (people.age <= 1),
            state.annoyed,
            np.full(len(people), 0.25),
        ]
    )
    known = (
        causes[:, :6].sum(axis=1)
        - 1.8 * in_term
        - 0.65 * np.log1p(years)
        - 0.65 * state.engagement
        - 0.65 * (state.live.sum(axis=1) - 1)
        + 0.40 * (people.payment > 0)
        - 0.30 * (people.age >= 5)
        + 0.35 * np.minimum(state.late, 3.0)
        - 0.35 * (people.acquired == 4)
        + 0.25 * (people.segment == 2)
    )
    return Wish(known + people.frailty, known, gap, in_term, near_end, np.argmax(causes, axis=1))


def leaves_silently(chance: Chance, people: People, logit: Array, month: int) -> Flags:
    """Who goes this month without a word."""
    return np.asarray(chance.uniform("leaves silently", people.index, month) < expit(SILENT + logit))


def calls_to_cancel(chance: Chance, people: People, wishes: Wish, month: int) -> Flags:
    """Who rings retention this month."""
    p = expit(CALLING + CALLING_SLOPE * wishes.logit)
    return np.asarray(chance.uniform("calls to cancel", people.index, month) < p)


def moves_away(chance: Chance, people: People, month: int) -> Flags:
    """Who leaves the area, or the country."""
    factor = np.where(people.age <= 1, 1.8, 0.9)
    return chance.uniform("moves away", people.index, month) < MOVES * factor


def stops_paying(chance: Chance, people: People, month: int) -> Flags:
    """Whose bills stay unpaid from this month on."""
    odds = TROUBLE * np.exp(-0.9 * people.comfort - 0.4)
    return chance.uniform("stops paying", people.index, month) < odds
