"""A simulated company as the volume job counts it, without a database: for tests and the benchmark of forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from churn.core.forecasting.volume import Calendar
from churn.core.forecasting.volume_bands import History
from churn.core.forecasting.volume_events import Event
from churn.forecasting.volume_nights import UNPLANNED, holidays_of
from churn.simulation import Company, simulate
from churn.simulation.clock import ZONE


@dataclass(frozen=True)
class Seen:
    """What the job would see, and beside it the truth about each event, for the test alone."""

    history: History
    calendar: Calendar
    events: list[Event]
    truth: pd.DataFrame  # truth.events by event_id


def company_of(seed: int, customers: int = 20_000) -> Seen:
    """Two years of a simulated company."""
    company = simulate(customers=customers, months=24, seed=seed)
    history = history_of(company)
    planned = company.frame("feed.change_events")
    events = [
        Event(
            row.event_id, row.kind, row.starts_at.tz_convert(ZONE).date(), float(row.audience_size), row.region,
            "no impact" in row.title.lower(),
        )
        for row in planned.itertuples()
    ]  # fmt: skip
    truth = company.frame("truth.events").set_index("event_id")
    return Seen(history, Calendar(holidays_of("GB", range(2024, 2028))), events, truth)


def history_of(company: Company) -> History:
    """Inbound contacts by local day, queue and region."""
    contacts = company.frame("feed.contacts")
    contacts = contacts[contacts["direction"] == "in"].merge(
        company.frame("feed.customers")[["customer_id", "region"]], on="customer_id", how="left"
    )
    day = contacts["started_at"].dt.tz_convert(ZONE).dt.tz_localize(None).dt.normalize()
    contacts = contacts.assign(day=day)
    days = pd.date_range(day.min(), day.max(), freq="D")
    whole = contacts.groupby(["day", "queue"]).size().unstack(fill_value=0).reindex(days, fill_value=0)
    regions = {
        str(name): part.groupby(["day", "queue"]).size().unstack(fill_value=0)
        .reindex(index=days, columns=whole.columns, fill_value=0).to_numpy(float)
        for name, part in contacts.groupby("region")
    }  # fmt: skip
    return History(days.to_numpy().astype("datetime64[D]"), tuple(whole.columns), whole.to_numpy(float), regions)


def eagle(data: Path, what: str) -> tuple[History, Calendar]:
    """Eagle National a day, while everything was logged: `complaints` (about 12) or `calls` (about 2). One queue."""
    file, form = {
        "complaints": ("crm_events.csv", "%d-%m-%Y"), "calls": ("crm_call_center_logs.csv", "%Y-%m-%d"),
    }[what]  # fmt: skip
    log = pd.to_datetime(pd.read_csv(data / "eagle" / file)["date_received"], format=form)
    daily = log.value_counts().sort_index().asfreq("D").fillna(0.0).loc["2012-03-01":"2017-03-31"]
    days = daily.index.to_numpy().astype("datetime64[D]")
    return History(days, (what,), daily.to_numpy(float)[:, None], {}), Calendar(holidays_of("US", range(2012, 2019)))


def is_planned(event: Event) -> bool:
    """Whether anybody knows of it before it begins."""
    return not event.kind.startswith(UNPLANNED)


def mase(tested: pd.DataFrame) -> float:
    """Mean absolute error over that of last week's same weekday, from the same origins."""
    off = (tested["came"] - tested["expected"]).abs().sum()
    return float(off / (tested["came"] - tested["naive"]).abs().sum())


def covered(banded: pd.DataFrame) -> float:
    """Share of days within their band."""
    return float(np.mean(banded["came"].between(banded["low"], banded["high"])))
