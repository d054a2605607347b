"""Read off the sources: no secret in the tree, no data in unsafe HTML, no SQL put together from text, no unpickling.

Each reader is first shown a breach it must see. `python3 -m churn audit-dependencies` looks installed packages up where
there is internet; here only how its answer is read is tested.
"""

from __future__ import annotations

import ast
import json
import math
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from churn.operations import advisories
from churn.settings import PROJECT

SOURCES = [path.relative_to(PROJECT).as_posix() for path in sorted([*PROJECT.glob("*.py"), *PROJECT.glob("pages/*.py"),
           *PROJECT.glob("churn/**/*.py")])]  # fmt: skip


def tree_of(source: str) -> ast.Module:
    return ast.parse((PROJECT / source).read_text(), source)


# secrets --------------------------------------------------------------------------------------------------------------

SECRETS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a key of AWS": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a token of GitHub": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,}\b"),
    "a token of Slack": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "a key of Google": re.compile(r"\bAIza[0-9A-Za-z_\-]{35}\b"),
    "a key of Stripe": re.compile(r"\b[sr]k_live_[0-9A-Za-z]{16,}"),
    "a JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    "a password in an address": re.compile(r"\b[a-z][a-z0-9+]*://[^\s:/@'\"<>{}…]+:[^\s@'\"<>{}…]{6,}@[\w.-]+"),
}
ASSIGNED = re.compile(
    r"(?i)(?:password|passwd|secret|token|api_?key|credential)\w*[\"']?\s*[:=]\s*[\"']([A-Za-z0-9+/_=\-]{20,})[\"']"
)
RANDOM_BITS = 3.7  # bits a sign: words and names stay below, keys do not
NOT_TEXT = {".png", ".ico", ".woff2", ".parquet", ".gz", ".zip", ".xlsx"}


def bits_a_sign(text: str) -> float:
    """Shannon's entropy of the signs of a text."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def secrets_in(text: str) -> list[str]:
    """What of a text looks like a secret, named without it."""
    found = [name for name, pattern in SECRETS.items() if pattern.search(text)]
    return found + [
        "a random value of a secret's name" for key in ASSIGNED.findall(text) if bits_a_sign(key) > RANDOM_BITS
    ]


@pytest.mark.parametrize(
    "bad",
    [
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "ghp_" + "a1B2" * 9,
        "postgresql://app:" + "hunter2hunter2@db.internal/keepline",
        'cookie_secret = "' + "kq9XvT2mZr7LwPb4NfYc8HsD" + '"',
        "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N",
    ],
)
def test_a_secret_is_seen(bad: str) -> None:
    assert secrets_in(bad)


@pytest.mark.parametrize(
    "good", ["postgresql://USER:…@HOST/DB", 'token = "the-token-of-the-session-that-acts"', 'secret = "changeme"']
)
def test_a_word_about_secrets_is_none(good: str) -> None:
    assert not secrets_in(good)


def test_no_file_of_the_tree_holds_a_secret() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    files = [PROJECT / name for name in listed.split("\0") if name and Path(name).suffix not in NOT_TEXT]
    assert len(files) > 100
    found = {
        file.relative_to(PROJECT).as_posix(): seen
        for file in files
        if file.is_file() and (seen := secrets_in(file.read_text(errors="replace")))
    }
    assert found == {}


# HTML -----------------------------------------------------------------------------------------------------------------


def html_breaches(tree: ast.AST) -> list[str]:
    """Calls that put HTML on a page, unless it is a fixed text, here or as a constant of the module."""
    breaches = []
    fixed = {
        target.id
        for statement in getattr(tree, "body", [])
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        is_unsafe = any(
            keyword.arg == "unsafe_allow_html" and getattr(keyword.value, "value", True) is not False
            for keyword in call.keywords
        )
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        is_html = name in {"html", "iframe"} and isinstance(call.func, ast.Attribute)
        is_fixed = bool(call.args) and (
            isinstance(call.args[0], ast.Constant) or getattr(call.args[0], "id", None) in fixed
        )
        if (is_unsafe or is_html) and not is_fixed:
            breaches.append(f"{call.lineno}: {name} with something that is not a fixed text")
    return breaches


@pytest.mark.parametrize(
    "bad",
    [
        "st.markdown(note, unsafe_allow_html=True)",
        "st.html(f'<b>{name}</b>')",
        "components.html(x)",
        "st.write(x, unsafe_allow_html=flag)",
    ],
)
def test_html_with_data_is_seen(bad: str) -> None:
    assert html_breaches(ast.parse(bad))


@pytest.mark.parametrize(
    "good", ["st.markdown(note)", "st.html('<style>p{margin:0}</style>')", "st.write(x, unsafe_allow_html=False)"]
)
def test_fixed_html_and_plain_markdown_are_left_alone(good: str) -> None:
    assert not html_breaches(ast.parse(good))


@pytest.mark.parametrize("source", SOURCES)
def test_no_page_puts_data_into_html(source: str) -> None:
    assert html_breaches(tree_of(source)) == []


# SQL ------------------------------------------------------------------------------------------------------------------

RUNS_SQL = {"execute", "executemany", "copy", "stream"}
MAKES_SQL = {"SQL"}  # psycopg.sql.SQL: what it is given must be fixed as well
PUTS_TOGETHER = {"format", "join", "replace", "format_map"}


def is_put_together(node: ast.AST) -> bool:
    """An f-string with data, +, %, or a text's own format or join. psycopg.sql's format and join are let through."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Mod) or not all(
            isinstance(side, ast.Constant) or (isinstance(side, ast.BinOp) and not is_put_together(side))
            for side in (node.left, node.right)
        )
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PUTS_TOGETHER:
        return isinstance(node.func.value, ast.Constant | ast.JoinedStr) or is_put_together(node.func.value)
    return False


def sql_breaches(tree: ast.AST) -> list[str]:
    """Statements put together from text, directly or through a name of the same function."""
    breaches = []
    for scope in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]:
        made = {
            target.id: statement.value
            for statement in ast.walk(scope)
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        for call in (node for node in ast.walk(scope) if isinstance(node, ast.Call) and node.args):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            first = call.args[0]
            if isinstance(first, ast.Name):
                first = made.get(first.id, first)
            if name in RUNS_SQL | MAKES_SQL and is_put_together(first):
                breaches.append(f"{call.lineno}: {name} of a text that was put together")
    return sorted(set(breaches))


@pytest.mark.parametrize(
    "bad",
    [
        "c.execute(f'SELECT {x}')",
        "c.execute('SELECT ' + x)",
        "c.execute('SELECT %s' % x)",
        "c.execute('SELECT {}'.format(x))",
        "c.execute(' '.join(parts))",
        "def f(c, x):\n    q = f'SELECT {x}'\n    c.execute(q)",
        "c.execute(sql.SQL(f'SELECT {x}'))",
        "c.copy('COPY ' + t + ' FROM STDIN')",
    ],
)
def test_sql_put_together_from_text_is_seen(bad: str) -> None:
    assert sql_breaches(ast.parse(bad))


@pytest.mark.parametrize(
    "good",
    [
        "c.execute('SELECT %s', [x])",
        "c.execute('SELECT ' 'a')",
        "c.execute(query('ledger', 'give'), params)",
        "c.execute(sql.SQL('SELECT {}').format(sql.Identifier(x)))",
        "c.execute(sql.SQL(', ').join(parts))",
    ],
)
def test_parameters_and_composition_are_left_alone(good: str) -> None:
    assert not sql_breaches(ast.parse(good))


@pytest.mark.parametrize("source", SOURCES)
def test_no_sql_is_put_together_from_text(source: str) -> None:
    assert sql_breaches(tree_of(source)) == []


# unpickling -----------------------------------------------------------------------------------------------------------

LOADERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "skops", "torch"}
READER = "churn/registry.py"  # hash checked first, a narrow list of types


def loading_breaches(tree: ast.AST) -> list[str]:
    """Whatever makes objects out of bytes that somebody may have changed, and code out of text."""
    breaches = []
    used: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used.setdefault(node.value.id, set()).add(node.attr)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            names = [module or ""] if module else [alias.name for alias in node.names]
            breaches += [
                f"{node.lineno}: imports {name}"
                for name in names
                if name.split(".")[0] in LOADERS
                and not (used.get(name) and all(part.endswith("Error") for part in used[name]))  # only to catch it
            ]
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if isinstance(node.func, ast.Name) and name in {"eval", "exec", "__import__"}:
                breaches.append(f"{node.lineno}: {name}")
            if name in {"read_pickle", "unsafe_load"} or (
                name == "load" and any(k.arg == "allow_pickle" for k in node.keywords)
            ):
                breaches.append(f"{node.lineno}: {name}")
    return breaches


@pytest.mark.parametrize(
    "bad",
    [
        "import pickle",
        "from joblib import load",
        "import skops.io",
        "pd.read_pickle(p)",
        "np.load(f, allow_pickle=True)",
        "eval(x)",
    ],
)
def test_unpickling_is_seen(bad: str) -> None:
    assert loading_breaches(ast.parse(bad))


@pytest.mark.parametrize("source", [source for source in SOURCES if source != READER])
def test_nothing_but_the_registry_makes_objects_out_of_bytes(source: str) -> None:
    assert loading_breaches(tree_of(source)) == []


# dependencies ---------------------------------------------------------------------------------------------------------


def report_of(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


GOOD = {"name": "numpy", "version": "2.4.6", "vulns": []}
HOLE = {"id": "GHSA-1", "fix_versions": ["2.5"], "aliases": [], "description": ""}


def test_every_dependency_is_pinned_to_one_version() -> None:
    lines = [
        line for line in (PROJECT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+(?:\[[\w,]+\])?==[\w.]+", line)] == []


def test_known_holes_are_named_with_what_mends_them() -> None:
    assert advisories.read_report(report_of(GOOD, GOOD | {"vulns": [HOLE]})) == ["numpy 2.4.6: GHSA-1, mended in 2.5"]
    assert advisories.read_report(report_of(GOOD)) == []


@pytest.mark.parametrize(
    "silence", ["", "{}", "null", report_of(), report_of(GOOD, {"name": "x", "skip_reason": "not found"})]
)
def test_what_could_not_be_looked_up_is_not_called_safe(silence: str) -> None:
    with pytest.raises(advisories.NotAudited):
        advisories.read_report(silence)
