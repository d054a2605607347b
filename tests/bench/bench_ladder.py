"""How fast one caller's ladder is made: `python -m tests.bench.bench_ladder [--callers 500] [--logged 10000]`.

CPU milliseconds per caller, median and p95, of: a bare evaluation of the effect curve for an encoded caller; the gain
with its interval; a whole ladder (encoding, bounds of every instrument, curve, interval, choice, sentences); the ladder
again from its receipt, without a model; and the receipt as JSON. Ratios are to the bare curve of the same run. The last
line is how many whole ladders, one caller after another, one core makes in a minute.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np

from churn.core.effects.effect import ConcessionEffect
from churn.core.offers.levers import fitting_levers
from churn.core.offers.offer import Ladder, ladder, replay
from churn.core.offers.plans import money_plans, values_of
from churn.core.offers.question import Ask, Question, Trial, Worth, respond_with
from churn.simulation.callers import World, draw_log
from tests.core.ladders import POLICY, plenty, question

CONTEXT_APART = ("amount", "stayed", "agent_id", "given_month", "intended_amount", "propensity")


def callers(effect_log: Any, count: int) -> list[tuple[Question, dict[str, Any]]]:
    """Calls with every money instrument open, the most a ladder ever weighs; asks of every kind."""
    rnd, found = Random(5), []
    context = effect_log[[c for c in effect_log.columns if c not in CONTEXT_APART]].tail(count)
    for number, row in enumerate(context.to_dict("records")):
        bill, worth = round(row["monthly_bill"] * 100), rnd.randrange(40_000, 300_000)
        asked = question(
            monthly_bill=bill,
            worth=worth,
            tenure_months=rnd.choice((8, 30, 74)),
            fault=rnd.choice(("ours", "shared", "none")),
            spending=plenty(fee=2_500),
            worth_now=Worth(worth, round(0.8 * worth), round(1.2 * worth)),
            staying=tuple(0.985**m for m in range(36)),
            ask=rnd.choice((Ask(), Ask(1_000), Ask(6_000, 3))),
            trial=Trial(str(number)),
        )
        levers = fitting_levers(POLICY, asked.case, monthly_saving=500, may_pause=True)
        found.append((replace(asked, levers=levers), row))
    return found


def timed(act: Callable[[Any], object], things: Sequence[Any]) -> list[float]:
    """CPU milliseconds of each, after twenty to warm up."""
    for thing in things[:20]:
        act(thing)
    took = []
    for thing in things:
        started = time.process_time_ns()
        act(thing)
        took.append((time.process_time_ns() - started) / 1e6)
    return took


def show(label: str, took: list[float], bare: float) -> None:
    middle, late = statistics.median(took), float(np.quantile(took, 0.95))
    print(f"{label:38s}{middle:9.3f} ms{late:9.3f} ms p95{middle / bare:8.1f}x")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--callers", type=int, default=500)
    asked.add_argument("--logged", type=int, default=10_000)
    options = asked.parse_args()
    log, _ = draw_log(1, options.logged, World())
    effect = ConcessionEffect().fit(log)
    calls = callers(log, options.callers)
    ready = [(effect.encode(row), values_of(money_plans(POLICY, call), "GBP")) for call, row in calls]

    def whole(pair: tuple[Question, dict[str, Any]]) -> Ladder:
        call, row = pair
        return ladder(POLICY, call, respond_with(effect, effect.encode(row)))

    bare = timed(lambda pair: effect.curve(*pair), ready)
    base = statistics.median(bare)
    show("bare effect curve", bare, base)
    show("curve's gain with its interval", timed(lambda pair: effect.gain_interval(*pair), ready), base)
    took = timed(whole, calls)
    show("whole ladder", took, base)
    made = [whole(pair) for pair in calls]
    receipts = [one.as_receipt() for one in made]
    show("ladder again from its receipt", timed(lambda receipt: replay(POLICY, receipt["inputs"]), receipts), base)
    show("receipt as JSON", timed(lambda one: json.dumps(one.as_receipt()), made), base)
    size = statistics.median(len(json.dumps(receipt)) for receipt in receipts)
    print(f"rungs {statistics.mean(len(one.rungs) for one in made):.1f} a ladder, receipt {size / 1024:.1f} KB")
    print(f"one after another: {60_000 / statistics.mean(took):,.0f} ladders a minute of one core")


if __name__ == "__main__":
    main()
