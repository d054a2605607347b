"""Which customers there are, whose telephone number it is, and which keys a file has used already."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import psycopg

from churn import privacy

_MOST_REMEMBERED = 2_000_000  # ids kept in memory; beyond that they are asked for again


class KnownCustomers:
    """Answers from `feed.customers`, each asked for once."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self._conn = conn
        self._ids: set[str] = set()
        self._phones: dict[str, str | None] = {}
        self._erased: dict[str, str] | None = None

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of `ids` that are customers."""
        wanted = set(ids)
        asked = list(wanted - self._ids)
        rows = (
            self._conn.execute(
                "SELECT customer_id FROM unnest(%s::text[]) AS asked (customer_id) "
                "JOIN feed.customers USING (customer_id)",
                [asked],
            ).fetchall()
            if asked
            else []
        )
        found = {row[0] for row in rows}
        answer = (wanted & self._ids) | found
        self._ids = self._ids | found if len(self._ids) < _MOST_REMEMBERED else found
        return answer

    def erased(self) -> dict[str, str]:
        """Accounts that were erased, with why their rows are not taken. Read once, with the tables locked."""
        if self._erased is None:
            self._erased = privacy.erased(self._conn)
        return self._erased

    def by_phone(self, phones: Iterable[str]) -> dict[str, str]:
        """The customer of each number that exactly one customer has."""
        asked = list(set(phones) - set(self._phones))
        self._phones.update(dict.fromkeys(asked))
        if asked:
            self._phones.update(
                self._conn.execute(
                    "SELECT phone, min(customer_id) FROM feed.customers WHERE phone = ANY(%s::text[]) "
                    "GROUP BY phone HAVING count(*) = 1",
                    [asked],
                ).fetchall()
            )
        return {phone: customer for phone, customer in self._phones.items() if customer is not None}


class SeenKeys:
    """Keys a file has used so far, as 64-bit digests: 8 bytes each, so that a file of any length fits.

    Two different keys share a digest once in 2⁶⁴: in ten million rows that happens with a probability of 3e-6.
    """

    def __init__(self) -> None:
        self._sorted: list[np.ndarray] = []

    def repeated(self, keys: Any, candidates: np.ndarray) -> np.ndarray:
        """Which candidate rows have a key that came before, in this chunk or an earlier one; the others are remembered.

        `keys`: pyarrow string array without nulls among the candidates; `candidates`: boolean, as long.
        """
        digests = pd.util.hash_array(keys.to_numpy(zero_copy_only=False), categorize=False)
        places = np.flatnonzero(candidates)
        mine = digests[places]
        again = pd.Series(mine).duplicated().to_numpy()
        for earlier in self._sorted:
            spots = np.searchsorted(earlier, mine)
            spots[spots == len(earlier)] = 0
            again |= earlier[spots] == mine if len(earlier) else False
        self._remember(np.sort(mine[~again]))
        result = np.zeros(len(candidates), dtype=bool)
        result[places[again]] = True
        return result

    def _remember(self, digests: np.ndarray) -> None:
        # Runs of similar length are merged, so that there are never more than a few dozen to look through.
        while self._sorted and len(self._sorted[-1]) < 2 * len(digests):
            digests = np.sort(np.concatenate([self._sorted.pop(), digests]), kind="stable")
        self._sorted.append(digests)
