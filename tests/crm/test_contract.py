"""The data contract: every breach is named with its count, and the SQL shown with it mends it as it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from churn import db
from churn.crm import contract, contract_check
from churn.crm.contract import CONTRACT, Problem
from churn.crm.contract_rules import RULES, rules_of
from churn.settings import Settings
from tests.conftest import clone

Check = Callable[[], list[Problem]]

# One row of each view that keeps every rule.
GOOD = {
    "customers": {
        "customer_id": "'c1'::text",
        "name": "'Ada Marsh'::text",
        "phone": "'+447700900123'::text",
        "email": "NULL::text",
        "joined_on": "'2020-02-29'::date",
        "segment": "NULL::text",
        "region": "NULL::text",
        "language": "NULL::text",
        "currency": "'GBP'::char(3)",
        "is_vulnerable": "false",
        "is_do_not_offer": "false",
        "attributes": """'{"lines": 2}'::jsonb""",
    },
    "subscriptions": {
        "subscription_id": "'s1'::text",
        "customer_id": "'c1'::text",
        "product": "'mobile'::text",
        "plan": "'small'::text",
        "started_on": "'2020-02-29'::date",
        "term_ends_on": "NULL::date",
        "ended_on": "'2021-02-28'::date",
        "end_reason": "'voluntary'::text",
        "monthly_price": "20.00::numeric(14,2)",
        "monthly_margin": "NULL::numeric(14,2)",
    },
    "contacts": {
        "contact_id": "'k1'::text",
        "customer_id": "NULL::text",
        "started_at": "'2021-01-01 10:00Z'::timestamptz",
        "ended_at": "'2021-01-01 10:05Z'::timestamptz",
        "channel": "'phone'::text",
        "direction": "'in'::text",
        "queue": "NULL::text",
        "reason": "NULL::text",
        "agent_id": "NULL::text",
        "is_resolved": "NULL::boolean",
        "is_escalated": "false",
        "csat": "5::smallint",
        "notes": "'asked about his bill'::text",
    },
    "invoices": {
        "invoice_id": "'i1'::text",
        "customer_id": "'c1'::text",
        "issued_on": "'2021-01-01'::date",
        "due_on": "'2021-01-15'::date",
        "paid_on": "NULL::date",
        "amount": "-5.00::numeric(14,2)",
    },
    "usage": {
        "customer_id": "'c1'::text",
        "month": "'2021-01-01'::date",
        "measure": "'minutes'::text",
        "quantity": "0::double precision",
    },
    "change_events": {
        "event_id": "'e1'::text",
        "owner_department": "'network'::text",
        "kind": "'outage'::text",
        "title": "'Mast down'::text",
        "starts_at": "'2030-01-01 10:00Z'::timestamptz",
        "ends_at": "NULL::timestamptz",
        "audience_size": "NULL::integer",
        "what_to_say": "NULL::text",
        "region": "NULL::text",
        "product": "NULL::text",
        "plan": "NULL::text",
    },
    "concessions": {
        "concession_id": "'g1'::text",
        "customer_id": "'c1'::text",
        "contact_id": "NULL::text",
        "agent_id": "NULL::text",
        "given_at": "'2021-01-01 10:00Z'::timestamptz",
        "instrument": "'credit'::text",
        "amount": "0.00::numeric(14,2)",
        "months": "NULL::smallint",
        "intended_amount": "NULL::numeric(14,2)",
        "propensity": "1::double precision",
    },
}
# For every rule of the table a row that breaks it: (view, first column, its sentence's beginning) and what differs.
BAD = [
    ("customers", "name", "no name", {"name": "' '::text"}),
    ("customers", "phone", "a telephone number", {"phone": "'07700 900123'::text"}),
    ("customers", "currency", "a currency", {"currency": "'gb'::char(3)"}),
    ("customers", "joined_on", "a day of joining that is yet", {"joined_on": "'2099-01-01'::date"}),
    ("customers", "joined_on", "a day of joining that stands", {"joined_on": "'1900-01-01'::date"}),
    ("customers", "attributes", "attributes that are not", {"attributes": "'[1]'::jsonb"}),
    ("customers", "attributes", "attributes within", {"attributes": """'{"a": {"b": 1}, "c": [1]}'::jsonb"""}),
    ("subscriptions", "end_reason", "an end_reason other", {"end_reason": "'bored'::text"}),
    ("subscriptions", "end_reason", "a reason for ending", {"ended_on": "NULL::date"}),
    ("subscriptions", "ended_on", "an end before", {"ended_on": "'2020-02-28'::date"}),
    ("subscriptions", "term_ends_on", "a term that", {"term_ends_on": "'2020-02-28'::date"}),
    ("subscriptions", "monthly_price", "a negative price", {"monthly_price": "-1::numeric(14,2)"}),
    ("invoices", "due_on", "a due date before", {"due_on": "'2020-12-31'::date"}),
    (
        "invoices",
        "issued_on",
        "a date that is yet",
        {"issued_on": "'2099-01-01'::date", "due_on": "'2099-01-02'::date"},
    ),
    ("invoices", "paid_on", "a day of payment", {"paid_on": "'2099-01-01'::date"}),
    ("invoices", "amount", "no number", {"amount": "'NaN'::numeric(14,2)"}),
    (
        "contacts",
        "started_at",
        "a start that",
        {"started_at": "'2099-01-01Z'::timestamptz", "ended_at": "NULL::timestamptz"},
    ),
    ("contacts", "ended_at", "an end before", {"ended_at": "'2021-01-01 09:59Z'::timestamptz"}),
    ("contacts", "ended_at", "more than a day", {"ended_at": "'2021-01-03Z'::timestamptz"}),
    ("contacts", "direction", "a direction other", {"direction": "'Outbound'::text"}),
    ("contacts", "csat", "a satisfaction", {"csat": "0::smallint"}),
    ("usage", "month", "a month that is not", {"month": "'2021-01-02'::date"}),
    ("usage", "month", "a month that is yet", {"month": "'2099-01-01'::date"}),
    ("usage", "quantity", "a quantity that", {"quantity": "'NaN'::double precision"}),
    ("usage", "quantity", "a negative quantity", {"quantity": "-1::double precision"}),
    ("change_events", "ends_at", "an end before", {"ends_at": "'2029-01-01Z'::timestamptz"}),
    ("change_events", "audience_size", "a negative audience", {"audience_size": "-1::integer"}),
    ("concessions", "amount", "a negative amount", {"amount": "-1::numeric(14,2)"}),
    ("concessions", "given_at", "a time that", {"given_at": "'2099-01-01Z'::timestamptz"}),
    ("concessions", "propensity", "a propensity", {"propensity": "0::double precision"}),
]


@pytest.fixture(scope="module")
def shared(template: Settings) -> Iterator[Settings]:
    """One database for all tests here: each undoes what it did."""
    yield from clone(template)


@pytest.fixture
def empty(shared: Settings) -> Iterator[psycopg.Connection]:
    """Everything may be done, and nothing is left of it."""
    with psycopg.connect(db.admin_conninfo(shared)) as connection, connection.transaction(force_rollback=True):
        yield connection


@pytest.fixture
def company(empty: psycopg.Connection) -> psycopg.Connection:
    """A database of a company's own: one row a view, every rule kept."""
    empty.execute(
        "INSERT INTO desk.company (name, time_zone, phone_region, currency, source) "
        "VALUES ('Views Ltd', 'Europe/London', 'GB', 'GBP', 'views')"
    )
    for view in GOOD:
        stand_in(empty, view)
    return empty


@pytest.fixture
def check(company: psycopg.Connection) -> Check:
    """The whole check, as the jobs' role runs it."""

    def run() -> list[Problem]:
        company.execute("SET LOCAL ROLE keepline_batch")
        try:
            return contract_check.check_contract(company)
        finally:
            company.execute("RESET ROLE")

    return run


def stand_in(
    owner: psycopg.Connection, view: str, *rows: dict[str, str], without: str | None = None, source: str = ""
) -> None:
    """Put a view of these rows in the place of crm.<view>; each is the good row but for what is given."""
    selects = [
        ", ".join(f"{value} AS {name}" for name, value in (GOOD[view] | row).items() if name != without)
        for row in rows or ({},)
    ]
    run(owner, f"DROP VIEW IF EXISTS crm.{view} CASCADE")
    run(owner, f"CREATE VIEW crm.{view} AS {' UNION ALL '.join(f'SELECT {select}{source}' for select in selects)}")
    run(owner, f"GRANT SELECT ON crm.{view} TO {contract.READERS}; {contract.READ_ANEW}")


def run(owner: psycopg.Connection, statements: str) -> None:
    owner.execute(sql.SQL(statements))  # type: ignore[arg-type]


def test_the_views_that_are_shipped_keep_the_contract(empty: psycopg.Connection) -> None:
    assert contract_check.check_contract(empty) == []


def test_the_contract_and_the_shipped_views_name_the_same_columns(empty: psycopg.Connection) -> None:
    there = contract.relations(empty)
    assert {view.name: {column.name for column in view.columns} for view in CONTRACT} == {
        view.name: there[view.name].types.keys() for view in CONTRACT
    }


def test_a_company_that_keeps_the_rules_hears_nothing(check: Check) -> None:
    assert check() == []


@pytest.mark.parametrize("view", CONTRACT, ids=lambda view: view.name)
def test_a_missing_view_is_named_and_its_line_brings_it_back(company, check: Check, view: contract.View) -> None:
    run(company, f"DROP VIEW crm.{view.name} CASCADE")
    problem = next(problem for problem in check() if problem.where == f"crm.{view.name}")
    assert f"The view crm.{view.name} is missing" in problem.text
    assert problem.is_optional == (view.name in {"invoices", "usage", "change_events", "concessions"})
    run(company, problem.mend)
    assert [problem for problem in check() if "missing" in problem.sentence] == []


@pytest.mark.parametrize(
    ("view", "column"),
    [(view, column) for view in CONTRACT for column in view.columns],
    ids=lambda part: part.name,
)
def test_a_missing_column_is_named_and_its_line_adds_it(company, view, column) -> None:
    stand_in(company, view.name, without=column.name)
    (problem,) = contract.check_catalogue(company)
    assert problem.where == f"crm.{view.name}.{column.name}"
    assert column.type in problem.sentence
    assert problem.is_optional == column.is_optional
    run(company, problem.mend)
    assert contract.check_catalogue(company) == []


def test_all_problems_are_named_not_the_first(company, check: Check) -> None:
    run(company, "DROP VIEW crm.usage CASCADE")
    stand_in(company, "contacts", {"csat": "7::smallint", "direction": "'x'::text"}, without="queue")
    stand_in(company, "invoices", {"amount": "'NaN'::numeric(14,2)"})
    wheres = {"crm.usage", "crm.contacts.queue", "crm.contacts.csat", "crm.contacts.direction", "crm.invoices.amount"}
    assert {problem.where for problem in check()} == wheres


@pytest.mark.parametrize(
    ("view", "column", "value"),
    [
        ("customers", "customer_id", "42::bigint"),
        ("customers", "joined_on", "'2020-02-29 00:30+00'::timestamptz"),
        ("customers", "joined_on", "'2020-02-29'::varchar"),
        ("customers", "is_vulnerable", "1::integer"),
        ("customers", "is_vulnerable", "0::numeric"),
        ("customers", "attributes", "'{}'::json"),
        ("contacts", "started_at", "'2021-01-01 10:00'::timestamp"),
        ("contacts", "started_at", "'2021-01-01'::date"),
        ("contacts", "csat", "'5.0'::text"),
        ("subscriptions", "monthly_price", "'20.00'::money"),
        ("usage", "quantity", "3::numeric"),
        ("change_events", "audience_size", "10::double precision"),
    ],
)
def test_a_column_of_the_wrong_type_is_named_and_its_line_casts_it(company, view, column, value) -> None:
    stand_in(company, view, {column: value})
    (problem,) = contract.check_catalogue(company)
    assert problem.where == f"crm.{view}.{column}"
    assert "and must be" in problem.sentence
    run(company, problem.mend)
    assert contract.check_catalogue(company) == []
    run(company, f"TABLE crm.{view}")


def test_a_time_without_a_zone_is_read_in_the_companys(company) -> None:
    stand_in(company, "contacts", {"started_at": "'2021-07-01 10:00'::timestamp", "ended_at": "NULL::timestamptz"})
    (problem,) = contract.check_catalogue(company)
    run(company, problem.mend)
    assert company.execute("SELECT started_at = '2021-07-01 09:00Z' FROM crm.contacts").fetchone() == (True,)


def test_a_companys_own_table_with_odd_types_becomes_a_view_that_keeps_the_contract(company, check: Check) -> None:
    run(
        company,
        """DROP VIEW crm.customers CASCADE;
        CREATE TABLE crm.customers (customer_id varchar(20), name varchar(80), phone varchar, joined_on timestamp,
            currency text, is_vulnerable smallint, vip boolean);
        INSERT INTO crm.customers VALUES ('c1', 'Ada', '+447700900123', '2020-02-29 10:00', 'GBP', 0, true)""",
    )
    problems = [problem for problem in check() if problem.where.startswith("crm.customers")]
    assert {problem.where for problem in problems} >= {"crm.customers.joined_on", "crm.customers.is_vulnerable"}
    assert (
        len({problem.mend for problem in problems if problem.where != "crm.customers"}) == 1
    )  # one line mends them all
    run(company, problems[0].mend)
    assert check() == []
    assert company.execute("SELECT joined_on::text, is_vulnerable, vip FROM crm.customers").fetchone() == (
        "2020-02-29",
        False,
        True,
    )


def test_a_view_nobody_may_read_is_named_and_its_line_opens_it(company) -> None:
    run(company, "REVOKE SELECT ON crm.contacts FROM keepline_batch")
    (problem,) = contract.check_catalogue(company)
    assert problem.sentence == "keepline_batch may not read crm.contacts."
    run(company, problem.mend)
    assert contract.check_catalogue(company) == []


def test_every_rule_of_the_table_is_broken_once_below() -> None:
    assert [(rule.view, rule.columns[0]) for rule in RULES] == [(view, column) for view, column, *_ in BAD]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: " ".join(bad[:3]))
def test_a_row_that_breaks_a_rule_is_counted_and_its_line_mends_it(company, check: Check, bad) -> None:
    view, column, sentence, row = bad
    stand_in(company, view, row)
    problem = next(p for p in check() if p.where == f"crm.{view}.{column}" and sentence in p.sentence)
    assert problem.count == 1
    assert problem.example is not None
    run(company, problem.mend)
    assert [p for p in check() if sentence in p.sentence and p.where == problem.where] == []


@pytest.mark.parametrize(
    ("view", "column"),
    [(view.name, rule.columns[0]) for view in CONTRACT for rule in rules_of(view) if rule.sentence.startswith("no ")],
)
def test_an_empty_required_value_is_counted_and_its_line_mends_it(
    company, check: Check, view: str, column: str
) -> None:
    kind = GOOD[view][column].rpartition("::")[2] if "::" in GOOD[view][column] else "boolean"
    stand_in(company, view, {}, {column: f"NULL::{kind}"})
    wanted = f"crm.{view}: 1 row has no {column}"
    problem = next(p for p in check() if p.sentence.startswith(wanted))
    run(company, problem.mend)
    assert [p for p in check() if p.sentence.startswith(wanted)] == []


@pytest.mark.parametrize("view", ["subscriptions", "invoices", "usage", "concessions", "contacts"])
def test_rows_of_a_customer_nobody_knows_are_counted_and_their_line_mends_them(
    company, check: Check, view: str
) -> None:
    stand_in(company, view, {"customer_id": "'stranger'::text"})
    (problem,) = check()
    assert "a customer who is not in crm.customers" in problem.sentence
    assert problem.is_optional == (view == "contacts")
    run(company, problem.mend)
    assert check() == []


@pytest.mark.parametrize("view", CONTRACT, ids=lambda view: view.name)
def test_a_key_of_two_rows_is_counted_and_its_line_keeps_one(company, check: Check, view: contract.View) -> None:
    stand_in(company, view.name, {}, {})
    (problem,) = check()
    assert f"1 keys ({', '.join(view.grain)}) are those of more than one row" in problem.sentence
    run(company, problem.mend)
    assert check() == []


def test_now_of_a_company_that_is_not_live_is_where_its_data_end(company, check: Check) -> None:
    run(company, "UPDATE desk.company SET data_until = '2021-01-01 09:00Z'")
    assert "crm.contacts.started_at" in {problem.where for problem in check()}


def test_no_problem_shows_who_somebody_is(company, check: Check) -> None:
    personal = {"name": "'Ada Marsh'::text", "phone": "'07700 900123'::text", "email": "'ada@marsh.example'::text"}
    stand_in(company, "customers", personal, personal)
    stand_in(company, "contacts", {"csat": "9::smallint", "notes": "'my card is 4111'::text"})
    shown = " ".join(f"{problem.sentence} {problem.example}" for problem in check())
    assert "c1" in shown
    assert not any(secret in shown for secret in ("Ada", "Marsh", "07700", "marsh.example", "4111"))


def test_a_large_table_without_an_index_is_named_and_its_line_builds_one(company, check: Check) -> None:
    run(
        company,
        """CREATE TABLE public.anrufe AS
            SELECT 'k' || n AS id, 'c' || n % 50 AS kunde, '2021-01-01Z'::timestamptz AS am
            FROM generate_series(1, 20000) AS n;
        ANALYZE public.anrufe""",
    )
    theirs = {"contact_id": "a.id", "customer_id": "a.kunde", "started_at": "a.am", "ended_at": "NULL::timestamptz"}
    stand_in(company, "contacts", theirs, source=" FROM public.anrufe AS a")
    problem = next(problem for problem in check() if "wants an index" in problem.sentence)
    assert problem.is_optional
    assert "public.anrufe (20,000 rows)" in problem.sentence
    run(company, problem.mend.replace(" CONCURRENTLY", ""))  # which no transaction allows
    assert [problem for problem in check() if "wants an index" in problem.sentence] == []


def test_a_cast_that_fails_is_told_without_the_value_and_the_other_views_are_read(company, check: Check) -> None:
    run(company, "CREATE TABLE public.calls AS SELECT 'ada@marsh.example' AS at")
    stand_in(company, "contacts", {"started_at": "at::timestamptz"}, source=" FROM public.calls")
    stand_in(company, "usage", {"quantity": "'NaN'::double precision"})
    problems = {problem.where: problem for problem in check()}
    assert "Reading crm.contacts fails with InvalidDatetimeFormat" in problems["crm.contacts"].sentence
    assert "marsh" not in problems["crm.contacts"].text
    assert "crm.usage.quantity" in problems


def test_without_models_the_check_says_what_to_type(empty: psycopg.Connection) -> None:
    problems = contract_check.check_models(empty)
    assert [problem.sentence for problem in problems] == [
        "There is no current risk model.",
        "There is no current survival model.",
    ]
    assert {problem.mend for problem in problems} == {"python3 -m churn train"}


def test_a_model_whose_bytes_were_changed_is_named(empty: psycopg.Connection) -> None:
    add = """INSERT INTO desk.model_versions
                 (kind, status, data_as_of, metrics, libraries, artifact, sha256, created_by)
             VALUES (%s, 'current', now(), '{}', '{}', %s, %s, 'test')"""
    empty.execute(add, ["risk", b"model", "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"])
    empty.execute(add, ["survival", b"another", "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"])
    (problem,) = contract_check.check_models(empty)
    assert problem.where == "desk.model_versions, survival"
    assert "is not what was registered" in problem.sentence


def test_a_refusal_to_learn_is_told_in_its_own_words(empty: psycopg.Connection) -> None:
    empty.execute(
        "INSERT INTO desk.model_versions (kind, status, data_as_of, metrics, libraries, refusal, created_by) "
        "VALUES ('risk', 'refused', now(), '{}', '{}', 'There are 3 rows.', 'test')"
    )
    problem = contract_check.check_models(empty)[0]
    assert problem.is_optional
    assert "There are 3 rows." in problem.sentence


def test_rows_that_were_set_aside_are_told_file_by_file(empty: psycopg.Connection) -> None:
    empty.execute(
        "INSERT INTO feed.files (path, sha256, mapping, mapping_sha256, encoding, "
        "rows_read, rows_accepted, rows_set_aside) VALUES ('calls.csv', '', 'eagle', '', 'utf-8', 3, 1, 2)"
    )
    add = """INSERT INTO feed.set_aside
             SELECT file_id, %s, 'date', '13/13', 'No such month.', '{}' FROM feed.files WHERE path = 'calls.csv'"""
    for line in (2, 3):
        empty.execute(add, [line])
    (problem,) = contract_check.check_files(empty)
    assert problem.sentence == "calls.csv: 2 of 3 rows were set aside, most often: No such month."
    assert empty.execute(problem.mend.encode()).rowcount == 2


def test_an_empty_database_says_how_far_it_has_come(empty: psycopg.Connection) -> None:
    state = contract.state(empty)
    assert (state.has_company, state.source, state.has_directory, state.has_models) == (False, None, False, False)
    assert not contract.has_customers(empty)
    assert contract_check.count_rows(empty)["crm.customers"] == 0
