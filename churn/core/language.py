"""What the desk says, in the language of whoever looks: each text stands in English where it is used.

`t` looks the text up in the language spoken here and fills in its values. Whose language that is, the shell decides:
for a piece of work with `speaking`, for a page by what `listen_to` was given. Jobs, receipts read again and whoever
says nothing speak English.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
IN = "\x04"  # between a context and its text, as in gettext
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LONG_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SHORT_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """A language: its texts by the English ones, and how it writes numbers, money and days."""

    code: str = "en"
    name: str = "English"
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # English → its forms, one without a number
    form: Callable[[int], int] = lambda n: int(n != 1)  # a number → which of the forms
    decimal: str = "."
    group: str = ","
    is_mark_after: bool = False  # `12,50 €` rather than `€12.50`
    months: tuple[str, ...] = MONTHS
    long_months: tuple[str, ...] = LONG_MONTHS
    weekdays: tuple[str, ...] = WEEKDAYS
    short_weekdays: tuple[str, ...] = SHORT_WEEKDAYS
    day: str = "{day} {month}"

    def write(self, number: str) -> str:
        """A number of Python's own writing, `1,140.5`, in this language's."""
        return number.translate({ord(","): self.group, ord("."): self.decimal})

    def read(self, number: str) -> str:
        """The other way round."""
        return number.translate({ord(self.group): ",", ord(self.decimal): "."})


ENGLISH = Language()
_spoken: ContextVar[Language | None] = ContextVar("spoken", default=None)
_listener: list[Callable[[], Language]] = [lambda: ENGLISH]


def current() -> Language:
    """The language spoken here."""
    return _spoken.get() or _listener[0]()


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Speak `language` within."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def in_english(make: Callable[..., T], *asked: Any) -> T:
    """What `make(*asked)` gives, said in English: as a file for other systems has it."""
    with speaking(ENGLISH):
        return make(*asked)


def listen_to(asked: Callable[[], Language]) -> None:
    """Where no language is being spoken, `asked` says which: set once, by the shell."""
    _listener[0] = asked


def t(text: str, /, **values: object) -> str:
    """`text` in the language spoken here, its `{values}` filled in."""
    return _said(current().texts.get(text, (text,))[0], values)


def tc(context: str, text: str, /, **values: object) -> str:
    """`text` where one English word has several meanings: `context` says which."""
    return _said(current().texts.get(f"{context}{IN}{text}", (text,))[0], values)


def tn(n: int, one: str, many: str, /, **values: object) -> str:
    """`one` or `many` by the number, which stands in it as `{n}`: `tn(3, "{n} call", "{n} calls")`."""
    language = current()
    forms = language.texts.get(one)
    said = (one if n == 1 else many) if forms is None else forms[min(language.form(n), len(forms) - 1)]
    return _said(said, {"n": number(n), **values})


def mark(text: str) -> str:
    """A text said later, by `t`, of a constant: found here by whoever collects the texts."""
    return text


def number(value: float, digits: int = 0, *, is_signed: bool = False) -> str:
    """`1,140`, `12.5`, `+0.3`: as the language spoken here writes it, with a true minus sign."""
    return current().write(f"{value:{'+' if is_signed else ''},.{digits}f}".replace("-", "−"))


def _said(text: str, values: Mapping[str, object]) -> str:
    return text.format_map(values) if values else text
