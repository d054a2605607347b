"""What the machine may decide: read once from the environment, never inside the core."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SQL = PROJECT / "sql"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the database is and which company is meant."""

    home: Path  # embedded server's folder: cluster, locks, log
    database: str  # one company, one database
    database_url: str | None  # a server of the company's own; None: the embedded one
    replica_url: str | None = None  # a replica of it for long reads; None: the server itself

    @property
    def socket_folder(self) -> Path:
        """Where the embedded server's socket lies. Socket paths end at 107 bytes, so a long home gets a short twin."""
        if len(str(self.home)) <= 80:
            return self.home / "socket"
        return Path("/tmp") / f"keepline-{hashlib.sha256(str(self.home).encode()).hexdigest()[:16]}"  # noqa: S108


def read_settings(database: str | None = None) -> Settings:
    """Settings from KEEPLINE_HOME, KEEPLINE_DATABASE, DATABASE_URL, KEEPLINE_REPLICA_URL; `database` wins over them."""
    url = os.environ.get("DATABASE_URL") or None
    return Settings(
        home=Path(os.environ.get("KEEPLINE_HOME") or _default_home()),
        database=database or os.environ.get("KEEPLINE_DATABASE") or _database_of(url) or "keepline",
        database_url=url,
        replica_url=os.environ.get("KEEPLINE_REPLICA_URL") or None,
    )


def secrets_files() -> list[Path]:
    """Where `[auth]` may stand, a later file before an earlier: KEEPLINE_SECRETS alone, else where Streamlit looks."""
    named = os.environ.get("KEEPLINE_SECRETS")
    if named:
        return [Path(named)]
    return [folder / ".streamlit/secrets.toml" for folder in (Path.home(), PROJECT)]


def _database_of(url: str | None) -> str | None:
    if url is None:
        return None
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - the keeper reads settings without psycopg

    name = conninfo_to_dict(url).get("dbname")
    return str(name) if name else None


def _default_home() -> Path:
    # Root's own home is closed to the account Postgres must run as.
    if os.geteuid() == 0:
        return Path("/var/lib/keepline")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "keepline"
