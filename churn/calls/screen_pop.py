"""The telephone system opens a caller's card by URL; every one of them names the number differently.

Which system says what, with its own names: docs/telephony.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# A system's own variable may be handed on under its whole name: Call.ANI, CustomerEndpoint.Address.
NUMBER_NAMES = (
    "ani", "phone", "from", "callerid", "cli", "phone_number", "customerendpoint", "customeraddress",
    "call.ani", "customerendpoint.address", "customerphonenumber",
)  # fmt: skip
CALL_NAMES = (
    "call", "gcconversationid", "pcconversationid", "conversationid", "contactid", "call.call_id", "reservationsid",
    "tasksid",
)  # fmt: skip
LONGEST = 128


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom the URL asks for: `by` is ani, caller, account, contact or search.

    `call`: the telephone system's own id of the call, kept with the case so that its end finds the case again.
    """

    by: str
    key: str
    call: str | None = None


def read_query(parameters: Mapping[str, str]) -> Asked | None:
    """Whom a URL's parameters ask for; the first that says anything, names in any case, overlong values cut."""
    values = {name.lower(): value[:LONGEST] for name, value in parameters.items() if value.strip()}
    call = next((_id(values[name]) for name in CALL_NAMES if name in values), None)
    for by in ("contact", "account", "caller"):
        if by in values:
            return Asked(by, values[by], call)
    for name in NUMBER_NAMES:
        if name in values:
            return Asked("ani", values[name], call)
    if "q" in values:
        return Asked("search", values["q"], call)
    return None


def _id(text: str) -> str | None:
    """An id as telephone systems make them; None: something else, or a variable nobody filled in."""
    text = text.strip()
    return text if text.isascii() and text.isprintable() and "{{" not in text else None
