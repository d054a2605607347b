"""Everyone's scores: a night touches only whose inputs changed, any engine gives the same, a death costs a range."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from churn import db, scoring, store
from churn.core.leaving.outlook import Economics
from churn.queries import query
from churn.scoring import plan
from churn.scoring.engines import each
from churn.scoring.ranges import score_range
from churn.settings import Settings
from tests.conftest import NOW

SCORES = """
SELECT customer_id, p_churn, clv, clv_low, clv_high, expected_months, risk_version, survival_version, inputs
FROM desk.scores ORDER BY customer_id
"""


def scores(settings: Settings) -> list[tuple[Any, ...]]:
    with psycopg.connect(db.admin_conninfo(settings)) as connection:
        return connection.execute(SCORES).fetchall()


def score(settings: Settings, **how: Any) -> scoring.Scored:
    return scoring.score_everyone(settings, progress=lambda _: None, **how)


@pytest.fixture
def book(desk: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A company all scored, in ranges small enough that there are many."""
    monkeypatch.setattr(plan, "RANGE_SIZE", 250)
    score(desk)
    return desk


def test_a_night_without_news_scores_nobody_anew(book: Settings) -> None:
    before = scores(book)
    with psycopg.connect(db.admin_conninfo(book), autocommit=True) as owner:
        owner.execute("UPDATE desk.scores SET as_of = '2020-01-01'")  # nothing of theirs has changed for years
        assert score(book) == scoring.Scored(len(before), 0)
        assert scores(book) == before
        data_age = owner.execute("SELECT extract(epoch FROM now() - data_until)::float FROM desk.company").fetchall()[
            0
        ][0]
        ages = owner.cursor(row_factory=dict_row).execute(query("operations", "ages")).fetchall()[0]
        assert ages["scores_seconds"] - data_age == pytest.approx(0, abs=60)  # the run's, not that of the last change


def test_only_whose_inputs_changed_are_scored_anew_and_all_come_out_as_in_a_full_run(book: Settings) -> None:
    before = scores(book)
    touched, leaves, erased = (before[k][0] for k in (3, 5, 7))
    with psycopg.connect(db.admin_conninfo(book), autocommit=True) as owner:
        owner.execute("UPDATE feed.customers SET region = 'Elsewhere' WHERE customer_id = %s", [touched])
        owner.execute("UPDATE feed.subscriptions SET ended_on = '2026-11-01' WHERE customer_id = %s", [leaves])
        owner.execute(
            "INSERT INTO desk.erasures (customer_id, kind, reason, erased_by) VALUES (%s, 'request', 'asked', 'Ann')",
            [erased],
        )
    assert score(book) == scoring.Scored(len(before) - 2, 1)
    after = scores(book)
    assert {row[0] for row in before} - {row[0] for row in after} == {leaves, erased}
    assert len({*after} - {*before}) <= 1
    assert score(book, is_full=True) == scoring.Scored(len(after), len(after))
    assert scores(book) == after


def test_a_day_later_few_have_changed_and_all_are_as_in_a_full_run(book: Settings) -> None:
    before = {row[0]: row[-1] for row in scores(book)}
    with psycopg.connect(db.admin_conninfo(book), autocommit=True) as owner:
        owner.execute("UPDATE desk.company SET data_until = data_until + interval '1 day'")
    told = score(book)
    after = scores(book)
    assert told.anew == sum(before.get(row[0]) != row[-1] for row in after)
    assert 0 < told.anew < 0.6 * told.customers
    score(book, is_full=True)
    assert scores(book) == after


def test_another_model_or_other_terms_score_everyone_anew(book: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "economics_in_force", lambda *_: Economics(horizon_months=24))
    told = score(book)
    assert told.anew == told.customers > 0


def test_what_was_begun_is_gone_on_with(book: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = scores(book)
    done: list[int] = []

    def dies(settings: Settings, plan_id: Any, number: int) -> int:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(score_range(settings, plan_id, number))
        return number

    monkeypatch.setattr(plan, "score_range", dies)
    with pytest.raises(KeyboardInterrupt):
        score(book, is_full=True)
    assert scores(book) == before  # nothing is shown before all of it is there
    with psycopg.connect(db.admin_conninfo(book)) as owner:
        (when,) = owner.execute("SELECT max(done_at) FROM desk.scoring_ranges").fetchone() or (None,)
    assert when is not None
    again: list[int] = []

    def goes_on(settings: Settings, plan_id: Any, number: int) -> int:
        again.append(number)
        return score_range(settings, plan_id, number)

    monkeypatch.setattr(plan, "score_range", goes_on)
    assert score(book, is_full=True).anew == len(before)
    assert not set(again) & set(done)
    assert len(again) + len(done) == -(-customers(book) // 250)
    assert scores(book) == before


def test_a_range_done_twice_counts_once(book: Settings) -> None:
    with db.connect(book, "batch") as connection:
        by = {"risk": scores(book)[0][6], "survival": None, **asdict(Economics())}
        plan_id, _ = plan._plan(connection, NOW, by | {"is_full": True, "size": 250})
        score_range(book, plan_id, 0)
        first = connection.execute("SELECT count(*), sum(p_churn) FROM desk.fresh_scores").fetchone()
        score_range(book, plan_id, 0)
        assert connection.execute("SELECT count(*), sum(p_churn) FROM desk.fresh_scores").fetchone() == first
        connection.execute(query("scores", "forget_plans"))
    with pytest.raises(scoring.PlanGone):
        score_range(book, plan_id, 1)


def test_two_at_once_are_refused(book: Settings) -> None:
    with db.connect(book, "batch") as other:
        other.execute(query("scores", "take_lock"))
        with pytest.raises(scoring.AlreadyScoring):
            score(book)
    assert score(book).anew == 0


def test_a_cluster_gives_the_same_bytes_and_two_dead_workers_cost_nothing(book: Settings) -> None:
    before = scores(book)
    killed: list[int] = []
    stop = threading.Event()
    killer = threading.Thread(target=_kill_two, args=(book, killed, stop))
    killer.start()
    try:
        told = score(book, engine="dask", workers=2, is_full=True)
    finally:
        stop.set()
        killer.join()
    assert len(killed) == 2
    assert told == scoring.Scored(len(before), len(before))
    assert scores(book) == before
    with psycopg.connect(db.admin_conninfo(book)) as owner:
        assert owner.execute("SELECT count(*) FROM desk.scoring_plans").fetchone() == (0,)


def test_an_empty_book_is_scored(database: Settings) -> None:
    assert list(each("local", str, [])) == []
    with pytest.raises(store.NoCompany):
        score(database)


def customers(settings: Settings) -> int:
    with psycopg.connect(db.admin_conninfo(settings)) as owner:
        return int(owner.execute("SELECT count(*) FROM feed.customers").fetchone()[0])  # type: ignore[index]


def _kill_two(settings: Settings, killed: list[int], stop: threading.Event) -> None:
    """Kill whoever holds a range, twice: workers of the cluster this test made, found among its own children."""
    with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as owner:
        while len(killed) < 2 and not stop.is_set():
            (done,) = owner.execute("SELECT count(*) FROM desk.scoring_ranges WHERE done_at IS NOT NULL").fetchone()  # type: ignore[misc]
            workers = [pid for pid in _descendants(os.getpid()) if pid not in killed and _is_worker(pid)]
            if done > 2 * len(killed) and workers:
                os.kill(workers[-1], signal.SIGKILL)
                killed.append(workers[-1])
            time.sleep(0.05)


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *_descendants(child)]
    return found


def _is_worker(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False
