"""The door in front of Streamlit: headers, what is hidden, whose websocket may connect, the way back."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit import file_util

from churn.web.front import RETURN_COOKIE, Front, content_policy

with warnings.catch_warnings(action="ignore"):  # it will want another httpx some day
    from starlette.testclient import TestClient

ORIGIN = "http://testserver"


async def login(_request: Request) -> Response:
    return RedirectResponse("https://id.example/authorize")


async def callback(_request: Request) -> Response:
    answer = RedirectResponse("/")
    answer.set_cookie("_streamlit_user", "signed")
    return answer


async def stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("in")
    await websocket.close()


async def anything(_request: Request) -> Response:
    return PlainTextResponse("page")


def client(origin: str | None = ORIGIN) -> TestClient:
    inner = Starlette(
        routes=[
            Route("/auth/login", login),
            Route("/oauth2callback", callback),
            WebSocketRoute("/_stcore/stream", stream),
            Route("/{path:path}", anything),
        ]
    )
    front = Front(inner, is_page={"/", "/desk"}.__contains__, origin=origin)
    return TestClient(front, base_url=origin or ORIGIN, follow_redirects=False)


def way_back(referer: str) -> str:
    """Where somebody lands who asks to sign in on the page `referer`."""
    with client() as browser:
        browser.get("/auth/login", headers={"Referer": referer})
        return browser.get("/oauth2callback").headers["location"]


@pytest.mark.parametrize("way", ["/desk?ani=%2B447700900123", "/desk", "/?account=7&who=x"])
def test_the_page_asked_for_is_come_back_to(way: str) -> None:
    assert way_back(ORIGIN + way) == way


@pytest.mark.parametrize(
    "referer",
    [
        "",
        "https://evil.example/desk",
        "http://testserver.evil.example/desk",
        "http://testserver@evil.example/desk",
        "http://testserver//evil.example/desk",
        "http://testserver/\\evil.example",
        "http://testserver/elsewhere",
        "http://testserver/desk?" + "a" * 3000,
        "javascript:alert(1)",
        "http://[bad",
    ],
)
def test_nobody_is_sent_elsewhere(referer: str) -> None:
    assert way_back(referer) == "/"


@pytest.mark.parametrize(
    "planted",
    ["https%3A%2F%2Fevil.example%2Fdesk", "%2F%2Fevil.example", "%2Fdesk%0d%0aSet-Cookie%3Ax", "%2F%5Cevil", '"', "%"],
)
def test_a_planted_cookie_leads_nowhere(planted: str) -> None:
    with client() as browser:
        answer = browser.get("/oauth2callback", headers={"Cookie": f"{RETURN_COOKIE}={planted}"})
        assert answer.headers["location"] == "/"


def test_the_way_back_is_kept_for_five_minutes_and_used_once() -> None:
    with client() as browser:
        kept = browser.get("/auth/login", headers={"Referer": f"{ORIGIN}/desk?ani=1"}).headers["set-cookie"]
        assert {"Max-Age=300", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(kept.split("; "))
        browser.get("/oauth2callback")
        assert browser.get("/oauth2callback").headers["location"] == "/"


def test_behind_tls_every_cookie_is_secure_and_the_browser_remembers() -> None:
    with client("https://desk.example") as browser:
        answer = browser.get("/oauth2callback")
        assert all("secure" in cookie.lower() for cookie in answer.headers.get_list("set-cookie"))
        assert answer.headers["strict-transport-security"].startswith("max-age=31536000")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("content-security-policy", "frame-ancestors 'none'"),
        ("content-security-policy", "object-src 'none'"),
    ],
)
def test_every_answer_says_what_a_browser_may_do(name: str, value: str) -> None:
    with client() as browser:
        assert value in browser.get("/desk").headers[name]


def test_streamlits_own_inline_scripts_may_run_and_no_other() -> None:
    index = (Path(file_util.get_static_dir()) / "index.html").read_text()
    assert content_policy(index).count("'sha256-") == index.count("<script>") > 0
    assert "sha256" not in content_policy("<script src=x></script>")
    assert "'sha256-RFWPLDbv2BY+rCkDzsE+0fr8ylGr2R2faWMhq4lfEQc='" in content_policy("<script>doSomething();</script>")


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/script-health-check"])
def test_what_streamlit_tells_of_itself_is_hidden(path: str) -> None:
    with client() as browser:
        assert browser.get(path).status_code == 404


@pytest.mark.parametrize(
    ("origin", "asked"),
    [
        (ORIGIN, {}),
        (ORIGIN, {"Origin": "https://evil.example"}),
        (ORIGIN, {"Origin": "http://localhost:9999"}),
        (ORIGIN, {"Origin": "null"}),
        (None, {}),
        (None, {"Origin": "http://localhost:9999"}),
        (None, {"Origin": "http://evil.example", "Host": "localhost:8501"}),
    ],
)
def test_a_websocket_from_elsewhere_is_closed(origin: str | None, asked: dict[str, str]) -> None:
    with (
        client(origin) as browser,
        pytest.raises(WebSocketDisconnect) as closed,
        browser.websocket_connect("/_stcore/stream", headers=asked),
    ):
        pass
    assert closed.value.code == 1008


@pytest.mark.parametrize("origin", [ORIGIN, None])
def test_our_own_pages_connect(origin: str | None) -> None:
    with (
        client(origin) as browser,
        browser.websocket_connect("/_stcore/stream", headers={"Origin": ORIGIN}) as line,
    ):
        assert line.receive_text() == "in"
