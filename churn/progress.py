"""How whatever takes long tells what it is at; who listens is the caller's affair."""

from __future__ import annotations

from collections.abc import Callable

Tell = Callable[[str], None]  # one line, said once
