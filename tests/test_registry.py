"""Models are read back only as they were written."""

from __future__ import annotations

import os
import pickle
from datetime import UTC, datetime

import numpy as np
import psycopg
import pytest

from churn import registry

AS_OF = datetime(2026, 11, 15, tzinfo=UTC)


def register(connection: psycopg.Connection, model: object = None, kind: str = "risk") -> int:
    model = np.arange(3) if model is None else model
    return registry.register(connection, kind, model, data_as_of=AS_OF, horizon_days=90, metrics={"auc": 0.8}, by="Ann")


def test_a_model_comes_back_as_it_was(batch: psycopg.Connection) -> None:
    assert registry.load(batch, register(batch)).tolist() == [0, 1, 2]


def test_one_changed_byte_is_refused(batch: psycopg.Connection, owner: psycopg.Connection) -> None:
    number = register(batch)
    owner.execute("UPDATE desk.model_versions SET artifact = set_byte(artifact, 20, get_byte(artifact, 20) # 1)")
    with pytest.raises(registry.ModelTampered, match=f"Version {number}: The model's bytes are not those"):
        registry.load(batch, number)


def test_other_libraries_are_refused(batch: psycopg.Connection, owner: psycopg.Connection) -> None:
    number = register(batch)
    owner.execute("""UPDATE desk.model_versions SET libraries = libraries || '{"numpy": "1.0"}'""")
    with pytest.raises(registry.ModelOfOtherLibraries):
        registry.load(batch, number)


def test_bytes_that_would_run_a_program_are_refused_even_with_the_right_digest(batch: psycopg.Connection) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, ("true",)

    assert pickle.dumps(Evil())
    with pytest.raises(registry.ModelTampered, match="wants posix.system"):
        registry.load(batch, register(batch, Evil()))


def test_a_new_model_waits_until_a_person_promotes_it(batch: psycopg.Connection) -> None:
    first, second = register(batch), register(batch)
    assert registry.current(batch) == {}
    registry.promote(batch, first, "Bea")
    registry.promote(batch, second, "Cem")
    assert [(row.model_version, row.status) for row in registry.every(batch)] == [
        (second, "current"),
        (first, "retired"),
    ]
    registry.promote(batch, first, "Bea")  # back to the earlier one
    assert registry.current(batch)["risk"].model_version == first


def test_a_refused_model_cannot_be_promoted(batch: psycopg.Connection) -> None:
    number = registry.register_refusal(batch, "risk", "Too few.", data_as_of=AS_OF, horizon_days=90, by="Ann")
    with pytest.raises(registry.NoSuchModel, match="was refused"):
        registry.promote(batch, number, "Bea")
    assert registry.current(batch) == {}


def test_a_failed_promotion_leaves_the_current_model(batch: psycopg.Connection) -> None:
    number = register(batch)
    registry.promote(batch, number, "Bea")
    with pytest.raises(registry.NoSuchModel):
        registry.promote(batch, number + 100, "Bea")
    assert registry.current(batch)["risk"].model_version == number
