"""From a company's raw table to numbers, in two steps so that one caller costs no pandas.

*Reading* (`Columns`) looks at values only: every raw column becomes exactly one float, its code (the number itself,
days since 1970, or the index of a level). *Design* (`Design`) turns codes into the matrix the models see, with numpy
alone: one-hot levels, rates and frequencies of wide text, and derived columns. Replacing one raw value therefore means
replacing one code, and everything made from it follows.

No column is known by name. Columns are kept in the order of their names, so the order of the file does not matter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd

from churn.core.refusals import ColumnsMissing

Array = np.ndarray[Any, Any]

MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "null", "none", "nat", "<na>", "?", "-"})
ONE_HOT_LEVELS = 20  # above this a text column is described by frequency and rate instead
MOSTLY = 0.95  # share of values that must read as a number or a date
DATE_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d")
_NUMBER_NOISE = str.maketrans("", "", ",$€£% \u00a0")
_LEADING_NUMBER = re.compile(r"^\W*(\d+(?:\.\d+)?)")
_LEADING_LETTERS = re.compile(r"^[^\W\d_]+")
_ID_WORDS = frozenset({"id", "key", "uuid", "guid", "index", "rownumber", "phone"})


def tokens(name: str) -> tuple[str, ...]:
    """The words of a column name in lower case: `total_day_charge`, `TotalDayCharge` → total, day, charge."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return tuple(word.lower() for word in re.split(r"[\W_]+", spaced) if word)


def to_level(value: object) -> str | None:
    """The level a value belongs to; None when it is missing. `True`, `"TRUE"`, `1` and `1.0` are one level."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, bool | np.bool_):
        return "1" if value else "0"
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else str(int(value)) if float(value).is_integer() else str(float(value))
    text = str(value).strip().casefold()
    return None if text in MISSING_WORDS else {"true": "1", "false": "0"}.get(text, text)


def to_number(value: object) -> float:
    """The number a value stands for, `"$1,204.50"` and `"12%"` included; NaN when it stands for none or is infinite."""
    try:
        number = float(value.translate(_NUMBER_NOISE)) if isinstance(value, str) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")
    return number if np.isfinite(number) else float("nan")


def to_days(value: object, form: str | None = None) -> float:
    """Days since 1970-01-01 of a date, an instant or a text in format `form`; NaN when it is none."""
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, str) and form is not None:
        try:
            value = datetime.strptime(value.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            return float("nan")
    if value is pd.NaT or not isinstance(value, date):
        return float("nan")
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() / 86400.0


@dataclass(frozen=True)
class Column:
    """How one raw column is read: `kind` is number, date, levels, text or skipped; `usual` its median or commonest."""

    name: str
    kind: str
    usual: Any = None
    levels: Mapping[str, int] = field(default_factory=dict)
    prefixes: Mapping[str, int] = field(default_factory=dict)
    prefix_length: int | None = None
    date_format: str | None = None

    @property
    def is_numeric(self) -> bool:
        """Whether its code is an amount rather than the index of a level."""
        return self.kind in {"number", "date"}

    @property
    def is_yes_no(self) -> bool:
        """Whether its two levels have an order: no before yes, false before true."""
        return self.kind == "levels" and tuple(sorted(self.levels)) in {
            ("no", "yes"),
            ("n", "y"),
            ("0", "1"),
            ("f", "t"),
        }

    @property
    def n_codes(self) -> int:
        """Codes of a level column: levels, then prefixes of unseen levels, then unseen, then missing."""
        return len(self.levels) + len(self.prefixes) + 2

    def code(self, value: object) -> float:
        """The float that stands for one raw value."""
        if self.kind == "number":
            return to_number(value)
        if self.kind == "date":
            return to_days(value, self.date_format)
        if self.kind == "skipped":
            return 0.0
        level = to_level(value)
        if level is None:
            return float(self.n_codes - 1)
        known = self.levels.get(level)
        if known is not None:
            return float(known)
        prefix = self.prefixes.get(leading_part(level, self.prefix_length))
        return float(self.n_codes - 2 if prefix is None else len(self.levels) + prefix)

    def codes(self, values: pd.Series) -> Array:
        """The codes of a whole column, each distinct value read once."""
        if self.kind == "number" and is_plain_number(values):
            numbers = values.to_numpy(dtype=float, copy=True)
            numbers[~np.isfinite(numbers)] = np.nan
            return numbers
        which, distinct = distinct_values(values)
        table = np.array([self.code(value) for value in distinct] + [self.code(None)])
        return table[which]  # -1, a missing value, takes the last


def is_plain_number(values: pd.Series) -> bool:
    """Whether a column already holds machine numbers (booleans are levels)."""
    return isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf"


def leading_part(level: str, length: int | None) -> str:
    """The first `length` characters of a level; with None the letters it starts with: `seapor503` → `seapor`."""
    if length is not None:
        return level[:length]
    found = _LEADING_LETTERS.match(level)
    return found.group() if found else ""


def distinct_values(values: pd.Series) -> tuple[Array, list[Any]]:
    """Index of each row's value (-1: missing) and the distinct values; lists and dicts count as their text."""
    held = values.astype(object)
    try:
        which, distinct = pd.factorize(held, use_na_sentinel=True)
    except TypeError:
        held = held.map(lambda value: value if isinstance(value, Hashable) else str(value))
        which, distinct = pd.factorize(held, use_na_sentinel=True)
    return np.asarray(which), list(distinct)


def read_column(values: pd.Series) -> Column:
    """Decide how one column is read, from its values alone (never the target)."""
    name = str(values.name)
    if is_plain_number(values):
        numbers = values.to_numpy(dtype=float)
        return _number_column(name, numbers, values.dtype.kind != "f")
    which, distinct = distinct_values(values)
    levels = [to_level(value) for value in distinct]
    counts = np.bincount(which[which >= 0], minlength=len(distinct))
    present = np.array([level is not None for level in levels], dtype=bool)
    if not counts[present].sum():
        return Column(name, "skipped")
    if all(isinstance(value, bool | np.bool_) for value in distinct):
        return _level_column(name, levels, counts, len(values))
    for kind, form in (("number", None), *(("date", form) for form in DATE_FORMATS)):
        read = _read_all(distinct, kind, form)
        if counts[np.isfinite(read) & present].sum() >= MOSTLY * counts[present].sum():
            return _numeric_object(name, kind, form, np.append(read, np.nan)[which])
    return _level_column(name, levels, counts, len(values))


def _read_all(distinct: Sequence[object], kind: str, form: str | None) -> Array:
    """Every distinct value as a number or date; given up early where hardly any of the first few hundred reads."""

    def read(values: Sequence[object]) -> Array:
        return np.array([to_number(value) if kind == "number" else to_days(value, form) for value in values])

    first = read(distinct[:300])
    if not np.isfinite(first).any():
        return np.full(len(distinct), np.nan)
    return np.append(first, read(distinct[300:]))


def _number_column(name: str, numbers: Array, whole: bool) -> Column:
    held = numbers[np.isfinite(numbers)]
    if not held.size or (held.size == numbers.size and np.ptp(held) == 0) or _is_identity(name, held, whole):
        return Column(name, "skipped", usual=float(np.median(held)) if held.size else None)
    return Column(name, "number", usual=float(np.median(held)))


def _numeric_object(name: str, kind: str, form: str | None, numbers: Array) -> Column:
    if kind == "number":
        return _number_column(name, numbers, whole=bool(np.all(np.mod(numbers[np.isfinite(numbers)], 1) == 0)))
    held = numbers[np.isfinite(numbers)]
    middle = datetime.fromtimestamp(float(np.floor(np.median(held))) * 86400.0, tz=UTC).replace(tzinfo=None)
    usual: object = middle if form is None else middle.strftime(form)
    return Column(
        name, "skipped" if np.ptp(held) == 0 and held.size == numbers.size else "date", usual, date_format=form
    )


def _is_identity(name: str, numbers: Array, whole: bool) -> bool:
    """Whole numbers, all different, that either count the rows or are named like a key: nothing to learn from."""
    if not whole or numbers.size < 50 or np.unique(numbers).size < numbers.size:
        return False
    return bool(np.ptp(numbers) < 1.01 * numbers.size) or bool(_ID_WORDS & set(tokens(name)))


def _level_column(name: str, levels: Sequence[str | None], counts: Array, n_rows: int) -> Column:
    tally: Counter[str] = Counter()
    for level, count in zip(levels, counts, strict=True):
        if level is not None:
            tally[level] += int(count)
    ordered = sorted(tally, key=lambda level: (-tally[level], level))
    missing = n_rows - sum(tally.values())
    if len(ordered) > 0.5 * n_rows and len(ordered) > ONE_HOT_LEVELS:
        return Column(name, "skipped", ordered[0])  # nearly every row has its own: a key or free text
    if len(ordered) == 1 and not missing:
        return Column(name, "skipped", ordered[0])
    if len(ordered) <= ONE_HOT_LEVELS:
        return Column(name, "levels", ordered[0], {level: i for i, level in enumerate(sorted(ordered))})
    length, prefixes = shared_prefixes(ordered)
    return Column(name, "text", ordered[0], {level: i for i, level in enumerate(sorted(ordered))}, prefixes, length)


def shared_prefixes(levels: Sequence[str]) -> tuple[int | None, dict[str, int]]:
    """The beginnings that group levels at least two to one: leading letters, else three characters, else none."""
    for length in (None, 3):
        starts = sorted({leading_part(level, length) for level in levels} - {""})
        if 2 <= len(starts) <= 0.5 * len(levels):
            return length, {start: i for i, start in enumerate(starts)}
    return None, {}


class Columns:
    """Every raw column and how it is read; learned from a frame, never from the target."""

    def __init__(self, frame: pd.DataFrame) -> None:
        names = [str(name) for name in frame.columns]
        if len(set(names)) < len(names):
            twice = sorted(name for name, count in Counter(names).items() if count > 1)
            raise ValueError(f"The table has more than one column called {', '.join(twice)}.")
        self.columns = tuple(sorted((read_column(frame[name]) for name in frame.columns), key=lambda c: c.name))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the raw columns, in order."""
        return tuple(column.name for column in self.columns)

    def are_read_like(self, others: Columns) -> bool:
        """Whether both have the same columns and take each for the same kind of thing."""
        return [(c.name, c.kind) for c in self.columns] == [(c.name, c.kind) for c in others.columns]

    @property
    def usual_codes(self) -> Array:
        """(p,) codes of the usual values."""
        return np.array([column.code(column.usual) for column in self.columns])

    @property
    def n_informative(self) -> int:
        """How many raw columns hold anything to learn from."""
        return sum(column.kind != "skipped" for column in self.columns)

    def codes(self, frame: pd.DataFrame) -> Array:
        """(n, p) codes of a frame. Raises ColumnsMissing when one it was fitted on is absent; others are ignored."""
        self._refuse_absent(str(name) for name in frame.columns)
        held = {str(name): name for name in frame.columns}
        coded = [column.codes(frame[held[column.name]]) for column in self.columns]
        return np.column_stack(coded) if coded else np.empty((len(frame), 0))

    def codes_of_rows(self, rows: Sequence[Mapping[str, object]]) -> Array:
        """(n, p) codes of plain mappings, the quick way for a handful of rows. Raises ColumnsMissing."""
        for row in rows:
            self._refuse_absent(row)
        coded = [[column.code(row[column.name]) for column in self.columns] for row in rows]
        return np.array(coded, dtype=float).reshape(len(rows), len(self.columns))

    def _refuse_absent(self, present: Iterable[str]) -> None:
        held = set(present)
        absent = [name for name in self.names if name not in held]
        if absent:
            raise ColumnsMissing(absent)


@dataclass(frozen=True)
class Derived:
    """A column made from numeric ones: their `total`, one `per` the other, or one `less` the other."""

    how: str
    parts: tuple[int, ...]

    def values(self, coded: Array) -> Array:
        """(n,) values from (n, p) codes; NaN where a part is missing or a divisor is zero."""
        if self.how == "total":
            return coded[:, list(self.parts)].sum(axis=1)
        first, second = coded[:, self.parts[0]], coded[:, self.parts[1]]
        if self.how == "less":
            return first - second
        return np.divide(first, second, out=np.full(len(coded), np.nan), where=second != 0)

    def name(self, names: Sequence[str]) -> str:
        """In words: `total of a, b`, `a per b`, `a less b`."""
        parts = [names[part] for part in self.parts]
        return f"total of {', '.join(parts)}" if self.how == "total" else f"{parts[0]} {self.how} {parts[1]}"


class Design:
    """Codes to the design matrix, for one set of training rows.

    Numbers and dates pass as they are (NaN: missing). Level columns become one 0/1 column per level seen often enough;
    wide text becomes its frequency and smoothed rate of the target, and the same for its leading part. A level's
    number, where levels start with one (`4-medium`), is kept as an amount. Rates are cross-fitted on training rows.
    """

    def __init__(
        self, columns: Columns, derived: Sequence[Derived] = (), *, smoothing: float = 40.0, seed: int = 0
    ) -> None:
        self.columns, self.derived = columns, tuple(derived)
        self.smoothing, self.seed = smoothing, seed
        self.numeric = [j for j, column in enumerate(columns.columns) if column.is_numeric]

    def fit_transform(self, coded: Array, target: Array) -> Array:
        """(n, d) design of the training rows, rates cross-fitted, from (n, p) codes and a 0/1 target."""
        self.tables = {j: self._table(j, coded[:, j], target) for j in self._level_columns()}
        design = self.transform(coded)
        self._cross_fit(design, coded, target)
        return design

    def transform(self, coded: Array) -> Array:
        """(n, d) design from (n, p) codes, numpy only."""
        parts = [coded[:, self.numeric]]
        parts += [table[coded[:, j].astype(np.intp)] for j, table in self.tables.items()]
        parts += [made.values(coded)[:, None] for made in self.derived]
        return np.hstack(parts)

    @property
    def features(self) -> list[tuple[int, str]]:
        """Raw column (-1: several) and sort (`amount` or `flag`) of each design column."""
        listed = [(j, "amount") for j in self.numeric]
        for j, table in self.tables.items():
            listed += [(j, "flag" if is_flag(table[:, k]) else "amount") for k in range(table.shape[1])]
        return listed + [(-1, "amount")] * len(self.derived)

    def signs(self, by_column: Mapping[int, int]) -> Array:
        """(d,) the sign of each design column, from the declared signs of raw columns; 0 where none holds."""
        return np.array([by_column.get(j, 0) for j, _ in self.features], dtype=int)

    def _level_columns(self) -> list[int]:
        return [j for j, column in enumerate(self.columns.columns) if column.kind in {"levels", "text"}]

    def _table(self, j: int, codes: Array, target: Array) -> Array:
        column = self.columns.columns[j]
        which = codes.astype(np.intp)
        made = one_hot(column, which) if column.kind == "levels" else self._rates(column, which, target)
        amounts = level_numbers(column)
        return made if amounts is None else np.column_stack([made, amounts])

    def _rates(self, column: Column, which: Array, target: Array) -> Array:
        """(codes, 2 or 4): rate and log frequency of the level, then of its leading letters."""
        base = float(target.mean())
        rows = np.bincount(which, minlength=column.n_codes).astype(float)
        events = np.bincount(which, weights=target, minlength=column.n_codes)
        if not column.prefixes:
            return np.column_stack([(events + self.smoothing * base) / (rows + self.smoothing), np.log1p(rows)])
        group = prefix_groups(column)
        group_rows, group_events = np.bincount(group, weights=rows), np.bincount(group, weights=events)
        group_rate = ((group_events + self.smoothing * base) / (group_rows + self.smoothing))[group]
        rate = (events + self.smoothing * group_rate) / (rows + self.smoothing)
        return np.column_stack([rate, np.log1p(rows), group_rate, np.log1p(group_rows)[group]])

    def _cross_fit(self, design: Array, coded: Array, target: Array, n_folds: int = 5) -> None:
        """Give each training row the rates of the other folds, so that a rare level cannot carry its own answer."""
        fold = np.random.default_rng(self.seed).permutation(len(target)) % n_folds
        start = len(self.numeric)
        for j, table in self.tables.items():
            if self.columns.columns[j].kind == "text":
                for k in range(n_folds):
                    held = fold == k
                    others = self._table(j, coded[~held, j], target[~held])
                    rates = [0, 2] if self.columns.columns[j].prefixes else [0]
                    design[np.ix_(held, [start + r for r in rates])] = others[coded[held, j].astype(np.intp)][:, rates]
            start += table.shape[1]


def one_hot(column: Column, which: Array, rarest: int = 10) -> Array:
    """(codes, k) 0/1 columns: one per level with at least `rarest` rows; two levels need one column, the second."""
    rows = np.bincount(which, minlength=column.n_codes)
    kept = np.flatnonzero(rows >= rarest)
    if len(kept) == 2 and not rows[-1]:
        kept = kept[1:]
    return np.eye(column.n_codes)[:, kept]


def level_numbers(column: Column) -> Array | None:
    """(codes,) the number each level starts with (`1-highest` → 1), NaN for the rest; None when few levels have one."""
    found = [_LEADING_NUMBER.match(level) for level in column.levels]
    numbers = [float(match.group(1)) if match else np.nan for match in found]
    if len(set(numbers) - {np.nan}) < 3 or np.isfinite(numbers).mean() < 0.5:
        return None
    return np.array(numbers + [np.nan] * (column.n_codes - len(numbers)))


def prefix_groups(column: Column) -> Array:
    """(codes,) which leading part each code belongs to; levels without one, and missing, are a group each."""
    none = len(column.prefixes)
    of_levels = [column.prefixes.get(leading_part(level, column.prefix_length), none) for level in column.levels]
    return np.array([*of_levels, *range(none), none, none + 1])


def is_flag(values: Array) -> bool:
    """Whether a table column holds only 0 and 1."""
    return bool(np.isin(values, (0.0, 1.0)).all())
