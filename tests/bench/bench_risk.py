"""Risk on real data against its bars: `python -m tests.bench.bench_risk [telco|cell2cell|mlc ...]`.

Prints, over held-out folds, AUC, log loss, calibration error (ECE, ten equal groups), seconds to fit, and how much
slower scoring the held-out rows and one caller is than a plain logistic regression fitted on the same rows in the same
run (one-hot, imputed, scaled, from the same raw frame). Exits 1 when a bar is missed, 0 with a reason when there is no
data. Data: KEEPLINE_DATA, else ../shared/data.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from churn.core.leaving.risk import ChurnRisk

SEED = 20240501
DATA = Path(os.environ.get("KEEPLINE_DATA", "../shared/data"))
AFTER_THE_INTENT = ["RetentionCalls", "RetentionOffersAccepted", "MadeCallToRetentionTeam"]


@dataclass(frozen=True)
class Bench:
    """One data set: where it is, what is dropped, how it is split, and the bars."""

    path: str
    outcome: str
    dropped: tuple[str, ...]
    repeats: int
    least_auc: float
    most_log_loss: float


BENCHES = {
    "telco": Bench("telco/Telco-Customer-Churn.csv", "Churn", ("customerID",), 2, 0.849, 0.413),
    "mlc": Bench("mlc/mlc_churn.csv", "churn", (), 1, 0.0, 0.13),
    "cell2cell": Bench("cell2cell/cell2cell_70.csv.gz", "Churn", ("CustomerID",), 1, 0.685, 0.555),
    "cell2cell-before": Bench(
        "cell2cell/cell2cell_70.csv.gz", "Churn", ("CustomerID", *AFTER_THE_INTENT), 1, 0.0, float("inf")
    ),
}


def main(asked: list[str]) -> int:
    """Run the asked benches, all of them when none is named."""
    missed = 0
    for name in asked or BENCHES:
        bench = BENCHES[name]
        if not (DATA / bench.path).exists():
            say(f"{name}: skipped, {DATA / bench.path} is not here")
            continue
        missed += not run(name, bench)
    return int(missed > 0)


def run(name: str, bench: Bench) -> bool:
    """Score every fold, print one line, say whether the bars are met."""
    table = pd.read_csv(DATA / bench.path)
    X, y = table.drop(columns=[*bench.dropped, bench.outcome]), table[bench.outcome].str.casefold().eq("yes").to_numpy()
    scored = [score_fold(X, y, train, test) for train, test in splits(bench, y)]
    auc, loss, ece, fit, many, one_ms, one = np.mean(scored, axis=0)
    met = auc >= bench.least_auc and loss <= bench.most_log_loss
    say(
        f"{name}: AUC {auc:.4f} (bar {bench.least_auc}), "
        f"log loss {loss:.4f} (bar {bench.most_log_loss}), ECE {ece:.4f}, "
        f"fit {fit:.1f} s, held-out rows {many:.1f} × logistic, one caller {one_ms:.1f} ms, {one:.2f} × logistic: "
        f"{'met' if met else 'MISSED'} ({len(X):,} × {X.shape[1]}, {len(scored)} folds)"
    )
    return bool(met)


def splits(bench: Bench, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The folds the bars were measured on."""
    if bench.repeats > 1:
        return list(RepeatedStratifiedKFold(n_splits=5, n_repeats=bench.repeats, random_state=SEED).split(y, y))
    return list(StratifiedKFold(5, shuffle=True, random_state=SEED).split(y, y))


def score_fold(X: pd.DataFrame, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[float, ...]:
    """AUC, log loss, ECE, fit seconds, ratio on many rows, milliseconds for one caller, ratio on one caller."""
    began = time.perf_counter()
    model = ChurnRisk(seed=SEED % 1000).fit(X.iloc[train], y[train])
    fit_seconds = time.perf_counter() - began
    plain = plain_logistic().fit(X.iloc[train], y[train])
    held, caller = X.iloc[test], X.iloc[test[:1]]
    chance = model.predict_proba(held)[:, 1]
    row = {str(name): value for name, value in caller.iloc[0].items()}
    one = seconds(lambda: model.reasons_of_row(row))
    return (
        float(roc_auc_score(y[test], chance)),
        float(log_loss(y[test], chance)),
        calibration_error(chance, y[test]),
        fit_seconds,
        seconds(lambda: model.predict_proba(held)) / seconds(lambda: plain.predict_proba(held)),
        one * 1000,
        one / seconds(lambda: plain.predict_proba(caller)),
    )


def plain_logistic() -> Any:
    """Logistic regression on one-hot and scaled raw columns."""
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (texts, make_column_selector(dtype_include=object)), (numbers, make_column_selector(dtype_include="number"))
    )
    return make_pipeline(columns, LogisticRegression(max_iter=2000))


def seconds(act: Callable[[], object], times: int = 9) -> float:
    """The median of several runs, in CPU seconds of this process, so that neighbours do not count."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        act()
        taken.append(time.process_time() - began)
    return float(np.median(taken))


def calibration_error(chance: np.ndarray, y: np.ndarray, groups: int = 10) -> float:
    """Mean distance of predicted from observed rate over equally large groups by chance."""
    parts = np.array_split(np.argsort(chance, kind="stable"), groups)
    return float(sum(len(part) * abs(chance[part].mean() - y[part].mean()) for part in parts) / len(y))


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
