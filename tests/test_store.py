"""Every read of one caller: who is found by what was typed, and what was known at an instant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from churn import db, store
from churn.queries import query
from churn.settings import Settings
from tests.acting import sit_down
from tests.conftest import clone
from tests.factories import put, put_customer

AS_OF = datetime(2026, 11, 15, 12, 0, tzinfo=UTC)
NAMES = {
    "A1": "Ada Byron", "A10": "Ada-Grace O'Brien", "b2": "Øyvind Åsen", "B3": "Łukasz Żółć", "B4": "Nguyễn Thị Đặng",
    "B5": "محمد العلي", "B6": "李小龙", "B7": "Straße Weiß", "B8": "İpek Işık", "B9": "Þóra Æsudóttir",
    "C_1": "100% Ltd", "CX1": "김철수", "D1": "Zoë D’Angelo-Smith",
}  # fmt: skip


def synced(owner: psycopg.Connection) -> psycopg.Connection:
    owner.execute(query("scores", "sync_directory"))
    return owner


@pytest.fixture(scope="module")
def world(template: Settings) -> Iterator[psycopg.Connection]:
    """One database for this module; each test gives back what it wrote."""
    for settings in clone(template):
        with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as connection:
            sit_down(connection)
            yield connection


@pytest.fixture
def owner(world: psycopg.Connection) -> Iterator[psycopg.Connection]:
    with world.transaction(force_rollback=True):
        yield world


@pytest.fixture
def book(owner: psycopg.Connection) -> psycopg.Connection:
    put(owner, "company", data_until=AS_OF)
    for number, (customer_id, name) in enumerate(NAMES.items()):
        put_customer(owner, customer_id, name=name, phone=f"+44770090{number:02}42")
    return synced(owner)


def found(connection: psycopg.Connection, text: str) -> set[str]:
    return {match.customer_id for match in store.search(connection, text)}


@pytest.mark.parametrize(
    ("typed", "whom"),
    [
        ("ada", "A1 A10"), ("ADA BY", "A1"), ("by ad", "A1"), ("a byron", "A1"), ("byron ada", "A1"), ("byrom", ""),
        ("obrien", "A10"), ("o'brien", "A10"), ("O’Brien", "A10"), ("brien", "A10"), ("o brien", "A10"),
        ("o`brien", "A10"), ("grace", "A10"), ("ada-gr", "A10"), ("gr-ad", "A10"), ("oyv", "b2"),
        ("ØYV", "b2"), ("asen", "b2"), ("lukasz zolc", "B3"), ("Łuk", "B3"), ("nguyen dang", "B4"), ("NGUYỄN", "B4"),
        ("مُحَمَّد", "B5"), ("العلي", "B5"),
        ("李", "B6"), ("李小", "B6"), ("strasse", "B7"), ("STRASSE weiss", "B7"), ("straße", "B7"), ("ipek isik", "B8"),
        ("thora aesu", "B9"), ("김", "CX1"), ("dangelo", "D1"), ("angelo zoe", "D1"), ("smith", "D1"), ("100%", "C_1"),
        ("  ada  \t byron ", "A1"),
    ],
)  # fmt: skip
def test_a_name_is_found_by_beginnings_of_any_words(book: psycopg.Connection, typed: str, whom: str) -> None:
    assert found(book, typed) == set(whom.split())


@pytest.mark.parametrize(
    ("typed", "whom"),
    [
        ("a1", "A1 A10"),
        ("A10", "A10"),
        ("B2", "b2"),
        ("c_", "C_1"),
        ("C%", ""),
        ("_1", "C_1"),
        ("a1\\", ""),
        ("cx", "CX1"),
    ],
)
def test_an_account_is_found_by_its_beginning_in_any_case(book: psycopg.Connection, typed: str, whom: str) -> None:
    assert found(book, typed) == set(whom.split())


@pytest.mark.parametrize(
    ("typed", "whom"),
    [
        ("0042", "A1"), ("1242", "D1"), ("12 42", "D1"), ("12-42", "D1"), ("(12) 42", "D1"), ("900 342", "B3"),
        ("0770 090 0342", "B3"), ("00447700900342", "B3"), ("+44 7700 900342", "B3"), ("٠٣٤٢", "B3"),
        ("042", ""), ("0000", ""), ("9999", ""), ("0342x", ""),
    ],
)  # fmt: skip
def test_a_number_is_found_by_its_last_four_digits_or_more(book: psycopg.Connection, typed: str, whom: str) -> None:
    assert found(book, typed) == set(whom.split())


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "a", "%", "%%", "__", "\\\\", "''", '"ada', "ada'; DROP TABLE desk.directory; --",
        "ada & | ! ( ) : * <->", "!ada", "ada:*x", "zzzz", "\0", "ad\0a", "ada\ud800", "\ufffd\ufffd", "x" * 100_000,
        "ада " * 5000, "1" * 10_000, "🙂🙂", "--", "\u202e\u202e",
    ],
)  # fmt: skip
def test_whatever_is_typed_is_only_ever_searched_for(book: psycopg.Connection, typed: str) -> None:
    assert found(book, typed) <= {"A1", "A10"}


def test_live_customers_come_first_and_no_more_than_twenty(book: psycopg.Connection) -> None:
    for number in range(25):
        put_customer(book, f"M{number:02}", name=f"Mary {number:02}")
    book.execute(
        "UPDATE feed.subscriptions SET ended_on = '2026-11-15' WHERE customer_id < 'M05' AND customer_id >= 'M'"
    )
    matches = store.search(synced(book), "mary")
    assert [match.customer_id for match in matches] == [f"M{number:02}" for number in range(5, 25)]


@pytest.mark.parametrize(
    ("started", "ended", "is_live"),
    [
        ("2024-01-01", None, True),
        ("2024-01-01", "2026-11-16", True),  # notice given, still here today
        ("2024-01-01", "2026-11-15", False),
        ("2026-11-16", None, False),
    ],
)
def test_a_match_shows_the_plan_of_today(
    owner: psycopg.Connection, started: str, ended: str | None, is_live: bool
) -> None:
    put(owner, "company", data_until=AS_OF)
    put(owner, "customers", customer_id="A1", phone="+447700900123")
    put(owner, "subscriptions", customer_id="A1", started_on=started, ended_on=ended)
    contact = put(owner, "contacts", customer_id="A1")
    synced(owner)
    ways = (
        store.by_account(owner, "A1"), store.by_phone(owner, "+447700900123"), store.by_contact(owner, str(contact)),
        store.search(owner, "ada"),
    )  # fmt: skip
    for matches in ways:
        assert [match.plan for match in matches] == ["Fibre 500" if is_live else None]


def test_two_customers_on_one_number_are_both_found(owner: psycopg.Connection) -> None:
    put(owner, "company")
    for customer_id, name in (("B1", "Zoe"), ("A1", "Ada")):
        put_customer(owner, customer_id, name=name, phone="+447700900123")
    assert [match.customer_id for match in store.by_phone(owner, "+447700900123")] == ["A1", "B1"]
    assert store.by_phone(owner, "+447700900124") == []


def test_an_account_is_found_in_another_case_unless_there_is_an_exact_one(book: psycopg.Connection) -> None:
    assert [match.customer_id for match in store.by_account(book, "B2")] == ["b2"]
    put_customer(book, "B2", name="Bea")
    assert [match.customer_id for match in store.by_account(synced(book), "B2")] == ["B2"]
    assert [match.customer_id for match in store.by_account(book, "a%")] == []


@pytest.mark.parametrize("key", ["\0", "A1\0", "\ud800", "x" * 100_000, "' OR true --"])
def test_a_key_no_customer_can_have_finds_nobody(book: psycopg.Connection, key: str) -> None:
    assert store.by_account(book, key) == store.by_phone(book, key) == store.by_contact(book, key) == []


def test_a_contact_of_nobody_we_know_finds_nobody(book: psycopg.Connection) -> None:
    known = put(book, "contacts", customer_id="A1")
    strangers = [put(book, "contacts", customer_id=None), put(book, "contacts", customer_id="gone")]
    assert [match.customer_id for match in store.by_contact(book, str(known))] == ["A1"]
    assert [store.by_contact(book, str(contact)) for contact in strangers] == [[], []]


def test_recent_callers_are_the_last_eight_of_this_person_once_each(book: psycopg.Connection) -> None:
    opened = [*NAMES, "A1"]
    for minute, customer_id in enumerate(opened):
        book.execute(
            "INSERT INTO desk.cases (staff_id, customer_id, opened_by, opened_at) VALUES ('S1', %s, 'ani', %s)",
            [customer_id, AS_OF + timedelta(minutes=minute)],
        )
    recent = store.recent_callers(book, "S1")
    assert [caller.customer_id for caller in recent] == ["A1", *reversed(list(NAMES)[-7:])]
    assert recent[0].opened_at == AS_OF + timedelta(minutes=len(NAMES))
    assert store.recent_callers(book, "S2") == []


# the instant a card is read for ---------------------------------------------------------------------------------------


def test_a_live_company_is_read_for_the_clock(owner: psycopg.Connection) -> None:
    put(owner, "company")
    assert store.moment(owner, "A1", AS_OF) == AS_OF


def test_a_company_that_is_not_live_is_read_where_its_data_end_for_the_caller(owner: psycopg.Connection) -> None:
    put(owner, "company", data_until=AS_OF)
    put(owner, "contacts", customer_id="A1", started_at=AS_OF + timedelta(hours=2))
    put(owner, "contacts", customer_id="A1", started_at=AS_OF + timedelta(days=9))
    put(owner, "contacts", customer_id="B1", started_at=AS_OF - timedelta(hours=2))
    clock = AS_OF + timedelta(days=5)
    assert store.moment(owner, "A1", clock) == AS_OF + timedelta(hours=2)
    assert store.moment(owner, "B1", clock) == store.moment(owner, "nobody", clock) == AS_OF


def test_without_a_company_the_way_to_one_is_told(owner: psycopg.Connection) -> None:
    with pytest.raises(store.NoCompany, match="python3 -m churn demo"):
        store.moment(owner, "A1", AS_OF)


# the facts of one caller ----------------------------------------------------------------------------------------------


@pytest.fixture
def caller(owner: psycopg.Connection) -> psycopg.Connection:
    put(owner, "company")
    put(owner, "customers", customer_id="A1", joined_on="2024-11-15", region="Wales")
    put(owner, "subscriptions", customer_id="A1", subscription_id="S1", started_on="2024-11-15")
    return owner


def facts(
    connection: psycopg.Connection, as_of: datetime = AS_OF, zone: str = "Europe/London"
) -> store.records.CallerFacts:
    return store.caller_facts(connection, "A1", as_of, zone)


def test_an_account_without_a_customer_is_refused_by_name(caller: psycopg.Connection) -> None:
    with pytest.raises(store.NoSuchCustomer, match="with the account B9"):
        store.caller_facts(caller, "B9", AS_OF, "Europe/London")


def test_nothing_later_than_the_instant_is_known(caller: psycopg.Connection) -> None:
    before = facts(caller)
    later, day = AS_OF + timedelta(seconds=1), "2026-11-16"
    put(caller, "contacts", customer_id="A1", started_at=later)
    put(caller, "invoices", customer_id="A1", issued_on=day, due_on=day)
    put(caller, "change_events", starts_at=later)
    put(caller, "concessions", customer_id="A1", given_at=later)
    put(caller, "concessions", customer_id="A1", amount=0, intended_amount=20)  # not given: nothing to tell
    put(caller, "subscriptions", customer_id="A1", started_on=day)
    caller.execute(
        "UPDATE feed.subscriptions SET ended_on = %s, end_reason = 'move' WHERE subscription_id = 'S1'", [day]
    )
    assert facts(caller) == before


def test_a_contact_of_the_last_second_is_known_and_its_outcome_only_once_it_is_over(caller: psycopg.Connection) -> None:
    said = {"is_resolved": False, "is_escalated": True, "csat": 1, "reason": "fault"}
    put(
        caller,
        "contacts",
        customer_id="A1",
        started_at=AS_OF - timedelta(seconds=1),
        ended_at=AS_OF + timedelta(minutes=9),
        **said,
    )
    put(caller, "contacts", customer_id="A1", started_at=AS_OF - timedelta(seconds=9), ended_at=AS_OF, **said)
    still, over = facts(caller).contacts
    assert (still.reason, still.ended_at, still.is_resolved, still.is_escalated, still.csat) == (
        "fault",
        None,
        None,
        False,
        None,
    )
    assert (over.ended_at, over.is_resolved, over.is_escalated, over.csat) == (AS_OF, False, True, 1)
    assert facts(caller).features["unresolved_90d"] == facts(caller).features["escalated_365d"] == 1


def test_all_contacts_of_a_year_are_there_and_of_earlier_ones_twenty(caller: psycopg.Connection) -> None:
    for number in range(30):
        put(caller, "contacts", customer_id="A1", started_at=AS_OF - timedelta(days=number * 10))
    made = facts(caller)
    assert len(made.contacts) == made.features["contacts_365d"] == 30
    assert len(facts(caller, AS_OF + timedelta(days=700)).contacts) == 20
    starts = [contact.started_at for contact in made.contacts]
    assert starts == sorted(starts, reverse=True)


def test_an_event_hits_who_was_there_when_it_happened(caller: psycopg.Connection) -> None:
    put(caller, "customers", customer_id="NEW", joined_on="2026-11-14", region="Wales")
    put(caller, "subscriptions", customer_id="NEW", started_on="2026-11-14")
    put(
        caller,
        "change_events",
        event_id="E1",
        region="Wales",
        starts_at="2026-11-01T10:00Z",
        ends_at="2026-11-15T13:00Z",
    )
    put(caller, "change_events", event_id="E2", region="Scotland")
    put(caller, "change_events", event_id="E3", plan="Fibre 900")
    (event,) = facts(caller).events
    assert (event.event_id, event.ends_at) == ("E1", None)  # over an hour later: not known yet
    assert store.caller_facts(caller, "NEW", AS_OF, "Europe/London").events == ()


def test_invoices_are_those_the_features_count(caller: psycopg.Connection) -> None:
    for day in ("2025-11-15", "2025-11-16", "2026-11-01"):
        put(caller, "invoices", customer_id="A1", issued_on=day, due_on=day, amount=Decimal("41.50"), paid_on=None)
    made = facts(caller)
    assert [bill.issued_on for bill in made.invoices] == [date(2026, 11, 1), date(2025, 11, 16)]
    assert made.features["overdue"] == float(sum(bill.amount for bill in made.invoices)) == 83.0
    assert made.features["late_365d"] == 2


@pytest.mark.parametrize(
    ("as_of", "live"),
    [("2026-11-15T07:59Z", ["S1"]), ("2026-11-15T08:00Z", []), ("2026-11-15T00:30Z", ["S1"])],
)
def test_a_day_begins_at_midnight_where_the_company_is(caller: psycopg.Connection, as_of: str, live: list[str]) -> None:
    caller.execute("UPDATE desk.company SET time_zone = 'America/Los_Angeles'")
    caller.execute("UPDATE feed.subscriptions SET ended_on = '2026-11-15'")
    instant = datetime.fromisoformat(as_of)
    made = facts(caller, instant, "America/Los_Angeles")
    assert made.features["live_subscriptions"] == len(live)
    today = store.local_day(instant, "America/Los_Angeles")
    assert [line.subscription_id for line in made.subscriptions if line.is_live(today)] == live


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-03-29T00:59Z", "2026-03-29"), ("2026-03-28T23:59Z", "2026-03-28"), ("2026-10-24T22:59Z", "2026-10-24"),
        ("2026-10-24T23:00Z", "2026-10-25"), ("2026-10-25T23:59Z", "2026-10-25"), ("2026-10-26T00:00Z", "2026-10-26"),
    ],
)  # fmt: skip
def test_days_around_the_change_of_clocks_are_the_companys(instant: str, day: str) -> None:
    assert store.local_day(datetime.fromisoformat(instant), "Europe/London") == date.fromisoformat(day)


def test_a_customer_of_tomorrow_has_facts_and_no_features(caller: psycopg.Connection) -> None:
    caller.execute("UPDATE feed.customers SET joined_on = '2026-11-16'")
    assert facts(caller).features == {}


# what came of it ------------------------------------------------------------------------------------------------------


def test_outcomes_tell_how_the_last_line_ended_within_the_horizon(owner: psycopg.Connection) -> None:
    put(owner, "company", time_zone="America/Los_Angeles")
    ends = {
        "in": ("2027-02-13", "voluntary"), "after": ("2027-02-14", "voluntary"), "move": ("2026-12-01", "move"),
        "unpaid": ("2026-12-01", "involuntary"), "unsaid": ("2026-12-01", None), "gone": ("2026-11-15", "voluntary"),
        "today": ("2026-11-16", "voluntary"),
    }  # fmt: skip
    for customer_id, (ended, how) in ends.items():
        put(owner, "subscriptions", customer_id=customer_id, ended_on=ended, end_reason=how)
    late = datetime(2026, 11, 16, 7, 59, tzinfo=UTC)  # still the 15th there
    assert store.outcomes(owner, late, 90) == {
        "in": "voluntary", "after": None, "move": "move", "unpaid": "involuntary", "unsaid": "voluntary",
        "today": "voluntary",
    }  # fmt: skip


def test_a_contact_is_learned_from_as_of_the_day_before_where_the_company_is(caller: psycopg.Connection) -> None:
    """A term signed on the call is dated that day: a minute before the call it would tell how the call ended."""
    caller.execute("UPDATE desk.company SET time_zone = 'America/Los_Angeles'")
    put(caller, "contacts", customer_id="A1", reason="cancel", started_at="2026-11-15T02:30Z")  # the 14th there
    put(caller, "contacts", customer_id="A1", reason="fault", started_at="2026-11-15T03:30Z")
    put(caller, "subscriptions", customer_id="A1", started_on="2026-11-14")
    learned = store.reasoned_contacts(caller, AS_OF, 10)
    end = datetime(2026, 11, 14, 7, 59, 59, tzinfo=UTC)
    assert learned == [("A1", end, "cancel"), ("A1", end, "fault")]
    (known,) = store.features(caller, ["A1", "A1"], [end, end])
    assert known["live_subscriptions"] == 1


# a hundred thousand customers -----------------------------------------------------------------------------------------


def test_a_search_among_a_hundred_thousand_reads_indexes_only(owner: psycopg.Connection) -> None:
    put(owner, "company")
    owner.execute(
        """
        INSERT INTO desk.directory (customer_id, words, phone_reverse)
        SELECT 'A' || i, array_to_tsvector(ARRAY[md5((i % 3000)::text), md5((i % 20000)::text)]),
               lpad((i::bigint * 7919 % 1000000000)::text, 9, '0') || '744'
        FROM generate_series(1, 100000) i
        """
    )
    owner.execute("ANALYZE desk.directory")
    scans = "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relid = 'desk.directory'::regclass"
    before = owner.execute(scans).fetchone() or (0, 0)
    for text in ("A4", "4567", "c4 ca", "zz", "a1") * 4:  # more often than a plan is made anew by itself
        store.search(owner, text)
    store.by_account(owner, "a17")
    after = owner.execute(scans).fetchone()
    assert after is not None
    assert after[0] == before[0]
    assert after[1] - (before[1] or 0) >= 41  # account and words each time, and the one by account
