"""Telephone numbers as telephone systems send them, people type them and views hold them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import phonenumbers

# What carriers and telephone systems send for a caller who withholds the number.
WITHHELD = frozenset(
    {"anonymous", "restricted", "private", "withheld", "unavailable", "unknown", "blocked", "asserted"}
)
WITHHELD_PHRASES = re.compile(
    r"(private|unknown|withheld|anonymous|unavailable) (number|caller)|no caller ?id", re.IGNORECASE
)
# The same words on a keypad, as Twilio sends them with a + in front.
WITHHELD_DIGITS = frozenset({"266696687", "7378742833", "2562533", "8656696", "86282452253"})
SCHEME = re.compile(r"^\s*(tel|sip|sips|whatsapp|callto):", re.IGNORECASE)
LONGEST = 64  # a number with every decoration is shorter; more is not a number


@dataclass(frozen=True, slots=True)
class Number:
    """A number as understood: `e164` when it is one, `is_withheld` when the caller hid it."""

    e164: str | None
    is_withheld: bool = False


def read_number(text: str, region: str) -> Number:
    """The number in `text`: E.164, with 00 in front, national of `region`, or as a tel: or sip: address.

    An unescaped `+` of a URL arrives as a blank and is put back. Nothing dialable gives no number, never an error.
    """
    rest = SCHEME.sub("", text[:LONGEST])
    bare = rest.split("@")[0].split(";")[0].strip()
    lost_plus = rest.startswith(" ") and not bare.startswith("+")
    is_keypad_word = (lost_plus or bare.startswith("+")) and bare.lstrip("+") in WITHHELD_DIGITS
    if bare.lower() in WITHHELD or is_keypad_word or WITHHELD_PHRASES.fullmatch(bare):
        return Number(None, is_withheld=True)
    attempts = [bare]
    if bare.startswith("00"):
        attempts.append("+" + bare.lstrip("0"))
    elif lost_plus:
        attempts.insert(0, "+" + bare)
    return Number(next((found for attempt in attempts if (found := _parse(attempt, region))), None))


def _parse(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    # Possible, and not only within a town: an extension or four last digits are no number.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def pretty(e164: str, region: str) -> str:
    """The number as people of `region` write it; unchanged when it is none."""
    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return e164
    is_home = number.country_code == phonenumbers.country_code_for_region(region)
    style = phonenumbers.PhoneNumberFormat.NATIONAL if is_home else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(number, style)
