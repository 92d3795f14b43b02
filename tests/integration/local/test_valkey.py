"""The embedded Valkey: what it promises to its owner, and what it survives."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local import valkey as module
from local.errors import HomeInUseError, LocalError, ServerFailedError
from local.process import free_port
from local.valkey import EmbeddedValkey
from tests.integration.local.owner_process import SERVER, line_of, owner, running, sigkill, wait_until_gone

OWNER = SERVER.format(module="valkey", name="EmbeddedValkey")


def remember(url: str, text: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.set("memory", text)


def remembered(url: str) -> str | None:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        value = client.get("memory")
        return None if value is None else str(value)


def setting(url: str, name: str) -> str:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return str(client.config_get(name)[name])


def test_keys_last_from_one_start_to_the_next(home: Path) -> None:
    with EmbeddedValkey(home) as server:
        remember(server.url, "kept")
        assert setting(server.url, "appendfsync") == "everysec"
        assert setting(server.url, "maxmemory-policy") == "noeviction"
    with EmbeddedValkey(home) as server:
        assert remembered(server.url) == "kept"


def test_keys_survive_a_kill(home: Path) -> None:
    server = EmbeddedValkey(home)
    remember(server.start(), "kept")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with EmbeddedValkey(home) as again:
        assert remembered(again.url) == "kept"


def test_nothing_is_kept_for_a_server_that_is_not_meant_to_last(home: Path) -> None:
    with EmbeddedValkey(home, durable=False) as server:
        remember(server.url, "gone tomorrow")
        assert setting(server.url, "appendonly") == "no"
    with EmbeddedValkey(home, durable=False) as server:
        assert remembered(server.url) is None


def test_the_password_is_needed_and_shows_nowhere(home: Path) -> None:
    with EmbeddedValkey(home) as server:
        password = (home / "valkey.password").read_text(encoding="ascii").strip()
        for private in (home / "valkey.password", home / "valkey" / "valkey.conf"):
            assert stat.S_IMODE(private.stat().st_mode) == 0o600
        assert password.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
        with (
            redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()


def test_it_listens_on_this_machine_only(home: Path) -> None:
    with EmbeddedValkey(home) as server:
        assert setting(server.url, "bind") == "127.0.0.1"


def test_the_server_ends_with_an_owner_that_is_killed_and_the_next_start_goes_on(home: Path) -> None:
    with owner(OWNER, home) as process:
        url, pid = line_of(process).split()
        remember(url, "of the first owner")
        sigkill(process)
        wait_until_gone(int(pid))
    with EmbeddedValkey(home) as server:
        assert remembered(server.url) == "of the first owner"


@pytest.mark.full
def test_a_server_whose_owner_is_dead_is_ended_by_the_next_owner(home: Path) -> None:
    first = EmbeddedValkey(home)
    remember(first.start(), "kept")
    assert first.pid is not None
    first.lock.release()  # what the kernel does when an owner dies
    with EmbeddedValkey(home) as second:
        assert not running(first.pid or 0)
        assert remembered(second.url) == "kept"
    first.stop()


@pytest.mark.full
def test_a_living_owner_is_named_and_left_alone(home: Path) -> None:
    with owner(OWNER, home) as process:
        url, pid = line_of(process).split()
        with pytest.raises(HomeInUseError, match=f"in use by process {process.pid}"):
            EmbeddedValkey(home).start()
        remember(url, "still there")
    wait_until_gone(int(pid))


@pytest.mark.full
def test_two_clones_run_side_by_side(home: Path) -> None:
    other = home.parent.parent / "a clone beside it" / ".carillon"
    with EmbeddedValkey(home) as one, EmbeddedValkey(other) as two:
        remember(one.url, "one")
        assert remembered(two.url) is None


@pytest.mark.full
def test_a_port_that_was_taken_meanwhile_is_given_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedValkey(home.parent.parent / "other") as taken:
        ports = iter([taken.port, free_port()])
        monkeypatch.setattr(module, "free_port", lambda: next(ports))
        with EmbeddedValkey(home) as server:
            assert server.port != taken.port
            remember(server.url, "here")


@pytest.mark.full
def test_a_restart_after_a_crash_keeps_the_url(home: Path) -> None:
    with EmbeddedValkey(home) as server:
        before = server.url
        remember(before, "kept")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        assert server.restart() == before
        assert remembered(before) == "kept"


def test_a_server_that_cannot_start_says_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedValkey(home) as server:
        remember(server.url, "kept")
    broken = home / "valkey" / "appendonlydir" / "appendonly.aof.manifest"
    broken.write_text("nonsense\n", encoding="ascii")
    with pytest.raises(ServerFailedError, match="manifest"):
        EmbeddedValkey(home).start()


def test_a_machine_without_a_binary_is_told_to_bring_its_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(LocalError, match="on riscv64; set REDIS_URL"):
        module.binary()
