"""Ready mappings on made-up rows in the public layouts: exact values, what is left out, who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql

from churn import db, store
from churn.core import sources as core
from churn.core.sources import BadMapping, Chosen
from churn.crm import contract_check, sources
from churn.refusals import CompanyUnnamed, MappingInForce, MappingUnexplained, NoSuchMapping, OtherMapping, RoleMayNot
from churn.settings import PROJECT, Settings
from tests.ledger_world import World, build

LAYOUTS = PROJECT / "tests/sources"
EVERY = {
    "salesforce": Chosen({"salesforce": "salesforce"}, values={"phone_prefix": "+44"}),
    "stripe": Chosen({"stripe": "stripe"}),
    "recurly": Chosen({"recurly": "recurly"}, values={"phone_prefix": "+44"}),
    "own": Chosen({"own": "own"}, values={"phone_prefix": "+44"}),
    "salesforce, zendesk, stripe": Chosen({name: name for name in ("salesforce", "zendesk", "stripe")}),
    "salesforce, zendesk, recurly": Chosen({name: name for name in ("zendesk", "salesforce", "recurly")}),
    "by email": Chosen(
        {name: name for name in ("salesforce", "zendesk", "stripe")}, {"zendesk": "email", "stripe": "email"}
    ),
}


@pytest.fixture
def company(database: Settings, owner: psycopg.Connection) -> Settings:
    """A company with the tables of every layout."""
    owner.execute(
        "INSERT INTO desk.company (name, time_zone, phone_region, currency, source) "
        "VALUES ('Views Ltd', 'Europe/London', 'GB', 'GBP', 'files')"
    )
    for path in sorted(LAYOUTS.glob("*.sql")):
        owner.execute(path.read_text())  # type: ignore[arg-type]
    return database


def put_in_force(settings: Settings, chosen: Chosen) -> sources.Registered:
    mapping = sources.register(settings, chosen, by="tests")
    sources.apply_on_host(settings, mapping, by="tests", reason="a test")
    return mapping


def read(settings: Settings, view: str, columns: str) -> list[tuple[Any, ...]]:
    with db.connect(settings, "batch") as connection:
        statement = f"SELECT {columns} FROM {view} ORDER BY 1"  # noqa: S608 - the test's own
        return connection.execute(statement).fetchall()  # type: ignore[arg-type]


@pytest.mark.parametrize("name", EVERY)
def test_every_mapping_keeps_the_whole_contract(company: Settings, name: str) -> None:
    mapping = put_in_force(company, EVERY[name])
    with db.connect(company, "batch") as connection:
        problems = contract_check.check_contract(connection)
        assert [problem.text for problem in problems] == []
        counts = contract_check.count_rows(connection)
    assert all(counts[f"crm.{view}"] for view in mapping.views)


def test_salesforce_to_the_letter(company: Settings) -> None:
    put_in_force(company, EVERY["salesforce"])
    assert read(company, "customers", "*") == [
        ("001A", "Ada Marsh", "+442079460018", "ada@example.com", date(2022, 7, 1), "Household", "London", None, "GBP",
         True, False, {"seats_c": 3, "tier_c": "gold"}),
        ("001B", "Ben Kato", "+81312345678", "ben@example.com", date(2023, 1, 15), "Business", "Japan", None, "JPY",
         False, False, {}),
    ]  # fmt: skip
    assert read(company, "subscriptions", "*") == [
        ("800A", "001A", "Fibre", "24 months", date(2023, 8, 1), date(2025, 7, 31), None, None, Decimal("41.01"), None),
        ("800B", "001B", "Line", "12 months", date(2023, 2, 1), date(2024, 1, 31), date(2024, 1, 31), "voluntary",
         Decimal("10000.00"), None),
    ]  # fmt: skip
    nine = datetime(2024, 6, 1, 9, tzinfo=UTC)
    assert read(company, "contacts", "contact_id, customer_id, started_at, ended_at, channel, is_resolved, notes") == [
        ("500A", "001A", nine, nine.replace(minute=20), "phone", True, "No line\nDown since Monday"),
        ("500B", "001A", nine.replace(day=10), None, "email", False, "Again"),  # ten days open: not on that call
        ("500C", None, nine.replace(day=11), None, "web", False, "Of the bin"),
    ]


def test_zendesk_to_the_letter(company: Settings) -> None:
    put_in_force(company, EVERY["salesforce, zendesk, stripe"])
    columns = "contact_id, customer_id, ended_at, channel, direction, queue, reason, agent_id, is_resolved"
    assert read(company, "contacts", f"{columns}, is_escalated, csat") == [
        ("102", "001A", None, "email", "in", "Billing", "problem", "21", False, True, None),
        ("103", "001B", None, "chat", "in", None, "question", None, False, False, None),
        ("104", None, None, "web", "in", "Billing", None, "21", False, False, None),
        ("107", "001A", None, "phone", "out", "Billing", None, "21", False, False, None),
        ("9007199254740993", "001A", datetime(2024, 6, 1, 9, 45, tzinfo=UTC), "phone", "in", "Billing", "billing",
         "21", True, False, 5),
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["external_id", "organization", "email"])
def test_each_key_joins_the_same_people(company: Settings, key: str) -> None:
    chosen = Chosen({"salesforce": "salesforce", "zendesk": "zendesk"}, {"zendesk": key})
    put_in_force(company, chosen)
    whose = dict(read(company, "contacts", "contact_id, customer_id"))
    assert whose == {"102": "001A", "103": "001B", "104": None, "107": "001A", "9007199254740993": "001A"}


def test_an_address_of_two_customers_is_nobodys(company: Settings, owner: psycopg.Connection) -> None:
    owner.execute("UPDATE salesforce.contact SET email = 'ada@example.com'")
    put_in_force(company, EVERY["by email"])
    assert read(company, "contacts", "DISTINCT customer_id") == [(None,)]
    assert read(company, "subscriptions", "*") == []


def test_stripe_to_the_letter(company: Settings) -> None:
    put_in_force(company, EVERY["stripe"])
    assert read(company, "customers", "customer_id, name, phone, joined_on, region, currency") == [
        ("cus_1", "Ada Marsh", "+442079460018", date(2022, 7, 1), "GB", "GBP"),
        ("cus_2", "Ben Kato", None, date(2023, 1, 15), "JP", "JPY"),
        ("cus_5", "Cem Aziz", None, date(2024, 1, 15), "Hawalli", "KWD"),
    ]
    # £360 a year and two boxes of £5.50 a month; ¥4,200; 15.360 dinars a quarter
    assert read(company, "subscriptions", "*") == [
        ("sub_1", "cus_1", "Broadband", "Fibre 500", date(2022, 7, 1), date(2024, 8, 1), None, None,
         Decimal("41.00"), None),
        ("sub_2", "cus_2", "Broadband", "Fibre 500", date(2023, 1, 15), None, date(2024, 3, 31), "involuntary",
         Decimal("4200.00"), None),
        ("sub_5", "cus_5", "Broadband", "Fibre 500", date(2024, 1, 15), date(2024, 8, 15), None, None,
         Decimal("5.12"), None),
    ]  # fmt: skip
    assert read(company, "invoices", "*") == [  # a quarter past midnight in London is the day after in UTC's evening
        ("in_1", "cus_1", date(2024, 6, 1), date(2024, 6, 14), date(2024, 6, 20), Decimal("41.00")),
        ("in_2", "cus_2", date(2024, 2, 1), date(2024, 2, 1), date(2024, 2, 1), Decimal("4200.00")),
        ("in_5", "cus_5", date(2024, 6, 1), date(2024, 6, 15), None, Decimal("5.12")),
        ("in_7", "cus_1", date(2024, 7, 1), date(2024, 7, 10), None, Decimal("53.00")),
    ]
    assert read(company, "concessions", "concession_id, customer_id, amount") == [("cn_1", "cus_1", Decimal("12.50"))]
    assert read(company, "stripe_left_out", "*") == [
        ("in_3", "invoice", "cus_1", "is in USD, the customer in GBP"),
        ("sub_6", "subscription", "cus_1", "is in USD, the customer in GBP"),
    ]


def test_recurly_to_the_letter(company: Settings) -> None:
    put_in_force(company, EVERY["recurly"])
    assert read(company, "customers", "customer_id, name, phone, joined_on, currency, attributes") == [
        ("001A", "Ada Marsh", "+442079460018", date(2022, 7, 1), "GBP", {"is_company": False}),
        ("001B", "Kato KK", None, date(2023, 1, 15), "JPY", {"is_company": True}),  # closed: who left is learned from
    ]
    assert read(company, "subscriptions", "*") == [
        ("rs1", "001A", "subscription", "Fibre, a year", date(2022, 7, 1), date(2024, 8, 1), None, None,
         Decimal("41.00"), None),
        ("rs2", "001B", "subscription", "Fibre", date(2023, 1, 15), None, date(2024, 3, 31), "involuntary",
         Decimal("4200.00"), None),
    ]  # fmt: skip
    assert read(company, "invoices", "*") == [
        ("ri1", "001A", date(2024, 6, 1), date(2024, 6, 15), date(2024, 6, 20), Decimal("41.10")),
        ("ri5", "001B", date(2024, 2, 1), date(2024, 2, 1), date(2024, 2, 1), Decimal("4200.00")),
    ]
    assert read(company, "concessions", "concession_id, amount") == [("rl1", Decimal("5.00"))]
    assert read(company, "recurly_left_out", "id, why") == [("ri3", "is in USD, the customer in GBP")]


def test_own_tables_to_the_letter(company: Settings) -> None:
    put_in_force(company, EVERY["own"])
    assert read(company, "customers", "customer_id, name, phone, joined_on, currency, is_vulnerable") == [
        ("1", "Ada Marsh", "+442079460018", date(2022, 7, 1), "GBP", True),
        ("2", "2", None, date(2023, 1, 15), "GBP", False),
    ]
    assert read(company, "subscriptions", "subscription_id, started_on, term_ends_on, ended_on, end_reason") == [
        ("10", date(2022, 7, 1), date(2024, 7, 1), None, None),
        ("11", date(2023, 1, 15), None, date(2024, 4, 1), "voluntary"),
    ]
    assert read(company, "contacts", "contact_id, customer_id, direction, csat") == [
        ("20", "1", "in", 4),
        ("21", None, "out", None),
    ]
    assert read(company, "invoices", "invoice_id, issued_on, due_on, paid_on, amount") == [
        ("30", date(2024, 6, 1), date(2024, 6, 15), None, Decimal("41.00")),
        ("32", date(2024, 7, 1), date(2024, 7, 1), date(2024, 7, 2), Decimal("42.00")),
    ]


def test_stripe_prices_the_other_currencies(owner: psycopg.Connection, company: Settings) -> None:
    """By the day and the week, free of charge, of nobody's currency: exact to the penny."""
    put_in_force(company, EVERY["stripe"])
    for interval, count, expected in (
        ("day", 1, "121.75"),
        ("week", 2, "8.70"),
        ("year", 2, "0.17"),
        (None, None, "4.00"),
    ):
        owner.execute(
            "UPDATE stripe.price SET unit_amount = 400, recurring_interval = %s, recurring_interval_count = %s "
            "WHERE id = 'price_fibre'", [interval, count],
        )  # fmt: skip
        ((price,),) = owner.execute("SELECT round(monthly_price, 2) FROM crm.stripe_prices WHERE item_id = 'si_1'")
        assert price == Decimal(expected)


def test_the_features_of_a_mapped_customer(company: Settings) -> None:
    put_in_force(company, EVERY["salesforce, zendesk, stripe"])
    at = datetime(2024, 7, 15, 12, tzinfo=UTC)
    with db.connect(company, "batch") as connection:
        ada, ben = store.features(connection, ["001A", "001B"], [at, at])
    expected = {
        "monthly_price": 41.0, "bill_last": 53.0, "bill_change": 12.0, "overdue": 53.0, "late_365d": 2,
        "contacts_90d": 2, "outbound_90d": 1, "unresolved_90d": 1, "escalated_365d": 1, "csat_365d": 5.0,
        "conceded_365d": 12.5, "live_subscriptions": 1, "tenure_months": 24,
    }  # fmt: skip
    assert {name: ada[name] for name in expected} == expected
    assert ben["live_subscriptions"] == 0


# Numbers --------------------------------------------------------------------------------------------------------------


def test_a_number_is_e164_or_nothing(owner: psycopg.Connection) -> None:
    for number, prefix, expected in (
        ("+44 20 7946 0018", "", "+442079460018"),
        ("0044 (0)20 7946-0018", "", "+442079460018"),
        ("(020) 7946 0018 ext. 12", "+44", "+442079460018"),
        ("(555) 555-5555", "+1", "+15555555555"),
        ("1 555 555 5555", "+1", "+15555555555"),
        ("020 7946 0018", "", None),
        ("020 7946 0018", "44", None),
        ("none", "+44", None),
        ("12", "+44", None),
        ("+44 20 7946 0018 0018 00", "", None),
        ("", "+44", None),
        (None, "+44", None),
    ):
        assert owner.execute("SELECT desk.e164(%s, %s)", [number, prefix]).fetchone() == (expected,), number


# What the tables lack -------------------------------------------------------------------------------------------------


def test_everything_that_is_lacking_is_told_at_once_and_what_is_shown_mends_it(
    company: Settings, owner: psycopg.Connection
) -> None:
    owner.execute(
        'ALTER TABLE salesforce.account DROP COLUMN phone; ALTER TABLE salesforce."case" '
        "ALTER COLUMN closed_date TYPE timestamp USING closed_date AT TIME ZONE 'UTC'; "
        "ALTER TABLE salesforce.opportunity ALTER COLUMN amount TYPE text; DROP TABLE salesforce.contact"
    )
    with db.connect(company, "batch") as connection:
        (found,) = sources.inspect(connection, sources.load(), EVERY["salesforce"])
    assert [(one.table, one.column, one.found) for one in found.wanting] == [
        ("account", "phone", None),
        ("contact", None, None),
        ("case", "closed_date", "timestamp"),
        ("opportunity", "amount", "text"),
    ]
    assert "salesforce.account.phone (text) is missing" in found.wanting[0].sentence
    assert "is timestamp and must be timestamptz. Say in which zone" in found.wanting[2].sentence
    with pytest.raises(sources.NotMapped, match=r"(?s)account\.phone.*contact is missing.*closed_date.*amount"):
        sources.register(company, EVERY["salesforce"], by="tests")
    for one in found.wanting:
        owner.execute(one.mend)  # type: ignore[arg-type]
    put_in_force(company, EVERY["salesforce"])
    assert read(company, "contacts", "contact_id, ended_at")[0] == ("500A", datetime(2024, 6, 1, 9, 20, tzinfo=UTC))


@pytest.mark.parametrize("name", sources.load())
def test_a_mapping_needs_what_it_says_and_nothing_else(company: Settings, owner: psycopg.Connection, name: str) -> None:
    """Over tables of exactly the columns it names every part can be made; without any one of them, not all can."""
    source = sources.load()[name]
    with owner.transaction(force_rollback=True):
        owner.execute(
            "CREATE SCHEMA least; SET LOCAL search_path = crm; "
            "CREATE VIEW known_customers AS SELECT customer_id, currency FROM customers"
        )
        for one in core.wanting(source, "least", {}):
            owner.execute(one.mend)  # type: ignore[arg-type]
        make = [
            sql.SQL(part.text).format(**{name: sql.Identifier("least")}, **SOME)  # type: ignore[arg-type]
            for part in source.parts
        ]
        for statement in make:
            with owner.transaction():
                owner.execute(statement)
        for table, columns in source.tables.items():
            for column in columns:
                with owner.transaction(force_rollback=True):
                    owner.execute(
                        sql.SQL("ALTER TABLE least.{} DROP COLUMN {} CASCADE").format(
                            *map(sql.Identifier, (table, column))
                        )
                    )
                    assert not all(can_be_made(owner, statement) for statement in make), f"{table}.{column} is not read"


SOME = {"phone_prefix": sql.Literal(""), "metadata_key": sql.Literal("account_id")}


def can_be_made(owner: psycopg.Connection, statement: sql.Composed) -> bool:
    try:
        with owner.transaction():
            owner.execute(statement)
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable):  # what was made of it went along
        return False
    return True


def test_a_large_table_wants_its_indexes_first(company: Settings, owner: psycopg.Connection) -> None:
    owner.execute(
        "INSERT INTO own.contact (id, started_at) SELECT i, now() FROM generate_series(1000, 11000) i; "
        "ANALYZE own.contact"
    )
    with pytest.raises(sources.NotMapped, match=r"(?s)about 10,004 rows and no index on customer_id") as refused:
        sources.register(company, EVERY["own"], by="tests")
    owner.execute(str(refused.value).splitlines()[-1])  # type: ignore[arg-type]
    put_in_force(company, EVERY["own"])


# Hostile and mistaken choices -----------------------------------------------------------------------------------------

HOSTILE = ['x"; DROP SCHEMA desk CASCADE; --', "x'; SELECT 1; --", "{salesforce}", "%s", "Salesforce Øre", "a" * 63]


@pytest.mark.parametrize("schema", HOSTILE)
def test_a_schema_by_any_name_is_a_name(company: Settings, owner: psycopg.Connection, schema: str) -> None:
    owner.execute(sql.SQL("ALTER SCHEMA own RENAME TO {}").format(sql.Identifier(schema)))
    put_in_force(company, Chosen({"own": schema}))
    assert [key for (key,) in read(company, "customers", "customer_id")] == ["1", "2"]
    assert owner.execute("SELECT to_regclass('desk.ledger') IS NOT NULL").fetchone() == (True,)


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (Chosen({}), "Choose at least one source"),
        (Chosen({"sap": "x"}), "There is no source sap"),
        (Chosen({"zendesk": "zendesk"}), "cannot say who the customers are"),
        (Chosen({"own": "desk"}), "desk is the server's or Keepline's own"),
        (Chosen({"own": "pg_catalog"}), "pg_catalog is the server's"),
        (Chosen({"own": "a\0b"}), "no NUL"),
        (Chosen({"own": "a" * 64}), "1 to 63 bytes"),
        (Chosen({"own": "own"}, {"own": "email"}), "own has no key"),
        (Chosen({"stripe": "stripe"}, {"stripe": "email"}), "stripe gives the customers, so they go by id"),
        (Chosen({"salesforce": "s", "zendesk": "z"}, {"zendesk": "'; --"}), "cannot be joined by"),
        (Chosen({"salesforce": "s"}, takes={"contacts": "zendesk"}), "zendesk gives no contacts"),
        (Chosen({"own": "own"}, values={"phone_prefix": "'; DROP"}), "a plus sign and one to four digits"),
        (Chosen({"own": "own"}, values={"colour": "red"}), "There is no parameter colour"),
        (Chosen({"stripe": "s"}, values={"metadata_key": ""}), "1 to 100 characters"),
    ],
)
def test_a_choice_that_makes_no_sense_is_told(chosen: Chosen, sentence: str) -> None:
    with pytest.raises(BadMapping, match=sentence):
        sources.compose(sources.load(), chosen)


def test_a_schema_that_is_not_there_is_told_with_those_that_are(company: Settings) -> None:
    with pytest.raises(BadMapping, match="no table in a schema nowhere; schemas with tables: own, recurly, salesforce"):
        sources.register(company, Chosen({"own": "nowhere"}), by="tests")


def test_a_metadata_field_by_any_name_is_a_literal(company: Settings, owner: psycopg.Connection) -> None:
    name = "it's'; DROP TABLE desk.ledger; --{stripe}"
    owner.execute(
        "UPDATE stripe.customer SET metadata = jsonb_build_object(%s::text, '001A') WHERE id = 'cus_1'", [name]
    )
    chosen = Chosen({"salesforce": "salesforce", "stripe": "stripe"}, values={"metadata_key": name})
    put_in_force(company, chosen)
    assert {who for (who,) in read(company, "invoices", "customer_id")} == {"001A"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("SELECT 1", "must begin with two comments"),
        ("-- A\n-- B\n-- needs t: a money\n", "needs a of the type 'money'"),
        ("-- A\n-- B\n-- needs t: a text\n", "at least one line"),
        ("-- A\n-- B\n-- needs t: a text\n-- customers --\nDROP TABLE x;", "must begin with CREATE OR REPLACE VIEW"),
        ("-- A\n-- B\n-- needs t: a text\n-- customers --\nCREATE OR REPLACE VIEW customers AS SELECT 1; DROP TABLE x;",
         "one statement"),
        ("-- A\n-- B\n-- needs t: a text\n-- customers --\nCREATE OR REPLACE VIEW customers AS SELECT {where};",
         "no parameter where"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_mapping_is_told(text: str, sentence: str) -> None:
    with pytest.raises(BadMapping, match=sentence):
        core.read_source("acme", text)


# In force, and back ---------------------------------------------------------------------------------------------------


def definitions(owner: psycopg.Connection) -> list[tuple[Any, ...]]:
    return owner.execute(
        "SELECT c.relname, pg_get_viewdef(c.oid), c.relowner::regrole::text, c.relacl::text FROM pg_class c "
        "WHERE c.relnamespace IN ('crm'::regnamespace, 'proposed'::regnamespace) ORDER BY 1"
    ).fetchall()


def test_taken_back_everything_is_as_it_was(company: Settings, owner: psycopg.Connection) -> None:
    before = definitions(owner)
    owner.execute("UPDATE desk.company SET data_until = '2024-07-15 12:00Z'")
    put_in_force(company, EVERY["salesforce, zendesk, stripe"])
    assert owner.execute("SELECT source, data_until FROM desk.company").fetchone() == ("views", None)
    assert len(definitions(owner)) == len(before) + 6  # who is who, currencies, prices, what is left out
    put_in_force(company, EVERY["own"])  # another straight after: what was before is not forgotten
    sources.apply_on_host(company, None, by="tests", reason="enough")
    assert definitions(owner) == before
    since = datetime(2024, 7, 15, 12, tzinfo=UTC)
    assert owner.execute("SELECT source, data_until FROM desk.company").fetchone() == ("files", since)
    noted = owner.execute(
        "SELECT act, staff_id, detail ->> 'by' FROM desk.audit WHERE subject_kind = 'mapping' ORDER BY 1"
    )
    assert noted.fetchall() == [("applied", None, "tests")] * 2 + [("registered", None, "tests")] * 2 + [
        ("took_back", None, "tests")
    ]


def test_a_view_that_cannot_be_made_leaves_everything_as_it_was(company: Settings, owner: psycopg.Connection) -> None:
    mapping = sources.register(company, EVERY["own"], by="tests")
    before = definitions(owner)
    owner.execute("ALTER TABLE own.invoice DROP COLUMN paid_at")
    with pytest.raises(sources.NotMapped, match="paid_at does not exist"):
        sources.apply_on_host(company, mapping, by="tests", reason="a test")
    assert definitions(owner) == before
    assert owner.execute("SELECT count(*) FROM desk.mapping_moves").fetchone() == (0,)


def test_views_of_their_own_stay_theirs(company: Settings, owner: psycopg.Connection) -> None:
    owner.execute("DROP VIEW crm.usage CASCADE; CREATE VIEW crm.usage AS SELECT 1 AS quantity")
    mapping = sources.register(company, EVERY["own"], by="tests")
    with pytest.raises(sources.NotMapped, match="ALTER VIEW crm.… OWNER TO keepline_mapper"):
        sources.apply_on_host(company, mapping, by="tests", reason="a test")


def test_without_a_company_there_is_nothing_to_map(database: Settings, owner: psycopg.Connection) -> None:
    owner.execute((LAYOUTS / "own.sql").read_text())  # type: ignore[arg-type]
    mapping = sources.register(database, EVERY["own"], by="tests")
    with pytest.raises(CompanyUnnamed):
        sources.apply_on_host(database, mapping, by="tests", reason="a test")
    sources.name_company(database, name="A", time_zone="Europe/Paris", phone_region="FR", currency="EUR")
    sources.apply_on_host(database, mapping, by="tests", reason="a test")
    assert read(database, "customers", "customer_id, joined_on, currency") == [  # a day is a day in Paris
        ("1", date(2022, 7, 1), "GBP"),
        ("2", date(2023, 1, 15), "EUR"),
    ]


def test_a_preview_changes_nothing(company: Settings, owner: psycopg.Connection) -> None:
    before = definitions(owner)
    seen = sources.preview_on_host(company, EVERY["stripe"])
    assert {view: seen.counts[view] for view in ("customers", "subscriptions", "invoices")} == {
        "customers": 3, "subscriptions": 3, "invoices": 4,
    }  # fmt: skip
    assert [(one["what"], one["rows"]) for one in seen.left_out] == [("invoice", 1), ("subscription", 1)]
    assert seen.problems == []
    assert definitions(owner) == before
    assert owner.execute("SELECT count(*) FROM desk.mappings").fetchone() == (0,)
    assert owner.execute("SELECT has_schema_privilege('keepline_mapper', 'stripe', 'USAGE')").fetchone() == (False,)


def test_a_preview_tells_the_problems_with_counts_and_what_mends_them(
    company: Settings, owner: psycopg.Connection
) -> None:
    owner.execute("UPDATE own.subscription SET monthly_price = -1; UPDATE own.invoice SET issued_at = '2999-01-01'")
    seen = sources.preview_on_host(company, EVERY["own"])
    told = {problem.where: (problem.count, problem.sentence) for problem in seen.problems}
    assert told["crm.subscriptions.monthly_price"][0] == 2
    assert "a date that is yet to come" in told["crm.invoices.issued_on"][1]
    put_in_force(company, EVERY["own"])
    with db.connect(company, "batch") as connection:
        assert {problem.where for problem in contract_check.check_contract(connection)} == set(told)
    with owner.transaction():
        owner.execute("SET LOCAL search_path = crm")
        for problem in seen.problems:
            owner.execute(problem.mend)  # type: ignore[arg-type]
    with db.connect(company, "batch") as connection:
        assert contract_check.check_contract(connection) == []


# An administrator -----------------------------------------------------------------------------------------------------


@pytest.fixture
def world(company: Settings, owner: psycopg.Connection) -> Iterator[World]:
    owner.execute("DELETE FROM desk.company")
    pool = db.open_database(company, size=4)
    made = build(pool, owner)
    owner.execute("INSERT INTO desk.staff (staff_id, name, role) VALUES ('adi', 'Adi', 'administrator')")
    yield made
    pool.close()


def test_an_administrator_previews_masked_applies_and_takes_back(world: World, company: Settings) -> None:
    mapping = sources.register(company, EVERY["salesforce"], by="tests")
    before = definitions(world.owner)
    seen = sources.preview(world.database, world["adi"], mapping)
    assert definitions(world.owner) == before
    (ada, _) = sorted(seen.rows["customers"], key=lambda row: row["customer_id"])
    assert (ada["name"], ada["phone"], ada["email"], ada["attributes"]) == (
        "A. M.", "there is one", "there is one", {"seats_c": 3},
    )  # fmt: skip
    assert {row["notes"] for row in seen.rows["contacts"]} == {"there are some"}
    assert seen.problems == []
    sources.apply(world.database, world["adi"], mapping, "the CRM is ours")
    with pytest.raises(MappingInForce):
        sources.apply(world.database, world["adi"], mapping, "again")
    assert len(read(company, "customers", "customer_id")) == 2
    with world.database.transaction(world["adi"]) as connection:
        (move, *_) = sources.moves(connection)
    assert (move.mapping_id, move.moved_by, move.reason) == (mapping.mapping_id, "adi", "the CRM is ours")
    sources.apply(world.database, world["adi"], None, "it was a trial")
    assert definitions(world.owner) == before
    acts = world.owner.execute("SELECT staff_id, act FROM desk.audit WHERE subject_kind = 'mapping' ORDER BY audit_id")
    assert acts.fetchall() == [(None, "registered"), ("adi", "applied"), ("adi", "took_back")]


def test_nobody_else_may(world: World, company: Settings) -> None:
    mapping = sources.register(company, EVERY["own"], by="tests")
    for who in ("ann", "nor", "lea", "finn"):
        with pytest.raises((RoleMayNot, sources.NotMapped)):
            sources.apply(world.database, world[who], mapping, "x")
        with pytest.raises((RoleMayNot, sources.NotMapped)):
            sources.preview(world.database, world[who], mapping)
    with pytest.raises(OtherMapping):
        sources.apply(world.database, world["adi"], replace(mapping, sha256="0" * 64), "x")
    with pytest.raises(NoSuchMapping):
        sources.apply(world.database, world["adi"], replace(mapping, mapping_id=999), "x")
    with pytest.raises(MappingUnexplained):
        sources.apply(world.database, world["adi"], mapping, " ")


def test_the_app_can_neither_register_nor_hang_nor_read_their_tables(world: World, company: Settings) -> None:
    sources.register(company, EVERY["own"], by="tests")
    for role in ("admin", "batch", "analyst"):
        for act in (
            "SELECT desk.register_mapping('x', '{}', '{customers}', 'SELECT 1', 'me')",
            "SELECT desk.hang_views(1, 'crm')",
            "SELECT desk.move_mapping(NULL, 'me', 1, 'x')",
            "INSERT INTO desk.mappings (title) VALUES ('x')",
            "CREATE VIEW crm.mine AS SELECT 1 AS one",
            "CREATE OR REPLACE VIEW crm.customers AS SELECT * FROM feed.customers",
            "SELECT * FROM own.customer",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), world.database.transaction(role) as connection:
                connection.execute(act)  # type: ignore[arg-type]
    with pytest.raises(psycopg.errors.InsufficientPrivilege), world.database.transaction("batch") as connection:
        connection.execute("SET ROLE keepline_mapper")


def test_the_mapper_reads_what_it_was_given_and_nothing_else(world: World, company: Settings) -> None:
    sources.register(company, EVERY["own"], by="tests")
    with world.owner.transaction(force_rollback=True):
        world.owner.execute("SET LOCAL ROLE keepline_mapper")
        assert world.owner.execute("SELECT count(*) FROM own.customer").fetchone() == (3,)
        for table in ("stripe.customer", "desk.ledger", "desk.staff", "desk.sessions", "desk.audit", "truth.customers"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), world.owner.transaction():
                world.owner.execute(sql.SQL("SELECT 1 FROM {}").format(sql.Identifier(*table.split("."))))


def test_an_erased_customer_is_in_no_preview(world: World, company: Settings) -> None:
    mapping = sources.register(company, EVERY["own"], by="tests")
    world.owner.execute(
        "INSERT INTO desk.erasures (customer_id, kind, reason, erased_by) VALUES ('1', 'request', 'asked', 'tests')"
    )
    seen = sources.preview(world.database, world["adi"], mapping)
    assert [row["customer_id"] for row in seen.rows["customers"]] == ["2"]
    assert {row["customer_id"] for row in seen.rows["subscriptions"]} == {"2"}


# Foreign tables -------------------------------------------------------------------------------------------------------


def test_foreign_tables_of_another_database_are_read_as_their_own(company: Settings, owner: psycopg.Connection) -> None:
    """postgres_fdw over the same server, as docs/connecting.md says it; the embedded server brings no extension."""
    there = owner.execute("SELECT FROM pg_available_extensions WHERE name = 'postgres_fdw'").fetchone()
    if there is None:
        pytest.skip("this server has no postgres_fdw: set DATABASE_URL to one with postgresql-contrib")
    about = psycopg.conninfo.conninfo_to_dict(db.admin_conninfo(company))
    owner.execute("ALTER SCHEMA own RENAME TO theirs; CREATE EXTENSION postgres_fdw; CREATE SCHEMA own")
    owner.execute(
        sql.SQL("CREATE SERVER billing FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host {}, port {}, dbname {})").format(
            sql.Literal(about["host"]), sql.Literal(str(about.get("port", 5432))), sql.Literal(company.database)
        )
    )
    owner.execute(
        sql.SQL(
            "CREATE USER MAPPING FOR keepline_mapper SERVER billing "
            "OPTIONS (user {}, password {}, password_required 'false')"
        ).format(sql.Literal(about.get("user", "postgres")), sql.Literal(about.get("password", "x")))
    )
    owner.execute("CREATE USER MAPPING FOR CURRENT_USER SERVER billing")
    owner.execute("IMPORT FOREIGN SCHEMA theirs FROM SERVER billing INTO own")
    put_in_force(company, EVERY["own"])
    assert [key for (key,) in read(company, "customers", "customer_id")] == ["1", "2"]
    assert len(read(company, "invoices", "invoice_id")) == 2
