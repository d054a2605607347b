"""The API on a small company: two customers, the default policy, a service of each role, and a server that listens."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
import uvicorn

from churn import db
from churn.api import keys
from churn.api.app import make_app
from churn.policies.install import install_default
from churn.settings import Settings
from tests.factories import put_customer
from tests.ledger_world import World, populate

CUSTOMERS = tuple(f"C{i}" for i in range(1, 9))


@dataclass
class Service:
    """A system that talks to the API by its key."""

    http: httpx.Client
    key: str
    staff_id: str

    def send(self, method: str, path: str, body: Any = None, *, key: UUID | str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"} | ({"Idempotency-Key": str(key)} if key else {})
        return self.http.request(method, path, json=body, headers=headers)

    def decide(self, customer_id: str = "C1", *, key: UUID | None = None, **asked: Any) -> httpx.Response:
        body = {"customer_id": customer_id, "contact_reason": "cancel", "fault": "ours"} | asked
        return self.send("POST", "/v1/decisions", body, key=key or uuid4())

    def grantable(self, customer_id: str = "C1", **asked: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """A decision and the terms of its largest rung that the service may give alone."""
        made = self.decide(customer_id, **asked).json()
        rungs = [r for r in made["rungs"] if r["can_be_given"] and not r["needs_approval"] and r["amount"]]
        rung = max(rungs, key=lambda one: one["amount"])
        return made, {name: rung[name] for name in ("instrument", "amount", "months")} | {"currency": made["currency"]}


@dataclass
class Api:
    """The company, the server, and services of every role."""

    world: World
    settings: Settings
    http: httpx.Client

    def service(self, name: str = "ivr", role: str = "agent", team: str | None = "north") -> Service:
        """A service with a new key."""
        key = keys.make(self.world.database, name, role=role, team=team, by="tests")
        return Service(self.http, key, f"api:{name}")

    def one(self, statement: str, *params: object) -> Any:
        """The only value of the owner's query."""
        row = self.world.owner.execute(statement, params).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture
def api(database: Settings, owner: psycopg.Connection) -> Iterator[Api]:
    """A server of its own on this machine."""
    pool = db.open_database(database, size=12)
    populate(owner)
    owner.execute("UPDATE desk.company SET data_until = NULL")
    owner.execute("DELETE FROM desk.lookup_limits")
    for customer_id in CUSTOMERS:
        put_customer(owner, customer_id, name=f"Zenobia {customer_id}", phone="+447700900123")
    install_default(pool, first="finn", second="fay")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(make_app(pool), log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30) as http:
            yield Api(World(pool, owner), database, http)
        server.should_exit = True
        thread.join(10)
    pool.close()


@pytest.fixture
def ivr(api: Api) -> Service:
    """A service that gives as an agent of team north."""
    return api.service()
