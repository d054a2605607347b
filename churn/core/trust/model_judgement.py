"""What held-out customers say of a model, beyond one figure: intervals, calibration, groups, one model against another.

All figures are of customers the model had not seen. `outcome` (n,) of 0 and 1, `chance` (n,) in (0, 1), in one order.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

from churn.core.language import t
from churn.core.leaving.judge import judge
from churn.core.trust.empc import expected_maximum_profit

Array = np.ndarray[Any, Any]
Z = float(norm.ppf(0.975))

GROUPED_BY = ("segment", "region", "plan", "tenure")
TENURES = (0, 12, 24, 48, 96)  # months; the bands end before the next
FEWEST_ROWS, FEWEST_EACH = 50, 5  # customers of a group, and leavers and stayers among them
MOST_GROUPS = 12  # of one cut, the largest
LEAST = 1e-6  # chances are kept this far from 0 and 1


def judgement(outcome: Array, chance: Array, columns: pd.DataFrame | None = None) -> dict[str, Any]:
    """`judge`'s figures and, as `held_out`, what a page shows of them besides; `columns` (n rows): the groups' values.

    Raises ValueError when only one outcome is there.
    """
    made = judge(outcome, chance)
    loss, usual = _losses(outcome, chance), _losses(outcome, np.full(len(outcome), made["rate"]))
    profit = expected_maximum_profit(outcome, chance)
    return made | {
        "held_out": {
            "auc": auc(outcome, chance),
            "log_loss_error": _error(loss),
            "log_loss_gain": float(np.mean(usual - loss)),
            "log_loss_gain_error": _error(usual - loss),
            "brier_of_the_rate": made["rate"] * (1 - made["rate"]),
            "empc": profit.empc,
            "empc_share": profit.share,
            "empc_without": expected_maximum_profit(outcome, np.full(len(outcome), made["rate"])).empc,
            "calibration": recalibration(outcome, chance),
            "lift": lift(outcome, chance),
            "groups": [] if columns is None else by_group(outcome, chance, columns),
        }
    }


def auc(outcome: Array, chance: Array) -> dict[str, float]:
    """Area under the ROC curve with its 95 % interval (DeLong et al. 1988, ends on the logit scale)."""
    left, stayed = chance[outcome == 1], chance[outcome == 0]
    m, n = len(left), len(stayed)
    together, alone_left, alone_stayed = rankdata(np.concatenate([left, stayed])), rankdata(left), rankdata(stayed)
    above = (together[:m] - alone_left) / n  # of each leaver: the share of stayers below
    below = 1 - (together[m:] - alone_stayed) / m
    middle = float(above.mean())
    error = float(np.sqrt(_variance(above) / m + _variance(below) / n))
    if not 0 < middle < 1:
        return {"auc": middle, "error": error, "low": middle, "high": middle}
    half = Z * error / (middle * (1 - middle))
    low, high = expit(logit(middle) + np.array([-half, half]))
    return {"auc": middle, "error": error, "low": float(low), "high": float(high)}


def recalibration(outcome: Array, chance: Array) -> dict[str, float | None]:
    """Calibration-in-the-large and slope with 95 % intervals (Cox 1958; van Calster et al. 2019).

    `intercept`: what must be added to the logit so that chances are right on average, 0 when they are; `slope`: what
    the logit must be multiplied by, 1 when it is right, below 1 when chances are too extreme. None where all chances
    are the same. `observed_to_expected`: leavers over the sum of chances.
    """
    z = logit(np.clip(chance, LEAST, 1 - LEAST))
    shift, shift_error = _logistic(np.ones((len(z), 1)), outcome, offset=z)
    found: dict[str, float | None] = {
        "intercept": float(shift[0]), "intercept_low": float(shift[0] - Z * shift_error[0]),
        "intercept_high": float(shift[0] + Z * shift_error[0]), "slope": None, "slope_low": None, "slope_high": None,
        "observed_to_expected": float(np.sum(outcome) / np.sum(chance)),
    }  # fmt: skip
    if np.ptp(z) > LEAST:
        weight, error = _logistic(np.column_stack([np.ones(len(z)), z]), outcome)
        found |= {
            "slope": float(weight[1]), "slope_low": float(weight[1] - Z * error[1]),
            "slope_high": float(weight[1] + Z * error[1]),
        }  # fmt: skip
    return found


def lift(outcome: Array, chance: Array) -> list[dict[str, float]]:
    """By tenths from the highest chance down: `share` of customers so far, `captured` of leavers, `lift` over the rate.

    Customers with the same chance count as their mean.
    """
    _, which, size = np.unique(chance, return_inverse=True, return_counts=True)
    shared = (np.bincount(which, weights=outcome) / size)[which]
    order, total = np.argsort(-chance, kind="stable"), float(np.sum(outcome))
    ends = [round(len(order) * k / 10) for k in range(1, 11)]
    captured = [float(shared[order[:end]].sum()) for end in ends]
    return [
        {"share": end / len(order), "captured": got / total, "lift": got / total / (end / len(order))}
        for end, got in zip(ends, captured, strict=True)
        if end
    ]


def by_group(outcome: Array, chance: Array, columns: pd.DataFrame) -> list[dict[str, Any]]:
    """The same figures by segment, region, plan and years of tenure; groups too small to judge are left out."""
    found = []
    for cut, values in _cuts(columns).items():
        for value in values.value_counts().index[:MOST_GROUPS]:
            some = (values == value).to_numpy()
            y, p = outcome[some], chance[some]
            if len(y) < FEWEST_ROWS or min(y.sum(), len(y) - y.sum()) < FEWEST_EACH:
                continue
            losses = _losses(y, p)
            found.append(
                {
                    "cut": cut, "value": str(value), "rows": len(y), "left": int(y.sum()), "rate": float(y.mean()),
                    "chance": float(p.mean()), **auc(y, p), "log_loss": float(losses.mean()),
                    "log_loss_of_the_rate": float(_losses(y, np.full(len(y), y.mean())).mean()),
                }
            )  # fmt: skip
    return found


def against(outcome: Array, champion: Array, challenger: Array) -> dict[str, float]:
    """Two models on the same held-out customers: `gain` in log loss of the challenger (above 0: better), its `error`.

    A gain within one standard error is no win: `gain_in_errors` says how many it is.
    """
    gained = _losses(outcome, champion) - _losses(outcome, challenger)
    gain, error = float(gained.mean()), _error(gained)
    return {
        "rows": len(outcome), "gain": gain, "error": error, "gain_in_errors": gain / error if error else 0.0,
        "champion_log_loss": float(_losses(outcome, champion).mean()),
        "challenger_log_loss": float(_losses(outcome, challenger).mean()),
        "champion_auc": auc(outcome, champion)["auc"], "challenger_auc": auc(outcome, challenger)["auc"],
        "champion_empc": expected_maximum_profit(outcome, champion).empc,
        "challenger_empc": expected_maximum_profit(outcome, challenger).empc,
    }  # fmt: skip


def _cuts(columns: pd.DataFrame) -> dict[str, pd.Series]:
    cuts = {name: columns[name].reset_index(drop=True) for name in GROUPED_BY if name in columns}
    if "tenure_months" in columns:
        months = columns["tenure_months"].reset_index(drop=True).astype(float)
        edges = [*(float(month) for month in TENURES), float("inf")]
        cuts["tenure"] = pd.cut(months, edges, right=False, labels=list(_tenures()))
    return cuts


def group_in_words(cut: str, value: str) -> str:
    """A group of `by_group` as it is shown: years in words, the company's own names as they are."""
    return _tenures().get(value, value) if cut == "tenure" else value


def _tenures() -> dict[str, str]:
    """The bands of tenure as they are kept, and in the language spoken here."""
    years = [month // 12 for month in TENURES]
    bands = {f"{a} to {b} years": t("{a} to {b} years", a=a, b=b) for a, b in itertools.pairwise(years)}
    return bands | {f"{years[-1]} years and more": t("{a} years and more", a=years[-1])}


def _losses(outcome: Array, chance: Array) -> Array:
    p = np.clip(chance, 1e-15, 1 - 1e-15)
    return -np.where(outcome == 1, np.log(p), np.log1p(-p))


def _error(values: Array) -> float:
    """Standard error of a mean."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _variance(values: Array) -> float:
    return float(np.var(values, ddof=1)) if len(values) > 1 else 0.0


def _logistic(x: Array, outcome: Array, offset: Array | float = 0.0) -> tuple[Array, Array]:
    """Coefficients and standard errors of a plain logistic regression, by Newton's steps.

    A ridge of a millionth keeps the steps finite where one line parts leavers from stayers.
    """
    weight, ridge = np.zeros(x.shape[1]), 1e-6 * np.eye(x.shape[1])
    for _ in range(60):
        p = expit(x @ weight + offset)
        curve = x.T @ (x * (p * (1 - p))[:, None]) + ridge
        step = np.linalg.solve(curve, x.T @ (outcome - p) - ridge @ weight)
        weight = weight + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-10:
            break
    p = expit(x @ weight + offset)
    return weight, np.sqrt(np.diag(np.linalg.inv(x.T @ (x * (p * (1 - p))[:, None]) + ridge)))
