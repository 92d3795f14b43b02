"""`python -m local server` as a person sees it: what it prints, how it ends, with which status."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.postgres import EmbeddedPostgres
from local.process import free_port
from local.server import ONE_REQUEST_SECONDS
from local.valkey import EmbeddedValkey
from server_urls import REDIS_SHAPE
from tests.examples import first
from tests.integration.local.owner_process import ROOT, line_of, owner, wait_until_gone
from tests.integration.local.test_stack import NODE, write_procfile
from tests.waiting import HANG_SECONDS, wait_until

SERVE = """
import sys
import time
from pathlib import Path
from local.server import serve, show
from local.stack import Stack
sys.exit(serve(lambda: Stack(output=show, procfile=Path(sys.argv[1]))))
"""


@pytest.fixture
def environ(home: Path, postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> dict[str, str]:
    return {
        "CARILLON_HOME": str(home),
        "PORT": str(free_port()),
        "DATABASE_URL": postgres.url,
        "REDIS_URL": valkey.url,
        "FREESWITCH_URLS": NODE,
    }


def read_until(process: subprocess.Popen[str], *parts: str) -> None:
    """Read on until each of the parts was in a line, in whatever order."""
    missing = set(parts)
    while missing:
        line = line_of(process)
        missing -= {part for part in missing if part in line}


@pytest.mark.parametrize("number", first(signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
def test_a_signal_ends_everything_in_order(
    home: Path, environ: dict[str, str], number: signal.Signals
) -> None:
    procfile = write_procfile(home.parent, "release", "web", "dialer")
    with owner(SERVE, procfile, environ=environ) as process:
        ready = f"owner    | ready: http://127.0.0.1:{environ['PORT']}"
        read_until(process, "release  | released", "web.1    | up", "dialer.1 | up", ready)
        process.send_signal(number)
        rest, _ = process.communicate(timeout=HANG_SECONDS)
        assert process.returncode == 0
        assert f"owner    | {number.name}: stopping (once more to kill)" in rest
        assert "web.1    | told to stop, servers answer: True" in rest


@pytest.mark.full
def test_a_second_signal_does_not_wait_for_a_child(home: Path, environ: dict[str, str]) -> None:
    procfile = write_procfile(home.parent, "release", "deaf")
    with owner(SERVE, procfile, environ=environ) as process:
        read_until(process, "deaf.1   | up")
        process.send_signal(signal.SIGINT)
        read_until(process, "stopping")
        seen = time.monotonic()
        wait_until(lambda: time.monotonic() - seen > ONE_REQUEST_SECONDS)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=HANG_SECONDS)
        assert process.returncode == 0
        assert "deaf.1   | does not end; killing it" in rest


@pytest.mark.full
def test_a_signal_that_comes_twice_at_once_is_one(home: Path, environ: dict[str, str]) -> None:
    procfile = write_procfile(home.parent, "release", "dialer")
    with owner(SERVE, procfile, environ=environ) as process:
        read_until(process, "dialer.1 | up")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=HANG_SECONDS)
        assert process.returncode == 0
        assert "dialer.1 | told to stop, servers answer: True" in rest
        assert "killing" not in rest


def test_a_signal_while_it_starts_ends_it_cleanly(home: Path, environ: dict[str, str]) -> None:
    folder = home.parent
    folder.mkdir()
    procfile = folder / "Procfile"
    release = "echo $$ > pid; echo releasing; exec sleep 60"
    procfile.write_text(f"release: sh -c {shlex.quote(f'cd {shlex.quote(str(folder))}; {release}')}\n")
    with owner(SERVE, procfile, environ=environ) as process:
        read_until(process, "releasing")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=HANG_SECONDS)
        assert process.returncode == 0
        wait_until_gone(int((folder / "pid").read_text(encoding="ascii")))


@pytest.mark.full
def test_a_release_that_fails_is_status_1(home: Path, environ: dict[str, str]) -> None:
    procfile = write_procfile(home.parent, "release", "web")
    (home.parent / "release-fails").touch()
    with owner(SERVE, procfile, environ=environ) as process:
        output, _ = process.communicate(timeout=HANG_SECONDS)
        assert process.returncode == 1
        assert "carillon: the release command ended with status 1: python" in output


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("PORT", "eighty", "PORT is 'eighty'; it must be a whole number from 1 to 65535."),
        ("DIALERS", "-1", "DIALERS is '-1'; it must be a whole number from 0 to 64."),
        ("REDIS_URL", "localhost", f"REDIS_URL is 'localhost'; {REDIS_SHAPE}."),
        (
            "CARILLON_HOME",
            "/dev/null",
            "CARILLON_HOME is '/dev/null'; it must be a folder, or a path at which one can be made.",
        ),
    ],
)
def test_a_wrong_setting_is_one_sentence_and_status_2(
    environ: dict[str, str], variable: str, value: str, sentence: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "local", "server"],
        env=os.environ | environ | {"PYTHONPATH": str(ROOT), variable: value},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"carillon: {sentence}\n")


def test_a_second_server_in_the_same_home_names_the_first(home: Path, environ: dict[str, str]) -> None:
    procfile = write_procfile(home.parent, "release", "web")
    with owner(SERVE, procfile, environ=environ) as first:
        read_until(first, "ready")
        with owner(SERVE, procfile, environ=environ | {"PORT": str(free_port())}) as second:
            output, _ = second.communicate(timeout=HANG_SECONDS)
            assert second.returncode == 2
            sentence = f"{home} is in use by process {first.pid}; stop that, or set another folder"
            assert output == f"carillon: CARILLON_HOME: {sentence}\n"
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=HANG_SECONDS)


def test_an_unknown_command_is_told_what_there_is() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local", "sever"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m local")
