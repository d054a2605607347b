"""The three laws of the house, read off the syntax trees; each reader is first shown a breach it must see."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from churn.settings import PROJECT

CORE_MAY_IMPORT = {*sys.stdlib_module_names, "numpy", "pandas", "scipy", "sklearn", "lifelines", "altair"}
CORE_MAY_NOT_IMPORT = {"os", "random", "secrets", "socket", "subprocess", "tempfile", "time", "urllib", "shutil", "io"}
CORE_FOLDERS = ("churn/core",)
STREAMLIT_ROOMS = ("app.py", "pages/", "churn/ui/", "churn/ui.py", "churn/web/serve.py")
# Where the database is spoken to; everything else goes through these.
PSYCOPG_ROOMS = (
    "churn/calls/callback_ranking.py",
    "churn/calls/callbacks.py",
    "churn/calls/escalations.py",
    "churn/calls/outcomes.py",
    "churn/calls/past_cases.py",
    "churn/casework.py",
    "churn/crm/contract.py",
    "churn/crm/contract_check.py",
    "churn/crm/sources.py",
    "churn/db.py",
    "churn/finance/billing.py",
    "churn/finance/outbox.py",
    "churn/finance/spend.py",
    "churn/finance/spend_job.py",
    "churn/forecasting/volume.py",
    "churn/forecasting/volume_nights.py",
    "churn/gateway.py",
    "churn/imports/",
    "churn/ledger.py",
    "churn/operations/backup.py",
    "churn/operations/faults.py",
    "churn/operations/logs.py",
    "churn/policies/replay_nights.py",
    "churn/postgres/server.py",
    "churn/privacy.py",
    "churn/registry.py",
    "churn/scoring/",
    "churn/settings.py",
    "churn/simulation/write.py",
    "churn/store.py",
    "churn/training/calls.py",
    "churn/training/job.py",
    "churn/training/leaving.py",
    "churn/trends/team.py",
    "churn/trends/team_job.py",
    "churn/trends/trend_job.py",
    "churn/trends/trends.py",
    "churn/trust/data_job.py",
    "churn/trust/data_reports.py",
    "churn/trust/drift_job.py",
    "churn/trust/model_reports.py",
    "churn/voice/voice.py",
    "churn/voice/voice_counts.py",
    "churn/voice/voice_nights.py",
    "churn/voice/voice_notes.py",
    "churn/voice/voice_problems.py",
)
PAGES_MAY_IMPORT = ("churn.ui", "churn.casework", "churn.store", "churn.core.charts", "churn.core.records")
PAGE_LINES = 65
CLOCKS = {"now", "today", "utcnow", "time", "time_ns", "monotonic", "perf_counter", "getenv"}
FILE_ACTS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "read_csv", "read_parquet", "urlopen"}
SEEDED = {"default_rng", "RandomState", "SeedSequence", "PCG64", "Random"}

SEEDED_BY_NAME = {f"{numpy}.random.{name}" for numpy in ("np", "numpy") for name in {*SEEDED, "Generator"}}

SOURCES = sorted(
    path.relative_to(PROJECT).as_posix()
    for path in [*PROJECT.glob("*.py"), *PROJECT.glob("pages/*.py"), *PROJECT.glob("churn/**/*.py")]
)
CORE = [source for source in SOURCES if source.startswith(CORE_FOLDERS)]
PAGES = [source for source in SOURCES if source.startswith("pages/")]


def tree_of(source: str) -> ast.Module:
    return ast.parse((PROJECT / source).read_text(), source)


def imports_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every module imported anywhere in a tree; `from a import b` gives `a.b`, for b may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def is_typing_only(tree: ast.AST) -> set[int]:
    """Lines under `if TYPE_CHECKING:`, which are not run."""
    return {
        inner.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
        if hasattr(inner, "lineno")
    }


# Import law -----------------------------------------------------------------------------------------------------------


def core_import_breaches(tree: ast.AST) -> list[str]:
    breaches = []
    for line, name in imports_of(tree):
        top = name.split(".")[0]
        is_core = name.startswith("churn.core.")
        if not is_core and (top not in CORE_MAY_IMPORT or top in CORE_MAY_NOT_IMPORT or name.startswith(".")):
            breaches.append(f"{line}: imports {name}")
    return breaches


def room_breaches(source: str, tree: ast.AST, package: str, rooms: tuple[str, ...]) -> list[str]:
    if source.startswith(rooms):
        return []
    typing_only = is_typing_only(tree)
    return [
        f"{source}:{line} imports {name}"
        for line, name in imports_of(tree)
        if name.split(".")[0] == package and line not in typing_only
    ]


def module_graph(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """Which of our modules each of our modules needs, at once, later in a function, or for its types only."""
    names = {source.removesuffix(".py").removesuffix("/__init__").replace("/", "."): source for source in trees}
    graph: dict[str, set[str]] = {}
    for name, source in names.items():
        needed = set()
        for _, imported in imports_of(trees[source]):
            found = imported if imported in names else imported.rpartition(".")[0]
            needed |= {found} & names.keys() - {name}
        graph[name] = needed
    return graph


def cycle_in(graph: dict[str, set[str]]) -> list[str] | None:
    """A chain of modules that ends where it began, or None."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        for needed in sorted(graph[name]):
            if found := walk(needed, [*path, name]):
                return found
        done.add(name)
        return None

    return next((found for name in sorted(graph) if (found := walk(name, []))), None)


@pytest.mark.parametrize(
    "bad", ["import os", "from churn import db", "from churn.store import x", "import psycopg", "from . import worth"]
)
def test_a_core_module_that_reaches_out_is_seen(bad: str) -> None:
    assert core_import_breaches(ast.parse(bad))


@pytest.mark.parametrize("good", ["import math", "from churn.core import money", "from sklearn.base import clone"])
def test_a_core_module_that_stays_within_is_left_alone(good: str) -> None:
    assert not core_import_breaches(ast.parse(good))


@pytest.mark.parametrize("source", CORE)
def test_core_imports_nothing_outside_its_list(source: str) -> None:
    assert core_import_breaches(tree_of(source)) == []


def test_streamlit_in_the_wrong_room_is_seen() -> None:
    tree = ast.parse("def f():\n    import streamlit as st")
    assert room_breaches("churn/store.py", tree, "streamlit", STREAMLIT_ROOMS)
    assert not room_breaches("churn/ui.py", tree, "streamlit", STREAMLIT_ROOMS)


@pytest.mark.parametrize(("package", "rooms"), [("streamlit", STREAMLIT_ROOMS), ("psycopg", PSYCOPG_ROOMS)])
def test_a_package_stays_in_its_rooms(package: str, rooms: tuple[str, ...]) -> None:
    assert [breach for source in SOURCES for breach in room_breaches(source, tree_of(source), package, rooms)] == []


def test_a_cycle_between_modules_is_seen() -> None:
    graph = module_graph({"churn/a.py": ast.parse("from churn import b"), "churn/b.py": ast.parse("import churn.a")})
    assert cycle_in(graph) == ["churn.a", "churn.b", "churn.a"]


def test_no_two_modules_need_each_other() -> None:
    assert cycle_in(module_graph({source: tree_of(source) for source in SOURCES})) is None


@pytest.mark.parametrize("page", PAGES)
def test_a_page_knows_only_casework_reads_and_pieces_of_screen(page: str) -> None:
    ours = [name for _, name in imports_of(tree_of(page)) if name.startswith("churn")]
    assert [name for name in ours if not name.startswith(PAGES_MAY_IMPORT)] == []


# Clock law ------------------------------------------------------------------------------------------------------------


def clock_breaches(tree: ast.AST) -> list[str]:
    breaches = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "argv"}:
            breaches.append(f"{node.lineno}: reads {node.attr}")
        if not isinstance(node, ast.Call):
            continue
        name = called(node)
        if name in CLOCKS:
            breaches.append(f"{node.lineno}: asks the clock or the environment by {name}()")
        elif name in FILE_ACTS:
            breaches.append(f"{node.lineno}: touches a file by {name}()")
        elif name in SEEDED and not node.args and not node.keywords:
            breaches.append(f"{node.lineno}: {name}() without a seed")
        elif ast.unparse(node.func) in {f"np.random.{name}", f"numpy.random.{name}"} - SEEDED_BY_NAME:
            breaches.append(f"{node.lineno}: numpy's global randomness by {name}()")
    return breaches


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


@pytest.mark.parametrize(
    "bad",
    [
        "datetime.now(UTC)",
        "date.today()",
        "time.time()",
        "pd.Timestamp.now()",
        "np.random.default_rng()",
        "np.random.rand(3)",
        "open('x')",
        "Path('x').read_text()",
        "pd.read_csv('x')",
        "os.environ['X']",
        "os.getenv('X')",
    ],
)
def test_a_clock_a_die_a_file_and_the_environment_are_seen(bad: str) -> None:
    assert clock_breaches(ast.parse(bad))


def test_an_instant_and_a_seed_that_are_handed_in_are_left_alone() -> None:
    assert not clock_breaches(
        ast.parse("def f(now, seed):\n    rng = np.random.default_rng(seed)\n    return now - day")
    )


@pytest.mark.parametrize("source", CORE)
def test_core_knows_no_clock_no_chance_no_file_no_environment(source: str) -> None:
    assert clock_breaches(tree_of(source)) == []


# Page law -------------------------------------------------------------------------------------------------------------


def guards(statement: ast.stmt, page: str) -> bool:
    """Whether the statement is `ui.gate("<page>")`, its answer kept or not."""
    value = getattr(statement, "value", None) if isinstance(statement, ast.Assign | ast.Expr) else None
    return (
        isinstance(value, ast.Call)
        and ast.unparse(value.func) == "ui.gate"
        and [getattr(argument, "value", None) for argument in value.args] == [page]
    )


def page_breaches(page: str, text: str) -> list[str]:
    body = ast.parse(text).body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    acts = [statement for statement in body if not isinstance(statement, ast.Import | ast.ImportFrom)]
    breaches = []
    if not acts or not guards(acts[0], page):
        breaches.append(f'does not begin with ui.gate("{page}")')
    if len(text.splitlines()) > PAGE_LINES:
        breaches.append(f"has {len(text.splitlines())} lines")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and looks_like_sql(node.value):
            breaches.append(f"{node.lineno}: SQL")
        if isinstance(node, ast.Call) and called(node) in {"execute", "query", "groupby", "merge", "pivot", "melt"}:
            breaches.append(f"{node.lineno}: {called(node)}() belongs in a room behind the page")
    return breaches


def looks_like_sql(text: str) -> bool:
    words = text.upper().split()
    return (
        bool(words)
        and words[0] in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}
        and {"FROM", "INTO", "SET"} & {*words}
    )


@pytest.mark.parametrize(
    "bad",
    [
        'import streamlit as st\nst.title("x")\nui.gate("desk")',
        'ui.gate("team")',
        'if True:\n    ui.gate("desk")',
        '"""Doc."""\nimport streamlit as st',
        'ui.gate("desk")\nrun("SELECT 1 FROM crm.customers")',
        'ui.gate("desk")\nframe.groupby("a")',
        'ui.gate("desk")' + "\n" * 80 + "x = 1",
    ],
)
def test_a_page_without_its_guard_or_with_too_much_in_it_is_seen(bad: str) -> None:
    assert page_breaches("desk", bad)


def test_a_thin_guarded_page_is_left_alone() -> None:
    assert page_breaches("desk", '"""Doc."""\nfrom churn import ui\n\nsession = ui.gate("desk")\n') == []


@pytest.mark.parametrize("page", PAGES)
def test_every_page_begins_with_its_own_guard_and_stays_thin(page: str) -> None:
    assert page_breaches(Path(page).stem, (PROJECT / page).read_text()) == []


# What is never written ------------------------------------------------------------------------------------------------


def unsafe_breaches(source: str, tree: ast.AST) -> list[str]:
    breaches = []
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "unsafe_allow_html":
            breaches.append(f"{source}:{node.value.lineno} unsafe_allow_html")
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in {"pickle.load", "pickle.loads", "joblib.load", "loads_pickle"} and source != "churn/registry.py":
                breaches.append(f"{source}:{node.lineno} {name}")
            if called(node) in {"execute", "executemany", "copy"} and node.args and is_built(node.args[0]):
                breaches.append(f"{source}:{node.lineno} SQL built from text")
    return breaches


def is_built(argument: ast.expr) -> bool:
    """Whether a text is put together here: f-string, `+`, `%`, or `"…".format()`; psycopg's composer is not text."""
    if isinstance(argument, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in argument.values)
    if isinstance(argument, ast.BinOp) and isinstance(argument.op, ast.Add | ast.Mod):
        return True
    return (
        isinstance(argument, ast.Call)
        and isinstance(argument.func, ast.Attribute)
        and argument.func.attr in {"format", "replace", "join"}
        and isinstance(argument.func.value, ast.Constant)
    )


@pytest.mark.parametrize(
    "bad",
    [
        "st.markdown(x, unsafe_allow_html=True)",
        "pickle.loads(b)",
        "connection.execute(f'SELECT {x}')",
        "connection.execute('SELECT ' + x)",
        "connection.execute('SELECT %s' % x)",
        "cursor.execute('SELECT {}'.format(x))",
    ],
)
def test_unsafe_html_a_stray_pickle_and_sql_built_from_text_are_seen(bad: str) -> None:
    assert unsafe_breaches("churn/store.py", ast.parse(bad))


def test_composed_sql_and_parameters_are_left_alone() -> None:
    good = "c.execute(sql.SQL('SELECT {}').format(x))\nc.execute('SELECT %s', [x])\nc.execute(query('a', 'b'), {})"
    assert unsafe_breaches("churn/store.py", ast.parse(good)) == []


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_unsafe_is_written(source: str) -> None:
    assert unsafe_breaches(source, tree_of(source)) == []
