"""Model versions: registered with what they were made of, loaded only when their bytes are still those.

The table is the only place a model is ever read from. Its bytes are checked against the digest written beside them, the
libraries against those it was made with, and the reader accepts classes of the scientific libraries and the core only.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import platform
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from churn.core.records import ModelVersion
from churn.core.trust.drift import Bins
from churn.queries import query

LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn", "lifelines")
READABLE = frozenset({"numpy", "pandas", "scipy", "sklearn", "lifelines", "collections", "functools", "datetime"})
READABLE_BUILTINS = frozenset(
    {
        "set",
        "frozenset",
        "slice",
        "complex",
        "bytearray",
        "object",
        "dict",
        "list",
        "tuple",
        "int",
        "float",
        "str",
        "bool",
        "range",
    }
)


class NoSuchModel(LookupError):
    """There is no model of this version that could be used."""


class ModelTampered(ValueError):
    """The model's bytes are not those that were registered; fit it anew with `python3 -m churn train`."""


class ModelOfOtherLibraries(ValueError):
    """The model was made with other library versions than are installed; fit it anew with `python3 -m churn train`."""


def register(
    connection: psycopg.Connection,
    kind: str,
    model: object,
    *,
    data_as_of: datetime,
    horizon_days: int | None,
    metrics: dict[str, Any],
    by: str,
) -> int:
    """Keep a fitted model as a candidate; its version."""
    artifact = pickle.dumps(model, protocol=5)
    return _insert(
        connection,
        kind=kind,
        status="candidate",
        data_as_of=data_as_of,
        horizon_days=horizon_days,
        metrics=Jsonb(metrics),
        refusal=None,
        artifact=artifact,
        sha256=hashlib.sha256(artifact).hexdigest(),
        created_by=by,
    )


def register_refusal(
    connection: psycopg.Connection, kind: str, refusal: str, *, data_as_of: datetime, horizon_days: int | None, by: str
) -> int:
    """Keep the sentence that says why there is no model; its version."""
    return _insert(
        connection,
        kind=kind,
        status="refused",
        data_as_of=data_as_of,
        horizon_days=horizon_days,
        metrics=Jsonb({}),
        refusal=refusal,
        artifact=None,
        sha256=None,
        created_by=by,
    )


def keep_bins(connection: psycopg.Connection, model_version: int, bins: Sequence[tuple[Bins, bool, int]]) -> None:
    """Keep how training's customers were spread: bins, whether they are of the model's chances, how many customers."""
    with connection.cursor() as cursor:
        cursor.executemany(
            query("models", "keep_bins"),
            [
                {
                    "model_version": model_version, "is_score": is_score, "column_name": one.column,
                    "edges": None if one.edges is None else list(one.edges), "names": list(one.names),
                    "shares": list(one.shares), "customers": customers,
                }
                for one, is_score, customers in bins
            ],
        )  # fmt: skip


def promote(connection: psycopg.Connection, model_version: int, by: str) -> str:
    """Put a model into use in place of the current one of its kind; the kind. Raises NoSuchModel."""
    with connection.transaction():
        connection.execute(query("models", "retire"), {"model_version": model_version})
        row = connection.execute(
            query("models", "promote"), {"model_version": model_version, "promoted_by": by}
        ).fetchone()
        if row is None:
            raise NoSuchModel(f"Model version {model_version} does not exist, was refused, or is in use already.")
        return str(row[0])


def current(connection: psycopg.Connection) -> dict[str, ModelVersion]:
    """The models in use by kind."""
    with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
        return {row.kind: row for row in cursor.execute(query("models", "current"))}


def every(connection: psycopg.Connection) -> list[ModelVersion]:
    """All models ever registered, newest first."""
    with connection.cursor(row_factory=class_row(ModelVersion)) as cursor:
        return cursor.execute(query("models", "all")).fetchall()


def load(connection: psycopg.Connection, model_version: int) -> Any:
    """The model of a version. Raises NoSuchModel, ModelTampered, ModelOfOtherLibraries."""
    row = connection.execute(query("models", "artifact"), {"model_version": model_version}).fetchone()
    if row is None or row[1] is None:
        raise NoSuchModel(f"There is no model of version {model_version}.")
    _, artifact, digest, libraries = row
    if hashlib.sha256(artifact).hexdigest() != digest:
        raise ModelTampered(f"Version {model_version}: {ModelTampered.__doc__}")
    if libraries != installed():
        raise ModelOfOtherLibraries(f"Version {model_version}: {ModelOfOtherLibraries.__doc__}")
    return _Reader(io.BytesIO(artifact)).load()


def installed() -> dict[str, str]:
    """The libraries a model's bytes depend on, with the versions installed here."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {name: version(name) for name in LIBRARIES} | {"python": python}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "builtins" and name in READABLE_BUILTINS:
            return super().find_class(module, name)
        if module.startswith("churn.core.") or module.split(".", maxsplit=1)[0] in READABLE:
            return super().find_class(module, name)
        raise ModelTampered(f"The model wants {module}.{name}, which no model of ours is made of.")


def _insert(connection: psycopg.Connection, **values: Any) -> int:
    row = connection.execute(query("models", "register"), values | {"libraries": Jsonb(installed())}).fetchone()
    if row is None:  # pragma: no cover - INSERT … RETURNING gives a row or raises
        raise NoSuchModel("The model could not be registered.")
    return int(row[0])
