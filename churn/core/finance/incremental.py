"""What money kept that would have gone without it: the effect on those who were given some, with an interval.

Compared are callers somebody meant to give money to: those who got it, and those who got none because a trial held it
back or because there was none to give. Who was never meant to get anything says nothing of them: agents hear who is in
earnest. Of each caller with money, what they would have done without is the outcome model of those without, corrected
by its errors on them weighted by the odds of getting money (augmented inverse propensity, effect on the treated:
Robins, Rotnitzky & Zhao 1994; cross-fitted: Chernozhukov et al. 2018). Right when either model is; intervals by the
influence function. Within a trial the propensity is known, so nothing rests on a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from churn.core.effects.context import Encoder, columns_of
from churn.core.language import ENGLISH, mark, number, speaking, t
from churn.core.leaving.candidates import one_thread

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

MEASURED, MODELLED, MISSING = (
    mark("measured on the trial arm"),
    mark("modelled, doubly robust"),
    mark("not enough data"),
)
LABELS = (MEASURED, MODELLED, MISSING)
FEWEST_WITH, FEWEST_WITHOUT = 100, 40  # callers with money, and without though it was meant for them
FOLDS = 5
MOST_ODDS = 0.97  # a propensity above this counts as this much: one caller never stands for more than thirty
UNLIKELY = 0.001  # arms as unequal as this by chance were not drawn as the log says
KNOWN = ("amount", "stayed", "worth", "intended_amount", "p_nothing")


@dataclass(frozen=True, slots=True)
class Range:
    """A figure with both ends of its interval."""

    middle: float
    low: float
    high: float

    def less(self, cost: float) -> Range:
        """The same with a known cost taken off."""
        return Range(self.middle - cost, self.low - cost, self.high - cost)


@dataclass(frozen=True, slots=True)
class Return:
    """What the money of `given` callers did. Money in major units, `deadweight` a share of the money.

    `kept`: callers who stayed because of it; `margin`: what these are worth; `spent`: the money. `missing`: a sentence,
    where there is not enough data; the figures are then None.
    """

    label: str
    given: int
    without: int
    spent: float
    kept: Range | None = None
    margin: Range | None = None
    deadweight: Range | None = None
    missing: str = ""

    @property
    def net(self) -> Range | None:
        """Margin kept less the money given."""
        return self.margin.less(self.spent) if self.margin else None

    @property
    def per_unit(self) -> Range | None:
        """Margin kept for each unit of money."""
        if self.margin is None or self.spent <= 0:
            return None
        return Range(*(end / self.spent for end in (self.margin.middle, self.margin.low, self.margin.high)))


@dataclass(frozen=True, slots=True)
class _Calls:
    """Callers money was meant for: who got it, with what chance (NaN: not drawn), and what became of them."""

    got: Flags
    stayed: Array
    worth: Array
    money: Array  # given, or meant
    chance: Array
    features: Array


def incremental_return(log: pd.DataFrame, *, level: float = 0.9, seed: int = 0) -> Return:
    """What the money of a log of calls brought, by the best way the log allows.

    `log`: amount (≥ 0), stayed (0/1), worth given staying (NaN: not known), intended_amount where known, p_nothing (the
    chance of nothing where it was drawn, else NaN); every other column is context known before the call.
    """
    amount, meant = _numbers(log, "amount"), _numbers(log, "intended_amount")
    money = np.where(amount > 0, amount, np.nan_to_num(meant))
    usable = (money > 0) & np.isfinite(_numbers(log, "stayed")) & np.isfinite(_numbers(log, "worth"))
    held = log.loc[usable].reset_index(drop=True)
    chance = 1.0 - _numbers(held, "p_nothing")
    drawn = np.isfinite(chance) & (chance > 0) & (chance < 1)
    got = _numbers(held, "amount") > 0
    if _is_trial(got[drawn], chance[drawn]):
        return _told(MEASURED, _calls(held.loc[drawn].reset_index(drop=True), with_context=False), level, seed)
    short = _missing(int(got.sum()), int((~got).sum()))
    if short:
        return Return(MISSING, int(got.sum()), int((~got).sum()), float(amount[usable].sum()), missing=short)
    return _told(MODELLED, _calls(held.drop(columns="p_nothing", errors="ignore"), with_context=True), level, seed)


def _is_trial(got: Flags, chance: Array) -> bool:
    """Whether enough was drawn, and as often as the log says: arms that are not as drawn measure nothing."""
    if got.sum() < FEWEST_WITH or (~got).sum() < FEWEST_WITHOUT:
        return False
    z = (got.sum() - chance.sum()) / np.sqrt((chance * (1 - chance)).sum())
    return bool(2 * norm.sf(abs(z)) > UNLIKELY)


def _missing(given: int, without: int) -> str:
    """What a comparison lacks, as a sentence; empty when it lacks nothing."""
    lacking = []
    if given < FEWEST_WITH:
        lacking.append(t("{n} calls with money are settled, {least} are needed", n=number(given), least=FEWEST_WITH))
    if without < FEWEST_WITHOUT:
        lacking.append(
            t(
                "{n} settled calls show what happens without it though it was meant, {least} are needed: "
                "a trial that holds money back by lot gives them soonest",
                n=number(without),
                least=FEWEST_WITHOUT,
            )
        )
    return "; ".join(lacking)


def lacks(told: Return) -> str:
    """What a kept comparison lacks, in the language spoken here; the night kept it in English."""
    with speaking(ENGLISH):
        is_counted = told.missing == _missing(told.given, told.without)
    return _missing(told.given, told.without) if is_counted else t(told.missing)


def _calls(held: pd.DataFrame, *, with_context: bool) -> _Calls:
    amount, meant = _numbers(held, "amount"), _numbers(held, "intended_amount")
    money = np.where(amount > 0, amount, meant)
    context = columns_of(held.drop(columns=[name for name in KNOWN if name in held]))
    context["money_meant"] = np.where(np.isfinite(meant) & (meant > 0), meant, amount)
    if "monthly_bill" in context:
        bill = np.asarray(context["monthly_bill"], float)
        context["bills_meant"] = np.divide(context["money_meant"], bill, out=np.full(len(bill), np.nan), where=bill > 0)
    features = Encoder.fit(context).linear(context, len(held))
    chance = np.full(len(held), np.nan) if with_context else 1.0 - _numbers(held, "p_nothing")
    return _Calls(amount > 0, _numbers(held, "stayed"), _numbers(held, "worth"), money, chance, features)


def _told(label: str, calls: _Calls, level: float, seed: int) -> Return:
    with one_thread():
        stay, chance = _cross_fitted(calls, seed)
    odds = np.where(calls.got, 0.0, chance / (1 - chance))
    odds *= calls.got.sum() / odds.sum()
    z = float(norm.ppf(0.5 + level / 2))

    def on_treated(weight: Array) -> Range:
        """Sum over callers with money of weight × (stayed − would have stayed)."""
        parts = weight * np.where(calls.got, 1.0, -odds) * (calls.stayed - stay)
        return _range(parts, z)

    kept, margin = on_treated(np.ones(len(stay))), on_treated(calls.worth)
    spent = float(calls.money[calls.got].sum())
    anyway = on_treated(calls.money / spent)
    stayed = float((calls.money * calls.stayed)[calls.got].sum()) / spent
    dead = Range(*(float(np.clip(stayed - end, 0.0, 1.0)) for end in (anyway.middle, anyway.high, anyway.low)))
    return Return(label, int(calls.got.sum()), int((~calls.got).sum()), spent, kept, margin, dead)


def _range(parts: Array, z: float) -> Range:
    middle = float(parts.sum())
    half = z * float(np.sqrt(len(parts)) * parts.std(ddof=1))
    return Range(middle, middle - half, middle + half)


def _cross_fitted(calls: _Calls, seed: int) -> tuple[Array, Array]:
    """(n,) chances of staying without money, and of getting it; each by models that have not seen the caller."""
    stay, chance = np.full(len(calls.got), np.nan), calls.chance.copy()
    is_known = bool(np.isfinite(chance).all())
    for learn, test in KFold(FOLDS, shuffle=True, random_state=seed).split(calls.features):
        without = learn[~calls.got[learn]]
        stay[test] = _logistic(calls.features[without], calls.stayed[without])(calls.features[test])
        if not is_known:
            chance[test] = _logistic(calls.features[learn], calls.got[learn].astype(float))(calls.features[test])
    return stay, chance.clip(1 - MOST_ODDS, MOST_ODDS)


def _logistic(features: Array, target: Array) -> Callable[[Array], Array]:
    """Chances by a logistic regression, shrunk as hard as few rows ask for; the base rate where all are alike."""
    rate = float((target.sum() + 0.5) / (len(target) + 1))
    if len(np.unique(target)) < 2:
        return lambda asked: np.full(len(asked), rate)
    model = LogisticRegression(C=len(target) / (20.0 * features.shape[1] + len(target)), max_iter=400)
    model.fit(features, target)
    return lambda asked: np.asarray(model.predict_proba(asked)[:, 1])


def _numbers(frame: pd.DataFrame, name: str) -> Array:
    if name not in frame:
        return np.full(len(frame), np.nan)
    return np.asarray(pd.to_numeric(frame[name], errors="coerce").to_numpy(float))
