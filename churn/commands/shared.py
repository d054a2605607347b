"""What the commands share: how a refusal and progress are told, and which company is meant."""

from __future__ import annotations

import contextlib
import getpass
import os
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from churn.crm.contract import State
    from churn.settings import Settings

Act = Callable[[Namespace], int]
Command = Callable[[str, Act, str], ArgumentParser]  # name, what obeys it, help
TOLD_AGAIN_AFTER = 1.0  # seconds between two lines of progress of the same step


class NotYet(ValueError):
    """Something must be done first; the message says what to type."""


class Progress:
    """Tells what goes on, with the seconds since the command began."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.told = ("", 0.0)

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """One line; the same thing again only after a second, or when it is complete."""
        now = time.monotonic()
        if self.told[0] == what and now - self.told[1] < TOLD_AGAIN_AFTER and (done < total or not total):
            return
        self.told = (what, now)
        amount = f"  {done:,} of {total:,}" if total else ""
        print(f"{now - self.began:7.1f} s  {what}{amount}", flush=True)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A headline, the step, and how long it took."""
        began = time.monotonic()
        self(f"{name} …")
        yield
        self(f"{name}: done in {time.monotonic() - began:.1f} s")


def settings() -> Settings:
    """Which company is meant, and where it is."""
    from churn.settings import read_settings

    return read_settings()


def existing() -> Settings:
    """The company meant, which is there. Raises NotYet."""
    from churn import db

    found = settings()
    if not db.exists(found):
        raise NotYet(f"There is no database {found.database} yet: `python3 -m churn run` or `import` makes it.")
    return found


def state(at: Settings) -> State:
    """How far the set-up has come, asked anew after every step: one may be what the next was waiting for."""
    from churn import db
    from churn.crm import contract

    with db.connect(at, "batch") as connection:
        return contract.state(connection)


def who() -> str:
    """The account this runs as; a container may have none of that number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
