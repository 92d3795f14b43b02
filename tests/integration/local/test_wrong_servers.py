"""A server that is wrong or cannot be reached is one sentence in each process, however long that lasts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from local.process import end, free_port, spawn
from tests.examples import first
from tests.integration.local.owner_process import ROOT
from tests.integration.local.test_wrong_settings import COMMANDS, run
from tests.waiting import wait_until

NEEDED = {"SECRET_KEY": "pepper-for-the-tests-only", "WEB_CONCURRENCY": "1"}


def one_sentence(line: str) -> None:
    """No traceback, nothing else, and no secret."""
    assert line.count("\n") == 0
    assert "Traceback" not in line
    assert "hush" not in line


def wrong(database_url: str) -> dict[str, tuple[str, str]]:
    """URLs of databases that cannot be used, and what is said of each."""
    head, name = database_url.rsplit("/", 1)
    user, address = head.removeprefix("postgresql://").split("@")
    user = user.split(":")[0]
    return {
        "password": (f"postgresql://{user}:hush@{address}/{name}", "it refuses the user or the password"),
        "database": (f"{head}/none_such", 'database "none_such" does not exist'),
        "port": (
            f"postgresql://{user}:hush@127.0.0.1:1/{name}",
            "nothing listens there (Connection refused)",
        ),
        "host": (f"postgresql://{user}:hush@none.invalid/{name}", "its host name is not known"),
        "tls": (f"{database_url}?sslmode=require", "it does not speak TLS"),
    }


FAULTS = ("password", "database", "port", "host", "tls")
LONG = first(*FAULTS)
"""What is said of each is told by the release process, and by tests/unit/test_server_faults.py."""
KINDS = first("web", "dialer")
"""Both say it by the same lines (`outages`)."""


@pytest.mark.parametrize(
    ("command", "fault"), [*(("release", fault) for fault in FAULTS), ("new-key", "password")]
)
def test_the_release_process_says_it_in_one_sentence(database_url: str, fault: str, command: str) -> None:
    url, reason = wrong(database_url)[fault]
    order = COMMANDS["release"] + (" new-key --role platform" if command == "new-key" else "")
    status, output, said = run(order, DATABASE_URL=url, **NEEDED)
    assert (status, output, len(said.splitlines())) == (1, "", 1)
    assert said.startswith("DATABASE_URL is 'postgresql://***@")
    assert f"; the database says: {reason}" in said
    one_sentence(said.rstrip("\n"))


def first_line(kind: str, wanted: re.Pattern[str], log: Path, **environ: str) -> str:
    """The first line of a process' log in which this is, while it goes on."""
    with open(log, "wb") as file:
        process = spawn(
            ["/bin/sh", "-c", f"exec {COMMANDS[kind]}"],
            cwd=ROOT,
            env=os.environ
            | {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
            | NEEDED
            | {"PORT": str(free_port())}
            | environ,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: wanted.search(log.read_text()) or process.poll() is not None, f"{wanted.pattern}")
        return next(line for line in log.read_text().splitlines() if wanted.search(line))
    finally:
        end(process, signal.SIGTERM)
        log.unlink()


@pytest.mark.parametrize("fault", LONG)
@pytest.mark.parametrize("kind", KINDS)
def test_a_process_that_goes_on_trying_says_it_once(
    database_url: str, redis_url: str, kind: str, fault: str, tmp_path: Path
) -> None:
    url, reason = wrong(database_url)[fault]
    wanted = re.compile("event=outage_began server=database")
    line = first_line(kind, wanted, tmp_path / "log", DATABASE_URL=url, REDIS_URL=redis_url)
    assert reason in line.replace('\\"', '"')
    one_sentence(line)


@pytest.mark.parametrize("kind", KINDS)
def test_a_redis_that_refuses_is_told_likewise(
    database_url: str, redis_url: str, kind: str, tmp_path: Path
) -> None:
    address = redis_url.split("@")[1]
    wanted = re.compile("event=outage_began server=redis")
    url = f"redis://:hush@{address}"
    line = first_line(kind, wanted, tmp_path / "log", DATABASE_URL=database_url, REDIS_URL=url)
    assert "it refuses the user or the password" in line
    one_sentence(line)


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_without_our_schema_is_told_with_what_to_do(
    database_url: str, redis_url: str, kind: str, tmp_path: Path
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    wanted = re.compile("schema is not up to date|The database has no schema yet: run python -m migrations")
    one_sentence(first_line(kind, wanted, tmp_path / "log", DATABASE_URL=database_url, REDIS_URL=redis_url))


@pytest.mark.parametrize("kind", first("release", "web", "dialer"))
def test_a_variable_that_is_mistyped_is_named(
    kind: str, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    sentence = (
        "CARILLON_REDIS_PREFX is set and is no setting of Carillon: did you mean CARILLON_REDIS_PREFIX?"
    )
    environ = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "CARILLON_REDIS_PREFX": "a:"}
    assert first_line(kind, re.compile("PREFX"), tmp_path / "log", **environ) == sentence
