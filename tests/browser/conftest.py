"""A real Chromium and a real server: started once a worker, on a port of their own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from churn.settings import PROJECT, Settings
from tests.conftest import Slept, clone

ARGUMENTS = [
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--no-first-run",
]  # fmt: skip
PICTURES = PROJECT / "tests/screenshots"
expect.set_options(timeout=30_000)  # a busy machine is slow, not wrong


@dataclass(frozen=True, slots=True)
class Site:
    """A running app and its company."""

    url: str
    settings: Settings
    log: Path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Missing is a failure, not a skip: `python3 -m churn test` installs it."""
    path = os.environ.get("KEEPLINE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "There is no Chromium: run the tests by `python3 -m churn test`, or set KEEPLINE_CHROMIUM."
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def site(slept: Slept) -> Iterator[Site]:
    """The app on a simulated company of this worker's own, the day after a night."""
    yield from served(slept.settings, free_port())


def served(company: Settings, port: int, *, host: str = "127.0.0.1", **environment: str) -> Iterator[Site]:
    """The app by its own command on a copy of `company`, until the caller is done."""
    made = clone(company)
    settings = next(made)
    log = Path(os.environ["KEEPLINE_TEST_RUN"]) / f"app-{port}.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "churn", "serve", "--headless"]
        app = subprocess.Popen(
            [*command, "--database", settings.database, "--port", str(port)],
            cwd=PROJECT, env=os.environ | environment, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        _wait_for(port, app, log)
        yield Site(f"http://{host}:{port}", settings, log)
    finally:
        app.send_signal(signal.SIGTERM)
        app.wait(30)
        made.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """One tab at the size of a contact centre's screen; a picture of how the test ended is kept."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="en-GB")
    tab = context.new_page()
    yield tab
    PICTURES.mkdir(exist_ok=True)
    tab.screenshot(path=PICTURES / f"{re.sub(r'[^a-z0-9]+', '-', request.node.name.lower())[:100]}.png")
    context.close()


def settled(page: Page) -> None:
    """Wait until the run has ended and nothing on screen is stale."""
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached(timeout=60_000)
    expect(page.locator('[data-testid="stStatusWidget"]')).to_have_count(0, timeout=30_000)
    expect(page.locator("[data-stale=true]")).to_have_count(0, timeout=30_000)


def looks_whole(browser: Browser, url: str, views: Mapping[str, str], scheme: str) -> None:
    """Each view of a page in a colour scheme, with something it alone says: no exception, nothing beside the screen."""
    context = browser.new_context(
        viewport={"width": 1366, "height": 768},
        color_scheme=scheme,  # type: ignore[arg-type]
        locale="en-GB",
    )
    page = context.new_page()
    page.goto(url)
    main = page.get_by_test_id("stMain")
    for view, said in views.items():
        chosen = page.get_by_role("radio", name=view, exact=True)
        expect(chosen).to_be_visible(timeout=60_000)
        settled(page)
        chosen.click()
        expect(main.get_by_text(re.compile(said, re.IGNORECASE)).first).to_be_visible(timeout=30_000)
        settled(page)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert main.evaluate("part => part.scrollWidth <= part.clientWidth"), f"{view} is wider than the screen"
    context.close()


def _wait_for(port: int, app: subprocess.Popen[bytes], log: Path) -> None:
    import time
    import urllib.error
    import urllib.request

    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert app.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError(f"The app did not answer: {log.read_text(errors='replace')[-2000:]}")
