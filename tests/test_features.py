"""The one definition of a feature: exact values, and nothing after as_of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from churn import store
from churn.core import features
from tests.factories import put, put_customer

AS_OF = datetime(2026, 11, 15, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _as_a_job(owner: psycopg.Connection) -> None:
    owner.execute("SET search_path = crm")


@pytest.fixture
def caller(owner: psycopg.Connection) -> psycopg.Connection:
    put(owner, "company")
    put(owner, "customers", customer_id="A1", joined_on="2024-11-15", region="Wales", attributes={"paperless": True})
    put(owner, "subscriptions", customer_id="A1", started_on="2024-11-15", term_ends_on="2026-12-15")
    return owner


def row_of(connection: psycopg.Connection, customer_id: str = "A1", as_of: datetime = AS_OF) -> dict[str, object]:
    (row,) = store.features(connection, [customer_id], [as_of])
    return row


def test_every_column_of_the_query_is_in_the_column_table(caller: psycopg.Connection) -> None:
    named = {feature.name for feature in features.FEATURES} | {group.name for group in features.GROUPS}
    assert set(row_of(caller)) == named | set(features.KEYS)


def test_tenure_term_and_price_are_exact(caller: psycopg.Connection) -> None:
    put(caller, "subscriptions", customer_id="A1", product="mobile", plan="SIM 20", monthly_price=15,
        started_on="2026-11-05")  # fmt: skip
    row = row_of(caller)
    assert row["tenure_months"] == 23.0  # of 730 days: a day short of 24 months
    assert row["months_to_term_end"] == 0.0  # 30 days
    assert (row["live_subscriptions"], row["monthly_price"], row["plan"]) == (2, 56.0, "Fibre 500")
    assert row["days_since_plan_change"] == 7.0  # ten days ago: a week and more


@pytest.mark.parametrize(
    ("started_at", "steps"),
    [("2026-11-15T11:59Z", 0.0), ("2026-11-12T12:01Z", 1.0), ("2026-11-12T12:00Z", 3.0), ("2025-11-16T12:00Z", 180.0)],
)
def test_time_since_something_is_told_in_steps(caller: psycopg.Connection, started_at: str, steps: float) -> None:
    put(caller, "contacts", customer_id="A1", started_at=started_at)
    assert row_of(caller)["days_since_contact"] == steps


def test_contacts_are_counted_by_window_reason_and_outcome(caller: psycopg.Connection) -> None:
    for day, reason, is_resolved in (
        ("2026-11-14", "fault", False),
        ("2026-11-01", "fault", False),
        ("2026-09-01", "bill", True),
    ):
        put(caller, "contacts", customer_id="A1", started_at=f"{day}T10:00Z", ended_at=f"{day}T10:09Z", reason=reason,
            is_resolved=is_resolved, csat=2)  # fmt: skip
    put(caller, "contacts", customer_id="A1", started_at="2026-11-02T10:00Z", direction="out", reason="sales")
    row = row_of(caller)
    assert (row["contacts_30d"], row["contacts_90d"], row["contacts_365d"], row["outbound_90d"]) == (2, 3, 3, 1)
    assert (row["unresolved_90d"], row["same_reason_90d"], row["csat_365d"]) == (2, 2, 2.0)
    assert row["last_reason"] == "fault"
    assert row["reasons_365d"] == {"fault": 2, "bill": 1}
    assert row["days_since_contact"] == 1.0  # a day and two hours ago


def test_a_bill_is_held_against_the_callers_own_average(caller: psycopg.Connection) -> None:
    for month, amount, paid in (("09", 40, "2026-09-10"), ("10", 42, "2026-11-01"), ("11", 53, None)):
        put(
            caller,
            "invoices",
            customer_id="A1",
            issued_on=f"2026-{month}-01",
            due_on=f"2026-{month}-14",
            amount=amount,
            paid_on=paid,
        )
    row = row_of(caller)
    assert (row["bill_last"], row["bill_change"], row["late_365d"], row["overdue"]) == (53.0, 12.0, 2, 53.0)


def test_usage_counts_complete_months_only(caller: psycopg.Connection) -> None:
    for month, quantity in (("2026-09-01", 100), ("2026-10-01", 40), ("2026-11-01", 999)):
        put(caller, "usage", customer_id="A1", month=month, quantity=quantity)
    row = row_of(caller)
    assert (row["usage_last"], row["usage_change"]) == ({"gb": 40}, {"gb": -30})


def test_an_event_hits_only_its_audience(caller: psycopg.Connection) -> None:
    put(caller, "change_events", region="Wales")
    put(caller, "change_events", region="Scotland")
    put(caller, "change_events", kind="price_rise", plan="Fibre 500")
    put(caller, "change_events", kind="price_rise", plan="Fibre 900")
    assert row_of(caller)["events_90d"] == {"outage": 1, "price_rise": 1}


def test_concessions_are_summed_over_a_year(caller: psycopg.Connection) -> None:
    put(caller, "concessions", customer_id="A1", amount=20, given_at="2026-11-05T12:00Z")
    put(caller, "concessions", customer_id="A1", amount=15, given_at="2025-11-14T12:00Z")
    put(caller, "concessions", customer_id="A1", amount=0, intended_amount=30, given_at="2026-11-12T12:00Z")
    row = row_of(caller)
    assert (row["concessions_365d"], row["conceded_365d"], row["days_since_concession"]) == (1, 20.0, 7.0)


def test_nothing_after_as_of_is_read(caller: psycopg.Connection) -> None:
    for table, values in (
        (
            "contacts",
            {"started_at": "2026-11-10T10:00Z", "ended_at": "2026-11-15T13:00Z", "is_resolved": True, "csat": 5},
        ),
        (
            "contacts",
            {"started_at": "2026-11-01T10:00Z", "ended_at": "2026-11-01T11:00Z", "is_resolved": False, "csat": 1},
        ),
        ("invoices", {"paid_on": "2026-11-20"}),
        ("concessions", {}),
        ("usage", {"month": "2026-10-01"}),
    ):
        put(caller, table, customer_id="A1", **values)
    before = row_of(caller)
    # Everything later than as_of is moved, multiplied or turned round.
    later = AS_OF + timedelta(days=1)
    put(caller, "contacts", customer_id="A1", started_at=later, reason="cancel", is_escalated=True, csat=1)
    put(caller, "invoices", customer_id="A1", issued_on=later.date(), due_on=later.date(), amount=900)
    put(caller, "concessions", customer_id="A1", given_at=later, amount=500)
    put(caller, "usage", customer_id="A1", month="2026-11-01", quantity=0)
    put(caller, "change_events", starts_at=later)
    put(caller, "subscriptions", customer_id="A1", started_on=later.date(), monthly_price=99)
    caller.execute(
        "UPDATE feed.subscriptions SET ended_on = '2026-11-16', end_reason = 'voluntary' WHERE ended_on IS NULL"
    )
    caller.execute("UPDATE feed.invoices SET paid_on = '2026-11-16' WHERE paid_on > '2026-11-15'")
    caller.execute(
        "UPDATE feed.contacts SET is_resolved = false, csat = 1, is_escalated = true WHERE ended_at > %s", [AS_OF]
    )
    assert row_of(caller) == before


def test_everyone_at_once_is_the_same_as_one_at_a_time(caller: psycopg.Connection) -> None:
    for number in range(7):
        put_customer(caller, f"B{number}", region="Wales" if number % 2 else None)
        put(caller, "contacts", customer_id=f"B{number}", reason="fault")
    put(caller, "change_events", region="Wales")
    (everyone,) = store.features_of_everyone(caller, AS_OF)
    assert [row_of(caller, str(row["customer_id"])) for row in everyone] == everyone
    (some,) = store.features_of_everyone(caller, AS_OF, first="B2", beyond="B5")
    assert [row["customer_id"] for row in some] == ["B2", "B3", "B4"]


def test_one_caller_may_be_asked_for_at_several_instants(caller: psycopg.Connection) -> None:
    put(caller, "contacts", customer_id="A1", started_at="2026-11-10T10:00Z")
    early, late = datetime(2026, 11, 9, tzinfo=UTC), datetime(2026, 11, 11, tzinfo=UTC)
    rows = store.features(caller, ["A1", "A1"], [early, late])
    assert [row["contacts_30d"] for row in rows] == [0, 1]


def test_a_crm_column_named_like_a_feature_keeps_its_origin(caller: psycopg.Connection) -> None:
    caller.execute("""UPDATE feed.customers SET attributes = '{"region": "north", "age": 41}'""")
    flat = features.flatten(row_of(caller))
    assert (flat["region"], flat["attribute_region"], flat["age"]) == ("Wales", "north", 41)


def test_a_frame_keeps_the_columns_of_its_model(caller: psycopg.Connection) -> None:
    made = features.frame([row_of(caller)], ["tenure_months", "paperless", "contacts_about_fault_365d", "gone"])
    assert list(made.columns) == ["tenure_months", "paperless", "contacts_about_fault_365d", "gone"]
    assert made.iloc[0].tolist()[1:3] == [True, 0.0]
    assert features.complete(row_of(caller), ["paperless", "contacts_about_fault_365d", "gone"]) == {
        "paperless": True,
        "contacts_about_fault_365d": 0.0,
        "gone": None,
    }


def test_who_somebody_is_enters_no_model() -> None:
    asked = [
        "SeniorCitizen",
        "gender",
        "age_band",
        "MaritalStatus",
        "is_vulnerable",
        "language",
        "usage_gb",
        "plan",
        "AgeHH1",
    ]
    assert features.usable(asked) == ["usage_gb", "plan"]
    assert features.usable(["usage", "average_bill", "package"]) == ["usage", "average_bill", "package"]


def test_a_curve_over_years_leaves_out_the_last_weeks() -> None:
    asked = [
        "plan",
        "contacts_30d",
        "contacts_about_bill_365d",
        "usage_gb",
        "events_outage_90d",
        "Contract",
        "tenure_months",
    ]
    assert features.lasting(asked) == ["plan", "Contract"]


def test_outcomes_tell_leaving_from_changing_plan(caller: psycopg.Connection) -> None:
    put(caller, "customers", customer_id="C1")
    put(caller, "subscriptions", customer_id="C1", ended_on="2026-12-01", end_reason="move")
    put(caller, "customers", customer_id="D1")
    put(caller, "subscriptions", customer_id="D1", ended_on="2026-12-01")
    put(caller, "subscriptions", customer_id="D1", started_on="2026-12-01", plan="Fibre 900")
    assert store.outcomes(caller, AS_OF, 90) == {"A1": None, "C1": "move", "D1": None}


def test_lifetimes_enter_at_the_tenure_they_were_first_seen(caller: psycopg.Connection) -> None:
    put(caller, "customers", customer_id="C1", joined_on="2025-11-15")
    put(
        caller,
        "subscriptions",
        customer_id="C1",
        started_on="2025-11-15",
        ended_on="2026-10-15",
        end_reason="voluntary",
    )
    rows = store.lifetimes(caller, AS_OF - timedelta(days=182), AS_OF)
    got = [(r["customer_id"], round(r["entry_months"], 1), round(r["duration_months"], 1), r["is_event"]) for r in rows]
    assert got == [("A1", 18.0, 24.0, False), ("C1", 6.0, 11.0, True)]
