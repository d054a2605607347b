"""A raw websocket client goes straight to each page of a process that has just begun: it is shown the door, no more.

There Streamlit runs the page without app.py, so the page's own guard is all there is. Read is everything the server
sends, byte by byte.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from churn import db
from churn.settings import PROJECT, Settings
from tests.factories import put_customer
from tests.tabs import Address, Tab

PAGES = sorted(path.stem for path in PROJECT.glob("pages/*.py"))
NAMES = (b"Zaphod", b"Beeblebrox", b"Marvin Secret", b"Sirius Cybernetics")
AUTH = """[auth]
redirect_uri = "http://localhost:8501/oauth2callback"
cookie_secret = "{secret}"
client_id = "a"
client_secret = "b"
server_metadata_url = "http://127.0.0.1:9/"
"""


@pytest.fixture
def company(database: Settings, owner: psycopg.Connection) -> Settings:
    """A company with a name, a customer and an agent, none of whom may be told."""
    owner.execute(
        "INSERT INTO desk.company (name, time_zone, phone_region, currency, source) "
        "VALUES ('Sirius Cybernetics', 'Europe/London', 'GB', 'GBP', 'simulated')"
    )
    owner.execute(
        "INSERT INTO desk.staff (staff_id, name, role, team) VALUES ('M1', 'Marvin Secret', 'agent', 'north')"
    )
    with psycopg.connect(db.admin_conninfo(database)) as connection:
        put_customer(connection, "Z1", name="Zaphod Beeblebrox")
    return database


@contextmanager
def fresh(settings: Settings, *options: str) -> Iterator[int]:
    """A process of `streamlit run app.py` nobody has visited yet; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port), *options],
        cwd=PROJECT, env=os.environ | {"KEEPLINE_DATABASE": settings.database},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while True:
            assert app.poll() is None
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the app did not start"
                time.sleep(0.1)
        yield port
    finally:
        app.terminate()
        app.wait(20)


def visit(port: int, page: str, **headers: str) -> bytes:
    """Everything the server sends to whoever opens a page."""
    at = Address(port, headers.pop("Host", "127.0.0.1"), headers=headers)
    tab = Tab(at, page, "account=Z1&who=M1")
    tab.run(keep_raw=True)
    tab.close()
    return tab.raw


@pytest.mark.slow
@pytest.mark.parametrize("first", ["desk", "spend", "audit"])
def test_on_a_fresh_process_every_page_shows_the_door_only(company: Settings, tmp_path: Path, first: str) -> None:
    """One page opened by the process' very first visitor, then every page by others, each by its own line."""
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(AUTH.format(secret="x" * 40))
    with fresh(company, "--secrets.files", str(secrets)) as port:
        for page in (first, *PAGES):
            told = visit(port, page)
            assert b"Sign in with your company" in told, page
            assert [name for name in NAMES if name in told] == [], page
            assert b"M1" not in told, page


def told_the_door_only(told: bytes, words: bytes) -> None:
    assert words in told
    assert [name for name in NAMES if name in told] == []


@pytest.mark.slow
def test_local_mode_refuses_what_is_not_of_this_machine(company: Settings) -> None:
    with fresh(company, "--server.address", "0.0.0.0") as port:  # noqa: S104
        told_the_door_only(visit(port, "desk"), b"it listens on 0.0.0.0")
    with fresh(company) as port:
        through = visit(port, "desk", **{"X-Forwarded-For": "203.0.113.7"})
        told_the_door_only(through, b"the request came through a proxy")
        told_the_door_only(visit(port, "desk", Host="desk.example"), b"by another name")
        assert b"Marvin Secret" in visit(port, "desk")  # else all of this would prove nothing
