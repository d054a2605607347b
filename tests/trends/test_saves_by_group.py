"""Who came to cancel, by group: groups add up to the whole, and are those the day of the call found them in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from churn import db
from churn.calls import outcomes
from churn.settings import SQL, Settings
from churn.trends import trend_job, trends
from churn.trends.trends import EVERY, Filter
from tests.factories import put
from tests.ledger_world import NOON, build, populate
from tests.trend_world import customer, fact, many

FIGURES = ["came", "deflected", "is_over", "saved"]
BANDS = {183: "under 6 months", 365: "6 to 12 months", 731: "1 to 2 years", 1826: "2 to 5 years"}
NARROWED = [
    {"plans": ("Fibre 80",)},
    {"regions": ("London", "Scotland")},
    {"segments": ("residential",), "tenures": ("2 to 5 years", "1 to 2 years")},
    {"plans": ("Fibre 35", "Fibre 80"), "regions": ("London", "South East"), "segments": ("residential", "family")},
]


@pytest.fixture
def company(owner: psycopg.Connection) -> psycopg.Connection:
    """People, and records from January 2026 on."""
    populate(owner)
    customer(owner, "old", "2025-06-01")
    fact(owner, "old")
    return owner


@pytest.fixture
def opened(database: Settings) -> Iterator[db.Database]:
    pool = db.open_database(database, size=2)
    yield pool
    pool.close()


def wants_to_cancel(owner: psycopg.Connection, key: str, days_ago: int) -> None:
    put(owner, "contacts", customer_id=key, started_at=NOON - timedelta(days=days_ago), reason="cancel request")


def night(settings: Settings) -> None:
    outcomes.settle(settings, progress=lambda _: None)
    trend_job.refresh(settings, progress=lambda _: None)


def saves(settings: Settings, **narrowed: tuple[str, ...]) -> dict[tuple[date, int], tuple[int, ...]]:
    """(month, window) → came, deflected, is_over, saved."""
    with db.connect(settings, "batch") as connection:
        rows = trends.saves(connection, Filter(**narrowed))
    return {(row.month, row.window_days): tuple(getattr(row, name) for name in FIGURES) for row in rows.itertuples()}


def told(found: dict[tuple[date, int], tuple[int, ...]]) -> Counter[tuple[date, int, str]]:
    """The same, a figure each, to add up."""
    return +Counter({(*place, name): n for place, some in found.items() for name, n in zip(FIGURES, some, strict=True)})


def came(settings: Settings, **narrowed: tuple[str, ...]) -> int:
    """How many came to cancel in all."""
    return sum(figures[0] for (_, days), figures in saves(settings, **narrowed).items() if days == 30)


def one_by_one(connection: psycopg.Connection) -> Iterator[dict[str, Any]]:
    """Every caller with what told them apart when the day of their call began, reckoned one at a time."""
    today = connection.execute("SELECT (data_until AT TIME ZONE time_zone)::date FROM desk.company").fetchone()
    held: dict[str, list[tuple[Any, ...]]] = {}
    for key, *part in connection.execute(
        "SELECT customer_id, started_on, coalesce(ended_on, '9999-12-31'), monthly_price, subscription_id, plan "
        "FROM crm.subscriptions"
    ):
        held.setdefault(key, []).append(tuple(part))
    assert today is not None
    for key, day, region, segment, joined, windows, stage, stayed in connection.execute(
        "SELECT o.customer_id, o.called_on, c.region, c.segment, c.joined_on, o.windows, o.stage, "
        "coalesce(o.saved_days, 0) FROM desk.save_outcomes o JOIN crm.customers c USING (customer_id)"
    ):
        had = [part for part in held[key] if part[0] < day <= part[1]]
        plan = min(had, key=lambda part: (-part[2], part[3]))[4]
        tenure = next((band for days, band in BANDS.items() if (day - joined).days < days), "5 years and more")
        for window in windows:
            is_over = day + timedelta(days=window) < today[0] and (
                stage not in {"left_involuntary", "left_move"} or stayed >= window
            )
            yield {
                "plans": plan, "regions": region, "segments": segment, "tenures": tenure, "month": day.replace(day=1),
                "window": window, "figures": (1, stage != "cancelled", is_over, is_over and stayed >= window),
            }  # fmt: skip


def test_in_the_simulated_company_groups_add_up_and_filters_are_a_count_of_callers_one_by_one(desk: Settings) -> None:
    night(desk)
    whole = told(saves(desk))
    with psycopg.connect(db.admin_conninfo(desk)) as connection:
        callers = list(one_by_one(connection))
    assert len(callers) > 1_000
    for narrowed in [{}, *NARROWED]:
        plain: dict[tuple[date, int], list[int]] = {}
        for one in callers:
            if all(one[cut] in values for cut, values in narrowed.items()):
                sums = plain.setdefault((one["month"], one["window"]), [0, 0, 0, 0])
                plain[one["month"], one["window"]] = [a + b for a, b in zip(sums, one["figures"], strict=True)]
        assert saves(desk, **narrowed) == {place: tuple(sums) for place, sums in plain.items()}
        assert len(plain) > 60
    for cut in EVERY:
        values = {one[cut] for one in callers}
        assert len(values) > 1
        assert sum((told(saves(desk, **{cut: (value,)})) for value in values), Counter()) == whole


def test_a_caller_is_told_apart_as_the_day_of_the_call_found_them(
    database: Settings, company: psycopg.Connection
) -> None:
    called = NOON.date() - timedelta(days=100)
    customer(company, "A", called - timedelta(days=364), called, plan="SIM 5GB", region="Wales", segment="family")
    put(company, "subscriptions", customer_id="A", started_on=called, plan="Fibre 500", monthly_price=90)  # on the call
    customer(company, "B", called - timedelta(days=365), plan="SIM 5GB", region="Kent")
    put(company, "subscriptions", customer_id="B", started_on=called + timedelta(days=1), plan="Gold", monthly_price=99)
    customer(company, "C", called, plan="Gold", region="Wales")  # came and went back on it the same day
    customer(company, "D", called - timedelta(days=200), called, plan="SIM 5GB")  # had left that very day
    for key in "ABCD":
        wants_to_cancel(company, key, 100)
    night(database)
    place = (called.replace(day=1), 30)
    assert came(database) == 4
    assert (came(database, plans=("SIM 5GB",)), came(database, plans=("Gold",))) == (3, 1)
    assert came(database, plans=("Fibre 500",)) == 0
    assert saves(database, plans=("SIM 5GB",), regions=("Wales",))[place] == (1, 1, 1, 1)
    assert saves(database, tenures=("1 to 2 years",))[place] == (1, 1, 1, 1)
    assert saves(database, tenures=("under 6 months",), regions=("Wales",))[place] == (1, 1, 1, 1)
    assert came(database, segments=("family",), tenures=("6 to 12 months",)) == 1


def test_a_caller_nobody_knows_any_more_is_still_counted(database: Settings, company: psycopg.Connection) -> None:
    customer(company, "A", "2026-01-05")
    wants_to_cancel(company, "A", 100)
    outcomes.settle(database, progress=lambda _: None)
    company.execute("DELETE FROM feed.subscriptions WHERE customer_id = 'A'")
    company.execute("DELETE FROM feed.contacts WHERE customer_id = 'A'")
    company.execute("DELETE FROM feed.customers WHERE customer_id = 'A'")
    trend_job.refresh(database, progress=lambda _: None)
    assert came(database) == came(database, **dict.fromkeys(EVERY, ("unknown",))) == 1


def test_behind_a_month_are_just_those_it_counts_of_the_filter(
    database: Settings, opened: db.Database, owner: psycopg.Connection
) -> None:
    world = build(opened, owner)
    fact(owner, "C1")
    many(owner, "W", 12, "2026-01-05", region="Wales", plan="SIM 5GB")
    many(owner, "K", 3, "2026-01-05", region="Kent", plan="SIM 5GB")
    for key in [*(f"W{i}" for i in range(12)), *(f"K{i}" for i in range(3))]:
        wants_to_cancel(owner, key, 50)
    wants_to_cancel(owner, "W0", 80)
    night(database)
    month = (NOON - timedelta(days=50)).date().replace(day=1)
    with opened.transaction(world["lea"]) as connection:
        everybody = trends.came_in_month(connection, month, Filter())[1]
        listed, count = trends.came_in_month(connection, month, Filter(regions=("Wales",)), most=5)
        before = trends.came_in_month(connection, date(2026, 8, 1), Filter(plans=("SIM 5GB",)))
    assert (everybody, count, len(listed)) == (15, 12, 5)
    assert set(listed["customer_id"]) <= {f"W{i}" for i in range(12)}
    assert set(listed["tenure"]) == {"6 to 12 months"}
    assert (before[0]["customer_id"].to_list(), before[1]) == (["W0"], 1)
    assert not {"name", "phone", "email", "notes"} & set(listed.columns)


def test_a_later_night_counts_late_outcomes_and_forgets_what_the_window_has_left(
    database: Settings, company: psycopg.Connection
) -> None:
    customer(company, "A", "2023-01-05", region="Wales")
    wants_to_cancel(company, "A", 1_080)
    customer(company, "B", "2026-01-05", region="Wales")
    wants_to_cancel(company, "B", 100)
    night(database)
    old, new = ((NOON - timedelta(days=days)).date().replace(day=1) for days in (1_080, 100))
    assert (saves(database)[old, 30], saves(database, regions=("Wales",))[new, 90]) == ((1, 1, 1, 1), (1, 1, 1, 1))
    company.execute(
        "UPDATE feed.subscriptions SET ended_on = %s, end_reason = 'voluntary' WHERE customer_id = 'B'",
        [NOON.date() - timedelta(days=30)],
    )
    night(database)
    assert saves(database, regions=("Wales",))[new, 90] == (1, 1, 1, 0)
    company.execute("UPDATE desk.company SET data_until = data_until + interval '60 days'")
    night(database)
    assert {month for month, _ in saves(database)} == {new}


def test_what_was_added_up_before_stays_the_whole_until_the_night_tells_it_apart(
    database: Settings, company: psycopg.Connection
) -> None:
    """The migration itself, over the table as it was before it."""
    many(company, "W", 2, "2024-01-05", region="Wales")
    wants_to_cancel(company, "W0", 700)
    wants_to_cancel(company, "W1", 40)
    night(database)
    after = saves(database)
    company.execute("DROP TABLE desk.trend_saves; DROP FUNCTION desk.tenure_band")
    company.execute(
        "CREATE TABLE desk.trend_saves (month date NOT NULL, contact_reason text NOT NULL, "
        "window_days integer NOT NULL, came bigint NOT NULL, deflected bigint NOT NULL, "
        "is_over bigint NOT NULL, saved bigint NOT NULL "
        "CHECK (saved <= is_over), PRIMARY KEY (month, contact_reason, window_days))"
    )
    company.execute(
        "INSERT INTO desk.trend_saves VALUES ('2024-12-01', 'fault', 30, 5, 4, 3, 2), "
        "('2024-12-01', 'price', 30, 2, 2, 2, 2)"
    )
    company.execute((SQL / "migrations/0037_narrowed_saves.sql").read_text().encode())
    db.grant(company)
    assert saves(database) == {(date(2024, 12, 1), 30): (7, 6, 5, 4)}
    assert saves(database, regions=("Wales",)) == {}
    with db.connect(database, "batch") as connection:
        assert trends.are_saves_grouped(connection) is False
    night(database)
    assert saves(database) == saves(database, regions=("Wales",)) == after
    assert sorted(month for month, days in after if days == 30) == [date(2024, 12, 1), date(2026, 10, 1)]
    with db.connect(database, "batch") as connection:
        assert trends.are_saves_grouped(connection) is True
