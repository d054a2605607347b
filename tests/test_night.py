"""A night: every step of it in order, and one that fails costs the company no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import psycopg
import pytest

from churn import db, night
from churn.operations.logs import JsonLines
from churn.settings import PROJECT, Settings
from tests.conftest import Slept

STEPS = [
    *("Search directory", "Scores", "Escalations", "Outcomes", "Callbacks", "Trends", "Team", "Voice", "Volume"),
    *("Spend", "Policy lab", "Data", "Drift", "Seals"),
]
SLOW = ("Outcomes", "Team", "Voice", "Volume", "Spend", "Policy lab")  # left out where another step is looked at


def pass_a_night(company: Settings) -> subprocess.CompletedProcess[str]:
    """`python -m churn night`, as a timer would run it."""
    return subprocess.run(
        [sys.executable, "-m", "churn", "night", "--database", company.database],
        cwd=PROJECT, env=os.environ, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip


def told(out: str) -> dict[str, str]:
    """What each step came to, by its name, in the order it was told."""
    lines = [line.split(" s  ", 1)[1] for line in out.splitlines() if " s  " in line]
    return {step: said for step, _, said in (line.partition(": ") for line in lines) if step in STEPS}


@pytest.mark.slow
def test_a_night_passes_without_a_fault_and_fills_what_the_pages_show(slept: Slept) -> None:
    assert (slept.code, slept.out.splitlines()[-1]) == (0, "14 steps, all done."), slept.out + slept.err
    assert list(told(slept.out)) == STEPS
    with db.connect(slept.settings, "batch") as connection:
        customers = connection.execute("SELECT count(*) FROM desk.directory").fetchone() or (0,)
        state = connection.execute(
            "SELECT EXISTS (SELECT FROM desk.cancel_intents), EXISTS (SELECT FROM desk.callback_candidates)"
        ).fetchone()
    assert told(slept.out)["Search directory"] == f"{customers[0]:,} customers"
    assert state == (True, True)


def test_a_step_that_fails_is_told_and_the_later_ones_still_run(
    desk: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = tuple(step for step in night.steps() if step.name not in SLOW)
    monkeypatch.setattr(night, "steps", lambda: quick)
    with psycopg.connect(db.admin_conninfo(desk), autocommit=True) as owner:
        owner.execute("DROP TABLE desk.callback_candidates CASCADE")
    lines: list[str] = []
    passed = night.pass_a_night(desk, progress=lambda what, *_: lines.append(what))
    assert [one.name for one in passed] == [step for step in STEPS if step not in SLOW]
    assert [(one.name, one.fault) for one in passed if one.fault] == [
        ("Callbacks", "failed by UndefinedTable; the log says where.")
    ]
    assert {"Callbacks: failed by UndefinedTable; the log says where.", f"Seals: {passed[-1].said}"} <= {*lines}
    logged = json.loads(JsonLines().format(caplog.records[-1]))
    assert logged["errors"][0]["sqlstate"] == "42P01"
    assert "churn/calls/callback_ranking.py" in str(logged["errors"][0]["at"])


def test_a_night_of_no_company_names_what_failed_and_ends_with_1(database: Settings) -> None:
    done = pass_a_night(database)
    said = told(done.stdout)
    failed = [step for step in said if said[step].startswith("failed")]
    assert (done.returncode, list(said)) == (1, STEPS)
    assert {"Scores", "Outcomes", "Spend", "Drift"} <= {*failed}
    assert not {"Search directory", "Seals"} & {*failed}
    assert [said[step] for step in failed if "the log says where" in said[step]] == []  # each is a refusal of ours
    assert done.stderr == f"{len(failed)} of 14 steps failed: {', '.join(failed)}.\n"
