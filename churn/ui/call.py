"""What the agent has typed and done on one call, kept by the browser tab until another caller is opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import streamlit as st

from churn.core.grants import Entry
from churn.core.question import Ask
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
    asked_supervisor: UUID | None = None
    said: tuple[str, str] | None = None  # (kind, sentence)
    is_news: bool = False  # a fragment changed the call; the whole page must show it
    is_cancelling: bool = False
    is_closed: bool = False

    def call(self) -> Call:
        """The call as the core is asked with it."""
        return Call(
            contact_reason=self.contact_reason,
            fault=self.fault,
            ask=self.ask or SKIPPED,
            counter_offers_made=self.turned_down,
        )


def on_call(case_id: str) -> OnCall:
    """The state of this call; a new one when another case was on screen before."""
    held = st.session_state.get("on_call")
    if held is None or held.case_id != case_id:
        held = OnCall(case_id)
        st.session_state["on_call"] = held
    return held
