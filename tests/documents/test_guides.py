"""The guides and the glossary: one for each role, short, with pictures that are there, in the desk's own words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from churn.core.language import speaking, t
from churn.documents import guides
from churn.documents.guides import DOCS, Picture
from churn.languages import languages
from churn.ui.gate import PAGES

ROLES = ("agent", "supervisor", "leader", "finance", "analyst", "administrator")
WRITTEN = sorted(DOCS.glob("guides/**/*.md"))
MOST_WORDS = 560  # about two screens, pictures apart
MOST_BYTES = 150_000


def test_every_role_has_a_guide_in_every_language() -> None:
    assert (
        {path.stem for path in DOCS.glob("guides/*.md")} == set(ROLES) == {r for _, _, of in PAGES.values() for r in of}
    )
    for code in set(languages()) - {"en"}:
        assert {path.stem for path in DOCS.glob(f"guides/{code}/*.md")} == set(ROLES), code


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_a_guide_is_short_goes_by_tasks_and_shows_pictures_of_the_app(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# ")
    assert len(text.split()) <= MOST_WORDS
    assert text.count("\n## ") >= 5
    assert not re.search(r"<\w|(?<!!)\[[^\]]+\]\(", text), "a tag, or a link that leads nowhere within the app"
    pictures = [part for part in guides._parts(path) if isinstance(part, Picture)]
    assert 1 <= len(pictures) <= 2
    for picture in pictures:
        assert picture.path.parent == DOCS / "pictures"
        assert picture.path.stat().st_size < MOST_BYTES
        with Image.open(picture.path) as image:
            assert image.width == 1280


@pytest.mark.parametrize("code", sorted(languages()))
@pytest.mark.parametrize("role", ROLES)
def test_the_pages_a_guide_names_are_the_roles_own_and_the_same_in_every_language(role: str, code: str) -> None:
    named = _pages_named(role, code)
    assert named <= {page for page, (_, _, roles) in PAGES.items() if role in roles}
    assert named, "a guide names its pages"
    assert named == _pages_named(role, "en")


def _pages_named(role: str, code: str) -> set[str]:
    """The pages whose titles, as the menu shows them, stand in bold in a guide."""
    bold = set(re.findall(r"\*\*([^*]+)\*\*", guides.guide_path(role, code).read_text()))
    with speaking(languages()[code]):
        return {page for page, (title, _, _) in PAGES.items() if t(title) in bold}


def test_every_picture_is_of_some_guide() -> None:
    shown = {part.path for path in WRITTEN for part in guides._parts(path) if isinstance(part, Picture)}
    assert set(DOCS.glob("pictures/*")) == shown


def test_a_guide_falls_into_text_and_pictures_and_a_language_without_one_reads_english(tmp_path: Path) -> None:
    parts = guides.guide("agent", "de")
    assert parts[0].startswith("Ihre Seite ist **Platz**")
    assert [type(part) for part in parts] == [str, Picture, str, Picture, str]
    assert guides.guide_path("finance", "tlh") == DOCS / "guides/finance.md"
    assert guides.guide_path("agent", "en") == DOCS / "guides/agent.md"


def test_the_glossary_has_each_word_once_in_both_languages() -> None:
    terms = guides.glossary()
    words = [one.word for one in terms]
    assert len(words) == len(set(words)) > 75
    assert all(one.word and one.meaning and one.german and one.german_meaning for one in terms)
    assert not [one for one in terms if one.meaning[-1] != "." or one.german_meaning[-1] != "."]
    assert not [one for one in terms if set("|<>[]*_`") & set(f"{one.word}{one.meaning}{one.german_meaning}")]


@pytest.mark.parametrize(
    ("typed", "first"), [("binding", "binding limit"), ("BINDENDE grenze", "binding limit"), ("Mitnahme", "deadweight")]
)
def test_a_word_is_found_by_what_it_is_or_means_in_either_language(typed: str, first: str) -> None:
    assert guides.fitting(guides.glossary(), typed)[0].word == first


def test_nothing_typed_is_everything_and_nonsense_nothing() -> None:
    terms = guides.glossary()
    assert guides.fitting(terms, "  ") == terms
    assert guides.fitting(terms, "xyzzy") == []
