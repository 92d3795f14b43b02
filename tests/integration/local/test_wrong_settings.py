"""Every process refuses a setting that is wrong, or cannot be used here: one sentence, and exit 2."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from honcho.environ import parse_procfile

from local.home import Lock, prepare
from local.process import free_port
from tests.integration.local.owner_process import ROOT
from tests.waiting import HANG_SECONDS

PROCFILE = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes
COMMANDS = {
    **PROCFILE,
    "doctor": "python -m dialer doctor",
    "server": "python -P -m local server",
    "demo": "python -P -m local demo --exit",
}


def run(command: str, **environ: str) -> tuple[int, str, str]:
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {command}"],
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        | environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_wrong_setting_is_one_sentence_and_status_2(home: Path, kind: str) -> None:
    # Not of FREESWITCH_URLS, DATABASE_URL or REDIS_URL: the demo uses none of these.
    status, output, said = run(COMMANDS[kind], CARILLON_HOME=str(home), CARILLON_AUDIO_HOSTS="a;b")
    sentence = "CARILLON_AUDIO_HOSTS is 'a;b'; it must be hosts, or host:port, with a comma between two."
    assert (status, output) == (2, "")
    assert said.removeprefix("carillon: ").removeprefix("demo: ") == f"{sentence}\n"
    assert not home.exists()


@pytest.mark.parametrize(
    ("kind", "name"), [("release", "DATABASE_URL"), ("web", "DATABASE_URL"), ("dialer", "DATABASE_URL")]
)
def test_what_a_process_needs_and_lacks_is_one_sentence_and_status_2(kind: str, name: str) -> None:
    assert run(PROCFILE[kind]) == (2, "", f"{name} is not set and this process needs it.\n")


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.mark.parametrize("kind", ["server", "demo"])
@pytest.mark.parametrize("fault", ["port", "home"])
def test_what_cannot_be_used_here_is_one_sentence_and_status_2(home: Path, kind: str, fault: str) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(taken_port()) if fault == "port" else free_port()
        if fault == "home":
            stack.enter_context(Lock(prepare(home) / "owner.lock"))
        status, _, said = run(COMMANDS[kind], CARILLON_HOME=str(home), PORT=str(port))
    sentence = {
        "port": f"PORT: cannot listen on {port}: Address already in use",
        "home": f"CARILLON_HOME: {home} is in use by process {os.getpid()}; stop that, or set another folder",
    }[fault]
    assert status == 2
    assert said.partition(": ")[2] == f"{sentence}\n"
    assert not (home / "postgres").exists()
