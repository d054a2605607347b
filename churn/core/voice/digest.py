"""The daily digest: what customers said, in a minute's reading, as markdown and as HTML that can be mailed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from html import escape

from churn.core import words
from churn.core.language import current, mark, number, t, tn
from churn.core.money import show
from churn.core.text import as_markdown, visible
from churn.core.voice.league import Standing, avoidable
from churn.core.voice.problems import LEAST_GROUP, STATES, Avoided, Day, avoided

MOST_QUOTES, MOST_NOTES, MOST_REASONS = 2, 5, 3
MODELLED = mark(
    "Worth at risk: what everyone who got in touch about it is worth, times their chance of leaving; modelled."
)


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
    return "\n\n".join([*parts, as_markdown(t(MODELLED))]) + "\n"


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
        f'<!doctype html><html lang="{current().code}"><head><meta charset="utf-8">'
        f"<title>{escape(_title(digest))}</title></head>"
        f'<body style="{text};max-width:640px;margin:24px auto;padding:0 16px">{body}'
        f'<p style="font-size:13px">{escape(t(MODELLED))}</p></body></html>\n'
    )


def effect_of(course: Iterable[Day], began_on: date, fixed_on: date | None) -> Avoided | None:
    """Contacts avoided since the fix; None before there is one, or too early to say."""
    return avoided(list(course), began_on, fixed_on) if fixed_on is not None else None


def effect_in_words(effect: Avoided) -> str:
    """`about 120 contacts avoided in 9 days (80 to 160)`; where the interval holds zero that is what is said."""
    told = {"low": number(effect.low), "high": number(effect.high), "contacts": number(abs(effect.contacts))}
    if effect.low <= 0 <= effect.high:
        return tn(
            effect.days,
            "no effect shown yet in {n} day since the fix ({low} to {high} contacts avoided, 90 % interval)",
            "no effect shown yet in {n} days since the fix ({low} to {high} contacts avoided, 90 % interval)",
            low=told["low"], high=told["high"],
        )  # fmt: skip
    if effect.high < 0:
        return tn(
            effect.days,
            "about {contacts} contacts more in {n} day since the fix ({low} to {high} avoided, 90 % interval)",
            "about {contacts} contacts more in {n} days since the fix ({low} to {high} avoided, 90 % interval)",
            **told,
        )
    return tn(
        effect.days,
        "about {contacts} contacts avoided in {n} day since the fix ({low} to {high}, 90 % interval)",
        "about {contacts} contacts avoided in {n} days since the fix ({low} to {high}, 90 % interval)",
        **told,
    )


def rise_in_words(contacts: int, expected: float) -> str:
    """`312 contacts, 84 are usual: 228 more`."""
    return tn(
        contacts,
        "{n} contact, {usual} would be usual: {more} more",
        "{n} contacts, {usual} would be usual: {more} more",
        usual=number(expected),
        more=number(contacts - expected),
    )


def at_that_time(titles: Iterable[str]) -> str:
    """The changes a problem began with, as a sentence."""
    return t("At that time: {titles}.", titles=", ".join(titles))


def _title(digest: Digest) -> str:
    return t(
        "{company}: what customers said on {day}",
        company=visible(digest.company),
        day=words.day(digest.day, date.min),
    )


def _sections(digest: Digest) -> list[Section]:
    rising = [one for one in digest.problems if one.state == "noticed" and not one.is_expected]
    known = [one for one in digest.problems if one.state == "noticed" and one.is_expected]
    worked = [one for one in digest.problems if one.state in ("accepted", "being_fixed", "fixed")]
    sections = [_problem(one) for one in rising] or [
        Section(
            t("Nothing new"),
            (
                tn(
                    digest.contacts,
                    "{n} contact yesterday, none of it above the usual without a known cause.",
                    "{n} contacts yesterday, none of it above the usual without a known cause.",
                ),
            ),
        )
    ]
    sections += [_problem(one) for one in worked]
    if known:
        sections.append(Section(t("Rising with a known cause"), tuple(_known(one) for one in known)))
    if digest.league:
        contacts, share = avoidable(digest.league)
        lines = [
            tn(
                contacts, "{n} contact in 90 days, {share} of all, neither we nor they wanted.",
                "{n} contacts in 90 days, {share} of all, neither we nor they wanted.", share=words.percent(share),
            )
        ]  # fmt: skip
        lines += [
            f"{words.spoken(r.reason)}: {number(r.contacts)}, {words.percent(r.share)}"
            for r in digest.league[:MOST_REASONS]
        ]
        sections.append(Section(t("Should not have been needed"), tuple(lines)))
    if digest.notes:
        told = tuple(f"{topic}: {note}" if topic else note for topic, note in digest.notes[:MOST_NOTES])
        sections.append(Section(t("What is broken, in the agents’ words"), told))
    return sections


def _known(one: Told) -> str:
    where = f" ({one.where})" if one.where else ""
    rise = rise_in_words(one.contacts, one.expected)
    return f"{one.title}{where}: {rise}. {at_that_time(one.at_that_time)}"


def _problem(one: Told) -> Section:
    rise = rise_in_words(one.contacts, one.expected)
    lines = [t("{rise}, since {day}.", rise=rise, day=words.day(one.began_on, one.last_burst_on))]
    if one.customers >= LEAST_GROUP:
        lines.append(_customers(one))
    if one.at_that_time:
        lines.append(at_that_time(one.at_that_time))
    lines.append(_standing(one))
    effect = effect_of(one.course, one.began_on, one.fixed_on)
    if effect is not None:
        lines.append(f"{words.first_up(effect_in_words(effect))}.")
    where = f" · {one.where}" if one.where else ""
    return Section(f"{one.title}{where}", tuple(lines), one.quotes[:MOST_QUOTES])


def _customers(one: Told) -> str:
    if one.worth_at_risk is None:
        return tn(one.customers, "{n} customer.", "{n} customers.")
    return tn(
        one.customers, "{n} customer, {worth} of worth at risk.", "{n} customers, {worth} of worth at risk.",
        worth=show(one.worth_at_risk, one.currency),
    )  # fmt: skip


def _standing(one: Told) -> str:
    """`Fixed on 3 Nov, owned by Network.`"""
    state = words.first_up(t(STATES[one.state]))
    if one.fixed_on:
        state = t("{state} on {day}", state=state, day=words.day(one.fixed_on, one.last_burst_on))
    if one.owner:
        return t("{state}, owned by {owner}.", state=state, owner=one.owner)
    return t("{state}, nobody owns it yet.", state=state)
