"""Settled calls of a simulated company with what really happened: what a return is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from churn.core.policies.arms import draw
from churn.simulation import simulate
from churn.simulation.retention import team_budget

HIDDEN = ["p_stay_with", "p_stay_without", "customer", "day", "agent_id", "team"]


@dataclass(frozen=True, slots=True)
class Settled:
    """A log as the night reads it, and the truth: margin and customers kept, share of money given for nothing."""

    log: pd.DataFrame
    margin: float
    kept: float
    deadweight: float


def settled(seed: int, *, customers: int, held_out: float) -> Settled:
    """Agents give what they mean to; a share is held out by lot, or the team's money runs out where none is."""
    logs: list[pd.DataFrame] = []

    def decide(facts: dict[str, Any]) -> np.ndarray[Any, Any]:
        frame = pd.DataFrame(facts)
        amount = frame["intended_amount"].to_numpy(float).copy()
        frame["p_nothing"] = np.where(amount > 0, held_out, np.nan) if held_out else np.nan
        if held_out:
            keys = zip(frame["customer"], frame["day"], strict=True)
            amount[[draw(f"holdout {seed}", f"{who}/{day}") < held_out for who, day in keys]] = 0.0
        else:
            left: dict[str, float] = {}
            for i, (team, meant) in enumerate(zip(frame["team"], amount, strict=True)):
                have = left.setdefault(team, team_budget(customers))
                amount[i] = meant if meant <= have else 0.0
                left[team] = have - 0.7 * amount[i]
        logs.append(frame.assign(amount=amount))
        return amount

    truth = simulate(customers=customers, months=24, seed=seed, decide=decide).frame("truth.calls")
    local = truth["called_at"].dt.tz_convert("Europe/London").dt.tz_localize(None).dt.normalize()
    truth = truth.assign(
        customer=truth["customer_id"].str[3:].astype(int), day=(local - pd.Timestamp("1970-01-01")).dt.days
    )
    columns = ["customer", "day", "stayed", "worth", "p_stay_with", "p_stay_without"]
    log = pd.concat(logs, ignore_index=True).drop(columns="worth").merge(truth[columns], on=["customer", "day"])
    log = log.assign(worth=log["worth"].astype(float), stayed=log["stayed"].astype(float))
    got = log[log["amount"] > 0]
    gained = got["p_stay_with"] - got["p_stay_without"]
    return Settled(
        log.drop(columns=HIDDEN), float((gained * got["worth"]).sum()), float(gained.sum()),
        float((got["p_stay_without"] * got["amount"]).sum() / got["amount"].sum()),
    )  # fmt: skip


def recorded(seed: int, *, customers: int) -> Settled:
    """The simulated company's own records as a night finds them: agents' habits, a small trial, money that runs out.

    What was meant comes from `feed.concessions` alone; a call without a row there was meant nothing.
    """
    company = simulate(customers=customers, months=24, seed=seed)
    truth, given = company.frame("truth.calls"), company.frame("feed.concessions")
    contacts, people = company.frame("feed.contacts"), company.frame("feed.customers")
    lines = company.frame("feed.subscriptions")
    calls = truth[["contact_id", "customer_id", "called_at", "stayed", "worth", "p_stay_with", "p_stay_without"]]
    calls = calls.merge(contacts[["contact_id", "reason", "channel"]], on="contact_id")
    calls = calls.merge(people[["customer_id", "region", "segment", "joined_on"]], on="customer_id")
    calls = calls.merge(
        given[["contact_id", "amount", "intended_amount", "propensity"]], on="contact_id", how="left", validate="1:1"
    )
    day = pd.to_datetime(calls["called_at"]).dt.tz_localize(None).dt.normalize()
    live = calls[["contact_id", "customer_id"]].assign(day=day).merge(lines, on="customer_id")
    starts, ends = pd.to_datetime(live["started_on"]), pd.to_datetime(live["ended_on"])
    live = live[(starts <= live["day"]) & (ends.isna() | (ends >= live["day"]))]
    bill = live.groupby("contact_id")["monthly_price"].sum().astype(float)
    amount = calls["amount"].astype(float).fillna(0.0)
    drawn = calls["propensity"].astype(float)
    log = pd.DataFrame(
        {
            "amount": amount, "stayed": calls["stayed"].astype(float), "worth": calls["worth"].astype(float),
            "intended_amount": calls["intended_amount"].astype(float),
            "p_nothing": drawn.where(amount == 0, 1 - drawn), "contact_reason": calls["reason"],
            "channel": calls["channel"], "region": calls["region"], "segment": calls["segment"],
            "tenure_months": (day - pd.to_datetime(calls["joined_on"])).dt.days / 30.4375,
            "monthly_bill": calls["contact_id"].map(bill),
        }
    )  # fmt: skip
    got = calls[amount > 0]
    money, gained = amount[amount > 0], got["p_stay_with"] - got["p_stay_without"]
    return Settled(
        log, float((gained * got["worth"].astype(float)).sum()), float(gained.sum()),
        float((got["p_stay_without"] * money).sum() / money.sum()),
    )  # fmt: skip
