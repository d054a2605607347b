"""Models on a real database: put into use by the right person, once; drift found where planted, nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from churn import audit, db, registry, store, training
from churn.core.trust.drift import MOVED
from churn.refusals import ModelInUse, NoSuchModelToUse, OwnModel, PromotionUnexplained, Refusal, RoleMayNot
from churn.settings import Settings
from churn.training import calls, leaving
from churn.trust import drift_job, model_reports
from tests.ledger_world import World, build
from tests.model_world import METRICS, version


@pytest.fixture
def world(database: Settings, owner: psycopg.Connection) -> Iterator[World]:
    pool = db.open_database(database, size=6)
    made = build(pool, owner)
    owner.execute(
        "INSERT INTO desk.staff (staff_id, name, role, sign_in) VALUES "
        "('ana', 'Ana Lyst', 'analyst', 'ana@desk.example'), ('amy', 'Amy', 'analyst', NULL), "
        "('adi', 'Adi', 'administrator', NULL)"
    )
    yield made
    pool.close()


def states(owner: psycopg.Connection) -> list[tuple[int, str, str | None]]:
    return owner.execute("SELECT model_version, status, promoted_by FROM desk.model_versions ORDER BY 1").fetchall()


@pytest.mark.parametrize("who", ["lea", "adi", "amy"])
def test_a_leader_an_administrator_and_another_analyst_put_a_model_into_use(world: World, who: str) -> None:
    first = version(world.owner, metrics=METRICS, status="current")
    second = version(world.owner, metrics=METRICS, by="ana")
    model_reports.promote(world.database, world[who], second, "better by two standard errors")
    assert states(world.owner) == [(first, "retired", None), (second, "current", who)]
    acts = world.owner.execute(
        "SELECT act, subject, staff_id, detail ->> 'reason' FROM desk.audit WHERE subject_kind = 'model'"
    ).fetchall()
    assert sorted(acts) == sorted(
        [
            ("retired", str(first), who, None),
            ("current", str(second), who, None),
            ("promoted", str(second), who, "better by two standard errors"),
        ]
    )


@pytest.mark.parametrize("who", ["ann", "nor", "finn"])
def test_nobody_else_does(world: World, who: str) -> None:
    number = version(world.owner, metrics=METRICS)
    with pytest.raises((psycopg.errors.InsufficientPrivilege, RoleMayNot)):
        model_reports.promote(world.database, world[who], number, "x")
    assert states(world.owner) == [(number, "candidate", None)]


@pytest.mark.parametrize("by", ["ana", "ANA", " Ana Lyst ", "ana@desk.example"])
def test_an_analyst_does_not_put_their_own_into_use_whatever_they_are_called(world: World, by: str) -> None:
    number = version(world.owner, metrics=METRICS, by=by)
    with pytest.raises(OwnModel, match="somebody else must put it into use"):
        model_reports.promote(world.database, world["ana"], number, "mine")
    assert states(world.owner) == [(number, "candidate", None)]
    kept = world.owner.execute("SELECT act, code, staff_id FROM desk.refusals").fetchall()
    assert kept == [("promote_model", "KL873", "ana")]


def test_what_cannot_be_used_is_refused_with_a_sentence(world: World) -> None:
    current = version(world.owner, metrics=METRICS, status="current")
    candidate = version(world.owner, metrics=METRICS)
    with pytest.raises(ModelInUse, match=f"Version {current} is in use already"):
        model_reports.promote(world.database, world["lea"], current, "x")
    with pytest.raises(PromotionUnexplained):
        model_reports.promote(world.database, world["lea"], candidate, "  ")
    with pytest.raises(NoSuchModelToUse):
        model_reports.promote(world.database, world["lea"], 999, "x")
    world.owner.execute(
        "UPDATE desk.model_versions SET status = 'refused', refusal = 'too few', artifact = NULL, sha256 = NULL "
        "WHERE model_version = %s", [candidate],
    )  # fmt: skip
    with pytest.raises(NoSuchModelToUse):
        model_reports.promote(world.database, world["lea"], candidate, "x")


def test_two_people_at_once_leave_one_in_use(world: World) -> None:
    version(world.owner, metrics=METRICS, status="current")
    wanted = {"lea": version(world.owner, metrics=METRICS), "adi": version(world.owner, metrics=METRICS)}
    sessions = {who: world[who] for who in wanted}

    def act(who: str) -> None:
        with suppress(Refusal):
            model_reports.promote(world.database, sessions[who], wanted[who], "x")

    threads = [threading.Thread(target=act, args=[who]) for who in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(status == "current" for _, status, _ in states(world.owner)) == 1


def test_whose_a_version_is_is_said_to_who_reads_it(world: World) -> None:
    version(world.owner, metrics=METRICS, by="Ana Lyst")
    for who, is_own in (("ana", True), ("amy", False)):
        with world.database.transaction(world[who]) as connection:
            (row,) = model_reports.versions(connection, "risk", who)
        assert (row.is_own, row.can_be_loaded) == (is_own, True)


# drift and the trial on a simulated company ---------------------------------------------------------------------------


def test_a_planted_drift_is_flagged_and_what_did_not_move_is_not(desk: Settings) -> None:
    drift_job.measure(desk, progress=lambda _: None)
    with db.connect(desk, "batch") as connection:
        number = registry.current(connection)["risk"].model_version
        before = model_reports.drift_now(connection, number).set_index("column_name")
    steady = ["monthly_price", "region", "segment", "bill_last", "contacts_90d"]
    assert (before.loc[steady, "psi"] < MOVED).all()
    assert before.loc["chance", "grade"] == "steady"
    with psycopg.connect(db.admin_conninfo(desk), autocommit=True) as owner:
        owner.execute("UPDATE feed.subscriptions SET monthly_price = monthly_price * 1.5")
    drift_job.measure(desk, progress=lambda _: None)
    with db.connect(desk, "batch") as connection:
        after = model_reports.drift_now(connection, number).set_index("column_name")
        row = after.loc["monthly_price"]
        assert len(model_reports.drift_by_day(connection, number)) == 1  # the same day measured once more
    assert row["grade"] == "drifted"
    assert sum(row["shares_now"]) == pytest.approx(1)
    assert (after.loc[steady[1:], "psi"] < MOVED).all()
    assert after.loc["region", "psi"] == pytest.approx(before.loc["region", "psi"])


def test_the_trials_arms_are_those_of_a_plain_count(desk: Settings) -> None:
    drift_job.measure(desk, progress=lambda _: None)
    with db.connect(desk, "batch") as connection:
        found = model_reports.trial(connection)
        company = store.company(connection)
        assert company.data_until is not None
        log = store.retention_log(connection, company.data_until, 90, 50_000)
    drawn = [call for call in log if call["propensity"] is not None and 0 < call["propensity"] < 1
             and (call["intended_amount"] or 0) > 0]  # fmt: skip
    assert found is not None
    assert sum(arm.calls for arm in found.arms) == len(drawn)
    assert next(arm for arm in found.arms if arm.arm == "more").calls == sum(
        call["amount"] > call["intended_amount"] + 0.005 for call in drawn
    )
    assert all(arm.lift is None for arm in found.arms if arm.calls < arm.needed)


def test_a_second_training_is_judged_beside_the_model_in_use_and_waits_for_a_person(
    desk: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving, "MOST_ROWS", 600)
    monkeypatch.setattr(calls, "MOST_CONTACTS", 800)
    with db.connect(desk, "batch") as connection:
        in_use = {kind: row.model_version for kind, row in registry.current(connection).items()}
        champion = in_use["risk"]
        results = {one.kind: one for one in training.train(desk, progress=lambda _: None, by="Ann")}
        assert {kind: row.model_version for kind, row in registry.current(connection).items()} == in_use
        assert all(one.model_version > max(in_use.values()) for one in results.values())
        rivalry = results["risk"].metrics["rivalry"]
        assert rivalry["champion"] == champion
        assert rivalry["has_seen_some"]  # the data have not moved on since
        assert rivalry["challenger_log_loss"] == pytest.approx(results["risk"].metrics["log_loss"])
        survival = results["survival"].metrics["held_out"]
        assert {"landmark", "ahead", "predicted", "observed", "low", "high"} <= set(survival["landmarks"][0])
        kept = model_reports.drift_now(connection, results["risk"].model_version)
        assert kept["psi"].isna().all()  # not measured: it is not in use
        assert {"monthly_price", "chance"} <= set(kept["column_name"])


def test_an_export_is_written_down(world: World) -> None:
    audit.note_view(world.database, world["lea"], "exported", "models", {"what": "risk-lift", "rows": 10})
    kept = world.owner.execute("SELECT subject, detail ->> 'what' FROM desk.audit WHERE act = 'exported'").fetchall()
    assert kept == [("models", "risk-lift")]
