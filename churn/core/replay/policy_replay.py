"""Past calls under another policy: what would have been spent and kept, who gains and loses, and the frontier.

Each call gets the target of the ladder that the policy would have made of it: what is worth most of what the agent may
give alone, with nobody asking and budgets whole. Where a supervisor could add what is worth more, that is counted as an
escalation, and not given. A lever without money stays as it was. Money comes out in major units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from churn.core.language import mark, t
from churn.core.money import exponent
from churn.core.policies.policy import Policy
from churn.core.replay.off_policy import Estimate, Judged, judge
from churn.core.replay.replay_calls import Array, Calls, Flags, Logged
from churn.core.replay.replay_choice import Choices, choose_all
from churn.core.words import spoken

STEP = 2_500  # calls at once: what a processor's cache holds
PRICES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of budget, along the frontier
FRONTIER_CALLS = 12_500
TENURES = (mark("1st year"), mark("2nd year"), mark("3–5 years"), mark("longer"))
FEWEST = 30  # calls of a segment that is told apart
Told = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Played:
    """One policy over n calls, (n,) each: what is given, what it costs once they stay, its worth. Major units."""

    amount: Array
    cost: Array
    worth: Array  # given they stay; NaN: not known
    handling: Array
    needs_yes: Flags
    judged: Judged

    def spend(self, *, level: float = 0.9) -> Estimate:
        """What the calls cost in all, paid where the caller stays."""
        return self.judged.total(self.cost, level=level)

    def saves(self, *, level: float = 0.9) -> Estimate:
        """How many stay."""
        return self.judged.total(np.ones(len(self.amount)), level=level)

    def margin(self, *, level: float = 0.9) -> Estimate:
        """Worth of those who stay, less what it costs to keep them."""
        found = self.judged.total(np.nan_to_num(self.worth) - self.cost, level=level)
        spent = float(self.handling.sum())
        return Estimate(found.total - spent, found.low - spent, found.high - spent, found.effective)


@dataclass(frozen=True, slots=True)
class Replayed:
    """A draft beside today's policy over the same calls."""

    calls: int
    draft: Played
    today: Played | None  # None: no policy was in force
    happened: dict[str, float]  # what was truly spent, kept, and given to how many
    segments: pd.DataFrame
    frontier: pd.DataFrame


def play(policy: Policy, calls: Calls, *, price: float = 0.0, tell: Told | None = None) -> Played:
    """A policy over calls with their log. Raises ValueError when they have none."""
    chosen = _chosen(policy, calls, (price,), tell)[0]
    return _played(policy, calls, chosen)


def replay(draft: Policy, today: Policy | None, calls: Calls, tell: Told | None = None) -> Replayed:
    """Both policies over the calls, with segments and frontier. `tell` hears how much is done, 0 to 1."""
    share = _progress(tell)
    mine = _played(draft, calls, _chosen(draft, calls, (0.0,), share(0.0, 0.35))[0])
    theirs = None if today is None else _played(today, calls, _chosen(today, calls, (0.0,), share(0.35, 0.7))[0])
    frontier = _frontier(draft, today, calls, share(0.7, 1.0))
    return Replayed(len(calls), mine, theirs, happened(calls), segments(calls, mine, theirs), frontier)


def happened(calls: Calls) -> dict[str, float]:
    """What the log itself says: spent on those who stayed, kept, and how many were given something."""
    logged = _log_of(calls)
    return {
        "spend": float(logged.amount @ logged.stayed),
        "saves": float(logged.stayed.sum()),
        "given": float((logged.amount > 0).sum()),
    }


def segments(calls: Calls, draft: Played, today: Played | None) -> pd.DataFrame:
    """by, value, calls, and of draft and today: spend, saves; who gains first. Only groups of FEWEST calls or more."""
    parts = []
    for by, held in _cuts(calls).items():
        for value in pd.unique(pd.Series(held).dropna()):
            rows = np.asarray(held == value, bool)
            if rows.sum() >= FEWEST:
                parts.append({"by": by, "value": str(value), "calls": int(rows.sum())} | _of_rows(rows, draft, today))
    columns = ["by", "value", "calls", "draft_spend", "draft_saves", "today_spend", "today_saves", "saves_change"]
    return pd.DataFrame(parts, columns=columns).sort_values(["by", "saves_change"], ascending=[True, False])


def _of_rows(rows: Flags, draft: Played, today: Played | None) -> dict[str, float]:
    """Model's figures of some calls: a correction of few calls would be noise."""
    found: dict[str, float] = {}
    for name, played in (("draft", draft), ("today", today)):
        chance = None if played is None else played.judged.chance[rows]
        found[f"{name}_spend"] = np.nan if played is None or chance is None else float(played.cost[rows] @ chance)
        found[f"{name}_saves"] = np.nan if chance is None else float(chance.sum())
    return found | {"saves_change": found["draft_saves"] - found["today_saves"]}


def _cuts(calls: Calls) -> dict[str, Array]:
    tenure = pd.cut(calls.tenure_months, [-1, 12, 24, 60, np.inf], labels=list(TENURES))
    return {name: calls.words[name] for name in ("segment", "plan", "region", "contact_reason", "fault")} | {
        "tenure": np.asarray(tenure, object)
    }


def group_in_words(by: str, value: str) -> str:
    """A group of `segments` as it is shown: years and codes in words, the company's own names as they are."""
    if by == "tenure":
        return t(value)
    return spoken(value) if by in {"contact_reason", "fault"} else value


def _chosen(policy: Policy, calls: Calls, prices: tuple[float, ...], tell: Told | None) -> list[Choices]:
    parts = []
    for start in range(0, len(calls), STEP):
        parts.append(choose_all(policy, calls.part(start, start + STEP), prices=prices))
        if tell is not None:
            tell(min(1.0, (start + STEP) / len(calls)))
    if not parts:
        return choose_all(policy, calls, prices=prices)
    return [
        Choices(**{f.name: np.concatenate([getattr(part[i], f.name) for part in parts]) for f in fields(Choices)})
        for i in range(len(prices))
    ]


def _played(policy: Policy, calls: Calls, chosen: Choices) -> Played:
    logged, scale = _log_of(calls), float(10 ** exponent(policy.currency))
    value = chosen.value / scale
    chance = _at(calls, logged.usual, value)
    return Played(
        amount=chosen.target / scale,
        cost=chosen.cost / scale,
        worth=calls.worth / scale,
        handling=chosen.handling / scale,
        needs_yes=chosen.needs_yes,
        judged=judge(logged, calls.monthly_bill / scale, value, chance),
    )


def _at(calls: Calls, curve: Array, value: Array) -> Array:
    """(n,) each curve at one value of its own."""
    known = calls.values
    place = np.searchsorted(known, value, side="right").clip(1, len(known) - 1)
    rows = np.arange(len(value))
    share = ((value - known[place - 1]) / (known[place] - known[place - 1])).clip(0.0, 1.0)
    return np.asarray(curve[rows, place - 1] * (1 - share) + curve[rows, place] * share)


def _frontier(draft: Policy, today: Policy | None, calls: Calls, tell: Told | None) -> pd.DataFrame:
    """policy, price, spend, margin: the model's figures at rising prices of budget, of every k-th call scaled up.

    `margin`: over giving nobody anything. Price 0 is the policy as it stands.
    """
    every = max(1, -(-len(calls) // FRONTIER_CALLS))
    some = thinned(calls, every)
    rows, policies = [], [("draft", draft), *([("today", today)] if today is not None else [])]
    nothing = _log_of(some).usual[:, 0]
    worth = np.nan_to_num(some.worth)
    for number, (name, policy) in enumerate(policies):
        scale = float(10 ** exponent(policy.currency))
        part = None if tell is None else _between(tell, number / len(policies), (number + 1) / len(policies))
        for price, chosen in zip(PRICES, _chosen(policy, some, PRICES, part), strict=True):
            chance = _at(some, _log_of(some).usual, chosen.value / scale)
            net = chance * (worth - chosen.cost) - nothing * worth - chosen.handling
            rows.append(
                {
                    "policy": name, "price": price, "spend": every * float(chance @ chosen.cost) / scale,
                    "margin": every * float(net.sum()) / scale,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def thinned(calls: Calls, every: int) -> Calls:
    """Every k-th call."""
    if every == 1:
        return calls
    rows = np.arange(0, len(calls), every)
    before = calls.before
    inside = before.row % every == 0
    cut = {
        field.name: getattr(calls, field.name)[rows]
        for field in fields(calls)
        if field.name not in {"words", "flags", "before", "values", "logged"}
    }
    logged = _log_of(calls)
    return Calls(
        **cut,
        words={name: held[rows] for name, held in calls.words.items()},
        flags={name: held[rows] for name, held in calls.flags.items()},
        before=type(before)(
            before.row[inside] // every, before.instrument[inside], before.amount[inside], before.days_ago[inside]
        ),
        values=calls.values,
        logged=Logged(**{f.name: getattr(logged, f.name)[rows] for f in fields(Logged)}),
    )


def _log_of(calls: Calls) -> Logged:
    if calls.logged is None:
        raise ValueError("calls without what became of them cannot judge a policy")
    return calls.logged


def _progress(tell: Told | None) -> Callable[[float, float], Told | None]:
    return lambda low, high: None if tell is None else _between(tell, low, high)


def _between(tell: Told, low: float, high: float) -> Told:
    return lambda done: tell(low + (high - low) * done)


def escalations(replayed: Replayed) -> dict[str, int]:
    """Calls that would need a supervisor's yes: under the draft, today, and which of them are new or gone."""
    mine = replayed.draft.needs_yes
    theirs = mine if replayed.today is None else replayed.today.needs_yes
    return {
        "draft": int(mine.sum()), "today": int(theirs.sum()), "caused": int((mine & ~theirs).sum()),
        "avoided": int((~mine & theirs).sum()),
    }  # fmt: skip
