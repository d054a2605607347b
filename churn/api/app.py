"""The ASGI app of the API, its OpenAPI document, and its server."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from churn.api import problems, routes
from churn.api.acts import Desk
from churn.db import Database, open_database
from churn.operations import logs
from churn.postgres.server import release_all
from churn.settings import Settings
from churn.web import identity

VERSION = "1"
LARGEST_BODY = 64 * 1024
MOST_AT_ONCE = 64
RETRY_AFTER = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds."}}
# Spans and logs of the framework would hold query strings and words of errors.
QUIET: TelemetryConfig = {
    "tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False,
}  # fmt: skip
ABOUT = (
    "What the desk may say yes to, for other systems. Money is whole minor units with its currency. Every refusal is "
    "application/problem+json with a sentence, what to do, and the request id. Sending the same again under the same "
    "Idempotency-Key is answered the same; another body under it is refused."
)


class OpenDoor(ValueError):
    """Keys would travel in the clear."""


class Numbered:
    """Gives each request an id, bounds its body, and writes one line of log without anything the request says."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        held, began, status, taken = logs.begin_request(), time.monotonic(), 0, 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > LARGEST_BODY:
                raise HTTPException(413)
            return message

        async def numbered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = held
                headers["x-content-type-options"] = "nosniff"
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self.app(scope, limited, numbered)
        route = getattr(scope.get("route"), "path", "elsewhere")
        logs.LOG.info("%s %s %d", scope["method"], route, status, extra={"seconds": round(time.monotonic() - began, 3)})


def make_app(database: Database) -> FastAPI:
    """The API on one company's database."""
    app = FastAPI(
        title="Keepline",
        version=VERSION,
        description=ABOUT,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(Numbered)],
        telemetry=QUIET,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.desk = Desk(database)
    app.include_router(routes.router)
    app.include_router(routes.calls)
    problems.install(app)
    document = _with_problems(app.openapi())
    app.openapi = lambda: document  # type: ignore[method-assign]
    return app


def serve_forever(
    settings: Settings, *, address: str, port: int, certificate: Path | None = None, key: Path | None = None
) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises OpenDoor."""
    refuse_open_door(address, certificate)
    logs.configure()
    database = open_database(settings)
    scheme = "https" if certificate else "http"
    print(f"Keepline's API is ready: {scheme}://{address}:{port}    (Ctrl-C ends it)", flush=True)  # noqa: T201
    try:
        uvicorn.run(
            make_app(database),
            host=address,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MOST_AT_ONCE,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=10,
            ssl_certfile=str(certificate) if certificate else None,
            ssl_keyfile=str(key) if key else None,
            ssl_version=ssl.PROTOCOL_TLS_SERVER,
        )
    finally:
        database.close()
        release_all()


def refuse_open_door(address: str, certificate: Path | None) -> None:
    """Beyond this machine only with TLS. Raises OpenDoor."""
    if certificate is None and not identity.is_loopback(address):
        raise OpenDoor(
            f"Keys would travel to {address} in the clear: give --certificate and --key, or leave --address out "
            "and put a proxy with TLS in front."
        )


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with every refusal in the form it is sent in."""
    schema = problems.Problem.model_json_schema()
    document["components"]["schemas"]["Problem"] = schema
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    told = {problems.MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400 and path != "/v1/health":
                    response["content"] = told
                    if status in {"429", "503"}:
                        response["headers"] = RETRY_AFTER
            if "201" in operation["responses"]:
                said = "The same was asked before: the same answer."
                again = {**operation["responses"]["201"], "description": said}
                operation["responses"]["200"] = again
    return document
