"""One row of billing's file as a booking of ours, by a mapping; or the reason it is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from churn.core.language import ENGLISH, speaking
from churn.core.money import exponent, parse

NEEDED = ("applied_on", "account", "amount")
COLUMNS = (*NEEDED, "entry", "reference", "currency", "key")
ISO_DAY = "%Y-%m-%d"
LONGEST = 200  # characters of an account, reference or number
LARGEST_ENTRY = 2**63 - 1
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 1, 1)


@dataclass(frozen=True, slots=True)
class BillingMapping:
    """How billing's columns are called and their values written. `currency`: of all rows, where no column says it."""

    columns: Mapping[str, str]
    date_style: str = ISO_DAY
    decimal: str = "."
    currency: str | None = None
    delimiter: str = ","
    encoding: str = "utf-8"

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> BillingMapping:
        """From a parsed TOML document. Raises ValueError with everything that is wrong."""
        file, columns, values = (dict(document.get(name, {})) for name in ("file", "columns", "values"))
        problems = [f"[{name}] is not known" for name in document if name not in ("file", "columns", "values")]
        problems += [f"column {name} is not known" for name in columns if name not in COLUMNS]
        problems += [f"[columns] lacks {name}" for name in NEEDED if name not in columns]
        if "entry" not in columns and "reference" not in columns:
            problems.append("[columns] lacks entry or reference")
        if ("currency" in columns) == ("currency" in values):
            problems.append("currency is a column or a value, one of both")
        problems += [f"file.{name} is not known" for name in file if name not in ("delimiter", "encoding")]
        problems += [f"values.{name} is not known" for name in values if name not in ("date", "decimal", "currency")]
        texts = [*file.values(), *columns.values(), *values.values()]
        if not all(isinstance(text, str) and text for text in texts):
            problems.append("every value is a text")
        elif values.get("decimal", ".") not in (".", ",") or len(file.get("delimiter", ",")) != 1:
            problems.append("decimal is “.” or “,”, a delimiter is one character")
        elif "currency" in values:
            problems += _currency_problem(values["currency"])
        if problems:
            raise ValueError("; ".join(problems))
        return cls(
            columns, values.get("date", ISO_DAY), values.get("decimal", "."), values.get("currency"),
            file.get("delimiter", ","), file.get("encoding", "utf-8"),
        )  # fmt: skip

    def missing(self, header: Iterable[str]) -> list[str]:
        """Their columns the file does not have."""
        there = set(header)
        return [f"“{name}”" for name in self.columns.values() if name not in there]


@dataclass(frozen=True, slots=True)
class Applied:
    """A booking. `amount` in minor units; `entry_id`: the grant it names; `key`: billing's own number."""

    line: int
    applied_on: date
    account: str
    amount: int
    currency: str
    entry_id: int | None = None
    reference: str = ""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that cannot be taken, and why."""

    line: int
    reason: str


def read_row(row: Mapping[Any, Any], line: int, mapping: BillingMapping) -> Applied | Fault:
    """The booking a row of the file stands for, or what is wrong with it: the first thing found."""
    if None in row or None in row.values():
        return Fault(line, "The row has more or fewer fields than the header.")
    held = {name: str(row[theirs]).strip().replace("\0", "") for name, theirs in mapping.columns.items()}
    try:
        currency = _currency(held.get("currency") or mapping.currency or "")
        return Applied(
            line=line,
            applied_on=_day(held["applied_on"], mapping.date_style),
            account=_text(held["account"], "account"),
            amount=_amount(held["amount"], currency, mapping.decimal),
            currency=currency,
            entry_id=_entry(held.get("entry", "")),
            reference=held.get("reference", "")[:LONGEST],
            key=held.get("key", "")[:LONGEST] or None,
        )
    except ValueError as error:
        return Fault(line, str(error))


def _day(text: str, style: str) -> date:
    try:
        day = datetime.strptime(text, style).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise ValueError(f"“{text[:40]}” is not a day written like {style}.") from None
    if not FIRST_DAY <= day < LAST_DAY:
        raise ValueError(f"{day} is no day money was applied on.")
    return day


def _text(text: str, name: str) -> str:
    if not text:
        raise ValueError(f"There is no {name}.")
    if len(text) > LONGEST:
        raise ValueError(f"The {name} is longer than {LONGEST} characters.")
    return text


def _currency(text: str) -> str:
    if problems := _currency_problem(text):
        raise ValueError(problems[0])
    return text


def _currency_problem(text: str) -> list[str]:
    try:
        exponent(text)
    except ValueError as error:
        return [str(error)]
    return []


def _amount(text: str, currency: str, decimal: str) -> int:
    plain = text.replace("\u00a0", "").replace("\u202f", "")
    if decimal == ",":
        plain = plain.replace(".", "").replace(" ", "").replace(",", ".")
    with speaking(ENGLISH):  # a file is read alike whoever takes it in
        amount = parse(plain, currency)
    if amount == 0:
        raise ValueError("An amount of nothing.")
    return amount


def _entry(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) <= LARGEST_ENTRY:
        raise ValueError(f"“{text[:40]}” is not the number of an entry.")
    return int(text)
