"""What the company sells: plans, their prices in and out of contract, and what the market asks for the same."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

PRODUCTS = ("broadband", "mobile", "tv")
BROADBAND, MOBILE, TV = range(3)
NO_TERM = -1


@dataclass(frozen=True)
class Plan:
    """One plan: the price within a term, the price after it, and the share of the price that is margin."""

    product: int
    name: str
    term_price: float
    rolling_price: float
    margin: float
    popularity: float
    gb: float  # usual use a month


PLANS = (
    Plan(BROADBAND, "Fibre 35", 27.99, 33.99, 0.30, 0.20, 180.0),
    Plan(BROADBAND, "Fibre 80", 31.99, 39.99, 0.34, 0.34, 310.0),
    Plan(BROADBAND, "Full Fibre 150", 35.99, 44.99, 0.38, 0.24, 390.0),
    Plan(BROADBAND, "Full Fibre 500", 40.99, 52.99, 0.43, 0.16, 560.0),
    Plan(BROADBAND, "Full Fibre 900", 48.99, 63.99, 0.45, 0.06, 760.0),
    Plan(MOBILE, "SIM 5GB", 8.99, 9.99, 0.35, 0.30, 3.5),
    Plan(MOBILE, "SIM 30GB", 12.99, 15.99, 0.40, 0.34, 11.0),
    Plan(MOBILE, "SIM Unlimited", 19.99, 24.99, 0.42, 0.20, 32.0),
    Plan(MOBILE, "Phone and 50GB", 36.99, 36.99, 0.28, 0.16, 18.0),
    Plan(TV, "TV Essentials", 11.99, 15.99, 0.25, 0.50, 0.0),
    Plan(TV, "TV Cinema", 21.99, 27.99, 0.27, 0.28, 0.0),
    Plan(TV, "TV Sport", 31.99, 39.99, 0.22, 0.22, 0.0),
)
PLAN_PRODUCT = np.array([p.product for p in PLANS])
TERM_PRICE = np.array([p.term_price for p in PLANS])
ROLLING_PRICE = np.array([p.rolling_price for p in PLANS])
MARGIN = np.array([p.margin for p in PLANS])
USUAL_GB = np.array([p.gb for p in PLANS])
FIRST_PLAN = np.array([0, 5, 9])
LAST_PLAN = np.array([4, 8, 11])
TERM_MONTHS = np.array([12, 18, 24])
TERM_SHARES = (0.22, 0.30, 0.48)
DAYS_A_MONTH = 30.4375


def popularity(product: int) -> Array:
    """Weights of all plans, 0 for those of other products."""
    return np.array([p.popularity if p.product == product else 0.0 for p in PLANS])


def market_price(plan: Ints, month: int) -> Array:
    """What a rival asks for the same in that month: rising slower than ours, with a price war every eleven months."""
    war = 0.07 if month % 11 in (4, 5) else 0.0
    return TERM_PRICE[plan] * (0.97 + 0.025 * month / 12.0 - war)


def pounds(amount: Array) -> Array:
    """Rounded to the penny."""
    return np.round(amount, 2)
