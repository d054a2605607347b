"""Minor units: one rounding, strict reading, one way of showing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.money import LARGEST, exponent, parse, show, to_major, to_minor, to_minor_each

currencies = st.sampled_from(["GBP", "USD", "JPY", "KWD", "SEK"])
minors = st.integers(-LARGEST, LARGEST)


@pytest.mark.parametrize(("currency", "digits"), [("GBP", 2), ("JPY", 0), ("KWD", 3)])
def test_each_currency_has_its_own_decimals(currency, digits):
    assert exponent(currency) == digits


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        (1.125, "GBP", 112),  # halves go to the even penny
        (1.135, "GBP", 114),
        (2.675, "GBP", 268),  # the decimal that is printed, not the float below it
        (-0.005, "GBP", 0),
        (1140, "JPY", 1140),
        (0.5, "JPY", 0),
        (1.2345, "KWD", 1234),
        (Decimal("0.015"), "EUR", 2),
    ],
)
def test_amounts_round_half_to_even(amount, currency, minor):
    assert to_minor(amount, currency) == minor


def test_many_amounts_round_like_one():
    assert to_minor_each([1.125, 1.135, -3.0], "GBP").tolist() == [112, 114, -300]


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), 1e30, 1e17])
def test_what_no_bigint_can_hold_is_refused(amount):
    with pytest.raises(ValueError, match=r"not an amount of money|too large"):
        to_minor(amount, "GBP")


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (114000, "GBP", "£1,140"),
        (114050, "GBP", "£1,140.50"),
        (-500, "GBP", "−£5"),
        (5, "USD", "$0.05"),
        (900, "JPY", "¥900"),
        (1250, "KWD", "KWD 1.250"),
        (0, "EUR", "€0"),
    ],
)
def test_amounts_are_shown_as_at_the_desk(minor, currency, text):
    assert show(minor, currency) == text


@given(minors, currencies)
def test_what_is_shown_reads_back_the_same(minor, currency):
    assert parse(show(minor, currency), currency) == minor


@given(minors, currencies)
def test_major_units_and_back_lose_nothing(minor, currency):
    assert to_minor(to_major(minor, currency), currency) == minor


@pytest.mark.parametrize(("text", "minor"), [("1140", 114000), (" £1,140.5 ", 114050), ("-5", -500), ("GBP 20", 2000)])
def test_plain_writings_are_read(text, minor):
    assert parse(text, "GBP") == minor


@pytest.mark.parametrize(
    "text", ["", "1.140,50", "1,14", "12,34,567", "1e3", "£", "$5", "1.", ".5", "five", "--5", "5 €", "١٢", "1 140"]
)
def test_other_writings_are_refused(text):
    with pytest.raises(ValueError, match="is not an amount of GBP written like £1,140"):
        parse(text, "GBP")


def test_more_decimals_than_the_currency_has_are_refused():
    with pytest.raises(ValueError, match="has 2 decimals; JPY has 0"):
        parse("5.00", "JPY")


@pytest.mark.parametrize("code", ["gbp", "£", "POUND", ""])
def test_a_currency_is_three_capital_letters(code):
    with pytest.raises(ValueError, match="not a currency code"):
        exponent(code)
