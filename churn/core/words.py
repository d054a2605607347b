"""How facts are said: dates, spans, counts, money and the names of codes, the same on every page."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from churn.core.language import current, number, t, tc, tn
from churn.core.money import show, to_minor


def day(when: date | datetime, today: date, time_zone: str = "UTC") -> str:
    """`3 Nov`, with the year when it is not this one's."""
    if isinstance(when, datetime):
        when = when.astimezone(ZoneInfo(time_zone)).date()
    year = "" if when.year == today.year else f" {when.year}"
    return f"{_day(when)}{year}"


def _day(when: date) -> str:
    language = current()
    return language.day.format(day=when.day, month=language.months[when.month - 1])


def full_day(when: date, *, has_year: bool = True, is_short: bool = False) -> str:
    """`3 November 2026`, or `3 November`, in sentences; `3 Nov 2026` where there is little room."""
    language = current()
    names = language.months if is_short else language.long_months
    said = language.day.format(day=when.day, month=names[when.month - 1])
    return f"{said} {when.year}" if has_year else said


def weekday(when: date, *, is_short: bool = False) -> str:
    """`Monday 3 November`, or `Mon 3 Nov`."""
    language = current()
    names = language.short_weekdays if is_short else language.weekdays
    said = _day(when) if is_short else full_day(when, has_year=False)
    return t("{weekday} {day}", weekday=names[when.weekday()], day=said)


def month(when: date, *, is_short: bool = False) -> str:
    """`November 2026`, or `Nov 2026`."""
    language = current()
    names = language.months if is_short else language.long_months
    return f"{names[when.month - 1]} {when.year}"


def moment(when: datetime, time_zone: str) -> str:
    """`3 Nov 2026 14:05`, on the desk's own clock."""
    local = when.astimezone(ZoneInfo(time_zone))
    return f"{_day(local)} {local.year} {local:%H:%M}"


def whole_months(since: date, until: date) -> int:
    """Calendar months that have passed; who began on the 31st completes a month on the next 31st or 1st."""
    return (until.year - since.year) * 12 + until.month - since.month - (until.day < since.day)


def span(since: date, until: date) -> str:
    """`6 y 2 m`, `4 m`, `12 days`: how long somebody has been a customer."""
    months = whole_months(since, until)
    if months < 1:
        return tn(max((until - since).days, 0), "{n} day", "{n} days")
    years, rest = divmod(months, 12)
    return " ".join(part for part in (t("{n} y", n=years) if years else "", t("{n} m", n=rest) if rest else "") if part)


def duration(seconds: float) -> str:
    """`under a second`, `42 s`, `3 min 10 s`, `1 h 4 min`: a time that was measured, in its two largest units."""
    if seconds < 1:
        return t("under a second")
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, t("h")), (minutes, t("min")), (rest, t("s")))
    return " ".join(f"{n} {unit}" for n, unit in (parts[:2] if hours else parts) if n)


def ordinal(n: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    said = {1: tc("ordinal", "{n}st", n=n), 2: tc("ordinal", "{n}nd", n=n), 3: tc("ordinal", "{n}rd", n=n)}
    other = tc("ordinal", "{n}th", n=n)
    return other if 10 <= n % 100 <= 20 else said.get(n % 10, other)


def money(amount: float | Decimal, currency: str) -> str:
    """`£1,140`, `£12.50`, `¥900`: the writing of `money.show`; pence only where there are some."""
    return show(to_minor(amount, currency), currency)


def percent(share: float) -> str:
    """`31 %`; `<1 %` and `>99 %` at the ends, where a whole number would say too much."""
    if 0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1:
        return ">99 %"
    return f"{number(share * 100)} %"


def exact_percent(share: float, digits: int = 1) -> str:
    """`2.00%`: a share whose decimals matter, as charts write them."""
    return t("{n}%", n=number(share * 100, digits))


def with_interval(middle: str, low: str, high: str) -> str:
    """`100 (80 to 120)`: a figure with the ends of its interval, each as written."""
    return t("{middle} ({low} to {high})", middle=middle, low=low, high=high)


def points(share: float) -> str:
    """`+8 points`, `+0.6 points`: a difference of chances; a decimal only where a whole number would say too little."""
    shown = share * 100
    return t("{n} points", n=number(shown, 1 if abs(shown) < 1.95 else 0, is_signed=True))


def first_up(text: str) -> str:
    """The first letter large, the others as they are: German nouns stay large."""
    return text[:1].upper() + text[1:]


def spoken(code: str) -> str:
    """A code as words, in the language spoken here where `texts/*/codes.po` knows it: codes are the company's own."""
    return tc("code", plain(code))


def named(code: str) -> str:
    """A code as it stands in a table: in English letter for letter, in other languages in words."""
    in_english = plain(code)
    said = tc("code", in_english)
    return code if said == in_english else said


def plain(code: str) -> str:
    """A code as words of its own language: `move_home` and `MoveHome` → `move home`; short capitals stay (`TV`)."""
    parted = "".join(f" {c}" if c.isupper() and i and code[i - 1].islower() else c for i, c in enumerate(code))
    parts = parted.replace("_", " ").replace("-", " ").split()
    return " ".join(part if part.isupper() and len(part) <= 4 else part.lower() for part in parts)
