"""The known mechanism of retention callers: who stays for what, and what agents give them. Pure numpy, seeded.

How a caller answers money is no method's own form: four hidden kinds, four families of curve mixed by chance,
thresholds, and sleeping dogs who leave because they were offered something. Agents hear how serious a caller sounds,
which nobody records, and give more to those who do: in the log, money and leaving go together.

    rng = np.random.default_rng(7)
    callers = draw_callers(rng, base_logit=b, monthly_bill=bill, worth=v, price_reason=r, fault_ours=f)
    p_stay(callers, np.array([0, 10, 20]))                      # (n, 3), true
    agents = draw_agents(rng, n_agents=40, n_months=12)
    intended = agent_amount(rng, agents, agent_index, callers, cap=cap, month=month)    # (n,)
    amount, propensity = randomise(rng, intended, cap, share=0.05)                      # (n,), (n,)
    stayed = rng.random(n) < p_stay_at(callers, amount)
    log, truth = draw_log(seed=1, n=10_000)                     # all of it at once

Everything is vectorised over n callers. Money is in pounds, months count from 0, logits are natural. `base_logit` is
the logit of *staying with nothing offered* as far as the context tells it; every other context array is optional.
"""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

Array = NDArray[np.float64]

KINDS = ("persuadable", "sure_thing", "lost_cause", "sleeping_dog")
"""Names of the codes in `Callers.kind`, in order."""

FAMILIES = ("saturating", "hill", "logistic_in_money", "threshold")
"""Names of the codes in `Callers.family`, in order."""


SERIOUS = 0.8  # logits of staying lost for each unit of how serious a caller sounds


@dataclass(frozen=True)
class Callers:
    """The hidden truth of n callers; every array is (n,). No model, job or page may read it."""

    kind: NDArray[np.int64]  # code in KINDS
    seriousness: Array  # heard in the voice, recorded by nobody; standard normal over the population
    stay_none: Array  # chance of staying with nothing offered
    stay_offered: Array  # chance of staying in the limit of a worthless offer: below stay_none for sleeping dogs
    stay_most: Array  # chance of staying for any money at all
    need: Array  # pounds at which about half of what money can do is done
    family: NDArray[np.int64]  # code in FAMILIES
    steepness: Array  # exponent or slope of the S-shaped families
    fix_gain: Array  # added logit of staying when what is broken is put right
    right_size_gain: Array  # added logit of staying on a plan that fits
    monthly_bill: Array
    worth: Array  # expected future margin if they stay

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, rows: ArrayLike) -> "Callers":
        """The same truth for a choice of rows (indices or mask)."""
        index = np.asarray(rows)
        return Callers(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def draw_callers(
    rng: np.random.Generator,
    *,
    base_logit: Array,
    monthly_bill: Array,
    worth: Array,
    price_reason: ArrayLike = 0.0,
    fault_ours: ArrayLike = 0.0,
    tenure_months: ArrayLike = 24.0,
    contacts_90d: ArrayLike = 1.0,
    overpaying: ArrayLike = 0.0,
    hidden: float = 0.5,
) -> Callers:
    """Hidden truth for n callers who came to cancel.

    `base_logit`, `monthly_bill`, `worth` are (n,); the other context is (n,) or one number: `price_reason` and
    `fault_ours` in {0, 1}, `tenure_months` and `contacts_90d` ≥ 0, `overpaying` the share of the bill a fitting plan
    would save, in [0, 1]. `hidden` scales how much of the kind nobody could tell from the context (1 as in the field).
    Missing context (NaN) counts as its default.
    """
    n = len(base_logit)
    price, fault, tenure, contacts, over = (
        np.broadcast_to(np.nan_to_num(np.asarray(a, float), nan=d), n)
        for a, d in ((price_reason, 0), (fault_ours, 0), (tenure_months, 24), (contacts_90d, 1), (overpaying, 0))
    )
    serious = rng.normal(size=n)
    score = _kind_scores(base_logit, serious, price=price, fault=fault, tenure=tenure, contacts=contacts)
    kind = np.argmax(score + hidden * rng.gumbel(size=score.shape), axis=1)
    offset = np.array([-0.5, 1.0, -1.4, 0.6])[kind]
    stay_none = expit(base_logit + offset - SERIOUS * serious)
    stay_offered, stay_most = _draw_reach(rng, kind, stay_none, hidden)
    need = 3.2 * monthly_bill**0.6 * np.exp(0.45 * hidden * rng.normal(size=n) + 0.30 * fault - 0.35 * price)
    family = rng.choice(len(FAMILIES), size=n, p=[0.6, 0.2, 0.1, 0.1])
    return Callers(
        kind=kind,
        seriousness=serious,
        stay_none=stay_none,
        stay_offered=stay_offered,
        stay_most=stay_most,
        need=need,
        family=family,
        steepness=rng.uniform(1.1, 2.0, n),
        fix_gain=np.where(fault > 0, rng.gamma(4.0, 0.3, n), rng.gamma(1.0, 0.05, n)),
        right_size_gain=over * rng.gamma(4.0, 0.5, n),
        monthly_bill=np.asarray(monthly_bill, float),
        worth=np.asarray(worth, float),
    )


def _kind_scores(base: Array, serious: Array, *, price: Array, fault: Array, tenure: Array, contacts: Array) -> Array:
    """Score of each kind, (n, 4): price and faults bring persuadables, old quiet customers are the sleeping dogs."""
    years = np.minimum(tenure, 96.0) / 12.0
    return np.column_stack(
        [
            0.4 + 1.8 * price + 1.0 * fault + 0.3 * serious,
            1.3 * base - 0.5 - 0.4 * serious,
            -1.4 * base - 0.2 - 0.8 * price + 0.5 * serious,
            0.7 * years - 0.9 * contacts - 1.4 * price - 0.8,
        ]
    )


def _draw_reach(
    rng: np.random.Generator, kind: NDArray[np.int64], stay_none: Array, hidden: float
) -> tuple[Array, Array]:
    """What being offered does by itself, and what all the money in the world would do: two (n,) chances."""
    n = len(kind)
    dog = kind == KINDS.index("sleeping_dog")
    harm = (0.22 + 0.12 * hidden * rng.uniform(-1, 1, n)) * stay_none
    offered = np.where(dog, stay_none - harm, stay_none + 0.02 * (1 - stay_none))
    middle = np.array([0.75, 0.45, 0.25, 0.25])[kind]
    width = np.array([0.20, 0.25, 0.15, 0.15])[kind]
    reach = middle + hidden * width * rng.uniform(-1, 1, n)
    return offered, offered + reach * (0.98 - offered).clip(min=0.0)


def _filled(family: NDArray[np.int64], steepness: Array, share_of_need: Array) -> Array:
    """The part of what money can do that this money does, in [0, 1]: rising, 0 at no money."""
    s = share_of_need
    floor = expit(-2.0 * steepness)
    return np.select(
        [family == 0, family == 1, family == 2],
        [
            -np.expm1(-0.69 * s),
            s**steepness / (1.0 + s**steepness),
            (expit(2.0 * steepness * (s - 1.0)) - floor) / (1.0 - floor),
        ],
        -np.expm1(-1.4 * np.maximum(s - 0.5, 0.0)),
    )


def p_stay(callers: Callers, amounts: ArrayLike, *, lever: str = "none") -> Array:
    """True chance of staying, (n, m), for amounts (m,) or (n, m) in pounds.

    `lever` is `none`, `fix` (what is broken is put right) or `right_size` (a plan that fits); it comes with the money.
    """
    money = np.asarray(amounts, float)
    money = np.broadcast_to(money, (len(callers), money.shape[-1]))
    done = _filled(callers.family[:, None], callers.steepness[:, None], money / callers.need[:, None])
    offered, most = callers.stay_offered[:, None], callers.stay_most[:, None]
    p = np.where(money > 0, offered + (most - offered) * done, callers.stay_none[:, None])
    if lever == "none":
        return p
    gain = {"fix": callers.fix_gain, "right_size": callers.right_size_gain}[lever]
    p = p.clip(1e-6, 1 - 1e-6)
    return np.asarray(expit(np.log(p / (1 - p)) + gain[:, None]))


def p_stay_at(callers: Callers, amount: ArrayLike, *, lever: str = "none") -> Array:
    """True chance of staying, (n,), each caller at an amount of their own (n,)."""
    return p_stay(callers, np.asarray(amount, float)[:, None], lever=lever)[:, 0]


@dataclass(frozen=True)
class Agents:
    """Who gives: how freely, how well they hear, and how both move with the months."""

    leniency: Array  # (agents,) added log of the amount
    skill: Array  # (agents,) 0..1, how clearly they hear how serious a caller is
    drift: Array  # (agents, months) added log of the amount: the centre's mood and the agent's own


def draw_agents(rng: np.random.Generator, *, n_agents: int, n_months: int, spread: float = 0.45) -> Agents:
    """A floor of agents. `spread` is the standard deviation of leniency in logs: the strength of the instrument."""
    centre = 0.2 * rng.normal(size=n_months)
    own = np.cumsum(0.06 * rng.normal(size=(n_agents, n_months)), axis=1)
    return Agents(spread * rng.normal(size=n_agents), rng.beta(5, 2, n_agents), centre + own)


def tidy(amount: ArrayLike) -> Array:
    """Pounds as people say them: steps of 5 to 50, of 10 above."""
    money = np.asarray(amount, float)
    return np.where(money < 50, np.round(money / 5) * 5, np.round(money / 10) * 10)


def agent_amount(
    rng: np.random.Generator,
    agents: Agents,
    agent_index: NDArray[np.int64],
    callers: Callers,
    *,
    cap: ArrayLike,
    month: NDArray[np.int64],
    confounding: float = 1.0,
) -> Array:
    """What each agent means to give, (n,) tidy pounds in [0, cap]: by what they hear, not by what is on the screen.

    `agent_index` and `month` are (n,) codes, `cap` (n,) or one number: authority. `confounding` scales how far agents
    act on what they hear. Some mean to give nothing, the more so the less serious the caller sounds.
    """
    n = len(callers)
    skill = agents.skill[agent_index]
    heard = confounding * (skill * callers.seriousness + 0.4 * (1 - skill) * rng.normal(size=n))
    mood = agents.leniency[agent_index] + agents.drift[agent_index, month]
    nothing = rng.random(n) < expit(-1.0 - 1.6 * heard - 0.8 * mood)
    money = np.exp(np.log(0.45 * callers.monthly_bill) + mood + 0.9 * heard + 0.3 * rng.normal(size=n))
    limit = np.broadcast_to(np.asarray(cap, float), n)
    return np.where(nothing, 0.0, np.minimum(tidy(money), limit))


def randomise(
    rng: np.random.Generator, intended: Array, cap: ArrayLike, *, share: float, steps: int = 3
) -> tuple[Array, Array]:
    """Amounts with a share of calls in a trial, and the propensity of each: (n,) pounds and (n,) chance or NaN.

    In the trial the amount is one of `steps` rungs, 5 pounds apart and around what the agent meant, with equal chance;
    clipping at 0 and at the cap can make two rungs one, whose propensity is then the sum.
    """
    n = len(intended)
    limit = np.broadcast_to(np.asarray(cap, float), n)
    rungs = intended[:, None] + 5.0 * (np.arange(steps) - steps // 2)
    rungs = rungs.clip(0.0, limit[:, None])
    drawn = rungs[np.arange(n), rng.integers(0, steps, n)]
    in_trial = rng.random(n) < share
    propensity = (rungs == drawn[:, None]).mean(axis=1)
    return np.where(in_trial, drawn, intended), np.where(in_trial, propensity, np.nan)


@dataclass(frozen=True)
class World:
    """What differs between one company and another in `draw_log`."""

    agents: int = 60
    teams: int = 4
    months: int = 12
    spread: float = 0.45  # of the agents' leniency
    confounding: float = 1.0
    hidden: float = 0.5  # how much of the kind cannot be told from the context
    trial_share: float = 0.03
    budget_share: float = 0.9  # money of a team-month over what its agents mean to give
    cap: float = 120.0


@dataclass(frozen=True)
class Truth:
    """What the log does not say: the callers' curves, each call's team and cap, the money of each team-month."""

    callers: Callers
    team: NDArray[np.int64]  # (n,)
    month: NDArray[np.int64]  # (n,)
    cap: Array  # (n,)
    budget: Array  # (teams, months) pounds
    p_stay: Array  # (n,) true chance at the amount given


def draw_context(rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, dict[str, Array]]:
    """The calls a desk sees, (n rows, mixed types, gaps), and the full arrays `draw_callers` takes."""
    bill = np.exp(rng.normal(np.log(45.0), 0.45, n)).clip(12.0, 180.0).round(2)
    tenure = rng.gamma(1.3, 24.0, n).clip(1, 160).round()
    contacts = rng.poisson(1.1, n).astype(float)
    contract = rng.choice(["monthly", "one year", "two years"], n, p=[0.5, 0.3, 0.2])
    reason = rng.choice(["price", "service", "billing", "moving", "competitor"], n, p=[0.28, 0.25, 0.15, 0.12, 0.2])
    region = rng.choice([f"region {i:02d}" for i in range(14)], n)
    fault = ((reason == "service") | (reason == "billing")) & (rng.random(n) < 0.6)
    autopay = rng.random(n) < 0.55
    over = np.where(rng.random(n) < 0.4, rng.beta(2, 5, n), 0.0)
    price = np.isin(reason, ["price", "competitor"])
    base = (
        0.45
        + 0.30 * np.sqrt(tenure / 12.0)
        + np.array([-0.7, 0.1, 0.7])[np.searchsorted(["monthly", "one year", "two years"], contract)]
        - 0.3 * contacts
        + 0.35 * autopay
        - 0.9 * (reason == "moving")
        - 0.45 * np.log(bill / 45.0)
        + 0.3 * rng.normal(size=n)
    )
    months_left = 10.0 + 14.0 * expit(base) + 6.0 * (contract == "two years")
    worth = 0.42 * bill * months_left * np.exp(0.25 * rng.normal(size=n))
    frame = pd.DataFrame(
        {
            "tenure_months": tenure,
            "contract": contract,
            "contact_reason": reason,
            "region": pd.Categorical(region),
            "contacts_90d": contacts,
            "fault": np.where(fault, "ours", "none"),
            "autopay": autopay,
            "overpaying": over.round(3),
            "risk": expit(-(base + 0.35 * rng.normal(size=n))).round(4),
            "worth": worth.round(2),
            "monthly_bill": bill,
        }
    )
    for column, share in (("tenure_months", 0.03), ("region", 0.05), ("overpaying", 0.15), ("contacts_90d", 0.04)):
        frame.loc[rng.random(n) < share, column] = np.nan
    frame["fault"] = frame["fault"].where(rng.random(n) > 0.08, None)
    hidden_from_nobody = {
        "base_logit": base,
        "monthly_bill": bill,
        "worth": worth,
        "price_reason": price.astype(float),
        "fault_ours": fault.astype(float),
        "tenure_months": tenure,
        "contacts_90d": contacts,
        "overpaying": over,
    }
    return frame, hidden_from_nobody


def draw_log(seed: int, n: int, world: World | None = None) -> tuple[pd.DataFrame, Truth]:
    """A log of n calls in the order they came, and its truth.

    The frame holds `amount`, `stayed` (0/1), `monthly_bill`, `agent_id`, `given_month`, `intended_amount`, `propensity`
    (NaN unless randomised) and the context of `draw_context`. Money runs out: when a team-month has less left than
    the agent means to give, nothing is given, whatever the agent heard.
    """
    w = world or World()
    rng = np.random.default_rng(seed)
    frame, arrays = draw_context(rng, n)
    callers = draw_callers(rng, **arrays, hidden=w.hidden)
    agents = draw_agents(rng, n_agents=w.agents, n_months=w.months, spread=w.spread)
    agent = rng.integers(0, w.agents, n)
    team, month = agent % w.teams, np.sort(rng.integers(0, w.months, n))
    cap = np.where(rng.random(n) < 0.2, w.cap, 0.75 * w.cap)
    intended = agent_amount(rng, agents, agent, callers, cap=cap, month=month, confounding=w.confounding)
    wanted, propensity = randomise(rng, intended, cap, share=w.trial_share)
    stays = rng.random(n)
    meant = np.zeros((w.teams, w.months))
    np.add.at(meant, (team, month), intended * p_stay_at(callers, intended))
    budget = w.budget_share * meant
    amount = _spend(callers, wanted, stays, team=team, month=month, budget=budget)
    truth_p = p_stay_at(callers, amount)
    frame.insert(0, "amount", amount)
    frame.insert(1, "stayed", (stays < truth_p).astype(int))
    frame["agent_id"] = [f"agent {i:03d}" for i in agent]
    frame["given_month"] = [f"{2023 + i // 12}-{i % 12 + 1:02d}" for i in month]
    frame["intended_amount"] = intended
    frame["propensity"] = np.where(amount == wanted, propensity, np.nan)
    return frame, Truth(callers, team, month, cap, budget, truth_p)


def _spend(
    callers: Callers, wanted: Array, stays: Array, *, team: NDArray[np.int64], month: NDArray[np.int64], budget: Array
) -> Array:
    """Amounts given when each team-month's money runs down call by call; a credit costs only when the caller stays."""
    left = budget.copy()
    at_wanted = p_stay_at(callers, wanted)
    amount = wanted.copy()
    for i in range(len(wanted)):
        if wanted[i] > left[team[i], month[i]]:
            amount[i] = 0.0
        elif stays[i] < at_wanted[i]:
            left[team[i], month[i]] -= wanted[i]
    return amount
