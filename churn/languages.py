"""The languages the desk speaks: English in the code, each other one in the `.po` files of `texts/<code>/`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from gettext import c2py
from pathlib import Path
from typing import Any

from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from churn.core.language import ENGLISH, IN, Language
from churn.refusals import Refusal
from churn.settings import PROJECT

TEXTS = PROJECT / "texts"
KEYWORDS = {"t": 1, "mark": 1, "tc": 2, "tn": 2}  # of `churn.core.language` → literals in it


@cache
def languages() -> dict[str, Language]:
    """Every language by its code, English first."""
    others = sorted(folder.name for folder in TEXTS.iterdir() if folder.is_dir())
    return {ENGLISH.code: ENGLISH} | {code: _read(code) for code in others}


def language_of(asked: str | None) -> Language:
    """The language for a browser's or a person's wish (`de`, `de-AT`); English when it is not spoken."""
    return languages().get((asked or "").replace("_", "-").split("-")[0].lower(), ENGLISH)


@cache
def chart_locale(code: str) -> dict[str, Any]:
    """How a chart writes numbers and days in a language that is not English: `config.locale` of Vega-Lite."""
    locale = Locale.parse(code)
    symbols, months, days = locale.number_symbols["latn"], locale.months["format"], locale.days["format"]
    week = (6, 0, 1, 2, 3, 4, 5)  # Vega's begins on Sunday
    return {
        "number": {
            "decimal": symbols["decimal"],
            "thousands": symbols["group"],
            "grouping": [3],
            "currency": ["", ""],  # amounts name theirs in the title
            "percent": locale.percent_formats[None].pattern.rpartition("0")[2],
            "minus": "−",
        },
        "time": {
            "dateTime": "%A, %-d. %B %Y %X",
            "date": "%d.%m.%Y",
            "time": "%H:%M:%S",
            "periods": ["AM", "PM"],
            "days": [days["wide"][day] for day in week],
            "shortDays": [days["abbreviated"][day].rstrip(".") for day in week],
            "months": [months["wide"][month] for month in range(1, 13)],
            "shortMonths": [months["abbreviated"][month] for month in range(1, 13)],
        },
    }


def files(code: str) -> list[Path]:
    """The files of a language, by subject."""
    return sorted((TEXTS / code).glob("*.po"))


def read(path: Path) -> Catalog:
    """One file of texts. Raises PoFileError with the line that is not in order."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.name, abort_invalid=True)


def texts_of_code() -> Catalog:
    """Every text the code says, with the files it stands in: what a language must have."""
    found = Catalog()
    for path in sorted([PROJECT / "app.py", *PROJECT.glob("pages/*.py"), *PROJECT.glob("churn/**/*.py")]):
        where = path.relative_to(PROJECT).as_posix()
        for context, text in _texts_in(path):
            found.add(text, locations=[(where, 0)], context=context)
    for kind in (Refusal, *Refusal.__subclasses__()):
        found.add(kind.__doc__ or "", locations=[("churn/refusals.py", 0)])
    return found


def _texts_in(path: Path) -> Iterator[tuple[str | None, str | tuple[str, ...]]]:
    """(context, text or its singular and plural) of each call of KEYWORDS; those within an f-string too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KEYWORDS:
            literals = [asked.value for asked in node.args if isinstance(asked, ast.Constant)]
            said = [text for text in literals if isinstance(text, str)]
            if len(said) == KEYWORDS[node.func.id]:
                context = said.pop(0) if node.func.id == "tc" else None
                yield context, said[0] if len(said) == 1 else tuple(said)


def untranslated(code: str) -> Catalog:
    """The texts of the code that a language does not have yet, ready to be filled in."""
    texts, missing = languages()[code].texts, Catalog(locale=code)
    for message in texts_of_code():
        if message.id and key_of(message) not in texts:
            missing.add(message.id, locations=message.locations, context=message.context)
    return missing


def key_of(message: Message) -> str:
    """What a language's texts go by: the English text, or its singular, behind its context."""
    one = _forms(message.id)[0]
    return f"{message.context}{IN}{one}" if message.context else one


def _read(code: str) -> Language:
    locale, texts, form = Locale.parse(code), dict[str, tuple[str, ...]](), ENGLISH.form
    for catalog in map(read, files(code)):
        form = c2py(catalog.plural_expr)
        for message in catalog:
            if message.id and all(said := _forms(message.string)):
                texts[key_of(message)] = said
    symbols = locale.number_symbols["latn"]
    day_first = locale.date_formats["medium"].pattern
    return Language(
        code=code,
        name=(locale.get_display_name(code) or code).capitalize(),
        texts=texts,
        form=form,
        decimal=symbols["decimal"],
        group=symbols["group"],
        is_mark_after=locale.currency_formats["standard"].pattern.strip().endswith("¤"),
        months=tuple(locale.months["format"]["abbreviated"][month] for month in range(1, 13)),
        long_months=tuple(locale.months["format"]["wide"][month] for month in range(1, 13)),
        weekdays=tuple(locale.days["format"]["wide"][day] for day in range(7)),
        short_weekdays=tuple(locale.days["format"]["abbreviated"][day] for day in range(7)),
        day="{day}. {month}" if day_first.startswith("dd.") else "{day} {month}",
    )


def _forms(text: object) -> tuple[str, ...]:
    return tuple(map(str, text)) if isinstance(text, tuple | list) else (str(text or ""),)
