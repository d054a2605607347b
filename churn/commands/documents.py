"""Documents made from the database: the handbook of the policy in force, the cards of the models in use."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from churn.commands import shared
from churn.core.trust.model_words import KINDS


def add(command: shared.Command) -> None:
    """handbook, model-card."""
    handbook_ = command("handbook", handbook, "the handbook of the policy in force, as markdown or HTML to print")
    card_ = command("model-card", model_card, "the card of each model in use, as markdown or HTML to print")
    card_.add_argument("--model", choices=KINDS, help="one kind (all)")
    for one in (handbook_, card_):
        one.add_argument("--language", default="en", help="its code, as a folder of texts/ is called (en)")
        one.add_argument("--html", action="store_true", help="a page to print instead of markdown")
        one.add_argument("--to", type=Path, metavar="FILE", help="where it goes (the screen)")


def handbook(asked: argparse.Namespace) -> int:
    """Rules, authority, money and worked examples of the policy in force; 1 when there is none."""
    from churn import db
    from churn.documents.handbook import handbook_in_force

    database = db.open_database(shared.existing(), size=1)
    try:
        with _spoken(asked):
            text = handbook_in_force(database, "batch")
    finally:
        database.close()
    return _told(asked, text)


def model_card(asked: argparse.Namespace) -> int:
    """What each model in use is for, was made of and was judged by; 1 when none is in use."""
    from churn import db
    from churn.trust import model_reports

    kinds = [asked.model] if asked.model else list(KINDS)
    with db.connect(shared.existing(), "batch") as connection, _spoken(asked):
        cards = model_reports.cards_in_use(connection, shared.who(), kinds)
    if not cards:
        raise shared.NotYet("No such model is in use yet: `python3 -m churn train` makes one, or says why it cannot.")
    return _told(asked, "\n".join(cards.values()))


@contextmanager
def _spoken(asked: argparse.Namespace) -> Iterator[None]:
    from churn.core.language import speaking
    from churn.languages import languages

    if asked.language not in languages():
        raise shared.NotYet(f"“{asked.language}” is not spoken here; there are {', '.join(languages())}.")
    with speaking(languages()[asked.language]):
        yield


def _told(asked: argparse.Namespace, text: str) -> int:
    from churn.documents import paper

    made = paper.as_page(text, language=asked.language) if asked.html else text
    if asked.to:
        asked.to.write_text(made, encoding="utf-8")
        print(f"{asked.to}: {len(made.encode()):,} bytes.")
    else:
        sys.stdout.write(made)
    return 0
