"""The handbook and the model cards by their commands, from a company's own database."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from churn import cli, db, ledger
from churn.commands import documents
from churn.documents.handbook import NothingInForce, handbook_in_force
from churn.policies.stored import policy_in_force
from churn.settings import Settings
from tests.ledger_world import World, build


@pytest.fixture
def obeyed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command on a database within this process: its exit code and what it printed."""
    monkeypatch.setattr(cli, "_leave_no_server", lambda: None)

    def of(settings: Settings, *arguments: str) -> tuple[int, str, str]:
        code = cli.obey(cli.read_arguments([*arguments, "--database", settings.database]))
        return code, *capsys.readouterr()

    return of


def test_the_handbook_of_a_company_names_its_people_its_money_and_its_rules(desk: Settings, obeyed) -> None:
    code, told, _ = obeyed(desk, "handbook")
    assert code == 0
    with psycopg.connect(db.admin_conninfo(desk)) as owner:
        row = owner.execute(
            "SELECT d.name, p.name, p.staff_id FROM desk.policy_versions v "
            "JOIN desk.staff d ON d.staff_id = v.drafted_by JOIN desk.staff p ON p.staff_id = v.published_by"
        ).fetchone()
        team, amount = owner.execute(
            "SELECT team, amount_limit FROM desk.budgets JOIN desk.budget_counters USING (budget_id) "
            "WHERE instrument = 'bill_credit' ORDER BY month, team LIMIT 1"
        ).fetchone()
    drafted, published, key = row
    assert "**Standard retention policy**, version 1, in force since" in told
    assert f"Drafted by {drafted}" in told
    assert f"published by {published} ({key}) on" in told
    assert f"| {team} | bill credit | £{amount // 100:,} |" in told
    assert (
        "- **After five years a credit is at most £120.** (RP-4.1) · ceiling for bill credit when tenure from 60"
        in told
    )
    assert "Up to £35 alone, £120 with a supervisor: Alone you may give up to £35 at once." in told


def test_it_goes_to_a_file_to_be_printed_in_another_language(desk: Settings, obeyed, tmp_path: Path) -> None:
    file = tmp_path / "handbook.html"
    code, told, _ = obeyed(desk, "handbook", "--html", "--language", "de", "--to", str(file))
    assert (code, told) == (0, f"{file}: {file.stat().st_size:,} bytes.\n")
    page = file.read_text()
    assert '<html lang="de">' in page
    assert "<h2>Wer was allein geben darf</h2>" in page
    assert "src=" not in page
    assert "href=" not in page


def test_what_cannot_be_made_is_one_sentence_and_1(database: Settings, obeyed) -> None:
    with psycopg.connect(db.admin_conninfo(database)) as owner:
        owner.execute(
            "INSERT INTO desk.company (name, time_zone, phone_region, currency, source) "
            "VALUES ('Test', 'Europe/London', 'GB', 'GBP', 'simulated')"
        )
    assert obeyed(database, "handbook") == (1, "", f"{NothingInForce()}\n")
    code, _, said = obeyed(database, "model-card", "--model", "risk")
    assert (code, said) == (
        1,
        "No such model is in use yet: `python3 -m churn train` makes one, or says why it cannot.\n",
    )
    code, _, said = obeyed(database, "handbook", "--language", "tlh")
    assert (code, said) == (1, "“tlh” is not spoken here; there are en, de.\n")


@pytest.mark.parametrize("who", ["finn", "lea"])
def test_a_published_change_is_in_the_next_handbook_and_says_by_whom(
    database: Settings, owner: psycopg.Connection, who: str
) -> None:
    pool = db.open_database(database, size=4)
    world = build(pool, owner)
    before = handbook_in_force(pool, world[who])
    policy = policy_in_force(pool, world[who])
    assert policy is not None
    rules = tuple(
        replace(one, value=Decimal(15_000), reason="A hundred and fifty is enough.", reference="B 1")
        if one.code == "ceiling"
        else one
        for one in policy.rules
    )
    draft = ledger.draft_policy(pool, world["fay"], replace(policy, rules=rules))
    assert handbook_in_force(pool, world[who]) == before  # a draft is no policy
    ledger.publish_policy(pool, world["finn"], draft, effective_from=None)
    after = handbook_in_force(pool, world[who])
    pool.close()
    assert "- **Because.** · ceiling: £200" in before
    assert "- **A hundred and fifty is enough.** (B 1) · ceiling: £150" in after
    assert f"version {draft}, in force since 2026-11-15. Drafted by Fay (fay), published by Finn (finn)" in after
    assert after.count("Credit: Up to £35 alone, £100 with a supervisor: Alone you may give up to £35 at once.") == 5


def test_the_cards_of_the_models_in_use_say_what_was_measured(desk: Settings, obeyed) -> None:
    code, told, _ = obeyed(desk, "model-card")
    assert code == 0
    assert [line for line in told.splitlines() if line.startswith("# ")] == [
        f"# Model card: {kind}, version {number}" for kind, number in in_use(desk)
    ]
    risk = told.split("# Model card: survival")[0]
    with psycopg.connect(db.admin_conninfo(desk)) as owner:
        metrics, made = owner.execute(
            "SELECT metrics, created_at::date FROM desk.model_versions WHERE kind = 'risk' AND status = 'current'"
        ).fetchone()
    first, held = metrics["calibration"][0], metrics["held_out"]
    assert "Customers with a live subscription. Who left without choosing to" in risk
    assert f"As of {len(metrics['landmarks'])} days: {min(metrics['landmarks'])[:10]}" in risk
    assert f"- AUC, 95 %: {held['auc']['low']:.3f} to {held['auc']['high']:.3f}" in risk
    assert f"| 1 | {first['rows']:.0f} | {100 * first['chance']:.1f} % | {100 * first['rate']:.1f} % (" in risk
    group = held["groups"][0]
    assert f"| {group['cut']}: {group['value']} | {group['rows']} |" in risk
    assert f"Made on {made}; not held against the customers of a later day yet" in risk
    assert "predictions lie within their 95 % intervals." in told.split("# Model card: survival")[1]
    assert "Nothing drawn by lot has settled yet" in told.split("# Model card: effect")[1]


def in_use(settings: Settings) -> list[tuple[str, int]]:
    """(kind, version) of the models in use, in the order of the command."""
    with psycopg.connect(db.admin_conninfo(settings)) as owner:
        rows = owner.execute("SELECT kind, model_version FROM desk.model_versions WHERE status = 'current'").fetchall()
    return sorted(rows, key=lambda row: documents.KINDS.index(row[0]))


def test_one_card_is_asked_for_by_its_model_and_printed(desk: Settings, obeyed) -> None:
    code, told, _ = obeyed(desk, "model-card", "--model", "why", "--html")
    assert code == 0
    assert told.count("<h1>") == 1
    assert "<title>Model card: why, version" in told
    assert "open contacts" not in told


def test_a_card_says_when_it_was_last_held_against_todays_customers(desk: Settings, obeyed) -> None:
    with psycopg.connect(db.admin_conninfo(desk), autocommit=True) as owner:
        number = dict(in_use(desk))["risk"]
        column, shares = owner.execute(
            "SELECT column_name, shares FROM desk.model_bins WHERE model_version = %s AND NOT is_score LIMIT 1",
            [number],
        ).fetchone()
        owner.execute(
            "INSERT INTO desk.model_drift (model_version, is_score, column_name, measured_on, psi, shares, customers) "
            "VALUES (%s, false, %s, '2026-11-20', 0.42, %s, 100)",
            [number, column, shares],
        )
    _, told, _ = obeyed(desk, "model-card", "--model", "risk")
    assert "last held against the customers of the day on 2026-11-20. 1 column has moved since training" in told
    assert f"(PSI of 0.1 or more): `{column}` (0.42)." in told


def test_a_world_is_as_small_as_it_looks(database: Settings, owner: psycopg.Connection) -> None:
    """The handbook reads only what its reader may: an agent may read policy and budgets too, but no cases."""
    pool = db.open_database(database, size=2)
    world: World = build(pool, owner)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        handbook_in_force(pool, world["ann"])
    pool.close()
