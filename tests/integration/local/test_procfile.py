"""`script/procfile`: the Procfile under honcho, with servers that are not ours, as on a platform."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.process import carrying, free_port
from tests.integration.local.owner_process import ROOT, wait_until_gone
from tests.variables import RUN_MARK
from tests.waiting import HANG_SECONDS, wait_until

KEY = "given-by-the-operator-1"


@contextlib.contextmanager
def procfile(log: Path, *arguments: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """It runs until the end of the block, or until it ends itself."""
    with open(log, "wb") as file:
        process = subprocess.Popen(
            [ROOT / "script" / "procfile", *arguments],
            env=os.environ | environ,
            cwd="/",
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(HANG_SECONDS)


@pytest.fixture
def environ(database_url: str, redis_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url.replace("postgresql://", "postgres://"),
        "REDIS_URL": redis_url,
        "SECRET_KEY": "pepper-for-the-tests-only",
        "FREESWITCH_URLS": "esl://:ClueCon@127.0.0.1:1",
        "CARILLON_BOOTSTRAP_KEY": KEY,
        "WEB_CONCURRENCY": "1",
        "PORT": str(free_port()),
    }


def ready(port: str) -> dict[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {KEY}"})
            found: dict[str, object] = json.loads(connection.getresponse().read())
        except OSError:
            return {}
    return found


def test_release_ends_before_the_rest_which_goes_on(environ: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    with procfile(log, "-c", "dialer=2", **environ) as process:
        wait_until(
            lambda: len(ready(environ["PORT"]).get("dialers") or ()) == 2 or process.poll() is not None,  # type: ignore[arg-type]
            "two dialers",
        )
        said = log.read_text()
        assert process.poll() is None, said
        assert said.index("CARILLON_BOOTSTRAP_KEY is now a key of role platform.") < said.index("web.1")
        began = time.monotonic()
        assert ready(environ["PORT"])["ready"] is True
        print(f"{time.monotonic() - began:.2f} s")
    assert process.returncode in (0, 128 + signal.SIGTERM, -signal.SIGTERM)
    ours = [pid for pid in carrying(RUN_MARK, os.environ[RUN_MARK]) if _serves(pid, environ["PORT"])]
    wait_until_gone(*ours)


def _serves(pid: int, port: str) -> bool:
    with contextlib.suppress(OSError):
        return f"PORT={port}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def test_a_release_that_fails_starts_nothing_else(environ: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    wrong = environ["DATABASE_URL"].rpartition("/")[0] + "/none_such"
    with procfile(log, **environ | {"DATABASE_URL": wrong}) as process:
        assert process.wait(HANG_SECONDS) == 1
    said = log.read_text()
    assert 'the database says: database "none_such" does not exist.' in said
    assert "web.1" not in said
    assert "Traceback" not in said
