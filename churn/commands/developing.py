"""For those who change the code: tests, lint and types, benchmarks, known holes of what is installed."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from churn.bootstrap import PROJECT
from churn.commands import shared


def add(command: shared.Command) -> None:
    """test, lint, bench, texts, audit-dependencies."""
    command("test", test, "all checks and tests; what follows is handed to pytest")
    command("lint", lint, "formatting, lint and types")
    bench_ = command("bench", bench, "benchmarks of tests/bench, all or one")
    bench_.add_argument("name", nargs="?")
    texts_ = command("texts", texts, "the texts a language does not have yet, as a .po file to fill in")
    texts_.add_argument("language", help="its code, as a folder of texts/ is called")
    command("audit-dependencies", audit_dependencies, "known holes of the packages installed; needs the internet")


def test(asked: argparse.Namespace) -> int:
    """Lint and types, then every test, pytest's closing line last."""
    from churn import bootstrap

    try:
        os.environ["KEEPLINE_CHROMIUM"] = bootstrap.ensure_chromium()
        bootstrap.ensure_nginx()
    except bootstrap.CannotSetUp as missing:
        raise shared.NotYet(str(missing)) from None
    faults = _lint()
    print("— tests", flush=True)
    tests = _tool("pytest", "-n", "auto", "--maxprocesses", "8", "--dist", "worksteal", *asked.rest)
    if faults:
        print(f"Not in order: {', '.join(faults)}.", file=sys.stderr)
    return tests or (1 if faults else 0)


def lint(_asked: argparse.Namespace) -> int:
    """Formatting, lint and types."""
    return 1 if _lint() else 0


def bench(asked: argparse.Namespace) -> int:
    """Each benchmark is a module of tests/bench with a main; `NAME` may leave out its `bench_`."""
    names = sorted(path.stem for path in (PROJECT / "tests/bench").glob("bench_*.py"))
    if asked.name:
        names = [name for name in names if name in {asked.name, f"bench_{asked.name}"}]
        if not names:
            raise shared.NotYet(f"There is no benchmark '{asked.name}' in tests/bench.")
    codes = []
    for name in names:
        print(f"— {name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], cwd=PROJECT, check=False).returncode)
    return max(codes, default=0)


def texts(asked: argparse.Namespace) -> int:
    """What is not translated yet goes to the standard output; 1 when there is any."""
    from babel.messages.pofile import write_po

    from churn.languages import languages, untranslated

    if asked.language not in languages():
        raise shared.NotYet(f"There is no folder texts/{asked.language}. Make it, and ask again.")
    missing = untranslated(asked.language)
    write_po(sys.stdout.buffer, missing, omit_header=True, include_lineno=False)
    print(f"{len(missing)} texts are not translated yet.", file=sys.stderr)
    return 1 if len(missing) else 0


def audit_dependencies(_asked: argparse.Namespace) -> int:
    """Known holes of every package installed here. 1 when there are any, or they cannot be looked up."""
    from churn.operations import advisories

    found = advisories.known_holes()
    for line in found:
        print(line)
    print(f"{len(found)} known holes." if found else "No known holes.")
    return 1 if found else 0


def _lint() -> list[str]:
    """Names of the checks that found something."""
    checks = {"ruff check": ("ruff", "check"), "ruff format": ("ruff", "format", "--check"), "mypy": ("mypy",)}
    faults = []
    for name, tool in checks.items():
        print(f"— {name}", flush=True)
        if _tool(*tool) != 0:
            faults.append(name)
    return faults


def _tool(name: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", name, *arguments], cwd=PROJECT, check=False).returncode
