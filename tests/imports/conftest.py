"""Fixtures of the import tests."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.imports.small import Small


@pytest.fixture
def small(batch: psycopg.Connection, tmp_path: Path) -> Small:
    """The tiny company, nothing imported yet."""
    return Small(tmp_path / "files", batch)
