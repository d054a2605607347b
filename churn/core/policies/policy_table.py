"""A policy as tables a person edits, and back: the typed columns of rules, instruments and authority, nothing else.

Cells come back from an editor as whatever it holds: NaN for empty, floats for whole numbers, days as timestamps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pandas as pd

from churn.core.language import mark, t
from churn.core.policies.policy import Authority, Instrument, Policy, Rule
from churn.core.words import spoken

KINDS: Mapping[str, type[Any]] = {"rules": Rule, "instruments": Instrument, "authority": Authority}
FIRST = {
    "rules": ("code", "effect", "instrument", "value", "unit", "reason", "topic"),  # what is edited most stands first
    "instruments": ("instrument", "title"),
    "authority": ("role", "instrument", "contact_reason"),
}
ROW = {
    "rules": mark("Rules, row {number}: {why}"), "instruments": mark("Instruments, row {number}: {why}"),
    "authority": mark("Authority, row {number}: {why}"),
}  # fmt: skip
Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cell or row that is no part of a policy: the table, the row counted from 1, and the sentence."""

    table: str
    row: int
    sentence: str


def tables_of(policy: Policy) -> dict[str, pd.DataFrame]:
    """rules, instruments and authority as frames with every typed column; money in minor units, values as numbers."""
    return {name: _frame(name, getattr(policy, name)) for name in KINDS}


def _frame(name: str, rows: Sequence[Any]) -> pd.DataFrame:
    frame = pd.DataFrame([asdict(row) for row in rows], columns=columns_of(name))
    for field in fields(KINDS[name]):
        kind, column = str(field.type), field.name
        if "Decimal" in kind:
            frame[column] = frame[column].map(lambda held: None if held is None else float(held)).astype("float64")
        elif kind.startswith("int"):
            frame[column] = frame[column].astype("Int64")
        elif kind.startswith("bool"):
            frame[column] = frame[column].astype("boolean")
        elif kind.startswith("date"):
            frame[column] = pd.to_datetime(frame[column])
        else:
            frame[column] = frame[column].astype(object)
    return frame


def columns_of(name: str) -> list[str]:
    """The columns of one table, what is edited most first."""
    return [*FIRST[name], *(f.name for f in fields(KINDS[name]) if f.name not in FIRST[name])]


def policy_of(tables: Tables, *, title: str, currency: str) -> tuple[Policy | None, list[Unreadable]]:
    """The policy that edited tables say, or every cell that says nothing. Rows left empty are left out."""
    faults: list[Unreadable] = []
    found: dict[str, Any] = {name: tuple(_rows(name, tables[name], faults)) for name in KINDS}
    if not title.strip():
        faults.append(Unreadable("rules", 0, t("A draft needs a title.")))
    if faults:
        return None, faults
    return Policy(title=title.strip(), currency=currency, **found), []


def _rows(name: str, frame: pd.DataFrame, faults: list[Unreadable]) -> list[Any]:
    found = []
    for number, row in enumerate(frame.to_dict("records"), start=1):
        held = {key: value for key, value in row.items() if not _is_empty(value)}
        if not any(key in held for key in (*FIRST[name][:2], "instrument")):
            continue
        try:
            found.append(_record(KINDS[name], held))
        except (ValueError, TypeError, InvalidOperation) as error:
            faults.append(Unreadable(name, number, t(ROW[name], number=number, why=error)))
    return found


def _record(kind: type[Any], held: Mapping[str, Any]) -> Any:
    values = {}
    for field in fields(kind):
        if field.name in held:
            values[field.name] = _value(str(field.type), field.name, held[field.name])
        elif field.default is MISSING:
            raise ValueError(t("{what} is missing.", what=spoken(field.name)))
    return kind(**values)


def _value(kind: str, name: str, held: Any) -> Any:
    plain = spoken(name)
    if kind.startswith("int") or "Decimal" in kind:
        return _number(kind, plain, held)
    if kind.startswith("bool"):
        if isinstance(held, str):
            raise ValueError(t("{what} is yes or no, not “{held}”.", what=plain, held=held))
        return bool(held)
    if kind.startswith("date"):
        if isinstance(held, date):
            return held.date() if isinstance(held, datetime) else held
        return date.fromisoformat(str(held))
    return str(held).strip()


def _number(kind: str, plain: str, held: Any) -> int | Decimal:
    try:
        number = Decimal(str(held))
    except InvalidOperation:
        raise ValueError(t("{what} is a number, not “{held}”.", what=plain, held=held)) from None
    if not number.is_finite() or abs(number) >= 10**15:
        raise ValueError(t("{what} is no number that can be reckoned with: {held}.", what=plain, held=held))
    if "Decimal" in kind:
        return number.normalize() if number != number.to_integral_value() else Decimal(int(number))
    if number != number.to_integral_value():
        raise ValueError(t("{what} is a whole number, not {held}.", what=plain, held=held))
    return int(number)


def _is_empty(value: Any) -> bool:
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return isinstance(value, str) and not value.strip()
