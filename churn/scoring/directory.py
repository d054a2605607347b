"""The search directory: the keys by which callers are found, and the reasons they call for."""

from __future__ import annotations

from churn import db
from churn.progress import Tell
from churn.queries import query
from churn.settings import Settings


def sync_directory(settings: Settings, *, progress: Tell) -> int:
    """Bring the search directory and the list of reasons to what `crm` holds; how many customers it knows."""
    with db.connect(settings, "batch") as connection, connection.transaction():
        progress("directory: reading names and numbers")
        connection.execute(query("scores", "sync_directory"))
        connection.execute(query("scores", "forget_gone"))
        progress("reasons: counting why people call")
        connection.execute(query("scores", "forget_reasons"))
        connection.execute(query("scores", "count_reasons"))
        row = connection.execute(query("scores", "directory_size")).fetchone()
        return int(row[0]) if row else 0
