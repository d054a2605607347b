"""What the agent has typed and done on one call, kept by the browser tab; a reload finds it in the database."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import streamlit as st

from churn.calls.resume import SoFar
from churn.core.grants import Entry
from churn.core.language import t
from churn.core.money import show
from churn.core.offers.question import Ask
from churn.core.words import spoken
from churn.offers import Call, Offer

SKIPPED = Ask()


@dataclass(slots=True)
class OnCall:
    """The state of one call. `ask` None: not asked yet; `said`: the last thing the ledger answered."""

    case_id: str
    contact_reason: str | None = None
    fault: str | None = None
    ask: Ask | None = None
    turned_down: int = 0
    offer: Offer | None = None
    made_for: Call | None = None  # what `offer` was reckoned from
    given: list[Entry] = field(default_factory=list)
    unsure: UUID | None = None  # a decision of which it is not known whether anything was given from it
    unsure_since: float = 0.0  # monotonic seconds
    asked_supervisor: UUID | None = None
    said: tuple[str, str] | None = None  # (kind, sentence)
    is_news: bool = False  # a fragment changed the call; the whole page must show it
    is_cancelling: bool = False
    is_closed: bool = False
    seconds_to_leave: float | None = None  # from their first "cancel" to done
    reasons: tuple[str, ...] | None = None  # what may be chosen from; None: not read yet
    noted: tuple[Call, bool] | None = None  # what the database knows of the call
    similar: tuple[tuple[str | None, str | None], str | None] | None = (
        None  # (reason, fault) and what kept such callers
    )
    keys: dict[tuple[UUID, int], UUID] = field(default_factory=dict)  # requests sent and not confirmed, by rung

    def call(self) -> Call:
        """The call as the core is asked with it."""
        return Call(
            contact_reason=self.contact_reason,
            fault=self.fault,
            ask=self.ask or SKIPPED,
            counter_offers_made=self.turned_down,
        )

    def wonder(self, decision_id: UUID) -> None:
        """The answer to a grant was lost: nothing else is offered until its key tells what became of it."""
        self.unsure, self.unsure_since, self.said = decision_id, time.monotonic(), None

    def gave(self, entry: Entry, what: str | None = None) -> None:
        """Something was given in this call: say so. What was owed settles nothing: a fresh offer follows it."""
        money = show(entry.amount, entry.currency)
        kind = spoken(entry.instrument)
        given = t("{money} {instrument}", money=money, instrument=kind) if entry.amount else kind
        said = what or given
        self.given = [*(one for one in self.given if one.entry_id != entry.entry_id), entry]
        self.unsure = None
        if _is_owed(entry):
            self.made_for = None
        said = f"{said[:1].upper()}{said[1:]}"
        self.said = ("given", t("{what}: given and recorded as entry {entry}.", what=said, entry=entry.entry_id))

    @property
    def is_settled(self) -> bool:
        """Whether goodwill was given, so that nothing more is offered in this call."""
        return any(not _is_owed(entry) for entry in self.given)

    def request_key(self, decision_id: UUID, index: int) -> UUID:
        """The key of the request for one rung: the same until it is confirmed, so that a second click asks once."""
        return self.keys.setdefault((decision_id, index), uuid4())


def _is_owed(entry: Entry) -> bool:
    return entry.budget_id is None and entry.amount > 0  # money that draws no budget is owed money


def on_call(case_id: str) -> OnCall:
    """The state of this call; a new one when another case was on screen before."""
    held = st.session_state.get("on_call")
    if held is None or held.case_id != case_id:
        held = OnCall(case_id)
        st.session_state["on_call"] = held
    return held


def take_up(case_id: str, so_far: SoFar) -> None:
    """Go on with a call where it was: the next `on_call` of this case is what the database knows of it."""
    before = st.session_state.get("on_call")
    call = OnCall(
        case_id,
        contact_reason=so_far.contact_reason,
        fault=so_far.fault,
        ask=so_far.ask,
        turned_down=so_far.turned_down,
        offer=so_far.offer,
        made_for=so_far.made_for,
        asked_supervisor=so_far.approval_id,
        is_cancelling=so_far.is_cancelling,
    )
    call.noted = (call.call(), call.ask is not None)
    for entry in reversed(so_far.given):  # the oldest first
        call.gave(entry)
    if not so_far.given and before is not None and before.case_id == case_id:
        call.unsure, call.unsure_since, call.keys = before.unsure, before.unsure_since, before.keys
    st.session_state["on_call"] = call


def remember(key: str, value: Any) -> None:
    """Give a widget that is new on the page the value that was chosen before; one that is there keeps its own."""
    if value is not None and key not in st.session_state:
        st.session_state[key] = value
