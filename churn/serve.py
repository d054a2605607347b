"""The launcher: embedded Postgres, heavy imports once, then Streamlit's own server until somebody ends it."""

from __future__ import annotations

import asyncio
import gc
import importlib
import importlib.util
import os
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.server.starlette import App

from churn.db import Database, open_database
from churn.server import release_all
from churn.settings import PROJECT, Settings

# What the pages need and a first caller should not wait for.
HEAVY = ("pandas", "altair", "sklearn.ensemble", "phonenumbers", "churn.casework")
THREADS_END_SECONDS = 3.0


class PortTaken(ValueError):
    """Another program listens there already."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__(f"Port {port} of {address} is taken; choose another with --port.")


def refuse_taken_port(address: str, port: int) -> None:
    """Raises PortTaken before anything slow is begun."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            raise PortTaken(address, port) from None


def serve_forever(settings: Settings, *, address: str, port: int, opens_browser: bool) -> None:
    """Serve `settings.database` until Ctrl-C or SIGTERM; both end in order, with the embedded server stopped."""
    os.environ["KEEPLINE_DATABASE"] = settings.database
    os.chdir(PROJECT)
    sys.argv = [str(PROJECT / "app.py")]  # Streamlit looks for its settings beside what was started
    PagesManager.uses_pages_directory = False  # a deep link must not run a page without app.py
    database = open_database(settings, size=1)
    app = App(
        PROJECT / "app.py",
        lifespan=partial(_lifespan, address=address, opens_browser=opens_browser),
        routes=[Route("/healthz", partial(_healthz, database=database))],
    )
    try:
        app.run(config={"server.address": address, "server.port": port, "logger.hideWelcomeMessage": True})
    except KeyboardInterrupt:
        pass
    except SystemExit as end:
        if end.code in {1, 3}:  # the port was lost meanwhile, or the app did not start
            raise
    database.close()
    release_all()
    print("Stopped.", flush=True)  # noqa: T201
    # A page that hangs in a computation must not keep the process; ended threads leave the timer behind unheard.
    timer = threading.Timer(THREADS_END_SECONDS, os._exit, (0,))
    timer.daemon = True
    timer.start()


@asynccontextmanager
async def _lifespan(_app: App, *, address: str, opens_browser: bool) -> AsyncIterator[None]:
    from streamlit import config  # noqa: PLC0415 - its options are settled only now

    warming = asyncio.create_task(asyncio.to_thread(_import_heavy))  # pages are served meanwhile
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(address, address)  # noqa: S104
    url = f"http://{host}:{config.get_option('server.port')}"
    print(f"Keepline is ready: {url}    (Ctrl-C ends it)", flush=True)  # noqa: T201
    if opens_browser and sys.stdout.isatty() and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    yield
    await warming


def _import_heavy() -> None:
    """Import once what the pages need, and spare the collector from looking at it ever again."""
    for name in HEAVY:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


async def _healthz(_request: Request, *, database: Database) -> JSONResponse:
    """200 while Postgres answers a query within a second, 503 else."""
    try:
        return JSONResponse({"status": "ok", "database_ms": await asyncio.to_thread(_ask, database)})
    except Exception as fault:  # noqa: BLE001 - whatever is wrong, the answer is the same
        return JSONResponse({"status": "database", "fault": type(fault).__name__}, status_code=503)


def _ask(database: Database) -> float:
    began = time.monotonic()
    with database.transaction("agent") as connection:
        connection.execute("SELECT 1")
    return round((time.monotonic() - began) * 1000, 2)
