"""What the benches print alike: the machine they ran on, and figures beside the floor of the same run."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("streamlit", "pandas", "scikit-learn", "psycopg")


def machine() -> str:
    """Cores, memory, how busy it is with others, versions: a line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB, load {os.getloadavg()[0]:.1f}; "
        f"Python {platform.python_version()}, {libraries}; {' '.join(['python -m', _module(), *sys.argv[1:]])}"
    )


def p95(values: Sequence[float]) -> float:
    """The value that one in twenty is above; of fewer than twenty the largest."""
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def figures(values: Sequence[float], *floors: Sequence[float]) -> str:
    """Median and p95 of milliseconds, each with its ratio to the same figure of every floor."""
    told = []
    for name, of in (("median", statistics.median), ("p95", p95)):
        ratios = "".join(f" {of(values) / of(floor):5.1f}x" if floor else "     –" for floor in floors)
        told.append(f"{name} {of(values):7.1f} ms{ratios}")
    return "   ".join(told)


def _module() -> str:
    return f"tests.bench.{Path(sys.argv[0]).stem}"
