"""The five ready mappings on the public data sets: every row is accounted for."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from churn.imports.loading import import_folder
from churn.imports.mapping import load_mapping


@pytest.mark.parametrize("name", ["telco", "maven", "cell2cell", "mlc", "eagle"])
def test_telco(batch: psycopg.Connection, data: Path, name) -> None:
    import time

    t = time.time()
    reports = import_folder(batch, data / name, load_mapping(name), progress=lambda *_: None)
    print("\n", name, time.time() - t)
    for r in reports:
        print(r)
    print(batch.execute("select column_name, reason, count(*) from feed.set_aside group by 1,2").fetchall())
    for t in ("customers", "subscriptions", "contacts"):
        for r in batch.execute(f"select * from feed.{t} limit 2").fetchall():
            print(r)
    print(batch.execute("select data_until from desk.company").fetchall())
    print(
        batch.execute(
            "select count(*), count(customer_id), count(ended_at), min(started_at),max(started_at) from feed.contacts"
        ).fetchall()
    )
    print(batch.execute("select path, rows_read, imported_at from feed.files").fetchall())

    def shot():
        return [
            batch.execute(f"select xmin::text, ctid::text, t::text from {x} t order by 2").fetchall()
            for x in (
                "feed.customers",
                "feed.subscriptions",
                "feed.contacts",
                "feed.files",
                "feed.set_aside",
                "desk.company",
            )
        ]

    a = shot()
    again = import_folder(batch, data / name, load_mapping(name), progress=lambda *_: None)
    assert all(r.is_unchanged or r.refusal for r in again)
    assert shot() == a
