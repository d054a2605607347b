"""The log: a line of JSON each, with the request's id, and nothing in it that says who a customer is.

An error is told by its kind, its SQLSTATE and where in the code it happened. Its words are left out, and so are the
parameters: both may quote a row. What other libraries log loses query strings, e-mail addresses and long numbers.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg

from churn.settings import PROJECT

LOG = logging.getLogger("keepline")
request_id: ContextVar[str] = ContextVar("request_id", default="")

FRAMES = 40  # of a traceback: the innermost
LONGEST = 1000  # characters of a message
OURS = ("page", "role", "code", "seconds", "rows")  # what a line of ours may say besides
SECRETS = (
    (re.compile(r"\?[^\s\"'<>]+"), "?…"),  # a query string: the caller's number is in it
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "…@…"),
    (re.compile(r"\+?\d[\d ()./-]{5,}\d"), "…"),  # seven digits or more: a number of a telephone, a card, an account
    (re.compile(r"(?i)\b(token|secret|password|cookie|authorization)\b(\W+)\S+"), r"\1\2…"),
)


class JsonLines(logging.Formatter):
    """One line of JSON for a record."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; whatever an error says in words stays out of it."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": clean(_message(record)),
        }
        if held := request_id.get():
            line["request"] = held
        line |= {name: getattr(record, name) for name in OURS if hasattr(record, name)}
        if record.exc_info and record.exc_info[1] is not None:
            line["errors"] = list(told(record.exc_info[1]))
        return json.dumps(line, ensure_ascii=False)


def configure(stream: Any = None) -> None:
    """Send every logger of this process through one handler of ours. Doing it again takes in loggers made since."""
    root = logging.getLogger()
    if not any(isinstance(handler.formatter, JsonLines) for handler in root.handlers):
        handler = logging.StreamHandler(stream or sys.stderr)
        handler.setFormatter(JsonLines())
        root.handlers[:] = [handler]
        root.setLevel(logging.INFO)
    for name, logger in list(logging.Logger.manager.loggerDict.items()):
        # Streamlit gives each of its loggers a handler of its own.
        if isinstance(logger, logging.Logger) and name.startswith(("streamlit", "uvicorn", "websockets")):
            logger.handlers.clear()
            logger.propagate = True
    for name in ("httpx", "uvicorn.access"):  # they log whole addresses
        logging.getLogger(name).setLevel(logging.WARNING)


def begin_request() -> str:
    """A new id for what is done from here on in this thread."""
    held = uuid4().hex[:12]
    request_id.set(held)
    return held


def clean(text: str) -> str:
    """A message without query strings, addresses, long numbers and secrets, on one line."""
    for pattern, shown in SECRETS:
        text = pattern.sub(shown, text)
    return " ".join(text.split())[:LONGEST]


def told(error: BaseException) -> Iterator[dict[str, Any]]:
    """An error and what it came from: kind, SQLSTATE, constraint and places in the code."""
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None:
            return
        line: dict[str, Any] = {"kind": f"{type(seen).__module__}.{type(seen).__qualname__}"}
        if isinstance(seen, psycopg.Error):
            line |= {"sqlstate": seen.sqlstate, "constraint": seen.diag.constraint_name, "table": seen.diag.table_name}
        line["at"] = [
            f"{frame.filename.removeprefix(f'{PROJECT}/')}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(seen.__traceback__)[-FRAMES:]
        ]
        yield {name: value for name, value in line.items() if value}
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def _message(record: logging.LogRecord) -> str:
    if record.exc_info or any(isinstance(part, BaseException) for part in _parts(record)):
        words = str(record.msg).strip().splitlines() or [""]
        return words[0].split("%", 1)[0]  # the fixed words only: the rest may quote the error
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return str(record.msg)


def _parts(record: logging.LogRecord) -> tuple[object, ...]:
    return record.args if isinstance(record.args, tuple) else (record.args,)
