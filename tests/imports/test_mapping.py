"""A mapping says everything that is wrong with it at once, and reads what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from churn.imports.mapping import MappingError
from churn.imports.parsing import load_mapping
from tests.imports.small import COMPANY, FILES

GOOD = COMPANY.format(currency="GBP") + FILES.format(decimal="1,234.50")


def problems(folder: Path, text: str) -> list[str]:
    (folder / "m.toml").write_text(text)
    with pytest.raises(MappingError) as error:
        load_mapping(folder / "m.toml")
    return error.value.problems


def test_every_problem_is_said_at_once(tmp_path: Path) -> None:
    said = problems(
        tmp_path,
        """
        [company]
        name = ""
        time_zone = "Mars/Olympus"
        phone_region = "ZZ"
        currency = "pounds"
        horizon_days = 0
        colour = "blue"
        [[file]]
        path = "../secret.csv"
        dates = "%y/%m/%d"
        decimal = "12.5"
        encoding = "utf-9"
        [file.customers]
        customer_id = { column = "id", constant = "1" }
        joined_on = { months_before_snapshot = "tenure" }
        nickname = "nick"
        """,
    )
    expected = [
        "[company] has “colour”, which means nothing here",
        "[company] needs name: a text.",
        "[company] needs time_zone: an IANA name such as Europe/London.",
        "[company] needs phone_region: two letters such as GB.",
        "[company] needs currency: three letters such as GBP.",
        "[company] horizon_days is a number of days from 1 to 730.",
        "[[file]] ../secret.csv needs path: the file's name inside the folder.",
        "[[file]] ../secret.csv has an unknown encoding “utf-9”.",
        "[[file]] ../secret.csv: decimal shows how an amount is written",
        "[[file]] ../secret.csv: the date style “%y/%m/%d” uses %y",
        "[[file]] ../secret.csv customers has “nickname”, which means nothing here",
        "[[file]] ../secret.csv customers.customer_id is the name of a column, or a table with exactly one of",
        "[[file]] ../secret.csv customers.joined_on counts from the snapshot, but [company] has no snapshot_on.",
        "[[file]] ../secret.csv customers needs name.",
    ]
    assert len([line for line in expected if any(one.startswith(line) for one in said)]) == len(expected)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('dates = "%d/%m/%Y"\n', "", "customers.joined_on needs a date style"),
        ("[file.customers]", "[file.guests]", "has “guests”, which means nothing here"),
        ('"Price"', "{ column = 3 }", "subscriptions.monthly_price: column is a text."),
        ('"Price"', '{ sum = "Price" }', "subscriptions.monthly_price: sum is a list of columns."),
        ('"Phone"', '{ column = "Phone", padd = 3 }', "has “padd”, which means nothing here"),
        ("[company]", "[company", "It is not TOML"),
        ("[[file]]", "[[files]]", "The mapping has “files”, which means nothing here"),
    ],
)
def test_a_wrong_mapping_is_refused_with_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert any(sentence in problem for problem in problems(tmp_path, GOOD.replace(old, new)))


def test_an_unknown_name_lists_the_ready_mappings() -> None:
    with pytest.raises(MappingError, match="ready are cell2cell, eagle, maven, mlc, telco"):
        load_mapping("nothing")


def test_a_snapshots_data_reach_to_the_last_instant_of_its_day(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(GOOD.replace('currency = "GBP"', 'currency = "GBP"\nsnapshot_on = 2024-07-01'))
    assert load_mapping(path).company.data_until == datetime(2024, 7, 1, 22, 59, 59, 999999, tzinfo=UTC)
