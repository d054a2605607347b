"""Forecasts and effects of events against simulated truth and the Eagle call log, over seeds no setting was made on."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from churn.core.forecasting.volume import Calendar, fit_days
from churn.core.forecasting.volume_bands import HORIZONS, back_test, learn, within_bands
from churn.settings import PROJECT
from tests.volume_world import Seen, company_of, covered, eagle, is_planned, mase

EFFECT_SEEDS = range(41, 51)
FORECAST_SEEDS = (41, 42, 43)


def main() -> int:
    """Print the tables; 1 when a bar is missed."""
    good = [effects(), forecasts()]
    data = Path(os.environ.get("KEEPLINE_DATA", PROJECT.parent / "shared/data"))
    if data.exists():
        good.append(eagle_series(data))
    else:
        print(f"{data} is not here: the Eagle call log is left out")
    return 0 if all(good) else 1


def effects() -> bool:
    """Each planted change's extra contacts against its 90 % interval."""
    rows = [row for seed in EFFECT_SEEDS for row in measured(seed, company_of(seed))]
    frame = pd.DataFrame(rows, columns=["seed", "kind", "truth", "extra", "half", "held", "seconds"])
    print(f"\nExtra contacts of planted changes, seeds {EFFECT_SEEDS[0]} to {EFFECT_SEEDS[-1]}, 20,000 customers each")
    print(f"{'kind':<12}{'events':>8}{'brought':>9}{'estimated':>11}{'± half':>8}{'within 90 %':>13}")
    for kind, some in [*frame.groupby("kind"), ("all", frame)]:
        print(f"{kind:<12}{len(some):>8}{some.truth.mean():>9.0f}{some.extra.mean():>11.0f}{some.half.mean():>8.0f}"
              f"{some.held.mean():>13.1%}")  # fmt: skip
    print(f"learned in {frame.groupby('seed').seconds.first().median():.1f} s a company (median)")
    return bool(0.87 <= frame.held.mean() <= 0.94)


def measured(seed: int, seen: Seen) -> list[tuple[object, ...]]:
    """One row for each event of a company."""
    began = time.perf_counter()
    learned = learn(seen.history, seen.calendar, seen.events)
    seconds = time.perf_counter() - began
    found = []
    for effect in learned.effects.effects:
        extra, low, high = effect.extra
        truth = int(seen.truth.loc[effect.event.event_id, "extra_contacts"])
        found.append((seed, effect.event.kind, truth, extra, (high - low) / 2, low <= truth <= high, seconds))
    return found


def forecasts() -> bool:
    """Days ahead by queue, from an origin every three weeks, bands from earlier errors only."""
    tested = []
    for seed in FORECAST_SEEDS:
        seen = company_of(seed)
        origins = range(365, len(seen.history.days) - 14, 21)
        one = back_test(seen.history, seen.calendar, seen.events, origins, is_planned=is_planned)
        tested.append((one, within_bands(one)))
    print(f"\nForecasts of simulated companies, seeds {FORECAST_SEEDS}, all queues")
    return table(tested)


def eagle_series(data: Path) -> bool:
    """Eagle National's complaints, about twelve a day, and its calls, about two: so few have no fine bands."""
    good = []
    for what, low, high in (("complaints", 0.88, 0.92), ("calls", 0.87, 0.94)):
        history, calendar = eagle(data, what)
        one = back_test(history, calendar, [], range(365, len(history.days) - 90, 28))
        print(f"\nForecast of Eagle National's {what} a day")
        good.append(table([(one, within_bands(one))], low, high))
        counts = history.counts[:, 0]
        trees, ours = boosted(history.days, counts, calendar), regression(history.days, counts, calendar)
        print(f"14 days ahead, boosted trees on the same calendar {trees:.3f}, the regression {ours:.3f}")
    return all(good)


def table(tested: list[tuple[pd.DataFrame, pd.DataFrame]], low: float = 0.88, high: float = 0.92) -> bool:
    """Errors and coverage by days ahead; whether both bars are kept overall."""
    whole, banded = (pd.concat(part, ignore_index=True) for part in zip(*tested, strict=True))
    print(f"{'days ahead':<12}{'MASE':>8}{'error':>8}{'in band':>9}")
    for first, last in [*HORIZONS, (1, HORIZONS[-1][1])]:
        here = whole[whole["ahead"].between(first, last)]
        held = banded[banded["ahead"].between(first, last)]
        error = (here["came"] - here["expected"]).abs().sum() / here["came"].sum()
        print(f"{f'{first}–{last}':<12}{mase(here):>8.3f}{error:>8.1%}{covered(held):>9.1%}")
    return mase(whole) < 0.8 and low <= covered(banded) <= high


def boosted(days: np.ndarray, counts: np.ndarray, calendar: Calendar) -> float:
    """What boosted trees make of the same columns."""

    def ahead(known: int, horizon: int) -> np.ndarray:
        wide = calendar.columns(days[: known + horizon], ())
        model = HistGradientBoostingRegressor(loss="poisson", max_iter=150, learning_rate=0.05, min_samples_leaf=30)
        model.fit(wide[:known], counts[:known])
        recent = slice(known - 56, known)
        level = counts[recent].sum() / model.predict(wide[recent]).sum()
        return np.asarray(model.predict(wide[known:]) * level)

    return against_naive(counts, ahead)


def regression(days: np.ndarray, counts: np.ndarray, calendar: Calendar) -> float:
    """The same of our own model."""

    def ahead(known: int, horizon: int) -> np.ndarray:
        model = fit_days(days[:known], counts[:known], calendar)
        return np.asarray(model.ahead(days[known : known + horizon]))

    return against_naive(counts, ahead)


def against_naive(counts: np.ndarray, ahead: Callable[[int, int], np.ndarray], horizon: int = 14) -> float:
    """Error over that of last week's same weekday, from an origin every eight weeks."""
    off = naive = 0.0
    for known in range(400, len(counts) - horizon, 56):
        came = counts[known : known + horizon]
        off += float(np.abs(came - ahead(known, horizon)).sum())
        naive += float(np.abs(came - counts[known - 7 + np.arange(horizon) % 7]).sum())
    return off / naive


if __name__ == "__main__":
    sys.exit(main())
