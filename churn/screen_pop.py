"""The telephone system opens a caller's card by URL; every one of them names the number differently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NUMBER_NAMES = ("ani", "phone", "from", "callerid", "cli", "phone_number", "customerendpoint", "customeraddress")
LONGEST = 128


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom the URL asks for: `by` is ani, caller, account, contact or search."""

    by: str
    key: str


def read_query(parameters: Mapping[str, str]) -> Asked | None:
    """Whom a URL's parameters ask for; the first that says anything, names in any case, overlong values cut."""
    values = {name.lower(): value[:LONGEST] for name, value in parameters.items() if value.strip()}
    for by in ("contact", "account", "caller"):
        if by in values:
            return Asked(by, values[by])
    for name in NUMBER_NAMES:
        if name in values:
            return Asked("ani", values[name])
    if "q" in values:
        return Asked("search", values["q"])
    return None
