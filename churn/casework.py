"""The shell of the desk: find a caller, open their case, put everything an agent needs on one card."""

from __future__ import annotations

import math
import pickle
import unicodedata
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

import numpy as np
import psycopg

from churn import registry, store
from churn.calls import escalations
from churn.calls.phone import Number, read_number
from churn.calls.screen_pop import Asked
from churn.core import features, records
from churn.core.calls.escalation import Escalation
from churn.core.calls.facts import fact_for, striking
from churn.core.calls.reasons import Reason, explain
from churn.core.calls.say import BRAND_NEW_DAYS, Opening, say_first
from churn.core.calls.scene import Scene
from churn.core.calls.why import OTHER, LikelyWhy
from churn.core.effects.demand import EffectInUse
from churn.core.effects.effect import ConcessionEffect
from churn.core.grants import Session
from churn.core.language import mark, t
from churn.core.leaving.fitted import Fitted
from churn.core.leaving.outlook import Economics, Outlook, economics_of, look_ahead, risk_and_moves
from churn.core.leaving.risk import ChurnRisk
from churn.core.policies.policy import Policy
from churn.core.staying.survival import TenureCurve
from churn.db import Database
from churn.policies.stored import policy_in_force
from churn.queries import query
from churn.refusals import OtherOutcome

NO_RISK_MODEL = mark("There is no risk model in use: facts only. An analyst makes one with python3 -m churn train.")
MOST_WHY = 3
LEAST_WHY = 0.08  # a reason less likely than this is noise to an agent
ESTIMATORS = {"risk": ChurnRisk, "survival": TenureCurve, "why": LikelyWhy, "effect": ConcessionEffect}
# What reading bytes that are no model of ours may raise, and what a model may raise on a caller it cannot read.
FAULTS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
UNREADABLE = (*FAULTS, pickle.UnpicklingError, EOFError, ImportError)
State = Literal["live", "new", "ended"]


# Why a model is not used, by what its registry says.
UNFIT: dict[type[Exception], str] = {
    registry.ModelTampered: mark(
        "Version {version}: The model's bytes are not those that were registered; "
        "fit it anew with `python3 -m churn train`."
    ),
    registry.ModelOfOtherLibraries: mark(
        "Version {version}: The model was made with other library versions than are installed; "
        "fit it anew with `python3 -m churn train`."
    ),
    registry.NoSuchModel: mark("There is no model of version {version}."),
}
UNREAD = mark("Version {version} cannot be read: fit it anew.")
OTHER_KIND = mark("Version {version} is no model of this kind.")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A model that is not used. It says so in whichever language it is read: models are shared by all sessions."""

    kind: str
    version: int
    why: str

    def __str__(self) -> str:
        """Which model, and why."""
        return f"{t('The {kind} model is not used.', kind=self.kind)} {t(self.why, version=self.version)}"


@dataclass(frozen=True, slots=True)
class Models:
    """The models in use, loaded; a kind that is missing or unfit is None and `troubles` says why."""

    versions: tuple[tuple[str, int], ...] = ()
    risk: Fitted[ChurnRisk] | None = None
    survival: Fitted[TenureCurve] | None = None
    why: Fitted[LikelyWhy] | None = None
    effect: EffectInUse | None = None
    troubles: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What a screen-pop or search came to: one customer is opened, several are chosen from, none is explained."""

    matches: tuple[records.Match, ...]
    asked: Asked
    number: Number | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """One reason the caller may have: `chance` is None where no model speaks, `fact` the dated fact behind it."""

    reason: str
    chance: float | None
    fact: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """Everything on one caller's card, as of one instant."""

    case_id: str
    company: records.Company
    facts: records.CallerFacts
    today: date
    state: State
    opening: Opening
    why: tuple[Why, ...]
    reasons: tuple[Reason, ...]
    p_churn: float | None
    usual_risk: float | None
    outlook: Outlook | None
    troubles: tuple[str, ...]
    economics: Economics  # what worth was reckoned with
    escalation: Escalation | None = None  # of their open contact


def load_models(connection: psycopg.Connection, versions: tuple[tuple[str, int], ...]) -> Models:
    """The models of these (kind, version) pairs. A model that cannot be trusted is left out, and said."""
    loaded: dict[str, Any] = {}
    troubles = []
    for kind, version in versions:
        try:
            model = registry.load(connection, version)
        except (registry.ModelTampered, registry.ModelOfOtherLibraries, registry.NoSuchModel) as trouble:
            is_known = str(trouble) == UNFIT[type(trouble)].format(version=version)
            troubles.append(LeftOut(kind, version, UNFIT[type(trouble)] if is_known else str(trouble)))
        except UNREADABLE:
            troubles.append(LeftOut(kind, version, UNREAD))
        else:
            held = model.effect if isinstance(model, EffectInUse) else model
            if isinstance(held, Fitted) and isinstance(held.estimator, ESTIMATORS.get(kind, object)):
                loaded[kind] = model
            else:
                troubles.append(LeftOut(kind, version, OTHER_KIND))
    return Models(versions, troubles=tuple(troubles), **{kind: loaded[kind] for kind in ESTIMATORS if kind in loaded})


def model_versions(connection: psycopg.Connection) -> tuple[tuple[str, int], ...]:
    """The models in use as (kind, version), a key to cache what is loaded by."""
    found = sorted(registry.current(connection).items())
    return tuple((kind, row.model_version) for kind, row in found if kind in ESTIMATORS)


def find(connection: psycopg.Connection, asked: Asked, company: records.Company) -> Found:
    """The customers a screen-pop or search means. Whatever was typed only ever searches."""
    # A copied number or account brings marks along that turn text round and cannot be seen.
    key = "".join(c for c in asked.key if unicodedata.category(c) != "Cf").strip()
    if asked.by == "contact":
        return Found(tuple(store.by_contact(connection, key)), asked)
    if asked.by == "account":
        return Found(tuple(store.by_account(connection, key)), asked)
    number = read_number(asked.key, company.phone_region)
    if asked.by in {"ani", "caller"}:
        matches = store.by_phone(connection, number.e164) if number.e164 else []
        if not matches and asked.by == "caller":
            matches = store.by_account(connection, key)
        return Found(tuple(matches), asked, number)
    exact = store.by_account(connection, key)
    if not exact and number.e164:
        exact = store.by_phone(connection, number.e164)
    return Found(tuple(exact or store.search(connection, key)), asked, number)


def open_case(
    database: Database,
    models: Models,
    customer_id: str,
    *,
    me: Session,
    clock: datetime,
    opened_by: str,
) -> Card:
    """Take one caller on the line, read them fresh and reckon the card; an open case of mine is gone on with.

    Raises store.NoSuchCustomer, store.NoCompany, and TooManyLookups.
    """
    policy = policy_in_force(database, me)
    with database.transaction(me) as connection:
        company = store.company(connection)
        case_id = store.open_case(connection, customer_id, opened_by)
        as_of = store.moment(connection, customer_id, clock)
        facts = store.caller_facts(connection, customer_id, as_of, company.time_zone)
        usual = store.usual_risk(connection)
        escalation = escalations.of_caller(connection, customer_id)
    card = reckon(facts, models, company, case_id=case_id, usual_risk=usual, policy=policy)
    return replace(card, escalation=escalation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a call ended: `outcome` is a `records.Outcome`; and what was heard on it."""

    outcome: str
    contact_reason: str | None = None
    fault: str | None = None
    what_is_broken: str | None = None
    would_recommend: int | None = None  # 0 to 10
    referral: str | None = None  # asked, made or missed


def note_cancel(database: Database, me: Session, case_id: str) -> None:
    """The caller said "cancel": from now on the way out is timed."""
    with database.transaction(me) as connection:
        connection.execute(query("customers", "note_cancel"), {"case_id": case_id, "staff_id": me.staff_id})


def close_case(database: Database, me: Session, case_id: str, ending: Ending) -> float | None:
    """Write down how a case ended, once; seconds from the first "cancel" to done, where it was cancelled.

    The telephone system may have closed it before: what the agent says stands. The same said again changes nothing.
    Raises OtherOutcome when it was said to have ended otherwise, or more than twelve hours ago.
    """
    with database.transaction(me) as connection:
        row = connection.execute(
            query("customers", "close_case"), asdict(ending) | {"case_id": case_id, "staff_id": me.staff_id}
        ).fetchone()
    if row is None or row[0] != ending.outcome:
        raise OtherOutcome
    seconds: float | None = row[1]
    return seconds


def scene_of(facts: records.CallerFacts, company: records.Company) -> Scene:
    """What sentences about a caller may draw on."""
    today = store.local_day(facts.as_of, company.time_zone)
    return Scene(facts, _values(facts), today, company.time_zone, facts.customer.currency)


def reckon(
    facts: records.CallerFacts,
    models: Models,
    company: records.Company,
    *,
    case_id: str,
    usual_risk: float | None,
    policy: Policy | None = None,
) -> Card:
    """The card from facts and models, worth by the policy's economics: no reading, no writing."""
    scene = scene_of(facts, company)
    economics = economics_of(policy, scene.today)
    ahead = (
        _look_ahead(facts, models, company, scene, economics) if facts.features.get("live_subscriptions") else _Ahead()
    )
    why, trouble = _why(models.why, facts, scene)
    return Card(
        case_id=case_id,
        company=company,
        facts=facts,
        today=scene.today,
        state=state_of(facts, scene.today),
        opening=say_first(scene),
        why=why,
        reasons=ahead.reasons,
        p_churn=ahead.p_churn,
        usual_risk=usual_risk,
        outlook=ahead.outlook,
        troubles=(*map(str, models.troubles), *ahead.troubles, *trouble),
        economics=economics,
    )


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What the models say of one live customer; what they cannot say is None, and `troubles` says why."""

    p_churn: float | None = None
    reasons: tuple[Reason, ...] = ()
    outlook: Outlook | None = None
    troubles: tuple[str, ...] = ()


def _look_ahead(
    facts: records.CallerFacts, models: Models, company: records.Company, scene: Scene, economics: Economics
) -> _Ahead:
    if models.risk is None:
        is_said = "risk" in dict(models.versions)  # why it was left out
        return _Ahead(troubles=() if is_said else (t(NO_RISK_MODEL),))
    try:
        p_churn, moved = risk_and_moves(models.risk, facts.features)
        reasons = explain(moved, scene)
    except FAULTS:
        p_churn, reasons = math.nan, ()
    if not 0 <= p_churn <= 1:
        return _Ahead(troubles=(t("The risk model has no answer for this caller: facts only."),))
    if models.survival is None:
        return _Ahead(p_churn, reasons)
    try:
        outlook = look_ahead(
            models.survival,
            [facts.features],
            np.array([p_churn]),
            horizon_days=company.horizon_days,
            economics=economics,
        )
    except FAULTS:
        outlook = None
    if outlook is None or not np.isfinite([outlook.worth.clv[0], outlook.worth.low[0], outlook.worth.high[0]]).all():
        return _Ahead(p_churn, reasons, troubles=(t("What this caller is worth cannot be reckoned: risk only."),))
    return _Ahead(p_churn, reasons, outlook)


def _why(
    model: Fitted[LikelyWhy] | None, facts: records.CallerFacts, scene: Scene
) -> tuple[tuple[Why, ...], tuple[str, ...]]:
    try:
        return likely_why(model, facts, scene), ()
    except FAULTS:
        trouble = t("The likely-why model has no answer for this caller: own facts only.")
        return likely_why(None, facts, scene), (trouble,)


def state_of(facts: records.CallerFacts, today: date) -> State:
    """Whether the caller is a customer today, a brand-new one, or was one."""
    if not any(line.is_live(today) for line in facts.subscriptions):
        return "ended"
    return "new" if (today - facts.customer.joined_on).days <= BRAND_NEW_DAYS else "live"


def likely_why(model: Fitted[LikelyWhy] | None, facts: records.CallerFacts, scene: Scene) -> tuple[Why, ...]:
    """Why this caller probably calls, likeliest first: the model's chances with the facts that go with them.

    Without a model the caller's own striking facts, without a chance.
    """
    if model is None or not facts.features:
        return tuple(Why(reason, None, fact) for reason, fact in striking(scene))[:MOST_WHY]
    ranked = model.estimator.rank(_complete(model, facts))
    likely = [one for one in ranked if one.chance >= LEAST_WHY and one.reason != OTHER][:MOST_WHY]
    return tuple(Why(one.reason, one.chance, fact_for(one.reason, scene)) for one in likely)


def _values(facts: records.CallerFacts) -> dict[str, Any]:
    return features.flatten(facts.features) if facts.features else {}


def _complete(model: Fitted[LikelyWhy], facts: records.CallerFacts) -> dict[str, Any]:
    return features.complete(facts.features, model.columns)
