"""Card numbers are taken out of text, whatever stands between their digits, and nothing else is."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.masking import REMOVED, is_luhn_valid, without_cards
from churn.imports.cards import redact_cards

CARD = "4111111111111111"
CASES = {
    "sixteen in one piece": (CARD, REMOVED),
    "in fours": ("4111 1111 1111 1111", REMOVED),
    "with dashes": ("4111-1111-1111-1111, thanks", f"{REMOVED}, thanks"),
    "with en dashes": ("4111–1111–1111–1111", REMOVED),
    "with no-break blanks": ("4111\u00a01111\u00a01111\u00a01111", REMOVED),
    "digit by digit": (" ".join(CARD), REMOVED),
    "zero-width blanks between": ("\u200b".join(CARD), REMOVED),
    "zero-width blanks and blanks between": ("4111\u200b \u200b1111\u200b 1111\ufeff 1111", REMOVED),
    "soft hyphens between": ("4111\u00ad1111\u00ad1111\u00ad1111", REMOVED),
    "full-width digits": ("４１１１１１１１１１１１１１１１", REMOVED),
    "arabic digits": ("٤١١١ ١١١١ ١١١١ ١١١١", REMOVED),
    "devanagari digits": ("४१११११११११११११११", REMOVED),
    "scripts mixed": ("4111 １１１１ 1111 ١١١١", REMOVED),
    "fifteen": ("378282246310005", REMOVED),
    "thirteen": ("4222222222222", REMOVED),
    "nineteen": ("6304000000000000000", REMOVED),
    "behind another number": ("12 4111 1111 1111 1111", f"12 {REMOVED}"),
    "two": (f"{CARD} 5500005555555559", f"{REMOVED} {REMOVED}"),
    "among words": (f"card{CARD}x", f"card{REMOVED}x"),
    "a wrong check digit": ("4111111111111112", "4111111111111112"),
    "an order number": ("order 1234567890123", "order 1234567890123"),
    "a telephone number": ("call 020 7946 0958", "call 020 7946 0958"),
    "twenty-six digits": ("41111111111111110000000000", "41111111111111110000000000"),
    "three blanks between": ("4111   1111   1111   1111", "4111   1111   1111   1111"),
    "a line between": ("4111 1111\n1111 1111", "4111 1111\n1111 1111"),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_card_numbers_are_taken_out_and_nothing_else(text: str, expected: str) -> None:
    assert without_cards(text) == expected
    assert redact_cards(pa.array(["", text, None])).to_pylist() == ["", expected, None]


@pytest.mark.parametrize(("digits", "is_valid"), [("79927398713", True), ("79927398710", False), ("٧٩٩٢٧٣٩٨٧١٣", True)])
def test_the_check_digit_is_the_standards(digits: str, is_valid: bool) -> None:
    assert is_luhn_valid(digits) is is_valid


@given(st.text(alphabet="0123456789 -\u200b٣４x", max_size=60))
def test_the_quick_filter_of_whole_columns_misses_nothing(text: str) -> None:
    assert redact_cards(pa.array([text])).to_pylist() == [without_cards(text)]


def test_a_long_row_of_single_digits_takes_no_time() -> None:
    began = time.process_time()
    without_cards("1 " * 100_000)
    without_cards("7" * 1_000_000)
    assert time.process_time() - began < 5
