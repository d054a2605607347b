"""A decision in plain words: all it went by, nothing that is the company's own, true of any receipt."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest

from churn.core.explanation import Aftermath, in_plain_words
from churn.core.language import speaking
from churn.core.offers.offer import ladder
from churn.core.offers.question import Ask, Trial
from churn.languages import language_of
from tests.core.ladders import POLICY, curve, question, random_call

AT = datetime(2026, 11, 15, 12, 0, tzinfo=UTC)
AFTER = Aftermath(decided_at=AT, currency="GBP", given=2_000, given_instrument="bill_credit")
TITLES = {item.instrument: item.title for item in POLICY.instruments}


def receipt(**changes: object) -> dict[str, object]:
    asked = question(contact_reason="fault", ask=Ask(amount=5_000), versions={"risk": 12, "effect": 14}, **changes)
    return json.loads(json.dumps(ladder(POLICY, asked, curve(0.3, 0.2, 0.5, 0.3)).as_receipt()))


def test_the_whole_paragraph() -> None:
    assert in_plain_words(receipt(trial=Trial("C1")), AFTER, TITLES) == (
        "On 15 November 2026 you were in touch about “fault”, and our system recommended to the agent what to offer. "
        "It recommended to begin with: £20 credit. Also on the list: £50 credit, £70 credit and 1 month free. "
        "It went by this: you have been with us for 74 months, your monthly bill is £41, what happened was taken as "
        "our fault, you asked for £50, you were given before: nothing and the chance that you "
        "leave was estimated at 31 %. "
        "What decided how much could be given: an agent may give no more than £50 of this at once without a "
        "supervisor. These limits held as well: “After five years a credit is at most £120.” (RP-4.1); this "
        "kind of offer is never "
        "more than £150 and an agent may give only so much in one day, week or month without a supervisor. "
        "The rules were version 7 of our policy. Estimates came from models, learned from many customers, of how "
        "likely somebody is to leave (version 12) and what an offer changes (version 14). "
        "The chance that you stay was estimated at 57 % with nothing given and 67 % with this offer. "
        "The agent decided, not the system, and could have chosen anything else within these limits, or asked a "
        "supervisor for more. You were given: credit on the next bill, £20 in all. "
        "You may have this looked at again by a person, say what you think of it, and be told more."
    )


def test_the_paragraph_in_the_customers_language() -> None:
    with speaking(language_of("de")):
        text = in_plain_words(receipt(trial=Trial("C1")), AFTER, TITLES)
    assert text.startswith(
        "Am 15. November 2026 haben Sie sich wegen „Störung“ bei uns gemeldet, und unser System hat vorgeschlagen, was "
        "man Ihnen anbieten kann. Der erste Vorschlag war: 20\u00a0£ Gutschrift. Außerdem auf der Liste: 50\u00a0£ "
        "Gutschrift, 70\u00a0£ Gutschrift und 1 Monat kostenlos. Grundlage war: Sie sind seit 74 Monaten bei uns"
    )
    assert "Es galt Version 7 unseres Regelwerks." in text
    assert text.isascii() is False


def test_without_a_model_it_says_so_and_gives_no_chance() -> None:
    asked = question(worth_now=None, risk=None)
    text = in_plain_words(ladder(POLICY, asked).as_receipt(), AFTER, TITLES)
    assert "No model was used: the amounts are policy's own." in text
    assert "chance" not in text


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("is_vulnerable", "you may need extra care"),
        ("is_bereaved", "somebody close to you has died"),
        ("has_fraud_hold", "your account was being checked"),
    ],
)
def test_what_was_noted_about_them_is_said(flag: str, words: str) -> None:
    assert f"we had noted that {words}" in in_plain_words(receipt(**{flag: True}), AFTER, TITLES)


@pytest.mark.parametrize(
    ("after", "sentence"),
    [
        (replace(AFTER, is_reversed=True), "£20 in all. It was taken back later."),
        (replace(AFTER, given=None, answer="refused_by_caller"), "You declined what was offered."),
        (replace(AFTER, given=None), "Nothing was given from it."),
        (replace(AFTER, given=0, given_instrument="fix"), "You were given: put it right, no charge."),
    ],
)
def test_what_became_of_it_is_said(after: Aftermath, sentence: str) -> None:
    assert sentence in in_plain_words(receipt(), after, TITLES)


def test_chance_is_owned_up_to_where_the_opening_was_drawn() -> None:
    assert "was chosen by chance" not in in_plain_words(receipt(), AFTER, TITLES)
    assert "was chosen by chance" in in_plain_words(receipt() | {"is_randomised": True}, AFTER, TITLES)


def test_any_receipt_can_be_explained_without_the_companys_own_figures() -> None:
    rnd = Random(3)
    for _ in range(300):
        asked, respond = random_call(rnd)
        made = json.loads(json.dumps(ladder(POLICY, asked, respond).as_receipt()))
        text = in_plain_words(made, AFTER, TITLES)
        assert text.count("The agent decided, not the system") == 1
        assert not any(
            word in text for word in ("None", "you may give", "worth of", "budget has", "is left today", "{", "_")
        )
