"""The cohort heat map: of each quarter's new customers, how many of those still here left in each month since."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from churn.core.trends.curves import DAYS_A_MONTH, Array, Days, Table
from churn.core.trends.rates import FEWEST, wilson

COLUMNS = ["cohort", "month", "at_risk", "left", "rate", "exposure", "low", "high"]


def heat_map(tables: Mapping[str, Table], *, most_months: int = 24) -> pd.DataFrame:
    """One row per cohort and month since joining: at_risk when it began, left by choice, rate = left a customer-month.

    `low`, `high`: the 95 % interval of the rate, Wilson's over the customer-months lived.

    A month in which somebody was watched for part of it counts for that part (`exposure`, customer-months). Cells that
    began with fewer than FEWEST customers are left out, and months nobody has lived through yet.
    """
    edges = np.round(np.arange(most_months + 1) * DAYS_A_MONTH).astype(np.int64)
    rows = []
    for cohort in sorted(tables):
        table = tables[cohort]
        exposure = _lived(table, edges) / DAYS_A_MONTH
        left = np.diff(np.concatenate([[0], np.cumsum(table.left)])[np.searchsorted(table.day, edges, side="right")])
        under = _at_risk_from(table, edges[:-1])
        rows += [
            (cohort, month + 1, int(under[month]), int(left[month]), float(left[month] / exposure[month]),
             float(exposure[month]))
            for month in range(most_months)
            if under[month] >= FEWEST and exposure[month] > 0
        ]  # fmt: skip
    found = pd.DataFrame(rows, columns=COLUMNS[:-2])
    low, high = wilson(found["left"], np.maximum(found["exposure"], found["left"]))
    return found.assign(low=low, high=high)


def _at_risk_from(table: Table, edges: Days) -> Days:
    """Under observation when each month begins: who entered by then and was not removed by then."""
    under = np.concatenate([[0], np.cumsum(table.entered) - np.cumsum(table.removed)])
    return np.asarray(under[np.searchsorted(table.day, edges, side="right")])


def _lived(table: Table, edges: Days) -> Array:
    """Customer-days within each month: of all who entered the days since, less those of all who are gone."""
    more = table.entered - table.removed
    since = [float((np.maximum(edge - table.day, 0) * more).sum()) for edge in edges]
    return np.diff(since)
