"""What the documents say of the code is so: the features, the rooms, the names in the walk, the links."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from textwrap import fill

import pytest

from churn.core import features
from churn.settings import PROJECT, SQL

DOCS = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")])
ARCHITECTURE = (PROJECT / "docs/architecture.md").read_text()
FEATURES_PAGE = PROJECT / "docs/features.md"
WITH_IT = {1: "only more", -1: "only less", 0: "either"}
LASTING = "The curve of staying sees only what lasts: {}, and the company's own columns."
PAGE = """# Features

What is read of every customer as of one instant, and nothing later. Made from `churn/core/features.py` by
`.venv/bin/python -m tests.test_docs`; a test compares the two. How each is reckoned: `sql/queries/features.sql`.

| name | type | unit | meaning | with more of it the risk can be |
|---|---|---|---|---|
{fixed}

## Open groups

Each key of a group becomes a column of its own, so a company's data become features without code. A CRM column that
bears the name of a feature above is called `attribute_…`.

| column | group | unit | meaning | where a customer lacks the key |
|---|---|---|---|---|
{groups}

## Not learned from

A column whose name holds one of these words says who somebody is rather than what they buy, use or asked for. No model
is given it:
{protected}.

{lasting}
"""


def features_page() -> str:
    """`docs/features.md`, from the column table."""
    return PAGE.format(
        fixed="\n".join(map(fixed_line, features.FEATURES)),
        groups="\n".join(map(group_line, features.GROUPS)),
        protected=fill(", ".join(sorted(features.PROTECTED)), 118),
        lasting=fill(LASTING.format(", ".join(f"`{name}`" for name in features.LASTING)), 120),
    )


def fixed_line(one: features.Feature) -> str:
    """One feature's line; what no model is given moves no risk."""
    with_it = WITH_IT[one.monotone] if one.kind == "number" else ""
    if features.is_protected(one.name):
        with_it = "not learned from"
    return f"| `{one.name}` | {one.kind} | {one.unit} | {one.meaning} | {with_it} |"


def group_line(group: features.Group) -> str:
    """One open group's line."""
    absent = "missing" if group.absent is None else f"{group.absent:g}"
    return f"| `{group.pattern.format(key='…')}` | `{group.name}` | {group.unit} | {group.meaning} | {absent} |"


def test_the_list_of_features_is_the_column_table() -> None:
    assert FEATURES_PAGE.read_text() == features_page(), "run python -m tests.test_docs"


@pytest.mark.parametrize("change", [{"meaning": "Another."}, {"unit": "years"}, {"monotone": -1}, {"name": "age"}])
def test_another_column_table_gives_another_list(monkeypatch: pytest.MonkeyPatch, change: dict[str, object]) -> None:
    first, *rest = features.FEATURES
    monkeypatch.setattr(features, "FEATURES", (replace(first, **change), *rest))
    assert FEATURES_PAGE.read_text() != features_page()


# architecture.md ------------------------------------------------------------------------------------------------------


def section(title: str) -> str:
    """The text under one heading of architecture.md."""
    return ARCHITECTURE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def rooms_named() -> set[str]:
    """The modules and packages of the rooms table, `churn/…` each."""
    cells = [line.split("|")[1] for line in section("Rooms").splitlines() if line.startswith("| `")]
    return {
        name if name.startswith("churn/") else f"churn/{name}"
        for cell in cells
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", cell)
    }


def modules_of(package: str) -> set[str]:
    """The modules that lie directly in a package, itself apart."""
    return {path.stem for path in (PROJECT / package).glob("*.py")} - {"__init__"}


def named_in_row(package: str) -> list[str]:
    """What the row of a package names besides itself."""
    row = next(line for line in section("Rooms").splitlines() if line.startswith(f"| `{package}"))
    return re.findall(r"`(\w+)`", row)


def test_every_room_is_there_and_named() -> None:
    there = {path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("churn/*.py")} - {"churn/__init__.py"}
    there |= {f"{path.parent.relative_to(PROJECT).as_posix()}/" for path in PROJECT.glob("churn/**/__init__.py")}
    assert sorted(rooms_named() ^ there - {"churn/"}) == [], "docs/architecture.md, Rooms: gone, or not named"


# The simulation's modules are its own affair: its docstring names them.
PACKAGES = sorted({path.parent.name for path in PROJECT.glob("churn/*/__init__.py")} - {"core", "simulation"})
CORE_PACKAGES = ["", *sorted(f"{path.parent.name}/" for path in PROJECT.glob("churn/core/*/__init__.py"))]


@pytest.mark.parametrize("package", PACKAGES)
def test_what_lives_in_a_room_is_named(package: str) -> None:
    assert modules_of(f"churn/{package}") - set(named_in_row(f"churn/{package}/")) == set()


@pytest.mark.parametrize("package", CORE_PACKAGES)
def test_every_core_module_is_named_once_in_its_package(package: str) -> None:
    named = named_in_row(f"churn/core/{package}`")
    assert sorted(named) == sorted(modules_of(f"churn/core/{package}"))


def exists(dotted: str) -> bool:
    """Whether `casework.find` or `core.calls.why.LikelyWhy` is in `churn`, or `desk.give_concession` in the schema."""
    parts = dotted.split(".")
    if parts[0] == "desk":
        return bool(re.search(rf"\b(TABLE|FUNCTION|VIEW) {re.escape(dotted)}\b", (SQL / "schema.sql").read_text()))
    for end in range(len(parts) - 1, 0, -1):
        path = PROJECT / "churn" / "/".join(parts[:end])
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if file.exists():
            body: list[ast.stmt] = ast.parse(file.read_text()).body
            for name in parts[end:]:
                kinds = ast.FunctionDef | ast.ClassDef
                found = next((node for node in body if isinstance(node, kinds) and node.name == name), None)
                if found is None:
                    return False
                body = found.body
            return True
    return False


@pytest.mark.parametrize(
    "bad", ["casework.fly", "nowhere.find", "core.calls.why.LikelyWhy.guess", "desk.take_everything"]
)
def test_a_name_that_is_not_there_is_seen(bad: str) -> None:
    assert not exists(bad)


@pytest.mark.parametrize("name", re.findall(r"`(\w+(?:\.\w+)+)`", section("One caller's walk")))
def test_every_step_of_the_walk_is_there(name: str) -> None:
    assert exists(name)


# all documents --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [path.relative_to(PROJECT).as_posix() for path in DOCS])
def test_links_and_paths_lead_somewhere(document: str) -> None:
    path = PROJECT / document
    links = [link for link in re.findall(r"\]\(([^)#]+)", path.read_text()) if "://" not in link]
    files = re.findall(r"`((?:churn|docs|sql|tests|pages)/[\w./-]+)`", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []
    assert [file for file in files if not (PROJECT / file).exists()] == []


if __name__ == "__main__":
    FEATURES_PAGE.write_text(features_page())
