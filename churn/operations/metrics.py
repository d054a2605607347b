"""Figures for an operator in Prometheus' text form, on a port of their own that only this machine reaches."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from churn.db import Database
from churn.gateway import rows_of
from churn.operations import faults, health
from churn.refusals import Refusal

KEPT_SECONDS = 5.0  # two who ask at once cost one look at the database

REGISTRY = CollectorRegistry()
_runs = Counter("keepline_runs", "Times a page has run its guard", ["page"], registry=REGISTRY)
_errors = Counter("keepline_errors", "Errors shown to somebody", ["kind"], registry=REGISTRY)


def run_of(page: str) -> None:
    """A page runs for somebody who is here."""
    _runs.labels(page).inc()


def error_of(kind: str) -> None:
    """Somebody was shown an error: `fault` of the surroundings, or `defect` of ours."""
    _errors.labels(kind).inc()


def serve(database: Database, port: int) -> None:
    """Answer on 127.0.0.1:`port` until the process ends."""
    REGISTRY.register(Watch(database))
    start_http_server(port, addr="127.0.0.1", registry=REGISTRY)


class Watch(Collector):
    """What the database and its pool say when somebody asks."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._kept: list[Metric] = []
        self._at = -KEPT_SECONDS
        self._one = threading.Lock()

    def describe(self) -> list[Metric]:
        """Nothing beforehand: the names depend on what there is."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures; without a database only that there is none."""
        with self._one:
            if time.monotonic() - self._at >= KEPT_SECONDS:
                self._kept, self._at = list(self._look()), time.monotonic()
            yield from self._kept

    def _look(self) -> Iterator[Metric]:
        pool = self.database.pool.get_stats()
        for name, key, what in (
            ("keepline_pool_connections", "pool_size", "Connections the pool holds"),
            ("keepline_pool_idle", "pool_available", "Connections nobody uses"),
            ("keepline_pool_waiting", "requests_waiting", "Threads that wait for a connection"),
            ("keepline_pool_timeouts", "requests_errors", "Times nobody got a connection within a second"),
        ):
            yield GaugeMetricFamily(name, what, pool.get(key, 0))
        try:
            milliseconds = health.ask(self.database)
            activity = rows_of(self.database, "batch", "operations", "activity", {})
            ages = rows_of(self.database, "batch", "operations", "ages", {})[0]
        except (*faults.OF_DATABASE, Refusal):
            yield GaugeMetricFamily("keepline_database_up", "Whether the database answers", 0)
            return
        yield GaugeMetricFamily("keepline_database_up", "Whether the database answers", 1)
        yield GaugeMetricFamily("keepline_database_milliseconds", "One question to the database", milliseconds)
        for subject, name, what in (
            ("ledger", "keepline_ledger_last_hour", "Rows of the ledger in the last hour, by kind"),
            ("refused", "keepline_refused_last_hour", "Refusals in the last hour, by code"),
        ):
            family = GaugeMetricFamily(name, what, labels=["kind" if subject == "ledger" else "code"])
            for row in activity:
                if row["subject"] == subject:
                    family.add_metric([row["name"]], row["times"])
            yield family
        yield GaugeMetricFamily("keepline_approvals_waiting", "Requests without an answer", ages["approvals_waiting"])
        for key, what in (
            ("scores_seconds", "Age of everyone's scores"),
            ("import_seconds", "Time since the last import"),
            ("unsealed_seconds", "Age of the oldest row of the audit that is not sealed"),
        ):
            if ages[key] is not None:
                yield GaugeMetricFamily(f"keepline_{key}", what, ages[key])
