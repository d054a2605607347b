"""Trends on a real database: rates are a plain count's, curves lifelines', and each sees their own part."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import date, timedelta
from typing import LiteralString

import numpy as np
import pandas as pd
import psycopg
import pytest
from lifelines import KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test
from lifelines.utils import survival_table_from_events

from churn import db, scoring
from churn.calls import outcomes
from churn.core.trends.cohorts import heat_map
from churn.core.trends.curves import Table, curve, log_rank
from churn.core.trends.rates import monthly
from churn.settings import Settings
from churn.trends import trend_job, trends
from churn.trends.trends import Filter, Mark
from tests.factories import put
from tests.ledger_world import NOON, build, populate
from tests.trend_world import TODAY, customer, fact, many

# As plainly as SQL says it, by the database's own function for the first day somebody was gone.
PLAIN: LiteralString = """
    WITH live AS (
        SELECT DISTINCT s.customer_id FROM crm.subscriptions s
        WHERE s.started_on < %(month)s AND (s.ended_on IS NULL OR s.ended_on >= %(month)s)
            AND s.ended_on IS DISTINCT FROM s.started_on
    )
    SELECT count(*), count(*) FILTER (WHERE l.left_how = 'voluntary'),
           count(*) FILTER (WHERE l.left_how = 'involuntary'), count(*) FILTER (WHERE l.left_how = 'move')
    FROM live LEFT JOIN LATERAL desk.first_left(live.customer_id, %(month)s,
        least(%(month)s + interval '1 month' - interval '1 day', %(today)s)::date) l ON true
"""


@pytest.fixture
def company(database: Settings, owner: psycopg.Connection) -> psycopg.Connection:
    """People, and records from 1 January 2026 on."""
    populate(owner)
    many(owner, "N", 12, "2025-06-01", region="Wales")
    fact(owner, "N0", (TODAY - date(2026, 1, 1)).days)
    return owner


@pytest.fixture
def opened(database: Settings) -> Iterator[db.Database]:
    pool = db.open_database(database, size=2)
    yield pool
    pool.close()


def night(database: Settings) -> trend_job.Refreshed:
    return trend_job.refresh(database, progress=lambda _: None)


def month_of(database: Settings, month: date, **narrowed: tuple[str, ...]) -> list[int]:
    """live, voluntary, involuntary, moved of one month."""
    with db.connect(database, "batch") as connection:
        rows = trends.months(connection, None, Filter(**narrowed))
    found = rows[rows["month"] == month]
    return found[["live", "voluntary", "involuntary", "moved"]].iloc[0].tolist() if len(found) else []


# months ---------------------------------------------------------------------------------------------------------------


def test_a_month_counts_who_was_live_when_it_began_and_who_left_in_it(
    database: Settings, company: psycopg.Connection
) -> None:
    customer(company, "A", "2025-01-01", "2026-03-01")  # their first day away is in March
    customer(company, "B", "2025-01-01", "2026-03-31", "move", region="Wales")
    customer(company, "C", "2025-01-01", "2026-04-01", "involuntary")
    customer(company, "D", "2026-03-02", "2026-03-20")  # came and went within the month
    customer(company, "E", "2026-03-01")  # not yet there when it began
    night(database)
    assert month_of(database, date(2026, 3, 1)) == [15, 1, 0, 1]
    assert month_of(database, date(2026, 4, 1)) == [14, 0, 1, 0]
    assert month_of(database, date(2026, 3, 1), regions=("Wales",)) == [13, 0, 0, 1]
    assert month_of(database, date(2025, 12, 1)) == []  # before the records begin nobody knows who left


def test_a_change_of_plan_is_no_leaving_and_a_gap_is(database: Settings, company: psycopg.Connection) -> None:
    for key, again in (("A", "2026-03-10"), ("B", "2026-03-11")):
        customer(company, key, "2025-01-01", "2026-03-10")
        put(company, "subscriptions", customer_id=key, started_on=again)
    night(database)
    assert month_of(database, date(2026, 3, 1)) == [14, 1, 0, 0]
    assert month_of(database, date(2026, 4, 1)) == [14, 0, 0, 0]


def test_an_end_that_is_still_to_come_is_none_yet(database: Settings, company: psycopg.Connection) -> None:
    customer(company, "A", "2025-01-01", TODAY + timedelta(days=3))
    night(database)
    assert month_of(database, TODAY.replace(day=1)) == [13, 0, 0, 0]


def test_the_plan_of_a_month_is_the_one_it_began_with(database: Settings, company: psycopg.Connection) -> None:
    customer(company, "A", "2025-01-01", "2026-03-10", plan="SIM 5GB")
    put(company, "subscriptions", customer_id="A", started_on="2026-03-10", plan="Fibre 500")
    night(database)
    assert month_of(database, date(2026, 3, 1), plans=("SIM 5GB",))[0] == 1
    assert month_of(database, date(2026, 4, 1), plans=("SIM 5GB",)) == []


def test_in_the_simulated_company_rates_are_those_of_a_plain_count(desk: Settings) -> None:
    night(desk)
    with psycopg.connect(db.admin_conninfo(desk)) as connection, db.connect(desk, "batch") as reader:
        rows = trends.months(reader, None, Filter())
        today = connection.execute("SELECT (data_until AT TIME ZONE time_zone)::date FROM desk.company").fetchone()
        assert today is not None
        plain = [connection.execute(PLAIN, {"month": m, "today": today[0]}).fetchone() for m in rows["month"]]
    assert [tuple(row) for row in rows[["live", "voluntary", "involuntary", "moved"]].to_numpy().tolist()] == plain
    assert len(rows) == 25
    rates = monthly(rows)
    assert rates["rate"].to_list() == (rates["left"] / rates["live"]).to_list()


def test_a_second_night_changes_nothing_and_a_late_date_changes_its_month(
    database: Settings, company: psycopg.Connection
) -> None:
    customer(company, "A", "2025-01-01")
    first = night(database)
    before = company.execute("SELECT m::text FROM desk.trend_months m ORDER BY 1").fetchall()
    second = night(database)
    assert (first.months, second.months) == (11, 4)
    assert company.execute("SELECT m::text FROM desk.trend_months m ORDER BY 1").fetchall() == before
    company.execute(
        "UPDATE feed.subscriptions SET ended_on = '2026-09-05', end_reason = 'voluntary' WHERE customer_id = 'A'"
    )
    night(database)
    assert month_of(database, date(2026, 9, 1)) == [13, 1, 0, 0]
    assert month_of(database, date(2026, 10, 1)) == [12, 0, 0, 0]


def test_a_flat_file_has_curves_and_no_months(database: Settings, owner: psycopg.Connection) -> None:
    put(owner, "company", snapshot_on=TODAY, data_until=NOON)
    many(owner, "N", 12, "2025-06-01")
    customer(owner, "A", "2026-01-01", "2026-06-01")
    assert night(database).months == 0
    with db.connect(database, "batch") as connection:
        assert trends.months(connection, None, Filter()).empty
        assert trends.tables(connection, "all", Filter())["all"].entered[0] == 13


# curves ---------------------------------------------------------------------------------------------------------------


def lives(connection: psycopg.Connection) -> pd.DataFrame:
    """One row a customer of the simulated company, watched from the first fact on, straight from the subscriptions."""
    state = connection.execute(
        "SELECT since_on, (as_of AT TIME ZONE time_zone)::date FROM desk.trend_state, desk.company"
    ).fetchone()
    assert state is not None
    since, today = state
    rows = connection.execute(
        "SELECT c.segment, c.region, c.joined_on, min(s.started_on), max(coalesce(s.ended_on, '9999-12-31')), "
        "(array_agg(s.end_reason ORDER BY s.ended_on DESC NULLS FIRST, s.subscription_id))[1], "
        "(array_agg(s.plan ORDER BY s.monthly_price DESC, s.subscription_id) "
        "FILTER (WHERE s.started_on <= o.entered_on AND coalesce(s.ended_on, '9999-12-31') > o.entered_on))[1] "
        "FROM crm.customers c JOIN crm.subscriptions s USING (customer_id) "
        "JOIN (SELECT customer_id, greatest(min(started_on), %s) AS entered_on FROM crm.subscriptions GROUP BY 1) o "
        "USING (customer_id) GROUP BY customer_id, 1, 2, 3 ORDER BY customer_id",
        (since,),
    ).fetchall()
    found = [
        (segment, region, plan, joined, (max(began, since) - joined).days, (min(left, today) - joined).days,
         how == "voluntary" and left <= today)
        for segment, region, joined, began, left, how, plan in rows
        if min(left, today) > max(began, since)
    ]  # fmt: skip
    return pd.DataFrame(found, columns=["segment", "region", "plan", "joined", "entry", "leave", "event"])


def same_as_lifelines(ours: Table, part: pd.DataFrame) -> None:
    """Its survival table row by row and, where it gives one for so few, its curve."""
    theirs = survival_table_from_events(part["leave"], part["event"], birth_times=part["entry"])
    rows = [theirs.index, theirs["entrance"], theirs["observed"], theirs["removed"]]
    assert [column.tolist() for column in (ours.day, ours.entered, ours.left, ours.removed)] == [list(r) for r in rows]
    if len(part) > 300:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = KaplanMeierFitter().fit(part["leave"], part["event"], entry=part["entry"])
        days = fitted.survival_function_.index.to_numpy()
        np.testing.assert_allclose(curve(ours).at(days), fitted.survival_function_["KM_estimate"], atol=1e-10)


def test_in_the_simulated_company_curves_and_tests_are_lifelines_own(desk: Settings) -> None:
    night(desk)
    with psycopg.connect(db.admin_conninfo(desk)) as connection, db.connect(desk, "batch") as reader:
        frame = lives(connection)
        tables = trends.tables(reader, "segment", Filter())
    assert sum(table.customers for table in tables.values()) == len(frame)
    assert (frame["entry"] > 0).mean() > 0.3  # many were customers before the records begin
    for segment, part in frame.groupby("segment"):
        same_as_lifelines(tables[str(segment)], part)


@pytest.mark.parametrize(
    "narrowed",
    [
        {"plan": ("Fibre 80",)},
        {"region": ("London", "Scotland")},
        {"plan": ("Fibre 80", "SIM 30GB"), "segment": ("residential",)},
        {
            "plan": ("Fibre 35", "Fibre 80"),
            "region": ("London", "South East", "North West"),
            "segment": ("residential", "family"),
        },
    ],
    ids="-".join,
)
def test_narrowed_curves_and_cohorts_are_those_of_the_narrowed_customers(
    desk: Settings, narrowed: dict[str, tuple[str, ...]]
) -> None:
    night(desk)
    asked = Filter(**{f"{name}s": values for name, values in narrowed.items()})
    with psycopg.connect(db.admin_conninfo(desk)) as connection, db.connect(desk, "batch") as reader:
        frame = lives(connection)
        by = {cut: trends.tables(reader, cut, asked) for cut in ("all", "plan", "region", "segment", "joined")}
    for name, values in narrowed.items():
        frame = frame[frame[name].isin(values)]
    assert len(frame) > 30
    same_as_lifelines(by["all"]["all"], frame)
    for cut in ("plan", "region", "segment"):
        assert set(by[cut]) == set(frame[cut])
        for value, part in frame.groupby(cut):
            same_as_lifelines(by[cut][str(value)], part)
    quarters = pd.PeriodIndex(frame["joined"], freq="Q").astype(str).str.replace("Q", "-Q")
    assert {q: t.customers for q, t in by["joined"].items()} == {
        q: n for q, n in frame.groupby(quarters.to_numpy()).size().items() if q in by["joined"]
    }


def test_behind_a_cell_of_the_heat_map_are_just_those_it_counts(
    database: Settings, company: psycopg.Connection
) -> None:
    many(company, "Q", 20, "2026-04-02", region="Wales")
    many(company, "B", 11, "2026-04-05", left="2026-04-20", plan="SIM 5GB", region="Wales")  # within one month
    many(company, "S", 12, "2026-04-05", left="2026-06-10", plan="SIM 5GB")
    put(company, "subscriptions", customer_id="B0", started_on="2026-04-06", ended_on="2026-04-19", plan="Fibre 35")
    night(database)
    asked = Filter(plans=("SIM 5GB",))
    with db.connect(database, "batch") as connection:
        cells = heat_map(trends.tables(connection, "joined", asked)).set_index("month")
        everybody = heat_map(trends.tables(connection, "joined", Filter())).query("cohort == '2026-Q2'")
        listed, count = trends.leavers(
            connection, Mark(how="voluntary", joined="2026-Q2", from_day=0, to_day=30, filter=asked)
        )
        in_april = trends.leavers(connection, Mark(month=date(2026, 4, 1), how="voluntary"))[1]
    assert (cells.loc[1, "left"], cells.loc[1, "at_risk"], cells.loc[3, "left"]) == (11, 23, 12)
    assert everybody.iloc[0]["at_risk"] == 43
    assert (count, set(listed["customer_id"])) == (11, {f"B{i}" for i in range(11)})
    assert in_april == 0  # nobody of the rate of April: none of them was there when it began


def test_on_customers_seen_from_their_first_day_the_log_rank_test_is_lifelines_own(
    database: Settings, owner: psycopg.Connection
) -> None:
    put(owner, "company", snapshot_on=TODAY, data_until=NOON)
    rng, rows = np.random.default_rng(5), []
    for i in range(160):
        joined, stays = (
            TODAY - timedelta(days=int(rng.integers(30, 400))),
            int(rng.exponential(200 + 150 * (i % 2)) + 1),
        )
        left = joined + timedelta(days=stays)
        plan, is_over = ("a", "b")[i % 2], left <= TODAY
        customer(owner, f"K{i}", joined, left if is_over else None, plan=plan)
        rows.append((plan, min(stays, (TODAY - joined).days), is_over))
    night(database)
    with db.connect(database, "batch") as connection:
        ours = log_rank(trends.tables(connection, "plan", Filter()))
    plan, leave, event = zip(*rows, strict=True)
    theirs = multivariate_logrank_test(np.array(leave), np.array(plan), np.array(event))
    assert ours is not None
    assert ours.statistic == pytest.approx(theirs.test_statistic, rel=1e-9)
    assert ours.p_value == pytest.approx(theirs.p_value, rel=1e-7)


def test_reasons_are_those_before_the_landmark_and_nobody_waits_for_one(
    database: Settings, company: psycopg.Connection
) -> None:
    landmark = TODAY - timedelta(days=trend_job.LANDMARK_DAYS)
    customer(company, "A", "2025-01-01", landmark + timedelta(days=100))
    put(
        company,
        "contacts",
        customer_id="A",
        reason="fault",
        started_at=NOON - timedelta(days=trend_job.LANDMARK_DAYS + 10),
    )
    put(
        company,
        "contacts",
        customer_id="N1",
        reason="fault",
        started_at=NOON - timedelta(days=trend_job.LANDMARK_DAYS - 10),
    )
    night(database)
    with db.connect(database, "batch") as connection:
        tables = trends.tables(connection, "reason", Filter())
        listed = trends.leavers(connection, Mark(how="voluntary", reason="fault"))
        of_others = trends.leavers(connection, Mark(how="voluntary", reason="no contact"))[1]
    assert tables["fault"].customers == 1
    assert dict(zip(tables["fault"].day.tolist(), tables["fault"].left.tolist(), strict=True)) == {0: 0, 100: 1}
    assert tables["no contact"].customers == 12
    assert (listed[0]["customer_id"].to_list(), listed[1], of_others) == (["A"], 1, 0)


# saves, predictions, drivers, margin, policy --------------------------------------------------------------------------


def test_saves_are_those_of_the_outcomes(desk: Settings) -> None:
    outcomes.settle(desk, progress=lambda _: None)
    night(desk)
    with psycopg.connect(db.admin_conninfo(desk)) as connection, db.connect(desk, "batch") as reader:
        rows = trends.saves(reader, Filter())
        plain = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE stage <> 'cancelled'), count(*) FILTER (WHERE saved_days >= 60) "
            "FROM desk.save_outcomes"
        ).fetchone()
    held = rows[rows["window_days"] == 60]
    assert (held["came"].sum(), held["deflected"].sum(), held["saved"].sum()) == plain
    assert (held["is_over"] <= held["came"]).all()


def test_the_margin_at_risk_is_chance_times_a_quarters_margin(desk: Settings) -> None:
    night(desk)
    with psycopg.connect(db.admin_conninfo(desk)) as connection, db.connect(desk, "batch") as reader:
        rows = trends.risk(reader, Filter())
        plain = connection.execute(
            "SELECT sum(p_churn * 3 * m), sum(p_churn), count(*) FROM desk.scores JOIN LATERAL ("
            "SELECT sum(monthly_margin)::float8 AS m FROM crm.subscriptions s WHERE s.customer_id = scores.customer_id "
            "AND s.started_on <= '2026-11-15' "
            "AND (s.ended_on IS NULL OR s.ended_on > '2026-11-15')) x ON m IS NOT NULL"
        ).fetchone()
        one = trends.risk(reader, Filter(plans=("Fibre 80",)))
    assert plain is not None
    assert (rows["at_risk"].sum(), rows["expected_leavers"].sum()) == pytest.approx(plain[:2])
    assert rows["customers"].sum() == plain[2]
    assert 0 < one["at_risk"].sum() < rows["at_risk"].sum()


def test_predictions_are_remembered_once_a_month_and_judged_when_their_horizon_is_over(desk: Settings) -> None:
    with psycopg.connect(db.admin_conninfo(desk), autocommit=True) as owner:
        count = owner.execute("SELECT count(*) FROM desk.prediction_samples").fetchone()
        scoring.score_everyone(desk, progress=lambda _: None)
        assert owner.execute("SELECT count(*) FROM desk.prediction_samples").fetchone() == count
        assert count is not None
        assert count[0] > 800
        owner.execute("UPDATE desk.prediction_samples SET as_of = as_of - interval '120 days', month = '2026-07-01'")
        night(desk)
        rows = owner.execute(
            "SELECT sum(customers), sum(expected), sum(happened), count(*) FROM desk.prediction_tenths"
        ).fetchone()
        plain = owner.execute(
            "SELECT count(*) FROM desk.prediction_samples p WHERE EXISTS (SELECT FROM desk.first_left(p.customer_id, "
            "(p.as_of AT TIME ZONE 'Europe/London')::date + 1, (p.as_of AT TIME ZONE 'Europe/London')::date + 90) l "
            "WHERE l.left_how = 'voluntary')"
        ).fetchone()
        assert rows is not None
        assert plain is not None
        assert (rows[0], rows[3]) == (count[0], 10)
        assert rows[2] == plain[0]
        owner.execute("UPDATE desk.prediction_samples SET as_of = as_of - interval '120 days'")
        night(desk)
        assert owner.execute("SELECT count(*) FROM desk.prediction_samples").fetchone() == (0,)
        assert owner.execute("SELECT sum(customers) FROM desk.prediction_tenths").fetchone() == (count[0],)


def test_drivers_are_the_models_own_columns_now_and_a_quarter_ago(desk: Settings) -> None:
    assert night(desk).drivers > 3
    with db.connect(desk, "batch") as connection:
        found = trends.drivers(connection)
        assert trends.held_out(connection) is not None
    assert all(abs(driver.points_now) < 0.5 for driver in found)
    assert all(driver.customers > 500 for driver in found)


def test_whom_policy_forbids_to_keep_is_read_off_the_newest_receipt(
    database: Settings, opened: db.Database, owner: psycopg.Connection
) -> None:
    world = build(opened, owner)
    limit = {"kind": "rolling_cap", "amount": 1_000, "reason": "Enough for a year."}
    receipt = {
        "inputs": {"curve": {"values": [0, 10, 50], "p": [0.4, 0.5, 0.7]}, "worth": {"amount": 90_000}},
        "bounds": {"bill_credit": [limit]}, "say_yes": {"limit": limit},
    }  # fmt: skip
    world.give("ann", "C1", 500, receipt=receipt, decision_id=_uuid(1))
    world.give("ann", "C2", 500)
    assert night(database).forbidden == 1
    with db.connect(database, "batch") as connection:
        (row,) = trends.forbidden(connection)
    assert (row["customer_id"], row["limit_kind"], row["allowed"], row["best"], row["worth"]) == (
        "C1", "rolling_cap", 1_000, 5_000, 90_000,
    )  # fmt: skip


def _uuid(n: int):
    from uuid import UUID

    return UUID(int=n)


# who sees what --------------------------------------------------------------------------------------------------------


def test_behind_a_mark_are_its_customers_by_key(
    database: Settings, opened: db.Database, owner: psycopg.Connection
) -> None:
    world = build(opened, owner)
    many(owner, "L", 11, "2025-01-01", left="2026-03-05", plan="SIM 5GB")
    many(owner, "M", 3, "2025-01-01", left="2026-03-05", how="move")
    fact(owner, "L0")
    night(database)
    with opened.transaction(world["lea"]) as connection:
        frame, count = trends.leavers(connection, Mark(month=date(2026, 3, 1), how="voluntary"))
        some, all_of_them = trends.leavers(connection, Mark(filter=Filter(plans=("SIM 5GB",)), cohort="2025"), most=4)
    assert count == 11
    assert set(frame["customer_id"]) == {f"L{i}" for i in range(11)}
    assert (len(some), all_of_them) == (4, 11)
    assert not {"name", "phone", "email", "notes"} & set(frame.columns)


@pytest.mark.parametrize("who", ["ann", "nor"])
def test_agents_and_supervisors_read_no_trends(opened: db.Database, owner: psycopg.Connection, who: str) -> None:
    world = build(opened, owner)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), opened.transaction(world[who]) as connection:
        trends.state(connection)


def test_without_somebodys_token_no_customer_is_listed(
    database: Settings, opened: db.Database, company: psycopg.Connection
) -> None:
    many(company, "L", 11, "2025-01-01", left="2026-03-05")
    night(database)
    with opened.transaction("leader") as connection:
        assert trends.leavers(connection, Mark())[1] == 0
