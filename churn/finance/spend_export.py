"""Any view of the spend page as a file: the rows in the currency's units, and apart from them the totals that tie.

CSV: the totals stand below the rows, after an empty line. Excel: on a sheet of their own. Parquet: in the file's own
notes, under `keepline_totals`, so that nothing is summed twice. Sums are taken from minor units, before anything is
divided.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from churn import audit, export
from churn.core.grants import Session
from churn.core.money import to_major
from churn.db import Database

KINDS = {"CSV": "csv", "Excel": "xlsx", "Parquet": "parquet"}


def totals(frame: pd.DataFrame, money: Sequence[str]) -> pd.DataFrame:
    """One row a currency: rows, and the sum of every money column (minor units), in the currency's units."""
    rows: list[dict[str, Any]] = []
    for currency in sorted(set(frame["currency"])):
        part = frame[frame["currency"] == currency]
        sums = {name: to_major(sum(int(value) for value in part[name]), currency) for name in money}
        rows.append({"totals": "all rows", "currency": currency, "rows": len(part), **sums})
    return pd.DataFrame(rows, columns=["totals", "currency", "rows", *money])


def in_units(frame: pd.DataFrame, money: Sequence[str]) -> pd.DataFrame:
    """The same with money as exact numbers of the currency."""
    told = frame.copy()
    for name in money:
        amounts: list[Decimal] = [
            to_major(int(value), currency) for value, currency in zip(frame[name], frame["currency"], strict=True)
        ]
        told[name] = pd.Series(amounts, index=frame.index, dtype=object)
    return told


def file_of(kind: str, frame: pd.DataFrame, money: Sequence[str]) -> bytes:
    """The bytes of one file. `frame` has a column `currency`, and `money` its columns of minor units."""
    rows, sums = in_units(frame, money), totals(frame, money)
    if kind == "CSV":
        return export.to_csv(rows) + b"\r\n" + export.to_csv(sums).removeprefix(b"\xef\xbb\xbf")
    if kind == "Excel":
        return export.to_xlsx(rows, totals=sums)
    table = pq.read_table(io.BytesIO(export.to_parquet(rows)))
    notes = dict(table.schema.metadata or {}) | {
        b"keepline_totals": json.dumps(sums.to_dict("records"), default=str).encode()
    }
    out = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(notes), out)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class View:
    """One table of the page as it may leave it. `money`: columns of minor units; `about`: what it was narrowed to."""

    name: str
    frame: pd.DataFrame
    money: tuple[str, ...]
    about: Mapping[str, Any]


def exported(database: Database, me: Session, kind: str, view: View) -> bytes:
    """The file, once it is written down that it was taken along: no note, no file."""
    detail = {"view": view.name, "kind": kind, "rows": len(view.frame), **view.about}
    audit.note_view(database, me, "exported", "spend", detail)
    return file_of(kind, view.frame, view.money)
