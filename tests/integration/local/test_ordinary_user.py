"""Root and an ordinary user on the same machine. Without root, every other test runs as an ordinary user anyway."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from local.postgres import EmbeddedPostgres
from local.process import User, run, spawn, unprivileged_user
from tests.folders import removed
from tests.integration.local.owner_process import ROOT, running, wait_until_gone
from tests.integration.local.test_postgres import remember, remembered

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

BOTH = """
import signal, sys
from pathlib import Path
from local.postgres import EmbeddedPostgres
from local.valkey import EmbeddedValkey
home = Path(sys.argv[1])
servers = EmbeddedPostgres(home), EmbeddedValkey(home)
for server in servers:
    print(server.start(), server.pid, flush=True)
signal.pause()
"""


@pytest.fixture(scope="module")
def ordinary() -> Iterator[tuple[User, list[str | Path]]]:
    """An ordinary user, and how to run our code as him: his Python may be another one than root's."""
    user = unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="carillon-packages-"))
    folder.chmod(0o755)
    # redis wants it below Python 3.11.3, so root's packages may lack it.
    (folder / "async_timeout.py").write_text("from asyncio import timeout as timeout\n", encoding="ascii")
    packages = f"{ROOT}:{sysconfig.get_path('purelib')}:{folder}"
    yield user, python_of(user, packages)
    removed(folder)


def python_of(user: User, packages: str) -> list[str | Path]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        command: list[str | Path] = ["/usr/bin/env", f"PYTHONPATH={packages}", python]
        status, _ = run([*command, "-c", "import local.postgres, local.valkey"], user=user, cwd=Path("/"))
        if status == 0:
            return command
    pytest.skip("there is no Python that an ordinary user of this machine can run")


@contextlib.contextmanager
def ordinary_owner(user: User, argv: list[str | Path]) -> Iterator[subprocess.Popen[bytes]]:
    process = spawn(argv, user=user, cwd=Path("/"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    line: str = process.stdout.readline().decode().rstrip("\n")
    return line


def make_home(home: Path, user: User) -> None:
    home.parent.mkdir()
    os.chown(home.parent, user.uid, user.gid)


def test_an_ordinary_user_runs_the_servers_as_himself_and_again_after_a_kill(
    home: Path, ordinary: tuple[User, list[str | Path]]
) -> None:
    user, python = ordinary
    make_home(home, user)
    for expected in ([], ["kept"]):
        with ordinary_owner(user, [*python, "-c", BOTH, home]) as process:
            url, postgres = line_of(process).split()
            redis_url, valkey = line_of(process).split()
            assert Path(f"/proc/{postgres}").stat().st_uid == user.uid
            assert Path(f"/proc/{valkey}").stat().st_uid == user.uid
            if expected:
                assert remembered(url) == expected
            remember(url, "kept")
            with redis.Redis.from_url(redis_url) as client:
                assert client.ping()
            process.kill()
            wait_until_gone(int(postgres), int(valkey))


def test_root_goes_on_with_the_data_of_an_ordinary_user_and_leaves_them_his(
    home: Path, ordinary: tuple[User, list[str | Path]]
) -> None:
    user, python = ordinary
    make_home(home, user)
    with ordinary_owner(user, [*python, "-c", BOTH, home]) as process:
        url, postgres = line_of(process).split()
        line_of(process)
        remember(url, "his")
        process.kill()
        wait_until_gone(int(postgres))
    with EmbeddedPostgres(home) as server:
        assert remembered(server.url) == ["his"]
        assert running(server.pid or 0)
        assert Path(f"/proc/{server.pid}").stat().st_uid == user.uid
    assert {path.stat().st_uid for path in (home / "postgres").rglob("*")} == {user.uid}


def test_the_home_of_root_is_refused_to_an_ordinary_user_in_one_sentence(
    home: Path, ordinary: tuple[User, list[str | Path]]
) -> None:
    user, python = ordinary
    with EmbeddedPostgres(home, durable=False):
        pass
    environ = [f"CARILLON_HOME={home}", "FREESWITCH_URLS=esl://127.0.0.1:1", "PORT=1"]
    command = [*python[:2], *environ, *python[2:], "-P", "-m", "local", "server"]
    status, output = run(command, user=user, cwd=Path("/"))
    assert status == 2, output
    assert (
        output
        == f"carillon: CARILLON_HOME: {home} belongs to another user; run as that user, or set CARILLON_HOME"
    )


def test_postgres_accepts_no_stranger(home: Path, ordinary: tuple[User, list[str | Path]]) -> None:
    user, _ = ordinary
    with EmbeddedPostgres(home) as server:
        status, _ = run(["/bin/cat", home / "postgres.password"], user=user)
        assert status != 0
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(host="127.0.0.1", port=server.port, user="carillon", dbname="carillon")
