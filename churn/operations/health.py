"""Whether this process can serve: what a load balancer, and whoever is on call, asks."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from churn import registry
from churn.db import Database
from churn.gateway import rows_of
from churn.operations import faults
from churn.refusals import Refusal
from churn.settings import SQL

MODELS_SECONDS = 60.0  # reading the models' bytes takes long: not on every question


@dataclass(slots=True)
class Health:
    """What was last found out of one database."""

    database: Database
    _models: dict[str, str] = field(default_factory=dict)
    _models_at: float = -MODELS_SECONDS

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether callers can be served now, and each thing looked at in a word."""
        found: dict[str, Any] = {}
        found["database"] = _word(lambda: found.update(database_ms=ask(self.database)))
        found["migrations"] = _word(self._migrations) if found["database"] == "ok" else "unknown"
        if found["database"] == "ok":
            self._read_models()
        found["models"] = self._models or "none"
        # A desk without models still answers callers by policy alone: told, and no reason to take it out.
        return found["database"] == "ok" and found["migrations"] == "ok", found

    def _migrations(self) -> None:
        seen = {row["name"]: row["sha256"] for row in rows_of(self.database, "batch", "operations", "migrations", {})}
        missing = [name for name, digest in wanted_migrations().items() if seen.get(name) != digest]
        if missing:
            raise NotCurrent(f"{len(missing)} missing or changed, the first {missing[0]}")

    def _read_models(self) -> None:
        if time.monotonic() - self._models_at < MODELS_SECONDS:
            return
        with self.database.transaction("batch") as connection:
            versions = registry.current(connection)
            self._models = {
                kind: _word(partial(registry.load, connection, version.model_version))
                for kind, version in versions.items()
            }
        self._models_at = time.monotonic()


class NotCurrent(RuntimeError):
    """The database has not had every migration of this code."""


def ask(database: Database) -> float:
    """Milliseconds of one question to the database."""
    began = time.monotonic()
    with database.transaction("batch") as connection:
        connection.execute("SELECT 1")
    return round((time.monotonic() - began) * 1000, 2)


@cache
def wanted_migrations() -> dict[str, str]:
    """The migrations of this code by name, with their digests."""
    paths = sorted((SQL / "migrations").glob("*.sql"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _word(look: Callable[[], object]) -> str:
    """`ok`, or what is wrong, without anything a row says."""
    try:
        look()
    except NotCurrent as old:
        return str(old)
    except (
        *faults.OF_DATABASE,
        Refusal,
        registry.NoSuchModel,
        registry.ModelTampered,
        registry.ModelOfOtherLibraries,
    ) as fault:
        return type(fault).__name__
    return "ok"
