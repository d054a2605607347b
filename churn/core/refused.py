"""What the database refuses with, said in another language: its sentences are English, their values are found again.

Each text is one sentence of a `desk.refuse` in sql/schema.sql with its values by name. What is not here is said by the
sentence of its kind of refusal (`churn/refusals.py`).
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from string import Formatter

from churn.core import words
from churn.core.language import ENGLISH, mark, speaking, t
from churn.core.money import SYMBOLS, parse, show

TEXTS = (
    mark("{staff} is not a supervisor."),
    mark("As {role} you may not do this; it takes: {roles}."),
    mark("This is not a case of yours; open the caller again."),
    mark("This offer was given already."),
    mark("{instrument} of {money} is not on this ladder."),
    mark("{instrument} on these terms is not on this ladder."),
    mark("From this offer {instrument} of {money} was given already; nothing more was given."),
    mark("{instrument} takes a supervisor here, whatever the amount."),
    mark("You may give {money} of {instrument} alone."),
    mark("You may give {money} of {instrument}."),
    mark("As {role} you have no authority for {instrument}."),
    mark("With this {staff} would pass {money} for {instrument} this {window}."),
    mark("In {days} days this customer may get {money}; {left} of it is left."),
    mark("They had {instrument} on {date}; it may be given again after {days} days."),
    mark("{instrument} may be given {times} times in {days} days, and was."),
    mark("Team {team} has no budget for {instrument} this month."),
    mark("There is no budget this month that the money could go back to."),
    mark("Your team's budget has {money} left this month."),
    mark("{months} months are more than policy allows."),
    mark("No supervisor may give more than {money} of {instrument}."),
    mark("Policy allows {money} of {instrument} here, whoever asks."),
    mark("No supervisor said yes to this."),
    mark("There is no such request of yours."),
    mark("There is no such request."),
    mark("The request is {state}; it cannot be withdrawn any more."),
    mark("The request is {state}; it cannot be {tried} any more."),
    mark("You cannot name yourself."),
    mark("You name a stand-in for your own team only."),
    mark("This request is for team {team}; you look after {own}."),
    mark("This was given in team {team}."),
    mark("The month has turned since the yes; ask again."),
    mark("The yes has expired or was withdrawn; ask again."),
    mark("A counter-offer names another amount than was asked, above nothing."),
    mark("The yes was to {instrument} of {money}."),
    mark("You may give {money} of {instrument} alone; no need to ask."),
    mark("For this offer you asked already; that request is {state}."),
    mark("This entry takes something back itself; it cannot be reversed."),
    mark("There is no such proposal."),
    mark("{money} of this budget is spent; it cannot shrink below that."),
    mark("You have looked up more than one person may ({minute} a minute, {hour} an hour); wait a little."),
)
AMOUNTS = frozenset({"money", "left"})
CODES = frozenset({"instrument", "role", "state", "tried", "window"})
_MARKS = {mark: currency for currency, mark in SYMBOLS.items()}


def reworded(sentence: str) -> str | None:
    """The database's sentence in the language spoken here; None where it is none of TEXTS."""
    for text, shape in _shapes():
        found = shape.fullmatch(sentence)
        if found:
            return t(text, **{name: _said(name, value) for name, value in found.groupdict().items()})
    return None


@cache
def _shapes() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((text, re.compile(_shape(text))) for text in TEXTS)


def _shape(text: str) -> str:
    parts = Formatter().parse(text)
    return "".join(re.escape(said) + (f"(?P<{name}>{_kind(name)})" if name else "") for said, name, _, _ in parts)


def _kind(name: str) -> str:
    return r"[\w-]+" if name in CODES else ".+?"


def _said(name: str, value: str) -> str:
    if name == "roles":
        return " / ".join(map(words.spoken, value.split(" or ")))
    if name in AMOUNTS:
        return _amount(value)
    if name == "date":
        return words.full_day(datetime.strptime(value, "%d %B %Y").date())  # noqa: DTZ007 - a day, in no zone
    return words.spoken(value) if name in CODES else value


def _amount(written: str) -> str:
    """An amount as `desk.in_words` writes it: `£1,140.50`, `KWD 1.250`."""
    bare = written.removeprefix("−")
    currency = _MARKS.get(bare[:1]) or bare[:3]
    with speaking(ENGLISH):
        minor = parse(written, currency)
    return show(minor, currency)
