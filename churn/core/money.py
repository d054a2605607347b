"""Money at the edge: whole minor units (pence, cents, fils) of a named currency, as the database's bigint holds them.

Inside a calculation amounts are floats in major units; they become money once, here. Halves go to the even unit
(ROUND_HALF_EVEN), so that a sum of many rounded amounts leans neither way. One writing is read and shown: a point
before decimals, commas between thousands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Any

import numpy as np

from churn.core.language import Language, current

ROUNDING = ROUND_HALF_EVEN
LARGEST = 2**63 - 1  # a bigint
# ISO 4217 minor units where they are not 2.
WHOLE = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF")
THOUSANDTHS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
EXPONENTS = dict.fromkeys(WHOLE, 0) | dict.fromkeys(THOUSANDTHS, 3)
SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥"}
_AMOUNT = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?", re.ASCII)


def exponent(currency: str) -> int:
    """Decimals of a currency: GBP 2, JPY 0, KWD 3. Raises ValueError when it is not three capital letters."""
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise ValueError(f"“{currency}” is not a currency code such as GBP.")
    return EXPONENTS.get(currency, 2)


def to_minor(amount: float | Decimal | int, currency: str) -> int:
    """Minor units of an amount in major units, rounded half to even: £1.125 → 112.

    A float counts as the decimal it prints as. Raises ValueError when it is not finite or too large for a bigint.
    """
    value = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    if not value.is_finite() or abs(value) > LARGEST:
        raise ValueError(f"{amount} is not an amount of money.")
    minor = int(value.scaleb(exponent(currency)).quantize(Decimal(1), rounding=ROUNDING))
    return _bigint(minor)


def to_minor_each(amounts: Iterable[float], currency: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(n,) minor units of (n,) amounts, each as `to_minor`."""
    return np.array([to_minor(float(amount), currency) for amount in amounts], dtype=np.int64)


def to_major(minor: int, currency: str) -> Decimal:
    """The exact amount in major units."""
    return Decimal(minor).scaleb(-exponent(currency))


def parse(text: str, currency: str) -> int:
    """Minor units of a written amount, in the language spoken here: `1140`, `£1,140.50`, `-5`, `GBP 20`. Never rounds.

    Raises ValueError, with a sentence, on anything else: another language's decimals, groups that are not of three
    digits, another currency, or more decimals than the currency has.
    """
    digits, language = exponent(currency), current()
    rest = language.read(text.strip().replace("−", "-"))
    sign = -1 if rest.startswith("-") else 1
    rest = rest[1:].lstrip() if sign < 0 else rest
    for mark in (currency, SYMBOLS.get(currency)):
        if mark and rest.startswith(mark):
            rest = rest[len(mark) :].lstrip()
            break
        if mark and language.is_mark_after and rest.endswith(mark):
            rest = rest[: -len(mark)].rstrip()
            break
    found = _AMOUNT.fullmatch(rest)
    if not found:
        raise ValueError(f"“{text}” is not an amount of {currency} written like {show(1140 * 10**digits, currency)}.")
    whole, decimals = found.group(1).replace(",", ""), found.group(2) or ""
    if len(decimals) > digits:
        raise ValueError(f"“{text}” has {len(decimals)} decimals; {currency} has {digits}.")
    return _bigint(sign * int(whole + decimals.ljust(digits, "0")))


def show(minor: int, currency: str) -> str:
    """The amount as shown: `£1,140`, `£1,140.50`, `−£5`, `¥900`, `KWD 1.250`; decimals only where not zero.

    Where the language spoken here puts the mark last: `1.140,50 £`.
    """
    return _written(int(minor), currency, current())


@lru_cache(maxsize=4096)  # the same few amounts in every sentence
def _written(minor: int, currency: str, language: Language) -> str:
    digits = exponent(currency)
    whole, part = divmod(abs(minor), 10**digits)
    mark, sign = SYMBOLS.get(currency, currency), "−" if minor < 0 else ""
    amount = language.write(f"{whole:,}.{part:0{digits}d}" if part else f"{whole:,}")
    if language.is_mark_after:
        return f"{sign}{amount}\u00a0{mark}"
    return f"{sign}{mark}{' ' if mark == currency else ''}{amount}"


def _bigint(minor: int) -> int:
    if abs(minor) > LARGEST:
        raise ValueError("The amount is too large to be kept.")
    return minor
