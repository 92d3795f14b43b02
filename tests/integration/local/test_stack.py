"""The stack: everything of one installation, owned by one process, with stand-ins for its children."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local import stack as module
from local.errors import HomeInUseError, LocalError, ServerFailedError, UnusableSettingError
from local.process import free_port, spawn
from local.stack import OWNER_VARIABLE, Stack
from settings import SettingsError
from tests.integration.local.owner_process import line_of, owner, running, sigkill, wait_until_gone
from tests.waiting import HANG_SECONDS, wait_until

STAND_IN = Path(__file__).with_name("stand_in.py")
NODE = "esl://:ClueCon@127.0.0.1:1"
Lines = list[tuple[str, str]]


def write_procfile(folder: Path, *kinds: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "Procfile"
    lines = [
        f"{kind}: python {shlex.quote(str(STAND_IN))} {kind} {shlex.quote(str(folder))}" for kind in kinds
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def lines() -> Lines:
    return []


@pytest.fixture
def folder(home: Path) -> Path:
    """Where the stand-ins leave their notes."""
    write_procfile(home.parent, "release", "web", "dialer")
    return home.parent


def build(home: Path, lines: Lines, **settings: str) -> Stack:
    return Stack(
        home,
        port=0,
        dialers=2,
        web_workers=1,
        environ=os.environ | {"FREESWITCH_URLS": NODE} | settings,
        output=lambda name, line: lines.append((name, line)),
        durable=False,
        procfile=home.parent / "Procfile",
    )


@pytest.fixture
def stack(home: Path, folder: Path, lines: Lines) -> Iterator[Stack]:
    with up(home, lines) as stack:
        yield stack


@pytest.fixture(scope="module")
def common_lines() -> Lines:
    return []


@pytest.fixture(scope="module")
def common_stack(common_home: Path, common_lines: Lines) -> Iterator[Stack]:
    """One for all tests that only look at it."""
    write_procfile(common_home.parent, "release", "web", "dialer")
    with up(common_home, common_lines) as stack:
        yield stack


@contextmanager
def up(home: Path, lines: Lines) -> Iterator[Stack]:
    with build(home, lines) as stack:
        stack.wait_ready()
        wait_until(lambda: {"dialer.1", "dialer.2"} <= {name for name, line in lines if line == "up"})
        yield stack


def notes(folder: Path, kind: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_children_of_the_procfile_run_with_the_urls_of_the_servers(common_stack: Stack) -> None:
    stack, folder = common_stack, common_stack.home.parent
    assert set(stack.pids) == {"postgres", "valkey", "web.1", "dialer.1", "dialer.2"}
    assert len(notes(folder, "dialer")) == 2
    for given in [*notes(folder, "release"), *notes(folder, "web"), *notes(folder, "dialer")]:
        assert given == {
            "CARILLON_CDR_KEY": (stack.home / "cdr.key").read_text(encoding="ascii").strip(),
            "CARILLON_HOME": str(stack.home),
            "DATABASE_URL": stack.database_url,
            "FREESWITCH_URLS": NODE,
            "HOST": "127.0.0.1",
            "PORT": str(stack.settings.port),
            "REDIS_URL": stack.redis_url,
            "SECRET_KEY": (stack.home / "secret.key").read_text(encoding="ascii").strip(),
            "WEB_CONCURRENCY": "1",
        }
    for name in ("secret.key", "cdr.key"):
        assert stat.S_IMODE((stack.home / name).stat().st_mode) == 0o600


def test_release_ends_before_anything_else_begins(common_stack: Stack, common_lines: Lines) -> None:
    assert common_lines[0] == ("release", "released")


@pytest.mark.full
def test_servers_that_are_given_are_used_and_not_started(
    home: Path, folder: Path, lines: Lines, servers: dict[str, str]
) -> None:
    with build(home, lines, **servers, SECRET_KEY="k" * 16, CARILLON_CDR_KEY="c" * 16) as stack:
        stack.wait_ready()
        assert set(stack.pids) == {"web.1", "dialer.1", "dialer.2"}
        assert notes(folder, "web")[0]["DATABASE_URL"] == servers["DATABASE_URL"]
        assert notes(folder, "web")[0]["REDIS_URL"] == servers["REDIS_URL"]
        assert notes(folder, "web")[0]["SECRET_KEY"] == "k" * 16
        assert notes(folder, "web")[0]["CARILLON_CDR_KEY"] == "c" * 16
    assert not (home / "secret.key").exists()
    assert not (home / "cdr.key").exists()


def test_a_dialer_that_is_killed_is_started_again(stack: Stack, lines: Lines) -> None:
    first = stack.pids["dialer.2"]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: stack.pids.get("dialer.2", first) != first, what="another dialer.2")
    assert ("dialer.2", "was killed by SIGKILL; starting it again in 0.2 s") in lines


def test_a_server_that_is_killed_is_started_again_under_the_same_url(stack: Stack) -> None:
    first = {name: stack.pids[name] for name in ("postgres", "valkey")}
    for pid in first.values():
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: all(stack.pids.get(name, pid) != pid for name, pid in first.items()),
        "servers that run again",
    )
    wait_until(lambda: answers(stack), what="servers that answer")


def answers(stack: Stack) -> bool:
    try:
        psycopg.connect(stack.database_url).close()
        with redis.Redis.from_url(stack.redis_url, retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.ping())
    except (psycopg.OperationalError, redis.ConnectionError):
        return False


@pytest.mark.full
def test_the_servers_outlive_the_children(home: Path, folder: Path, lines: Lines) -> None:
    with build(home, lines) as stack:
        wait_until(lambda: sum(line == "up" for _, line in lines) == 3, what="three children")
        pids = set(stack.pids.values())
    assert sorted(name for name, line in lines if line == "told to stop, servers answer: True") == [
        "dialer.1",
        "dialer.2",
        "web.1",
    ]
    assert not any(running(pid) for pid in pids)


@pytest.mark.full
def test_a_child_that_does_not_end_is_killed_after_its_time(
    home: Path, lines: Lines, servers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.5)
    write_procfile(home.parent, "release", "deaf")
    with build(home, lines, **servers) as stack:
        wait_until(lambda: ("deaf.1", "up") in lines)
        deaf = stack.pids["deaf.1"]
    assert ("deaf.1", "does not end; killing it") in lines
    assert not running(deaf)


def test_hurry_does_not_wait_for_a_child(
    home: Path, lines: Lines, servers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DRAIN_SECONDS", 3600.0)
    write_procfile(home.parent, "release", "deaf")
    with build(home, lines, **servers) as stack:
        wait_until(lambda: ("deaf.1", "up") in lines)
        stack.hurry()
    assert ("deaf.1", "does not end; killing it") in lines


def test_a_failing_release_stops_everything_and_is_named(
    home: Path, folder: Path, lines: Lines, servers: dict[str, str]
) -> None:
    (folder / "release-fails").touch()
    stack = build(home, lines, **servers)
    with pytest.raises(LocalError, match="the release command ended with status 1: python"):
        stack.start()
    assert stack.pids == {}
    assert not (folder / "web.jsonl").exists()
    (folder / "release-fails").unlink()
    with build(home, lines, **servers) as again:
        again.wait_ready()


def test_one_owner_for_a_home(common_stack: Stack, lines: Lines) -> None:
    with pytest.raises(HomeInUseError, match=f"in use by process {os.getpid()}"):
        build(common_stack.home, lines).start()
    common_stack.wait_ready()


@pytest.mark.full
def test_a_second_clone_runs_beside_the_first(common_stack: Stack, lines: Lines) -> None:
    stack = common_stack
    home = stack.home.parent.parent / "a second clone" / ".carillon"
    write_procfile(home.parent, "release", "web", "dialer")
    with build(home, lines) as second:
        second.wait_ready()
        assert not set(second.pids.values()) & set(stack.pids.values())
        assert second.database_url != stack.database_url
    stack.wait_ready()


def test_a_taken_port_is_a_wrong_setting(home: Path, folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        stack = Stack(home, port=port, environ={"FREESWITCH_URLS": NODE}, procfile=folder / "Procfile")
        with pytest.raises(
            UnusableSettingError, match=f"^PORT: cannot listen on {port}: Address already in use"
        ):
            stack.start()
    assert not (home / "postgres").exists()


def test_a_wrong_setting_is_found_before_anything_is_made(home: Path) -> None:
    with pytest.raises(SettingsError, match="DIALERS"):
        Stack(home, environ={"DIALERS": "many"})
    assert not home.exists()


@pytest.mark.full
def test_a_stack_that_does_not_get_ready_says_what_is_missing(
    home: Path, folder: Path, lines: Lines, servers: dict[str, str]
) -> None:
    (folder / "not-ready").touch()
    with build(home, lines, **servers) as stack:
        wait_until(lambda: ("web.1", "up") in lines)
        with pytest.raises(ServerFailedError, match="database: no"):
            stack.wait_ready(2)


OWNER = """
import json, os, signal, sys
from pathlib import Path
from local.stack import Stack
home = Path(sys.argv[1])
stack = Stack(home, port=int(sys.argv[2]), dialers=2, procfile=home.parent / "Procfile")
stack.start()
stack.wait_ready()
print(json.dumps(stack.pids), flush=True)
signal.pause()
"""


@pytest.mark.full
def test_after_a_kill_of_the_owner_nothing_is_left_and_the_next_start_works(home: Path, folder: Path) -> None:
    port = str(free_port())
    environ = {"FREESWITCH_URLS": NODE}
    with owner(OWNER, home, port, environ=environ) as first:
        pids = json.loads(line_of(first))
        sigkill(first)
        wait_until_gone(*pids.values())
    with owner(OWNER, home, port, environ=environ) as second:
        again = json.loads(line_of(second))
        sigkill(second)
        wait_until_gone(*again.values())
    assert set(again) == {"postgres", "valkey", "web.1", "dialer.1", "dialer.2"}


@pytest.mark.full
def test_after_a_kill_of_the_whole_tree_the_next_start_works(home: Path, folder: Path, lines: Lines) -> None:
    with owner(OWNER, home, str(free_port()), environ={"FREESWITCH_URLS": NODE}) as first:
        pids = json.loads(line_of(first))
        for pid in (first.pid, *pids.values()):
            os.kill(pid, signal.SIGKILL)
        first.wait(HANG_SECONDS)
    with build(home, lines) as stack:
        stack.wait_ready()


def ignores(pid: int, number: signal.Signals) -> bool:
    """Whether a process ignores a signal by now."""
    (mask,) = re.findall(r"^SigIgn:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(mask, 16) & 1 << (number - 1))


@pytest.mark.full
def test_children_of_a_dead_owner_are_ended_by_the_next_one(
    home: Path, folder: Path, lines: Lines, servers: dict[str, str]
) -> None:
    left = spawn(
        ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"], env={OWNER_VARIABLE: str(home)}
    )
    other = spawn(["/bin/sleep", "60"], env={OWNER_VARIABLE: f"{home}-2"})
    try:
        wait_until(lambda: ignores(left.pid, signal.SIGTERM), what="the trap")
        with build(home, lines, **servers):
            assert left.wait(HANG_SECONDS) == -signal.SIGKILL
            assert other.poll() is None
    finally:
        other.kill()
        other.wait()
