"""Receipts of a whole simulated company: nothing personal in any, replayed and explained as before after an erasure."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from churn import cli, offers, privacy, scoring
from churn.commands import shared as commands
from churn.core.offers.question import Ask
from churn.settings import Settings
from tests.conftest import clone
from tests.test_offers import Desk, sit_down


@pytest.fixture(scope="module")
def shared(trained: Settings) -> Iterator[Desk]:
    """One company with a dozen calls, a concession given in each."""
    made = clone(trained)
    for at_desk in sit_down(next(made)):
        for place, card in enumerate(at_desk.callers(12)):
            ask = Ask(amount=4_000) if place % 2 else Ask(in_kind="fix")
            at_desk.offer(card, contact_reason="fault", fault="ours", ask=ask)
        yield at_desk
    made.close()


def run(*arguments: str) -> int:
    """A command in this process, which keeps its server."""
    asked = cli.read_arguments(arguments)
    return int(asked.act(asked))


def decisions(desk: Desk) -> list[tuple[object, str, str]]:
    rows = desk.owner.execute(
        "SELECT decision_id, customer_id, receipt::text FROM desk.decisions ORDER BY 1"
    ).fetchall()
    assert len(rows) == 12
    return rows


def test_no_receipt_holds_anything_that_says_who_it_was(shared: Desk) -> None:
    receipts = "\n".join(text for _, _, text in decisions(shared)).lower()
    people = shared.owner.execute("SELECT name, phone, email FROM crm.customers").fetchall()
    notes = shared.owner.execute("SELECT DISTINCT notes FROM crm.contacts WHERE length(notes) > 12").fetchall()
    found = [text for row in [*people, *notes] for text in row if text and text.lower() in receipts]
    assert len(people) > 1000
    assert len(notes) > 100
    assert found == []


def test_a_name_in_a_receipt_would_be_found(shared: Desk) -> None:
    name, key = shared.owner.execute("SELECT name, customer_id FROM crm.customers LIMIT 1").fetchone() or ("", "")
    assert name.lower() in json.dumps({"case": {"plan": name, "key": key}}, ensure_ascii=False).lower()


def test_after_an_erasure_the_decision_is_replayed_and_explained_as_before(
    shared: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "settings", lambda: shared.settings)
    decision, customer, before = decisions(shared)[0]
    assert run("explain", str(decision)) == 0
    said = capsys.readouterr().out
    assert "our system recommended to the agent" in said
    assert "The rules were version" in said
    assert run("person", "export", customer) == 0
    assert json.loads(capsys.readouterr().out)["desk.decisions"]
    assert run("person", "erase", customer, "--reason", "asked by letter") == 0
    assert f"{customer} is erased." in capsys.readouterr().out
    made, receipt = offers.recompute(shared.database, "batch", decision)
    assert offers.differences(made, receipt) == []
    assert json.dumps(receipt, sort_keys=True) == json.dumps(json.loads(before), sort_keys=True)
    assert run("explain", str(decision)) == 0
    assert capsys.readouterr().out == said
    scoring.score_everyone(shared.settings, progress=lambda _: None)
    scoring.sync_directory(shared.settings, progress=lambda _: None)
    for table in ("scores", "directory"):
        row = shared.owner.execute(f"SELECT count(*) FROM desk.{table} WHERE customer_id = %s", [customer]).fetchone()  # noqa: S608
        assert row == (0,)


def test_retain_counts_first(shared: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "settings", lambda: shared.settings)
    assert run("retain") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [
        one.subject for one in privacy.periods(shared.database, "batch")
    ]
    assert lines[-1] == "Nothing was removed: this is what --apply would do."


def test_an_erasure_without_a_reason_is_asked_for_one() -> None:
    with pytest.raises(commands.NotYet, match="--reason"):
        run("person", "erase", "C1")
