"""A policy's conditions and codes as a person says them.

English names a code as the tables of a policy write it; other languages say it in words, from `texts/*/codes.po`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from churn.core.language import current, t
from churn.core.policies.policy import Box, Range
from churn.core.words import named

SPOKEN = (
    "contact_reason",
    "fault",
    "channel",
    "instrument",
)  # conditions whose words are codes; of others the company's
_GIVEN = re.compile(r"given in (\d+) days")


class Other(frozenset[str]):
    """Any word but these, or none."""


def named_all(codes: Iterable[str]) -> str:
    """Several, with commas."""
    return ", ".join(map(named, codes))


def in_words(box: Box) -> str:
    """A box as a person says it: `tenure from 12 to 24, fault = ours`."""
    parts = []
    for name, held in sorted(box.items()):
        condition = _condition(name)
        if held is None:
            parts.append(t("{condition} is unknown", condition=condition))
        elif isinstance(held, Other):
            listed = t(" or ").join(_word(name, one) for one in sorted(held))
            parts.append(t("{condition} is not {words}", condition=condition, words=listed))
        elif isinstance(held, bool):
            parts.append(condition if held else t("not {condition}", condition=condition))
        elif isinstance(held, tuple):
            parts.append(_range_in_words(name, held))
        else:
            parts.append(f"{condition} = {_word(name, held)}")
    return ", ".join(parts) or t("every case")


def edge(held: Any) -> str:
    """An end of a range: a day, or a number without needless decimals."""
    if isinstance(held, date):
        return str(held)
    return current().write(str(held) if isinstance(held, Decimal | int) else f"{held:g}")


def written(value: Decimal | float) -> str:
    """A number as it stands in the table, in the language's own writing."""
    return current().write(str(value))


def _condition(name: str) -> str:
    given = _GIVEN.fullmatch(name)
    return t("given in {n} days", n=given[1]) if given else named(name)


def _word(name: str, held: Any) -> str:
    return named(held) if name in SPOKEN else str(held)


def _range_in_words(name: str, held: Range) -> str:
    low, high = (edge(date.fromordinal(int(end)) if name == "date" and 0 < end < math.inf else end) for end in held)
    said = {"condition": _condition(name), "low": low, "high": high}
    if math.isinf(held[1]):
        return t("{condition} any", **said) if math.isinf(held[0]) else t("{condition} from {low}", **said)
    return (
        t("{condition} below {high}", **said) if math.isinf(held[0]) else t("{condition} from {low} to {high}", **said)
    )
