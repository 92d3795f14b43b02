"""What every test may ask for: real servers, private to this run, and nothing left behind.

`redis_url`, `database_url`: an empty Redis and a fresh database with the schema, for one test. The servers start with
the first test that needs them and end with the run, also with one that is interrupted or killed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import structlog
from hypothesis import settings

from local.postgres import EmbeddedPostgres
from local.process import carrying
from local.valkey import EmbeddedValkey
from tests.clusters import initialised_once
from tests.databases import Databases
from tests.examples import profile
from tests.folders import folder_of_a_run
from tests.judging import JUDGED, ONLY, OTHERS, Judge
from tests.shared_postgres import TEMPLATE, SharedPostgres, make_template
from tests.variables import OUR_VARIABLES, RUN_MARK

HOME_PREFIX = "carillon-tests-"
SHARED_POSTGRES = "--shared-postgres"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="also run the long tests marked `full`")
    parser.addoption(
        JUDGED, choices=(ONLY, OTHERS), help="of the tests, those that judge real seconds, or the others"
    )
    parser.addoption(SHARED_POSTGRES, metavar="HOME", help="use the PostgreSQL that runs in this home")


def pytest_configure(config: pytest.Config) -> None:
    chosen = config.getoption("--hypothesis-profile", None)
    settings.load_profile(chosen or profile(full=config.getoption("--full")))
    os.environ[RUN_MARK] = secrets.token_hex(8)
    # What a developer has set must not reach the tests.
    for variable in OUR_VARIABLES:
        os.environ.pop(variable, None)
    # Without compiled files each process that a test starts would compile everything again, a sixth of its start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    _let_signals_reach_what_is_started()
    _log_plainly()


def _let_signals_reach_what_is_started() -> None:
    """Who runs in the background, or by nohup, ignores some signals, and so would whatever a test starts and ends by
    one of them. Handlers are not inherited; this run goes on ignoring them."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: None)


def _log_plainly() -> None:
    """Tracebacks as Python prints them: with every local variable one takes seconds, in which a lease may lapse."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if chosen := config.getoption(JUDGED):
        _keep(config, items, judged=chosen == ONLY)
    if config.getoption("--full"):
        return
    skip = pytest.mark.skip(reason="long: runs with --full")
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(skip)


def _keep(config: pytest.Config, items: list[pytest.Item], *, judged: bool) -> None:
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        (kept if ("judge" in getattr(item, "fixturenames", ())) == judged else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


@pytest.fixture(scope="session")
def judge(pytestconfig: pytest.Config) -> Judge:
    """Judges real seconds under --full, and says them otherwise."""
    return Judge(full=bool(pytestconfig.getoption("--full")))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run where a process that a test started, however indirectly, outlives it."""
    deadline = time.monotonic() + 5
    while (left := _left_behind()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid, command in left.items():
        print(f"\nleft behind by the tests: process {pid}: {command}", file=sys.stderr)
        os.kill(pid, signal.SIGKILL)
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _left_behind() -> dict[int, str]:
    """Living processes that carry this run's mark in their environment, and their command lines."""
    found = {}
    for pid in carrying(RUN_MARK, os.environ[RUN_MARK]):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found[pid] = command
    return found


@pytest.fixture(scope="session")
def server_home() -> Iterator[Path]:
    """A folder for the servers of this run, which the user PostgreSQL runs as can pass through."""
    with folder_of_a_run(HOME_PREFIX) as folder:
        yield folder


@pytest.fixture(scope="session", autouse=True)
def _one_initdb() -> Iterator[None]:
    with initialised_once():
        yield


@pytest.fixture(scope="session")
def valkey(server_home: Path) -> Iterator[EmbeddedValkey]:
    """The Valkey of this run. A test that stops it must `restart` it."""
    with EmbeddedValkey(server_home, durable=False) as server:
        yield server


@pytest.fixture
def redis_url(valkey: EmbeddedValkey) -> str:
    """The URL of a Redis with nothing in it: no keys, no scripts, settings as at the start."""
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
        client.script_flush()
    return valkey.url


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    """The PostgreSQL of this run. A test that stops it must `restart` it."""
    if shared := request.config.getoption(SHARED_POSTGRES):
        yield SharedPostgres(Path(shared))
        return
    with EmbeddedPostgres(request.getfixturevalue("server_home"), durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def schema_template(postgres: EmbeddedPostgres) -> str:
    """The name of a database that has every migration applied and no row of ours, to be cloned."""
    if not isinstance(postgres, SharedPostgres):
        make_template(postgres)
    return TEMPLATE


@pytest.fixture(scope="session")
def databases(postgres: EmbeddedPostgres, schema_template: str) -> Iterator[Databases]:
    """The databases of this run."""
    found = Databases(postgres, schema_template)
    yield found
    found.close()


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, databases: Databases) -> Iterator[str]:
    """The URL of a database with the schema and no row of ours, for this test alone."""
    name = databases.new()
    yield postgres.url_of(name)
    databases.give_back(name)
