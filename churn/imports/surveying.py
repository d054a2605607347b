"""A folder looked over before anything is written: every file that cannot be read is named at once."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path

from churn.imports.inspecting import Inspection, Refusal, inspect_file
from churn.imports.mapping import FileMapping, Lookup, Mapping
from churn.imports.reading import read_chunks
from churn.imports.sources import Lookups
from churn.imports.values import trim

MOST_LOOKED_UP = 1_000_000  # rows of a lookup, which stands in memory
_DATA_FILES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt")


@dataclass(slots=True)
class Survey:
    """What a folder holds for a mapping. `refusals`: file → sentence; `strangers`: files the mapping does not name."""

    inspections: dict[str, Inspection] = field(default_factory=dict)
    lookup_files: dict[str, Inspection] = field(default_factory=dict)
    lookup_rows: dict[str, int] = field(default_factory=dict)
    lookups: Lookups = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)


def survey_folder(folder: Path, mapping: Mapping) -> Survey:
    """Inspect every file the mapping names, and load its lookups."""
    survey = Survey()
    for file in mapping.files:
        path = str(file.path)
        try:
            survey.inspections[path] = _inspect(folder, file)
        except Refusal as refusal:
            survey.refusals[path] = str(refusal)
    for lookup in sorted({one for file in mapping.files for one in file.lookups()}, key=repr):
        try:
            _load_lookup(folder, lookup, survey)
        except Refusal as refusal:
            survey.refusals[lookup.file] = str(refusal)
    named = {*survey.inspections, *survey.refusals, *survey.lookup_files}
    survey.strangers = [name for name in _data_files(folder) if name not in named]
    return survey


def _inspect(folder: Path, file: FileMapping) -> Inspection:
    found = _inspect_named(folder, str(file.path), file.columns(), file.encoding, file.delimiter)
    lacking = sorted(file.columns() - set(found.header))
    if lacking:
        listed = ", ".join(_with_suggestion(name, found.header) for name in lacking)
        raise Refusal(f"{file.path} has no column {listed}.")
    return found


def _inspect_named(
    folder: Path, name: str, wanted: set[str], encoding: str | None = None, delimiter: str | None = None
) -> Inspection:
    path = folder / name
    if not path.is_file():
        raise Refusal(f"{name} is not in the folder.")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise Refusal(f"{name} leads out of the folder.")
    return inspect_file(path, wanted=wanted, encoding=encoding, delimiter=delimiter)


def _with_suggestion(name: str, header: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, header, n=1)
    return f"“{name}” (is it “{near[0]}”?)" if near else f"“{name}”"


def _load_lookup(folder: Path, lookup: Lookup, survey: Survey) -> None:
    found = _inspect_named(folder, lookup.file, {lookup.key, lookup.take})
    if lacking := sorted({lookup.key, lookup.take} - set(found.header)):
        listed = ", ".join(_with_suggestion(name, found.header) for name in lacking)
        raise Refusal(f"{lookup.file} has no column {listed}.")
    table: dict[str, str] = {}
    rows = 0
    for chunk in read_chunks(found):
        keys, values = trim(chunk.columns[lookup.key]).to_pylist(), trim(chunk.columns[lookup.take]).to_pylist()
        rows += len(keys)
        table.update(zip(keys, values, strict=True))
        if chunk.set_aside:
            raise Refusal(f"{lookup.file}, line {chunk.set_aside[0].line}: {chunk.set_aside[0].reason}")
        if len(table) < rows:
            raise Refusal(f"{lookup.file} has a {lookup.key} twice: a lookup needs each once.")
        if rows > MOST_LOOKED_UP:
            raise Refusal(f"{lookup.file} has more than {MOST_LOOKED_UP:,} rows: too many for a lookup.")
    survey.lookups[lookup] = table
    survey.lookup_files[lookup.file] = found
    survey.lookup_rows[lookup.file] = rows


def _data_files(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.name.lower().endswith(_DATA_FILES))
