"""What a URL asks for, by whatever name a telephone system gives it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.calls.screen_pop import LONGEST, NUMBER_NAMES, Asked, read_query


@pytest.mark.parametrize(
    ("parameters", "asked"),
    [
        ({"ani": "+447700900123"}, Asked("ani", "+447700900123")),
        ({"ANI": " 447700900123"}, Asked("ani", " 447700900123")),  # the lost plus must reach the reader of numbers
        ({"CustomerEndpoint": "tel:+44"}, Asked("ani", "tel:+44")),
        ({"caller": "A1"}, Asked("caller", "A1")),
        ({"account": "A1", "ani": "1"}, Asked("account", "A1")),
        ({"contact": "K1", "account": "A1", "caller": "B", "ani": "1"}, Asked("contact", "K1")),
        ({"account": "  ", "ani": "1"}, Asked("ani", "1")),
        ({"q": "ada"}, Asked("search", "ada")),
        ({"page": "desk", "embed": "true"}, None),
        ({"ani": ""}, None),
        ({}, None),
        ({"ani": "<script>alert(1)</script>"}, Asked("ani", "<script>alert(1)</script>")),
    ],
)
def test_the_first_that_says_anything_is_asked_for(parameters: dict[str, str], asked: Asked | None) -> None:
    assert read_query(parameters) == asked


@pytest.mark.parametrize("name", NUMBER_NAMES)
def test_every_name_of_a_number_is_known_in_any_case(name: str) -> None:
    assert read_query({name.upper(): "1"}) == Asked("ani", "1")


def test_an_overlong_value_is_cut() -> None:
    asked = read_query({"account": "x" * 10_000})
    assert asked is not None
    assert len(asked.key) == LONGEST == 128


@given(st.dictionaries(st.text(), st.text()))
def test_names_that_are_not_on_the_list_never_ask(parameters: dict[str, str]) -> None:
    asked = read_query(parameters)
    known = {*NUMBER_NAMES, "contact", "account", "caller", "q"}
    assert asked is None or any(name.lower() in known for name in parameters)
