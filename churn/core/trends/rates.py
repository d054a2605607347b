"""Shares with intervals: of customers live at the start of a month those who left in it, of callers those who stayed.

Rate = leavers / customers live at the start of the month. Who joined and left within one month is in neither figure.
Voluntary, involuntary and move are three rates over the same customers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from churn.core.language import mark, t, tn

Array = NDArray[np.float64]

HOW = {"voluntary": mark("by choice"), "involuntary": mark("cut off"), "moved": mark("moved away")}
FEWEST = 10  # people: a group of fewer is not shown
DEFLECTED = "deflected"  # a measure of `saves`


def wilson(events: ArrayLike, people: ArrayLike, *, level: float = 0.95) -> tuple[Array, Array]:
    """Ends of the score interval of a share (Wilson 1927), each (n,); 0 and 1 where there is nobody."""
    k, n = np.asarray(events, float), np.asarray(people, float)
    z = float(norm.ppf(0.5 + level / 2))
    held = np.maximum(n, 1.0)
    p, spread = k / held, z**2 / held
    middle = (p + spread / 2) / (1 + spread)
    half = z / (1 + spread) * np.sqrt(p * (1 - p) / held + spread / (4 * held))
    # At the ends the square root leaves a rounding error where the interval touches exactly.
    low = np.where(k == 0, 0.0, np.clip(middle - half, 0.0, 1.0))
    high = np.where(k == n, 1.0, np.clip(middle + half, 0.0, 1.0))
    return np.where(n > 0, low, 0.0), np.where(n > 0, high, 1.0)


def share(events: ArrayLike, people: ArrayLike) -> Array:
    """(n,) shares; NaN where there is nobody."""
    k, n = np.asarray(events, float), np.asarray(people, float)
    return np.divide(k, n, out=np.full(np.broadcast(k, n).shape, np.nan), where=n > 0)


def monthly(rows: pd.DataFrame, by: str | None = None, *, level: float = 0.95) -> pd.DataFrame:
    """Rates of leaving by month, way of leaving and group, oldest month first.

    `rows`: month, live, voluntary, involuntary, moved and, where groups are told apart, the column `by`. Gives month,
    group, how, left, live, rate, low, high; of a group with fewer than FEWEST customers in a month nothing.
    """
    groups = rows.assign(group=rows[by] if by else "all")
    summed = groups.groupby(["month", "group"], sort=True)[["live", *HOW]].sum().reset_index()
    summed = summed[summed["live"] >= FEWEST]
    long = summed.melt(["month", "group", "live"], list(HOW), var_name="how", value_name="left")
    low, high = wilson(long["left"], long["live"], level=level)
    long = long.assign(rate=share(long["left"], long["live"]), low=low, high=high)
    columns = ["month", "group", "how", "left", "live", "rate", "low", "high"]
    return long.sort_values(["month", "group", "how"], ignore_index=True)[columns]


def saves(rows: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Deflect and save rates by month of the call: month, measure, callers, kept, rate, low, high.

    `rows`: month, window_days, came, deflected, is_over, saved. `deflected`: did not cancel on the call, over all who
    came to cancel. `saved, 30 days`: still a customer when the window ended, over those whose window is over, who was
    cut off or moved away in it left out. Where nobody at all is on record as having cancelled on the call, the records
    do not tell how calls end, and there is no deflect rate.
    """
    summed = rows.groupby(["month", "window_days"])[["came", "deflected", "is_over", "saved"]].sum().reset_index()
    parts = [
        _measure(part, f"saved, {days} days", "is_over", "saved")
        for days, part in summed.groupby("window_days", sort=True)
    ]
    first = summed[summed["window_days"] == summed["window_days"].min()]
    if first["deflected"].sum() < first["came"].sum():
        parts = [_measure(first, DEFLECTED, "came", "deflected"), *parts]
    found = pd.concat(parts, ignore_index=True)
    low, high = wilson(found["kept"], found["callers"], level=level)
    return found.assign(rate=share(found["kept"], found["callers"]), low=low, high=high)


def _measure(rows: pd.DataFrame, name: str, callers: str, kept: str) -> pd.DataFrame:
    some = rows[rows[callers] >= FEWEST]
    return pd.DataFrame(
        {"month": some["month"], "measure": name, "callers": some[callers], "kept": some[kept]}
    ).reset_index(drop=True)


def measure_said(measure: str) -> str:
    """A measure of `saves` in the language spoken here."""
    days = "".join(filter(str.isdigit, measure))
    return tn(int(days), "saved, {n} day", "saved, {n} days") if days else t("deflected")


def large_enough(rows: pd.DataFrame) -> pd.DataFrame:
    """Only the rows that are of FEWEST `customers` or more."""
    return rows[rows["customers"] >= FEWEST]


def with_others(rows: pd.DataFrame) -> pd.DataFrame:
    """Groups by plan, region and segment of FEWEST `customers` or more, and the smaller ones added up as `others`.

    Without `others` where even together they are fewer.
    """
    small = rows[rows["customers"] < FEWEST]
    names = dict.fromkeys(("plan", "region", "segment"), "others")
    others = pd.DataFrame([names | small.drop(columns=list(names)).sum().to_dict()], columns=rows.columns)
    return pd.concat([large_enough(rows), large_enough(others)], ignore_index=True)


def at_risk(rows: pd.DataFrame, *, relative_error: float, level: float = 0.9) -> tuple[float, float, float]:
    """Margin of the next quarter that may leave, with an interval: (middle, low, high).

    `rows`: at_risk and variance a group, sums of p·m and p(1−p)·m². Chance makes the one part of the interval, and
    `relative_error`, by how much the model's chances were wrong on customers it had not seen, the other.
    """
    middle, variance = float(rows["at_risk"].sum()), float(rows["variance"].sum())
    half = float(norm.ppf(0.5 + level / 2)) * float(np.sqrt(variance + (relative_error * middle) ** 2))
    return middle, max(middle - half, 0.0), middle + half


def relative_error(calibration: list[dict[str, Any]]) -> float:
    """By how much held-out chances were off, over all ten groups, as a share of the mean chance; 0 without any."""
    people = sum(group["rows"] for group in calibration)
    chance = sum(group["rows"] * group["chance"] for group in calibration)
    off = sum(group["rows"] * abs(group["rate"] - group["chance"]) for group in calibration)
    return float(off / chance) if people and chance else 0.0
