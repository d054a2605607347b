"""What the offers earn against callers whose true curves are known: `python -m tests.bench.bench_offers [--quick]`.

Each world draws a log, shows it to the methods, and then lets each of them answer the calls of four fresh team-months
whose budgets bind, the price of budget being solved again each day. Earned: expected net value over giving nobody
anything, at every caller's own true chances. The *oracle* knows the true curve of everyone like this caller (the mean
over what nobody records: voice, kind, chance) and paces in hindsight; `oracle / own curves` says how far that is from
knowing each caller's own hidden kind. The rules of thumb are each given their best share in hindsight.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from churn.core.effects.effect import ConcessionEffect, DefaultCurve
from churn.core.effects.pricing import choose_rung, day_headroom, net_value, price_of_budget, within_headroom
from churn.simulation.callers import World, draw_callers, draw_context, draw_log, p_stay

Array = NDArray[np.float64]
AMOUNTS = np.array([0, 5, 10, 15, 20, 25, 30, 40, 50, 60, 75, 90], float)
HANDLING = 1.5
DAYS = 30
BLOCK = 600
TIGHT = (0.4, 0.55, 0.7, 0.85)  # money of each team-month over what the oracle would spend without a limit


@dataclass(frozen=True)
class Scene:
    """One world: a log to learn from and fresh calls to answer."""

    log: pd.DataFrame
    calls: pd.DataFrame  # context and monthly_bill, in the order they come
    p_true: Array  # (n, m) each caller's own curve
    p_known: Array  # (n, m) its mean over all that the context does not tell
    worth: Array  # (n,)
    log_worth: Array
    risk: Array  # (n,) the risk shown on the card
    log_risk: Array


Method = Callable[[Scene], tuple[Array, Array]]  # curves for the calls and for the log's last rows


def callers_scene(seed: int, n: int, world: World) -> Scene:
    """The mechanism of `churn.simulation.callers`."""
    log, _ = draw_log(seed, n, world)
    rng = np.random.default_rng(seed + 10_000)
    calls, arrays = draw_context(rng, BLOCK * len(TIGHT))
    p_true = p_stay(draw_callers(rng, **arrays, hidden=world.hidden), AMOUNTS)
    p_known = np.mean([p_stay(draw_callers(rng, **arrays, hidden=world.hidden), AMOUNTS) for _ in range(150)], axis=0)
    return Scene(
        log,
        calls,
        p_true,
        p_known,
        calls.worth.to_numpy(),
        log.worth.to_numpy(),
        calls.risk.to_numpy(),
        log.risk.to_numpy(),
    )


# ---- playing the month ---------------------------------------------------------------------------------------------


def gain_over_nothing(scene: Scene) -> Array:
    value = net_value(scene.p_true, scene.worth, AMOUNTS, handling=HANDLING)
    return value - value[:, :1]


def budgets(scene: Scene) -> list[float]:
    value = net_value(scene.p_true, scene.worth, AMOUNTS, handling=HANDLING)
    spend = scene.p_true * AMOUNTS
    free = choose_rung(value, spend)
    return [share * spend[rows, free[rows]].sum() for share, rows in zip(TIGHT, blocks(), strict=True)]


def blocks() -> Iterator[NDArray[np.int64]]:
    for i in range(len(TIGHT)):
        yield np.arange(i * BLOCK, (i + 1) * BLOCK)


def hindsight(scene: Scene, p: Array) -> float:
    """Earned when the choice is by `p` and the price of each month is solved on the very calls that come."""
    gain, earned = gain_over_nothing(scene), 0.0
    for rows, budget in zip(blocks(), budgets(scene), strict=True):
        value = net_value(p[rows], scene.worth[rows], AMOUNTS, handling=HANDLING)
        spend = p[rows] * AMOUNTS
        price = price_of_budget(value, spend, left=budget, calls_expected=len(rows))
        earned += gain[rows, choose_rung(value, spend, price)].sum()
    return earned


def play(scene: Scene, p: Array, p_log: Array, seed: int) -> tuple[float, float]:
    """Earned and the worst overshoot in pounds when the price is solved again each day from what is left."""
    gain, earned, overshoot = gain_over_nothing(scene), 0.0, -np.inf
    recent = slice(-500, None)
    sample = net_value(p_log, scene.log_worth[recent], AMOUNTS, handling=HANDLING)
    sample_spend = p_log * AMOUNTS
    stays = np.random.default_rng(seed).random(len(gain))
    for rows, budget in zip(blocks(), budgets(scene), strict=True):
        left = budget
        for day in range(DAYS):
            today = rows[day * BLOCK // DAYS : (day + 1) * BLOCK // DAYS]
            expected = len(rows) * (DAYS - day) / DAYS
            price = price_of_budget(sample, sample_spend, left=left, calls_expected=expected)
            value = net_value(p[today], scene.worth[today], AMOUNTS, handling=HANDLING)
            spent = 0.0
            for j, i in enumerate(today):
                room = day_headroom(budget=budget, left=left, spent_today=spent)
                k = choose_rung(
                    value[j : j + 1], p[i : i + 1] * AMOUNTS, price if np.isfinite(price) else 1e9,
                    allowed=within_headroom(AMOUNTS, room),
                )[0]  # fmt: skip
                earned += gain[i, k]
                cost = AMOUNTS[k] * (stays[i] < scene.p_true[i, k])
                left, spent = left - cost, spent + cost
        overshoot = max(overshoot, -left)
    return earned, overshoot


def play_rule(scene: Scene, wanted: Array, seed: int) -> float:
    """Earned by giving each caller the rung nearest below the amount wanted, until the month's money is gone."""
    gain, earned = gain_over_nothing(scene), 0.0
    rung = np.searchsorted(AMOUNTS, wanted + 1e-9, side="right") - 1
    stays = np.random.default_rng(seed).random(len(gain))
    for rows, budget in zip(blocks(), budgets(scene), strict=True):
        left = budget
        for i in rows:
            k = rung[i] if AMOUNTS[rung[i]] <= left else 0
            earned += gain[i, k]
            left -= AMOUNTS[k] * (stays[i] < scene.p_true[i, k])
    return earned


def rules(scene: Scene, seed: int) -> dict[str, float]:
    """The three rules of thumb, each at its best share in hindsight."""
    band = np.searchsorted(np.quantile(scene.log_risk, [0.4, 0.75]), scene.risk)
    at_risk = scene.risk > np.quantile(scene.log_risk, 0.5)
    everyone = np.ones_like(scene.risk)
    wanted = {
        "rule: share of worth by risk band": [
            np.minimum(AMOUNTS[-1], s * np.array([a, b, 1.0])[band] * scene.worth)
            for s in (0.02, 0.04, 0.06, 0.08, 0.12, 0.16) for a, b in ((0, 0.5), (0.5, 0.75), (0, 1), (1, 1))
        ],
        "rule: flat share of the cap": [a * everyone for a in AMOUNTS[1:]],
        "rule: same credit at risk": [a * at_risk for a in AMOUNTS[1:]],
    }  # fmt: skip
    return {name: max(play_rule(scene, w, seed) for w in tries) for name, tries in wanted.items()}


# ---- methods -------------------------------------------------------------------------------------------------------


def last_rows(scene: Scene) -> pd.DataFrame:
    return scene.log.tail(500)[list(scene.calls.columns)]


def default_curve(scene: Scene) -> tuple[Array, Array]:
    """The policy's curve on top of the risk on the card: no log needed."""
    curve = DefaultCurve()
    calls = curve.p_stay(-logit(scene.risk), scene.calls.monthly_bill.to_numpy(), AMOUNTS)
    rows = curve.p_stay(-logit(scene.log_risk[-500:]), scene.log.monthly_bill.to_numpy()[-500:], AMOUNTS)
    return calls, rows


def naive(scene: Scene) -> tuple[Array, Array]:
    """Logistic regression of staying on the context and the dose, as logged."""

    def design(frame: pd.DataFrame, amounts: Array) -> Array:
        numbers = frame[list(scene.calls.columns)].select_dtypes(["number", "bool"]).astype(float)
        z = numbers.fillna(numbers.median()).to_numpy()
        z = np.clip((z - centre) / scale, -3, 3)
        dose = np.log1p(amounts / frame.monthly_bill.to_numpy())[:, None]
        given = (amounts > 0).astype(float)[:, None]
        return np.hstack([z, given, given * z, dose, dose * z])

    numbers = scene.log[list(scene.calls.columns)].select_dtypes(["number", "bool"]).astype(float)
    centre, scale = numbers.mean().to_numpy(), numbers.std().to_numpy() + 1e-9
    fit = LogisticRegression(C=0.3, max_iter=2000).fit(design(scene.log, scene.log.amount.to_numpy()), scene.log.stayed)

    def curves(frame: pd.DataFrame) -> Array:
        return np.column_stack([fit.predict_proba(design(frame, np.full(len(frame), a)))[:, 1] for a in AMOUNTS])

    return curves(scene.calls), curves(last_rows(scene))


# ---- other worlds ----------------------------------------------------------------------------------------------------


def opaque_scene(seed: int, n: int, *, spread: float = 0.5, hidden: float = 0.8) -> Scene:
    """Another structure: columns without names, a probit in the root of money, agents who give shares of the cap.

    What was meant is not logged, 5 % of calls are drawn from {0, ⅓, ⅔, 1} of the cap, agents come and go, and the cap
    and not the bill is the scale of money. Effects bend and cross in the context.
    """
    rng = np.random.default_rng(seed + 77)
    total, cap = n + BLOCK * len(TIGHT), AMOUNTS[-1]
    z = rng.normal(size=(total, 6)) @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    label = rng.integers(0, 40, total)
    by_label = 0.35 * rng.normal(size=40)
    bill = np.exp(3.6 + 0.35 * z[:, 0] + 0.2 * rng.normal(size=total))
    worth = 260 * np.exp(0.35 * z[:, 1] + 0.2 * z[:, 0] + 0.2 * rng.normal(size=total))
    heard = rng.normal(size=total)
    alpha = 0.1 + 0.45 * z[:, 2] - 0.3 * np.abs(z[:, 3]) + by_label[label] + 0.25 * z[:, 2] * z[:, 4]
    jump = -0.25 - 0.35 * (z[:, 5] > 0.8) + 0.15 * z[:, 3]
    slope = np.exp(0.1 + 0.45 * z[:, 4] - 0.35 * (z[:, 2] > 1))

    def chances(rows: NDArray[np.int64], voice: Array) -> Array:
        money = np.sqrt(AMOUNTS / cap)
        index = (alpha[rows] - hidden * voice)[:, None] + (AMOUNTS > 0) * jump[rows][:, None]
        return norm.cdf(index + slope[rows][:, None] * (1 + 0.25 * voice)[:, None].clip(0.2) * money)

    agent, month = rng.integers(0, 90, total), np.sort(rng.integers(0, 9, total))
    lenient = spread * rng.normal(size=90)[agent] + 0.15 * rng.normal(size=9)[month]
    share = expit(-1.3 + lenient + 1.1 * heard + 0.25 * z[:, 2] - 0.2 * z[:, 4] + 0.3 * rng.normal(size=total))
    rung = np.abs(AMOUNTS - (cap * np.where(share < 0.14, 0.0, share))[:, None]).argmin(axis=1)
    drawn = rng.random(total) < 0.05
    rung = np.where(drawn, np.searchsorted(AMOUNTS, rng.choice([0.0, 30.0, 60.0, 90.0], total)), rung)
    p_own = chances(np.arange(total), heard)
    frame = pd.DataFrame({f"f{j}": z[:, j] if j % 2 else np.exp(z[:, j]) for j in range(6)})
    frame["code"], frame["monthly_bill"] = [f"L{i}" for i in label], bill
    frame["flag"] = pd.array(z[:, 5] > 0.8, dtype="boolean")
    for column in ("f1", "f2", "code", "flag"):
        frame.loc[rng.random(total) < 0.08, column] = None if column == "code" else pd.NA
    log = frame.head(n).copy()
    log["amount"], log["stayed"] = AMOUNTS[rung[:n]], (rng.random(n) < p_own[np.arange(n), rung[:n]]).astype(int)
    log["agent_id"], log["given_month"] = agent[:n], month[:n]
    log["intended_amount"], log["propensity"] = np.nan, np.where(drawn[:n], 0.25, np.nan)
    test = np.arange(n, total)
    p_known = np.mean([chances(test, np.full(len(test), v)) for v in norm.ppf((np.arange(60) + 0.5) / 60)], axis=0)
    risk = 1 - norm.cdf((alpha + 0.25 * rng.normal(size=total)) / np.sqrt(1 + hidden**2))
    calls = frame.iloc[test].reset_index(drop=True)
    return Scene(log, calls, p_own[test], p_known, worth[test], worth[:n], risk[test], risk[:n])


def without_intention(seed: int, n: int) -> Scene:
    scene = callers_scene(seed, n, World())
    scene.log["intended_amount"] = np.nan
    return scene


WORLDS: dict[str, Callable[[int, int], Scene]] = {
    "callers": lambda seed, n: callers_scene(seed, n, World()),
    "callers, more hidden, agents hear more": lambda seed, n: callers_scene(
        seed, n, World(hidden=1.0, confounding=1.3)
    ),
    "callers, intention not logged": without_intention,
    "callers, agents much alike": lambda seed, n: callers_scene(seed, n, World(spread=0.2)),
    "opaque": opaque_scene,
    "opaque, agents much alike": lambda seed, n: opaque_scene(seed, n, spread=0.25),
}

# ---- the table -----------------------------------------------------------------------------------------------------


def measure(scene: Scene, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """Share of the oracle earned by each method, and other figures, for one scene."""
    oracle, own = hindsight(scene, scene.p_known), hindsight(scene, scene.p_true)
    start = time.process_time()
    model = ConcessionEffect().fit(scene.log)
    figures = {"oracle / own curves": oracle / own, "fit, s of CPU": time.process_time() - start}
    earned, overshoot = play(scene, model.p_stay(scene.calls, AMOUNTS), model.p_stay(last_rows(scene), AMOUNTS), seed)
    shares = {"ours": earned}
    shares["policy's default curve"], over = play(scene, *default_curve(scene), seed)
    shares["naive learner"], more = play(scene, *naive(scene), seed)
    shares |= rules(scene, seed)
    figures["overshoot, £"] = max(overshoot, over, more, 0.0)
    low, high = model.interval(scene.calls, AMOUNTS, 0.9)
    inside = (low <= scene.p_known) & (scene.p_known <= high)
    mean = scene.p_known.mean(axis=0)
    figures["90 % interval holds caller's"] = inside.mean()
    figures["... and population's (mean ends)"] = ((low.mean(axis=0) <= mean) & (mean <= high.mean(axis=0))).mean()
    values = scene.calls.iloc[0].to_dict()
    start = time.process_time()
    for _ in range(200):
        model.curve(model.encode(values), AMOUNTS)
    figures["ladder, one caller, ms of CPU"] = (time.process_time() - start) / 200 * 1e3
    start = time.process_time()
    model.p_stay(scene.calls, AMOUNTS)
    figures["ladders a minute, batch"] = 60 * len(scene.calls) / max(time.process_time() - start, 1e-6)
    return {name: value / oracle for name, value in shares.items()}, figures


def report(world: str, size: int, results: list[tuple[dict[str, float], dict[str, float]]]) -> None:
    shares = {name: [r[0][name] for r in results] for name in results[0][0]}
    print(f"\n{world}, {size:,} logged calls: % of the oracle, mean of {len(results)} seeds [worst]")
    for name, values in sorted(shares.items(), key=lambda item: -np.mean(item[1])):
        print(f"  {name:38s}{100 * np.mean(values):6.1f}  [{100 * min(values):.1f}]")
    rule = max(np.mean(v) for name, v in shares.items() if name.startswith("rule"))
    print(f"  {'ours / best rule in hindsight':38s}{np.mean(shares['ours']) / rule:6.2f}")
    for name in results[0][1]:
        print(f"  {name:38s}{np.mean([r[1][name] for r in results]):10,.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, 2,000 and 10,000 calls, the first world")
    parser.add_argument("--world", choices=list(WORLDS), action="append")
    given = parser.parse_args()
    seeds, sizes = (range(1), (2_000, 10_000)) if given.quick else (range(5), (2_000, 10_000, 50_000))
    for world in given.world or (list(WORLDS)[:1] if given.quick else list(WORLDS)):
        for size in sizes:
            report(world, size, [measure(WORLDS[world](seed, size), seed) for seed in seeds])


if __name__ == "__main__":
    main()
