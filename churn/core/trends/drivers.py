"""What moves the risk now and moved it a quarter ago: mean contributions of the model's columns on two samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from churn.core import features

MOST = 12


@dataclass(frozen=True, slots=True)
class Driver:
    """One column. `points`: mean change of the chance of leaving against the column's usual value, 0.01 is one point.

    `value`: mean of a number; of a column without numbers the share of customers away from the usual value. `error`:
    standard error of the difference of points.
    """

    column: str
    meaning: str
    unit: str
    value_now: float | None
    value_then: float | None
    points_now: float
    points_then: float
    error: float
    customers: int


def compare(
    now: tuple[pd.DataFrame, pd.DataFrame], then: tuple[pd.DataFrame, pd.DataFrame], usual: dict[str, object]
) -> list[Driver]:
    """The columns that move the risk most, now or then, the largest first.

    Each side is (columns as read, contributions), one row a customer; `usual`: the usual value of each column.
    """
    found = [_driver(name, now, then, usual.get(name)) for name in now[1].columns]
    moving = [driver for driver in found if driver.points_now or driver.points_then]
    return sorted(moving, key=lambda driver: (-_size(driver, now, then), driver.column))[:MOST]


def _size(driver: Driver, *sides: tuple[pd.DataFrame, pd.DataFrame]) -> float:
    """How far the column moves a customer, up or down, on the side where it moves them further."""
    return max(float(side[1][driver.column].abs().mean()) for side in sides)


def _driver(
    name: str,
    now: tuple[pd.DataFrame, pd.DataFrame],
    then: tuple[pd.DataFrame, pd.DataFrame],
    usual: object,
) -> Driver:
    what = features.describe(name)
    error = np.sqrt(sum(float(side[1][name].var()) / max(len(side[1]), 1) for side in (now, then)))
    return Driver(
        column=name,
        meaning=what.meaning,
        unit=what.unit,
        value_now=_value(now[0][name], usual),
        value_then=_value(then[0][name], usual),
        points_now=float(now[1][name].mean()),
        points_then=float(then[1][name].mean()),
        error=float(np.nan_to_num(error)),
        customers=min(len(now[1]), len(then[1])),
    )


def _value(column: pd.Series, usual: object) -> float | None:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return None if column.isna().all() else float(column.mean())
    return float((column != usual).mean())
