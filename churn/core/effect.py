"""What a concession changes: the chance of staying as a function of money, learned from logged calls.

`logit p(stay | x, a) = α(x) + 1[a>0]·δ(x) + f(t; x) + control`, with dose `t = log(1 + amount / monthly bill)`. δ is
the jump at "an offer was made" and may be negative; f is piecewise linear in the dose with slopes β(x) + bends, never
negative. Every coefficient has a Gaussian prior centred on the policy's default curve; how hard the parts shrink is
learned from the log (evidence, MacKay's update); the fit is the posterior mode by Newton's method, intervals are
Laplace's. `control` is what the agent heard (`churn.core.control`); at decision time nobody has heard anything yet, so
it is averaged out over its distribution given x. Source of the method and of its figures: the design note on offers.

    model = ConcessionEffect().fit(log)
    model.p_stay(X, amounts)                     # (n, m)
    row = model.encode({"tenure_months": 14, ..., "monthly_bill": 42.0})      # one caller, no pandas
    model.curve(row, amounts)                    # (1, m)
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit
from scipy.stats import norm

from churn.core.context import Column, Encoder, columns_of
from churn.core.control import Control, first_stage

Array = NDArray[np.float64]
LOG_COLUMNS = ("amount", "stayed", "agent_id", "given_month", "intended_amount", "propensity")
BENDS = (0.25, 0.7)  # doses at which the slope may change: amounts of 0.28 and 1.0 of a monthly bill
FEWEST_ROWS = 200


@dataclass(frozen=True)
class DefaultCurve:
    """The policy's curve before any log: `logit p = base + jump·1[a>0] + slope·log(1 + a / monthly bill)`.

    `base` is the logit of staying with nothing offered where nothing is known of the caller.
    """

    base: float = 0.3
    jump: float = 0.0
    slope: float = 0.9

    def p_stay(self, base_logit: ArrayLike, monthly_bill: ArrayLike, amounts: ArrayLike) -> Array:
        """Chance of staying (n, m) for callers with a logit of their own (n,), bills (n,), amounts (m,) or (n, m)."""
        offered, dose = _dose(np.asarray(monthly_bill, float), np.asarray(amounts, float))
        logits = np.asarray(base_logit, float)[:, None] + self.jump * offered + self.slope * dose
        return np.asarray(expit(logits))


@dataclass
class Encoded:
    """Callers ready for the curve: intercept and features, bends, bill, chance that an agent means to give nothing."""

    linear: Array  # (n, 1 + d)
    bends: Array  # (n, c)
    bill: Array  # (n,)
    nothing: Array  # (n,)


class ConcessionEffect:
    """Chance of staying by amount for each caller. Plain arrays inside: it pickles, and `to_params` is JSON."""

    def __init__(self, default: DefaultCurve | None = None) -> None:
        self.default = default or DefaultCurve()
        self.rows = 0
        self._start_from_policy()

    def _start_from_policy(self) -> None:
        self.encoder, self.control, self.middle_bill = Encoder(), Control(nothing=[0.3]), 1.0
        prior = _Prior(self.default, 0, 0)
        self.theta, self.covariance = prior.mean, np.diag(prior.variance)

    # ---- learning --------------------------------------------------------------------------------------------------

    def fit(self, log: pd.DataFrame) -> "ConcessionEffect":
        """Learn from logged calls; with fewer than 200 usable rows the policy's curve stays, with its wide interval.

        `log` holds `amount` (≥ 0, NaN rows are dropped), `stayed` (0/1), `monthly_bill`, and where known `agent_id`,
        `given_month`, `intended_amount`, `propensity` (NaN unless the amount was drawn); every other column is context.

        Raises ValueError when `amount`, `stayed` or `monthly_bill` is missing or an amount is negative.
        """
        missing = {"amount", "stayed", "monthly_bill"} - set(log.columns)
        if missing:
            raise ValueError(f"the log lacks {', '.join(sorted(missing))}")
        amount, stayed = (pd.to_numeric(log[c], errors="coerce").to_numpy(float) for c in ("amount", "stayed"))
        usable = np.isfinite(amount) & np.isfinite(stayed)
        if (amount[usable] < 0).any():
            raise ValueError("an amount in the log is negative")
        self.rows = int(usable.sum())
        self._start_from_policy()
        if self.rows >= FEWEST_ROWS:
            self._learn(log.loc[usable], amount[usable], stayed[usable])
        return self

    def _learn(self, log: pd.DataFrame, amount: Array, stayed: Array) -> None:
        context = columns_of(log[[c for c in log.columns if c not in LOG_COLUMNS]])
        bills = context["monthly_bill"]
        self.middle_bill = float(np.nanmedian(bills[bills > 0])) if (bills > 0).any() else 1.0
        self.encoder = Encoder.fit(context)
        calls = self._encode(context, len(log))
        features = np.hstack([calls.linear, calls.bends])
        meant = _dose(calls.bill, _meant(log, amount)[:, None])[1][:, 0]
        self.control, heard = first_stage(features, meant, _codes(log, "agent_id"), _codes(log, "given_month"))
        offered, dose = _dose(calls.bill, amount[:, None])
        design = _design(calls, offered[:, 0], dose[:, 0], heard)
        prior = _Prior(self.default, calls.linear.shape[1] - 1, calls.bends.shape[1])
        self.theta, self.covariance = _posterior(design, stayed, prior)

    # ---- asking ----------------------------------------------------------------------------------------------------

    def encode(self, X: pd.DataFrame | Mapping[str, Any]) -> Encoded:
        """Callers as numbers, once per caller; a mapping of plain values is one caller. Columns may be missing."""
        arrays = columns_of(X)
        n = len(X) if isinstance(X, pd.DataFrame) else len(next(iter(arrays.values()), [0]))
        return self._encode(arrays, n)

    def _encode(self, arrays: Mapping[str, NDArray[Any]], n: int) -> Encoded:
        linear = self.encoder.linear(arrays, n)
        bends = self.encoder.bends(linear)
        linear = np.hstack([np.ones((n, 1)), linear])
        bill = np.asarray(arrays.get("monthly_bill", np.full(n, np.nan)), float)
        bill = np.where(np.isfinite(bill) & (bill > 0), bill, self.middle_bill)
        features = np.hstack([linear, bends])
        known = len(self.control.nothing) == features.shape[1]
        nothing = self.control.chance_of_nothing(features) if known else np.full(n, 0.3)
        return Encoded(linear, bends, bill, nothing)

    def curve(self, callers: Encoded, amounts: ArrayLike) -> Array:
        """Chance of staying (n, m) for encoded callers and amounts (m,) or (n, m) ≥ 0."""
        return self._nodes(callers, np.asarray(amounts, float))[0]

    def p_stay(self, X: pd.DataFrame, amounts: ArrayLike) -> Array:
        """Chance of staying (n, m) for each caller and amount; never falls in money once there is some."""
        return self.curve(self.encode(X), amounts)

    def interval(self, X: pd.DataFrame, amounts: ArrayLike, level: float = 0.9) -> tuple[Array, Array]:
        """Lower and upper end (n, m) of the interval of `p_stay` at `level` in (0, 1)."""
        return self.curve_interval(self.encode(X), amounts, level)

    def curve_interval(self, callers: Encoded, amounts: ArrayLike, level: float = 0.9) -> tuple[Array, Array]:
        """`interval` for encoded callers. Raises ValueError when `level` is not inside (0, 1)."""
        if not 0 < level < 1:
            raise ValueError(f"a level is between 0 and 1, not {level}")
        money = np.asarray(amounts, float)
        money = np.broadcast_to(money, (len(callers.bill), money.shape[-1]))
        root = np.linalg.cholesky(self.covariance + 1e-12 * np.eye(len(self.theta)))
        p, spread = np.empty(money.shape), np.empty(money.shape)
        for at in range(0, len(money), 2000):
            part = slice(at, at + 2000)
            some = Encoded(callers.linear[part], callers.bends[part], callers.bill[part], callers.nothing[part])
            p[part], gradient = self._nodes(some, money[part], want_gradient=True)
            spread[part] = np.sqrt(((gradient @ root) ** 2).sum(axis=-1))
        middle, wide = np.log(p / (1 - p)), norm.ppf(0.5 + level / 2) * spread
        return expit(middle - wide), expit(middle + wide)

    def _nodes(self, callers: Encoded, amounts: Array, *, want_gradient: bool = False) -> tuple[Array, Array]:
        """Average over what the agent may have heard: p (n, m) and, if wanted, the gradient of its logit (n, m, p)."""
        offered, dose = _dose(callers.bill, amounts)
        n, d, c = len(callers.bill), callers.linear.shape[1], callers.bends.shape[1]
        alpha, delta, beta, bend, main, at_offer, at_dose = _parts(self.theta, d, c)
        base = callers.linear @ alpha[:d] + callers.bends @ alpha[d:]
        jump, slope = callers.linear @ delta, callers.linear @ beta
        p, w_sum, w_heard = np.zeros(dose.shape), np.zeros(dose.shape), np.zeros((*dose.shape, 2))
        for none, v, weight in [(1.0, 0.0, 1.0), *((0.0, *node) for node in self.control.nodes or [[0.0, 1.0]])]:
            heard = np.column_stack([none - callers.nothing, np.full(n, v)])
            share = weight * (callers.nothing if none else 1.0 - callers.nothing)
            rise = _rise(dose, slope + heard @ at_dose, bend)
            logits = (base + heard @ main)[:, None] + offered * (jump + heard @ at_offer)[:, None] + rise
            q = expit(logits)
            p += share[:, None] * q
            if want_gradient:
                w = share[:, None] * q * (1 - q)
                w_sum += w
                w_heard += w[:, :, None] * heard[:, None, :]
        p = p.clip(1e-9, 1 - 1e-9)
        if not want_gradient:
            return p, w_heard
        scale = 1.0 / (p * (1 - p))
        w_sum, w_heard = w_sum * scale, w_heard * scale[:, :, None]
        o, t = offered[:, :, None], dose[:, :, None]
        shared = np.concatenate(
            [
                np.broadcast_to(np.hstack([callers.linear, callers.bends])[:, None, :], (*dose.shape, d + c)),
                o * callers.linear[:, None, :],
                t * callers.linear[:, None, :],
                *(np.maximum(t - at, 0.0) for at in BENDS),
            ],
            axis=2,
        )
        return p, np.concatenate([w_sum[:, :, None] * shared, w_heard, o * w_heard, t * w_heard], axis=2)

    # ---- keeping ---------------------------------------------------------------------------------------------------

    def to_params(self) -> dict[str, Any]:
        """Everything learned, as values JSON can hold."""
        return {
            "default": asdict(self.default),
            "rows": self.rows,
            "middle_bill": self.middle_bill,
            "columns": [asdict(column) for column in self.encoder.columns],
            "control": asdict(self.control),
            "theta": self.theta.tolist(),
            "covariance": self.covariance.tolist(),
        }

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> "ConcessionEffect":
        """The model `to_params` came from."""
        model = cls(DefaultCurve(**params["default"]))
        model.rows, model.middle_bill = params["rows"], params["middle_bill"]
        model.encoder = Encoder([Column(**column) for column in params["columns"]])
        model.control = Control(**params["control"])
        model.theta, model.covariance = np.array(params["theta"]), np.array(params["covariance"])
        return model


def _dose(bill: Array, amounts: Array) -> tuple[Array, Array]:
    """Offered (0/1) and dose, both (n, m), for amounts (m,) or (n, m); a NaN or negative amount is none."""
    money = np.nan_to_num(np.broadcast_to(amounts, (len(bill), amounts.shape[-1])), nan=0.0).clip(min=0.0)
    return (money > 0).astype(float), np.log1p(money / bill[:, None])


def _meant(log: pd.DataFrame, amount: Array) -> Array:
    """What each agent meant to give: as logged, else the amount, else (drawn, and not logged) NaN for unknown."""
    empty = np.full(len(log), np.nan)
    meant, drawn = (
        pd.to_numeric(log[c], errors="coerce").to_numpy(float) if c in log else empty
        for c in ("intended_amount", "propensity")
    )
    return np.where(np.isfinite(meant), meant, np.where(np.isfinite(drawn), np.nan, amount))


def _codes(log: pd.DataFrame, column: str) -> NDArray[np.int64]:
    if column not in log:
        return np.full(len(log), -1)
    return np.asarray(pd.factorize(log[column], sort=False)[0], np.int64)


def _design(calls: Encoded, offered: Array, dose: Array, heard: Array) -> Array:
    """The columns of the linear predictor, (n, p), in the order of `_parts`."""
    o, t = offered[:, None], dose[:, None]
    bends = [np.maximum(t - at, 0.0) for at in BENDS]
    return np.hstack(
        [calls.linear, calls.bends, o * calls.linear, t * calls.linear, *bends, heard, o * heard, t * heard]
    )


def _parts(theta: Array, d: int, c: int) -> list[Array]:
    """α (d+c), δ (d), β (d), bends (2), control (2), control at an offer (2), control by dose (2)."""
    return np.split(theta, np.cumsum([d + c, d, d, len(BENDS), 2, 2]))


def _rise(dose: Array, slope: Array, bend: Array) -> Array:
    """What the dose adds to the logit, (n, m): piecewise linear, every slope at least 0."""
    edges = (0.0, *BENDS, np.inf)
    total, steep = np.zeros(dose.shape), slope
    for j in range(len(edges) - 1):
        total += np.maximum(steep, 0.0)[:, None] * (dose - edges[j]).clip(0.0, edges[j + 1] - edges[j])
        if j < len(bend):
            steep = steep + bend[j]
    return total


class _Prior:
    """Prior means and variances by group; the spread of groups with `learned` is found from the log."""

    def __init__(self, default: DefaultCurve, d: int, c: int) -> None:
        parts = [  # size, mean, standard deviation, learned
            (1, default.base, 1.0, False),
            (d, 0.0, 0.4, True),
            (c, 0.0, 0.1, True),
            (1, default.jump, 0.3, False),
            (d, 0.0, 0.15, True),
            (1, default.slope, 0.5, False),
            (d, 0.0, 0.25, True),
            (len(BENDS), 0.0, 0.3, False),
            (2, 0.0, 1.0, False),
            (4, 0.0, 0.3, False),
        ]
        self.mean = np.concatenate([np.full(size, float(mean)) for size, mean, _, _ in parts])
        self.variance = np.concatenate([np.full(size, sd**2) for size, _, sd, _ in parts])
        starts = np.cumsum([0, *(size for size, _, _, _ in parts)])
        self.learned = [
            (slice(starts[i], starts[i + 1]), sd**2)
            for i, (size, _, sd, learned) in enumerate(parts)
            if learned and size
        ]


def _posterior(design: Array, stayed: Array, prior: _Prior, *, rounds: int = 8) -> tuple[Array, Array]:
    """Mode (p,) and Laplace covariance (p, p), the learned spreads by evidence with a weak prior on each."""
    theta, variance = prior.mean.copy(), prior.variance.copy()
    covariance = np.diag(variance)
    for _ in range(rounds):
        theta, covariance = _newton(design, stayed, prior.mean, variance, theta)
        for part, start in prior.learned:
            settled = (1.0 - np.diag(covariance)[part] / variance[part]).sum()
            off = theta[part] - prior.mean[part]
            variance[part] = (off @ off + 4.0 * start) / (settled + 4.0)
    return theta, covariance


def _newton(
    design: Array, stayed: Array, mean: Array, variance: Array, theta: Array, *, steps: int = 25
) -> tuple[Array, Array]:
    """Posterior mode from a warm start, halving steps that do not climb."""

    def height(at: Array) -> float:
        eta = design @ at
        return float(stayed @ eta - np.logaddexp(0.0, eta).sum() - 0.5 * ((at - mean) ** 2 / variance).sum())

    now = height(theta)
    for _ in range(steps):
        p = expit(design @ theta)
        gradient = design.T @ (stayed - p) - (theta - mean) / variance
        hessian = (design * (p * (1 - p))[:, None]).T @ design + np.diag(1.0 / variance)
        factor = cho_factor(hessian)
        step = cho_solve(factor, gradient)
        while height(theta + step) < now - 1e-9 and np.abs(step).max() > 1e-8:
            step = 0.5 * step
        theta = theta + step
        now = height(theta)
        if np.abs(step).max() < 1e-5:
            break
    return theta, cho_solve(factor, np.eye(len(theta)))
