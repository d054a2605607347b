"""What docs/ says to the people at the desk, as the page Help shows it: the guide of a role, and the glossary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from churn.core.language import ENGLISH
from churn.settings import PROJECT

DOCS = PROJECT / "docs"
PICTURE = re.compile(r"!\[([^\]]+)\]\(([\w./-]+)\)")
HEADS = ("word", "---")  # first cells of lines that are no word


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a guide, and what it shows in words."""

    path: Path
    shows: str


@dataclass(frozen=True, slots=True)
class Term:
    """One word of the glossary in both languages."""

    word: str
    meaning: str
    german: str
    german_meaning: str


def guide_path(role: str, language: str) -> Path:
    """The guide of a role in a language; the English one where there is none."""
    own = DOCS / "guides" / language / f"{role}.md"
    return own if language != ENGLISH.code and own.exists() else DOCS / "guides" / f"{role}.md"


def guide(role: str, language: str) -> list[str | Picture]:
    """Markdown and pictures in turn, without the guide's own title."""
    path = guide_path(role, language)
    return list(_parts(path))


def _parts(path: Path) -> Iterator[str | Picture]:
    text = path.read_text(encoding="utf-8").split("\n", 1)[1]
    place = 0
    for found in PICTURE.finditer(text):
        yield text[place : found.start()].strip()
        yield Picture((path.parent / found[2]).resolve(), found[1])
        place = found.end()
    if rest := text[place:].strip():
        yield rest


def glossary() -> list[Term]:
    """Every word of docs/glossary.md, in its order."""
    lines = (DOCS / "glossary.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [Term(*row) for row in rows if row[0] not in HEADS]


def fitting(terms: list[Term], typed: str) -> list[Term]:
    """The terms in which everything typed stands, in either language and in any case."""
    asked = typed.casefold().split()
    return [
        one
        for one in terms
        if all(word in f"{one.word} {one.meaning} {one.german} {one.german_meaning}".casefold() for word in asked)
    ]
