"""What a concession changes: the chance of staying as a function of money, learned from logged calls.

`logit p(stay | x, a) = α(x) + 1[a>0]·δ(x) + f(t; x) + control`, with dose `t = log(1 + amount / monthly bill)`. δ is
the jump at "an offer was made" and may be negative; f is piecewise linear in the dose with slopes β(x) + bends, never
negative. Every coefficient has a Gaussian prior centred on the policy's default curve; how hard the parts shrink is
learned from the log (evidence, MacKay's update); the fit is the posterior mode by Newton's method, intervals are
Laplace's. `control` is what the agent heard (`churn.core.effects.control`); at decision time nobody has heard anything
yet, so it is averaged out over its distribution given x. Source of the method and of its figures: the design note on
offers.

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
from scipy.special import expit
from scipy.stats import norm

from churn.core.effects.context import Column, Encoder, columns_of
from churn.core.effects.control import Control, first_stage
from churn.core.effects.shrinkage import Group, Prior, posterior
from churn.core.leaving.candidates import one_thread

Array = NDArray[np.float64]
LOG_COLUMNS = ("amount", "stayed", "agent_id", "given_month", "intended_amount", "propensity")
BENDS = (0.25, 0.7)  # doses at which the slope may change: amounts of 0.28 and 1.0 of a monthly bill
FEWEST_ROWS = 200
MISFIT = 0.3  # logits by which a caller's true curve may miss the form of this one, however long the log
# How what was heard changes the effect of money: mostly along one line, on which "meant to give nothing" lies beyond
# the smallest gifts (first column; `u` counts 1.5 times `v`), for there money is rare and the curve else guesswork.
TIED = np.array([[-1.5, 1.0], [1.0, 0.0]])


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
    """Callers ready for the curve: intercept and features, bill, chance that an agent means to give nothing."""

    features: Array  # (n, k)
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
        prior = _prior(self.default, 0, 0)
        # policy is an opinion, not evidence: twice its spread, so that no gain is claimed before there is a log
        self._settle(prior.mean, np.diag(4.0 * prior.variance))

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
            with one_thread():
                self._learn(log.loc[usable], amount[usable], stayed[usable])
        return self

    def _learn(self, log: pd.DataFrame, amount: Array, stayed: Array) -> None:
        context = columns_of(log[[c for c in log.columns if c not in LOG_COLUMNS]])
        bills = context["monthly_bill"]
        self.middle_bill = float(np.nanmedian(bills[bills > 0])) if (bills > 0).any() else 1.0
        self.encoder = Encoder.fit(context)
        calls = self._encode(context, len(log))
        meant = _dose(calls.bill, _meant(log, amount)[:, None])[1][:, 0]
        self.control, heard = first_stage(calls.features, meant, _codes(log, "agent_id"), _codes(log, "given_month"))
        offered, dose = _dose(calls.bill, amount[:, None])
        design = _design(calls, offered[:, 0], dose[:, 0], heard)
        bends = self.encoder.bends_count
        prior = _prior(self.default, calls.features.shape[1] - 1 - bends, bends)
        self._settle(*posterior(design, stayed, prior))

    # ---- asking ----------------------------------------------------------------------------------------------------

    def encode(self, X: pd.DataFrame | Mapping[str, Any]) -> Encoded:
        """Callers as numbers, once per caller; a mapping of plain values is one caller. Columns may be missing."""
        arrays = columns_of(X)
        n = len(X) if isinstance(X, pd.DataFrame) else len(next(iter(arrays.values()), [0]))
        return self._encode(arrays, n)

    def _encode(self, arrays: Mapping[str, NDArray[Any]], n: int) -> Encoded:
        linear = self.encoder.linear(arrays, n)
        features = np.hstack([np.ones((n, 1)), linear, self.encoder.bends(linear)])
        bill = np.asarray(arrays.get("monthly_bill", np.full(n, np.nan)), float)
        bill = np.where(np.isfinite(bill) & (bill > 0), bill, self.middle_bill)
        known = len(self.control.nothing) == features.shape[1]
        nothing = self.control.chance_of_nothing(features) if known else np.full(n, 0.3)
        return Encoded(features, bill, nothing)

    def curve(self, callers: Encoded, amounts: ArrayLike) -> Array:
        """Chance of staying (n, m) for encoded callers and amounts (m,) or (n, m) ≥ 0."""
        return self._nodes(callers, np.asarray(amounts, float))[0]

    def p_stay(self, X: pd.DataFrame, amounts: ArrayLike) -> Array:
        """Chance of staying (n, m) for each caller and amount; never falls in money once there is some."""
        return self.curve(self.encode(X), amounts)

    def interval(self, X: pd.DataFrame, amounts: ArrayLike, level: float = 0.9) -> tuple[Array, Array]:
        """Lower and upper end (n, m) of the interval of `p_stay` at `level` in (0, 1); ValueError outside."""
        callers, money = self.encode(X), np.asarray(amounts, float)
        money = np.broadcast_to(money, (len(callers.bill), money.shape[-1]))
        low, high = np.empty(money.shape), np.empty(money.shape)
        with one_thread():
            for at in range(0, max(len(money), 1), 1000):  # the gradients of everybody at once would fill the memory
                part = slice(at, at + 1000)
                some = Encoded(callers.features[part], callers.bill[part], callers.nothing[part])
                low[part], high[part] = self.curve_interval(some, money[part], level)
        return low, high

    def as_logged(self, log: pd.DataFrame) -> tuple[Array, Array]:
        """Of logged calls, as `fit` takes them: chance of staying (n,) at what was given, what the agent heard counted
        in, and the logits (n,) by which hearing it moved that chance. For judging calls this model never saw.
        """
        calls = self.encode(log[[c for c in log.columns if c not in LOG_COLUMNS]])
        amount = pd.to_numeric(log["amount"], errors="coerce").to_numpy(float)
        meant = _dose(calls.bill, _meant(log, amount)[:, None])[1][:, 0]
        _, heard = first_stage(calls.features, meant, _codes(log, "agent_id"), _codes(log, "given_month"))
        offered, dose = _dose(calls.bill, amount[:, None])
        alpha, delta, beta, bend, main, at_offer, at_dose = _parts(self.theta, calls.features.shape[1])
        tied, moved = heard @ TIED, heard @ main
        rise = _rise(dose, calls.features @ beta + tied @ at_dose, bend)[:, 0]
        jump = offered[:, 0] * (calls.features @ delta + tied @ at_offer)
        return expit(calls.features @ alpha + moved + jump + rise), moved

    def curve_interval(self, callers: Encoded, amounts: ArrayLike, level: float = 0.9) -> tuple[Array, Array]:
        """`interval` for encoded callers. Raises ValueError when `level` is not inside (0, 1)."""
        p, gradient = self._nodes(callers, np.asarray(amounts, float), want_gradient=True)
        spread = np.hypot(self._spread(gradient), MISFIT)
        middle, wide = np.log(p / (1 - p)), _deviations(level) * spread
        return expit(middle - wide), expit(middle + wide)

    def gain_interval(self, callers: Encoded, amounts: ArrayLike, level: float = 0.9) -> tuple[Array, Array, Array]:
        """Gain in the chance of staying over no offer, its lower and its upper end, (n, m) each, for encoded callers.

        What is not known of the caller's chance with nothing offered cancels, so this is narrower than two intervals
        apart. Covers 0: no evidence. Raises ValueError when `level` is not inside (0, 1).
        """
        money = np.asarray(amounts, float)
        money = np.broadcast_to(money, (len(callers.bill), money.shape[-1]))
        both = np.hstack([np.zeros((len(money), 1)), money])
        p, gradient = self._nodes(callers, both, want_gradient=True)
        by_logit = p * (1 - p)
        of_gain = by_logit[:, 1:, None] * gradient[:, 1:] - by_logit[:, :1, None] * gradient[:, :1]
        misfit = MISFIT * by_logit[:, 1:] * (money > 0)
        wide = _deviations(level) * np.hypot(self._spread(of_gain), misfit)
        gain = p[:, 1:] - p[:, :1]
        return gain, gain - wide, gain + wide

    def _spread(self, gradient: Array) -> Array:
        """Standard deviation (n, m) of what has this gradient (n, m, p). One caller stays off the threads of BLAS."""
        root = self._root
        moved = np.einsum("nmp,pq->nmq", gradient, root) if len(gradient) == 1 else gradient @ root
        return np.asarray(np.sqrt((moved**2).sum(axis=-1)))

    def _settle(self, theta: Array, covariance: Array) -> None:
        self.theta, self.covariance = theta, covariance
        self._root = np.asarray(np.linalg.cholesky(covariance + 1e-12 * np.eye(len(theta))), float)

    def _nodes(self, callers: Encoded, amounts: Array, *, want_gradient: bool = False) -> tuple[Array, Array]:
        """Average over what the agent may have heard: p (n, m) and, if wanted, the gradient of its logit (n, m, p)."""
        offered, dose = _dose(callers.bill, amounts)
        n = len(callers.bill)
        alpha, delta, beta, bend, main, at_offer, at_dose = _parts(self.theta, callers.features.shape[1])
        base, jump, slope = (callers.features @ part for part in (alpha, delta, beta))
        p, w_sum, w_heard = np.zeros(dose.shape), np.zeros(dose.shape), np.zeros((*dose.shape, 2))
        for none, v, weight in [(1.0, 0.0, 1.0), *((0.0, *node) for node in self.control.nodes or [[0.0, 1.0]])]:
            heard = np.column_stack([none - callers.nothing, np.full(n, v)])
            share = weight * (callers.nothing if none else 1.0 - callers.nothing)
            tied = heard @ TIED
            rise = _rise(dose, slope + tied @ at_dose, bend)
            logits = (base + heard @ main)[:, None] + offered * (jump + tied @ at_offer)[:, None] + rise
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
        o, t, w_tied = offered[:, :, None], dose[:, :, None], w_heard @ TIED
        shared = np.concatenate(
            [
                np.broadcast_to(callers.features[:, None, :], (*dose.shape, callers.features.shape[1])),
                o * callers.features[:, None, :],
                t * callers.features[:, None, :],
                *(np.maximum(t - at, 0.0) for at in BENDS),
            ],
            axis=2,
        )
        return p, np.concatenate([w_sum[:, :, None] * shared, w_heard, o * w_tied, t * w_tied], axis=2)

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
        model._settle(np.array(params["theta"]), np.array(params["covariance"]))
        return model


def _dose(bill: Array, amounts: Array) -> tuple[Array, Array]:
    """Offered (0/1) and dose, both (n, m), for amounts (m,) or (n, m); a NaN or negative amount is none."""
    money = np.nan_to_num(np.broadcast_to(amounts, (len(bill), amounts.shape[-1])), nan=0.0).clip(min=0.0)
    return (money > 0).astype(float), np.log1p(money / bill[:, None])


def _deviations(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"a level is between 0 and 1, not {level}")
    return float(norm.ppf(0.5 + level / 2))


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
    x = calls.features
    tied = heard @ TIED
    return np.hstack([x, o * x, t * x, *bends, heard, o * tied, t * tied])


def _parts(theta: Array, k: int) -> list[Array]:
    """α (k), δ (k), β (k), bends (2), control (2), what it changes at an offer (2) and by dose (2)."""
    return np.split(theta, np.cumsum([k, k, k, len(BENDS), 2, 2]))


def _rise(dose: Array, slope: Array, bend: Array) -> Array:
    """What the dose adds to the logit, (n, m): piecewise linear, every slope at least 0."""
    edges = (0.0, *BENDS, np.inf)
    total, steep = np.zeros(dose.shape), slope
    for j in range(len(edges) - 1):
        total += np.maximum(steep, 0.0)[:, None] * (dose - edges[j]).clip(0.0, edges[j + 1] - edges[j])
        if j < len(bend):
            steep = steep + bend[j]
    return total


def _prior(default: DefaultCurve, d: int, c: int) -> Prior:
    """Priors in the order of `_parts`: hard on how effects differ by context, softer on the population's curve."""
    return Prior(
        [
            Group(1, default.base, 1.0),
            Group(d, 0.0, 0.4, learned=True),
            Group(c, 0.0, 0.1, learned=True),
            Group(1, default.jump, 0.3),
            Group(d, 0.0, 0.15, learned=True),
            Group(c, 0.0, 0.06, learned=True),
            Group(1, default.slope, 0.5),
            Group(d, 0.0, 0.25, learned=True),
            Group(c, 0.0, 0.08, learned=True),
            Group(len(BENDS), 0.0, 0.3),
            Group(2, 0.0, 1.0),
            *(Group(1, 0.0, sd) for sd in (0.6, 0.2, 0.6, 1.0)),
        ]
    )
