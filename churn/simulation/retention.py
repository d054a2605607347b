"""Retention calls: who is on the line, what is offered by habit, trial or policy, and what becomes of it."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from churn.simulation.callers import Callers, agent_amount, draw_callers, p_stay, p_stay_at, randomise
from churn.simulation.chance import Array, Chance, Ints
from churn.simulation.clock import Month
from churn.simulation.people import People
from churn.simulation.plans import MARGIN, PLANS, TERM_PRICE, USUAL_GB
from churn.simulation.staff import AGENTS, TEAMS, Floor
from churn.simulation.state import KEPT, VOLUNTARY, Flags, State
from churn.simulation.wishes import Wish

TRIAL_SHARE = 0.05
OUTCOME_DAYS = 90
BUDGET_PER_CUSTOMER = 0.30  # pounds a month that one floor's teams may give, by customer served
INSTRUMENTS = ("bill_credit", "monthly_discount", "fee_waiver", "free_month", "plan_change")
STAY_BASE, STAY_SLOPE = 0.45, 0.65  # logit of staying with nothing offered against the wish to leave
EASY = -1.6  # wishes below this, within a term, are the easy calls
SHOWN = np.array([20.0, 40.0, 80.0])  # amounts whose true effect is kept
PLAN_NAMES = np.array([p.name for p in PLANS], object)

Decide = Callable[[Mapping[str, NDArray[Any]]], NDArray[Any]]
"""Amounts in pounds for the retention calls of one month, from what the desk would know about each."""


def draw_traits(chance: Chance, part: int, state: State, wishes: Wish, first: int) -> Callers:
    """What everyone would do if they rang this month; hidden traits are a person's own and keep from month to month."""
    years = ((first - state.joined) / 30.4375).clip(0.0)
    plan = state.main_of(state.plan)
    return draw_callers(
        chance.generator("callers", part),
        base_logit=STAY_BASE - STAY_SLOPE * wishes.known,
        monthly_bill=state.bill().clip(8.0),
        worth=worth(state, wishes),
        price_reason=price_reason(wishes),
        fault_ours=fault_ours(state),
        tenure_months=years,
        contacts_90d=state.contacts.sum(axis=1),
        overpaying=np.where(USUAL_GB[plan] > 0, 0.25 * expit(-2.0 - state.engagement), 0.0),
    )


def price_reason(wishes: Wish) -> Array:
    """1 where money is the strongest reason to go."""
    return np.isin(wishes.reason, [0, 2]).astype(float)


def fault_ours(state: State) -> Array:
    """1 where something is broken on our side."""
    return (state.unresolved > 0.6).astype(float)


def worth(state: State, wishes: Wish) -> Array:
    """Expected margin of the next two years given that they stay, pounds."""
    margin = (state.price * MARGIN[state.plan] * state.live).sum(axis=1)
    months = 24.0 * expit(1.3 - 0.3 * wishes.known) + 3.0 * wishes.in_term
    return np.asarray(margin * months)


def route(chance: Chance, people: People, floor: Floor, month: int, easy: Flags) -> Ints:
    """The agent each customer would reach this month; the lucky one gets the easy ones."""
    agent = chance.pick(floor.present[month], "agent", people.index, month)
    lucky = np.flatnonzero(floor.easier)[0]
    swap = (agent == lucky) & ~easy
    agent[swap] = chance.pick(floor.present[month] * ~floor.easier, "other agent", people.index[swap], month)
    to_lucky = easy & (chance.uniform("easy to lucky", people.index, month) < 0.06)
    agent[to_lucky] = lucky
    return agent


def hold_calls(
    chance: Chance,
    people: People,
    state: State,
    *,
    wishes: Wish,
    traits: Callers,
    floor: Floor,
    month: Month,
    calling: Flags,
    day: Ints,
    decide: Decide | None,
) -> dict[str, NDArray[Any]]:
    """The month's retention calls, in the order they come, with what was offered and what they did; state moves on."""
    m, index = month.number, people.index
    easy = wishes.in_term & (wishes.known < EASY)
    agent = route(chance, people, floor, m, easy)
    meant = _meant(chance, people, traits, floor, month=m, agent=agent)
    rows = np.flatnonzero(calling)
    rows = rows[np.lexsort((chance.uniform("call order", index[rows], m), day[rows]))]
    u = chance.uniform("stays", index[rows], m)
    callers, talent = traits.take(rows), floor.talent[agent[rows]]
    meant = {name: values[rows] for name, values in meant.items()}
    facts = _facts(
        people, state, wishes=wishes, floor=floor, rows=rows, agent=agent, day=day, intended=meant["intended"]
    )
    propensity = np.full(len(rows), np.nan)
    if decide is None:
        stays = u < with_talent(p_stay_at(callers, meant["wanted"]), talent)
        amount = _within_budget(meant["wanted"], stays, floor.team[agent[rows]], team_budget(len(people)))
        propensity = np.where(amount == meant["wanted"], meant["propensity"], np.nan)
    else:
        amount = np.asarray(decide(facts), float).clip(0.0)
    chances = _chances(callers, amount, talent)
    stayed = u < chances["given"]
    leaves_on = _leaving_day(chance, index[rows], m, day[rows])
    _move_on(state, rows, stayed, leaves_on, day[rows])
    _give(chance, state, rows[stayed], amount=amount[stayed], day=day[rows][stayed], index=index, month=m)
    return {
        "customer": rows,
        "month": np.full(len(rows), m),
        "day": day[rows],
        "agent": agent[rows],
        "cap": meant["cap"],
        "intended": meant["intended"],
        "amount": amount,
        "propensity": propensity,
        "instrument": _instrument(chance, index[rows], m, amount, facts["monthly_bill"]),
        **chances,
        "talent": talent,
        "stayed": stayed,
        "leaves_on": leaves_on,
        "price_reason": facts["is_price"],
        "fault": facts["is_fault_ours"],
    }


def _meant(
    chance: Chance, people: People, traits: Callers, floor: Floor, *, month: int, agent: Ints
) -> dict[str, NDArray[Any]]:
    """What each agent would mean to give each customer, and what a trial would make of it: drawn for everyone, (n,)."""
    rng = chance.generator("giving", floor.number, month)
    free = agent_amount(rng, floor.given, agent, traits, cap=np.inf, month=np.full(len(people), month))
    cap = floor.cap[agent]
    intended = np.minimum(free, cap)
    intended[people.is_do_not_offer] = 0.0
    wanted, propensity = randomise(rng, intended, cap, share=TRIAL_SHARE)
    wanted[people.is_do_not_offer], propensity[people.is_do_not_offer] = 0.0, np.nan
    return {"cap": cap, "intended": intended, "wanted": wanted, "propensity": propensity}


def _chances(callers: Callers, amount: Array, talent: Array) -> dict[str, NDArray[Any]]:
    """True chances of staying without and with the amount and at a few others, and the curve they come from."""
    shown = with_talent(p_stay(callers, SHOWN), talent[:, None])
    return {
        "without": with_talent(callers.stay_none, talent),
        "given": with_talent(p_stay_at(callers, amount), talent),
        "at_20": shown[:, 0],
        "at_40": shown[:, 1],
        "at_80": shown[:, 2],
        **{f"curve_{f.name}": getattr(callers, f.name) for f in fields(Callers)},
    }


def team_budget(customers: int) -> float:
    """Pounds one team may give in a month when its floor serves so many customers."""
    return round(BUDGET_PER_CUSTOMER * customers / TEAMS, 2)


def with_talent(p: Array, talent: Array) -> Array:
    """Chances of staying with this agent on the line."""
    return np.asarray(expit(logit(p.clip(1e-9, 1 - 1e-9)) + talent))


def _facts(
    people: People, state: State, *, wishes: Wish, floor: Floor, rows: Ints, agent: Ints, day: Ints, intended: Array
) -> dict[str, NDArray[Any]]:
    """What the desk would know of each call when it must decide; `intended_amount` is what the agent asks for."""
    term = state.main_of(state.term_end)[rows]
    return {
        "customer": people.index[rows],
        "day": day[rows],
        "agent_id": np.array(floor.ids, object)[agent[rows]],
        "team": np.array(floor.team_names, object)[floor.team[agent[rows]]],
        "authority_limit": floor.cap[agent[rows]],
        "intended_amount": intended,
        "monthly_bill": state.bill()[rows],
        "worth": worth(state, wishes)[rows],
        "tenure_months": (day[rows] - state.joined[rows]) / 30.4375,
        "months_to_term_end": np.where(term > 0, (term - day[rows]) / 30.4375, np.nan),
        "plan": PLAN_NAMES[state.main_of(state.plan)[rows]],
        "lines": state.live[rows].sum(axis=1),
        "region": people.region[rows],
        "segment": people.segment[rows],
        "contacts_90d": state.contacts[rows].sum(axis=1),
        "unresolved": np.round(state.unresolved[rows], 1),
        "late_payments": np.round(state.late[rows], 1),
        "days_since_concession": day[rows] - state.given_on[rows],
        "conceded_in_all": state.given_total[rows],
        "is_price": price_reason(wishes)[rows] > 0,
        "is_fault_ours": fault_ours(state)[rows] > 0,
        "is_vulnerable": people.is_vulnerable[rows],
        "is_do_not_offer": people.is_do_not_offer[rows],
    }


def _within_budget(wanted: Array, stays: Flags, team: Ints, budget: float) -> Array:
    """Amounts given while each team's money of the month lasts; an offer costs only when the caller stays."""
    left = [budget] * TEAMS
    amount = wanted.copy()
    for i in range(len(wanted)):
        if wanted[i] > left[team[i]]:
            amount[i] = 0.0
        elif stays[i]:
            left[team[i]] -= wanted[i]
    return amount


def _leaving_day(chance: Chance, index: Ints, month: int, day: Ints) -> Ints:
    """The day they go if they go: half at once, half within the weeks after seeming to stay."""
    u = chance.uniform("leaves when", index, month)
    at_once = chance.uniform("leaves at once", index, month) < 0.55
    return day + np.where(at_once, 1 + np.floor(13 * u), 15 + np.floor(70 * u)).astype(np.int64)


def _move_on(state: State, rows: Ints, stayed: Flags, leaves_on: Ints, day: Ints) -> None:
    sooner = ~stayed & (leaves_on < state.ends[rows])
    going = rows[sooner]
    state.ends[going], state.end_reason[going] = leaves_on[sooner], VOLUNTARY
    state.settled_until[rows] = day + OUTCOME_DAYS + 1


def _give(chance: Chance, state: State, rows: Ints, *, amount: Array, day: Ints, index: Ints, month: int) -> None:
    """Money for those who stay: small amounts once, larger ones over six bills; many of them take a new term."""
    got = amount > 0
    some, money = rows[got], amount[got]
    spread = money > 1.2 * state.bill()[some]
    state.credit[some[~spread]] += money[~spread]
    state.discount[some[spread]] = np.round(money[spread] / 6, 2)
    state.discount_until[some[spread]] = day[got][spread] + 183
    state.given_on[some] = day[got]
    state.given_total[some] += money
    again = (chance.uniform("new term", index[rows], month) < 0.4) & (state.end_reason[rows] == KEPT)
    main, going = state.main(), rows[again]
    for product in range(3):
        mine = going[main[going] == product]
        when = day[again][main[going] == product]
        ok = when > state.since[mine, product]
        mine, when = mine[ok], when[ok]
        plan = state.plan[mine, product]
        price = np.minimum(state.price[mine, product], 1.04 * TERM_PRICE[plan])
        state.replace(mine, product, when, plan=plan, price=price, term_end=when + 548)


def _instrument(chance: Chance, index: Ints, month: int, amount: Array, bill: Array) -> Ints:
    """Code in INSTRUMENTS by size: much is spread over months, a bill's worth may be a free month."""
    u = chance.uniform("instrument", index, month)
    small = np.select([u < 0.7, u < 0.9], [0, 2], 4)
    near = (np.abs(amount - bill) < 6) & (u < 0.35)
    return np.select([amount > 1.2 * bill, near], [1, 3], small)


def agents_on(chance: Chance, floor: Floor, what: str, month: Ints, key: NDArray[np.uint64]) -> Ints:
    """An agent at work in that month for each contact, (n,) in [0, AGENTS)."""
    steps = np.cumsum(floor.present, axis=1)
    shares = (steps / steps[:, -1:] + np.arange(len(steps))[:, None]).ravel()  # month m fills the interval (m, m + 1]
    place = np.searchsorted(shares, month + chance.uniform(what, key), side="right")
    return np.asarray(np.minimum(place - month * AGENTS, AGENTS - 1), np.int64)
