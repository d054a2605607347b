"""Training and scoring on a simulated company: judged by time, kept whole, repeatable."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from churn import db, registry, scoring, store, training
from churn.core.effects.demand import EffectInUse
from churn.core.leaving.fitted import Fitted
from churn.settings import PROJECT, Settings
from churn.training import leaving
from tests.factories import put, put_customer


def test_a_simulated_company_gets_models_better_than_its_base_rates(trained: Settings) -> None:
    with db.connect(trained, "batch") as connection:
        models = registry.current(connection)
    assert set(models) == {"risk", "survival", "why", "effect", "escalation"}
    risk, why = models["risk"].metrics, models["why"].metrics
    assert risk["auc"] > 0.65
    assert risk["log_loss"] < risk["log_loss_of_the_rate"]
    assert why["log_loss"] < why["log_loss_of_the_rate"]


def test_risk_is_judged_on_a_horizon_nobody_learned_from(trained: Settings) -> None:
    with db.connect(trained, "batch") as connection:
        company, first = store.company(connection), store.first_fact(connection)
    until = company.data_until or datetime.now(UTC)
    marks = leaving.landmarks(company, until, first)
    horizon = timedelta(days=company.horizon_days)
    assert marks[0] + horizon == until
    assert all(later - earlier >= horizon for later, earlier in itertools.pairwise(marks))
    assert marks[-1] >= first + timedelta(days=90)


def test_who_somebody_is_is_in_no_model(trained: Settings) -> None:
    with db.connect(trained, "batch") as connection:
        for version in registry.current(connection).values():
            model = registry.load(connection, version.model_version)
            kept = model.effect if isinstance(model, EffectInUse) else model
            assert isinstance(kept, Fitted)
            assert not {"age_band", "language", "is_vulnerable"} & set(kept.columns)


def test_everyone_live_is_scored_once_and_nobody_else(trained: Settings) -> None:
    with db.connect(trained, "batch") as connection:
        live = connection.execute(
            "SELECT count(DISTINCT customer_id) FROM crm.subscriptions s, desk.company c "
            "WHERE s.started_on <= c.data_until AND (s.ended_on IS NULL OR s.ended_on > c.data_until)"
        ).fetchone()
        scored = connection.execute("SELECT count(*), min(p_churn) > 0, max(p_churn) < 1 FROM desk.scores").fetchone()
    assert scored == (live[0], True, True)


def test_scoring_again_gives_the_same_to_the_last_digit(desk: Settings) -> None:
    ask = "SELECT customer_id, p_churn, clv, clv_low, clv_high, expected_months FROM desk.scores ORDER BY customer_id"
    with db.connect(desk, "batch") as connection:
        before = connection.execute(ask).fetchall()
        scoring.score_everyone(desk, progress=lambda _: None)
        assert connection.execute(ask).fetchall() == before


def test_a_company_too_small_gets_refusals_in_sentences(database: Settings, owner: psycopg.Connection) -> None:
    put(owner, "company", data_until="2026-11-15T00:00Z")
    for number in range(20):
        put_customer(owner, f"A{number}")
    results = training.train(database, progress=lambda _: None, by="Ann")
    assert {result.kind for result in results if result.refusal} == {"risk", "survival", "why", "effect", "escalation"}
    with db.connect(database, "batch") as connection:
        assert registry.current(connection) == {}
        refusals = [row.refusal for row in registry.every(connection)]
    assert (
        "There are 20 rows and 0 of the rarer outcome; at least 100 rows and 20 of each outcome are needed." in refusals
    )


def test_scoring_without_a_model_says_what_to_do(database: Settings, owner: psycopg.Connection) -> None:
    put(owner, "company")
    with pytest.raises(scoring.NoModel, match="python3 -m churn train"):
        scoring.score_everyone(database, progress=lambda _: None)


def test_an_empty_database_says_what_to_do(database: Settings) -> None:
    with pytest.raises(store.NoCompany, match="python3 -m churn demo"):
        training.train(database, progress=lambda _: None, by="Ann")


def test_a_killed_scoring_leaves_the_scores_of_before(desk: Settings) -> None:
    ask = "SELECT customer_id, p_churn FROM desk.scores ORDER BY customer_id"
    with psycopg.connect(db.admin_conninfo(desk), autocommit=True) as connection:
        before = connection.execute(ask).fetchall()
        process = subprocess.Popen(
            [sys.executable, "-m", "churn", "score", "--full", "--database", desk.database],
            cwd=PROJECT, env=os.environ.copy(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        busy = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND query LIKE '%COPY desk.fresh_scores%'"
        )
        while connection.execute(busy).fetchone() == (0,) and time.monotonic() < deadline:
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert time.monotonic() < deadline, "the scoring never came to its COPY"
        assert connection.execute(ask).fetchall() == before


def test_a_killed_training_leaves_the_models_of_before(desk: Settings) -> None:
    ask = "SELECT model_version, status, sha256 FROM desk.model_versions ORDER BY model_version"
    with psycopg.connect(db.admin_conninfo(desk), autocommit=True) as connection:
        before = connection.execute(ask).fetchall()
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "churn", "train", "--database", desk.database],
            cwd=PROJECT, env=os.environ.copy(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        with process.stdout as said:
            assert any("survival: learning" in line for line in said)
            process.send_signal(signal.SIGKILL)
        process.wait()
        assert connection.execute(ask).fetchall() == before
        assert {kind: row.model_version for kind, row in registry.current(connection).items()} == {
            "survival": 1, "risk": 2, "why": 3, "effect": 4, "escalation": 5,
        }  # fmt: skip
