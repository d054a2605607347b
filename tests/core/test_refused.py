"""Refusals in another language: the database's own sentences, with their values found again."""

from __future__ import annotations

import re

import pytest

from churn.core.language import ENGLISH, speaking
from churn.core.refused import TEXTS, reworded
from churn.languages import language_of
from churn.refusals import PolicyHasProblems, Refusal, refusal
from churn.settings import PROJECT

GERMAN = language_of("de")
SQL = re.sub(r"'\s*\n\s*'", "", (PROJECT / "sql/schema.sql").read_text()).replace("''", "'")


@pytest.mark.parametrize("text", TEXTS)
def test_each_is_a_sentence_of_the_database(text: str) -> None:
    assert re.sub(r"\{\w+\}", "%s", text) in SQL


@pytest.mark.parametrize(
    ("code", "sentence", "said"),
    [
        ("KL301", "You may give £1,140.50 of bill_credit alone.",
         "Allein dürfen Sie geben: Gutschrift bis 1.140,50\u00a0£."),
        ("KL407", "You may give £35 of bill_credit alone; no need to ask.",
         "Bis 35\u00a0£ (Gutschrift) dürfen Sie allein geben; fragen ist nicht nötig."),
        ("KL304", "In 365 days this customer may get KWD 90; KWD 1.250 of it is left.",
         "In 365 Tagen darf dieser Kunde 90\u00a0KWD bekommen; davon sind 1,250\u00a0KWD übrig."),
        ("KL305", "They had free_month on 3 March 2026; it may be given again after 365 days.",
         "Freimonat gab es am 3. März 2026; wieder möglich nach 365 Tagen."),
        ("KL402", "The request is countered; it cannot be approved any more.",
         "Die Anfrage ist schon mit Gegenvorschlag beantwortet; „freigegeben“ geht nicht mehr."),
        ("KL105", "As agent you may not do this; it takes: supervisor or leader.",
         "Als Agent dürfen Sie das nicht; es braucht: Vorgesetzte / Leitung."),
        ("KL702", "", "Sie sind nicht bei Ihnen am Apparat; erst ihren Fall öffnen."),
        ("KL308", "A sentence that nobody has put into words.",
         "Das Budget des Teams reicht dafür nicht mehr; die Finanzabteilung kann es erhöhen."),
    ],
)  # fmt: skip
def test_a_refusal_is_said_in_german_with_its_figures(code: str, sentence: str, said: str) -> None:
    refused = refusal(code, sentence, None, None)
    with speaking(GERMAN):
        assert str(refused) == said
    with speaking(ENGLISH):
        assert str(refused) == (sentence or type(refused).__doc__)


def test_what_no_code_tells_is_said_as_it_came() -> None:
    with speaking(GERMAN):
        assert str(PolicyHasProblems("2 Probleme: …")) == "2 Probleme: …"
        assert str(refusal("KL999", "Something new.", None, None)) == "Something new."
        assert str(Refusal()) == "Das System lehnt das ab."
        assert reworded("Something new.") is None
