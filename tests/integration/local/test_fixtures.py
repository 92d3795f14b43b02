"""The fixtures that every other test relies on, and what they promise when a run is cut short."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest
import redis

from local.home import Lock
from local.process import carrying
from tests.examples import first
from tests.integration.local.owner_process import ROOT, line_of
from tests.variables import OUR_VARIABLES, RUN_MARK
from tests.waiting import HANG_SECONDS, wait_until


@pytest.mark.parametrize("round_", [1, 2])
def test_each_test_gets_a_database_of_its_own(database_url: str, round_: int) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE of_this_test (round int)")
        connection.execute("INSERT INTO of_this_test VALUES (%s)", (round_,))
        assert connection.execute("SELECT round FROM of_this_test").fetchall() == [(round_,)]


def test_a_database_has_the_schema(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM campaign").fetchone() == (0,)


def test_a_database_is_dropped_although_a_connection_was_forgotten(database_url: str) -> None:
    forgotten = psycopg.connect(database_url)
    forgotten.execute("SELECT 1")
    forgotten.pgconn.finish()


@pytest.mark.parametrize("round_", [1, 2])
def test_each_test_gets_an_empty_redis(redis_url: str, round_: int) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("key", round_)


def pytest_run(
    tests: str, folder: Path, *arguments: str, by: Sequence[str] = (), **environ: str
) -> subprocess.Popen[str]:
    """A run of its own over the given test code, with the fixtures of this one; `by` starts it."""
    path = folder / "test_of_its_own.py"
    path.write_text("from __future__ import annotations\n" + tests, encoding="utf-8")
    options = [
        "-p",
        "tests.conftest",
        "--rootdir",
        str(ROOT),
        "-c",
        str(ROOT / "pyproject.toml"),
        "-q",
        "-s",
    ]
    return subprocess.Popen(
        [*by, sys.executable, "-m", "pytest", *options, str(path), *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


SERVERS_THEN_WAIT = """
import os
from local.server import woken_by_signals
def test_servers(postgres, valkey):
    with woken_by_signals() as woken:
        print("mark", os.environ["CARILLON_TEST_RUN"], flush=True)
        while True:
            woken.recv(64)
"""


@pytest.mark.parametrize("number", first(signal.SIGINT, signal.SIGTERM, signal.SIGKILL))
def test_an_interrupted_or_killed_run_leaves_no_server(tmp_path: Path, number: signal.Signals) -> None:
    with pytest_run(SERVERS_THEN_WAIT, tmp_path) as run:
        try:
            line = line_of(run)
            while not line.startswith("mark "):
                line = line_of(run)
            mark = line.removeprefix("mark ")
            assert len([pid for pid in carrying(RUN_MARK, mark) if pid != run.pid]) >= 2
            run.send_signal(number)
            run.communicate(timeout=HANG_SECONDS)
        finally:
            run.kill()
    assert run.returncode != 0
    wait_until(lambda: not carrying(RUN_MARK, mark), what="the end of the servers")


def test_the_folders_of_killed_runs_are_removed_and_those_of_living_ones_are_not(tmp_path: Path) -> None:
    dead, alive = tmp_path / "carillon-tests-dead", tmp_path / "carillon-tests-alive"
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "run.lock").touch()
    use = "import os\ndef test_server(valkey):\n    pass\n"
    with Lock(alive / "run.lock"), pytest_run(use, tmp_path, TMPDIR=str(tmp_path)) as run:
        output, _ = run.communicate(timeout=HANG_SECONDS)
    assert "1 passed" in output
    assert [folder.name for folder in tmp_path.glob("carillon-tests-*")] == ["carillon-tests-alive"]


def test_a_process_that_is_left_behind_fails_the_run(tmp_path: Path) -> None:
    leave = "import subprocess\ndef test_leaves():\n    subprocess.Popen(['sleep', '61'], start_new_session=True)\n"
    run = pytest_run(leave, tmp_path, "-W", "ignore")
    output, _ = run.communicate(timeout=HANG_SECONDS)
    assert "1 passed" in output
    assert "left behind by the tests: process" in output
    assert "sleep 61" in output
    assert run.returncode == 1


SAYS_WHAT_IT_IGNORES = """
import signal, subprocess, sys
def test_ignored():
    say = "import signal; print([n for n in (1, 2, 3) if signal.getsignal(n) == signal.SIG_IGN])"
    print("ignored:", subprocess.run([sys.executable, "-c", say], capture_output=True, text=True).stdout)
    for number in (1, 2, 3):
        signal.raise_signal(number)
"""


def test_a_run_in_the_background_ignores_what_it_is_to_and_what_it_starts_does_not(tmp_path: Path) -> None:
    background = ("sh", "-c", "trap '' HUP INT QUIT; exec \"$@\"", "sh")
    output, _ = pytest_run(SAYS_WHAT_IT_IGNORES, tmp_path, by=background).communicate(timeout=HANG_SECONDS)
    assert "ignored: []" in output
    assert "1 passed" in output


@pytest.mark.parametrize(("arguments", "outcome"), [([], "1 skipped"), (["--full"], "1 passed")])
def test_long_tests_run_with_full_only_and_are_seen_to_be_skipped(
    tmp_path: Path, arguments: list[str], outcome: str
) -> None:
    long = "import pytest\n@pytest.mark.full\ndef test_long():\n    pass\n"
    output, _ = pytest_run(long, tmp_path, *arguments).communicate(timeout=HANG_SECONDS)
    assert outcome in output
    assert ("long: runs with --full" in output) == (not arguments)


@pytest.mark.parametrize(("judged", "passed"), [("only", "test_seconds"), ("others", "test_nothing")])
def test_what_judges_real_seconds_is_told_apart(tmp_path: Path, judged: str, passed: str) -> None:
    tests = "def test_seconds(judge):\n    pass\ndef test_nothing():\n    pass\n"
    output, _ = pytest_run(tests, tmp_path, f"--judged={judged}", "-vv").communicate(timeout=HANG_SECONDS)
    assert f"::{passed}" in output
    assert "1 passed, 1 deselected" in output


def test_what_a_developer_has_set_does_not_reach_the_tests(tmp_path: Path) -> None:
    look = (
        "import os\ndef test_environment():\n    assert 'a developer has set it' not in os.environ.values()\n"
    )
    with pytest.MonkeyPatch.context() as environ:
        for variable in OUR_VARIABLES:
            environ.setenv(variable, "a developer has set it")
        output, _ = pytest_run(look, tmp_path).communicate(timeout=HANG_SECONDS)
    assert "1 passed" in output
