"""A tiny company for the import tests: one file of subscribers, one of contacts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from churn.imports.loading import import_folder
from churn.imports.mapping import Mapping
from churn.imports.parsing import load_mapping
from churn.imports.taking import FileReport

SUBSCRIBERS = "Id,Name,Phone,Joined,Price,Tier"
GOOD_SUBSCRIBER = {
    "Id": "1",
    "Name": "Ada",
    "Phone": "020 7946 0958",
    "Joined": "05/03/2021",
    "Price": "20",
    "Tier": "gold",
}
CONTACTS = "No,Account,At,Until,Score,Note"
GOOD_CONTACT = {
    "No": "k1",
    "Account": "1",
    "At": "05/03/2024 10:00",
    "Until": "05/03/2024 10:20",
    "Score": "4",
    "Note": "hello",
}
COMPANY = """
[company]
name = "Small"
time_zone = "Europe/London"
phone_region = "GB"
currency = "{currency}"
"""
FILES = """
[[file]]
path = "subscribers.csv"
dates = "%d/%m/%Y"
decimal = "{decimal}"
[file.customers]
customer_id = "Id"
name = "Name"
phone = "Phone"
joined_on = "Joined"
[file.subscriptions]
subscription_id = {{ column = "Id", prefix = "S-" }}
customer_id = "Id"
product = {{ constant = "Broadband" }}
plan = {{ constant = "Basic" }}
started_on = "Joined"
monthly_price = "Price"
"""
CONTACT_FILE = """
[[file]]
path = "contacts.csv"
dates = "%d/%m/%Y %H:%M"
[file.contacts]
contact_id = "No"
customer_id = "Account"
started_at = "At"
ended_at = "Until"
channel = { constant = "call" }
direction = { constant = "in" }
csat = "Score"
notes = "Note"
"""


@dataclass
class Small:
    """A folder, a mapping and a database."""

    folder: Path
    conn: psycopg.Connection
    currency: str = "GBP"
    decimal: str = "1,234.50"
    with_contacts: bool = False

    def mapping(self) -> Mapping:
        """The mapping of this company."""
        text = COMPANY.format(currency=self.currency) + FILES.format(decimal=self.decimal)
        path = self.folder.parent / "small.toml"
        path.write_text(text + (CONTACT_FILE if self.with_contacts else ""))
        return load_mapping(path)

    def put(self, name: str, content: str | bytes) -> None:
        """Write one file of the folder."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    def take_in(self) -> list[FileReport]:
        """Import the folder."""
        return import_folder(self.conn, self.folder, self.mapping(), progress=lambda *_: None)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says."""
        return self.conn.execute(query).fetchall()  # type: ignore[arg-type]

    def set_aside(self) -> list[tuple[Any, ...]]:
        """Line, column and reason of all rows set aside."""
        return self.rows("SELECT line, column_name, reason FROM feed.set_aside ORDER BY file_id, line")


def csv_row(values: dict[str, str]) -> str:
    """One quoted row."""
    return ",".join('"' + value.replace('"', '""') + '"' for value in values.values()) + "\n"
