"""An agent who plays calls by Streamlit's websocket: find the caller, hear the reason, ask, give or refuse, end.

What each click took is kept by step, and of each grant the decision and rung clicked and the entry the screen told.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode
from uuid import UUID

from tests.tabs import Address, NotOnScreen, Tab

STEPS = ("pop", "search", "reason", "fault", "ask", "give", "refuse", "end")
CLICKS = 6  # of a call
FAULTS = ("ours", "shared", "theirs", "none")
RECORDED = re.compile(r"given and recorded as entry (\d+)")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who rings: what the telephone system knows, and what is typed when it knows nothing."""

    customer_id: str
    phone: str
    name: str


@dataclass(frozen=True, slots=True)
class Given:
    """One click on Give that the screen has confirmed."""

    decision_id: UUID
    rung: int
    entry_id: int


@dataclass(slots=True)
class Played:
    """What came of one agent's calls: milliseconds by step, grants, and whatever went wrong in words."""

    steps: list[tuple[str, float]] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    refused: int = 0
    calls: int = 0
    faults: list[str] = field(default_factory=list)
    received: int = 0  # bytes


class Agent:
    """One member of staff with one tab. `who` is the staff id in local mode; signed in, the cookies say it.

    `pause` is what passes between two clicks of a call.
    """

    def __init__(
        self, at: Address, who: str | None, *, seed: int = 0, pause: Callable[[], None] = lambda: None
    ) -> None:
        self.at, self.who, self.played, self.pause = at, who, Played(), pause
        self._rng = random.Random(seed)
        self._tab: Tab | None = None

    @property
    def tab(self) -> Tab:
        """The tab in front. Raises NotOnScreen when there is none."""
        if self._tab is None:
            raise NotOnScreen("No tab is open.")
        return self._tab

    def open(self, page: str = "desk", **query: str) -> float:
        """A new tab by URL, as a screen-pop opens one, in place of the one before; seconds from the first byte."""
        self.close()
        asked = ({"who": self.who} if self.who else {}) | query
        began = time.perf_counter()
        self._tab = Tab(self.at, page, urlencode(asked))
        self._tab.run()
        return time.perf_counter() - began

    def reload(self) -> float:
        """The tab's own address once more, nothing else kept: what F5 does."""
        page, query = self.tab.page, self.tab.query
        self.close()
        began = time.perf_counter()
        self._tab = Tab(self.at, page, query)
        self._tab.run()
        return time.perf_counter() - began

    def close(self) -> None:
        """Close the tab, if one is open."""
        if self._tab is not None:
            self.played.received += self._tab.received
            self._tab.close()
            self._tab = None

    def call(self, caller: Caller, *, pops: bool = True) -> None:
        """One call from the first ring to the closed case."""
        self.find(caller, pops=pops)
        self.pause()
        self.hear()
        self.pause()
        self.ask(self._rng.choice((5.0, 10.0, 15.0)))
        self.pause()
        self.give_or_refuse()
        self.pause()
        self.end()
        self.played.calls += 1

    def find(self, caller: Caller, *, pops: bool = True) -> None:
        """The caller's full card, by a new tab that the telephone opens or by typing the account."""
        if pops:
            self._timed("pop", lambda: self.open(ani=caller.phone))
        else:
            if self._tab is None:
                self.open()
            self._timed("search", lambda: self.tab.type(caller.customer_id, key="typed"))
        if caller.name not in self.tab.text():
            raise NotOnScreen(f"{caller.customer_id} was asked for. The screen says: {self.tab.text()[:600]}")

    def hear(self, reason: str | None = None, fault: str | None = None) -> None:
        """Why they call and whose fault it is."""
        options = list(self.tab.find("selectbox", key="reason-").options)
        self._timed("reason", lambda: self.tab.choose(reason or options[0], key="reason-"))
        self.pause()
        chosen = fault or self._rng.choice(FAULTS)
        self._timed("fault", lambda: self.tab.choose(f"{chosen}" if chosen != "none" else "nobody’s", key="fault-"))

    def ask(self, amount: float) -> None:
        """What would put it right, in money; the ladder follows."""
        self.tab.set(self.tab.find("number_input", key="ask-amount-").id, double_value=amount)
        self._timed("ask", lambda: self.tab.press(label="Show what I can say yes to"))

    def give_or_refuse(self) -> None:
        """Give the rung that is shown as best; where there is none the caller says no thank you."""
        give = sorted((one for one in self.tab.elements("button") if one.label == "Give"), key=lambda one: one.type)
        if not give:
            self._timed("refuse", lambda: self.tab.press(label="Note it, and look again"))
            self.played.refused += 1
            return
        button = give[0]  # the primary one, where there is one
        _, decision_and_rung = button.id.split("give-", 1)
        decision, rung = decision_and_rung.rsplit("-", 1)
        self._timed("give", lambda: self.tab.run(button.id, is_pressed=True))
        told = RECORDED.search(self.tab.text())
        if told is None:
            raise NotOnScreen(f"Nothing was given. The screen says: {self.tab.text()[:600]}")
        self.played.given.append(Given(UUID(decision), int(rung), int(told[1])))

    def end(self) -> None:
        """Close the case as resolved."""
        self._timed("end", lambda: self.tab.press(label="Close the case"))
        if "The case is closed" not in self.tab.text():
            raise NotOnScreen(f"The case is not closed. The screen says: {self.tab.text()[:600]}")

    def _timed(self, step: str, act: Callable[[], float]) -> None:
        self.played.steps.append((step, 1000 * act()))
        self.played.faults += [f"{step}: {fault}" for fault in self.tab.faults()]
