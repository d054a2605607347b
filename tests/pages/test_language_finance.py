"""Finance, policy, models, data, sources and the audit in another language; their files in none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from churn import db, ledger
from churn.core.finance.applied import BillingMapping, read_row
from churn.core.language import speaking
from churn.core.policies import policy
from churn.core.policies.policy_table import KINDS, columns_of
from churn.core.words import plain
from churn.finance import billing, spend, spend_job
from churn.finance.spend_export import KINDS as FILES
from churn.finance.spend_export import file_of
from churn.languages import language_of, languages
from churn.policies import policy_lab
from churn.settings import PROJECT, Settings
from churn.trust import data_job
from tests.ledger_world import OCTOBER, World, give_in_october, populate, small_policy
from tests.model_world import METRICS, NIGHTS, bins, version
from tests.policies.test_policy_lab import GREEN
from tests.pseudo import in_brackets, unsaid

GERMAN = language_of("de")
# A company's own: people and their keys, teams, plans, titles, policy's sentences, codes of rules, keys of views.
OWN = (
    r"(?i)\b(ann|abe|nor|finn|lea|adi|ana|north|south|home|work|agent\d+|ben|ned|sue|fay|deutsch|english|small)\b",
    r"\b(?:Sep|Oct|Nov|November|December|September) 2026\b|\bteam\d|GBP|entry:\d+|\bC\d+\b",
    r"billing\.csv|Keepline|CSV|Excel|Parquet",
    r"python3 -m churn[\w .-]*|crm\.\w+",
)
VIEWS = {
    "spend": ("budgets", "spend", "return", "watch", "months", "billing"),
    "policy": ("force", "compare", "draft", "try", "replay", "publish", "budgets"),
    "models": ("judged", "groups", "time", "drift", "versions"),
    "data": ("fresh", "empty", "doubles", "contract", "files", "held"),
}
WHO = {"spend": "finn", "policy": "lea", "models": "lea", "data": "adi", "audit": "adi", "sources": "adi"}


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """£70 given and £15 taken back, a night's looks at money and data, models of every kind, a draft."""
    monkeypatch.setenv("KEEPLINE_DATABASE", database.database)
    st.cache_resource.clear()
    pool = db.open_database(database, size=4)
    populate(owner)
    owner.execute("INSERT INTO desk.staff (staff_id, name, role) VALUES ('adi', 'Adi', 'administrator')")
    made = World(pool, owner)
    back = give_in_october(made)
    made.budget(100_200)
    ledger.reverse(pool, made["nor"], back.entry_id, reason="given twice")
    made.give("ann", "C3", 114_050 // 100)
    yield made
    pool.close()
    st.cache_resource.clear()


def filled(world: World, database: Settings, tmp_path: Path) -> None:
    """What the nights and billing add."""
    (tmp_path / "billing.csv").write_text("day,account,entry,amount\n2026-10-20,C1,1,40.00\nsoon,C2,,1\n")
    columns = {"applied_on": "day", "account": "account", "entry": "entry", "amount": "amount"}
    billing.import_file(database, tmp_path / "billing.csv", BillingMapping(columns, currency="GBP"))
    spend_job.refresh(database, progress=lambda *_: None)
    for kind, metrics in NIGHTS.items():
        bins(world.owner, version(world.owner, kind=kind, metrics=metrics, status="current"))
        version(world.owner, kind=kind, metrics=metrics)
    data_job.profile(database, progress=lambda *_: None)
    policy_lab.save_draft(
        world.database, world["finn"], small_policy(title="small", rules=small_policy().rules[1:]), GREEN
    )


def page(name: str, language: str | None = None, who: str | None = None, **state: Any) -> AppTest:
    app = AppTest.from_file(str(PROJECT / f"pages/{name}.py"), default_timeout=60)
    app.query_params["who"] = who or WHO[name]
    for key, value in (({"language": language} if language else {}) | state).items():
        app.session_state[key] = value
    return app.run()


def heads(app: AppTest) -> list[str]:
    """What the columns of every table of the page are called."""
    found = []
    for table in app.dataframe:
        told = json.loads(table.proto.columns or "{}")
        order = list(table.proto.column_order) or [str(name) for name in table.value.columns]
        found += [(told.get(name) or {}).get("label") or name for name in order if name]
    return found


@pytest.mark.parametrize("name", WHO)
def test_an_empty_desk_has_no_text_outside_of_the_languages(world: World, name: str) -> None:
    with in_brackets():
        app = page(name)
        assert not app.exception
        assert "\n".join(map(str, unsaid(app, OWN))) == ""


def test_no_text_nor_head_of_a_table_stands_outside_of_the_languages(
    world: World, database: Settings, tmp_path: Path
) -> None:
    filled(world, database, tmp_path)
    wrong, codes = [], set()
    with in_brackets():
        for name in WHO:
            for view in VIEWS.get(name, ("",)):
                app = page(name, **({"view": view} if view else {}))
                assert not app.exception, (name, view)
                wrong += [(name, view, *one) for one in unsaid(app, OWN)]
                for head in heads(app):
                    wrong += [(name, view, "head", head)] if "⟦" not in head and re.search("[a-z]{3}", head) else []
                    codes |= set(re.findall("⟦([^⟦⟧]*)⟧", head))
    assert "\n".join(map(str, wrong)) == ""
    heads_of_codes = {code for code in codes if not re.search(r"GBP|\d days", code)}  # these are filled in
    assert sorted(one for one in heads_of_codes if not {one, f"code\x04{one}"} & GERMAN.texts.keys()) == []


def test_every_word_of_a_policy_is_known_in_every_language() -> None:
    codes = {
        *policy.LEVERS, *policy.COST_MODELS, *policy.ROLES, *policy.WINDOWS, *policy.FAULTS, *policy.FLAGS,
        *policy.WORDS, *policy.UNITS, *policy.RANGES, *(unit for units in policy.UNITS.values() for unit in units),
        *(column for kind in KINDS for column in columns_of(kind)),
    }  # fmt: skip
    for code, language in languages().items():
        if code != "en":
            lacking = [one for one in sorted(codes) if f"code\x04{plain(one)}" not in language.texts]
            assert lacking == [], code


def texts(app: AppTest) -> str:
    assert not app.exception
    kinds = (app.caption, app.info, app.warning, app.success, app.error, app.markdown)
    return "\n".join(str(part.value) for kind in kinds for part in kind).replace("\\", "").replace("\u00a0", " ")


def test_finance_reads_german(world: World) -> None:
    budgets = page("spend", "de")
    assert "## BUDGETS IM NOVEMBER 2026" in texts(budgets)
    assert "Alle 1 Zeilen in GBP: Grenze 1.002 £, ausgegeben −3,60 £, übrig 1.005,60 £." in texts(budgets)
    months = page("spend", "de", view="months")
    assert "Alle 2 Zeilen in GBP: gegeben 71,40 £" in texts(months)
    month = months.selectbox(key="month").set_value("2026-10").run()
    assert "Oktober 2026 ist offen: Diese Summen können sich noch ändern." in texts(month)
    rules = page("policy", "de").dataframe[0].value
    assert rules[["what", "says"]].values.tolist()[0] == ["Obergrenze", "200\u00a0£"]


def test_an_amount_of_a_budget_is_typed_as_it_is_shown(world: World) -> None:
    app = page("policy", "de", who="finn", view="budgets")
    typed = next(one for one in app.text_input if one.label == "Mehr (oder −weniger), GBP")
    typed.set_value("1.140,50")
    next(one for one in app.text_input if one.label == "Warum").set_value("Saison")
    with speaking(GERMAN):  # the options a test names are the page's
        next(one for one in app.button if one.label == "Vorschlagen").click().run()
    assert "Vorgeschlagen: Jemand anderes bestätigt es." in texts(app)
    (waiting,) = [one for one in policy_lab.proposals(world.database, world["lea"]) if one.confirmed_by is None]
    assert (waiting.amount, waiting.reason) == (114_050, "Saison")


def test_a_file_of_billing_is_read_to_the_same_cents_in_every_language() -> None:
    columns = {"applied_on": "day", "account": "account", "entry": "entry", "amount": "amount"}
    plain_file = {"day": "2026-10-20", "account": "C1", "entry": "7", "amount": "1,140.50"}
    comma_file = plain_file | {"amount": "1.140,50"}
    read = []
    for language in languages().values():
        with speaking(language):
            read.append(read_row(plain_file, 2, BillingMapping(columns, currency="GBP")))
            read.append(read_row(comma_file, 2, BillingMapping(columns, currency="GBP", decimal=",")))
    assert {one.amount for one in read} == {114_050}  # type: ignore[union-attr]


def test_files_are_the_same_whoever_takes_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The frames that leave the policy page, and a view of spend, in either language."""
    taken: dict[str, list[Any]] = {"en": [], "de": []}
    now = ["en"]
    monkeypatch.setattr("churn.ui.policy.takeaway", lambda *asked: taken[now[0]].append(asked[-1].to_csv()))
    monkeypatch.setattr(
        "churn.finance.spend_export.exported",
        lambda *asked: taken[now[0]].append(file_of(asked[2], asked[3].frame, asked[3].money)),
    )
    for code in taken:
        now[0] = code
        page("policy", code)
        for view in ("budgets", "months"):
            for button in page("spend", code, view=view).get("download_button"):
                assert button.proto.label in {*FILES, "To print", "Zum Drucken"}
    assert len(taken["en"]) == len(taken["de"]) == 3
    assert taken["en"] == taken["de"]
    with world.database.transaction(world["finn"]) as connection:
        rows = spend.by(connection, "team", spend.Period(OCTOBER, date(2026, 11, 1), "GBP")).assign(currency="GBP")
    made = []
    for language in languages().values():
        with speaking(language):
            made.append(file_of("CSV", rows, ("net",)))
    assert len(set(made)) == 1
    assert b"71.40" not in made[0]
    assert b"56.40" in made[0]


def test_models_are_judged_in_german(world: World) -> None:
    bins(world.owner, version(world.owner, metrics=METRICS, status="current"))
    app = page("models", "de")
    assert {metric.label: metric.value for metric in app.metric}["Log-Loss"] == f"{METRICS['log_loss']:.4f}".replace(
        ".", ","
    )
    assert "**Risiko**:" in texts(app)
    assert "1 Spalte abgedriftet, 0 verschoben, von 2" in texts(page("models", "de", view="drift"))
