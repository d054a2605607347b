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
