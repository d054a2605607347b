"""Who does the work: this process, or the workers of a Dask cluster. The work is the same function either way.

`dask` makes a cluster of this machine's cores, or goes to the one DASK_SCHEDULER_ADDRESS names. A worker that dies
loses only what it was doing; Dask may hand out again what is done already, so the work must bear being done twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeVar

T = TypeVar("T")
R = TypeVar("R")
Engine = Literal["local", "dask"]
TRIES_AGAIN = 5  # after a worker died on it


def each(engine: Engine, work: Callable[[T], R], things: Sequence[T], *, workers: int | None = None) -> Iterator[R]:
    """What `work` makes of each thing, as they come to be done. `workers`: processes of a cluster made here (cores)."""
    if engine == "local":
        yield from map(work, things)
        return
    from distributed import Client, LocalCluster, as_completed  # noqa: PLC0415 - a second to import, for who asks for it

    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    made_here = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    cluster = None if address else LocalCluster(**made_here)  # type: ignore[no-untyped-call]
    try:
        with Client(address or cluster) as client:  # type: ignore[no-untyped-call]
            futures = client.map(work, things, pure=False, retries=TRIES_AGAIN)
            for future in as_completed(futures):  # type: ignore[no-untyped-call]
                yield future.result()
                future.release()
    finally:
        if cluster is not None:
            cluster.close()
