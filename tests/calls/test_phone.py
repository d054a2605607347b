"""Numbers as they arrive: one number in every writing, and nothing dialable is nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.calls.phone import Number, pretty, read_number

ADA = "+447700900123"


@pytest.mark.parametrize(
    "text",
    [
        ADA, "+44 7700 900123", "+44 (0)7700 900123", "(+44) 7700-900.123", "07700 900123", "07700-900-123",
        "00447700900123",
        "00 44 7700 900123", " 447700900123", " 44 7700 900123", " 07700900123", "447700900123", "07700 900123 ext 5",
        "tel:+44-7700-900123", "tel:+447700900123;ext=5", "TEL:07700900123", "tel: 447700900123", " tel:+447700900123",
        "sip:+447700900123@10.0.0.1:5060;user=phone", "sips:07700900123@pbx.example", "whatsapp:+447700900123",
        '"Ada" <sip:+447700900123@pbx.example>', "\u202a+447700900123\u202c", "٠٧٧٠٠٩٠٠١٢٣", "０７７００９００１２３",
    ],
)  # fmt: skip
def test_one_british_number_in_every_writing(text: str) -> None:
    assert read_number(text, "GB") == Number(ADA)


@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [
        ("00447700900123", "US", ADA),  # 00 dials out in Europe only
        ("011447700900123", "US", ADA),
        (" 447700900123", "US", ADA),
        ("(212) 555-0123", "US", "+12125550123"),
        (" 4930123456", "US", "+4930123456"),  # ten digits, but a plus was there
        (" 2125550123", "US", "+12125550123"),  # a stray blank, no lost plus
        ("06 1234567", "IT", "+39061234567"),  # Italy keeps its zero
        ("03-1234-5678", "JP", "+81312345678"),
        ("+447700900123", "nowhere", ADA),
        ("07700900123", "nowhere", None),
    ],
)
def test_a_national_number_is_of_the_companys_region(text: str, region: str, e164: str | None) -> None:
    assert read_number(text, region).e164 == e164


@pytest.mark.parametrize(
    "text",
    [
        "anonymous", "Anonymous", "RESTRICTED", "private", "Unavailable", "unknown", " anonymous",
        "sip:anonymous@anonymous.invalid",
        "Private Number", "No Caller ID", "unknown caller", "+266696687", " 266696687", "+7378742833",
    ],
)  # fmt: skip
def test_a_withheld_number_is_said_to_be_withheld(text: str) -> None:
    assert read_number(text, "US") == Number(None, is_withheld=True)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "+", "00", "0000", "4567", "0123", "900123", "\0", "\0+", "9" * 10_000, "+" * 10_000, "A1",
        "<script>alert(1)</script>", "'; DROP TABLE x; --", "tel:", "sip:@", "Ada Byron", "\ud800",
    ],
)  # fmt: skip
def test_what_cannot_be_dialled_is_no_number(text: str) -> None:
    assert read_number(text, "GB") == Number(None)


@given(st.text(), st.sampled_from(["GB", "US", "IT", "", "??"]))
def test_no_text_makes_it_fail(text: str, region: str) -> None:
    found = read_number(text, region).e164
    assert found is None or found[1:].isdigit()


@pytest.mark.parametrize(
    ("number", "region", "shown"),
    [
        (ADA, "GB", "07700 900123"),
        (ADA, "US", "+44 7700 900123"),
        ("+12125550123", "US", "(212) 555-0123"),
        ("extension 12", "GB", "extension 12"),
        ("", "GB", ""),
    ],
)
def test_a_number_is_shown_as_people_of_the_region_write_it(number: str, region: str, shown: str) -> None:
    assert pretty(number, region) == shown
