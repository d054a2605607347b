"""What happens to the company from outside the customer: planned changes, outages, and bursts nobody announced."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from churn.simulation.chance import Chance, Ints
from churn.simulation.clock import Month, as_date, day_number, working_day, workload
from churn.simulation.people import REGION_NAMES
from churn.simulation.plans import BROADBAND, MOBILE, PLANS, PRODUCTS, TV

BILL_DAY = 4  # of the month: one bill run for everyone


@dataclass(frozen=True)
class Event:
    """One cause of contacts. Rates are extra contacts per member of the audience; days count from 1970."""

    event_id: str
    kind: str
    owner: str
    title: str
    day: int
    minute: int  # local, of the day
    hours: float
    reason: str  # of the extra contacts
    rate: float
    lag: float  # mean days from start to contact
    span: int  # days on which contacts can come
    product: int | None = None
    plan: int | None = None
    region: int | None = None
    price_rise: float = 0.0  # share of the price
    annoyance: float = 0.0  # logits added to the audience's next month's wish to leave
    say: str = ""
    announced: bool = True
    kernel: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        days = np.arange(self.span)
        shape = np.ones(self.span) if not self.announced else np.exp(-days / max(self.lag, 0.35))
        weight = shape * workload(self.day + days)
        object.__setattr__(self, "kernel", weight / weight.sum())


def draw_events(chance: Chance, starts: Ints, until: int) -> list[Event]:
    """Every event of the history and what is planned after `until`, by day; `starts` are the months' first days."""
    events = [*_bill_runs(starts), *_price_rises(starts), *_campaigns(chance, starts), *_releases(chance, starts)]
    events += [*_outages(chance, starts), *_bursts(chance, starts)]
    events = [e for e in events if e.day < until or e.kind == "bill_run"] + _planned(until)
    return sorted(events, key=lambda e: (e.day, e.event_id))


def quiet_days(events: list[Event], first: int, end: int) -> NDArray[np.bool_]:
    """For each day in [first, end): does no event reach into it?"""
    quiet = np.ones(end - first, bool)
    for e in events:
        if e.rate > 0:
            quiet[max(e.day - first, 0) : max(e.day + e.span - first, 0)] = False
    return quiet


def _bill_runs(starts: Ints) -> list[Event]:
    return [
        Event(
            f"EV-BILL-{as_date(s):%Y%m}", "bill_run", "Finance", f"Bill run {as_date(s):%B %Y}", int(s) + BILL_DAY - 1,
            6 * 60, 4, "billing", 0.012, 1.2, 5, say="Bills went out on the 4th; the full breakdown is in the app.",
        )
        for s in starts
    ]  # fmt: skip


def _price_rises(starts: Ints) -> list[Event]:
    rises = []
    for s in starts[:-1]:
        day = as_date(s)
        if day.month == 4:
            for product, share in ((BROADBAND, 0.069), (MOBILE, 0.058)):
                rises.append(_price_rise(day, product, share, 0.045 if product == BROADBAND else 0.025))
    if len(starts) > 4:
        last = [as_date(s) for s in starts[:-2] if as_date(s).month == 9][-1:]
        rises += [_price_rise(day, TV, 0.085, 0.05) for day in last]
    return rises


def _price_rise(day: date, product: int, share: float, rate: float) -> Event:
    name = PRODUCTS[product]
    return Event(
        f"EV-PRICE-{day:%Y%m}-{name}", "price_rise", "Pricing", f"{name.capitalize()} prices up {share:.1%}",
        day_number(day), 0, 24, "price", rate, 4.0, 14, product=product, price_rise=share, annoyance=0.25,
        say=f"Prices rise by {share:.1%} as set out in the contract; look for a plan that fits before offering money.",
    )  # fmt: skip


_CAMPAIGNS = (
    ("Summer double data", "Marketing", "upgrade", 0.012, MOBILE),
    ("Full Fibre switch-up", "Marketing", "upgrade", 0.020, BROADBAND),
    ("Sport season pass", "Marketing", "upgrade", 0.016, TV),
    ("Refer a friend, both get £25", "Marketing", "account", 0.006, None),
    ("Paperless push", "Digital", "account", 0.010, None),
    ("Loyalty thank-you e-mail", "Marketing", "price", 0.008, None),
)
_RELEASES = (
    ("App 7 sign-in", "Digital", "account", 0.011, None),
    ("Router firmware 4.2", "Network", "fault", 0.014, BROADBAND),
    ("New bill layout", "Digital", "billing", 0.013, None),
    ("TV guide refresh", "Product", "fault", 0.010, TV),
    ("Self-service eSIM", "Product", "account", 0.006, MOBILE),
    ("Database maintenance, no impact expected", "IT", "account", 0.0, None),
    ("Network core upgrade, no impact expected", "Network", "fault", 0.008, BROADBAND),
)


def _spread_days(chance: Chance, what: str, n: int, starts: Ints) -> Ints:
    """n working days over the whole history, one in each n-th of it."""
    edges = np.linspace(int(starts[0]) + 5, int(starts[-2]), n + 1).astype(int)
    u = chance.uniform(what, np.arange(n))
    return np.array(
        [working_day(u[i : i + 1], Month(i, edges[i], max(edges[i + 1], edges[i] + 7)))[0] for i in range(n)]
    )


def _campaigns(chance: Chance, starts: Ints) -> list[Event]:
    days = _spread_days(chance, "campaigns", max(2, len(starts) // 3), starts)
    events = []
    for k, day in enumerate(days):
        title, owner, reason, rate, product = _CAMPAIGNS[k % len(_CAMPAIGNS)]
        events.append(
            Event(
                f"EV-CAMP-{k + 1:02d}", "campaign", owner, title, int(day), 10 * 60, 7 * 24, reason, rate, 2.5, 9,
                product=product, say=f"{title}: terms are on the campaign page; never promise what is not there.",
            )
        )  # fmt: skip
    return events


def _releases(chance: Chance, starts: Ints) -> list[Event]:
    days = _spread_days(chance, "releases", max(2, len(starts) // 2), starts)
    events = []
    for k, day in enumerate(days):
        title, owner, reason, rate, product = _RELEASES[k % len(_RELEASES)]
        events.append(
            Event(
                f"EV-REL-{k + 1:02d}", "release", owner, title, int(day), 22 * 60, 3, reason, rate, 1.5, 5,
                product=product, say="Ask them to restart the router or the app; note the version.",
            )
        )  # fmt: skip
    return events


def _outages(chance: Chance, starts: Ints) -> list[Event]:
    n = max(3, round(len(starts) * 0.8))
    days = _spread_days(chance, "outages", n, starts)
    k = np.arange(n)
    region = chance.below(len(REGION_NAMES), "outage region", k)
    hours = 2.0 + 22.0 * chance.uniform("outage hours", k) ** 2
    minute = chance.below(14 * 60, "outage minute", k) + 7 * 60
    return [
        Event(
            f"EV-OUT-{i + 1:02d}", "outage", "Network", f"Broadband down, {REGION_NAMES[region[i]]}", int(days[i]),
            int(minute[i]), float(hours[i]), "fault", 0.08 + 0.012 * float(hours[i]), 0.4, 4, product=BROADBAND,
            region=int(region[i]), annoyance=0.02 * float(hours[i]),
            say="We know about it and engineers are on it; credit is automatic, no need to ask.",
        )
        for i in range(n)
    ]  # fmt: skip


def _planned(until: int) -> list[Event]:
    """What other departments have announced for the weeks after the data ends: nothing of it has happened."""
    return [
        Event(
            "EV-PLAN-1", "campaign", "Marketing", "Winter switch-up to Full Fibre", _weekday(until + 9, 0),
            10 * 60, 168, "upgrade", 0.02, 2.5, 9, product=BROADBAND,
            say="Terms of the winter offer are on the campaign page.",
        ),
        Event(
            "EV-PLAN-2", "release", "Network", "Router firmware 4.3", _weekday(until + 16, 2),
            22 * 60, 3, "fault", 0.014, 1.5, 5, product=BROADBAND,
            say="Routers restart by themselves between two and four.",
        ),
        Event(
            "EV-PLAN-3", "release", "Digital", "App 8, no impact expected", _weekday(until + 25, 1),
            22 * 60, 3, "account", 0.011, 1.5, 5, say="Ask them to update the app before anything else.",
        ),
        Event(
            "EV-PLAN-4", "price_rise", "Pricing", "TV prices up 4.5%", _weekday(until + 47, 3), 0, 24,
            "price", 0.05, 4.0, 14, product=TV, say="Letters go out two weeks before; look for a plan that fits first.",
        ),
    ]  # fmt: skip


def _weekday(day: int, weekday: int) -> int:
    """The first day from `day` on that is this weekday, Monday being 0."""
    return day + (weekday - as_date(day).weekday()) % 7


_BURSTS = (
    ("Router firmware fault: red light after the update", "fault", 0.34, 3, 6),
    ("Direct debit taken twice", "payment", 0.020, None, 4),
    ("App will not let people in", "account", 0.024, None, 5),
    ("Engineers not turning up", "installation", 0.022, None, 7),
    ("Roaming charged inside the allowance", "billing", 0.18, 6, 6),
    ("Web mail down", "account", 0.020, None, 3),
)


def _bursts(chance: Chance, starts: Ints) -> list[Event]:
    """Faults that only the calls betray: a flat level of extra contacts from one day to another."""
    n = min(len(_BURSTS), max(2, len(starts) // 4))
    days = _spread_days(chance, "bursts", n, starts)
    events = []
    for k in range(n):
        title, reason, rate, plan, span = _BURSTS[k]
        day = int(days[k])
        if as_date(day).weekday() > 3:  # they begin Monday to Thursday, when someone changes something
            day = _weekday(day, 0)
        product = PLANS[plan].product if plan is not None else None
        events.append(
            Event(
                f"BURST-{k + 1:02d}", "burst", "Network" if reason == "fault" else "Digital", title, day, 0,
                span * 24.0, reason, rate, span / 2, span, product=product, plan=plan, annoyance=0.15, announced=False,
            )
        )  # fmt: skip
    return events


def last_effect_day(event: Event) -> date:
    """The last day on which the event brings contacts."""
    return as_date(event.day) + timedelta(days=event.span - 1)
