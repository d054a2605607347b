"""Nothing that says who a customer is reaches the log, whichever way it is tried."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import psycopg
import pytest

from churn.operations import logs

PERSONAL = ("Zaphod Beeblebrox", "+447700900123", "07700 900123", "zaphod@galaxy.example", "4111 1111 1111 1111")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What one logger writes through our formatter."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonLines())
    logger = logging.getLogger("keepline.test")
    logger.addHandler(handler)
    logger.propagate = False
    yield stream
    logger.removeHandler(handler)


def line(log: io.StringIO) -> dict:
    (text,) = log.getvalue().splitlines()
    return json.loads(text)


@pytest.mark.parametrize("secret", PERSONAL)
def test_an_error_is_told_by_its_kind_and_place_without_its_words(log: io.StringIO, secret: str) -> None:
    def look_up() -> None:
        raise ValueError(f"no customer {secret}")

    try:
        try:
            look_up()
        except ValueError as first:
            raise RuntimeError(f"while opening {secret}") from first
    except RuntimeError as error:
        logging.getLogger("keepline.test").error("A case could not be opened: %s", error, exc_info=error)
    assert secret not in log.getvalue()
    told = line(log)
    assert [one["kind"] for one in told["errors"]] == ["builtins.RuntimeError", "builtins.ValueError"]
    assert any("test_logs.py" in place and "look_up" in place for place in told["errors"][1]["at"])


def test_an_error_of_the_database_shows_its_state_and_no_value(log: io.StringIO, owner: psycopg.Connection) -> None:
    statement = "INSERT INTO desk.staff (staff_id, name, role) VALUES (%s, %s, 'agent')"
    owner.execute(statement, [PERSONAL[1], PERSONAL[0]])
    with pytest.raises(psycopg.errors.UniqueViolation) as raised:
        owner.execute(statement, [PERSONAL[1], PERSONAL[0]])
    assert PERSONAL[1] in str(raised.value)  # the words would have told
    logging.getLogger("keepline.test").error("Failed", exc_info=raised.value)
    told = line(log)["errors"][0]
    assert (told["sqlstate"], told["constraint"], told["table"]) == ("23505", "staff_pkey", "staff")
    assert PERSONAL[1] not in log.getvalue()


@pytest.mark.parametrize(
    "message",
    [
        "GET /desk?ani=%2B447700900123&x=1 HTTP/1.1",
        "opened http://localhost:8501/desk?account=C1&name=Zaphod",
        "call from +447700900123",
        "call from 07700 900123 (home)",
        "card 4111 1111 1111 1111",
        "mail to zaphod@galaxy.example failed",
        "token=abc123secret given",
        "Authorization: Bearer-abc123secret",
    ],
)
def test_what_others_log_loses_numbers_addresses_and_queries(log: io.StringIO, message: str) -> None:
    logging.getLogger("keepline.test").warning("%s", message)
    text = line(log)["message"]
    for secret in ("7700900123", "900123", "1111", "zaphod@", "Zaphod", "abc123secret", "ani=", "account=C1"):
        assert secret not in text


def test_a_line_bears_the_request_and_breaks_nowhere(log: io.StringIO) -> None:
    held = logs.begin_request()
    logging.getLogger("keepline.test").warning("one\ntwo\u2028three")
    logs.request_id.set("")
    told = line(log)
    assert (told["request"], told["message"], told["level"]) == (held, "one two three", "warning")
    assert len(held) == 12
