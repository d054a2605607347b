"""The launcher: embedded Postgres, heavy imports once, then Streamlit's own server until somebody ends it."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from streamlit import file_util
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.server.starlette import App

from churn.db import open_database
from churn.operations import housekeeping, logs, metrics
from churn.operations.health import Health
from churn.postgres.server import release_all
from churn.settings import PROJECT, Settings, secrets_files
from churn.web import identity
from churn.web.front import Front

# What the pages need and a first caller should not wait for.
HEAVY = (
    "pandas", "altair", "sklearn.ensemble", "phonenumbers", "streamlit.emojis", "churn.casework", "churn.ui",
)  # fmt: skip
THREADS_END_SECONDS = 3.0
ARENA_MAX, ARENAS = -8, 2  # `M_ARENA_MAX` of glibc's malloc.h


class PortTaken(ValueError):
    """Another program listens there already."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__(f"Port {port} of {address} is taken; choose another with --port.")


def _use_few_arenas() -> None:
    """Have glibc keep two heaps, unless the environment says how many.

    Streamlit runs each click in a thread of its own. With a heap for each of many threads what they free lies about in
    all of them, and the process grows over a working day; with two it stands still (`bench memory`).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have no such thing
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(ARENA_MAX, ARENAS)


def refuse_taken_port(address: str, port: int) -> None:
    """Raises PortTaken before anything slow is begun."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            raise PortTaken(address, port) from None


def refuse_open_door(address: str) -> identity.Provider | None:
    """How people sign in here. Raises OpenDoor where they do not and others could come; BadSecrets."""
    provider = identity.provider_in(secrets_files())
    identity.refuse_open_door(address, provider)
    return provider


def serve_forever(
    settings: Settings, *, address: str, port: int, opens_browser: bool, metrics_port: int | None = None
) -> None:
    """Serve `settings.database` until Ctrl-C or SIGTERM; both end in order, with the embedded server stopped."""
    provider = refuse_open_door(address)
    _use_few_arenas()
    os.environ["KEEPLINE_DATABASE"] = settings.database
    os.chdir(PROJECT)
    sys.argv = [str(PROJECT / "app.py")]  # Streamlit looks for its settings beside what was started
    PagesManager.uses_pages_directory = False  # a deep link must not run a page without app.py
    logs.configure()
    database = open_database(settings, size=3)
    if metrics_port is not None:
        metrics.serve(database, metrics_port)
    pages = {"/", *(f"/{path.stem}" for path in (PROJECT / "pages").glob("*.py"))}
    is_warm = threading.Event()
    app = App(
        PROJECT / "app.py",
        lifespan=partial(_lifespan, is_warm=is_warm, address=address, opens_browser=opens_browser),
        routes=_routes(Health(database), is_warm),
        middleware=[
            Middleware(
                Front,
                is_page=pages.__contains__,
                origin=provider.origin if provider else None,
                index=(Path(file_util.get_static_dir()) / "index.html").read_text("utf-8"),
            )
        ],
        on_script_error=_show_error,
    )
    ended = housekeeping.start(database, settings)
    options = {"server.address": address, "server.port": port, "logger.hideWelcomeMessage": True}
    if os.environ.get("KEEPLINE_SECRETS"):
        options["secrets.files"] = [str(path) for path in secrets_files()]
    try:
        app.run(config=options)
    except KeyboardInterrupt:
        pass
    except SystemExit as end:
        if end.code in {1, 3}:  # the port was lost meanwhile, or the app did not start
            raise
    ended.set()
    database.close()
    release_all()
    print("Stopped.", flush=True)  # noqa: T201
    # A page that hangs in a computation must not keep the process; ended threads leave the timer behind unheard.
    timer = threading.Timer(THREADS_END_SECONDS, os._exit, (0,))
    timer.daemon = True
    timer.start()


@asynccontextmanager
async def _lifespan(_app: App, *, is_warm: threading.Event, address: str, opens_browser: bool) -> AsyncIterator[None]:
    from streamlit import config  # noqa: PLC0415 - its options are settled only now

    logs.configure()  # Streamlit's own loggers are there only now
    warming = asyncio.create_task(asyncio.to_thread(_warm, is_warm))  # pages are served meanwhile
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(address, address)  # noqa: S104
    url = f"http://{host}:{config.get_option('server.port')}"
    print(f"Keepline is ready: {url}    (Ctrl-C ends it)", flush=True)  # noqa: T201
    if opens_browser and sys.stdout.isatty() and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    yield
    await warming


def _show_error(error: Exception) -> bool:
    from churn.ui.errors import show_error  # noqa: PLC0415 - the screens are imported once the server listens

    return show_error(error)


def _warm(is_warm: threading.Event) -> None:
    """Import and load once what the pages need, and spare the collector from looking at it ever again."""
    try:
        for name in HEAVY:
            importlib.import_module(name)
        from churn.ui.gate import load_models  # noqa: PLC0415 - imported just above, once the server listens

        load_models()
        gc.collect()
        gc.freeze()
    finally:
        is_warm.set()


def _routes(health: Health, is_warm: threading.Event) -> list[Route]:
    """`/livez`: this process. `/readyz` and `/healthz`: it can serve; 503 while it cannot, or is not warm yet."""

    async def livez(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> JSONResponse:
        if not is_warm.is_set():  # a first caller would wait for imports and models
            return JSONResponse({"status": "warming"}, 503)
        is_ready, found = await asyncio.to_thread(health.ready)
        wrong = next((name for name in ("database", "migrations") if found[name] != "ok"), "ok")
        return JSONResponse({"status": wrong, **found}, 200 if is_ready else 503)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/healthz", readyz)]
