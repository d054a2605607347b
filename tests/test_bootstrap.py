"""From a bare machine to the project's environment: nothing twice, nothing half, clear words where it cannot go on."""

from __future__ import annotations

import ast
import fcntl
import os
import sys
from pathlib import Path

import pytest

from churn import bootstrap
from churn.settings import PROJECT

REALLY_INSTALL = bootstrap.install_requirements


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that wants nothing installed, as `bootstrap` sees it."""
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    monkeypatch.setattr(bootstrap, "PROJECT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "REQUIREMENTS", tmp_path / "requirements.txt")
    return tmp_path


@pytest.fixture
def installs(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been done, in order; the slow steps themselves are left out."""
    done: list[str] = []

    def make() -> None:
        done.append("venv")
        bootstrap.python().parent.mkdir(parents=True, exist_ok=True)
        bootstrap.python().touch()

    monkeypatch.setattr(bootstrap, "make_venv", make)
    monkeypatch.setattr(bootstrap, "install_requirements", lambda: done.append("pip"))
    return done


def fake(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


BEFORE_THE_ENVIRONMENT = [
    *("__main__", "bootstrap", "cli", "__init__"),
    *(f"commands/{path.stem}" for path in sorted((PROJECT / "churn/commands").glob("*.py"))),
]


@pytest.mark.parametrize("module", BEFORE_THE_ENVIRONMENT)
def test_what_runs_before_the_environment_imports_the_standard_library_only(module: str) -> None:
    tree = ast.parse((PROJECT / f"churn/{module}.py").read_text())
    tops = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name if isinstance(node, ast.Import) else node.module or "" for node in tops for alias in node.names}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names | {"churn"}


def test_a_fresh_checkout_gets_an_environment_then_what_it_wants(installs: list[str]) -> None:
    bootstrap.set_up()
    assert installs == ["venv", "pip"]
    assert bootstrap.is_ready()


def test_a_second_start_installs_nothing(installs: list[str]) -> None:
    bootstrap.set_up()
    bootstrap.set_up()
    assert installs == ["venv", "pip"]


def test_changed_requirements_are_installed_into_what_is_there(checkout: Path, installs: list[str]) -> None:
    bootstrap.set_up()
    (checkout / "requirements.txt").write_text("# something else\n")
    assert not bootstrap.is_ready()
    bootstrap.set_up()
    assert installs == ["venv", "pip", "pip"]


def test_an_environment_made_by_hand_is_kept(installs: list[str]) -> None:
    bootstrap.python().parent.mkdir(parents=True)
    bootstrap.python().touch()
    bootstrap.set_up()
    assert installs == ["pip"]


def test_a_half_made_environment_is_made_anew(installs: list[str]) -> None:
    bootstrap.python().parent.mkdir(parents=True)
    bootstrap.python().touch()
    bootstrap.write_stamp(bootstrap.UNFINISHED)
    bootstrap.set_up()
    assert installs == ["venv", "pip"]


def test_a_failed_install_leaves_a_mark_says_why_and_the_next_start_begins_anew(
    checkout: Path, installs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "requirements.txt").write_text("./none\n")
    bootstrap.set_up()
    bootstrap.python().unlink()
    bootstrap.python().symlink_to(sys.executable)
    with monkeypatch.context() as real:
        real.setattr(bootstrap, "install_requirements", REALLY_INSTALL)
        bootstrap.write_stamp("an older digest")
        with pytest.raises(bootstrap.CannotSetUp, match="pip could not install requirements.txt:(?s:.)*none"):
            bootstrap.set_up()
    assert bootstrap.read_stamp() == bootstrap.UNFINISHED
    assert not bootstrap.is_ready()
    bootstrap.set_up()
    assert installs == ["venv", "pip", "venv", "pip"]


def test_two_starts_at_once_do_not_meet(checkout: Path) -> None:
    with bootstrap.alone(), (checkout / "requirements.txt").open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_an_old_python_is_told_what_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST", (99, 0))
    with pytest.raises(bootstrap.CannotSetUp, match=r"needs Python 3\.11 or newer; this is 3\.\d+"):
        bootstrap.set_up()


def test_without_root_the_line_to_type_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(tmp_path, "apt-get", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(bootstrap.CannotSetUp, match="Please type: sudo apt-get install -y python3.11-venv"):
        bootstrap.install_packages(["python3.11-venv"], why="to make .venv")


def test_where_there_is_no_apt_get_the_missing_package_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(bootstrap.CannotSetUp, match="chromium is missing .* there is no apt-get here"):
        bootstrap.install_packages(["chromium"], why="for the browser tests")


def test_a_machine_without_package_lists_updates_them_and_tries_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    fake(tmp_path / "bin", "apt-get", f'echo "$@" >> {log}; case "$*" in *install*) [ $(wc -l < {log}) -gt 2 ];; esac')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    bootstrap.install_packages(["chromium"], why="for the browser tests")
    assert [line.split()[1] for line in log.read_text().splitlines()] == ["install", "update", "install"]


def test_a_chromium_that_does_not_run_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(tmp_path, "chromium", "echo requires a snap; exit 1")
    fake(tmp_path, "google-chrome", "echo Chromium 1.0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.delenv("KEEPLINE_CHROMIUM", raising=False)
    assert bootstrap.find_chromium() == str(tmp_path / "google-chrome")


def test_an_nginx_that_is_there_is_taken_and_a_missing_one_is_installed_with_openssl(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[list[str]] = []

    def install(packages: list[str], *, why: str) -> None:
        asked.append(packages)
        fake(tmp_path, "nginx", "true")

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(bootstrap, "NGINX_BESIDE", "")
    monkeypatch.setattr(bootstrap, "install_packages", install)
    fake(tmp_path, "openssl", "true")
    assert bootstrap.ensure_nginx() == str(tmp_path / "nginx")
    assert bootstrap.ensure_nginx() == str(tmp_path / "nginx")
    assert asked == [["nginx", "openssl"]]


def test_where_no_nginx_can_be_had_the_tests_do_not_pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(bootstrap, "NGINX_BESIDE", "")
    with pytest.raises(bootstrap.CannotSetUp, match="nginx.+openssl"):
        bootstrap.ensure_nginx()
