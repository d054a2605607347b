"""What is ahead of a customer: the risk within the horizon, the curve of staying, what they are worth.

One path for everybody: the nightly run calls it with thousands of rows, the desk with one. The curve is bent to pass
through the calibrated risk at the horizon, so that the money and the risk on one card cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypedDict

import numpy as np

from churn.core import features
from churn.core.effects.demand import staying_given_saved
from churn.core.leaving import worth
from churn.core.leaving.fitted import Fitted, rebased
from churn.core.leaving.risk import ChurnRisk
from churn.core.policies.policy import Case, Policy, setting
from churn.core.staying.survival import FEW, Table, TenureCurve, anchor

Array = np.ndarray[Any, Any]
Rows = Sequence[Mapping[str, Any]]
DAYS_A_MONTH = 30.4375
HIGHEST_RISK = 0.995  # a curve cannot pass through certainty
LEVEL = 0.9
# How much of a customer's difference from the curve lasts beyond the risk's horizon. On the simulated company, for the
# tenth at highest risk, 41 % were gone after a year: the whole difference says 53 %, none of it 35 %, half of it 43 %.
PERSISTENCE = 0.5


class WorthTerms(TypedDict):
    """How far and how discounted worth is reckoned."""

    horizon_months: int
    annual_rate: float


@dataclass(frozen=True, slots=True)
class Economics:
    """What worth is reckoned with: `economics_of` the policy in force; these where it is silent."""

    horizon_months: int = 36
    annual_rate: float = 0.10
    margin_rate: float = 0.55  # where a company does not know its margins
    margin_rate_se: float = 0.08

    @property
    def terms(self) -> WorthTerms:
        """Horizon and discount rate, as worth asks for them."""
        return {"horizon_months": self.horizon_months, "annual_rate": self.annual_rate}


@dataclass(frozen=True, slots=True)
class Outlook:
    """For n customers: (n,) risks and worths, (n, m) curves over months 1 … m, `months_known` (n,) of them on data."""

    p_churn: Array
    staying: Array
    low: Array
    high: Array
    months_known: Array
    expected_months: Array
    worth: worth.Worth


def economics_of(policy: Policy | None, on: date) -> Economics:
    """What the policy in force on a day says worth is reckoned with: how far ahead, discounted how, at what margin."""
    usual = Economics()
    if policy is None:
        return usual
    months, rate, margin = (_setting(policy, on, effect) for effect in ("worth_months", "discount_rate", "margin"))
    return Economics(
        horizon_months=usual.horizon_months if months is None else round(months),
        annual_rate=usual.annual_rate if rate is None else rate,
        margin_rate=usual.margin_rate if margin is None else margin,
        margin_rate_se=usual.margin_rate_se,
    )


def horizon_of(policy: Policy, on: date, otherwise: int) -> int:
    """The days after which a save counts: those of the policy in force on a day."""
    days = _setting(policy, on, "horizon")
    return otherwise if days is None else round(days)


def _setting(policy: Policy, on: date, effect: str) -> float | None:
    found = setting(policy, Case(on=on, monthly_bill=0), effect)
    return None if found is None else float(found)


def risk_of(model: Fitted[ChurnRisk], rows: Rows) -> Array:
    """(n,) calibrated chance of leaving within the horizon, for rows of `features.sql`."""
    if len(rows) <= FEW:
        chance = model.estimator.score_rows([features.complete(row, model.columns) for row in rows])
    else:
        chance = model.estimator.predict_proba(features.frame(rows, model.columns))[:, 1]
    return rebased(chance, model.shift)


def risk_and_moves(model: Fitted[ChurnRisk], row: Mapping[str, Any]) -> tuple[float, dict[str, float]]:
    """One customer's risk, and what each column does to it against its usual value, in probability."""
    chance, moved = model.estimator.reasons_of_row(features.complete(row, model.columns))
    risk = float(rebased(np.array([chance]), model.shift)[0])
    # A difference of two tiny chances may come out a hair below zero.
    usual = rebased(np.clip(chance - np.array(list(moved.values())), 0.0, 1.0), model.shift)
    return risk, dict(zip(moved, (risk - usual).tolist(), strict=True))


def look_ahead(
    curve: Fitted[TenureCurve], rows: Rows, p_churn: Array, *, horizon_days: int, economics: Economics
) -> Outlook:
    """Curves bent to the risk, and worth, for n rows of `features.sql` and their (n,) risks."""
    months = np.arange(1.0, economics.horizon_months + 1)
    given = np.maximum([float(row["tenure_months"]) for row in rows], 0.0)
    raw = curve.estimator.curves(_table(rows, curve.columns), months, given, LEVEL)
    staying = anchor(
        raw.staying, np.minimum(p_churn, HIGHEST_RISK), horizon_days / DAYS_A_MONTH, months, persistence=PERSISTENCE
    )
    power = _power(raw.staying, staying)
    # A curve without any hazard is given one by `anchor`, and has no band of its own. The risk at the horizon is what
    # is known best, so no earlier month is less sure than a later one; and no curve rises.
    low, high = np.minimum(raw.low**power, staying), np.maximum(raw.high**power, staying)
    band = np.maximum.accumulate(low[:, ::-1], axis=1)[:, ::-1], np.minimum.accumulate(high, axis=1)
    return Outlook(
        p_churn=p_churn,
        staying=staying,
        low=band[0],
        high=band[1],
        months_known=raw.months_known,
        expected_months=worth.expected_months(staying, economics.horizon_months),
        worth=worth.worth(
            margins(rows, economics),
            staying,
            band,
            **economics.terms,
            months_known=raw.months_known,
            level=LEVEL,
        ),
    )


def worth_given_saved(
    outlook: Outlook, rows: Rows, economics: Economics, *, horizon_days: int
) -> tuple[tuple[float, float, float], tuple[float, ...]] | None:
    """One customer's worth given they stay on this call, with its ends, and their curve from there, month by month.

    None where no margin or price is known. The curve the card was reckoned with bounds how far ahead is looked.
    """
    at = horizon_days / DAYS_A_MONTH
    curves = [staying_given_saved(curve, at) for curve in (outlook.staying, outlook.low, outlook.high)]
    months = min(economics.horizon_months, outlook.staying.shape[1])
    margin = margins(rows, economics).amount
    amount, low, high = (
        float(worth.clv(margin, curve, horizon_months=months, annual_rate=economics.annual_rate)[0]) for curve in curves
    )
    if not np.isfinite(amount):
        return None
    # The margin's own uncertainty is in the worth on the card; it is the same for who stays.
    held = outlook.worth
    down, up = float(held.clv[0] - held.low[0]), float(held.high[0] - held.clv[0])
    staying = tuple(float(chance) for chance in curves[0][0])
    return (amount, min(low, amount - down), max(high, amount + up)), staying


def _table(rows: Rows, columns: Sequence[str]) -> Table:
    if len(rows) <= FEW:
        return [features.complete(row, columns) for row in rows]
    return features.frame(rows, columns)


def _power(raw: Array, bent: Array) -> Array:
    # Bending raises each point of a curve to a power of its own; the band is raised to the same.
    return np.asarray(np.log(np.maximum(bent, 1e-300)) / np.log(np.minimum(raw, 1 - 1e-12)))


def margins(rows: Rows, economics: Economics) -> worth.Margin:
    """The monthly margin of n customers, assumed from the price where the company does not know it."""
    return worth.monthly_margin(
        _column(rows, "monthly_margin"),
        _column(rows, "monthly_price"),
        margin_rate=economics.margin_rate,
        margin_rate_se=economics.margin_rate_se,
    )


def _column(rows: Rows, name: str) -> Array:
    return np.array([np.nan if row[name] is None else float(row[name]) for row in rows])
