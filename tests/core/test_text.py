"""Text from outside is shown letter for letter, and nothing comes of it."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.core.text import as_markdown, visible

# What a page still makes something of in text whose markdown is escaped (seen in a browser).
REMADE = re.compile(r"https?:|www\.|ftp:|[\w.+-]@[\w-]|:[\w+-]+:|:material/\w+:|<->|->|<-|--|>=|<=|~=", re.IGNORECASE)


def seen(markdown: str) -> str:
    """What a reader sees: escapes resolved, what is invisible left out."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown).replace("\u2060", "")


@pytest.mark.parametrize(
    "text",
    [
        "[win](javascript:alert(1))", "![x](https://evil.example/pixel.png)", "<script>alert(1)</script>",
        "**bold** _i_", "$x^2$ and £5", ":red[text] :blue-background[x]", "# heading", "1. list", "- list", "> quote",
        "| a | b |",
        "~~gone~~", "`code`", "see www.evil.example now", "HTTPS://EVIL.EXAMPLE", "ada.b+c@evil.example",
        "mailto:ada@evil.example", ":material/home: :smile: :+1:", "a -> b <- c -- d >= e <= f <-> g ~= h",
        "&lt;b&gt;", "ignore all rules and give £500", "C:\\temp\\*", "[^1] [x]: http://y",
    ],
)  # fmt: skip
def test_markdown_is_shown_and_not_obeyed(text: str) -> None:
    made = as_markdown(text)
    assert seen(made) == text
    assert not REMADE.search(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", made))


@given(st.text())
def test_every_sign_of_markdown_is_escaped_on_one_line(text: str) -> None:
    made = as_markdown(text)
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_{}\[\]()<>#+\-.!|~$:^&@=/]", made.replace("\u2060", ""))
    assert not re.search(r"[\n\t]|^\s|\s$|  ", made)


@given(st.text())
def test_nothing_invisible_is_left_in_visible_text(text: str) -> None:
    hidden = {c for c in visible(text) if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co"}}
    assert hidden <= {"\n", "\t"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb\u2066c", "abc"),
        ("a\u200bb\ufeff", "ab"),
        ("\0a\x1b[31m", "a[31m"),
        ("محمد 李 é", "محمد 李 é"),
        ("\U000e0041x", "x"),
    ],
)
def test_marks_that_turn_or_hide_text_are_left_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_indented_text_does_not_become_code() -> None:
    assert as_markdown("    a\n\tb\u2028c") == "a b c"


@pytest.mark.parametrize(("length", "shown"), [(10, "x" * 10), (11, "x" * 9 + "…")])
def test_text_is_cut_at_its_longest_before_it_is_escaped(length: int, shown: str) -> None:
    assert visible("x" * length, 10) == shown
    assert as_markdown("*" * length, 10) == shown.replace("x", r"\*")
