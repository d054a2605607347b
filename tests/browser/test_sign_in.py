"""Signing in by a real OpenID provider on loopback: each role's menu, and every way a session ends."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from churn import db, people
from churn.settings import Settings
from churn.ui.gate import PAGES
from tests.browser.conftest import Site, free_port, served, settled
from tests.pages.test_desk import a_customer

pytestmark = pytest.mark.browser
ROLES = ("agent", "supervisor", "leader", "finance", "analyst", "administrator")
ENDED = "Your session has ended; sign in again."


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """An OpenID provider that knows somebody of every role, and somebody we do not know."""
    port = free_port()
    users = [*ROLES, "stranger"]
    claims = [json.dumps({"sub": f"{who}@desk.example", "email": f"{who}@desk.example"}) for who in users]
    running = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
        + [part for claim in claims for part in ("--user-claims", claim)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"{url}/.well-known/openid-configuration", timeout=2):  # noqa: S310
                break
        except OSError:
            assert time.monotonic() < deadline, "the provider did not start"
            time.sleep(0.1)
    yield url
    running.terminate()
    running.wait(10)


@pytest.fixture(scope="module")
def guarded(trained: Settings, provider: str) -> Iterator[Site]:
    """The app with sign-in, and one person of every role on its staff list."""
    port = free_port()
    file = Path(os.environ["KEEPLINE_TEST_RUN"]) / f"secrets-{port}.toml"
    file.write_text(
        f"""[auth]
redirect_uri = "http://localhost:{port}/oauth2callback"
cookie_secret = "{secrets.token_urlsafe(48)}"
client_id = "keepline"
client_secret = "{secrets.token_urlsafe(16)}"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""
    )
    making = served(trained, port, host="localhost", KEEPLINE_SECRETS=str(file))
    made = next(making)
    employ(made)
    yield made
    making.close()
    file.unlink()


def employ(site: Site) -> None:
    """Everybody as they were before a test changed them."""
    database = db.open_database(site.settings, size=1)
    for role in ROLES:
        people.put(database, people.Employee(f"Z-{role}", role.title(), role, "north", f"{role}@desk.example"))
    database.close()


@pytest.fixture
def browsing(browser: Browser, guarded: Site) -> Iterator[BrowserContext]:
    """A browser of its own with the staff list as it should be."""
    employ(guarded)
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="en-GB")
    yield context
    context.close()


def sign_in(page: Page, url: str, who: str) -> None:
    page.goto(url)
    page.get_by_role("button", name="Sign in").click(timeout=60_000)
    page.get_by_role("button", name=f"{who}@desk.example").click(timeout=30_000)


def arrived(page: Page) -> None:
    expect(page.get_by_role("button", name="Sign out")).to_be_visible(timeout=60_000)
    settled(page)


def execute(site: Site, statement: str, *values: object) -> None:
    with psycopg.connect(db.admin_conninfo(site.settings), autocommit=True) as connection:
        connection.execute(statement, values)  # type: ignore[call-overload]


def shows_only_the_door(page: Page, sentence: str) -> None:
    expect(page.get_by_text(sentence)).to_be_visible(timeout=30_000)
    settled(page)
    assert page.locator('[data-testid="stSidebarNavLink"]').count() == 0
    text = page.locator('[data-testid="stMain"]').inner_text()
    assert len(text) < 300, text


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_its_own_menu_and_no_other(browsing: BrowserContext, guarded: Site, role: str) -> None:
    page = browsing.new_page()
    sign_in(page, guarded.url, role)
    arrived(page)
    own = {title for title, _, roles in PAGES.values() if role in roles}
    links = page.locator('[data-testid="stSidebarNavLink"]')
    if len(own) > 1:
        expect(links).to_have_count(len(own), timeout=15_000)
        assert {text.splitlines()[-1] for text in links.all_inner_texts()} == own  # an icon's name comes first
    else:
        assert links.count() <= len(own)


def test_a_screen_pop_survives_signing_in(browsing: BrowserContext, guarded: Site) -> None:
    _, phone, name = a_customer(guarded.settings)
    page, told = browsing.new_page(), []

    def hear(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text and "gstatic" not in message.text:  # a menu icon as favicon
            told.append(message.text)

    page.on("console", hear)
    sign_in(page, f"{guarded.url}/desk?ani={phone.replace('+', '%2B')}", "agent")
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=60_000)
    settled(page)
    assert "/desk?" in page.url
    assert told == [], "our own headers stop a part of the screen"
    log = guarded.log.read_text()
    assert phone.removeprefix("+") not in log
    assert name not in log
    assert "ani=" not in log


def test_signing_out_ends_the_other_tab_and_the_cookie_is_worth_nothing(
    browser: Browser, browsing: BrowserContext, guarded: Site
) -> None:
    first, second = browsing.new_page(), browsing.new_page()
    sign_in(first, f"{guarded.url}/desk", "agent")
    arrived(first)
    second.goto(f"{guarded.url}/callbacks")
    arrived(second)
    kept = browsing.cookies()
    first.get_by_role("button", name="Sign out").click()
    first.wait_for_url("**/oauth2/end_session**", timeout=30_000)  # their provider asks, too
    second.get_by_role("link", name="Desk").click()
    shows_only_the_door(second, ENDED)
    thief = browser.new_context()
    thief.add_cookies(kept)  # type: ignore[arg-type]
    page = thief.new_page()
    page.goto(f"{guarded.url}/desk")
    shows_only_the_door(page, ENDED)
    thief.close()


def test_an_idle_session_ends_and_signing_in_goes_on(browsing: BrowserContext, guarded: Site) -> None:
    page = browsing.new_page()
    sign_in(page, f"{guarded.url}/desk", "agent")
    arrived(page)
    execute(guarded, "UPDATE desk.sessions SET last_seen_at = now() - interval '31 minutes'")
    page.get_by_role("link", name="Callbacks").click()
    shows_only_the_door(page, ENDED)
    page.reload()
    shows_only_the_door(page, ENDED)
    time.sleep(1.1)  # the provider tells the time in seconds
    sign_in(page, f"{guarded.url}/callbacks", "agent")
    arrived(page)
    assert page.url.endswith("/callbacks")


def test_somebody_we_do_not_know_is_told_so_and_sees_nothing(browsing: BrowserContext, guarded: Site) -> None:
    page = browsing.new_page()
    sign_in(page, f"{guarded.url}/desk", "stranger")
    shows_only_the_door(page, "not a person who may use this desk")


def test_a_cookie_that_was_tampered_with_signs_nobody_in(browsing: BrowserContext, guarded: Site) -> None:
    page = browsing.new_page()
    sign_in(page, f"{guarded.url}/desk", "agent")
    arrived(page)
    for cookie in browsing.cookies():
        if cookie["name"] == "_streamlit_user":
            value = cookie["value"]
            middle = len(value) // 3
            swapped = "A" if value[middle] != "A" else "B"
            browsing.add_cookies([{**cookie, "value": value[:middle] + swapped + value[middle + 1 :]}])  # type: ignore[list-item]
    page.goto(f"{guarded.url}/desk")
    shows_only_the_door(page, "Sign in with your company's account")


@pytest.mark.parametrize("change", ["role", "is_active"])
def test_a_role_that_is_taken_away_ends_the_session(browsing: BrowserContext, guarded: Site, change: str) -> None:
    page = browsing.new_page()
    sign_in(page, f"{guarded.url}/approvals", "supervisor")
    arrived(page)
    database = db.open_database(guarded.settings, size=1)
    people.change(database, "Z-supervisor", **({"role": "agent"} if change == "role" else {"is_active": False}))
    database.close()
    shows_only_the_door(page, "Your role has changed since you signed in")  # the queue asks every second by itself
