"""Customers' words without the customer: what may be shown of a note to people who may not read it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from churn.core.masking import without_cards
from churn.core.text import visible

HIDDEN = "•••"
MOST = 5
SHORTEST, LONGEST = 20, 240  # characters
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+\.\w+", re.UNICODE)
_LINK = re.compile(r"(?i)\b(?:https?://|www\.)\S+")
# Four digits or more, of any script, also in groups parted by a blank, a dot, a dash or a bracket.
_NUMBER = re.compile(r"(?:\+|\b)[\w-]*?\d(?:[\s().\-/]{0,2}\d){3,}[\w-]*")
_POSTCODE = re.compile(r"(?i)\b[a-z]{1,2}\d[a-z\d]?\s*\d[a-z]{2}\b")
_STREETS = (
    "street|st|road|rd|avenue|ave|lane|ln|drive|close|court|crescent|place|square|terrace|way|gardens|grove|hill|park|row|"
    "mews|walk|boulevard|straße|strasse|str|weg|platz|allee|gasse|rue|via|calle|laan|straat"
)
_ADDRESS = re.compile(
    rf"(?i)\b(?:flat|apartment|apt|unit|house|no\.?)?\s*\d+[a-z]?,?\s+(?:[^\W\d_][\w'’-]*\s+){{0,3}}(?:{_STREETS})\b\.?"
    r"|\b[^\W\d_][\w'’-]*(?:straße|strasse|weg|gasse|laan|straat)\s+\d+[a-z]?\b"
)
_PLAIN = str.maketrans("øłđðþı", "olddti")  # as desk.fold has it
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def mask_quote(text: str, name: str | None) -> str:
    """`text` with everything that says who somebody is as •••: this customer's names in any case and accent, e-mail
    and web addresses, postal addresses, and numbers of four digits or more. Names of other people are not known here
    and stay.
    """
    shown = " ".join(visible(without_cards(text), 10_000).split())
    for pattern in (_EMAIL, _LINK, _ADDRESS, _POSTCODE, _NUMBER):
        shown = pattern.sub(HIDDEN, shown)
    parts = _name_parts(name)
    if parts:
        shown = _WORD.sub(lambda found: HIDDEN if _is_named(found[0], parts) else found[0], shown)
    return shown


def choose(notes: Sequence[tuple[str, str]], telling: Sequence[str], most: int = MOST) -> list[int]:
    """Places of the (text, key) notes to quote: those with most of the telling words, of different customers and
    wording.
    """
    wanted = [set(words.split()) for words in telling]
    seen_keys: set[str] = set()
    seen_texts: list[set[str]] = []
    chosen: list[int] = []
    ranked = sorted(range(len(notes)), key=lambda k: (-_told(notes[k][0], wanted), k))
    for k in ranked:
        text, key = notes[k]
        said = {word.lower() for word in _WORD.findall(text)}
        if not SHORTEST <= len(text) <= LONGEST or key in seen_keys:
            continue
        if any(len(said & other) > 0.7 * len(said | other) for other in seen_texts):
            continue
        seen_keys.add(key)
        seen_texts.append(said)
        chosen.append(k)
        if len(chosen) == most:
            break
    return chosen


def _told(text: str, wanted: Sequence[set[str]]) -> int:
    said = {word.lower() for word in _WORD.findall(text)}
    return sum(bool(words) and words <= said for words in wanted)


def _folded(text: str) -> str:
    parted = unicodedata.normalize("NFKD", text.casefold()).translate(_PLAIN)
    return "".join(c for c in parted if not unicodedata.combining(c) and (c.isalpha() or c.isspace()))


def _name_parts(name: str | None) -> frozenset[str]:
    words = [*_WORD.findall(name or ""), *re.split(r"[\s'’-]+", name or "")]
    return frozenset(part for part in map(_folded, words) if len(part) > 1 and not part.isspace())


def _is_named(word: str, parts: frozenset[str]) -> bool:
    folded = _folded(word)
    pieces = {_folded(piece) for piece in re.split(r"['’-]", word)}
    return bool({folded, folded.removesuffix("s")} & parts or pieces & parts)
