"""What every request passes before Streamlit sees it: whose page may ask, what the browser may do with ours, and the
way back to the page somebody was on their way to when they had to sign in.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Streamlit's scripts come from here alone; it writes styles of its own, draws charts in workers and on canvas.
CONTENT_RULES = (
    "default-src 'self'",
    "script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval' {inline}",  # Vega compiles the expressions of a chart
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)
HEADERS = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # the way back is read off it; nobody else is told a caller's number
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
}
HIDDEN = ("/_stcore/metrics", "/_stcore/script-health-check")  # who is here, for whoever asks
RETURN_COOKIE = "keepline_return"
RETURN_SECONDS = 300
LONGEST_RETURN = 2_000  # characters of path and query
LOGIN, CALLBACK = "/auth/login", "/oauth2callback"


def content_policy(index: str) -> str:
    """The content security policy for a page whose own inline scripts, and no others, may run."""
    digests = (
        hashlib.sha256(script.encode()).digest() for script in re.findall(r"<script>(.*?)</script>", index, re.S)
    )
    inline = " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in digests)
    return "; ".join(CONTENT_RULES).format(inline=inline)


class Front:
    """The door in front of Streamlit: headers, hidden paths, the origin of a websocket, the way back."""

    def __init__(self, app: ASGIApp, *, is_page: Callable[[str], bool], origin: str | None, index: str = "") -> None:
        self.app, self.is_page, self.origin = app, is_page, origin
        self.headers = HEADERS | {"content-security-policy": content_policy(index)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "websocket" and not self._may_connect(Headers(scope=scope)):
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"] in HIDDEN:
            await _nothing_here(send)
            return
        await self.app(scope, receive, self._with_headers(scope, send))

    def _may_connect(self, headers: Headers) -> bool:
        """A browser says where its page came from: it must be here. Nothing that is no browser has business here."""
        origin = urlsplit(headers.get("origin", ""))
        if self.origin is not None:
            return f"{origin.scheme}://{origin.netloc}" == self.origin
        return bool(origin.netloc) and origin.netloc == headers.get("host")

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                if self.origin is not None and self.origin.startswith("https:"):
                    headers.setdefault("strict-transport-security", "max-age=31536000; includeSubDomains")
                    _only_over_tls(headers)
                self._keep_the_way_back(scope, headers)
            await send(message)

        return told

    def _keep_the_way_back(self, scope: Scope, headers: MutableHeaders) -> None:
        asked = Headers(scope=scope)
        if scope["path"].endswith(LOGIN):
            way = self._way(asked.get("referer", ""), asked.get("host", ""))
            if way is not None:
                headers.append("set-cookie", self._cookie(quote(way, safe=""), RETURN_SECONDS))
        elif scope["path"].endswith(CALLBACK) and headers.get("location"):
            held = _cookie_of(asked.get("cookie", ""))
            if held is not None:
                headers.append("set-cookie", self._cookie("", 0))
                way = unquote(held)
                if self._leads_to_a_page(way):
                    headers["location"] = way

    def _way(self, referer: str, host: str) -> str | None:
        """Path and query of the page of ours that asked to sign in."""
        try:
            page = urlsplit(referer)
        except ValueError:
            return None
        if page.netloc != host or page.scheme not in {"http", "https"}:
            return None
        way = page.path + (f"?{page.query}" if page.query else "")
        return way if self._leads_to_a_page(way) else None

    def _leads_to_a_page(self, way: str) -> bool:
        """Whether this is a page of ours and nowhere else: a cookie may have been planted."""
        if len(way) > LONGEST_RETURN or not re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", way):
            return False
        return self.is_page(way.split("?", 1)[0])

    def _cookie(self, value: str, seconds: int) -> str:
        secure = "; Secure" if (self.origin or "").startswith("https:") else ""
        return f"{RETURN_COOKIE}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax{secure}"


def _only_over_tls(headers: MutableHeaders) -> None:
    """Streamlit's sign-in cookies bear no Secure; behind TLS they do."""
    raw = [
        (name, value + b"; Secure" if name == b"set-cookie" and b"secure" not in value.lower() else value)
        for name, value in headers.raw
    ]
    headers.raw[:] = raw


def _cookie_of(text: str) -> str | None:
    try:
        held = SimpleCookie(text).get(RETURN_COOKIE)
    except CookieError:
        return None
    return held.value if held else None


async def _nothing_here(send: Send) -> None:
    head: dict[str, Any] = {"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]}
    await send(head)
    await send({"type": "http.response.body", "body": b"Not found"})
