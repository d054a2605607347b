"""Telephone numbers as telephone systems send them, people type them and views hold them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import phonenumbers

# What carriers and telephone systems send for a caller who withholds the number.
WITHHELD = frozenset(
    {"anonymous", "restricted", "private", "withheld", "unavailable", "unknown", "blocked", "asserted"}
)
SCHEME = re.compile(r"^(tel|sip|sips|whatsapp|callto):", re.IGNORECASE)
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
    text = text[:LONGEST]
    had_plus = text.startswith(" ") or text.lstrip().startswith("+")
    bare = SCHEME.sub("", text.strip()).split("@")[0].split(";")[0].strip()
    if bare.lower() in WITHHELD:
        return Number(None, is_withheld=True)
    if had_plus and not bare.startswith("+"):
        bare = "+" + bare
    for attempt in (bare, "+" + bare.lstrip("0+")) if bare.startswith("00") else (bare,):
        number = _parse(attempt, region)
        if number is not None:
            return Number(number)
    return Number(None)


def _parse(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def pretty(e164: str, region: str) -> str:
    """The number as people of `region` write it; unchanged when it is none."""
    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return e164
    is_home = phonenumbers.region_code_for_number(number) == region
    style = phonenumbers.PhoneNumberFormat.NATIONAL if is_home else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(number, style)
