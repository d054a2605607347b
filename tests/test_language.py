"""Languages: nothing in the code goes unsaid, nothing is said that the code no longer says, numbers go each its way."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from datetime import date

import pytest
from babel.messages.catalog import Message

from churn import languages as books
from churn.core import money, words
from churn.core.language import ENGLISH, Language, speaking, t, tc, tn
from churn.documents import guides
from churn.settings import PROJECT

OTHERS = [code for code in books.languages() if code != ENGLISH.code]
FREE = {"codes.po"}  # words of the companies' own codes: no text of the code


@pytest.fixture(scope="module")
def in_code() -> dict[str, Message]:
    return {books.key_of(message): message for message in books.texts_of_code() if message.id}


def entries(code: str) -> Iterator[tuple[str, Message]]:
    for path in books.files(code):
        for message in books.read(path):
            if message.id:
                yield f"{path.parent.name}/{path.name}", message


def values_of(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_of_the_code_is_said(code: str) -> None:
    assert [books.key_of(message) for message in books.untranslated(code) if message.id] == []


@pytest.mark.parametrize("code", OTHERS)
def test_nothing_is_said_that_the_code_does_not_say_nor_twice(code: str, in_code: dict[str, Message]) -> None:
    said = [(where, books.key_of(message)) for where, message in entries(code)]
    assert [entry for entry in said if entry[1] not in in_code and entry[0].rpartition("/")[2] not in FREE] == []
    keys = [key for _, key in said]
    assert sorted({key for key in keys if keys.count(key) > 1}) == []


@pytest.mark.parametrize("code", OTHERS)
def test_what_is_filled_in_is_filled_in_in_every_language(code: str) -> None:
    for where, message in entries(code):
        said = message.string if isinstance(message.string, tuple | list) else [message.string]
        asked = message.id if isinstance(message.id, tuple | list) else [message.id]
        wanted = {*values_of(asked[-1])}
        assert not message.fuzzy, (where, message.id)
        for form in said:
            assert values_of(str(form)) | {"n"} == wanted | {"n"}, (where, form)


def test_a_text_is_a_literal_where_it_is_said() -> None:
    """What is put together first cannot be collected: `t(f"…")` would never be found."""
    for path in [*PROJECT.glob("pages/*.py"), *PROJECT.glob("churn/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in books.KEYWORDS:
                assert not any(isinstance(asked, ast.JoinedStr) for asked in node.args), f"{path}:{node.lineno}"


def test_a_text_is_said_in_the_language_spoken_and_in_english_where_it_has_none() -> None:
    dutch = Language("nl", texts={"Hello {name}": ("Dag {name}",), "desk\x04Open": ("Open",), "{n} call": ("1", "2")})
    assert t("Hello {name}", name="Ann") == "Hello Ann"
    with speaking(dutch):
        assert t("Hello {name}", name="{x}") == "Dag {x}"  # a value is no template
        assert t("A share of 5 % {as it is}") == "A share of 5 % {as it is}"
        assert tc("desk", "Open") == "Open"
        assert [tn(n, "{n} call", "{n} calls") for n in (0, 1, 2)] == ["2", "1", "2"]
    assert [tn(n, "{n} call", "{n} calls") for n in (0, 1, 1_200)] == ["0 calls", "1 call", "1,200 calls"]


def test_money_days_and_numbers_are_written_as_the_language_does() -> None:
    german = books.language_of("de-AT")
    assert german.name == "Deutsch"
    with speaking(german):
        assert money.show(114_050, "GBP") == "1.140,50\u00a0£"
        assert money.show(-500, "EUR") == "−5\u00a0€"
        assert money.show(1_250, "KWD") == "1,250\u00a0KWD"
        assert words.day(date(2026, 3, 3), date(2026, 11, 1)) == "3. März"
        assert words.day(date(2025, 12, 3), date(2026, 11, 1)) == "3. Dez. 2025"
        assert words.points(-0.0062) == "−0,6 Punkte"
        assert words.span(date(2020, 1, 1), date(2026, 3, 1)) == "6 J. 2 Mon."
        assert words.spoken("billing") == "Abrechnung"
        for minor in (0, 5, 114_050, -123_456_789):
            assert money.parse(money.show(minor, "GBP"), "GBP") == minor
        assert money.parse("12,50", "EUR") == 1_250
        with pytest.raises(ValueError, match=re.escape("1.140\u00a0€")):
            money.parse("12.50", "EUR")
    assert money.show(114_050, "GBP") == "£1,140.50"


def test_who_asks_for_a_language_that_is_not_spoken_hears_english() -> None:
    assert [books.language_of(asked).code for asked in ("de", "de-CH", "DE_at", "tlh", "", None)] == [
        "de", "de", "de", "en", "en", "en",
    ]  # fmt: skip


# Where an English text uses a word of the glossary for something else: pattern → what it means there.
OTHERWISE = {
    r"`[^`]*`|python3 -m churn \w+|crm\.\S+": "a command, the name of a table",
    r"“\w+:”": "a key in a file",
    r"^card$|take the card": "the model's",
    r"^horizon$": "policy's setting: the save window",
    r"^fault$|about a fault": "one of the contact reasons: something does not work",
    r"(?<!margin )\bat risk\b": "in danger; of a curve, who is still in it",
    r"(?<=\bbe )rung|(?<=\bbeen )rung": "by telephone",
    r"^saved as|(?<=\bbe )saved|the fix saved": "a draft in the database; spared",
    r"\bworth (it|most|more|a call|a look|\w+ing)\b": "it pays",
    r"\bworth(?= \{gain\}|: expected gain)": "of a rung, what it brings",
}
NOISY = {"ask"}  # nearly always the verb
Pair = tuple[re.Pattern[str], str, list[list[str]]]


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """(what finds an English word of the glossary, the word, the stems of its German words: one list will do).

    The longest first: `contact reason` is no `contact`. `saved, save rate` and `gehalten, Haltequote` are two pairs;
    `ladder, rung` share their one German word.
    """
    found = []
    for term in guides.glossary():
        english, german = term.word.split(", "), [stems(word) for word in term.german.split(", ")]
        for index, word in enumerate(english):
            inflected = rf"(?<![\w-]){re.escape(word.removesuffix('y'))}(y|ies|s|es)?(?![\w-])"
            ways = [german[index]] if len(german) == len(english) else german
            found.append((re.compile(inflected, re.IGNORECASE), word, ways))
    return sorted(found, key=lambda pair: -len(pair[1]))


def stems(german: str) -> list[str]:
    """What must be found of each of these words: without its inflection, opened as `opened` does."""
    return [re.sub(r"(?<=\w{4})(en|er|es|em|e|n|s)$", "", word) for word in opened(german).split()]


def opened(text: str) -> str:
    """In small letters and without umlauts: a stem is found in `Verträge` as in `Vertrag`."""
    return text.casefold().translate(str.maketrans("äöü", "aou"))


def strangers(asked: str, said: str, pairs: list[Pair]) -> list[str]:
    """The words of the glossary in an English text that its German one says otherwise."""
    for otherwise in OTHERWISE:
        asked = re.sub(otherwise, " ", asked, flags=re.IGNORECASE)
    asked, said, missed = re.sub(r"\{\w+\}", "…", asked), opened(said), []
    for finder, word, ways in pairs:
        asked, times = finder.subn(" ", asked)
        if times and word not in NOISY and not any(all(stem in said for stem in way) for way in ways):
            missed.append(word)
    return missed


def test_german_says_each_word_of_the_glossary_by_its_german_one(pairs: list[Pair]) -> None:
    """Where the English text has the word, the German one has its stem, alone or within a compound.

    A stem can be in another word by accident (`Fall` in `Ausfall`), so this finds most strangers, not all. `ask` is
    left out: it is the verb nearly everywhere. What is meant otherwise in English is in OTHERWISE, each with its sense.
    """
    found, used = [], set()
    for where, message in entries("de"):
        asked = message.id[-1] if isinstance(message.id, tuple | list) else message.id
        said = " ".join(message.string) if isinstance(message.string, tuple | list) else str(message.string)
        used |= {otherwise for otherwise in OTHERWISE if re.search(otherwise, asked, re.IGNORECASE)}
        found += [(where, word, asked, said) for word in strangers(asked, said, pairs)]
    assert found == []
    assert used == set(OTHERWISE)


@pytest.mark.parametrize(
    ("asked", "said", "missed"),
    [
        ("Contacts by contact reason", "Kontakte nach Anliegen", []),
        ("Contacts by contact reason", "Kontakte nach Kontaktgrund", ["contact reason"]),
        ("Retained margin and risk", "Gehaltene Marge und Risiko", []),
        ("Retained margin and risk", "Gehaltener Deckungsbeitrag und Gefahr", ["retained margin", "risk"]),
        ("Rungs of the ladder in the ledgers", "Stufen in den Hauptbüchern", []),
        ("{risk} of {customer}", "{risk} von {customer}", []),
    ],
)
def test_a_word_said_otherwise_is_found(asked: str, said: str, missed: list[str], pairs: list[Pair]) -> None:
    assert strangers(asked, said, pairs) == missed
