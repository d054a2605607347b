"""Hostile URLs and search texts: each only ever searches, for one number or name, and finds nobody by force."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from churn import db, ledger, store
from churn.calls.phone import read_number
from churn.calls.screen_pop import Asked, read_query
from churn.core.grants import Session
from churn.queries import query
from churn.refusals import NotOnYourLine, ReasonMissing, TooManyLookups
from churn.settings import Settings
from tests.conftest import clone
from tests.factories import put_customer
from tests.ledger_world import build

ADA, NUMBER = "ADA1", "+442079460958"
# URL parameters → (what is asked for, the number that is looked up; None: nobody)
URLS: dict[str, tuple[dict[str, str], str | None, str | None]] = {
    "a script": ({"ani": "<script>alert(1)</script>"}, "ani", None),
    "an event handler": ({"ani": '"><img src=x onerror=alert(1)>'}, "ani", None),
    "ten thousand digits": ({"ani": "4" * 10_000}, "ani", None),
    "ten thousand letters": ({"ani": "x" * 10_000}, "ani", None),
    "right-to-left marks around": ({"ani": "\u202e+442079460958\u202c"}, "ani", NUMBER),
    "zero-width blanks within": ({"ani": "+44207\u200b9460958"}, "ani", NUMBER),
    "a lost plus": ({"ani": " 442079460958"}, "ani", NUMBER),
    "a plus sent twice": ({"ani": "++442079460958"}, "ani", NUMBER),
    "full-width digits": ({"ani": "+４４２０７９４６０９５８"}, "ani", NUMBER),
    "a NUL": ({"ani": "+4420\x0079460958"}, "ani", None),
    "a NUL alone": ({"ani": "\x00"}, "ani", None),
    "SQL": ({"ani": "'; DROP TABLE desk.ledger; --"}, "ani", None),
    "a number with SQL behind it": ({"ani": "+442079460958' OR '1'='1"}, "ani", None),
    "a path": ({"ani": "../../etc/passwd"}, "ani", None),
    "a template": ({"ani": "{{7*7}}${7*7}"}, "ani", None),
    "line feeds": ({"ani": "+442079460958\r\nSet-Cookie: a=b"}, "ani", None),
    "a sip address": ({"ani": "sip:+442079460958@evil.example;user=phone"}, "ani", NUMBER),
    "two numbers": ({"ani": "+442079460958,+447700900123"}, "ani", None),
    "an emergency number": ({"ani": "999"}, "ani", None),
    "minus": ({"ani": "-442079460958"}, "ani", NUMBER),
    "the name of no parameter": ({"__proto__": "x", "next": "javascript:alert(1)", "token": "y"}, None, None),
    "blanks alone": ({"ani": " \t "}, None, None),
    "another customer's account": ({"account": "BOB2"}, "account", None),
}
TYPED: dict[str, tuple[str, list[str]]] = {
    "their name": ("ada byron", [ADA]),
    "SQL that is true": ("' OR '1'='1", []),
    "SQL that ends the statement": ("x'); DELETE FROM desk.directory; --", []),
    "a wildcard": ("%", []),
    "wildcards": ("%%%%", []),
    "an underscore for each letter": ("____", []),
    "a wildcard within an account": ("A%1", []),
    "a backslash at the end": ("ADA1\\", []),
    "operators of full-text search": ("ada & !byron | (", [ADA]),
    "a prefix operator": ("ada:*", [ADA]),
    "a regular expression": (".*", []),
    "one that never ends": ("(a+)+$" * 10, [ADA]),  # a, as letters
    "zero-width blanks": ("\u200b\u200b\u200b", []),
    "a name with zero-width blanks in it": ("a\u200bda", []),
    "right-to-left marks": ("\u202eada byron", [ADA]),
    "a NUL": ("ada\x00", []),
    "half of a surrogate pair": ("ada\ud800", []),
    "a megabyte": ("ada " * 250_000, [ADA]),
    "a megabyte of one letter": ("a" * 1_000_000, []),
    "emoji": ("🙂🙂🙂", []),
    "a formula": ("=HYPERLINK(1)", []),
    "a script": ("<script>ada</script>", []),
    "digits that end no number": ("00000000000000000000", []),
}


@pytest.fixture(scope="module")
def line(template: Settings) -> Iterator[tuple[db.Database, psycopg.Connection, Session]]:
    """A desk of two customers and an agent."""
    made = clone(template)
    settings = next(made)
    pool = db.open_database(settings, size=2)
    with psycopg.connect(db.admin_conninfo(settings), autocommit=True) as owner:
        world = build(pool, owner)
        put_customer(owner, ADA, name="Ada Byron", phone=NUMBER, email="ada@example.org")
        put_customer(owner, "BOB2", name="Bob Stone", phone="+447700900123")
        owner.execute("UPDATE desk.lookup_limits SET per_minute = 1000, per_hour = 1000")
        with db.connect(settings, "batch") as batch:
            batch.execute(query("scores", "sync_directory"))
        yield pool, owner, world["ann"]
    pool.close()
    made.close()


@pytest.mark.parametrize(("parameters", "by", "number"), URLS.values(), ids=URLS.keys())
def test_a_url_only_searches(parameters: dict[str, str], by: str | None, number: str | None) -> None:
    asked = read_query(parameters)
    assert (asked.by if asked else None) == by
    assert asked is None or len(asked.key) <= 128
    if asked is not None and asked.by == "ani":
        assert read_number(asked.key, "GB").e164 == number


def test_of_a_repeated_parameter_one_is_asked_for() -> None:
    assert read_query({"ani": NUMBER, "ANI": "+447700900123"}) in {Asked("ani", NUMBER), Asked("ani", "+447700900123")}


@pytest.mark.parametrize(("typed", "found"), TYPED.values(), ids=TYPED.keys())
def test_a_search_finds_by_what_a_name_begins_with_and_by_nothing_else(
    line: tuple[db.Database, psycopg.Connection, Session], typed: str, found: list[str]
) -> None:
    pool, owner, ann = line
    began = time.monotonic()
    with pool.transaction(ann) as connection:
        matches = store.search(connection, typed)
    assert time.monotonic() - began < 20  # what is typed must not hang it
    assert [match.customer_id for match in matches] == found
    assert owner.execute("SELECT count(*) FROM desk.directory").fetchone() == (2,)


def test_finding_somebody_shows_no_more_than_it_takes_to_choose(
    line: tuple[db.Database, psycopg.Connection, Session],
) -> None:
    pool, _, ann = line
    with pool.transaction(ann) as connection:
        (match,) = store.search(connection, "bob")
        assert match.phone == "•••123"
        assert connection.execute("SELECT count(*) FROM caller.customers").fetchone() == (0,)
        with pytest.raises(NotOnYourLine):
            store.reveal(connection, "BOB2", "phone", "to ring back")


def test_a_thousand_look_ups_by_one_agent_end_at_the_limit(
    line: tuple[db.Database, psycopg.Connection, Session],
) -> None:
    pool, owner, _ = line
    abe = ledger.open_session(pool, "abe")
    owner.execute("UPDATE desk.lookup_limits SET per_minute = 5 WHERE act IN ('searched', 'revealed')")
    try:
        for _ in range(5):
            with pool.transaction(abe) as connection:
                store.search(connection, "ada")
        with pytest.raises(TooManyLookups, match="wait a little"), pool.transaction(abe) as connection:
            store.search(connection, "ada")
        with pool.transaction(abe) as connection:
            store.open_case(connection, ADA, "search")
        for _ in range(5):
            with pool.transaction(abe) as connection:
                assert store.reveal(connection, ADA, "email", "to write to her") == "ada@example.org"
        with pytest.raises(TooManyLookups), pool.transaction(abe) as connection:
            store.reveal(connection, ADA, "email", "to write to her")
        with pytest.raises(ReasonMissing), pool.transaction(abe) as connection:
            store.reveal(connection, ADA, "email", " ")
        acts = owner.execute(
            "SELECT act, count(*) FROM desk.audit WHERE staff_id = 'abe' GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert [one for one in acts if one[0] in {"searched", "revealed", "saw"}] == [
            ("revealed", 5), ("saw", 1), ("searched", 5),
        ]  # fmt: skip
    finally:
        owner.execute("UPDATE desk.lookup_limits SET per_minute = 1000")
