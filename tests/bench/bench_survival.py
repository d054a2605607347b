"""Survival on the Telco data: rank, error and landmark calibration over ten folds, beside a bare Cox model.

    python -m tests.bench.bench_survival [--folds N] [--truncated]

The folder of public data is `../shared/data`, or `KEEPLINE_DATA`. `at 12` is the risk of leaving within 12 months given
12, predicted ÷ observed by Kaplan–Meier on the test customers of tenure 12 or more; `past 12` leaves out those gone in
month 12 itself, as conditional survival does. `E/O` sets the events expected (the hazard each was exposed to) against
those seen, and does not need censoring to be independent of the columns, which here it is not.

`--truncated` trains on customers as a company would hold them: first seen at a tenure that does not depend on how long
they stay, those gone by then never; it tests on everybody.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.exceptions import ConvergenceWarning
from lifelines.utils import concordance_index
from sklearn.model_selection import RepeatedStratifiedKFold

from churn.core.staying.survival import TenureCurve

DATA = Path(os.environ.get("KEEPLINE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
MONTHS = np.arange(1.0, 73.0)
LANDMARK = HORIZON = 12.0


def telco() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Columns, tenure and whether they left."""
    table = pd.read_csv(DATA / "telco" / "Telco-Customer-Churn.csv")
    left = table["Churn"].eq("Yes").to_numpy()
    return table.drop(columns=["customerID", "tenure", "Churn"]), table["tenure"].to_numpy(dtype=float), left


class BareCox:
    """The floor: lifelines' Cox model on flags of everything but TotalCharges, as the manual shows it."""

    def fit(self, X: pd.DataFrame, entry: np.ndarray, duration: np.ndarray, event: np.ndarray) -> BareCox:
        kept = duration > entry
        made = self._flags(X[kept])
        self.names = [name for name in made if made[name].std() > 0]
        frame = made[self.names].assign(duration=duration[kept], event=event[kept])
        delayed = {"entry_col": "entry"} if entry.any() else {}
        frame = frame.assign(entry=entry[kept]) if delayed else frame
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.fitted = CoxPHFitter(penalizer=1e-3).fit(frame, "duration", "event", **delayed)
        return self

    def survival(self, X: pd.DataFrame, months: np.ndarray, given: float = 0.0) -> np.ndarray:
        made = self._flags(X).reindex(columns=self.names, fill_value=0.0).reset_index(drop=True)
        held = np.full(len(X), given) if given else None
        return self.fitted.predict_survival_function(made, times=months, conditional_after=held).to_numpy().T

    @staticmethod
    def _flags(X: pd.DataFrame) -> pd.DataFrame:
        flags = pd.get_dummies(X.drop(columns="TotalCharges"), drop_first=True).astype(float)
        return flags.loc[:, ~flags.T.duplicated()]


def observed_risk(tenure: np.ndarray, left: np.ndarray, landmark: float) -> float:
    """Kaplan–Meier's share gone within the horizon, of those whose tenure is at least the landmark."""
    after = KaplanMeierFitter().fit(tenure - landmark, left)
    return float(1 - after.predict(HORIZON))


def expected(model: TenureCurve | BareCox, X: pd.DataFrame, tenure: np.ndarray) -> np.ndarray:
    """Cumulative hazard each customer was exposed to between the landmark and the horizon."""
    until = np.clip(tenure - LANDMARK, 0, HORIZON).astype(int)
    curves = model.survival(X, np.arange(1.0, HORIZON + 1), given=LANDMARK)
    return -np.log(np.column_stack([np.ones(len(curves)), curves])[np.arange(len(curves)), until])


def integrated_brier(curves: np.ndarray, tenure: np.ndarray, left: np.ndarray, censoring: KaplanMeierFitter) -> float:
    """Mean over months 1 … 71 of the Brier score, weighted by inverse probability of censoring (Graf 1999)."""
    remain = censoring.survival_function_.iloc[:, 0]
    here = np.maximum(remain.reindex(np.arange(0, 73), method="ffill").to_numpy(), 1e-3)
    at_exit = here[np.maximum(tenure.astype(int) - 1, 0)]
    scores = []
    for j, month in enumerate(MONTHS[:-1]):
        gone, stays = left & (tenure <= month), tenure > month
        error = gone * curves[:, j] ** 2 / at_exit + stays * (1 - curves[:, j]) ** 2 / here[int(month)]
        scores.append(error.mean())
    return float(np.mean(scores))


def truncate(tenure: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tenure when first seen, drawn without looking at the stay; half were there from the start."""
    return np.where(rng.random(len(tenure)) < 0.5, 0.0, rng.integers(0, 36, len(tenure)))


def judge(
    model: TenureCurve | BareCox, test: np.ndarray, data: tuple, censoring: KaplanMeierFitter
) -> dict[str, float]:
    """One fold's figures."""
    X, tenure, left = data
    curves = model.survival(X.iloc[test], MONTHS)
    got = {
        "C": concordance_index(tenure[test], curves.mean(axis=1), left[test]),
        "IBS": integrated_brier(curves, tenure[test], left[test], censoring),
    }
    for landmark in (0.0, 12.0, 24.0, 36.0):
        rows = test[tenure[test] >= max(landmark, 1.0)]
        risk = 1 - model.survival(X.iloc[rows], np.array([HORIZON]), given=landmark)[:, 0]
        got[f"at {landmark:g}"] = risk.mean() / observed_risk(tenure[rows], left[rows], landmark)
        past = tenure[rows] > landmark
        got[f"past {landmark:g}"] = risk[past].mean() / observed_risk(tenure[rows[past]], left[rows[past]], landmark)
        if landmark == LANDMARK:
            seen = left & (tenure > landmark) & (tenure <= landmark + HORIZON)
            awaited = expected(model, X.iloc[rows], tenure[rows])
            got["E/O 12 to 24"] = awaited.sum() / seen[rows].sum()
            for contract in ("Month-to-month", "One year", "Two year"):
                of = X["Contract"].to_numpy()[rows] == contract
                got[f"expected {contract}"] = awaited[of].sum()
                got[f"events {contract}"] = seen[rows[of]].sum()
                got[f"predicted {contract}"] = risk[of].mean()
                got[f"observed {contract}"] = observed_risk(tenure[rows[of]], left[rows[of]], landmark)
    return got


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--truncated", action="store_true")
    asked = parser.parse_args()
    X, tenure, left = telco()
    entry = truncate(tenure, np.random.default_rng(20240501)) if asked.truncated else np.zeros(len(X))
    folds = list(RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=20240501).split(X, left))[: asked.folds]
    records = []
    for number, (train, test) in enumerate(folds):
        seen = train[tenure[train] > entry[train]] if asked.truncated else train
        censoring = KaplanMeierFitter().fit(tenure[train], ~left[train])
        for name, model in (("keepline", TenureCurve()), ("bare Cox", BareCox())):
            start = time.perf_counter()
            model.fit(X.iloc[seen], entry[seen], tenure[seen], left[seen])
            took = time.perf_counter() - start
            got = judge(model, test, (X, tenure, left), censoring)
            records.append({"model": name, "fold": number, **got, "fit s": took})
            if isinstance(model, TenureCurve):
                chosen = f"strata {model.strata_}, bends {model.bends_}, left out {sorted(model.dropped_)}"
                sys.stdout.write(f"fold {number}: {chosen}\n")
    report(pd.DataFrame(records))
    speed(TenureCurve().fit(X, entry, tenure, left), X, tenure)
    return 0


def speed(model: TenureCurve, X: pd.DataFrame, tenure: np.ndarray) -> None:
    """Best of a few: one caller, and 100,000 customers × 37 months each from their own tenure."""
    many = np.arange(100_000) % len(X)
    for name, rows, times in (("one caller", many[:1], 50), ("100,000 customers", many, 3)):
        frame, took = X.iloc[rows], []
        for _ in range(times):
            start = time.perf_counter()
            model.survival(frame, np.arange(37.0), given=tenure[rows])
            took.append(time.perf_counter() - start)
        sys.stdout.write(f"survival over 37 months, {name}: {1000 * min(took):.1f} ms\n")


def report(records: pd.DataFrame) -> None:
    """Means over folds with standard errors, the calibration by contract, and the ratio of fitting times."""
    figures = records.drop(columns=["fold"]).groupby("model").agg(["mean", "sem"])
    shown = figures.T.unstack().swaplevel(axis=1).sort_index(axis=1)
    sys.stdout.write(shown.round(4).to_string() + "\n")
    mean = figures.xs("mean", axis=1, level=1)
    for name, contract in product(mean.index, ("Month-to-month", "One year", "Two year")):
        kaplan = mean.loc[name, f"predicted {contract}"] / mean.loc[name, f"observed {contract}"]
        counted = f"{mean.loc[name, f'expected {contract}']:.1f} / {mean.loc[name, f'events {contract}']:.1f}"
        sys.stdout.write(f"{name}, 12 to 24 months, {contract}: predicted / observed {kaplan:.2f}; E / O {counted}\n")
    ratio = mean.loc["keepline", "fit s"] / mean.loc["bare Cox", "fit s"]
    sys.stdout.write(f"fitting time, keepline / bare Cox: {ratio:.1f}\n")


if __name__ == "__main__":
    sys.exit(main())
