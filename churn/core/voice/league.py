"""Contacts worth having and contacts that should not have been needed: a league by reason.

Each kind of contact is valuable or irritating to the company and to the customer (Price and Jaffe, The Best Service Is
No Service, 2008): what neither wants is done away with first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from churn.core.language import mark

CLASSES = {"valuable": mark("valuable"), "irritating": mark("irritating")}
# (to us, to them) → what to do about it.
QUADRANTS = {
    ("irritating", "irritating"): mark("do away with"),
    ("irritating", "valuable"): mark("let them do it themselves"),
    ("valuable", "irritating"): mark("make it simple"),
    ("valuable", "valuable"): mark("make the most of it"),
}
# Until a leader says otherwise, by words in the reason's code; the first that fits.
USUAL: tuple[tuple[tuple[str, ...], tuple[str, str]], ...] = (
    (("upgrade", "sale", "order", "renew", "buy", "quote", "offer"), ("valuable", "valuable")),
    (("cancel", "leave", "retention", "price", "complain", "survey", "feedback"), ("valuable", "irritating")),
    (("move", "account", "usage", "information", "payment_date", "address"), ("irritating", "valuable")),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """One reason: contacts in the period, its share, the change on the period before (None: it had none) and its
    class.
    """

    reason: str
    contacts: int
    share: float
    change: float | None
    to_us: str
    to_them: str
    is_ours: bool  # a leader classified it

    @property
    def advice(self) -> str:
        """What to do about contacts of this kind."""
        return QUADRANTS[self.to_us, self.to_them]


def usual_class(reason: str) -> tuple[str, str]:
    """(to us, to them) where nobody has said: irritating both ways unless the code's words say otherwise."""
    code = reason.lower()
    return next((kind for tokens, kind in USUAL if any(t in code for t in tokens)), ("irritating", "irritating"))


def league(now: Mapping[str, int], before: Mapping[str, int], classes: Mapping[str, tuple[str, str]]) -> list[Standing]:
    """One row per reason: what should not have been needed first, the most contacts on top."""
    total = sum(now.values()) or 1
    rows = []
    for reason, contacts in now.items():
        to_us, to_them = classes.get(reason) or usual_class(reason)
        earlier = before.get(reason, 0)
        change = contacts / earlier - 1 if earlier else None
        rows.append(Standing(reason, contacts, contacts / total, change, to_us, to_them, reason in classes))
    order = list(QUADRANTS)
    return sorted(rows, key=lambda row: (order.index((row.to_us, row.to_them)), -row.contacts, row.reason))


def avoidable(rows: Sequence[Standing]) -> tuple[int, float]:
    """(contacts, share) of those irritating both to us and to them."""
    both = [row for row in rows if (row.to_us, row.to_them) == ("irritating", "irritating")]
    return sum(row.contacts for row in both), sum(row.share for row in both)
