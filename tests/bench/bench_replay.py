"""What a replay says of a changed policy against what the simulated company does under it, and how fast it is.

    python -m tests.bench.bench_replay [--seeds 20] [--customers 12000] [--calls 50000]

Coverage: a company is lived through by its agents' habit; the replay is shown its log and says what the policies below
would have spent and kept in the last three months. Then the same company is lived through again, the same until those
three months begin and by the policy from there on. Printed: how often the 90 % intervals hold what then happened.
Speed: seconds of CPU to replay so many calls, today's policy and the frontier with it, over those of one `p_stay` call
on the same callers.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from churn.core.effects.effect import ConcessionEffect
from churn.core.policies.policy import FLAGS, WORDS, Authority, Instrument, Policy, Rule
from churn.core.replay.off_policy import Estimate
from churn.core.replay.policy_replay import play
from churn.core.replay.replay_calls import VALUES, Before, Calls, words
from churn.core.replay.replay_choice import choose_all
from churn.core.replay.replay_log import learn
from churn.simulation import Company, simulate
from churn.simulation.clock import day_number
from churn.simulation.people import customer_ids

LOG = ("amount", "stayed", "agent_id", "given_month", "intended_amount", "propensity")
NOT_CONTEXT = ("customer", "day", "agent_id", "team", "authority_limit", "intended_amount", "worth")
WINDOW_DAYS = 92
LEVEL = 0.9


def credit_policy(most: int, share: str, *, floor: int = 0) -> Policy:
    """A policy of credits alone: at most so many pence, and by default so much of a month's bill."""
    item = Instrument(
        instrument="bill_credit", title="Credit", lever="credit", cost_model="once", max_amount=20_000, step_amount=500,
        handling_cost=200,
    )  # fmt: skip
    said = [
        ("cap", "rolling_cap", Decimal(50_000), "money", {"window_days": 365}),
        ("offers", "counter_offers", Decimal(3), "times", {}),
        ("ceiling", "ceiling", Decimal(most), "money", {}),
        ("default", "default_offer", Decimal(share), "share_of_bill", {}),
    ]
    if floor:
        said.append(("floor", "floor", Decimal(floor), "money", {}))
    said.append(("never", "forbid", None, "none", {"is_do_not_offer": True}))
    rules = tuple(
        Rule(code=code, topic=code, effect=effect, value=value, unit=unit, reason="Because.", **more)
        for code, effect, value, unit, more in said
    )
    lines = tuple(
        Authority(role=role, instrument="bill_credit", per_grant=most, per_window=10**9, time_window="day")
        for role in ("agent", "supervisor")
    )
    return Policy(title="credits", currency="GBP", instruments=(item,), rules=rules, authority=lines)


DRAFTS = {
    "at most £15": credit_policy(1_500, "0.4"),
    "at most £40": credit_policy(4_000, "0.4"),
    "at most £80, never under £20": credit_policy(8_000, "0.8", floor=2_000),
}


@dataclass
class Recorder:
    """Plays amounts by customer and day, and keeps what the desk would have known of each call."""

    given: Mapping[tuple[int, int], float]
    seen: list[pd.DataFrame]

    def __call__(self, facts: Mapping[str, Any]) -> np.ndarray:
        """The amounts of one month."""
        self.seen.append(pd.DataFrame(facts))
        keys = zip(facts["customer"].tolist(), facts["day"].tolist(), strict=True)
        return np.array([self.given.get(key, 0.0) for key in keys])  # the last month runs on past the data's end


def calls_of(company: Company) -> pd.DataFrame:
    """The truth's calls with customer and day as `decide` names them."""
    frame = company.frame("truth.calls")
    day = [day_number(at.date()) for at in frame["called_at"].dt.tz_convert("Europe/London")]
    order = {key: number for number, key in enumerate(customer_ids(np.arange(company.customers)).to_pylist())}
    return frame.assign(customer=frame["customer_id"].map(order), day=day)


def logged(customers: int, seed: int) -> tuple[Company, pd.DataFrame]:
    """A company by habit, and its retention log with the context of each call."""
    habit = simulate(customers, 24, seed)
    calls = calls_of(habit)
    given = {(c, d): a for c, d, a in zip(calls["customer"], calls["day"], calls["amount"], strict=True)}
    recorder = Recorder(given, [])
    simulate(customers, 24, seed, decide=recorder)
    seen = pd.concat(recorder.seen, ignore_index=True).drop(columns=["agent_id", "intended_amount"])
    known = calls[["customer", "day", *[c for c in LOG if c != "given_month"]]]
    frame = seen.merge(known, on=["customer", "day"])
    return habit, frame.assign(given_month=(frame["day"] // 30).astype(str), stayed=frame["stayed"].astype(int))


def context(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[c for c in frame.columns if c not in (*NOT_CONTEXT, *LOG)]]


def as_calls(frame: pd.DataFrame, effect: ConcessionEffect) -> Calls:
    """Calls as the replay takes them, their curves by the model in use."""
    n = len(frame)
    known = effect.encode(context(frame))
    parts = [effect.gain_interval(_part(known, rows), VALUES) for rows in _rows(n)] or [
        (np.zeros((0, len(VALUES))),) * 3
    ]
    rise, low, high = (np.vstack(part) for part in zip(*parts, strict=True))
    nobody = np.zeros(0, np.int64)
    worth = frame["worth"].to_numpy(float) * 100
    return Calls(
        on=frame["day"].to_numpy(float),
        monthly_bill=(frame["monthly_bill"].to_numpy(float) * 100).round().astype(np.int64),
        tenure_months=frame["tenure_months"].to_numpy(float),
        risk=np.full(n, np.nan),
        worth=worth,
        worth_low=0.8 * worth,
        worth_high=1.2 * worth,
        fee=np.zeros(n, np.int64),
        words={name: words(frame[name] if name in frame else [None] * n) for name in WORDS},
        flags={name: frame[name].to_numpy(bool) if name in frame else np.zeros(n, bool) for name in FLAGS},
        before=Before(nobody, words([]), nobody, nobody.astype(float)),
        staying=np.ones((n, 1)),
        p=effect.curve(known, np.zeros(1)) + rise,
        low=low,
        high=high,
        values=VALUES,
    )


def _rows(n: int, size: int = 1000) -> Iterator[slice]:
    yield from (slice(start, start + size) for start in range(0, n, size))


def _part(known: Any, rows: slice) -> Any:
    return replace(known, features=known.features[rows], bill=known.bill[rows], nothing=known.nothing[rows])


def prepared(log: pd.DataFrame) -> tuple[Calls, ConcessionEffect]:
    """The replay's calls of a log, with what judging takes."""
    for_model = context(log).join(log[[*LOG]])
    effect = ConcessionEffect().fit(for_model)
    return replace(as_calls(log, effect), logged=learn(for_model, effect)), effect


def lived(
    company: Company, log: pd.DataFrame, policy: Policy, effect: ConcessionEffect, since: int
) -> tuple[float, float]:
    """What the same company spends and keeps from day `since` on by a policy, and by its habit before."""
    given = {(c, d): a for c, d, a in zip(log["customer"], log["day"], log["amount"], strict=True)}

    def decide(facts: Mapping[str, Any]) -> np.ndarray:
        frame = pd.DataFrame(facts)
        habit = np.array([given.get((c, d), 0.0) for c, d in zip(frame["customer"], frame["day"], strict=True)])
        is_new = frame["day"].to_numpy() >= since
        if is_new.any():
            habit[is_new] = choose_all(policy, as_calls(frame[is_new], effect))[0].target / 100
        return habit

    calls = calls_of(simulate(company.customers, company.months, company.seed, decide=decide))
    calls = calls[calls["day"] >= since]
    return float((calls["amount"] * calls["stayed"]).sum()), float(calls["stayed"].sum())


def measure(customers: int, seed: int) -> list[dict[str, Any]]:
    """One row a policy: the replay's figures and what the company did."""
    company, log = logged(customers, seed)
    calls, effect = prepared(log)
    since = int(log["day"].max()) - WINDOW_DAYS
    start = int(np.searchsorted(log["day"].to_numpy(), since))
    window = calls.part(start, len(calls))
    rows = []
    for name, policy in DRAFTS.items():
        played = play(policy, window)
        spend, kept = lived(company, log, policy, effect, since)
        rows.append(
            {
                "policy": name, "calls": len(window), "effective": played.judged.effective,
                **_row("spend", played.spend(level=LEVEL), spend), **_row("saves", played.saves(level=LEVEL), kept),
            }
        )  # fmt: skip
    return rows


def _row(name: str, said: Estimate, truth: float) -> dict[str, Any]:
    return {
        name: said.total, f"{name}_did": truth, f"{name}_in": said.low <= truth <= said.high,
        f"{name}_wide": (said.high - said.low) / 2 / max(truth, 1.0),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--customers", type=int, default=12_000)
    parser.add_argument("--calls", type=int, default=50_000)
    asked = parser.parse_args()
    rows = [row for seed in range(1, asked.seeds + 1) for row in measure(asked.customers, seed)]
    frame = pd.DataFrame(rows)
    if len(frame):
        told = frame.groupby("policy", sort=False).agg(
            calls=("calls", "mean"), effective=("effective", "mean"),
            spend=("spend", "mean"), did=("spend_did", "mean"), in_90=("spend_in", "mean"), half=("spend_wide", "mean"),
            saves=("saves", "mean"), did_save=("saves_did", "mean"), saves_in_90=("saves_in", "mean"),
            saves_half=("saves_wide", "mean"),
        )  # fmt: skip
        print(told.round(3).to_string())
        print(
            f"held in all: spend {frame['spend_in'].mean():.0%}, saves {frame['saves_in'].mean():.0%} of {len(frame)}"
        )
    if asked.calls:
        speed(asked.calls)


def speed(n: int) -> None:
    """Seconds to replay n calls by the default policy and a draft, with the frontier."""
    from churn.core.replay.policy_replay import replay
    from tests.core.ladders import POLICY

    _, log = logged(6_000, 1)
    calls, effect = prepared(log)
    times = -(-n // len(calls))
    log = pd.concat([log] * times, ignore_index=True).head(n)
    known = effect.encode(context(log))
    logged_ = calls.logged
    assert logged_ is not None
    held = {f: np.concatenate([getattr(logged_, f)] * times)[:n] for f in logged_.__slots__}
    big = replace(as_calls(log, effect), logged=type(logged_)(**held))
    started = time.process_time()
    effect.curve(known, VALUES)
    floor = time.process_time() - started
    started = time.process_time()
    replay(DRAFTS["at most £40"], POLICY, big)
    took = time.process_time() - started
    print(f"replay of {n:,} calls by two policies with frontiers: {took:.1f} s")
    print(f"one p_stay call on the same callers: {floor:.2f} s, {took / floor:.1f}x")


if __name__ == "__main__":
    main()
