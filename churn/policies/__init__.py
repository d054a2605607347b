"""Policies as documents: read from TOML, turned into what the database takes, and the default one.

`default.toml` is a complete policy for a UK broadband and mobile operator; a company starts from it and makes it
its own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from churn.core.policies.policy import Authority, Instrument, Policy, Rule

DEFAULT = Path(__file__).parent / "default.toml"


class PolicyUnreadable(ValueError):
    """A policy document names something no policy has, or lacks something."""


def default_policy() -> Policy:
    """The policy of `default.toml`."""
    return read_policy(tomllib.loads(DEFAULT.read_text()))


def default_budgets() -> dict[str, int]:
    """Minor units a month for each agent of a team, by instrument, from `default.toml`."""
    return dict(tomllib.loads(DEFAULT.read_text())["budget_per_agent"])


def read_policy(document: Mapping[str, Any]) -> Policy:
    """A policy from plain data (TOML, JSON). `instruments = […]` in a rule or authority line stands for one line each.

    Raises PolicyUnreadable when a line has a name that does not belong there, or lacks one.
    """
    return Policy(
        title=document["title"],
        currency=document["currency"],
        instruments=tuple(_record(Instrument, row) for row in document["instruments"]),
        rules=tuple(_record(Rule, row) for row in _spread(document["rules"])),
        authority=tuple(_record(Authority, row) for row in _spread(document["authority"])),
    )


def as_document(policy: Policy) -> dict[str, Any]:
    """The same as plain data, every name as in the database; numbers as text where they must stay exact."""

    def plain(row: Any) -> dict[str, Any]:
        held = {name: value for name, value in asdict(row).items() if value is not None}
        return {name: str(v) if isinstance(v, Decimal | date) else v for name, v in held.items()}

    return {
        "title": policy.title,
        "currency": policy.currency,
        "instruments": [plain(row) for row in policy.instruments],
        "rules": [plain(row) for row in policy.rules],
        "authority": [plain(row) for row in policy.authority],
    }


def _spread(rows: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for row in rows:
        if "instruments" not in row:
            yield row
            continue
        shared = {name: value for name, value in row.items() if name != "instruments"}
        for name in row["instruments"]:
            code = {"code": f"{row['code']}:{name}"} if "code" in row else {}
            yield shared | code | {"instrument": name}


def _record(kind: type[Any], row: Mapping[str, Any]) -> Any:
    exact = {field.name for field in fields(kind) if "Decimal" in str(field.type)}
    try:
        return kind(**{name: Decimal(str(v)) if name in exact and v is not None else v for name, v in row.items()})
    except TypeError as error:
        raise PolicyUnreadable(f"{row.get('code') or row.get('instrument') or row}: {error}") from None
