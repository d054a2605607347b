"""The five ready mappings on the public data sets: every row is accounted for."""

from __future__ import annotations

from pathlib import Path

import psycopg

from churn.imports.loading import import_folder
from churn.imports.mapping import load_mapping


def test_telco(batch: psycopg.Connection, data: Path) -> None:
    reports = import_folder(batch, data / "telco", load_mapping("telco"), progress=lambda *_: None)
    print(reports)
    print(batch.execute("select * from feed.set_aside limit 3").fetchall())
    print(batch.execute("select * from feed.customers limit 2").fetchall())
    print(batch.execute("select * from feed.subscriptions limit 4").fetchall())
    print(batch.execute("select * from desk.company").fetchall())
    assert reports[0].rows_accepted == 7043
