"""The daily digest: what customers said, in a minute's reading, as markdown and as HTML that can be mailed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from html import escape

from churn.core import words
from churn.core.league import Standing, avoidable
from churn.core.money import show
from churn.core.problems import LEAST_GROUP, STATES, Avoided, Day, avoided
from churn.core.text import as_markdown, visible

MOST_QUOTES, MOST_NOTES, MOST_REASONS = 2, 5, 3
MODELLED = "Worth at risk: what everyone who got in touch about it is worth, times their chance of leaving; modelled."


@dataclass(frozen=True, slots=True)
class Told:
    """One problem as the digest tells it. Money in minor units."""

    title: str
    where: str | None
    began_on: date
    last_burst_on: date
    contacts: int
    expected: float
    customers: int
    worth_at_risk: int | None
    currency: str
    at_that_time: tuple[str, ...]
    is_expected: bool
    state: str
    owner: str | None
    fixed_on: date | None
    quotes: tuple[str, ...]
    course: tuple[Day, ...]


@dataclass(frozen=True, slots=True)
class Digest:
    """One day's. `notes`: (topic or None, what is broken in an agent's words)."""

    company: str
    day: date
    contacts: int
    problems: tuple[Told, ...]
    league: tuple[Standing, ...]
    notes: tuple[tuple[str | None, str], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, its lines, and what was said word for word."""

    heading: str
    lines: tuple[str, ...]
    quotes: tuple[str, ...] = ()


def as_text(digest: Digest) -> str:
    """Markdown; whatever was typed by others is shown letter for letter."""
    parts = [f"# {as_markdown(_title(digest))}"]
    for section in _sections(digest):
        parts.append(f"## {as_markdown(section.heading)}")
        if section.lines:
            parts.append("\n".join(f"- {as_markdown(line)}" for line in section.lines))
        parts += [f"> {as_markdown(quote)}" for quote in section.quotes]
    return "\n\n".join([*parts, as_markdown(MODELLED)]) + "\n"


def as_html(digest: Digest) -> str:
    """A whole page for a mail: styles in place, nothing fetched, everything escaped."""
    text = "font-family:Georgia,serif;font-size:16px;line-height:1.45"
    parts = [f'<h1 style="font-size:22px">{escape(_title(digest))}</h1>']
    for section in _sections(digest):
        parts.append(f'<h2 style="font-size:17px;margin:22px 0 4px">{escape(visible(section.heading))}</h2>')
        lines = "".join(f"<li>{escape(visible(line))}</li>" for line in section.lines)
        parts.append(f'<ul style="margin:4px 0;padding-left:20px">{lines}</ul>' if lines else "")
        parts += [
            f'<blockquote style="margin:6px 0 6px 20px;font-style:italic">“{escape(visible(q))}”</blockquote>'
            for q in section.quotes
        ]
    body = "".join(parts)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(_title(digest))}</title></head>'
        f'<body style="{text};max-width:640px;margin:24px auto;padding:0 16px">{body}'
        f'<p style="font-size:13px">{escape(MODELLED)}</p></body></html>\n'
    )


def effect_of(course: Iterable[Day], began_on: date, fixed_on: date | None) -> Avoided | None:
    """Contacts avoided since the fix; None before there is one, or too early to say."""
    return avoided(list(course), began_on, fixed_on) if fixed_on is not None else None


def effect_in_words(effect: Avoided) -> str:
    """`about 120 contacts avoided in 9 days (80 to 160)`; where the interval holds zero that is what is said."""
    span = f"{effect.low:,.0f} to {effect.high:,.0f}"
    days = words.count(effect.days, "day")
    if effect.low <= 0 <= effect.high:
        return f"no effect shown yet in {days} since the fix ({span} contacts avoided, 90 % interval)"
    if effect.high < 0:
        return f"about {-effect.contacts:,.0f} contacts more in {days} since the fix ({span} avoided, 90 % interval)"
    return f"about {effect.contacts:,.0f} contacts avoided in {days} since the fix ({span}, 90 % interval)"


def rise_in_words(contacts: int, expected: float) -> str:
    """`312 contacts, 84 are usual: 228 more`."""
    return f"{words.count(contacts, 'contact')}, {expected:,.0f} would be usual: {contacts - expected:,.0f} more"


def _title(digest: Digest) -> str:
    return f"{visible(digest.company)}: what customers said on {words.day(digest.day, date.min)}"


def _sections(digest: Digest) -> list[Section]:
    rising = [one for one in digest.problems if one.state == "noticed" and not one.is_expected]
    known = [one for one in digest.problems if one.state == "noticed" and one.is_expected]
    worked = [one for one in digest.problems if one.state in ("accepted", "being_fixed", "fixed")]
    sections = [_problem(one) for one in rising] or [
        Section(
            "Nothing new",
            (f"{digest.contacts:,} contacts yesterday, none of it above the usual without a known cause.",),
        )
    ]
    sections += [_problem(one) for one in worked]
    if known:
        sections.append(Section("Rising with a known cause", tuple(_known(one) for one in known)))
    if digest.league:
        contacts, share = avoidable(digest.league)
        lines = [f"{contacts:,} contacts in 90 days, {words.percent(share)} of all, neither we nor they wanted."]
        lines += [
            f"{words.spoken(r.reason)}: {r.contacts:,}, {words.percent(r.share)}" for r in digest.league[:MOST_REASONS]
        ]
        sections.append(Section("Should not have been needed", tuple(lines)))
    if digest.notes:
        told = tuple(f"{topic}: {note}" if topic else note for topic, note in digest.notes[:MOST_NOTES])
        sections.append(Section("What is broken, in the agents’ words", told))
    return sections


def _known(one: Told) -> str:
    where = f" ({one.where})" if one.where else ""
    rise = rise_in_words(one.contacts, one.expected)
    return f"{one.title}{where}: {rise}. At that time: {', '.join(one.at_that_time)}."


def _problem(one: Told) -> Section:
    lines = [f"{rise_in_words(one.contacts, one.expected)}, since {words.day(one.began_on, one.last_burst_on)}."]
    if one.customers >= LEAST_GROUP:
        at_risk = f", {show(one.worth_at_risk, one.currency)} of worth at risk" if one.worth_at_risk is not None else ""
        lines.append(f"{words.count(one.customers, 'customer')}{at_risk}.")
    if one.at_that_time:
        lines.append(f"At that time: {', '.join(one.at_that_time)}.")
    owner = f", owned by {one.owner}" if one.owner else ", nobody owns it yet"
    fixed = f" on {words.day(one.fixed_on, one.last_burst_on)}" if one.fixed_on else ""
    lines.append(f"{STATES[one.state].capitalize()}{fixed}{owner}.")
    effect = effect_of(one.course, one.began_on, one.fixed_on)
    if effect is not None:
        lines.append(f"{effect_in_words(effect).capitalize()}.")
    where = f" · {one.where}" if one.where else ""
    return Section(f"{one.title}{where}", tuple(lines), one.quotes[:MOST_QUOTES])
