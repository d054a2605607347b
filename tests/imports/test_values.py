"""One hostile value at a time: it is stored exactly as said here, or its row is set aside for the reason said here."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from churn.imports.attributes import attribute_texts, detect_types
from churn.imports.mapping import Attributes
from churn.imports.reading import Chunk
from tests.imports.small import CONTACTS, GOOD_CONTACT, GOOD_SUBSCRIBER, SUBSCRIBERS, Small, csv_row

STORED: list[tuple[str, str, str, Any]] = [
    ("Id", "00123", "customer_id", "00123"),
    ("Id", "9007199254740993", "customer_id", "9007199254740993"),
    ("Id", " 77 ", "customer_id", "77"),
    ("Id", "4587.0", "customer_id", "4587.0"),
    ("Id", "a\\b", "customer_id", "a\\b"),
    ("Name", "NA", "name", "NA"),
    ("Name", "Null", "name", "Null"),
    ("Name", "Bo\x07b", "name", "Bob"),
    ("Name", "two\nlines", "name", "two lines"),
    ("Name", "<script>alert(1)</script>", "name", "<script>alert(1)</script>"),
    ("Name", "'); DROP TABLE feed.customers; --", "name", "'); DROP TABLE feed.customers; --"),
    ("Name", "=HYPERLINK(1)", "name", "=HYPERLINK(1)"),
    ("Name", "\\N", "name", "\\N"),
    ("Name", "\\.", "name", "\\."),
    ("Name", "tab\there", "name", "tab here"),
    ("Name", 'Ann "Nan" O’Neill 😀', "name", 'Ann "Nan" O’Neill 😀'),
    ("Name", "Ada 4111 1111 1111 1111", "name", "Ada [card number removed]"),
    ("Phone", "020 7946 0958", "phone", "+442079460958"),
    ("Phone", "+1 212-423-7734", "phone", "+12124237734"),
    ("Phone", "N/A", "phone", None),
    ("Phone", "", "phone", None),
    ("Joined", "03/04/2024", "joined_on", date(2024, 4, 3)),
    ("Joined", "13/04/2024", "joined_on", date(2024, 4, 13)),
    ("Joined", "29/02/2024", "joined_on", date(2024, 2, 29)),
    ("Joined", "1/2/2024", "joined_on", date(2024, 2, 1)),
    ("Price", "1,234.50", "monthly_price", Decimal("1234.50")),
    ("Price", "12.340", "monthly_price", Decimal("12.34")),
    ("Price", ".5", "monthly_price", Decimal("0.50")),
    ("Price", "0", "monthly_price", Decimal("0.00")),
    ("Price", "999999999999.99", "monthly_price", Decimal("999999999999.99")),
]
ATTRIBUTES = [
    ('q"\\/\t', {"Tier": 'q"\\/'}),
    ("NULL\\u0000", {"Tier": "NULL\\u0000"}),
    ("00123", {"Tier": "00123"}),
    ("9007199254740993", {"Tier": "9007199254740993"}),
    ("1,234.5", {"Tier": 1234.5}),
    ("-.5", {"Tier": -0.5}),
    ("Yes", {"Tier": True}),
    ("N/A", {}),
    ("", {}),
]
SET_ASIDE: list[tuple[str, str, str]] = [
    ("Id", "", "customer_id: Empty, but needed."),
    ("Id", "NULL", "customer_id: Empty, but needed."),
    ("Id", "1.23E+15", "customer_id: A spreadsheet has rounded this id"),
    ("Id", "a\x01b", "customer_id: An id with a control character"),
    ("Id", "x" * 300, "customer_id: An id of more than 200 characters"),
    ("Name", "  ", "name: Empty, but needed."),
    ("Name", "\x07", "name: Empty, but needed."),
    ("Name", "x" * 1001, "name: A text of more than 1,000 characters"),
    ("Name", "a\0b", "The value has a NUL character"),
    ("Phone", "12", "phone: No telephone number"),
    ("Phone", "call me", "phone: No telephone number"),
    ("Joined", "2026-13-01", "joined_on: Not in the declared style %d/%m/%Y"),
    ("Joined", "04/13/2024", "joined_on: Not in the declared style"),
    ("Joined", "29/02/2023", "joined_on: Not in the declared style"),
    ("Joined", "31/04/2023", "joined_on: Not in the declared style"),
    ("Joined", "5/3/21", "joined_on: Not in the declared style"),
    ("Joined", "01/01/1900", "joined_on: Before 1901"),
    ("Joined", "01/01/2035", "joined_on: In the future"),
    ("Joined", "", "joined_on: Empty, but needed."),
    ("Price", "1.234,50", "monthly_price: Not an amount written like 1,234.50."),
    ("Price", "1e3", "monthly_price: Not an amount"),
    ("Price", "1,23.00", "monthly_price: Not an amount"),
    ("Price", "£12", "monthly_price: Not an amount"),
    ("Price", "٣", "monthly_price: Not an amount"),
    ("Price", "Infinity", "monthly_price: Not an amount"),
    ("Price", "-5", "monthly_price: An amount below zero"),
    ("Price", "12.345", "monthly_price: More decimals than GBP has"),
    ("Price", "1000000000000", "monthly_price: An amount of a trillion"),
    ("Price", "NaN", "monthly_price: Empty, but needed."),
]


def test_values_are_stored_exactly(small: Small) -> None:
    rows = [
        csv_row(GOOD_SUBSCRIBER | {"Id": f"s{n}"} | {column: value}) for n, (column, value, *_) in enumerate(STORED)
    ]
    small.put("subscribers.csv", f"{SUBSCRIBERS}\n{''.join(rows)}")
    (report,) = small.take_in()
    assert (report.rows_accepted, small.set_aside()) == (len(STORED), [])
    for n, (column, value, ours, expected) in enumerate(STORED):
        customer = expected if column == "Id" else f"s{n}"
        found = small.conn.execute(
            f"SELECT {ours} FROM feed.customers JOIN feed.subscriptions USING (customer_id) WHERE customer_id = %s",  # noqa: S608
            [customer],
        ).fetchall()
        assert found == [(expected,)], (column, value)


@pytest.mark.parametrize(("text", "expected"), ATTRIBUTES)
def test_an_attribute_has_its_type(text: str, expected: dict[str, Any]) -> None:
    chunk = Chunk(np.array([2]), {"Tier": pa.array([text])})
    types = detect_types([chunk], ["Tier"], Attributes(), "1,234.50")
    texts, _ = attribute_texts(chunk, types, Attributes(), "1,234.50")
    assert [json.loads(one) for one in texts.to_pylist()] == [expected]


def test_each_bad_value_sets_its_row_aside_and_no_other(small: Small) -> None:
    bad = [
        csv_row(GOOD_SUBSCRIBER | {"Id": f"b{n}"} | {column: value}) for n, (column, value, _) in enumerate(SET_ASIDE)
    ]
    small.put("subscribers.csv", f"{SUBSCRIBERS}\n{csv_row(GOOD_SUBSCRIBER)}{''.join(bad)}")
    (report,) = small.take_in()
    assert (report.rows_accepted, report.rows_set_aside) == (1, len(SET_ASIDE))
    assert small.rows(
        "SELECT c.customer_id, subscription_id FROM feed.customers c JOIN feed.subscriptions USING (customer_id)"
    ) == [("1", "S-1")]
    for (line, column, reason), (n, (theirs, _, expected)) in zip(small.set_aside(), enumerate(SET_ASIDE), strict=True):
        assert (line, column) == (n + 3, theirs)
        assert expected in reason


def test_what_is_set_aside_shows_the_row_as_it_was_read(small: Small) -> None:
    small.put("subscribers.csv", f'{SUBSCRIBERS}\n1,"Card 4111-1111-1111-1111",,05/03/2021,-5,gold\n')
    small.take_in()
    ((line, column, value, row),) = small.rows("SELECT line, column_name, value, row FROM feed.set_aside")
    assert (line, column, value) == (2, "Price", "-5")
    assert row == {
        "Id": "1",
        "Name": "Card [card number removed]",
        "Phone": "",
        "Joined": "05/03/2021",
        "Price": "-5",
        "Tier": "gold",
    }


@pytest.mark.parametrize(
    ("decimal", "text", "expected"),
    [
        ("1.234,50", "1.234,50", Decimal("1234.50")),
        ("1.234,50", "12,5", Decimal("12.50")),
        ("1 234,50", "1\u00a0234,50", Decimal("1234.50")),
        ("1'234.50", "1'234.50", Decimal("1234.50")),
        ("1.234,50", "1,234.50", None),
        ("1234.50", "1,234.50", None),
    ],
)
def test_amounts_are_read_in_the_declared_style_only(
    small: Small, decimal: str, text: str, expected: Decimal | None
) -> None:
    small.decimal = decimal
    small.put("subscribers.csv", f"{SUBSCRIBERS}\n{csv_row(GOOD_SUBSCRIBER | {'Price': text})}")
    small.take_in()
    assert small.rows("SELECT monthly_price FROM feed.subscriptions") == ([(expected,)] if expected else [])


def test_a_yen_has_no_cents(small: Small) -> None:
    small.currency = "JPY"
    rows = csv_row(GOOD_SUBSCRIBER | {"Price": "1200"}) + csv_row(GOOD_SUBSCRIBER | {"Id": "2", "Price": "1200.5"})
    small.put("subscribers.csv", f"{SUBSCRIBERS}\n{rows}")
    small.take_in()
    assert small.rows("SELECT monthly_price FROM feed.subscriptions") == [(Decimal(1200),)]
    assert small.set_aside() == [(3, "Price", "monthly_price: More decimals than JPY has.")]


CONTACT_STORED: list[tuple[str, str, str, Any]] = [
    ("At", "05/03/2024 9:05", "started_at", datetime(2024, 3, 5, 9, 5, tzinfo=UTC)),
    ("At", "05/03/2024 10:20", "started_at", datetime(2024, 3, 5, 10, 20, tzinfo=UTC)),
    ("Until", "", "ended_at", None),
    ("Score", "4.0", "csat", 4),
    ("Score", "N/A", "csat", None),
    ("Account", "999", "customer_id", None),
    ("Account", "", "customer_id", None),
    ("Note", "line one\r\n\\.\nline\tthree", "notes", "line one\n\\.\nline\tthree"),
    ("Note", "N/A", "notes", "N/A"),
    ("Note", "exp 12/27 5500-0055 5555 5559.", "notes", "exp 12/27 [card number removed]."),
    ("Note", "order 4111111111111112", "notes", "order 4111111111111112"),
    ("Note", "![](http://x/y.png) [a](javascript:b)", "notes", "![](http://x/y.png) [a](javascript:b)"),
    ("Note", "\u202eevil\u202c", "notes", "\u202eevil\u202c"),
]
CONTACT_SET_ASIDE = [
    ("Score", "6", "csat: Not a whole number from 1 to 5"),
    ("Score", "4.5", "csat: Not a whole number"),
    ("Until", "05/03/2024 09:59", "ended_at: Before started_at."),
    ("At", "31/03/2024 01:30", "started_at: The clocks of Europe/London were put forward"),
    ("At", "05/03/2024 24:00", "started_at: Not in the declared style"),
    ("At", "05/03/2024", "started_at: Not in the declared style"),
    ("No", "", "contact_id: Empty, but needed."),
]


def test_contacts_are_stored_exactly(small: Small) -> None:
    small.with_contacts = True
    small.put("subscribers.csv", f"{SUBSCRIBERS}\n{csv_row(GOOD_SUBSCRIBER)}")
    rows = [
        csv_row(GOOD_CONTACT | {"No": f"k{n}"} | {column: value})
        for n, (column, value, *_) in enumerate(CONTACT_STORED)
    ]
    small.put("contacts.csv", f"{CONTACTS}\n{''.join(rows)}")
    _, report = small.take_in()
    assert (report.rows_accepted, report.rows_unmatched, small.set_aside()) == (len(CONTACT_STORED), 2, [])
    for n, (column, value, ours, expected) in enumerate(CONTACT_STORED):
        found = small.rows(f"SELECT {ours} FROM feed.contacts WHERE contact_id = 'k{n}'")  # noqa: S608
        assert found == [(expected,)], (column, value)


def test_each_bad_contact_is_set_aside(small: Small) -> None:
    small.with_contacts = True
    small.put("subscribers.csv", f"{SUBSCRIBERS}\n{csv_row(GOOD_SUBSCRIBER)}")
    bad = [
        csv_row(GOOD_CONTACT | {"No": f"b{n}"} | {column: value})
        for n, (column, value, _) in enumerate(CONTACT_SET_ASIDE)
    ]
    small.put("contacts.csv", f"{CONTACTS}\n{''.join(bad)}")
    small.take_in()
    assert small.rows("SELECT * FROM feed.contacts") == []
    for (_, column, reason), (theirs, _, expected) in zip(small.set_aside(), CONTACT_SET_ASIDE, strict=True):
        assert column == theirs
        assert expected in reason


def test_an_hour_the_clock_showed_twice_is_its_first_showing(small: Small) -> None:
    small.with_contacts = True
    small.put("subscribers.csv", f"{SUBSCRIBERS}\n{csv_row(GOOD_SUBSCRIBER)}")
    twice = GOOD_CONTACT | {"At": "27/10/2024 01:30", "Until": ""}
    small.put("contacts.csv", f"{CONTACTS}\n{csv_row(twice)}")
    small.take_in()
    assert small.rows("SELECT started_at FROM feed.contacts") == [(datetime(2024, 10, 27, 0, 30, tzinfo=UTC),)]


def test_ten_megabytes_of_notes_are_shortened_and_say_so(small: Small) -> None:
    small.with_contacts = True
    small.put("subscribers.csv", f"{SUBSCRIBERS}\n{csv_row(GOOD_SUBSCRIBER)}")
    small.put("contacts.csv", f"{CONTACTS}\n{csv_row(GOOD_CONTACT | {'Note': 'x' * 10_000_000})}")
    small.take_in()
    ((note,),) = small.rows("SELECT notes FROM feed.contacts")
    assert note == "x" * 20_000 + "… [shortened on import, 10,000,000 characters in all]"
