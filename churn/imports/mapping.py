"""What a company's files mean: which of our tables their rows become, and how. Read from a small TOML file.

Everything wrong with a mapping is said at once (`MappingError.problems`), before a file is opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Literal

# What stands for "no value" where the column is not text. In text only the blank does: Ms Null and Mr Na exist.
MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NULL", "Null", "null", "NaN", "nan", "None", "none", "-", "?")
AttributeType = Literal["number", "boolean", "text"]


class MappingError(ValueError):
    """A mapping that cannot be used. `problems`: one sentence each."""

    def __init__(self, name: str, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join([f"The mapping {name} cannot be used:", *(f"- {one}" for one in problems)]))


@dataclass(frozen=True, slots=True)
class Company:
    """Whose files these are. `snapshot_on`: the day a flat file shows; `data_until`: the last instant of the data;
    `monthly_churn`: the field's true rate of leaving, where the file holds more leavers than the field."""

    name: str
    time_zone: str
    phone_region: str
    currency: str
    horizon_days: int = 90
    snapshot_on: date | None = None
    data_until: datetime | None = None
    monthly_churn: float | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """A small second file: the row whose `key` is our value gives `take`."""

    file: str
    key: str
    take: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where the values of one of our columns come from: `way` names the one of the first group that is set."""

    way: str = "column"
    column: str | None = None
    constant: str | None = None
    join: tuple[str, ...] = ()
    digest: tuple[str, ...] = ()
    digest_except: tuple[str, ...] = ()  # all columns but these; they stay what else they are, attributes for instance
    first: tuple[Source, ...] = ()
    sum: tuple[str, ...] = ()
    months_before_snapshot: str | None = None
    snapshot_when: str | None = None

    equals: tuple[str, ...] = ()  # with snapshot_when: the values that mean "ended"
    parted_by: str = " "  # with join
    values: dict[str, str] | None = None
    otherwise: str | None = None
    missing: tuple[str, ...] = ("",)
    whole_number: bool = False  # "4587.0" is the id 4587
    pad: int = 0
    prefix: str = ""
    time: str | None = None  # a second column, joined to the first by a blank
    lookup: Lookup | None = None
    style: str | None = None  # of dates and times
    decimal: str = "1,234.50"

    def columns(self) -> set[str]:
        """Their columns this source reads."""
        one = {self.column, self.time, self.months_before_snapshot, self.snapshot_when} - {None}
        return {str(name) for name in one}.union(
            self.join, self.digest, self.digest_except, self.sum, *(source.columns() for source in self.first)
        )

    def blamed(self) -> str | None:
        """Their column to name when a value is bad; None when several could be meant."""
        if self.digest_except:
            return None
        named = self.columns()
        return self.column or (next(iter(named)) if len(named) == 1 else None)


@dataclass(frozen=True, slots=True)
class Attributes:
    """Which of their columns become keys of `customers.attributes`. Types not declared are detected over the file."""

    rest: bool = True  # all that are neither mapped nor dropped
    also: tuple[str, ...] = ()  # mapped columns that become keys as well
    types: dict[str, AttributeType] = field(default_factory=dict)
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableMapping:
    """One of our tables out of one of their files. `completes`: a missing value leaves what an earlier file said."""

    table: str
    sources: dict[str, Source]
    attributes: Attributes | None = None  # customers only
    customer_phone: Source | None = None  # contacts only: tells the customer where no id does
    completes: bool = False


@dataclass(frozen=True, slots=True)
class FileMapping:
    """One of their files. `drop`: columns that must not come in, for the reason the mapping's comment gives."""

    path: PurePosixPath
    tables: tuple[TableMapping, ...]
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str = "1,234.50"
    drop: tuple[str, ...] = ()

    def columns(self) -> set[str]:
        """Their columns the mapping names, dropped ones too."""
        named = set(self.drop)
        for table in self.tables:
            sources = [*table.sources.values(), *([table.customer_phone] if table.customer_phone else [])]
            named.update(*(source.columns() for source in sources))
            if table.attributes:
                named.update(table.attributes.also, table.attributes.types, table.attributes.missing)
        return named

    def lookups(self) -> set[Lookup]:
        """The second files this one needs."""
        found = {source.lookup for table in self.tables for source in table.sources.values()}
        return {lookup for lookup in found if lookup}


@dataclass(frozen=True, slots=True)
class Mapping:
    """A company and its files, in the order they are read."""

    name: str
    sha256: str  # of the TOML file
    company: Company
    files: tuple[FileMapping, ...]
