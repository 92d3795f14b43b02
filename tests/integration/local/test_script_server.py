"""`script/server` with everything real: what it runs, what it survives, how it ends."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.process import carrying, free_port
from local.stack import OWNER_VARIABLE
from tests.integration.local.owner_process import ROOT, line_of, wait_until_gone
from tests.waiting import HANG_SECONDS, wait_until


@contextlib.contextmanager
def server(home: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`script/server`, ready; killed at the end where a test did not end it."""
    settings = {"CARILLON_HOME": str(home), "PORT": str(port), "DIALERS": "2", "WEB_CONCURRENCY": "1"}
    process = subprocess.Popen(
        [ROOT / "script" / "server"],
        env=os.environ | settings,
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = [line_of(process)]
        while "ready: " not in said[-1]:
            assert "not ready" not in said[-1], "\n".join(said)
            said.append(line_of(process))
        yield process
    finally:
        process.kill()
        process.communicate()
        wait_until_gone(*carrying(OWNER_VARIABLE, str(home)), timeout=HANG_SECONDS)


def get(port: int, path: str, key: Path | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        headers = (
            {} if key is None else {"Authorization": f"Bearer {key.read_text(encoding='ascii').strip()}"}
        )
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


@pytest.mark.full
def test_the_whole_service_runs_survives_a_kill_and_ends_in_order(home: Path) -> None:
    port = free_port()
    with server(home, port) as process:
        assert get(port, "/healthz")[0] == 200
        key = home / "demo.key"
        wait_until(lambda: len(json.loads(get(port, "/readyz", key)[1])["dialers"]) == 2, what="two dialers")
        ready = json.loads(get(port, "/readyz", key)[1])
        assert [(node["name"], node["connected"]) for node in ready["nodes"]] == [
            ("fs1", True),
            ("fs2", True),
        ]
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        tree = [process.pid, *carrying(OWNER_VARIABLE, str(home))]
        for pid in tree:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until_gone(*tree)
        first_key = key.read_text(encoding="ascii")
    with server(home, port) as process:
        assert get(port, "/readyz")[0] == 200
        assert key.read_text(encoding="ascii") == first_key
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=HANG_SECONDS)
        assert process.returncode == 0
        assert "killing it" not in rest
        wait_until(lambda: not carrying(OWNER_VARIABLE, str(home)), what="the end of everything")
