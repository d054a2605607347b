"""Telling a billing system by HTTP: which addresses are allowed, how a message is signed, one bounded attempt.

Signed as Standard Webhooks says (standardwebhooks.com), so that its libraries verify it: `webhook-id`,
`webhook-timestamp`, and `webhook-signature: v1,` with base64 of HMAC-SHA256 over id, timestamp and body, points
between.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from churn.core.language import mark
from churn.web import identity, secrets_file

SECONDS = 10.0  # one attempt, from the look-up of the name to the last header of the answer
SHORTEST_SECRET = 24  # bytes
PREFIX = "whsec_"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class BadWebhook(ValueError):
    """The webhook's settings cannot be used."""


class NotSent(Exception):
    """The attempt failed: why, in a few words without anything the other side said."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where to, signed with what. `may_be_private`: addresses of a private network are allowed."""

    url: str
    secret: bytes = field(repr=False)
    may_be_private: bool = False
    seconds: float = SECONDS


def configured() -> Webhook | None:
    """`[webhook]` of the secrets file or the environment; None: there is none. Raises BadWebhook, NoSecret."""
    held = secrets_file.section("webhook")
    if not held.get("url"):
        return None
    webhook = Webhook(held["url"], secret_of(held.get("secret", "")), held.get("allow_private", "").lower() == "true")
    refuse_bad_url(webhook)
    return webhook


def secret_of(text: str) -> bytes:
    """The bytes of `whsec_…`. Raises BadWebhook."""
    try:
        found = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not text.startswith(PREFIX) or len(found) < SHORTEST_SECRET:
        raise BadWebhook(
            f"secret of [webhook] must be whsec_ and base64 of {SHORTEST_SECRET} random bytes or more: "
            "`python3 -c 'import base64, os; print(\"whsec_\" + base64.b64encode(os.urandom(32)).decode())'` makes one."
        )
    return found


def refuse_bad_url(webhook: Webhook) -> None:
    """https, or http to this machine itself; no name or password in it. Raises BadWebhook."""
    try:
        parts = urlsplit(webhook.url)
        _ = parts.port
    except ValueError:
        raise BadWebhook("url of [webhook] is no address.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise BadWebhook("url of [webhook] must be https://host/path, without a name or password in it.")
    if parts.scheme == "http" and not identity.is_loopback(parts.hostname):
        raise BadWebhook("url of [webhook] must begin with https, but for this machine itself.")


def signature(webhook: Webhook, message_id: str, timestamp: int, body: bytes) -> str:
    """What stands in `webhook-signature`."""
    said = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(webhook.secret, said, hashlib.sha256).digest()).decode()


def vetted(host: str, port: int, *, may_be_private: bool) -> list[str]:
    """The addresses of a host, every one of them allowed. Raises NotSent.

    A name that leads to this machine or into a private network is a way to make us ask there; this machine is asked
    only by its own name.
    """
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):  # not found, or no name at all
        raise NotSent(mark("the host is not known")) from None
    for text in found:
        address = ipaddress.ip_address(str(text).split("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if not _may_ask(address, is_own_name=identity.is_loopback(host), may_be_private=may_be_private):
            raise NotSent(mark("the host is in a network that is not allowed"))
    return sorted(str(text) for text in found)


def post(webhook: Webhook, message_id: str, body: bytes) -> int:
    """Send once and give the status; redirects are not followed. Raises NotSent when there is no answer in time."""
    parts, timestamp = urlsplit(webhook.url), int(time.time())
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    headers = {
        "host": parts.netloc,
        "content-type": "application/json",
        "user-agent": "keepline-webhook/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(webhook, message_id, timestamp, body),
    }
    address = vetted(host, port, may_be_private=webhook.may_be_private)[0]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    line: socket.socket | None = None
    try:
        # The vetted address itself is asked, so that the name cannot lead elsewhere a moment later.
        line = socket.create_connection((address, port), timeout=webhook.seconds)
        with _deadline(line, webhook.seconds):
            if parts.scheme == "https":
                line = ssl.create_default_context().wrap_socket(line, server_hostname=host)
            connection = http.client.HTTPConnection(host, port)
            connection.sock = line
            connection.request("POST", path, body, headers)
            return connection.getresponse().status
    except TimeoutError:
        raise NotSent(f"no answer in {webhook.seconds:g} s") from None
    except ssl.SSLError:
        raise NotSent(mark("its certificate is not good, or it speaks no TLS")) from None
    except (OSError, http.client.HTTPException):
        raise NotSent(mark("the connection failed")) from None
    finally:
        if line is not None:
            line.close()


def _may_ask(address: Address, *, is_own_name: bool, may_be_private: bool) -> bool:
    if address.is_loopback:
        return is_own_name
    if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
        return False  # where a cloud keeps its machines' credentials
    return address.is_global or (may_be_private and address.is_private)


@contextmanager
def _deadline(line: socket.socket, seconds: float) -> Iterator[None]:
    """Cut the line when all of it takes too long: a time-out of a socket begins anew with every byte."""
    is_late = threading.Event()

    def cut() -> None:
        is_late.set()
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        if is_late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
