"""The desk's shell: who is meant, what the card says, and a card even where the models say nothing."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from churn import casework, db, registry, store
from churn.calls.screen_pop import Asked
from churn.casework import Models
from churn.core import features
from churn.core.calls.facts import fact_for
from churn.core.grants import Session
from churn.core.leaving.outlook import DAYS_A_MONTH
from churn.core.records import Company
from churn.queries import query
from churn.settings import Settings
from tests.acting import sit_down
from tests.conftest import clone
from tests.core.callers import AS_OF, TODAY, bill, contact, event, line, scene, unresolved
from tests.factories import put, put_customer
from tests.models import curve, risk_model, row, why_model

TESTLINE = Company("Testline", "Europe/London", "GB", "GBP", 90, None, None, None, "files")
PHONE = "+447700900123"


@pytest.fixture(scope="module")
def settings(template: Settings) -> Iterator[Settings]:
    """One company for this module, with one of each kind of caller."""
    for made in clone(template):
        with psycopg.connect(db.admin_conninfo(made), autocommit=True) as owner:
            put(owner, "company")
            put_customer(owner, "A1", phone=PHONE, joined_on="2020-01-01")
            put_customer(owner, "b2", name="Zoe O'Brien", phone=PHONE)
            put_customer(owner, "900300", name="Max Meier", phone="+447700900300")
            put_customer(owner, "NEW", name="Nia New", joined_on="2026-11-10")
            put(owner, "customers", customer_id="GONE", name="Guy Gone", joined_on="2015-01-01")
            put(owner, "subscriptions", customer_id="GONE", ended_on="2025-01-01", end_reason="voluntary")
            put(owner, "contacts", contact_id="K1", customer_id="A1", reason="fault", is_resolved=False)
            put(owner, "contacts", contact_id="K2", customer_id=None)
            owner.execute("SET search_path = crm")
            owner.execute(query("scores", "sync_directory"))
        yield made


@pytest.fixture
def owner(settings: Settings) -> Iterator[psycopg.Connection]:
    """Everything written is given back."""
    with psycopg.connect(db.admin_conninfo(settings)) as connection, connection.transaction(force_rollback=True):
        sit_down(connection)
        yield connection


@pytest.fixture(scope="module")
def agent(settings: Settings) -> Session:
    """Somebody who opens cases."""
    with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as connection:
        return sit_down(connection, "S1")


@pytest.fixture(scope="module")
def database(settings: Settings) -> Iterator[db.Database]:
    opened = db.open_database(settings, size=2)
    yield opened
    opened.close()


def models(**values: Any) -> Models:
    all_three = {"risk": risk_model(), "survival": curve(), "why": why_model()}
    return Models((("risk", 1), ("survival", 2), ("why", 3)), **all_three | values)


def facts(values: dict[str, Any] | None = None, **known: Any) -> casework.records.CallerFacts:
    return scene(features=row(**values or {}), **known).facts


def reckon(found: casework.records.CallerFacts, used: Models, **company: Any) -> casework.Card:
    return casework.reckon(found, used, replace(TESTLINE, **company), case_id="c", usual_risk=0.05)


# who is meant ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "key", "whom"),
    [
        ("ani", PHONE, "A1 b2"), ("ani", " 447700900300", "900300"), ("ani", "tel:07700900300", "900300"),
        ("ani", "A1", ""), ("ani", "anonymous", ""), ("ani", "0300", ""), ("caller", "a1", "A1"),
        ("caller", "07700 900300", "900300"),
        ("caller", "900300", "900300"), ("account", "A1", "A1"), ("account", " B2 ", "b2"), ("account", "A", ""),
        ("contact", "K1", "A1"), ("contact", "K2", ""), ("contact", "k9", ""), ("search", "900300", "900300"),
        ("search", "07700 900 300", "900300"), ("search", "0300", "900300"), ("search", "zoe", "b2"),
        ("search", "brien", "b2"),
        ("search", "b2", "b2"), ("search", "zzz", ""), ("account", "\u202aA1\u202c", "A1"), ("account", "A1\0", ""),
        ("contact", "\0", ""), ("search", "\0", ""), ("caller", "\ud800", ""), ("search", "<script>" * 900, ""),
    ],
)  # fmt: skip
def test_what_was_asked_for_only_ever_searches(owner: psycopg.Connection, by: str, key: str, whom: str) -> None:
    found = casework.find(owner, Asked(by, key), TESTLINE)
    assert [match.customer_id for match in found.matches] == whom.split()


def test_a_withheld_number_is_told_from_an_unknown_one(owner: psycopg.Connection) -> None:
    hidden = casework.find(owner, Asked("ani", "Anonymous"), TESTLINE).number
    unknown = casework.find(owner, Asked("ani", "07700 900999"), TESTLINE).number
    assert hidden is not None
    assert hidden.is_withheld
    assert unknown is not None
    assert unknown.e164 == "+447700900999"


# opening a case -------------------------------------------------------------------------------------------------------


def test_a_case_is_read_fresh_and_remembered(database: db.Database, owner: psycopg.Connection, agent: Session) -> None:
    card = casework.open_case(database, models(), "A1", me=agent, clock=AS_OF, opened_by="ani")
    assert (card.facts.customer.customer_id, card.today, card.state) == ("A1", TODAY, "live")
    assert card.opening.ground == "1 contact not resolved since 1 Nov"
    kept = owner.execute("SELECT staff_id, customer_id, opened_by FROM desk.cases WHERE case_id = %s", [card.case_id])
    assert kept.fetchone() == ("S1", "A1", "ani")


def test_nobody_is_remembered_for_an_account_that_is_not_there(
    database: db.Database, owner: psycopg.Connection, agent: Session
) -> None:
    with pytest.raises(store.NoSuchCustomer):
        casework.open_case(database, models(), "NOBODY", me=agent, clock=AS_OF, opened_by="ani")
    assert owner.execute("SELECT count(*) FROM desk.cases WHERE customer_id = 'NOBODY'").fetchone() == (0,)


@pytest.mark.parametrize(
    ("customer_id", "clock", "state"),
    [
        ("NEW", AS_OF, "new"),
        ("NEW", datetime(2026, 12, 26, tzinfo=UTC), "live"),
        ("GONE", AS_OF, "ended"),
        ("GONE", datetime(2024, 12, 31, 23, 59, tzinfo=UTC), "live"),
        ("NEW", datetime(2026, 11, 1, tzinfo=UTC), "ended"),
    ],
)
def test_a_caller_is_live_new_or_ended(
    database: db.Database, agent: Session, customer_id: str, clock: datetime, state: str
) -> None:
    card = casework.open_case(database, models(), customer_id, me=agent, clock=clock, opened_by="search")
    assert card.state == state
    assert (card.p_churn is None) == (state == "ended")
    assert card.troubles == ()


# the card -------------------------------------------------------------------------------------------------------------


def test_the_risk_the_curve_and_the_reasons_of_a_card_agree() -> None:
    calls = (unresolved(2), unresolved(9), unresolved(30))
    known = facts({"unresolved_90d": 3, "plan": "Copper"}, contacts=calls, subscriptions=(line(plan="Copper"),))
    card = reckon(known, models())
    assert card.p_churn is not None
    assert card.outlook is not None
    hazard = np.append(0.0, -np.log(card.outlook.staying[0]))
    assert 1 - np.exp(-np.interp(90 / DAYS_A_MONTH, np.arange(37), hazard)) == pytest.approx(card.p_churn, abs=1e-12)
    assert card.reasons[0].text == "3 contacts not resolved about fault, since 16 Oct"
    assert card.why[0].reason == "fault"
    assert card.why[0].fact == "would be the 4th time, open since 16 Oct"
    assert card.troubles == ()


def test_without_any_model_the_card_has_its_facts_and_one_sentence() -> None:
    known = facts(
        {"bill_change": 12.0, "bill_last": 53.0, "months_to_term_end": 0.5, "overdue": 41.0},
        events=(event(3, title="Outage in Wales"),),
        invoices=(bill(3, "53.00"), bill(40, paid_on=None)),
        subscriptions=(line(term_ends_on=date(2026, 11, 30)),),
    )
    card = reckon(known, Models())
    assert (card.p_churn, card.outlook, card.reasons) == (None, None, ())
    assert card.troubles == (casework.NO_RISK_MODEL,)
    assert [(why.reason, why.chance, why.fact) for why in card.why] == [
        ("fault", None, "Outage in Wales, 12 Nov"),
        ("bill", None, "bill up £12"),
        ("pay", None, "£41 overdue since 20 Oct"),
    ]
    assert card.opening.text.startswith("You were hit by an outage")


@pytest.mark.parametrize(
    ("end", "fact"), [(date(2026, 12, 1), "term ends 1 Dec"), (date(2026, 11, 1), "out of term since 1 Nov")]
)
def test_a_fact_in_the_middle_of_a_line_keeps_the_capital_of_its_month(end: date, fact: str) -> None:
    known = facts({"months_to_term_end": (end - TODAY).days / DAYS_A_MONTH}, subscriptions=(line(term_ends_on=end),))
    assert [why.fact for why in reckon(known, Models()).why] == [fact]


def test_what_was_put_right_is_not_counted_as_the_next_time() -> None:
    known = scene(contacts=(contact(2, is_resolved=True), unresolved(9), unresolved(30)))
    assert fact_for("fault", known) == "last on 13 Nov"
    assert fact_for("bill", known) is None


def test_who_has_left_is_given_no_risk_and_no_blame_on_the_models() -> None:
    card = reckon(facts({"live_subscriptions": 0}, subscriptions=(line(ended_on=TODAY),)), Models())
    assert (card.state, card.p_churn, card.troubles) == ("ended", None, ())


def test_a_customer_whose_first_day_has_not_come_has_a_card() -> None:
    card = reckon(scene(joined_on=TODAY + timedelta(days=1), subscriptions=()).facts, models())
    assert (card.state, card.p_churn, card.why, card.troubles) == ("ended", None, (), ())


# models that cannot be used -------------------------------------------------------------------------------------------


def keep(owner: psycopg.Connection, kind: str, model: object) -> int:
    number = registry.register(owner, kind, model, data_as_of=AS_OF, horizon_days=90, metrics={}, by="tests")
    registry.promote(owner, number, "tests")
    return number


def test_models_in_use_are_loaded_by_kind(owner: psycopg.Connection) -> None:
    for kind, model in (("risk", risk_model()), ("survival", curve()), ("why", why_model())):
        keep(owner, kind, model)
    loaded = casework.load_models(owner, casework.model_versions(owner))
    assert [kind for kind, _ in loaded.versions] == ["risk", "survival", "why"]
    assert loaded.troubles == ()
    card, again = reckon(facts(), loaded), reckon(facts(), models())
    assert card.p_churn == again.p_churn
    assert card.why == again.why


def test_a_tampered_model_leaves_a_card_with_facts_and_a_sentence(owner: psycopg.Connection) -> None:
    number = keep(owner, "risk", risk_model())
    owner.execute("UPDATE desk.model_versions SET artifact = artifact || '\\x00' WHERE model_version = %s", [number])
    loaded = casework.load_models(owner, casework.model_versions(owner))
    card = reckon(facts(contacts=(unresolved(12),)), loaded)
    assert card.p_churn is None
    assert card.opening.ground == "1 contact not resolved since 3 Nov"
    (trouble,) = card.troubles
    assert trouble.startswith(f"The risk model is not used. Version {number}: The model's bytes are not those")


@pytest.mark.parametrize(
    ("artifact", "said"),
    [
        (b"", "cannot be read: fit it anew"),
        (b"not a model", "cannot be read: fit it anew"),
        (pickle.dumps({"a": 1}), "is no model of this kind"),
        (b"cchurn.core.nowhere\nx\n.", "cannot be read: fit it anew"),
        (b"cos\nsystem\n(S'true'\ntR.", "no model of ours is made of"),
    ],
)
def test_bytes_that_are_no_model_are_left_out_and_said(owner: psycopg.Connection, artifact: bytes, said: str) -> None:
    number = keep(owner, "risk", risk_model())
    owner.execute(
        "UPDATE desk.model_versions SET artifact = %s, sha256 = %s WHERE model_version = %s",
        [artifact, hashlib.sha256(artifact).hexdigest(), number],
    )
    loaded = casework.load_models(owner, casework.model_versions(owner))
    assert loaded.risk is None
    assert said in str(loaded.troubles[0])


def test_a_model_of_other_libraries_another_kind_or_none_is_left_out(owner: psycopg.Connection) -> None:
    old, swapped = keep(owner, "survival", curve()), keep(owner, "risk", why_model())
    owner.execute("""UPDATE desk.model_versions SET libraries = '{"numpy": "1.0"}' WHERE model_version = %s""", [old])
    loaded = casework.load_models(owner, (("risk", swapped), ("survival", old), ("why", 10**9)))
    assert (loaded.risk, loaded.survival, loaded.why) == (None, None, None)
    assert [str(trouble).split(". ")[0] for trouble in loaded.troubles] == [
        "The risk model is not used",
        "The survival model is not used",
        "The why model is not used",
    ]


@pytest.mark.parametrize("shift", [np.nan, np.inf])
def test_a_risk_that_is_no_chance_is_not_shown(shift: float) -> None:
    card = reckon(facts(), models(risk=replace(risk_model(), shift=shift)))
    assert card.p_churn is None or 0 <= card.p_churn <= 1
    assert card.p_churn is not None or card.troubles == ("The risk model has no answer for this caller: facts only.",)


def test_a_model_of_columns_nobody_has_leaves_the_facts() -> None:
    lost = ("gone_away",)
    card = reckon(
        facts(contacts=(unresolved(12),)),
        models(risk=replace(risk_model(), columns=lost), why=replace(why_model(), columns=lost)),
    )
    assert card.p_churn is None
    assert card.opening.ground == "1 contact not resolved since 3 Nov"
    assert card.troubles == (
        "The risk model has no answer for this caller: facts only.",
        "The likely-why model has no answer for this caller: own facts only.",
    )


def test_a_worth_that_cannot_be_reckoned_leaves_the_risk() -> None:
    card = reckon(facts({"monthly_price": None}), models())
    assert card.p_churn is not None
    assert card.outlook is None
    assert card.troubles == ("What this caller is worth cannot be reckoned: risk only.",)


def test_every_row_the_tiny_models_are_given_is_a_row_of_features(owner: psycopg.Connection) -> None:
    (real,) = store.features(owner, ["A1"], [AS_OF])
    assert set(row()) == set(real)
    assert set(features.flatten(row())) == set(features.BY_NAME)
