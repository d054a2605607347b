"""Every night: whom a call of ours is expected to gain something from, and how much.

A customer would be rung with policy's default credit, or with a fix where something of ours is still open, whichever
gains more. Left out: who asked for no offers, was rung within the days of rest, has no number, has left, is under a
fraud hold or bereaved, and everybody a call is not expected to gain from (`churn.core.calls.callback`). Customers go
through in batches, the models over a whole batch at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg

from churn import db, registry, store
from churn.calls.callbacks import REST_DAYS
from churn.core import features
from churn.core.calls.callback import Ends, Gain, better, gain_of_call, shift_of
from churn.core.effects.demand import EffectInUse, staying_given_saved
from churn.core.effects.effect import ConcessionEffect
from churn.core.leaving.fitted import Fitted
from churn.core.leaving.outlook import DAYS_A_MONTH, Economics, Outlook, economics_of, look_ahead, margins
from churn.core.leaving.worth import clv
from churn.core.money import exponent, to_minor_each
from churn.core.offers.question import DEFAULT_SHIFTS
from churn.core.policies.policy import Case, Instrument, Policy, rule_on
from churn.core.records import Company
from churn.core.staying.survival import TenureCurve
from churn.policies.stored import policy_in_force
from churn.progress import Tell
from churn.queries import query
from churn.settings import Settings

Rows = Sequence[Mapping[str, Any]]
Array = np.ndarray[Any, Any]

CALL_COST = 6.0  # of one call of ours, in the company's currency: about a quarter of an hour of an agent
CHANNELS = r"(call|phone|voice)"  # how a company names a contact made by telephone
MOST_KEPT = 5_000  # the best; more than a day's calls of the largest desk
BATCH = 5_000
NEVER = ("has_fraud_hold", "is_bereaved")  # columns of the company's own CRM
LEVEL = 0.9


class NothingToRank(LookupError):
    """There is nothing to rank callbacks by: it takes a policy in force, a survival model and today's scores."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What one night's ranking came to."""

    weighed: int
    shown: int
    likely: int

    def __str__(self) -> str:
        """One line for whoever ran it."""
        return f"{self.weighed:,} weighed; a gain is shown for {self.shown:,} and likely for {self.likely:,} more"


@dataclass(frozen=True, slots=True)
class Night:
    """What one night's ranking is made with."""

    company: Company
    as_of: datetime
    policy: Policy
    survival: Fitted[TenureCurve]
    effect: Fitted[ConcessionEffect]
    effect_version: int | None
    call_cost: float

    @property
    def economics(self) -> Economics:
        """What worth is reckoned with."""
        return economics_of(self.policy, store.local_day(self.as_of, self.company.time_zone))


def fill(settings: Settings, *, call_cost: float = CALL_COST, progress: Tell) -> Filled:
    """Make the queue anew from today's scores, in one transaction. Raises NothingToRank, store.NoCompany."""
    database = db.open_database(settings, size=1)
    try:
        policy = policy_in_force(database, "batch")
    finally:
        database.close()
    with db.connect(settings, "batch") as connection:
        night = _night(connection, policy, call_cost)
        scored = _reachable(connection, night)
        progress(f"callbacks: {len(scored):,} customers may be worth a call")
        ranked = _rank(connection, night, scored, progress)
        with connection.transaction():
            connection.execute(query("callbacks", "empty"))
            with connection.cursor().copy(query("callbacks", "fill")) as copy:
                for row in ranked:
                    copy.write_row(row)
    shown = sum(row[10] > 0 for row in ranked)
    return Filled(len(scored), shown, len(ranked) - shown)


def _night(connection: psycopg.Connection, policy: Policy | None, call_cost: float) -> Night:
    company, versions = store.company(connection), registry.current(connection)
    if policy is None or "survival" not in versions:
        raise NothingToRank(NothingToRank.__doc__)
    kept = versions.get("effect")
    held = registry.load(connection, kept.model_version) if kept else None
    return Night(
        company,
        company.data_until or datetime.now(UTC),
        policy,
        registry.load(connection, versions["survival"].model_version),
        held.effect if isinstance(held, EffectInUse) else Fitted(ConcessionEffect(), ()),
        kept.model_version if kept and isinstance(held, EffectInUse) else None,
        call_cost,
    )


def _reachable(connection: psycopg.Connection, night: Night) -> dict[str, float]:
    """Customers a call could ever pay for → their chance of leaving."""
    asked = {"as_of": night.as_of, "call_cost": night.call_cost, "channels": CHANNELS, "rest_days": REST_DAYS}
    return dict(connection.execute(query("callbacks", "reachable"), asked).fetchall())


def _rank(
    connection: psycopg.Connection, night: Night, scored: Mapping[str, float], progress: Tell
) -> list[tuple[Any, ...]]:
    """Rows of desk.callback_candidates, those with the largest gain."""
    found: list[tuple[Any, ...]] = []
    everybody = list(scored)
    for at in range(0, len(everybody), BATCH):
        part = everybody[at : at + BATCH]
        rows = store.features(connection, part, [night.as_of] * len(part))
        rows = [row for row in rows if row["live_subscriptions"] and not _is_left_alone(row)]
        found += weigh(night, rows, np.array([scored[row["customer_id"]] for row in rows]))
        progress(f"callbacks: {len(found):,} worth a call")
    return sorted(found, key=lambda row: (-row[9], row[0]))[:MOST_KEPT]


def _is_left_alone(row: Mapping[str, Any]) -> bool:
    attributes = row["attributes"] or {}
    return any(attributes.get(name) is True for name in NEVER)


def weigh(night: Night, rows: Rows, p_churn: Array) -> Iterator[tuple[Any, ...]]:
    """One tuple of desk.callback_candidates per customer whom a call is expected to gain something from."""
    if not rows:
        return
    worth = _worth_if_kept(night, rows, p_churn)
    offer, amounts = _default_offers(night, rows, p_churn, worth.middle)
    credit = _with_credit(night, rows, 1 - p_churn, worth, (offer, amounts))
    fix = night.policy.instrument("fix")
    mended = _with_fix(night, rows, 1 - p_churn, worth, fix)
    takes_fix = better(credit, mended)
    minor = {
        name: to_minor_each(np.nan_to_num(np.where(takes_fix, getattr(mended, name), getattr(credit, name))),
                            night.company.currency)
        for name in ("gain", "low", "high")
    }  # fmt: skip
    p_with = np.where(takes_fix, mended.p_with, credit.p_with)
    worths = to_minor_each(np.nan_to_num(worth.middle), night.company.currency)
    for i in np.flatnonzero(minor["gain"] > 0).tolist():
        item = fix if takes_fix[i] else offer
        if item is not None:
            yield (
                rows[i]["customer_id"], night.as_of, item.lever, item.instrument,
                0 if takes_fix[i] else int(amounts[i]), night.company.currency, 1 - float(p_churn[i]), float(p_with[i]),
                int(worths[i]), *(int(minor[name][i]) for name in ("gain", "low", "high")),
                night.policy.version or 0, night.effect_version,
            )  # fmt: skip


def _worth_if_kept(night: Night, rows: Rows, p_churn: Array) -> Ends:
    """(n,) worth given they stay, with the ends of its interval; NaN where no margin or price is known."""
    economics, horizon = night.economics, night.company.horizon_days
    ahead: Outlook = look_ahead(night.survival, rows, p_churn, horizon_days=horizon, economics=economics)
    margin = margins(rows, economics).amount
    curves = [staying_given_saved(curve, horizon / DAYS_A_MONTH) for curve in (ahead.staying, ahead.low, ahead.high)]
    middle, low, high = (clv(margin, curve, **economics.terms) for curve in curves)
    down, up = ahead.worth.clv - ahead.worth.low, ahead.worth.high - ahead.worth.clv
    return Ends(middle, np.minimum(low, middle - down), np.maximum(high, middle + up))


def _default_offers(night: Night, rows: Rows, p_churn: Array, worth: Array) -> tuple[Instrument | None, Array]:
    """The credit policy offers by default, and how much of it to each of n customers, minor units; 0: nothing."""
    items = (i for i in night.policy.instruments if i.lever == "credit" and i.cost_model == "once" and i.draws_budget)
    item = next(items, None)
    if item is None:
        return None, np.zeros(len(rows), np.int64)
    worths = to_minor_each(np.nan_to_num(worth), night.company.currency)
    amounts = [_default(night, item, *facts) for facts in zip(rows, p_churn, worths, strict=True)]
    return item, np.array(amounts, np.int64)


def _default(night: Night, item: Instrument, row: Mapping[str, Any], p_churn: float, worth: int) -> int:
    said = rule_on(night.policy, _case(night, row, float(p_churn), int(worth)), item)
    if said.is_forbidden or said.default_offer is None or said.default_offer.amount is None:
        return 0
    return min(said.default_offer.amount, said.ceiling) // item.step_amount * item.step_amount


def _case(night: Night, row: Mapping[str, Any], p_churn: float, worth: int) -> Case:
    attributes = row["attributes"] or {}
    since = row["days_since_concession"]
    return Case(
        on=store.local_day(night.as_of, night.company.time_zone),
        monthly_bill=round(float(row["monthly_price"] or 0.0) * 10 ** exponent(night.company.currency)),
        tenure_months=int(row["tenure_months"]),
        worth=worth,
        risk=p_churn,
        given_days_ago=() if since is None else (float(since),),
        plan=row["plan"],
        segment=row["segment"],
        channel="call",
        region=row["region"],
        is_vulnerable=bool(row["is_vulnerable"]),
        in_collections=attributes.get("in_collections") is True,
    )


def _with_credit(
    night: Night, rows: Rows, p_without: Array, worth: Ends, offer: tuple[Instrument | None, Array]
) -> Gain:
    """The gain of ringing with the default credit; NaN where there is none to give."""
    item, amounts = offer
    money = amounts / 10 ** exponent(night.company.currency)
    frame = features.frame(rows, night.effect.columns).reset_index(drop=True)
    frame["monthly_bill"] = [float(row["monthly_price"] or np.nan) for row in rows]
    frame["channel"], frame["contact_reason"] = "call", None
    callers = night.effect.estimator.encode(frame)
    start = night.effect.estimator.curve(callers, np.zeros(1))[:, 0]
    rise = Ends(*(part[:, 0] for part in night.effect.estimator.gain_interval(callers, money[:, None], LEVEL)))
    handling = 0.0 if item is None else item.handling_cost / 10 ** exponent(night.company.currency)
    share = 1.0 if item is None else float(item.cost_share)
    made = gain_of_call(p_without, shift_of(start, rise), worth, cost=money * share, fixed=night.call_cost + handling)
    return _only(made, money > 0)


def _with_fix(night: Night, rows: Rows, p_without: Array, worth: Ends, item: Instrument | None) -> Gain:
    """The gain of ringing with the fix of what is still open; its effect is assumed. NaN where nothing is open."""
    is_open = np.array([bool(row["unresolved_90d"]) for row in rows]) & (item is not None)
    handling = 0.0 if item is None else item.handling_cost / 10 ** exponent(night.company.currency)
    shift = Ends(*(np.full(len(rows), end) for end in DEFAULT_SHIFTS["fix"]))
    return _only(gain_of_call(p_without, shift, worth, cost=0.0, fixed=night.call_cost + handling), is_open)


def _only(gain: Gain, where: Array) -> Gain:
    return Gain(*(np.where(where, part, np.nan) for part in (gain.p_with, gain.gain, gain.low, gain.high)))
