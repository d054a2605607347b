"""The command line: what is asked is understood, what is refused is one sentence, the exit code is honest."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from churn import bootstrap, cli, db
from churn.commands import company, developing, shared
from churn.commands import serving as serving_commands
from churn.settings import PROJECT, Settings
from churn.web.serve import PortTaken, refuse_taken_port


def churn(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m churn …` as somebody would."""
    return subprocess.run(
        [sys.executable, "-m", "churn", *arguments],
        cwd=PROJECT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command obeyed within this process neither ends the tests' server nor keeps its signal handler or its log."""
    handler, log = signal.getsignal(signal.SIGTERM), logging.getLogger()
    handlers, level = log.handlers[:], log.level
    monkeypatch.setattr(cli, "_leave_no_server", lambda: None)
    yield
    signal.signal(signal.SIGTERM, handler)
    log.handlers[:] = handlers
    log.setLevel(level)


def test_help_needs_nothing_but_python() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "churn", "--help"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "python3 -m churn" in done.stdout


def test_help_answers_at_once() -> None:
    began = time.process_time()
    cli.make_parser().format_help()
    assert time.process_time() - began < 0.2


@pytest.mark.parametrize("arguments", [["--database", "telco", "train"], ["train", "--database", "telco"]])
def test_the_company_is_named_before_or_after_the_command(arguments: list[str]) -> None:
    assert cli.read_arguments(arguments).database == "telco"


def test_what_follows_test_goes_to_pytest_in_its_order() -> None:
    asked = cli.read_arguments(["test", "-k", "laws and not page", "--maxfail=1", "tests/test_laws.py", "-x"])
    assert asked.rest == ["-k", "laws and not page", "--maxfail=1", "tests/test_laws.py", "-x"]


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["train", "--fast"], ["promote", "3"], ["demo", "--customers", "many"]]
)
def test_a_mistake_is_told_and_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.read_arguments(arguments)
    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_company_that_is_not_there_is_one_sentence_and_1(template: Settings) -> None:
    done = churn("train", "--database", "nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "There is no database nobody yet: `python3 -m churn run` or `import` makes it.\n"


def test_a_server_that_cannot_be_reached_is_told_without_a_traceback() -> None:
    done = churn("check", DATABASE_URL="postgresql://nobody@127.0.0.1:1/x")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "connection" in done.stderr


def test_a_defect_of_ours_shows_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = cli.read_arguments(["setup"])
    monkeypatch.setattr(asked, "act", lambda _: {}["nothing"])
    with pytest.raises(KeyError):
        cli.obey(asked)


def test_check_names_what_is_missing_and_ends_with_1(database: Settings) -> None:
    done = churn("check", "--database", database.database)
    assert done.returncode == 1
    assert "MEND  There is no current risk model.\n      python3 -m churn train" in done.stdout
    assert "2 to mend" in done.stdout


def test_serve_refuses_a_company_without_a_required_view(database: Settings, owner: psycopg.Connection) -> None:
    owner.execute("DROP VIEW crm.contacts CASCADE")
    done = churn("serve", "--port", "0", "--database", database.database)
    assert done.returncode == 1
    assert "The view crm.contacts is missing" in done.stderr


def test_a_company_in_its_own_views_is_never_joined_by_a_simulated_one(
    database: Settings, owner: psycopg.Connection
) -> None:
    owner.execute("INSERT INTO feed.customers (customer_id, name, joined_on, currency) VALUES ('1', 'A', now(), 'EUR')")
    done = churn("demo", "--customers", "10", "--database", database.database)
    assert done.returncode == 1
    assert "has customers but no name" in done.stderr
    assert owner.execute("SELECT count(*) FROM feed.customers").fetchone() == (1,)


def test_a_taken_port_is_said_before_anything_slow() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortTaken, match="is taken; choose another with --port"):
            refuse_taken_port("127.0.0.1", taken.getsockname()[1])


def test_lint_ends_with_1_when_a_tool_finds_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(developing, "_tool", lambda name, *_: 1 if name == "mypy" else 0)
    assert cli.obey(cli.read_arguments(["lint"])) == 1


@pytest.mark.parametrize(("lint", "tests", "code"), [([], 0, 0), (["mypy"], 0, 1), ([], 1, 1), (["mypy"], 5, 5)])
def test_the_exit_code_of_test_is_honest(monkeypatch, lint: list[str], tests: int, code: int) -> None:
    monkeypatch.setattr(bootstrap, "ensure_chromium", lambda: "/usr/bin/chromium")
    monkeypatch.setattr(bootstrap, "ensure_nginx", lambda: "/usr/sbin/nginx")
    monkeypatch.setattr(developing, "_lint", lambda: lint)
    monkeypatch.setattr(developing, "_tool", lambda *_: tests)
    monkeypatch.setenv("KEEPLINE_CHROMIUM", "")
    assert developing.test(cli.read_arguments(["test"])) == code


def test_without_a_browser_the_tests_do_not_pretend(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def refuse() -> str:
        raise bootstrap.CannotSetUp("chromium is missing. Please type: sudo apt-get install -y chromium")

    monkeypatch.setattr(bootstrap, "ensure_chromium", refuse)
    assert cli.obey(cli.read_arguments(["test"])) == 1
    assert "sudo apt-get install -y chromium" in capsys.readouterr().err


def test_progress_tells_the_same_thing_once_a_second_and_when_it_is_complete(capsys) -> None:
    progress = shared.Progress()
    for done in (1, 2, 3):
        progress("rows", done, 3)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["1 of 3", "3 of 3"]


def test_run_does_what_is_missing_in_order_and_the_last_time_nothing(
    database: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from churn import scoring, training

    done: list[str] = []
    insert = """INSERT INTO desk.model_versions
                    (kind, status, data_as_of, metrics, libraries, artifact, sha256, created_by)
                SELECT kind, 'current', now(), '{}', '{}', '', '', 'test'
                FROM unnest(ARRAY['risk', 'survival', 'why', 'effect']) AS kind"""
    score = """INSERT INTO desk.scores (customer_id, as_of, p_churn, risk_version)
               SELECT 'c1', now(), 0.5, min(model_version) FROM desk.model_versions"""

    def train(settings: Settings, **_: object) -> None:
        done.append("train")
        with db.connect(settings, "batch") as connection:
            connection.execute(insert)

    def score_everyone(settings: Settings, **_: object) -> None:
        done.append("score")
        with db.connect(settings, "batch") as connection:
            connection.execute(score)

    def serve(_: object) -> int:
        done.append("serve")
        deadline = time.monotonic() + 120
        while waits and not shared.state(database).has_night:
            assert time.monotonic() < deadline, "the night beside the desk never passed"
            time.sleep(0.2)
        return 0

    monkeypatch.setattr(company, "DEMO_CUSTOMERS", 50)
    monkeypatch.setattr(serving_commands, "serve", serve)
    monkeypatch.setattr(shared, "settings", lambda: database)
    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(scoring, "score_everyone", score_everyone)
    asked = cli.read_arguments(["run", "--port", "0"])

    waits = False  # whoever is at the desk leaves at once: the night is begun, and ends with the desk
    assert (cli.obey(asked), done) == (0, ["train", "score", "serve"])
    assert not shared.state(database).has_night
    assert night_of(database) == []

    waits = True
    assert (cli.obey(asked), done[3:]) == (0, ["serve"])
    assert shared.state(database).has_night
    told = capfd.readouterr().out
    assert "s  Spend: failed. Version 1: The model's bytes are not those" in told  # the others go on all the same
    assert re.search("s  Data: [0-9,]+ rows", told)

    assert (cli.obey(asked), done[4:]) == (0, ["serve"])
    assert "The first night" not in capfd.readouterr().out
    with db.connect(database, "batch") as connection:
        assert connection.execute("SELECT count(*) FROM crm.customers").fetchone() == (50,)


# The app itself -------------------------------------------------------------------------------------------------------


@pytest.fixture
def serving(database: Settings) -> Iterator[Callable[[], tuple[subprocess.Popen[str], str]]]:
    """Starts the app on a port of its own; the process and its address."""
    apps = []

    def start() -> tuple[subprocess.Popen[str], str]:
        app = subprocess.Popen(
            [sys.executable, "-m", "churn", "serve", "--port", "0", "--headless", "--database", database.database],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        apps.append(app)
        assert app.stdout is not None
        line = next((line for line in app.stdout if "is ready" in line), "")
        return app, line.split()[3]

    yield start
    for app in apps:
        app.kill()
        app.wait()
        assert app.stdout is not None
        app.stdout.close()


def night_of(company: Settings) -> list[str]:
    """The processes that pass a night for this company."""
    asked = ["pgrep", "-fa", f"churn --database {company.database} night"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.splitlines()


def fetch_warm(url: str) -> tuple[int, str]:
    """Asked again while the process is still warming up."""
    deadline = time.monotonic() + 60
    while True:
        code, body = fetch(url)
        if "warming" not in body:
            return code, body
        assert code == 503
        assert time.monotonic() < deadline, "never warm"
        time.sleep(0.1)


def fetch(url: str) -> tuple[int, str]:
    done = subprocess.run(["curl", "-s", "-w", "\n%{http_code}", url], capture_output=True, text=True, check=True)
    body, _, code = done.stdout.rpartition("\n")
    return int(code), body


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_app_serves_and_ends_in_order(serving, how: signal.Signals) -> None:
    app, url = serving()
    assert url.startswith("http://127.0.0.1:")
    code, body = fetch_warm(f"{url}/healthz")
    assert (code, '"status":"ok"' in body) == (200, True)
    assert fetch(f"{url}/_stcore/health") == (200, "ok")
    os.killpg(app.pid, how)
    assert app.wait(20) == 0


def test_the_health_route_says_when_the_database_is_gone(serving, database: Settings) -> None:
    _, url = serving()
    assert fetch_warm(f"{url}/healthz")[0] == 200
    with psycopg.connect(db.admin_conninfo(database, "postgres"), autocommit=True) as server:
        server.execute(f"ALTER DATABASE {database.database} WITH ALLOW_CONNECTIONS false")  # type: ignore[arg-type]
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database.database])
        code, body = fetch(f"{url}/healthz")
        assert (code, '"status":"database"' in body) == (503, True)
        server.execute(f"ALTER DATABASE {database.database} WITH ALLOW_CONNECTIONS true")  # type: ignore[arg-type]


def test_the_settings_of_the_app_are_those_that_were_measured() -> None:
    import tomllib

    settings = tomllib.loads((PROJECT / ".streamlit/config.toml").read_text())
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["client"]["showErrorDetails"] == "none"
    assert settings["runner"]["postScriptGC"] is False


@pytest.mark.parametrize("path", [".ci/run", "Makefile"])
def test_the_outside_doors_call_the_one_command(path: str) -> None:
    assert "-m churn" in (PROJECT / path).read_text()
    assert path != ".ci/run" or os.access(PROJECT / path, os.X_OK)


def test_every_command_of_the_readme_exists() -> None:
    text = (PROJECT / "README.md").read_text()
    commands = set(re.findall(r"python3 -m churn (?:--database \S+ )?([a-z]+)", text))
    assert {"run", "test", "import", "demo", "train", "score", "check"} <= commands
    for command in commands - {"import", "promote", "replay", "audit", "bench", "test"}:
        assert cli.read_arguments([command]).command == command


def test_the_make_targets_of_the_readme_exist() -> None:
    assert (PROJECT / "Makefile").read_text().count("run test bench lint setup") == 2
    assert Path(PROJECT / "README.md").exists()
