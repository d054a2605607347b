"""The app as operations.md has it for many: several processes behind nginx with sign-in, all of it on loopback.

nginx runs docs/nginx.conf itself; other ports, another folder and more processes are put in, nothing else.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from churn import bootstrap
from churn.settings import PROJECT, Settings
from tests.tabs import Address, Tab

HOST = "localhost"  # the name in nginx.conf, and the one signed in to
READY_SECONDS = 180.0
UPSTREAM = re.compile(r"( +)server 127\.0\.0\.1:8601(.*);\n +server 127\.0\.0\.1:8602.*\n")
SERVE = ("serve", "--headless", "--port")
OPENSSL = (
    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}", "-addext",
    f"subjectAltName=DNS:{HOST}",
)  # fmt: skip
SECRETS = """[auth]
redirect_uri = "https://{host}:{port}/oauth2callback"
cookie_secret = "{secret}"
client_id = "keepline"
client_secret = "{secret}"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""


@dataclass(slots=True)
class Process:
    """One process of the app, which can be killed and started again on its port."""

    port: int
    database: str
    folder: Path
    environment: dict[str, str]
    running: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start it; `wait` says when it serves."""
        with (self.folder / f"app-{self.port}.log").open("ab") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", "churn", "--database", self.database, *SERVE, str(self.port)],
                cwd=PROJECT, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip

    def wait(self) -> None:
        """Until it says that it is ready."""
        _wait_for(f"http://127.0.0.1:{self.port}/readyz", self.running)

    def kill(self) -> None:
        """As by the kernel when memory is short: no farewell."""
        self.running.kill()
        self.running.wait(60)

    def stop(self) -> None:
        """In order."""
        self.running.send_signal(signal.SIGTERM)
        self.running.wait(60)


@dataclass(frozen=True, slots=True)
class Balanced:
    """The whole of it, running."""

    processes: Sequence[Process]
    port: int
    tls: ssl.SSLContext
    folder: Path

    @property
    def url(self) -> str:
        """The one address everybody has."""
        return f"https://{HOST}:{self.port}"

    def sign_in(self, subject: str, *, to: Process | None = None) -> Address:
        """Sign somebody in by the provider's own form; the address with their cookies, kept with the process `to`."""
        with self._browser() as browser:
            browser.get("/")
            while to is not None and self._led_to(browser) != to.port:
                browser.cookies.clear()  # another browser, until its cookie leads there
            browser.get("/_stcore/health")  # as the page itself does: it brings the token against forged requests
            door = Tab(self._address(browser))
            door.run()
            door.press(key="sign_in")
            form = browser.get(door.redirected_to or "")
            door.close()
            browser.post(form.url, data={"sub": subject}).raise_for_status()
            return self._address(browser)

    def leads_to(self, at: Address) -> int:
        """The port of the process that whoever has these cookies comes to now."""
        with self._browser() as browser:
            browser.cookies.update(dict(at.cookies))
            return self._led_to(browser)

    def _browser(self) -> httpx.Client:
        return httpx.Client(verify=self.tls, base_url=self.url, follow_redirects=True, timeout=60)

    def _led_to(self, browser: httpx.Client) -> int:
        """Ask for the page; nginx writes down, once it has answered, which process had it."""
        before = len(self._pages_served())
        browser.get("/").raise_for_status()
        while len(served := self._pages_served()) == before:
            time.sleep(0.005)
        return int(served[-1].rsplit(":", 1)[-1])

    def _pages_served(self) -> list[str]:
        log = self.folder / "nginx-access.log"
        return [line for line in log.read_text().splitlines() if " GET / " in line] if log.exists() else []

    def _address(self, browser: httpx.Client) -> Address:
        return Address(self.port, HOST, self.tls, dict(browser.cookies))


@contextmanager
def balanced(settings: Settings, folder: Path, subjects: Sequence[str], *, processes: int = 4) -> Iterator[Balanced]:
    """`processes` of the app on one company, nginx in front; `subjects` are who the provider knows."""
    ports = free_ports(processes + 2)
    provider, front = f"http://127.0.0.1:{ports[0]}", ports[1]
    (folder / "secrets.toml").write_text(
        SECRETS.format(host=HOST, port=front, secret=secrets.token_urlsafe(48), provider=provider)
    )
    environment = os.environ | {"KEEPLINE_SECRETS": str(folder / "secrets.toml"), "KEEPLINE_HOME": str(settings.home)}
    apps = [Process(port, settings.database, folder, environment) for port in ports[2:]]
    for app in apps:
        app.start()
    others = [_provider(ports[0], subjects)]
    try:
        tls = _certificate(folder)
        _wait_for(f"{provider}/.well-known/openid-configuration", others[0])
        others.append(_nginx(folder, front, ports[2:]))
        for app in apps:
            app.wait()
        yield Balanced(apps, front, tls, folder)
    finally:
        for other in others:
            other.terminate()
            other.wait(60)
        for app in apps:
            app.running.send_signal(signal.SIGTERM)
        for app in apps:
            app.running.wait(60)


def free_ports(count: int) -> list[int]:
    """Ports nobody listens at now, all different."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _nginx(folder: Path, port: int, upstreams: Sequence[int]) -> subprocess.Popen[bytes]:
    text = (PROJECT / "docs/nginx.conf").read_text()
    servers = "".join(rf"\1server 127.0.0.1:{upstream}\2;" + "\n" for upstream in upstreams)
    text, replaced = UPSTREAM.subn(servers, text)
    assert replaced == 1, "docs/nginx.conf names its two processes in another way"
    text = text.replace("127.0.0.1:8443", f"127.0.0.1:{port}")
    # Whoever is not root may not write where Debian's nginx keeps what it buffers.
    kept = "".join(
        f"    {what}_temp_path {folder}/{what};\n" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(text.replace("http {\n", f"http {{\n{kept}"))
    command = [bootstrap.ensure_nginx(), "-e", "stderr", "-p", f"{folder}/", "-c", "nginx.conf", "-g", "daemon off;"]
    with (folder / "nginx.log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return running
        except OSError:
            if running.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nginx did not start: {(folder / 'nginx.log').read_text()}") from None
            time.sleep(0.05)


def _certificate(folder: Path) -> ssl.SSLContext:
    """As operations.md makes one to try it with; what trusts it and nothing else."""
    subprocess.run(
        ["openssl", *OPENSSL, "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    trusting = ssl.create_default_context(cafile=str(folder / "certificate.pem"))
    # A tab reads in one thread and writes in another, which OpenSSL does not allow for. By TLS 1.3 the server goes on
    # with the handshake after it: of thousands of connections some hung for ever. By 1.2 none of 38,000 did.
    trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    return trusting


def _provider(port: int, subjects: Sequence[str]) -> subprocess.Popen[bytes]:
    claims = [json.dumps({"sub": subject, "email": subject}) for subject in subjects]
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
        + [part for claim in claims for part in ("--user-claims", claim)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _wait_for(url: str, running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - on loopback
                return
        except (OSError, urllib.error.URLError):
            if running.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{url} did not come to answer.") from None
            time.sleep(0.1)
