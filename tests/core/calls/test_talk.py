"""Questions and apologies."""

from __future__ import annotations

import pytest

from churn.core.calls.talk import ANY_NEED, NEEDS, apology, needs_questions
from tests.core.callers import scene, unresolved


@pytest.mark.parametrize(
    ("reason", "word"), [("cancel", "cancel"), ("Price rise letter", "price"), ("move_home", "move")]
)
def test_questions_fit_the_reason_however_it_is_spelled(reason: str, word: str) -> None:
    assert needs_questions(reason) == NEEDS[word]


@pytest.mark.parametrize("reason", [None, "", "opening hours"])
def test_an_unknown_reason_is_asked_about_openly(reason: str | None) -> None:
    assert needs_questions(reason) == ANY_NEED


def test_an_apology_ends_in_a_question_and_counts_what_they_told_us() -> None:
    steps = apology(scene(contacts=(unresolved(1), unresolved(9))), "fault")
    assert [step for step, _ in steps] == ["Recognise", "Acknowledge", "Apologise", "Ask"]
    assert "2 times" in steps[0][1]
    assert steps[-1][1].endswith("?")


def test_an_apology_without_open_contacts_names_the_reason() -> None:
    assert apology(scene(contacts=()), "price_rise")[0][1] == "I can see what happened with the price rise."
